package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"canteen/bot"
)

type formPage struct {
	layout
	Form   bot.Form
	Errors map[string]string
	File   string // an entry to take along, where it could not be written
	Back   string
	// Query and Found are of the search for an entry.
	Query string
	Found []bot.Choice
}

// Drawn is a field on its page.
func (p *formPage) Drawn(f bot.Field) fieldView { return fieldView{f, p.Errors[f.Name]} }

// fieldView is a field with what is wrong with it.
type fieldView struct {
	bot.Field
	Wrong string
}

// Input is the field's name in what is posted, and its id on the page.
func (f fieldView) Input() string { return fieldPrefix + f.Name }

// Choosing tells whether it is one of Choices.
func (f fieldView) Choosing() bool {
	return f.Kind == bot.Pick || f.Kind == bot.People || f.Kind == bot.Search || f.Kind == bot.Many
}

// Ticking tells whether any number of Choices may be ticked, and Ticked which are.
func (f fieldView) Ticking() bool { return f.Kind == bot.Many }

// Ticked is described at Ticking.
func (f fieldView) Ticked(value string) bool {
	return slices.Contains(strings.Split(f.Value, "\n"), value)
}

// Hinted tells whether its hint stands beside it: a search has it at its own box.
func (f fieldView) Hinted() bool { return f.Hint != "" && f.Kind != bot.Search }

// Describes are the ids of what describes it.
func (f fieldView) Describes() string {
	var ids []string
	if f.Hinted() {
		ids = append(ids, f.Input()+"-hint")
	}
	if f.Wrong != "" {
		ids = append(ids, f.Input()+"-error")
	}
	return strings.Join(ids, " ")
}

// fieldPrefix sets the fields of a form apart from what goes with it.
const fieldPrefix = "field-"

// found is how many entries a search for one shows.
const found = 8

func readPress(s string) (bot.Press, error) {
	var p bot.Press
	if err := json.Unmarshal([]byte(s), &p); err != nil {
		return p, fmt.Errorf("%w: press", errBadRequest)
	}
	return p, nil
}

// form shows the form that a press opens.
func (s *web) form(w http.ResponseWriter, r *http.Request) error {
	press, err := readPress(r.FormValue("press"))
	if err != nil {
		return err
	}
	p, err := s.formPage(w, r, press)
	if err != nil {
		return err
	}
	return s.show(w, http.StatusOK, "form", p)
}

func (s *web) formPage(w http.ResponseWriter, r *http.Request, press bot.Press) (*formPage, error) {
	me := s.person(w, r)
	f, err := s.Bot.Form(r.Context(), press, me)
	if err != nil {
		return nil, err
	}
	p := &formPage{layout: s.layout(r, f.Title), Form: f, Back: "/"}
	if atDesk(r) {
		p.Back = "/desk/" + press.Ref.String()
	}
	for i := range f.Fields {
		field := &p.Form.Fields[i]
		switch field.Kind {
		case bot.People:
			if field.Choices, err = s.people(r.Context(), me); err != nil {
				return nil, err
			}
		case bot.Search:
			if p.Query = strings.TrimSpace(r.FormValue("q")); p.Query != "" {
				p.Found = s.Bot.Suggest(p.Query, found)
				field.Choices = p.Found
			}
		}
	}
	return p, nil
}

// press takes a button, or a form that was filled in.
func (s *web) press(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	press, err := readPress(r.PostForm.Get("press"))
	if err != nil {
		return err
	}
	opened := press // the press that gave the form, if it was one
	fields := map[string]string{}
	for name := range r.PostForm {
		if field, ok := strings.CutPrefix(name, fieldPrefix); ok {
			fields[field] = strings.Join(r.PostForm[name], "\n") // of boxes there may be several
		}
	}
	me := s.person(w, r)
	if r.PostForm.Has("form") {
		press.Fields = fields
		p, err := s.formPage(w, r, opened)
		if err != nil {
			return err
		}
		if errs := s.check(p.Form, fields); len(errs) > 0 {
			return s.reopen(w, p, fields, bot.Reply{Errors: errs})
		}
	}
	m := bot.Message{Keys: []string{messageKey(r, me, &press)}, From: me, In: bot.Place(me.ID), Press: &press, At: s.Now(),
		Audience: bot.Private, Addressed: true}
	if atDesk(r) {
		m.Audience = bot.InReply // nobody reads what would be posted to a desk
	}
	reply, err := s.Bot.Handle(r.Context(), m)
	if err != nil {
		return err
	}
	if len(reply.Errors) > 0 {
		p, err := s.formPage(w, r, opened)
		if err != nil {
			return err
		}
		return s.reopen(w, p, fields, reply)
	}
	if atDesk(r) {
		if reply.Notice != "" {
			return s.showItem(w, r, press.Ref, reply.Notice)
		}
		return to(w, r, "/desk/"+press.Ref.String())
	}
	p, err := s.chatPage(r)
	if err != nil {
		return err
	}
	return s.answered(w, r, p, reply)
}

// check finds what the form itself does not allow, and fills in the names of
// colleagues that were picked.
func (s *web) check(f bot.Form, fields map[string]string) map[string]string {
	errs := map[string]string{}
	for _, field := range f.Fields {
		value := fields[field.Name]
		if field.Max > 0 && utf8.RuneCountInString(value) > field.Max {
			errs[field.Name] = fmt.Sprintf("%s must be %d characters or fewer.", field.Label, field.Max)
		}
		if i := slices.IndexFunc(field.Choices, func(c bot.Choice) bool { return c.Value == value }); field.Kind == bot.People && i >= 0 && field.Choices[i].Label != nameless {
			fields[field.Name+"_name"] = field.Choices[i].Label
		}
	}
	return errs
}

// reopen shows a form again, with what was typed and what is wrong with it.
func (s *web) reopen(w http.ResponseWriter, p *formPage, fields map[string]string, reply bot.Reply) error {
	for i := range p.Form.Fields {
		p.Form.Fields[i].Value = fields[p.Form.Fields[i].Name]
	}
	p.Errors, p.File, p.Failed = reply.Errors, reply.File, true
	return s.show(w, http.StatusUnprocessableEntity, "form", p)
}
