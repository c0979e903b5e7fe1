package text

import (
	"slices"
	"strings"
)

// People mask words that they do not want to write, or that a filter would stop:
// k*ll, d!e, su1cide, k.i.l.l, k i l l, kill-myself in one word. What a mask hides is
// looked for among the words below first, then among the commonest of English.

// sensitive are the words that are masked most, in their usual forms.
var sensitive = func() map[string]struct{} {
	m := map[string]struct{}{}
	for _, w := range strings.Fields(`kill killed killing kills killer die dies died dying dead death suicide suicidal suicides unalive unalived
		hang hanged hanging hung cut cuts cutting harm harmed harming selfharm overdose overdosed murder murdered knife gun shoot shot stab stabbed
		drug drugs pills drunk rape raped raping rapist sex sexual sexually porn nude nudes naked abuse abused abuser abusive paedo pedo groomed grooming
		hit hurt hurts hate hated hates threat threats threatened racist racism fuck fucked fucking fucks shit shite bitch bitches bastard bastards
		cunt wanker prick dick arse ass slut slag whore nazi jump myself`) {
		m[w] = struct{}{}
	}
	return m
}()

// maxAttempts bounds the masked words that are looked up in one text.
const maxAttempts = 24

// substitutes are the letters that each sign is written for, most likely first.
var substitutes = map[byte]string{'!': "il", '1': "il", '|': "il", '3': "e", '4': "a", '@': "a", '$': "s", '5': "s", '0': "o", '7': "t", '+': "t", '8': "b", '9': "g", '*': ""}

// startsMasked reports whether a word that may be masked begins at p[i]: a letter that
// follows none, then signs among letters, or a star.
func startsMasked(p string, i int) bool {
	if !letter(p[i]) || i > 0 && (alnum(p[i-1]) || p[i-1] == '\'') {
		return false
	}
	sign := false
	for j := i + 1; j < len(p) && j-i <= maxMask; j++ {
		c := p[j]
		if letter(c) {
			if sign {
				return true
			}
			continue
		}
		if c == '*' {
			return true
		}
		if _, ok := substitutes[c]; !ok {
			return false
		}
		sign = true
	}
	return false
}

// maxMask is the longest masked word, in letters.
const maxMask = 12

// unmask returns the word that is masked at the start of p, and its length in p; 0 where
// there is none.
func unmask(p string) (string, int) {
	n := 0
	for n < len(p) && n <= maxMask {
		if _, ok := substitutes[p[n]]; !ok && !letter(p[n]) {
			break
		}
		n++
	}
	for n > 0 && p[n-1] != '*' && !letter(p[n-1]) {
		n-- // a sign at the end is punctuation
	}
	if n < 3 || n > maxMask || n < len(p) && alnum(p[n]) {
		return "", 0
	}
	mask := p[:n]
	stars, letters := strings.Count(mask, "*"), 0
	for i := range n {
		if letter(mask[i]) {
			letters++
		}
	}
	if letters == n || letters == 0 {
		return "", 0
	}
	if w := sensitiveFor(mask); w != "" {
		return w, n
	}
	if stars*3 >= n || letters < 2 {
		return "", 0
	}
	for _, w := range Common() { // the most frequent one
		if fitsMask(mask, w) {
			return w, n
		}
	}
	return "", 0
}

// sensitiveFor returns the sensitive word that a mask may stand for, the first in the
// alphabet, or "".
func sensitiveFor(mask string) string {
	best := ""
	for w := range sensitive {
		if fitsMask(mask, w) && (best == "" || w < best) {
			best = w
		}
	}
	return best
}

// fitsMask reports whether a mask may stand for a word, letter by letter.
func fitsMask(mask, word string) bool {
	if len(mask) != len(word) || mask[0] != word[0] && letter(mask[0]) {
		return false
	}
	for i := range len(mask) {
		c := mask[i]
		if c == word[i] || c == '*' {
			continue
		}
		if !strings.Contains(substitutes[c], word[i:i+1]) {
			return false
		}
	}
	return true
}

// unmask joins letters that were written apart, and splits words that were run together,
// where that gives a sensitive word.
func (r *Reader) unmask(words []Word) []Word {
	words = joinLetters(words)
	tries := maxAttempts
	for i := 0; i < len(words) && tries > 0; i++ {
		w := &words[i]
		if len(w.Text) < 6 || w.Typed != "" || English(w.Text) {
			continue
		}
		if _, known := r.known[w.Text]; known {
			continue
		}
		tries--
		if parts := splitRunTogether(w.Text); parts != nil {
			typed, gap := w.Text, w.Gap
			from, to := w.From, w.To
			rest := slices.Clone(words[i+1:])
			words = words[:i]
			for _, part := range parts {
				words = append(words, Word{Text: part, Typed: typed, Gap: gap, From: from, To: to})
				gap = NoGap
			}
			i = len(words) - 1
			words = append(words, rest...)
		}
	}
	return words
}

// joinLetters makes one word of letters written apart (k i l l, k.i.l.l), and of two
// pieces of a sensitive one (sui cide).
func joinLetters(words []Word) []Word {
	out := words[:0]
	for i := 0; i < len(words); {
		n := spelledOut(words[i:])
		if n == 0 && i+1 < len(words) && words[i+1].Gap == NoGap && areHalves(words[i].Text, words[i+1].Text) {
			n = 2
		}
		if n == 0 {
			out = append(out, words[i])
			i++
			continue
		}
		out = append(out, joined(words[i:i+n]))
		i += n
	}
	return out
}

// spelledOut returns how many single letters at the start spell a sensitive word, or a
// common one of four letters or more; 0 where they spell none.
func spelledOut(words []Word) int {
	var b [maxMask]byte
	n := 0
	for n < min(maxMask, len(words)) && len(words[n].Text) == 1 && letter(words[n].Text[0]) && (n == 0 || words[n].Gap < Asking) {
		b[n] = words[n].Text[0]
		n++
	}
	for ; n >= 3; n-- {
		if _, ok := sensitive[string(b[:n])]; ok {
			return n
		}
		if _, ok := commonRank()[string(b[:n])]; ok && n > 3 {
			return n
		}
	}
	return 0
}

// areHalves reports whether a and b, at least one of them no word, are the two parts of a
// sensitive word.
func areHalves(a, b string) bool {
	if len(a) < 2 || len(b) < 2 || len(a)+len(b) > maxMask || IsCommon(a) && IsCommon(b) {
		return false
	}
	_, ok := sensitive[a+b]
	return ok && (!English(a) || !English(b))
}

func joined(words []Word) Word {
	w := Word{Gap: words[0].Gap, From: words[0].From, To: words[len(words)-1].To}
	for i, x := range words {
		w.Text += x.Text
		if i > 0 {
			w.Typed += " "
		}
		w.Typed += x.Text
	}
	return w
}

// splitRunTogether parts a word that is none into common words one of which is sensitive, the
// fewest that will do; nil where it cannot be.
func splitRunTogether(w string) []string {
	if len(w) > MaxWord {
		return nil
	}
	rank := commonRank()
	// count[i] is the fewest words that w[:i] can be parted into; 0 for none.
	var count, last [MaxWord + 1]int
	for end := 1; end <= len(w); end++ {
		for start := max(0, end-maxMask); start < end; start++ {
			part := w[start:end]
			if start > 0 && count[start] == 0 {
				continue
			}
			_, common := rank[part]
			_, hot := sensitive[part]
			if !hot && (len(part) > 2 && !common || len(part) <= 2 && !shortWords[part]) {
				continue
			}
			if n := count[start] + 1; count[end] == 0 || n < count[end] {
				count[end], last[end] = n, start
			}
		}
	}
	if count[len(w)] < 2 {
		return nil
	}
	var parts []string
	hot := false
	for end := len(w); end > 0; end = last[end] {
		part := w[last[end]:end]
		_, ok := sensitive[part]
		hot = hot || ok
		parts = append(parts, part)
	}
	if !hot {
		return nil
	}
	slices.Reverse(parts)
	return parts
}

// shortWords are the words of one or two letters that others are run together with.
var shortWords = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("i a am an as at be by do go he hi if im in is it me my no of on or so to up us we") {
		m[w] = true
	}
	return m
}()
