package teams

import (
	"encoding/json"
	"html"
	"net/http"
	"slices"

	"canteen/bot"
	"canteen/knowledge/text"
)

// search answers the message extension: with entries to put into any conversation.
func (t *turn) search() any {
	var value struct {
		Parameters []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"parameters"`
		Options struct {
			Skip  int `json:"skip"`
			Count int `json:"count"`
		} `json:"queryOptions"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse searches for nothing
	text := ""
	for _, p := range value.Parameters {
		if s, ok := p.Value.(string); ok && p.Name != "initialRun" {
			text = s
		}
	}
	attachments := []any{}
	for _, p := range t.a.entries(text, value.Options.Skip, value.Options.Count) {
		full := attach(t.a.card(p, inserted))
		attachments = append(attachments, map[string]any{"contentType": full.ContentType, "content": full.Content,
			"preview": map[string]any{"contentType": "application/vnd.microsoft.card.thumbnail", "content": map[string]any{"title": html.EscapeString(p.Title), "text": html.EscapeString(limit(markdownText(p.Text), 120))}}})
	}
	return map[string]any{"composeExtension": map[string]any{"type": "result", "attachmentLayout": "list", "attachments": attachments}}
}

// maxFound is how many entries a search gives at once.
const maxFound = 25

// entries are the answers that match a few typed words, as posts.
func (a *Adapter) entries(text string, skip, n int) []bot.Post {
	if n <= 0 || n > maxFound {
		n = maxFound
	}
	skip = min(max(skip, 0), 10_000)
	var posts []bot.Post
	list := a.suggest(text, skip+n)
	for _, c := range list[min(skip, len(list)):] {
		if e, ok := a.bot.Base().Entry(c.Value); ok {
			posts = append(posts, bot.Post{Kind: bot.KindAnswer, Title: e.Title, Text: e.Body, Since: e.Since, Source: bot.SourceName(e.Source), Entry: e.ID})
		}
	}
	return posts
}

// suggest is Bot.Suggest without the entries that have no answer.
func (a *Adapter) suggest(text string, n int) []bot.Choice {
	list := slices.DeleteFunc(a.bot.Suggest(text, 4*n), func(c bot.Choice) bool {
		e, ok := a.bot.Base().Entry(c.Value)
		return !ok || e.Route != ""
	})
	return list[:min(n, len(list))]
}

// typeahead answers a form's search field while somebody types in it.
func (t *turn) typeahead() any {
	var value struct {
		Text    string `json:"queryText"`
		Options struct {
			Top int `json:"top"`
		} `json:"queryOptions"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse searches for nothing
	n := value.Options.Top
	if n <= 0 || n > maxFound {
		n = maxFound
	}
	results := []any{}
	for _, c := range t.a.suggest(value.Text, n) {
		results = append(results, map[string]string{"title": c.Label, "value": c.Value})
	}
	return map[string]any{"statusCode": http.StatusOK, "type": "application/vnd.microsoft.search.searchResponse", "value": map[string]any{"results": results}}
}

// openAsk opens the dialog of "Ask Canteen about this message", with the message in it.
func (t *turn) openAsk() any {
	var value struct {
		Message struct {
			Body struct {
				Content string `json:"content"`
			} `json:"body"`
		} `json:"messagePayload"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no message
	return t.askForm(limit(htmlText(value.Message.Body.Content), maxQuestion), nil)
}

// maxQuestion is how many characters the dialog's field takes.
const maxQuestion = 3000

func (t *turn) askForm(text string, errs map[string]string) any {
	f := bot.Form{Title: "Ask Canteen", Submit: "Ask", Intro: t.a.bot.Say(bot.WordFormAsk),
		Fields: []bot.Field{{Name: bot.FieldText, Label: "Question", Kind: bot.Area, Value: text, Max: maxQuestion}}}
	return dialog(f.Title, t.a.formCard(f, errs))
}

// submitAsk answers a question, or the press of a button, in the dialog of "Ask Canteen
// about this message". Only the person sees the dialog; what comes later comes to the
// private chat.
func (t *turn) submitAsk() (any, error) {
	data := t.dialogData()
	m := t.newMessage()
	m.In, m.Where, m.Audience = m.Direct, "", bot.InReply
	if press, ok := readPress(data); ok && press.Action != "" {
		var opens struct {
			Form bool `json:"form"`
		}
		_ = json.Unmarshal(data, &opens) // what does not parse opens nothing
		if opens.Form {
			return t.form(press, nil)
		}
		m.Press = &press
	} else {
		var fields struct {
			Text string `json:"text"`
		}
		_ = json.Unmarshal(data, &fields) // what does not parse has no text
		if m.Text = fields.Text; text.Clean(m.Text) == "" {
			return t.askForm("", map[string]string{bot.FieldText: t.a.bot.Say(bot.WordFieldEmpty)}), nil
		}
	}
	reply, err := t.handle(m)
	switch {
	case err != nil:
		return nil, err
	case len(reply.Errors) > 0:
		return t.form(*m.Press, reply.Errors)
	case len(reply.Posts) > 0:
		return dialog("Canteen", t.a.dialogCard(reply)), nil
	case reply.Notice != "":
		return dialogMessage(reply.Notice), nil
	}
	return dialogMessage(t.a.bot.Say(bot.WordDone)), nil
}
