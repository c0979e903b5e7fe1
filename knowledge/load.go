package knowledge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"canteen/knowledge/match"
)

//go:embed all:faq all:wording *.yaml *.tsv
var embedded embed.FS

// Embedded is the folder that the program was built with.
var Embedded fs.FS = embedded

// Problem is one fault of a folder and where it stands. Columns count
// characters from 1.
type Problem struct {
	Path         string
	Line, Column int
	Message      string
	Warning      bool
}

func (p Problem) String() string {
	m := p.Message
	if p.Warning {
		m = "warning: " + m
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.Path, p.Line, p.Column, m)
}

// Problems are sorted by path, line and column.
type Problems []Problem

func (ps Problems) Error() string {
	return strings.Join(mapped(ps, Problem.String), "\n")
}

func (ps Problems) sort() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return ps
}

// split parts what fails a folder from what does not.
func (ps Problems) split() (failures, warnings Problems) {
	for _, p := range ps {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			failures = append(failures, p)
		}
	}
	return failures, warnings
}

// Fact is one numbered statement of the source, from facts.tsv.
type Fact struct{ ID, Concept, Words string }

// Base is a folder that was read without a problem. It never changes.
type Base struct {
	entries  []*Entry // sorted by id
	byID     map[string]*Entry
	sources  map[string]*source
	facts    map[string]Fact
	lexicon  match.Lexicon
	local    Local
	wording  map[string]*message
	lanes    *laneIndex
	warnings Problems
	hash     string
	index    func() *match.Index
	near     match.Reranker // or nil
	reranked func() *match.Index
	suggest  func() suggestions
}

// Dir is the folder at a path on disk; problems found in it print the path.
func Dir(dir string) fs.FS { return dirFS{os.DirFS(dir), dir} }

type dirFS struct {
	fs.FS
	dir string
}

func (d dirFS) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(d.FS, name) }
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.FS, name) }
func (d dirFS) ReadFile(name string) ([]byte, error)       { return fs.ReadFile(d.FS, name) }

// Load reads a folder and lays the overlays over it. The first folder takes
// the place of the embedded one whole; only wording/ falls back to it, file by
// file. An overlay replaces entries by id, adds new ones, and removes those
// that it marks as retired. Its local.yaml (key by key), wording/ (file by
// file), facts.tsv (added) and lexicon.yaml (whole) take precedence too.
//
// The error is of type [Problems] and holds all of them.
func Load(fsys fs.FS, overlays ...fs.FS) (*Base, error) {
	layers := []*layer{readLayer(fsys, true)}
	for _, f := range overlays {
		layers = append(layers, readLayer(f, false))
	}
	return assemble(layers)
}

func assemble(layers []*layer) (*Base, error) {
	b, problems := build(layers)
	for _, l := range layers {
		problems = append(problems, l.problems...)
	}
	failures, warnings := problems.sort().split()
	if len(failures) > 0 {
		return nil, failures
	}
	b.warnings = warnings
	return b, nil
}

func asProblems(err error) Problems {
	if ps, ok := errors.AsType[Problems](err); ok {
		return ps
	}
	return Problems{{Path: ".", Line: 1, Column: 1, Message: err.Error()}}
}

// hash tells contents apart.
func hash(layers []*layer) string {
	digest := sha256.New()
	for _, l := range layers {
		for _, name := range l.names() {
			fmt.Fprintf(digest, "%q %d\n", name, len(l.files[name]))
			digest.Write(l.files[name])
		}
		fmt.Fprintln(digest)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

func build(layers []*layer) (*Base, Problems) {
	var problems Problems
	b := &Base{
		byID:    map[string]*Entry{},
		sources: map[string]*source{},
		facts:   map[string]Fact{},
		local:   defaultLocal(),
		wording: map[string]*message{},
	}
	b.hash = hash(layers)
	problems = append(problems, b.readFacts(layers)...)
	problems = append(problems, b.readLexicon(layers)...)
	problems = append(problems, b.readLocal(layers)...)
	problems = append(problems, b.readWording(layers)...)
	for _, l := range layers {
		count := 0
		for _, name := range l.names() {
			id, ok := entryID(name)
			if !ok {
				continue
			}
			if count++; count > maxEntries {
				problems = append(problems, Problem{Path: l.path(name), Line: 1, Column: 1, Message: fmt.Sprintf("more than %d entries in one folder", maxEntries)})
				break
			}
			s, ps := parseEntry(id, l.path(name), l.files[name])
			problems = append(problems, ps...)
			b.sources[id] = s
		}
	}
	for id, s := range b.sources {
		if s.Retired {
			delete(b.sources, id)
		}
	}
	problems = append(problems, b.join()...)
	b.lanes = newLaneIndex(b.entries, func(id string) []cue { return b.sources[id].cues }, b.lexicon.Textspeak)
	b.rank(sync.OnceValue(func() *match.Index { return match.Build(b.Documents(), b.lexicon) }), nil)
	b.suggest = sync.OnceValue(func() suggestions { return newSuggestions(b.entries) })
	return b, problems
}

// join makes the checks that need all entries, and fills in the templates.
func (b *Base) join() Problems {
	var problems Problems
	ids := sortedKeys(b.sources)
	asked := map[string]string{}
	values := b.local.values()
	for _, id := range ids {
		s := b.sources[id]
		p := &reporter{path: s.path}
		for i, f := range s.Facts {
			if _, ok := b.facts[f]; !ok {
				p.add(s.facts[i], "unknown fact %s: facts.tsv does not have it", f)
			}
		}
		for i, other := range s.SeeAlso {
			switch _, ok := b.sources[other]; {
			case other == id:
				p.add(s.see[i], "broken See also: the entry points to itself")
			case !ok:
				p.add(s.see[i], "broken See also: there is no entry %s", other)
			}
		}
		if strings.HasPrefix(id, "lanes/") && s.Lane() == "" {
			p.warn(at{1, 1}, "an entry below faq/lanes without route urgent or private is no lane")
		}
		inside := map[string]bool{}
		for i, ph := range s.Phrasings {
			k := fold(ph)
			if inside[k] {
				continue // reported by parseEntry
			}
			inside[k] = true
			if first, ok := asked[k]; ok {
				p.add(s.phrasings[i], "the same phrasing twice: %q stands in %s already", ph, first)
				continue
			}
			asked[k] = id
		}
		e := s.Entry
		e.Title = p.expand(s.Title, s.titleAt, values)
		e.Body = p.expand(s.Body, s.bodyAt, values)
		e.Since = p.expand(s.Since, s.sinceAt, values)
		b.entries = append(b.entries, &e)
		b.byID[id] = &e
		problems = append(problems, p.problems...)
	}
	return problems
}

// Entry returns the entry with that id.
func (b *Base) Entry(id string) (*Entry, bool) { e, ok := b.byID[id]; return e, ok }

// Entries returns all entries, sorted by id. They are shared: do not change.
func (b *Base) Entries() []*Entry { return slices.Clone(b.entries) }

// Draft returns an entry as its file has it, templates and all, to be edited
// and saved again.
func (b *Base) Draft(id string) (Entry, bool) {
	s, ok := b.sources[id]
	if !ok {
		return Entry{}, false
	}
	e := s.Entry
	e.Phrasings, e.Cues = slices.Clone(e.Phrasings), slices.Clone(e.Cues)
	e.SeeAlso, e.Facts = slices.Clone(e.SeeAlso), slices.Clone(e.Facts)
	return e, true
}

// Fact returns a fact of the source by its number.
func (b *Base) Fact(id string) (Fact, bool) { f, ok := b.facts[id]; return f, ok }

// Facts returns all facts, sorted by number.
func (b *Base) Facts() []Fact {
	return mapped(sortedKeys(b.facts), func(id string) Fact { return b.facts[id] })
}

// Warnings are what Load found and let pass.
func (b *Base) Warnings() Problems { return slices.Clone(b.warnings) }

// Hash is the same for folders with the same content.
func (b *Base) Hash() string { return b.hash }

// Local is what differs from one organisation to the next.
func (b *Base) Local() Local { return b.local }

// Lexicon is lexicon.yaml.
func (b *Base) Lexicon() match.Lexicon { return b.lexicon }

// Documents are the entries as match sees them, sorted by id. A title is one more
// way to ask for an entry, and where there are few others it counts for much; a
// lane's says how we help, not what has happened.
func (b *Base) Documents() []match.Document {
	return mapped(b.entries, func(e *Entry) match.Document {
		d := match.Document{ID: e.ID, Phrasings: e.Phrasings, Covered: e.Route == Answered || e.Route == SmallTalk}
		if e.Lane() == "" {
			d.Phrasings = append(slices.Clone(e.Phrasings), e.Title)
		}
		return d
	})
}

// Index answers questions: the fitted index of a Base that came from
// [Base.Fit] or a [Folder], else one that is built at the first call.
func (b *Base) Index() *match.Index { return b.index() }

// Reranked is Index with the word of the reranker, if there is one: what is asked
// of it may leave this program.
func (b *Base) Reranked() *match.Index { return b.reranked() }

// rank sets what ranks questions.
func (b *Base) rank(index func() *match.Index, near match.Reranker) {
	b.index, b.near, b.reranked = index, near, index
	if near != nil {
		b.reranked = sync.OnceValue(func() *match.Index { return index().Reranked(near) })
	}
}

// Learner prepares to rerank: see package embed.
type Learner interface {
	// Learn gives a reranker for documents. It may take long; the error is ctx's.
	Learn(ctx context.Context, docs []match.Document) (match.Reranker, error)
}

// Learn returns the same Base with a reranker.
func (b *Base) Learn(ctx context.Context, l Learner) (*Base, error) {
	near, err := l.Learn(ctx, b.Documents())
	if err != nil {
		return nil, err
	}
	learnt := *b
	learnt.rank(b.index, near)
	return &learnt, nil
}

// Fit returns the same Base with a fitted index.
func (b *Base) Fit(ctx context.Context) (*Base, error) {
	if b.Index().Fitted() {
		return b, nil
	}
	ix, err := b.Index().Fit(ctx)
	if err != nil {
		return nil, err
	}
	fitted := *b
	fitted.rank(func() *match.Index { return ix }, b.near)
	return &fitted, nil
}

// maxEntries is more than twice the largest folder that match is measured on.
const maxEntries = 5000

// maxDepth is far beyond topic/slug, and ends a loop of links that the
// comparison of directories did not see.
const maxDepth = 8

// layer is the raw content of one folder.
type layer struct {
	dir      string // what problems print before the names
	files    map[string][]byte
	problems Problems
}

func (l *layer) path(name string) string {
	if l.dir == "" {
		return name
	}
	return filepath.Join(l.dir, filepath.FromSlash(name))
}

func (l *layer) names() []string { return sortedKeys(l.files) }

func (l *layer) problem(name, format string, args ...any) {
	l.problems = append(l.problems, Problem{Path: l.path(name), Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

func entryID(name string) (string, bool) {
	id, ok := strings.CutPrefix(name, "faq/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(id, ".md")
}

// readLayer reads all files of a folder at once, so that what is checked is
// what is served. Symbolic links are followed; hidden names are left out.
func readLayer(fsys fs.FS, first bool) *layer {
	l := &layer{files: map[string][]byte{}}
	if d, ok := fsys.(dirFS); ok {
		l.dir = d.dir
	}
	root, err := fs.Stat(fsys, ".")
	if err != nil || !root.IsDir() {
		l.problem(".", "the folder cannot be read: %v", reason(err))
		return l
	}
	for _, name := range []string{"lexicon.yaml", "local.yaml", "facts.tsv"} {
		l.read(fsys, name, true)
	}
	l.walk(fsys, "wording", []fs.FileInfo{root})
	l.walk(fsys, "faq", []fs.FileInfo{root})
	entries := 0
	for name := range l.files {
		if _, ok := entryID(name); ok {
			entries++
		}
	}
	if first && entries == 0 && len(l.problems) == 0 {
		l.problem("faq", "there are no entries here: a folder holds faq/<topic>/<entry>.md")
	}
	return l
}

func (l *layer) walk(fsys fs.FS, dir string, above []fs.FileInfo) {
	here, err := fs.Stat(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) && len(above) == 1 {
		return
	}
	if err == nil && (len(above) > maxDepth || slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, here) })) {
		l.problem(dir, "this folder contains itself, or lies too deep")
		return
	}
	var items []fs.DirEntry
	if err == nil {
		items, err = fs.ReadDir(fsys, dir)
	}
	if err != nil {
		l.problem(dir, "cannot be read: %v", reason(err))
		return
	}
	above = append(slices.Clone(above), here)
	for _, item := range items {
		name := path.Join(dir, item.Name())
		if strings.HasPrefix(item.Name(), ".") || strings.HasSuffix(item.Name(), "~") || strings.HasPrefix(item.Name(), "#") {
			continue // hidden, or an editor's copy
		}
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			l.problem(name, "cannot be read: %v", reason(err))
		case info.IsDir():
			l.walk(fsys, name, above)
		case !info.Mode().IsRegular():
		case path.Ext(name) == ".md":
			l.read(fsys, name, false)
		default:
			l.problem(name, "left out: the name does not end in .md")
			l.problems[len(l.problems)-1].Warning = true
		}
	}
}

func (l *layer) read(fsys fs.FS, name string, optional bool) {
	info, err := fs.Stat(fsys, name)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	limit := int64(maxEntry)
	if optional {
		limit = maxFile
	}
	var data []byte
	if err == nil && info.Size() > limit {
		l.problem(name, "the file has %d bytes; the limit is %d", info.Size(), limit)
		return
	}
	if err == nil {
		data, err = fs.ReadFile(fsys, name)
	}
	if err != nil {
		l.problem(name, "cannot be read: %v", reason(err))
		return
	}
	l.files[name] = data
}

// maxFile bounds lexicon.yaml, local.yaml and facts.tsv.
const maxFile = 1 << 20

// reason is an error without the path, which problems print already.
func reason(err error) error {
	if err == nil {
		return errors.New("it is not a folder")
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

var factPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// readFacts takes the first folder's facts.tsv, or else the embedded one, and
// those of the overlays.
func (b *Base) readFacts(layers []*layer) Problems {
	var problems Problems
	read := func(path string, data []byte) {
		p := &reporter{path: path}
		lines, _ := p.lines(data, maxFile)
		for i, l := range lines {
			if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") || i == 0 && strings.HasPrefix(l, "id\t") {
				continue
			}
			c := strings.SplitN(l, "\t", 3)
			if len(c) < 2 || !factPattern.MatchString(c[0]) {
				p.add(at{i + 1, 1}, "a fact is a number such as F01, a tab, its name, a tab, and its words")
				continue
			}
			f := Fact{ID: c[0], Concept: strings.TrimSpace(c[1])}
			if len(c) > 2 {
				f.Words = strings.TrimSpace(c[2])
			}
			b.facts[f.ID] = f
		}
		problems = append(problems, p.problems...)
	}
	if layers[0].files["facts.tsv"] == nil {
		if data, err := fs.ReadFile(Embedded, "facts.tsv"); err == nil {
			read("facts.tsv", data)
		}
	}
	for _, l := range layers {
		if data := l.files["facts.tsv"]; data != nil {
			read(l.path("facts.tsv"), data)
		}
	}
	return problems
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
