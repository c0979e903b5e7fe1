package main

import (
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// browser is somebody at the web pages, without a script.
type browser struct {
	t      *testing.T
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar}}
}

// page reads a page, which must be there.
func (b *browser) page(url string) string {
	b.t.Helper()
	code, body := get(b.t, b.client, url)
	if code != http.StatusOK {
		b.t.Fatalf("GET %s: %d", url, code)
	}
	return body
}

// post submits a form and gives the page that follows.
func (b *browser) post(to string, fields url.Values) string {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to, strings.NewReader(fields.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	code, body := do(b.t, b.client, req)
	if code != http.StatusOK {
		b.t.Fatalf("POST %s: %d: %.500s", to, code, body)
	}
	return body
}

var (
	formPattern  = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	inputPattern = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	attrPattern  = regexp.MustCompile(`(action|method)="([^"]*)"`)
	labelPattern = regexp.MustCompile(`(?s)<button[^>]*>(.*?)</button>`)
	tagPattern   = regexp.MustCompile(`<[^>]*>`)
)

// find gives the last form on a page whose button says label: where it goes and
// its hidden fields.
func (b *browser) find(page, label string) (method, action string, fields url.Values) {
	b.t.Helper()
	for _, f := range formPattern.FindAllStringSubmatch(page, -1) {
		button := labelPattern.FindStringSubmatch(f[2])
		if button == nil || strings.TrimSpace(html.UnescapeString(tagPattern.ReplaceAllString(button[1], ""))) != label {
			continue
		}
		method, action, fields = "get", "", url.Values{}
		for _, a := range attrPattern.FindAllStringSubmatch(f[1], -1) {
			if a[1] == "action" {
				action = html.UnescapeString(a[2])
			} else {
				method = a[2]
			}
		}
		for _, in := range inputPattern.FindAllStringSubmatch(f[2], -1) {
			fields.Set(in[1], html.UnescapeString(in[2]))
		}
	}
	if action == "" {
		b.t.Fatalf("no button %q on the page:\n%s", label, tagPattern.ReplaceAllString(page, " "))
	}
	return method, action, fields
}

// submit finds the form by its button on the page at, fills it in and submits it.
func (b *browser) submit(base, at, label string, fill url.Values) string {
	b.t.Helper()
	return b.submitOn(base, b.page(base+at), label, fill)
}

func (b *browser) submitOn(base, page, label string, fill url.Values) string {
	b.t.Helper()
	method, action, fields := b.find(page, label)
	for k, v := range fill {
		fields[k] = v
	}
	if method == "get" {
		return b.page(base + action + "?" + fields.Encode())
	}
	return b.post(base+action, fields)
}

// TestLoopSurvivesKill plays both sides of an escalation, with kill -9 after each
// step: what was acknowledged is there afterwards, and nothing is there twice.
func TestLoopSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "canteen.db")
	var p *process
	again := func() {
		if p != nil {
			p.kill()
		}
		p = start(t, nil, "--database", db)
	}
	nurse, comms := newBrowser(t), newBrowser(t)
	const question = "what are the rules on filming a tiktok dance in the staff room"

	again()
	page := nurse.submit(p.url, "/", "Send", url.Values{"text": {question}})
	if !strings.Contains(page, "C-1") {
		t.Fatalf("the question was not passed on: %s", tagPattern.ReplaceAllString(page, " "))
	}
	again()
	if page := nurse.page(p.url + "/"); strings.Count(page, "Your reference is C-1") != 1 {
		t.Errorf("after a kill the chat does not show the question once: %s", tagPattern.ReplaceAllString(page, " "))
	}
	comms.submit(p.url, "/desk/C-1", "Claim", nil)
	again()
	page = comms.submit(p.url, "/desk/C-1", "Answer", nil)
	comms.submitOn(p.url, page, "Send", url.Values{"field-text": {"Ask your manager first, and keep patients out of it."}})
	again()
	page = nurse.page(p.url + "/")
	if strings.Count(page, "keep patients out of it") != 1 {
		t.Fatalf("the answer did not arrive once: %s", tagPattern.ReplaceAllString(page, " "))
	}
	page = comms.submit(p.url, "/desk/C-1", "Add to the FAQ", nil)
	fields := url.Values{}
	for _, in := range regexp.MustCompile(`<input class="[^"]*" id="[^"]*" name="(field-[^"]+)"[^>]* value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		fields.Set(in[1], html.UnescapeString(in[2]))
	}
	for _, in := range regexp.MustCompile(`(?s)<textarea[^>]* name="(field-[^"]+)"[^>]*>\n?(.*?)</textarea>`).FindAllStringSubmatch(page, -1) {
		fields.Set(in[1], html.UnescapeString(in[2]))
	}
	comms.submitOn(p.url, page, "Add", fields)
	again()
	other := newBrowser(t)
	page = other.submit(p.url, "/", "Send", url.Values{"text": {question}})
	if !strings.Contains(page, "keep patients out of it") {
		t.Errorf("the new entry does not answer the same question: %s", tagPattern.ReplaceAllString(page, " "))
	}
}
