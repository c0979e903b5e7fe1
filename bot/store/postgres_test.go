package store

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"canteen/bot"
	"canteen/bot/store/pgtest"
)

func TestPostgres(t *testing.T) {
	server := pgtest.New(t)
	suite(t, func(t *testing.T) string { return server.Database(t) })

	for name, run := range map[string]func(*testing.T, *pgtest.Server){
		"yesterday's database": testYesterdayPostgres,
		"starting together":    testStartTogether,
		"leasing together":     testLeaseTogether,
		"deciding together":    testDecideTogether,
		"waking one another":   testWakeOneAnother,
		"clocks that differ":   testClocks,
		"trying again":         testTryAgain,
		"a slow statement":     testSlowStatement,
		"no more connections":  testConnections,
		"restarting":           testRestart,
		"no password is shown": testNoPassword,
	} {
		t.Run(name, func(t *testing.T) { run(t, server) })
	}
}

func replicas(t *testing.T, address string, n int) []*world {
	t.Helper()
	list := make([]*world, n)
	for i := range list {
		list[i] = newWorld(t, address)
	}
	return list
}

func testStartTogether(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[bot.Ref]bool{}
	for range 5 {
		wg.Go(func() {
			s, err := Open(t.Context(), address, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for range 10 {
				ref, err := s.NextRef(t.Context())
				mu.Lock()
				if err != nil || seen[ref] {
					t.Errorf("%v %v %v", ref, seen[ref], err)
				}
				seen[ref] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func testLeaseTogether(t *testing.T, server *pgtest.Server) {
	const lanes, each = 30, 10
	list := replicas(t, server.Database(t), 3)
	var mu sync.Mutex
	got := map[bot.Place][]int{}
	count := 0
	var wg sync.WaitGroup
	for i, w := range list {
		wg.Go(func() { // commits a third of every conversation's messages
			for n := range each {
				for lane := range lanes {
					if (n+lane)%len(list) != i {
						continue
					}
					_, err := w.Commit(t.Context(), bot.Turn{Keys: []string{fmt.Sprint(lane, "/", n)}, At: w.clock.now(),
						Deliveries: []bot.Delivery{{ID: fmt.Sprint(lane, "/", n), To: bot.Place(fmt.Sprint("slack:D", lane)), CreatedAt: w.clock.now()}}})
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
		wg.Go(func() { // and sends what it gets
			for !t.Failed() {
				mu.Lock()
				done := count == lanes*each
				mu.Unlock()
				if done {
					return
				}
				leases, err := w.Lease(t.Context(), fmt.Sprint(i), []string{"slack"}, 8, leased)
				if err != nil || len(leases) > 8 {
					t.Errorf("%d leased, %v", len(leases), err)
				}
				for _, d := range leases {
					var n, lane int
					fmt.Sscanf(d.ID, "%d/%d", &lane, &n)
					mu.Lock()
					got[d.To] = append(got[d.To], n)
					count++
					mu.Unlock()
					if err := w.Settle(t.Context(), bot.Settlement{Delivery: d, Owner: fmt.Sprint(i), Outcome: bot.Sent}); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for place, ns := range got {
		slices.Sort(ns)
		if len(slices.Compact(ns)) != each {
			t.Errorf("%s: %v", place, ns)
		}
	}
}

func testDecideTogether(t *testing.T, server *pgtest.Server) {
	list := replicas(t, server.Database(t), 3)
	e := list[0].escalate("slack:ann", "a/b")
	var mu sync.Mutex
	answered, first := 0, 0
	var wg sync.WaitGroup
	for i, w := range list {
		for j := range 4 {
			wg.Go(func() {
				mine := e
				mine.Answer = fmt.Sprint(i, j)
				_, err := w.Commit(t.Context(), bot.Turn{Keys: []string{fmt.Sprint("answer", i, j)}, At: w.clock.now(), Escalations: []bot.Escalation{mine}})
				r, err2 := w.Commit(t.Context(), bot.Turn{Keys: []string{"same"}, At: w.clock.now()})
				if err2 != nil {
					t.Error(err2)
				}
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					answered++
				}
				if !r.Repeat {
					first++
				}
			})
		}
	}
	wg.Wait()
	if answered != 1 || first != 1 {
		t.Errorf("%d answers, %d firsts", answered, first)
	}
}

// woken waits for a wake-up, less long than the outbox's own look would take.
func (w *world) woken() {
	w.t.Helper()
	select {
	case <-w.Wake():
	case <-time.After(20 * time.Second):
		w.t.Fatal("not woken")
	}
}

func testWakeOneAnother(t *testing.T, server *pgtest.Server) {
	list := replicas(t, server.Database(t), 2)
	a, b := list[0], list[1]
	b.key = 100
	a.send("d1", "slack:D1", "")
	a.woken() // of itself
	b.woken()
	b.send("d2", "slack:D2", "")
	b.woken()
	a.woken()
	// Both are cut off, and come back.
	server.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'listen%' OR query = '`+serverTime+`'`)
	a.woken()
	b.woken()
	a.send("d3", "slack:D3", "")
	a.woken()
	b.woken()
}

func testClocks(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	open := func(off time.Duration) *world {
		s, err := Open(t.Context(), address, Options{Now: func() time.Time { return time.Now().Add(off) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return &world{Store: s, t: t, clock: newClock()}
	}
	right := open(0)
	// soon leases what has to fall due by about now.
	soon := func(w *world) bot.Delivery {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if list := w.lease("me", 10); len(list) > 0 {
				return list[0]
			}
		}
		t.Fatal("nothing fell due")
		return bot.Delivery{}
	}
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		wrong := open(off)
		wrong.key = 100 + int(off.Hours())*10
		id := fmt.Sprint("d", off)
		right.send("held"+id, bot.Place("slack:"+id), "")
		soon(right)
		wrong.leases() // the lease holds, however late it is there
		wrong.send(id, "slack:D1", "")
		right.settle(soon(right), bot.Settlement{Outcome: bot.Again, Due: time.Now()})
		wrong.settle(soon(wrong), bot.Settlement{Outcome: bot.Again, Due: time.Now().Add(off + time.Minute)})
		for w, now := range map[*world]time.Time{right: time.Now(), wrong: time.Now().Add(off)} {
			due, err := w.NextDue(t.Context(), []string{"slack"})
			w.ok(err)
			if wait := due.Sub(now); wait < 50*time.Second || wait > 70*time.Second {
				t.Errorf("%v: next due in %v", off, wait)
			}
		}
		_, err := right.db.Exec(`DELETE FROM delivery`)
		right.ok(err)
	}
}

func testTryAgain(t *testing.T, server *pgtest.Server) {
	w := newWorld(t, server.Database(t))
	raise := func(code string) string { return `DO $$ BEGIN RAISE SQLSTATE '` + code + `'; END $$` }
	for query, lasts := range map[string]bool{raise("40001"): false, raise("40P01"): false, `SELECT pg_terminate_backend(pg_backend_pid())`: false, raise("22012"): true} {
		tries := 0
		err := w.write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
			if tries++; tries < 3 {
				_, err := tx.ExecContext(ctx, query)
				return err
			}
			return nil
		})
		if (err != nil) != lasts || lasts && tries != 1 || !lasts && tries != 3 {
			t.Errorf("%s: %d tries, %v", query, tries, err)
		}
	}
}

func testSlowStatement(t *testing.T, server *pgtest.Server) {
	w := newWorld(t, server.Database(t)+"&statement_timeout=200")
	start := time.Now()
	if _, err := number(t.Context(), w.db, `SELECT 1 FROM pg_sleep(60)`); err == nil || time.Since(start) > 10*time.Second {
		t.Errorf("ended after %v: %v", time.Since(start), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := number(ctx, w.db, `SELECT 1 FROM pg_sleep(60)`); err == nil {
		t.Error("waited on")
	}
	w.ok(w.Ping(t.Context()))
}

func testConnections(t *testing.T, server *pgtest.Server) {
	w := newWorld(t, server.Database(t))
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			if _, err := w.Commit(t.Context(), bot.Turn{Keys: []string{fmt.Sprint(i)}, At: w.clock.now()}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The server shows a connection that has just been closed, such as that of the
	// migration, until its process has ended.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		n, err := number(ctx, w.db, `SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'canteen' AND datname = current_database()`)
		if err != nil {
			t.Fatalf("%d connections are the most there may be: %v", connections+1, err)
		}
		if n <= connections+1 {
			break
		}
	}
}

func testRestart(t *testing.T, server *pgtest.Server) {
	var log bytes.Buffer
	s, err := Open(t.Context(), server.Database(t), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Store: s, t: t, clock: newClock()}
	w.woken()
	kept := 0
	commit := func(i int) error {
		_, err := w.Commit(t.Context(), bot.Turn{Keys: []string{fmt.Sprint(i)}, At: w.clock.now(), Questions: []bot.Question{{ID: bot.QuestionID(fmt.Sprint(i)), At: w.clock.now()}}})
		return err
	}
	for ; kept < 20; kept++ {
		w.ok(commit(kept))
	}
	server.Stop()
	start := time.Now()
	for range 3 {
		err := commit(kept)
		if err == nil || time.Since(start) > 10*time.Second {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		noPassword(t, err)
	}
	if w.Ping(t.Context()) == nil {
		t.Error("a stopped server answers")
	}
	server.Start(t)
	for end := time.Now().Add(10 * time.Second); commit(kept) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("did not come back")
		}
	}
	for i := range kept + 1 {
		if w.load(bot.Ask{Question: bot.QuestionID(fmt.Sprint(i))}).Question == nil {
			t.Errorf("%d was confirmed and is gone", i)
		}
	}
	w.woken() // it listens again
	w.ok(s.Close())
	if !strings.Contains(log.String(), "cannot listen") || strings.Contains(log.String(), pgtest.Password) {
		t.Errorf("log:\n%s", log.String())
	}
}

func noPassword(t *testing.T, err error) {
	t.Helper()
	for _, part := range []string{pgtest.Password, "s3cret", "s3%"} {
		if err == nil || strings.Contains(err.Error(), part) {
			t.Errorf("error: %v", err)
		}
	}
}

func testNoPassword(t *testing.T, server *pgtest.Server) {
	good := server.Database(t)
	for _, address := range []string{
		strings.Replace(good, "127.0.0.1:", "127.0.0.1:1", 1),
		strings.Replace(good, "/test", "/none", 1),
		strings.Replace(good, "canteen:", "nobody:", 1),
		strings.Replace(good, pgtest.Password, "s3cret", 1),
		"postgres://u:s3%cret@h/d", "postgres://u:s3cret@h:port/d", "postgres://u:s3cret@h/d?sslmode=perhaps", "postgres://u:s3cret@/d?sslmode=x",
		"postgres://u@h/d?password=s3cret&sslmode=perhaps", "postgresql:u:s3cret@h", "postgres://u:s3cret@h:1:2/d", "postgres://u:s3%2Fcret@h/d?connect_timeout=x",
		"postgres://u:s3cret@h/d?sslrootcert=/none", "postgres://u:s3cret#x@h/d",
	} {
		_, err := Open(t.Context(), address, Options{})
		noPassword(t, err)
		t.Log(err)
		noPassword(t, Export(t.Context(), address, t.TempDir()))
	}
}
