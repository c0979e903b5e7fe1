//go:build unix

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"canteen/adapters/slack/slacktest"
	"canteen/adapters/teams/teamstest"
	"canteen/bot/store/pgtest"
)

// ward is one Canteen in Slack and Teams, without faults.
type ward struct {
	*faults
	t *testing.T
	p *process
}

func newWard(t *testing.T, database string) *ward {
	if testing.Short() {
		t.Skip("the race detector has its own tests of all that this goes through")
	}
	w := &ward{faults: plainWorld(t, database), t: t}
	w.start()
	return w
}

func (w *ward) start() {
	w.p = start(w.t, w.env)
	w.processes[0].url.Store(&w.p.url)
	w.slack.Events = w.p.url + "/slack/events"
}

// message is a direct message in Slack and its headers.
func (w *ward) message(user, text string, n int) ([]byte, http.Header) {
	w.slack.AddUser(user, "Nia Nurse")
	ts := fmt.Sprintf("%d.%06d", time.Now().Unix(), n)
	channel := w.slack.Direct(user)
	body, err := json.Marshal(w.slack.Wrap(map[string]any{"type": "message", "channel_type": "im", "user": user, "text": text, "ts": ts, "event_ts": ts, "channel": channel, "team": w.slack.TeamID}))
	if err != nil {
		w.t.Fatal(err)
	}
	header := w.slack.Sign(body, time.Now())
	header.Set("Content-Type", "application/json")
	return body, header
}

func (w *ward) post(body []byte, header http.Header) int {
	status, _, err := w.once("/slack/events", body, header)
	if err != nil {
		w.t.Error(err)
	}
	return status
}

// activity brings one to the bot, once.
func (w *ward) activity(a map[string]any) (int, string) {
	a["serviceUrl"] = w.teamsTo.URL + "/emea/"
	claims := w.teams.Claims(time.Now())
	claims["serviceurl"] = a["serviceUrl"]
	body, err := json.Marshal(a)
	if err != nil {
		w.t.Fatal(err)
	}
	status, answer, err := w.once("/api/messages", body, http.Header{"Authorization": {"Bearer " + w.teams.Sign(claims)}, "Content-Type": {"application/json"}})
	if err != nil {
		w.t.Error(err)
	}
	return status, string(answer)
}

func (w *ward) ready(want int) {
	w.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for {
		code, body := get(w.t, http.DefaultClient, w.p.url+"/readyz")
		if code == want {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("/readyz: %d, want %d: %s", code, want, body)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// log is what the process has said by now that has the words in it.
func (w *ward) log(words string) []string {
	w.t.Helper()
	data, err := os.ReadFile(w.p.log.Name())
	if err != nil {
		w.t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, words) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

const tweet = "can I tweet about work"

// While the store is away the platforms are asked to come again, people read a
// sentence, and what came again is answered when it is back.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	w := newWard(t, server.Database(t))
	w.ready(http.StatusOK)
	ann := teamstest.User("Ann")
	if code, _ := w.activity(w.teams.Say(ann, "hello")); code != http.StatusOK {
		t.Fatal(code)
	}
	server.Stop()
	w.ready(http.StatusServiceUnavailable)
	if code, _ := get(t, http.DefaultClient, w.p.url+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	body, header := w.message("U1", tweet, 1)
	if code := w.post(body, header); code != http.StatusInternalServerError {
		t.Errorf("an event: %d", code)
	}
	said := w.teams.Say(ann, tweet)
	if code, _ := w.activity(said); code != http.StatusInternalServerError {
		t.Errorf("an activity: %d", code)
	}
	w.slack.AddUser("U2", "Pat Porter")
	if ack := w.slack.Deliver(slacktest.CommandKind, w.slack.CommandPayload("U2", w.slack.Direct("U2"), tweet)); ack.Status != http.StatusOK || !strings.Contains(string(ack.Body), "not saved") {
		t.Errorf("a command: %d %s", ack.Status, ack.Body)
	}
	// Slack does not send a shortcut again: the person is told, by us or by Slack.
	told := make(chan struct{})
	w.hazards.mu.Lock()
	w.hazards.told["here"] = func() { close(told) }
	w.hazards.mu.Unlock()
	for _, x := range []struct {
		to   string
		want int
	}{{w.slackTo.URL + "/response/here", http.StatusOK}, {"http://127.0.0.1:1/", http.StatusInternalServerError}} {
		payload := map[string]any{"type": "message_action", "callback_id": "ask_canteen", "trigger_id": x.to, "action_ts": x.to, "response_url": x.to,
			"user": map[string]any{"id": "U2", "team_id": w.slack.TeamID}, "team": map[string]any{"id": w.slack.TeamID}, "channel": map[string]any{"id": "C1", "name": "ward"},
			"message": map[string]any{"type": "message", "user": "U1", "ts": "1.2", "text": tweet}}
		if ack := w.slack.Deliver(slacktest.Interactive, payload); ack.Status != x.want {
			t.Errorf("a shortcut with %s: %d", x.to, ack.Status)
		}
	}
	select {
	case <-told:
	case <-time.After(10 * time.Second):
		t.Error("who used the shortcut was not told")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.p.url+"/", strings.NewReader(url.Values{"text": {tweet}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if code, page := do(t, http.DefaultClient, req); code < 500 || !strings.Contains(page, "not saved") {
		t.Errorf("the chat page: %d %s", code, page)
	}
	server.Start(t)
	w.ready(http.StatusOK)
	for range 2 {
		if code := w.post(body, header); code != http.StatusOK {
			t.Errorf("the event again: %d", code)
		}
		if code, _ := w.activity(said); code != http.StatusOK {
			t.Errorf("the activity again: %d", code)
		}
	}
	w.slack.Await("the answer", func(m slacktest.Message) bool {
		return m.Channel == "DU1" && strings.Contains(m.Read(), "Source:")
	})
	w.teams.Await(t, ann.Chat(), "Source:")
	if lines := w.log("goroutine"); len(lines) > 0 {
		t.Errorf("the log has a stack in it: %s", lines[0])
	}
}

// A store that stands still holds nobody up beyond the platforms' own limits,
// however many come.
func TestStoreStandsStill(t *testing.T) {
	t.Parallel()
	server := pgtest.New(t)
	address := server.Database(t)
	w := newWard(t, address)
	w.ready(http.StatusOK)
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`LOCK TABLE inbound IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	const n = 400
	var crowd sync.WaitGroup
	var mu sync.Mutex
	var longest time.Duration
	codes := map[int]int{}
	for i := range n {
		body, header := w.message(fmt.Sprintf("U%d", i), tweet, i)
		crowd.Go(func() {
			began := time.Now()
			code := w.post(body, header)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
			longest = max(longest, time.Since(began))
		})
	}
	crowd.Wait()
	if codes[http.StatusInternalServerError] != n || longest > 10*time.Second {
		t.Errorf("%v after at most %s", codes, longest)
	}
	t.Logf("%d were told to come again within %s", n, longest)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	body, header := w.message("U1", tweet, 1)
	w.deliver("/slack/events", func() ([]byte, http.Header) { return body, header })
	w.slack.Await("the answer", func(m slacktest.Message) bool { return m.Channel == "DU1" })
}

// Who writes without end is told to slow down, and others are answered.
func TestSlowDown(t *testing.T) {
	t.Parallel()
	w := newWard(t, filepath.Join(t.TempDir(), "canteen.db"))
	ann := teamstest.User("Ann")
	for i := range 22 {
		body, header := w.message("U1", tweet, i)
		if code := w.post(body, header); code != http.StatusOK {
			t.Errorf("message %d: %d", i, code)
		}
		if code, _ := w.activity(w.teams.Say(ann, tweet)); code != http.StatusOK {
			t.Errorf("activity %d: %d", i, code)
		}
	}
	w.slack.Await("slow down", func(m slacktest.Message) bool {
		return m.Channel == "DU1" && strings.Contains(m.Read(), "wait a minute")
	})
	w.teams.Await(t, ann.Chat(), "wait a minute")
	body, header := w.message("U2", tweet, 1)
	if code := w.post(body, header); code != http.StatusOK {
		t.Errorf("somebody else: %d", code)
	}
	w.slack.Await("the answer", func(m slacktest.Message) bool { return m.Channel == "DU2" })
}

// A process that is told to end finishes what is under way in the time that it
// states, and what it cannot finish the next one does.
func TestDrain(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "canteen.db")
	w := newWard(t, db)
	w.slack.Fail("chat.postMessage", slacktest.Failure{Hang: true})
	body, header := w.message("U1", tweet, 1)
	if code := w.post(body, header); code != http.StatusOK {
		t.Fatal(code)
	}
	w.slack.AwaitCalls("chat.postMessage", 1)
	began := time.Now()
	if code := w.p.stop(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	if took := time.Since(began); took > drainTime+3*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Logf("drained in %s", took)
	}
	if len(w.log("draining")) != 1 {
		t.Error("the log does not say that it drains")
	}
	w.start()
	w.slack.Await("the answer", func(m slacktest.Message) bool { return m.Channel == "DU1" })
	if n := len(w.slack.Messages("DU1", "U1")); n != 1 {
		t.Errorf("%d answers", n)
	}
}

// small gives a folder on a file system of its own, of so many bytes.
func small(t *testing.T, size int) string {
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

// A full disk: it is not ready, nothing is acknowledged, and with room it goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := small(t, 4<<20)
	w := newWard(t, filepath.Join(dir, "canteen.db"))
	w.ready(http.StatusOK)
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); ; {
		if _, err := filler.Write(block); err != nil {
			break
		}
	}
	filler.Close()
	n, code := 0, http.StatusOK
	var body []byte
	var header http.Header
	for ; code == http.StatusOK && n < 500; n++ { // what room the log has is used up first
		body, header = w.message(fmt.Sprintf("U%d", n), tweet, n)
		code = w.post(body, header)
	}
	if code != http.StatusInternalServerError {
		t.Fatalf("after %d messages: %d", n, code)
	}
	w.ready(http.StatusServiceUnavailable)
	if lines := w.log("database or disk is full"); len(lines) == 0 {
		t.Error("the log does not say why")
	} else {
		t.Log(lines[0])
	}
	if err := os.Remove(filler.Name()); err != nil {
		t.Fatal(err)
	}
	w.ready(http.StatusOK)
	if code := w.post(body, header); code != http.StatusOK {
		t.Errorf("with room: %d", code)
	}
	w.slack.Await("the answer to the last", func(m slacktest.Message) bool { return m.Channel == fmt.Sprintf("DU%d", n-1) })
}

// serveOnce runs a serve that is to end by itself, and gives its code and words.
func serveOnce(t *testing.T, args ...string) (int, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Env = []string{asMain + "=1"}
	cmd.Dir = t.TempDir()
	out, _ := cmd.CombinedOutput() // the code says it
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(string(out))
}

// What cannot be worked with ends in exit 1 and one line that names the file.
func TestEndsInOneLine(t *testing.T) {
	t.Parallel()
	locked := small(t, 1<<20)
	if err := syscall.Mount("", locked, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("a letter home\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string]struct{ path, say string }{
		"a read-only folder":   {filepath.Join(locked, "canteen.db"), "cannot be written"},
		"no folder":            {filepath.Join(locked, "no", "canteen.db"), "is not there"},
		"what is no database":  {broken, "is damaged: put a backup in its place"},
		"a database elsewhere": {"postgres://canteen:secret@127.0.0.1:1/x?sslmode=disable", "connection refused"},
	} {
		code, out := serveOnce(t, "--database", x.path)
		if code != 1 || !strings.Contains(out, x.say) || strings.Contains(out, "\n") || strings.Contains(out, "secret") {
			t.Errorf("%s: exit %d: %s", what, code, out)
		} else {
			t.Logf("%s: %s", what, out)
		}
	}
}

// A log that lost its end after a kill: it starts as it was a little earlier. A
// backup that was put back: it says so, and its numbers go on where nobody has
// read them.
func TestPutBack(t *testing.T) {
	t.Parallel()
	const passedOn = "what are the rules on filming a tiktok dance in the staff room"
	dir := t.TempDir()
	db := filepath.Join(dir, "canteen.db")
	w := newWard(t, db)
	for i := range 5 {
		body, header := w.message(fmt.Sprintf("U%d", i), passedOn, i)
		if code := w.post(body, header); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(dir, "yesterday.db")
	cmd := exec.Command(exe, "backup", "--database", db, backup)
	cmd.Env, cmd.Dir = []string{asMain + "=1"}, t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("backup: %v: %s", err, out)
	}
	body, header := w.message("U9", passedOn, 9)
	if code := w.post(body, header); code != http.StatusOK {
		t.Fatal(code)
	}
	w.p.kill()
	wal, err := os.ReadFile(db + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(db+"-wal", wal[:len(wal)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.ready(http.StatusOK)
	if lines := w.log("level=ERROR"); len(lines) > 0 {
		t.Errorf("after a log that lost its end: %s", lines[0])
	}
	if code := w.post(body, header); code != http.StatusOK { // Slack sends again what it has no answer to
		t.Errorf("a message after it: %d", code)
	}
	w.p.stop(t)
	if err := os.Rename(backup, db); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.ready(http.StatusOK)
	if lines := w.log("backup that was put back"); len(lines) != 1 {
		t.Errorf("it says %q", lines)
	} else {
		t.Log(lines[0])
	}
	body, header = w.message("U7", passedOn, 7)
	if code := w.post(body, header); code != http.StatusOK {
		t.Errorf("a message after it: %d", code)
	}
	w.slack.Await("a new number", func(m slacktest.Message) bool {
		return m.Channel == "DU7" && strings.Contains(m.Read(), "C-1006")
	})
}
