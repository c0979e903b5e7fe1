package bot_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"canteen/bot"
	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

// down is a store of which one call fails.
type down struct {
	bot.Store
	load, number, commit error
}

func (d *down) Load(ctx context.Context, a bot.Ask) (bot.Known, error) {
	if d.load != nil {
		return bot.Known{}, d.load
	}
	return d.Store.Load(ctx, a)
}

func (d *down) NextRef(ctx context.Context) (bot.Ref, error) {
	if d.number != nil {
		return 0, d.number
	}
	return d.Store.NextRef(ctx)
}

func (d *down) Commit(ctx context.Context, t bot.Turn) (bot.Reply, error) {
	if d.commit != nil {
		return bot.Reply{}, d.commit
	}
	return d.Store.Commit(ctx, t)
}

// Whatever call of the store fails, who writes of an emergency gets the steps: once, to
// them alone, and an urgent one says that comms do not have it. Nobody else's message
// goes out before it is saved.
func TestStepsGoOutUnsaved(t *testing.T) {
	full := errors.New("disk full")
	for name, store := range map[string]down{"load": {load: full}, "number": {number: full, commit: full}, "commit": {commit: full}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			store.Store = w.store
			var sent []bot.Delivery
			w.make(func(c *bot.Config) {
				c.Store = &store
				c.Direct = func(_ context.Context, d bot.Delivery) error { sent = append(sent, d); return nil }
			})
			write := func(text string, change func(*bot.Message)) (bot.Reply, error) {
				m := w.from("nurse", "")
				m.Text = text
				if change != nil {
					change(&m)
				}
				reply, err := w.bot.Handle(t.Context(), m)
				again, err2 := w.bot.Handle(t.Context(), m)
				if len(again.Posts) != len(reply.Posts) || (err == nil) != (err2 == nil) {
					t.Errorf("%q again: %+v %v", text, again, err2)
				}
				return reply, err
			}

			if _, err := write("i want to end my life", nil); err != nil {
				t.Errorf("own crisis: %v", err)
			}
			if len(sent) != 1 || !strings.Contains(sent[0].Post.Text, "116 123") || !strings.Contains(sent[0].Post.Note, "not passed it on") || !sent[0].Private {
				t.Errorf("own crisis: sent %+v", sent)
			}
			sent = nil
			if _, err := write("there was a data breach", func(m *bot.Message) { m.Audience = bot.Shared }); !errors.Is(err, full) {
				t.Errorf("urgent: %v, and the platform has to send it again", err)
			}
			if len(sent) != 1 || !strings.Contains(sent[0].Post.Note, "do not have this") || sent[0].To != w.from("nurse", "").Direct {
				t.Errorf("urgent: sent %+v", sent)
			}
			sent = nil
			unprompted := func(m *bot.Message) { m.Audience, m.Addressed, m.Asking = bot.Shared, false, true }
			if _, err := write("i want to end my life", unprompted); err != nil || len(sent) != 1 || sent[0].To != w.from("nurse", "").Direct {
				t.Errorf("to nobody, where people ask: %v, sent %+v", err, sent)
			}
			sent = nil
			if r, err := write("i want to end my life", func(m *bot.Message) { m.Audience = bot.InReply }); err != nil || len(r.Posts) != 1 {
				t.Errorf("in the response: %+v %v", r, err)
			}
			if _, err := write("can i tweet about work", nil); !errors.Is(err, full) || len(sent) != 0 {
				t.Errorf("a question: %v, sent %+v", err, sent)
			}
		})
	}
}

// A person who has written too much, or while there is no room, gets the steps.
func TestStepsBeforeTheRate(t *testing.T) {
	w := newWorld(t)
	for range 25 {
		w.ask("nurse", "can I tweet about work")
	}
	m := w.from("nurse", "")
	m.Text = "i want to end my life"
	if r, err := w.bot.Handle(t.Context(), m); err != nil || r.Notice != "" {
		t.Errorf("%+v %v", r, err)
	}
	found := false
	for _, d := range w.deliver() {
		found = found || strings.Contains(d.Post.Text, "116 123")
	}
	if !found {
		t.Error("no steps")
	}
}

// What may be of the asker's own crisis, and is shown nothing of it, goes to comms by
// a press alone.
func TestUnsureIsNotPassedOn(t *testing.T) {
	e, err := minilm.Load()
	if err != nil {
		t.Fatal(err)
	}
	base, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		t.Fatal(err)
	}
	if base, err = base.Fit(t.Context(), knowledge.Fitting{Encoder: e}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *bot.Config) { c.Folder, c.Policy = shipped{base: base}, bot.DefaultPolicy })
	const text = "what happens to my account when i am gone"
	if d := bot.Think(base, text, bot.DefaultPolicy).Report(base, text); d.Decision != bot.DecidedEscalate {
		t.Fatalf("%q is no such text any more: %s", text, d.Decision)
	}
	w.ask("nurse", text)
	pending, err := w.store.Pending(t.Context())
	if err != nil || len(pending) != 0 {
		t.Errorf("%d escalations, %v", len(pending), err)
	}
	for _, d := range w.deliver() {
		if d.To == slackComms || !strings.Contains(d.Post.Text, "I have not passed this on") {
			t.Errorf("to %s: %s", d.To, d.Post.Text)
		}
	}

	// Nor do a question edited to that, and what is added to one that comms have.
	const first = "does the trust pay for canva"
	m := w.from("nurse", "")
	m.Said, m.Text = "m1", first
	if _, err := w.bot.Handle(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if pending, err = w.store.Pending(t.Context()); err != nil || len(pending) != 1 {
		t.Fatalf("%q is no question for comms any more: %d, %v", first, len(pending), err)
	}
	edit := w.from("nurse", "")
	edit.Said, edit.Text, edit.Change = "m1", text, bot.Edited
	if _, err := w.bot.Handle(t.Context(), edit); err != nil {
		t.Fatal(err)
	}
	w.press(w.bot, "sam", bot.Press{Action: bot.ActAskBack, Ref: pending[0].Ref, Fields: map[string]string{bot.FieldText: "For what?"}})
	w.ask("nurse", text)
	if e := w.escalation(pending[0].Ref); e.Text != first || len(e.Additions) != 0 {
		t.Errorf("comms have %q, %q", e.Text, e.Additions)
	}
}

// shipped is a folder that never changes.
type shipped struct {
	bot.Folder
	base *knowledge.Base
}

func (s shipped) Base() *knowledge.Base { return s.base }
