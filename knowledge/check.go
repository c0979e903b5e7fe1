package knowledge

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/yuin/goldmark/ast"

	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// The limits of the NHS content style, which Check warns about.
const (
	maxSentence  = 20 // words
	maxParagraph = 3  // sentences
	maxAge       = 14 // reading age, years
	minPhrasings = 3
)

// Two phrasings are near copies when they are equal but for case and marks,
// or share this much of their words or of their letters in threes.
const (
	nearWords = 0.80 // Jaccard, from three words on
	nearGrams = 0.85 // Dice
)

// Check warns of texts that are hard to read and of entries that are hard to find.
func (b *Base) Check(now time.Time) Problems {
	var problems Problems
	var asked []phrasing
	for _, e := range b.entries {
		s := b.sources[e.ID]
		p := &reporter{path: s.path}
		if questionTitle.MatchString(e.Title) {
			p.warn(s.titleAt, "the title is a question: write a short statement")
		}
		if strings.HasSuffix(e.Title, ".") {
			p.warn(s.titleAt, "the title ends with a full stop")
		}
		if n := len(e.Phrasings) + len(e.Asked); n < minPhrasings {
			p.warn(s.phrasings[0].at, "only %d phrasings: with at least %d, better 5 to 15, questions find this entry", n, minPhrasings)
		}
		if !e.ReviewBy.IsZero() && now.After(e.ReviewBy.AddDate(0, 0, 1)) {
			p.warn(position{1, 1}, "the review was due by %s", e.ReviewBy.Format("2 January 2006"))
		}
		b.style(p, s.Body, s.bodyAt, s.titleAt)
		b.style(p, s.Since, s.sinceAt, s.sinceAt)
		problems = append(problems, p.problems...)
		asked = append(asked, s.askedAs()...)
	}
	texts := mapSlice(asked, func(p phrasing) string { return p.text })
	nearCopies(texts, texts, func(i, j int) bool {
		a, b := asked[i], asked[j]
		if i > j || a.entry == b.entry {
			return true
		}
		problems = append(problems, Problem{b.path, b.at.line, b.at.column, fmt.Sprintf("nearly the phrasing %q of %s", a.text, a.entry), true})
		return false // one is enough to say so
	})
	return problems.sort()
}

// CheckFound warns of phrasings that find a lane or another entry in place of their own,
// and of entries that most of their phrasings do not find. It ranks all phrasings, which
// takes some seconds. b has to be fitted.
func (b *Base) CheckFound() Problems {
	var asked []phrasing
	for _, e := range b.entries {
		asked = append(asked, b.sources[e.ID].askedAs()...)
	}
	took := make([]string, len(asked)) // by phrasing, what took it, or ""
	var next atomic.Int64
	var wait sync.WaitGroup
	ix := b.Index()
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(asked); i = int(next.Add(1)) - 1 {
				took[i] = b.takenBy(ix, asked[i])
			}
		})
	}
	wait.Wait()
	var problems Problems
	lost := map[string]int{}
	for i, x := range asked {
		if took[i] == "" {
			continue
		}
		lost[x.entry]++
		problems = append(problems, Problem{x.path, x.at.line, x.at.column, fmt.Sprintf("%q is not found here: %s takes it", x.text, took[i]), true})
	}
	for _, e := range b.entries {
		if n := len(e.Phrasings) + len(e.Asked); lost[e.ID]*2 > n {
			s := b.sources[e.ID]
			problems = append(problems, Problem{s.path, s.titleAt.line, s.titleAt.column, fmt.Sprintf("%d of %d phrasings do not find this entry", lost[e.ID], n), true})
		}
	}
	return problems.sort()
}

// takenBy returns the lane or the other entry that a phrasing finds, or "".
func (b *Base) takenBy(ix *match.Index, x phrasing) string {
	if lane, _ := b.Cue(x.text); lane != nil && lane.ID != x.entry {
		return lane.ID
	}
	found := ix.Rank(x.text, 1)
	lane := b.byID[x.entry].Lane() != ""
	switch {
	case lane && len(found.Lanes) > 0 && found.Lanes[0].ID != x.entry, !lane && found.Alarm > .5:
		return found.Lanes[0].ID
	case !lane && len(found.Candidates) > 0 && found.Candidates[0].ID != x.entry:
		return found.Candidates[0].ID
	}
	return ""
}

// Against reports the phrasings that nearly copy a row of a test file: what
// is tested with them proves nothing. Small talk is left out: there is no other
// way to say hi.
func (b *Base) Against(rows []string) Problems {
	var asked []phrasing
	for _, e := range b.entries {
		if e.Route == SmallTalk {
			continue
		}
		asked = append(asked, b.sources[e.ID].askedAs()...)
	}
	var problems Problems
	nearCopies(mapSlice(asked, func(p phrasing) string { return p.text }), rows, func(i, j int) bool {
		a := asked[i]
		problems = append(problems, Problem{a.path, a.at.line, a.at.column, fmt.Sprintf("%q nearly copies a question of the test: %q", a.text, rows[j]), false})
		return true
	})
	return problems.sort()
}

type phrasing struct {
	text, entry string
	location
}

// askedAs are all phrasings of an entry, and where they stand.
func (s *source) askedAs() (all []phrasing) {
	spots := slices.Concat(s.phrasings, s.asked)
	for i, text := range s.AskedAs() {
		all = append(all, phrasing{text, s.ID, spots[i]})
	}
	return all
}

var (
	questionTitle  = regexp.MustCompile(`(?i)\?$|^(can|could|should|shall|do|does|did|is|are|am|may|must|will|would) (i|you|we|it|they|my|your|our|the|there|this|staff)\b`)
	templateValue  = regexp.MustCompile(`\{\{\s*\.([A-Za-z]+)(\.[A-Za-z]+)?\s*\}\}`)
	templateAction = regexp.MustCompile(`\{\{[^}]*\}\}`)
	sentenceEnd    = regexp.MustCompile(`[.!?]+["')\]]*(\s+|$)`)
)

// style warns about the sentences and paragraphs of a text.
func (b *Base) style(p *reporter, md string, start, whole position) {
	if md == "" {
		return
	}
	values := b.local.values()
	doc, src := ParseMarkdown(md)
	words, sentences, syllables := 0, 0, 0
	ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if l, ok := n.(*ast.Link); ok && enter && strings.HasSuffix(string(l.Destination), ".md") {
			p.warn(start, "the text links to %s, which nobody can follow from a chat: use See also", l.Destination)
		}
		if !enter || n.Kind() != ast.KindParagraph && n.Kind() != ast.KindTextBlock || n.Lines().Len() == 0 {
			return ast.WalkContinue, nil
		}
		line := start.line + strings.Count(md[:n.Lines().At(0).Start], "\n")
		plain := templateAction.ReplaceAllString(templateValue.ReplaceAllStringFunc(plainText(n, src), func(v string) string {
			switch m := templateValue.FindStringSubmatch(v); c := values[m[1]].(type) {
			case Contact:
				return c.Name
			default:
				return fmt.Sprint(c)
			}
		}), "")
		count := 0
		for _, s := range sentencesOf(plain) {
			w := wordsOf(s)
			if len(w) == 0 {
				continue
			}
			count++
			words += len(w)
			for _, w := range w {
				syllables += syllablesOf(w)
			}
			if len(w) > maxSentence {
				p.warn(position{line, 1}, "a sentence of %d words (the limit is %d): %q", len(w), maxSentence, truncate(s))
			}
		}
		sentences += count
		if count > maxParagraph {
			p.warn(position{line, 1}, "a paragraph of %d sentences (the limit is %d)", count, maxParagraph)
		}
		return ast.WalkContinue, nil
	})
	// Flesch and Kincaid's grade counts school years, which begin at five.
	// Below 30 words one long word decides it.
	if words >= 30 {
		age := 0.39*float64(words)/float64(sentences) + 11.8*float64(syllables)/float64(words) - 15.59 + 5
		if math.Round(age) > maxAge {
			p.warn(whole, "the text has a reading age of about %.0f (the limit is %d): use shorter sentences and words", age, maxAge)
		}
	}
}

func plainText(n ast.Node, src []byte) string {
	var b strings.Builder
	ast.Walk(n, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		switch t := n.(type) {
		case *ast.Text:
			if enter {
				b.Write(t.Segment.Value(src))
				if t.SoftLineBreak() || t.HardLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.String:
			if enter {
				b.Write(t.Value)
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

func sentencesOf(text string) (out []string) {
	start := 0
	for _, m := range sentenceEnd.FindAllStringIndex(text, -1) {
		next := []rune(text[m[1]:])
		if len(next) > 0 && unicode.IsLower(next[0]) {
			continue // an abbreviation
		}
		out = append(out, text[start:m[1]])
		start = m[1]
	}
	return append(out, text[start:])
}

func wordsOf(sentence string) (out []string) {
	for _, w := range strings.Fields(sentence) {
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			out = append(out, w)
		}
	}
	return out
}

// syllablesOf counts groups of vowels, less a silent e.
func syllablesOf(word string) int {
	w := strings.ToLower(strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) }))
	n, vowel := 0, false
	for _, r := range w {
		v := strings.ContainsRune("aeiouy", r)
		if v && !vowel {
			n++
		}
		vowel = v
	}
	if strings.HasSuffix(w, "e") && !strings.HasSuffix(w, "le") || strings.HasSuffix(w, "es") || strings.HasSuffix(w, "ed") && !strings.HasSuffix(w, "ted") && !strings.HasSuffix(w, "ded") {
		n--
	}
	return max(n, 1)
}

func truncate(s string) string {
	s = strings.TrimSpace(s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// nearCopies calls yield for each pair of near copies, a text of a and one of b. Where
// yield returns false, it goes on with the next text of b.
func nearCopies(a, b []string, yield func(i, j int) bool) {
	split := func(texts []string) (words, grams [][]string) {
		for _, t := range texts {
			w := text.Words(t)
			words = append(words, w)
			var g []string
			if r := []rune("  " + strings.Join(w, " ") + " "); len(w) > 0 {
				for i := 0; i+3 <= len(r); i++ {
					g = append(g, string(r[i:i+3]))
				}
			}
			grams = append(grams, g)
		}
		return words, grams
	}
	aw, ag := split(a)
	bw, bg := split(b)
	words := newSimilarityJoin(aw, bw, nearWords)
	grams := newSimilarityJoin(ag, bg, nearGrams/(2-nearGrams)) // as Jaccard
	seen := make([]int, len(a))
next:
	for j := range b {
		for i := range words.similar(j) {
			if min(len(words.a[i]), len(words.b[j])) < 3 {
				continue
			}
			seen[i] = j + 1
			if !yield(i, j) {
				continue next
			}
		}
		for i := range grams.similar(j) {
			if seen[i] != j+1 && !yield(i, j) {
				continue next
			}
		}
	}
}

// similarityJoin finds the pairs of sets with a Jaccard similarity of at least share, by
// prefix filtering: with the rare members first, two similar sets share one of their first.
type similarityJoin struct {
	a, b  [][]int32
	share float64
	index map[int32][]posting
	seen  []int
}

// posting says that a set has a member at a position.
type posting struct{ set, position int32 }

func newSimilarityJoin(a, b [][]string, share float64) *similarityJoin {
	x := &similarityJoin{share: share, index: map[int32][]posting{}, seen: make([]int, len(a))}
	count := map[string]int{}
	for _, l := range slices.Concat(a, b) {
		for _, f := range l {
			count[f]++
		}
	}
	order := slices.SortedFunc(maps.Keys(count), func(f, g string) int {
		return cmp.Or(cmp.Compare(count[f], count[g]), cmp.Compare(f, g))
	})
	number := make(map[string]int32, len(order))
	for i, f := range order {
		number[f] = int32(i)
	}
	set := func(l []string) []int32 {
		s := mapSlice(l, func(f string) int32 { return number[f] })
		slices.Sort(s)
		return slices.Compact(s)
	}
	x.a, x.b = mapSlice(a, set), mapSlice(b, set)
	for i, s := range x.a {
		for p, f := range s[:x.prefixLength(len(s))] {
			x.index[f] = append(x.index[f], posting{int32(i), int32(p)})
		}
	}
	return x
}

// prefixLength is how many of the first of n members a similar set must share one of.
func (x *similarityJoin) prefixLength(n int) int {
	return n - int(math.Ceil(x.share*float64(n)-1e-9)) + min(1, n)
}

// similar yields the sets of a that are similar to set j of b.
func (x *similarityJoin) similar(j int) iter.Seq[int] {
	return func(yield func(int) bool) {
		b := x.b[j]
		for q, f := range b[:x.prefixLength(len(b))] {
			for _, p := range x.index[f] {
				a := x.a[p.set]
				// What they can share at most, as this is the first member.
				most := min(len(a)-int(p.position), len(b)-q)
				if x.seen[p.set] == j+1 || !x.similarEnough(most, len(a)+len(b)) {
					continue
				}
				x.seen[p.set] = j + 1
				if x.similarEnough(intersection(a, b), len(a)+len(b)) && !yield(int(p.set)) {
					return
				}
			}
		}
	}
}

func (x *similarityJoin) similarEnough(shared, both int) bool {
	return float64(shared) >= x.share*float64(both-shared)-1e-9
}

// intersection counts the common members of two sorted sets.
func intersection(a, b []int32) (n int) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			n, i, j = n+1, i+1, j+1
		case a[i] < b[j]:
			i++
		default:
			j++
		}
	}
	return n
}
