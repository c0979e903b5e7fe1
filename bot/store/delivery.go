package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"canteen/bot"
)

// queue adds a delivery, or gives one that is known a new post to show.
func (s *Store) queue(ctx context.Context, tx *sql.Tx, d bot.Delivery) error {
	post, err := json.Marshal(d.Post)
	if err != nil {
		return err
	}
	now := millis(s.now())
	if d.To != "" {
		// What the web shows is there at once.
		state, posted := "queued", ""
		if d.To.Adapter() == bot.WebAdapter {
			state, posted = "sent", d.ID
		}
		n, err := affected(tx.ExecContext(ctx, addDelivery, d.ID, d.To.Adapter(), d.To.Lane(), d.To, d.Only, d.Fallback,
			string(post), posted, flag(d.Private), int64(d.Ref), state, now, millis(d.CreatedAt)))
		if err != nil || n > 0 {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, updateDelivery, string(post), now, d.ID, bot.WebAdapter)
	return err
}

func scanDelivery(rows *sql.Rows) (bot.Delivery, error) {
	var d bot.Delivery
	var post []byte
	var private, unsure, created, ref int64
	if err := rows.Scan(&d.ID, &d.To, &d.Only, &d.Fallback, &post, &d.PostedID, &d.Version, &private, &ref, &d.Attempt, &unsure, &created); err != nil {
		return d, err
	}
	d.Private, d.Unsure, d.Ref, d.CreatedAt = private != 0, unsure != 0, bot.Ref(ref), moment(created)
	return d, json.Unmarshal(post, &d.Post)
}

// Lease implements bot.Queue: of each conversation at most the oldest message
// that waits, and none while another of it is under way, so that order is kept and
// a conversation that has to wait holds up no other.
func (s *Store) Lease(ctx context.Context, owner string, adapters []string, n int, lease time.Duration) ([]bot.Delivery, error) {
	if len(adapters) == 0 || n <= 0 {
		return nil, nil
	}
	now := s.now()
	// Most looks find nothing: those take no write.
	in, args := among(2, adapters)
	due, err := number(ctx, s.db, fmt.Sprintf(findDue, in), append([]any{millis(now)}, args...)...)
	if err != nil || due == 0 {
		return nil, err
	}
	in, args = among(5, adapters)
	query := fmt.Sprintf(leaseDue, in, s.engine.lock())
	args = append([]any{owner, millis(now.Add(lease)), millis(now), n}, args...)
	var list []bot.Delivery
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		list, err = collect(ctx, tx, scanDelivery, query, args...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// among gives the right side of an IN, numbered from first, and its arguments.
func among(first int, names []string) (string, []any) {
	in, args := make([]string, len(names)), make([]any, len(names))
	for i, name := range names {
		in[i], args[i] = fmt.Sprintf("$%d", first+i), name
	}
	return "(" + strings.Join(in, ", ") + ")", args
}

// NextDue is when the next delivery of the adapters falls due, or the zero time.
func (s *Store) NextDue(ctx context.Context, adapters []string) (time.Time, error) {
	if len(adapters) == 0 {
		return time.Time{}, nil
	}
	in, args := among(1, adapters)
	ms, err := number(ctx, s.db, fmt.Sprintf(findNextDue, in), args...)
	if err != nil || ms == 0 {
		return time.Time{}, err
	}
	return s.local().Add(moment(ms).Sub(s.now())), nil
}

// Settle implements bot.Queue. A settlement by anybody but the one who holds the
// lease, on the attempt that they hold, changes nothing.
func (s *Store) Settle(ctx context.Context, x bot.Settlement) error {
	d := x.Delivery
	now := s.now()
	due := now.Add(x.Due.Sub(s.local()))
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var n int64
		var err error
		switch x.Outcome {
		case bot.Sent:
			if d.Private {
				n, err = affected(tx.ExecContext(ctx, settlePrivate, d.ID, x.Owner, d.Attempt))
				break
			}
			n, err = affected(tx.ExecContext(ctx, settleSent, d.ID, x.Owner, d.Attempt, d.Version, x.Posted.ID, millis(now)))
		case bot.Again:
			n, err = affected(tx.ExecContext(ctx, settleAgain, d.ID, x.Owner, d.Attempt, flag(x.Unsure), clean(x.Error), millis(due)))
		case bot.Parked:
			n, err = affected(tx.ExecContext(ctx, settleParked, d.ID, x.Owner, d.Attempt, flag(x.Unsure), clean(x.Error), millis(now)))
		case bot.Diverted:
			n, err = affected(tx.ExecContext(ctx, settleDiverted, d.ID, x.Owner, d.Attempt, clean(x.Error), millis(now),
				d.Fallback.Adapter(), d.Fallback.Lane(), d.Fallback))
		}
		if err == nil && n == 0 {
			return fmt.Errorf("settle %s: %w", d.ID, bot.ErrGone)
		}
		return err
	})
}

// clean makes a platform's own words into text that every database takes.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Parked gives the deliveries that were given up, the latest first.
func (s *Store) Parked(ctx context.Context, n int) ([]bot.Stuck, error) {
	return collect(ctx, s.db, func(rows *sql.Rows) (x bot.Stuck, err error) {
		var ref, created, parked int64
		err = rows.Scan(&x.ID, &x.Adapter, &ref, &x.Error, &created, &parked)
		x.Ref, x.CreatedAt, x.ParkedAt = bot.Ref(ref), moment(created), moment(parked)
		return x, err
	}, listParked, n)
}

// Retry queues a parked delivery again, or gives bot.ErrNotFound.
func (s *Store) Retry(ctx context.Context, id string) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, retryParked, millis(s.now()), id))
		if err == nil && n == 0 {
			return fmt.Errorf("delivery %s: %w", id, bot.ErrNotFound)
		}
		return err
	})
	if err == nil {
		s.rouse()
	}
	return err
}

// Transcript gives what was said in a place, oldest first: the person's questions,
// what they added to those that comms have, and the posts to it, the last n of each.
func (s *Store) Transcript(ctx context.Context, place bot.Place, n int) ([]bot.Said, error) {
	questions, err := all[bot.Question](ctx, s.db, listAskedAlone, string(place), n)
	if err != nil {
		return nil, err
	}
	mine, err := s.Of(ctx, bot.PersonID(place), n)
	if err != nil {
		return nil, err
	}
	var list []bot.Said
	// A post's time is kept in milliseconds: a question's is cut to the same, so
	// that it comes before its answer.
	for _, q := range slices.Backward(questions) {
		list = append(list, bot.Said{ID: string(q.ID), At: q.At.Truncate(time.Millisecond), Text: q.Text, Mine: true})
	}
	for _, e := range mine {
		for i, ev := range e.History {
			if ev.What == bot.EventAdded || ev.What == bot.EventReplied {
				list = append(list, bot.Said{ID: fmt.Sprintf("%s-%d", e.Ref, i), At: ev.At.Truncate(time.Millisecond), Text: ev.Text, Mine: true})
			}
		}
	}
	posts, err := collect(ctx, s.db, scanDelivery, listSent, string(place), n)
	if err != nil {
		return nil, err
	}
	for _, d := range slices.Backward(posts) {
		list = append(list, bot.Said{ID: d.ID, Version: d.Version, At: d.CreatedAt, Post: d.Post})
	}
	slices.SortStableFunc(list, func(a, b bot.Said) int {
		if c := a.At.Compare(b.At); c != 0 || a.Mine == b.Mine {
			return c
		}
		if a.Mine {
			return -1
		}
		return 1
	})
	return list, nil
}
