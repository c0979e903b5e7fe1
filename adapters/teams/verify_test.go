package teams_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
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

// The whole claim table: what is refused, by which status and for which reason.
func TestTokens(t *testing.T) {
	w, log, at := gate(t)
	strange, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	w.List("web", &strange.PublicKey, "webchat")
	at.add(6 * time.Minute) // keys that are not known are looked for again
	claims := func(change func(jwt.MapClaims)) string {
		c := w.Claims(at.now())
		change(c)
		return "Bearer " + w.Sign(c)
	}
	set := func(name string, value any) string { return claims(func(c jwt.MapClaims) { c[name] = value }) }
	without := func(name string) string { return claims(func(c jwt.MapClaims) { delete(c, name) }) }
	signed := func(method jwt.SigningMethod, key any, kid string) string {
		token := jwt.NewWithClaims(method, w.Claims(at.now()))
		if kid != "" {
			token.Header["kid"] = kid
		}
		s, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + s
	}
	// The classic: the public key taken for an HMAC secret.
	confused := func() string {
		part := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
		head := part(map[string]string{"alg": "HS256", "kid": "first"}) + "." + part(w.Claims(at.now()))
		mac := hmac.New(sha256.New, w.Key().N.Bytes())
		mac.Write([]byte(head))
		return "Bearer " + head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	good := func() string { return set("x", "y") }
	unix := func(d time.Duration) int64 { return at.now().Add(d).Unix() }
	for _, c := range []struct {
		name   string
		header func() string
		change func(map[string]any)
		status int
		why    string
	}{
		{"good", good, nil, 200, ""},
		{"scheme in lower case", func() string { return "bearer" + strings.TrimPrefix(good(), "Bearer") }, nil, 200, ""},
		{"no header", func() string { return "" }, nil, 401, "no Bearer token"},
		{"no scheme", func() string { return strings.TrimPrefix(good(), "Bearer ") }, nil, 401, "no Bearer token"},
		{"basic", func() string { return "Basic YTpi" }, nil, 401, "no Bearer token"},
		{"scheme alone", func() string { return "Bearer " }, nil, 401, "no Bearer token"},
		{"rubbish", func() string { return "Bearer a.b.c" }, nil, 401, "not a token"},
		{"100 KB header", func() string { return "Bearer " + strings.Repeat("a", 100<<10) }, nil, 401, "longer than"},
		{"no iss", func() string { return without("iss") }, nil, 401, "iss is"},
		{"wrong iss", func() string { return set("iss", "https://sts.windows.net/x/") }, nil, 401, "iss is"},
		{"iss a number", func() string { return set("iss", 7) }, nil, 401, "not a token"},
		{"no aud", func() string { return without("aud") }, nil, 401, "aud is not this bot"},
		{"wrong aud", func() string { return set("aud", "33333333-2222-2222-2222-222222222222") }, nil, 401, "aud is not this bot"},
		{"array aud", func() string { return set("aud", []string{teamstest.AppID}) }, nil, 401, "aud"},
		{"api aud", func() string { return set("aud", "api://"+teamstest.AppID) }, nil, 200, ""},
		{"botid aud", func() string { return set("aud", "api://botid-"+teamstest.AppID) }, nil, 200, ""},
		{"no exp", func() string { return without("exp") }, nil, 401, "has no exp"},
		{"exp a word", func() string { return set("exp", "never") }, nil, 401, "not a token"},
		{"expired", func() string { return set("exp", unix(-6*time.Minute)) }, nil, 401, "expired"},
		{"expired within the skew", func() string { return set("exp", unix(-4*time.Minute)) }, nil, 200, ""},
		{"no nbf", func() string { return without("nbf") }, nil, 401, "has no nbf"},
		{"not yet", func() string { return set("nbf", unix(6*time.Minute)) }, nil, 401, "not valid yet"},
		{"not yet within the skew", func() string { return set("nbf", unix(4*time.Minute)) }, nil, 200, ""},
		{"no serviceurl", func() string { return without("serviceurl") }, nil, 401, "no serviceurl"},
		{"serviceurl an object", func() string { return set("serviceurl", map[string]any{}) }, nil, 401, "not a token"},
		{"another serviceUrl", func() string { return set("serviceurl", "https://smba.trafficmanager.net/uk/") }, nil, 403, "another serviceUrl"},
		{"a serviceUrl that is not allowed", func() string { return set("serviceurl", "https://evil.trafficmanager.net/") },
			func(a map[string]any) { a["serviceUrl"] = "https://evil.trafficmanager.net/" }, 403, "none of the allowed"},
		{"a serviceUrl with a password", func() string { return set("serviceurl", "https://a:b@"+w.Host()) },
			func(a map[string]any) { a["serviceUrl"] = "https://a:b@" + w.Host() }, 403, "not a plain address"},
		{"slash at the end", func() string { return set("serviceurl", strings.TrimRight(w.ServiceURL(), "/")) }, nil, 200, ""},
		{"alg none", func() string { return signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "first") }, nil, 401, "signed by"},
		{"HS256 with the public key", confused, nil, 401, "signed by"},
		{"PS256", func() string { return signed(jwt.SigningMethodPS256, w.Key(), "first") }, nil, 401, "signed by"},
		{"RS512", func() string { return signed(jwt.SigningMethodRS512, w.Key(), "first") }, nil, 200, ""},
		{"no kid", func() string { return signed(jwt.SigningMethodRS256, w.Key(), "") }, nil, 401, "names no key"},
		{"unknown kid", func() string { return signed(jwt.SigningMethodRS256, strange, "nobody's") }, nil, 401, "not listed"},
		{"another's signature", func() string { return signed(jwt.SigningMethodRS256, strange, "first") }, nil, 401, "signature"},
		{"a key of another channel", func() string { return signed(jwt.SigningMethodRS256, strange, "web") }, nil, 403, "not endorsed"},
		{"another channel by its own key", func() string { return signed(jwt.SigningMethodRS256, strange, "web") },
			func(a map[string]any) { a["channelId"] = "webchat" }, 403, "not of Teams"},
		{"no channel", good, func(a map[string]any) { delete(a, "channelId") }, 403, "not of Teams"},
		{"path in the conversation", good, func(a map[string]any) { a["conversation"].(map[string]any)["id"] = "../../v3/teams/x" }, 403, "no id"},
		{"query in the conversation", good, func(a map[string]any) { a["conversation"].(map[string]any)["id"] = "a:1?x=y" }, 403, "no id"},
		{"escaped path in the conversation", good, func(a map[string]any) { a["conversation"].(map[string]any)["id"] = "a:%2e%2e%2f" }, 403, "no id"},
		{"place in the conversation", good, func(a map[string]any) { a["conversation"].(map[string]any)["id"] = "a:1#2" }, 403, "no id"},
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
			got := w.DeliverAs(t, activity, c.header())
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

func TestKeyRotation(t *testing.T) {
	w, _, at := gate(t)
	try := func(want int) {
		t.Helper()
		if got := w.DeliverAs(t, w.Say(nurse, "hello"), "Bearer "+w.Sign(w.Claims(at.now()))); got.Status != want {
			t.Errorf("status %d, want %d", got.Status, want)
		}
	}
	try(200)
	fetched := w.Fetches()
	w.Rotate(t, "second")
	try(401) // looked for within minutes of the last fetch: a forger could make it many
	if w.Fetches() != fetched {
		t.Error("an unknown key was fetched for at once")
	}
	at.add(6 * time.Minute)
	try(200)
	try(200)
	if n := w.Fetches(); n != fetched+1 {
		t.Errorf("%d fetches for one rotation", n-fetched)
	}
	// With the metadata away, the keys that are known go on for as long as it takes.
	w.SetOutage(true)
	at.add(30 * time.Hour)
	try(200)
	at.add(30 * time.Hour)
	try(200)
	// A key that is not known cannot be told from a forged one.
	forged, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, w.Claims(at.now()))
	token.Header["kid"] = "third"
	s, _ := token.SignedString(forged)
	if got := w.DeliverAs(t, w.Say(nurse, "hello"), "Bearer "+s); got.Status != 401 {
		t.Errorf("status %d", got.Status)
	}
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

func TestSettings(t *testing.T) {
	good := teams.Config{AppID: teamstest.AppID, AppPassword: "x", TenantID: teamstest.Tenant}
	for name, c := range map[string]struct {
		change func(*teams.Config)
		say    string
	}{
		"good":                {func(*teams.Config) {}, ""},
		"no credentials":      {func(c *teams.Config) { c.AppID, c.AppPassword, c.TenantID = "", "", "" }, "--insecure-teams"},
		"no password":         {func(c *teams.Config) { c.AppPassword = "" }, "go together"},
		"insecure":            {func(c *teams.Config) { *c = teams.Config{Insecure: true, Listen: "127.0.0.1:3978"} }, ""},
		"insecure, everybody": {func(c *teams.Config) { *c = teams.Config{Insecure: true, Listen: ":3978"} }, "loopback"},
		"app id":              {func(c *teams.Config) { c.AppID = "canteen" }, "GUID"},
		"tenant":              {func(c *teams.Config) { c.TenantID = "../x" }, "tenant"},
		"channel":             {func(c *teams.Config) { c.CommsChannel = "General" }, "19:"},
		"login by http":       {func(c *teams.Config) { c.LoginURL = "http://login.example.org" }, "https"},
		"traffic manager":     {func(c *teams.Config) { c.ServiceHosts = []string{"*.trafficmanager.net"} }, "anybody"},
		"host":                {func(c *teams.Config) { c.ServiceHosts = []string{"https://x/"} }, "host name"},
	} {
		config := good
		c.change(&config)
		_, err := teams.New(config)
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

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

func FuzzToken(f *testing.F) {
	fake := teamstest.New(f)
	a, err := teams.New(teams.Config{AppID: teamstest.AppID, AppPassword: fake.Secret, TenantID: teamstest.Tenant,
		LoginURL: fake.LoginURL(), OpenIDMetadataURL: fake.MetadataURL(), ServiceHosts: []string{fake.Host()}})
	if err != nil {
		f.Fatal(err)
	}
	good := fake.Sign(fake.Claims(time.Now()))
	f.Add("Bearer " + good)
	f.Add("Bearer e30.e30.")
	parts := strings.Split(good, ".")
	for _, claims := range []string{`{"aud":["x"]}`, `{"iss":null}`, `{"exp":1e400}`, `[]`, `null`, `{"iss":"https://api.botframework.com","aud":"` + teamstest.AppID + `","exp":1e308,"nbf":-1e308,"serviceurl":"x"}`} {
		f.Add("Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + parts[2])
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodPost, "/api/messages", strings.NewReader(`{"type":"typing","channelId":"msteams","serviceUrl":"`+fake.ServiceURL()+`"}`))
		r.Header["Authorization"] = []string{header}
		rec := httptest.NewRecorder()
		a.Handler().ServeHTTP(rec, r)
		if rec.Code == 200 && !strings.HasSuffix(strings.TrimSpace(header), good) {
			t.Errorf("believed: %q", header)
		}
	})
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
