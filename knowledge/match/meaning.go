package match

import (
	"context"
	"slices"
	"strings"

	"canteen/knowledge/match/encoder"
)

// meaning has the sentence vectors of all documents.
type meaning struct {
	encoder   *encoder.Encoder
	first     []int               // by document, into phrasings; one more at the end
	place     map[encoder.Key]int // in vectors
	vectors   []*encoder.Stored
	phrasings *encoder.Table
	answers   *encoder.Table // by document
	soft      *vectorSoftmax
	best      map[int][]float32 // by number of phrasings: see expectedBest
	median    int               // number of a document's phrasings
}

// count is how many phrasings document d has.
func (m *meaning) count(d int) int { return m.first[d+1] - m.first[d] }

// answerChars is how much of a document's answer is encoded.
const answerChars = 260

// newMeaning encodes what known does not have: the phrasings and answers of docs, and the
// phrasings of special.
func newMeaning(ctx context.Context, docs, special []Document, e *encoder.Encoder, known Vectors) (*meaning, error) {
	m := &meaning{encoder: e, best: map[int][]float32{}, place: map[encoder.Key]int{}}
	var texts []string
	for i := range docs {
		m.first = append(m.first, len(texts))
		texts = append(texts, docs[i].Phrasings...)
		if n := len(docs[i].Phrasings); m.best[n] == nil {
			m.best[n] = expectedBest(n)
		}
	}
	m.first = append(m.first, len(texts))
	counts := make([]int, len(docs))
	for d := range docs {
		counts[d] = m.count(d)
	}
	slices.Sort(counts)
	if len(docs) > 0 {
		m.median = counts[len(docs)/2]
	}
	for i := range docs {
		answer := docs[i].Answer
		if answer == "" {
			answer = strings.Join(docs[i].Phrasings, ". ")
		}
		texts = append(texts, shorten(answer))
	}
	for i := range special {
		texts = append(texts, special[i].Phrasings...)
	}
	var err error
	if m.vectors, err = encodeAll(ctx, e, texts, known); err != nil {
		return nil, err
	}
	for i, t := range texts {
		m.place[e.Key(t)] = i
	}
	n := m.first[len(docs)]
	m.phrasings, m.answers = encoder.NewTable(m.vectors[:n]), encoder.NewTable(m.vectors[n:n+len(docs)])
	return m, nil
}

func shorten(s string) string {
	if r := []rune(s); len(r) > answerChars {
		return string(r[:answerChars])
	}
	return s
}

// Find implements Vectors.
func (m *meaning) Find(key encoder.Key) *encoder.Stored {
	if i, ok := m.place[key]; ok {
		return m.vectors[i]
	}
	return nil
}

// expectedBest returns weights for a document's n cosines, sorted from the greatest: the
// weighted sum is the expected maximum of three drawn at random. So fifty phrasings have
// no advantage over three. The j-th (from 1) is the greatest of k drawn in C(n-j, k-1)
// ways.
func expectedBest(n int) []float32 {
	k := min(3, n)
	w := make([]float32, n)
	choose := func(n, k int) float64 {
		if k > n {
			return 0
		}
		c := 1.
		for i := range k {
			c *= float64(n-i) / float64(i+1)
		}
		return c
	}
	for j := range w {
		w[j] = float32(choose(n-j-1, k-1) / choose(n, k))
	}
	return w
}

// likeness is how like a question a document is, in several ways.
type likeness struct {
	expected float32 // cosine to the best of three of its phrasings, as expected
	top      float32 // mean cosine to its three nearest phrasings
	nearest  float32 // cosine to its nearest phrasing
	answer   float32 // cosine to its answer
	soft     float32 // logit of the softmax over vectors
	phrasing int     // the nearest
}

// compare sets s.like to each document's likeness to a question; corrected is the
// question with its spelling corrected.
func (m *meaning) compare(s *scratch, question, corrected string) {
	var v []float32
	if known := m.Find(m.encoder.Key(question)); known != nil { // it is exactly a phrasing
		v = known.Vector()
	} else {
		v = m.encoder.Encode(corrected)
	}
	s.vector = v
	m.phrasings.Compare(v, s.cosines)
	m.answers.Compare(v, s.answers)
	for d := range s.like {
		own := s.cosines[m.first[d]:m.first[d+1]]
		l := likeness{answer: s.answers[d], soft: m.soft.logit(d, v)}
		for i, c := range own {
			if i == 0 || c > l.nearest {
				l.nearest, l.phrasing = c, i
			}
		}
		slices.Sort(own)
		n := len(own)
		for j, w := range m.best[n] {
			l.expected += w * own[n-1-j]
		}
		few := own[max(0, n-3):]
		for _, c := range few {
			l.top += c / float32(len(few))
		}
		s.like[d] = l
	}
}
