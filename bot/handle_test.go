package bot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"canteen/bot"
)

// racing is a store in which others are faster, once.
type racing struct {
	bot.Store
	first func()
	err   error
}

func (r *racing) Commit(ctx context.Context, t bot.Turn) (bot.Reply, error) {
	if f := r.first; f != nil {
		r.first = nil
		f()
	}
	if r.err != nil {
		return bot.Reply{}, r.err
	}
	return r.Store.Commit(ctx, t)
}

// race makes a world in which others does something between the moment at which
// the bot has made up its mind and its commit.
func race(t *testing.T, others func(w *world, b *bot.Bot)) (*world, *racing) {
	w := newWorld(t)
	slow, fast := &racing{Store: w.store}, w.bot
	w.make(func(c *bot.Config) { c.Store, c.Comms = slow, []bot.Place{slackComms} })
	slow.first = func() { others(w, fast) }
	return w, slow
}

func (w *world) ask(who, text string) {
	m := w.from(who, "")
	m.Text = text
	if _, err := w.bot.Handle(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) press(b *bot.Bot, who string, p bot.Press) bot.Reply {
	m := w.from(who, "")
	m.Press = &p
	r, err := b.Handle(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// What follows a private lane tells of it as well: nothing of the answer is kept.
func TestQuietIsNotKept(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"my boss told me to cover up wibblethorn", "gribblefoot did it"} {
		for _, in := range []bot.Place{"", "slack:C-ward-7"} {
			m := w.from("nurse", in)
			m.Text = text
			if _, err := w.handle(m); err != nil {
				t.Fatal(err)
			}
			for _, d := range w.deliver() {
				if !d.Private {
					t.Errorf("%q in %q: it stays in the store: %s", text, in, d.Post.Text)
				}
			}
		}
	}
	m := w.from("nurse", "")
	m.Audience, m.Text = bot.InReply, "gribblefoot did it"
	if r, err := w.bot.Handle(t.Context(), m); err != nil || len(r.Posts) != 1 {
		t.Fatal(r, err)
	}
	if r, err := w.bot.Handle(t.Context(), m); err != nil || len(r.Posts) > 0 {
		t.Errorf("the reply stays in the store: %+v, %v", r, err)
	}
}

// TestRefusedFormAgain: what stood in a form's way may be gone when the very same
// form is sent again.
func TestRefusedFormAgain(t *testing.T) {
	w := newWorld(t)
	w.ask("nurse", "can we film a tiktok")
	w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "Yes."}})
	w.folder.readOnly = true
	m := w.from("sam", "")
	m.Press = &bot.Press{Action: bot.ActPromote, Ref: 1, Fields: map[string]string{bot.FieldTitle: "Filming", bot.FieldText: "Yes.", bot.FieldAskedAs: "may we film", bot.FieldSlug: "answers/filming"}}
	r, err := w.handle(m)
	if err != nil || r.Errors[bot.FieldSlug] == "" || r.File == "" {
		t.Fatalf("%+v, %v", r, err)
	}
	w.folder.readOnly = false
	if r, err := w.handle(m); err != nil || len(r.Errors) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestNameIsNoMarkdown: what somebody calls themselves is shown as it is.
func TestNameIsNoMarkdown(t *testing.T) {
	w := newWorld(t)
	w.ask("nurse", "can we film a tiktok")
	m := w.from("sam", "")
	m.From.Name, m.Press = "[Sam](https://evil.example)", &bot.Press{Action: bot.ActClaim, Ref: 1}
	if _, err := w.handle(m); err != nil {
		t.Fatal(err)
	}
	if r := w.press(w.bot, "kim", bot.Press{Action: bot.ActClaim, Ref: 1}); r.Notice != `\[Sam\](https\://evil.example) already has C-1.` {
		t.Errorf("the notice is %q", r.Notice)
	}
}

func TestTwoClaimAtOnce(t *testing.T) {
	w, slow := race(t, func(w *world, fast *bot.Bot) {
		w.press(fast, "kim", bot.Press{Action: bot.ActClaim, Ref: 1})
	})
	others := slow.first
	slow.first = nil
	w.ask("nurse", "can we film a tiktok")
	slow.first = others
	if r := w.press(w.bot, "sam", bot.Press{Action: bot.ActClaim, Ref: 1}); r.Notice != "Kim already has C-1." {
		t.Errorf("the second one reads %q", r.Notice)
	}
	if e := w.escalation(1); e.Holder.Name != "Kim" {
		t.Errorf("it is with %s", e.Holder.Name)
	}
}

// One press of a question that another press, decided on at the same time, has
// passed on already: comms get it once, whatever the second one was.
func TestTwoPassOnAtOnce(t *testing.T) {
	for _, second := range []bot.Action{bot.ActAskComms, bot.ActHelped} {
		var ask bot.QuestionID
		w, slow := race(t, func(w *world, fast *bot.Bot) {
			w.press(fast, "nurse", bot.Press{Action: bot.ActAskComms, Question: ask})
		})
		others := slow.first
		slow.first = nil
		w.ask("nurse", "can i tweet about work")
		w.deliver()
		ask = w.asked["slack:D-nurse"]
		slow.first = others
		r := w.press(w.bot, "nurse", bot.Press{Action: second, Question: ask})
		if second == bot.ActAskComms && !strings.Contains(r.Notice, "already") {
			t.Errorf("the second one reads %q", r.Notice)
		}
		w.press(w.bot, "nurse", bot.Press{Action: bot.ActAskComms, Question: ask})
		if list, err := w.store.Pending(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("after %s comms have %d questions, %v", second, len(list), err)
		}
	}
}

func TestTwoAnswerAtOnce(t *testing.T) {
	w, slow := race(t, func(w *world, fast *bot.Bot) {
		w.press(fast, "kim", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "Yes."}})
	})
	others := slow.first
	slow.first = nil
	w.ask("nurse", "can we film a tiktok")
	slow.first = others
	r := w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "No."}})
	if !strings.Contains(r.Errors[bot.FieldText], "Your text was not sent") { // the form stays open, with it
		t.Errorf("the second one reads %+v", r)
	}
	for _, d := range w.deliver() {
		if strings.Contains(d.Post.Text, "No.") {
			t.Errorf("the second answer was sent to %s", d.To)
		}
	}
}

// The withdrawal that comes while comms write an answer is not undone by it.
func TestWithdrawnWhileAnswered(t *testing.T) {
	w, slow := race(t, func(w *world, fast *bot.Bot) {
		w.press(fast, "nurse", bot.Press{Action: bot.ActWithdraw, Ref: 1})
	})
	others := slow.first
	slow.first = nil
	w.ask("nurse", "can we film a tiktok")
	slow.first = others
	w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "No."}})
	if e := w.escalation(1); e.State != bot.Closed || e.Answer != "" {
		t.Errorf("it is %s with the answer %q", e.State, e.Answer)
	}
}

// An entry that was saved before the commit met a conflict is no other's entry.
func TestPromotedTwice(t *testing.T) {
	w, slow := race(t, func(w *world, fast *bot.Bot) {
		w.press(fast, "sam", bot.Press{Action: bot.ActCorrect, Ref: 1, Fields: map[string]string{bot.FieldText: "Yes, and welcome."}})
	})
	others := slow.first
	slow.first = nil
	w.ask("nurse", "zorblax quffle snerp")
	w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "Yes."}})
	slow.first = others
	r := w.press(w.bot, "sam", bot.Press{Action: bot.ActPromote, Ref: 1, Fields: map[string]string{
		bot.FieldTitle: "Zorblax", bot.FieldText: "Yes.", bot.FieldAskedAs: "zorblax quffle snerp", bot.FieldSlug: "answers/zorblax"}})
	if len(r.Errors) > 0 || !strings.Contains(r.Notice, "in the FAQ now") {
		t.Errorf("%+v", r)
	}
	if e := w.escalation(1); e.Entry != "answers/zorblax" || e.Answer != "Yes, and welcome." {
		t.Errorf("entry %q, answer %q", e.Entry, e.Answer)
	}
}

// A second replica that gets the platform's retry answers nothing.
func TestRepeatAtOnce(t *testing.T) {
	var m bot.Message
	w, _ := race(t, func(w *world, fast *bot.Bot) {
		if _, err := fast.Handle(w.t.Context(), m); err != nil {
			t.Error(err)
		}
	})
	m = w.from("nurse", "")
	m.Text = "can we film a tiktok"
	reply, err := w.bot.Handle(t.Context(), m)
	if err != nil || !reply.Repeat {
		t.Errorf("%+v, %v", reply, err)
	}
	if n := len(w.deliver()); n != 2 {
		t.Errorf("%d deliveries, wanted a card and a holding text", n)
	}
}

// What cannot be saved is an error, never a promise.
func TestNotSaved(t *testing.T) {
	for _, c := range []struct {
		err  error
		says string
	}{
		{errors.New("disk full"), "not saved"},
		{bot.ErrBusy, "wait a minute"},
		{bot.ErrConflict, "not saved"},
	} {
		w, slow := race(t, func(*world, *bot.Bot) {})
		slow.err = c.err
		m := w.from("nurse", "")
		m.Text = "can we film a tiktok"
		_, err := w.bot.Handle(t.Context(), m)
		if !errors.Is(err, c.err) {
			t.Fatalf("got %v, wanted %v", err, c.err)
		}
		if s := w.bot.Sentence(err); !strings.Contains(s, c.says) {
			t.Errorf("%v reads %q", c.err, s)
		}
		if n := len(w.deliver()); n > 0 {
			t.Errorf("%d deliveries of what was not saved", n)
		}
		slow.err = nil
		if r, err := w.bot.Handle(t.Context(), m); err != nil || r.Repeat {
			t.Errorf("the same again: %+v, %v", r, err)
		}
		if n := len(w.deliver()); n != 2 {
			t.Errorf("%d deliveries, wanted a card and a holding text", n)
		}
	}
}

// Of two replicas one reminds.
func TestRemindedOnce(t *testing.T) {
	w, slow := race(t, func(w *world, fast *bot.Bot) {
		if err := fast.Remind(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	})
	others := slow.first
	slow.first = nil
	w.ask("nurse", "can we film a tiktok")
	w.deliver()
	w.wait(3 * time.Hour)
	slow.first = others
	if err := w.bot.Remind(t.Context()); err != nil {
		t.Error(err)
	}
	if list := w.deliver(); len(list) != 1 {
		t.Errorf("%d reminders: %+v", len(list), list)
	}
	if e := w.escalation(1); !e.RemindedAt.Equal(w.now()) {
		t.Errorf("reminded at %s", e.RemindedAt)
	}
}

type broken struct{}

func (broken) Member(context.Context, bot.PersonID) (bool, error) { return false, errors.New("down") }

func TestMembersUnknown(t *testing.T) {
	w := newWorld(t)
	w.ask("nurse", "can we film a tiktok")
	w.make(func(c *bot.Config) { c.Members = map[string]bot.Members{"slack": broken{}} })
	m := w.from("sam", "")
	m.Press = &bot.Press{Action: bot.ActClaim, Ref: 1}
	if _, err := w.bot.Handle(t.Context(), m); err == nil {
		t.Error("claimed, though nobody knows who is in comms")
	}
	m = w.from("kim", "") // nobody stands for Teams
	m.Press = &bot.Press{Action: bot.ActClaim, Ref: 1}
	if r, err := w.bot.Handle(t.Context(), m); err != nil || r.Notice == "" {
		t.Errorf("%+v, %v", r, err)
	}
	if e := w.escalation(1); e.State != bot.Open {
		t.Errorf("it is %s", e.State)
	}
}

// Only comms see a card, only the asker their form.
func TestReads(t *testing.T) {
	w := newWorld(t)
	w.ask("nurse", "can we film a tiktok")
	ctx, who := t.Context(), func(n string) bot.Person { return everybody[n].person }
	if _, err := w.bot.Card(ctx, 1, who("mallory").ID); !errors.Is(err, bot.ErrForbidden) {
		t.Errorf("a card for Mallory: %v", err)
	}
	if p, err := w.bot.Card(ctx, 1, who("kim").ID); err != nil || p.Kind != bot.KindCard {
		t.Errorf("a card for Kim: %+v, %v", p, err)
	}
	if _, err := w.bot.Card(ctx, 9, who("kim").ID); !errors.Is(err, bot.ErrNotFound) {
		t.Errorf("a card of nothing: %v", err)
	}
	for _, c := range []struct {
		press bot.Press
		who   string
		want  error
	}{
		{bot.Press{Action: bot.ActAnswer, Ref: 1}, "mallory", bot.ErrForbidden},
		{bot.Press{Action: bot.ActPromote, Ref: 1}, "mallory", bot.ErrForbidden},
		{bot.Press{Action: bot.ActReply, Ref: 1}, "mallory", bot.ErrForbidden},
		{bot.Press{Action: bot.ActReply, Ref: 1}, "sam", bot.ErrForbidden},
		{bot.Press{Action: bot.ActReply, Ref: 1}, "nurse", nil},
		{bot.Press{Action: bot.ActAnswer, Ref: 9}, "sam", bot.ErrNotFound},
		{bot.Press{Action: bot.ActClaim, Ref: 1}, "sam", bot.ErrNotFound}, // it has no form
		{bot.Press{Action: bot.ActReuse, Ref: 1, Fields: map[string]string{bot.FieldFrom: "nonsense"}}, "sam", nil},
		{bot.Press{Action: bot.ActHandOff, Entry: "no/such"}, "mallory", nil},
	} {
		if _, err := w.bot.Form(ctx, c.press, who(c.who)); !errors.Is(err, c.want) {
			t.Errorf("form of %s for %s: %v, wanted %v", c.press.Action, c.who, err, c.want)
		}
	}
	if s := w.bot.Suggest("tiktok", 3); len(s) == 0 || s[0].Value != "open/tiktok" {
		t.Errorf("suggested %+v", s)
	}
}

type meter struct {
	mu      sync.Mutex
	handled []string
	matched int
}

func (m *meter) Handled(adapter, outcome string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.handled = append(m.handled, adapter+" "+outcome)
}

func (m *meter) Matched(time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.matched++
}

func TestMeter(t *testing.T) {
	var counted meter
	w := newWorld(t)
	slow := &racing{Store: w.store}
	w.make(func(c *bot.Config) { c.Meter, c.Store = &counted, slow })
	m := w.from("nurse", "")
	m.Text = "can i tweet about work"
	for range 2 {
		if _, err := w.bot.Handle(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	slow.err = errors.New("disk full")
	m = w.from("doctor", "")
	m.Text = "can i tweet about work"
	if _, err := w.bot.Handle(t.Context(), m); err == nil {
		t.Error("no error")
	}
	if want := []string{"slack done", "slack repeat", "teams error"}; !slices.Equal(counted.handled, want) || counted.matched != 3 {
		t.Errorf("handled %q, matched %d", counted.handled, counted.matched)
	}
}

// What is usual is told only when enough answers say so.
func TestMeasuredPromise(t *testing.T) {
	w := newWorld(t)
	for i, word := range []string{"zorblax", "quffle", "snerp", "wibble", "gribble"} {
		w.ask("nurse", word)
		w.wait(3 * time.Hour)
		w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: bot.Ref(i + 1), Fields: map[string]string{bot.FieldText: "Yes."}})
		w.deliver()
	}
	w.ask("porter", "can we film a tiktok")
	for _, d := range w.deliver() {
		if d.To == everybody["porter"].home && !strings.Contains(d.Post.Text, "most answers took 3 hours or less") {
			t.Errorf("the porter reads %q", d.Post.Text)
		}
	}
}

// A short text that means nothing alone is read together with what was asked
// before; comms are not asked for it.
func TestJoined(t *testing.T) {
	w := newWorld(t)
	p := policy
	p.Answer, p.Covered = .9, .95
	w.make(func(c *bot.Config) { c.Policy, c.Comms = p, []bot.Place{slackComms} })
	const next = "and what about money for it"
	if _, ok := w.bot.Think(next).Decision.(bot.Escalate); !ok {
		t.Fatal("it is sure enough alone: the test needs a text that is not")
	}
	w.ask("nurse", "can we pay for adverts on linkedin")
	w.deliver()
	w.ask("nurse", next)
	for _, d := range w.deliver() {
		if d.Post.Kind != bot.KindAnswer || d.Post.Entry != "linkedin/advertising" {
			t.Errorf("to %s: %+v", d.To, d.Post)
		}
	}
}
