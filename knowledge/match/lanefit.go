package match

import (
	"context"
	"math"
	"math/rand/v2"

	"canteen/knowledge/match/encoder"
)

// laneExample is a text that the lanes are trained on.
type laneExample struct {
	text string
	lane int // -1: no emergency
}

// examplesOf returns the phrasings of all documents: those of lanes first, in the order
// of their ids, then the harmless ones, then the entries'. The first own are special's.
func examplesOf(ranked, special []Document) (all []laneExample, own int) {
	lane := 0
	for i := range special {
		if special[i].Lane {
			for _, p := range special[i].Phrasings {
				all = append(all, laneExample{p, lane})
			}
			lane++
		}
	}
	for i := range special {
		if !special[i].Lane {
			for _, p := range special[i].Phrasings {
				all = append(all, laneExample{p, -1})
			}
		}
	}
	own = len(all)
	for i := range ranked {
		for _, p := range ranked[i].Phrasings {
			all = append(all, laneExample{p, -1})
		}
	}
	return all, own
}

// newLanes returns untrained lanes; nil where special has none.
func newLanes(special []Document, lex Lexicon) *lanes {
	l := &lanes{read: lex.Reader(), wordScale: defaultWordScale, fullScale: defaultFullScale}
	for i := range special {
		if special[i].Lane {
			l.ids, l.count = append(l.ids, special[i].ID), append(l.count, len(special[i].Phrasings))
		}
	}
	if len(l.ids) == 0 {
		return nil
	}
	return l
}

const (
	laneFolds  = 3
	laneEpochs = 15
)

// fitLanes trains lanes on words, and on vectors too where they are given. The error is
// ctx's.
func fitLanes(ctx context.Context, ranked, special []Document, lex Lexicon, vectors func(string) *encoder.Stored, encoderID string) (*lanes, error) {
	l := newLanes(special, lex)
	if l == nil {
		return nil, nil
	}
	all, own := examplesOf(ranked, special)
	l.fitIDF(all)
	features := make([]hashed, len(all))
	for i := range all {
		var h hashed
		l.features(&h, all[i].text)
		features[i] = h
	}
	yes := func(i int) bool { return all[i].lane >= 0 }
	everyone := func(int) bool { return true }
	l.alarmWords = fitAlarmWords(features, yes, everyone)
	l.laneWords = fitLaneWords(features[:own], all[:own], len(l.ids))
	roundToSteps(l.alarmWords)
	roundToSteps(l.laneWords)
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	var x [][]float32
	if vectors != nil {
		x = make([][]float32, len(all))
		stored := make([]*encoder.Stored, own)
		for i := range all {
			v := vectors(all[i].text)
			x[i] = v.Vector()
			if i < own {
				stored[i] = v
			}
		}
		l.encoder = encoderID
		l.vectors = newLaneVectors(stored, all[:own], len(l.ids))
		l.vectors.alarmWeights = fitAlarmVectors(x, yes, everyone)
		l.vectors.laneWeights = fitLaneVectors(x[:own], all[:own], len(l.ids))
		roundToSteps(l.vectors.alarmWeights)
		roundToSteps(l.vectors.laneWeights)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l, l.calibrate(ctx, all, own, features, x)
}

// calibrate fits the scales on held-out examples.
func (l *lanes) calibrate(ctx context.Context, all []laneExample, own int, features []hashed, x [][]float32) error {
	n := 0
	for _, c := range l.count {
		n += c
	}
	if n < minLaneExamples {
		return nil
	}
	rng := rand.New(rand.NewPCG(3, 1))
	fold := make([]int8, len(all))
	for i := range fold {
		fold[i] = int8(rng.IntN(laneFolds))
	}
	// Of the entries' phrasings, which are easy, a sample is enough.
	some := max(1, (len(all)-own)/max(1, own))
	var alone, both []float64
	var is []bool
	var weight []float64
	cosines := []float32(nil)
	var table *encoder.Table
	if x != nil {
		cosines = make([]float32, own)
		others := make([]*encoder.Stored, 0, len(all)-own)
		for i := own; i < len(all); i++ {
			s := encoder.Store(x[i])
			others = append(others, &s)
		}
		table = encoder.NewTable(others)
	}
	far := make([]float32, len(all)-own)
	kept := make([]float32, 0, len(far))
	for out := range int8(laneFolds) {
		if err := ctx.Err(); err != nil {
			return err
		}
		learn := func(i int) bool { return fold[i] != out }
		yes := func(i int) bool { return all[i].lane >= 0 }
		words := fitAlarmWords(features, yes, learn)
		var linear []float32
		if x != nil {
			linear = fitAlarmVectors(x, yes, learn)
		}
		for i := range all {
			if fold[i] != out || i >= own && i%some != 0 {
				continue
			}
			z := float64(features[i].dot(words) + words[1<<laneBits])
			alone, is = append(alone, z), append(is, all[i].lane >= 0)
			if i >= own {
				weight = append(weight, float64(some))
			} else {
				weight = append(weight, 1)
			}
			if x == nil {
				continue
			}
			l.vectors.table.Compare(x[i], cosines)
			table.Compare(x[i], far)
			kept = kept[:0]
			for k, c := range far {
				if fold[own+k] != out {
					kept = append(kept, c)
				}
			}
			z = wordShare*z + l.vectors.nearness(cosines, kept, fold, out)
			z += vectorShare * float64(dot(x[i], linear[:encoder.Size])+linear[encoder.Size])
			both = append(both, z)
		}
	}
	l.wordScale = fitScale(alone, is, weight)
	if x != nil {
		l.fullScale = fitScale(both, is, weight)
	}
	return nil
}

// fitScale fits a scale by Newton's method.
func fitScale(z []float64, is []bool, weight []float64) scale {
	s := scale{.5, 0}
	for range 30 {
		var g0, g1, h00, h01, h11 float64
		for i, x := range z {
			p := s.at(x)
			d := -p
			if is[i] {
				d++
			}
			d *= weight[i]
			w := weight[i] * p * (1 - p)
			g0, g1 = g0+d*x, g1+d
			h00, h01, h11 = h00+w*x*x, h01+w*x, h11+w
		}
		h00, h11 = h00+1e-6, h11+1e-6
		det := h00*h11 - h01*h01
		if det <= 0 {
			break
		}
		a, b := (h11*g0-h01*g1)/det, (h00*g1-h01*g0)/det
		s.Factor, s.Bias = s.Factor+a, s.Bias+b
		if math.Abs(a) < 1e-6 && math.Abs(b) < 1e-6 {
			break
		}
	}
	return s
}

// fitIDF sets idf from examples.
func (l *lanes) fitIDF(all []laneExample) {
	l.idf = nil
	seen := make([]int, 1<<laneBits)
	var h hashed
	for i := range all {
		l.features(&h, all[i].text)
		was := uint32(1 << laneBits)
		for _, at := range h.at {
			if at != was {
				seen[at]++
			}
			was = at
		}
	}
	l.idf = make([]float32, 1<<laneBits)
	for at, n := range seen {
		l.idf[at] = float32(1 + math.Log(float64(1+len(all))/float64(1+n)))
	}
	roundToSteps(l.idf)
}

// The regressions are fitted by AdaGrad: each weight's step is the smaller the more it
// has moved.
const (
	adaRate   = .5
	adaStart  = 1e-3
	adaDecay  = 1e-6
	whichRate = .3
)

func sigmoid(z float32) float32 { return float32(1 / (1 + math.Exp(-float64(z)))) }

func label(yes bool) float32 {
	if yes {
		return 1
	}
	return 0
}

// fitAlarmWords fits a logistic regression over hashed features on the examples for which
// learn is true. The bias is last.
func fitAlarmWords(features []hashed, yes, learn func(int) bool) []float32 {
	w := make([]float32, 1<<laneBits+1)
	moved := make([]float32, len(w))
	for i := range moved {
		moved[i] = adaStart
	}
	bias := len(w) - 1
	perm := rand.New(rand.NewPCG(5, 5)).Perm
	for range laneEpochs {
		for _, i := range perm(len(features)) {
			if !learn(i) {
				continue
			}
			h := &features[i]
			g := label(yes(i)) - sigmoid(h.dot(w)+w[bias])
			if g < minStep && g > -minStep {
				continue
			}
			for k, at := range h.at {
				d := g*h.value[k] - adaDecay*w[at]
				moved[at] += d * d
				w[at] += adaRate * d / float32(math.Sqrt(float64(moved[at])))
			}
			moved[bias] += g * g
			w[bias] += adaRate * g / float32(math.Sqrt(float64(moved[bias])))
		}
	}
	return w
}

// fitAlarmVectors is fitAlarmWords over vectors.
func fitAlarmVectors(x [][]float32, yes, learn func(int) bool) []float32 {
	w := make([]float32, encoder.Size+1)
	moved := make([]float32, len(w))
	for i := range moved {
		moved[i] = adaStart
	}
	perm := rand.New(rand.NewPCG(6, 6)).Perm
	for range laneEpochs {
		for _, i := range perm(len(x)) {
			if !learn(i) {
				continue
			}
			g := label(yes(i)) - sigmoid(dot(x[i], w[:encoder.Size])+w[encoder.Size])
			if g < minStep && g > -minStep {
				continue
			}
			for k, c := range x[i] {
				d := g * c
				moved[k] += d * d
				w[k] += adaRate * d / float32(math.Sqrt(float64(moved[k])))
			}
			moved[encoder.Size] += g * g
			w[encoder.Size] += adaRate * g / float32(math.Sqrt(float64(moved[encoder.Size])))
		}
	}
	return w
}

// fitLaneWords fits a softmax regression over lanes on their examples. Each lane has the
// same weight, however many examples it has.
func fitLaneWords(features []hashed, all []laneExample, lanes int) []float32 {
	const row = 1 << laneBits
	w := make([]float32, lanes*row)
	moved := make([]float32, len(w))
	for i := range moved {
		moved[i] = adaStart
	}
	eachLane(all, lanes, 7, func(i int, weight float32, z []float64) {
		h := &features[i]
		for d := range z {
			z[d] = float64(h.dot(w[d*row : (d+1)*row]))
		}
		logSoftmax(z)
		for d := range z {
			g := (label(d == all[i].lane) - float32(math.Exp(z[d]))) * weight
			if g < minStep && g > -minStep {
				continue
			}
			for k, at := range h.at {
				j := d*row + int(at)
				step := g * h.value[k]
				moved[j] += step * step
				w[j] += whichRate * step / float32(math.Sqrt(float64(moved[j])))
			}
		}
	})
	return w
}

// fitLaneVectors is fitLaneWords over vectors, with a bias at the end of each row.
func fitLaneVectors(x [][]float32, all []laneExample, lanes int) []float32 {
	const row = encoder.Size + 1
	w := make([]float32, lanes*row)
	moved := make([]float32, len(w))
	for i := range moved {
		moved[i] = adaStart
	}
	eachLane(all, lanes, 8, func(i int, weight float32, z []float64) {
		for d := range z {
			z[d] = float64(dot(x[i], w[d*row:][:encoder.Size]) + w[d*row+encoder.Size])
		}
		logSoftmax(z)
		for d := range z {
			g := (label(d == all[i].lane) - float32(math.Exp(z[d]))) * weight
			if g < minStep && g > -minStep {
				continue
			}
			for k, c := range x[i] {
				j := d*row + k
				step := g * c
				moved[j] += step * step
				w[j] += whichRate * step / float32(math.Sqrt(float64(moved[j])))
			}
		}
	})
	return w
}

// eachLane calls step with each example of a lane, laneEpochs times in shuffled order.
func eachLane(all []laneExample, lanes int, seed uint64, step func(i int, weight float32, z []float64)) {
	count := make([]int, lanes)
	n := 0
	for i := range all {
		if all[i].lane >= 0 {
			count[all[i].lane]++
			n++
		}
	}
	z := make([]float64, lanes)
	perm := rand.New(rand.NewPCG(seed, seed)).Perm
	for range laneEpochs {
		for _, i := range perm(len(all)) {
			if d := all[i].lane; d >= 0 {
				step(i, float32(n)/float32(lanes*count[d]), z)
			}
		}
	}
}

// understand returns the same lanes with the vectors of their examples; the weights over
// vectors are there already.
func (l *lanes) understand(special []Document, vectors func(string) *encoder.Stored) *lanes {
	own, _ := examplesOf(nil, special)
	stored := make([]*encoder.Stored, len(own))
	for i := range own {
		stored[i] = vectors(own[i].text)
	}
	out := *l
	m := newLaneVectors(stored, own, len(l.ids))
	m.alarmWeights, m.laneWeights = l.vectors.alarmWeights, l.vectors.laneWeights
	out.vectors = m
	return &out
}

// newLaneVectors indexes the vectors of examples, in the order of examplesOf.
func newLaneVectors(stored []*encoder.Stored, own []laneExample, lanes int) *laneVectors {
	m := &laneVectors{table: encoder.NewTable(stored), lane: make([]int16, len(own)), first: make([]int, lanes+1)}
	for i := range own {
		m.lane[i] = int16(own[i].lane)
		if d := own[i].lane; d >= 0 {
			m.first[d+1] = i + 1
		}
	}
	for d := 1; d <= lanes; d++ {
		m.first[d] = max(m.first[d], m.first[d-1])
	}
	return m
}
