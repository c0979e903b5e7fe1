package bot

import (
	"context"
	"errors"
	"time"

	"canteen/knowledge"
)

// edited reads anew a question whose asker has changed its words. While nothing has gone
// to comms it is answered again, in place; what they have is marked as edited; what they
// have dealt with is asked anew.
func (t *turn) edited(ctx context.Context, q Question) error {
	th, e := t.thought(), t.known.Escalation
	switch th.Decision.(type) {
	case Unread, SmallTalk:
		return nil
	}
	if sameText(th.Text, q.Text) {
		return nil // a link has been unfurled
	}
	lane := th.lane()
	pending := e != nil && e.State.Pending()
	switch _, passed := th.Decision.(Escalate); {
	case lane != nil && (lane.Route == knowledge.Private || !pending):
		return t.lane(ctx, th, lane)
	case lane == nil && (pending || passed) && t.keptBack(th):
		return nil
	case !pending:
		fresh := t.question(th)
		if e == nil {
			fresh.ID, fresh.Message = q.ID, q.Message
		}
		return t.carryOut(ctx, fresh, th)
	}
	x := *e
	t.removed(th.Removed)
	if lane != nil && !x.Urgent {
		x.Urgent, x.Topic = true, lane.ID
		t.tellAlone(stepsPost(lane, t.say(WordAlready, map[string]string{"Ref": x.Ref.String()})))
	}
	x.Text, x.Candidates, x.EditedAt = th.Text, th.Found.Candidates, t.m.At
	q.Text, q.Candidates = x.Text, x.Candidates
	t.event(&x, EventEdited, "")
	t.Questions = append(t.Questions, q)
	t.change(x)
	return nil
}

// deleted takes back a question whose asker has deleted it: its words go from the store
// and from comms' card, and one that still waits is withdrawn.
func (t *turn) deleted() {
	q := *t.known.Question
	q.Text, q.Options = "", nil
	t.Questions = append(t.Questions, q)
	if t.known.Escalation == nil {
		return
	}
	x := *t.known.Escalation
	if x.Text == "" {
		return
	}
	x.Text, x.Additions = "", nil
	for i := range x.History {
		if what := x.History[i].What; what == EventAdded || what == EventReplied {
			x.History[i].Text = ""
		}
	}
	if x.State.Pending() {
		x.State, x.ClosedAt = Closed, t.m.At
		t.endHolding(x, WordWithdrawn)
	}
	t.event(&x, EventDeleted, "")
	t.change(x)
}

// Undelivered tells comms that what they wrote to an asker did not get through, in words
// and on the card, and puts the question before them again, unless its asker has taken it
// back. It may be called again for the same delivery. Of any other delivery it does
// nothing.
func (b *Bot) Undelivered(ctx context.Context, d Delivery) error {
	if d.Ref == 0 || d.PostedID != "" || d.Post.Kind != KindRelay && d.Post.Kind != KindAnswer {
		return nil
	}
	for range conflicts {
		now := b.now()
		known, err := b.store.Load(ctx, Ask{Ref: d.Ref, Keys: []string{"undelivered/" + d.ID}})
		if err != nil || known.Seen || known.Escalation == nil {
			return err
		}
		t := &turn{b: b, base: b.folder.Base(), m: Message{At: now}}
		t.Keys, t.At = []string{"undelivered/" + d.ID}, now
		x := *known.Escalation
		if x.Text == "" || x.State == Closed && x.last() == EventWithdrawn {
			return nil
		}
		if !x.State.Pending() || x.State == Waiting {
			x.State, x.ClosedAt, x.AnsweredAt = Open, time.Time{}, time.Time{}
			if x.Holder.ID != "" {
				x.State = Claimed
			}
		}
		x.History = append(x.History, Step{At: now, What: EventUndelivered})
		t.change(x)
		for _, place := range b.comms {
			t.Deliveries = append(t.Deliveries, Delivery{ID: b.newID(), To: place, Post: t.notice(WordUndelivered, map[string]string{"Ref": x.Ref.String()}), Ref: x.Ref, CreatedAt: now})
		}
		_, err = b.store.Commit(ctx, t.Turn)
		if err == nil || !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return ErrConflict
}
