package main

import (
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"

	"canteen/knowledge/match"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/kljensen/snowball/english"
)

func words(text string) []string {
	ws := strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(text, "'", "")), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range ws {
		ws[i] = english.Stem(w, true)
	}
	return ws
}

// loadBM25 is the textbook's BM25 over stems, one document an entry.
func loadBM25(docs []match.Document, _ match.Lexicon) (func(string) answer, time.Duration, error) {
	const k1, b = 1.2, .75
	type posting struct {
		doc int
		tf  float64
	}
	index := map[string][]posting{}
	length := make([]float64, len(docs))
	mean := 0.
	for d, doc := range docs {
		for _, p := range doc.Phrasings {
			for _, w := range words(p) {
				ps := index[w]
				if n := len(ps); n > 0 && ps[n-1].doc == d {
					ps[n-1].tf++
				} else {
					index[w] = append(ps, posting{d, 1})
				}
				length[d]++
				mean += 1 / float64(len(docs))
			}
		}
	}
	return func(q string) answer {
		score := make([]float64, len(docs))
		for _, w := range words(q) {
			ps := index[w]
			n := float64(len(ps))
			idf := math.Log(1 + (float64(len(docs))-n+.5)/(n+.5))
			for _, p := range ps {
				score[p.doc] += idf * p.tf * (k1 + 1) / (p.tf + k1*(1-b+b*length[p.doc]/mean))
			}
		}
		return best(score, docs)
	}, 0, nil
}

func best(score []float64, docs []match.Document) answer {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return score[order[i]] > score[order[j]] })
	var a answer
	for i := 0; i < 5 && i < len(order) && score[order[i]] > 0; i++ {
		if i == 0 {
			a.covered = score[order[0]]
		}
		a.ids = append(a.ids, docs[order[i]].ID)
	}
	a.surest = a.covered / 1e6 // never an answer: BM25 has no probability
	return a
}

// loadBleve indexes every phrasing with bleve's English analyser; an entry has
// the score of its best phrasing.
func loadBleve(docs []match.Document, _ match.Lexicon) (func(string) answer, time.Duration, error) {
	m := bleve.NewIndexMapping()
	m.DefaultAnalyzer = en.AnalyzerName
	ix, err := bleve.NewMemOnly(m)
	if err != nil {
		return nil, 0, err
	}
	batch := ix.NewBatch()
	for d, doc := range docs {
		for i, p := range doc.Phrasings {
			if err := batch.Index(strconv.Itoa(d)+" "+strconv.Itoa(i), map[string]string{"text": p}); err != nil {
				return nil, 0, err
			}
		}
	}
	if err := ix.Batch(batch); err != nil {
		return nil, 0, err
	}
	return func(q string) answer {
		mq := bleve.NewMatchQuery(q)
		mq.SetField("text")
		req := bleve.NewSearchRequestOptions(mq, 50, 0, false)
		res, err := ix.Search(req)
		var a answer
		if err != nil {
			return a
		}
		seen := map[string]bool{}
		for _, h := range res.Hits {
			d, _, _ := strings.Cut(h.ID, " ")
			if seen[d] || len(a.ids) == 5 {
				continue
			}
			seen[d] = true
			if len(a.ids) == 0 {
				a.covered = h.Score
			}
			n, _ := strconv.Atoi(d)
			a.ids = append(a.ids, docs[n].ID)
		}
		a.surest = a.covered / 1e6
		return a
	}, 0, nil
}

// synthetic makes n documents of k phrasings out of made-up words, for timing.
func synthetic(n, k int) ([]match.Document, []question) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	syllables := strings.Fields("ba co di fu ga hel in jor ka lum mo ner os pra qui ros sta tem ul ver wi xan yor zed")
	word := func(i int) string {
		w := ""
		for ; len(w) < 4 || i > 0; i /= len(syllables) {
			w += syllables[i%len(syllables)]
		}
		return w
	}
	common := strings.Fields("how do i can the my a what is to for in of when who where")
	docs := make([]match.Document, n)
	var qs []question
	for d := range docs {
		docs[d].ID, docs[d].Covered = strconv.Itoa(d), true
		own := make([]string, 12)
		for i := range own {
			own[i] = word(int(4000 * rng.Float64() * rng.Float64()))
		}
		for range k + 1 {
			var ws []string
			for range 4 + rng.IntN(8) {
				if rng.IntN(2) == 0 {
					ws = append(ws, common[rng.IntN(len(common))])
				} else {
					ws = append(ws, own[rng.IntN(len(own))])
				}
			}
			docs[d].Phrasings = append(docs[d].Phrasings, strings.Join(ws, " "))
		}
		qs = append(qs, question{docs[d].Phrasings[k], is(docs[d].ID), true})
		docs[d].Phrasings = docs[d].Phrasings[:k]
	}
	return docs, qs
}
