package match

import (
	"math"
)

// The evidence for the first document, from which its confidence is computed. Words and
// meaning have to agree, or one of them has to be very sure.
const (
	evOdds            = iota // log-odds of its share of the ranking's probability
	evMargin                 // its lead over the second
	evWords                  // log-odds of words' confidence in their first document
	evKnown                  // words' confidence that some document is right
	evCosine                 // of the words' first: cosine to its nearest phrasing by words
	evCoverage               // of the words' first: share of the question's words, by idf, that it has
	evShare                  // share of the question's words that any document has
	evKind                   // of the words' first: share of its phrasings with the same kind of question
	evStandsOut              // its nearest phrasing's z-score among those of all documents
	evNearest                // cosine to its nearest phrasing
	evExpected               // expected cosine to the best of three phrasings
	evAnswer                 // cosine to its answer
	evSoftmax                // log-odds of its probability by the softmax over vectors
	evFirstByWords           // 1 where words put it first
	evFirstByNearness        // 1 where evExpected does
	evFirstBySoftmax         // 1 where evSoftmax does
	evWordsIfFirst           // evWords where words put it first, else 0
	evKnownIfFirst           // evKnown where words put it first, else 0
	nEvidence
)

var evidenceNames = [nEvidence]string{"share", "margin", "words", "words any", "word likeness", "word coverage", "words known", "kind", "stands out", "likeness", "best of three", "answer", "learnt", "first by words", "first by likeness", "first by learning", "words, first", "words any, first"}

type evidence [nEvidence]float64

// evidenceModel is a logistic regression over evidence.
type evidenceModel struct {
	W    evidence
	Bias float64
}

func (v *evidenceModel) at(x *evidence) float64 {
	z := v.Bias
	for i, w := range v.W {
		z += w * x[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// A document with few phrasings among others with many has a regression of its own: the
// best of fifty cosines is higher than the best of three. It has few below the median
// divided by fewShare.
const fewShare = 3

// Fitted by FitFusion: see NOTES.md.
var (
	rightFew  = evidenceModel{W: evidence{0.222, 1.083, 0.026, 0.266, -0.549, -0.272, 0.312, 0.282, -0.097, 2.694, -2.209, 0.377, 0.762, -0.318, 0.408, -0.046, -0.281, -0.717}, Bias: -1.087}
	rightMany = evidenceModel{W: evidence{0.498, 1.666, 0.019, -0.312, -0.549, 0.578, 0.087, 0.365, -0.289, 3.068, 0.648, -0.977, 0.232, 0.146, -0.246, -0.159, 0.030, -0.159}, Bias: -1.722}
	anyFew    = evidenceModel{W: evidence{0.202, 0.129, 0.036, 0.311, 0.131, 0.232, 0.531, 0.178, -0.095, 2.218, -1.243, -1.060, 0.001, 0.206, -0.128, 0.425, -0.090, -0.381}, Bias: -0.141}
	anyMany   = evidenceModel{W: evidence{0.439, 0.482, -0.042, 0.541, 0.089, 0.888, -0.620, 0.243, -0.078, 0.432, 2.470, -1.624, -0.079, -0.149, -0.103, -0.184, 0.020, 0.053}, Bias: 0.551}
)

// evidence returns that for the first document in s.fused, and whether it has few
// phrasings.
func (ix *Index) evidence(s *scratch) (x evidence, isFew bool) {
	w, first := s.words, s.fused[0]
	l := &s.like[first.doc]
	second := 0.
	if len(s.fused) > 1 {
		second = s.fused[1].share
	}
	var mean, spread, soft float64
	nearest, learnt := first.doc, first.doc
	for d := range s.like {
		o := &s.like[d]
		mean += float64(o.nearest)
		spread += float64(o.nearest) * float64(o.nearest)
		if o.expected > s.like[nearest].expected {
			nearest = d
		}
		if o.soft > s.like[learnt].soft {
			learnt = d
		}
	}
	n := float64(len(s.like))
	mean /= n
	spread = math.Sqrt(max(spread/n-mean*mean, 1e-6))
	for d := range s.like {
		soft += math.Exp(float64(s.like[d].soft - s.like[learnt].soft))
	}
	x = evidence{
		evOdds: logOdds(first.share), evMargin: first.share - second,
		evWords: logOdds(w.right), evKnown: w.any,
		evStandsOut: (float64(l.nearest) - mean) / spread, evNearest: float64(l.nearest), evExpected: float64(l.expected), evAnswer: float64(l.answer),
		evSoftmax:         logOdds(math.Exp(float64(l.soft-s.like[learnt].soft))/soft) / 5,
		evFirstByNearness: indicator(nearest == first.doc), evFirstBySoftmax: indicator(learnt == first.doc),
	}
	if len(w.top) > 0 {
		x[evCosine], x[evCoverage], x[evShare], x[evKind] = w.sig[sigCosine], w.sig[sigCoverage], w.sig[sigKnown], w.sig[sigKind]
		x[evFirstByWords] = indicator(ix.doc[w.top[0].doc] == first.doc)
	}
	x[evWordsIfFirst], x[evKnownIfFirst] = x[evWords]*x[evFirstByWords], x[evKnown]*x[evFirstByWords]
	return x, fewShare*ix.meaning.count(first.doc) < ix.meaning.median
}

// probabilities returns those that the first document is right, and that any is.
func (ix *Index) probabilities(s *scratch) (right, anyOne float64) {
	x, isFew := ix.evidence(s)
	if isFew {
		right, anyOne = rightFew.at(&x), anyFew.at(&x)
	} else {
		right, anyOne = rightMany.at(&x), anyMany.at(&x)
	}
	if w := s.words; len(w.top) > 0 && ix.doc[w.top[0].doc] == s.fused[0].doc {
		if c := w.top[0].clash; c > 0 {
			f := 1 - .8*float64(c)
			right, anyOne = right*f, anyOne*f
		}
	}
	return right / float64(ix.exactMatches(s)), max(right, anyOne)
}

// exactCosine is the cosine from which on a phrasing is taken for the question itself:
// stored vectors are rounded.
const exactCosine = .995

// exactMatches counts the documents that have the question itself as a phrasing, at least
// 1. Between them the confidence is divided, since nothing tells which is meant.
func (ix *Index) exactMatches(s *scratch) int {
	n := 0
	for d := range s.like {
		n += int(indicator(s.like[d].nearest >= exactCosine))
	}
	return max(n, 1)
}

func logOdds(p float64) float64 {
	p = min(max(p, 1e-4), 1-1e-4)
	return math.Log(p / (1 - p))
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
