package knowledge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// laneOrder decides where the cues of several lanes are met. A lane may carry a
// suffix (crisis-self); lanes that are not named here come last.
var laneOrder = []string{
	"crisis", "data-breach", "media", "abuse", "account-security", "safeguarding", "clinical",
	"speaking-up", "legal-discipline", "election", "patient-identifiable",
}

// laneRank is the lane's place in the order of precedence, from 0. Of the parts of one
// lane a private one goes first: what may be about the asker is not passed on.
func laneRank(e *Entry) int {
	rank := slices.IndexFunc(laneOrder, func(name string) bool { return strings.HasPrefix(e.Lane(), name) })
	if rank < 0 {
		rank = len(laneOrder)
	}
	rank *= 2
	if e.Route != Private {
		rank++
	}
	return rank
}

// People have to be able to read a lane's .cues file and the lists whole: these limits
// keep them short.
const (
	cuesSuffix = ".cues"
	maxCues    = 25     // of one lane
	maxCueText = 30_000 // bytes, of all files and lists together
	maxList    = 60     // words
	maxGap     = 8      // words that a … stands for at most
	maxLane    = 20_000 // bytes of a text in which cues are looked for
)

// The beginnings of the lines that are no cues.
const (
	exclusionMark = "not:"
	mustMark      = "must:"
	mustNotMark   = "must not:"
)

// cue is one line of a .cues file: words in this order within one sentence.
type cue struct {
	text  string
	lane  *Entry
	steps []cueStep
}

// cueStep is the next part of a cue: one of some phrases, after a gap or directly.
type cueStep struct {
	gap          bool
	alternatives [][]cueWord
}

type cueWord struct {
	text   string
	prefix bool // text is only the beginning of the word
}

// Example is a sentence of a .cues file that must meet the lane, or must not.
type Example struct {
	Lane string // the entry's id
	Text string
	Must bool
	location
}

// laneCues are the cues of one lane as its file has them.
type laneCues struct {
	cues, exclusions []cue
	examples         []Example
}

// readCues reads the .cues files of a folder; those of a later folder take the place of
// an earlier one's.
func (a *assembly) readCues(l *layer) {
	size := 0
	for _, words := range a.lists {
		for _, w := range words {
			size += len(w) + 2
		}
	}
	for _, name := range l.names() {
		id, ok := fileID(name, cuesSuffix)
		if !ok {
			continue
		}
		p := &reporter{path: l.path(name)}
		c := p.parseCues(l.files[name], l, id, a.lists, a.lexicon.Reader())
		for _, x := range slices.Concat(c.cues, c.exclusions) {
			size += len(x.text) + 1
		}
		if size > maxCueText {
			p.add(position{1, 1}, "cues and lists have more than %d bytes together: nobody can read them any more", maxCueText)
		}
		if s := a.sources[id]; (s == nil || s.Lane() == "") && l.files["faq/"+id+entrySuffix] == nil {
			p.add(position{1, 1}, "there is no lane %s that these cues could belong to", id)
		}
		if !a.record(p) && a.last != nil && a.last.cues[id] != nil {
			c = a.last.cues[id]
		}
		a.cues[id] = c
	}
}

func (p *reporter) parseCues(data []byte, l *layer, id string, lists map[string][]string, r *text.Reader) *laneCues {
	c := &laneCues{}
	lines, ok := p.lines(data, maxEntry)
	if !ok {
		return c
	}
	for i, line := range lines {
		where := position{i + 1, 1}
		t := strings.TrimSpace(line)
		switch {
		case t == "" || t[0] == '#':
		case strings.HasPrefix(t, mustNotMark):
			c.examples = append(c.examples, Example{id, strings.TrimSpace(t[len(mustNotMark):]), false, location{p.path, where, l}})
		case strings.HasPrefix(t, mustMark):
			c.examples = append(c.examples, Example{id, strings.TrimSpace(t[len(mustMark):]), true, location{p.path, where, l}})
		default:
			body, not := strings.CutPrefix(t, exclusionMark)
			x, err := parseCue(strings.TrimSpace(body), lists, r)
			switch {
			case err != nil:
				p.add(where, "a cue that cannot be used: %v", err)
			case not:
				c.exclusions = append(c.exclusions, x)
			default:
				if c.cues = append(c.cues, x); len(c.cues) == maxCues+1 {
					p.add(where, "more than %d cues: what people say belongs into the file that ends in .asked", maxCues)
				}
			}
		}
	}
	return c
}

// cueForm is what a cue looks like, for the messages about those that do not.
const cueForm = "write plain words; … for up to 8 words between, (a|b) for one of these, a trailing * for any ending, {name} for one of a list in lexicon.yaml"

func parseCue(line string, lists map[string][]string, r *text.Reader) (cue, error) {
	c := cue{text: line}
	if strings.HasPrefix(line, "/") {
		return c, fmt.Errorf("a pattern between slashes is no longer read: %s", cueForm)
	}
	gap := false
	for rest := strings.ReplaceAll(line, "...", "…"); ; {
		rest = strings.TrimSpace(rest)
		if rest == "" {
			break
		}
		var phrases []string
		switch {
		case strings.HasPrefix(rest, "…"):
			gap, rest = true, strings.TrimPrefix(rest, "…")
			continue
		case rest[0] == '(':
			inside, after, ok := strings.Cut(rest[1:], ")")
			if !ok {
				return c, fmt.Errorf("the ( has no ): %s", cueForm)
			}
			phrases, rest = strings.Split(inside, "|"), after
		case rest[0] == '{':
			name, after, ok := strings.Cut(rest[1:], "}")
			if !ok {
				return c, fmt.Errorf("the { has no }: %s", cueForm)
			}
			if phrases = lists[strings.TrimSpace(name)]; len(phrases) == 0 {
				return c, fmt.Errorf("lexicon.yaml has no list %q", strings.TrimSpace(name))
			}
			rest = after
		default:
			end := strings.IndexAny(rest, " ({…")
			if end < 0 {
				end = len(rest)
			}
			phrases, rest = []string{rest[:end]}, rest[end:]
		}
		step := cueStep{gap: gap && len(c.steps) > 0}
		for _, phrase := range phrases {
			words, err := cueWords(phrase, r)
			if err != nil {
				return c, err
			}
			step.alternatives = append(step.alternatives, words)
		}
		c.steps, gap = append(c.steps, step), false
	}
	letters, words := 0, 0
	for _, s := range c.steps {
		least := s.alternatives[0]
		for _, w := range s.alternatives {
			if len(w) < len(least) {
				least = w
			}
		}
		for _, w := range least {
			letters, words = letters+len(w.text), words+1
		}
	}
	switch {
	case words == 0:
		return c, fmt.Errorf("it has no word: %s", cueForm)
	case letters < 4:
		return c, fmt.Errorf("it is too short: it would be met by accident")
	}
	return c, nil
}

// cueWords are the words of a phrase as questions are read: don't is "do not".
func cueWords(phrase string, r *text.Reader) (words []cueWord, err error) {
	for part := range strings.FieldsSeq(phrase) {
		stem, open := strings.CutSuffix(part, "*")
		if strings.ContainsAny(stem, "*[]\\^$+?") {
			return nil, fmt.Errorf("%q: %s", part, cueForm)
		}
		read := r.Plain(stem)
		if open {
			read = text.Words(stem)
		}
		for i, w := range read {
			words = append(words, cueWord{w, open && i == len(read)-1})
		}
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("%q has no word: %s", phrase, cueForm)
	}
	return words, nil
}

// laneIndex finds the cues of all lanes by their first word.
type laneIndex struct {
	cues        []cue // by precedence of their lanes, then longest first
	exclusions  map[*Entry][]cue
	byFirstWord map[string][]int32 // cue numbers by first word
	byPrefix    map[string][]int32 // the same, any ending
	reader      *text.Reader
}

func newLaneIndex(entries []*Entry, cues map[string]*laneCues, lex match.Lexicon) *laneIndex {
	x := &laneIndex{exclusions: map[*Entry][]cue{}, byFirstWord: map[string][]int32{}, byPrefix: map[string][]int32{}, reader: lex.Reader()}
	for _, e := range entries {
		if of := cues[e.ID]; of != nil && e.Lane() != "" {
			for _, c := range of.cues {
				c.lane = e
				x.cues = append(x.cues, c)
			}
			x.exclusions[e] = of.exclusions
		}
	}
	slices.SortStableFunc(x.cues, func(a, b cue) int {
		return cmp.Or(cmp.Compare(laneRank(a.lane), laneRank(b.lane)), cmp.Compare(len(b.text), len(a.text)))
	})
	for n, c := range x.cues {
		for _, phrase := range c.steps[0].alternatives {
			to := x.byFirstWord
			if phrase[0].prefix {
				to = x.byPrefix
			}
			to[phrase[0].text] = append(to[phrase[0].text], int32(n))
		}
	}
	return x
}

// Cue returns the lane whose cue a text meets, and the cue; nil when it meets none.
// Where several do, crisis goes first, then the order of the contract. Upper case,
// apostrophes, text-speak and masks make no difference.
func (b *Base) Cue(question string) (*Entry, string) { return b.lanes.find(question) }

// Examples are the sentences that the lanes' .cues files say have to meet them, or must
// not.
func (b *Base) Examples() (all []Example) {
	for _, id := range sortedKeys(b.cues) {
		if e, ok := b.byID[id]; ok && e.Lane() != "" {
			all = append(all, b.cues[id].examples...)
		}
	}
	return all
}

// Problem says what is wrong with an example that got something else.
func (x Example) Problem(got string) Problem {
	want := "must"
	if !x.Must {
		want = "must not"
	}
	return Problem{Path: x.path, Line: x.at.line, Column: x.at.column, Message: fmt.Sprintf("%q %s meet %s: it gets %s", x.Text, want, x.Lane, got)}
}

func (x *laneIndex) find(question string) (*Entry, string) {
	if len(x.cues) == 0 {
		return nil, ""
	}
	if len(question) > maxLane {
		question = question[:maxLane]
	}
	sentences := x.reader.Read(question, nil).Sentences()
	best := int32(len(x.cues))
	for _, words := range sentences {
		for i := range words {
			w := words[i].Text
			for _, n := range x.byFirstWord[w] {
				x.try(n, words[i:], sentences, &best)
			}
			for k := 2; k <= len(w); k++ {
				for _, n := range x.byPrefix[w[:k]] {
					x.try(n, words[i:], sentences, &best)
				}
			}
		}
	}
	if best == int32(len(x.cues)) {
		return nil, ""
	}
	return x.cues[best].lane, x.cues[best].text
}

func (x *laneIndex) try(n int32, words []text.Word, sentences [][]text.Word, best *int32) {
	if c := &x.cues[n]; n < *best && matches(c.steps, words) && !x.vetoed(c.lane, sentences) {
		*best = n
	}
}

// vetoed reports whether a text matches one of the lane's lines that begin with "not:".
func (x *laneIndex) vetoed(lane *Entry, sentences [][]text.Word) bool {
	return slices.ContainsFunc(x.exclusions[lane], func(c cue) bool {
		return slices.ContainsFunc(sentences, func(words []text.Word) bool {
			for i := range words {
				if matches(c.steps, words[i:]) {
					return true
				}
			}
			return false
		})
	})
}

// matches reports whether steps match the beginning of words.
func matches(steps []cueStep, words []text.Word) bool {
	if len(steps) == 0 {
		return true
	}
	gap := 0
	if steps[0].gap {
		gap = maxGap
	}
	for skip := 0; skip <= gap && skip < len(words); skip++ {
		for _, phrase := range steps[0].alternatives {
			if hasPrefix(phrase, words[skip:]) && matches(steps[1:], words[skip+len(phrase):]) {
				return true
			}
		}
	}
	return false
}

func hasPrefix(phrase []cueWord, words []text.Word) bool {
	if len(phrase) > len(words) {
		return false
	}
	for i, w := range phrase {
		if w.prefix && !strings.HasPrefix(words[i].Text, w.text) || !w.prefix && words[i].Text != w.text {
			return false
		}
	}
	return true
}
