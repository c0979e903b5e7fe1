//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"canteen/adapters/slack/slacktest"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
	"canteen/bot/store/pgtest"
	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

// The fault harness: real processes between people who send at least once and
// platforms that answer late, wrongly or not at all, while the processes and the
// database are killed. faults_test.go has the world and what is done to it,
// tally_test.go counts at the platforms what came of it.
//
// CANTEEN_FAULTS=long is the whole of it, as `make faults` runs it, and short what
// `make test` runs by itself, after the other tests; CANTEEN_SEED
// repeats a run.

// size is how much of it is run.
type size struct {
	questions, talks int
	during           time.Duration // over which the questions are asked
	kills            int           // of a process
	cuts             int           // of the database server, each way
	hangs            float64       // how many of the platforms' answers never come: each costs its conversation ten seconds
	patience         time.Duration // without any progress, before what is missing is lost
}

var (
	short = size{questions: 300, talks: 150, during: 8 * time.Second, kills: 2, cuts: 1, hangs: 0.003, patience: 45 * time.Second}
	whole = size{questions: 5000, talks: 550, during: 210 * time.Second, kills: 12, cuts: 3, hangs: 0.01, patience: 150 * time.Second}
)

func TestFaults(t *testing.T) {
	// It looks at the clock and starves processes, so it has the machine to itself.
	n := short
	switch os.Getenv("CANTEEN_FAULTS") {
	case "long":
		n = whole
	case "short":
	default:
		t.Skip("CANTEEN_FAULTS is neither short (make test) nor long (make faults)")
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		f := newFaults(t, n, filepath.Join(t.TempDir(), "canteen.db"), 1)
		f.run(nil)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		n := n
		if n == short {
			n.kills = 0 // what a dead replica was sending waits a minute for another
		}
		server := pgtest.New(t)
		f := newFaults(t, n, server.Database(t), 3)
		f.run(server)
	})
}

// What the folder is asked, found once: phrasings that it answers, and phrasings
// that it passes on.
var corpus = sync.OnceValues(func() (c struct {
	answered map[string]string // phrasing by title
	passed   []string
}, err error) {
	glance, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		return c, err
	}
	e, err := minilm.Load()
	if err != nil {
		return c, err
	}
	fitted, err := glance.Fit(context.Background(), knowledge.Fitting{Encoder: e})
	if err != nil {
		return c, err
	}
	sure := func(text string, ok func(bot.Thought) bool) bool {
		return ok(bot.Think(fitted, text, bot.DefaultPolicy))
	}
	c.answered = map[string]string{}
	for _, e := range glance.Entries() {
		for _, p := range e.Phrasings {
			switch {
			case e.Route == knowledge.Answered && c.answered[e.Title] == "" && !strings.ContainsAny(e.Title, "&<>*_`'\"") && len(c.answered) < 40 && sure(p, func(th bot.Thought) bool {
				d, ok := th.Decision.(bot.Answer)
				return ok && d.Entry.ID == e.ID
			}):
				c.answered[e.Title] = p
			case e.Route == knowledge.Comms && len(c.passed) < 12 && len(strings.Fields(p)) > 8 && sure(p+" zqaaaaaa", func(th bot.Thought) bool {
				d, ok := th.Decision.(bot.Escalate)
				return ok && d.Topic != nil && th.Found.Alarm < .1 // far from what waits for a press
			}):
				c.passed = append(c.passed, p)
			}
		}
	}
	if len(c.answered) < 20 || len(c.passed) < 3 {
		err = fmt.Errorf("%d answered and %d passed on are too few", len(c.answered), len(c.passed))
	}
	return c, err
})

// The ways in which people ask.
const (
	inDirect  = iota // Slack, a direct message
	inThread         // Slack, a mention: each in a thread of its own
	inShort          // Slack, the shortcut: for their eyes only
	inChat           // Teams, a private chat
	inChannel        // Teams, a mention: each in a thread of its own
)

// talk is one conversation with one person, who asks the next question when the
// one before is acknowledged.
type talk struct {
	way     int
	user    string // in Slack
	person  teamstest.Person
	channel string
	asked   []*asked
}

// asked is one question and what has to come of it.
type asked struct {
	talk  *talk
	where string // the place in which it is answered, for the tally
	text  string
	title string // of the entry that answers it, or
	token string // that stands in the text, when comms have to
	reply bool   // comms answer
	at    time.Duration
	acked atomic.Bool
	again atomic.Bool // asked again, so that the order says nothing
	done  atomic.Bool // comms' answer was acknowledged
}

// faults is the world.
type faults struct {
	t       testing.TB
	n       size
	seed    uint64
	slack   *slacktest.Slack
	teams   *teamstest.Fake
	hazards *hazards
	slackTo *httptest.Server // what the processes take for Slack
	teamsTo *httptest.Server
	client  *http.Client
	env     []string
	dir     string
	talks   []*talk
	boss    teamstest.Person

	mu        sync.Mutex
	rng       *rand.Rand
	processes []*instance

	sent, repeats, retries, unheard, kills, next atomic.Int64
}

// instance is one replica, over all its lives.
type instance struct {
	cmd   *exec.Cmd
	url   atomic.Pointer[string]
	lives int
}

const (
	commsSlack = "CCOMMS"
	bossSlack  = "UBOSS"
)

// newFaults makes the world and starts the replicas.
func newFaults(t *testing.T, n size, database string, replicas int) *faults {
	f := newWorld(t, database)
	f.n, f.hazards.hangs = n, n.hangs
	t.Logf("seed %d (CANTEEN_SEED)", f.seed)
	for len(f.processes) < replicas {
		f.processes = append(f.processes, &instance{})
	}
	var starting sync.WaitGroup
	for _, p := range f.processes {
		starting.Go(func() { f.launch(p) })
	}
	starting.Wait()
	t.Cleanup(func() {
		for _, p := range f.processes {
			f.kill(p)
		}
		if t.Failed() {
			f.logs()
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return f
}

// plainWorld is one in which nothing fails of itself.
func plainWorld(t testing.TB, database string) *faults {
	f := newWorld(t, database)
	f.hazards.calm.Store(true)
	return f
}

func newWorld(t testing.TB, database string) *faults {
	seed := uint64(time.Now().UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("CANTEEN_SEED"), 10, 64); err == nil {
		seed = s
	}
	f := &faults{t: t, seed: seed, processes: []*instance{{}}, rng: rand.New(rand.NewPCG(seed, 1)), dir: t.TempDir(), boss: teamstest.User("The Boss"),
		client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	f.slack, f.teams = slacktest.New(t), teamstest.New(t, f.boss)
	f.hazards = &hazards{rng: rand.New(rand.NewPCG(seed, 2)), told: map[string]func(){}}
	f.slackTo, f.teamsTo = f.hazards.before(t, strings.TrimSuffix(f.slack.URL, "/api/")), f.hazards.before(t, "http://"+f.teams.Host())
	f.slack.AddUser(bossSlack, "The Boss")
	f.slack.AddChannel(commsSlack, "comms", f.slack.BotUser, bossSlack)
	f.env = []string{
		"DATABASE_URL=" + database, "CANTEEN_PACE=1000",
		"SLACK_BOT_TOKEN=" + f.slack.BotToken, "SLACK_SIGNING_SECRET=" + f.slack.SigningSecret, "SLACK_COMMS_CHANNEL=" + commsSlack, "SLACK_API_URL=" + f.slackTo.URL + "/api/",
		"MICROSOFT_APP_ID=" + teamstest.AppID, "MICROSOFT_APP_PASSWORD=" + f.teams.Secret, "MICROSOFT_APP_TENANT_ID=" + teamstest.Tenant, "TEAMS_COMMS_CHANNEL=" + teamstest.Channel,
		"MICROSOFT_LOGIN_URL=" + f.teamsTo.URL + "/login", "BOT_OPENID_METADATA_URL=" + f.teamsTo.URL + "/metadata", "BOT_TOKEN_ISSUER=" + teamstest.Issuer,
		"BOT_SERVICE_HOSTS=" + strings.TrimPrefix(f.teamsTo.URL, "http://"),
	}
	return f
}

// launch starts a replica and returns when it listens.
func (f *faults) launch(p *instance) {
	exe, err := os.Executable()
	if err != nil {
		f.t.Error(err)
		return
	}
	f.mu.Lock()
	p.lives++
	name := filepath.Join(f.dir, fmt.Sprintf("%p-%03d.log", p, p.lives))
	f.mu.Unlock()
	log, err := os.Create(name)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		f.t.Error(err)
		return
	}
	defer out.Close()
	p.cmd = exec.Command(exe, "serve", "--listen", "127.0.0.1:0")
	p.cmd.Dir, p.cmd.Stderr, p.cmd.Stdout = f.dir, log, in
	p.cmd.Env = append([]string{asMain + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + f.dir}, f.env...)
	err = p.cmd.Start()
	in.Close()
	if err != nil {
		f.t.Error(err)
		return
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		f.t.Errorf("a replica ended before it listened: %q", line)
		return
	}
	p.url.Store(&url)
}

// kill is kill -9.
func (f *faults) kill(p *instance) {
	p.url.Store(nil)
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// logs shows what the replicas had to say, without what the harness does itself.
func (f *faults) logs() {
	names, _ := filepath.Glob(filepath.Join(f.dir, "*.log"))
	said := map[string]int{}
	for _, name := range names {
		data, _ := os.ReadFile(name)
		for line := range strings.Lines(string(data)) {
			if _, rest, ok := strings.Cut(line, " level="); ok && !strings.HasPrefix(rest, "INFO") {
				rest, _, _ = strings.Cut(rest, " delivery=")
				said[strings.TrimSpace(rest)]++
			} else if !ok {
				said[strings.TrimSpace(line)]++
			}
		}
	}
	lines := []string{}
	for line, n := range said {
		lines = append(lines, fmt.Sprintf("%5d  %s", n, line))
	}
	slices.Sort(lines)
	f.t.Logf("the replicas said:\n%s", strings.Join(lines[max(0, len(lines)-80):], "\n"))
}

func (f *faults) chance(p float64) bool { f.mu.Lock(); defer f.mu.Unlock(); return f.rng.Float64() < p }
func (f *faults) intN(n int) int        { f.mu.Lock(); defer f.mu.Unlock(); return f.rng.IntN(n) }

// hazards are what the platforms do beside their work.
type hazards struct {
	calm  atomic.Bool
	hangs float64
	mu    sync.Mutex
	rng   *rand.Rand
	told  map[string]func() // by response URL: what somebody does who is told to try again
	// heard, when set before use, is told of every request that is passed on.
	heard func(path string, body []byte)

	limited, failed, hung, cut atomic.Int64
}

// before is a server that passes most requests on.
func (h *hazards) before(t testing.TB, target string) *httptest.Server {
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 128}
	pass := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }}
	quit := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := strings.CutPrefix(r.URL.Path, "/response/"); ok {
			h.mu.Lock()
			again := h.told[id]
			delete(h.told, id)
			h.mu.Unlock()
			if again != nil {
				go again()
			}
			return
		}
		h.mu.Lock()
		dice, done := h.rng.Float64(), h.rng.IntN(2) == 0
		h.mu.Unlock()
		if dice >= 0.07 || h.calm.Load() {
			if h.heard != nil {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				h.heard(r.URL.Path, body)
			}
			pass.ServeHTTP(w, r)
			return
		}
		if dice < 0.03 {
			h.limited.Add(1)
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		if done { // it is carried out, and only the answer is lost
			body, _ := io.ReadAll(r.Body)
			r2 := r.Clone(context.WithoutCancel(r.Context()))
			r2.Body = io.NopCloser(bytes.NewReader(body))
			pass.ServeHTTP(httptest.NewRecorder(), r2)
		} else {
			_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that the client is gone
		}
		switch {
		case dice < 0.05:
			h.failed.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		case dice < 0.05+h.hangs:
			h.hung.Add(1)
			select {
			case <-r.Context().Done():
			case <-quit:
			}
		default:
			h.cut.Add(1)
			if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = conn.Close()
			}
		}
	}))
	t.Cleanup(func() {
		close(quit)
		s.CloseClientConnections()
		s.Close()
		transport.CloseIdleConnections()
	})
	return s
}

// deliver sends a request until it is acknowledged, to one replica after the
// other, and one of ten once more after that. build makes it anew for each time.
func (f *faults) deliver(path string, build func() ([]byte, http.Header)) []byte {
	body, header := build()
	var answer []byte
	end := time.Now().Add(3 * time.Minute)
	for try := 0; ; try++ {
		if try > 0 {
			f.retries.Add(1)
			if time.Now().After(end) {
				f.unheard.Add(1)
				return nil
			}
			time.Sleep(time.Duration(100+f.intN(400)) * time.Millisecond)
			body, header = build()
		}
		status, data, err := f.once(path, body, header)
		if err == nil && status == http.StatusOK {
			answer = data
			break
		}
	}
	f.sent.Add(1)
	if f.chance(0.1) {
		f.repeats.Add(1)
		if f.chance(0.5) {
			body, header = build()
		}
		_, _, _ = f.once(path, body, header)
	}
	return answer
}

func (f *faults) once(path string, body []byte, header http.Header) (int, []byte, error) {
	p := f.processes[int(f.next.Add(1))%len(f.processes)]
	to := p.url.Load()
	if to == nil {
		return 0, nil, io.ErrClosedPipe
	}
	req, err := http.NewRequest(http.MethodPost, *to+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header.Clone()
	resp, err := f.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, data, err
}

// toSlack delivers a request of Slack's.
func (f *faults) toSlack(kind string, payload any) []byte {
	data, err := json.Marshal(payload)
	if err != nil {
		f.t.Error(err)
		return nil
	}
	body, contentType := slacktest.Encode(kind, data)
	return f.deliver("/slack/events", func() ([]byte, http.Header) {
		header := f.slack.Sign(body, time.Now())
		header.Set("Content-Type", contentType)
		return body, header
	})
}

// toTeams delivers an activity with a good token.
func (f *faults) toTeams(activity map[string]any) teamstest.Answer {
	activity["serviceUrl"] = f.teamsTo.URL + "/emea/"
	body, err := json.Marshal(activity)
	if err != nil {
		f.t.Error(err)
		return teamstest.Answer{}
	}
	data := f.deliver("/api/messages", func() ([]byte, http.Header) {
		claims := f.teams.Claims(time.Now())
		claims["serviceurl"] = f.teamsTo.URL + "/emea/"
		return body, http.Header{"Authorization": {"Bearer " + f.teams.Sign(claims)}, "Content-Type": {"application/json"}}
	})
	a := teamstest.Answer{Status: http.StatusOK}
	if len(data) > 0 && data[0] == '{' {
		_ = json.Unmarshal(data, &a.Body)
	}
	return a
}

// people makes the conversations and what is asked in each.
func (f *faults) people() {
	c, err := corpus()
	if err != nil {
		f.t.Fatal(err)
	}
	titles := slices.Sorted(func(yield func(string) bool) {
		for k := range c.answered {
			if !yield(k) {
				return
			}
		}
	})
	for i := range f.n.talks {
		x := &talk{way: []int{inDirect, inChat, inThread, inChannel, inDirect, inChat, inDirect, inChat, inThread, inShort}[i%10], person: teamstest.User(fmt.Sprintf("Nurse %d", i)), user: fmt.Sprintf("U%04d", i)}
		switch x.way {
		case inDirect, inThread, inShort:
			f.slack.AddUser(x.user, fmt.Sprintf("Nurse %d", i))
			x.channel = f.slack.Direct(x.user)
			if x.way != inDirect {
				x.channel = fmt.Sprintf("C%04d", i)
				f.slack.AddChannel(x.channel, fmt.Sprintf("ward-%d", i), f.slack.BotUser, x.user)
			}
		case inChat:
			x.channel = x.person.Chat()
		case inChannel:
			x.channel = fmt.Sprintf("19:ward-%d@thread.tacv2", i)
		}
		f.talks = append(f.talks, x)
	}
	for i := range f.n.questions {
		x := f.talks[i%len(f.talks)]
		q := &asked{talk: x, at: time.Duration(f.rng.Int64N(int64(f.n.during)))}
		if f.rng.IntN(100) < 15 && x.way != inShort {
			q.token = fmt.Sprintf("zq%s", letters(i))
			q.text = c.passed[f.rng.IntN(len(c.passed))] + " " + q.token
			q.reply = f.rng.IntN(2) == 0
		} else {
			for q.title == "" || slices.ContainsFunc(x.asked, func(o *asked) bool { return o.title == q.title }) {
				q.title = titles[f.rng.IntN(len(titles))]
			}
			q.text = c.answered[q.title]
		}
		x.asked = append(x.asked, q)
	}
	for _, x := range f.talks {
		slices.SortFunc(x.asked, func(a, b *asked) int { return int(a.at - b.at) })
		for i, q := range x.asked {
			switch x.way {
			case inThread:
				q.where = fmt.Sprintf("%s#%d.%06d", x.channel, time.Now().Unix(), 100_000+i)
			case inChannel:
				q.where = fmt.Sprintf("%s;messageid=%d", x.channel, 1_700_000_000_000+i)
			case inShort:
				q.where = x.channel + "!" + x.user
			default:
				q.where = x.channel
			}
		}
	}
}

// letters writes a number in six letters.
func letters(n int) string {
	var b [6]byte
	for i := range b {
		b[i] = "bcdfghjklmnprstvw"[n%17]
		n /= 17
	}
	return string(b[:])
}

// ask sends one question until it is acknowledged.
func (f *faults) ask(q *asked, i int) {
	x := q.talk
	ts := fmt.Sprintf("%d.%06d", time.Now().Unix(), 200_000+i)
	switch x.way {
	case inDirect:
		f.toSlack(slacktest.Event, f.slack.Wrap(map[string]any{"type": "message", "channel_type": "im", "user": x.user, "text": q.text, "ts": ts, "event_ts": ts, "channel": x.channel, "team": f.slack.TeamID}))
	case inThread:
		_, ts, _ = strings.Cut(q.where, "#")
		f.toSlack(slacktest.Event, f.slack.Wrap(map[string]any{"type": "app_mention", "user": x.user, "text": "<@" + f.slack.BotUser + "> " + q.text, "ts": ts, "event_ts": ts, "channel": x.channel, "team": f.slack.TeamID}))
	case inShort:
		id := fmt.Sprintf("%s-%d", x.user, i)
		f.hazards.mu.Lock()
		f.hazards.told[id] = func() { // Slack does not send it again: who is told so presses again
			q.again.Store(true)
			time.Sleep(time.Second)
			f.ask(q, i+1_000_000)
		}
		f.hazards.mu.Unlock()
		f.toSlack(slacktest.Interactive, map[string]any{"type": "message_action", "callback_id": "ask_canteen", "trigger_id": id, "action_ts": ts + id,
			"user": map[string]any{"id": x.user, "name": "nurse", "team_id": f.slack.TeamID}, "team": map[string]any{"id": f.slack.TeamID},
			"channel": map[string]any{"id": x.channel, "name": "ward"}, "message": map[string]any{"type": "message", "user": x.user, "ts": ts, "text": q.text},
			"response_url": f.slackTo.URL + "/response/" + id})
	case inChat:
		f.toTeams(f.teams.Say(x.person, q.text))
	case inChannel:
		f.toTeams(f.teams.Mention(x.person, q.where, q.text))
	}
	q.acked.Store(true)
}

// comms answers, from a platform's cards, what is to be answered.
func (f *faults) comms(ctx context.Context, inSlack bool) {
	var mine []*asked
	n := 0
	for _, x := range f.talks {
		for _, q := range x.asked {
			if q.reply {
				if n++; (n%2 == 0) == inSlack {
					mine = append(mine, q)
				}
			}
		}
	}
	for len(mine) > 0 && ctx.Err() == nil {
		cards := map[string]func(*asked) bool{}
		if inSlack {
			for _, m := range f.slack.Messages(commsSlack, bossSlack) {
				if token := tokens.FindString(m.Read()); token != "" {
					cards[token] = func(q *asked) bool { return f.answerInSlack(q, m) }
				}
			}
		} else {
			for _, m := range f.teams.Messages(teamstest.Channel) {
				if token := tokens.FindString(m.Text()); token != "" {
					cards[token] = func(q *asked) bool { return f.answerInTeams(q, m) }
				}
			}
		}
		mine = slices.DeleteFunc(mine, func(q *asked) bool {
			answer := cards[q.token]
			if answer == nil || ctx.Err() != nil || !answer(q) {
				return false
			}
			q.done.Store(true)
			return true
		})
		time.Sleep(300 * time.Millisecond)
	}
}

// words are comms' answer to a question.
func (q *asked) words() string { return "Ask your manager about " + q.token + " before you post it." }

func (f *faults) answerInSlack(q *asked, m slacktest.Message) bool {
	if f.chance(0.3) && slices.Contains(m.Buttons(), "Claim") {
		f.toSlack(slacktest.Interactive, f.slack.PressPayload(bossSlack, m, "Claim"))
	}
	if !slices.Contains(m.Buttons(), "Answer") {
		return false
	}
	ref := `"r":` + strings.TrimPrefix(references.FindString(m.Read()), "C-") + `}`
	f.toSlack(slacktest.Interactive, f.slack.PressPayload(bossSlack, m, "Answer"))
	for range 30 {
		for _, v := range slices.Backward(f.slack.Views(bossSlack)) {
			if strings.Contains(v.Metadata, ref) {
				var body struct {
					ResponseAction string `json:"response_action"`
				}
				// An error keeps the form open: it is sent again on the next round.
				return json.Unmarshal(f.toSlack(slacktest.Interactive, f.slack.SubmitPayload(bossSlack, v, map[string]string{"text": q.words()})), &body) != nil || body.ResponseAction != "errors"
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false // it did not open
}

func (f *faults) answerInTeams(q *asked, m teamstest.Message) bool {
	if f.chance(0.3) && teamstest.Button(m.Card(), "Claim") != nil {
		f.toTeams(f.teams.Press(f.t, f.boss, m, "Claim"))
	}
	if teamstest.Button(m.Card(), "Answer") == nil {
		return false
	}
	form := f.toTeams(f.teams.Press(f.t, f.boss, m, "Answer"))
	if teamstest.Button(form.Dialog(), "Send") == nil {
		return false
	}
	done := f.toTeams(f.teams.Fill(f.t, f.boss, m.Conversation, form, "Send", map[string]string{"text": q.words()}))
	return done.Dialog() == nil && done.Body["task"] == nil // a dialog that stays says what is wrong
}

// run asks, kills and counts.
func (f *faults) run(server *pgtest.Server) {
	f.hazards.calm.Store(true)
	for _, a := range f.teams.Install(f.boss, teamstest.Team) {
		f.toTeams(a)
	}
	f.toTeams(f.teams.Mention(f.boss, teamstest.Channel, "hello"))
	f.people()
	f.hazards.calm.Store(false)
	began := time.Now()
	var asking, answering sync.WaitGroup
	var number atomic.Int64
	for _, x := range f.talks {
		asking.Go(func() {
			for _, q := range x.asked {
				time.Sleep(time.Until(began.Add(q.at)))
				f.ask(q, int(number.Add(1)))
			}
		})
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	for _, in := range []bool{true, false} {
		answering.Go(func() { f.comms(ctx, in) })
	}

	// What is done to the processes and to the database, spread over the time.
	var harm []func()
	for range f.n.kills {
		harm = append(harm, func() {
			p := f.processes[f.intN(len(f.processes))]
			f.kill(p)
			f.kills.Add(1)
			f.launch(p)
		})
	}
	if server != nil {
		for range f.n.cuts {
			harm = append(harm, func() { server.Stop(); server.Start(f.t) },
				func() {
					server.Exec(f.t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'canteen'`)
				})
		}
	}
	f.rng.Shuffle(len(harm), func(i, j int) { harm[i], harm[j] = harm[j], harm[i] })
	for i, do := range harm {
		time.Sleep(time.Until(began.Add(f.n.during * time.Duration(2*i+1) / time.Duration(2*len(harm)))))
		time.Sleep(time.Duration(f.intN(500)) * time.Millisecond)
		do()
	}
	asking.Wait()
	asked := time.Since(began)

	last, since := tally{}, time.Now()
	for {
		now := f.count()
		if now.lost == 0 {
			time.Sleep(2 * time.Second) // for what comes twice
			break
		}
		if now.lost != last.lost || now.posts != last.posts {
			last, since = now, time.Now()
		}
		if time.Since(since) > f.n.patience {
			break
		}
		time.Sleep(time.Second)
	}
	cancel()
	answering.Wait()
	got := f.count()
	engine := "sqlite"
	if server != nil {
		engine = fmt.Sprintf("postgres, %d replicas", len(f.processes))
	}
	report := fmt.Sprintf("%s, seed %d: %d questions in %d conversations over %s, all there after %s\n"+
		"  %d for comms to answer, %d answered; requests acknowledged %d, repeated %d, sent again %d; platforms said 429 %d, 500 %d, hung %d, cut %d; kill -9 %d, database cut %d\n"+
		"  lost | wrong place | doubled where it can be read back | doubled for one person's eyes | doubled in Teams | out of order\n"+
		"  %4d | %11d | %33d | %29d | %16d | %d\n",
		engine, f.seed, f.n.questions, len(f.talks), asked.Round(time.Second), time.Since(began).Round(time.Second),
		got.passed, got.answered, f.sent.Load(), f.repeats.Load(), f.retries.Load(), f.hazards.limited.Load(), f.hazards.failed.Load(), f.hazards.hung.Load(), f.hazards.cut.Load(), f.kills.Load(), len(harm)-f.n.kills,
		got.lost, got.wrong, got.doubled, got.doubledAlone, got.doubledTeams, got.disorder)
	fmt.Fprint(os.Stdout, report)
	if n := f.unheard.Load(); n > 0 {
		f.t.Errorf("%d requests were never acknowledged", n)
	}
	if got.lost+got.wrong+got.doubled+got.disorder > 0 {
		f.t.Errorf("%s%s", report, strings.Join(got.why[:min(40, len(got.why))], "\n"))
	}
	for _, r := range f.slack.Refusals() {
		if !strings.HasSuffix(r, "expired_trigger_id") { // a form is opened twice where another replica gets the repeat
			f.t.Errorf("Slack refused %s", r)
		}
	}
}
