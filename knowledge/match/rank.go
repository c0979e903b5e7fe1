package match

import (
	"cmp"
	"math"
	"slices"

	"canteen/knowledge/text"
)

const (
	bmK1 = 1.2
	bmB  = .5

	candidates = 32 // on the shortlist
	senseLift  = .6 // weight of the word vectors' cosine beside BM25, whose best is 1

	// With more documents than manyDocs, word vectors are compared only where BM25 is at
	// least faintBM of its best: otherwise they take half of the time.
	manyDocs = 500
	faintBM  = .2

	// With as many, character n-grams that more than one document in commonPart has are
	// left out: they tell little and have the longest posting lists.
	commonPart = 4

	// The score is the softmax's logit plus BM25 and the word vectors' cosine, both
	// scaled to the logit's spread.
	bmShare    = .8
	senseShare = .2
	bmLogit    = 2.5 // weight of BM25's z-score while there is no softmax
)

// inverted maps features to the documents that have them.
type inverted struct {
	off []uint32 // by feature, into doc and bm; one more at the end
	doc []uint16
	bm  []float32 // what the feature is worth to BM25 there
}

// maxDocs is the number of documents that a uint16 can hold; further ones are not ranked.
const maxDocs = 1 << 16

// invert makes the inverted file and idf from the counts in phr.
func (ix *words) invert() {
	n := len(ix.docs)
	nf := len(ix.block)
	df := make([]uint32, nf+1)
	last := make([]int32, nf) // document seen last, from 1
	each := func(visit func(d int, f feat)) {
		for d := 0; d < n; d++ {
			for p := ix.phr.first[d]; p < ix.phr.first[d+1]; p++ {
				for _, f := range ix.phr.vector(p) {
					visit(d, f)
				}
			}
		}
	}
	each(func(d int, f feat) {
		if last[f.id] != int32(d+1) {
			last[f.id] = int32(d + 1)
			df[f.id]++
		}
	})
	if n > manyDocs {
		for f := range nf {
			if ix.block[f] == chars && int(df[f]) > n/commonPart {
				df[f] = 0 // as if no document had it
			}
		}
	}
	ix.inv.off = make([]uint32, nf+1)
	total := uint32(0)
	for f := 0; f < nf; f++ {
		ix.inv.off[f] = total
		total += df[f]
		last[f] = 0
	}
	ix.inv.off[nf] = total
	ix.inv.doc = make([]uint16, total)
	ix.inv.bm = make([]float32, total)
	fill := make([]uint32, nf)
	sizes := make([][blocks]float64, n)
	each(func(d int, f feat) {
		if df[f.id] == 0 {
			return
		}
		if last[f.id] != int32(d+1) {
			last[f.id] = int32(d + 1)
			fill[f.id]++
		}
		at := ix.inv.off[f.id] + fill[f.id] - 1
		ix.inv.doc[at] = uint16(d)
		ix.inv.bm[at] += f.x
		sizes[d][ix.block[f.id]] += float64(f.x)
	})
	var mean [blocks]float64
	for d := range sizes {
		for b := range mean {
			mean[b] += sizes[d][b] / float64(n)
		}
	}
	ix.idf = make([]float32, nf)
	for f := 0; f < nf; f++ {
		if df[f] == 0 {
			continue
		}
		b := ix.block[f]
		idf := math.Pow(math.Log(1+float64(n)/float64(df[f])), idfPower)
		ix.idf[f] = float32(idf)
		for k := ix.inv.off[f]; k < ix.inv.off[f+1]; k++ {
			tf := float64(ix.inv.bm[k])
			l := sizes[ix.inv.doc[k]][b] / mean[b]
			ix.inv.bm[k] = float32(idf * tf * (bmK1 + 1) / (tf + bmK1*(1-bmB+bmB*l)))
		}
	}
	for i := range ix.vocab {
		if w := &ix.vocab[i]; w.stop && w.stem >= 0 && stopWeight != 1 {
			ix.idf[w.stem] *= stopWeight
		}
	}
	ix.phr.norm = ix.phr.norm[:0]
	for i := 0; i+1 < len(ix.phr.off); i++ {
		v := ix.phr.vector(uint32(i))
		ix.tfidf(v)
		ix.phr.norm = append(ix.phr.norm, length(v))
	}
}

// pair has a feature's weights in BM25 and in the softmax, side by side in memory
// because they are read together.
type pair struct{ bm, sm float32 }

// wordScratch is what one question needs while it is ranked.
type wordScratch struct {
	toks          []token
	words         []text.Word
	closing       text.Gap
	corrected     string // the question, its spelling corrected
	stems         []int32
	seen          []int32
	word          []byte
	at            []int32 // by feature, place in feats from 1
	feats         []feat
	bm25, logit   []float32 // by document
	both          []pair    // by document
	senses, blend []float32
	sense         []float32
	q             []float32 // by feature: the question as a dense vector
	top           []scored
	clauses       []clause
	clause        clause // the one that looks most like the question
	distinct      []distinctWord
	kind          uint8
	sig           signals
	right         float64 // confidence of words that the first is right
	any           float64 // and that any is
	nearest       int     // phrasing of the first candidate nearest to the question
}

func (s *wordScratch) alreadySeen(id int32) bool {
	for _, x := range s.seen {
		if x == id {
			return true
		}
	}
	s.seen = append(s.seen, id)
	return false
}

type scored struct {
	doc                int32
	bm25, logit, sense float32
	clash              float32 // names another of a distinct set
	score              float32 // what it is ranked by
	likeness           float32 // likeness to its nearest phrasing, where known
	nearest            int
	known              bool
	share              float32 // share among the candidates
}

func (ix *words) newScratch() *wordScratch {
	return &wordScratch{
		at:     make([]int32, len(ix.block)),
		q:      make([]float32, len(ix.block)),
		both:   make([]pair, len(ix.docs)),
		bm25:   make([]float32, len(ix.docs)),
		senses: make([]float32, len(ix.docs)),
		blend:  make([]float32, len(ix.docs)),
		sense:  make([]float32, senses().dim),
		logit:  make([]float32, len(ix.docs)),
	}
}

// features fills s.feats with the vector of toks.
func (ix *words) features(s *wordScratch, toks []token) {
	s.feats = s.feats[:0]
	ix.extract(s, toks, false, func(id uint32, w float32) {
		if s.at[id] == 0 {
			s.feats = append(s.feats, feat{id, 0})
			s.at[id] = int32(len(s.feats))
		}
		s.feats[s.at[id]-1].x += w
	})
	for _, f := range s.feats {
		s.at[f.id] = 0
	}
	ix.tfidf(s.feats)
	ix.sense(toks, s.sense)
}

// scoreAll sets every document's BM25 score and logit from the features in s.feats.
func (ix *words) scoreAll(s *wordScratch) {
	clear(s.bm25)
	if ix.model == nil {
		for _, f := range s.feats {
			lo, hi := ix.inv.off[f.id], ix.inv.off[f.id+1]
			docs, bm := ix.inv.doc[lo:hi], ix.inv.bm[lo:hi]
			for k, d := range docs {
				s.bm25[d] += f.x * bm[k]
			}
		}
		return
	}
	clear(s.both)
	for _, f := range s.feats {
		lo, hi := ix.inv.off[f.id], ix.inv.off[f.id+1]
		docs, worth := ix.inv.doc[lo:hi], ix.model.both[lo:hi]
		for k, d := range docs {
			to, w := &s.both[d], worth[k]
			to.bm += f.x * w.bm
			to.sm += f.x * w.sm
		}
	}
	for d, x := range s.both {
		s.bm25[d], s.logit[d] = x.bm, x.sm
	}
}

// score fills s.top with the best documents for the vector in s.feats.
func (ix *words) score(s *wordScratch) {
	ix.scoreAll(s)
	ix.shortlist(s, candidates)
	if len(s.top) == 0 {
		return
	}
	dim := len(s.sense)
	for i := range s.top {
		t := &s.top[i]
		t.bm25, t.sense, t.logit = s.bm25[t.doc], s.senses[t.doc], s.logit[t.doc]
		if ix.model != nil {
			t.logit += float32(senseScale) * dot(s.sense, ix.model.dense[int(t.doc)*dim:][:dim])
		}
		t.clash = ix.clash(s, int(t.doc))
	}
	ix.combine(s.top)
}

// shortlist fills s.top with the n best documents by BM25 and word vectors.
func (ix *words) shortlist(s *wordScratch, n int) {
	dim := len(s.sense)
	peak := float32(0)
	for _, x := range s.bm25 {
		peak = max(peak, x)
	}
	floor := float32(0)
	if len(s.bm25) > manyDocs {
		floor = peak * faintBM
	}
	for d, x := range s.bm25 {
		s.senses[d], s.blend[d] = 0, 0
		if x < floor {
			continue
		}
		s.senses[d] = dot(s.sense, ix.mean[d*dim:][:dim])
		if peak > 0 {
			x /= peak
		}
		s.blend[d] = x + senseLift*s.senses[d]
	}
	s.top = pickTop(s.blend, n, s.top[:0])
}

// clashCost is the penalty in logits of a document about another platform than the one
// that the question names: see clash.
const clashCost = 1.5

// pickTop appends the n documents of highest positive score, best first; of
// equals, the earlier.
func pickTop(score []float32, n int, top []scored) []scored {
	floor := float32(0)
	for d, x := range score {
		if x <= floor {
			continue
		}
		i := len(top)
		if i < n {
			top = append(top, scored{})
		} else {
			i--
		}
		for ; i > 0 && top[i-1].bm25 < x; i-- {
			top[i] = top[i-1]
		}
		top[i] = scored{doc: int32(d), bm25: x}
		if len(top) == n {
			floor = top[n-1].bm25
		}
	}
	return top
}

// combine sorts the candidates by a weighted sum of z-scores, in the scale of the
// softmax's logit.
func (ix *words) combine(top []scored) {
	bmMean, bmDev := spread(top, func(s *scored) float64 { return float64(s.bm25) })
	csMean, csDev := spread(top, func(s *scored) float64 { return float64(s.sense) })
	if ix.model == nil {
		for i := range top {
			top[i].score = float32(bmLogit * ((float64(top[i].bm25)-bmMean)/bmDev + senseShare*(float64(top[i].sense)-csMean)/csDev))
		}
	} else {
		smMean, smDev := spread(top, func(s *scored) float64 { return float64(s.logit) })
		for i := range top {
			t := &top[i]
			t.score = float32((float64(t.logit) - smMean) + smDev*(bmShare*(float64(t.bm25)-bmMean)/bmDev+senseShare*(float64(t.sense)-csMean)/csDev))
		}
	}
	for i := range top {
		top[i].score -= clashCost * top[i].clash
	}
	slices.SortStableFunc(top, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	setShares(top)
}

// length of a vector.
func length(v []feat) float32 {
	sum := 0.
	for _, f := range v {
		sum += float64(f.x * f.x)
	}
	return float32(math.Sqrt(sum))
}

func spread(top []scored, of func(*scored) float64) (mean, dev float64) {
	for i := range top {
		mean += of(&top[i])
	}
	mean /= float64(len(top))
	for i := range top {
		x := of(&top[i]) - mean
		dev += x * x
	}
	dev = math.Sqrt(dev / float64(len(top)))
	if dev < 1e-6 {
		dev = 1e-6
	}
	return mean, dev
}

// rank leaves the candidates for question in s.top, best first.
func (ix *words) rank(s *wordScratch, question string) {
	toks := ix.tokenise(s, question)
	ix.findDistinct(s, toks)
	ix.features(s, toks)
	ix.score(s)
	s.kind = questionKind(toks)
	s.clause = clause{to: len(toks)}
	if parts := s.splitClauses(toks); parts != nil && len(s.top) > 0 {
		ix.rankClauses(s, toks, parts)
	}
	if len(s.top) > 0 {
		ix.rerankByPhrasing(s)
		ix.gatherSignals(s, toks)
	}
}

// Where the share of the first candidate is at most rerankBelow, the first rerankTop
// candidates are reranked by the cosine to their nearest phrasing. It gains .2 points on
// BANKING77 and 1 on messages with a story; doing it always would only take time.
const (
	rerankBelow  = .9
	rerankTop    = 4
	rerankWeight = 4
)

// rerankByPhrasing reorders the top candidates by similarity to their nearest
// phrasing.
func (ix *words) rerankByPhrasing(s *wordScratch) {
	if s.top[0].share > rerankBelow || len(s.top) < 2 {
		return
	}
	few := s.top[:min(rerankTop, len(s.top))]
	for i := range few {
		t := &few[i]
		t.likeness, t.nearest = ix.nearest(s, int(t.doc), allPhrasings)
		t.known = true
		t.score += rerankWeight * t.likeness
	}
	s.reorder(len(few), rerankWeight*few[len(few)-1].likeness)
}

// reorder sorts s.top again after the scores of the first few rose. The others get last,
// the rise of the last of these, so that they keep their distance.
func (s *wordScratch) reorder(few int, last float32) {
	for i := range s.top[few:] {
		s.top[few+i].score += last
	}
	slices.SortStableFunc(s.top, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	setShares(s.top)
}

// setShares sets each candidate's share: the softmax of the scores.
func setShares(top []scored) {
	sum := 0.
	for i := range top {
		sum += math.Exp(float64(top[i].score - top[0].score))
	}
	for i := range top {
		top[i].share = float32(math.Exp(float64(top[i].score-top[0].score)) / sum)
	}
}

// rankClauses ranks every clause by itself, then the whole message with each word
// weighted by how well its clause scored. The best clause becomes s.clause.
func (ix *words) rankClauses(s *wordScratch, toks []token, parts []clause) {
	for k := range parts {
		c := &parts[k]
		ix.features(s, toks[c.from:c.to])
		ix.score(s)
		c.topScore = 0
		if len(s.top) > 0 {
			c.topScore = s.top[0].strength(ix) * float32(topScoreWeight)
		}
	}
	best := weighByClause(toks, parts)
	s.clause = parts[best]
	if k := questionKind(toks[s.clause.from:s.clause.to]); k != kindNone {
		s.kind = k
	}
	ix.features(s, toks)
	ix.score(s)
}

// strength is a document's score before it is compared with others: the logit, or BM25
// while there is no softmax.
func (t *scored) strength(ix *words) float32 {
	if ix.model == nil {
		return t.bm25
	}
	return t.logit
}

// findDistinct sets s.distinct to the question's distinct words.
func (ix *words) findDistinct(s *wordScratch, toks []token) {
	s.distinct = s.distinct[:0]
	for i := range toks {
		if set := ix.lex.sets[toks[i].word]; set > 0 {
			st := int32(-1)
			if id := toks[i].id; id >= 0 {
				st = ix.vocab[id].stem
			}
			s.distinct = append(s.distinct, distinctWord{set, st, 1})
		}
	}
}

// distinctWord is a distinct word: its set, its stem, and how many phrasings have it.
type distinctWord struct {
	set   int
	stem  int32
	count int
}

// clash is 0 to 1: how far document d is about another member of a distinct set than the
// question names, such as Twitter where it names Facebook.
func (ix *words) clash(s *wordScratch, d int) float32 {
	worst := float32(0)
	for _, q := range s.distinct {
		of, own := 0, false
		for _, n := range s.distinct { // any of the question's words will do
			for _, x := range ix.distinct[d] {
				if x.set == q.set && n.set == q.set && x.stem == n.stem {
					own = true
				}
			}
		}
		for _, x := range ix.distinct[d] {
			if x.set == q.set {
				of += x.count
			}
		}
		if !own && of > 0 {
			n := int(ix.phr.first[d+1] - ix.phr.first[d])
			worst = max(worst, min(1, 2*float32(of)/float32(n)))
		}
	}
	return worst
}
