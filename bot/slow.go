package bot

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// perMinute is how many messages a person may write in a minute, all at once or
// one after the other: more than anybody types, and few enough that one person's
// broken script leaves the others theirs. It is kept in this process's memory, so
// that each replica counts for itself and a restart forgets it. Presses are not
// counted: what a press may do is bounded by its message.
const perMinute = 20

// slowPeople is how many people's rates are kept before those are dropped who
// have been quiet for a minute.
const slowPeople = 10_000

// atOnce is how many messages are decided on at the same time. Who comes while the
// store is down or slow is told to come again, and takes no memory meanwhile.
const atOnce = 256

// rates are how fast people write.
type rates struct {
	mu sync.Mutex
	by map[PersonID]*rate.Limiter
}

// allow tells whether one more message of a person's is taken now.
func (r *rates) allow(p PersonID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.by[p]
	if l == nil {
		if r.by == nil {
			r.by = map[PersonID]*rate.Limiter{}
		}
		if len(r.by) >= slowPeople {
			for id, x := range r.by {
				if x.TokensAt(now) >= perMinute {
					delete(r.by, id)
				}
			}
		}
		l = rate.NewLimiter(rate.Every(time.Minute/perMinute), perMinute)
		r.by[p] = l
	}
	return l.AllowN(now, 1)
}
