package knowledge

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"canteen/knowledge/match"
)

// Load reads a folder and lays the overlays over it. The first folder takes
// the place of the embedded one whole; only wording/ falls back to it, file by
// file. An overlay replaces entries by id, adds new ones, and removes those
// that it marks as retired; further phrasings (.asked) add up. Its local.yaml (key by
// key), wording/ (file by file), facts.tsv (added) and lexicon.yaml (whole) take
// precedence too.
//
// A bad file does not affect the others: the embedded file of the same name replaces it,
// if there is one. The error is of type [Problems] and lists all of them; the Base is nil
// only where there is nothing to serve.
func Load(fsys fs.FS, overlays ...fs.FS) (*Base, error) {
	layers := []*layer{readLayer(fsys, true)}
	for _, f := range overlays {
		layers = append(layers, readLayer(f, false))
	}
	b, problems := assemble(layers, nil)
	if len(problems) > 0 {
		return b, problems
	}
	return b, nil
}

// assemble makes a Base of the layers. A bad file is replaced by the last Base's version
// of it, or else by the embedded one. It returns nil and the reasons when a whole folder
// cannot be read.
func assemble(layers []*layer, last *Base) (*Base, Problems) {
	var problems Problems
	for _, l := range layers {
		problems = append(problems, l.problems...)
	}
	if slices.ContainsFunc(layers, func(l *layer) bool { return l.missing || l.unread && last != nil }) {
		failures, _ := problems.sort().split()
		return nil, failures
	}
	a := &assembly{last: last, layers: layers, problems: problems, broken: map[string]bool{}, Base: &Base{
		byID:     map[string]*Entry{},
		sources:  map[string]*source{},
		topics:   map[string]string{},
		harmless: map[string][]string{},
		cues:     map[string]*laneCues{},
		facts:    map[string]Fact{},
		local:    defaultLocal(),
		wording:  map[Word]*message{},
		hash:     hash(layers),
	}}
	a.readFacts()
	a.readLexicon()
	a.readLocal()
	a.readWording()
	for _, l := range layers {
		a.readEntries(l)
	}
	for _, l := range layers {
		a.readAsked(l)
		a.readCues(l)
	}
	a.buildEntries()
	if len(a.broken) > 0 {
		a.replaceBroken()
	}
	b := a.Base
	b.lanes = newLaneIndex(b.entries, b.cues, b.lexicon)
	b.byPhrasing = byExactPhrasing(b.entries)
	b.index = sync.OnceValue(func() *match.Index { return match.Build(b.Documents(), b.lexicon) })
	b.suggest = sync.OnceValue(func() suggestions { return newSuggestions(b.entries) })
	failures, warnings := a.problems.sort().split()
	b.warnings = warnings
	if len(b.entries) == 0 {
		return nil, failures
	}
	return b, failures
}

// assembly is a Base in the making.
type assembly struct {
	*Base
	last     *Base // or nil
	layers   []*layer
	problems Problems
	broken   map[string]bool // ids of the entries that cannot be served as they are
}

// record adds the problems of a file to the list, and reports whether it can be used.
func (a *assembly) record(p *reporter) bool {
	a.problems = append(a.problems, p.problems...)
	failures, _ := p.problems.split()
	return len(failures) == 0
}

// maxEntries is more than twice the largest folder that match is measured on.
const maxEntries = 5000

func (a *assembly) readEntries(l *layer) {
	count := 0
	for _, name := range l.names() {
		if topic, ok := strings.CutSuffix(name, "/"+topicFile); ok {
			a.readTopic(l, name, strings.TrimPrefix(topic, "faq/"))
			continue
		}
		id, ok := fileID(name, entrySuffix)
		if !ok {
			continue
		}
		if count++; count > maxEntries {
			a.problems = append(a.problems, Problem{Path: l.path(name), Line: 1, Column: 1, Message: fmt.Sprintf("more than %d entries in one folder: the rest is left out", maxEntries)})
			break
		}
		p := &reporter{path: l.path(name)}
		s := &source{Entry: Entry{ID: currentID(id)}, path: p.path, layer: l}
		if l.files[name] != nil {
			s = parseEntry(p, l, s.ID, l.files[name])
		}
		if s.ID != id {
			p.warn(position{1, 1}, "the topic %s is called %s now: move the file there", path.Dir(id), path.Dir(s.ID))
		}
		was := a.sources[s.ID]
		if was != nil && was.layer == l {
			p.add(position{1, 1}, "the entry %s is there twice: %s has it too", s.ID, was.path)
			a.record(p)
			continue
		}
		if good := a.record(p) && l.files[name] != nil; good {
			delete(a.broken, s.ID)
		} else {
			a.broken[s.ID] = true
		}
		s.over = was
		a.sources[s.ID] = s
	}
}

// replaceBroken replaces each broken entry by its last good version, or else by that of an
// earlier folder or the embedded one. Then it builds the entries again, without reporting
// the same problems twice.
func (a *assembly) replaceBroken() {
	for id := range a.broken {
		was := a.fallback(id)
		if was == nil {
			delete(a.sources, id)
			continue
		}
		s := *was
		s.Asked, s.asked = a.sources[id].Asked, a.sources[id].asked
		a.sources[id] = &s
	}
	problems := a.problems
	a.buildEntries()
	a.problems = problems
}

func (a *assembly) fallback(id string) *source {
	if a.last != nil && a.last.sources[id] != nil {
		return a.last.sources[id]
	}
	if s := a.sources[id].over; s != nil {
		return s
	}
	name := "faq/" + id + entrySuffix
	data, err := fs.ReadFile(Embedded, name)
	if err != nil {
		return nil
	}
	p := &reporter{path: name}
	if s := parseEntry(p, nil, id, data); len(p.problems) == 0 {
		return s
	}
	return nil
}

func (a *assembly) readTopic(l *layer, name, topic string) {
	p := &reporter{path: l.path(name)}
	title := ""
	if lines, ok := p.lines(l.files[name], maxEntry); ok && l.files[name] != nil {
		y := yamlReader{p}
		y.read([]byte(strings.Join(lines, "\n")), func(n *yaml.Node) {
			y.fields(n, map[string]func(*yaml.Node){"title": func(n *yaml.Node) { title = y.text(n) }})
		})
	}
	topic = path.Dir(currentID(topic + "/x"))
	switch {
	case a.record(p) && title != "":
		a.topics[topic] = title
	case a.last != nil && a.last.topics[topic] != "":
		a.topics[topic] = a.last.topics[topic]
	}
}

// isHarmless reports whether a file has examples of what is no emergency:
// faq/lanes/_….asked.
func isHarmless(id string) bool { return strings.HasPrefix(id, "lanes/_") }

func (a *assembly) readAsked(l *layer) {
	for _, name := range l.names() {
		id, ok := fileID(name, askedSuffix)
		if !ok {
			continue
		}
		p := &reporter{path: l.path(name)}
		phrasings, places := p.parseAsked(l.files[name], l)
		if isHarmless(id) {
			if !a.record(p) && a.last != nil {
				phrasings = a.last.harmless[id]
			}
			a.harmless[id] = append(slices.Clip(a.harmless[id]), phrasings...)
			continue
		}
		s := a.sources[currentID(id)]
		switch {
		case s == nil:
			if l.files["faq/"+id+entrySuffix] == nil {
				p.add(position{1, 1}, "there is no entry %s that these phrasings could belong to", id)
			}
		case (l.files[name] == nil || len(p.problems) > 0) && a.last != nil && a.last.sources[s.ID] != nil:
			phrasings, places = a.last.sources[s.ID].Asked, a.last.sources[s.ID].asked
		}
		a.record(p)
		if s != nil {
			s.Asked, s.asked = append(slices.Clip(s.Asked), phrasings...), append(slices.Clip(s.asked), places...)
		}
	}
}

// buildEntries makes the checks that need all entries, then the entries themselves, with
// their template values filled in and without duplicate phrasings.
func (a *assembly) buildEntries() {
	a.entries, a.byID = nil, map[string]*Entry{}
	values := a.local.values()
	ids := slices.DeleteFunc(sortedKeys(a.sources), func(id string) bool { return a.sources[id].Retired || a.isSyncCopy(id) })
	there := map[string]bool{}
	for _, id := range ids {
		there[id] = true
	}
	mine := a.owners(ids)
	for _, id := range ids {
		s := a.sources[id]
		p := &reporter{path: s.path}
		for i, f := range s.Facts {
			if _, ok := a.facts[f]; !ok {
				p.add(s.facts[i], "unknown fact %s: facts.tsv does not have it", f)
			}
		}
		e := s.Entry
		e.Phrasings = slices.DeleteFunc(slices.Clone(s.Phrasings), func(text string) bool { return !mine(id, text) })
		e.Asked = slices.DeleteFunc(slices.Clone(s.Asked), func(text string) bool { return !mine(id, text) })
		e.SeeAlso = nil
		for i, other := range s.SeeAlso {
			switch {
			case other == id:
				p.add(s.see[i], "broken See also: the entry points to itself")
			case !there[other]:
				p.add(s.see[i], "broken See also: there is no entry %s", other)
			default:
				e.SeeAlso = append(e.SeeAlso, other)
			}
		}
		if strings.HasPrefix(id, "lanes/") && s.Lane() == "" {
			p.warn(position{1, 1}, "an entry below faq/lanes without route urgent or private is no lane")
		}
		a.record(p)
		p = &reporter{path: s.path}
		e.Title = p.expand(s.Title, s.titleAt, values)
		e.Body = p.expand(s.Body, s.bodyAt, values)
		e.Since = p.expand(s.Since, s.sinceAt, values)
		if !a.record(p) {
			a.broken[id] = true
			continue
		}
		a.entries = append(a.entries, &e)
		a.byID[id] = &e
	}
}

// isSyncCopy reports whether a sync program made an entry when two people saved
// (old-photos-LAPTOP7.md): its id begins with another's, and it has the same phrasings.
func (a *assembly) isSyncCopy(id string) bool {
	s := a.sources[id]
	for k := len(id) - 1; k > 0; k-- {
		if id[k] != '-' && id[k] != '_' {
			continue
		}
		o := a.sources[id[:k]]
		for o != nil && o.layer != s.layer {
			o = o.over
		}
		if o == nil || len(s.Phrasings) == 0 {
			continue
		}
		same := 0
		for _, p := range s.Phrasings {
			if slices.ContainsFunc(o.Phrasings, func(q string) bool { return fold(p) == fold(q) }) {
				same++
			}
		}
		if 2*same >= len(s.Phrasings) {
			a.problems = append(a.problems, Problem{Path: s.path, Line: 1, Column: 1, Message: fmt.Sprintf("left out: it looks like a copy of %s that a program made when two people saved. Compare the two, then delete one", path.Base(o.path))})
			return true
		}
	}
	return false
}

// owners reports duplicate phrasings, and returns whether a phrasing belongs to an entry.
// Of an answer and a question for comms it belongs to the answer, which is no problem;
// else to the entry of the later folder, or to the first one in the same folder.
func (a *assembly) owners(ids []string) (mine func(id, text string) bool) {
	owner := map[string]phrasing{}
	report := func(x phrasing, format string, args ...any) {
		a.problems = append(a.problems, Problem{Path: x.path, Line: x.at.line, Column: x.at.column, Message: "duplicate phrasing: " + fmt.Sprintf(format, args...)})
	}
	for _, id := range ids {
		for _, x := range a.sources[id].askedAs() {
			k := fold(x.text)
			o, ok := owner[k]
			switch {
			case !ok:
				owner[k] = x
			case o.entry == x.entry:
				if o.layer == x.layer { // the same in two folders is no slip
					report(x, "%q is already on line %d of %s", x.text, o.at.line, path.Base(o.path))
				}
			case a.sources[o.entry].Route == Comms && a.sources[x.entry].Route == Answered:
				owner[k] = x // what has an answer is no question for comms any more
			case a.sources[x.entry].Route == Comms && a.sources[o.entry].Route == Answered:
			case a.later(o.layer, x.layer):
				report(o, "%q is already in %s", o.text, x.entry)
			default:
				report(x, "%q is already in %s", x.text, o.entry)
				if a.later(x.layer, o.layer) {
					owner[k] = x
				}
			}
		}
	}
	kept := map[string]bool{}
	return func(id, text string) bool {
		k := fold(text)
		if owner[k].entry != id || kept[k] {
			return false
		}
		kept[k] = true
		return true
	}
}

// later reports whether l overlays m.
func (a *assembly) later(l, m *layer) bool {
	return slices.Index(a.layers, l) > slices.Index(a.layers, m)
}

var factPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// readFacts takes the first folder's facts.tsv, or else the embedded one, and
// those of the overlays.
func (a *assembly) readFacts() {
	read := func(path string, data []byte) {
		p := &reporter{path: path}
		lines, _ := p.lines(data, maxFile)
		for i, l := range lines {
			if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") || i == 0 && strings.HasPrefix(l, "id\t") {
				continue
			}
			c := strings.SplitN(l, "\t", 3)
			if len(c) < 2 || !factPattern.MatchString(c[0]) {
				p.add(position{i + 1, 1}, "a fact is a number such as F01, a tab, its name, a tab, and its words")
				continue
			}
			f := Fact{ID: c[0], Concept: strings.TrimSpace(c[1])}
			if len(c) > 2 {
				f.Words = strings.TrimSpace(c[2])
			}
			a.facts[f.ID] = f
		}
		a.record(p)
	}
	if a.layers[0].files["facts.tsv"] == nil {
		if data, err := fs.ReadFile(Embedded, "facts.tsv"); err == nil {
			read("facts.tsv", data)
		}
	}
	for _, l := range a.layers {
		if data := l.files["facts.tsv"]; data != nil {
			read(l.path("facts.tsv"), data)
		}
	}
}

// sortedKeys are the keys of a map in order.
func sortedKeys[K ~string, T any](m map[K]T) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
