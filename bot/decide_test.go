package bot_test

import (
	"context"
	"slices"
	"testing"

	"canteen/bot"
	"canteen/knowledge"
	"canteen/knowledge/match"
)

func TestDecide(t *testing.T) {
	base, err := small()
	if err != nil {
		t.Fatal(err)
	}
	entry := func(id string) *knowledge.Entry {
		e, ok := base.Entry(id)
		if !ok {
			t.Fatalf("there is no entry %s", id)
		}
		return e
	}
	const (
		answer    = "basics/tweeting"
		other     = "linkedin/profile"
		third     = "youtube/videos"
		fourth    = "privacy/who-can-see"
		comms     = "open/tiktok"
		urgent    = "lanes/data-breach"
		private   = "lanes/crisis-self"
		elsewhere = "elsewhere/parking"
		hello     = "smalltalk/hello"
	)
	// Not the shipped one, which measurements move.
	p := bot.Policy{Answer: .60, Covered: .45, Offer: .08, Lane: .80, Elsewhere: .50, SmallTalk: .55, Unfitted: .90}
	type found = []match.Candidate
	clarify := func(ids ...string) bot.Decision {
		var c bot.Clarify
		for _, id := range ids {
			c.Options = append(c.Options, entry(id))
		}
		return c
	}
	for _, c := range []struct {
		name     string
		lane     string
		found    found
		covered  float64
		unfitted bool
		want     bot.Decision
	}{
		{name: "nothing found", want: bot.Escalate{}},
		{name: "an entry that is gone", found: found{{ID: "no/such", Confidence: 1}}, covered: 1, want: bot.Escalate{}},
		{name: "a cue beats every match", lane: private, found: found{{ID: answer, Confidence: 1}}, covered: 1, want: bot.Signpost{Entry: entry(private)}},

		{name: "sure", found: found{{ID: answer, Confidence: p.Answer}}, covered: 1, want: bot.Answer{Entry: entry(answer)}},
		{name: "nearly sure", found: found{{ID: answer, Confidence: p.Answer - .01}}, covered: p.Covered, want: clarify(answer)},
		{name: "sure, before the model is fitted", unfitted: true, found: found{{ID: answer, Confidence: p.Unfitted - .01}}, covered: 1, want: clarify(answer)},
		{name: "very sure, before the model is fitted", unfitted: true, found: found{{ID: answer, Confidence: p.Unfitted}}, covered: 1, want: bot.Answer{Entry: entry(answer)}},
		{name: "not covered", found: found{{ID: answer, Confidence: .4}}, covered: p.Covered - .01, want: bot.Escalate{}},
		{name: "at most three, none below the least", found: found{{ID: answer, Confidence: .3}, {ID: other, Confidence: .2}, {ID: third, Confidence: .1}, {ID: fourth, Confidence: .1}}, covered: 1, want: clarify(answer, other, third)},
		{name: "none below the least", found: found{{ID: answer, Confidence: .3}, {ID: other, Confidence: p.Offer - .01}}, covered: 1, want: clarify(answer)},

		{name: "for comms", found: found{{ID: comms, Confidence: p.Answer}}, want: bot.Escalate{Topic: entry(comms)}},
		{name: "for comms, in the middle band, beside answers", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: .3}}, covered: 1, want: clarify(comms, answer)},
		{name: "only for comms, in the middle band", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: p.Offer - .01}}, covered: 1, want: bot.Escalate{Topic: entry(comms)}},
		{name: "for comms, not covered", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: .3}}, want: bot.Escalate{Topic: entry(comms)}},

		{name: "a lane by its phrasings", found: found{{ID: urgent, Confidence: p.Lane}}, want: bot.Signpost{Entry: entry(urgent)}},
		{name: "a lane, not sure enough", found: found{{ID: urgent, Confidence: p.Lane - .01}, {ID: answer, Confidence: .1}}, covered: 1, want: clarify(answer)},
		{name: "a private lane, not sure enough", found: found{{ID: private, Confidence: p.Lane - .01}}, covered: 1, want: bot.Escalate{}},

		{name: "elsewhere", found: found{{ID: elsewhere, Confidence: p.Elsewhere}}, want: bot.Signpost{Entry: entry(elsewhere)}},
		{name: "elsewhere, not sure enough", found: found{{ID: elsewhere, Confidence: p.Elsewhere - .01}}, want: bot.Escalate{}},
		{name: "small talk", found: found{{ID: hello, Confidence: p.SmallTalk}}, want: bot.SmallTalk{Entry: entry(hello)}},
		{name: "small talk, not sure enough", found: found{{ID: hello, Confidence: p.SmallTalk - .01}, {ID: answer, Confidence: .3}}, covered: 1, want: clarify(answer)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var lane *knowledge.Entry
			if c.lane != "" {
				lane = entry(c.lane)
			}
			got := bot.Decide(base, lane, match.Result{Candidates: c.found, Covered: c.covered}, !c.unfitted, p)
			if !same(got, c.want) {
				t.Errorf("got %#v, wanted %#v", got, c.want)
			}
		})
	}
}

// same compares two decisions; entries are the same when they are one.
func same(a, b bot.Decision) bool {
	x, ok := a.(bot.Clarify)
	y, also := b.(bot.Clarify)
	if !ok || !also {
		return !ok && !also && a == b
	}
	if len(x.Options) != len(y.Options) {
		return false
	}
	for i := range x.Options {
		if x.Options[i] != y.Options[i] {
			return false
		}
	}
	return true
}

// What is thought of a text does not depend on any conversation.
func TestThink(t *testing.T) {
	base, err := small()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, decision, entry, cue string }{
		{"can i tweet about work", "answer", "basics/tweeting", ""},
		{"i want to end my life", "signpost", "lanes/crisis-self", "end my life"},
		{"look at 943 476 5919", "signpost", "lanes/patient-identifiable", bot.KindNHSNumber},
		{"  ", "smalltalk", "", ""},
		{"🎉", "smalltalk", "", ""},
		{"zorblax quffle snerp", "escalate", "", ""},
	} {
		th := bot.Think(base, c.text, policy)
		got := th.Report(base, c.text)
		if got.Decision != c.decision || got.Entry != c.entry || th.Cue != c.cue || got.Text == "" {
			t.Errorf("%q: %s of %q by the cue %q, saying %q", c.text, got.Decision, got.Entry, th.Cue, got.Text)
		}
		if why := th.Why(base, policy); why == "" {
			t.Errorf("%q: nothing says why", c.text)
		}
	}
}

// eavesdropper is a Learner and a Reranker that notes what it is asked.
type eavesdropper struct{ heard []string }

func (e *eavesdropper) Learn(context.Context, []match.Document) (match.Reranker, error) {
	return e, nil
}

func (e *eavesdropper) Near(question string, ids []string) []float32 {
	e.heard = append(e.heard, question)
	return make([]float32, len(ids))
}

// What a reranker is asked may leave the program: never a text in which there is
// somebody's identifier, or a lane's cue.
func TestThinkKeepsToItself(t *testing.T) {
	base, err := small()
	if err != nil {
		t.Fatal(err)
	}
	e := &eavesdropper{}
	if base, err = base.Learn(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"i want to end my life", "can i tweet about 943 476 5919", "can i tweet to jo@example.org", "  ", "can i tweet about work"} {
		bot.Think(base, text, policy)
	}
	if !slices.Equal(e.heard, []string{"can i tweet about work"}) {
		t.Errorf("the reranker heard %q", e.heard)
	}
}
