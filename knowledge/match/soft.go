package match

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"canteen/knowledge/match/encoder"
)

// vectorSoftmax is a softmax regression over sentence vectors. For documents with many
// phrasings it separates better than cosines alone.
type vectorSoftmax struct {
	weights []float32 // by document, a row each
	bias    []float32
}

func (s *vectorSoftmax) logit(d int, v []float32) float32 {
	return s.bias[d] + dot(v, s.weights[d*encoder.Size:][:encoder.Size])
}

const (
	softRivals  = 32
	softEpochs  = 10
	softRate    = 2.0
	softStart   = 8    // length of a document's weights before the first step
	softDecay   = 1e-6 // of the weights, a step
	softBalance = .7   // a document with n phrasings has weight n^(1-softBalance)
)

// initVectorSoftmax sets each document's weights to the direction from the centre of all
// documents to the centre of its phrasings.
func initVectorSoftmax(vectors []*encoder.Stored, first []int) *vectorSoftmax {
	docs := len(first) - 1
	s := &vectorSoftmax{weights: make([]float32, docs*encoder.Size), bias: make([]float32, docs)}
	all := make([]float32, encoder.Size)
	for d := range docs {
		row := s.weights[d*encoder.Size:][:encoder.Size]
		for i := first[d]; i < first[d+1]; i++ {
			for k, c := range vectors[i].Vector() {
				row[k] += c
			}
		}
		unit(row)
		for k, c := range row {
			all[k] += c / float32(docs)
		}
	}
	for d := range docs {
		row := s.weights[d*encoder.Size:][:encoder.Size]
		for k := range row {
			row[k] = softStart * (row[k] - all[k])
		}
	}
	return s
}

// copyDocument copies the weights of document e of another softmax to document d.
func (s *vectorSoftmax) copyDocument(d int, from *vectorSoftmax, e int) {
	copy(s.weights[d*encoder.Size:][:encoder.Size], from.weights[e*encoder.Size:])
	s.bias[d] = from.bias[e]
}

// fitVectorSoftmax fits one by SGD: each phrasing against the softRivals documents with
// the nearest centres. The error is ctx's.
func fitVectorSoftmax(ctx context.Context, vectors []*encoder.Stored, first []int) (*vectorSoftmax, error) {
	docs := len(first) - 1
	s := initVectorSoftmax(vectors, first)
	x := make([]float32, 0, len(vectors)*encoder.Size)
	doc := make([]int, len(vectors))
	centres := make([]*encoder.Stored, docs)
	for d := range docs {
		for i := first[d]; i < first[d+1]; i++ {
			x = append(x, vectors[i].Vector()...)
			doc[i] = d
		}
		centre := encoder.Store(s.weights[d*encoder.Size:][:encoder.Size])
		centres[d] = &centre
	}
	table := encoder.NewTable(centres)
	near := make([]float32, docs)
	rivals := make([][]int32, len(vectors))
	order := make([]int, docs)
	for i := range vectors {
		table.Compare(x[i*encoder.Size:][:encoder.Size], near)
		for d := range order {
			order[d] = d
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(near[b], near[a]) })
		rivals[i] = append(rivals[i], int32(doc[i]))
		for _, d := range order[:min(softRivals, docs)] {
			if d != doc[i] {
				rivals[i] = append(rivals[i], int32(d))
			}
		}
	}
	weight := make([]float32, docs)
	sum := float32(0)
	for d := range docs {
		if n := first[d+1] - first[d]; n > 0 {
			weight[d] = float32(math.Pow(float64(n), -softBalance))
			sum += weight[d] * float32(n)
		}
	}
	steps := rand.New(rand.NewPCG(1, 2)).Perm
	var z [softRivals + 1]float32
	for epoch := range softEpochs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rate := float32(softRate * (1 - float64(epoch)/softEpochs))
		for _, i := range steps(len(vectors)) {
			v := x[i*encoder.Size:][:encoder.Size]
			top := float32(math.Inf(-1))
			zs := z[:len(rivals[i])]
			for k, d := range rivals[i] {
				zs[k] = s.logit(int(d), v)
				top = max(top, zs[k])
			}
			total := float32(0)
			for k := range zs {
				zs[k] = float32(math.Exp(float64(zs[k] - top)))
				total += zs[k]
			}
			step := rate * weight[doc[i]] * float32(len(vectors)) / sum
			for k, d := range rivals[i] {
				g := -zs[k] / total
				if k == 0 {
					g++
				}
				if g < minStep && g > -minStep {
					continue
				}
				row := s.weights[int(d)*encoder.Size:][:encoder.Size]
				g *= step
				for j, c := range v {
					row[j] += g*c - softDecay*row[j]
				}
				s.bias[d] += g * .1
			}
		}
	}
	roundToSteps(s.weights)
	roundToSteps(s.bias)
	return s, nil
}
