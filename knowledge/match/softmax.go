package match

import (
	"context"
	"errors"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	rivals       = 16 // documents that a phrasing is trained against; 32 gains nothing, 10 costs 1 on the folder
	epochs       = 8
	learningRate = 1.2 // falls to nothing over the epochs
	senseScale   = 1.3 // of the dense part beside the sparse
)

// softmax is a multinomial logistic regression with one weight for each posting of the
// inverted file: a document has weights for its own features only.
type softmax struct {
	w     []float32 // by posting, while it is fitted
	both  []pair    // by posting, with BM25's weight
	dense []float32 // by document, a row each, for the sense of the question
}

// example is a phrasing made ready for training: its rivals, and for each of
// them the postings that the two share.
type example struct {
	own   int8 // place of the right document among rivals
	docs  []int32
	ends  []uint32 // by rival, into posts and from
	posts []uint32
	from  []uint16 // by posting, the place of its feature in the vector
}

func (ix *words) fit(ctx context.Context) (*words, error) {
	if ix.fitted() {
		return ix, nil
	}
	type fitted struct {
		cal calibrator
		err error
	}
	done := make(chan fitted, 1)
	go func() { // beside the fit: a second core is often there
		c, err := ix.calibrate(ctx)
		done <- fitted{c, err}
	}()
	m, err := ix.train(ctx)
	f := <-done
	if err := errors.Join(err, f.err); err != nil {
		return nil, context.Cause(ctx)
	}
	return ix.with(m, f.cal), nil
}

// with is the index with a fitted model.
func (ix *words) with(m *softmax, cal calibrator) *words {
	out := ix.copy()
	out.model, out.cal = m, cal
	out.inv.bm = nil // the model has it
	if len(ix.block) < 1<<(32-valueBits) {
		out.phr.pack()
	}
	return out
}

// copy returns an index of its own that shares all that never changes.
func (ix *words) copy() *words {
	out := &words{docs: ix.docs, lex: ix.lex, known: ix.known, vocab: ix.vocab, stems: ix.stems,
		feats: ix.feats, idf: ix.idf, block: ix.block, inv: ix.inv, phr: ix.phr, distinct: ix.distinct,
		mean: ix.mean, spell: ix.spell, model: ix.model, cal: ix.cal}
	return out
}

// minStep is the smallest error that moves weights: after the first epochs most rivals
// are far behind.
const minStep = 0.004

// train fits the softmax by SGD: each phrasing against the documents that BM25 and word
// vectors find for it.
func (ix *words) train(ctx context.Context) (*softmax, error) {
	n := len(ix.phr.doc)
	dim := senses().dim
	m := &softmax{w: make([]float32, len(ix.inv.doc)), dense: make([]float32, len(ix.docs)*dim)}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	rng := rand.New(rand.NewPCG(1, 2))
	exs := make([]example, n)
	meet := ix.rivals()
	for epoch := range epochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		lr := float32(learningRate * (1 - float64(epoch)/float64(epochs)))
		for _, i := range order {
			vec := ix.phr.vector(uint32(i))
			sense := ix.phr.sense[i*dim : (i+1)*dim]
			if epoch == 0 { // most rivals leave at once: keep what is left
				e := meet(i)
				e.learn(m, lr, vec, sense)
				exs[i] = example{e.own, slices.Clone(e.docs), slices.Clone(e.ends), slices.Clone(e.posts), slices.Clone(e.from)}
				continue
			}
			exs[i].learn(m, lr, vec, sense)
		}
	}
	roundToSteps(m.w)
	roundToSteps(m.dense)
	return newSoftmax(m.w, ix.inv.bm, m.dense), nil
}

func newSoftmax(w, bm, dense []float32) *softmax {
	m := &softmax{both: make([]pair, len(w)), dense: dense}
	for k := range w {
		m.both[k] = pair{bm[k], w[k]}
	}
	return m
}

// learn makes one SGD step on an example.
func (e *example) learn(m *softmax, lr float32, vec []feat, sense []float32) {
	if len(e.docs) == 1 {
		return
	}
	dim := len(sense)
	var z [rivals]float32
	zs := z[:len(e.docs)]
	at := uint32(0)
	top := float32(math.Inf(-1))
	for k, d := range e.docs {
		end := e.ends[k]
		sum := float32(senseScale) * dot(sense, m.dense[int(d)*dim:][:dim])
		from := e.from[at:end]
		for j, p := range e.posts[at:end] {
			sum += m.w[p] * vec[from[j]].x
		}
		at = end
		zs[k] = sum
		top = max(top, sum)
	}
	sum := float32(0)
	for k, x := range zs {
		zs[k] = float32(math.Exp(float64(x - top)))
		sum += zs[k]
	}
	for k := range zs {
		zs[k] = -zs[k] / sum
	}
	zs[e.own]++
	e.step(m, zs, lr, vec, sense)
}

// step moves the weights by the errors in zs. A rival whose error is below minStep is
// dropped from the example for good: of sixteen, six are left at the end.
func (e *example) step(m *softmax, zs []float32, lr float32, vec []feat, sense []float32) {
	dim := len(sense)
	at, kept, to := uint32(0), 0, uint32(0)
	own := e.own
	for k, d := range e.docs {
		end := e.ends[k]
		g := zs[k]
		posts, from := e.posts[at:end], e.from[at:end]
		at = end
		small := g < minStep && g > -minStep
		if !small {
			g *= lr
			row := m.dense[int(d)*dim:][:dim]
			for j, x := range sense {
				row[j] += g * float32(senseScale) * x
			}
			for j, p := range posts {
				m.w[p] += g * vec[from[j]].x
			}
		}
		if small && k != int(own) {
			continue
		}
		if k == int(own) {
			e.own = int8(kept)
		}
		e.docs[kept] = d
		copy(e.posts[to:], posts)
		copy(e.from[to:], from)
		to += uint32(len(posts))
		e.ends[kept] = to
		kept++
	}
	e.docs, e.ends, e.posts, e.from = e.docs[:kept], e.ends[:kept], e.posts[:to], e.from[:to]
}

// rivals returns a function that makes the example of a phrasing, valid until the next
// call. It finds rivals without character n-grams, which are in nearly every document and
// change few rivals.
func (ix *words) rivals() func(i int) *example {
	s := ix.newScratch()
	dim := len(s.sense)
	member := ix.inv.members(len(ix.docs))
	var posts [rivals][]uint32
	var from [rivals][]uint16
	e := &example{}
	return func(i int) *example {
		fs := ix.phr.vector(uint32(i))
		clear(s.bm25)
		for _, f := range fs {
			if ix.block[f.id] == chars {
				continue
			}
			for k := ix.inv.off[f.id]; k < ix.inv.off[f.id+1]; k++ {
				s.bm25[ix.inv.doc[k]] += f.x * ix.inv.bm[k]
			}
		}
		copy(s.sense, ix.phr.sense[i*dim:(i+1)*dim])
		ix.shortlist(s, rivals)
		own, found := int32(ix.phr.doc[i]), false
		for _, t := range s.top {
			found = found || t.doc == own
		}
		if !found {
			if len(s.top) == rivals {
				s.top = s.top[:len(s.top)-1]
			}
			s.top = append(s.top, scored{doc: own})
		}
		e.docs, e.ends, e.posts, e.from = e.docs[:0], e.ends[:0], e.posts[:0], e.from[:0]
		for c, t := range s.top {
			if t.doc == own {
				e.own = int8(c)
			}
			e.docs = append(e.docs, t.doc)
			posts[c], from[c] = posts[c][:0], from[c][:0]
		}
		for j, f := range fs { // by feature first: its row stays in the cache
			for c, d := range e.docs {
				if k, ok := member.find(f.id, uint32(d)); ok {
					posts[c] = append(posts[c], k)
					from[c] = append(from[c], uint16(j))
				}
			}
		}
		for c := range e.docs {
			e.posts = append(e.posts, posts[c]...)
			e.from = append(e.from, from[c]...)
			e.ends = append(e.ends, uint32(len(e.posts)))
		}
		return e
	}
}

// members finds the posting of a feature in a document: in long lists by a bitmap with
// ranks, in short ones by a linear search.
type members struct {
	inv  *inverted
	at   []int32 // by feature, into bits, or -1
	bits []uint64
	rank []uint16 // beside bits: postings before
	n    int      // words of bits a feature
}

const shortList = 12

func (inv *inverted) members(docs int) *members {
	m := &members{inv: inv, n: (docs + 63) / 64, at: make([]int32, len(inv.off)-1)}
	for f := range m.at {
		list := inv.doc[inv.off[f]:inv.off[f+1]]
		if len(list) <= shortList {
			m.at[f] = -1
			continue
		}
		m.at[f] = int32(len(m.bits))
		row := make([]uint64, m.n)
		for _, d := range list {
			row[d/64] |= 1 << (d % 64)
		}
		count := 0
		for _, w := range row {
			m.bits = append(m.bits, w)
			m.rank = append(m.rank, uint16(count))
			count += bits.OnesCount64(w)
		}
	}
	return m
}

func (m *members) find(f, d uint32) (uint32, bool) {
	lo := m.inv.off[f]
	if at := m.at[f]; at >= 0 {
		i := uint32(at) + d/64
		w, bit := m.bits[i], uint64(1)<<(d%64)
		if w&bit == 0 {
			return 0, false
		}
		return lo + uint32(m.rank[i]) + uint32(bits.OnesCount64(w&(bit-1))), true
	}
	for k, x := range m.inv.doc[lo:m.inv.off[f+1]] {
		if uint32(x) == d {
			return lo + uint32(k), true
		}
	}
	return 0, false
}
