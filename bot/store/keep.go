package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"canteen/bot"
)

// How long things are kept. Thirty days is the fixed short life that the notes on
// records management advise for raw question text; a platform repeats a message
// for minutes, and a week is far beyond that.
const (
	keepQuestions = 30 * 24 * time.Hour
	keepPosts     = 30 * 24 * time.Hour
	keepKeys      = 7 * 24 * time.Hour
)

// Purge erases what has been kept for its time: questions, what was shown to
// people, and the keys of messages. Escalations and counts stay.
func (s *Store) Purge(ctx context.Context) error {
	now := s.now()
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, x := range []struct {
			query  string
			before time.Duration
		}{
			{purgeQuestions, keepQuestions},
			{purgeKeys, keepKeys},
			{purgeDeliveries, keepPosts},
			{purgeContacts, 0},
			{purgeQuiet, 0},
		} {
			if _, err := tx.ExecContext(ctx, x.query, millis(now.Add(-x.before))); err != nil {
				return fmt.Errorf("purge: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.engine.scrub(ctx)
}

// Forget implements bot.Store.
func (s *Store) Forget(ctx context.Context, p bot.PersonID) error {
	var err error
	for range forgetTries {
		if err = s.forget(ctx, p); !errors.Is(err, bot.ErrConflict) {
			break
		}
	}
	if err != nil {
		return err
	}
	return s.engine.scrub(ctx)
}

// forgetTries is how often Forget begins again when another replica changes one of
// the person's escalations meanwhile.
const forgetTries = 5

func (s *Store) forget(ctx context.Context, p bot.PersonID) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		mine, err := all[bot.Escalation](ctx, tx, listEscalationsOf, p)
		if err != nil {
			return err
		}
		for _, e := range mine {
			for _, id := range e.Messages {
				if _, err := tx.ExecContext(ctx, forgetDelivery, id); err != nil {
					return err
				}
			}
			e.Asker, e.In, e.Where, e.Text, e.Additions, e.Messages, e.Question = bot.Person{}, "", "", erased, nil, nil, ""
			for i, ev := range e.History {
				switch ev.What {
				case bot.EventOpened, bot.EventAdded, bot.EventReplied, bot.EventWithdrawn, bot.EventAnonymous, bot.EventReopened:
					e.History[i].By, e.History[i].Text = bot.Person{}, ""
				}
			}
			if err := saveEscalation(ctx, tx, e); err != nil {
				return err
			}
			// What the cards show of it goes too, and what they would have shown.
			cards, err := collect(ctx, tx, scanText, listAbout, int64(e.Ref), bot.KindCard)
			if err != nil {
				return err
			}
			for _, id := range cards {
				if err := s.queue(ctx, tx, bot.Delivery{ID: id, Post: bot.Post{Kind: bot.KindCard, Title: e.Ref.String(), Text: erased}}); err != nil {
					return err
				}
			}
		}
		asked, err := all[bot.Question](ctx, tx, listQuestionsOf, p)
		if err != nil {
			return err
		}
		for _, q := range asked {
			if q.Audience == bot.Private { // all that was said there was said to them
				if _, err := tx.ExecContext(ctx, forgetSaidIn, q.In); err != nil {
					return err
				}
			}
			if q.Message == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, forgetDelivery, q.Message); err != nil {
				return err
			}
		}
		for _, query := range []string{
			forgetSaidTo, // a channel's thread is not theirs alone, so only what answered them goes
			forgetQuestions,
			forgetContact,
			forgetPlace,
		} {
			if _, err := tx.ExecContext(ctx, query, string(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.rouse()
	}
	return err
}

const erased = "(erased at the asker's wish)"

// Place gives what an adapter kept of a place, or bot.ErrNotFound.
func (s *Store) Place(ctx context.Context, place bot.Place) ([]byte, error) {
	list, err := all[json.RawMessage](ctx, s.db, findPlace, place)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("place of %s: %w", place.Adapter(), bot.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// SavePlace keeps what an adapter needs to reach a place again: a JSON document.
func (s *Store) SavePlace(ctx context.Context, place bot.Place, data []byte) error {
	if !json.Valid(data) {
		return fmt.Errorf("place of %s: what is to be kept is not JSON", place.Adapter())
	}
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, savePlace, place, millis(s.now()), string(data))
		return err
	})
}

// ages are the ends of the spans by which waiting escalations are counted.
var ages = []struct {
	name string
	most time.Duration
}{{"1h", time.Hour}, {"4h", 4 * time.Hour}, {"1d", 24 * time.Hour}, {"3d", 72 * time.Hour}, {"more", 1 << 62}}

// Counts gives what metrics and the desk show of the whole.
func (s *Store) Counts(ctx context.Context) (bot.Counts, error) {
	c := bot.Counts{Waiting: map[string]int64{}}
	type row struct {
		key string
		n   int64
	}
	count := func(query string, fn func(key string, n int64)) error {
		list, err := collect(ctx, s.db, func(rows *sql.Rows) (r row, err error) { return r, rows.Scan(&r.key, &r.n) }, query)
		for _, r := range list {
			fn(r.key, r.n)
		}
		return err
	}
	now := s.now()
	for _, a := range ages {
		c.Waiting[a.name] = 0
	}
	var err error
	c.Decisions, err = tallied[bot.Decided](ctx, s.db, countDecisions)
	if err == nil {
		c.Feedback, err = tallied[bot.Feedback](ctx, s.db, countFeedback)
	}
	if err == nil {
		err = count(listWaiting, func(_ string, at int64) {
			for _, a := range ages {
				if now.Sub(moment(at)) <= a.most {
					c.Waiting[a.name]++
					return
				}
			}
		})
	}
	if err == nil {
		err = count(countDeliveries, func(k string, n int64) {
			if k == "queued" {
				c.Queued = n
			} else {
				c.Parked = n
			}
		})
	}
	if err == nil {
		err = count(findOldest, func(_ string, at int64) { c.Oldest = max(0, now.Sub(moment(at))) })
	}
	return c, err
}

// tallied reads numbers by the names of what was counted.
func tallied[K ~string](ctx context.Context, q querier, query string) (map[K]int64, error) {
	by := map[K]int64{}
	_, err := collect(ctx, q, func(rows *sql.Rows) (name K, err error) {
		var n int64
		err = rows.Scan(&name, &n)
		by[name] = n
		return name, err
	}, query)
	return by, err
}
