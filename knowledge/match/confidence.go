package match

import (
	"math"
)

// What the confidence in the first document is made of. Words and meaning have to
// agree, or one of them has to be very sure.
const (
	cueOdds       = iota // log-odds of its share of the ranking's probability
	cueMargin            // its lead over the second
	cueWords             // log-odds of the confidence of words in their first
	cueKnown             // confidence of words that any document is right
	cueCosine            // likeness by words to a phrasing, of the words' first
	cueCoverage          // share of the question's words, by idf, that the words' first has
	cueShare             // share of the question's words that any document has
	cueKind              // share of the words' first's phrasings that ask the same kind of thing
	cueStands            // how far its nearest phrasing is above all documents', in their spread
	cueNearest           // cosine to its nearest phrasing
	cueExpected          // to the best of three, as expected
	cueAnswer            // to its answer
	cueSoft              // log-odds of its probability by the softmax over vectors
	cueFirstWords        // 1 where words put it first
	cueFirstNear         // 1 where the expected best of three does
	cueFirstSoft         // 1 where the softmax does
	cueWordsFirst        // cueWords where words put it first
	cueKnownFirst        // cueKnown where words put it first
	nCues
)

var cueNames = [nCues]string{"share", "margin", "words", "words any", "word likeness", "word coverage", "words known", "kind", "stands out", "likeness", "best of three", "answer", "learnt", "first by words", "first by likeness", "first by learning", "words, first", "words any, first"}

type cues [nCues]float64

// verdict is a logistic regression over cues.
type verdict struct {
	W    cues
	Bias float64
}

func (v *verdict) at(x *cues) float64 {
	z := v.Bias
	for i, w := range v.W {
		z += w * x[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// A document with few phrasings among others with many is judged otherwise than these:
// what stands out among fifty is nothing special among three. Few are fewer than a
// third of what half of the documents have.
const few = 3

// Fitted by FitFusion: see NOTES.md.
var (
	rightFew  = verdict{W: cues{0.222, 1.083, 0.026, 0.266, -0.549, -0.272, 0.312, 0.282, -0.097, 2.694, -2.209, 0.377, 0.762, -0.318, 0.408, -0.046, -0.281, -0.717}, Bias: -1.087}
	rightMany = verdict{W: cues{0.498, 1.666, 0.019, -0.312, -0.549, 0.578, 0.087, 0.365, -0.289, 3.068, 0.648, -0.977, 0.232, 0.146, -0.246, -0.159, 0.030, -0.159}, Bias: -1.722}
	anyFew    = verdict{W: cues{0.202, 0.129, 0.036, 0.311, 0.131, 0.232, 0.531, 0.178, -0.095, 2.218, -1.243, -1.060, 0.001, 0.206, -0.128, 0.425, -0.090, -0.381}, Bias: -0.141}
	anyMany   = verdict{W: cues{0.439, 0.482, -0.042, 0.541, 0.089, 0.888, -0.620, 0.243, -0.078, 0.432, 2.470, -1.624, -0.079, -0.149, -0.103, -0.184, 0.020, 0.053}, Bias: 0.551}
)

// cues of the ranking in s.fused.
func (ix *Index) cues(s *scratch) (x cues, isFew bool) {
	w, first := s.words, s.fused[0]
	l := &s.like[first.doc]
	second := 0.
	if len(s.fused) > 1 {
		second = s.fused[1].p
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
	x = cues{
		cueOdds: logOdds(first.p), cueMargin: first.p - second,
		cueWords: logOdds(w.right), cueKnown: w.any,
		cueStands: (float64(l.nearest) - mean) / spread, cueNearest: float64(l.nearest), cueExpected: float64(l.expected), cueAnswer: float64(l.answer),
		cueSoft:      logOdds(math.Exp(float64(l.soft-s.like[learnt].soft))/soft) / 5,
		cueFirstNear: truth(nearest == first.doc), cueFirstSoft: truth(learnt == first.doc),
	}
	if len(w.top) > 0 {
		x[cueCosine], x[cueCoverage], x[cueShare], x[cueKind] = w.sig[sigCosine], w.sig[sigCoverage], w.sig[sigKnown], w.sig[sigKind]
		x[cueFirstWords] = truth(ix.doc[w.top[0].doc] == first.doc)
	}
	x[cueWordsFirst], x[cueKnownFirst] = x[cueWords]*x[cueFirstWords], x[cueKnown]*x[cueFirstWords]
	return x, few*ix.meaning.count(first.doc) < ix.meaning.median
}

// judge gives the probability that the first document is right, and that any is.
func (ix *Index) judge(s *scratch) (right, anyOne float64) {
	x, isFew := ix.cues(s)
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
	return right / float64(ix.sharers(s)), max(right, anyOne)
}

// toTheLetter is the cosine from which a phrasing is the question itself: what is kept
// of a vector differs from it by rounding alone.
const toTheLetter = .995

// sharers counts the documents that have the question itself among their phrasings, at
// least 1: nothing tells which of them is meant.
func (ix *Index) sharers(s *scratch) int {
	n := 0
	for d := range s.like {
		n += int(truth(s.like[d].nearest >= toTheLetter))
	}
	return max(n, 1)
}

func logOdds(p float64) float64 {
	p = min(max(p, 1e-4), 1-1e-4)
	return math.Log(p / (1 - p))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
