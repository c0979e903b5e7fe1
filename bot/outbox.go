package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Queue is what the outbox needs of the store.
type Queue interface {
	// Lease takes up to n deliveries that are due, for owner alone until the lease
	// ends: of each conversation at most one, the oldest. One whose earlier lease
	// ran out unsettled comes with Unsure set.
	Lease(ctx context.Context, owner string, adapters []string, n int, lease time.Duration) ([]Delivery, error)
	// Settle records what became of a leased delivery. ErrGone says that the
	// lease has passed to another, who settles it.
	Settle(ctx context.Context, s Settlement) error
	// Wake is signalled when there may be something to lease.
	Wake() <-chan struct{}
}

// Outcome is what became of one attempt.
type Outcome int

// The outcomes of an attempt.
const (
	Sent     Outcome = iota // it is there
	Again                   // it is due again at Settlement.Due
	Parked                  // it was given up; the desk shows it
	Diverted                // it goes to its Fallback
)

// Settlement ends one attempt at a delivery.
type Settlement struct {
	Delivery Delivery
	Owner    string
	Outcome  Outcome
	Posted   Posted
	Due      time.Time
	Unsure   bool
	Error    string // for the desk and the log: never a person's words
}

// Stuck is a delivery that was given up.
type Stuck struct {
	ID        string
	Adapter   string
	Ref       Ref
	Error     string
	CreatedAt time.Time
	ParkedAt  time.Time
}

// The outbox's own times.
const (
	sendTimeout = 15 * time.Second
	// leaseTime outlasts reading back, sending and settling together.
	leaseTime = 60 * time.Second
	// maxAttempts is how often a delivery is tried before it is parked: with the
	// back-off below, over about four hours.
	maxAttempts = 19
	firstWait   = time.Second
	longestWait = 30 * time.Minute
	// netInterval is how often the outbox looks without having been woken.
	netInterval = time.Second
	// The waits between two tries to settle.
	firstSettle   = 100 * time.Millisecond
	longestSettle = 5 * time.Second
)

// Outbox sends what was committed.
type Outbox struct {
	queue    Queue
	senders  map[string]Sender
	adapters []string
	owner    string
	now      func() time.Time
	log      *slog.Logger
	slots    int
	free     chan struct{}
	running  sync.WaitGroup
	observe  func(adapter string, o Outcome, lag time.Duration)

	undelivered func(ctx context.Context, d Delivery) error
}

// Direct sends a delivery at once, without the queue: see [Config.Direct].
func (o *Outbox) Direct(ctx context.Context, d Delivery) error {
	sender := o.senders[d.To.Adapter()]
	if sender == nil {
		return fmt.Errorf("send directly to %s: %w", d.To.Adapter(), ErrForbidden)
	}
	_, err := sender.Send(ctx, d)
	return err
}

// OutboxConfig is what an Outbox is made of.
type OutboxConfig struct {
	Queue   Queue
	Senders map[string]Sender // by adapter
	Owner   string            // of leases; default random
	Now     func() time.Time
	Log     *slog.Logger
	Slots   int // how many are sent at the same time; default 64
	// Undelivered, when set, is told of a delivery before it is given up. While it fails,
	// the delivery is tried again.
	Undelivered func(ctx context.Context, d Delivery) error
	// Observe, when set, is told of every settled attempt, and how long after its
	// making.
	Observe func(adapter string, o Outcome, lag time.Duration)
}

// NewOutbox makes an Outbox. Run starts it.
func NewOutbox(c OutboxConfig) *Outbox {
	o := &Outbox{queue: c.Queue, senders: c.Senders, owner: c.Owner, now: c.Now, log: c.Log, slots: c.Slots, observe: c.Observe, undelivered: c.Undelivered}
	for name := range c.Senders {
		o.adapters = append(o.adapters, name)
	}
	if o.owner == "" {
		o.owner = randomID()
	}
	if o.now == nil {
		o.now = time.Now
	}
	if o.log == nil {
		o.log = slog.New(slog.DiscardHandler)
	}
	if o.slots == 0 {
		o.slots = 64
	}
	if o.undelivered == nil {
		o.undelivered = func(context.Context, Delivery) error { return nil }
	}
	if o.observe == nil {
		o.observe = func(string, Outcome, time.Duration) {}
	}
	o.free = make(chan struct{}, 1)
	return o
}

// Run sends until ctx ends, then waits for what is under way.
func (o *Outbox) Run(ctx context.Context) {
	slots := make(chan struct{}, o.slots)
	tick := time.NewTicker(netInterval)
	defer tick.Stop()
	defer o.running.Wait()
	failing := false
	for {
		n := o.slots - len(slots)
		list, err := o.queue.Lease(ctx, o.owner, o.adapters, n, leaseTime)
		if err != nil && ctx.Err() == nil {
			if !failing {
				o.log.Error("outbox: cannot lease deliveries", "error", err)
			}
		}
		failing = err != nil
		for _, d := range list {
			slots <- struct{}{}
			o.running.Go(func() {
				defer func() {
					<-slots
					select { // the next of this conversation may be due now
					case o.free <- struct{}{}:
					default:
					}
				}()
				o.deliver(ctx, d)
			})
		}
		if len(list) > 0 && len(list) == n {
			continue // there may be more; the slots bound it
		}
		select {
		case <-ctx.Done():
			return
		case <-o.queue.Wake():
		case <-o.free:
		case <-tick.C:
		}
	}
}

// deliver makes one attempt and settles it.
func (o *Outbox) deliver(ctx context.Context, d Delivery) {
	// What is under way when the process drains is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime-5*time.Second)
	defer cancel()
	s := o.try(ctx, d)
	if s.Outcome == Parked {
		if err := o.undelivered(ctx, d); err != nil {
			o.log.Error("outbox: nobody could be told of what did not get through", "delivery", d.ID, "error", err)
			s.Outcome, s.Due = Again, o.now().Add(longestWait/60)
		}
	}
	s.Delivery, s.Owner = d, o.owner
	if err := o.settle(ctx, s); err != nil {
		if errors.Is(err, ErrGone) {
			o.log.Warn("outbox: lease passed to another", "delivery", d.ID)
			return
		}
		o.log.Error("outbox: cannot settle, the delivery stays leased", "delivery", d.ID, "error", err)
		return
	}
	o.observe(d.To.Adapter(), s.Outcome, o.now().Sub(d.CreatedAt))
	switch s.Outcome {
	case Parked:
		o.log.Error("outbox: delivery given up", "delivery", d.ID, "adapter", d.To.Adapter(), "attempt", d.Attempt, "error", s.Error)
	case Again:
		o.log.Warn("outbox: delivery will be tried again", "delivery", d.ID, "adapter", d.To.Adapter(), "attempt", d.Attempt, "unsure", s.Unsure, "due", s.Due, "error", s.Error)
	}
}

// settle tries for as long as the lease lasts: where a message landed is worth
// more than the wait, since who finds it unsettled may post it once more.
func (o *Outbox) settle(ctx context.Context, s Settlement) error {
	for wait := firstSettle; ; wait = min(2*wait, longestSettle) {
		err := o.queue.Settle(ctx, s)
		if err == nil || errors.Is(err, ErrGone) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// try is attempt for messages that an adapter cannot take: one that it breaks on is
// a failure like another, and holds up nobody else's. What was in it is not logged.
func (o *Outbox) try(ctx context.Context, d Delivery) (s Settlement) {
	defer func() {
		if r := recover(); r != nil {
			o.log.Error("outbox: panic on a delivery", "delivery", d.ID, "adapter", d.To.Adapter(), "stack", string(debug.Stack()))
			s = o.failed(d, errors.New("panic"), false)
		}
	}()
	return o.attempt(ctx, d)
}

func (o *Outbox) attempt(ctx context.Context, d Delivery) Settlement {
	sender := o.senders[d.To.Adapter()]
	if d.Unsure && d.PostedID == "" {
		if finder, ok := sender.(Finder); ok {
			findCtx, cancel := context.WithTimeout(ctx, sendTimeout)
			posted, found, err := finder.Find(findCtx, d)
			cancel()
			switch {
			case errors.Is(err, ErrForbidden):
				// Nobody can look: Send marks it.
			case err != nil:
				return o.failed(d, fmt.Errorf("read back: %w", err), true)
			case found:
				// What is there may be an older post than the one wanted now:
				// an update brings it up to date and costs no second message.
				d.PostedID = posted.ID
			default:
				d.Unsure = false
			}
		}
	}
	sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	posted, err := sender.Send(sendCtx, d)
	if err != nil {
		return o.failed(d, err, false)
	}
	if posted.ID == "" {
		posted.ID = d.PostedID
	}
	return Settlement{Outcome: Sent, Posted: posted}
}

// failed says what follows from a failed attempt. looking: it failed while
// reading back, and nothing was sent.
func (o *Outbox) failed(d Delivery, err error, looking bool) Settlement {
	s := Settlement{Outcome: Again, Error: limit(err.Error(), 500), Unsure: looking || d.Unsure}
	wait := backoff(d.Attempt)
	var not *NotSent
	if errors.As(err, &not) {
		if not.After > 0 {
			wait = not.After
		}
		if not.Elsewhere && d.Fallback != "" {
			s.Outcome = Diverted
			return s
		}
		if not.Final || not.Elsewhere {
			s.Outcome = Parked
			return s
		}
	} else if d.PostedID == "" {
		s.Unsure = true
	}
	if d.Attempt >= maxAttempts && (not == nil || not.After == 0) {
		s.Outcome = Parked
		return s
	}
	s.Due = o.now().Add(wait)
	return s
}

// backoff doubles from firstWait to longestWait, with a quarter of jitter.
func backoff(attempt int) time.Duration {
	wait := firstWait << min(attempt-1, 20)
	if wait > longestWait || wait <= 0 {
		wait = longestWait
	}
	return wait + time.Duration(rand.Int64N(int64(wait)/4+1))
}
