package match

import (
	"math"
	"slices"
	"sync"

	"canteen/knowledge/text"
)

// Blocks of features. Each is normalised to length 1, then multiplied by its weight.
const (
	stems = iota
	bigrams
	pairs
	chars
	blocks
)

// Tuned together by random search on splits of BANKING77's training data and
// on phrasings left out of the folder; NOTES.md has the figures.
const (
	idfPower = .57 // exponent of idf; 1 is plain idf
	charMin  = 2
	charMax  = 3 // 4 gains nothing beside word vectors, and costs a third more
	pairGap  = 6 // the most words of content between the two of a pair

	stopWeight = .7 // of a stop word's idf
)

// blockWeight by block, before they are put together.
var blockWeight = [blocks]float32{stems: 1, bigrams: .44, pairs: .6, chars: .86}

// word is a word that the folder knows, with the features that it brings.
type word struct {
	text  string
	stem  int32 // feature, or -1
	chars []uint32
	stop  bool
	set   int     // of distinct words, or 0
	sense int32   // row of its vector, or -1
	prior float32 // worth to spelling
}

type feat struct {
	id uint32
	x  float32
}

// phrasings holds the vectors of all phrasings, one after the other.
type phrasings struct {
	first    []uint32 // by document, into off; one more at the end
	off      []uint32 // by phrasing, into feats; one more at the end
	feats    []feat
	doc      []uint32         // by phrasing
	kind     []uint8          // by phrasing
	tf       []uint8          // beside feats: how often
	distinct [][]distinctWord // by phrasing
	sense    []float32        // by phrasing, a row each
	norm     []float32        // by phrasing: length of its vector

	// Once fitted, in the place of feats: ids with their values in steps of scale.
	packed []uint32
	scale  []float32 // by phrasing
}

func (p *phrasings) vector(i uint32) []feat { return p.feats[p.off[i]:p.off[i+1]] }

// Values have 8 bits beside their id: enough for the likeness of two texts, which is
// all that they are for once the model is fitted.
const (
	valueBits = 8
	maxValue  = 1<<valueBits - 1
)

// pack quantises the vectors and drops what only fitting needs: two thirds of the
// phrasings' memory.
func (p *phrasings) pack() {
	p.packed = make([]uint32, len(p.feats))
	p.scale = make([]float32, len(p.doc))
	for i := range p.doc {
		v := p.vector(uint32(i))
		most := float32(math.SmallestNonzeroFloat32) // features may be worth nothing
		for _, f := range v {
			most = max(most, f.x)
		}
		p.scale[i] = most / maxValue
		for k, f := range v {
			p.packed[int(p.off[i])+k] = f.id<<valueBits | uint32(f.x/most*maxValue+.5)
		}
	}
	p.feats, p.tf, p.distinct, p.sense = nil, nil, nil, nil
}

// dot is the product of phrasing i's vector and a dense one.
func (p *phrasings) dot(i uint32, q []float32) float32 {
	var sum float32
	if p.packed == nil {
		for _, f := range p.vector(i) {
			sum += f.x * q[f.id]
		}
		return sum
	}
	for _, f := range p.packed[p.off[i]:p.off[i+1]] {
		sum += float32(f&maxValue) * q[f>>valueBits]
	}
	return sum * p.scale[i]
}

// key of a feature: its block and what it is made of.
func key(block int, a, b uint32) uint64 {
	return uint64(block)<<60 | uint64(a)<<30 | uint64(b)
}

// charGrams yields a key for each run of 2 or 3 characters of w between
// borders.
func charGrams(w string, yield func(uint64)) {
	var rs [text.MaxWord + 2]rune
	n := 0
	rs[n] = '^'
	n++
	for _, r := range w {
		if n > text.MaxWord {
			break
		}
		rs[n] = r
		n++
	}
	rs[n] = '$'
	n++
	for i := 0; i < n; i++ {
		h := uint64(1469598103934665603)
		for j := i; j < n && j-i < charMax; j++ {
			h = (h ^ uint64(rs[j])) * 1099511628211
			if j-i+1 >= charMin {
				k := h ^ h>>29
				yield(uint64(chars)<<60 | k>>4)
			}
		}
	}
}

// extract calls add with each occurrence of a feature in toks and its weight. With grow,
// new features get an id; otherwise they are left out.
func (ix *words) extract(s *wordScratch, toks []token, grow bool, add func(uint32, float32)) {
	lookup := func(k uint64, w float32) {
		if id, ok := ix.feats[k]; ok {
			add(id, w)
		} else if grow {
			id := uint32(len(ix.block))
			ix.feats[k] = id
			ix.block = append(ix.block, uint8(k>>60))
			add(id, w)
		}
	}
	ids := s.stems[:0]
	for i := range toks {
		t := &toks[i]
		if t.id >= 0 && (grow || ix.idf[ix.vocab[t.id].stem] > 0) {
			w := &ix.vocab[t.id]
			for _, c := range w.chars {
				add(c, t.weight)
			}
			id := w.stem
			add(uint32(id), t.weight)
			if w.stop {
				id |= isStop
			}
			ids = append(ids, id)
			continue
		}
		id := int32(-1)
		if ix.lex.sets[t.word] == 0 {
			charGrams(t.word, func(k uint64) { lookup(k, t.weight) })
			if st, ok := ix.stems[stemOf(t.word)]; ok && (grow || ix.idf[st] > 0) {
				id = st
				add(uint32(id), t.weight)
			}
		}
		ids = append(ids, id)
	}
	s.stems = ids
	for i, a := range ids {
		if a < 0 {
			continue
		}
		if i+1 < len(ids) && ids[i+1] >= 0 {
			lookup(key(bigrams, uint32(a&^isStop), uint32(ids[i+1]&^isStop)), min(toks[i].weight, toks[i+1].weight))
		}
		if a&isStop != 0 {
			continue
		}
		seen := 0
		for j := i + 1; j < len(ids) && seen < pairGap; j++ {
			b := ids[j]
			if b < 0 || b&isStop != 0 {
				continue
			}
			seen++
			if b != a {
				lookup(key(pairs, uint32(min(a, b)), uint32(max(a, b))), min(toks[i].weight, toks[j].weight))
			}
		}
	}
}

// tfUnit is how finely counts are kept.
const tfUnit = 16

// isStop marks a stem as a stop word's while pairs are made.
const isStop = 1 << 29

// tfidf turns counts into a tf-idf vector, in place: each block has its weight as length.
func (ix *words) tfidf(fs []feat) {
	var sum [blocks]float64
	for i := range fs {
		f := &fs[i]
		x := ix.idf[f.id]
		if f.x > 1 {
			x *= 1 + float32(math.Log(float64(f.x)))
		} else {
			x *= f.x
		}
		f.x = x
		sum[ix.block[f.id]] += float64(x * x)
	}
	var scale [blocks]float32
	for b := range scale {
		if sum[b] > 0 {
			scale[b] = blockWeight[b] / float32(math.Sqrt(sum[b]))
		}
	}
	for i := range fs {
		fs[i].x *= scale[ix.block[fs[i].id]]
	}
}

func build(docs []Document, lex Lexicon) *words {
	// Needed at the end, and slow to unpack.
	var unpacked sync.WaitGroup
	unpacked.Go(func() { text.English("") })
	unpacked.Go(func() { commonSpeller() })
	if len(docs) > maxDocs {
		docs = docs[:maxDocs]
	}
	ix := &words{
		docs:  docs,
		lex:   compileLexicon(lex),
		known: map[string]int32{},
		stems: map[string]int32{},
		feats: map[uint64]uint32{},
	}
	// First the words: phrasings are read without spelling, so all are known.
	s := &wordScratch{}
	counts := map[string]float64{}
	var toks []token
	ends := []int{}
	for d := range docs {
		ix.phr.first = append(ix.phr.first, uint32(len(ends)))
		count := 1.
		if !docs[d].Covered {
			count = .5 // questions are more often about what is answered
		}
		for _, p := range docs[d].Phrasings {
			for _, t := range ix.tokenise(s, p) {
				t.id = ix.addWord(t.word)
				counts[t.word] += count
				toks = append(toks, t)
			}
			ends = append(ends, len(toks))
			ix.phr.doc = append(ix.phr.doc, uint32(d))
		}
	}
	ix.phr.first = append(ix.phr.first, uint32(len(ends)))
	priors := map[string]float32{}
	for w := range ix.lex.keep {
		priors[w] = .2
	}
	for w, n := range counts {
		priors[w] = .2 + .05*float32(math.Log(max(n, 1)))
	}
	for i := range ix.vocab {
		ix.vocab[i].prior = priors[ix.vocab[i].text]
	}
	ix.spell = newSpeller(priors)

	// Then features: by phrasing as counts, by document as sums.
	var at []int32 // of each feature, its place in the phrasing at hand from 1
	start := 0
	for _, end := range ends {
		ix.phr.off = append(ix.phr.off, uint32(len(ix.phr.feats)))
		from := len(ix.phr.feats)
		s.closing = text.NoGap
		s.weighClauses(toks[start:end])
		ix.extract(s, toks[start:end], true, func(id uint32, w float32) {
			for int(id) >= len(at) {
				at = append(at, 0)
			}
			if at[id] == 0 {
				ix.phr.feats = append(ix.phr.feats, feat{id, 0})
				at[id] = int32(len(ix.phr.feats))
			}
			ix.phr.feats[at[id]-1].x += w
		})
		for _, f := range ix.phr.feats[from:] {
			at[f.id] = 0
		}
		start = end
	}
	ix.phr.off = append(ix.phr.off, uint32(len(ix.phr.feats)))
	ix.phr.feats = slices.Clone(ix.phr.feats) // without the room to grow
	ix.phr.tf = make([]uint8, len(ix.phr.feats))
	for i, f := range ix.phr.feats {
		ix.phr.tf[i] = uint8(min(f.x*tfUnit+.5, 255))
	}
	ix.invert()
	dim := senses().dim
	ix.phr.sense = make([]float32, len(ends)*dim)
	start = 0
	for i, end := range ends {
		own := toks[start:end]
		ix.sense(own, ix.phr.sense[i*dim:(i+1)*dim])
		ix.phr.kind = append(ix.phr.kind, questionKind(own))
		s.distinct = s.distinct[:0]
		ix.findDistinct(s, own)
		ix.phr.distinct = append(ix.phr.distinct, append([]distinctWord(nil), s.distinct...))
		start = end
	}
	ix.sumByDocument()
	ix.cal = defaultCalibrator(false)
	unpacked.Wait() // so that no question waits for them
	return ix
}

// sumByDocument sets the mean word vector and the distinct words of each document.
func (ix *words) sumByDocument() {
	dim := senses().dim
	ix.mean = make([]float32, len(ix.docs)*dim)
	ix.distinct = make([][]distinctWord, len(ix.docs))
	for i, d := range ix.phr.doc {
		m := ix.mean[int(d)*dim:][:dim]
		for k, x := range ix.phr.sense[i*dim : (i+1)*dim] {
			m[k] += x
		}
	next:
		for _, n := range ix.phr.distinct[i] {
			for k := range ix.distinct[d] {
				if x := &ix.distinct[d][k]; x.set == n.set && x.stem == n.stem {
					x.count++
					continue next
				}
			}
			ix.distinct[d] = append(ix.distinct[d], n)
		}
	}
	for d := range ix.docs {
		unit(ix.mean[d*dim : (d+1)*dim])
	}
}

// without is the index for cross-validation: without every folds'th phrasing and without
// all phrasings of every folds'th document. It shares words and features with ix.
func (ix *words) without(fold, folds int) *words {
	out := &words{docs: ix.docs, lex: ix.lex, known: ix.known, vocab: ix.vocab, stems: ix.stems,
		feats: ix.feats, block: ix.block, spell: ix.spell}
	dim := senses().dim
	from, to := &ix.phr, &out.phr
	for d := range ix.docs {
		to.first = append(to.first, uint32(len(to.doc)))
		for p := from.first[d]; p < from.first[d+1]; p++ {
			if int(p)%folds == fold || d%folds == fold {
				continue
			}
			to.off = append(to.off, uint32(len(to.feats)))
			for k := from.off[p]; k < from.off[p+1]; k++ {
				to.feats = append(to.feats, feat{from.feats[k].id, float32(from.tf[k]) / tfUnit})
			}
			to.doc = append(to.doc, uint32(d))
			to.kind = append(to.kind, from.kind[p])
			to.distinct = append(to.distinct, from.distinct[p])
			to.sense = append(to.sense, from.sense[int(p)*dim:][:dim]...)
		}
	}
	to.first = append(to.first, uint32(len(to.doc)))
	to.off = append(to.off, uint32(len(to.feats)))
	out.invert()
	out.sumByDocument()
	return out
}

// addWord adds w to the vocabulary, with its features, and returns its place.
func (ix *words) addWord(w string) int32 {
	if id, ok := ix.known[w]; ok {
		return id
	}
	v := word{text: w, stop: stopWords[w], set: ix.lex.sets[w], sense: -1}
	if row, ok := senses().rows[w]; ok && v.set == 0 {
		v.sense = row
	}
	st := w
	if v.set == 0 {
		st = stemOf(w)
		charGrams(w, func(k uint64) {
			id, ok := ix.feats[k]
			if !ok {
				id = uint32(len(ix.block))
				ix.feats[k] = id
				ix.block = append(ix.block, chars)
			}
			v.chars = append(v.chars, id)
		})
	}
	id, ok := ix.stems[st]
	if !ok {
		id = int32(len(ix.block))
		ix.stems[st] = id
		ix.block = append(ix.block, stems)
	}
	v.stem = id
	n := int32(len(ix.vocab))
	ix.known[w] = n
	ix.vocab = append(ix.vocab, v)
	return n
}
