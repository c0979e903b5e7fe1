package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"

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
	// failed is when Slack last gave no list.
	failed time.Time
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
		if err := a.membersNow(ctx); err != nil {
			return false, fmt.Errorf("slack: members of the comms channel: %w", err)
		}
	}
	if !m.list[user] {
		return false, nil
	}
	u, err := a.user(ctx, user, true)
	if err != nil {
		return false, fmt.Errorf("slack: who somebody in the comms channel is: %w", err)
	}
	return !u.guest && !u.stranger && !a.strange(u.team), nil
}

// memberStale is how long the last good list serves while Slack gives none.
const memberStale = 10 * time.Minute

// memberPage is Slack's largest.
const memberPage = 1000

// membersNow brings the list up to date. Where Slack is slow or refuses, the last good one
// serves for a while, and Slack is left alone for a part of that. The caller holds the turn.
func (a *Adapter) membersNow(ctx context.Context) error {
	m, at := &a.members, a.now() // before the call: what it brings may be as old as that
	usable := m.list != nil && at.Sub(m.at) < memberStale
	if usable && at.Sub(m.failed) < m.ttl {
		return nil
	}
	list, err := a.listMembers(ctx)
	switch {
	case err == nil:
		m.list, m.at, m.failed = list, at, time.Time{}
	case usable:
		m.failed = at
		a.log.Warn("slack: the members of the comms channel cannot be had, the last list serves", "error", err)
	default:
		return err
	}
	return nil
}

func (a *Adapter) listMembers(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, memberWait)
	defer cancel()
	list := map[string]bool{}
	for cursor := ""; ; {
		ids, next, err := a.api.GetUsersInConversationContext(ctx, &slackgo.GetUsersInConversationParameters{ChannelID: a.c.CommsChannel, Cursor: cursor, Limit: memberPage})
		if err != nil {
			return nil, err
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
	return list, nil
}

// user is who somebody is.
type user struct {
	name  string
	team  string
	guest bool
	// stranger: of another organisation, as Slack says it.
	stranger bool
}

// user looks somebody up, from an hour ago at most. must: something depends on it, so that
// it waits longer, asks again after a failure, and is not held back by other look-ups.
func (a *Adapter) user(ctx context.Context, id string, must bool) (user, error) {
	return look(ctx, a, &a.users, id, must, func(ctx context.Context) (user, error) {
		u, err := a.api.GetUserInfoContext(ctx, id)
		if err != nil {
			return user{}, err
		}
		found := user{team: u.TeamID, guest: u.IsRestricted || u.IsUltraRestricted, stranger: u.IsStranger}
		if u.Enterprise.EnterpriseID != "" { // of an organisation, not of one of its workspaces
			found.team = u.Enterprise.EnterpriseID
		}
		for _, s := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName, u.Name} {
			if found.name == "" {
				found.name = s
			}
		}
		return found, nil
	})
}

// strange tells whether a workspace or organisation is surely not ours.
func (a *Adapter) strange(team string) bool {
	self := a.self.Load()
	return team != "" && self != nil && self.team != "" && team != self.team && team != self.enterprise
}

// outsider tells whether somebody is not of this organisation, or is a guest and the
// settings keep those out: Canteen is for staff. teams are the workspaces that an event
// names for them.
func (a *Adapter) outsider(ctx context.Context, id string, teams ...string) bool {
	named := false
	for _, t := range teams {
		named = named || a.strange(t)
	}
	if !named && !a.c.RefuseGuests {
		return false
	}
	u, err := a.user(ctx, id, false)
	if err != nil {
		return named // on a Grid it may be another workspace of our own; nobody says so
	}
	return u.stranger || named && a.strange(u.team) || a.c.RefuseGuests && u.guest
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

// lookups keeps what an id stands for.
type lookups[T any] struct {
	mu    sync.Mutex
	known map[string]kept[T]
}

type kept[T any] struct {
	value T
	err   error
	until time.Time
}

// look gives what an id stands for, from an hour ago at most; must is described at user.
func look[T any](ctx context.Context, a *Adapter, l *lookups[T], id string, must bool, ask func(context.Context) (T, error)) (T, error) {
	l.mu.Lock()
	known, ok := l.known[id]
	l.mu.Unlock()
	if ok && a.now().Before(known.until) && !(must && known.err != nil) {
		return known.value, known.err
	}
	wait := nameWait
	if must {
		wait = memberWait
	} else if !a.asking.Allow() {
		return known.value, errTooManyLookups
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	next := kept[T]{until: a.now().Add(nameTTL)}
	if next.value, next.err = ask(ctx); next.err != nil {
		next.until = a.now().Add(nameless)
	}
	if next.err != nil && ctx.Err() != nil {
		return next.value, next.err // too slow for this one: the next may ask again
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil || len(l.known) >= maxNames {
		l.known = map[string]kept[T]{}
	}
	l.known[id] = next
	return next.value, next.err
}

var errTooManyLookups = errors.New("slack: too many look-ups")

// userName is a person's name as their colleagues see it.
func (a *Adapter) userName(ctx context.Context, id, fallback string) string {
	u, err := a.user(ctx, id, false)
	if err != nil {
		return fallback
	}
	return or(u.name, fallback)
}

// channel is what a channel is called.
type channel struct {
	name    string
	private bool
}

// whereOf is what comms may read of where something was said, once they may know who said
// it: the name of a public channel, with the address of the message. Of a private one not
// even the name is theirs to know.
func (a *Adapter) whereOf(ctx context.Context, id, ts, thread string) (name, link string) {
	ch, err := look(ctx, a, &a.channels, id, false, func(ctx context.Context) (channel, error) {
		ch, err := a.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
		if err != nil {
			return channel{}, err
		}
		return channel{ch.Name, ch.IsPrivate || ch.IsMpIM || ch.IsIM || ch.Name == ""}, nil
	})
	switch {
	case err != nil:
		return "", ""
	case ch.private:
		return "a private channel", ""
	}
	if self := a.self.Load(); self != nil && self.url != "" && ts != "" {
		link = strings.TrimSuffix(self.url, "/") + "/archives/" + id + "/p" + strings.ReplaceAll(ts, ".", "")
		if thread != "" && thread != ts {
			link += "?thread_ts=" + thread + "&cid=" + id
		}
	}
	return "#" + ch.name, link
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
