package teams

import (
	"strings"

	"canteen/bot"
)

// formCard is a form in a dialog. errs has sentences for its fields, by name.
func (a *Adapter) formCard(f bot.Form, errs map[string]string) card {
	body := richText(f.Intro, style{})
	for _, field := range f.Fields {
		body = append(body, a.input(field))
		if field.Hint != "" {
			body = append(body, textBlock(field.Hint, style{subtle: true, small: true}))
		}
		if e := errs[field.Name]; e != "" {
			body = append(body, textBlock(markdownText(e), style{wrong: true}))
		}
	}
	for name, e := range errs { // of fields that are not shown
		if !hasField(f, name) {
			body = append(body, textBlock(markdownText(e), style{wrong: true}))
		}
	}
	data := card{}
	if f.Press.Action != "" {
		data[dataKey] = f.Press
	}
	body = append(body, actionSet(card{"type": "Action.Submit", "title": f.Submit, "style": "positive", "data": data}))
	return newCard(body)
}

func hasField(f bot.Form, name string) bool {
	for _, x := range f.Fields {
		if x.Name == name {
			return true
		}
	}
	return false
}

// maxChoices is how many choices a field holds itself. The rest is found by typing.
const maxChoices = 200

// input is one field of a form.
func (a *Adapter) input(f bot.Field) card {
	in := card{"type": "Input.Text", "id": f.Name, "label": f.Label}
	if !f.Optional {
		in["isRequired"], in["errorMessage"] = true, a.bot.Say(bot.WordFieldEmpty)
	}
	if f.Value != "" {
		in["value"] = f.Value
	}
	switch f.Kind {
	case bot.Line, bot.Area, bot.Marked:
		if f.Kind != bot.Line {
			in["isMultiline"] = true
		}
		if f.Max > 0 {
			in["maxLength"] = f.Max
		}
		return in
	case bot.Search:
		// The nearest come first, then the folder. Teams asks for the rest with what is
		// typed: see typeahead.
		for _, c := range a.suggest("", maxChoices) {
			if !hasChoice(f.Choices, c.Value) {
				f.Choices = append(f.Choices, c)
			}
		}
		in["choices.data"] = card{"type": "Data.Query", "dataset": "entries"}
	}
	choices := []any{}
	for _, c := range f.Choices {
		choices = append(choices, card{"title": c.Label, "value": c.Value})
	}
	in["type"], in["choices"], in["style"] = "Input.ChoiceSet", choices, "filtered"
	if f.Kind == bot.Many {
		in["isMultiSelect"], in["style"], in["wrap"] = true, "expanded", true
		if f.Value != "" {
			in["value"] = strings.ReplaceAll(f.Value, "\n", ",")
		}
	}
	return in
}

func hasChoice(list []bot.Choice, value string) bool {
	for _, c := range list {
		if c.Value == value {
			return true
		}
	}
	return false
}

// dialogCard shows a reply in a dialog.
func (a *Adapter) dialogCard(r bot.Reply) card {
	var body []any
	for _, p := range r.Posts {
		c, err := a.fitCard(p, inDialog)
		if err != nil {
			continue // no post is so long
		}
		body = append(body, c["body"].([]any)...)
	}
	if r.Notice != "" {
		body = append(body, richText(r.Notice, style{})...)
	}
	return newCard(body)
}

// homeCard is a person's home page.
func (a *Adapter) homeCard(h bot.Home) card {
	var body []any
	if len(h.Mine) > 0 {
		body = append(body, heading("Your questions to comms"))
		for _, m := range h.Mine {
			items := plainLines(m.Text, style{})
			items = append(items, textBlock(m.Ref.String()+" · "+m.State, style{subtle: true, small: true}))
			items = append(items, buttons(m.Buttons, onMessage)...)
			body = append(body, card{"type": "Container", "style": "emphasis", "items": items})
		}
	}
	if len(h.Popular) > 0 {
		body = append(body, heading("Popular"))
		for _, b := range h.Popular {
			body = append(body, actionSet(action(b, onMessage)))
		}
	}
	var choices []any
	for _, t := range h.Topics {
		for _, e := range t.Entries {
			if len(choices) < maxChoices {
				choices = append(choices, card{"title": limit(t.Name+": "+e.Label, 150), "value": e.Press.Entry})
			}
		}
	}
	if len(choices) > 0 {
		body = append(body, heading("All entries"),
			card{"type": "Input.ChoiceSet", "id": bot.FieldEntry, "label": "Entry", "choices": choices, "style": "filtered"},
			actionSet(action(bot.Button{Label: "Show it", Press: bot.Press{Action: bot.ActShow}}, onMessage)))
	}
	body = append(body, heading("What is kept"))
	body = append(body, richText(h.Privacy, style{})...)
	erase := action(bot.Button{Label: "Erase it", Press: bot.Press{Action: actErase}}, onMessage)
	erase["style"] = "destructive"
	sure := newCard([]any{textBlock("What you asked and what was answered is erased. A question that still waits is withdrawn.", style{}), actionSet(erase)})
	body = append(body, actionSet(card{"type": "Action.ShowCard", "title": "Delete my data", "card": sure}))
	return newCard(body)
}
