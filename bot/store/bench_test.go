package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canteen/bot"
	"canteen/bot/store/pgtest"
	"canteen/knowledge/match"
)

// BenchmarkCommit measures turns of the usual rows (a key, a question, its answer, a
// count) against bare transactions of the same rows in the same run: ratio is how
// many times as many. On SQLite both are flushed to the disk, and the bare ones wait
// in line for the one connection that writes; group commit is what puts the ratio
// above 1.
func BenchmarkCommit(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
				s := benchStore(b, filepath.Join(b.TempDir(), "canteen.db"))
				compare(b, callers, s.engine.(*sqlite).writer, s)
			})
		}
	})
	b.Run("postgres", func(b *testing.B) {
		server := pgtest.New(b, "fsync=on")
		for _, callers := range []int{1, 16, 64} {
			for _, replicas := range []int{1, 3} {
				if callers == 1 && replicas > 1 {
					continue
				}
				b.Run(fmt.Sprintf("callers=%d/replicas=%d", callers, replicas), func(b *testing.B) {
					address := server.Database(b)
					var list []*Store
					for range replicas {
						list = append(list, benchStore(b, address))
					}
					compare(b, callers, list[0].db, list...)
				})
			}
		}
	})
}

func benchStore(b *testing.B, address string) *Store {
	b.Helper()
	s, err := Open(b.Context(), address, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func compare(b *testing.B, callers int, db *sql.DB, stores ...*Store) {
	ctx := b.Context()
	// The two take turns, so that what else the disk does meets both alike.
	const rounds = 5
	var took [2]time.Duration
	var late [2][]time.Duration
	n := max(1, b.N/rounds)
	b.ResetTimer()
	for round := range rounds {
		for kind, do := range []func(i int) error{
			func(i int) error { return bare(ctx, db, usual(fmt.Sprint("bare", round), i)) },
			func(i int) error {
				_, err := stores[i%len(stores)].Commit(ctx, usual(fmt.Sprint("turn", round), i))
				return err
			},
		} {
			d, each := run(b, callers, n, do)
			took[kind] += d
			late[kind] = append(late[kind], each...)
		}
	}
	b.StopTimer()
	total := float64(n * rounds)
	b.ReportMetric(total/took[1].Seconds(), "turns/s")
	b.ReportMetric(total/took[0].Seconds(), "bare/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "ratio")
	for kind, name := range []string{"bare-p99-ms", "p99-ms"} {
		slices.Sort(late[kind])
		b.ReportMetric(float64(late[kind][len(late[kind])*99/100].Microseconds())/1000, name)
	}
}

// run does something n times among so many callers, and tells how long it took
// altogether and each.
func run(b *testing.B, callers, n int, do func(i int) error) (time.Duration, []time.Duration) {
	each := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
				}
				each[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	return time.Since(start), each
}

func usual(name string, i int) bot.Turn {
	id := fmt.Sprint(name, "-", i)
	now := time.Now()
	in := bot.Place(fmt.Sprint("slack:D", i%500))
	text := "Talk to the communications team before you set up an account for your team or ward. "
	post := bot.Post{Kind: bot.KindAnswer, Title: "Tweeting as a member of staff", Text: text + text + text, Source: "NHS Employers quick guide, November 2014", Entry: "twitter/work"}
	for _, action := range []bot.Action{bot.ActHelped, bot.ActNotMeant, bot.ActAskComms} {
		post.Buttons = append(post.Buttons, bot.Button{Label: string(action), Press: bot.Press{Action: action, Question: bot.QuestionID(id)}})
	}
	q := bot.Question{ID: bot.QuestionID(id), Asker: bot.Person{ID: bot.PersonID(in)}, In: in, Text: "can i tweet about work", At: now, Decision: bot.DecidedAnswer, Entry: "twitter/work", Message: id}
	for range 5 {
		q.Candidates = append(q.Candidates, match.Candidate{ID: "twitter/work"})
	}
	return bot.Turn{Keys: []string{id}, At: now, Questions: []bot.Question{q}, Deliveries: []bot.Delivery{{ID: id, To: in, Post: post, CreatedAt: now}}, Tally: []bot.Tally{{Decision: bot.DecidedAnswer, Entry: fmt.Sprint("twitter/", i%100)}}}
}

// bare writes a turn's rows in a transaction of their own and nothing else.
func bare(ctx context.Context, db *sql.DB, t bot.Turn) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	q, d, c := t.Questions[0], t.Deliveries[0], t.Tally[0]
	asked, err := json.Marshal(q)
	if err != nil {
		return err
	}
	post, err := json.Marshal(d.Post)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		query string
		args  []any
	}{
		{`INSERT INTO inbound (key, at, reply) VALUES ($1, $2, '{}')`, []any{t.Keys[0], millis(t.At)}},
		{`INSERT INTO question (id, person, place, at, data) VALUES ($1, $2, $3, $4, $5)`, []any{q.ID, q.Asker.ID, q.In, millis(q.At), string(asked)}},
		{addDelivery, []any{d.ID, d.To.Adapter(), d.To.Lane(), d.To, d.Only, d.Fallback, string(post), "", flag(d.Private), int64(d.Ref), "queued", millis(d.CreatedAt), millis(d.CreatedAt)}},
		{addTally, []any{t.At.UTC().Format(time.DateOnly), c.Decision, c.Entry, c.What}},
	} {
		if _, err := tx.ExecContext(ctx, x.query, x.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// BenchmarkLease leases from a backlog of 5,000 in 500 conversations.
func BenchmarkLease(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { benchLease(b, filepath.Join(b.TempDir(), "canteen.db")) })
	b.Run("postgres", func(b *testing.B) { benchLease(b, pgtest.New(b).Database(b)) })
}

func benchLease(b *testing.B, address string) {
	s := benchStore(b, address)
	for i := range 100 {
		t := bot.Turn{Keys: []string{fmt.Sprint(i)}, At: time.Now()}
		for j := range 50 {
			t.Deliveries = append(t.Deliveries, usual("d", i*50+j).Deliveries[0])
		}
		if _, err := s.Commit(b.Context(), t); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		list, err := s.Lease(b.Context(), "me", []string{"slack", "teams"}, 64, time.Minute)
		if err != nil || len(list) != 64 {
			b.Fatal(len(list), err)
		}
		b.StopTimer()
		for _, d := range list {
			if err := s.Settle(b.Context(), bot.Settlement{Delivery: d, Owner: "me", Outcome: bot.Again, Due: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
}
