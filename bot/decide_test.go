package bot_test

import (
	"fmt"
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
		others    = "lanes/crisis-other"
		either    = "lanes/crisis-either"
		elsewhere = "elsewhere/parking"
		hello     = "smalltalk/hello"
	)
	// Not the shipped one, which measurements move.
	p := bot.Policy{Answer: .60, Likely: .50, Topic: .55, Covered: .45, Offer: .08, Lane: .80, Own: .20, Unsure: .10, Alarming: .30, Elsewhere: .50, SmallTalk: .55}
	type found = []match.Candidate
	clarify := func(ids ...string) bot.Decision {
		var c bot.Clarify
		for _, id := range ids {
			c.Options = append(c.Options, entry(id))
		}
		return c
	}
	for _, c := range []struct {
		name    string
		lane    string
		found   found
		covered float64
		alarm   found // lanes, whose confidences are the alarm
		want    bot.Decision
	}{
		{name: "nothing found", want: bot.Escalate{}},
		{name: "an entry that is gone", found: found{{ID: "no/such", Confidence: 1}}, covered: 1, want: bot.Escalate{}},
		{name: "a cue beats every match", lane: private, found: found{{ID: answer, Confidence: 1}}, covered: 1, want: bot.Signpost{Entry: entry(private)}},

		{name: "sure", found: found{{ID: answer, Confidence: p.Answer}}, covered: 1, want: bot.Answer{Entry: entry(answer)}},
		{name: "nearly sure", found: found{{ID: answer, Confidence: p.Answer - .01}}, covered: p.Covered, want: bot.Likely{Entry: entry(answer)}},
		{name: "likely, with others", found: found{{ID: answer, Confidence: p.Likely}, {ID: comms, Confidence: .2}, {ID: urgent, Confidence: .2}, {ID: third, Confidence: p.Offer}, {ID: fourth, Confidence: p.Offer}}, covered: 1, want: bot.Likely{Entry: entry(answer), Options: []*knowledge.Entry{entry(comms), entry(third)}}},
		{name: "not likely enough", found: found{{ID: answer, Confidence: p.Likely - .01}}, covered: p.Covered, want: clarify(answer)},
		{name: "likely, and not covered", found: found{{ID: answer, Confidence: p.Likely}}, covered: p.Covered - .01, want: bot.Escalate{}},
		{name: "not covered", found: found{{ID: answer, Confidence: .4}}, covered: p.Covered - .01, want: bot.Escalate{}},
		{name: "at most three, none below the least", found: found{{ID: answer, Confidence: .3}, {ID: other, Confidence: .2}, {ID: third, Confidence: .1}, {ID: fourth, Confidence: .1}}, covered: 1, want: clarify(answer, other, third)},
		{name: "none below the least", found: found{{ID: answer, Confidence: .3}, {ID: other, Confidence: p.Offer - .01}}, covered: 1, want: clarify(answer)},

		{name: "for comms", found: found{{ID: comms, Confidence: p.Topic}}, want: bot.Escalate{Topic: entry(comms)}},
		{name: "for comms, in the middle band, beside answers", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: .3}}, covered: 1, want: clarify(comms, answer)},
		{name: "only for comms, in the middle band", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: p.Offer - .01}}, covered: 1, want: bot.Escalate{}},
		{name: "for comms, not covered", found: found{{ID: comms, Confidence: .4}, {ID: answer, Confidence: .3}}, want: bot.Escalate{}},

		{name: "a lane by example, whatever else matches", alarm: found{{ID: urgent, Confidence: p.Lane}}, found: found{{ID: answer, Confidence: .2}}, covered: 1, want: bot.Signpost{Entry: entry(urgent)}},
		{name: "a lane, not sure enough", alarm: found{{ID: urgent, Confidence: p.Lane - .01}}, found: found{{ID: answer, Confidence: .1}}, covered: 1, want: clarify(answer)},
		{name: "the asker's own crisis", alarm: found{{ID: private, Confidence: p.Lane}}, want: bot.Signpost{Entry: entry(private)}},
		{name: "perhaps the asker's own crisis: nothing is passed on", alarm: found{{ID: private, Confidence: p.Own}}, want: bot.Signpost{Entry: entry(either)}},
		{name: "somebody else's, or perhaps the asker's own", alarm: found{{ID: others, Confidence: .70}, {ID: private, Confidence: p.Own}}, want: bot.Signpost{Entry: entry(either)}},
		{name: "a cue of somebody else's, and perhaps the asker's own", lane: others, alarm: found{{ID: others, Confidence: .70}, {ID: private, Confidence: p.Own}}, want: bot.Signpost{Entry: entry(either)}},
		{name: "hardly the asker's own", alarm: found{{ID: others, Confidence: .80}, {ID: private, Confidence: p.Unsure}}, want: bot.Signpost{Entry: entry(either)}},
		{name: "not the asker's own", alarm: found{{ID: others, Confidence: .80}, {ID: private, Confidence: p.Unsure - .01}}, want: bot.Signpost{Entry: entry(others)}},

		{name: "a cue of an urgent lane, and surely a private one", lane: urgent, alarm: found{{ID: either, Confidence: p.Lane}}, want: bot.Signpost{Entry: entry(either)}},
		{name: "a cue of an urgent lane, and perhaps a private one", lane: urgent, alarm: found{{ID: either, Confidence: p.Answer - .01}, {ID: others, Confidence: .30}}, want: bot.Signpost{Entry: entry(urgent)}},

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
			alarm := 0.
			for _, l := range c.alarm {
				alarm += l.Confidence
			}
			got := bot.Decide(base, lane, match.Result{Candidates: c.found, Covered: c.covered, Alarm: alarm, Lanes: c.alarm}, p)
			if !same(got, c.want) {
				t.Errorf("got %#v, wanted %#v", got, c.want)
			}
		})
	}
}

// same compares two decisions; entries are the same when they are one.
func same(a, b bot.Decision) bool {
	entries := func(d bot.Decision) []*knowledge.Entry {
		switch d := d.(type) {
		case bot.Clarify:
			return d.Options
		case bot.Likely:
			return append([]*knowledge.Entry{d.Entry}, d.Options...)
		}
		return nil
	}
	if x, y := entries(a), entries(b); x != nil || y != nil {
		return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) && slices.Equal(x, y)
	}
	return a == b
}

// What is thought of a text does not depend on any conversation.
func TestThink(t *testing.T) {
	base, err := small()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text       string
		decision   bot.Decided
		entry, cue string
	}{
		{"can i tweet about work", bot.DecidedAnswer, "basics/tweeting", ""},
		{"i want to end my life", bot.DecidedSignpost, "lanes/crisis-self", "end my life"},
		{"look at 943 476 5919", bot.DecidedSignpost, "lanes/patient-identifiable", bot.KindNHSNumber},
		{"  ", bot.DecidedSmallTalk, "", ""},
		{"🎉", bot.DecidedSmallTalk, "", ""},
		{"zorblax quffle snerp", bot.DecidedEscalate, "", ""},
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
