package match

import (
	"context"
	"math"
)

// signals are the inputs of the confidence, each about 0 to 1: higher is surer.
type signals [nSignals]float64

const (
	sigOdds     = iota // log-odds of the first candidate
	sigMargin          // its lead over the second
	sigCosine          // likeness to its nearest phrasing
	sigCoverage        // share of the question's words, by idf, that it has
	sigKnown           // share of the question's words that any document has
	sigLogit           // its score before normalising: the softmax's logit, or BM25
	sigSense           // cosine of the word vectors
	sigKind            // share of its phrasings with the same kind of question
	nSignals
)

var signalNames = [nSignals]string{"odds", "margin", "likeness", "coverage", "known", "logit", "sense", "kind"}

// logistic is a logistic regression.
type logistic struct {
	W    signals
	Bias float64
}

func (l *logistic) at(x *signals) float64 {
	z := l.Bias
	for i, w := range l.W {
		z += w * x[i]
	}
	return 1 / (1 + math.Exp(-z))
}

// calibrator turns signals into probabilities: that the first candidate is
// right, and that any document is.
type calibrator struct {
	Right, Any logistic
}

// defaultStrength is the weight of the default calibrator against one fitted on the
// folder alone, in phrasings. A folder's own calibrator errs both ways: with 6 entries
// "what is the wifi code" got .95, and where phrasings were written to differ from each
// other they are harder to find than what people ask. On
// BANKING77 with 5 phrasings and a fifth of the entries uncovered, answers at
// .8 were wrong in 7 % at a strength of 50 and in 5 % at 3,000.
const defaultStrength = 1500

// unknownCap bounds the confidence in a question that has no known word of content,
// unless it is exactly a phrasing.
const unknownCap = .25

func (c *calibrator) probabilities(s *wordScratch) (right, anyOne float64) {
	right, anyOne = c.Right.at(&s.sig), c.Any.at(&s.sig)
	if s.sig[sigKnown] == 0 && s.sig[sigCosine] < .95 {
		right, anyOne = min(right, unknownCap), min(anyOne, unknownCap)
	}
	if t := &s.top[0]; t.clash > 0 {
		f := 1 - .8*float64(t.clash)
		right, anyOne = right*f, anyOne*f
	}
	return right, max(right, anyOne)
}

// gatherSignals sets s.sig for the candidates in s.top; s.feats and s.sense hold the
// question.
func (ix *words) gatherSignals(s *wordScratch, toks []token) {
	t := &s.top[0]
	p2 := 0.
	if len(s.top) > 1 {
		p2 = float64(s.top[1].share)
	}
	p1 := min(max(float64(t.share), 1e-4), 1-1e-4)
	s.sig[sigOdds] = math.Log(p1/(1-p1))/6 + .5
	s.sig[sigMargin] = p1 - p2
	cos, near := t.likeness, t.nearest
	if !t.known {
		cos, near = ix.nearest(s, int(t.doc), allPhrasings)
	}
	own := toks[s.clause.from:s.clause.to]
	if len(own) < len(toks) {
		ix.features(s, own)
		if c, n := ix.nearest(s, int(t.doc), allPhrasings); c > cos {
			cos, near = c, n
		}
	}
	s.nearest = near
	s.sig[sigCosine] = float64(cos)
	s.sig[sigCoverage], s.sig[sigKnown] = ix.coverage(own, int(t.doc))
	if ix.model != nil {
		s.sig[sigLogit] = float64(t.logit) / 12
	} else {
		s.sig[sigLogit] = float64(t.bm25) / 12
	}
	s.sig[sigSense] = float64(t.sense)
	s.sig[sigKind] = ix.kindShare(s.kind, int(t.doc))
}

// nearest returns the phrasing of document d most like the vector in s.feats,
// among its first few, and the cosine between the two.
func (ix *words) nearest(s *wordScratch, d, few int) (float32, int) {
	for _, f := range s.feats {
		s.q[f.id] = f.x
	}
	norm := length(s.feats)
	best, at := float32(0), 0
	for p := ix.phr.first[d]; p < min(ix.phr.first[d+1], ix.phr.first[d]+uint32(few)); p++ {
		if c := ix.phr.dot(p, s.q) / (ix.phr.norm[p]*norm + 1e-6); c > best {
			best, at = c, int(p-ix.phr.first[d])
		}
	}
	for _, f := range s.feats {
		s.q[f.id] = 0
	}
	return best, at
}

// How many phrasings of a document are compared. For candidates after the first some are
// enough: with a hundred each, it took half of the time.
const (
	allPhrasings  = math.MaxInt32
	somePhrasings = 30
)

// coverage returns the share of toks, weighted by idf, that document d has, and the share
// of the words of content that some document has.
func (ix *words) coverage(toks []token, d int) (covered, known float64) {
	rare := math.Pow(math.Log(1+float64(len(ix.docs))), idfPower)
	var all, has, content, met float64
	for i := range toks {
		t := &toks[i]
		st, ok := ix.stemFor(t)
		idf := rare
		if ok {
			idf = float64(ix.idf[st])
		}
		all += idf
		if ok && ix.has(st, d) {
			has += idf
		}
		if !stopWords[t.word] {
			content++
			if ok {
				met++
			}
		}
	}
	if all > 0 {
		covered = has / all
	}
	if content > 0 {
		known = met / content
	}
	return covered, known
}

// stemFor returns the feature of t's stem, if any phrasing has it.
func (ix *words) stemFor(t *token) (uint32, bool) {
	st := int32(-1)
	if t.id >= 0 {
		st = ix.vocab[t.id].stem
	} else if id, ok := ix.stems[stemOf(t.word)]; ok {
		st = id
	}
	if st < 0 || ix.idf[st] == 0 {
		return 0, false
	}
	return uint32(st), true
}

// has tells whether document d has feature f.
func (ix *words) has(f uint32, d int) bool {
	lo, hi := ix.inv.off[f], ix.inv.off[f+1]
	docs := ix.inv.doc[lo:hi]
	for len(docs) > 0 {
		m := len(docs) / 2
		switch x := int(docs[m]); {
		case x == d:
			return true
		case x < d:
			docs = docs[m+1:]
		default:
			docs = docs[:m]
		}
	}
	return false
}

// kindShare is the smoothed share of kind k among d's phrasings of a known kind; .4 where
// the question's kind is not known.
func (ix *words) kindShare(k uint8, d int) float64 {
	same, typed := 0., 0.
	for _, x := range ix.phr.kind[ix.phr.first[d]:ix.phr.first[d+1]] {
		if x != kindNone {
			typed++
			if x == k {
				same++
			}
		}
	}
	if k == kindNone {
		return .4
	}
	return (same + .4) / (typed + 1)
}

// result turns the ranking in s into at most n candidates; documents without a place have
// left the folder.
func (ix *words) result(s *wordScratch, n int, place []int) Result {
	var r Result
	if len(s.top) == 0 {
		return r
	}
	right, anyOne := ix.cal.probabilities(s)
	rest := 0.
	for i := range s.top[1:] {
		rest += float64(s.top[1+i].share)
	}
	r.Candidates = make([]Candidate, 0, min(n, len(s.top)))
	left := right
	for i := range s.top {
		t := &s.top[i]
		if place[t.doc] < 0 {
			continue
		}
		c := right
		if i > 0 {
			c = 0
			if rest > 0 {
				c = (anyOne - right) * float64(t.share) / rest
			}
		}
		if ix.docs[t.doc].Covered {
			r.Covered += c
		}
		if len(r.Candidates) < n {
			near := s.nearest
			if i > 0 {
				near = t.nearest
				if !t.known {
					_, near = ix.nearest(s, int(t.doc), somePhrasings)
				}
			}
			left = min(left, c)
			r.Candidates = append(r.Candidates, Candidate{ID: ix.docs[t.doc].ID, Confidence: left, Phrasing: near})
		}
	}
	return r
}

// observation is one held-out question.
type observation struct {
	x          signals
	right, any bool
	n          float64 // how often it counts
}

// holdOut makes an index that knows all phrasings but every folds'th, and all
// documents but every folds'th, fits it if ix is being fitted, and observes
// how it fares on what it does not know.
func (ix *words) holdOut(ctx context.Context, fold, folds int, fitted bool) ([]observation, error) {
	part := ix.without(fold, folds)
	if fitted {
		m, err := part.train(ctx)
		if err != nil {
			return nil, err
		}
		part.model = m
	}
	s := part.newScratch()
	var obs []observation
	held := len(ix.phr.doc) / folds
	every := max(1, held/manyPerFold)
	for i, d := range ix.phr.doc {
		if i%folds != fold || i/folds%every != 0 {
			continue
		}
		part.rank(s, ix.docs[d].Phrasings[i-int(ix.phr.first[d])])
		if len(s.top) == 0 {
			continue
		}
		o := observation{x: s.sig, n: 1}
		if int(d)%folds != fold {
			o.any = true
			o.right = s.top[0].doc == int32(d)
		}
		obs = append(obs, o)
	}
	return obs, nil
}

// Calibration stops after the fold that brings enoughObservations. Of a fold with more
// than manyPerFold phrasings, every second or third is used: with 830 of 1,800, the
// built-in folder answered 3 in 100 fewer.
const (
	enoughObservations = 600
	manyPerFold        = 1500
)

// calibrate fits a calibrator on held-out phrasings.
func (ix *words) calibrate(ctx context.Context) (calibrator, error) {
	const folds = 5
	def := defaultCalibrator(true)
	n := len(ix.phr.doc)
	if n < 2*folds || len(ix.docs) < folds {
		return def, nil
	}
	var obs []observation
	for f := 0; f < folds && len(obs) < enoughObservations; f++ {
		o, err := ix.holdOut(ctx, f, folds, true)
		if err != nil {
			return def, err
		}
		obs = append(obs, o...)
	}
	trust := float64(n) / (float64(n) + defaultStrength)
	return calibrator{
		Right: blend(regress(obs, func(o *observation) bool { return o.right }), def.Right, trust),
		Any:   blend(regress(obs, func(o *observation) bool { return o.any }), def.Any, trust),
	}, nil
}

func blend(a, b logistic, trust float64) logistic {
	for i := range a.W {
		a.W[i] = trust*a.W[i] + (1-trust)*b.W[i]
	}
	a.Bias = trust*a.Bias + (1-trust)*b.Bias
	return a
}

// regress fits a logistic regression with non-negative weights by Newton
// steps on one weight at a time.
func regress(obs []observation, want func(*observation) bool) logistic {
	const (
		sweeps = 60
		ridge  = 1.0
	)
	var l logistic
	z := make([]float64, len(obs))
	step := func(j int) float64 {
		g, h := 0., 1e-6
		if j < nSignals {
			g, h = -ridge*l.W[j], ridge
		}
		for i := range obs {
			x := 1.
			if j < nSignals {
				x = obs[i].x[j]
			}
			p := 1 / (1 + math.Exp(-z[i]))
			y := 0.
			if want(&obs[i]) {
				y = 1
			}
			g += obs[i].n * (y - p) * x
			h += obs[i].n * p * (1 - p) * x * x
		}
		return g / h
	}
	for range sweeps {
		moved := 0.
		for j := 0; j <= nSignals; j++ {
			d := max(-1, min(1, step(j)))
			if j < nSignals {
				d = max(d, -l.W[j])
				l.W[j] += d
			} else {
				l.Bias += d
			}
			for i := range obs {
				x := 1.
				if j < nSignals {
					x = obs[i].x[j]
				}
				z[i] += d * x
			}
			moved = max(moved, math.Abs(d))
		}
		if moved < 1e-4 {
			break
		}
	}
	return l
}
