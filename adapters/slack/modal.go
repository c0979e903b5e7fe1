package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// metadata is what a form remembers of where it was opened.
type metadata struct {
	Press    bot.Press    `json:"p"`
	In       bot.Place    `json:"in,omitempty"`
	Audience bot.Audience `json:"a,omitempty"`
	Where    string       `json:"w,omitempty"`
}

// openForm opens the form of a press, or says why it does not open.
func (a *Adapter) openForm(ctx context.Context, x interaction, press bot.Press) {
	m := a.from(ctx, x, "")
	form, err := a.c.Bot.Form(ctx, press, m.From)
	if err != nil {
		say := a.c.Bot.Sentence(err)
		switch {
		case errors.Is(err, bot.ErrNotFound):
			say = a.c.Bot.Say(bot.WordExpired)
		case errors.Is(err, bot.ErrForbidden) && (press.Action == bot.ActReply || press.Action == bot.ActHandOff):
			say = a.c.Bot.Say(bot.WordForbidden)
		case errors.Is(err, bot.ErrForbidden):
			say = a.c.Bot.Say(bot.WordForbiddenComms)
		default:
			a.log.Error("slack: form not made", "action", press.Action, "error", err)
		}
		a.tell(ctx, x, m, bot.Reply{Notice: say})
		return
	}
	view := a.form(form, metadata{Press: form.Press, In: m.In, Audience: m.Audience, Where: m.Where})
	if err := a.openView(ctx, x, view, x.surface() == inModal); err != nil {
		a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say(bot.WordNotSaved)})
	}
}

// openView opens a form or a page within the three seconds of the press.
func (a *Adapter) openView(ctx context.Context, x interaction, view slackgo.ModalViewRequest, onTop bool) error {
	open := a.api.OpenViewContext
	if onTop {
		open = a.api.PushViewContext
	}
	_, err := open(ctx, x.TriggerID, view)
	return a.logView("open a form", err)
}

// logView logs what went wrong with a view. An answer that the client cannot read
// is none: Slack sends shapes that it does not expect for views that are there.
func (a *Adapter) logView(what string, err error) error {
	var shape *json.UnmarshalTypeError
	if err == nil || errors.As(err, &shape) {
		return nil
	}
	a.log.Warn("slack: cannot "+what, "error", err)
	return err
}

// submitted handles a form. The acknowledgement closes it, shows what it took
// back, or keeps it open with what is wrong with its fields.
func (a *Adapter) submitted(ctx context.Context, x interaction, letter string) (ack, string, error) {
	var meta metadata
	if err := json.Unmarshal([]byte(x.View.Metadata), &meta); err != nil || meta.Press.Action == "" {
		return ack{}, "ignored", nil
	}
	m := a.from(ctx, x, letter)
	m.Audience, m.Where = meta.Audience, meta.Where
	if _, _, ok := where(meta.In); ok {
		m.In = meta.In
	}
	meta.Press.Fields = a.values(ctx, x.View.State)
	switch meta.Press.Action {
	case bot.ActAnswer, bot.ActReuse, bot.ActCorrect, bot.ActAskBack, bot.ActNotOurs:
		meta.Press.Fields[bot.FieldText] = asTyped(meta.Press.Fields[bot.FieldText])
	}
	m.Press = &meta.Press
	// The same view with the same words in it is the same submission, whatever
	// its trigger.
	sum := sha256.Sum256([]byte(x.View.Hash + string(x.View.State)))
	m.Keys = append(m.Keys, "slack:view:"+x.User.ID+":"+x.View.ID+":"+hex.EncodeToString(sum[:12]))
	if savesEntry(meta.Press) {
		return a.save(x, m, meta)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: form not handled", "action", meta.Press.Action, "error", err)
		r = bot.Reply{Errors: map[string]string{"": a.c.Bot.Sentence(err)}}
	}
	out := ack{}
	switch {
	case len(r.Errors) > 0:
		out.body = slackgo.NewErrorsViewSubmissionResponse(onBlocks(r.Errors, x.View.Blocks))
		if r.File != "" && !r.Repeat {
			out.then = func(ctx context.Context) { a.hand(ctx, m.Direct, r.File) }
		}
	case r.Notice != "" || len(r.Posts) > 0:
		page := a.page(r)
		out.body = slackgo.NewUpdateViewSubmissionResponse(&page)
	}
	if err != nil {
		return out, "error", nil
	}
	return out, outcome(r), nil
}

// savesEntry tells the presses that write into the FAQ folder: while a model is being
// fitted, that takes longer than Slack waits.
func savesEntry(p bot.Press) bool {
	return p.Action == bot.ActPromote || p.Action == bot.ActHarmless || p.Action == bot.ActCorrect && p.Fields[bot.FieldPlace] == bot.PlaceEntry
}

// savingShown is how long "Saving" stands at least: what came of it must not overtake the
// acknowledgement that shows it.
const savingShown = 500 * time.Millisecond

// saveTime bounds what saves an entry. Slack has its acknowledgement before.
const saveTime = time.Minute

// save acknowledges a form at once, and then shows in its place what became of it: the
// form again, with what is wrong with it, or that it is saved.
func (a *Adapter) save(x interaction, m bot.Message, meta metadata) (ack, string, error) {
	saving := a.page(bot.Reply{Notice: a.c.Bot.Say(bot.WordSaving)})
	return ack{body: slackgo.NewUpdateViewSubmissionResponse(&saving), then: func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
		defer cancel()
		shown := time.NewTimer(savingShown)
		defer shown.Stop()
		r, err := a.c.Bot.Handle(ctx, m)
		if err != nil {
			a.log.Error("slack: form not handled", "action", meta.Press.Action, "error", err)
			r = bot.Reply{Errors: map[string]string{"": a.c.Bot.Sentence(err)}}
		}
		select {
		case <-shown.C:
		case <-ctx.Done():
		}
		if r.Notice == "" && len(r.Posts) == 0 {
			r.Notice = a.c.Bot.Say(bot.WordDone)
		}
		view := a.page(r)
		if len(r.Errors) > 0 {
			if form, err := a.c.Bot.Form(ctx, meta.Press, m.From); err == nil {
				view = a.form(filled(form, meta.Press.Fields, r.Errors), meta)
			}
		}
		_, err = a.api.UpdateViewContext(ctx, view, "", "", x.View.ID)
		_ = a.logView("show what was saved", err)
		if r.File != "" && !r.Repeat {
			a.hand(ctx, m.Direct, r.File)
		}
	}}, "ok", nil
}

// filled is a form with what was written in it, and above it what is wrong.
func filled(f bot.Form, written, errs map[string]string) bot.Form {
	var wrong []string
	for i, x := range f.Fields {
		if v, ok := written[x.Name]; ok {
			f.Fields[i].Value = v
		}
		if say := errs[x.Name]; say != "" {
			wrong = append(wrong, "- **"+x.Label+"**: "+say)
		}
	}
	if say := errs[""]; say != "" {
		wrong = append(wrong, "- "+say)
	}
	f.Intro = strings.Join(wrong, "\n") + "\n\n" + f.Intro
	f.Press.Fields = nil
	return f
}

// values reads the fields of a form by their names.
func (a *Adapter) values(ctx context.Context, state json.RawMessage) map[string]string {
	var s struct {
		Values map[string]map[string]struct {
			Value        string   `json:"value"`
			Rich         richText `json:"rich_text_value"`
			SelectedUser string   `json:"selected_user"`
			Selected     struct {
				Value string `json:"value"`
			} `json:"selected_option"`
			Ticked []struct {
				Value string `json:"value"`
			} `json:"selected_options"`
		} `json:"values"`
	}
	fields := map[string]string{}
	if lenient(state, &s) != nil {
		return fields
	}
	for block, inputs := range s.Values {
		for id, v := range inputs {
			_, id, _ = strings.Cut(id, "/")
			kind, _, _ := strings.Cut(id, "/")
			switch bot.FieldKind(kind) {
			case bot.People:
				if v.SelectedUser != "" {
					fields[block] = string(person(v.SelectedUser))
					fields[bot.FieldPersonName] = a.userName(ctx, v.SelectedUser, "")
				}
			case bot.Search:
				fields[block], _ = a.entryOf(v.Selected.Value)
			case bot.Pick:
				fields[block] = v.Selected.Value
			case bot.Many:
				var ticked []string
				for _, t := range v.Ticked {
					ticked = append(ticked, t.Value)
				}
				fields[block] = strings.Join(ticked, "\n")
			case bot.Line, bot.Area:
				fields[block] = unescape.Replace(v.Value)
			case bot.Marked:
				fields[block] = v.Rich.markdown(func(user string) string { return a.userName(ctx, user, "") })
			}
		}
	}
	return fields
}

// onBlocks puts errors on the fields that the form has: Slack refuses others.
func onBlocks(errs map[string]string, blocks json.RawMessage) map[string]string {
	var has []struct {
		Type    string `json:"type"`
		BlockID string `json:"block_id"`
	}
	_ = json.Unmarshal(blocks, &has) // without blocks the errors keep their names
	inputs := map[string]bool{}
	first := ""
	for _, b := range has {
		if b.Type == "input" {
			inputs[b.BlockID] = true
			if first == "" {
				first = b.BlockID
			}
		}
	}
	out := map[string]string{}
	for name, say := range errs {
		if !inputs[name] {
			name = or(first, or(name, bot.FieldText))
		}
		out[name] = say
	}
	return out
}
