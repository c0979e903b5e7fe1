package web

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"

	"canteen/bot"
	"canteen/knowledge"
)

// layout is what every page has.
type layout struct {
	Title   string
	Path    string
	Desk    bool
	Local   bool   // the chat and the desk may be linked to
	Failed  bool   // "Error:" goes before the title
	Key     string // of the forms on this page
	Help    string // whom to call in an emergency, in Markdown; not on the desk
	Version string // of what a script would look for anew
	now     time.Time
	zone    *time.Location
}

func (s *web) layout(r *http.Request, title string) layout {
	l := layout{Title: title, Path: r.URL.Path, Local: s.local(r), Desk: atDesk(r), Key: rand.Text(), now: s.Now(), zone: s.Bot.Base().Local().Zone}
	if !l.Desk {
		l.Help = s.Bot.Say(bot.WordUrgentHelp)
	}
	return l
}

// Base is where the page's forms go.
func (l layout) Base() string {
	if l.Desk {
		return "/desk"
	}
	return ""
}

// When says a time as people here do.
func (l layout) When(t time.Time) string {
	t, now := t.In(l.zone), l.now.In(l.zone)
	clock := strings.ToLower(t.Format("3:04PM"))
	switch {
	case t.Format(time.DateOnly) == now.Format(time.DateOnly):
		return clock
	case t.Year() == now.Year():
		return t.Format("2 January, ") + clock
	}
	return t.Format("2 January 2006, ") + clock
}

// Posted is a post on its page.
func (l layout) Posted(p bot.Post) postView { return postView{l, p} }

type postView struct {
	layout
	bot.Post
}

// Item is a link of the menu.
func (l layout) Item(path, name string) struct {
	Path, Name string
	Current    bool
} {
	return struct {
		Path, Name string
		Current    bool
	}{path, name, l.Path == path}
}

// Pressed is a button on its page.
func (l layout) Pressed(b bot.Button) buttonView { return buttonView{l, b} }

type buttonView struct {
	layout
	bot.Button
}

// failedPage says in one sentence what went wrong.
type failedPage struct {
	layout
	Text string // Markdown
}

//go:embed templates
var templates embed.FS

var pages = func() map[string]*template.Template {
	common := template.Must(template.New("").Funcs(template.FuncMap{
		"markdown": markdown,
		"asset":    assetPath,
		"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"state": func(s bot.State) [2]string { return states[s] },
	}).ParseFS(templates, "templates/layout.html", "templates/parts.html"))
	m := map[string]*template.Template{}
	for _, name := range []string{"chat", "topics", "you", "erase", "entry", "form", "failed", "desk", "item", "try"} {
		m[name] = template.Must(template.Must(common.Clone()).ParseFS(templates, "templates/"+name+".html"))
	}
	return m
}()

// show writes a page, whole or not at all.
func (s *web) show(w http.ResponseWriter, status int, page string, data any) error {
	var b bytes.Buffer
	if err := pages[page].ExecuteTemplate(&b, "layout.html", data); err != nil {
		return fmt.Errorf("page %s: %w", page, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a reader who has gone is no failure
	return nil
}

// assetPath names a file by its content, so that it can be kept for ever.
func assetPath(name string) (string, error) {
	b, err := assets.ReadFile("assets/" + name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("/assets/%s?%x", name, sha256.Sum256(b))[:len("/assets/?")+len(name)+12], nil
}

// states are the states of an escalation as the desk shows them, with a colour.
var states = map[bot.State][2]string{
	bot.Open:     {"Waiting", "yellow"},
	bot.Claimed:  {"Claimed", "blue"},
	bot.Waiting:  {"Waiting for the asker", "purple"},
	bot.Answered: {"Answered", "green"},
	bot.Closed:   {"Closed", "grey"},
}

// topHeading is the highest heading inside a post: the page's own are above it.
const topHeading = 4

// markdown draws what comms wrote. Its parser knows no HTML, and links that would
// run something are dropped by the renderer.
func markdown(md string) (template.HTML, error) {
	doc, source := knowledge.ParseMarkdown(md)
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			h.Level = min(h.Level+topHeading-1, 6)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := renderMarkdown.Render(&b, source, doc); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil
}

var renderMarkdown = renderer.NewRenderer(renderer.WithNodeRenderers(
	util.Prioritized(html.NewRenderer(), 1000), util.Prioritized(textOfImages{}, 100)))

// textOfImages shows an image as its text: nothing is loaded from elsewhere.
type textOfImages struct{}

func (textOfImages) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, nil
	})
}
