package slack

import (
	"context"
	"fmt"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"canteen/bot"
)

// memberTTL is how old the list of comms' members may be, as the centre demands.
const memberTTL = time.Minute

// memberWait leaves a press time for its commit.
const memberWait = 2 * time.Second

// members is the comms channel's members as Slack last gave them.
type members struct {
	ttl  time.Duration
	turn chan struct{} // held while asking: one question at a time is enough
	at   time.Time
	list map[string]bool
}

// Member implements bot.Members: comms are who is in the comms channel.
func (a *Adapter) Member(ctx context.Context, p bot.PersonID) (bool, error) {
	user := userOf(p)
	if user == "" || a.c.CommsChannel == "" {
		return false, nil
	}
	m := &a.members
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return false, fmt.Errorf("slack: members of the comms channel: %w", ctx.Err())
	}
	if m.list == nil || a.now().Sub(m.at) >= m.ttl {
		ctx, cancel := context.WithTimeout(ctx, memberWait)
		defer cancel()
		at := a.now()
		list := map[string]bool{}
		for cursor := ""; ; {
			ids, next, err := a.api.GetUsersInConversationContext(ctx, &slackgo.GetUsersInConversationParameters{ChannelID: a.c.CommsChannel, Cursor: cursor, Limit: 200})
			if err != nil {
				return false, fmt.Errorf("slack: members of the comms channel: %w", err)
			}
			for _, id := range ids {
				list[id] = true
			}
			if next == "" {
				break
			}
			cursor = next
		}
		if self := a.self.Load(); self != nil {
			delete(list, self.user)
		}
		m.list, m.at = list, at
	}
	return m.list[user], nil
}

// The names of people and channels are for comms' eyes only, so that they are
// worth a short wait and no more: an acknowledgement never depends on them.
const (
	nameTTL  = time.Hour
	nameWait = 300 * time.Millisecond
	// nameless is how long a name that could not be had is not asked for again.
	nameless = time.Minute
	maxNames = 10_000
)

type names struct {
	ttl     time.Duration
	lookups *rate.Limiter // users.info and conversations.info have 50 a minute and more
	mu      sync.Mutex
	known   map[string]name
}

type name struct {
	text  string
	until time.Time
}

// name gives what an id is called, or fallback when Slack does not say in time.
func (a *Adapter) name(ctx context.Context, id, fallback string, ask func(context.Context) (string, error)) string {
	n := &a.names
	n.mu.Lock()
	known, ok := n.known[id]
	n.mu.Unlock()
	if ok && a.now().Before(known.until) {
		if known.text == "" {
			return fallback
		}
		return known.text
	}
	if !n.lookups.Allow() {
		return fallback
	}
	ctx, cancel := context.WithTimeout(ctx, nameWait)
	defer cancel()
	text, err := ask(ctx)
	next := name{text: text, until: a.now().Add(n.ttl)}
	if err != nil || text == "" {
		next = name{until: a.now().Add(nameless)}
	}
	n.mu.Lock()
	if n.known == nil || len(n.known) >= maxNames {
		n.known = map[string]name{}
	}
	n.known[id] = next
	n.mu.Unlock()
	if next.text == "" {
		return fallback
	}
	return next.text
}

// userName is a person's name as their colleagues see it.
func (a *Adapter) userName(ctx context.Context, user, fallback string) string {
	return a.name(ctx, user, fallback, func(ctx context.Context) (string, error) {
		u, err := a.api.GetUserInfoContext(ctx, user)
		if err != nil {
			return "", err
		}
		for _, s := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName} {
			if s != "" {
				return s, nil
			}
		}
		return u.Name, nil
	})
}

// channelName is "#ward-7", or "" when it is not known.
func (a *Adapter) channelName(ctx context.Context, channel string) string {
	return a.name(ctx, channel, "", func(ctx context.Context) (string, error) {
		ch, err := a.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: channel})
		if err != nil || ch.IsMpIM || ch.Name == "" {
			return "", err
		}
		return "#" + ch.Name, nil
	})
}

// recent remembers the requests that cause reads only, such as opening a form,
// which leave no trace in the store: a repeat of one opens nothing twice.
type recent struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// recentFor outlasts the five minutes for which a signed request is good.
const recentFor = 15 * time.Minute

// first tells whether a key is met for the first time.
func (r *recent) first(now time.Time, key string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.seen[key]; ok && now.Sub(t) < recentFor {
		return false
	}
	if r.seen == nil {
		r.seen = map[string]time.Time{}
	}
	if len(r.seen) >= maxNames {
		for k, t := range r.seen {
			if now.Sub(t) >= recentFor {
				delete(r.seen, k)
			}
		}
		if len(r.seen) >= maxNames {
			clear(r.seen)
		}
	}
	r.seen[key] = now
	return true
}
