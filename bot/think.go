package bot

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// maxText is the longest message that is read, in characters: half of what Slack
// sends and more than anybody types. A longer one is refused with a sentence.
const maxText = 20_000

// maxCandidates is how many candidates are kept with a question.
const maxCandidates = 5

// Thought is what the folder makes of one text, before any conversation: the same
// for `canteen ask` as for a message.
type Thought struct {
	Text     string   // what was asked, cleaned and redacted
	Removed  []string // the kinds of identifiers that were taken out
	Decision Decision
	Found    match.Result
	Cue      string // the cue that set a lane off, or ""
	index    *match.Index
}

// Think decides on one text alone.
func Think(base *knowledge.Base, question string, p Policy) Thought {
	question = text.Clean(question)
	t := Thought{}
	if u, ok := Unreadable(question); ok {
		t.Decision = u
		return t
	}
	t.Text, t.Removed = Redact(question)
	var lane *knowledge.Entry
	lane, t.Cue = base.Cue(question)
	if lane == nil && slices.Contains(t.Removed, KindNHSNumber) {
		if e, ok := base.Entry(identifiableLane); ok {
			lane, t.Cue = e, KindNHSNumber
		}
	}
	t.index = base.Index()
	t.Found = t.index.Rank(t.Text, maxCandidates)
	t.Decision = Decide(base, lane, t.Found, p)
	if t.lane() != lane {
		t.Cue = "" // it is another lane that is shown, and no cue of its own was met
	}
	// What the policy would answer at all, it answers when it is asked word for word.
	if e, ok := base.AskedExactly(question); ok && t.lane() == nil && p.Answer <= exactConfidence {
		t.Found.Candidates = withFirst(t.Found.Candidates, e.ID)
		if e.Route == knowledge.Answered || e.Route == knowledge.SmallTalk {
			t.Found.Covered = max(t.Found.Covered, exactConfidence)
		}
		t.Decision = decisionOn(e)
	}
	if code := text.Language(t.Text); code != "" && t.lane() == nil {
		t.Decision = Language{code}
	}
	return t
}

// exactConfidence is how sure a match word for word is.
const exactConfidence = .99

// withFirst puts an entry before the other candidates.
func withFirst(list []match.Candidate, id string) []match.Candidate {
	first := match.Candidate{ID: id}
	rest, sum := make([]match.Candidate, 0, len(list)), 0.0
	for _, c := range list {
		if c.ID == id {
			first = c
			continue
		}
		rest, sum = append(rest, c), sum+c.Confidence
	}
	if left := 1 - exactConfidence; sum > left { // beside one another as they were
		for i := range rest {
			rest[i].Confidence *= left / sum
		}
	}
	first.Confidence = max(first.Confidence, exactConfidence)
	all := append([]match.Candidate{first}, rest...)
	return all[:min(len(all), maxCandidates)]
}

// thinkPast decides on a text that is no emergency, as its asker says.
func thinkPast(base *knowledge.Base, question string, p Policy) Thought {
	t := Thought{Text: question, index: base.Index()}
	t.Found = t.index.Rank(question, maxCandidates).Harmless()
	t.Decision = Decide(base, nil, t.Found, p)
	return t
}

// ThinkAfter decides on a text that may go on from the question before it, as in a
// direct message: as a choice of what was offered, or joined with what was asked.
// Without a question before it, it is Think.
func ThinkAfter(base *knowledge.Base, last *Question, question string, p Policy) Thought {
	if id, ok := chosen(base, last, question); ok {
		t := Thought{Text: last.Text, index: base.Index(), Found: match.Result{Candidates: last.Candidates}, Decision: Escalate{}}
		if e, ok := base.Entry(id); ok {
			t.Decision = decisionOn(e)
		}
		return t
	}
	if declined(last, question) {
		return Thought{Text: last.Text, index: base.Index(), Found: match.Result{Candidates: last.Candidates}, Decision: Escalate{}}
	}
	t := Think(base, question, p)
	if _, ok := t.Decision.(Escalate); ok {
		if j, ok := joined(base, last, t, p); ok {
			return j
		}
	}
	return t
}

// decisionOn is what becomes of a question whose asker chose an entry.
func decisionOn(e *knowledge.Entry) Decision {
	switch e.Route {
	case knowledge.Comms:
		return Escalate{e}
	case knowledge.Answered:
		return Answer{e}
	case knowledge.SmallTalk:
		return SmallTalk{e}
	}
	return Signpost{e}
}

// chosen reads a text as the choice that is pending: its number or its title.
func chosen(base *knowledge.Base, last *Question, said string) (string, bool) {
	if last == nil {
		return "", false
	}
	said = strings.ToLower(strings.Trim(text.Clean(said), " .!)("))
	for i, id := range last.Options {
		e, ok := base.Entry(id)
		if ok && (said == strconv.Itoa(i+1) || said == strings.ToLower(e.Title)) {
			return id, true
		}
	}
	return "", false
}

// declined reads a text as "none of these" to the choice that is pending.
func declined(last *Question, said string) bool {
	if last == nil || len(last.Options) == 0 {
		return false
	}
	said = strings.ToLower(strings.Trim(text.Clean(said), " .!"))
	return said == "none" || said == strings.ToLower(labels[labelNone])
}

// joined decides on a short follow-up together with the question before it. It
// never turns a follow-up that names something of its own into an answer about
// what came before: the follow-up alone must have matched nothing.
func joined(base *knowledge.Base, last *Question, t Thought, p Policy) (Thought, bool) {
	if last == nil || last.Text == "" || len(strings.Fields(t.Text)) > followUpWords || t.Entry() != nil {
		return Thought{}, false
	}
	j := Think(base, last.Text+" "+t.Text, p)
	if _, ok := j.Decision.(Answer); !ok || t.Found.Covered < followUpCovered {
		return Thought{}, false
	}
	j.Text, j.Removed = t.Text, t.Removed
	return j, true
}

// A follow-up is joined with the question before it when it is no longer than
// this, and when the folder may cover it by itself at all: "and for the ward?"
// may be joined, "and on TikTok?" may not.
const (
	followUpWords   = 8
	followUpCovered = 0.15
)

// Unreadable tells whether no question can be read from a text, and why.
func Unreadable(question string) (Unread, bool) {
	question = text.Clean(question)
	switch {
	case question == "":
		return Unread{WordEmpty}, true
	case utf8.RuneCountInString(question) > maxText:
		return Unread{WordTooLong}, true
	case wordless(question):
		return Unread{WordWordless}, true
	}
	return Unread{}, false
}

// identifiableLane is the lane of a question that holds a patient's number.
const identifiableLane = "lanes/patient-identifiable"

// Meets tells whether a lane's steps are shown; those for either crisis are for both.
func (t Thought) Meets(lane string) bool {
	d, ok := t.Decision.(Signpost)
	return ok && (d.Entry.ID == lane || d.Entry.ID == eitherCrisis && (lane == ownCrisis || lane == othersCrisis))
}

// Entry is the entry that a decision is about, or nil.
func (t Thought) Entry() *knowledge.Entry {
	switch d := t.Decision.(type) {
	case Answer:
		return d.Entry
	case Likely:
		return d.Entry
	case Signpost:
		return d.Entry
	case SmallTalk:
		return d.Entry
	case Escalate:
		return d.Topic
	}
	return nil
}

// wordless tells whether a text has no letter and no number of three digits: an
// emoji, dots, the number of a choice that is over.
func wordless(s string) bool {
	return !strings.ContainsFunc(s, unicode.IsLetter) && len(digits(s)) < 3
}
