package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"canteen/bot"
	"canteen/knowledge"
	"canteen/knowledge/match/encoder"
	"canteen/knowledge/match/encoder/minilm"
)

// folderFlags say which folder is read.
type folderFlags struct {
	Knowledge []string `name:"knowledge" placeholder:"DIR" help:"A folder shaped like knowledge/: the first replaces the built-in one, each further one overlays it." type:"path"`
	Encoder   string   `env:"ENCODER" enum:",on,off" default:"" help:"off: find entries by their words alone, not by their meaning ($ENCODER)."`
}

// encoder gives the sentence encoder; nil where it is switched off, or where its
// weights are damaged, which is logged.
func (f folderFlags) encoder(s *streams) *encoder.Encoder {
	if f.Encoder == "off" {
		return nil
	}
	e, err := minilm.Load()
	if err != nil {
		s.log.Error("no sentence encoder: entries are found by their words alone", "error", err)
		return nil
	}
	return e
}

// load reads the folder once, for commands that do not serve. Where some of it is
// bad, it gives the rest and the list, [knowledge.Problems].
func (f folderFlags) load() (*knowledge.Base, error) {
	base := knowledge.Embedded
	var overlays []fs.FS
	for i, dir := range f.Knowledge {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, usageError{fmt.Errorf("--knowledge %s: there is no such folder", dir)}
		}
		if i == 0 {
			base = knowledge.Dir(dir)
		} else {
			overlays = append(overlays, knowledge.Dir(dir))
		}
	}
	return knowledge.Load(base, overlays...)
}

// fitted reads the folder and fits its model, so that the same input gives the same output
// every time. Problems are printed on standard error, and the rest is used, as in serve.
func (f folderFlags) fitted(ctx context.Context, s *streams) (*knowledge.Base, error) {
	b, err := f.load()
	var list knowledge.Problems
	if errors.As(err, &list) {
		for _, p := range list {
			fmt.Fprintln(s.err, p)
		}
		if b == nil {
			return nil, exitProblems
		}
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return b.Fit(ctx, knowledge.Fitting{Encoder: f.encoder(s), Log: s.log})
}

// warnUnreadFolder warns where the working folder has a folder of entries that is not
// read.
func (f folderFlags) warnUnreadFolder(s *streams) {
	const dir = "knowledge"
	if info, err := os.Stat(filepath.Join(dir, "faq")); len(f.Knowledge) == 0 && err == nil && info.IsDir() {
		fmt.Fprintf(s.err, "canteen: the folder ./%s is not read; to have it read, add --knowledge %s\n", dir, dir)
	}
}

type askCmd struct {
	folderFlags
	JSON     bool     `help:"One JSON object a line."`
	Explain  bool     `help:"Say which words met which phrasing, what was corrected, and why the decision."`
	Question []string `arg:"" optional:"" help:"The question. Without one, each line of standard input is a question."`
}

func (c *askCmd) Run(ctx context.Context, s *streams) error {
	base, err := c.fitted(ctx, s)
	if err != nil {
		return err
	}
	a := &asker{base: base, policy: bot.DefaultPolicy}
	if len(c.Question) > 0 {
		return c.ask(s, a, strings.Join(c.Question, " "))
	}
	return lines(s.in, func(line string) error { return c.ask(s, a, line) })
}

// lines calls fn with each line, an empty one included.
func lines(r io.Reader, fn func(string) error) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if err != nil && (!errors.Is(err, io.EOF) || line == "") {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := fn(strings.TrimRight(line, "\r\n")); err != nil {
			return err
		}
	}
}

func (c *askCmd) ask(s *streams, a *asker, question string) error {
	question = strings.ToValidUTF8(question, "\uFFFD")
	said, after := strings.CutPrefix(question, "+")
	thought := a.ask(said, after)
	asked := thought.Report(a.base, question)
	if c.JSON {
		enc := json.NewEncoder(s.out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(asked); err != nil {
			return err
		}
	} else {
		if _, err := fmt.Fprintln(s.out, asked.Text); err != nil {
			return err
		}
	}
	if c.Explain {
		w := s.out
		if c.JSON {
			w = s.err
		}
		_, err := fmt.Fprintln(w, "\n"+thought.Why(a.base, a.policy))
		return err
	}
	return nil
}

type checkCmd struct {
	folderFlags
	JSON    bool   `help:"One JSON object a line."`
	Against string `placeholder:"FILE" help:"List phrasings that nearly copy a question of this test file." type:"path"`
}

func (c *checkCmd) Run(ctx context.Context, s *streams) error {
	c.warnUnreadFolder(s)
	base, err := c.load()
	var bad knowledge.Problems
	if err != nil && !errors.As(err, &bad) {
		return err
	}
	if base == nil {
		return c.print(s, bad)
	}
	if c.Against != "" {
		rows, err := readRows(s, c.Against)
		if err != nil {
			return err
		}
		questions := make([]string, len(rows))
		for i, r := range rows {
			questions[i] = r.Question
		}
		return c.print(s, base.Against(questions))
	}
	fitted, err := base.Fit(ctx, knowledge.Fitting{Encoder: c.encoder(s), Log: s.log})
	if err != nil {
		return err
	}
	bad = append(bad, failingExamples(fitted)...)
	warnings := slices.Concat(base.Warnings(), base.Check(time.Now()), fitted.CheckFound())
	result := c.print(s, append(bad, warnings...))
	if c.JSON {
		return result
	}
	for _, name := range base.Unset() {
		fmt.Fprintf(s.out, "local.yaml: warning: %s is used and not set; its default is shown\n", name)
	}
	_, err = fmt.Fprintf(s.out, "%d entries, %d problems, %d warnings\n", len(base.Entries()), len(bad), len(warnings))
	return errors.Join(result, err)
}

func entryID(t bot.Thought) string {
	if e := t.Entry(); e != nil {
		return e.ID
	}
	return "of no entry"
}

// failingExamples are the lanes' must: lines that do not meet their lane, and the must
// not: lines that do.
func failingExamples(base *knowledge.Base) (list knowledge.Problems) {
	for _, x := range base.Examples() {
		t := bot.Think(base, x.Text, bot.DefaultPolicy)
		if t.Meets(x.Lane) != x.Must {
			list = append(list, x.Problem(string(t.Report(base, x.Text).Decision)+" "+entryID(t)))
		}
	}
	return list
}

// print lists problems; any that is not a warning makes the exit code 1.
func (c *checkCmd) print(s *streams, list knowledge.Problems) error {
	var code error
	for _, p := range list {
		if !p.Warning {
			code = exitProblems
		}
		if !c.JSON {
			fmt.Fprintln(s.out, p)
			continue
		}
		if err := json.NewEncoder(s.out).Encode(p); err != nil {
			return err
		}
	}
	return code
}
