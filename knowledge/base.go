package knowledge

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"

	"canteen/knowledge/match"
)

//go:embed all:faq all:wording *.yaml *.tsv README.md
var embedded embed.FS

// Embedded is the folder that the program was built with.
var Embedded fs.FS = embedded

// Fact is one numbered statement of the source, from facts.tsv.
type Fact struct{ ID, Concept, Words string }

// Base is what is served of a folder. It never changes.
type Base struct {
	byPhrasing map[string]*Entry // by exact phrasing; see AskedExactly
	entries    []*Entry          // sorted by id
	byID       map[string]*Entry
	sources    map[string]*source
	topics     map[string]string // titles, by topic
	facts      map[string]Fact
	lexicon    match.Lexicon
	local      Local
	wording    map[Word]*message
	lanes      *laneIndex
	cues       map[string]*laneCues // by lane
	lists      map[string][]string  // of words, for cues
	harmless   map[string][]string  // by file, examples of what is no emergency
	warnings   Problems
	hash       string
	index      func() *match.Index
	suggest    func() suggestions
}

// Entry returns the entry with that id, or with the id that it had before the first
// release.
func (b *Base) Entry(id string) (*Entry, bool) { e, ok := b.byID[currentID(id)]; return e, ok }

// TopicTitle is the name of a topic, the part of an id before the last /, as people
// read it.
func (b *Base) TopicTitle(topic string) string {
	if t, ok := b.topics[topic]; ok {
		return t
	}
	s := slugTitle(topic)
	return strings.ToUpper(s[:min(1, len(s))]) + s[min(1, len(s)):]
}

// Entries returns all entries, sorted by id. They are shared: do not change.
func (b *Base) Entries() []*Entry { return slices.Clone(b.entries) }

// Draft returns an entry as its file has it, templates and all, to be edited
// and saved again.
func (b *Base) Draft(id string) (Entry, bool) {
	s, ok := b.sources[currentID(id)]
	if !ok {
		return Entry{}, false
	}
	e := s.Entry
	e.Phrasings, e.Asked = slices.Clone(e.Phrasings), slices.Clone(e.Asked)
	e.SeeAlso, e.Facts = slices.Clone(e.SeeAlso), slices.Clone(e.Facts)
	return e, true
}

// Fact returns a fact of the source by its number.
func (b *Base) Fact(id string) (Fact, bool) { f, ok := b.facts[id]; return f, ok }

// Facts returns all facts, sorted by number.
func (b *Base) Facts() []Fact {
	return mapSlice(sortedKeys(b.facts), func(id string) Fact { return b.facts[id] })
}

// Warnings are what Load found and let pass: they take nothing out of service.
func (b *Base) Warnings() Problems { return slices.Clone(b.warnings) }

// Hash is the same for folders with the same content.
func (b *Base) Hash() string { return b.hash }

// Local is what differs from one organisation to the next.
func (b *Base) Local() Local { return b.local }

// Lexicon is lexicon.yaml.
func (b *Base) Lexicon() match.Lexicon { return b.lexicon }

// Index answers questions: the fitted index of a Base that came from [Base.Fit] or a
// [Folder], else one that is built at the first call.
func (b *Base) Index() *match.Index { return b.index() }

// with is the same Base with another index.
func (b *Base) with(ix *match.Index) *Base {
	c := *b
	c.index = func() *match.Index { return ix }
	return &c
}

// slugTitle is the last part of an id as words.
func slugTitle(id string) string { return strings.ReplaceAll(path.Base(id), "-", " ") }

// AskedExactly returns the entry that has a text as a phrasing, word for word; lanes are
// left out. So what comms have taught is found at once in the same words, however many
// phrasings another entry has. Where an answer and a question for comms share a phrasing,
// it is the answer; where two others do, it is neither.
func (b *Base) AskedExactly(said string) (*Entry, bool) {
	e := b.byPhrasing[exactForm(said)]
	return e, e != nil
}

// byExactPhrasing maps phrasings to their entries, and those that more than one entry has
// to nil: see AskedExactly.
func byExactPhrasing(entries []*Entry) map[string]*Entry {
	forms := map[string]*Entry{}
	for _, e := range entries {
		if e.Lane() != "" {
			continue
		}
		for _, p := range e.AskedAs() {
			switch o, taken := forms[exactForm(p)]; {
			case !taken, o != nil && o.Route == Comms && e.Route == Answered:
				forms[exactForm(p)] = e
			case o == e, o != nil && o.Route == Answered && e.Route == Comms:
			default:
				forms[exactForm(p)] = nil
			}
		}
	}
	return forms
}

func exactForm(s string) string { return strings.Trim(fold(s), " .?!") }
