package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"canteen/bot"
)

func TestSQLite(t *testing.T) {
	suite(t, func(t *testing.T) string { return filepath.Join(t.TempDir(), "canteen.db") })
}

// This test program is another process when these are set: it opens a database,
// copies it, or commits to it without end, and says how that went.
const (
	openIn   = "CANTEEN_TEST_OPEN"
	backupTo = "CANTEEN_TEST_BACKUP"
	endless  = "CANTEEN_TEST_ENDLESS"
)

func TestMain(m *testing.M) {
	path := os.Getenv(openIn)
	if path == "" {
		os.Exit(m.Run())
	}
	if file := os.Getenv(backupTo); file != "" {
		fmt.Println(Backup(context.Background(), path, file))
		return
	}
	s, err := OpenSQLite(context.Background(), path, Options{})
	fmt.Println(err)
	if err != nil {
		return
	}
	defer s.Close()
	if os.Getenv(endless) == "" {
		return
	}
	for caller := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprint(os.Getpid(), "-", caller, "-", i)
				if _, err := s.Commit(context.Background(), usual(key, 0)); err == nil {
					fmt.Println(key + "-0")
				}
			}
		}()
	}
	select {}
}

func elsewhere(t *testing.T, path, backup string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), openIn+"="+path, backupTo+"="+backup)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestSecondProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, path)
	if got := elsewhere(t, path, ""); !strings.HasSuffix(got, ErrLocked.Error()) {
		t.Errorf("another process: %s", got)
	}
	if _, err := OpenSQLite(t.Context(), path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("this process: %v", err)
	}
	w.escalate("slack:ann", "a/b")
	file := path + ".backup"
	if got := elsewhere(t, path, file); got != "<nil>" {
		t.Errorf("its backup: %s", got)
	}
	if _, err := newWorld(t, file).Escalation(t.Context(), 1); err != nil {
		t.Errorf("in the backup: %v", err)
	}
	w.ok(w.Close())
	if got := elsewhere(t, path, ""); got != "<nil>" {
		t.Errorf("after closing: %s", got)
	}
}

// What was confirmed before a kill -9 is there after it, whole.
func TestKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	confirmed := 0
	for range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), openIn+"="+path, endless+"=1")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var keys []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if keys = append(keys, lines.Text()); len(keys) == 100 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		if len(keys) < 100 || keys[0] != "<nil>" {
			t.Fatalf("the other process said %v", keys)
		}
		w := newWorld(t, path)
		for _, key := range keys[1:] {
			k := w.load(bot.Ask{Keys: []string{key}, Person: "x"})
			q := w.load(bot.Ask{Question: bot.QuestionID(key)})
			if !k.Seen || q.Question == nil {
				t.Errorf("%s was confirmed and is gone", key)
			}
		}
		confirmed += len(keys) - 1
		n, err := number(t.Context(), w.db, `SELECT COUNT(*) FROM inbound WHERE key NOT IN (SELECT id FROM question) OR key NOT IN (SELECT id FROM delivery)`)
		w.ok(err)
		equal(w, "half turns", n, 0)
		w.ok(w.Close())
	}
	t.Logf("%d confirmed", confirmed)
}

func TestNumbersGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, path)
	e := w.escalate("slack:ann", "a/b")
	w.ok(w.Close())
	w = newWorld(t, path)
	ref, err := w.NextRef(t.Context())
	w.ok(err)
	equal(w, "next", ref, e.Ref+1)
}

// What a killed process was sending is leased by the next one as soon as the last
// of its requests must have arrived.
func TestLeasesEndWithTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, path)
	w.send("d1", "slack:D1", "")
	w.leases("d1")
	w.ok(w.Close())
	w = newWorld(t, path)
	w.leases()
	w.clock.advance(leftTime + time.Second)
	d := w.leases("d1")[0]
	equal(w, "nobody knows", []any{d.Unsure, d.Attempt}, []any{true, 2})
}

func TestFilesAreTheOwners(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	fill(newWorld(t, path))
	for _, end := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + end)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", end, info, err)
		}
	}
}

// disk gives a folder on a file system of its own, of so many bytes.
func disk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// full fills a store until it refuses, checks that it says why and that nothing
// that it confirmed is missing, makes room and checks that it works again.
func full(w *world, room func()) {
	w.t.Helper()
	big := strings.Repeat("x", 50_000)
	kept := 0
	var err error
	for ; kept < 1000; kept++ {
		if _, err = w.Commit(w.t.Context(), bot.Turn{Keys: []string{fmt.Sprint("big", kept)}, At: w.clock.now(), Reply: bot.Reply{Notice: big}}); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "full") {
		w.t.Fatalf("after %d: %v", kept, err)
	}
	w.t.Logf("after %d: %v", kept, err)
	// Down to the last page: then it is not ready.
	for i := 0; err != nil && i < 1000; i++ {
		if _, err := w.Commit(w.t.Context(), bot.Turn{Keys: []string{fmt.Sprint("small", i)}, At: w.clock.now(), Reply: bot.Reply{Notice: big[:2000]}}); err != nil {
			break
		}
	}
	if err := w.Ping(w.t.Context()); err == nil {
		w.t.Error("ready, although it takes no writes")
	}
	// Repeats that come while it is full are not taken for seen.
	release := w.hold()
	done := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := w.Commit(w.t.Context(), bot.Turn{Keys: []string{"twice"}, At: w.clock.now(), Reply: bot.Reply{Notice: big}})
			done <- err
		}()
	}
	release()
	for range 2 {
		if err := <-done; err == nil {
			w.t.Error("confirmed what is not there")
		}
	}
	if k := w.load(bot.Ask{Keys: []string{"twice"}}); k.Seen {
		w.t.Error("seen what was not committed")
	}
	for i := range kept {
		if !w.load(bot.Ask{Keys: []string{fmt.Sprint("big", i)}}).Seen {
			w.t.Errorf("%d is missing", i)
		}
	}
	room()
	w.ok(w.Ping(w.t.Context()))
	w.commit(bot.Turn{Keys: []string{"room"}, Reply: bot.Reply{Notice: big}})
}

func TestFullDisk(t *testing.T) {
	dir := disk(t, 2<<20)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 500_000), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "canteen.db")
	w := newWorld(t, path)
	full(w, func() { w.ok(os.Remove(filler)) })
	err := Backup(t.Context(), path, filepath.Join(dir, "backup"))
	if err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("backup: %v", err)
	}
	if list, _ := filepath.Glob(filepath.Join(dir, "*backup*")); list != nil {
		t.Errorf("left behind: %v", list)
	}
}

func TestNoMorePages(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "canteen.db"))
	limit := func(pages int) {
		_, err := w.engine.(*sqlite).writer.Exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages))
		w.ok(err)
	}
	limit(200)
	full(w, func() { limit(100_000) })
}

func TestReadOnlyFolder(t *testing.T) {
	var dir string
	if os.Geteuid() == 0 {
		dir = disk(t, 2<<20)
	} else {
		dir = t.TempDir()
	}
	path := filepath.Join(dir, "canteen.db")
	w := newWorld(t, path)
	fill(w)
	w.ok(w.Close())
	readOnly := func() error { return os.Chmod(dir, 0o500) }
	if os.Geteuid() == 0 { // whom modes do not stop
		readOnly = func() error { return syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "") }
	}
	w.ok(readOnly())
	for _, name := range []string{"canteen.db", "new.db"} {
		_, err := OpenSQLite(t.Context(), filepath.Join(dir, name), Options{})
		if err == nil || !strings.Contains(err.Error(), "cannot be written") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenSQLite(t.Context(), filepath.Join(dir, "no", "x.db"), Options{}); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("no folder: %v", err)
	}
}

// A log that lost its end, as a disk may leave it that was not told the truth:
// the database opens as it was after an earlier commit, and whole.
func TestTruncatedLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, path)
	fill(w)
	const n = 50
	for i := range n {
		w.commit(bot.Turn{Keys: []string{fmt.Sprint("turn", i)}, Questions: []bot.Question{{ID: bot.QuestionID(fmt.Sprint("turn", i)), At: w.clock.now()}}})
	}
	db, err := os.ReadFile(path)
	w.ok(err)
	wal, err := os.ReadFile(path + "-wal")
	w.ok(err)
	for _, part := range []float64{0, 0.3, 0.7, 0.999} {
		path := filepath.Join(t.TempDir(), "canteen.db")
		w.ok(os.WriteFile(path, db, 0o600))
		w.ok(os.WriteFile(path+"-wal", wal[:int(part*float64(len(wal)))], 0o600))
		cut := newWorld(t, path)
		last := -1
		for i := range n {
			k := cut.load(bot.Ask{Keys: []string{fmt.Sprint("turn", i)}})
			q := cut.load(bot.Ask{Question: bot.QuestionID(fmt.Sprint("turn", i))})
			if k.Seen != (q.Question != nil) {
				t.Errorf("%v: half of turn %d", part, i)
			}
			if k.Seen && last != i-1 {
				t.Errorf("%v: turn %d without the one before", part, i)
			}
			if k.Seen {
				last = i
			}
		}
		t.Logf("%v of the log: %d of %d turns", part, last+1, n)
		cut.key = 100
		cut.commit(bot.Turn{})
	}
}

func TestDamagedFile(t *testing.T) {
	good := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, good)
	fill(w)
	w.ok(w.Close())
	data, err := os.ReadFile(good)
	w.ok(err)
	for name, spoil := range map[string]func([]byte) []byte{
		"not a database": func(b []byte) []byte { return []byte(strings.Repeat("a letter home\n", 1000)) },
		"a page of noise": func(b []byte) []byte {
			return append(append(b[:4096:4096], strings.Repeat("noise!", 4096)...), b[4096*7:]...)
		},
		"cut off": func(b []byte) []byte { return b[:len(b)/2] },
	} {
		path := filepath.Join(t.TempDir(), "canteen.db")
		w.ok(os.WriteFile(path, spoil(data), 0o600))
		_, err := OpenSQLite(t.Context(), path, Options{})
		if err == nil || !strings.Contains(err.Error(), "damaged") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Logf("%s: %v", name, err)
		}
		if err := Backup(t.Context(), path, path+".backup"); err == nil {
			t.Errorf("%s: backed up", name)
		}
		if err := Export(t.Context(), path, t.TempDir()); err == nil {
			t.Errorf("%s: exported", name)
		}
	}
}

// A writer that stands still is not piled up on without end.
func TestBusy(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "canteen.db"))
	release := w.hold()
	done := make(chan error, queued+1)
	for i := range queued + 1 {
		go func() {
			_, err := w.Commit(t.Context(), bot.Turn{Keys: []string{fmt.Sprint(i)}, At: w.clock.now()})
			done <- err
		}()
	}
	select {
	case err := <-done:
		w.is(err, bot.ErrBusy)
	case <-time.After(10 * time.Second):
		t.Error("nobody was told to come again")
	}
	release()
	for range queued {
		w.ok(<-done)
	}
}

// A backup that was put back gives no number that somebody may have read on
// something else, however often it is opened, and looks before it sends.
func TestPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "canteen.db")
	w := newWorld(t, path)
	fill(w)
	file := filepath.Join(t.TempDir(), "backup.db")
	w.ok(Backup(t.Context(), path, file))
	for range 2 {
		var log strings.Builder
		s, err := Open(t.Context(), file, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		w.ok(err)
		ref, err := s.NextRef(t.Context())
		w.ok(err)
		if ref <= since {
			t.Errorf("number %d", ref)
		}
		if strings.Count(log.String(), "backup that was put back") != 1 {
			t.Errorf("it says %q", log.String())
		}
		n, err := number(t.Context(), s.db, `SELECT COUNT(*) FROM delivery WHERE state = 'queued' AND posted = '' AND unsure = 0`)
		w.ok(err)
		if n != 0 {
			t.Errorf("%d would be sent unseen", n)
		}
		w.ok(s.Close())
	}
}
