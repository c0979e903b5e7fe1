package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"canteen/bot"
)

// postgres shares a database with other replicas. Three things make that safe:
// rows are claimed with SKIP LOCKED, a write that loses against another or its
// connection is run again, and due times are in the server's clock.
type postgres struct {
	db      *sql.DB
	config  *pgx.ConnConfig
	name    string // of this process among those that listen
	log     *slog.Logger
	local   func() time.Time
	clock   atomic.Pointer[reading]
	wake    chan struct{} // of this process
	others  chan struct{} // to tell the other replicas
	writing atomic.Int64
	stop    context.CancelFunc
	running sync.WaitGroup
}

// reading is what the server's clock and this process's showed at one moment.
type reading struct{ server, local time.Time }

const (
	// connections is how many one replica opens, beside the one that listens: a
	// server's usual hundred are enough for five replicas.
	connections = 16
	// writeTimeout bounds a write with all its tries.
	writeTimeout = 20 * time.Second
	writeTries   = 8
	connectTime  = 5 * time.Second
	// listenCheck is how often the listening connection is tried and the server's
	// clock is read.
	listenCheck = 30 * time.Second
	// notifyPause gathers wake-ups. NOTIFY in the turn's own transaction would make
	// the server commit one turn after another.
	notifyPause = 20 * time.Millisecond
	channel     = "canteen"
)

// OpenPostgres opens a database that other replicas may have open too.
func OpenPostgres(ctx context.Context, address string, o Options) (*Store, error) {
	o = o.withDefaults()
	config, err := postgresConfig(address)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, config); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	listening, stop := context.WithCancel(context.Background())
	e := &postgres{
		db: stdlib.OpenDB(*bounded(config)), config: config, name: rand.Text(), log: o.Log, local: o.Now,
		wake: make(chan struct{}, 1), others: make(chan struct{}, 1), stop: stop,
	}
	e.db.SetMaxOpenConns(connections)
	e.db.SetMaxIdleConns(connections)
	e.db.SetConnMaxIdleTime(5 * time.Minute)
	s := newStore(e.db, e, o.Now, e.now, e.wake)
	if err := e.readClock(ctx, func(ctx context.Context, t *time.Time) error {
		return e.db.QueryRowContext(ctx, serverTime).Scan(t)
	}); err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), s.Close())
	}
	e.running.Go(func() { e.listen(listening) })
	e.running.Go(func() { e.tell(listening) })
	return s, nil
}

// postgresConfig reads an address. What it says of a wrong one never has the
// password in it.
func postgresConfig(address string) (*pgx.ConnConfig, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" && u.Query().Get("host") == "" {
		return nil, errors.New("database: cannot read the address: it has to be postgres://user:password@host:port/name, with other than letters and digits in the password as %XX")
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		why := err.Error()
		password, _ := u.User.Password()
		for _, secret := range []string{address, u.Query().Get("password"), password, url.QueryEscape(password), url.PathEscape(password)} {
			if secret != "" {
				why = strings.ReplaceAll(why, secret, "…")
			}
		}
		return nil, fmt.Errorf("database: %s", why)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "canteen"
	}
	return config, nil
}

// bounded has the server, too, end what takes too long.
func bounded(c *pgx.ConnConfig) *pgx.ConnConfig {
	c = c.Copy()
	for name, d := range map[string]time.Duration{
		"statement_timeout":                   statementTimeout,
		"lock_timeout":                        statementTimeout / 2,
		"idle_in_transaction_session_timeout": writeTimeout,
	} {
		if c.RuntimeParams[name] == "" {
			c.RuntimeParams[name] = fmt.Sprint(d.Milliseconds())
		}
	}
	return c
}

// migratePostgres brings the schema up to date; of several replicas that start
// together one does it. Building an index may take longer than a statement may.
func migratePostgres(ctx context.Context, c *pgx.ConnConfig) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*c)
	err = migrate(ctx, db, goose.DialectPostgres, reworded{migrations}, goose.WithSessionLocker(locker))
	return errors.Join(err, db.Close())
}

// reworded serves the migrations in PostgreSQL's words.
type reworded struct{ fs.FS }

var inPostgres = strings.NewReplacer(
	"INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
	"VIRTUAL", "STORED",
	"data ->>", inJSON("data"),
	"post ->>", inJSON("post"),
)

func (r reworded) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || path.Ext(name) != ".sql" {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return rewordedFile{f, strings.NewReader(inPostgres.Replace(string(text)))}, nil
}

// inJSON looks into a document. A NUL in it, which the database cannot have in a text,
// would be an error in whatever of it is looked for.
func inJSON(column string) string {
	return `CAST(REPLACE(` + column + `, '\u0000', '\u0020') AS JSON) ->>`
}

type rewordedFile struct {
	fs.File
	text io.Reader
}

func (f rewordedFile) Read(p []byte) (int, error) { return f.text.Read(p) }

func (e *postgres) lock() string { return skipLocked }

func (e *postgres) snapshot() *sql.TxOptions {
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

func (e *postgres) nextRef(ctx context.Context) (int64, error) {
	return number(ctx, e.db, nextRef)
}

func (e *postgres) renumber(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, renumberEscalations)
	if err == nil {
		_, err = tx.ExecContext(ctx, renumberDeliveries)
	}
	return err
}

func (e *postgres) write(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	defer e.writing.Add(-1)
	if e.writing.Add(1) > queued {
		return fmt.Errorf("store: %d writes wait: %w", queued, bot.ErrBusy)
	}
	ctx, cancel := limit(ctx, writeTimeout)
	defer cancel()
	for try := 1; ; try++ {
		again, err := e.try(ctx, fn)
		if !again || try == writeTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(mathrand.N(5 * time.Millisecond << try)):
		}
	}
}

// try tells besides whether another try may do better. It may not after a cut
// while committing: nobody knows whether that went through, and who sends again
// with the same key finds out.
func (e *postgres) try(ctx context.Context, fn func(context.Context, *sql.Tx) error) (again bool, err error) {
	tx, err := e.db.BeginTx(ctx, nil)
	if err != nil {
		return cut(err), fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	if err := fn(ctx, tx); err != nil {
		return lost(err) || cut(err), err
	}
	if err := tx.Commit(); err != nil {
		return lost(err), fmt.Errorf("commit: %w", err)
	}
	return false, nil
}

// lost tells the errors of a transaction that was undone since another was faster:
// a serialisation failure or a deadlock.
func lost(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// cut tells the errors of a connection that was lost, or not made.
func cut(err error) bool {
	var pg *pgconn.PgError
	var refused *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.As(err, &pg):
		return strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
	case errors.As(err, &refused), errors.As(err, &network):
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// now is the server's clock as far as it is known. It runs by the time that has
// passed here since it was last read, so setting this machine's clock does not
// move it.
func (e *postgres) now() time.Time {
	r := e.clock.Load()
	return r.server.Add(e.local().Sub(r.local))
}

// readClock takes the server's time to be that of the middle of the question.
func (e *postgres) readClock(ctx context.Context, query func(context.Context, *time.Time) error) error {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	var server time.Time
	before := e.local()
	if err := query(ctx, &server); err != nil {
		return err
	}
	e.clock.Store(&reading{server.UTC(), before.Add(e.local().Sub(before) / 2)})
	return nil
}

// listen hears of the other replicas' commits until ctx ends. While it cannot, the
// outbox's own looks are the net.
func (e *postgres) listen(ctx context.Context) {
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, listenCheck) {
		start := time.Now()
		err := e.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(start) > listenCheck {
			wait = time.Second
		}
		e.log.Warn("store: cannot listen to the other replicas, trying again", "error", err, "in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func (e *postgres) hear(ctx context.Context) error {
	connecting, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := pgx.ConnectConfig(connecting, e.config)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.Exec(connecting, "LISTEN "+channel); err != nil {
		return err
	}
	for {
		if err := e.readClock(ctx, func(ctx context.Context, t *time.Time) error {
			return conn.QueryRow(ctx, serverTime).Scan(t)
		}); err != nil {
			return err
		}
		signal(e.wake) // something may have been missed
		waiting, cancel := context.WithTimeout(ctx, listenCheck)
		for {
			n, err := conn.WaitForNotification(waiting)
			if err != nil {
				break
			}
			if n.Payload != e.name {
				signal(e.wake)
			}
		}
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Either it is time to look at the clock, or the connection is gone, which
		// looking at the clock finds out.
	}
}

func (e *postgres) ping(context.Context) error { return nil } // what can be read can be written

func (e *postgres) notify() { signal(e.others) }

// tell passes wake-ups on to the other replicas until ctx ends.
func (e *postgres) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.others:
		}
		if _, err := number(ctx, e.db, notifyOthers, channel, e.name); err != nil && ctx.Err() == nil {
			e.log.Debug("store: cannot notify the other replicas", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(notifyPause):
		}
	}
}

func (e *postgres) close() error {
	e.stop()
	e.running.Wait()
	return nil
}

// scrub leaves it to the server's own vacuum.
func (e *postgres) scrub(context.Context) error { return nil }
