package teams_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
)

// written is a log that a test reads.
type written struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (l *written) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// take is what was written since.
func (l *written) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.out.Reset()
	return l.out.String()
}

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// gate is a world whose log and clock the test holds.
func gate(t *testing.T, change ...func(*teams.Config)) (*world, *written, *clock) {
	log, at := &written{}, &clock{at: time.Now()}
	w := newWorld(t, append([]func(*teams.Config){func(c *teams.Config) {
		c.Log, c.Now = slog.New(slog.NewTextHandler(log, nil)), at.now
	}}, change...)...)
	return w, log, at
}

// What is refused, by which status and for which reason. The connector's own tests have
// the whole table of tokens.
func TestRefusals(t *testing.T) {
	w, log, at := gate(t)
	signed := func(change func(jwt.MapClaims)) string {
		c := w.Claims(at.now())
		change(c)
		return "Bearer " + w.Sign(c)
	}
	good := signed(func(jwt.MapClaims) {})
	conversation := func(id string) func(map[string]any) {
		return func(a map[string]any) { a["conversation"].(map[string]any)["id"] = id }
	}
	for _, c := range []struct {
		name   string
		header string
		change func(map[string]any)
		status int
		why    string
	}{
		{"good", good, nil, 200, ""},
		{"no header", "", nil, 401, "no Bearer token"},
		{"expired", signed(func(c jwt.MapClaims) { c["exp"] = at.now().Add(-6 * time.Minute).Unix() }), nil, 401, "expired"},
		{"another serviceUrl", signed(func(c jwt.MapClaims) { c["serviceurl"] = "https://smba.trafficmanager.net/uk/" }), nil, 403, "another serviceUrl"},
		{"another channel", good, func(a map[string]any) { a["channelId"] = "webchat" }, 403, "not of Teams"},
		{"no channel", good, func(a map[string]any) { delete(a, "channelId") }, 403, "not of Teams"},
		{"path in the conversation", good, conversation("../../v3/teams/x"), 403, "no id"},
		{"query in the conversation", good, conversation("a:1?x=y"), 403, "no id"},
		{"escaped path in the conversation", good, conversation("a:%2e%2e%2f"), 403, "no id"},
		{"place in the conversation", good, conversation("a:1#2"), 403, "no id"},
		{"no conversation", good, func(a map[string]any) { delete(a, "conversation") }, 403, "no id"},
		{"path in the sender", good, func(a map[string]any) { a["from"].(map[string]any)["aadObjectId"] = "../x" }, 403, "id is none"},
		{"unknown type", good, func(a map[string]any) { a["type"] = "hologram" }, 200, ""},
		{"type a number", good, func(a map[string]any) { a["type"] = 7 }, 200, ""},
		{"value a word", good, func(a map[string]any) { a["type"] = "invoke"; a["name"] = "task/submit"; a["value"] = "x" }, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			activity := w.Say(nurse, "hello")
			if c.change != nil {
				c.change(activity)
			}
			log.take()
			got := w.DeliverAs(t, activity, c.header)
			why := log.take()
			if got.Status != c.status || c.why != "" && !strings.Contains(why, c.why) {
				t.Errorf("status %d, want %d for %q: %s", got.Status, c.status, c.why, why)
			}
			if strings.Contains(why, "panic") {
				t.Error(why)
			}
		})
	}
}

func TestTenants(t *testing.T) {
	w, log, _ := gate(t, func(c *teams.Config) { c.Tenants = []string{teamstest.Tenant} })
	w.deliver(w.Say(nurse, "hello"))
	for _, tenant := range []any{map[string]any{"id": "44444444-1111-1111-1111-111111111111"}, map[string]any{}} {
		a := w.Say(nurse, "hello")
		a["channelData"].(map[string]any)["tenant"] = tenant
		delete(a["conversation"].(map[string]any), "tenantId")
		if got := w.Deliver(t, a); got.Status != http.StatusForbidden {
			t.Errorf("tenant %v: status %d", tenant, got.Status)
		}
	}
	contains(t, log.take(), "not on the list")
}

// With no keys at all nothing is believed, and Teams is asked to send again.
func TestMetadataOutage(t *testing.T) {
	fake := teamstest.New(t)
	fake.SetOutage(true)
	at := &clock{at: time.Now()}
	a, err := teams.New(teams.Config{AppID: teamstest.AppID, AppPassword: fake.Secret, TenantID: teamstest.Tenant,
		LoginURL: fake.LoginURL(), OpenIDMetadataURL: fake.MetadataURL(), ServiceHosts: []string{fake.Host()}, Now: at.now})
	if err != nil {
		t.Fatal(err)
	}
	fake.Connect(t, a.Handler())
	if got := fake.Deliver(t, fake.Say(nurse, "hello")); got.Status != http.StatusServiceUnavailable {
		t.Errorf("status %d", got.Status)
	}
	fake.SetOutage(false)
	typing := fake.Say(nurse, "")
	typing["type"] = "typing"
	if got := fake.Deliver(t, typing); got.Status != http.StatusServiceUnavailable {
		t.Errorf("status %d: fetched again within seconds", got.Status)
	}
	at.add(11 * time.Second)
	if got := fake.Deliver(t, typing); got.Status != 200 {
		t.Errorf("status %d after the outage", got.Status)
	}
}

func TestBodyLimit(t *testing.T) {
	w, _, _ := gate(t)
	endless := io.LimitReader(zeros{}, 100<<20)
	for name, r := range map[string]*http.Request{
		"declared": httptest.NewRequest(http.MethodPost, "/api/messages", bytes.NewReader(make([]byte, 300<<10))),
		"chunked":  httptest.NewRequest(http.MethodPost, "/api/messages", endless),
	} {
		rec := httptest.NewRecorder()
		w.adapter.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: status %d", name, rec.Code)
		}
	}
	if left := endless.(*io.LimitedReader).N; left < 99<<20 {
		t.Errorf("%d bytes of 100 MiB were read", 100<<20-left)
	}
	// A megabyte of header does not get as far as a token.
	req, _ := http.NewRequest(http.MethodPost, w.Endpoint, strings.NewReader("{}"))
	req.Header.Set("Authorization", "Bearer "+strings.Repeat("a", 2<<20))
	resp, err := http.DefaultClient.Do(req)
	if err == nil { // the server may also close before all of it is written
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
	rec := httptest.NewRecorder()
	w.adapter.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/api/messages", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: status %d", rec.Code)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Without authentication only this machine is heard, only services on it are
// answered, and it is said loudly.
func TestInsecure(t *testing.T) {
	w, log, _ := gate(t, func(c *teams.Config) {
		*c = teams.Config{Insecure: true, Listen: "127.0.0.1:0", Bot: c.Bot, Store: c.Store, Log: c.Log}
	})
	contains(t, log.take(), "INSECURE", "level=WARN")
	if got := w.DeliverAs(t, w.Say(nurse, "hello"), ""); got.Status != 200 {
		t.Errorf("status %d", got.Status)
	}
	far := w.Say(nurse, "hello")
	far["serviceUrl"] = "https://smba.trafficmanager.net/uk/"
	if got := w.DeliverAs(t, far, ""); got.Status != http.StatusForbidden {
		t.Errorf("another host's service: status %d", got.Status)
	}
	body, _ := json.Marshal(w.Say(nurse, "hello"))
	for _, change := range []func(*http.Request){
		func(r *http.Request) { r.RemoteAddr = "192.0.2.1:1234" },
		func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") },
	} {
		r := httptest.NewRequest(http.MethodPost, "/api/messages", bytes.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1234"
		change(r)
		rec := httptest.NewRecorder()
		w.adapter.Handler().ServeHTTP(rec, r)
		if rec.Code != http.StatusForbidden {
			t.Errorf("another machine: status %d", rec.Code)
		}
	}
	if w.Tokens() != 0 {
		t.Error("a token was asked for")
	}
}

// shared finds a file that comes with the project's brief and not with the project.
func shared(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs ../shared/%s beside the project", name)
	}
	return path
}

// Every recorded activity is taken, with a token and without.
func TestPayloads(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "payloads/teams"), "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no payloads", err)
	}
	w, log, at := gate(t)
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var activity map[string]any
			if err := json.Unmarshal(data, &activity); err != nil {
				t.Fatal(err)
			}
			activity["serviceUrl"] = w.ServiceURL()
			activity["channelId"] = "msteams"
			teamstest.Ours(activity)
			if got := w.DeliverAs(t, activity, ""); got.Status != http.StatusUnauthorized {
				t.Errorf("without a token: status %d", got.Status)
			}
			log.take()
			got := w.DeliverAs(t, activity, "Bearer "+w.Sign(w.Claims(at.now())))
			said := log.take()
			if got.Status != 200 || strings.Contains(said, "panic") || strings.Contains(said, "failed") || strings.Contains(said, "nothing was committed") {
				t.Errorf("status %d: %s", got.Status, said)
			}
			if activity["type"] == "invoke" && got.Body == nil {
				t.Error("an invoke is not answered")
			}
		})
	}
}

func FuzzActivity(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "payloads", "teams", "*.json"))
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	for _, s := range []string{`{}`, `[]`, `null`, `{"type":"invoke","name":"task/fetch","value":{"data":{"canteen":{"a":"answer","r":-1}}}}`, `{"type":"message","entities":{},"value":[]}`} {
		f.Add([]byte(s))
	}
	// One world for all: a fuzzed activity must not break what comes after it.
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var activity map[string]any
		if json.Unmarshal(body, &activity) == nil && activity != nil {
			activity["serviceUrl"], activity["channelId"] = w.ServiceURL(), "msteams"
			body, _ = json.Marshal(activity)
		}
		r := httptest.NewRequest(http.MethodPost, "/api/messages", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.Sign(w.Claims(time.Now())))
		rec := httptest.NewRecorder()
		w.adapter.Handler().ServeHTTP(rec, r)
		switch rec.Code {
		case 200, 403:
		default:
			t.Errorf("status %d for %s", rec.Code, body)
		}
		if rec.Body.Len() > 0 && rec.Code == 200 && !json.Valid(rec.Body.Bytes()) {
			t.Errorf("no JSON: %s", rec.Body)
		}
	})
}
