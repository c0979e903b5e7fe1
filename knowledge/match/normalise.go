package match

import (
	"math"
	"slices"
	"sort"
	"strings"

	"canteen/knowledge/text"
)

// Of a longer question only the beginning is ranked: real ones have fewer than 100
// words, and time and memory stay bounded.
const maxWords = 512

// Reader reads texts as the index does, before spelling and synonyms.
func (l Lexicon) Reader() *text.Reader {
	return text.NewReader(l.Textspeak, slices.Concat(l.Keep, slices.Concat(l.Synonyms...)))
}

// lexicon is a Lexicon indexed by word.
type lexicon struct {
	reader *text.Reader
	rules  map[string][]rule // by first word, longest first
	cues   map[string][]cue
	sets   map[string]int  // distinct words, to their set from 1
	keep   map[string]bool // words that spelling leaves alone
}

type rule struct {
	from []string
	to   []string
}

type cue struct {
	means []string
	near  [][]string
}

func compileLexicon(l Lexicon) *lexicon {
	lx := &lexicon{
		rules: map[string][]rule{},
		cues:  map[string][]cue{},
		sets:  map[string]int{},
		keep:  map[string]bool{},
	}
	for i, set := range l.Distinct {
		for _, w := range set {
			if w := text.Words(w); len(w) == 1 && lx.sets[w[0]] == 0 {
				lx.sets[w[0]] = i + 1
				lx.keep[w[0]] = true
			}
		}
	}
	for _, w := range l.Keep {
		for _, w := range text.Words(w) {
			lx.keep[w] = true
		}
	}
	lx.reader = l.Reader()
	for _, set := range l.Synonyms {
		if len(set) == 0 {
			continue
		}
		to := lx.reader.Plain(set[0])
		if len(to) == 0 {
			continue
		}
		for _, s := range set[1:] {
			from := lx.reader.Plain(s)
			if len(from) == 0 || slices.Equal(from, to) || lx.conflatesDistinct(from, to) {
				continue
			}
			lx.rules[from[0]] = append(lx.rules[from[0]], rule{from, to})
			for _, w := range from {
				lx.keep[w] = true
			}
		}
		for _, w := range to {
			lx.keep[w] = true
		}
	}
	for _, rs := range lx.rules {
		sort.SliceStable(rs, func(i, j int) bool { return len(rs[i].from) > len(rs[j].from) })
	}
	for _, c := range l.Cues {
		w, means := text.Words(c.Word), lx.reader.Plain(c.Means)
		if len(w) != 1 || len(means) == 0 {
			continue
		}
		k := cue{means: means}
		for _, n := range c.Near {
			if n := lx.reader.Plain(n); len(n) > 0 {
				k.near = append(k.near, n)
			}
		}
		lx.cues[w[0]] = append(lx.cues[w[0]], k)
		lx.keep[w[0]] = true
	}
	return lx
}

// conflatesDistinct reports whether reading from as to would turn a distinct word into
// another of the same set.
func (lx *lexicon) conflatesDistinct(from, to []string) bool {
	for _, f := range from {
		for _, t := range to {
			if f != t && lx.sets[f] > 0 && lx.sets[f] == lx.sets[t] {
				return true
			}
		}
	}
	return false
}

// token is a word of a question as it is read.
type token struct {
	word     string // shared with the index where the word is known
	id       int32  // in vocab, or -1
	gap      text.Gap
	original string  // as it was typed; "" where that is the same
	weight   float32 // 1, or less in a clause that says little
	from, to int     // where it stands in the question
}

// tokenise turns a question into tokens: text-speak, spelling (with a speller), cues,
// synonyms. It allocates only for words that the folder does not know.
func (ix *words) tokenise(s *wordScratch, question string) []token {
	r := ix.lex.reader.Read(question, s.words)
	s.words, s.closing = r.Words, r.Closing
	toks := s.toks[:0]
	for _, w := range r.Words[:min(len(r.Words), maxWords)] {
		t := token{word: w.Text, id: -1, gap: w.Gap, original: w.Typed, weight: 1, from: w.From, to: w.To}
		if id, ok := ix.known[w.Text]; ok {
			t.word, t.id = ix.vocab[id].text, id
		}
		toks = append(toks, t)
	}
	if ix.spell != nil {
		toks = ix.correctSpelling(s, toks)
		s.corrected = applyCorrections(r.Source, toks)
	}
	toks = ix.lex.expandSynonyms(toks, ix)
	s.toks = toks
	return toks
}

// applyCorrections gives the source text with each word replaced that was read as
// another: misspelt, masked or shortened ones. The encoder knows correct spelling alone.
func applyCorrections(source string, toks []token) string {
	if !slices.ContainsFunc(toks, func(t token) bool { return t.original != "" }) {
		return source
	}
	var b strings.Builder
	at := 0
	for i := 0; i < len(toks); i++ {
		t := &toks[i]
		if t.original == "" || t.from < at || strings.ContainsAny(source[t.from:t.to], "'’") {
			continue // "don't" is as good as "do not"
		}
		b.WriteString(source[at:t.from])
		b.WriteString(t.word)
		for i+1 < len(toks) && toks[i+1].from == t.from {
			i++
			b.WriteString(" " + toks[i].word)
		}
		at = t.to
	}
	b.WriteString(source[at:])
	return b.String()
}

// newToken makes the token of w, in the place of the tokens first to last.
func (ix *words) newToken(w string, first, last *token, typed string) token {
	t := token{word: w, id: -1, gap: first.gap, original: typed, weight: 1, from: first.from, to: last.to}
	if id, ok := ix.known[w]; ok {
		t.word, t.id = ix.vocab[id].text, id
	}
	return t
}

// correctSpelling fixes words that are in neither the folder, the lexicon nor the
// English list, and rare English words that fit their neighbours badly. It tries
// misplaced spaces and edits, and takes what costs least.
func (ix *words) correctSpelling(s *wordScratch, toks []token) []token {
	out := toks[:0]
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		if t.id >= 0 || ix.lex.keep[t.word] {
			out = append(out, t)
			continue
		}
		if len(t.word) < minSpell && i+1 < len(toks) { // w ork
			if joined, ok := ix.joinWords(&t, &toks[i+1], math.Inf(1)); ok {
				out = append(out, joined)
				i++
				continue
			}
		}
		s.word = append(s.word[:0], t.word...)
		w := s.word
		bad := isMisspelt(w)
		rare := !bad && len(w) >= realWordLetters && !text.IsCommon(t.word)
		if !bad && !rare {
			out = append(out, t)
			continue
		}
		fits := ix.fitsBetween(out, toks[i+1:])
		a, b, cost := ix.bestCorrection(s, w, fits)
		if rare && (b != "" || cost > realWordCost || !fits(a)) {
			out = append(out, t)
			continue
		}
		if n := len(out); n > 0 && t.gap <= text.Stop && len(w) > 2 { // a nauto
			last := out[n-1]
			if first, second, ok := ix.moveLetter(&last, &t, last.word+t.word[:1], t.word[1:], cost); ok {
				second.gap = t.gap
				out[n-1] = first
				out = append(out, second)
				continue
			}
		}
		if i+1 < len(toks) && toks[i+1].id < 0 {
			next := &toks[i+1]
			if joined, ok := ix.joinWords(&t, next, cost); ok { // wo.rk
				out = append(out, joined)
				i++
				continue
			}
			if first, second, ok := ix.moveLetter(&t, next, t.word+next.word[:1], next.word[1:], cost); ok { // th ereceiving
				second.gap = next.gap
				out = append(out, first)
				toks[i+1] = second
				continue
			}
		}
		switch {
		case a == "":
			out = append(out, t)
		case b == "":
			out = append(out, ix.newToken(a, &t, &t, t.word))
		default: // two words in the place of one: what is left to read moves along
			rest := slices.Clone(toks[i+1:])
			second := ix.newToken(b, &t, &t, t.word)
			second.gap = text.NoGap
			out = append(out, ix.newToken(a, &t, &t, t.word), second)
			n := len(out)
			out = append(out, rest...)
			toks, out, i = out, out[:n], n-1
		}
	}
	return out
}

// fitsBetween returns a function that tells whether a word of the folder stands beside
// one of the neighbours in some phrasing: the last token before it, or the first after.
func (ix *words) fitsBetween(before, after []token) func(string) bool {
	stem := func(t token) int32 {
		if t.id < 0 {
			return -1
		}
		return ix.vocab[t.id].stem
	}
	left, right := int32(-1), int32(-1)
	if n := len(before); n > 0 {
		left = stem(before[n-1])
	}
	if len(after) > 0 {
		right = stem(after[0])
	}
	return func(word string) bool {
		id, ok := ix.known[word]
		if !ok {
			return false
		}
		st := ix.vocab[id].stem
		return ix.hasBigram(left, st) || ix.hasBigram(st, right)
	}
}

// joinWords makes one token of two unknown ones; false where together they are no word
// of the folder, or it costs as much as cost.
func (ix *words) joinWords(a, b *token, cost float64) (token, bool) {
	if b.id >= 0 {
		return token{}, false
	}
	id, ok := ix.known[a.word+b.word]
	if !ok || misplacedSpace-float64(ix.vocab[id].prior) >= cost {
		return token{}, false
	}
	return ix.newToken(a.word+b.word, a, b, a.word+" "+b.word), true
}

// moveLetter reads the tokens a and b as the words x and y, which have one letter on the
// other side of the space; false where both are not known, or it costs as much as cost.
func (ix *words) moveLetter(a, b *token, x, y string, cost float64) (first, second token, ok bool) {
	if ix.spaceCost(x, y) >= cost {
		return first, second, false
	}
	original := a.word + " " + b.word
	return ix.newToken(x, a, b, original), ix.newToken(y, a, b, original), true
}

// misplacedSpace is the cost of a letter typed on the wrong side of a space.
const misplacedSpace = .7

// spaceCost is what it costs to read two words of the folder where a letter is on the
// wrong side of the space; infinite where one of them is not known.
func (ix *words) spaceCost(a, b string) float64 {
	x, okX := ix.known[a]
	y, okY := ix.known[b]
	if !okX || !okY {
		return math.Inf(1)
	}
	u, v := &ix.vocab[x], &ix.vocab[y]
	cost := misplacedSpace - float64(min(u.prior, v.prior))
	if ix.hasBigram(u.stem, v.stem) {
		cost -= bigramBonus
	}
	return cost
}

// hasBigram reports whether the stems a and b stand next to each other in a phrasing.
func (ix *words) hasBigram(a, b int32) bool {
	if a < 0 || b < 0 {
		return false
	}
	_, ok := ix.feats[key(bigrams, uint32(a), uint32(b))]
	return ok
}

// expandSynonyms replaces words by the lexicon's cues, then by its synonyms.
func (lx *lexicon) expandSynonyms(toks []token, ix *words) []token {
	if len(lx.cues) > 0 {
		for i := range toks {
			for _, c := range lx.cues[toks[i].word] {
				if inContext(toks, i, c.near) {
					toks = ix.replace(toks, i, 1, c.means)
					break
				}
			}
		}
	}
	if len(lx.rules) == 0 {
		return toks
	}
	for i := 0; i < len(toks); i++ {
		for _, r := range lx.rules[toks[i].word] {
			if hasPrefix(toks[i:], r.from) {
				toks = ix.replace(toks, i, len(r.from), r.to)
				i += len(r.to) - 1
				break
			}
		}
	}
	return toks
}

func (ix *words) replace(toks []token, i, n int, to []string) []token {
	first, last := toks[i], toks[i+n-1]
	typed := first.original
	if typed == "" {
		typed = first.word
	}
	if n == 1 && len(to) == 1 {
		toks[i] = ix.newToken(to[0], &first, &last, typed)
		return toks
	}
	if n > 1 {
		words := make([]string, n)
		for k := range words {
			words[k] = toks[i+k].word
		}
		typed = strings.Join(words, " ")
	}
	tail := append([]token(nil), toks[i+n:]...)
	toks = toks[:i]
	for _, w := range to {
		toks = append(toks, ix.newToken(w, &first, &last, typed))
		first.gap = text.NoGap
	}
	return append(toks, tail...)
}

func hasPrefix(toks []token, words []string) bool {
	if len(toks) < len(words) {
		return false
	}
	for i, w := range words {
		if toks[i].word != w || i > 0 && toks[i].gap > text.Comma {
			return false
		}
	}
	return true
}

// inContext reports whether the question has one of the phrases near, other than the word
// at at itself.
func inContext(toks []token, at int, near [][]string) bool {
	for _, n := range near {
		for i := range toks {
			if hasPrefix(toks[i:], n) && !(len(n) == 1 && i == at) {
				return true
			}
		}
	}
	return false
}

// stopWords words weigh less, and make no pairs. Question words, negation and
// "can", "must" are not among them: they tell apart what is asked.
var stopWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a an the of to in on at by for from with and or as is are was were be been being am
		i im ive id ill me my mine we us our ours you your yours it its this that these those there here he she him her his they them their
		do does did doing done have has had having so if then than just also very really too please thanks thank hi hello hey
		get got some any all will would could about into up out`) {
		m[w] = true
	}
	return m
}()
