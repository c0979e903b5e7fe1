package store

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"canteen/bot"
)

// An export is a folder with one file a table, a JSON object a row, and the parts
// that people read as CSV besides. manifest.json is written last: a folder without
// it is not whole.

// tables are all that is exported, with their columns, the key first. What the
// database makes of a document itself is left out: it makes it again.
var tables = []struct {
	name    string
	columns []string
}{
	{"inbound", []string{"key", "at", "reply"}},
	{"contact", []string{"person", "first_at", "quiet_until"}},
	{"question", []string{"id", "person", "place", "at", "data"}},
	{"escalation", []string{"ref", "version", "state", "urgent", "person", "nearest", "opened_at", "answered_at", "data"}},
	{"delivery", []string{
		"seq", "id", "adapter", "lane", "place", "only_to", "fallback", "post", "posted", "version", "private", "ref",
		"state", "due_at", "owner", "attempt", "unsure", "error", "created_at", "settled_at",
	}},
	{"tally", []string{"day", "decision", "entry", "what", "n"}},
	{"place", []string{"place", "at", "data"}},
}

// document tells the columns that hold JSON.
func document(column string) bool { return column == "data" || column == "post" || column == "reply" }

// manifest says what an export holds.
type manifest struct {
	Schema int64          `json:"schema"`
	At     time.Time      `json:"at"`
	Rows   map[string]int `json:"rows"`
}

const manifestName = "manifest.json"

// ErrNotEmpty says that there is something where an import, an export or a backup
// would go.
var ErrNotEmpty = errors.New("there is something already")

// Export writes all that the database at an address holds, as it was at one
// moment, into a new or empty folder that only its owner can read. The database
// may be in use. To move to another one, end every canteen serve first.
//
// Nobody who asked is named in the CSV files: they are made to be handed around.
func Export(ctx context.Context, address, dir string) error {
	db, snapshot, err := openToRead(address)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) > 0 {
		return fmt.Errorf("export to %s: %w", dir, cmp.Or(err, ErrNotEmpty))
	}
	tx, err := db.BeginTx(ctx, snapshot)
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	defer tx.Rollback()
	m := manifest{At: time.Now().UTC(), Rows: map[string]int{}}
	if m.Schema, err = number(ctx, tx, schemaVersion); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	for _, table := range tables {
		if m.Rows[table.name], err = exportTable(ctx, tx, dir, table.name, table.columns); err != nil {
			return fmt.Errorf("export %s: %w", table.name, err)
		}
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return create(filepath.Join(dir, manifestName), func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// openToRead opens a database beside whoever has it open: on SQLite without the
// lock, on PostgreSQL without a limit on how long a statement may take.
func openToRead(address string) (*sql.DB, *sql.TxOptions, error) {
	path, ok, err := sqlitePath(address)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		config, err := postgresConfig(address)
		if err != nil {
			return nil, nil, err
		}
		return stdlib.OpenDB(*config), (*postgres)(nil).snapshot(), nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, nil, fmt.Errorf("database: %w", err)
	}
	db, err := sql.Open("sqlite", fileURL(path, "mode=ro&_pragma=busy_timeout(5000)"))
	return db, (*sqlite)(nil).snapshot(), err
}

// create writes a file that only its owner can read, down to the disk.
func create(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

type row map[string]json.RawMessage

func exportTable(ctx context.Context, tx *sql.Tx, dir, table string, columns []string) (n int, err error) {
	var sheets []*sheet
	for _, s := range sheetsOf[table] {
		sheets = append(sheets, &s)
	}
	err = create(filepath.Join(dir, table+".jsonl"), func(w io.Writer) error {
		for _, s := range sheets {
			if err := s.open(dir); err != nil {
				return err
			}
		}
		rows, err := tx.QueryContext(ctx, `SELECT `+strings.Join(columns, ", ")+` FROM `+table+` ORDER BY `+columns[0])
		if err != nil {
			return err
		}
		defer rows.Close()
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		for ; rows.Next(); n++ {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			r := row{}
			for i, column := range columns {
				text, ok := values[i].(string)
				if ok && document(column) {
					r[column] = json.RawMessage(text)
				} else if r[column], err = json.Marshal(values[i]); err != nil {
					return err
				}
			}
			line, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("%s: %w", r[columns[0]], err)
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
			for _, s := range sheets {
				if err := s.add(r); err != nil {
					return err
				}
			}
		}
		return rows.Err()
	})
	for _, s := range sheets {
		err = errors.Join(err, s.close())
	}
	return n, err
}

// sheet is a CSV file made of a table.
type sheet struct {
	name string
	head []string
	rows func(row) ([][]string, error)
	file *os.File
	out  *csv.Writer
}

var sheetsOf = map[string][]sheet{
	"escalation": {
		{name: "escalations.csv", head: []string{"reference", "state", "urgent", "topic", "question", "additions", "answer", "entry", "answered by", "opened", "claimed", "answered", "closed"},
			rows: of(func(e bot.Escalation) [][]string {
				return [][]string{{e.Ref.String(), string(e.State), strconv.FormatBool(e.Urgent), e.Topic, e.Text, strings.Join(e.Additions, "\n"), e.Answer, e.Entry, e.AnsweredBy.Name,
					stamp(e.OpenedAt), stamp(e.ClaimedAt), stamp(e.AnsweredAt), stamp(e.ClosedAt)}}
			})},
		{name: "history.csv", head: []string{"reference", "at", "what", "by comms", "text"},
			rows: of(func(e bot.Escalation) (out [][]string) {
				for _, ev := range e.History {
					by := ev.By.Name
					if ev.By.ID == e.Asker.ID {
						by = ""
					}
					out = append(out, []string{e.Ref.String(), stamp(ev.At), string(ev.What), by, ev.Text})
				}
				return out
			})},
	},
	"question": {
		{name: "questions.csv", head: []string{"at", "question", "decision", "entry", "feedback", "reference"},
			rows: of(func(q bot.Question) [][]string {
				ref := ""
				if q.Ref != 0 {
					ref = q.Ref.String()
				}
				return [][]string{{stamp(q.At), q.Text, string(q.Decision), q.Entry, string(q.Feedback), ref}}
			})},
	},
	"tally": {
		{name: "counts.csv", head: []string{"day", "decision", "entry", "what", "times"},
			rows: func(r row) ([][]string, error) {
				var out []string
				for _, column := range []string{"day", "decision", "entry", "what"} {
					var text string
					if err := json.Unmarshal(r[column], &text); err != nil {
						return nil, err
					}
					out = append(out, text)
				}
				return [][]string{append(out, string(r["n"]))}, nil
			}},
	},
}

// of makes the rows of a sheet from the document of a table's row.
func of[T any](rows func(T) [][]string) func(row) ([][]string, error) {
	return func(r row) ([][]string, error) {
		var v T
		if err := json.Unmarshal(r["data"], &v); err != nil {
			return nil, err
		}
		return rows(v), nil
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (s *sheet) open(dir string) (err error) {
	if s.file, err = os.OpenFile(filepath.Join(dir, s.name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	s.out = csv.NewWriter(s.file)
	return s.out.Write(s.head)
}

func (s *sheet) add(r row) error {
	rows, err := s.rows(r)
	for _, cells := range rows {
		for i := range cells {
			cells[i] = harmless(cells[i])
		}
		err = errors.Join(err, s.out.Write(cells))
	}
	return err
}

// harmless keeps a spreadsheet from taking a cell for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func (s *sheet) close() error {
	if s.file == nil {
		return nil
	}
	s.out.Flush()
	return errors.Join(s.out.Error(), s.file.Close())
}

// Import reads an export into an empty database that nothing else has open, all of
// it or nothing. Numbers go on where the exported ones end, and what was leased
// falls due when its lease ends, as after a crash.
func Import(ctx context.Context, address, dir string, o Options) (err error) {
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return fmt.Errorf("import: %s is not a whole export: %w", dir, err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("import: %s: %w", manifestName, err)
	}
	s, err := Open(ctx, address, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, importTime)
	defer cancel()
	return s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		schema, err := number(ctx, tx, schemaVersion)
		if err != nil {
			return err
		}
		if schema != m.Schema {
			return fmt.Errorf("import: %s was written by another version of Canteen (schema %d, here %d): use that one, then upgrade", dir, m.Schema, schema)
		}
		for _, table := range tables {
			if n, err := number(ctx, tx, `SELECT COUNT(*) FROM `+table.name); err != nil || n > 0 {
				return fmt.Errorf("import into the table %s: %w", table.name, cmp.Or(err, ErrNotEmpty))
			}
		}
		for _, table := range tables {
			n, err := importTable(ctx, tx, dir, table.name, table.columns)
			if err != nil {
				return fmt.Errorf("import: %s.jsonl:%d: %w", table.name, n+1, err)
			}
			if n != m.Rows[table.name] {
				return fmt.Errorf("import: %s.jsonl has %d rows, not the %d of %s", table.name, n, m.Rows[table.name], manifestName)
			}
		}
		return s.engine.renumber(ctx, tx)
	})
}

// importTime is how long an import may take altogether.
const importTime = time.Hour

func importTable(ctx context.Context, tx *sql.Tx, dir, table string, columns []string) (n int, err error) {
	f, err := os.Open(filepath.Join(dir, table+".jsonl"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	marks := make([]string, len(columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`)
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	dec := json.NewDecoder(bufio.NewReader(f))
	for ; ; n++ {
		var r row
		if err := dec.Decode(&r); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
		values := make([]any, len(columns))
		for i, column := range columns {
			raw, ok := r[column]
			if !ok {
				return n, fmt.Errorf("no %s", column)
			}
			if values[i], err = value(column, raw); err != nil {
				return n, fmt.Errorf("%s: %w", column, err)
			}
			delete(r, column)
		}
		for column := range r {
			return n, fmt.Errorf("unknown column %q", column)
		}
		if _, err := insert.ExecContext(ctx, values...); err != nil {
			return n, err
		}
	}
}

// value reads what exportTable wrote of a column.
func value(column string, raw json.RawMessage) (any, error) {
	if document(column) {
		return string(raw), nil
	}
	if bytes.HasPrefix(raw, []byte(`"`)) {
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	}
	return strconv.ParseInt(string(raw), 10, 64)
}

// Backup copies an SQLite database, as it was at one moment, to a file that is
// there whole or not at all. The database may be in use.
//
// To restore one, end canteen serve, put the copy in the place of the database,
// and remove the two files beside it whose names end in -wal and -shm. It then is
// as it was: what was asked and answered since is unknown to it. Messages that
// platforms got since are still there, pressing them says that they are unknown,
// and reference numbers given out since are given out again.
func Backup(ctx context.Context, address, file string) (err error) {
	if _, ok, err := sqlitePath(address); err != nil {
		return err
	} else if !ok {
		return errors.New("backup: this is for SQLite; use pg_dump, or canteen export")
	}
	db, _, err := openToRead(address)
	if err != nil {
		return err
	}
	defer db.Close()
	if file, err = filepath.Abs(file); err != nil {
		return err
	}
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("backup to %s: %w", file, cmp.Or(err, ErrNotEmpty))
	}
	// In a folder of its own nobody else can read it while it grows.
	dir, err := os.MkdirTemp(filepath.Dir(file), ".canteen-backup-")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer os.RemoveAll(dir)
	part := filepath.Join(dir, "part")
	if _, err := db.ExecContext(ctx, `VACUUM INTO $1`, part); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Chmod(part, 0o600); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := raise(ctx, part); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	// A link, unlike a rename, never takes the place of another file.
	for _, step := range []func() error{func() error { return flush(part) }, func() error { return os.Link(part, file) }, func() error { return flush(filepath.Dir(file)) }} {
		if err := step(); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return nil
}

// raise lets the numbers of a backup begin higher than those that may have been
// given since it was made: people and cards name questions by them.
func raise(ctx context.Context, file string) error {
	db, err := sql.Open("sqlite", fileURL(file, ""))
	if err != nil {
		return err
	}
	last, err := number(ctx, db, lastRef)
	if err == nil {
		_, err = db.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, last+since))
	}
	return errors.Join(err, db.Close())
}

// since is how many numbers are left out for what came after a backup.
const since = 1000

// flush brings a file or a folder to the disk.
func flush(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
