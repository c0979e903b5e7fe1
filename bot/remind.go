package bot

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"canteen/knowledge"
)

// Remind tells comms, in their working hours, of each escalation that nobody has
// claimed, or nobody has answered, for longer in working time than local.yaml
// allows: once for each of the two limits, counted anew when the question comes
// back to them. Of an urgent one it tells them again and again until it is claimed, and
// out of hours it tells who is on call, once. It is called every minute, by each replica:
// the commit that queues a reminder also records it, so that only one replica's stands.
func (b *Bot) Remind(ctx context.Context) error {
	now, base := b.now(), b.Base()
	local := base.Local()
	pending, err := b.store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("pending escalations: %w", err)
	}
	for _, e := range pending {
		what, waited := overdue(e, local, now)
		if what == "" || what == onCall && len(b.onCall) == 0 {
			continue
		}
		e.RemindedAt = now
		e.History = append(e.History, Step{At: now, What: EventReminded, Text: what})
		t := Turn{At: now, Escalations: []Escalation{e}}
		post := Post{Kind: KindNotice, Text: base.Wording(reminders[what], map[string]string{"Ref": e.Ref.String(), "Time": workingSpan(waited)}), Urgent: what == urgent}
		places := b.comms
		if what == onCall {
			places = b.onCall
		}
		for _, place := range places {
			t.Deliveries = append(t.Deliveries, Delivery{ID: b.newID(), To: place, Post: post, Ref: e.Ref, CreatedAt: now})
		}
		if _, err := b.store.Commit(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
			return fmt.Errorf("remind of %s: %w", e.Ref, err)
		}
	}
	return nil
}

// maxProblems is how many problems of the folder a message to comms lists.
const maxProblems = 5

// ReportProblems tells comms what is wrong with the folder: once a day for the same
// problems, whichever replica finds them. None is fine.
func (b *Bot) ReportProblems(ctx context.Context, problems knowledge.Problems) error {
	if len(problems) == 0 || len(b.comms) == 0 {
		return nil
	}
	now := b.now()
	list := ""
	for _, p := range problems[:min(len(problems), maxProblems)] {
		list += "- " + plain(p.String()) + "\n"
	}
	if more := len(problems) - maxProblems; more > 0 {
		list += fmt.Sprintf("- and %d more\n", more)
	}
	sum := sha256.Sum256([]byte(problems.Error()))
	t := Turn{Keys: []string{fmt.Sprintf("folder/%s/%x", now.Format(time.DateOnly), sum[:8])}, At: now}
	post := Post{Kind: KindNotice, Text: b.say(WordFolderProblems, map[string]string{"Reason": list})}
	for _, place := range b.comms {
		t.Deliveries = append(t.Deliveries, Delivery{ID: b.newID(), To: place, Post: post, CreatedAt: now})
	}
	if _, err := b.store.Commit(ctx, t); err != nil {
		return fmt.Errorf("report problems of the folder: %w", err)
	}
	return nil
}

// The limits, as Step.Text has them.
const (
	unclaimed  = "unclaimed"
	unanswered = "unanswered"
	urgent     = "urgent"
	onCall     = "on-call"
)

// reminders are what is said when one is passed.
var reminders = map[string]Word{
	unclaimed:  WordRemindUnclaimed,
	unanswered: WordRemindUnanswered,
	urgent:     WordRemindUrgent,
	onCall:     WordRemindOnCall,
}

// urgentEvery is how much working time goes by between two reminders of an urgent
// escalation that nobody has claimed.
const urgentEvery = 15 * time.Minute

// overdue says which limit an escalation has passed without a reminder, or "",
// and how long it has waited. While comms wait for the asker, none runs.
func overdue(e Escalation, local knowledge.Local, now time.Time) (string, time.Duration) {
	if e.State == Waiting {
		return "", 0
	}
	since, reminded := e.OpenedAt, ""
	called, told := e.OpenedAt, false // of an urgent one
	for _, ev := range e.History {
		switch {
		case ev.What == EventReminded && ev.Text == urgent:
			called = ev.At
		case ev.What == EventReminded && ev.Text == onCall:
			told = true
		case ev.What == EventReminded:
			reminded = ev.Text
		case ev.What == EventReopened || ev.What == EventReplied || ev.What == EventGivenBack:
			since, reminded = ev.At, ""
		}
	}
	open := local.Open(now)
	switch {
	case e.Urgent && e.State == Open && open && worked(local, called, now) >= urgentEvery:
		return urgent, worked(local, since, now)
	case e.Urgent && e.State == Open && !open && !told:
		return onCall, 0
	case !open:
		return "", 0
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
