package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"canteen/knowledge"
)

// Remind tells comms, in their working hours, of each escalation that nobody has
// claimed, or nobody has answered, for longer in working time than local.yaml
// allows: once for each of the two limits, counted anew when the question comes
// back to them. It is called every minute, by each replica: the commit that queues
// a reminder also records it, so that only one replica's stands.
func (b *Bot) Remind(ctx context.Context) error {
	now, base := b.now(), b.Base()
	local := base.Local()
	if !local.Open(now) {
		return nil
	}
	pending, err := b.store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("pending escalations: %w", err)
	}
	for _, e := range pending {
		what, waited := overdue(e, local, now)
		if what == "" {
			continue
		}
		e.RemindedAt = now
		e.History = append(e.History, Event{At: now, What: "reminded", Text: what})
		t := Turn{At: now, Escalations: []Escalation{e}}
		post := Post{Kind: KindNotice, Text: base.Wording("remind-"+what, map[string]string{"Ref": e.Ref.String(), "Time": workingSpan(waited)})}
		for _, place := range b.comms {
			t.Deliveries = append(t.Deliveries, Delivery{ID: b.newID(), To: place, Post: post, Ref: e.Ref, CreatedAt: now})
		}
		if _, err := b.store.Commit(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("remind of %s: %w", e.Ref, err)
		}
	}
	return nil
}

// The limits, as Event.Text has them.
const (
	unclaimed  = "unclaimed"
	unanswered = "unanswered"
)

// overdue says which limit an escalation has passed without a reminder, or "",
// and how long it has waited. While comms wait for the asker, none runs.
func overdue(e Escalation, local knowledge.Local, now time.Time) (string, time.Duration) {
	if e.State == Waiting {
		return "", 0
	}
	since, reminded := e.OpenedAt, ""
	for _, ev := range e.History {
		switch ev.What {
		case "reminded":
			reminded = ev.Text
		case "reopened", "replied", "given-back":
			since, reminded = ev.At, ""
		}
	}
	limits := local.Reminders
	if reminded == unanswered || limits.Unclaimed == 0 && limits.Unanswered == 0 {
		return "", 0
	}
	waited := worked(local, since, now)
	switch {
	case limits.Unanswered > 0 && waited >= limits.Unanswered:
		return unanswered, waited
	case limits.Unclaimed > 0 && waited >= limits.Unclaimed && e.State == Open && reminded == "":
		return unclaimed, waited
	}
	return "", 0
}

// workingSpan says working time, which has no days: theirs are not 24 hours long.
func workingSpan(d time.Duration) string {
	if d < time.Hour {
		return plural(int(d/time.Minute), "working minute")
	}
	return plural(int(d/time.Hour), "working hour")
}

// worked is how much of the time between two moments falls into working hours.
func worked(local knowledge.Local, from, to time.Time) time.Duration {
	var sum time.Duration
	year, month, day := from.In(local.Zone).Date()
	for ; ; day++ {
		// By the clock on the wall, so that a day of 23 or 25 hours counts right.
		at := func(d time.Duration) time.Time {
			return time.Date(year, month, day, 0, 0, int(d/time.Second), 0, local.Zone)
		}
		start, end := at(local.Hours.From), at(local.Hours.To)
		if at(0).After(to) {
			return sum
		}
		if !local.Open(start) {
			continue
		}
		if start.Before(from) {
			start = from
		}
		if end.After(to) {
			end = to
		}
		if end.After(start) {
			sum += end.Sub(start)
		}
	}
}
