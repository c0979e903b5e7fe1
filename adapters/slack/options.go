package slack

import (
	"context"
	"encoding/json"
	"strings"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// options are what a menu finds for a few letters.
func (a *Adapter) options(ctx context.Context, x interaction) []*slackgo.OptionBlockObject {
	list := []*slackgo.OptionBlockObject{}
	id, _, _ := strings.Cut(x.ActionID, "/")
	if id != idEntry && id != idField {
		return list
	}
	var choices []bot.Choice
	var meta metadata
	if x.Value == "" && json.Unmarshal([]byte(x.View.Metadata), &meta) == nil && meta.Press.Action != "" {
		// Before anything is typed: the entries nearest to the question.
		if form, err := a.c.Bot.Form(ctx, meta.Press, bot.Person{ID: person(x.User.ID)}); err == nil {
			for _, f := range form.Fields {
				if f.Kind == bot.Search {
					choices = f.Choices
				}
			}
		}
	}
	if len(choices) == 0 {
		choices = a.c.Bot.Suggest(unescape.Replace(x.Value), maxOptions)
	}
	for _, c := range choices {
		list = append(list, option(c))
	}
	return list
}

// maxOptions is how many entries a search offers; Slack shows up to 100.
const maxOptions = 20
