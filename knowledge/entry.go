package knowledge

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
	goldtext "github.com/yuin/goldmark/text"
	"go.yaml.in/yaml/v4"
)

// Route says what becomes of a question that matches an entry.
type Route string

const (
	Answered  Route = ""          // the entry is the answer
	Comms     Route = "comms"     // a person answers
	Urgent    Route = "urgent"    // fixed steps now, and comms are told at once
	Private   Route = "private"   // fixed signposts, and nothing is kept
	Elsewhere Route = "elsewhere" // somebody else's subject
	SmallTalk Route = "smalltalk" // greetings, help, thanks
)

var routes = []Route{Comms, Urgent, Private, Elsewhere, SmallTalk}

// Entry is one file of the folder. The entries of a [Base] have their template values
// filled in; those of [Base.Draft] are as they were written.
type Entry struct {
	ID          string // the path below faq/ without .md, for ever
	Title       string
	Body, Since string   // Markdown
	Phrasings   []string // those of its file, which people edit
	Asked       []string // the further ones of its .asked file
	SeeAlso     []string // ids
	Facts       []string
	Source      string
	ReviewBy    time.Time // zero: no date
	Route       Route
	Handoff     bool
	Retired     bool   // never true in a Base
	File        string // where it was read from
}

// AskedAs are all the ways in which people ask for the entry.
func (e *Entry) AskedAs() []string { return slices.Concat(e.Phrasings, e.Asked) }

// Lane is the last part of the id of an urgent or private entry, else "".
func (e *Entry) Lane() string {
	if e.Route != Urgent && e.Route != Private {
		return ""
	}
	return path.Base(e.ID)
}

const (
	secSince = "Since then"
	secAsked = "Asked as"
	secSee   = "See also"
	secCues  = "Cues"
)

var sections = []string{secSince, secAsked, secSee, secCues}

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	linkPattern = regexp.MustCompile(`^\[(.*)\]\(([^()\s]+)\)$`)
	hashPattern = regexp.MustCompile(`^(#+)\s*(.*?)(?:\s+#+)?\s*$`)
)

// renamedTopics are those that were called open-… before the first release.
var renamedTopics = []string{"accounts", "colleagues", "guide", "money", "patients", "platforms", "policy", "self"}

// currentID returns the current id of an entry: that without open- for the topics that
// were renamed before the first release.
func currentID(id string) string {
	topic, slug, ok := strings.Cut(id, "/")
	if now, was := strings.CutPrefix(topic, "open-"); ok && was && slices.Contains(renamedTopics, now) {
		return now + "/" + slug
	}
	return id
}

// position is a line and a column of a file, both from 1.
type position struct{ line, column int }

// location is a position in a file of one of several folders.
type location struct {
	path  string
	at    position
	layer *layer // nil: the embedded folder, which replaces a broken file
}

// source is an entry as its file has it, with the places that later checks
// (facts, links, templates, phrasings across entries) report.
type source struct {
	Entry
	path      string // as problems print it
	routeAt   position
	titleAt   position
	bodyAt    position // first line of the body's text
	sinceAt   position
	layer     *layer
	over      *source // the entry that it overlays, or nil
	phrasings []location
	asked     []location
	see       []position
	facts     []position
}

// parseEntry reads one file of a layer. What it returns is as complete as the
// problems allow, so that one pass reports all of them.
func parseEntry(p *reporter, l *layer, id string, data []byte) *source {
	s := &source{Entry: Entry{ID: id, File: p.path}, path: p.path, layer: l}
	if !idPattern.MatchString(id) {
		p.add(position{1, 1}, "the name %q: use letters, digits, - and _ only, because the path is the entry's id", id)
	}
	lines, ok := p.lines(data, maxEntry)
	if !ok {
		return s
	}
	n := s.frontMatter(p, lines)
	s.sections(p, lines, n)
	return s
}

// frontMatter returns the index of the first line after it.
func (s *source) frontMatter(p *reporter, lines []string) int {
	if len(lines) == 0 || strings.TrimRight(lines[0], " \t") != "---" {
		return 0
	}
	end := slices.IndexFunc(lines[1:], func(l string) bool { return strings.TrimRight(l, " \t") == "---" })
	if end < 0 {
		p.add(position{1, 1}, "the front matter has no end: close it with a line of ---")
		return 1
	}
	y := yamlReader{reporter: p}
	y.read([]byte("\n"+strings.Join(lines[1:end+1], "\n")), func(n *yaml.Node) {
		y.fields(n, map[string]func(*yaml.Node){
			"facts": func(n *yaml.Node) {
				y.each(n, func(n *yaml.Node) {
					if v := y.text(n); v != "" {
						s.Facts = append(s.Facts, v)
						s.facts = append(s.facts, position{n.Line, n.Column})
					}
				})
			},
			"source": func(n *yaml.Node) { s.Source = y.text(n) },
			"review_by": func(n *yaml.Node) {
				s.ReviewBy = y.date(n)
			},
			"route": func(n *yaml.Node) {
				s.routeAt = position{n.Line, n.Column}
				r := Route(y.text(n))
				if r != "" && !slices.Contains(routes, r) {
					p.add(s.routeAt, "unknown route %q: use one of %s, or leave it out", r, joinNames(routes))
					return
				}
				s.Route = r
			},
			"handoff": func(n *yaml.Node) { s.Handoff = y.flag(n) },
			"retired": func(n *yaml.Node) { s.Retired = y.flag(n) },
		})
	})
	if s.Handoff && s.Route != Private {
		p.warn(position{1, 1}, "handoff has an effect on private entries only")
	}
	return end + 2
}

// sections cuts the rest of the file by its headings.
func (s *source) sections(p *reporter, lines []string, first int) {
	var section string // "" before the title, "#" in the body
	var text []string
	titled, seen := false, map[string]position{}
	start := first
	end := func() { s.addSection(p, section, text, start) }
	for i := first; i < len(lines); i++ {
		level, name, ok := heading(lines[i])
		if !ok {
			text = append(text, lines[i])
			continue
		}
		place := position{i + 1, 1}
		switch {
		case level == 0:
			p.add(place, "a heading needs a space after the #: write \"## %s\"", name)
		case level == 1 && section == "" && !titled:
			titled = true
			if name == "" {
				p.add(place, "the title is empty")
			}
			s.Title, s.titleAt = name, position{i + 1, 3}
			end()
			section, text, start = "#", nil, i+1
			continue
		case level == 1 && !titled:
			titled = true
			s.Title, s.titleAt = name, position{i + 1, 3}
			p.add(place, "the title is below a section: put it first")
		case level == 1:
			p.add(place, "a second title: an entry has one line that starts with a single #")
		}
		if level == 1 {
			text = append(text, "")
			continue
		}
		end()
		section, text, start = p.sectionName(name, place), nil, i+1
		if _, twice := seen[section]; twice {
			p.add(place, "section %q is there twice", section)
			continue
		}
		seen[section] = place
	}
	end()

	top := position{min(first+1, max(len(lines), 1)), 1}
	if !titled {
		p.add(top, "no title: the first line of the text is # and the title")
	}
	if s.Body == "" && !s.Retired && titled {
		p.add(position{s.titleAt.line, 1}, "no body: write the answer below the title")
	}
	if len(s.Phrasings) == 0 {
		p.add(cmp.Or(seen[secAsked], top), "no phrasing: list under \"## Asked as\" how people ask")
	}
	p.unreadable(s.Body, s.bodyAt)
	p.unreadable(s.Since, s.sinceAt)
}

// addSection reads the lines of one section, of which the first is line start+1: ""
// stands before the title, "#" for the body.
func (s *source) addSection(p *reporter, section string, text []string, start int) {
	body, lead := trimBlank(text)
	place := position{start + lead + 1, 1}
	switch section {
	case "":
		if body != "" {
			p.add(place, "text before the title")
		}
	case "#":
		s.Body, s.bodyAt = body, place
	case secSince:
		s.Since, s.sinceAt = body, place
		if body == "" {
			p.add(position{start, 1}, "there is nothing under %q", section)
		}
	case secAsked:
		items, places := p.bullets(text, start, section)
		s.Phrasings = append(s.Phrasings, items...)
		s.phrasings = append(s.phrasings, mapSlice(places, func(a position) location { return location{p.path, a, s.layer} })...)
	case secCues:
		p.add(position{start, 1}, "cues are in a file of their own now, %s%s: %s", path.Base(s.ID), cuesSuffix, cueForm)
	case secSee:
		s.seeAlso(p, text, start)
	}
}

// sectionName is the name of a section as the format has it; another spelling, and a
// section that there is not, are reported.
func (p *reporter) sectionName(name string, place position) string {
	k := slices.IndexFunc(sections, func(k string) bool { return strings.EqualFold(k, name) })
	if k < 0 {
		p.add(place, "unknown section %q: the sections are %s", name, joinNames(sections))
		return name
	}
	if sections[k] != name {
		p.add(place, "section %q: write it %q", name, sections[k])
	}
	return sections[k]
}

// parseAsked reads the further phrasings of an entry: one a line, literal. A line
// that begins with # says where those below come from.
func (p *reporter) parseAsked(data []byte, l *layer) (phrasings []string, places []location) {
	lines, ok := p.lines(data, maxEntry)
	if !ok {
		return nil, nil
	}
	for i, line := range lines {
		t := strings.TrimSpace(line)
		if t == "" || t[0] == '#' {
			continue
		}
		column := 1 + utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, unicode.IsSpace))
		phrasings, places = append(phrasings, t), append(places, location{p.path, position{i + 1, column}, l})
	}
	return phrasings, places
}

// unreadable reports Markdown that chats show raw: comments, HTML and tables.
func (p *reporter) unreadable(text string, start position) {
	line := func(n ast.Node) int {
		for ; n != nil; n = n.Parent() {
			if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
				return start.line + strings.Count(text[:n.Lines().At(0).Start], "\n")
			}
		}
		return start.line
	}
	doc := anyMarkdown.Parse(goldtext.NewReader([]byte(text)))
	ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if !enter {
			return ast.WalkContinue, nil
		}
		switch h := n.(type) {
		case *ast.HTMLBlock:
			what := "HTML: staff would read the tags as they are"
			if h.HTMLBlockType == ast.HTMLBlockType2 {
				what = "a comment: staff would read it. Take it out, or keep it in another file"
			}
			p.add(position{line(n), 1}, "%s", what)
		case *ast.RawHTML:
			segment := h.Segments.At(0)
			what := "HTML: staff would read the tags as they are"
			if strings.HasPrefix(string(segment.Value([]byte(text))), "<!--") {
				what = "a comment: staff would read it. Take it out, or keep it in another file"
			}
			p.add(position{start.line + strings.Count(text[:segment.Start], "\n"), 1}, "%s", what)
		}
		return ast.WalkContinue, nil
	})
	for i, l := range strings.Split(text, "\n") {
		if tableRule.MatchString(l) {
			p.add(position{start.line + i, 1}, "a table: chats cannot show one. Write a list")
		}
	}
}

// tableRule is the line below the head of a Markdown table.
var tableRule = regexp.MustCompile(`^\s*\|?\s*:?-{2,}:?\s*(\|\s*:?-{2,}:?\s*)+\|?\s*$`)

func (s *source) seeAlso(p *reporter, text []string, start int) {
	items, places := p.bullets(text, start, secSee)
	for i, item := range items {
		m := linkPattern.FindStringSubmatch(item)
		if m == nil {
			p.add(places[i], "see also %q: write it as [title](../topic/entry.md)", item)
			continue
		}
		id, ok := strings.CutSuffix(path.Join(path.Dir(s.ID), m[2]), entrySuffix)
		id = currentID(id)
		if !ok || !idPattern.MatchString(id) || strings.Contains(m[2], ":") || path.IsAbs(m[2]) {
			p.add(places[i], "broken See also: %s is not the path of an entry", m[2])
			continue
		}
		s.SeeAlso = append(s.SeeAlso, id)
		s.see = append(s.see, places[i])
	}
}

// heading reports a line that starts a title (1) or a section (2). Level 0 is
// a section's name that lacks its space; deeper headings belong to the text.
func heading(line string) (level int, name string, ok bool) {
	t := strings.TrimLeft(line, " ")
	if len(line)-len(t) > 3 || !strings.HasPrefix(t, "#") {
		return 0, "", false
	}
	m := hashPattern.FindStringSubmatch(t)
	level, name = len(m[1]), m[2]
	rest := t[level:]
	if level > 2 {
		return 0, "", false
	}
	if rest == "" || rest[0] == ' ' || rest[0] == '\t' {
		return level, name, true
	}
	for _, k := range sections {
		if strings.EqualFold(k, name) {
			return 0, k, true
		}
	}
	return 0, "", false
}

// bullets reads a list whose items are literal to the end of their line.
func (p *reporter) bullets(text []string, start int, section string) (items []string, places []position) {
	for i, l := range text {
		t := strings.TrimSpace(l)
		if t == "" {
			continue
		}
		indent := utf8.RuneCountInString(l) - utf8.RuneCountInString(strings.TrimLeftFunc(l, unicode.IsSpace))
		place := position{start + i + 1, indent + 1}
		if t == "-" || t == "*" {
			p.add(place, "an empty bullet under %q", section)
			continue
		}
		rest, ok := strings.CutPrefix(t, "- ")
		if !ok {
			rest, ok = strings.CutPrefix(t, "* ")
		}
		if !ok {
			p.add(place, "under %q every line starts with \"- \"", section)
			continue
		}
		item := strings.TrimSpace(rest)
		place.column += 2 + utf8.RuneCountInString(rest) - utf8.RuneCountInString(strings.TrimLeftFunc(rest, unicode.IsSpace))
		items = append(items, item)
		places = append(places, place)
	}
	return items, places
}

// clean removes control characters, byte order marks and invalid UTF-8.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r == '\ufeff' || r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(clean(strings.ReplaceAll(s, "\n", " "))), " ")
}

// trimBlank joins the lines without the blank ones at both ends and says how
// many it left out at the start.
func trimBlank(lines []string) (string, int) {
	blank := func(l string) bool { return strings.TrimSpace(l) == "" }
	lead := 0
	for lead < len(lines) && blank(lines[lead]) {
		lead++
	}
	last := len(lines)
	for last > lead && blank(lines[last-1]) {
		last--
	}
	return strings.TrimRightFunc(strings.Join(lines[lead:last], "\n"), unicode.IsSpace), lead
}

// fold normalises a phrasing for comparison: case and outer spaces do not matter.
func fold(s string) string { return strings.ToLower(strings.ToUpper(strings.TrimSpace(s))) }

func mapSlice[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func joinNames[T ~string](items []T) string {
	return strings.Join(mapSlice(items, func(i T) string { return string(i) }), ", ")
}
