package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canteen/bot"
	"canteen/knowledge/match"
)

// world is an empty store with a clock that only the test moves.
type world struct {
	*Store
	t     *testing.T
	clock *clock
	key   int
}

type clock struct {
	start time.Time
	gone  atomic.Int64
}

func newClock() *clock { return &clock{start: time.Now().Truncate(time.Millisecond).UTC()} }

func (c *clock) now() time.Time          { return c.start.Add(time.Duration(c.gone.Load())) }
func (c *clock) advance(d time.Duration) { c.gone.Add(int64(d)) }

// suite is what both databases have to do. address gives an empty one.
func suite(t *testing.T, address func(t *testing.T) string) {
	for _, test := range []struct {
		name string
		run  func(w *world)
	}{
		{"load what was committed", testLoad},
		{"what two messages at once say of a person", testContactAtOnce},
		{"the message pressed on", testLoadOn},
		{"the message changed", testLoadSaid},
		{"one escalation of a question", testQuestionOnce},
		{"a repeat by any key", testRepeat},
		{"repeats at once", testRepeatsAtOnce},
		{"a private reply is not kept", testPrivateReply},
		{"a conflict undoes the turn", testConflict},
		{"claims at once", testClaimsAtOnce},
		{"one failing among many", testOneFailing},
		{"an ended context commits nothing", testEndedContext},
		{"numbers", testNumbers},
		{"asked", testAsked},
		{"escalations", testEscalations},
		{"a delivery comes as it was queued", testDeliveryFields},
		{"updates fold", testFold},
		{"an update while leased", testUpdateWhileLeased},
		{"conversations keep their order", testLanes},
		{"one of a conversation at a time", testOneAtATime},
		{"a lease that ran out", testExpiry},
		{"no settling of another's lease", testFence},
		{"tried again", testAgain},
		{"parked and retried", testParked},
		{"diverted", testDiverted},
		{"a private delivery goes once it is there", testPrivateDelivery},
		{"leases at once", testLeasesAtOnce},
		{"next due", testNextDue},
		{"wake", testWake},
		{"the web is served at once", testWeb},
		{"transcript", testTranscript},
		{"purge", testPurge},
		{"forget", testForget},
		{"forget a private conversation", testForgetPlace},
		{"forget while others write", testForgetAtOnce},
		{"counts", testCounts},
		{"answer time", testAnswerTime},
		{"popular", testPopular},
		{"places", testPlaces},
		{"closing", testClosing},
		{"closing while writes wait", testClosingWhileWaiting},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(newWorld(t, address(t)))
		})
	}
}

func newWorld(t *testing.T, address string) *world {
	t.Helper()
	c := newClock()
	s, err := Open(t.Context(), address, Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if _, ok := s.engine.(*postgres); ok {
		<-s.Wake() // it listens, and has read the clock
	}
	return &world{Store: s, t: t, clock: c}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) is(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("error %v, want %v", err, want)
	}
}

func equal[T any](w *world, what string, got, want T) {
	w.t.Helper()
	if !reflect.DeepEqual(got, want) {
		w.t.Fatalf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

func (w *world) commit(t bot.Turn) bot.Reply {
	w.t.Helper()
	if t.Keys == nil {
		w.key++
		t.Keys = []string{fmt.Sprintf("key-%d", w.key)}
	}
	if t.At.IsZero() {
		t.At = w.clock.now()
	}
	r, err := w.Commit(w.t.Context(), t)
	w.ok(err)
	return r
}

func (w *world) send(id string, to bot.Place, text string) {
	w.t.Helper()
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: id, To: to, Post: bot.Post{Text: text}, CreatedAt: w.clock.now()}}})
}

func (w *world) update(id, text string) {
	w.t.Helper()
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: id, Post: bot.Post{Text: text}}}})
}

const leased = time.Minute

func (w *world) lease(owner string, n int) []bot.Delivery {
	w.t.Helper()
	list, err := w.Lease(w.t.Context(), owner, []string{"slack", "teams"}, n, leased)
	w.ok(err)
	slices.SortFunc(list, func(a, b bot.Delivery) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// leases leases all that there is and checks which that is.
func (w *world) leases(want ...string) []bot.Delivery {
	w.t.Helper()
	list := w.lease("me", 100)
	var got []string
	for _, d := range list {
		got = append(got, d.ID)
	}
	equal(w, "leased", got, want)
	return list
}

func (w *world) settle(d bot.Delivery, s bot.Settlement) {
	w.t.Helper()
	s.Delivery = d
	if s.Owner == "" {
		s.Owner = "me"
	}
	w.ok(w.Settle(w.t.Context(), s))
}

func (w *world) sent(list ...bot.Delivery) {
	w.t.Helper()
	for _, d := range list {
		w.settle(d, bot.Settlement{Outcome: bot.Sent, Posted: bot.Posted{ID: "at-" + d.ID}})
	}
}

func (w *world) escalate(person bot.PersonID, entry string) bot.Escalation {
	w.t.Helper()
	ref, err := w.NextRef(w.t.Context())
	w.ok(err)
	e := bot.Escalation{Ref: ref, State: bot.Open, Audience: bot.Private, Question: bot.QuestionID("q-" + ref.String()), Asker: bot.Person{ID: person, Name: "Ann"},
		In: bot.Place(person), Text: "may I?", Topic: entry, Candidates: []match.Candidate{{ID: entry}}, OpenedAt: w.clock.now()}
	w.commit(bot.Turn{Escalations: []bot.Escalation{e}})
	e.Version = 1
	return e
}

func (w *world) change(e bot.Escalation, state bot.State) bot.Escalation {
	w.t.Helper()
	e.State = state
	if state == bot.Answered {
		e.AnsweredAt = w.clock.now()
	}
	w.commit(bot.Turn{Escalations: []bot.Escalation{e}})
	e.Version++
	return e
}

func (w *world) question(id bot.QuestionID, person bot.PersonID, in bot.Place) bot.Question {
	w.t.Helper()
	q := bot.Question{ID: id, Audience: bot.Private, Asker: bot.Person{ID: person}, In: in, Text: "can I?", At: w.clock.now(), Decision: bot.DecidedAnswer, Entry: "a/b"}
	w.commit(bot.Turn{Questions: []bot.Question{q}})
	return q
}

func (w *world) load(a bot.Ask) bot.Known {
	w.t.Helper()
	k, err := w.Load(w.t.Context(), a)
	w.ok(err)
	return k
}

func refs(list []bot.Escalation) (out []bot.Ref) {
	for _, e := range list {
		out = append(out, e.Ref)
	}
	return out
}

func testLoad(w *world) {
	const ann, home = bot.PersonID("slack:ann"), bot.Place("slack:D1")
	ask := bot.Ask{Keys: []string{"new"}, Person: ann, In: home, Since: w.clock.now()}
	equal(w, "nothing known", w.load(ask), bot.Known{})

	contact := bot.Contact{ID: ann, FirstAt: w.clock.now(), QuietUntil: w.clock.now().Add(time.Hour)}
	w.commit(bot.Turn{Person: &contact})
	w.question("q1", ann, home)
	w.clock.advance(time.Minute)
	last := w.question("q2", ann, home)
	w.question("q3", ann, "slack:C9")
	w.question("q4", "slack:bob", home)
	open, done := w.escalate(ann, "a/b"), w.escalate(ann, "a/b")
	w.change(done, bot.Closed)
	answered := w.change(w.escalate(ann, "a/b"), bot.Answered)
	w.escalate("slack:bob", "a/b")

	k := w.load(ask)
	equal(w, "contact", k.Contact, &contact)
	equal(w, "last question", k.Last, &last)
	equal(w, "mine", refs(k.Mine), []bot.Ref{open.Ref, answered.Ref})
	equal(w, "all of mine", k.Mine[0], open)
	if k.Seen || k.Question != nil || k.Escalation != nil {
		w.t.Fatalf("not asked for: %+v", k)
	}
	ask.Since = w.clock.now().Add(time.Millisecond)
	if k := w.load(ask); k.Last != nil {
		w.t.Fatalf("a question from before: %+v", k.Last)
	}

	led := bot.Question{ID: "q5", Audience: bot.Private, Asker: bot.Person{ID: ann}, In: home, At: w.clock.now(), Ref: open.Ref}
	w.commit(bot.Turn{Questions: []bot.Question{led}})
	k = w.load(bot.Ask{Question: "q5"})
	equal(w, "question", k.Question, &led)
	equal(w, "the escalation it led to", k.Escalation, &open)
	equal(w, "escalation", w.load(bot.Ask{Ref: answered.Ref}).Escalation, &answered)
	equal(w, "neither there", w.load(bot.Ask{Question: "no", Ref: 999}), bot.Known{})

	led.Feedback = bot.FeedbackHelped
	w.commit(bot.Turn{Questions: []bot.Question{led}, Person: &contact})
	equal(w, "saved again", w.load(bot.Ask{Question: "q5"}).Question, &led)
	equal(w, "contact again", w.load(bot.Ask{Person: ann}).Contact, &contact)
}

// Both were decided on before either was committed.
func testContactAtOnce(w *world) {
	met, quiet := w.clock.now(), w.clock.now().Add(time.Hour)
	for person, order := range map[bot.PersonID][2]bot.Contact{
		"slack:ann": {{QuietUntil: quiet}, {FirstAt: met}},
		"slack:bob": {{FirstAt: met}, {QuietUntil: quiet}},
	} {
		for _, c := range order {
			c.ID = person
			w.commit(bot.Turn{Person: &c})
		}
		equal(w, "contact", w.load(bot.Ask{Person: person}).Contact, &bot.Contact{ID: person, FirstAt: met, QuietUntil: quiet})
	}
}

func testLoadOn(w *world) {
	const ann, home = bot.PersonID("slack:ann"), bot.Place("slack:D1")
	e := w.escalate(ann, "a/b")
	q := bot.Question{ID: "q1", Audience: bot.Private, Asker: bot.Person{ID: ann}, In: home, At: w.clock.now(), Message: "m1"}
	w.commit(bot.Turn{Questions: []bot.Question{q}, Deliveries: []bot.Delivery{{ID: "m1", To: home}}})
	w.sent(w.leases("m1")...)
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: "m2", To: home, Ref: e.Ref}}})
	w.sent(w.leases("m2")...)
	w.muchElse(ann, home)
	equal(w, "an answer", w.load(bot.Ask{Person: ann, In: home, On: "at-m1"}).Question, &q)
	equal(w, "a relay", w.load(bot.Ask{Person: ann, In: home, On: "at-m2"}).Escalation, &e)
	for _, ask := range []bot.Ask{{Person: ann, In: home, On: "other"}, {Person: "slack:bob", In: home, On: "at-m1"}, {Person: ann, In: "slack:D2", On: "at-m1"}} {
		if k := w.load(ask); k.Question != nil || k.Escalation != nil {
			w.t.Fatalf("%+v found %+v", ask, k)
		}
	}
}

// A thumb may come long after, when much else has been asked.
func (w *world) muchElse(person bot.PersonID, in bot.Place) {
	w.t.Helper()
	var t bot.Turn
	for i := range 60 {
		t.Questions = append(t.Questions, bot.Question{ID: bot.QuestionID(fmt.Sprint("else", i)), Asker: bot.Person{ID: person}, In: in, At: w.clock.now().Add(time.Minute), Message: fmt.Sprint("else", i), Said: fmt.Sprint("said", i)})
	}
	w.commit(t)
}

func testLoadSaid(w *world) {
	const ann, home = bot.PersonID("slack:ann"), bot.Place("slack:D1")
	e := w.escalate(ann, "a/b")
	q := bot.Question{ID: "q1", Audience: bot.Private, Asker: bot.Person{ID: ann}, In: home, At: w.clock.now(), Said: "slack:D1#1", Ref: e.Ref}
	w.commit(bot.Turn{Questions: []bot.Question{q, {ID: "q2", Asker: bot.Person{ID: ann}, In: home, At: w.clock.now(), Text: `{"said":"other"}`}}})
	w.muchElse(ann, home)
	k := w.load(bot.Ask{Person: ann, In: home, Said: q.Said})
	equal(w, "question", k.Question, &q)
	equal(w, "escalation", k.Escalation, &e)
	for _, ask := range []bot.Ask{{Person: ann, In: home, Said: "other"}, {Person: "slack:bob", In: home, Said: q.Said}} {
		if k := w.load(ask); k.Question != nil || k.Escalation != nil {
			w.t.Fatalf("%+v found %+v", ask, k)
		}
	}
	q.At, q.ID, q.Ref = q.At.Add(time.Hour), "q3", 0
	w.commit(bot.Turn{Questions: []bot.Question{q}})
	equal(w, "the latest", w.load(bot.Ask{Person: ann, In: home, Said: q.Said}).Question, &q)
}

func testQuestionOnce(w *world) {
	save := func(ref bot.Ref, text string) error {
		_, err := w.Commit(w.t.Context(), bot.Turn{Questions: []bot.Question{{ID: "q", Ref: ref, Text: text, Candidates: []match.Candidate{{ID: "a/b"}}}}})
		return err
	}
	w.ok(save(0, `not its "ref":7} and \x00`))
	w.ok(save(0, "edited"))
	w.ok(save(12, "passed on"))
	w.ok(save(12, "edited"))
	for _, ref := range []bot.Ref{0, 1, 2, 121} {
		w.is(save(ref, "elsewhere"), bot.ErrConflict)
	}
	equal(w, "kept", w.load(bot.Ask{Question: "q"}).Question.Text, "edited")
}

func testRepeat(w *world) {
	first := bot.Reply{Notice: "done", Posts: []bot.Post{{Kind: bot.KindAnswer, Text: "Yes\x00 & <no>"}}, Errors: map[string]string{"text": "too long"}}
	turn := bot.Turn{Keys: []string{"a", "b"}, Tally: []bot.Tally{{Decision: bot.DecidedAnswer}}, Reply: first}
	equal(w, "first", w.commit(turn), first)
	again := first
	again.Repeat = true
	for _, keys := range [][]string{{"a"}, {"b"}, {"new", "b"}, {"b", "newer"}} {
		other := turn
		other.Keys, other.Reply = keys, bot.Reply{Notice: "another"}
		other.Deliveries = []bot.Delivery{{ID: "d", To: "slack:D1"}}
		equal(w, fmt.Sprint("repeat by ", keys), w.commit(other), again)
		k := w.load(bot.Ask{Keys: append([]string{"unheard"}, keys...)})
		equal(w, "loaded", k, bot.Known{Seen: true, Reply: first})
	}
	if k := w.load(bot.Ask{Keys: []string{"new"}}); k.Seen {
		w.t.Fatal("a repeat left a key behind")
	}
	w.leases()
	c, err := w.Counts(w.t.Context())
	w.ok(err)
	equal(w, "counted once", c.Decisions, map[bot.Decided]int64{bot.DecidedAnswer: 1})
}

func testRepeatsAtOnce(w *world) {
	var first atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			keys := []string{"x", "y"}
			if i%2 == 0 { // would be a deadlock between replicas if each took them in the order given
				keys = []string{"y", "x"}
			}
			r, err := w.Commit(w.t.Context(), bot.Turn{Keys: keys, At: w.clock.now(), Reply: bot.Reply{Notice: "one"}, Tally: []bot.Tally{{Decision: bot.DecidedAnswer}},
				Deliveries: []bot.Delivery{{ID: fmt.Sprint(i), To: "slack:D1"}}})
			if err != nil || r.Notice != "one" {
				w.t.Errorf("reply %+v, error %v", r, err)
			}
			if !r.Repeat {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	equal(w, "first ones", first.Load(), 1)
	equal(w, "deliveries", len(w.lease("me", 100)), 1)
}

func testPrivateReply(w *world) {
	r := w.commit(bot.Turn{Keys: []string{"a"}, Private: true, Reply: bot.Reply{Notice: "steps"}})
	equal(w, "reply", r, bot.Reply{Notice: "steps"})
	equal(w, "repeat", w.commit(bot.Turn{Keys: []string{"a"}, Private: true}), bot.Reply{Repeat: true})
}

func testConflict(w *world) {
	ctx := w.t.Context()
	e := w.escalate("slack:ann", "a/b")
	claimed := w.change(e, bot.Claimed)
	for name, stale := range map[string]bot.Escalation{"older": e, "new with its number": {Ref: e.Ref}} {
		_, err := w.Commit(ctx, bot.Turn{Keys: []string{"late"}, At: w.clock.now(), Escalations: []bot.Escalation{stale},
			Questions: []bot.Question{{ID: "q"}}, Deliveries: []bot.Delivery{{ID: "d", To: "slack:D1"}}, Tally: []bot.Tally{{Decision: bot.DecidedAnswer}}})
		if !errors.Is(err, bot.ErrConflict) {
			w.t.Fatalf("%s: %v", name, err)
		}
	}
	got, err := w.Escalation(ctx, e.Ref)
	w.ok(err)
	equal(w, "kept", got, claimed)
	equal(w, "nothing of it", w.load(bot.Ask{Keys: []string{"late"}, Question: "q"}), bot.Known{})
	w.leases()
}

func testClaimsAtOnce(w *world) {
	e := w.escalate("slack:ann", "a/b")
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			mine := e
			mine.Holder.ID = bot.PersonID(fmt.Sprint("slack:", i))
			_, err := w.Commit(w.t.Context(), bot.Turn{Keys: []string{fmt.Sprint("claim", i)}, At: w.clock.now(), Escalations: []bot.Escalation{mine}})
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, bot.ErrConflict):
				w.t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(w, "winners", won.Load(), 1)
}

// hold keeps writes waiting on SQLite until the function that it gives is called.
func (w *world) hold() (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	go func() {
		_ = w.write(context.Background(), func(context.Context, *sql.Tx) error {
			once.Do(func() { close(held) })
			<-free
			return nil
		})
	}()
	<-held
	return func() { close(free) }
}

func testOneFailing(w *world) {
	e := w.change(w.escalate("slack:ann", "a/b"), bot.Claimed)
	release := w.hold()
	const n = 40
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			t := bot.Turn{Keys: []string{fmt.Sprint("many", i)}, At: w.clock.now(), Questions: []bot.Question{{ID: bot.QuestionID(fmt.Sprint(i))}}}
			if i%10 == 3 {
				t.Escalations = []bot.Escalation{{Ref: e.Ref, Version: 1}}
			}
			_, errs[i] = w.Commit(w.t.Context(), t)
		})
	}
	if q, ok := w.engine.(*sqlite); ok {
		for len(q.jobs) < n {
			time.Sleep(time.Millisecond)
		}
	}
	release()
	wg.Wait()
	for i, err := range errs {
		there := w.load(bot.Ask{Question: bot.QuestionID(fmt.Sprint(i))}).Question != nil
		if i%10 == 3 {
			if !errors.Is(err, bot.ErrConflict) || there {
				w.t.Errorf("%d: %v, there: %v", i, err, there)
			}
		} else if err != nil || !there {
			w.t.Errorf("%d: %v, there: %v", i, err, there)
		}
	}
}

func testEndedContext(w *world) {
	ctx, cancel := context.WithCancel(w.t.Context())
	cancel()
	_, err := w.Commit(ctx, bot.Turn{Keys: []string{"a"}, At: w.clock.now()})
	w.is(err, context.Canceled)
	if w.load(bot.Ask{Keys: []string{"a"}}).Seen {
		w.t.Fatal("committed")
	}
}

func testNumbers(w *world) {
	var mu sync.Mutex
	seen := map[bot.Ref]bool{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 10 {
				ref, err := w.NextRef(w.t.Context())
				mu.Lock()
				if err != nil || ref < 1 || seen[ref] {
					w.t.Errorf("%v %v, seen: %v", ref, err, seen[ref])
				}
				seen[ref] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func testAsked(w *world) {
	w.question("q1", "slack:ann", "slack:D1")
	w.clock.advance(time.Minute)
	w.question("q2", "slack:bob", "slack:D2")
	list, err := w.Asked(w.t.Context(), 10)
	w.ok(err)
	ids := []bot.QuestionID{}
	for _, q := range list {
		ids = append(ids, q.ID)
	}
	equal(w, "asked, newest first", ids, []bot.QuestionID{"q2", "q1"})
	if list, err = w.Asked(w.t.Context(), 1); err != nil || len(list) != 1 {
		w.t.Errorf("of two, one: %v, %v", list, err)
	}
}

func testEscalations(w *world) {
	ctx := w.t.Context()
	a, b, c, d := w.escalate("slack:ann", "a/b"), w.escalate("slack:ann", "a/b"), w.escalate("slack:bob", "c/d"), w.escalate("slack:ann", "a/b")
	c.Urgent = true
	c = w.change(c, bot.Waiting)
	b = w.change(b, bot.Claimed)
	a = w.change(a, bot.Answered)
	w.clock.advance(time.Hour)
	d = w.change(d, bot.Answered)
	a = w.change(a, bot.Closed)
	read := func(list []bot.Escalation, err error) []bot.Ref {
		w.t.Helper()
		w.ok(err)
		return refs(list)
	}
	equal(w, "pending", read(w.Pending(ctx)), []bot.Ref{c.Ref, b.Ref})
	equal(w, "done", read(w.Done(ctx, 10)), []bot.Ref{d.Ref, a.Ref})
	equal(w, "done, one", read(w.Done(ctx, 1)), []bot.Ref{d.Ref})
	equal(w, "answered, newest first", read(w.Answered(ctx, "a/b", 10)), []bot.Ref{d.Ref, a.Ref})
	equal(w, "answered of another", read(w.Answered(ctx, "c/d", 10)), nil)
	equal(w, "of a person", read(w.Of(ctx, "slack:ann", 2)), []bot.Ref{d.Ref, b.Ref})
	got, err := w.Escalation(ctx, b.Ref)
	w.ok(err)
	equal(w, "one", got, b)
	_, err = w.Escalation(ctx, 999)
	w.is(err, bot.ErrNotFound)
	w.ok(w.Ping(ctx))
}

func testDeliveryFields(w *world) {
	d := bot.Delivery{ID: "d1", To: "slack:C1#7.5", Only: "slack:ann", Fallback: "slack:D1", Private: true, Ref: 7, CreatedAt: w.clock.now(),
		Post: bot.Post{Kind: bot.KindCard, Title: "T \u2028 \x00", Text: "*b*", Urgent: true, Facts: []bot.Fact{{Label: "l", Time: w.clock.now()}},
			Buttons: []bot.Button{{Label: "go", Press: bot.Press{Action: bot.ActClaim, Ref: 7}, Style: bot.Primary}}}}
	w.commit(bot.Turn{Deliveries: []bot.Delivery{d}})
	got := w.leases("d1")[0]
	d.Version, d.Attempt = 1, 1
	equal(w, "delivery", got, d)
}

func testFold(w *world) {
	w.update("unknown", "nothing to update")
	w.send("d1", "slack:D1", "one")
	w.update("d1", "two")
	w.update("d1", "three")
	d := w.leases("d1")[0]
	equal(w, "the latest", d.Post.Text, "three")
	equal(w, "not there yet", d.PostedID, "")
	w.sent(d)
	w.leases()
	w.update("d1", "four")
	w.update("d1", "five")
	d = w.leases("d1")[0]
	equal(w, "update", []any{d.Post.Text, d.PostedID, d.Attempt, d.Unsure}, []any{"five", "at-d1", 1, false})
	w.sent(d)
	w.leases()
	// The same id in full again is an update too.
	w.send("d1", "slack:D1", "six")
	d = w.leases("d1")[0]
	equal(w, "again in full", []any{d.Post.Text, d.PostedID}, []any{"six", "at-d1"})
}

func testUpdateWhileLeased(w *world) {
	w.send("d1", "slack:D1", "one")
	first := w.leases("d1")[0]
	w.update("d1", "two")
	w.leases() // it stays with its sender
	w.sent(first)
	second := w.leases("d1")[0]
	equal(w, "then the new post", []any{second.Post.Text, second.PostedID, second.Attempt}, []any{"two", "at-d1", 1})
	w.update("d1", "three")
	w.settle(second, bot.Settlement{Outcome: bot.Again, Due: w.clock.now(), Error: "busy"})
	third := w.leases("d1")[0]
	equal(w, "after a failure", []any{third.Post.Text, third.Attempt}, []any{"three", 2})
	w.settle(third, bot.Settlement{Outcome: bot.Parked})
	w.update("d1", "four")
	equal(w, "an update wakes what was parked", w.leases("d1")[0].Post.Text, "four")
}

func testLanes(w *world) {
	w.send("a1", "slack:C1#1", "")
	w.send("a2", "slack:C1#2", "")
	w.send("b1", "slack:C2", "")
	w.send("a3", "slack:C1", "")
	w.send("b2", "slack:C2", "")
	w.send("t1", "teams:C1", "")
	w.send("x1", "mail:C1", "")
	one := w.lease("me", 1)
	equal(w, "one, the oldest", []any{len(one), one[0].ID}, []any{1, "a1"})
	heads := w.leases("b1", "t1")
	w.leases()
	w.sent(one[0])
	a2 := w.leases("a2")[0]
	w.settle(a2, bot.Settlement{Outcome: bot.Again, Due: w.clock.now().Add(time.Hour)})
	w.sent(heads...)
	w.sent(w.leases("b2")...)
	w.leases() // a3 waits for a2
	w.clock.advance(time.Hour)
	w.sent(w.leases("a2")...)
	w.sent(w.leases("a3")...)
	for _, adapters := range [][]string{nil, {"nobody"}} {
		list, err := w.Lease(w.t.Context(), "me", adapters, 10, leased)
		w.ok(err)
		equal(w, "of no adapter", len(list), 0)
	}
}

func testOneAtATime(w *world) {
	w.send("d1", "slack:D1", "")
	w.sent(w.leases("d1")...)
	w.send("d2", "slack:D1", "")
	w.leases("d2")
	w.update("d1", "new") // older, and due, but d2 is under way
	w.leases()
	w.clock.advance(leased)
	w.sent(w.leases("d1")...) // d2's sender is gone
	w.leases("d2")
}

func testExpiry(w *world) {
	w.send("d1", "slack:D1", "")
	equal(w, "sure", w.leases("d1")[0].Unsure, false)
	w.clock.advance(leased - 10*time.Millisecond)
	w.leases()
	w.clock.advance(20 * time.Millisecond)
	d := w.lease("you", 10)[0]
	equal(w, "nobody knows", []any{d.Unsure, d.Attempt}, []any{true, 2})
	w.settle(d, bot.Settlement{Owner: "you", Outcome: bot.Sent})
	w.update("d1", "new")
	equal(w, "sure again", w.leases("d1")[0].Unsure, false)
}

func testFence(w *world) {
	ctx := w.t.Context()
	w.send("d1", "slack:D1", "")
	mine := w.leases("d1")[0]
	for _, o := range []bot.Outcome{bot.Sent, bot.Again, bot.Parked, bot.Diverted} {
		w.is(w.Settle(ctx, bot.Settlement{Delivery: mine, Owner: "you", Outcome: o}), bot.ErrGone)
	}
	w.clock.advance(leased)
	again := w.leases("d1")[0]
	w.is(w.Settle(ctx, bot.Settlement{Delivery: mine, Owner: "me", Outcome: bot.Parked}), bot.ErrGone)
	w.sent(again)
	w.is(w.Settle(ctx, bot.Settlement{Delivery: again, Owner: "me", Outcome: bot.Sent}), bot.ErrGone)
	w.is(w.Settle(ctx, bot.Settlement{Delivery: bot.Delivery{ID: "no"}, Owner: "me"}), bot.ErrGone)
}

func testAgain(w *world) {
	w.send("d1", "slack:D1", "")
	d := w.leases("d1")[0]
	w.settle(d, bot.Settlement{Outcome: bot.Again, Due: w.clock.now().Add(time.Minute), Unsure: true, Error: "no answer"})
	w.clock.advance(59 * time.Second)
	w.leases()
	w.clock.advance(2 * time.Second)
	d = w.leases("d1")[0]
	equal(w, "unsure", []any{d.Attempt, d.Unsure}, []any{2, true})
	w.settle(d, bot.Settlement{Outcome: bot.Again, Due: w.clock.now()})
	d = w.leases("d1")[0]
	equal(w, "sure", []any{d.Attempt, d.Unsure}, []any{3, false})
}

func testParked(w *world) {
	ctx := w.t.Context()
	made := w.clock.now()
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: "d1", To: "slack:D1", Ref: 4, CreatedAt: made}, {ID: "d2", To: "slack:D1", CreatedAt: made}}})
	w.settle(w.leases("d1")[0], bot.Settlement{Outcome: bot.Parked, Error: "gone\x00 \xff"})
	next := w.leases("d2")[0] // the conversation goes on
	w.clock.advance(time.Minute)
	w.settle(next, bot.Settlement{Outcome: bot.Parked, Unsure: true, Error: "too often"})
	list, err := w.Parked(ctx, 10)
	w.ok(err)
	equal(w, "how many", len(list), 2)
	equal(w, "the latest", []any{list[0].ID, list[0].Adapter, list[0].Error, list[0].Ref, list[0].CreatedAt}, []any{"d2", "slack", "too often", bot.Ref(0), made})
	equal(w, "the other", []any{list[1].ID, list[1].Error, list[1].Ref}, []any{"d1", "gone \uFFFD", bot.Ref(4)})
	if list[0].ParkedAt.Sub(list[1].ParkedAt).Abs() < 50*time.Second {
		w.t.Fatalf("parked at %v and %v", list[1].ParkedAt, list[0].ParkedAt)
	}
	w.is(w.Retry(ctx, "d3"), bot.ErrNotFound)
	w.ok(w.Retry(ctx, "d2"))
	w.is(w.Retry(ctx, "d2"), bot.ErrNotFound)
	d := w.leases("d2")[0]
	equal(w, "from the beginning", []any{d.Attempt, d.Unsure}, []any{1, true})
}

func testDiverted(w *world) {
	w.commit(bot.Turn{Deliveries: []bot.Delivery{
		{ID: "d1", To: "slack:C1", Only: "slack:ann", Fallback: "slack:D1", Private: true, CreatedAt: w.clock.now()},
		{ID: "d2", To: "slack:D1", CreatedAt: w.clock.now()}}})
	list := w.leases("d1", "d2")
	w.sent(list[1])
	w.settle(list[0], bot.Settlement{Outcome: bot.Diverted, Error: "too late"})
	d := w.leases("d1")[0]
	equal(w, "diverted", []any{d.To, d.Only, d.Fallback, d.Attempt, d.Private, d.PostedID}, []any{bot.Place("slack:D1"), bot.PersonID(""), bot.Place(""), 1, true, ""})
	w.send("d3", "slack:D1", "")
	w.leases() // in its new conversation
	w.sent(d)
	w.leases("d3")
}

func testPrivateDelivery(w *world) {
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: "d1", To: "slack:D1", Private: true, Post: bot.Post{Text: "steps"}, CreatedAt: w.clock.now()}}})
	d := w.leases("d1")[0]
	w.settle(d, bot.Settlement{Outcome: bot.Again, Due: w.clock.now()})
	w.sent(w.leases("d1")...)
	n, err := number(w.t.Context(), w.db, `SELECT COUNT(*) FROM delivery`)
	w.ok(err)
	equal(w, "kept", n, 0)
	w.update("d1", "of what is gone")
	w.leases()
}

func testLeasesAtOnce(w *world) {
	const lanes, each = 20, 5
	for lane := range lanes {
		var t bot.Turn
		for i := range each {
			t.Deliveries = append(t.Deliveries, bot.Delivery{ID: fmt.Sprintf("%02d-%d", lane, i), To: bot.Place(fmt.Sprint("slack:D", lane)), CreatedAt: w.clock.now()})
		}
		w.commit(t)
	}
	var mu sync.Mutex
	got := map[string][]string{}
	var wg sync.WaitGroup
	for owner := range 6 {
		wg.Go(func() {
			for {
				mu.Lock()
				n := 0
				for _, list := range got {
					n += len(list)
				}
				mu.Unlock()
				if n >= lanes*each || w.t.Failed() {
					return
				}
				list, err := w.Lease(w.t.Context(), fmt.Sprint(owner), []string{"slack"}, 3, leased)
				if err != nil || len(list) > 3 {
					w.t.Errorf("%d leased, %v", len(list), err)
					return
				}
				for _, d := range list {
					mu.Lock()
					got[string(d.To)] = append(got[string(d.To)], d.ID)
					mu.Unlock()
					if err := w.Settle(w.t.Context(), bot.Settlement{Delivery: d, Owner: fmt.Sprint(owner), Outcome: bot.Sent}); err != nil {
						w.t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for lane, list := range got {
		if len(list) != each || !slices.IsSorted(list) {
			w.t.Errorf("%s: %v", lane, list)
		}
	}
}

func testNextDue(w *world) {
	ctx, both := w.t.Context(), []string{"slack", "teams"}
	next := func(adapters []string) time.Time {
		w.t.Helper()
		at, err := w.NextDue(ctx, adapters)
		w.ok(err)
		return at
	}
	equal(w, "none", next(both), time.Time{})
	equal(w, "of nobody", next(nil), time.Time{})
	w.send("d1", "slack:D1", "")
	due := w.clock.now().Add(time.Hour)
	w.settle(w.leases("d1")[0], bot.Settlement{Outcome: bot.Again, Due: due})
	if at := next(both); at.Sub(due).Abs() > time.Second {
		w.t.Fatalf("next due %v, want %v", at, due)
	}
	equal(w, "of another", next([]string{"teams"}), time.Time{})
}

func testWake(w *world) {
	woken := func() bool {
		select {
		case <-w.Wake():
			return true
		default:
			return false
		}
	}
	w.commit(bot.Turn{})
	equal(w, "by nothing to send", woken(), false)
	w.send("d1", "slack:D1", "")
	equal(w, "by a delivery", woken(), true)
	equal(w, "once", woken(), false)
	w.settle(w.leases("d1")[0], bot.Settlement{Outcome: bot.Parked})
	w.ok(w.Retry(w.t.Context(), "d1"))
	equal(w, "by a retry", woken(), true)
}

func testWeb(w *world) {
	w.send("d1", "web:ann", "one")
	w.send("d2", "web:ann", "two")
	list, err := w.Lease(w.t.Context(), "me", []string{"web", "slack"}, 10, leased)
	w.ok(err)
	equal(w, "nothing to send", len(list), 0)
	w.update("d1", "one, better")
	said, err := w.Transcript(w.t.Context(), "web:ann", 10)
	w.ok(err)
	equal(w, "there", []any{len(said), said[0].ID, said[0].Version, said[0].Post.Text, said[1].Post.Text}, []any{2, "d1", int64(2), "one, better", "two"})
	c, err := w.Counts(w.t.Context())
	w.ok(err)
	equal(w, "queued", c.Queued, 0)
}

func testTranscript(w *world) {
	const ann = "web:ann"
	answer := func(id string) {
		w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: id, To: ann, Post: bot.Post{Text: "answer " + id}, CreatedAt: w.clock.now()}}})
	}
	w.question("q1", ann, ann)
	answer("m1")
	w.clock.advance(time.Second)
	answer("m2")
	answer("m3")
	w.clock.advance(time.Second)
	w.question("q2", ann, ann)
	w.question("other", "web:bob", "web:bob")
	e := w.escalate(ann, "a/b")
	w.clock.advance(time.Second)
	e.History = []bot.Step{{At: w.clock.now(), What: bot.EventClaimed, Text: "internal"}, {At: w.clock.now(), What: bot.EventAdded, Text: "and more"}}
	w.change(e, bot.Claimed)
	ids := func(n int) (out []string) {
		list, err := w.Transcript(w.t.Context(), ann, n)
		w.ok(err)
		for _, x := range list {
			out = append(out, x.ID)
		}
		return out
	}
	equal(w, "all", ids(10), []string{"q1", "m1", "m2", "m3", "q2", e.Ref.String() + "-1"})
	equal(w, "the last of each", ids(1), []string{"m3", "q2", e.Ref.String() + "-1"})
}

func testPurge(w *world) {
	ctx := w.t.Context()
	w.commit(bot.Turn{Keys: []string{"old"}, Person: &bot.Contact{ID: "slack:quiet", QuietUntil: w.clock.now().Add(time.Hour)},
		Questions:  []bot.Question{{ID: "old", At: w.clock.now()}},
		Tally:      []bot.Tally{{Decision: bot.DecidedAnswer, Entry: "a/b"}},
		Deliveries: []bot.Delivery{{ID: "sent", To: "web:x", CreatedAt: w.clock.now()}, {ID: "of-c", To: "web:x", Ref: 1, CreatedAt: w.clock.now()}, {ID: "parked", To: "slack:D1", CreatedAt: w.clock.now()}, {ID: "waits", To: "teams:D2", CreatedAt: w.clock.now()}}})
	w.commit(bot.Turn{Person: &bot.Contact{ID: "slack:met", FirstAt: w.clock.now(), QuietUntil: w.clock.now()}})
	w.settle(w.leases("parked", "waits")[0], bot.Settlement{Outcome: bot.Parked})
	e := w.escalate("slack:ann", "a/b")
	left := func() map[string]bool {
		w.t.Helper()
		w.ok(w.Purge(ctx))
		out := map[string]bool{}
		for _, table := range []string{
			`SELECT key FROM inbound WHERE key = 'old'`,
			`SELECT id FROM question`,
			`SELECT id FROM delivery`,
			`SELECT person FROM contact`,
			`SELECT decision FROM tally`,
			`SELECT 'escalation' FROM escalation`,
		} {
			list, err := collect(ctx, w.db, scanText, table)
			w.ok(err)
			for _, id := range list {
				out[id] = true
			}
		}
		return out
	}
	everything := map[string]bool{"old": true, "sent": true, "of-c": true, "parked": true, "waits": true, "slack:quiet": true, "slack:met": true, "answer": true, "escalation": true}
	equal(w, "at once", left(), everything)
	w.clock.advance(8 * 24 * time.Hour)
	got := left()
	equal(w, "quiet for a week", got["slack:quiet"], false)
	if w.load(bot.Ask{Keys: []string{"old"}}).Seen {
		w.t.Fatal("a key older than a week")
	}
	w.clock.advance(23 * 24 * time.Hour)
	equal(w, "after a month", left(), map[string]bool{"of-c": true, "waits": true, "slack:met": true, "answer": true, "escalation": true})
	_, err := w.Escalation(ctx, e.Ref)
	w.ok(err)
}

func testForget(w *world) {
	ctx := w.t.Context()
	const ann, bob = bot.PersonID("web:ann"), bot.PersonID("web:bob")
	for _, p := range []bot.PersonID{ann, bob} {
		e := w.escalate(p, "a/b")
		e.History = []bot.Step{{What: bot.EventOpened, By: e.Asker, Text: "secret words"}, {What: bot.EventAnswered, By: bot.Person{ID: "slack:comms"}, Text: "the answer"}}
		e.Text, e.Additions, e.Answer, e.Messages = "secret words", []string{"secret words"}, "the answer", []string{"m-" + string(p)}
		e = w.change(e, bot.Answered)
		q := bot.Question{ID: bot.QuestionID("q-" + p), Asker: bot.Person{ID: p}, In: "slack:C1", Audience: bot.Shared, Text: "secret words", At: w.clock.now(), Message: "a-" + string(p)}
		post, card := bot.Post{Quote: "secret words"}, bot.Post{Kind: bot.KindCard, Quote: "secret words"}
		w.commit(bot.Turn{Person: &bot.Contact{ID: p, FirstAt: w.clock.now()}, Questions: []bot.Question{q}, Deliveries: []bot.Delivery{
			{ID: "m-" + string(p), To: bot.Place(p), Post: post, Ref: e.Ref, CreatedAt: w.clock.now()},
			{ID: "a-" + string(p), To: "slack:C1", Post: post, CreatedAt: w.clock.now()},
			{ID: "e-" + string(p), To: "slack:C2", Only: p, Post: post, CreatedAt: w.clock.now()},
			{ID: fmt.Sprintf("card-%d-slack", e.Ref), To: "slack:comms", Post: card, Ref: e.Ref, CreatedAt: w.clock.now()},
			{ID: fmt.Sprintf("card-%d-teams", e.Ref), To: "teams:comms", Post: card, Ref: e.Ref, CreatedAt: w.clock.now()}}})
		w.ok(w.SavePlace(ctx, bot.Place(p), []byte(`{"url":"secret words"}`)))
	}
	cards := w.leases("a-web:ann", "card-1-slack", "card-1-teams", "e-web:ann")
	w.sent(cards[0], cards[1], cards[3]) // a card is there, the other on its way
	w.ok(w.Forget(ctx, ann))
	w.sent(cards[2])

	for table, column := range map[string]string{"escalation": "data", "question": "data", "delivery": "post", "place": "data"} {
		list, err := collect(ctx, w.db, scanText, `SELECT `+column+` FROM `+table)
		w.ok(err)
		secret := 0
		for _, text := range list {
			if strings.Contains(text, "ann") {
				w.t.Errorf("%s keeps %s", table, text)
			}
			if strings.Contains(text, "secret words") {
				secret++
			}
		}
		want := map[string]int{"escalation": 1, "question": 1, "delivery": 5, "place": 1}[table] // bob's
		equal(w, "left in "+table, secret, want)
	}
	e, err := w.Escalation(ctx, 1)
	w.ok(err)
	equal(w, "the answer stays", []any{e.Answer, e.Asker, e.Text, e.History[1].Text}, []any{"the answer", bot.Person{}, erased, "the answer"})
	equal(w, "of nobody", w.load(bot.Ask{Person: ann}), bot.Known{})
	if w.load(bot.Ask{Person: bob}).Contact == nil {
		w.t.Error("another was forgotten too")
	}
	for _, d := range w.leases("a-web:bob", "card-1-slack", "card-1-teams", "e-web:bob") {
		if strings.HasPrefix(d.ID, "card") {
			equal(w, "a card is wiped", []any{d.Post.Text, d.PostedID}, []any{erased, "at-" + d.ID})
		}
	}
	w.ok(w.Forget(ctx, "web:nobody"))
}

// A person's conversation with the bot has a name of its own on a platform.
func testForgetPlace(w *world) {
	w.commit(bot.Turn{
		Questions: []bot.Question{
			{ID: "q1", Audience: bot.Private, Asker: bot.Person{ID: "slack:ann"}, In: "slack:D1", Direct: "slack:ann", At: w.clock.now()},
			{ID: "q2", Asker: bot.Person{ID: "slack:ann"}, In: "slack:C1#1", Direct: "slack:ann", Audience: bot.Shared, At: w.clock.now()},
			{ID: "q3", Asker: bot.Person{ID: "slack:ann"}, In: "slack:C2", Direct: "slack:ann", Audience: bot.InReply, At: w.clock.now()},
		},
		Deliveries: []bot.Delivery{
			{ID: "hers", To: "slack:D1", CreatedAt: w.clock.now()},
			{ID: "thread", To: "slack:C1#1", CreatedAt: w.clock.now()},
			{ID: "channel", To: "slack:C2", CreatedAt: w.clock.now()},
		},
	})
	w.ok(w.Forget(w.t.Context(), "slack:ann"))
	left, err := collect(w.t.Context(), w.db, scanText, `SELECT id FROM delivery ORDER BY id`)
	w.ok(err)
	equal(w, "deliveries left", left, []string{"channel", "thread"})
}

func testForgetAtOnce(w *world) {
	e := w.escalate("slack:ann", "a/b")
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			x, err := w.Escalation(w.t.Context(), e.Ref)
			if err != nil {
				w.t.Error(err)
				return
			}
			x.Answer = fmt.Sprint("answer ", i)
			if _, err := w.Commit(w.t.Context(), bot.Turn{Keys: []string{fmt.Sprint("a", i)}, At: w.clock.now(), Escalations: []bot.Escalation{x}}); err != nil && !errors.Is(err, bot.ErrConflict) {
				w.t.Error(err)
			}
		}
	})
	for range 5 {
		if err := w.Forget(w.t.Context(), "slack:ann"); err != nil && !errors.Is(err, bot.ErrConflict) {
			w.t.Error(err)
		}
	}
	wg.Wait()
	w.ok(w.Forget(w.t.Context(), "slack:ann"))
	x, err := w.Escalation(w.t.Context(), e.Ref)
	w.ok(err)
	equal(w, "both happened", []any{x.Asker.ID, x.Answer != ""}, []any{bot.PersonID(""), true})
}

func testCounts(w *world) {
	ctx := w.t.Context()
	zero := map[string]int64{"1h": 0, "4h": 0, "1d": 0, "3d": 0, "more": 0}
	c, err := w.Counts(ctx)
	w.ok(err)
	equal(w, "of nothing", c, bot.Counts{Decisions: map[bot.Decided]int64{}, Feedback: map[bot.Feedback]int64{}, Waiting: zero})
	w.escalate("slack:ann", "a/b")
	w.clock.advance(100 * time.Hour)
	w.escalate("slack:ann", "a/b")
	w.clock.advance(2 * time.Hour)
	w.change(w.escalate("slack:ann", "a/b"), bot.Waiting)
	w.change(w.escalate("slack:ann", "a/b"), bot.Closed)
	w.commit(bot.Turn{Tally: []bot.Tally{{Decision: bot.DecidedAnswer, Entry: "a/b"}, {Decision: bot.DecidedAnswer, Entry: "a/b"}, {Decision: bot.DecidedAnswer, Entry: "c/d"}, {Decision: bot.CountedFeedback, Entry: "a/b", What: bot.FeedbackHelped}}})
	w.send("d1", "slack:D1", "")
	w.send("d2", "slack:D2", "")
	w.settle(w.lease("me", 1)[0], bot.Settlement{Outcome: bot.Parked})
	w.clock.advance(time.Minute)
	c, err = w.Counts(ctx)
	w.ok(err)
	if (c.Oldest - time.Minute).Abs() > 10*time.Second { // PostgreSQL has its own clock
		w.t.Errorf("oldest %v", c.Oldest)
	}
	c.Oldest = 0
	zero["1h"], zero["4h"], zero["more"] = 1, 1, 1
	equal(w, "counts", c, bot.Counts{Decisions: map[bot.Decided]int64{bot.DecidedAnswer: 3}, Feedback: map[bot.Feedback]int64{bot.FeedbackHelped: 1}, Waiting: zero, Queued: 1, Parked: 1})
}

func testAnswerTime(w *world) {
	since := w.clock.now().Add(-time.Second)
	median := func(since time.Time) []any {
		d, n, err := w.AnswerTime(w.t.Context(), since)
		w.ok(err)
		return []any{d, n}
	}
	equal(w, "of none", median(since), []any{time.Duration(0), 0})
	for _, took := range []time.Duration{time.Hour, 3 * time.Hour, 100 * time.Hour} {
		e := w.escalate("slack:ann", "a/b")
		w.clock.advance(took)
		w.change(e, bot.Answered)
	}
	w.escalate("slack:ann", "a/b")
	equal(w, "median", median(since), []any{3 * time.Hour, 3})
	equal(w, "since", median(since.Add(50*time.Hour)), []any{100 * time.Hour, 1})
}

func testPopular(w *world) {
	shown := func(decision bot.Decided, entries ...string) {
		for _, e := range entries {
			w.commit(bot.Turn{Tally: []bot.Tally{{Decision: decision, Entry: e}}})
		}
	}
	old := w.clock.now()
	shown(bot.DecidedAnswer, "old/old", "old/old", "old/old", "old/old")
	w.clock.advance(48 * time.Hour)
	shown(bot.DecidedAnswer, "b/b", "a/a", "c/c", "c/c", "")
	shown(bot.CountedShown, "c/c", "a/a")
	shown(bot.DecidedEscalate, "x/x", "x/x", "x/x")
	popular := func(since time.Time, n int) []string {
		list, err := w.Popular(w.t.Context(), since, n)
		w.ok(err)
		return list
	}
	equal(w, "most first", popular(w.clock.now(), 10), []string{"c/c", "a/a", "b/b"})
	equal(w, "since, two", popular(old, 2), []string{"old/old", "c/c"})
}

func testPlaces(w *world) {
	ctx := w.t.Context()
	_, err := w.Place(ctx, "teams:19:x")
	w.is(err, bot.ErrNotFound)
	for _, text := range []string{`{"service":"https://a"}`, `{"service":"https://b"}`} {
		w.ok(w.SavePlace(ctx, "teams:19:x", []byte(text)))
		got, err := w.Place(ctx, "teams:19:x")
		w.ok(err)
		equal(w, "place", json.RawMessage(got), json.RawMessage(text))
	}
	if err := w.SavePlace(ctx, "teams:19:x", []byte(`{`)); err == nil {
		w.t.Error("kept what is not JSON")
	}
}

func testClosing(w *world) {
	w.ok(w.Close())
	w.ok(w.Close())
	_, err := w.Commit(w.t.Context(), bot.Turn{Keys: []string{"a"}, At: w.clock.now()})
	if err == nil {
		w.t.Fatal("committed into a closed store")
	}
	if w.Ping(w.t.Context()) == nil {
		w.t.Fatal("a closed store answers")
	}
}

func testClosingWhileWaiting(w *world) {
	release := w.hold()
	var wg sync.WaitGroup
	var kept atomic.Int64
	for i := range 30 {
		wg.Go(func() {
			if _, err := w.Commit(context.Background(), bot.Turn{Keys: []string{fmt.Sprint(i)}, At: w.clock.now()}); err == nil {
				kept.Add(1)
			}
		})
	}
	wg.Go(func() { w.ok(w.Close()) })
	release()
	wg.Wait() // each got an answer
	w.t.Logf("%d of 30 were committed", kept.Load())
}
