package bot

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"canteen/knowledge"
	"canteen/knowledge/match"
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
func Think(base *knowledge.Base, text string, p Policy) Thought {
	text = Clean(text)
	t := Thought{}
	if u, ok := Unreadable(text); ok {
		t.Decision = u
		return t
	}
	t.Text, t.Removed = Redact(text)
	var lane *knowledge.Entry
	lane, t.Cue = base.Lane(text)
	if lane == nil && slices.Contains(t.Removed, KindNHSNumber) {
		if e, ok := base.Entry(identifiableLane); ok {
			lane, t.Cue = e, KindNHSNumber
		}
	}
	// What an embeddings server is asked leaves the program: nothing in which the
	// gate found an identifier, and nothing that a lane's cue knows for what it is.
	t.index = base.Index()
	if lane == nil && len(t.Removed) == 0 {
		t.index = base.Reranked()
	}
	t.Found = t.index.Rank(t.Text, maxCandidates)
	t.Decision = Decide(base, lane, t.Found, t.index.Fitted(), p)
	return t
}

// Unreadable tells whether no question can be read from a text, and why.
func Unreadable(text string) (Unread, bool) {
	text = Clean(text)
	switch {
	case text == "":
		return Unread{"empty"}, true
	case utf8.RuneCountInString(text) > maxText:
		return Unread{"too-long"}, true
	case wordless(text):
		return Unread{"wordless"}, true
	}
	return Unread{}, false
}

// identifiableLane is the lane of a question that holds a patient's number.
const identifiableLane = "lanes/patient-identifiable"

// Entry is the entry that a decision is about, or nil.
func (t Thought) Entry() *knowledge.Entry {
	switch d := t.Decision.(type) {
	case Answer:
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

// Clean makes a text safe to read and to show: valid UTF-8, no control or
// direction-changing characters, no space around it. Line breaks stay.
func Clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r', r == '\uFEFF', r == '\u200B':
			return -1
		case r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069', r == '\u200E', r == '\u200F':
			return -1 // bidirectional controls turn what follows around
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// wordless tells whether a text has no letter and no number of three digits: an
// emoji, dots, the number of a choice that is over.
func wordless(s string) bool {
	return !strings.ContainsFunc(s, unicode.IsLetter) && len(digits(s)) < 3
}
