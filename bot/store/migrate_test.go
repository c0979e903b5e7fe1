package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"canteen/bot"
	"canteen/bot/store/pgtest"
	"canteen/knowledge"
	"canteen/knowledge/match"
)

// yesterday is a database as the version before left it.
type yesterday struct {
	*sql.DB
	t   *testing.T
	now time.Time
}

// schemaBefore is all that the version before knew of the schema.
func schemaBefore(t *testing.T) fstest.MapFS {
	t.Helper()
	const first = "migrations/00001_start.sql"
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	return fstest.MapFS{first: {Data: data}}
}

func TestYesterdaySQLite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	db, err := sql.Open("sqlite", fileURL(path, "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := migrate(t.Context(), db, goose.DialectSQLite3, schemaBefore(t)); err != nil {
		t.Fatal(err)
	}
	testYesterday(yesterday{db, t, time.Now()}, path)
}

func testYesterdayPostgres(t *testing.T, server *pgtest.Server) {
	address := server.Database(t)
	config, err := postgresConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*config)
	defer db.Close()
	if err := migrate(t.Context(), db, goose.DialectPostgres, reworded{schemaBefore(t)}); err != nil {
		t.Fatal(err)
	}
	testYesterday(yesterday{db, t, time.Now()}, address)
}

func testYesterday(y yesterday, address string) {
	const ann, home = bot.PersonID("slack:ann"), bot.Place("slack:D1")
	// A NUL and what looks like another's number are in the words of a question.
	const words = "a \x00 \\x00 \\u0000 \u2028 \"ref\":9}"
	question := func(id bot.QuestionID, ref bot.Ref, before time.Duration) bot.Question {
		return bot.Question{ID: id, Audience: bot.Private, Asker: bot.Person{ID: ann}, In: home, Text: words, At: y.now.Add(-before).Truncate(time.Millisecond).UTC(),
			Message: "m-" + string(id), Said: "said-" + string(id), Ref: ref}
	}
	plain, led := question("plain", 0, 2*time.Hour), question("led", 1, time.Hour)
	bare := bot.Question{ID: "bare", Audience: bot.Private, Asker: bot.Person{ID: ann}, In: home, At: y.now.Add(-3 * time.Hour).Truncate(time.Millisecond).UTC()}
	for _, q := range []bot.Question{plain, led, bare} {
		y.ask(q)
		y.post(bot.Delivery{ID: q.Message, To: home, PostedID: "at-" + q.Message, Post: bot.Post{Kind: bot.KindAnswer, Text: words}})
	}
	y.escalate(bot.Escalation{Ref: 1, Version: 1, State: bot.Open, Asker: bot.Person{ID: ann}, In: home, Text: words, Candidates: []match.Candidate{{ID: "a/b"}}})
	y.post(bot.Delivery{ID: "card-1-slack", To: "slack:comms", Ref: 1, PostedID: "at-card", Post: bot.Post{Kind: bot.KindCard, Quote: words}})
	y.post(bot.Delivery{ID: "card-like", To: "slack:comms", Ref: 1, PostedID: "at-notice", Post: bot.Post{Kind: bot.KindNotice, Text: "C-1 waits."}})

	// Every entry that had another id, each answered once under that.
	base, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		y.t.Fatal(err)
	}
	answered := map[string]bot.Ref{}
	for _, e := range base.Entries() {
		was := "open-" + e.ID
		if now, ok := base.Entry(was); !ok || now.ID != e.ID {
			continue
		}
		ref := bot.Ref(100 + len(answered))
		answered[e.ID] = ref
		y.escalate(bot.Escalation{Ref: ref, Version: 1, State: bot.Answered, Candidates: []match.Candidate{{ID: was}}, AnsweredAt: y.now})
	}
	y.escalate(bot.Escalation{Ref: 99, Version: 1, State: bot.Answered, Candidates: []match.Candidate{{ID: "open-day/tours"}}, AnsweredAt: y.now})
	if len(answered) == 0 {
		y.t.Fatal("no entry had another id")
	}

	w := newWorld(y.t, address)
	w.key = 100
	ctx := w.t.Context()
	equal(w, "by its message", w.load(bot.Ask{Person: ann, In: home, On: "at-m-plain"}).Question, &plain)
	equal(w, "by what was said", w.load(bot.Ask{Person: ann, In: home, Said: led.Said}).Question, &led)
	equal(w, "and its escalation", w.load(bot.Ask{Person: ann, In: home, Said: led.Said}).Escalation.Ref, 1)
	equal(w, "neither", w.load(bot.Ask{Question: "bare"}).Question, &bare)
	for _, q := range []bot.Question{plain, bare} {
		q.Ref = 2
		w.commit(bot.Turn{Questions: []bot.Question{q}})
	}
	led.Ref = 2
	_, err = w.Commit(ctx, bot.Turn{Keys: []string{"again"}, Questions: []bot.Question{led}})
	w.is(err, bot.ErrConflict)
	led.Ref = 1

	// The version before still writes, as while a server's replicas are replaced one
	// by one.
	late := question("late", 0, 0)
	y.ask(late)
	y.post(bot.Delivery{ID: late.Message, To: home, PostedID: "at-m-late", Post: bot.Post{Kind: bot.KindAnswer}})
	y.post(bot.Delivery{ID: "card-1-teams", To: "teams:comms", Ref: 1, PostedID: "at-card", Post: bot.Post{Kind: bot.KindCard, Quote: words}})
	late.Ref = 1
	y.ask(late)
	equal(w, "written meanwhile", w.load(bot.Ask{Person: ann, In: home, On: "at-m-late"}).Question, &late)
	late.Ref = 2
	_, err = w.Commit(ctx, bot.Turn{Keys: []string{"late"}, Questions: []bot.Question{late}})
	w.is(err, bot.ErrConflict)

	for id, ref := range answered {
		list, err := w.Answered(ctx, id, 10)
		w.ok(err)
		equal(w, "answered of "+id, refs(list), []bot.Ref{ref})
	}
	list, err := w.Answered(ctx, "open-day/tours", 10)
	w.ok(err)
	equal(w, "whose id stays", refs(list), []bot.Ref{99})

	w.ok(w.Forget(ctx, ann))
	kinds, err := collect(ctx, w.db, scanText, `SELECT kind FROM delivery ORDER BY id`)
	w.ok(err)
	equal(w, "kinds left", kinds, []string{"card", "card", "notice"})
	for _, d := range w.leases("card-1-slack", "card-1-teams") {
		equal(w, d.ID, d.Post.Text, erased)
	}
}

// ask saves a question as the version before did, which knew no audiences.
func (y yesterday) ask(q bot.Question) {
	y.t.Helper()
	q.Audience = ""
	y.exec(`
		INSERT INTO question (id, person, place, at, data)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE SET data = excluded.data
		WHERE question.data NOT LIKE '%"ref":%'
			OR question.data LIKE $6`,
		q.ID, q.Asker.ID, q.In, millis(q.At), asJSON(y.t, q), fmt.Sprintf(`%%"ref":%d}`, int64(q.Ref)))
}

// post adds a delivery that is there as the version before did.
func (y yesterday) post(d bot.Delivery) {
	y.t.Helper()
	y.exec(`
		INSERT INTO delivery (
			id, adapter, lane, place, only_to, fallback, post, posted, version, private, ref,
			state, due_at, owner, attempt, unsure, error, created_at, settled_at
		)
		VALUES ($1, $2, $3, $4, '', '', $5, $6, 1, 0, $7, 'sent', 0, '', 0, 0, '', $8, 0)`,
		d.ID, d.To.Adapter(), d.To.Lane(), d.To, asJSON(y.t, d.Post), d.PostedID, int64(d.Ref), millis(y.now))
}

// escalate adds an escalation as the version before did.
func (y yesterday) escalate(e bot.Escalation) {
	y.t.Helper()
	y.exec(`
		INSERT INTO escalation (ref, version, state, urgent, person, nearest, opened_at, answered_at, data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		int64(e.Ref), e.Version, e.State, flag(e.Urgent), e.Asker.ID, e.Candidates[0].ID, millis(e.OpenedAt), millis(e.AnsweredAt), asJSON(y.t, e))
}

func (y yesterday) exec(query string, args ...any) {
	y.t.Helper()
	if _, err := y.ExecContext(context.Background(), query, args...); err != nil {
		y.t.Fatal(err)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
