package match

import (
	"context"
	"math"
	"math/rand/v2"
)

// softmax is a multinomial logistic regression whose weights stand beside the
// inverted file: a document has weights for its own features only.
type softmax struct {
	w     []float32
	dense []float32 // by document, a row each, for the sense of the question
}

// example is a phrasing made ready for training: its candidates, and for each
// weight that it touches the posting, the candidate's place and the value.
type example struct {
	own   uint8 // place of the right document
	n     uint8
	docs  []int32
	cells []cell
}

type cell struct {
	posting uint32
	x       float32
	slot    uint8
}

func (ix *Index) fit(ctx context.Context) (*Index, error) {
	m, err := ix.train(ctx, nil)
	if err != nil {
		return nil, err
	}
	out := &Index{docs: ix.docs, lex: ix.lex, words: ix.words, vocab: ix.vocab, stems: ix.stems,
		feats: ix.feats, idf: ix.idf, block: ix.block, inv: ix.inv, phr: ix.phr, types: ix.types,
		mean: ix.mean, spell: ix.spell, model: m, cal: defaultCalibrator(true)}
	out.pool.New = func() any { return out.newScratch() }
	return out, nil
}

// train fits the softmax by plain SGD, each phrasing against the documents
// that BM25 finds for it.
func (ix *Index) train(ctx context.Context, _ []bool) (*softmax, error) {
	s := ix.newScratch()
	n := len(ix.phr.doc)
	dim := len(s.sense)
	sw := float32(tune.SW)
	exs := make([]example, n)
	slot := make([]uint8, len(ix.docs))
	for i := range exs {
		fs := ix.phr.vector(uint32(i))
		clear(s.bm)
		for _, f := range fs {
			for k := ix.inv.off[f.id]; k < ix.inv.off[f.id+1]; k++ {
				s.bm[ix.inv.doc[k]] += f.x * ix.inv.bm[k]
			}
		}
		copy(s.sense, ix.phr.sense[i*dim:(i+1)*dim])
		ix.shortlist(s, tune.SmCands)
		own := int32(ix.phr.doc[i])
		e := &exs[i]
		found := false
		for c := range s.top {
			if s.top[c].doc == own {
				e.own, found = uint8(c), true
			}
		}
		if !found && len(s.top) > 0 {
			e.own = uint8(len(s.top) - 1)
			s.top[e.own].doc = own
		}
		e.n = uint8(len(s.top))
		for c := range s.top {
			slot[s.top[c].doc] = uint8(c) + 1
			e.docs = append(e.docs, s.top[c].doc)
		}
		for _, f := range fs {
			for k := ix.inv.off[f.id]; k < ix.inv.off[f.id+1]; k++ {
				if c := slot[ix.inv.doc[k]]; c > 0 {
					e.cells = append(e.cells, cell{k, f.x, c - 1})
				}
			}
		}
		for c := range s.top {
			slot[s.top[c].doc] = 0
		}
	}
	m := &softmax{w: make([]float32, len(ix.inv.doc)), dense: make([]float32, len(ix.docs)*dim)}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var z [256]float32
	for epoch := 0; epoch < tune.Epochs; epoch++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rng.Shuffle(n, func(i, j int) { order[i], order[j] = order[j], order[i] })
		lr := float32(tune.LR * (1 - float64(epoch)/float64(tune.Epochs)))
		for _, i := range order {
			e := &exs[i]
			if e.n == 0 {
				continue
			}
			zs := z[:e.n]
			clear(zs)
			for _, c := range e.cells {
				zs[c.slot] += m.w[c.posting] * c.x
			}
			sense := ix.phr.sense[i*dim : (i+1)*dim]
			for k, d := range e.docs {
				zs[k] += sw * dot(sense, m.dense[int(d)*dim:][:dim])
			}
			top := zs[0]
			for _, x := range zs {
				top = max(top, x)
			}
			sum := float32(0)
			for k, x := range zs {
				zs[k] = float32(math.Exp(float64(x - top)))
				sum += zs[k]
			}
			for k := range zs {
				zs[k] = -lr * zs[k] / sum
			}
			zs[e.own] += lr
			for k, d := range e.docs {
				row := m.dense[int(d)*dim:][:dim]
				g := zs[k] * sw
				for j, x := range sense {
					row[j] += g * x
				}
			}
			for _, c := range e.cells {
				m.w[c.posting] += zs[c.slot] * c.x
			}
		}
	}
	return m, nil
}
