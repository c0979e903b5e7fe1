package store

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"canteen/bot"
	"canteen/bot/store/pgtest"
)

// fill leaves something of everything in a store.
func fill(w *world) {
	w.t.Helper()
	ctx := w.t.Context()
	const ann = "slack:ann"
	w.commit(bot.Turn{Keys: []string{"k1", "k2"}, Person: &bot.Contact{ID: ann, FirstAt: w.clock.now(), QuietUntil: w.clock.now()},
		Reply: bot.Reply{Notice: "Ümlaut <b> & \x00 \u2028"}, Tally: []bot.Tally{{Decision: bot.DecidedAnswer, Entry: "a/b"}, {Decision: bot.CountedFeedback, Entry: "a/b", What: bot.FeedbackHelped}}})
	w.question("q1", ann, "slack:D1")
	w.commit(bot.Turn{Questions: []bot.Question{{ID: "q2", Asker: bot.Person{ID: ann, Name: "Ann Other"}, Text: "=HYPERLINK(\"x\")", At: w.clock.now(), Feedback: bot.FeedbackHelped}}})
	e := w.escalate(ann, "a/b")
	e.Text, e.Asker.Name, e.Holder = "+44 is \"quoted\", and\nlong", "Ann Other", bot.Person{ID: "slack:c", Name: "Comms Person"}
	e.History = []bot.Step{{At: w.clock.now(), What: bot.EventOpened, By: e.Asker}, {At: w.clock.now(), What: bot.EventClaimed, By: e.Holder, Text: "@all"}}
	e = w.change(e, bot.Claimed)
	e.Answer, e.AnsweredBy = "-1 is fine", e.Holder
	w.change(e, bot.Answered)
	w.escalate("teams:bob", "c/d")
	w.ok(w.SavePlace(ctx, "teams:x", []byte(`{ "service": "https://a/<b>" }`)))
	w.send("d-sent", "slack:D1", "one")
	w.sent(w.leases("d-sent")...)
	w.update("d-sent", "two")
	w.settle(w.leases("d-sent")[0], bot.Settlement{Outcome: bot.Again, Due: w.clock.now().Add(time.Hour), Unsure: true, Error: "no answer"})
	w.send("d-parked", "slack:D2", "")
	w.settle(w.leases("d-parked")[0], bot.Settlement{Outcome: bot.Parked, Error: "gone"})
	w.commit(bot.Turn{Deliveries: []bot.Delivery{{ID: "d-leased", To: "slack:C1#5", Only: ann, Fallback: "slack:D1", Private: true, Post: bot.Post{Text: "steps"}, CreatedAt: w.clock.now()}}})
	w.leases("d-leased")
	w.send("d-waits", "slack:C1", "after it")
	w.send("d-web", "web:x", "")
}

// export exports a database and gives the files but the manifest.
func export(t *testing.T, address string) (dir string, files map[string]string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "out")
	if err := Export(t.Context(), address, dir); err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
		if f.Name() != manifestName {
			files[f.Name()] = string(data)
		}
	}
	return dir, files
}

func sqliteAddress(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "canteen.db") }

func TestMoveThereAndBack(t *testing.T) {
	server := pgtest.New(t)
	from := sqliteAddress(t)
	fill(newWorld(t, from)) // which stays open
	dir, first := export(t, from)
	if len(first) != len(tables)+4 {
		t.Errorf("%d files", len(first))
	}
	for _, address := range []string{server.Database(t), sqliteAddress(t)} {
		if err := Import(t.Context(), address, dir, Options{}); err != nil {
			t.Fatal(err)
		}
		var again map[string]string
		dir, again = export(t, address)
		for name, want := range first {
			if again[name] != want {
				t.Errorf("%s:\n got %s\nwant %s", name, again[name], want)
			}
		}
		if err := Import(t.Context(), address, dir, Options{}); err == nil || !strings.Contains(err.Error(), ErrNotEmpty.Error()) {
			t.Errorf("imported on top of what was there: %v", err)
		}
		w := newWorld(t, address)
		w.key = 100
		ref, err := w.NextRef(t.Context())
		w.ok(err)
		equal(w, "the next number", ref, 3)
		w.send("new", "slack:D9", "")
		w.sent(w.leases("new")...)
		w.clock.advance(2 * leased)
		d := w.leases("d-leased")[0]
		equal(w, "what was leased", []any{d.Unsure, d.Attempt, d.Private, d.Fallback}, []any{true, 2, true, bot.Place("slack:D1")})
		w.sent(d)
		w.sent(w.leases("d-waits")...)
		w.clock.advance(time.Hour)
		d = w.leases("d-sent")[0]
		equal(w, "an update", []any{d.Post.Text, d.PostedID, d.Unsure, d.Attempt}, []any{"two", "at-d-sent", true, 2})
		equal(w, "a key", w.load(bot.Ask{Keys: []string{"k2"}}).Reply.Notice, "Ümlaut <b> & \x00 \u2028")
		w.ok(w.Retry(t.Context(), "d-parked"))
	}
}

func TestSheets(t *testing.T) {
	address := sqliteAddress(t)
	fill(newWorld(t, address))
	_, files := export(t, address)
	for name, want := range map[string][]string{
		"questions.csv":   {",\"'=HYPERLINK(\"\"x\"\")\",", ",helped,"},
		"escalations.csv": {"C-1,answered,false,a/b,\"'+44 is \"\"quoted\"\", and\nlong\",,'-1 is fine,,Comms Person,"},
		"history.csv":     {",claimed,Comms Person,'@all", ",opened,,"},
		"counts.csv":      {",answer,a/b,,1\n", ",feedback,a/b,helped,1\n"},
	} {
		for _, part := range want {
			if !strings.Contains(files[name], part) {
				t.Errorf("%s has no %s:\n%s", name, part, files[name])
			}
		}
		if strings.Contains(files[name], "Ann") {
			t.Errorf("%s names who asked:\n%s", name, files[name])
		}
	}
	for cell, want := range map[string]string{"": "", "a=b": "a=b", "\tx": "'\tx", "\rx": "'\rx", "@x": "'@x", "'x": "'x"} {
		if got := harmless(cell); got != want {
			t.Errorf("harmless(%q) = %q", cell, got)
		}
	}
}

// What a migration adds has to be exported too, but what the database makes itself,
// which is not listed here.
func TestTablesAreWhole(t *testing.T) {
	w := newWorld(t, sqliteAddress(t))
	names, err := collect(t.Context(), w.db, scanText, `
		SELECT name
		FROM sqlite_master
		WHERE type = 'table'
			AND name NOT LIKE 'sqlite_%'
			AND name <> 'goose_db_version'
		ORDER BY name`)
	w.ok(err)
	var listed []string
	for _, table := range tables {
		listed = append(listed, table.name)
		columns, err := collect(t.Context(), w.db, scanText, `SELECT name FROM pragma_table_info($1)`, table.name)
		w.ok(err)
		equal(w, "columns of "+table.name, table.columns, columns)
	}
	slices.Sort(listed)
	equal(w, "tables", listed, names)
}

func TestImportOfWhatIsNotWhole(t *testing.T) {
	address := sqliteAddress(t)
	fill(newWorld(t, address))
	for name, spoil := range map[string]struct {
		file string
		do   func([]byte) []byte
		want string
	}{
		"no manifest":     {manifestName, func([]byte) []byte { return nil }, "not a whole export"},
		"no file":         {"place.jsonl", func([]byte) []byte { return nil }, "place.jsonl"},
		"cut off":         {"delivery.jsonl", func(b []byte) []byte { return b[:len(b)-20] }, "delivery.jsonl:5:"},
		"a row less":      {"question.jsonl", func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] }, "1 rows, not the 2"},
		"another column":  {"place.jsonl", func(b []byte) []byte { return bytes.Replace(b, []byte(`"at"`), []byte(`"at) --":1,"at"`), 1) }, "unknown column"},
		"a column less":   {"place.jsonl", func(b []byte) []byte { return bytes.Replace(b, []byte(`"at"`), []byte(`"at) --"`), 1) }, "no at"},
		"another version": {manifestName, func(b []byte) []byte { return bytes.Replace(b, []byte(`"schema": 2`), []byte(`"schema": 99`), 1) }, "another version of Canteen"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, _ := export(t, address)
			file := filepath.Join(dir, spoil.file)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			if data = spoil.do(data); data != nil {
				if err := os.WriteFile(file, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			to := sqliteAddress(t)
			if err := Import(t.Context(), to, dir, Options{}); err == nil || !strings.Contains(err.Error(), spoil.want) {
				t.Fatalf("error %v, want %s", err, spoil.want)
			}
			w := newWorld(t, to)
			n, err := number(t.Context(), w.db, `SELECT (SELECT COUNT(*) FROM inbound) + (SELECT COUNT(*) FROM escalation)`)
			w.ok(err)
			equal(w, "left behind", n, 0)
		})
	}
}

func TestExportRefuses(t *testing.T) {
	address := sqliteAddress(t)
	newWorld(t, address)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ from, to, want string }{
		{address, dir, ErrNotEmpty.Error()},
		{sqliteAddress(t), t.TempDir(), "no such file"},
		{"mysql://u:secret@h/d", t.TempDir(), "neither sqlite nor postgres"},
	} {
		if err := Export(t.Context(), x.from, x.to); err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s to %s: %v", x.from, x.to, err)
		}
	}
}

func TestBackup(t *testing.T) {
	address := sqliteAddress(t)
	w := newWorld(t, address)
	fill(w)
	// While turns go on being committed.
	ctx, cancel := context.WithCancel(t.Context())
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		for i := 0; ctx.Err() == nil; i++ {
			_, _ = w.Commit(ctx, bot.Turn{Keys: []string{"busy" + time.Now().String()}, At: w.clock.now()})
		}
	}()
	file := filepath.Join(t.TempDir(), "backup.db")
	err := Backup(t.Context(), address, file)
	cancel()
	<-busy
	w.ok(err)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := Backup(t.Context(), address, file); err == nil || !strings.Contains(err.Error(), ErrNotEmpty.Error()) {
		t.Errorf("a backup on top of another: %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left beside it: %v %v", left, err)
	}
	_, want := export(t, address)
	_, got := export(t, file)
	restored := newWorld(t, file)
	delete(want, "inbound.jsonl") // which went on growing
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s:\n got %s\nwant %s", name, got[name], want[name])
		}
	}
	ref, err := restored.NextRef(t.Context())
	restored.ok(err)
	equal(restored, "the next number", ref, 2+since+1)

	for to, want := range map[string]string{filepath.Join(t.TempDir(), "no", "folder"): "no such file", filepath.Join(t.TempDir(), "x"): "use pg_dump"} {
		from := address
		if want == "use pg_dump" {
			from = "postgres://u:secret@127.0.0.1/x"
		}
		if err := Backup(t.Context(), from, to); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// A backup of what no process has open, after a clean end and after a kill.
func TestBackupAtRest(t *testing.T) {
	clean := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, clean)
	fill(w)
	killed := filepath.Join(t.TempDir(), "canteen.db")
	for _, end := range []string{"", "-wal"} {
		data, err := os.ReadFile(clean + end)
		w.ok(err)
		w.ok(os.WriteFile(killed+end, data, 0o600))
	}
	w.ok(w.Close())
	for _, path := range []string{clean, killed} {
		file := filepath.Join(t.TempDir(), "backup.db")
		w.ok(Backup(t.Context(), path, file))
		e, err := newWorld(t, file).Escalation(t.Context(), 1)
		w.ok(err)
		equal(w, "answer", e.Answer, "-1 is fine")
		equal(w, "the database still opens", newWorld(t, path).Ping(t.Context()), nil)
	}
}

func TestManifest(t *testing.T) {
	address := sqliteAddress(t)
	fill(newWorld(t, address))
	dir, _ := export(t, address)
	data, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	if m.Schema != 2 || m.Rows["delivery"] != 5 || m.Rows["escalation"] != 2 || len(m.Rows) != len(tables) {
		t.Errorf("%+v", m)
	}
}
