package match

import (
	"fmt"
	"strings"
	"text/tabwriter"
)

// Explanation says how a question was ranked.
type Explanation struct {
	Fitted     bool
	Words      []Word // as they were read, in order
	Clause     string // the part that decided, where a long message has several
	Kind       string // what kind of question it was taken for, or ""
	Candidates []CandidateExplanation
	Signals    []Signal // what the confidence of the first candidate is made of
	Covered    float64
}

// Word is a word of the question.
type Word struct {
	Typed  string  // as it stood in the question, normalised
	Read   string  // as it was read: corrected, or a synonym
	Known  bool    // some phrasing has it
	Weight float64 // below 1 in a clause that says less
}

// CandidateExplanation is a candidate and what speaks for it.
type CandidateExplanation struct {
	Candidate
	Nearest  string   // its phrasing nearest to the question
	Likeness float64  // of that phrasing, 0 to 1
	Met      []string // words of the question that its phrasings have
	BM25     float64
	Logit    float64 // of the softmax; 0 before it is fitted
	Sense    float64 // nearness of sense, -1 to 1
	Told     float64 // nearness by the reranker, -1 to 1; 0 where there is none
	Clash    float64 // how far it is about another of a set of distinct words
	Share    float64 // of the ranking's probability, before calibration
}

// Signal is one of the confidence's ingredients and its weight.
type Signal struct {
	Name          string
	Value, Weight float64
}

// Explain ranks question as Rank does, and says how.
func (ix *Index) Explain(question string, n int) Explanation {
	s := ix.pool.Get().(*scratch)
	defer ix.pool.Put(s)
	ix.rank(s, question)
	r := ix.result(s, n)
	e := Explanation{Fitted: ix.Fitted(), Kind: kindNames[s.kind], Covered: r.Covered}
	for i := range s.toks {
		t := &s.toks[i]
		w := Word{Typed: t.typed, Read: t.word, Weight: float64(t.w)}
		if w.Typed == "" {
			w.Typed = t.word
		}
		_, w.Known = ix.stemFor(t)
		e.Words = append(e.Words, w)
	}
	if s.clause.to-s.clause.from < len(s.toks) {
		var ws []string
		for _, t := range s.toks[s.clause.from:s.clause.to] {
			ws = append(ws, t.word)
		}
		e.Clause = strings.Join(ws, " ")
	}
	for i, c := range r.Candidates {
		t := s.top[i]
		x := CandidateExplanation{Candidate: c, BM25: float64(t.bm), Logit: float64(t.sm), Sense: float64(t.cs), Told: float64(t.told), Clash: float64(t.clash), Share: float64(t.p)}
		ix.features(s, s.toks)
		like, near := ix.nearest(s, int(t.doc), allOf)
		if i == 0 {
			near = s.near
			like = max(like, float32(s.sig[sigCosine]))
		}
		x.Likeness = float64(like)
		if ps := ix.docs[t.doc].Phrasings; near < len(ps) {
			x.Nearest = ps[near]
		}
		met := map[string]bool{}
		for k := range s.toks {
			w := &s.toks[k]
			if st, ok := ix.stemFor(w); ok && !stop[w.word] && !met[w.word] && ix.has(st, int(t.doc)) {
				met[w.word] = true
				x.Met = append(x.Met, w.word)
			}
		}
		e.Candidates = append(e.Candidates, x)
	}
	if len(e.Candidates) > 0 {
		for i, name := range signalNames {
			e.Signals = append(e.Signals, Signal{name, s.sig[i], ix.cal.Right.W[i]})
		}
	}
	return e
}

// String is the explanation for a terminal.
func (e Explanation) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s", name)
		fmt.Fprintf(&b, format, args...)
		b.WriteByte('\n')
	}
	var read, corrected, unknown, faint []string
	for i, w := range e.Words {
		read = append(read, w.Read)
		if w.Typed != w.Read && (i == 0 || e.Words[i-1].Typed != w.Typed) {
			to := w.Read
			for _, o := range e.Words[i+1:] {
				if o.Typed != w.Typed {
					break
				}
				to += " " + o.Read
			}
			corrected = append(corrected, w.Typed+" → "+to)
		}
		if !w.Known {
			unknown = append(unknown, w.Read)
		}
		if w.Weight < .9 {
			faint = append(faint, w.Read)
		}
	}
	line("read as", "%s", strings.Join(read, " "))
	if len(corrected) > 0 {
		line("corrected", "%s", strings.Join(corrected, ", "))
	}
	if len(unknown) > 0 {
		line("unknown", "%s", strings.Join(unknown, ", "))
	}
	if e.Clause != "" {
		line("asks", "%s", e.Clause)
	}
	if len(faint) > 0 {
		line("counts less", "%s", strings.Join(faint, " "))
	}
	if e.Kind != "" {
		line("kind", "%s", e.Kind)
	}
	if !e.Fitted {
		line("model", "not fitted yet: BM25 alone")
	}
	if len(e.Candidates) == 0 {
		line("found", "nothing")
		return b.String()
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\n\tconfidence\tshare\tlogit\tBM25\tsense\tlikeness\tentry\n")
	for i, c := range e.Candidates {
		fmt.Fprintf(t, "%d\t%.2f\t%.2f\t%.1f\t%.1f\t%.2f\t%.2f\t%s\n", i+1, c.Confidence, c.Share, c.Logit, c.BM25, c.Sense, c.Likeness, c.ID)
	}
	_ = t.Flush() // to a string
	b.WriteByte('\n')
	for i, c := range e.Candidates {
		fmt.Fprintf(&b, "%d  nearest “%s”", i+1, strings.ToValidUTF8(c.Nearest, "?"))
		if len(c.Met) > 0 {
			fmt.Fprintf(&b, "; met: %s", strings.Join(c.Met, " "))
		}
		if c.Told != 0 {
			fmt.Fprintf(&b, "; embeddings: %.2f", c.Told)
		}
		if c.Clash > 0 {
			b.WriteString("; names another of a set of distinct words")
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	var parts []string
	for _, s := range e.Signals {
		parts = append(parts, fmt.Sprintf("%s %.2f×%.1f", s.Name, s.Value, s.Weight))
	}
	line("confidence", "%s", strings.Join(parts, ", "))
	line("covered", "%.2f", e.Covered)
	return b.String()
}
