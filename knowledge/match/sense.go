package match

import (
	_ "embed"
	"encoding/binary"
	"math"
	"strings"
	"sync"
)

// Vectors of 25,000 words in 64 dimensions, to match a question with a phrasing that
// shares no word with it. They were distilled so that the weighted sum of a text's words
// approximates its sentence vector: bench/vectors, words/COPYRIGHT.vectors.
//
//go:embed words/vectors.bin
var vectorsBin string

type wordVectors struct {
	dim  int
	rows map[string]int32 // in order of frequency
	at   string           // a row of signed bytes each
}

var senses = sync.OnceValue(func() *wordVectors {
	b := vectorsBin
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32([]byte(b[at : at+4]))) }
	n, dim := u32(0), u32(4)
	v := &wordVectors{dim: dim, rows: make(map[string]int32, n)}
	b = b[8:]
	for i := range n {
		w, rest, _ := strings.Cut(b, "\n")
		v.rows[w] = int32(i)
		b = rest
	}
	v.at = b
	return v
})

// weight of the word at row i of a text's sense: rare words carry it. This is
// smooth inverse frequency, with Zipf's law for the frequency.
func (v *wordVectors) weight(row int32) float32 {
	p := 1 / (float64(row+5) * math.Log(400000))
	return float32(1e-3 / (1e-3 + p))
}

// sense sets out to the weighted sum of the word vectors of toks, of length 1; zero where
// none has a vector. Distinct words are left out: by their vectors, one platform is much
// like another.
func (ix *words) sense(toks []token, out []float32) {
	clear(out)
	v := senses()
	for i := range toks {
		row := int32(-1)
		if t := &toks[i]; t.id >= 0 {
			row = ix.vocab[t.id].sense
		} else if r, ok := v.rows[t.word]; ok && ix.lex.sets[t.word] == 0 {
			row = r
		}
		if row < 0 {
			continue
		}
		wt := v.weight(row) * toks[i].weight
		for k, x := range []byte(v.row(row)) {
			out[k] += wt * float32(int8(x))
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

func (v *wordVectors) row(i int32) string { return v.at[int(i)*v.dim : (int(i)+1)*v.dim] }
