// Package webtest drives the pages in a headless Chromium, as a person would, and
// looks at them with axe.
package webtest

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

// Browser is a tab of a headless Chromium that is told what to do and looked at
// with axe.
type Browser struct {
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

// Open starts a browser of its own, to look at the site at that address. Without a
// Chromium or axe-core the test is skipped, or fails if CANTEEN_REQUIRE_BROWSER is
// set.
func Open(t *testing.T, site string) *Browser {
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
	b := &Browser{t, ctx, site, string(axe)}
	b.start()
	return b
}

// start opens the tab, which lives as long as the context that opened it.
func (b *Browser) start() {
	b.t.Helper()
	if err := chromedp.Do(b.ctx); err != nil {
		b.t.Fatal(err)
	}
	b.size(1280)
}

// Tab opens another tab of the same person.
func (b *Browser) Tab() *Browser { b.t.Helper(); return b.tab() }

// Stranger opens a tab of somebody else, who has cookies of their own.
func (b *Browser) Stranger() *Browser {
	b.t.Helper()
	return b.tab(chromedp.WithNewBrowserContext())
}

func (b *Browser) tab(opts ...chromedp.ContextOption) *Browser {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, append(opts, chromedp.WithNewWindow(true))...)
	b.t.Cleanup(cancel)
	n := *b
	n.ctx = ctx
	n.start()
	return &n
}

func (b *Browser) size(width int64) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(width, 900))
}

// run does one thing in the tab, which takes half a minute at most.
func run[T any](b *Browser, action chromedp.Action[T]) T {
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

func (b *Browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, chromedp.Steps(steps...))
}

// Run runs a script in the page.
func (b *Browser) Run(script string) {
	b.t.Helper()
	run(b, chromedp.Evaluate[chromedp.Void](script))
}

// GoTo opens a path of the site.
func (b *Browser) GoTo(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.site + path)) }

// Sees waits until the page shows a text.
func (b *Browser) Sees(text string) {
	b.t.Helper()
	quoted, _ := json.Marshal(text)
	run(b, chromedp.Poll[bool](fmt.Sprintf(`document.querySelector("main")?.innerText.includes(%s)`, quoted), chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(20*time.Second)))
}

// Press presses the last button or link with that label.
func (b *Browser) Press(label string) {
	b.t.Helper()
	b.do(b.click(label))
}

func (b *Browser) click(label string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(fmt.Sprintf(`(//main//button[starts-with(normalize-space(), %q)] | //main//a[starts-with(normalize-space(), %[1]q)])[last()]`, label))
}

// Follow presses what leads to another page, and waits for that.
func (b *Browser) Follow(label string) {
	b.t.Helper()
	run(b, func(ctx context.Context, _ *chromedp.Target) (*network.Response, error) {
		return chromedp.RunResponse(ctx, b.click(label))
	})
}

// Text is what the page shows now.
func (b *Browser) Text() string {
	b.t.Helper()
	return run(b, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
}

// Fill types into a field, in place of what is there.
func (b *Browser) Fill(id, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.ID(id)))
	b.Run(fmt.Sprintf(`document.getElementById(%q).value = ""`, id))
	b.do(chromedp.SendKeys(chromedp.ID(id), text))
}

// Is looks whether an expression is true in the page, now.
func (b *Browser) Is(expression, why string) {
	b.t.Helper()
	if !run(b, chromedp.Evaluate[bool](expression)) {
		b.t.Errorf("%s: %s is false", why, expression)
	}
}

// Checked runs axe over the page as it is now, and looks whether it fits the
// narrowest screen. With CANTEEN_SHOTS a folder, it leaves pictures there.
func (b *Browser) Checked(state string) {
	b.t.Helper()
	type violation struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML string `json:"html"`
			Why  string `json:"failureSummary"`
		} `json:"nodes"`
	}
	b.Run(b.axe + ";0")
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
