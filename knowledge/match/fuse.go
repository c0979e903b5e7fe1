package match

import (
	"cmp"
	"math"
	"slices"

	"canteen/knowledge/text"
)

// scratch is what one question needs while it is ranked by words and meaning.
type scratch struct {
	words   *wordScratch
	lanes   *laneScratch
	vector  []float32 // of the question; nil for words alone
	cosines []float32 // by phrasing
	answers []float32 // by document
	like    []likeness
	fused   []fusion // by document, then best first
	right   float64  // probability that the first is right
	any     float64  // that any is
	alarm   float64  // that it is an emergency
}

func (ix *Index) newScratch() *scratch {
	s := &scratch{words: ix.words.newScratch(), fused: make([]fusion, len(ix.docs))}
	if m := ix.meaning; m != nil {
		s.cosines, s.answers, s.like = make([]float32, m.phrasings.Len()), make([]float32, len(ix.docs)), make([]likeness, len(ix.docs))
	}
	if ix.lanes != nil {
		s.lanes = ix.lanes.newScratch()
	}
	return s
}

// fusion is a document with its scores by words and meaning together.
type fusion struct {
	doc   int
	words float32 // its score by words less that of the best; 0 at most
	score float64
	share float64 // share of the ranking's probability
}

const (
	unlistedPenalty = 1  // of a document off the shortlist, below the last one on it
	maxWordGap      = 12 // the most that a score by words may lie below the best
)

// Standard deviations of each likeness over documents, to bring all to one scale.
const (
	expectedSpread = .087
	topSpread      = .100
	nearestSpread  = .107
	answerSpread   = .102
)

// fusionFeatures are what a document's score is made of: see fusionWeights.
type fusionFeatures [13]float64

// features of document d: each likeness less the best document's, in standard deviations.
// few is 1 for up to 4 phrasings, and falls with more.
func (ix *Index) features(s *scratch, d int, words float64, best *likeness) fusionFeatures {
	l := &s.like[d]
	sure := s.words.right
	few := 4 / math.Max(4, float64(ix.meaning.count(d)))
	expected := float64(l.expected-best.expected) / expectedSpread
	answer := float64(l.answer-best.answer) / answerSpread
	top := float64(l.top-best.top) / topSpread
	nearest := float64(l.nearest-best.nearest) / nearestSpread
	soft := float64(l.soft - best.soft)
	return fusionFeatures{words, sure * words, few, few * expected, few * answer, top, sure * top, expected, answer, nearest, soft, few * soft, sure * soft}
}

// fusionWeights were fitted by FitFusion: see NOTES.md.
var fusionWeights = fusionFeatures{0.117, 0.123, 5.292, 0.459, 0.470, 0.620, -0.479, -0.452, 0.016, 0.603, 0.650, -0.266, 0.047}

// rank sets s.fused to the documents, best first, and s.right, s.any and s.alarm to their
// probabilities.
func (ix *Index) rank(s *scratch, question string) {
	s.vector, s.alarm = nil, 0
	ix.rankDocuments(s, question)
	if ix.lanes != nil {
		v := s.vector
		if text.Language(question) != "" {
			// The encoder knows English: to it any other language is like the crises in
			// it. With it 500 of the 800 sentences of text/testdata/languages.tsv were met
			// with a lane, and 84 by their words alone, which find a crisis as well.
			v = nil
		}
		s.alarm = ix.lanes.alarm(s.lanes, question, v, s.cosines)
		s.right, s.any = s.right*(1-s.alarm), s.any*(1-s.alarm)
	}
}

func (ix *Index) rankDocuments(s *scratch, question string) {
	w := s.words
	ix.words.rank(w, question)
	w.right, w.any = 0, 0
	if len(w.top) > 0 {
		w.right, w.any = ix.words.cal.probabilities(w)
	}
	s.right, s.any = w.right, w.any
	if ix.meaning == nil || len(ix.docs) == 0 {
		return
	}
	ix.meaning.compare(s, question, w.corrected)
	best := ix.bestLikeness(s)
	s.fused = s.fused[:0]
	floor := float32(-4)
	if n := len(w.top); n > 0 {
		floor = max(w.top[n-1].score-w.top[0].score-unlistedPenalty, -maxWordGap)
	}
	for d := range ix.docs {
		s.fused = append(s.fused, fusion{doc: d, words: floor})
	}
	for i := range w.top {
		if d := ix.doc[w.top[i].doc]; d >= 0 {
			s.fused[d].words = max(w.top[i].score-w.top[0].score, -maxWordGap)
		}
	}
	for i := range s.fused {
		f := &s.fused[i]
		for k, x := range ix.features(s, f.doc, float64(f.words), &best) {
			f.score += fusionWeights[k] * x
		}
	}
	slices.SortStableFunc(s.fused, func(a, b fusion) int { return cmp.Compare(b.score, a.score) })
	sum := 0.
	for i := range s.fused {
		s.fused[i].share = math.Exp(s.fused[i].score - s.fused[0].score)
		sum += s.fused[i].share
	}
	for i := range s.fused {
		s.fused[i].share /= sum
	}
	s.right, s.any = ix.probabilities(s)
}

// bestLikeness has the maximum of each likeness over all documents.
func (ix *Index) bestLikeness(s *scratch) likeness {
	best := s.like[0]
	for _, l := range s.like {
		best.expected, best.top = max(best.expected, l.expected), max(best.top, l.top)
		best.nearest, best.answer, best.soft = max(best.nearest, l.nearest), max(best.answer, l.answer), max(best.soft, l.soft)
	}
	return best
}

// result turns the ranking in s into at most n candidates.
func (ix *Index) result(s *scratch, n int) Result {
	var r Result
	switch {
	case ix.meaning == nil:
		r = ix.words.result(s.words, n, ix.doc)
		for i := range r.Candidates {
			r.Candidates[i].Confidence *= 1 - s.alarm
		}
		r.Covered *= 1 - s.alarm
	case len(s.fused) > 0:
		r = ix.fusedResult(s, n)
	}
	if ix.lanes != nil {
		r.Alarm, r.Lanes = s.alarm, ix.lanes.ranked(s.lanes, s.alarm, maxLanes)
	}
	return r
}

// maxLanes is how many lanes a result has.
const maxLanes = 3

func (ix *Index) fusedResult(s *scratch, n int) Result {
	var r Result
	rest := 1 - s.fused[0].share
	r.Candidates = make([]Candidate, 0, min(n, len(s.fused)))
	least := s.right
	for i := range s.fused {
		f := &s.fused[i]
		c := s.right
		if i > 0 {
			c = 0
			if rest > 1e-9 {
				c = (s.any - s.right) * f.share / rest
			}
		}
		if ix.docs[f.doc].Covered {
			r.Covered += c
		}
		if i < n {
			least = min(least, c)
			r.Candidates = append(r.Candidates, Candidate{ID: ix.docs[f.doc].ID, Confidence: least, Phrasing: s.like[f.doc].phrasing})
		}
	}
	return r
}
