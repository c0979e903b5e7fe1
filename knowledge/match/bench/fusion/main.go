// Command fusion fits how words and meaning are put together, and prints the constants
// of match/fuse.go and match/confidence.go.
//
//	go run ./fusion -folds DIR [-rows FILE,FILE] [-topics FILE]
//
// What a new entry is to the weights in use, an entry of a left-out fold is to weights
// that were tuned without it (DIR has them: tune.py train --without 0,1). So entries of
// those folds are cut to a title and three phrasings, topics of those folds are added,
// and what was left out is asked. For each of these, the entry and the topic that are
// most like it are taken out, and their questions are asked too: that is how near a
// question can be that the new entry does not answer. Rows are labelled questions by
// others, put to the whole folder under the weights in use.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/match/bench/data"
	"canteen/knowledge/match/encoder"
	"canteen/knowledge/match/encoder/minilm"
)

func main() {
	folds := flag.String("folds", "", "folder of the weights that left entries out (default: shared/encoder/folds above)")
	topics := flag.String("topics", "../encoder/tune/topics.tsv", "topics by other writers")
	rows := flag.String("rows", "", "files of labelled questions, with commas between")
	banking := flag.String("banking77", "", "folder of BANKING77 (default: shared/bench/banking77 above)")
	flag.Parse()
	if err := run(context.Background(), *folds, *topics, *rows, *banking); err != nil {
		log.Fatal(err)
	}
}

// topic is an entry by another writer.
type topic struct{ few, other []string }

func run(ctx context.Context, folds, topicFile, rowFiles, banking string) error {
	dir, err := data.Find(folds, "shared/encoder/folds")
	if err != nil {
		return err
	}
	fold, err := readFolds(filepath.Join(dir, "folds.tsv"))
	if err != nil {
		return err
	}
	topics, err := readTopics(topicFile)
	if err != nil {
		return err
	}
	base, err := knowledge.Load(knowledge.Embedded)
	if err != nil {
		return err
	}
	var trials []match.Trial
	for _, w := range []struct {
		file string
		out  []int
	}{{"without-0-1.bin", []int{0, 1}}, {"without-2-3.bin", []int{2, 3}}} {
		weights, err := os.ReadFile(filepath.Join(dir, w.file))
		if err != nil {
			return err
		}
		e, err := encoder.New(weights)
		if err != nil {
			return err
		}
		more, err := simulate(ctx, base, topics, func(id string) bool { f, ok := fold[id]; return ok && slices.Contains(w.out, f) }, e)
		if err != nil {
			return err
		}
		trials = append(trials, more...)
	}
	bank, err := data.Find(banking, "shared/bench/banking77")
	if err != nil {
		return err
	}
	more, err := banks(ctx, bank)
	if err != nil {
		return err
	}
	trials = append(trials, more...)
	if rowFiles != "" {
		more, err := asked(ctx, base, strings.Split(rowFiles, ","))
		if err != nil {
			return err
		}
		trials = append(trials, more...)
	}
	fmt.Fprintln(os.Stderr, len(trials), "trials")
	fmt.Print(match.FitFusion(trials))
	return nil
}

// How much of all trials each kind is.
var share = map[string]float64{"old": .25, "comms": .15, "elsewhere": .04, "smalltalk": .04, "lane": .06, "new": .08, "topic": .08, "absent": .08, "no topic": .08, "rows": .14, "bank": .12}

// The size of a simulation: runs of one encoder, and of each kind in one of them.
const (
	runs      = 8
	newTopics = 20
	newOnes   = 10
	leftOut   = 4 // phrasings of an entry that stays
)

// trial is a question, the id of the document that is right, or "", and its kind.
type trial struct{ text, right, kind string }

// askedOf are the phrasings of a document without its title, which is last.
func askedOf(base *knowledge.Base, d match.Document) []string {
	x, _ := base.Entry(d.ID)
	return d.Phrasings[:len(x.AskedAs())]
}

// holdOut takes phrasings out of a document, and gives them as trials: of a new one all
// but three, of one whose fold is out a few, of another none.
func holdOut(rng *rand.Rand, base *knowledge.Base, d match.Document, isNew, out bool) (match.Document, []trial) {
	var held []trial
	asked := askedOf(base, d)
	switch {
	case isNew:
		for _, p := range some(rng, asked[3:], 10) {
			held = append(held, trial{p, d.ID, "new"})
		}
		d.Phrasings = append(slices.Clone(asked[:3]), d.Phrasings[len(asked):]...)
	case out:
		x, _ := base.Entry(d.ID)
		kind := string(x.Route)
		switch x.Route {
		case knowledge.Answered:
			kind = "old"
		case knowledge.Urgent, knowledge.Private:
			kind = "lane"
		}
		left := some(rng, asked, leftOut)
		for _, p := range left {
			held = append(held, trial{p, d.ID, kind})
		}
		d.Phrasings = slices.DeleteFunc(slices.Clone(d.Phrasings), func(p string) bool { return slices.Contains(left, p) })
	}
	return d, held
}

func simulate(ctx context.Context, base *knowledge.Base, topics map[string]*topic, out func(id string) bool, e *encoder.Encoder) ([]match.Trial, error) {
	rng := rand.New(rand.NewPCG(7, 7))
	shuffle := func(s []string) { rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] }) }
	var ts, es []string
	for id := range topics {
		if out(id) {
			ts = append(ts, id)
		}
	}
	slices.Sort(ts)
	shuffle(ts)
	for _, x := range base.Entries() {
		if out(x.ID) && x.Lane() == "" && x.Route != knowledge.SmallTalk {
			es = append(es, x.ID)
		}
	}
	shuffle(es)
	like, err := likeness(ctx, base, topics, e)
	if err != nil {
		return nil, err
	}
	known := memory{}
	var trials []match.Trial
	kinds := map[string]int{}
	var of []string
	for r := range runs {
		part := func(all []string, size int) []string {
			from := r * size % (len(all) - size)
			return all[from : from+size]
		}
		add, cut := part(ts, newTopics), part(es, newOnes)
		// Entries that go have to be of those folds; topics were never there.
		gone := like.nearest(cut, func(id string) bool { return slices.Contains(es, id) && !slices.Contains(cut, id) })
		absent := like.nearest(add, func(id string) bool { return topics[id] != nil && !slices.Contains(add, id) })
		var docs []match.Document
		var qs []trial
		for _, d := range base.Documents() {
			if slices.Contains(gone, d.ID) {
				for _, p := range some(rng, askedOf(base, d), 8) {
					qs = append(qs, trial{p, "", "absent"})
				}
				continue
			}
			if _, ok := base.Entry(d.ID); !ok { // what is harmless
				docs = append(docs, d)
				continue
			}
			var held []trial
			d, held = holdOut(rng, base, d, slices.Contains(cut, d.ID), out(d.ID))
			docs, qs = append(docs, d), append(qs, held...)
		}
		for _, id := range add {
			docs = append(docs, match.Document{ID: id, Phrasings: topics[id].few, Covered: true})
			for _, p := range topics[id].other {
				qs = append(qs, trial{p, id, "topic"})
			}
		}
		for _, id := range absent {
			for _, p := range some(rng, topics[id].other, 4) {
				qs = append(qs, trial{p, "", "no topic"})
			}
		}
		ix, err := match.Build(docs, base.Lexicon()).Fit(ctx)
		if err != nil {
			return nil, err
		}
		if ix, err = ix.Understand(ctx, e, known); err != nil {
			return nil, err
		}
		known.add(ix)
		for _, q := range qs {
			t := match.Trial{Index: ix, Question: q.text}
			if q.right != "" {
				t.Right = func(id string) bool { return id == q.right }
			}
			trials = append(trials, t)
			of = append(of, q.kind)
			kinds[q.kind]++
		}
		fmt.Fprint(os.Stderr, ".")
	}
	for i := range trials {
		trials[i].Weight = share[of[i]] / float64(kinds[of[i]])
	}
	return trials, nil
}

// nearness has the centre of each entry's and topic's few texts.
type nearness map[string][]float32

func likeness(ctx context.Context, base *knowledge.Base, topics map[string]*topic, e *encoder.Encoder) (nearness, error) {
	n := nearness{}
	add := func(id string, texts []string) {
		sum := make([]float32, encoder.Size)
		for _, v := range e.EncodeAll(texts, 0) {
			for k, x := range v {
				sum[k] += x
			}
		}
		s := encoder.Store(sum)
		n[id] = s.Vector()
	}
	for id, t := range topics {
		add(id, t.few)
	}
	for _, x := range base.Entries() {
		add(x.ID, append([]string{x.Title}, x.Phrasings[:3]...))
	}
	return n, ctx.Err()
}

// nearest gives, for each id, the one most like it of those that may be taken.
func (n nearness) nearest(ids []string, may func(id string) bool) []string {
	var list []string
	all := slices.Sorted(maps.Keys(n))
	for _, id := range ids {
		best, at := float32(-1), ""
		for _, o := range all {
			if o == id || !may(o) || slices.Contains(list, o) {
				continue
			}
			sum := float32(0)
			for k, x := range n[id] {
				sum += x * n[o][k]
			}
			if sum > best {
				best, at = sum, o
			}
		}
		if at != "" {
			list = append(list, at)
		}
	}
	return list
}

func some(rng *rand.Rand, from []string, n int) []string {
	var list []string
	for _, i := range rng.Perm(len(from))[:min(n, len(from))] {
		list = append(list, from[i])
	}
	return list
}

// memory keeps vectors from one run to the next.
type memory []match.VectorFile

func (m *memory) add(ix *match.Index) { *m = memory{match.VectorFile(ix.Vectors())} }

func (m memory) Find(k encoder.Key) *encoder.Stored {
	for _, f := range m {
		if v := f.Find(k); v != nil {
			return v
		}
	}
	return nil
}

// banks puts BANKING77's training rows to folders of some of the others: of 3, 5, 10
// and 30 phrasings an entry, and with a fifth of the entries left out.
func banks(ctx context.Context, dir string) ([]match.Trial, error) {
	rows, err := data.Rows(filepath.Join(dir, "train.csv"))
	if err != nil {
		return nil, err
	}
	e, err := minilm.Load()
	if err != nil {
		return nil, err
	}
	known := memory{}
	var trials []match.Trial
	for k, n := range []int{3, 5, 10, 30} {
		rng := rand.New(rand.NewPCG(5, uint64(k)))
		taken := map[string]int{}
		var in, out []data.Row
		for _, i := range rng.Perm(len(rows)) {
			if r := rows[i]; taken[r.Want] < n {
				taken[r.Want]++
				in = append(in, r)
			} else {
				out = append(out, r)
			}
		}
		docs := data.Documents(in)
		gone := map[string]bool{}
		if k%2 == 1 {
			for i := 0; i < len(docs); i += 5 {
				gone[docs[i].ID] = true
			}
		}
		docs = slices.DeleteFunc(docs, func(d match.Document) bool { return gone[d.ID] })
		ix, err := match.Build(docs, match.Lexicon{}).Fit(ctx)
		if err != nil {
			return nil, err
		}
		if ix, err = ix.Understand(ctx, e, known); err != nil {
			return nil, err
		}
		known = append(known, match.VectorFile(ix.Vectors()))
		for _, r := range out[:600] {
			t := match.Trial{Index: ix, Question: r.Question, Weight: share["bank"] / 2400}
			if !gone[r.Want] {
				t.Right = func(id string) bool { return id == r.Want }
			}
			trials = append(trials, t)
		}
	}
	return trials, nil
}

// asked puts labelled questions to the whole folder: those to answer have their facts'
// entries right, those to escalate any that does not answer.
func asked(ctx context.Context, base *knowledge.Base, files []string) ([]match.Trial, error) {
	e, err := minilm.Load()
	if err != nil {
		return nil, err
	}
	fitted, err := base.Fit(ctx, knowledge.Fitting{Encoder: e})
	if err != nil {
		return nil, err
	}
	var trials []match.Trial
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		for s := bufio.NewScanner(f); s.Scan(); {
			c := append(strings.Split(s.Text(), "\t"), "", "", "")
			t := match.Trial{Index: fitted.Index(), Question: c[0]}
			switch c[1] {
			case "answer":
				facts := strings.Split(c[2], ",")
				t.Right = func(id string) bool {
					x, ok := base.Entry(id)
					return ok && slices.ContainsFunc(x.Facts, func(f string) bool { return slices.Contains(facts, f) })
				}
			case "escalate":
				t.Right = func(id string) bool { x, ok := base.Entry(id); return ok && x.Route != knowledge.Answered }
			default:
				continue
			}
			trials = append(trials, t)
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	for i := range trials {
		trials[i].Weight = share["rows"] / float64(len(trials))
	}
	return trials, nil
}

// readFolds reads which entry is in which fold. Ids of before the first release are
// those of now.
func readFolds(file string) (map[string]int, error) {
	fold := map[string]int{}
	err := lines(file, func(c []string) {
		if n, err := strconv.Atoi(c[1]); err == nil {
			fold[strings.TrimPrefix(c[0], "open-")] = n
		}
	})
	return fold, err
}

func readTopics(file string) (map[string]*topic, error) {
	topics := map[string]*topic{}
	title := map[string]string{}
	err := lines(file, func(c []string) {
		if topics[c[0]] == nil {
			topics[c[0]] = &topic{}
		}
		t := topics[c[0]]
		switch c[1] {
		case "title":
			title[c[0]] = c[2]
		case "plain":
			t.few = append(t.few, c[2])
		default:
			t.other = append(t.other, c[2])
		}
	})
	for id, t := range topics {
		if len(t.few) > 3 {
			t.few = t.few[:3]
		}
		t.few = append(t.few, title[id])
	}
	return topics, err
}

// lines gives the cells of each line of at least two.
func lines(file string, yield func(cells []string)) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		if c := strings.Split(s.Text(), "\t"); len(c) > 1 {
			yield(c)
		}
	}
	return s.Err()
}
