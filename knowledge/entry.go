package knowledge

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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

// Entry is one file of the folder. Those of a [Base] have their template
// values filled in; those of [Base.Draft] stand as they were written.
type Entry struct {
	ID          string // the path below faq/ without .md, for ever
	Title       string
	Body, Since string // Markdown
	Phrasings   []string
	Cues        []string
	SeeAlso     []string // ids
	Facts       []string
	Source      string
	ReviewBy    time.Time // zero: no date
	Route       Route
	Handoff     bool
	Retired     bool   // never true in a Base
	File        string // where it was read from
}

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

// maxEntry bounds one entry's file: a long one has 8 KiB, so a larger one is
// something else under the wrong name.
const maxEntry = 256 << 10

var (
	idPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$`)
	linkPattern = regexp.MustCompile(`^\[(.*)\]\(([^()\s]+)\)$`)
	hashPattern = regexp.MustCompile(`^(#+)\s*(.*?)(?:\s+#+)?\s*$`)
)

// at is a place in a file.
type at struct{ line, column int }

// source is an entry as its file has it, with the places that later checks
// (facts, links, templates, phrasings across entries) report.
type source struct {
	Entry
	path      string // as problems print it
	routeAt   at
	titleAt   at
	bodyAt    at // first line of the body's text
	sinceAt   at
	phrasings []at
	cues      []cue
	see       []at
	facts     []at
}

// parseEntry reads one file. What it returns is as complete as the problems
// allow, so that one pass reports all of them.
func parseEntry(id, file string, data []byte) (*source, Problems) {
	s := &source{Entry: Entry{ID: id, File: file}, path: file}
	p := &reporter{path: file}
	if !idPattern.MatchString(id) {
		p.add(at{1, 1}, "the name %q: use letters, digits, - and _ only, because the path is the entry's id", id)
	}
	lines, ok := p.lines(data, maxEntry)
	if !ok {
		return s, p.problems
	}
	n := s.frontMatter(p, lines)
	s.sections(p, lines, n)
	return s, p.problems
}

// frontMatter returns the index of the first line after it.
func (s *source) frontMatter(p *reporter, lines []string) int {
	if len(lines) == 0 || strings.TrimRight(lines[0], " \t") != "---" {
		return 0
	}
	end := slices.IndexFunc(lines[1:], func(l string) bool { return strings.TrimRight(l, " \t") == "---" })
	if end < 0 {
		p.add(at{1, 1}, "the front matter has no end: close it with a line of ---")
		return 1
	}
	y := yamlReader{reporter: p}
	y.read([]byte("\n"+strings.Join(lines[1:end+1], "\n")), func(n *yaml.Node) {
		y.fields(n, map[string]func(*yaml.Node){
			"facts": func(n *yaml.Node) {
				y.each(n, func(n *yaml.Node) {
					if v := y.text(n); v != "" {
						s.Facts = append(s.Facts, v)
						s.facts = append(s.facts, at{n.Line, n.Column})
					}
				})
			},
			"source": func(n *yaml.Node) { s.Source = y.text(n) },
			"review_by": func(n *yaml.Node) {
				s.ReviewBy = y.date(n)
			},
			"route": func(n *yaml.Node) {
				s.routeAt = at{n.Line, n.Column}
				r := Route(y.text(n))
				if r != "" && !slices.Contains(routes, r) {
					p.add(s.routeAt, "unknown route %q: use one of %s, or leave it out", r, list(routes))
					return
				}
				s.Route = r
			},
			"handoff": func(n *yaml.Node) { s.Handoff = y.flag(n) },
			"retired": func(n *yaml.Node) { s.Retired = y.flag(n) },
		})
	})
	if s.Handoff && s.Route != Private {
		p.warn(at{1, 1}, "handoff has an effect on private entries only")
	}
	return end + 2
}

// sections cuts the rest of the file by its headings.
func (s *source) sections(p *reporter, lines []string, first int) {
	var section string // "" before the title, "#" in the body
	var text []string
	titled, seen := false, map[string]at{}
	start := first
	end := func() {
		body, lead := trimBlank(text)
		place := at{start + lead + 1, 1}
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
				p.add(at{start, 1}, "nothing stands under %q", section)
			}
		case secAsked:
			items, places := p.bullets(text, start, section)
			s.Phrasings, s.phrasings = append(s.Phrasings, items...), append(s.phrasings, places...)
		case secCues:
			items, places := p.bullets(text, start, section)
			s.Cues = append(s.Cues, items...)
			for i, item := range items {
				c, err := parseCue(item)
				if err != nil {
					p.add(places[i], "cue %q: %v", item, err)
					continue
				}
				s.cues = append(s.cues, c)
			}
		case secSee:
			s.seeAlso(p, text, start)
		}
	}
	for i := first; i < len(lines); i++ {
		level, name, ok := heading(lines[i])
		if !ok {
			text = append(text, lines[i])
			continue
		}
		place := at{i + 1, 1}
		switch {
		case level == 0:
			p.add(place, "a heading needs a space after the #: write \"## %s\"", name)
		case level == 1 && section == "" && !titled:
			titled = true
			if name == "" {
				p.add(place, "the title is empty")
			}
			s.Title, s.titleAt = name, at{i + 1, 3}
			end()
			section, text, start = "#", nil, i+1
			continue
		case level == 1 && !titled:
			titled = true
			s.Title, s.titleAt = name, at{i + 1, 3}
			p.add(place, "the title stands below a section: put it first")
		case level == 1:
			p.add(place, "a second title: an entry has one line that starts with a single #")
		}
		if level == 1 {
			text = append(text, "")
			continue
		}
		end()
		section, text, start = name, nil, i+1
		if k := slices.IndexFunc(sections, func(k string) bool { return strings.EqualFold(k, name) }); k >= 0 {
			if sections[k] != name {
				p.add(place, "section %q: write it %q", name, sections[k])
				section = sections[k]
			}
		} else {
			p.add(place, "unknown section %q: the sections are %s", name, list(sections))
		}
		if _, twice := seen[section]; twice {
			p.add(place, "section %q stands twice", section)
			continue
		}
		seen[section] = place
	}
	end()

	top := at{min(first+1, max(len(lines), 1)), 1}
	if !titled {
		p.add(top, "no title: the first line of the text is # and the title")
	}
	if s.Body == "" && !s.Retired && titled {
		p.add(at{s.titleAt.line, 1}, "no body: the answer stands below the title")
	}
	if len(s.Phrasings) == 0 {
		p.add(cmp.Or(seen[secAsked], top), "no phrasing: list under \"## Asked as\" how people ask")
	}
	lane := s.Route == Urgent || s.Route == Private
	if lane && len(s.Cues) == 0 && !s.Retired {
		p.add(s.routeAt, "a lane (route %s) without cues: list them under \"## Cues\"", s.Route)
	}
	if a, cued := seen[secCues]; cued && !lane {
		p.add(a, "cues stand in lanes only (route urgent or private)")
	}
	dup := map[string]at{}
	for i, ph := range s.Phrasings {
		if first, ok := dup[fold(ph)]; ok {
			p.add(s.phrasings[i], "the same phrasing twice: %q stands on line %d already", ph, first.line)
			continue
		}
		dup[fold(ph)] = s.phrasings[i]
	}
}

func (s *source) seeAlso(p *reporter, text []string, start int) {
	items, places := p.bullets(text, start, secSee)
	for i, item := range items {
		m := linkPattern.FindStringSubmatch(item)
		if m == nil {
			p.add(places[i], "see also %q: write it as [title](../topic/entry.md)", item)
			continue
		}
		id, ok := strings.CutSuffix(path.Join(path.Dir(s.ID), m[2]), ".md")
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
func (p *reporter) bullets(text []string, start int, section string) (items []string, places []at) {
	for i, l := range text {
		t := strings.TrimSpace(l)
		if t == "" {
			continue
		}
		indent := utf8.RuneCountInString(l) - utf8.RuneCountInString(strings.TrimLeftFunc(l, unicode.IsSpace))
		place := at{start + i + 1, indent + 1}
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

// Format is the file of an entry. What it gives is read back as the same
// entry, but for spaces at the ends and control characters, and for lines of
// the text that would pass as headings: these get a backslash, which Markdown
// does not show.
func Format(e Entry) []byte {
	return format(e, slugTitle)
}

func format(e Entry, title func(id string) string) []byte {
	var b bytes.Buffer
	var fm []string
	if len(e.Facts) > 0 {
		fm = append(fm, "facts: ["+strings.Join(mapped(e.Facts, yamlItem), ", ")+"]")
	}
	if s := oneLine(e.Source); s != "" {
		fm = append(fm, "source: "+yamlText(s))
	}
	if !e.ReviewBy.IsZero() {
		fm = append(fm, "review_by: "+e.ReviewBy.Format(time.DateOnly))
	}
	if e.Route != Answered {
		fm = append(fm, "route: "+yamlText(string(e.Route)))
	}
	if e.Handoff {
		fm = append(fm, "handoff: true")
	}
	if e.Retired {
		fm = append(fm, "retired: true")
	}
	if len(fm) > 0 {
		fmt.Fprintf(&b, "---\n%s\n---\n", strings.Join(fm, "\n"))
	}
	fmt.Fprintf(&b, "# %s\n", closing.ReplaceAllString(oneLine(e.Title), ""))
	if t := textBlock(e.Body); t != "" {
		fmt.Fprintf(&b, "\n%s\n", t)
	}
	if t := textBlock(e.Since); t != "" {
		fmt.Fprintf(&b, "\n## %s\n%s\n", secSince, t)
	}
	bullets := func(name string, items []string) {
		items = slices.DeleteFunc(mapped(items, oneLine), func(s string) bool { return s == "" })
		if len(items) > 0 {
			fmt.Fprintf(&b, "\n## %s\n", name)
		}
		for _, i := range items {
			fmt.Fprintf(&b, "- %s\n", i)
		}
	}
	bullets(secAsked, e.Phrasings)
	bullets(secSee, mapped(e.SeeAlso, func(id string) string {
		up := strings.Repeat("../", strings.Count(e.ID, "/"))
		return fmt.Sprintf("[%s](%s%s.md)", title(id), up, id)
	}))
	bullets(secCues, e.Cues)
	return b.Bytes()
}

var closing = regexp.MustCompile(`(^| )#+$`) // Markdown drops these from a heading

var plainYAML = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*([ .()'/-]+[A-Za-z0-9()]+|, [A-Za-z0-9()]+)*$`)

// yamlText quotes whatever YAML could read as anything but this text. Go's
// quoting is a subset of YAML's.
func yamlText(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return strconv.Quote(s)
	}
	if plainYAML.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

// yamlItem is yamlText within [ ].
func yamlItem(s string) string {
	if strings.Contains(s, ",") {
		return strconv.Quote(s)
	}
	return yamlText(s)
}

func textBlock(s string) string {
	lines := strings.Split(strings.ReplaceAll(clean(s), "\r\n", "\n"), "\n")
	for i, l := range lines {
		if _, _, ok := heading(l); ok {
			hash := strings.IndexByte(l, '#')
			lines[i] = l[:hash] + `\` + l[hash:]
		}
	}
	t, _ := trimBlank(lines)
	return t
}

// clean drops what a file of text has no use for.
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

// fold makes phrasings comparable: they are the same when these are.
func fold(s string) string { return strings.ToLower(strings.ToUpper(strings.TrimSpace(s))) }

func mapped[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func list[T ~string](items []T) string {
	return strings.Join(mapped(items, func(i T) string { return string(i) }), ", ")
}
