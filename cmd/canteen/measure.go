package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"canteen/bot"
	"canteen/knowledge"
)

type testCmd struct {
	folderFlags
	embeddings
	JSON bool   `help:"One JSON object."`
	File string `arg:"" help:"Labelled questions: question, expected, fact_ids and note, with tabs between." type:"path"`
}

// figures are what a test file measures.
type figures struct {
	Rows map[string]int `json:"rows"` // by what is expected
	// Of the rows that expect an answer:
	P1       share                     `json:"p_at_1"`            // the first candidate carries one of the facts
	Covered  share                     `json:"answered_at_once"`  // answered, rightly or not
	Reached  share                     `json:"answered_or_among"` // answered rightly, or the right entry is offered
	Wrong    share                     `json:"wrong_answers"`     // of all answers given, those that are wrong
	Leaked   share                     `json:"escalate_answered"` // of the rows to escalate, those answered
	Clarify  share                     `json:"clarify_right"`     // of the rows to clarify, those clarified, or answered with one of the facts
	Lanes    share                     `json:"urgent_to_lane"`    // of the urgent rows, those shown their lane
	Alarmed  share                     `json:"answer_signposted"` // of the rows to answer, those shown a lane
	Small    share                     `json:"smalltalk_right"`   // of the small talk, that which is met as such
	AUROC    float64                   `json:"auroc"`             // covered, of rows to answer against rows to escalate
	Misses   []miss                    `json:"misses"`
	Confused map[string]map[string]int `json:"confusion"` // first expected fact → facts of the entry first in line, where wrong
}

type share struct {
	N  int `json:"n"`
	Of int `json:"of"`
}

func (s share) String() string {
	if s.Of == 0 {
		return "none"
	}
	return fmt.Sprintf("%5.1f %%  (%d of %d)", 100*float64(s.N)/float64(s.Of), s.N, s.Of)
}

func (s *share) add(hit bool) {
	s.Of++
	if hit {
		s.N++
	}
}

type miss struct {
	Question string   `json:"question"`
	Expected string   `json:"expected"`
	Facts    []string `json:"facts,omitempty"`
	Note     string   `json:"note"`
	Decision string   `json:"decision"`
	Got      string   `json:"got"`
	Why      string   `json:"why"`
}

func (c *testCmd) Run(ctx context.Context, s *streams) error {
	rows, err := readRows(c.File)
	if err != nil {
		return err
	}
	base, err := c.fitted(ctx, s)
	if err != nil {
		return err
	}
	if base, err = c.learn(ctx, s, base); err != nil {
		return err
	}
	f := measure(base, rows)
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(f)
	}
	return f.print(s.out)
}

// measure puts every row to the folder.
func measure(base *knowledge.Base, rows []row) figures {
	f := figures{Rows: map[string]int{}, Misses: []miss{}, Confused: map[string]map[string]int{}}
	var in, out []float64 // covered, of rows to answer and to escalate
	for _, r := range rows {
		f.Rows[r.Expected]++
		th := bot.Think(base, r.Question, bot.DefaultPolicy)
		a := th.Report(base, r.Question)
		right := func(id string) bool { return carries(base, id, r.Facts) }
		among := slices.ContainsFunc(a.Options, right)
		answered := a.Decision == "answer"
		ok := true
		switch r.Expected {
		case "answer":
			first := len(a.Candidates) > 0 && right(a.Candidates[0].Entry)
			f.P1.add(first)
			f.Covered.add(answered)
			f.Alarmed.add(a.Decision == "signpost" && a.Lane != "")
			hit := answered && right(a.Entry)
			f.Reached.add(hit || among)
			in = append(in, a.Covered)
			ok = first && (hit || among)
			if !first && len(r.Facts) > 0 && len(a.Candidates) > 0 {
				got := cmp.Or(strings.Join(a.Candidates[0].Facts, ","), a.Candidates[0].Entry)
				if f.Confused[r.Facts[0]] == nil {
					f.Confused[r.Facts[0]] = map[string]int{}
				}
				f.Confused[r.Facts[0]][got]++
			}
			if answered {
				f.Wrong.add(!hit)
			}
		case "escalate":
			f.Leaked.add(answered)
			out = append(out, a.Covered)
			ok = a.Decision == "escalate" || a.Decision == "signpost" && a.Lane == ""
			if answered {
				f.Wrong.add(true)
			}
		case "clarify":
			ok = a.Decision == "clarify" || answered && right(a.Entry)
			f.Clarify.add(ok)
		case "smalltalk":
			ok = a.Decision == "smalltalk"
			f.Small.add(ok)
		case "urgent":
			lane, _, _ := strings.Cut(r.Note, ";")
			ok = a.Decision == "signpost" && a.Lane != "" && strings.HasPrefix(a.Lane, strings.TrimSpace(lane))
			f.Lanes.add(ok)
			if answered {
				f.Wrong.add(true)
			}
		}
		if !ok {
			got := a.Entry
			if got == "" && len(a.Options) > 0 {
				got = strings.Join(a.Options, " | ")
			} else if got == "" && len(a.Candidates) > 0 {
				got = "(" + a.Candidates[0].Entry + ")"
			}
			f.Misses = append(f.Misses, miss{r.Question, r.Expected, r.Facts, r.Note, a.Decision, got, th.Why(base, bot.DefaultPolicy)})
		}
	}
	f.AUROC = auroc(in, out)
	return f
}

// carries tells whether an entry carries one of the facts.
func carries(base *knowledge.Base, id string, facts []string) bool {
	e, ok := base.Entry(id)
	return ok && slices.ContainsFunc(e.Facts, func(f string) bool { return slices.Contains(facts, f) })
}

// auroc is the probability that one of in scores higher than one of out, ties
// counting half.
func auroc(in, out []float64) float64 {
	if len(in) == 0 || len(out) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range in {
		for _, y := range out {
			switch {
			case x > y:
				sum++
			case x == y:
				sum += 0.5
			}
		}
	}
	return sum / float64(len(in)*len(out))
}

func (f figures) print(w io.Writer) error {
	var b strings.Builder
	for _, m := range f.Misses {
		fmt.Fprintf(&b, "%s\n  expected %s %s, got %s %s\n", m.Question, m.Expected, strings.Join(append(m.Facts, m.Note), " "), m.Decision, m.Got)
		for line := range strings.Lines(m.Why) {
			b.WriteString("  " + strings.TrimRight(line, "\n") + "\n")
		}
		b.WriteByte('\n')
	}
	if len(f.Confused) > 0 {
		b.WriteString("Confusion, expected fact → facts first in line\n")
		for _, fact := range slices.Sorted(maps.Keys(f.Confused)) {
			for _, got := range slices.Sorted(maps.Keys(f.Confused[fact])) {
				fmt.Fprintf(&b, "  %s → %s  %d\n", fact, got, f.Confused[fact][got])
			}
		}
		b.WriteByte('\n')
	}
	for _, x := range []struct {
		name  string
		value any
	}{
		{"right first (P@1), rows to answer", f.P1},
		{"answered at once, rows to answer", f.Covered},
		{"answered or among “did you mean”", f.Reached},
		{"wrong among the answers given", f.Wrong},
		{"answered, rows to escalate", f.Leaked},
		{"asked back, rows to clarify", f.Clarify},
		{"to their lane, urgent rows", f.Lanes},
		{"to a lane, rows to answer", f.Alarmed},
		{"met as such, small talk", f.Small},
		{"AUROC, answer against escalate", fmt.Sprintf("%6.3f", f.AUROC)},
	} {
		fmt.Fprintf(&b, "%-36s %v\n", x.name, x.value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
