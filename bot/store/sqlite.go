package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	sqlitedriver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"canteen/bot"
)

// sqlite writes from one goroutine over one connection: what arrives while a
// commit is on its way to the disk goes into the next one together.
type sqlite struct {
	writer *sql.DB
	file   *flock.Flock
	jobs   chan job
	stop   chan struct{} // closed to end the writer
	done   chan struct{} // closed when it has ended
	ref    atomic.Int64
	broken atomic.Bool // the last commit did not get to the disk
}

// queued is how many writes may wait; beyond that a caller is told to come again.
const queued = 1024

// together is how many writes share a commit at most, so that the first of them
// does not wait for long.
const together = 64

type job struct {
	ctx    context.Context
	fn     func(context.Context, *sql.Tx) error
	result chan error
}

// OpenSQLite opens the database file, makes it when it is missing, and keeps every
// other process out of it until Close: ErrLocked says that one is in.
func OpenSQLite(ctx context.Context, path string, o Options) (_ *Store, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("database %s: the folder %s is not there", path, filepath.Dir(path))
	}
	o = o.withDefaults()
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("database %s: its folder cannot be written: %w", path, err)
	}
	if !ok {
		return nil, fmt.Errorf("database %s: %w", path, ErrLocked)
	}
	e := &sqlite{file: lock, jobs: make(chan job, queued), stop: make(chan struct{}), done: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = lock.Unlock()
		}
	}()
	// Made here, so that nobody else on the machine can read it; SQLite gives the
	// files beside it the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("database %s cannot be written: %w", path, err)
	}
	pragmas := "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_pragma=foreign_keys(1)&_txlock=immediate"
	if e.writer, err = sql.Open("sqlite", fileURL(path, pragmas)); err != nil {
		return nil, err
	}
	e.writer.SetMaxOpenConns(1)
	db, err := sql.Open("sqlite", fileURL(path, "_pragma=busy_timeout(5000)&_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(err, e.writer.Close())
	}
	db.SetMaxOpenConns(readers)
	db.SetMaxIdleConns(readers)
	if err = e.prepare(ctx, o.Log, millis(o.Now().Add(leftTime))); err != nil {
		if bad := (*sqlitedriver.Error)(nil); errors.As(err, &bad) && (bad.Code()&0xff == sqlite3.SQLITE_CORRUPT || bad.Code() == sqlite3.SQLITE_NOTADB) {
			err = fmt.Errorf("the file is damaged: put a backup in its place: %w", err)
		}
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.Close(), e.writer.Close())
	}
	go e.run()
	return newStore(db, e, o.Now, o.Now, make(chan struct{}, 1)), nil
}

// readers is how many connections read at the same time.
const readers = 4

func fileURL(path, query string) string {
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query}).String()
}

// leftTime is how long what an earlier process left half sent stays as it is: for
// its last request to arrive, where the read-back finds it.
const leftTime = 3 * time.Second

func (e *sqlite) prepare(ctx context.Context, log *slog.Logger, left int64) error {
	var ok string
	if err := e.writer.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&ok); err != nil {
		return err
	}
	if ok != "ok" {
		return fmt.Errorf("the file is damaged: put a backup in its place: %s", strings.ReplaceAll(ok, "\n", " "))
	}
	if err := migrate(ctx, e.writer, goose.DialectSQLite3, migrations); err != nil {
		return err
	}
	if _, err := e.writer.ExecContext(ctx, endLeases, left); err != nil {
		return err
	}
	last, err := number(ctx, e.writer, lastRef)
	if err != nil {
		return err
	}
	floor, err := number(ctx, e.writer, `PRAGMA user_version`) // of a backup
	if last < floor {
		if _, err := e.writer.ExecContext(ctx, doubtQueued); err != nil {
			return err
		}
		log.Warn("store: this is a backup that was put back: what came after it was made is not in it, and new questions get numbers that nobody has seen", "from", bot.Ref(floor+1).String())
	}
	e.ref.Store(max(last, floor))
	return err
}

func (e *sqlite) lock() string { return "" }

func (e *sqlite) snapshot() *sql.TxOptions { return &sql.TxOptions{ReadOnly: true} }

func (e *sqlite) notify() {} // there are no others

// nextRef needs no write: no other process has the file.
func (e *sqlite) nextRef(context.Context) (int64, error) { return e.ref.Add(1), nil }

func (e *sqlite) renumber(ctx context.Context, tx *sql.Tx) error {
	last, err := number(ctx, tx, lastRef)
	e.ref.Store(max(last, e.ref.Load()))
	return err
}

func (e *sqlite) write(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	j := job{ctx, fn, make(chan error, 1)}
	select {
	case e.jobs <- j:
	case <-e.done:
		return ErrClosed
	default:
		return fmt.Errorf("store: %d writes wait: %w", queued, bot.ErrBusy)
	}
	// Once taken, a write is waited for to its end, since it may be committed
	// whoever still listens. The writer drops those whose context is over.
	select {
	case err := <-j.result:
		return err
	case <-e.done:
		select {
		case err := <-j.result: // it was in the last commit
			return err
		default:
			return ErrClosed
		}
	}
}

func (e *sqlite) run() {
	defer close(e.done)
	for {
		select {
		case <-e.stop:
			return
		case j := <-e.jobs:
			batch := []job{j}
		more:
			for len(batch) < together {
				select {
				case j := <-e.jobs:
					batch = append(batch, j)
				default:
					break more
				}
			}
			e.commit(batch)
		}
	}
}

// commit runs a batch in one transaction, each write in a savepoint of its own.
func (e *sqlite) commit(batch []job) {
	results := make([]error, len(batch))
	err := func() error {
		ctx := context.Background()
		tx, err := e.writer.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback()
		for i, j := range batch {
			if results[i] = j.ctx.Err(); results[i] != nil {
				continue
			}
			if _, err := tx.ExecContext(ctx, `SAVEPOINT turn`); err != nil {
				return err
			}
			// The connection is shared: a context that ends must not end it.
			results[i] = j.fn(context.WithoutCancel(j.ctx), tx)
			if results[i] != nil {
				// A full disk undoes more than the one write: there is nothing left to
				// go back to, and nothing to commit.
				if _, err := tx.ExecContext(ctx, `ROLLBACK TO turn`); err != nil {
					return fmt.Errorf("%w: %w", results[i], err)
				}
			}
			if _, err := tx.ExecContext(ctx, `RELEASE turn`); err != nil {
				return err
			}
		}
		return tx.Commit()
	}()
	e.broken.Store(err != nil || slices.ContainsFunc(results, ofDisk))
	for i, j := range batch {
		if err != nil {
			// What a write found may have been undone with the rest: that a key was
			// seen, above all. So nobody is told anything else.
			results[i] = fmt.Errorf("commit: %w", err)
		}
		j.result <- results[i]
	}
}

// ofDisk tells the errors of a disk that is full, broken or not to be written.
func ofDisk(err error) bool {
	var bad *sqlitedriver.Error
	if !errors.As(err, &bad) {
		return false
	}
	switch bad.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_CORRUPT:
		return true
	}
	return false
}

// ping tries a write after one that failed: a full disk can be read.
func (e *sqlite) ping(ctx context.Context) error {
	if !e.broken.Load() {
		return nil
	}
	room := "{}" + strings.Repeat(" ", 20_000)
	return e.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, tryWrite, room)
		return err
	})
}

func (e *sqlite) close() error {
	close(e.stop)
	<-e.done
	return errors.Join(e.writer.Close(), e.file.Unlock())
}

// scrub empties the write-ahead log; secure_delete has overwritten the rest.
func (e *sqlite) scrub(ctx context.Context) error {
	_, err := e.writer.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
	return err
}
