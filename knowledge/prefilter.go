package knowledge

import (
	"math"
	"regexp/syntax"
	"slices"
	"strings"
)

// A prefilter tells in one pass over a text which of many patterns could meet
// it. Each pattern is reduced to sets of literals: whatever it meets holds one
// of each set. Literals are cut to eight bytes and looked up by number.
//
// The lanes have some 500 patterns; run one by one they take milliseconds.
type prefilter struct {
	pairs    [1 << 10]uint64    // first two bytes of all literals, as bits
	longest  [1 << 16]uint8     // by first two bytes: length of the longest
	literals map[uint64][]int32 // sets that have the literal
	owner    []int32            // pattern of a set
	sets     []int32            // how many sets a pattern has
	always   []int32            // patterns without any
}

// mark stands for the border of a word, in literals and in texts.
const mark = 0

const (
	literalBytes = 8
	maxSet       = 64 // literals
)

func newPrefilter() *prefilter { return &prefilter{literals: map[uint64][]int32{}} }

// add takes the sets of the next pattern.
func (f *prefilter) add(sets [][]string) {
	pattern := int32(len(f.sets))
	f.sets = append(f.sets, int32(len(sets)))
	if len(sets) == 0 {
		f.always = append(f.always, pattern)
	}
	for _, set := range sets {
		n := int32(len(f.owner))
		f.owner = append(f.owner, pattern)
		for _, l := range set {
			l = l[:min(len(l), literalBytes)]
			k := pack(l)
			if s := f.literals[k]; len(s) == 0 || s[len(s)-1] != n {
				f.literals[k] = append(s, n)
			}
			first := int(l[0])<<8 | int(l[1])
			f.pairs[first>>6] |= 1 << (first & 63)
			f.longest[first] = max(f.longest[first], uint8(len(l)))
		}
	}
}

func pack(s string) (k uint64) {
	for i := range len(s) {
		k = k<<8 | uint64(s[i])
	}
	return k | uint64(len(s))<<60
}

// sweep is the scratch space of one find: a set is met, and a pattern's count
// is good, where its number is that of the sweep.
type sweep struct {
	number   uint32
	met      []uint32
	counted  []uint32
	left     []int32
	text     []byte
	patterns []int32
}

// find appends to s.patterns those that could meet a normal text, in
// ascending order.
func (f *prefilter) find(text string, s *sweep) []int32 {
	if len(s.met) != len(f.owner) || len(s.left) != len(f.sets) || s.number == math.MaxUint32 {
		*s = sweep{met: make([]uint32, len(f.owner)), counted: make([]uint32, len(f.sets)), left: make([]int32, len(f.sets)), text: s.text}
	}
	s.number++
	t := marked(text, s.text[:0])
	found := append(s.patterns[:0], f.always...)
	for i := 0; i+1 < len(t); i++ {
		first := int(t[i])<<8 | int(t[i+1])
		if f.pairs[first>>6]&(1<<(first&63)) == 0 {
			continue
		}
		k := uint64(t[i])
		for n := 2; n <= int(f.longest[first]) && i+n <= len(t); n++ {
			k = k<<8 | uint64(t[i+n-1])
			for _, set := range f.literals[k|uint64(n)<<60] {
				if s.met[set] == s.number {
					continue
				}
				s.met[set] = s.number
				p := f.owner[set]
				if s.counted[p] != s.number {
					s.counted[p], s.left[p] = s.number, f.sets[p]
				}
				if s.left[p]--; s.left[p] == 0 {
					found = append(found, p)
				}
			}
		}
	}
	slices.Sort(found)
	s.text, s.patterns = t, found
	return found
}

// marked appends a text with a mark at each border of a word.
func marked[T string | []byte](text T, to []byte) []byte {
	inside := false
	for i := range len(text) {
		c := text[i]
		if w := wordByte(c); w != inside {
			to, inside = append(to, mark), w
		}
		to = append(to, c)
	}
	if inside {
		to = append(to, mark)
	}
	return to
}

// wordByte is what RE2 means by \w.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c >= 'A' && c <= 'Z'
}

// literalSets finds sets of literals of which all that re meets in a normal
// text holds one each. Literals have at least two bytes.
func literalSets(re *syntax.Regexp) [][]string {
	whole, sets := analyse(re)
	if whole != nil {
		sets = addSet(nil, whole)
	}
	return sets
}

// analyse returns all that re can meet, if that is a short list, or else nil
// and the sets.
func analyse(re *syntax.Regexp) (whole []string, sets [][]string) {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText:
		return []string{""}, nil
	case syntax.OpWordBoundary:
		return []string{string(rune(mark))}, nil
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}, nil
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(whole) > 16 {
					return nil, nil
				}
				if s := strings.ToLower(string(r)); !slices.Contains(whole, s) {
					whole = append(whole, s)
				}
			}
		}
		return whole, nil
	case syntax.OpCapture:
		return analyse(re.Sub[0])
	case syntax.OpQuest:
		if whole, _ = analyse(re.Sub[0]); whole != nil && len(whole) < maxSet {
			return append([]string{""}, whole...), nil
		}
		return nil, nil
	case syntax.OpPlus, syntax.OpRepeat:
		if re.Op == syntax.OpRepeat && re.Min == 0 {
			return nil, nil
		}
		whole, sets = analyse(re.Sub[0])
		return nil, addSet(sets, whole)
	case syntax.OpAlternate:
		var all []string
		exact := true
		for _, sub := range re.Sub {
			w, s := analyse(sub)
			if w == nil {
				exact = false
				if w = best(s); w == nil {
					return nil, nil
				}
			}
			all = append(all, w...)
		}
		if exact && len(all) <= 8*maxSet {
			return all, nil
		}
		return nil, addSet(nil, all)
	case syntax.OpConcat:
		run, exact := []string{""}, true
		for _, sub := range re.Sub {
			w, s := analyse(sub)
			switch {
			case w == nil:
				sets, exact = append(addSet(sets, run), s...), false
				run = []string{""}
			case len(w)*len(run) <= maxSet || len(run) == 1:
				var joined []string
				for _, a := range run {
					for _, b := range w {
						joined = append(joined, a+b)
					}
				}
				run = joined
			default:
				sets, exact = addSet(sets, run), false
				run = w
			}
		}
		if exact {
			return run, nil
		}
		return nil, addSet(sets, run)
	}
	return nil, nil
}

// addSet adds a list as a set, if it says anything.
func addSet(sets [][]string, l []string) [][]string {
	var set []string
	for _, s := range l {
		s, ok := border(s)
		if !ok {
			continue // cannot stand in any text
		}
		if len(s) < 2 || s[0] >= 0x80 || len(s) > 1 && !ascii(s[:min(len(s), literalBytes)]) {
			return sets
		}
		set = append(set, s)
	}
	if len(set) == 0 {
		return sets
	}
	return append(sets, set)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// border puts marks where a text would have them. A literal may begin and end
// within a word, so only a mark of its own stands at its ends.
func border(s string) (string, bool) {
	var out []byte
	for i := range len(s) {
		if s[i] == mark {
			if i > 0 && i+1 < len(s) && s[i-1] != mark && s[i+1] != mark && wordByte(s[i-1]) == wordByte(s[i+1]) {
				return "", false
			}
			if len(out) == 0 || out[len(out)-1] != mark {
				out = append(out, mark)
			}
			continue
		}
		if i > 0 && s[i-1] != mark && wordByte(s[i-1]) != wordByte(s[i]) {
			out = append(out, mark)
		}
		out = append(out, s[i])
	}
	return string(out), true
}

// best is the set that the fewest texts meet: the one with the longest
// shortest literal.
func best(sets [][]string) (b []string) {
	length := func(set []string) int {
		n := literalBytes
		for _, s := range set {
			n = min(n, len(s))
		}
		return n
	}
	for _, s := range sets {
		if b == nil || length(s) > length(b) || length(s) == length(b) && len(s) < len(b) {
			b = s
		}
	}
	return b
}
