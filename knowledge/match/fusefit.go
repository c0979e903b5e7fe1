package match

import (
	"fmt"
	"math"
	"strings"
)

// Trial is a question put to an index, to fit by.
type Trial struct {
	Index    *Index
	Question string
	Right    func(id string) bool // nil: no document is right
	Weight   float64
}

// FitFusion fits the weights of the fusion and its confidence, and returns them as Go
// text: see bench/fusion. The indexes understand, by weights that have not seen the
// documents that are right.
func FitFusion(trials []Trial) string {
	var b strings.Builder
	var lists []listed
	for _, t := range trials {
		if l, ok := t.list(); ok {
			lists = append(lists, l)
		}
	}
	w := fitFeatures(lists)
	fmt.Fprintf(&b, "var fusionWeights = fusionFeatures{%s}\n", formatFloats(w[:]))
	fusionWeights = w
	type group struct{ few, any bool }
	data := map[group][]judged{}
	for _, t := range trials {
		s := t.Index.newScratch()
		t.Index.rank(s, t.Question)
		x, isFew := t.Index.evidence(s)
		first := t.Right != nil && t.Right(t.Index.docs[s.fused[0].doc].ID)
		data[group{isFew, false}] = append(data[group{isFew, false}], judged{x, first, t.Weight})
		data[group{isFew, true}] = append(data[group{isFew, true}], judged{x, t.Right != nil, t.Weight})
	}
	for _, g := range []struct {
		name string
		of   group
	}{{"rightFew", group{true, false}}, {"rightMany", group{false, false}}, {"anyFew", group{true, true}}, {"anyMany", group{false, true}}} {
		v := fitEvidenceModel(data[g.of])
		fmt.Fprintf(&b, "%s = verdict{W: cues{%s}, Bias: %.3f}\n", g.name, formatFloats(v.W[:]), v.Bias)
	}
	return b.String()
}

func formatFloats(x []float64) string {
	var s []string
	for _, v := range x {
		s = append(s, fmt.Sprintf("%.3f", v))
	}
	return strings.Join(s, ", ")
}

// listed are the features of the documents compared in one trial.
type listed struct {
	x      []fusionFeatures
	right  []bool
	weight float64
}

// comparedDocuments is how many documents of a ranking a trial compares.
const comparedDocuments = 60

func (t Trial) list() (l listed, ok bool) {
	ix := t.Index
	s := ix.newScratch()
	ix.rank(s, t.Question)
	if t.Right == nil {
		return l, false
	}
	best := ix.bestLikeness(s)
	for i, f := range s.fused {
		right := t.Right(ix.docs[f.doc].ID)
		if i < comparedDocuments || right {
			l.x, l.right = append(l.x, ix.features(s, f.doc, float64(f.words), &best)), append(l.right, right)
			ok = ok || right
		}
	}
	l.weight = t.Weight
	return l, ok
}

// fitFeatures fits a conditional logit by Newton's method: the probability of the
// right documents of each list is made as great as can be.
func fitFeatures(lists []listed) fusionFeatures {
	const n = len(fusionFeatures{})
	const ridge = 1e-3
	var w fusionFeatures
	total := 0.
	for _, l := range lists {
		total += l.weight
	}
	for range 30 {
		var g [n]float64
		h := square(n)
		for i := range n {
			g[i], h[i][i] = -ridge*w[i], ridge
		}
		for _, l := range lists {
			p, q, _ := softmaxes(l, &w)
			var mean, want fusionFeatures
			for k := range l.x {
				for i := range n {
					mean[i] += p[k] * l.x[k][i]
					want[i] += q[k] * l.x[k][i]
				}
			}
			f := l.weight / total
			for i := range n {
				g[i] += f * (want[i] - mean[i])
			}
			for k := range l.x {
				for i := range n {
					for j := range i + 1 {
						h[i][j] += f * p[k] * (l.x[k][i] - mean[i]) * (l.x[k][j] - mean[j])
					}
				}
			}
		}
		// Half the step until it leads to something better.
		step, was, better := solve(h, g[:]), fitOf(lists, &w), false
		for size := 1.; size > 1e-3 && !better; size /= 2 {
			next := w
			for i := range n {
				next[i] += size * step[i]
			}
			if better = fitOf(lists, &next) > was+1e-9; better {
				w = next
			}
		}
		if !better {
			break
		}
	}
	return w
}

func fitOf(lists []listed, w *fusionFeatures) float64 {
	sum := 0.
	for _, l := range lists {
		_, _, fit := softmaxes(l, w)
		sum += l.weight * fit
	}
	return sum
}

// softmaxes gives the probabilities of all documents, and of the right ones alone, and
// the logarithm of what the right ones have of all.
func softmaxes(l listed, w *fusionFeatures) (p, q []float64, fit float64) {
	p, q = make([]float64, len(l.x)), make([]float64, len(l.x))
	top, topRight := math.Inf(-1), math.Inf(-1)
	for k := range l.x {
		for i, x := range l.x[k] {
			p[k] += w[i] * x
		}
		top = max(top, p[k])
		if l.right[k] {
			topRight = max(topRight, p[k])
		}
	}
	sum, right := 0., 0.
	for k := range p {
		if l.right[k] {
			q[k] = math.Exp(p[k] - topRight)
			right += q[k]
		}
		p[k] = math.Exp(p[k] - top)
		sum += p[k]
	}
	for k := range p {
		q[k] /= right
		p[k] /= sum
	}
	return p, q, topRight + math.Log(right) - top - math.Log(sum)
}

// judged is the evidence of a ranking, and whether it was right.
type judged struct {
	x      evidence
	right  bool
	weight float64
}

// fitEvidenceModel fits a logistic regression by Newton's method.
func fitEvidenceModel(all []judged) evidenceModel {
	const n = nEvidence + 1 // the last is the bias
	var mean, dev [n]float64
	total := 0.
	for _, o := range all {
		total += o.weight
		for i, x := range o.x {
			mean[i] += o.weight * x
		}
	}
	for i := range nEvidence {
		mean[i] /= total
	}
	for _, o := range all {
		for i, x := range o.x {
			dev[i] += o.weight * (x - mean[i]) * (x - mean[i]) / total
		}
	}
	for i := range nEvidence {
		dev[i] = math.Sqrt(dev[i]) + 1e-9
	}
	const ridge = 2e-3
	var w [n]float64
	for range 40 {
		var g [n]float64
		h := square(n)
		for i := range nEvidence {
			g[i], h[i][i] = -ridge*w[i], ridge
		}
		h[nEvidence][nEvidence] = 1e-9
		for _, o := range all {
			var x [n]float64
			z := w[nEvidence]
			for i := range nEvidence {
				x[i] = (o.x[i] - mean[i]) / dev[i]
				z += w[i] * x[i]
			}
			x[nEvidence] = 1
			p := 1 / (1 + math.Exp(-z))
			y := indicator(o.right)
			for i := range n {
				g[i] += o.weight / total * (y - p) * x[i]
				for j := range i + 1 {
					h[i][j] += o.weight / total * p * (1 - p) * x[i] * x[j]
				}
			}
		}
		step := solve(h, g[:])
		move := 0.
		for i := range n {
			w[i] += step[i]
			move = max(move, math.Abs(step[i]))
		}
		if move < 1e-5 {
			break
		}
	}
	v := evidenceModel{Bias: w[nEvidence]}
	for i := range nEvidence {
		v.W[i] = w[i] / dev[i]
		v.Bias -= v.W[i] * mean[i]
	}
	return v
}

// solve gives the x of h·x = g by elimination. Of h, which is symmetric and positive,
// the lower half is read.
func solve(h [][]float64, g []float64) []float64 {
	n := len(g)
	a := make([][]float64, n)
	for i := range a {
		a[i] = make([]float64, n+1)
		for j := range n {
			a[i][j] = h[max(i, j)][min(i, j)]
		}
		a[i][n] = g[i]
	}
	for c := range n {
		pivot := c
		for r := c + 1; r < n; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[pivot][c]) {
				pivot = r
			}
		}
		a[c], a[pivot] = a[pivot], a[c]
		for r := range n {
			if r == c || a[c][c] == 0 {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k <= n; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		if a[i][i] != 0 {
			x[i] = a[i][n] / a[i][i]
		}
	}
	return x
}

func square(n int) [][]float64 {
	h := make([][]float64, n)
	for i := range h {
		h[i] = make([]float64, n)
	}
	return h
}
