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
	JSON bool   `help:"One JSON object."`
	File string `arg:"" help:"Labelled questions: columns question, expected, fact_ids and note, with tabs between." type:"path"`
}

// figures are what a test file measures. The shares are of the rows of one expectation.
type figures struct {
	Rows map[string]int `json:"rows"` // by what is expected
	// Of the rows that expect an answer:
	P1      share `json:"p_at_1"`            // the first candidate is right
	Covered share `json:"answered_at_once"`  // answered, rightly or not
	Likely  share `json:"likely_at_once"`    // shown as likely, rightly or not
	Reached share `json:"answered_or_among"` // answered or likely rightly, or the right entry is offered
	Alarmed share `json:"answer_signposted"` // shown a lane
	// Of others:
	Leaked   share                     `json:"escalate_answered"`   // to escalate, and answered
	Clarify  share                     `json:"clarify_right"`       // to clarify, and clarified or answered rightly
	Lanes    share                     `json:"urgent_to_lane"`      // urgent, and shown their lane
	Small    share                     `json:"smalltalk_right"`     // small talk, and met as such
	Acts     share                     `json:"acts_right"`          // acts, and understood
	Near     share                     `json:"near_answered"`       // near the entry named, and answered by it all the same
	Harmless share                     `json:"harmless_signposted"` // harmless, and shown a lane
	Everyday share                     `json:"everyday_signposted"` // everyday, and shown a lane
	Wrong    share                     `json:"wrong_answers"`       // of all answers given, those that are wrong
	Perhaps  share                     `json:"wrong_likely"`        // of all shown as likely, those that are wrong
	AUROC    float64                   `json:"auroc"`               // covered, of rows to answer against rows to escalate
	Misses   []miss                    `json:"misses"`
	Confused map[string]map[string]int `json:"confusion"` // what is wanted → what comes first in its place
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
	Line     int         `json:"line"`
	Question string      `json:"question"`
	Expected string      `json:"expected"`
	Facts    []string    `json:"facts,omitempty"`
	Note     string      `json:"note"`
	Decision bot.Decided `json:"decision"`
	Got      string      `json:"got"`
	Why      string      `json:"why"`
}

func (c *testCmd) Run(ctx context.Context, s *streams) error {
	rows, err := readRows(s, c.File)
	if err != nil {
		return err
	}
	base, err := c.fitted(ctx, s)
	if err != nil {
		return err
	}
	if err := checkWanted(base, c.File, rows); err != nil {
		return err
	}
	f := measure(base, bot.DefaultPolicy, rows)
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(f)
	}
	return f.print(s.out)
}

// measure asks the folder every row's question.
func measure(base *knowledge.Base, p bot.Policy, rows []row) figures {
	f := figures{Rows: map[string]int{}, Misses: []miss{}, Confused: map[string]map[string]int{}}
	var in, out []float64 // covered, of rows to answer and to escalate
	a := &asker{base: base, policy: p}
	for _, r := range rows {
		f.Rows[r.Expected]++
		t := a.ask(r.Question, r.After)
		got := t.Report(base, r.Question)
		switch r.Expected {
		case "answer":
			in = append(in, got.Covered)
		case "escalate":
			out = append(out, got.Covered)
		}
		if !f.judge(base, r, got) {
			f.Misses = append(f.Misses, miss{r.Line, r.Question, r.Expected, r.Want, r.Note, got.Decision, shownBy(got), t.Why(base, p)})
		}
	}
	f.AUROC = auroc(in, out)
	return f
}

// shownBy is the entry or the options that a decision shows, or else the nearest entry in
// brackets.
func shownBy(a bot.Asked) string {
	switch {
	case a.Entry != "":
		return a.Entry
	case len(a.Options) > 0:
		return strings.Join(a.Options, " | ")
	case len(a.Candidates) > 0:
		return "(" + a.Candidates[0].Entry + ")"
	}
	return ""
}

// judge counts a row, and tells whether it got what it expected.
func (f *figures) judge(base *knowledge.Base, r row, a bot.Asked) (ok bool) {
	right := func(id string) bool { return r.right(base, id) }
	answered, likely, alarmed := a.Decision == bot.DecidedAnswer, a.Decision == bot.DecidedLikely, a.Decision == bot.DecidedSignpost && a.Lane != ""
	switch r.Expected {
	case "answer":
		return f.judgeAnswer(r, a, right)
	case "escalate":
		f.Leaked.add(answered)
		ok = a.Decision == bot.DecidedEscalate || a.Decision == bot.DecidedSignpost && a.Lane == ""
	case "clarify":
		ok = a.Decision == bot.DecidedClarify || (answered || likely) && right(a.Entry)
		f.Clarify.add(ok)
		return ok
	case "smalltalk":
		ok = a.Decision == bot.DecidedSmallTalk || slices.Contains([]string{"greeting", "thanks", "topics"}, a.Act)
		f.Small.add(ok)
		return ok
	case "urgent":
		lane, _, _ := strings.Cut(r.Note, ";")
		ok = alarmed && (strings.HasPrefix(a.Lane, strings.TrimSpace(lane)) || right(a.Entry))
		f.Lanes.add(ok)
	case "act":
		ok = a.Decision == bot.DecidedAct && slices.Contains(r.Want, a.Act)
		f.Acts.add(ok)
	case "near":
		ok = !answered || !right(a.Entry)
		f.Near.add(!ok)
		return ok
	case "harmless":
		f.Harmless.add(alarmed)
		return !alarmed
	case "everyday":
		f.Everyday.add(alarmed)
		return !alarmed
	}
	if answered {
		f.Wrong.add(true)
	}
	if likely {
		f.Perhaps.add(true)
	}
	return ok
}

// judgeAnswer is judge for a row that expects an answer: right tells the entries that
// would do.
func (f *figures) judgeAnswer(r row, a bot.Asked, right func(id string) bool) bool {
	answered, likely := a.Decision == bot.DecidedAnswer, a.Decision == bot.DecidedLikely
	first := len(a.Candidates) > 0 && right(a.Candidates[0].Entry)
	hit := (answered || likely) && right(a.Entry)
	reached := hit || slices.ContainsFunc(a.Options, right)
	f.P1.add(first)
	f.Covered.add(answered)
	f.Likely.add(likely)
	f.Reached.add(reached)
	f.Alarmed.add(a.Decision == bot.DecidedSignpost && a.Lane != "")
	if answered {
		f.Wrong.add(!hit)
	}
	if likely {
		f.Perhaps.add(!hit)
	}
	if !first && len(r.Want) > 0 && len(a.Candidates) > 0 {
		got := cmp.Or(strings.Join(a.Candidates[0].Facts, ","), a.Candidates[0].Entry)
		if f.Confused[r.Want[0]] == nil {
			f.Confused[r.Want[0]] = map[string]int{}
		}
		f.Confused[r.Want[0]][got]++
	}
	return first && reached
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
	var apart any
	if f.Rows["answer"] > 0 && f.Rows["escalate"] > 0 {
		apart = fmt.Sprintf("%6.3f", f.AUROC)
	}
	for _, x := range []struct {
		name  string
		value any
	}{
		{"right first (P@1), rows to answer", f.P1},
		{"answered at once, rows to answer", f.Covered},
		{"shown as likely, rows to answer", f.Likely},
		{"shown right, or among those offered", f.Reached},
		{"wrong among the answers given", f.Wrong},
		{"wrong among those shown as likely", f.Perhaps},
		{"to a lane, rows to answer", f.Alarmed},
		{"answered, rows to escalate", f.Leaked},
		{"asked back, rows to clarify", f.Clarify},
		{"to their lane, urgent rows", f.Lanes},
		{"met as such, small talk", f.Small},
		{"understood, acts", f.Acts},
		{"answered by the entry that is near", f.Near},
		{"to a lane, harmless rows", f.Harmless},
		{"to a lane, everyday rows", f.Everyday},
		{"AUROC, answer against escalate", apart},
	} {
		if n, ok := x.value.(share); ok && n.Of == 0 || x.value == nil {
			continue // no such row
		}
		fmt.Fprintf(&b, "%-36s %v\n", x.name, x.value)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
