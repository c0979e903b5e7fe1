package match

import (
	"cmp"
	"math"
	"slices"

	"canteen/knowledge/match/encoder"
	"canteen/knowledge/text"
)

// lanes classifies a question: whether it is an emergency, and of which lane. It is
// learnt from examples of each lane and of harmless sentences, however alarming their
// words. Lanes take no part in the ranking of entries.
//
// The log-odds of an emergency are a sum of three: a logistic regression over words,
// pairs of words and character n-grams; one over the sentence vector; and the nearness
// of the lanes' examples against that of all others (a kernel density estimate). The same
// three say which lane it is.
type lanes struct {
	ids   []string // in the order of the documents
	count []int    // examples of each
	read  *text.Reader

	idf        []float32 // by hashed feature
	alarmWords []float32 // by hashed feature, and the bias at the end
	laneWords  []float32 // by lane, a row each of hashed features
	wordScale  scale     // of the log-odds of words alone

	vectors   *laneVectors
	encoder   string // the id of the encoder whose vectors these are
	fullScale scale  // of the log-odds of all three
}

// laneVectors is the part of lanes that needs sentence vectors.
type laneVectors struct {
	alarmWeights []float32 // encoder.Size, and the bias at the end
	laneWeights  []float32 // by lane, a row each of encoder.Size, and a bias
	table        *encoder.Table
	lane         []int16 // by row of table, the lane; -1: none
	first        []int   // by lane, into table
}

// scale calibrates log-odds into a probability (Platt scaling).
type scale struct{ Factor, Bias float64 }

func (s scale) at(z float64) float64 { return 1 / (1 + math.Exp(-s.Factor*z-s.Bias)) }

// With fewer examples of lanes than minLaneExamples no scale is fitted. The default ones
// are near those of the built-in folder, and raise no alarm in doubt.
const minLaneExamples = 150

var (
	defaultWordScale = scale{.67, -2.5}
	defaultFullScale = scale{.55, -1.5}
)

const (
	laneBits          = 16 // of hashed features
	nearnessSharpness = 30 // an example counts exp(nearnessSharpness · cosine)
	wordShare         = .5 // weight of the regression over words, beside vectors
	vectorShare       = .5 // weight of the regression over vectors
	laneSharpness     = .5 // scales the log-odds between lanes; below 1 it makes them less sure
)

// hashed is a text's features: places and values.
type hashed struct {
	at    []uint32
	value []float32
}

// features sets h to the tf-idf of a text: its words and pairs of words, normalised to
// length 1, then its character n-grams of 3 to 5 letters, normalised by themselves.
// Without l.idf they are counts.
func (l *lanes) features(h *hashed, s string) {
	h.at, h.value = h.at[:0], h.value[:0]
	if len(s) > maxLaneText {
		s = s[:maxLaneText]
	}
	words := l.read.Plain(s)
	was := uint32(0)
	for i, w := range words {
		x := hashString(2166136261, w)
		h.add(x)
		if i > 0 {
			h.add(hashString(was^0x9e3779b9, w))
		}
		was = x
	}
	cut := h.countFrom(0)
	for _, w := range words {
		p := []byte(" " + w + " ")
		for n := 3; n <= 5; n++ {
			for i := 0; i+n <= len(p); i++ {
				h.add(hashString(uint32(n)*16777619, string(p[i:i+n])))
			}
		}
	}
	end := h.countFrom(cut)
	if l.idf != nil {
		h.tfidf(l.idf, 0, cut)
		h.tfidf(l.idf, cut, end)
	}
}

// maxLaneText is what is read of a question, in bytes.
const maxLaneText = 20_000

func hashString(seed uint32, s string) uint32 {
	for i := range len(s) {
		seed = (seed ^ uint32(s[i])) * 16777619
	}
	return seed
}

func (h *hashed) add(x uint32) {
	h.at = append(h.at, (x^x>>laneBits)&(1<<laneBits-1))
}

// countFrom sorts the features after from, merges equal ones with their number as value,
// and returns the end.
func (h *hashed) countFrom(from int) int {
	own := h.at[from:]
	slices.Sort(own)
	n := 0
	for i := 0; i < len(own); n++ {
		k := i
		for k < len(own) && own[k] == own[i] {
			k++
		}
		own[n] = own[i]
		h.value = append(h.value, float32(k-i))
		i = k
	}
	h.at = h.at[:from+n]
	return from + n
}

func (h *hashed) tfidf(idf []float32, from, to int) {
	sum := float32(0)
	for i := from; i < to; i++ {
		h.value[i] = (1 + float32(math.Log(float64(h.value[i])))) * idf[h.at[i]]
		sum += h.value[i] * h.value[i]
	}
	if sum > 0 {
		f := float32(1 / math.Sqrt(float64(sum)))
		for i := from; i < to; i++ {
			h.value[i] *= f
		}
	}
}

func (h *hashed) dot(w []float32) (sum float32) {
	for i, at := range h.at {
		sum += h.value[i] * w[at]
	}
	return sum
}

// laneScratch is what one question needs.
type laneScratch struct {
	hashed  hashed
	cosines []float32
	nearest []int // by lane, its example that is most like the question
	logOdds []float64
}

func (l *lanes) newScratch() *laneScratch {
	s := &laneScratch{nearest: make([]int, len(l.ids)), logOdds: make([]float64, len(l.ids))}
	if l.vectors != nil && l.vectors.table != nil {
		s.cosines = make([]float32, l.vectors.table.Len())
	}
	return s
}

// alarm returns the probability that a question is an emergency, and leaves the
// log-probabilities of the lanes in s.logOdds. v is the question's vector, nil for words
// alone; others are the cosines of the phrasings of all entries.
func (l *lanes) alarm(s *laneScratch, question string, v []float32, others []float32) float64 {
	l.features(&s.hashed, question)
	z := float64(s.hashed.dot(l.alarmWords) + l.alarmWords[1<<laneBits])
	m := l.vectors
	if v == nil || m == nil || m.table == nil {
		alarm := l.wordScale.at(z)
		if alarm >= minAlarm {
			l.scoreLanes(s)
			clear(s.nearest)
		}
		return alarm
	}
	m.table.Compare(v, s.cosines)
	z = wordShare*z + m.nearness(s.cosines, others, nil, 0)
	alarm := l.fullScale.at(z + vectorShare*float64(dot(v, m.alarmWeights[:encoder.Size])+m.alarmWeights[encoder.Size]))
	if alarm >= minAlarm {
		l.scoreLanes(s)
		m.scoreLanes(s, v)
	}
	return alarm
}

// minAlarm is the probability of an emergency below which the lanes are not scored, which
// takes longer than all else.
const minAlarm = .02

// scoreLanes sets s.logOdds to the lanes' log-probabilities by words.
func (l *lanes) scoreLanes(s *laneScratch) {
	const row = 1 << laneBits
	for i := range l.ids {
		s.logOdds[i] = float64(s.hashed.dot(l.laneWords[i*row : (i+1)*row]))
	}
	logSoftmax(s.logOdds)
}

// nearness is the log-odds of an emergency by the examples near the question. Examples of
// fold out are left out; fold may be nil.
func (m *laneVectors) nearness(cosines, others []float32, fold []int8, out int8) float64 {
	var in, not float64
	for k, c := range cosines {
		if fold != nil && fold[k] == out {
			continue
		}
		x := math.Exp(nearnessSharpness * float64(c-1))
		if m.lane[k] >= 0 {
			in += x
		} else {
			not += x
		}
	}
	for _, c := range others {
		not += math.Exp(nearnessSharpness * float64(c-1))
	}
	return math.Log((in + 1e-12) / (not + 1e-12))
}

// scoreLanes adds the lanes' log-probabilities by vectors, and sets each lane's nearest
// example.
func (m *laneVectors) scoreLanes(s *laneScratch, v []float32) {
	log, cosines := s.logOdds, s.cosines
	meant, near := make([]float64, len(log)), make([]float64, len(log))
	for i := range log {
		row := m.laneWeights[i*(encoder.Size+1):]
		meant[i] = float64(dot(v, row[:encoder.Size]) + row[encoder.Size])
		sum := 0.
		s.nearest[i] = 0
		for k := m.first[i]; k < m.first[i+1]; k++ {
			sum += math.Exp(nearnessSharpness * float64(cosines[k]-1))
			if cosines[k] > cosines[m.first[i]+s.nearest[i]] {
				s.nearest[i] = k - m.first[i]
			}
		}
		near[i] = math.Log(sum/float64(max(1, m.first[i+1]-m.first[i])) + 1e-12)
	}
	logSoftmax(meant)
	logSoftmax(near)
	for i := range log {
		log[i] += meant[i] + near[i]
	}
}

func logSoftmax(z []float64) {
	top, sum := math.Inf(-1), 0.
	for _, x := range z {
		top = max(top, x)
	}
	for _, x := range z {
		sum += math.Exp(x - top)
	}
	for i := range z {
		z[i] -= top + math.Log(sum)
	}
}

// ranked returns at most n lanes, best first. The confidences of all sum to alarm.
func (l *lanes) ranked(s *laneScratch, alarm float64, n int) []Candidate {
	if alarm < minAlarm {
		return nil
	}
	for i := range s.logOdds {
		s.logOdds[i] *= laneSharpness
	}
	logSoftmax(s.logOdds)
	all := make([]Candidate, len(l.ids))
	for i, id := range l.ids {
		all[i] = Candidate{ID: id, Confidence: alarm * math.Exp(s.logOdds[i]), Phrasing: s.nearest[i]}
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Compare(b.Confidence, a.Confidence) })
	return all[:min(n, len(all))]
}
