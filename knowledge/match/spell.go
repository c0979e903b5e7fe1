package match

import (
	"math"
	"math/bits"
	"sort"
	"sync"

	"canteen/knowledge/text"
)

func hashBytes(b []byte) uint32 {
	h := uint32(2166136261)
	for _, c := range b {
		h = (h ^ uint32(c)) * 16777619
	}
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 13
	if h == 0 {
		h = 1
	}
	return h
}

// speller finds the words within two edits of a misspelt one. Its table maps every
// known word with up to two letters left out to that word (symmetric deletion).
type speller struct {
	words []string // distinct, sorted
	prior []float32
	// The last bits of the hash of the word with letters left out, then its place, in
	// buckets by the first bits of the hash. Two that share all bits differ in letters,
	// which are compared next.
	table   []uint32
	buckets []uint32 // into table; one more at the end
	shift   uint
}

// idBits are those of a word's place: a million words.
const idBits = 20

const (
	minSpell   = 2  // shorter words have too many neighbours
	maxSpell   = 20 // no word that matters is longer
	deepSpell  = 6  // from here on, two edits are allowed
	splitSpell = 6  // from here on, two words may have run together
)

// bigramBonus lowers the cost of a word that stands beside a neighbour in a phrasing.
const bigramBonus = .3

// newSpeller takes words with their priors: what each takes off the cost of an edit.
func newSpeller(priors map[string]float32) *speller {
	sp := &speller{}
	for w := range priors {
		if len(sp.words) < 1<<idBits && len(w) >= minSpell-1 && len(w) <= maxSpell && onlyLetters(w) {
			sp.words = append(sp.words, w)
		}
	}
	sort.Strings(sp.words)
	var buf [maxSpell]byte
	var all []uint64
	for id, w := range sp.words {
		sp.prior = append(sp.prior, priors[w])
		deletions([]byte(w), depth(len(w)), buf[:0], func(d []byte) {
			all = append(all, uint64(hashBytes(d))<<32|uint64(id))
		})
	}
	size := bits.Len(uint(len(all) / 4)) // a few in a bucket
	sp.shift = uint(64 - size)
	sp.buckets = make([]uint32, 1<<size+1)
	for _, x := range all {
		sp.buckets[x>>sp.shift+1]++
	}
	for b := range 1 << size {
		sp.buckets[b+1] += sp.buckets[b]
	}
	sp.table = make([]uint32, len(all))
	for i := len(all) - 1; i >= 0; i-- { // leaves each bucket's end at its beginning
		b := all[i]>>sp.shift + 1
		sp.buckets[b]--
		sp.table[sp.buckets[b]] = uint32(all[i]>>32)<<idBits | uint32(all[i])
	}
	copy(sp.buckets, sp.buckets[1:])
	sp.buckets[1<<size] = uint32(len(all))
	return sp
}

// commonSpeller is a speller for the most frequent words of English.
var commonSpeller = sync.OnceValue(func() *speller {
	priors := map[string]float32{}
	words := text.Common()
	for i, w := range words {
		if len(w) > 2 {
			priors[w] = .05 * float32(math.Log(1+float64(len(words))/float64(i+1)))
		}
	}
	return newSpeller(priors)
})

func depth(n int) int {
	switch {
	case n < 2:
		return 0
	case n < deepSpell-1:
		return 1
	}
	return 2
}

// deletions yields w, then w with up to n letters left out; some of these twice.
func deletions(w []byte, n int, buf []byte, yield func([]byte)) {
	yield(w)
	if n == 0 {
		return
	}
	for i := range w {
		d := append(append(buf[:0], w[:i]...), w[i+1:]...)
		yield(d)
		if n == 1 {
			continue
		}
		for j := i; j < len(d); j++ {
			var b2 [maxSpell + 4]byte
			yield(append(append(b2[:0], d[:j]...), d[j+1:]...))
		}
	}
}

// isMisspelt reports whether spelling correction may change w: only letters, neither too
// short nor too long, and no English word.
func isMisspelt(w []byte) bool {
	if len(w) < minSpell || len(w) > maxSpell+2 {
		return false
	}
	for _, c := range w {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return !text.English(string(w))
}

// Real-word errors: an English word that is rare and not in the folder may be a typing
// error for one that is ("my manger"), where that one fits a neighbour.
const (
	realWordLetters = 4  // at least
	realWordCost    = .5 // at most
)

// bestCorrection returns the most likely correction of w, one word or two, and its cost;
// "" where there is none. fits reports whether a word of the folder fits a neighbour.
func (ix *words) bestCorrection(s *wordScratch, w []byte, fits func(string) bool) (string, string, float64) {
	best, cost := ix.spell.nearest(s, w, "", math.Inf(1), fits)
	best, cost = commonSpeller().nearest(s, w, best, cost, fits)
	if cost > .9 {
		if a, b := ix.splitCompound(w); a != "" {
			return a, b, .9
		}
	}
	return best, "", cost
}

// nearest returns sp's cheapest correction of w, or best where none costs less than cost.
func (sp *speller) nearest(s *wordScratch, w []byte, best string, cost float64, fits func(string) bool) (string, float64) {
	limit := 1.25
	switch {
	case len(w) < 4:
		limit = 1.05
	case len(w) >= deepSpell:
		limit = 2.25
	}
	s.seen = s.seen[:0]
	var buf [maxSpell + 4]byte
	deletions(w, depth(len(w)), buf[:0], func(d []byte) {
		k := uint64(hashBytes(d)) << 32
		b := k >> sp.shift
		for _, x := range sp.table[sp.buckets[b]:sp.buckets[b+1]] {
			id := int32(x & (1<<idBits - 1))
			if x>>idBits != uint32(k>>32)&(1<<(32-idBits)-1) || s.alreadySeen(id) {
				continue
			}
			c := editCost(w, sp.words[id])
			if c > limit {
				continue
			}
			c -= float64(sp.prior[id])
			if c >= cost+.3 {
				continue
			}
			if fits(sp.words[id]) {
				c -= bigramBonus
			} else if len(w) < 3 {
				continue
			}
			if c < cost || c == cost && sp.words[id] < best {
				best, cost = sp.words[id], c
			}
		}
	})
	return best, cost
}

// splitCompound splits a word that lacks a space ("socialmedia") into two words of the
// folder, of three letters or more each.
func (ix *words) splitCompound(w []byte) (string, string) {
	if len(w) < splitSpell {
		return "", ""
	}
	for i := 3; i+3 <= len(w); i++ {
		a, okA := ix.known[string(w[:i])]
		b, okB := ix.known[string(w[i:])]
		if okA && okB {
			return ix.vocab[a].text, ix.vocab[b].text
		}
	}
	return "", ""
}

// editCost is a weighted Damerau-Levenshtein distance: an edit costs less between keys
// that are adjacent or letters that sound alike, and more at the first letter.
func editCost(w []byte, want string) float64 {
	n, m := len(w), len(want)
	var rows [3][maxSpell + 4]float64
	p2, p1, cur := &rows[0], &rows[1], &rows[2]
	for j := 0; j <= m; j++ {
		p1[j] = float64(j)
	}
	for i := 1; i <= n; i++ {
		cur[0] = float64(i)
		for j := 1; j <= m; j++ {
			a, b := w[i-1], want[j-1]
			c := p1[j-1]
			if a != b {
				c += substitutionCost(a, b)
			}
			ins, del := 1.0, 1.0 // a letter too many, a letter left out
			if i > 1 && w[i-2] == a {
				ins = .6
			}
			if j > 1 && want[j-2] == b {
				del = .6
			}
			c = min(c, p1[j]+ins, cur[j-1]+del)
			if i > 1 && j > 1 && a == want[j-2] && w[i-2] == b {
				c = min(c, p2[j-2]+.7)
			}
			cur[j] = c
		}
		p2, p1, cur = p1, cur, p2
	}
	c := p1[m]
	if n > 0 && m > 0 && w[0] != want[0] {
		c += .2
	}
	return c
}

func substitutionCost(a, b byte) float64 {
	if adjacent(a, b) || vowel(a) && vowel(b) || soundsLike(a, b) {
		return .8
	}
	return 1
}

func vowel(c byte) bool {
	switch c {
	case 'a', 'e', 'i', 'o', 'u', 'y':
		return true
	}
	return false
}

func soundsLike(a, b byte) bool {
	if a > b {
		a, b = b, a
	}
	switch [2]byte{a, b} {
	case [2]byte{'c', 'k'}, [2]byte{'c', 's'}, [2]byte{'s', 'z'}, [2]byte{'g', 'j'}, [2]byte{'f', 'v'}, [2]byte{'d', 't'}, [2]byte{'m', 'n'}:
		return true
	}
	return false
}

// adjacent tells whether two letters are neighbours on a keyboard.
func adjacent(a, b byte) bool {
	if a < 'a' || a > 'z' || b < 'a' || b > 'z' {
		return false
	}
	p, q := keyAt[a-'a'], keyAt[b-'a']
	dx, dy := p[0]-q[0], p[1]-q[1]
	return dx*dx+dy*dy <= 2
}

var keyAt = func() (at [26][2]float32) {
	for y, row := range []string{"qwertyuiop", "asdfghjkl", "zxcvbnm"} {
		for x, c := range row {
			at[c-'a'] = [2]float32{float32(x) + .4*float32(y), float32(y)}
		}
	}
	return at
}()

func onlyLetters(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return true
}
