package bot

import (
	"context"
	"time"
)

// Delivery is one message on a platform and the wish to make it look like Post.
// While PostedID is empty it has to be posted; after that, a newer Post replaces
// what is there, so that any number of pending changes fold into the latest.
type Delivery struct {
	// ID is the delivery's key, stable over every attempt. An adapter puts it
	// into the message where the platform lets it be read back.
	ID string
	To Place
	// Only, when set, is the one person in To who may see it.
	Only PersonID
	// Fallback is where it goes when it can no longer reach To: for answers to
	// one person's eyes, which platforms accept for minutes only.
	Fallback Place
	Post     Post
	PostedID string // the platform's own id of the message, once it is there
	Version  int64
	Attempt  int  // counts from 1
	Unsure   bool // an earlier attempt may have been posted
	// Private says that nothing of it is kept once it is there.
	Private   bool
	Ref       Ref // the escalation that it is about, or 0
	CreatedAt time.Time
}

// Said is one message in a conversation that the web shows: a post, or with Mine
// the person's own text.
type Said struct {
	ID      string // an update of a post has the same, with a higher Version
	Version int64
	At      time.Time
	Post    Post
	Text    string
	Mine    bool
}

// Posted is where a delivery landed.
type Posted struct {
	ID string // opaque; comes back as Delivery.PostedID
}

// Sender is how the outbox reaches a platform.
//
// Send posts d, or updates it when d.PostedID is set. A nil error says that it
// is surely there. An error that is a *NotSent says that it surely is not. Any
// other error, a timeout above all, leaves it unsure.
type Sender interface {
	Send(ctx context.Context, d Delivery) (Posted, error)
}

// Finder is an optional ability of a Sender: to look whether an unsure delivery
// is there. Where it is missing, or the platform does not let it look
// (ErrForbidden), an unsure delivery is sent again and marked as possibly
// repeated.
type Finder interface {
	Find(ctx context.Context, d Delivery) (Posted, bool, error)
}

// NotSent is the error of a delivery that is surely not on the platform.
type NotSent struct {
	Err error
	// After is how long the platform asks to wait before the next try, which the
	// whole conversation then waits for; zero leaves it to the outbox.
	After time.Duration
	// Final says that trying again cannot help (a deleted channel, a blocked
	// user): the delivery is parked and the desk alerted.
	Final bool
	// Elsewhere says that it can no longer reach its place, and goes to its
	// Fallback if it has one.
	Elsewhere bool
}

func (e *NotSent) Error() string { return "not sent: " + e.Err.Error() }
func (e *NotSent) Unwrap() error { return e.Err }
