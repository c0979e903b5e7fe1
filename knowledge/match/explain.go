package match

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Explanation says how a question was ranked.
type Explanation struct {
	Words      []Word // as they were read, in order
	Clause     string // of a long message, the clause that the words were ranked by most
	Kind       string // what kind of question it was taken for, or ""
	Meaning    bool   // whether it was ranked by meaning too
	Candidates []CandidateExplanation
	Signals    []Signal // what the confidence of the first candidate is made of
	Covered    float64
	Alarm      float64           // probability of an emergency
	Lanes      []LaneExplanation // the lanes it may be, best first
}

// LaneExplanation is a lane and its example nearest to the question.
type LaneExplanation struct {
	Candidate
	Nearest string // its example that is most like it; its first, for words alone
}

// Word is a word of the question.
type Word struct {
	Typed  string  // as it stood in the question, normalised
	Read   string  // as it was read: corrected, or a synonym
	Known  bool    // some phrasing has it
	Weight float64 // below 1 in a clause that says less
}

// CandidateExplanation is a candidate and why it was ranked there.
type CandidateExplanation struct {
	Candidate
	Nearest  string   // its phrasing nearest to the question: by meaning, or else by words
	Likeness float64  // of that phrasing: the cosine, -1 to 1
	Met      []string // words of the question that its phrasings have
	Words    float64  // its score by words less that of the best; 0 at most
	Best     bool     // whether it is first by its words
	Clash    float64  // how far it is about another of a set of distinct words
	Share    float64  // of the ranking's probability, before calibration
}

// Signal is one of the confidence's ingredients and its weight.
type Signal struct {
	Name          string
	Value, Weight float64
}

// Explain ranks question as Rank does, and says how.
func (ix *Index) Explain(question string, n int) Explanation {
	s := ix.newScratch()
	ix.rank(s, question)
	r := ix.result(s, n)
	w := s.words
	e := Explanation{Kind: kindNames[w.kind], Covered: r.Covered, Meaning: ix.meaning != nil, Alarm: r.Alarm}
	for _, c := range r.Lanes {
		e.Lanes = append(e.Lanes, LaneExplanation{c, ix.example(c)})
	}
	for i := range w.toks {
		t := &w.toks[i]
		x := Word{Typed: t.original, Read: t.word, Weight: float64(t.weight)}
		if x.Typed == "" {
			x.Typed = t.word
		}
		_, x.Known = ix.words.stemFor(t)
		e.Words = append(e.Words, x)
	}
	if w.clause.to-w.clause.from < len(w.toks) {
		var ws []string
		for _, t := range w.toks[w.clause.from:w.clause.to] {
			ws = append(ws, t.word)
		}
		e.Clause = strings.Join(ws, " ")
	}
	for i, c := range r.Candidates {
		e.Candidates = append(e.Candidates, ix.explain(s, i, c))
	}
	if len(r.Candidates) > 0 {
		e.Signals = ix.signals(s)
	}
	return e
}

// example is the example of a lane that a candidate points to.
func (ix *Index) example(c Candidate) string {
	for i := range ix.special {
		if d := &ix.special[i]; d.ID == c.ID && c.Phrasing < len(d.Phrasings) {
			return strings.ToValidUTF8(d.Phrasings[c.Phrasing], "?")
		}
	}
	return ""
}

// explain explains the i-th candidate.
func (ix *Index) explain(s *scratch, i int, c Candidate) CandidateExplanation {
	x := CandidateExplanation{Candidate: c, Words: -maxWordGap}
	d := ix.place[c.ID]
	if ps := ix.docs[d].Phrasings; c.Phrasing < len(ps) {
		x.Nearest = strings.ToValidUTF8(ps[c.Phrasing], "?")
	}
	w := s.words
	if k := slices.IndexFunc(w.top, func(t scored) bool { return ix.doc[t.doc] == d }); k >= 0 {
		t := &w.top[k]
		x.Words, x.Best, x.Clash, x.Share = float64(t.score-w.top[0].score), k == 0, float64(t.clash), float64(t.share)
		met := map[string]bool{}
		for j := range w.toks {
			word := &w.toks[j]
			if st, ok := ix.words.stemFor(word); ok && !stopWords[word.word] && !met[word.word] && ix.words.has(st, int(t.doc)) {
				met[word.word] = true
				x.Met = append(x.Met, word.word)
			}
		}
		if ix.meaning == nil {
			ix.words.features(w, w.toks)
			like, _ := ix.words.nearest(w, int(t.doc), allPhrasings)
			x.Likeness = float64(like)
		}
	}
	if ix.meaning != nil {
		x.Likeness, x.Share = float64(s.like[d].nearest), s.fused[i].share
	}
	return x
}

// signals are those of the first candidate's confidence.
func (ix *Index) signals(s *scratch) []Signal {
	var list []Signal
	if ix.meaning == nil {
		for i, name := range signalNames {
			list = append(list, Signal{name, s.words.sig[i], ix.words.cal.Right.W[i]})
		}
		return list
	}
	x, isFew := ix.evidence(s)
	v := &rightMany
	if isFew {
		v = &rightFew
	}
	for i, name := range evidenceNames {
		list = append(list, Signal{name, x[i], v.W[i]})
	}
	return list
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
	for _, l := range []struct {
		name  string
		words []string
		sep   string
	}{{"corrected", corrected, ", "}, {"unknown", unknown, ", "}, {"counts less", faint, " "}} {
		if len(l.words) > 0 {
			line(l.name, "%s", strings.Join(l.words, l.sep))
		}
	}
	if e.Clause != "" {
		line("asks", "%s", e.Clause)
	}
	if e.Kind != "" {
		line("kind", "%s", e.Kind)
	}
	emergency := func() {
		var lanes []string
		for _, l := range e.Lanes {
			lanes = append(lanes, fmt.Sprintf("%s %.2f, like: “%s”", l.ID, l.Confidence, l.Nearest))
		}
		line("emergency", "%.2f  %s", e.Alarm, strings.Join(lanes, "; "))
	}
	if len(e.Candidates) == 0 {
		emergency()
		line("found", "nothing")
		return b.String()
	}
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "\n\tconfidence\tshare\twords\tlikeness\tentry\n")
	for i, c := range e.Candidates {
		words := "–"
		if c.Words > -maxWordGap {
			words = fmt.Sprintf("%.1f", c.Words)
		}
		fmt.Fprintf(t, "%d\t%.2f\t%.2f\t%s\t%.2f\t%s\n", i+1, c.Confidence, c.Share, words, c.Likeness, c.ID)
	}
	_ = t.Flush() // to a string
	b.WriteByte('\n')
	for i, c := range e.Candidates {
		fmt.Fprintf(&b, "%d  like: “%s”", i+1, c.Nearest)
		if len(c.Met) > 0 {
			fmt.Fprintf(&b, ", words in common: %s", strings.Join(c.Met, " "))
		} else {
			b.WriteString(", in other words")
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
	emergency()
	return b.String()
}
