package web_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"canteen/adapters/web"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
	"canteen/knowledge/match"
)

// What is asked here stands in the shipped folder, letter for letter or as a cue, so
// that the tests need no luck in matching.
var (
	answered  = phrasing("twitter/staff-tweeting")
	uncovered = phrasing("platforms/tiktok")
	urgent    = "somebody has posted a patient's notes on facebook"
	private   = "i want to kill myself"
)

// phrasing is the first way of asking for an entry.
func phrasing(id string) string {
	base, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		panic(err)
	}
	e, ok := base.Entry(id)
	if !ok {
		panic("no entry " + id)
	}
	return e.Phrasings[0]
}

// site is the pages over a real store and the shipped folder.
type site struct {
	*httptest.Server
	store  *store.Store
	shut   func() error // closes the store
	folder *knowledge.Folder
	file   string        // of the database
	log    *bytes.Buffer // what was logged; to be read when all is done
}

// shipped is the embedded folder, which nothing can be written to.
var shipped = sync.OnceValues(func() (*knowledge.Folder, error) {
	return knowledge.Open(context.Background(), knowledge.Config{})
})

// newSite starts the pages. Entries are written to a folder, or nowhere when it is
// empty.
func newSite(t *testing.T, entries string) *site {
	t.Helper()
	s := &site{file: filepath.Join(t.TempDir(), "canteen.db"), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	var err error
	if s.store, err = store.OpenSQLite(t.Context(), s.file, store.Options{}); err != nil {
		t.Fatal(err)
	}
	s.shut = sync.OnceValue(s.store.Close)
	t.Cleanup(func() { _ = s.shut() })
	if entries == "" {
		s.folder, err = shipped()
	} else {
		ctx, cancel := context.WithCancel(context.Background())
		s.folder, err = knowledge.Open(ctx, knowledge.Config{Overlay: entries})
		t.Cleanup(func() { cancel(); <-s.folder.Done() })
	}
	if err != nil {
		t.Fatal(err)
	}
	s.fitted(t)
	b := bot.New(bot.Config{Store: s.store, Folder: s.folder, Members: map[string]bot.Members{bot.WebAdapter: web.Members{}}, Log: log})
	s.Server = httptest.NewServer(web.New(web.Config{Bot: b, Store: s.store, Problems: s.folder.Problems, Local: true, DeskKey: deskKey, Log: log}))
	t.Cleanup(s.Close)
	return s
}

// fitted waits for the model that answers. Under the race detector that takes
// minutes, and what is asked here letter for letter is found without it.
func (s *site) fitted(t *testing.T) {
	t.Helper()
	if testing.Short() {
		return
	}
	if err := s.folder.WaitFitted(t.Context()); err != nil {
		t.Fatal(err)
	}
}

const deskKey = "the key of the desk"

// visitor is a browser without a script.
type visitor struct {
	t      *testing.T
	site   *site
	client *http.Client
	status int
	page   string
	header http.Header
	opened bool // the desk
}

func (s *site) visitor(t *testing.T) *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{t: t, site: s, client: &http.Client{Jar: jar}}
}

func (v *visitor) send(r *http.Request) {
	v.t.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.status, v.page, v.header = resp.StatusCode, string(b), resp.Header
}

func (v *visitor) get(path string) {
	v.t.Helper()
	if strings.HasPrefix(path, "/desk/") && !v.opened {
		v.opened = true
		v.get(web.DeskPath(deskKey))
		if path == "/desk/" {
			return
		}
	}
	r, err := http.NewRequest(http.MethodGet, v.site.URL+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	v.send(r)
}

func (v *visitor) post(path string, fields url.Values) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodPost, v.site.URL+path, strings.NewReader(fields.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v.send(r)
}

var (
	forms  = regexp.MustCompile(`(?s)<form[^>]* method="(\w+)" action="([^"]*)".*?</form>`)
	button = regexp.MustCompile(`<button[^>]*>([^<]*)`)
	inputs = regexp.MustCompile(`<input[^>]* name="([^"]*)" value="([^"]*)"( checked)?`)
	areas  = regexp.MustCompile(`(?s)<textarea[^>]* name="([^"]*)"[^>]*>\n(.*?)</textarea>`)
)

// fields are what the last form with that button would send.
func (v *visitor) fields(label string) (method, action string, fields url.Values) {
	v.t.Helper()
	for _, f := range forms.FindAllStringSubmatch(v.page, -1) {
		if b := button.FindStringSubmatch(f[0]); b == nil || b[1] != label {
			continue
		}
		method, action, fields = f[1], f[2], url.Values{}
		for _, i := range inputs.FindAllStringSubmatch(f[0], -1) {
			if !strings.Contains(i[0], `type="radio"`) || i[3] != "" {
				fields.Set(i[1], html.UnescapeString(i[2]))
			}
		}
		for _, a := range areas.FindAllStringSubmatch(f[0], -1) {
			fields.Set(a[1], html.UnescapeString(a[2]))
		}
	}
	if fields == nil {
		v.t.Fatalf("no button %q on\n%s", label, v.text())
	}
	return method, action, fields
}

// press sends the last form with that button, with these fields set: name, value.
func (v *visitor) press(label string, set ...string) {
	v.t.Helper()
	method, action, fields := v.fields(label)
	for i := 0; i < len(set); i += 2 {
		fields.Set(set[i], set[i+1])
	}
	if method == "get" {
		v.get(action + "?" + fields.Encode())
		return
	}
	v.post(action, fields)
}

func (v *visitor) ask(text string) {
	v.t.Helper()
	v.get("/")
	v.press("Send", "text", text)
}

var (
	tags   = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// text is the page without its tags.
func (v *visitor) text() string {
	return spaces.ReplaceAllString(html.UnescapeString(tags.ReplaceAllString(v.page, " ")), " ")
}

func (v *visitor) sees(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if !strings.Contains(v.text(), text) {
			v.t.Fatalf("%d, no %q in\n%s", v.status, text, v.text())
		}
	}
}

func (v *visitor) lacks(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(v.text(), text) {
			v.t.Fatalf("%q in\n%s", text, v.text())
		}
	}
}

func TestChat(t *testing.T) {
	s := newSite(t, "")
	v := s.visitor(t)
	v.get("/")
	if len(v.header.Values("Set-Cookie")) != 0 {
		t.Error("a cookie for somebody who only looks")
	}
	method, action, fields := v.fields("Send")
	if method != "post" {
		t.Fatal(method)
	}
	fields.Set("text", answered)
	v.post(action, fields)
	v.sees(answered, "NHS Employers quick guide, November 2014", "I keep your question")
	once := v.text()
	version := v.header.Get("ETag")

	v.post(action, fields) // pressed twice
	if v.text() != once {
		t.Errorf("sent twice:\n%s\n%s", once, v.text())
	}
	r, _ := http.NewRequest(http.MethodGet, s.URL+"/", nil)
	r.Header.Set("If-None-Match", version)
	if v.send(r); v.status != http.StatusNotModified {
		t.Errorf("nothing new: %d", v.status)
	}
	fields.Set("text", urgent) // on the page that they went back to
	v.post(action, fields)
	v.sees("I have sent this to the communications team", "Your reference is C-1.")
	if v.header.Get("ETag") == version {
		t.Error("the same version after another question")
	}

	v.get("/")
	v.press("Withdraw")
	v.sees("You have taken back your question C-1.")
	v.press("Not what I meant")
	v.sees("I am sorry that was not it.")
	if strings.Contains(v.text(), "Did you mean one of these?") { // where the model has anything near
		v.press("None of these")
	} else {
		v.press("Ask comms")
	}
	v.sees("Your reference is C-2")
	v.press("Ask without my name")
	v.sees("will not see your name")
	v.get("/you")
	v.sees("C-2", "C-1", "What is kept of you")

	other := s.visitor(t)
	other.get("/you")
	other.lacks("C-2")
	other.post("/press", url.Values{"press": {`{"a":"withdraw","r":2}`}})
	other.sees("Only the person who asked can press this.")
	other.post("/press", url.Values{"press": {`{"a":"claim","r":2}`}})
	other.sees("Only members of the communications team can do this.")
	other.get("/form?press=" + url.QueryEscape(`{"a":"answer","r":2}`))
	if other.status != http.StatusForbidden {
		t.Errorf("comms' form in the chat: %d", other.status)
	}

	v.get("/erase")
	v.press("Erase")
	v.sees("are gone")
	v.get("/you")
	v.lacks("C-2")
}

// TestPrivate: what is said to a private lane is shown once and kept nowhere.
func TestPrivate(t *testing.T) {
	s := newSite(t, "")
	v := s.visitor(t)
	v.get("/")
	_, action, fields := v.fields("Send")
	fields.Set("text", private)
	for range 2 { // pressed twice, when the browser shows the second response only
		v.post(action, fields)
		v.sees("Help for you right now", "I have not kept what you wrote", private)
	}
	v.get("/")
	v.lacks("Help for you right now", private)
	v.ask("hello")
	v.sees("hello")
	v.get("/")
	v.lacks("hello")
	for _, name := range []string{s.file, s.file + "-wal"} {
		b, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, trace := range []string{private, "Samaritans", "crisis"} {
			if bytes.Contains(bytes.ReplaceAll(b, []byte("lanes/crisis-self"), nil), []byte(trace)) { // counted, without a person
				t.Errorf("%q in %s", trace, filepath.Base(name))
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	s := newSite(t, "")
	v := s.visitor(t)
	for _, x := range []struct{ name, text, says string }{
		{"empty", " \n ", "I did not get a question"},
		{"emoji", "🙂🙂", "I cannot read that as a question"},
		{"control characters", "\x00\x01\x02", "I did not get a question"},
		{"too long", strings.Repeat("word ", 4001), "too long for me to read"},
	} {
		v.ask(x.text)
		if v.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", x.name, v.status)
		}
		v.sees("There is a problem", x.says, strings.TrimSpace(strings.Trim(x.text, "\x00\x01\x02"))) // nothing typed is lost
	}
	v.ask(strings.Repeat("🙂 word ", 6000))
	v.sees("too long for me to read")
	if v.status != http.StatusRequestEntityTooLarge {
		t.Errorf("more than 64 KiB: %d", v.status)
	}
	v.ask("\u202Ecan i tweet \xff about work?")
	v.sees("can i tweet � about work?")
	v.ask(strings.Repeat("can i tweet about work ", 440)) // 10,000 characters
	v.sees("can i tweet about work can i")

	evil := `<script>alert(1)</script>"><img src=x onerror=alert(2)> [x](javascript:alert(3)) drone`
	v.ask(evil)
	if strings.Contains(v.page, "<script>alert") || strings.Contains(v.page, "<img") || strings.Contains(v.page, `href="javascript`) {
		t.Error("markup of a person's:\n" + v.page)
	}
	v.sees(evil)
	desk := s.visitor(t)
	desk.get("/desk/")
	for _, ref := range regexp.MustCompile(`href="(/desk/C-\d+)"`).FindAllStringSubmatch(desk.page, -1) {
		desk.get(ref[1])
		if strings.Contains(desk.page, "<script>alert") || strings.Contains(desk.page, "<img") {
			t.Error("markup of a person's on the desk:\n" + desk.page)
		}
	}
	for _, path := range []string{"/none", "/entry/none", "/entry/lanes/crisis-self", "/desk/C-99", "/desk/x", "/assets/none", "/press"} {
		if v.get(path); v.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, v.status)
		}
	}
	v.post("/press", url.Values{"press": {"{"}})
	if v.status != http.StatusBadRequest {
		t.Errorf("a press that does not parse: %d", v.status)
	}
	v.ask("keep this one please")
	if err := s.shut(); err != nil {
		t.Fatal(err)
	}
	v.post("/", url.Values{"text": {answered}})
	if v.status != http.StatusServiceUnavailable {
		t.Errorf("no store: %d", v.status)
	}
	v.sees("Your message was not saved. Please try again.", answered)
	// Steps are the one thing that is shown unsaved.
	v.post("/", url.Values{"text": {private}})
	if v.status != http.StatusOK {
		t.Errorf("own crisis, no store: %d", v.status)
	}
	v.sees("Help for you right now", "I have not kept what you wrote")
	v.post("/", url.Values{"text": {urgent}})
	v.sees("Patient information is already out", "do not have this")
	s.Close()
	if log := s.log.String(); strings.Contains(log, "tweet") || strings.Contains(log, "drone") {
		t.Error("a person's words in the log:\n" + log)
	}
}

// TestGuard: who is let in, and what every response carries.
func TestGuard(t *testing.T) {
	s := newSite(t, "")
	request := func(method, path string, set ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(set); i += 2 {
			if set[i] == "Host" {
				r.Host = set[i+1]
			}
			r.Header.Set(set[i], set[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	for _, x := range []struct {
		name, method, path string
		status             int
		set                []string
	}{
		{"this machine", "GET", "/", 200, nil},
		{"by name", "GET", "/", 200, []string{"Host", "localhost:8080"}},
		{"by IPv6", "GET", "/", 200, []string{"Host", "[::1]:8080"}},
		{"the desk without its key", "GET", "/desk/", 404, nil},
		{"the desk with another key", "GET", web.DeskPath("key"), 404, nil},
		{"the desk with no key", "GET", "/desk/?key=", 404, nil},
		{"the desk's form without its key", "POST", "/desk/press", 404, nil},
		{"the desk with another cookie", "GET", "/desk/", 404, []string{"Cookie", "canteen_door=" + deskKey}},
		{"the desk by its key", "GET", web.DeskPath(deskKey), 303, nil},
		{"the key through a proxy", "GET", web.DeskPath(deskKey), 404, []string{"X-Forwarded-For", "192.0.2.1"}},
		{"a name that was made to point here", "GET", "/desk/", 404, []string{"Host", "evil.example"}},
		{"through a proxy", "GET", "/desk/", 404, []string{"X-Forwarded-For", "192.0.2.1"}},
		{"another site's form", "POST", "/desk/press", 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"another port's form", "POST", "/", 403, []string{"Origin", "http://127.0.0.1:1"}},
	} {
		if got := request(x.method, x.path, x.set...).StatusCode; got != x.status {
			t.Errorf("%s: %d, want %d", x.name, got, x.status)
		}
	}
	old := httptest.NewRequest("GET", "http://127.0.0.1:8080/desk/", nil)
	old.Proto, old.ProtoMinor = "HTTP/1.0", 0
	w := httptest.NewRecorder()
	if s.Config.Handler.ServeHTTP(w, old); w.Code != http.StatusNotFound {
		t.Errorf("through a proxy that says nothing of itself: %d", w.Code)
	}
	resp := request("GET", web.DeskPath(deskKey))
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Error(csp)
	}
	cookies := resp.Cookies()
	if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode {
		t.Errorf("cookies: %v", cookies)
	}

	// Elsewhere than on this machine, entries can be read, and nothing else.
	away := web.New(web.Config{Bot: bot.New(bot.Config{Store: s.store, Folder: s.folder}), Store: s.store})
	for path, want := range map[string]int{"/": 404, "/topics": 404, "/you": 404, "/desk/": 404, "/desk/C-1": 404, "/desk/form": 404,
		"/assets/canteen.css": 200, "/entry/twitter/staff-tweeting": 200, "/entry/lanes/media": 404, "/entry/nothing": 404} {
		w := httptest.NewRecorder()
		away.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("off loopback %s: %d, want %d", path, w.Code, want)
		}
		if body := w.Body.String(); strings.Contains(body, `href="/desk/`) || strings.Contains(body, `href="/you`) {
			t.Errorf("off loopback %s links to pages that are not there", path)
		}
	}
	for person, want := range map[bot.PersonID]bool{"web:desk-abc": true, "web:abc": false, "slack:desk-abc": false} {
		if ok, err := (web.Members{}).Member(t.Context(), person); ok != want || err != nil {
			t.Errorf("%s: %v, %v", person, ok, err)
		}
	}
}

func TestDesk(t *testing.T) {
	s := newSite(t, "")
	asker, jo, sam := s.visitor(t), s.visitor(t), s.visitor(t)
	desk := func(v *visitor, ref int) { v.t.Helper(); v.get(fmt.Sprintf("/desk/C-%d", ref)) }
	asker.ask(uncovered)
	asker.sees("Your reference is C-1")
	asker.ask(urgent)

	for v, name := range map[*visitor]string{jo: "Jo\r\n Bloggs", sam: "Sam <b>"} {
		v.get("/desk/")
		v.sees("2 questions wait.")
		if strings.Index(v.text(), "C-2") > strings.Index(v.text(), "C-1") {
			t.Error("the urgent one is not first")
		}
		v.press("Save", "name", name)
	}
	jo.sees("C-1")
	desk(jo, 1)
	jo.lacks("Asked by")
	stale := *jo
	jo.press("Claim")
	jo.sees("Asked by", "With Jo Bloggs")
	desk(sam, 1)
	stale.client = sam.client
	stale.press("Claim")
	stale.sees("Jo Bloggs already has C-1.")
	jo.press("Assign")
	jo.sees("Sam <b>")
	jo.press("Assign", "field-person", radio(t, jo, "Sam <b>"))
	jo.sees("With Sam <b>")
	jo.press("Give back")
	jo.sees("waiting", "Given back Jo Bloggs")

	jo.press("Ask back")
	jo.press("Send")
	jo.sees("There is a problem", "Write something here.")
	jo.press("Send", "field-text", strings.Repeat("x", 3001))
	jo.sees("must be 3000 characters or fewer")
	jo.press("Send", "field-text", "How high?")
	jo.sees("waiting for the asker")
	asker.get("/")
	asker.sees("How high?")
	asker.press("Reply to comms")
	asker.press("Send", "field-text", "10 metres")
	asker.sees("10 metres", "I have passed your reply")

	desk(jo, 1)
	jo.press("Use an entry")
	jo.press("Find", "q", "canteen")
	jo.sees("The canteen rule")
	jo.press("Send", "field-entry", radio(t, jo, "The canteen rule"))
	jo.sees("answered", "In the FAQ: The canteen rule")
	asker.get("/")
	asker.press("That did not help")
	asker.sees("C-1 is open again")
	desk(jo, 1)
	jo.press("Answer")
	late := *jo
	jo.press("Send", "field-text", "Only with **written** permission.")
	jo.sees("Only with written permission.")
	late.press("Send", "field-text", "Never.")
	late.sees("C-1 was already answered or closed. Your text was not sent.")
	asker.get("/")
	asker.sees("Only with written permission.")
	asker.lacks("Never.")
	desk(jo, 1)
	jo.press("Correct the answer")
	jo.press("Send", "field-text", "Only with permission of the estates team.")
	asker.get("/")
	asker.sees("Corrected answer to C-1", "estates team")

	jo.press("Add to the FAQ")
	jo.press("Add", "field-id", "conduct/canteen-rule", "field-text", "Ring 020 7946 0123")
	jo.sees("An entry is kept there already", "Take out personal details first (phone number).")
	jo.press("Add", "field-id", "platforms/tiktok", "field-title", "TikTok", "field-text", "Only with permission.")
	jo.sees("The FAQ folder cannot be written to.", "# TikTok", "Only with permission.") // the file to take along
	desk(jo, 1)
	jo.press("Close")
	jo.sees("closed")

	desk(jo, 2)
	jo.press("False alarm")
	jo.sees("closed")
	asker.get("/")
	asker.sees("C-2 is no emergency", "nothing more happens")
	asker.ask(uncovered)
	jo.get("/desk/")
	jo.sees("1 question waits.", "C-3")
	desk(jo, 3)
	jo.sees("Answered before", "C-1")
	jo.press("Reuse C-1")
	jo.sees("Only with permission of the estates team.")
	jo.press("Send")
	jo.sees("answered")

	jo.get("/desk/try")
	jo.press("Try", "text", answered)
	jo.sees("Candidates, best first", "Decision answer")
	jo.press("Try", "text", "")
	jo.sees("There is a problem")
	jo.post("/desk/retry", url.Values{"id": {"none"}})
	if jo.status != http.StatusNotFound {
		t.Errorf("retry of nothing: %d", jo.status)
	}
}

// radio is the value of the choice with that label.
func radio(t *testing.T, v *visitor, label string) string {
	t.Helper()
	m := regexp.MustCompile(`value="([^"]*)"[^>]*>\s*<label[^>]*>` + regexp.QuoteMeta(html.EscapeString(label)) + `<`).FindStringSubmatch(v.page)
	if m == nil {
		t.Fatalf("no choice %q in\n%s", label, v.text())
	}
	return html.UnescapeString(m[1])
}

// TestParked: a delivery that was given up is on the desk, and can be sent again.
// TestNearest: the desk names no lane that a question only came near.
func TestNearest(t *testing.T) {
	s := newSite(t, "")
	e := bot.Escalation{Ref: 1, State: bot.Open, Asker: bot.Person{ID: "slack:U1"}, In: "slack:D1", Text: "zorblax",
		Candidates: []match.Candidate{{ID: "lanes/crisis-self", Confidence: .2}, {ID: "twitter/staff-tweeting", Confidence: .1}}}
	if _, err := s.store.Commit(t.Context(), bot.Turn{Escalations: []bot.Escalation{e}}); err != nil {
		t.Fatal(err)
	}
	v := s.visitor(t)
	v.get("/desk/C-1")
	for id, want := range map[string]bool{"lanes/crisis-self": false, "twitter/staff-tweeting": true} {
		entry, ok := s.folder.Base().Entry(id)
		if !ok {
			t.Fatal(id)
		}
		if got := strings.Contains(v.page, html.EscapeString(entry.Title)); got != want {
			t.Errorf("%s is named: %v", id, got)
		}
	}
}

func TestParked(t *testing.T) {
	s := newSite(t, "")
	if _, err := s.store.Commit(t.Context(), bot.Turn{Keys: []string{"k"}, Deliveries: []bot.Delivery{{ID: "d1", To: "slack:C1", Ref: 7, Post: bot.Post{Text: "secret"}}}}); err != nil {
		t.Fatal(err)
	}
	list, err := s.store.Lease(t.Context(), "me", []string{"slack"}, 1, 1e9)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := s.store.Settle(t.Context(), bot.Settlement{Delivery: list[0], Owner: "me", Outcome: bot.Parked, Error: "channel_not_found"}); err != nil {
		t.Fatal(err)
	}
	v := s.visitor(t)
	v.get("/desk/")
	v.sees("Messages that could not be sent", "C-7", "channel_not_found")
	v.lacks("secret")
	v.press("Try again")
	v.lacks("channel_not_found")
}
