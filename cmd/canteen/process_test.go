package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests run the real program: this test binary, as TestMain has it,
// under the name that asMain sets.
const asMain = "CANTEEN_TEST_MAIN"

// process is a canteen serve of its own.
type process struct {
	cmd  *exec.Cmd
	url  string
	desk string // its address
	log  *os.File
	out  io.Closer
}

// start runs `canteen serve` with the arguments and settings, and returns when it
// listens.
func start(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	return startIn(t, t.TempDir(), env, args...)
}

// startIn is start in a folder that is there already.
func startIn(t *testing.T, dir string, env []string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startProgram(t, exe, dir, env, args...)
}

// startProgram is startIn with another program.
func startProgram(t *testing.T, exe, dir string, env []string, args ...string) *process {
	t.Helper()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append([]string{asMain + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, log: log, out: out}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			data, err := os.ReadFile(log.Name())
			t.Logf("log of %s (%v):\n%s", p.url, err, data)
		}
		log.Close()
	})
	said := bufio.NewReader(out)
	line, err := said.ReadString('\n')
	if err != nil {
		t.Fatalf("canteen serve ended before it listened: %v", err)
	}
	if line, err := said.ReadString('\n'); err == nil { // a missing desk is missed by who looks for it
		p.desk, _ = strings.CutPrefix(strings.TrimSpace(line), "desk: ")
	}
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("canteen serve printed %q", line)
	}
	p.url = url
	return p
}

// kill is kill -9.
func (p *process) kill() {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
}

// stop is SIGTERM; it gives the exit code.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// get reads a page.
func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, client, req)
}

func do(t *testing.T, client *http.Client, req *http.Request) (int, string) {
	t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	dir := t.TempDir()
	p := startIn(t, dir, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 200, "/desk/": 404, "/slack/events": 404, "/api/messages": 404} {
		if code, body := get(t, http.DefaultClient, p.url+path); code != want {
			t.Errorf("GET %s: %d, want %d: %.200s", path, code, want, body)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	comms := &http.Client{Jar: jar}
	for _, url := range []string{p.desk, p.url + "/desk/"} {
		if code, body := get(t, comms, url); code != 200 || strings.Contains(body, "is not open") {
			t.Errorf("GET %s: %d", url, code)
		}
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM: exit %d", code)
	}
	_, key, _ := strings.Cut(p.desk, "?")
	if again := startIn(t, dir, nil); key == "" || !strings.HasSuffix(again.desk, "?"+key) {
		t.Errorf("after a restart the desk is at %s, and was at %s", again.desk, p.desk)
	}
	if info, err := os.Stat(filepath.Join(dir, "canteen.db-desk-key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the desk's key: %v, %v", info, err)
	}
}

// Off loopback there is no log-in yet, so only the entries that answers link to are
// there.
func TestServeElsewhere(t *testing.T) {
	p := start(t, nil, "--listen", "0.0.0.0:0")
	url := "http://127.0.0.1" + p.url[strings.LastIndexByte(p.url, ':'):]
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/desk/": 404, "/desk/form": 404, "/topics": 404, "/assets/canteen.css": 200, "/entry/twitter/staff-tweeting": 200, "/entry/lanes/media": 404} {
		if code, _ := get(t, http.DefaultClient, url+path); code != want {
			t.Errorf("GET %s: %d, want %d", path, code, want)
		}
	}
}

// A second canteen on the same database file is refused in words.
func TestServeTwice(t *testing.T) {
	db := filepath.Join(t.TempDir(), "canteen.db")
	start(t, nil, "--database", db)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "serve", "--listen", "127.0.0.1:0", "--database", db)
	cmd.Env = []string{asMain + "=1"}
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another canteen has this database open") {
		t.Errorf("second canteen: %v: %s", err, out)
	}
}
