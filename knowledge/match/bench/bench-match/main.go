// Command bench-match prints one table: this project's matcher beside BM25 and
// bleve, on the same questions in the same run.
//
//	go run ./bench-match [-banking77 DIR] [-folder DIR] [-dev FILE] [-quick]
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"time"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/match/bench/data"
	"canteen/knowledge/match/encoder"
	"canteen/knowledge/match/encoder/minilm"
)

// answer is what a matcher says: documents best first, and how sure it is that
// any is right and that the first is.
type answer struct {
	ids             []string
	covered, surest float64
}

// matcher is a rival. load is timed; fit, where there is one, too.
type matcher struct {
	name string
	load func([]match.Document, match.Lexicon) (ask func(string) answer, fit time.Duration, err error)
}

// question is one to be asked; want is "" where no document is right.
type question struct {
	text string
	want func(id string) bool
	in   bool
}

type set struct {
	name      string
	docs      []match.Document
	lex       match.Lexicon
	questions []question
	timeOnly  bool
}

func main() {
	bank := flag.String("banking77", "", "folder of BANKING77 (default: shared/bench/banking77 above)")
	folder := flag.String("folder", "", "knowledge folder (default: knowledge above)")
	dev := flag.String("dev", "", "questions about the folder (default: shared/questions/dev.tsv above)")
	quick := flag.Bool("quick", false, "leave bleve out")
	only := flag.String("only", "", "run sets whose name contains this")
	flag.Parse()
	rivals := []matcher{ours("ours", true), ours("ours, words alone", false), {"BM25", loadBM25}}
	if !*quick {
		rivals = append(rivals, matcher{"bleve", loadBleve})
	}
	var sets []set
	if dir, err := data.Find(*bank, "shared/bench/banking77"); err != nil {
		fmt.Println("BANKING77 is not here: its rows are left out")
	} else {
		sets = append(sets, banking(dir)...)
	}
	if dir, err := data.Find(*folder, "knowledge"); err != nil {
		fmt.Println("no knowledge folder is here: its rows are left out")
	} else {
		s, err := guide(dir, *dev)
		if err != nil {
			log.Fatal(err)
		}
		sets = append(sets, s...)
	}
	for _, size := range [][2]int{{200, 15}, {2000, 10}} {
		docs, qs := synthetic(size[0], size[1])
		sets = append(sets, set{name: fmt.Sprintf("made up %d x %d", size[0], size[1]), docs: docs, questions: qs, timeOnly: true})
	}
	fmt.Printf("%-26s %-17s %6s %6s %6s %6s %8s %7s %9s %9s %8s %8s %7s\n", "", "", "P@1", "P@3", "MRR", "AUROC", "answered", "wrong", "p50 µs", "p99 µs", "load ms", "fit ms", "heap MB")
	for _, s := range sets {
		if !strings.Contains(s.name, *only) {
			continue
		}
		for _, m := range rivals {
			run(s, m)
		}
	}
	fmt.Println("\nAUROC: covered against uncovered questions, or (r) right against wrong first candidates where all are covered.")
	fmt.Println("answered, wrong: at confidence 0.8, the share of covered questions answered rightly and of answers that are wrong.")
}

func run(s set, m matcher) {
	before := heap()
	t := time.Now()
	ask, fit, err := m.load(s.docs, s.lex)
	load := time.Since(t) - fit
	if err != nil {
		log.Fatal(err)
	}
	used := heap() - before
	var p1, p3, mrr float64
	var n, covered, given, wrong, good int
	var in, out, right, bad []float64
	routed := map[string]bool{} // documents that are no answer
	for _, d := range s.docs {
		routed[d.ID] = !d.Covered
	}
	var times []time.Duration
	for _, q := range s.questions {
		t := time.Now()
		a := ask(q.text)
		times = append(times, time.Since(t))
		if !q.in {
			out = append(out, a.covered)
		} else {
			n++
			covered++
			in = append(in, a.covered)
		}
		rank := 0
		for i, id := range a.ids {
			if q.in && q.want(id) {
				rank = i + 1
				break
			}
		}
		if rank > 0 {
			mrr += 1 / float64(rank)
			if rank <= 3 {
				p3++
			}
		}
		if rank == 1 {
			p1++
			right = append(right, a.surest)
		} else {
			bad = append(bad, a.surest)
		}
		if a.surest >= .8 && (len(a.ids) == 0 || !routed[a.ids[0]]) {
			given++
			if rank == 1 {
				good++
			} else {
				wrong++
			}
		}
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	at := func(p int) string {
		return fmt.Sprintf("%.0f", float64(times[min(len(times)-1, len(times)*p/100)].Nanoseconds())/1e3)
	}
	pct := func(x float64, of int) string {
		if of == 0 || s.timeOnly {
			return "-"
		}
		return fmt.Sprintf("%.1f", 100*x/float64(of))
	}
	auroc := fmt.Sprintf("%.3f", area(in, out))
	if len(out) == 0 {
		auroc = fmt.Sprintf("%.3fr", area(right, bad))
	}
	if s.timeOnly {
		auroc = "-"
	}
	ans, wr := "-", "-"
	if strings.HasPrefix(m.name, "ours") && !s.timeOnly {
		ans, wr = pct(float64(good), covered), pct(float64(wrong), given)
	}
	mr := "-"
	if !s.timeOnly {
		mr = fmt.Sprintf("%.3f", mrr/float64(max(n, 1)))
	}
	fit_ := "-"
	if fit > 0 {
		fit_ = fmt.Sprint(fit.Milliseconds())
	}
	fmt.Printf("%-26s %-17s %6s %6s %6s %6s %8s %7s %9s %9s %8d %8s %7.1f\n", s.name, m.name, pct(p1, n), pct(p3, n), mr, auroc, ans, wr, at(50), at(99), load.Milliseconds(), fit_, float64(used)/1e6)
	runtime.KeepAlive(ask)
}

func heap() int64 {
	for range 3 { // pools outlive one collection
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// area under the ROC curve: the chance that one of pos stands above one of neg.
func area(pos, neg []float64) float64 {
	if len(pos) == 0 || len(neg) == 0 {
		return 0
	}
	sort.Float64s(neg)
	sum := 0.
	for _, p := range pos {
		lo := sort.SearchFloat64s(neg, p)
		hi := sort.Search(len(neg), func(i int) bool { return neg[i] > p })
		sum += float64(lo) + float64(hi-lo)/2
	}
	return sum / float64(len(pos)) / float64(len(neg))
}

// ours is this project's matcher, by words and meaning or by words alone. Its fit has
// the time that encoding took.
func ours(name string, understands bool) matcher {
	return matcher{name, func(docs []match.Document, lex match.Lexicon) (func(string) answer, time.Duration, error) {
		ix := match.Build(docs, lex)
		t := time.Now()
		ix, err := ix.Fit(context.Background())
		if err != nil {
			return nil, 0, err
		}
		if understands {
			e, err := minilm.Load()
			if err != nil {
				return nil, 0, err
			}
			if ix, err = ix.Understand(context.Background(), e, encoded); err != nil {
				return nil, 0, err
			}
			encoded = append(encoded, match.VectorFile(ix.Vectors()))
		}
		return asks(ix), time.Since(t), nil
	}}
}

// encoded are the vectors of the sets before: they are the same texts.
var encoded files

type files []match.VectorFile

func (f files) Find(k encoder.Key) *encoder.Stored {
	for _, v := range f {
		if s := v.Find(k); s != nil {
			return s
		}
	}
	return nil
}

func asks(ix *match.Index) func(string) answer {
	return func(q string) answer {
		r := ix.Rank(q, 5)
		a := answer{covered: r.Covered}
		for i, c := range r.Candidates {
			if i == 0 {
				a.surest = c.Confidence
			}
			a.ids = append(a.ids, c.ID)
		}
		return a
	}
}

func is(want string) func(string) bool { return func(id string) bool { return id == want } }

func asked(rows []data.Row, known map[string]bool) []question {
	var qs []question
	for _, r := range rows {
		qs = append(qs, question{r.Question, is(r.Want), known == nil || known[r.Want]})
	}
	return qs
}

func banking(dir string) []set {
	must := func(rows []data.Row, err error) []data.Row {
		if err != nil {
			log.Fatal(err)
		}
		return rows
	}
	test := must(data.Rows(filepath.Join(dir, "test.csv")))
	var sets []set
	for _, x := range []struct{ name, file string }{{"5", "train_5.tsv"}, {"10", "train_10.tsv"}, {"full", "train.csv"}} {
		rows := must(data.Rows(filepath.Join(dir, x.file)))
		docs := data.Documents(rows)
		sets = append(sets, set{name: "BANKING77 " + x.name, docs: docs, questions: asked(test, nil)})
		for n := 1; n <= 2; n++ {
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			edited := append([]data.Row(nil), test...)
			for i := range edited {
				edited[i].Question = data.Typo(edited[i].Question, n, rng)
			}
			sets = append(sets, set{name: fmt.Sprintf("BANKING77 %s, %d edits", x.name, n), docs: docs, questions: asked(edited, nil)})
		}
		known := map[string]bool{}
		var kept []match.Document
		for i, d := range docs {
			if i%5 != 0 {
				known[d.ID] = true
				kept = append(kept, d)
			}
		}
		sets = append(sets, set{name: "BANKING77 " + x.name + ", fifth out", docs: kept, questions: asked(test, known)})
	}
	return sets
}

// guide makes the sets about the shipped folder: every fifth phrasing left
// out, every fifth entry left out, and questions that others asked.
func guide(dir, dev string) ([]set, error) {
	base, err := knowledge.Load(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	docs, lex := base.Documents(), base.Lexicon()
	var less, kept []match.Document
	var held []question
	var near []question
	covered := map[string]bool{}
	n := 0
	for i, d := range docs {
		covered[d.ID] = d.Covered
		l := d
		l.Phrasings = nil
		for _, p := range d.Phrasings {
			if n++; n%5 == 0 {
				held = append(held, question{p, is(d.ID), true})
				near = append(near, question{p, is(d.ID), d.Covered && i%5 != 0})
			} else {
				l.Phrasings = append(l.Phrasings, p)
			}
		}
		less = append(less, l)
		if i%5 != 0 {
			kept = append(kept, l)
		}
	}
	sets := []set{
		{name: "folder, phrasings out", docs: less, lex: lex, questions: held},
		{name: "folder, entries out", docs: kept, lex: lex, questions: near},
	}
	path, err := data.Find(dev, "shared/questions/dev.tsv")
	if err != nil {
		fmt.Println("dev.tsv is not here: its rows are left out")
		return sets, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	facts := map[string][]string{}
	for _, e := range base.Entries() {
		for _, f := range e.Facts {
			facts[e.ID] = append(facts[e.ID], string(f))
		}
	}
	byStyle := map[string][]question{}
	for i, l := range strings.Split(string(b), "\n") {
		c := strings.Split(strings.TrimRight(l, "\r"), "\t")
		if i == 0 || len(c) < 4 {
			continue
		}
		q := question{text: c[0], in: c[1] == "answer", want: func(id string) bool {
			for _, f := range facts[id] {
				if strings.Contains(c[2], f) {
					return true
				}
			}
			return false
		}}
		if c[1] == "answer" {
			style, _, _ := strings.Cut(c[3], ";")
			style, _, _ = strings.Cut(style, " of:")
			byStyle[strings.TrimSuffix(style, "s")] = append(byStyle[strings.TrimSuffix(style, "s")], q)
		}
		if c[1] == "answer" || c[1] == "escalate" {
			byStyle["all"] = append(byStyle["all"], q)
		}
	}
	for _, s := range []string{"all", "plain", "keyword", "typo", "chatty", "indirect"} {
		if len(byStyle[s]) > 0 {
			sets = append(sets, set{name: "dev " + s, docs: docs, lex: lex, questions: byStyle[s]})
		}
	}
	return sets, nil
}
