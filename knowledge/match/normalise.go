package match

import (
	"math"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A question longer than this is cut: real ones have fewer than 100 words,
// and time and memory stay bounded.
const (
	maxBytes = 8 << 10
	maxWords = 512
	maxWord  = 40 // longer runs of letters are pasted data, not words
)

// Gaps before a word, the stronger the higher.
const (
	gapNone   = iota
	gapComma  // a comma, a bracket, a dash
	gapStop   // the end of a sentence, or of a line
	gapAsking // the end of a sentence that asks
)

// fields calls yield with each run of letters and digits of text in lower
// case, apostrophes dropped, and the gap before it. The slice is only good
// during the call. A last call has an empty word and the closing gap.
func fields(text string, buf []byte, yield func(word []byte, gap int)) []byte {
	if len(text) > maxBytes {
		text = text[:maxBytes]
	}
	if !isASCII(text) {
		text = fold(text)
	}
	n, gap := 0, gapNone
	buf = buf[:0]
	flush := func() bool {
		if len(buf) == 0 {
			return true
		}
		w := buf
		if len(w) > maxWord {
			w = w[:maxWord]
			for len(w) > 0 && !utf8.Valid(w) {
				w = w[:len(w)-1]
			}
		}
		yield(w, gap)
		gap, buf = gapNone, buf[:0]
		n++
		return n < maxWords
	}
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
				buf = append(buf, c)
				continue
			case 'A' <= c && c <= 'Z':
				buf = append(buf, c+'a'-'A')
				continue
			case c == '\'':
				continue
			}
			// A full stop inside a word or number ends nothing: x.com, 9.30.
			inner := len(buf) > 0 && i < len(text) && isAlnum(text[i])
			if !flush() {
				break
			}
			switch {
			case c == '?':
				gap = gapAsking
			case c == '\n' || (c == '.' || c == '!' || c == ';' || c == ':') && !inner:
				gap = max(gap, gapStop)
			case c == ',' || c == '(' || c == ')' || c == '-' && !inner:
				gap = max(gap, gapComma)
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		i += size
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			buf = utf8.AppendRune(buf, r)
			continue
		}
		if !flush() {
			break
		}
		gap = max(gap, gapComma)
	}
	if n < maxWords {
		flush()
	}
	yield(nil, gap)
	return buf
}

// fold spells text without accents, curly quotes or compatibility forms.
func fold(text string) string {
	text = strings.ToValidUTF8(text, " ")
	var b strings.Builder
	b.Grow(len(text))
	for _, r := range norm.NFKD.String(text) {
		switch {
		case r == '’' || r == '‘' || r == 'ʼ' || unicode.Is(unicode.Mn, r):
		case r == '…':
			b.WriteByte('.')
		case r == '—' || r == '–':
			b.WriteByte(',')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func split(text string) []string {
	var out []string
	fields(text, nil, func(w []byte, _ int) {
		if len(w) > 0 {
			out = append(out, string(w))
		}
	})
	return out
}

// plain is split with text-speak and contractions spelt out, as questions are
// read.
func (lx *lexicon) plain(text string) []string {
	var out []string
	for _, w := range split(text) {
		out = append(out, lx.spellOut(w)...)
	}
	return out
}

// spellOut returns what w stands for, or w.
func (lx *lexicon) spellOut(w string) []string {
	if ts, ok := lx.textspeak[w]; ok {
		return ts
	}
	if ts, ok := contractions[w]; ok {
		return ts
	}
	return []string{w}
}

// lexicon is a Lexicon made ready: everything by word.
type lexicon struct {
	textspeak map[string][]string
	rules     map[string][]rule // by first word, longest first
	cues      map[string][]cue
	sets      map[string]int  // distinct words, to their set from 1
	keep      map[string]bool // words that spelling leaves alone
}

type rule struct {
	from []string
	to   []string
}

type cue struct {
	means []string
	near  [][]string
}

func compile(l Lexicon) *lexicon {
	lx := &lexicon{
		textspeak: map[string][]string{},
		rules:     map[string][]rule{},
		cues:      map[string][]cue{},
		sets:      map[string]int{},
		keep:      map[string]bool{},
	}
	for k, v := range l.Textspeak {
		if w := split(k); len(w) == 1 {
			var to []string
			for _, w := range split(v) {
				if c, ok := contractions[w]; ok {
					to = append(to, c...)
				} else {
					to = append(to, w)
				}
			}
			lx.textspeak[w[0]] = to
		}
	}
	for i, set := range l.Distinct {
		for _, w := range set {
			if w := split(w); len(w) == 1 && lx.sets[w[0]] == 0 {
				lx.sets[w[0]] = i + 1
				lx.keep[w[0]] = true
			}
		}
	}
	for _, w := range l.Keep {
		for _, w := range split(w) {
			lx.keep[w] = true
		}
	}
	for _, set := range l.Synonyms {
		if len(set) == 0 {
			continue
		}
		to := lx.plain(set[0])
		if len(to) == 0 {
			continue
		}
		for _, s := range set[1:] {
			from := lx.plain(s)
			if len(from) == 0 || equal(from, to) || lx.blurs(from, to) {
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
		w, means := split(c.Word), lx.plain(c.Means)
		if len(w) != 1 || len(means) == 0 {
			continue
		}
		k := cue{means: means}
		for _, n := range c.Near {
			if n := lx.plain(n); len(n) > 0 {
				k.near = append(k.near, n)
			}
		}
		lx.cues[w[0]] = append(lx.cues[w[0]], k)
		lx.keep[w[0]] = true
	}
	return lx
}

// blurs tells whether reading from as to would turn one distinct word into
// another of its set.
func (lx *lexicon) blurs(from, to []string) bool {
	for _, f := range from {
		for _, t := range to {
			if f != t && lx.sets[f] > 0 && lx.sets[f] == lx.sets[t] {
				return true
			}
		}
	}
	return false
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// token is a word of a question as it is read.
type token struct {
	word  string  // shared with the index where the word is known
	id    int32   // in vocab, or -1
	gap   uint8   // before it
	typed string  // as it was typed, where that differs
	w     float32 // what it counts, at most 1
}

// read turns text into tokens: text-speak, spelling (with a speller), cues,
// synonyms. It allocates only for words that the folder does not know.
func (ix *Index) read(s *scratch, text string) []token {
	toks := s.toks[:0]
	s.closing = gapNone
	s.buf = fields(text, s.buf, func(w []byte, gap int) {
		if len(w) == 0 {
			s.closing = gap
			return
		}
		g := uint8(gap)
		ts, ok := ix.lex.textspeak[string(w)]
		if !ok {
			ts, ok = contractions[string(w)]
		}
		if ok {
			typed := string(w)
			for _, t := range ts {
				toks = append(toks, ix.known(t, g, typed))
				g = gapNone
			}
			return
		}
		if id, ok := ix.words[string(w)]; ok {
			toks = append(toks, token{ix.vocab[id].text, id, g, "", 1})
			return
		}
		toks = append(toks, token{string(w), -1, g, "", 1})
	})
	if ix.spell != nil {
		toks = ix.mend(s, toks)
	}
	toks = ix.lex.hear(toks, ix)
	s.toks = toks
	return toks
}

func (ix *Index) known(w string, gap uint8, typed string) token {
	id, ok := ix.words[w]
	if !ok {
		id = -1
	}
	return token{w, id, gap, typed, 1}
}

// mend corrects the words that neither the folder, the lexicon nor English
// knows: letters that slipped over a space first, then by edits.
func (ix *Index) mend(s *scratch, toks []token) []token {
	out := toks[:0]
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		if t.id >= 0 || ix.lex.keep[t.word] {
			out = append(out, t)
			continue
		}
		s.word = append(s.word[:0], t.word...)
		w := s.word
		bad := misspelt(w)
		if i+1 < len(toks) && len(w) < minSpell && toks[i+1].id < 0 { // w ork
			next := toks[i+1]
			if a, ok := ix.words[t.word+next.word]; ok {
				out = append(out, token{ix.vocab[a].text, a, t.gap, t.word + " " + next.word, 1})
				i++
				continue
			}
		}
		rare := !bad && len(w) >= minReal && !usual(t.word)
		if !bad && !rare {
			out = append(out, t)
			continue
		}
		var before, after int32 = -1, -1
		if n := len(out); n > 0 && out[n-1].id >= 0 {
			before = ix.vocab[out[n-1].id].stem
		}
		if i+1 < len(toks) && toks[i+1].id >= 0 {
			after = ix.vocab[toks[i+1].id].stem
		}
		fits := func(c string) bool {
			id, ok := ix.words[c]
			if !ok {
				return false
			}
			st := ix.vocab[id].stem
			return ix.follows(before, st) || ix.follows(st, after)
		}
		a, b, cost := ix.correct(s, w, fits)
		if rare && (b != "" || cost > realCost || !fits(a)) {
			out = append(out, t)
			continue
		}
		// A letter that slipped over a space, where that explains more.
		if n := len(out); n > 0 && t.gap <= gapStop && len(w) > 2 { // a nauto
			p := &out[n-1]
			if x, y, c := ix.slipped(p.word+t.word[:1], t.word[1:]); c < cost {
				typed := p.word + " " + t.word
				out[n-1] = token{ix.vocab[x].text, x, p.gap, typed, 1}
				out = append(out, token{ix.vocab[y].text, y, t.gap, typed, 1})
				continue
			}
		}
		if i+1 < len(toks) && toks[i+1].id < 0 {
			next := &toks[i+1]
			typed := t.word + " " + next.word
			if x, ok := ix.words[t.word+next.word]; ok && slipCost-float64(ix.vocab[x].prior) < cost { // wo.rk
				out = append(out, token{ix.vocab[x].text, x, t.gap, typed, 1})
				i++
				continue
			}
			if len(next.word) > 1 { // th ereceiving
				if x, y, c := ix.slipped(t.word+next.word[:1], next.word[1:]); c < cost {
					out = append(out, token{ix.vocab[x].text, x, t.gap, typed, 1})
					toks[i+1] = token{ix.vocab[y].text, y, next.gap, typed, 1}
					continue
				}
			}
		}
		switch {
		case a == "":
			out = append(out, t)
		case b == "":
			out = append(out, ix.known(a, t.gap, t.word))
		default: // in the place of one, two: what is left to read moves along
			rest := slices.Clone(toks[i+1:])
			out = append(out, ix.known(a, t.gap, t.word), ix.known(b, gapNone, t.word))
			n := len(out)
			out = append(out, rest...)
			toks, out, i = out, out[:n], n-1
		}
	}
	return out
}

// slipCost is that of a letter typed on the wrong side of a space.
const slipCost = .7

// slipped returns the words of the folder that a and b are, and what reading
// them as such costs.
func (ix *Index) slipped(a, b string) (int32, int32, float64) {
	x, ok := ix.words[a]
	if !ok {
		return 0, 0, math.Inf(1)
	}
	y, ok := ix.words[b]
	if !ok {
		return 0, 0, math.Inf(1)
	}
	u, v := &ix.vocab[x], &ix.vocab[y]
	cost := slipCost - float64(min(u.prior, v.prior))
	if ix.follows(u.stem, v.stem) {
		cost -= fitsWorth
	}
	return x, y, cost
}

// follows tells whether some phrasing has the stems a and b beside each other.
func (ix *Index) follows(a, b int32) bool {
	if a < 0 || b < 0 {
		return false
	}
	_, ok := ix.feats[key(bigrams, uint32(a), uint32(b))]
	return ok
}

// hear applies cues, then synonyms, in place where lengths allow.
func (lx *lexicon) hear(toks []token, ix *Index) []token {
	if len(lx.cues) > 0 {
		for i := range toks {
			for _, c := range lx.cues[toks[i].word] {
				if nearby(toks, i, c.near) {
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
			if starts(toks[i:], r.from) {
				toks = ix.replace(toks, i, len(r.from), r.to)
				i += len(r.to) - 1
				break
			}
		}
	}
	return toks
}

func (ix *Index) replace(toks []token, i, n int, to []string) []token {
	gap, typed := toks[i].gap, toks[i].typed
	if typed == "" {
		typed = toks[i].word
	}
	if n == 1 && len(to) == 1 {
		toks[i] = ix.known(to[0], gap, typed)
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
		toks = append(toks, ix.known(w, gap, typed))
		gap = gapNone
	}
	return append(toks, tail...)
}

func starts(toks []token, words []string) bool {
	if len(toks) < len(words) {
		return false
	}
	for i, w := range words {
		if toks[i].word != w || i > 0 && toks[i].gap > gapComma {
			return false
		}
	}
	return true
}

// nearby tells whether one of near stands in the question, other than as the
// word itself alone.
func nearby(toks []token, at int, near [][]string) bool {
	for _, n := range near {
		for i := range toks {
			if starts(toks[i:], n) && !(len(n) == 1 && i == at) {
				return true
			}
		}
	}
	return false
}

// stop words weigh less, and make no pairs. Question words, negation and
// "can", "must" are not among them: they tell apart what is asked.
var stop = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`a an the of to in on at by for from with and or as is are was were be been being am
		i im ive id ill me my mine we us our ours you your yours it its this that these those there here he she him her his they them their
		do does did doing done have has had having so if then than just also very really too please thanks thank hi hello hey
		get got some any all will would could about into up out`) {
		m[w] = true
	}
	return m
}()
