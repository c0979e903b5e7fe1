package connector

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace keeps within what Teams takes: of one bot in one conversation 7 messages in
// a second, 8 in two, 60 in thirty and 1,800 in an hour; 50 requests a second of
// one app in a tenant. A bucket of b refilled at r a second lets b + r·t through in
// t seconds, so 4 at 1.8 keeps the first three and 30 at 0.49 the last.
type pace struct {
	faster float64 // Config.Pace
	all    *rate.Limiter

	mu            sync.Mutex
	conversations map[string]*buckets
}

// buckets are the limits of one conversation.
type buckets struct {
	short, long *rate.Limiter
	used        time.Time
}

func newPace(faster float64) *pace {
	if faster <= 0 {
		faster = 1
	}
	return &pace{faster: faster, all: rate.NewLimiter(rate.Limit(40*faster), 10), conversations: map[string]*buckets{}}
}

// maxWait is the longest that a message waits here for its turn. One that would have to
// wait for longer is not sent, and its error says for how long.
const maxWait = time.Second

var errPace = errors.New("the conversation's pace is used up")

// wait waits for a conversation's turn. The error is a *NotSent.
func (p *pace) wait(ctx context.Context, conversation string) error {
	now := time.Now() // not Config.Now: the limits are of real time
	b := p.buckets(conversation, now)
	var longest time.Duration
	var held []*rate.Reservation
	for _, limiter := range []*rate.Limiter{b.short, b.long, p.all} {
		r := limiter.ReserveN(now, 1)
		held = append(held, r)
		longest = max(longest, r.DelayFrom(now))
	}
	if longest == 0 {
		return nil
	}
	err := errPace
	if longest <= maxWait {
		if err = sleep(ctx, longest); err == nil {
			return nil
		}
	}
	for _, r := range held {
		r.CancelAt(now)
	}
	return &NotSent{Err: err, After: longest}
}

// maxConversations is how many conversations' buckets are kept before those that were idle
// for an hour, and are full again, go.
const maxConversations = 10_000

func (p *pace) buckets(conversation string, now time.Time) *buckets {
	key, _ := SplitThread(conversation)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.conversations[key]
	if b == nil {
		if len(p.conversations) >= maxConversations {
			for k, x := range p.conversations {
				if now.Sub(x.used) > time.Hour {
					delete(p.conversations, k)
				}
			}
		}
		b = &buckets{short: rate.NewLimiter(rate.Limit(1.8*p.faster), 4), long: rate.NewLimiter(rate.Limit(0.49*p.faster), 30)}
		p.conversations[key] = b
	}
	b.used = now
	return b
}

// sleep waits for d, or gives the error of a context that ends sooner.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
