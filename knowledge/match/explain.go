package match

import (
	"fmt"
	"strings"
)

// Explanation says how a question was ranked.
type Explanation struct {
	Question  string
	Read      []string    // the words as they were read
	Corrected [][2]string // what was typed, what it was read as
	Unknown   []string    // words that no phrasing has
	Fitted    bool
	Result    Result
}

// Explain ranks question as Rank does, and says how.
func (ix *Index) Explain(question string, n int) Explanation {
	s := ix.pool.Get().(*scratch)
	defer ix.pool.Put(s)
	e := Explanation{Question: question, Fitted: ix.Fitted(), Result: ix.Rank(question, n)}
	for _, t := range ix.read(s, question) {
		e.Read = append(e.Read, t.word)
		if t.typed != "" && t.typed != t.word {
			e.Corrected = append(e.Corrected, [2]string{t.typed, t.word})
		}
		if t.id < 0 {
			e.Unknown = append(e.Unknown, t.word)
		}
	}
	return e
}

// String is the explanation for a terminal.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "read as   %s\n", strings.Join(e.Read, " "))
	for _, c := range e.Corrected {
		fmt.Fprintf(&b, "          %s → %s\n", c[0], c[1])
	}
	if len(e.Unknown) > 0 {
		fmt.Fprintf(&b, "unknown   %s\n", strings.Join(e.Unknown, " "))
	}
	for i, c := range e.Result.Candidates {
		fmt.Fprintf(&b, "%d  %.2f  %s\n", i+1, c.Confidence, c.ID)
	}
	return b.String()
}
