// Package store keeps what Canteen remembers, in SQLite or PostgreSQL by one SQL
// text.
//
// Every write goes through engine.write, which on SQLite gathers what arrives
// together into one commit, and on PostgreSQL tries again what lost against
// another replica. Reads see what is committed. Times are Unix milliseconds, in
// the store's own clock where replicas have to agree on them: when a delivery is
// due, and until when it is leased.
//
// In reading order: store.go has the conversation's reads and its one write,
// delivery.go the outbox's queue, keep.go what is erased and counted; queries.go is
// the SQL of them all; open.go, sqlite.go and postgres.go are the two engines; move.go
// exports, imports and backs up. migrations/ is the schema. The tests are one suite that runs on both
// databases (suite_test.go) and the faults of each (sqlite_test.go,
// postgres_test.go); pgtest starts a PostgreSQL for them.
package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/pressly/goose/v3"

	"canteen/bot"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store is the memory of one Canteen, or of several on one PostgreSQL.
type Store struct {
	db     *sql.DB // for reading; on PostgreSQL for writing too
	engine engine
	local  func() time.Time // this process's clock
	now    func() time.Time // the store's clock, which all replicas share
	wake   chan struct{}
	close  func() error
}

// engine is what differs between the databases.
type engine interface {
	// write runs fn in a transaction of its own, or in one shared with others of
	// which it can be undone alone. It may run fn again from its beginning.
	write(ctx context.Context, fn func(context.Context, *sql.Tx) error) error
	// nextRef gives a number that no escalation has.
	nextRef(ctx context.Context) (int64, error)
	// renumber lets numbers go on after rows that came with their own.
	renumber(ctx context.Context, tx *sql.Tx) error
	// lock is what a SELECT ends in to claim rows that nobody else is claiming.
	lock() string
	// snapshot is what lets several statements see one state of the database.
	snapshot() *sql.TxOptions
	// ping tells whether the database takes what is written, as far as that is not
	// known.
	ping(ctx context.Context) error
	// notify tells the other replicas that deliveries have become due.
	notify()
	// scrub leaves no copy of what was erased where this program can reach.
	scrub(ctx context.Context) error
	close() error
}

// Options are what Open may be told beside the address.
type Options struct {
	Now func() time.Time // default time.Now
	Log *slog.Logger     // default none
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func newStore(db *sql.DB, e engine, local, now func() time.Time, wake chan struct{}) *Store {
	s := &Store{db: db, engine: e, local: local, now: now, wake: wake}
	s.close = sync.OnceValue(func() error { return errors.Join(e.close(), db.Close()) })
	return s
}

// ErrLocked says that another process has the database file open.
var ErrLocked = errors.New("another canteen has this database open")

// ErrClosed says that the store was closed before it came to a write.
var ErrClosed = errors.New("the store is closed")

// Close ends what the store does in the background and closes the database. Writes
// that still wait, and all after it, get an error, on SQLite ErrClosed.
func (s *Store) Close() error { return s.close() }

// Ping tells whether the database answers, and takes what is written.
func (s *Store) Ping(ctx context.Context) error {
	if _, err := number(ctx, s.db, ping); err != nil {
		return err
	}
	return s.engine.ping(ctx)
}

// Wake is signalled when deliveries have become due by a commit.
func (s *Store) Wake() <-chan struct{} { return s.wake }

func (s *Store) rouse() {
	signal(s.wake)
	s.engine.notify()
}

// signal leaves a mark for whoever looks next; one mark is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// migrate brings the database to this version of Canteen.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, files fs.FS, opts ...goose.ProviderOption) error {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, sub, opts...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// statementTimeout ends what a database does not answer, where the caller has set
// no time of its own.
const statementTimeout = 10 * time.Second

func limit(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// collect reads every row of a query.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	ctx, cancel := limit(ctx, statementTimeout)
	defer cancel()
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// number reads the one number that a query gives; NULL and no row are 0.
func number(ctx context.Context, q querier, query string, args ...any) (int64, error) {
	list, err := collect(ctx, q, func(rows *sql.Rows) (n sql.NullInt64, err error) { return n, rows.Scan(&n) }, query, args...)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].Int64, nil
}

func scanText(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) }

// all reads every row of a query whose one column is a JSON document.
func all[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	return collect(ctx, q, func(rows *sql.Rows) (v T, err error) {
		var data []byte
		if err := rows.Scan(&data); err != nil {
			return v, err
		}
		return v, json.Unmarshal(data, &v)
	}, query, args...)
}

// one reads a document, or nil when there is none.
func one[T any](ctx context.Context, q querier, query string, args ...any) (*T, error) {
	list, err := all[T](ctx, q, query, args...)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// Load implements bot.Store.
func (s *Store) Load(ctx context.Context, a bot.Ask) (bot.Known, error) {
	var k bot.Known
	ctx, cancel := limit(ctx, statementTimeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, s.engine.snapshot())
	if err != nil {
		return k, err
	}
	defer tx.Rollback()
	if reply, seen, err := seen(ctx, tx, a.Keys); err != nil || seen {
		k.Seen, k.Reply = seen, reply
		return k, err
	}
	if a.Person != "" {
		if k.Contact, err = contact(ctx, tx, a.Person); err != nil {
			return k, err
		}
		if k.Last, err = one[bot.Question](ctx, tx, findLast, a.Person, a.In, millis(a.Since)); err != nil {
			return k, err
		}
		if k.Mine, err = all[bot.Escalation](ctx, tx, findMine, a.Person); err != nil {
			return k, err
		}
	}
	ref := a.Ref
	if a.On != "" && a.Question == "" && ref == 0 {
		var id, place string
		var of int64
		err := tx.QueryRowContext(ctx, findPosted, a.In.Lane(), a.On).Scan(&id, &of, &place)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return k, err
		}
		if ref = bot.Ref(of); err == nil && of == 0 {
			if k.Question, err = one[bot.Question](ctx, tx, findShown, a.Person, place, id); err != nil {
				return k, err
			}
		}
	}
	if a.Said != "" {
		q, err := one[bot.Question](ctx, tx, findSaid, a.Person, a.Said)
		if err != nil {
			return k, err
		}
		if q != nil {
			k.Question, ref = q, q.Ref
		}
	}
	if a.Question != "" {
		if k.Question, err = one[bot.Question](ctx, tx, findQuestion, a.Question); err != nil {
			return k, err
		}
		if k.Question != nil && ref == 0 {
			ref = k.Question.Ref
		}
	}
	if ref != 0 {
		k.Escalation, err = one[bot.Escalation](ctx, tx, findEscalation, int64(ref))
	}
	return k, err
}

func seen(ctx context.Context, q querier, keys []string) (bot.Reply, bool, error) {
	for _, key := range keys {
		var data []byte
		err := q.QueryRowContext(ctx, findReply, key).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		var r bot.Reply
		if err == nil {
			err = json.Unmarshal(data, &r)
		}
		return r, err == nil, err
	}
	return bot.Reply{}, false, nil
}

func contact(ctx context.Context, q querier, p bot.PersonID) (*bot.Contact, error) {
	var first, quiet int64
	err := q.QueryRowContext(ctx, findContact, p).Scan(&first, &quiet)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &bot.Contact{ID: p, FirstAt: moment(first), QuietUntil: moment(quiet)}, nil
}

// errSeen undoes a turn whose key was committed meanwhile.
var errSeen = errors.New("seen before")

// Commit implements bot.Store.
func (s *Store) Commit(ctx context.Context, t bot.Turn) (bot.Reply, error) {
	reply := t.Reply
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		kept := t.Reply
		if t.Private {
			kept = bot.Reply{}
		}
		data, err := json.Marshal(kept)
		if err != nil {
			return err
		}
		// In one order, whoever asks: two that take the same keys in orders of their own
		// wait for each other until the server ends one of them.
		for _, key := range slices.Sorted(slices.Values(t.Keys)) {
			n, err := affected(tx.ExecContext(ctx, addKey, key, millis(t.At), string(data)))
			if err != nil {
				return err
			}
			if n == 0 {
				var ok bool
				if reply, ok, err = seen(ctx, tx, []string{key}); err != nil {
					return err
				}
				reply.Repeat = ok
				return errSeen
			}
		}
		return s.apply(ctx, tx, t)
	})
	if errors.Is(err, errSeen) {
		return reply, nil
	}
	if err != nil {
		return bot.Reply{}, err
	}
	if len(t.Deliveries) > 0 {
		s.rouse()
	}
	return reply, nil
}

// apply writes all of a turn but its keys.
func (s *Store) apply(ctx context.Context, tx *sql.Tx, t bot.Turn) error {
	if c := t.Person; c != nil {
		if _, err := tx.ExecContext(ctx, saveContact, c.ID, millis(c.FirstAt), millis(c.QuietUntil)); err != nil {
			return err
		}
	}
	for _, q := range t.Questions {
		data, err := json.Marshal(q)
		if err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, saveQuestion, q.ID, q.Asker.ID, q.In, millis(q.At), string(data), int64(q.Ref)))
		if err == nil && n == 0 {
			err = fmt.Errorf("question %s: %w", q.ID, bot.ErrConflict)
		}
		if err != nil {
			return err
		}
	}
	for _, e := range t.Escalations {
		if err := saveEscalation(ctx, tx, e); err != nil {
			return err
		}
	}
	for _, d := range t.Deliveries {
		if err := s.queue(ctx, tx, d); err != nil {
			return err
		}
	}
	day := t.At.UTC().Format(time.DateOnly)
	for _, c := range t.Tally {
		if _, err := tx.ExecContext(ctx, addTally, day, c.Decision, c.Entry, c.What); err != nil {
			return err
		}
	}
	return nil
}

// saveEscalation writes an escalation on top of the version that it was made of.
func saveEscalation(ctx context.Context, tx *sql.Tx, e bot.Escalation) error {
	was := e.Version
	e.Version++
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	urgent, nearest := flag(e.Urgent), ""
	if len(e.Candidates) > 0 {
		nearest = e.Candidates[0].ID
	}
	var n int64
	if was == 0 {
		n, err = affected(tx.ExecContext(ctx, addEscalation,
			int64(e.Ref), e.Version, e.State, urgent, e.Asker.ID, nearest, millis(e.OpenedAt), millis(e.AnsweredAt), string(data)))
	} else {
		n, err = affected(tx.ExecContext(ctx, changeEscalation,
			e.Version, e.State, urgent, e.Asker.ID, millis(e.AnsweredAt), string(data), int64(e.Ref), was))
	}
	if err == nil && n == 0 {
		return fmt.Errorf("escalation %s: %w", e.Ref, bot.ErrConflict)
	}
	return err
}

func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// NextRef implements bot.Store.
func (s *Store) NextRef(ctx context.Context) (bot.Ref, error) {
	n, err := s.engine.nextRef(ctx)
	return bot.Ref(n), err
}

// Answered implements bot.Store.
func (s *Store) Answered(ctx context.Context, entry string, n int) ([]bot.Escalation, error) {
	return all[bot.Escalation](ctx, s.db, listAnswered, entry, n)
}

// Asked implements bot.Store.
func (s *Store) Asked(ctx context.Context, n int) ([]bot.Question, error) {
	return all[bot.Question](ctx, s.db, listAsked, n)
}

// Pending implements bot.Store.
func (s *Store) Pending(ctx context.Context) ([]bot.Escalation, error) {
	return all[bot.Escalation](ctx, s.db, listPending)
}

// Done gives the escalations on which comms have nothing more to do, the latest
// first.
func (s *Store) Done(ctx context.Context, n int) ([]bot.Escalation, error) {
	return all[bot.Escalation](ctx, s.db, listDone, n)
}

// Escalation gives one, or bot.ErrNotFound.
func (s *Store) Escalation(ctx context.Context, ref bot.Ref) (bot.Escalation, error) {
	e, err := one[bot.Escalation](ctx, s.db, findEscalation, int64(ref))
	if err != nil {
		return bot.Escalation{}, err
	}
	if e == nil {
		return bot.Escalation{}, fmt.Errorf("escalation %s: %w", ref, bot.ErrNotFound)
	}
	return *e, nil
}

// Of gives a person's escalations, the latest first.
func (s *Store) Of(ctx context.Context, p bot.PersonID, n int) ([]bot.Escalation, error) {
	return all[bot.Escalation](ctx, s.db, listOf, p, n)
}

// AnswerTime implements bot.Store.
func (s *Store) AnswerTime(ctx context.Context, since time.Time) (time.Duration, int, error) {
	n, err := number(ctx, s.db, countAnswered, millis(since))
	if err != nil || n == 0 {
		return 0, 0, err
	}
	ms, err := number(ctx, s.db, findAnswerTime, millis(since), n/2)
	return time.Duration(ms) * time.Millisecond, int(n), err
}

// Popular gives the entries shown most since a day, most first.
func (s *Store) Popular(ctx context.Context, since time.Time, n int) ([]string, error) {
	return collect(ctx, s.db, scanText, listPopular, since.UTC().Format(time.DateOnly), n)
}

func (s *Store) write(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return s.engine.write(ctx, fn)
}
