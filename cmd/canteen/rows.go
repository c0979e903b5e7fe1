package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"

	"canteen/bot"
	"canteen/knowledge"
)

// row is one labelled question of a test file.
type row struct {
	Line     int
	Question string
	After    bool // it goes on from the row before, as in a direct message
	Expected string
	Want     []string // facts, entries or the act that are right
	Note     string
}

// The columns of a test file, by the names in its first line.
const (
	colQuestion = "question"
	colExpected = "expected"
	colWant     = "fact_ids"
	colNote     = "note"
)

var columns = []string{colQuestion, colExpected, colWant, colNote}

// expectations are what a row may expect.
var expectations = []string{"answer", "clarify", "escalate", "urgent", "smalltalk", "act", "near", "harmless", "everyday"}

// readRows reads a file of labelled questions: tab-separated, with the names of the
// columns in the first line. Columns that it does not know are named on standard
// error and left out.
func readRows(s *streams, path string) ([]row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usageError{fmt.Errorf("test file: %w", err)}
	}
	var rows []row
	var place map[string]int
	n := 0
	err = lines(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))), func(line string) error {
		n++
		cells := strings.Split(line, "\t")
		if strings.TrimSpace(line) == "" {
			return nil
		}
		if place == nil {
			place, err = header(s, path, cells)
			return err
		}
		cell := func(name string) string {
			if i, ok := place[name]; ok && i < len(cells) {
				return strings.TrimSpace(cells[i])
			}
			return ""
		}
		x := row{Line: n, Question: cells[place[colQuestion]], Expected: cell(colExpected), Note: cell(colNote)}
		x.Question, x.After = strings.CutPrefix(x.Question, "+")
		x.Question = strings.TrimSpace(x.Question)
		if !slices.Contains(expectations, x.Expected) {
			return usageError{fmt.Errorf("%s:%d:1: a row expects one of %s, with a tab before it, and not %q", path, n, strings.Join(expectations, ", "), x.Expected)}
		}
		for f := range strings.SplitSeq(cell(colWant), ",") {
			if f = strings.TrimSpace(f); f != "" {
				x.Want = append(x.Want, f)
			}
		}
		rows = append(rows, x)
		return nil
	})
	if err == nil && place == nil {
		return nil, usageError{fmt.Errorf("%s:1:1: the file is empty", path)}
	}
	return rows, err
}

func header(s *streams, path string, cells []string) (map[string]int, error) {
	place := map[string]int{}
	for i, name := range cells {
		name = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(columns, name) {
			fmt.Fprintf(s.err, "%s:1:1: the column %q is left out: the columns are %s\n", path, name, strings.Join(columns, ", "))
			continue
		}
		place[name] = i
	}
	for _, name := range []string{colQuestion, colExpected} {
		if _, ok := place[name]; !ok {
			return nil, usageError{fmt.Errorf("%s:1:1: the first line names the columns, %s, and %s is not among them", path, strings.Join(columns, ", "), name)}
		}
	}
	return place, nil
}

// checkWanted refuses rows that expect facts or entries that the folder does not have.
func checkWanted(base *knowledge.Base, path string, rows []row) error {
	for _, r := range rows {
		for _, w := range r.Want {
			_, fact := base.Fact(w)
			_, entry := base.Entry(w)
			if !fact && !entry && r.Expected != "act" {
				return usageError{fmt.Errorf("%s:%d:1: %q is neither a fact nor an entry of this folder", path, r.Line, w)}
			}
		}
	}
	return nil
}

// right reports whether an entry is one that a row expects.
func (r row) right(base *knowledge.Base, id string) bool {
	e, ok := base.Entry(id)
	return ok && slices.ContainsFunc(r.Want, func(w string) bool {
		x, named := base.Entry(w)
		return slices.Contains(e.Facts, w) || named && x == e
	})
}

// asker asks questions in order. One that goes on from the one before is asked as by the
// same person in a direct message.
type asker struct {
	base   *knowledge.Base
	policy bot.Policy
	last   *bot.Question
}

func (a *asker) ask(question string, after bool) bot.Thought {
	if !after {
		a.last = nil
	}
	t := bot.ThinkAfter(a.base, a.last, question, a.policy)
	a.last = t.Question()
	return t
}
