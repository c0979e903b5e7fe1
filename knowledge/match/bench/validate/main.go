// Command validate measures a change on training data alone: BANKING77's
// training rows that are no phrasings, and the shipped folder's phrasings left
// out, each also with random edits; and what building and fitting cost.
//
//	go run ./validate [-only 5]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/match/bench/data"
)

type split struct {
	name  string
	docs  []match.Document
	lex   match.Lexicon
	rows  []data.Row
	known map[string]bool // covered documents, for AUROC; nil for none
}

func main() {
	only := flag.String("only", "", "splits whose name contains this")
	flag.Parse()
	fmt.Printf("%-14s %6s %6s %6s %6s %6s %8s %8s\n", "", "P@1", "1 edit", "2", "AUROC", "calib", "build ms", "fit ms")
	for _, s := range splits() {
		if !strings.Contains(s.name, *only) {
			continue
		}
		t := cpu()
		ix := match.Build(s.docs, s.lex)
		built := cpu() - t
		t = cpu()
		ix, err := ix.Fit(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		fitted := cpu() - t
		var p [3]float64
		var in, out []float64
		var right, bad []float64
		for n := range p {
			rng := rand.New(rand.NewPCG(11, uint64(n)))
			all := 0
			for _, r := range s.rows {
				covered := s.known == nil || s.known[r.Want]
				if n > 0 && !covered {
					continue
				}
				got := ix.Rank(data.Typo(r.Question, n, rng), 1)
				ok := len(got.Candidates) > 0 && got.Candidates[0].ID == r.Want
				if covered {
					all++
					if ok {
						p[n] += 1
					}
				}
				if n > 0 {
					continue
				}
				if covered {
					in = append(in, got.Covered)
				} else {
					out = append(out, got.Covered)
				}
				if len(got.Candidates) > 0 {
					if ok {
						right = append(right, got.Candidates[0].Confidence)
					} else {
						bad = append(bad, got.Candidates[0].Confidence)
					}
				}
			}
			p[n] *= 100 / float64(all)
		}
		fmt.Printf("%-14s %6.2f %6.2f %6.2f %6.3f %6.3f %8d %8d\n", s.name, p[0], p[1]-p[0], p[2]-p[0], area(in, out), area(right, bad), built, fitted)
	}
}

// cpu is this process's user time in milliseconds.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() / 1e6
}

func splits() []split {
	var out []split
	if dir, err := data.Find("", "shared/bench/banking77"); err == nil {
		rows := func(name string) []data.Row {
			r, err := data.Rows(filepath.Join(dir, name))
			if err != nil {
				log.Fatal(err)
			}
			return r
		}
		train := rows("train.csv")
		for _, k := range []string{"5", "10"} {
			few := rows("train_" + k + ".tsv")
			is := map[string]bool{}
			for _, r := range few {
				is[r.Question] = true
			}
			var rest []data.Row
			for i, r := range train {
				if i%3 == 0 && !is[r.Question] {
					rest = append(rest, r)
				}
			}
			docs := data.Documents(few)
			out = append(out, split{name: "bank " + k, docs: docs, rows: rest})
			known := map[string]bool{}
			var kept []match.Document
			for i, d := range docs {
				if i%5 != 1 {
					known[d.ID] = true
					kept = append(kept, d)
				}
			}
			out = append(out, split{name: "bank " + k + " out", docs: kept, rows: rest, known: known})
		}
		var most, rest []data.Row
		for i, r := range train {
			if i%5 == 0 {
				rest = append(rest, r)
			} else {
				most = append(most, r)
			}
		}
		out = append(out, split{name: "bank full", docs: data.Documents(most), rows: rest})
	}
	if dir, err := data.Find("", "knowledge"); err == nil {
		base, err := knowledge.Load(os.DirFS(dir))
		if err != nil {
			log.Fatal(err)
		}
		var less, kept []match.Document
		var rows, near []data.Row
		known := map[string]bool{}
		n := 0
		for i, d := range base.Documents() {
			l := d
			l.Phrasings = nil
			for _, p := range d.Phrasings {
				if n++; n%5 == 2 {
					rows = append(rows, data.Row{Question: p, Want: d.ID})
				} else {
					l.Phrasings = append(l.Phrasings, p)
				}
			}
			less = append(less, l)
			if i%5 != 2 {
				kept = append(kept, l)
				known[d.ID] = d.Covered
			}
		}
		near = rows
		out = append(out, split{name: "folder", docs: less, lex: base.Lexicon(), rows: rows},
			split{name: "folder out", docs: kept, lex: base.Lexicon(), rows: near, known: known})
	}
	return out
}

// area under the ROC curve.
func area(pos, neg []float64) float64 {
	sort.Float64s(neg)
	sum := 0.
	for _, p := range pos {
		lo := sort.SearchFloat64s(neg, p)
		hi := sort.Search(len(neg), func(i int) bool { return neg[i] > p })
		sum += float64(lo+hi) / 2
	}
	return sum / float64(max(1, len(pos)*len(neg)))
}
