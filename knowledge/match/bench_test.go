package match

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"testing"
	"time"
)

// synthetic makes n documents of k phrasings out of made-up words, some of
// them common, with the spread of words that language has.
func synthetic(n, k int) ([]Document, []string) {
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
	docs := make([]Document, n)
	var questions []string
	for d := range docs {
		docs[d].ID, docs[d].Covered = fmt.Sprintf("d%d", d), d%2 == 0
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
		questions = append(questions, docs[d].Phrasings[k])
		docs[d].Phrasings = docs[d].Phrasings[:k]
	}
	return docs, questions
}

func BenchmarkRank(b *testing.B) {
	for _, size := range [][2]int{{200, 15}, {2000, 10}} {
		docs, questions := synthetic(size[0], size[1])
		ix := Build(docs, Lexicon{})
		fitted, err := ix.Fit(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		for _, at := range []struct {
			name string
			ix   *Index
		}{{"built", ix}, {"fitted", fitted}} {
			b.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], at.name), func(b *testing.B) {
				b.ReportAllocs()
				times := make([]time.Duration, 0, b.N)
				i := 0
				for b.Loop() {
					t := time.Now()
					at.ix.Rank(questions[i%len(questions)], 5)
					times = append(times, time.Since(t))
					i++
				}
				sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1e3, "p50-µs")
				b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1e3, "p99-µs")
			})
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	docs, _ := synthetic(200, 15)
	for b.Loop() {
		Build(docs, Lexicon{})
	}
}

func BenchmarkFit(b *testing.B) {
	docs, _ := synthetic(200, 15)
	ix := Build(docs, Lexicon{})
	for b.Loop() {
		if _, err := ix.Fit(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLongMessage(b *testing.B) {
	docs, questions := synthetic(200, 15)
	ix, err := Build(docs, Lexicon{}).Fit(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	q := strings.Join(questions[:200], ". ")
	b.ReportAllocs()
	for b.Loop() {
		ix.Rank(q, 5)
	}
}
