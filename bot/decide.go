package bot

import (
	"slices"

	"canteen/knowledge"
	"canteen/knowledge/match"
)

// Policy holds the thresholds between the bands. They are probabilities, so they
// mean the same on every folder.
type Policy struct {
	// Answer is the least confidence at which an entry is shown as the answer.
	Answer float64
	// Likely is the least confidence at which it is shown as what is likely meant, with
	// others to choose from.
	Likely float64
	// Topic is the least confidence at which a comms entry is named as what a question
	// is about.
	Topic float64
	// Covered is the least probability that the folder covers the question at all
	// for anything of it to be offered.
	Covered float64
	// Offer is the least confidence at which an entry is offered in "did you mean".
	Offer float64
	// Lane is the least probability of an emergency at which a lane is shown, with none
	// of the lanes' cues met.
	Lane float64
	// Own is the least probability of the asker's own crisis at which help for it is
	// shown, whatever else the question may be: its words go to nobody.
	Own float64
	// Unsure is the least probability of the asker's own crisis at which nothing of a text
	// is passed on unless they press for it.
	Unsure float64
	// Alarming is the least probability of the private lanes together at which the same
	// holds. Of every lane together, 22 of the 144 questions of escalate.tsv that are for
	// comms would wait for a press, and not 6, and no more of lanes.tsv's own crises.
	Alarming float64
	// Elsewhere is the least confidence for who to try instead: an error costs less
	// than one in an answer, since nothing is said of the matter itself.
	Elsewhere float64
	// SmallTalk is the least confidence for small talk.
	SmallTalk float64
}

// DefaultPolicy was chosen on the development rows and on three sets of questions by
// writers who had seen the guide alone; the project's own (knowledge/testdata/questions)
// say what it gives, and knowledge/match/NOTES.md compares. With Answer at 0.40 instead of
// 0.80, 90 % of answer.tsv are answered at once and not 76, 1.4 % of answers are wrong and
// not none, and 10 % of what is to be passed on is answered and not 2. With Lane at 0.50
// instead of 0.60, 77 % of emergencies are shown their lane and not 76, and 10 % of
// harmless sentences with alarming words are shown one and not 8; at 0.70 72 % and 6. Own
// and Unsure are low because an alarm for nothing is nothing beside a crisis that is missed
// or shown to others: with Own at 0.15 instead of 0.08, 28 of lanes.tsv's 33 own crises
// meet help and not 31, and 18 of 219 harmless sentences are alarmed and not 20.
// `canteen test FILE` gives such figures.
var DefaultPolicy = Policy{Answer: 0.80, Likely: 0.50, Topic: 0.50, Covered: 0.28, Offer: 0.04, Lane: 0.60, Own: 0.08, Unsure: 0.02, Alarming: 0.20, Elsewhere: 0.50, SmallTalk: 0.45}

// Decision is what becomes of one question: Answer, Likely, Clarify, Signpost, SmallTalk,
// Escalate or Unread.
type Decision interface{ decision() Decided }

type (
	// Answer shows an entry.
	Answer struct{ Entry *knowledge.Entry }
	// Likely shows an entry that is likely the answer, and up to two others.
	Likely struct {
		Entry   *knowledge.Entry
		Options []*knowledge.Entry
	}
	// Clarify offers up to three entries and "none of these".
	Clarify struct{ Options []*knowledge.Entry }
	// Signpost shows a lane's steps, or who to try instead.
	Signpost struct{ Entry *knowledge.Entry }
	// SmallTalk greets, thanks and helps.
	SmallTalk struct{ Entry *knowledge.Entry }
	// Escalate passes the question to comms; Topic is the comms entry that it
	// matched, or nil.
	Escalate struct{ Topic *knowledge.Entry }
	// Language is a text in another language than English; Code is which (ISO 639-1), or
	// "und".
	Language struct{ Code string }
	// Unread is a text that no question can be read from; Wording says so.
	Unread struct{ Wording Word }
)

func (Answer) decision() Decided    { return DecidedAnswer }
func (Likely) decision() Decided    { return DecidedLikely }
func (Clarify) decision() Decided   { return DecidedClarify }
func (Signpost) decision() Decided  { return DecidedSignpost }
func (SmallTalk) decision() Decided { return DecidedSmallTalk }
func (Escalate) decision() Decided  { return DecidedEscalate }
func (Language) decision() Decided  { return DecidedAct }
func (Unread) decision() Decided    { return DecidedSmallTalk }

// Decided names a decision. Its value is stored and counted.
type Decided string

// The names of the decisions.
const (
	DecidedAnswer    Decided = "answer"
	DecidedLikely    Decided = "likely"
	DecidedClarify   Decided = "clarify"
	DecidedSignpost  Decided = "signpost"
	DecidedSmallTalk Decided = "smalltalk"
	DecidedEscalate  Decided = "escalate"
	DecidedAct       Decided = "act" // on the conversation itself: which, Asked.Act says
)

// What is counted beside the decisions.
const (
	CountedShown    Decided = "shown"    // an entry, to who pressed for it
	CountedFeedback Decided = "feedback" // Tally.What says which
)

// maxOptions is how many entries "did you mean" offers.
const maxOptions = 3

// Decide says what becomes of a question: lane is the lane whose cue it met, or
// nil; found is how it matched. It is a pure function.
func Decide(base *knowledge.Base, cue *knowledge.Entry, found match.Result, p Policy) Decision {
	if lane := laneOf(base, cue, found, p); lane != nil {
		return Signpost{lane}
	}
	if len(found.Candidates) == 0 {
		return Escalate{}
	}
	top := found.Candidates[0]
	e, ok := base.Entry(top.ID)
	if !ok {
		return Escalate{}
	}
	switch e.Route {
	case knowledge.Elsewhere:
		if top.Confidence >= p.Elsewhere {
			return Signpost{e}
		}
	case knowledge.SmallTalk:
		if top.Confidence >= p.SmallTalk {
			return SmallTalk{e}
		}
	case knowledge.Comms:
		if top.Confidence >= p.Topic {
			return Escalate{e}
		}
	case knowledge.Answered:
		if top.Confidence >= p.Answer {
			return Answer{e}
		}
	}
	if found.Covered < p.Covered {
		return Escalate{}
	}
	if e.Route == knowledge.Answered && top.Confidence >= p.Likely {
		return Likely{e, offered(base, found.Candidates[1:], p, maxOptions-1)}
	}
	return clarify(base, found, p)
}

// The entries of a crisis: the asker's own, somebody else's, and the one with steps for
// both, where nothing tells whose it is.
const (
	ownCrisis    = "lanes/crisis-self"
	othersCrisis = "lanes/crisis-other"
	eitherCrisis = "lanes/crisis-either"
)

// laneOf is the lane that a question is shown, or nil. What may be the asker's own
// crisis is treated as one: in doubt between it and anything else it is shown what
// helps either, which passes nothing on.
func laneOf(base *knowledge.Base, cue *knowledge.Entry, found match.Result, p Policy) *knowledge.Entry {
	lane, own := cue, owns(found)
	if len(found.Lanes) > 0 && found.Alarm >= p.Lane {
		learnt, _ := base.Entry(found.Lanes[0].ID)
		switch {
		case lane == nil:
			lane = learnt
		case lane.Route == knowledge.Urgent && learnt != nil && learnt.Route == knowledge.Private && learnt.Handoff && found.Lanes[0].Confidence >= p.Answer:
			lane = learnt // a cue is no reason to pass on what surely happened to the asker, who may press for it
		}
	}
	least := p.Own
	if cue == nil && lane != nil && lane.Route == knowledge.Urgent { // its words would go to comms
		least = p.Unsure
	}
	if own == 0 || own < least || cue != nil && cue.ID == ownCrisis || lane != nil && lane.ID == ownCrisis && surelyOwn(found, own) {
		return lane
	}
	if e, ok := base.Entry(eitherCrisis); ok {
		return e
	}
	e, _ := base.Entry(ownCrisis)
	return e
}

// surelyOwn tells whether an emergency is the asker's own crisis and no other lane's: it
// has most of the probability, or all others have next to none, as where little of a text
// is known.
func surelyOwn(found match.Result, own float64) bool {
	const most, beside = .85, 10
	if own >= most*found.Alarm {
		return true
	}
	for _, c := range found.Lanes {
		if c.ID != ownCrisis && own < beside*c.Confidence {
			return false
		}
	}
	return true
}

// owns is the probability that a text is of the asker's own crisis.
func owns(found match.Result) float64 {
	for _, c := range found.Lanes {
		if c.ID == ownCrisis {
			return c.Confidence
		}
	}
	return 0
}

// private tells whether a text that would be passed on may be what a private lane is for.
func (p Policy) private(base *knowledge.Base, found match.Result) bool {
	var sum float64
	for _, c := range found.Lanes {
		if e, ok := base.Entry(c.ID); ok && e.Route == knowledge.Private {
			sum += c.Confidence
		}
	}
	return p.own(found) || sum > 0 && sum >= p.Alarming
}

// own tells whether a text may be of its asker's own crisis.
func (p Policy) own(found match.Result) bool {
	own := owns(found)
	return own > 0 && own >= p.Unsure
}

// clarify offers the candidates of the middle band, and escalates when no
// answer is among them.
func clarify(base *knowledge.Base, found match.Result, p Policy) Decision {
	options := offered(base, found.Candidates, p, maxOptions)
	if !slices.ContainsFunc(options, func(e *knowledge.Entry) bool { return e.Route == knowledge.Answered }) {
		return Escalate{}
	}
	return Clarify{options}
}

// offered are the candidates, n at most, that are likely enough to be offered.
func offered(base *knowledge.Base, candidates []match.Candidate, p Policy, n int) []*knowledge.Entry {
	var options []*knowledge.Entry
	for _, c := range candidates {
		e, ok := base.Entry(c.ID)
		if ok && c.Confidence >= p.Offer && len(options) < n && (e.Route == knowledge.Answered || e.Route == knowledge.Comms) {
			options = append(options, e)
		}
	}
	return options
}
