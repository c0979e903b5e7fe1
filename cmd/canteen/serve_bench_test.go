//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// BenchmarkServe measures the real program: `make bench-serve`.
func BenchmarkServe(b *testing.B) {
	b.Run("acknowledge", acknowledge)
	b.Run("answer", answer)
	b.Run("idle", idle)
}

// acknowledge is a signed event until it is committed, on SQLite with synchronous
// FULL, and acknowledged: 200 a second of 1,000 people. bare-p99-ms is the same of a
// page that does nothing, in the same run, and disk-p99-ms that of a few bytes
// written and flushed meanwhile: what the machine adds.
func acknowledge(b *testing.B) {
	f := benchWorld(b, nil)
	bare := f.load(2*time.Second, 200, func(int) error {
		resp, err := f.client.Get(*f.processes[0].url.Load() + "/healthz")
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	})
	report(b, "bare-", bare)
	c, _ := corpus() // benchWorld has asked for it
	questions := slices.Collect(values(c.answered))
	disk := flushes(b)
	pid := f.processes[0].cmd.Process.Pid
	before := cpu(b, pid)
	took := f.load(10*time.Second, 200, func(i int) error {
		return f.event(fmt.Sprintf("U%03d", i%1000), questions[i%len(questions)], i)
	})
	report(b, "disk-", disk())
	report(b, "", took)
	b.ReportMetric(float64((cpu(b, pid)-before).Microseconds())/1000/float64(len(took)), "cpu-ms/event")
}

// answer is a signed event until its answer comes in at Slack's: 50 a second over
// 500 conversations.
func answer(b *testing.B) {
	var mu sync.Mutex
	asked, took := map[string][]time.Time{}, []time.Duration{}
	f := benchWorld(b, func(path string, body []byte) {
		if !strings.HasSuffix(path, "chat.postMessage") {
			return
		}
		form, _ := url.ParseQuery(string(body))
		mu.Lock()
		defer mu.Unlock()
		if list := asked[form.Get("channel")]; len(list) > 0 {
			took = append(took, time.Since(list[0]))
			asked[form.Get("channel")] = list[1:]
		}
	})
	c, _ := corpus()
	questions := slices.Collect(values(c.answered))
	const during, rate = 20 * time.Second, 50
	f.load(during, rate, func(i int) error {
		user := fmt.Sprintf("U%03d", i%500)
		mu.Lock()
		asked["D"+user] = append(asked["D"+user], time.Now())
		mu.Unlock()
		return f.event(user, questions[i%len(questions)], i)
	})
	want := int(during.Seconds() * rate)
	for range 200 {
		mu.Lock()
		n := len(took)
		mu.Unlock()
		if n == want {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(took) != want {
		b.Errorf("%d answers to %d questions", len(took), want)
	}
	report(b, "", took)
}

// idle is what the program as it is shipped takes while nobody asks.
func idle(b *testing.B) {
	exe := filepath.Join(b.TempDir(), "canteen")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", exe, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(exe)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(exe, "serve", "--listen", "127.0.0.1:0")
	cmd.Dir = b.TempDir()
	cmd.Env = []string{}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	quiet(b, cmd.Process.Pid)
	const during = 20 * time.Second
	before := cpu(b, cmd.Process.Pid)
	time.Sleep(during)
	b.ReportMetric(100*float64(cpu(b, cmd.Process.Pid)-before)/float64(during), "idle-cpu-%")
	b.ReportMetric(rss(b, cmd.Process.Pid), "rss-MB")
	b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
	b.ReportMetric(0, "ns/op")
}

func benchWorld(b *testing.B, heard func(string, []byte)) *faults {
	f := plainWorld(b, filepath.Join(b.TempDir(), "canteen.db"))
	f.hazards.heard = heard
	f.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 256
	if heard == nil { // nothing stands between
		f.env = append(f.env, "SLACK_API_URL="+f.slack.URL)
	}
	if _, err := corpus(); err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		f.slack.AddUser(fmt.Sprintf("U%03d", i), "Nia Nurse")
		f.slack.Direct(fmt.Sprintf("U%03d", i))
	}
	f.launch(f.processes[0])
	b.Cleanup(func() { f.kill(f.processes[0]) })
	if b.Failed() {
		b.FailNow()
	}
	quiet(b, f.processes[0].cmd.Process.Pid)
	return f
}

// event sends one question.
func (f *faults) event(user, text string, i int) error {
	ts := fmt.Sprintf("%d.%06d", time.Now().Unix(), i)
	body, err := json.Marshal(f.slack.Wrap(map[string]any{"type": "message", "channel_type": "im", "user": user, "text": text, "ts": ts, "event_ts": ts, "channel": "D" + user, "team": f.slack.TeamID}))
	if err != nil {
		return err
	}
	header := f.slack.Sign(body, time.Now())
	header.Set("Content-Type", "application/json")
	status, _, err := f.once("/slack/events", body, header)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	return err
}

// load does something so many times a second, whether the one before has come to
// its end or not, and gives how long each took from when it was due.
func (f *faults) load(during time.Duration, rate int, do func(i int) error) []time.Duration {
	n := int(during.Seconds() * float64(rate))
	took := make([]time.Duration, n)
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		due := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		all.Go(func() {
			if err := do(i); err != nil {
				f.t.Error(err)
			}
			took[i] = time.Since(due)
		})
	}
	all.Wait()
	return took
}

func report(b *testing.B, prefix string, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	for name, share := range map[string]int{"p50-ms": 50, "p99-ms": 99} {
		b.ReportMetric(float64(took[len(took)*share/100].Microseconds())/1000, prefix+name)
	}
	b.ReportMetric(0, "ns/op")
}

// flushes writes to a file and flushes it, again and again, until it is asked how
// long each took.
func flushes(b *testing.B) func() []time.Duration {
	file, err := os.Create(filepath.Join(b.TempDir(), "flushed"))
	if err != nil {
		b.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() {
		defer file.Close()
		var took []time.Duration
		for {
			select {
			case <-stop:
				done <- took
				return
			case <-time.After(10 * time.Millisecond):
			}
			began := time.Now()
			_, err := file.WriteString("some bytes")
			if err = errors.Join(err, file.Sync()); err != nil {
				b.Error(err)
			}
			took = append(took, time.Since(began))
		}
	}()
	return func() []time.Duration {
		close(stop)
		return <-done
	}
}

// quiet waits until a process has done what it does at its start.
func quiet(b *testing.B, pid int) {
	for range 90 {
		before := cpu(b, pid)
		time.Sleep(time.Second)
		if cpu(b, pid)-before <= 20*time.Millisecond {
			return
		}
	}
	b.Log("the process does not come to rest")
}

// cpu is the time that a process has had.
func cpu(b *testing.B, pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // of clock ticks, on Linux
}

func rss(b *testing.B, pid int) float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "VmRSS:")
	kB, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kB / 1000
}

func values(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}
