package text

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Gap is what separates a word from the one before; a higher value separates more.
type Gap uint8

const (
	NoGap  Gap = iota
	Comma      // a comma, a bracket, a dash, an emoji
	Stop       // the end of a sentence, or of a line
	Asking     // the end of a sentence that asks
)

// Word is a word of a text as it is read.
type Word struct {
	Text     string // in lower case, without accents or apostrophes
	Typed    string // as it was written (folded), where it was read as something else; else ""
	Gap      Gap    // before it
	From, To int    // where it stands in Reading.Source; words made of one stand at the same place
}

// Reading is a text, read: its words and where they stand.
type Reading struct {
	Folded
	Words   []Word
	Closing Gap // after the last word
}

// Sentences are the words between ends of sentences.
func (r Reading) Sentences() [][]Word {
	var all [][]Word
	from := 0
	for i := range r.Words {
		if i > from && r.Words[i].Gap >= Stop {
			all = append(all, r.Words[from:i:i])
			from = i
		}
	}
	if from < len(r.Words) {
		all = append(all, r.Words[from:])
	}
	return all
}

// MaxWord is how many bytes of a word are read: longer runs are pasted data.
const MaxWord = 40

// Reader reads texts. The zero value knows no text-speak; it is safe for concurrent
// use.
type Reader struct {
	textspeak map[string][]phrase // by first word, longest first
	known     map[string]struct{} // words that are left as they are
}

type phrase struct{ short, long []string }

// NewReader makes a reader that puts the values of textspeak in the place of its
// keys, which may have several words, and takes no word of known for a masked one.
func NewReader(textspeak map[string]string, known []string) *Reader {
	r := &Reader{textspeak: map[string][]phrase{}, known: map[string]struct{}{}}
	for _, w := range known {
		for _, w := range Words(w) {
			r.known[w] = struct{}{}
		}
	}
	for short, long := range textspeak {
		p := phrase{Words(short), Words(long)}
		if len(p.short) == 0 || len(p.long) == 0 {
			continue
		}
		p.long = spellOut(p.long)
		r.textspeak[p.short[0]] = append(r.textspeak[p.short[0]], p)
	}
	for _, ps := range r.textspeak {
		slices.SortFunc(ps, func(a, b phrase) int {
			return cmp.Or(cmp.Compare(len(b.short), len(a.short)), slices.Compare(a.short, b.short))
		})
	}
	return r
}

// Words are the words of a text as they are written, folded.
func Words(s string) []string {
	r := split(s, nil)
	words := make([]string, len(r.Words))
	for i, w := range r.Words {
		words[i] = w.Text
	}
	return words
}

// Plain are the words of a text as questions are read, with text-speak and
// contractions spelt out.
func (r *Reader) Plain(s string) []string {
	read := r.Read(s, nil)
	words := make([]string, len(read.Words))
	for i, w := range read.Words {
		words[i] = w.Text
	}
	return words
}

func spellOut(words []string) (out []string) {
	for _, w := range words {
		if long, ok := contractions[w]; ok {
			out = append(out, long...)
		} else {
			out = append(out, w)
		}
	}
	return out
}

// Read reads a text. It appends the words to room[:0], which may be nil.
func (r *Reader) Read(s string, room []Word) Reading {
	read := split(s, room[:0])
	read.Words = r.unmask(read.Words)
	read.Words = r.expand(read.Words)
	return read
}

// expand replaces text-speak and contractions by what they stand for.
func (r *Reader) expand(words []Word) []Word {
	first := slices.IndexFunc(words, func(w Word) bool {
		return r.textspeak[w.Text] != nil || contractions[w.Text] != nil
	})
	if first < 0 {
		return words
	}
	out := make([]Word, first, len(words)+8)
	copy(out, words)
	for i := first; i < len(words); {
		n, long := r.expansion(words[i:])
		if n == 0 {
			out = append(out, words[i])
			i++
			continue
		}
		typed := words[i].Text
		for _, w := range words[i+1 : i+n] {
			typed += " " + w.Text
		}
		gap := words[i].Gap
		for _, l := range long {
			out = append(out, Word{Text: l, Typed: typed, Gap: gap, From: words[i].From, To: words[i+n-1].To})
			gap = NoGap
		}
		i += n
	}
	return out
}

// expansion returns what the first n words stand for; n is 0 where they stand for
// themselves.
func (r *Reader) expansion(words []Word) (n int, long []string) {
	for _, p := range r.textspeak[words[0].Text] {
		if hasPrefix(words, p.short) {
			return len(p.short), p.long
		}
	}
	if long, ok := contractions[words[0].Text]; ok {
		return 1, long
	}
	return 0, nil
}

// hasPrefix tells whether words begin with these, in one sentence.
func hasPrefix(words []Word, with []string) bool {
	if len(words) < len(with) {
		return false
	}
	for i, w := range with {
		if words[i].Text != w || i > 0 && words[i].Gap > Comma {
			return false
		}
	}
	return true
}

// split finds the runs of letters and digits of a text, apostrophes dropped, and
// the words that are masked by signs among their letters.
func split(s string, words []Word) Reading {
	read := Reading{Folded: Fold(s)}
	p := read.Plain
	gap := NoGap
	add := func(text, typed string, from, to int) {
		w := Word{Text: text, Typed: typed, Gap: gap}
		w.From, w.To = read.Span(from, to)
		words = append(words, w)
		gap = NoGap
	}
	tries := maxAttempts
	for i := 0; i < len(p); {
		if startsMasked(p, i) && tries > 0 {
			tries--
			if word, n := unmask(p[i:]); n > 0 {
				add(word, p[i:i+n], i, i+n)
				i += n
				continue
			}
		}
		if n := wordLength(p[i:]); n > 0 {
			add(truncate(strings.ReplaceAll(strings.TrimRight(p[i:i+n], "'"), "'", "")), "", i, i+n)
			i += n
			continue
		}
		r, size := utf8.DecodeRuneInString(p[i:])
		inner := i > 0 && alnum(p[i-1]) && i+1 < len(p) && alnum(p[i+1])
		switch {
		case r == '?':
			gap = max(gap, Asking)
		case r == '\n', (r == '.' || r == '!' || r == ';' || r == ':') && !inner:
			gap = max(gap, Stop)
		case r == ',' || r == '(' || r == ')' || r == '-' && !inner || r >= utf8.RuneSelf:
			gap = max(gap, Comma)
		}
		i += size
	}
	read.Words, read.Closing = words, gap
	return read
}

// wordLength returns the length in bytes of the word at the start of p: letters, digits, and
// apostrophes among or after them.
func wordLength(p string) int {
	n := 0
	for n < len(p) {
		if c := p[n]; c < utf8.RuneSelf {
			if !alnum(c) && (c != '\'' || n == 0) {
				break
			}
			n++
			continue
		}
		r, size := utf8.DecodeRuneInString(p[n:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			break
		}
		n += size
	}
	return n
}

func truncate(w string) string {
	if len(w) <= MaxWord {
		return w
	}
	w = w[:MaxWord]
	for !utf8.ValidString(w) {
		w = w[:len(w)-1]
	}
	return w
}

func alnum(c byte) bool  { return letter(c) || digit(c) }
func letter(c byte) bool { return 'a' <= c && c <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }
