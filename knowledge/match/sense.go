package match

import (
	_ "embed"
	"encoding/binary"
	"math"
	"strings"
	"sync"
)

// Vectors of 25,000 words, so that a question may share its sense with a
// phrasing where it shares no word: GloVe (Public Domain Dedication and
// License) in 64 dimensions, made by bench/vectors; see words/COPYRIGHT.glove.
//
//go:embed words/vectors.bin
var vectorsBin string

const (
	senseIdf    = .5  // power of idf in a text's sense
	kinLikeness = .55 // cosine from which one word may stand for another
)

type wordVectors struct {
	dim  int
	rows map[string]int32 // in order of frequency
	at   []int8
	norm []float32
}

var senses = sync.OnceValue(func() *wordVectors {
	b := vectorsBin
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32([]byte(b[at : at+4]))) }
	n, dim := u32(0), u32(4)
	v := &wordVectors{dim: dim, rows: make(map[string]int32, n), norm: make([]float32, 0, n)}
	b = b[8:]
	for i := range n {
		w, rest, _ := strings.Cut(b, "\n")
		v.rows[w] = int32(i)
		b = rest
	}
	v.at = make([]int8, len(b))
	for i := range v.at {
		v.at[i] = int8(b[i])
	}
	for i := range n {
		sum := int32(0)
		for _, x := range v.row(int32(i)) {
			sum += int32(x) * int32(x)
		}
		v.norm = append(v.norm, float32(math.Sqrt(float64(sum))))
	}
	return v
})

// weight of the word at row i of a text's sense: rare words carry it. This is
// smooth inverse frequency, with Zipf's law for the frequency.
func (v *wordVectors) weight(row int32) float32 {
	p := 1 / (float64(row+5) * math.Log(400000))
	return float32(1e-3 / (1e-3 + p))
}

// sense adds up the vectors of toks and brings the sum to length one, if there
// is any. Distinct words stay out: to these vectors, one platform is much like
// another.
func (ix *Index) sense(toks []token, out []float32) {
	clear(out)
	v := senses()
	for i := range toks {
		row := int32(-1)
		wt := float32(1)
		if t := &toks[i]; t.id >= 0 {
			w := &ix.vocab[t.id]
			row = w.sense
			if w.stem >= 0 && ix.idf != nil && row >= 0 {
				wt = float32(math.Pow(float64(ix.idf[w.stem]), senseIdf))
			}
		} else if r, ok := v.rows[t.word]; ok && ix.lex.sets[t.word] == 0 {
			row = r
		}
		if row < 0 {
			continue
		}
		wt *= v.weight(row) * toks[i].w
		for k, x := range v.at[int(row)*v.dim : (int(row)+1)*v.dim] {
			out[k] += wt * float32(x)
		}
	}
	unit(out)
}

func unit(v []float32) {
	sum := float32(0)
	for _, x := range v {
		sum += x * x
	}
	if sum == 0 {
		return
	}
	f := float32(1 / math.Sqrt(float64(sum)))
	for k := range v {
		v[k] *= f
	}
}

func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for i := 0; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	return s0 + s1 + s2 + s3
}

// kin returns the folder's word nearest in sense to one that it does not
// know, or -1. What it finds is kept, for a search costs more than a question.
func (ix *Index) kin(w string) int32 {
	v := senses()
	row, ok := v.rows[w]
	if !ok || stop[w] {
		return -1
	}
	if k := ix.kins[row].Load(); k != 0 {
		return k - 2
	}
	a := v.row(row)
	best, sim := int32(-1), float32(kinLikeness)*v.norm[row]
	for i := range ix.vocab {
		o := &ix.vocab[i]
		if o.sense < 0 || o.stop || ix.idf[o.stem] == 0 {
			continue
		}
		b := v.row(o.sense)[:len(a)]
		var s0, s1, s2, s3 int32
		for k := 0; k+4 <= len(a); k += 4 {
			s0 += int32(a[k]) * int32(b[k])
			s1 += int32(a[k+1]) * int32(b[k+1])
			s2 += int32(a[k+2]) * int32(b[k+2])
			s3 += int32(a[k+3]) * int32(b[k+3])
		}
		if c := float32(s0+s1+s2+s3) / v.norm[o.sense]; c > sim {
			best, sim = int32(i), c
		}
	}
	ix.kins[row].Store(best + 2)
	return best
}

func (v *wordVectors) row(i int32) []int8 { return v.at[int(i)*v.dim : (int(i)+1)*v.dim] }
