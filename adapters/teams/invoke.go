package teams

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/bot"
)

// invokeTime is how long an invoke may take: Teams gives up after ten seconds, and the
// person should read what went wrong before that.
const invokeTime = 8 * time.Second

// invoke answers what a client waits for. An error becomes a sentence for the person,
// because Teams does not send an invoke again.
func (t *turn) invoke(*activity.TurnContext) (schema.Activity, error) {
	ctx, cancel := context.WithTimeout(t.ctx, invokeTime)
	defer cancel()
	t.ctx = ctx
	var err error
	switch t.in.Name {
	case "adaptiveCard/action":
		t.answer, err = t.execute()
	case "task/fetch":
		t.answer, err = t.openDialog()
	case "task/submit":
		t.answer, err = t.submitDialog()
	case "composeExtension/query":
		t.answer = t.search()
	case "composeExtension/fetchTask":
		t.answer = t.openAsk()
	case "composeExtension/submitAction":
		t.answer, err = t.submitAsk()
	case "application/search":
		t.answer = t.typeahead()
	case "message/submitAction":
		err = t.feedback()
		t.answer = struct{}{}
	default:
		t.answer = struct{}{}
	}
	if err != nil {
		t.a.log.Error("teams: an invoke failed", "name", limit(t.in.Name, 60), "error", err)
		t.answer = t.failure(t.a.bot.Sentence(err))
	}
	return schema.Activity{}, nil
}

// failure is an answer with a sentence, in the form that the invoke needs.
func (t *turn) failure(sentence string) any {
	switch t.in.Name {
	case "adaptiveCard/action":
		return actionMessage(sentence)
	case "task/fetch", "task/submit", "composeExtension/fetchTask", "composeExtension/submitAction":
		return dialogMessage(sentence)
	}
	return struct{}{}
}

func actionMessage(sentence string) any {
	return map[string]any{"statusCode": http.StatusOK, "type": "application/vnd.microsoft.activity.message", "value": markdownText(sentence)}
}

func actionCard(c card) any {
	return map[string]any{"statusCode": http.StatusOK, "type": cardType, "value": c}
}

func dialogMessage(sentence string) any {
	return map[string]any{"task": map[string]any{"type": "message", "value": markdownText(sentence)}}
}

func dialog(title string, c card) any {
	return map[string]any{"task": map[string]any{"type": "continue", "value": map[string]any{"title": title, "width": "medium", "height": "medium", "card": attach(c)}}}
}

// The adapter's own actions.
const (
	actErase   bot.Action = "teams-erase"
	actRefresh bot.Action = "teams-refresh"
)

// dataKey is the key of the bot.Press in an action's data.
const dataKey = "canteen"

// readPress reads the press of a button of the bot's from an action's data: under dataKey
// the press, beside it the inputs by their names.
func readPress(data json.RawMessage) (bot.Press, bool) {
	var fields map[string]json.RawMessage
	var press bot.Press
	if json.Unmarshal(data, &fields) != nil || json.Unmarshal(fields[dataKey], &press) != nil || press.Action == "" {
		return press, false
	}
	for name, raw := range fields {
		var value string
		if name == dataKey || name == "msteams" || json.Unmarshal(raw, &value) != nil {
			continue
		}
		if press.Fields == nil {
			press.Fields = map[string]string{}
		}
		if name == bot.FieldTicked { // Teams joins several choices by commas
			value = strings.ReplaceAll(value, ",", "\n")
		}
		press.Fields[name] = value
	}
	if press.Action == bot.ActShow && press.Entry == "" {
		press.Entry = press.Fields[bot.FieldEntry]
	}
	return press, true
}

// press handles the press of a button and gives the sentence for the person, or "".
func (t *turn) press(press bot.Press) (string, error) {
	m := t.newMessage()
	if press.Action == actErase {
		p := t.person()
		if err := t.a.bot.Forget(t.ctx, p, t.key); err != nil {
			return "", err
		}
		t.a.recent.forget(bot.Place(p.ID))
		return t.a.bot.Say(bot.WordErased), nil
	}
	m.Press = &press
	reply, err := t.handle(m)
	return reply.Notice, err
}

// execute answers Action.Execute: in the comms channel with the card as it is now,
// elsewhere with a sentence. Whatever else the press causes comes as messages.
func (t *turn) execute() (any, error) {
	var value struct {
		Action struct {
			Data json.RawMessage `json:"data"`
		} `json:"action"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no press
	press, ok := readPress(value.Action.Data)
	if !ok {
		return actionMessage(t.a.bot.Say(bot.WordExpired)), nil
	}
	notice := ""
	if press.Action != actRefresh {
		var err error
		if notice, err = t.press(press); err != nil {
			return nil, err
		}
	}
	if notice == "" && press.Ref != 0 && bot.Place(placeOf(t.in.Conversation).Lane()) == t.a.Comms() {
		post, err := t.a.bot.Card(t.ctx, press.Ref, personID(t.in.From))
		switch {
		case err == nil:
			return actionCard(t.a.card(post, onMessage)), nil
		case errors.Is(err, bot.ErrForbidden):
			notice = t.a.bot.Say(bot.WordForbiddenComms)
		case errors.Is(err, bot.ErrNotFound):
			notice = t.a.bot.Say(bot.WordExpired)
		case press.Action == actRefresh:
			return nil, err
		}
	}
	if notice == "" {
		notice = t.a.bot.Say(bot.WordDone)
	}
	return actionMessage(notice), nil
}

// dialogData is the data that opens or submits a dialog.
func (t *turn) dialogData() json.RawMessage {
	var value struct {
		Data json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no press
	return value.Data
}

// openDialog answers task/fetch: with the form that a button opens.
func (t *turn) openDialog() (any, error) {
	press, ok := readPress(t.dialogData())
	if !ok {
		return dialogMessage(t.a.bot.Say(bot.WordExpired)), nil
	}
	return t.form(press, nil)
}

// form is a dialog with a press's form. With errs, it has what the person wrote and what is
// wrong with it.
func (t *turn) form(press bot.Press, errs map[string]string) (any, error) {
	f, err := t.a.bot.Form(t.ctx, press, t.person())
	switch {
	case errors.Is(err, bot.ErrForbidden) && bot.Place(placeOf(t.in.Conversation).Lane()) == t.a.Comms():
		return dialogMessage(t.a.bot.Say(bot.WordForbiddenComms)), nil
	case errors.Is(err, bot.ErrForbidden):
		return dialogMessage(t.a.bot.Say(bot.WordForbidden)), nil
	case errors.Is(err, bot.ErrNotFound):
		return dialogMessage(t.a.bot.Say(bot.WordExpired)), nil
	case err != nil:
		return nil, err
	}
	for i, field := range f.Fields {
		if v, ok := press.Fields[field.Name]; ok && errs != nil {
			f.Fields[i].Value = v
		}
		if field.Kind == bot.People && len(field.Choices) == 0 {
			members, err := t.a.roster(t.ctx)
			if err != nil {
				return nil, err
			}
			for _, m := range members[:min(len(members), maxChoices)] {
				f.Fields[i].Choices = append(f.Fields[i].Choices, bot.Choice{Label: m.Name, Value: string(personOf(m))})
			}
		}
	}
	return dialog(f.Title, t.a.formCard(f, errs)), nil
}

// submitDialog answers task/submit: a form that was filled in.
func (t *turn) submitDialog() (any, error) {
	press, ok := readPress(t.dialogData())
	if !ok {
		return dialogMessage(t.a.bot.Say(bot.WordExpired)), nil
	}
	m := t.newMessage()
	m.Press = &press
	if who, ok := press.Fields[bot.FieldPerson]; ok {
		press.Fields[bot.FieldPerson+"_name"] = t.nameOf(bot.PersonID(who))
	}
	reply, err := t.handle(m)
	switch {
	case err != nil:
		return nil, err
	case len(reply.Errors) > 0:
		return t.form(press, reply.Errors)
	case reply.Notice != "":
		return dialogMessage(reply.Notice), nil
	}
	return nil, nil // 200 and nothing closes the dialog
}

// nameOf is the name of a member of the comms team, or "".
func (t *turn) nameOf(p bot.PersonID) string {
	members, err := t.a.roster(t.ctx)
	if err != nil {
		return "" // Handle needs the roster too, and reports the error
	}
	for _, m := range members {
		if personOf(m) == p {
			return m.Name
		}
	}
	return ""
}

// feedback handles a thumb up or down under a message, and the comment with it. Some
// clients do not say under which message.
func (t *turn) feedback() error {
	var value struct {
		Name  string `json:"actionName"`
		Value struct {
			Reaction string `json:"reaction"`
			Feedback string `json:"feedback"` // JSON in a string, as documented
		} `json:"actionValue"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse says nothing
	var said struct {
		Text string `json:"feedbackText"`
	}
	if json.Unmarshal([]byte(value.Value.Feedback), &said) != nil {
		said.Text = value.Value.Feedback // as the Agents Playground sends it
	}
	action, ok := map[string]bot.Action{"like": bot.ActHelped, "dislike": bot.ActNotMeant}[value.Value.Reaction]
	words := strings.TrimSpace(said.Text)
	if value.Name != "feedback" || !ok || t.in.ReplyToID == "" && words == "" {
		return nil
	}
	m := t.newMessage()
	m.Press = &bot.Press{Action: action, On: t.in.ReplyToID, Thumb: true}
	if words != "" {
		m.Press.Fields = map[string]string{bot.FieldText: words}
	}
	_, err := t.handle(m)
	return err
}
