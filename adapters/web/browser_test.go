package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// browser is a tab of a headless Chromium that is told what to do and looked at
// with axe.
type browser struct {
	t    *testing.T
	ctx  context.Context
	site string
	axe  string
}

// missing ends a test for want of a tool, unless it must not.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CANTEEN_REQUIRE_BROWSER") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// open starts a browser of its own at a site.
func open(t *testing.T, site string) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser in short mode")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium is not installed: apt-get install chromium")
	}
	file := os.Getenv("AXE_CORE")
	if file == "" {
		file = filepath.FromSlash("../../node_modules/axe-core/axe.min.js")
	}
	axe, err := os.ReadFile(file)
	if err != nil {
		missing(t, "axe-core is not installed: npm install axe-core, or set AXE_CORE to axe.min.js")
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU)
	for _, f := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync"} {
		flags = append(flags, chromedp.Flag(f, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), flags...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	b := &browser{t, ctx, site, string(axe)}
	b.start()
	return b
}

// start opens the tab, which lives as long as the context that opened it.
func (b *browser) start() {
	b.t.Helper()
	if err := chromedp.Do(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	b.size(1280)
}

// tab opens another tab; a stranger's has its own cookies.
func (b *browser) tab(opts ...chromedp.ContextOption) *browser {
	ctx, cancel := chromedp.NewContext(b.ctx, append(opts, chromedp.WithNewWindow(true))...)
	b.t.Cleanup(cancel)
	n := *b
	n.ctx = ctx
	n.start()
	return &n
}

func (b *browser) size(width int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
}

// run does one thing in the tab, which takes half a minute at most.
func run[T any](b *browser, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("main")?.innerText ?? ""`))
		b.t.Fatalf("at %s: %v\n%s", where, err, text)
	}
	return v
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(steps...))
}

func (b *browser) js(script string) {
	b.t.Helper()
	run(b, chromedp.Evaluate[chromedp.Void](script))
}

func (b *browser) goTo(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.site + path)) }

// sees waits until the page shows a text.
func (b *browser) sees(text string) {
	b.t.Helper()
	quoted, _ := json.Marshal(text)
	run(b, chromedp.Poll[bool](fmt.Sprintf(`document.querySelector("main")?.innerText.includes(%s)`, quoted), chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
}

// press presses the last button or link with that label.
func (b *browser) press(label string) {
	b.t.Helper()
	b.do(b.click(label))
}

func (b *browser) click(label string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(fmt.Sprintf(`(//main//button[starts-with(normalize-space(), %q)] | //main//a[starts-with(normalize-space(), %[1]q)])[last()]`, label))
}

// follow presses what leads to another page, and waits for that.
func (b *browser) follow(label string) {
	b.t.Helper()
	run(b, func(ctx context.Context, _ *chromedp.Target) (*network.Response, error) {
		return chromedp.RunResponse(ctx, b.click(label))
	})
}

// fill types into a field, in place of what is there.
func (b *browser) fill(id, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.ID(id)))
	b.js(fmt.Sprintf(`document.getElementById(%q).value = ""`, id))
	b.do(chromedp.SendKeys(chromedp.ID(id), text))
}

func (b *browser) is(expression, why string) {
	b.t.Helper()
	if !run(b, chromedp.Evaluate[bool](expression)) {
		b.t.Errorf("%s: %s is false", why, expression)
	}
}

// checked runs axe over the page as it is now, and looks whether it fits the
// narrowest screen. With CANTEEN_SHOTS a folder, it leaves pictures there.
func (b *browser) checked(state string) {
	b.t.Helper()
	type violation struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML string `json:"html"`
			Why  string `json:"failureSummary"`
		} `json:"nodes"`
	}
	b.js(b.axe + ";0")
	violations := run(b, chromedp.Evaluate[[]violation](`axe.run(document, {rules: {"target-size": {enabled: true}}}).then(r => r.violations)`, chromedp.EvalAwaitPromise))
	for _, v := range violations {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: axe %s: %s\n%s\n%s", state, v.ID, v.Help, n.HTML, n.Why)
		}
	}
	dir := os.Getenv("CANTEEN_SHOTS")
	for _, width := range []int64{1280, 375, 320} {
		b.size(width)
		if wide := run(b, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`)); wide > width {
			b.t.Errorf("%s: %d pixels wide on a screen of %d", state, wide, width)
		}
		if dir != "" && width > 320 {
			shot := run(b, chromedp.FullScreenshot(100))
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", strings.ReplaceAll(state, " ", "-"), width)), shot, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.size(1280)
}

// TestBrowser plays both sides of an escalation, and looks at every page and state
// on the way.
func TestBrowser(t *testing.T) {
	site := newSite(t, t.TempDir())
	asker := open(t, site.URL)
	asker.goTo("/")
	asker.checked("chat empty")
	asker.js(`window.stayed = true`)

	ask := func(b *browser, text string) { b.t.Helper(); b.fill("text", text+"\r") }
	ask(asker, answered)
	asker.sees("Source: NHS Employers quick guide, November 2014")
	asker.is(`document.activeElement.id === "text" && document.activeElement.value === ""`, "ready for the next question")
	asker.checked("chat answer")
	ask(asker, "   ")
	asker.sees("There is a problem")
	asker.is(`document.activeElement.classList.contains("nhsuk-error-summary")`, "the error is said aloud")
	asker.checked("chat error")
	asker.press("Not what I meant")
	asker.sees("Did you mean one of these?")
	asker.checked("chat clarify")
	ask(asker, uncovered)
	asker.sees("Your reference is C-1")
	asker.is(`window.stayed === true`, "no reload")
	asker.checked("chat holding")

	desk := asker.tab()
	desk.goTo("/desk/")
	desk.sees("1 question waits.")
	desk.checked("desk list")
	desk.fill("name", "Jo Bloggs")
	desk.follow("Save")
	desk.follow("C-1")
	desk.checked("desk open")
	desk.follow("Claim")
	desk.sees("Jo Bloggs")
	desk.checked("desk claimed")

	desk.follow("Ask back")
	desk.follow("Send")
	desk.sees("There is a problem")
	desk.checked("form error")
	desk.fill("field-text", "Would patients be in the picture?")
	desk.follow("Send")
	desk.sees("Asked back")
	desk.checked("desk waiting")
	asker.sees("Would patients be in the picture?")
	asker.follow("Reply to comms")
	asker.checked("form reply")
	asker.fill("field-text", "No, only the two of us.")
	asker.follow("Send")
	asker.sees("I have passed your reply")
	asker.js(`window.stayed = true`)
	desk.sees("No, only the two of us.") // without a reload

	desk.follow("Use an entry")
	desk.checked("form entry")
	desk.fill("q", "canteen rule")
	desk.sees("The canteen rule")
	desk.checked("form entry found")
	desk.follow("Back")
	desk.follow("Assign")
	desk.checked("form assign")
	desk.follow("Back")
	desk.follow("Answer")
	desk.fill("field-text", "Yes, if your manager agrees. **Never** film where patients may walk by.")
	desk.checked("form answer")
	desk.follow("Send")
	desk.sees("Answered by")
	desk.checked("desk answered")
	asker.sees("Never film where patients may walk by.")
	asker.is(`window.stayed === true`, "the answer comes without a reload")
	asker.checked("chat relay")

	desk.follow("Add to the FAQ")
	desk.fill("field-text", "Ask Jo on 020 7946 0123.")
	desk.follow("Add")
	desk.sees("Take out personal details first (phone number).")
	desk.checked("form promote refused")
	desk.fill("field-title", "Filming a TikTok at work")
	desk.fill("field-text", "You can, if your manager agrees. Never film where patients may walk by.")
	desk.checked("form promote")
	desk.follow("Add")
	desk.sees("is in the FAQ now")
	desk.checked("desk promoted")
	site.fitted(t)

	stranger := desk.tab(chromedp.WithNewBrowserContext())
	stranger.goTo("/")
	ask(stranger, uncovered)
	stranger.sees("Never film where patients may walk by.")
	stranger.is(`!document.body.innerText.includes("Your reference")`, "answered at once")
	stranger.follow("Read this on a page of its own")
	stranger.checked("entry")

	asker.press("That helped")
	asker.sees("Thank you for telling me.")
	desk.sees("Closed")
	desk.checked("desk closed")
	ask(asker, urgent)
	asker.sees("I have sent this to the communications team.")
	asker.checked("chat urgent")
	ask(asker, private)
	asker.sees("I have not kept what you wrote")
	asker.checked("chat private")
	desk.goTo("/desk/")
	desk.sees("Urgent")
	desk.checked("desk urgent")
	desk.goTo("/desk/try")
	desk.checked("try empty")
	desk.fill("text", answered)
	desk.follow("Try")
	desk.sees("Candidates, best first")
	desk.checked("try")
	for _, page := range []string{"/topics", "/you", "/erase", "/entry/conduct/canteen-rule", "/entry/none"} {
		asker.goTo(page)
		asker.checked("page" + strings.ReplaceAll(page, "/", " "))
	}
	asker.goTo("/erase")
	asker.follow("Erase")
	asker.sees("are gone")
	asker.checked("erased")
}
