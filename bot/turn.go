package bot

import (
	"context"
	"time"
)

// WebAdapter is the adapter whose pages show what the store holds: its
// deliveries are there once they are committed, and the outbox never sees them.
const WebAdapter = "web"

// Turn is all that one message causes. It is committed in one transaction, or
// not at all.
type Turn struct {
	Keys []string
	At   time.Time
	// Person, when set, is recorded: they have been greeted, or follow-ups of
	// theirs are not passed on before QuietUntil.
	Person    *Contact
	Questions []Question // each saved whole
	// Escalations are each saved whole. One whose Version is not the stored one
	// makes the commit ErrConflict; 0 is a new one.
	Escalations []Escalation
	// Deliveries are queued; one whose ID is known already takes a new Post and
	// becomes an update of what it has posted.
	Deliveries []Delivery
	Tally      []Tally
	// Private says that Reply is not to be kept for a repeat.
	Private bool
	Reply   Reply
}

// Contact is what is kept of a person as such.
type Contact struct {
	ID      PersonID
	FirstAt time.Time
	// QuietUntil: a private lane's steps were shown; until then nothing of theirs
	// is passed on unless they press for it. Which lane it was is not kept.
	QuietUntil time.Time
}

// Tally counts one decision on one day, with no word of who asked what.
type Tally struct {
	Decision Decided
	Entry    string
	What     Feedback // of CountedFeedback
}

// Ask says what a message has to be decided on.
type Ask struct {
	Keys     []string
	Person   PersonID
	In       Place
	Question QuestionID // of a press, or ""
	Ref      Ref        // of a press, or 0
	On       string     // of a press, or "": the message in In stands for Question or Ref
	Said     string     // of a message that was edited or deleted, or "": its Question
	Since    time.Time  // how far back a conversation reaches
}

// Known is the stored state that a message is decided on.
type Known struct {
	// Seen says that one of the keys was committed before, with Reply.
	Seen  bool
	Reply Reply
	// Contact is nil at first contact.
	Contact *Contact
	// Last is the person's latest question in this place since Ask.Since, or nil.
	Last *Question
	// Mine are the person's escalations that are not closed, oldest first.
	Mine []Escalation
	// Question and Escalation are those of the press, or nil when they are not
	// there. Escalation is also set when the question led to one.
	Question   *Question
	Escalation *Escalation
}

// Store is what the conversation needs of the store.
type Store interface {
	// Load reads what a message is decided on, in one consistent view.
	Load(ctx context.Context, a Ask) (Known, error)
	// Commit writes a turn. It returns ErrConflict when an escalation has
	// changed since it was loaded, or a question has led to another one, and the earlier reply with Repeat set when a
	// key was committed meanwhile.
	Commit(ctx context.Context, t Turn) (Reply, error)
	// NextRef gives a number that no escalation has; numbers may be skipped.
	NextRef(ctx context.Context) (Ref, error)
	// Answered gives the latest answered escalations, newest first, whose best
	// candidate was the entry.
	Answered(ctx context.Context, entry string, n int) ([]Escalation, error)
	// Asked gives the questions that are kept, the latest first.
	Asked(ctx context.Context, n int) ([]Question, error)
	// Pending gives all escalations on which comms still have something to do,
	// the urgent first, then the oldest.
	Pending(ctx context.Context) ([]Escalation, error)
	// AnswerTime is the median time from question to answer, and of how many,
	// among those answered since.
	AnswerTime(ctx context.Context, since time.Time) (time.Duration, int, error)
	// Of gives a person's escalations, newest first.
	Of(ctx context.Context, p PersonID, n int) ([]Escalation, error)
	// Popular gives the ids of the entries shown most since a day, most first.
	Popular(ctx context.Context, since time.Time, n int) ([]string, error)
	// Forget erases what is kept of a person, as Bot.Forget has it.
	Forget(ctx context.Context, p PersonID) error
}
