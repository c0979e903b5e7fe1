package bot

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"canteen/knowledge/match"
)

// QuestionID names one question: random, so that it cannot be guessed.
type QuestionID string

// Question is something a person asked, redacted, and what became of it. A
// question that met a private lane is never stored.
type Question struct {
	ID         QuestionID        `json:"id"`
	Asker      Person            `json:"asker"`
	In         Place             `json:"in"`
	Direct     Place             `json:"direct,omitempty"`
	Where      string            `json:"where,omitempty"`
	Link       string            `json:"link,omitempty"`
	Audience   Audience          `json:"audience,omitempty"`
	Text       string            `json:"text"`
	Attached   []Attached        `json:"attached,omitempty"`
	At         time.Time         `json:"at"`
	Decision   Decided           `json:"decision"`
	Entry      string            `json:"entry,omitempty"`   // shown, or the comms entry that it matched
	Options    []string          `json:"options,omitempty"` // offered, while a "did you mean" is pending
	Candidates []match.Candidate `json:"candidates,omitempty"`
	Feedback   Feedback          `json:"feedback,omitempty"`
	Message    string            `json:"message,omitempty"` // the delivery that shows it to the asker, which updates replace
	Said       string            `json:"said,omitempty"`    // Message.Said of what asked it
	Ref        Ref               `json:"ref,omitempty"`     // of the escalation that it led to
}

// UnmarshalJSON reads those of before there were audiences too.
func (q *Question) UnmarshalJSON(data []byte) error {
	type plain Question
	if err := json.Unmarshal(data, (*plain)(q)); err != nil {
		return err
	}
	if q.Audience == "" {
		q.Audience = oldAudience(data)
	}
	return nil
}

// UnmarshalJSON reads those of before there were audiences too.
func (e *Escalation) UnmarshalJSON(data []byte) error {
	type plain Escalation
	if err := json.Unmarshal(data, (*plain)(e)); err != nil {
		return err
	}
	if e.Audience == "" {
		e.Audience = oldAudience(data)
	}
	return nil
}

// oldAudience is what two booleans said.
func oldAudience(data []byte) Audience {
	var old struct{ Open, Inline bool }
	switch _ = json.Unmarshal(data, &old); { // it has been read already
	case old.Inline:
		return InReply
	case old.Open:
		return Shared
	}
	return Private
}

// Feedback is what a person made of what they were shown. Its value is stored and counted.
type Feedback string

// What a question may have, and what is counted.
const (
	FeedbackHelped   Feedback = "helped"
	FeedbackNotMeant Feedback = "not-meant"
	FeedbackChose    Feedback = "chose" // one of the entries offered
	FeedbackNone     Feedback = "none"  // of the entries offered
	FeedbackAskComms Feedback = "ask-comms"
	FeedbackPassOn   Feedback = "pass-on"  // what was said to nobody, or above a mention
	FeedbackHandOff  Feedback = "hand-off" // what a private lane kept back
	FeedbackNoHelp   Feedback = "no-help"  // of comms' answer
	FeedbackWords    Feedback = "words"    // with a thumb
)

// Ref is the number of an escalation, which a person can read out: C-42.
type Ref int64

// String is the number as people write it.
func (r Ref) String() string { return fmt.Sprintf("C-%d", int64(r)) }

// ParseRef reads what String writes; the letter and the hyphen may be missing.
func ParseRef(s string) (Ref, error) {
	s = strings.TrimPrefix(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(s)), "C"), "-")
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("reference %q: %w", s, ErrNotFound)
	}
	return Ref(n), nil
}

// State is where an escalation stands.
type State string

// The life of an escalation: open → claimed → (waiting on the asker) → answered →
// closed; reopened leads back to open.
const (
	Open     State = "open"
	Claimed  State = "claimed"
	Waiting  State = "waiting" // comms asked the asker something
	Answered State = "answered"
	Closed   State = "closed" // helped, withdrawn or not ours: the last event says which
)

// Pending tells whether comms still have something to do.
func (s State) Pending() bool { return s == Open || s == Claimed || s == Waiting }

// Escalation is a question that waits for a person. Who asked, and where, is in
// it, and is shown to comms only as its card allows.
type Escalation struct {
	Ref     Ref   `json:"ref"`
	Version int64 `json:"version"` // counts commits; a commit on an older one is ErrConflict
	State   State `json:"state"`
	Urgent  bool  `json:"urgent,omitempty"`
	// Pressed says that the asker wanted it passed on, though the folder had
	// something to say.
	Pressed  bool       `json:"pressed,omitempty"`
	Question QuestionID `json:"question"`
	Asker    Person     `json:"asker"`
	In       Place      `json:"in"`               // where the answer goes
	Direct   Place      `json:"direct,omitempty"` // where else, when In cannot be reached any more
	Where    string     `json:"where,omitempty"`
	Link     string     `json:"link,omitempty"` // to the question where it was asked
	Audience Audience   `json:"audience,omitempty"`
	// Anonymous: comms never see who asked. It can be asked for until a claim.
	Anonymous  bool              `json:"anonymous,omitempty"`
	Text       string            `json:"text"`
	EditedAt   time.Time         `json:"edited_at,omitzero"` // by the asker, after it came to comms
	Attached   []Attached        `json:"attached,omitempty"`
	Additions  []string          `json:"additions,omitempty"` // what the asker added, and replied
	Topic      string            `json:"topic,omitempty"`     // the comms or lane entry that it matched
	Candidates []match.Candidate `json:"candidates,omitempty"`
	Like       []Ref             `json:"like,omitempty"` // earlier like questions with an answer
	Holder     Person            `json:"holder,omitzero"`
	Answer     string            `json:"answer,omitempty"` // Markdown
	AnsweredBy Person            `json:"answered_by,omitzero"`
	Entry      string            `json:"entry,omitempty"` // the entry used for the answer, or made of it
	OpenedAt   time.Time         `json:"opened_at"`
	ClaimedAt  time.Time         `json:"claimed_at,omitzero"`
	AnsweredAt time.Time         `json:"answered_at,omitzero"`
	ClosedAt   time.Time         `json:"closed_at,omitzero"`
	RemindedAt time.Time         `json:"reminded_at,omitzero"`
	History    []Step            `json:"history,omitempty"`
	// Holding is the delivery that told the asker who has the question, where it
	// can be changed.
	Holding string `json:"holding,omitempty"`
	// Messages are all deliveries that show it to the asker, oldest first.
	Messages []string `json:"messages,omitempty"`
}

// Step is one step in an escalation's life.
type Step struct {
	At   time.Time `json:"at"`
	What Event     `json:"what"`
	By   Person    `json:"by,omitzero"` // nobody for the asker's own steps
	Text string    `json:"text,omitempty"`
}

// Errors to branch on. What none of them classifies is an internal error: the
// person reads a sentence to try again, and the log has the cause.
var (
	ErrNotFound  = errors.New("not found")
	ErrForbidden = errors.New("not allowed")
	ErrConflict  = errors.New("changed meanwhile")
	ErrBusy      = errors.New("busy")
	ErrGone      = errors.New("gone")
)
