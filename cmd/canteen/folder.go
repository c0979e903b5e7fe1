package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"canteen/bot"
	"canteen/knowledge"
)

// folderFlags say which folder is read.
type folderFlags struct {
	Knowledge []string `name:"knowledge" placeholder:"DIR" help:"A folder shaped like knowledge/: the first replaces the built-in one, each further one overlays it." type:"path"`
}

// load reads the folder once, for commands that do not serve. Problems are
// printed, and end the command with exit 1.
func (f folderFlags) load(s *streams) (*knowledge.Base, error) {
	base := knowledge.Embedded
	var overlays []fs.FS
	for i, dir := range f.Knowledge {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, usage{fmt.Errorf("--knowledge %s: there is no such folder", dir)}
		}
		if i == 0 {
			base = knowledge.Dir(dir)
		} else {
			overlays = append(overlays, knowledge.Dir(dir))
		}
	}
	b, err := knowledge.Load(base, overlays...)
	var list knowledge.Problems
	if errors.As(err, &list) {
		for _, p := range list {
			fmt.Fprintln(s.out, p)
		}
		return nil, problems
	}
	return b, err
}

// fitted reads the folder and fits its model, so that the same input gives the
// same output every time.
func (f folderFlags) fitted(ctx context.Context, s *streams) (*knowledge.Base, error) {
	b, err := f.load(s)
	if err != nil {
		return nil, err
	}
	return b.Fit(ctx)
}

type askCmd struct {
	folderFlags
	embeddings
	JSON     bool     `help:"One JSON object a line."`
	Explain  bool     `help:"Say which words met which phrasing, what was corrected, and why the decision."`
	Question []string `arg:"" optional:"" help:"The question. Without one, each line of standard input is a question."`
}

func (c *askCmd) Run(ctx context.Context, s *streams) error {
	base, err := c.fitted(ctx, s)
	if err != nil {
		return err
	}
	if base, err = c.learn(ctx, s, base); err != nil {
		return err
	}
	if len(c.Question) > 0 {
		return c.ask(s, base, strings.Join(c.Question, " "))
	}
	return lines(s.in, func(line string) error { return c.ask(s, base, line) })
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

func (c *askCmd) ask(s *streams, base *knowledge.Base, question string) error {
	question = strings.ToValidUTF8(question, "\uFFFD")
	thought := bot.Think(base, question, bot.DefaultPolicy)
	asked := thought.Report(base, question)
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
		_, err := fmt.Fprintln(w, "\n"+thought.Why(base, bot.DefaultPolicy))
		return err
	}
	return nil
}

type checkCmd struct {
	folderFlags
	JSON    bool   `help:"One JSON object a line."`
	Against string `placeholder:"FILE" help:"List phrasings that nearly copy a question of this test file." type:"path"`
}

func (c *checkCmd) Run(s *streams) error {
	base, err := c.check(s)
	if err != nil {
		return err
	}
	if c.Against != "" {
		rows, err := readRows(c.Against)
		if err != nil {
			return err
		}
		questions := make([]string, len(rows))
		for i, r := range rows {
			questions[i] = r.Question
		}
		return c.print(s, base.Against(questions))
	}
	list := append(base.Warnings(), base.Check(time.Now())...)
	if err := c.print(s, list); err != nil {
		return err
	}
	for _, name := range base.Unset() {
		if !c.JSON {
			fmt.Fprintf(s.out, "local.yaml: warning: %s is used and not set; its default is shown\n", name)
		}
	}
	if !c.JSON {
		fmt.Fprintf(s.out, "%d entries, 0 problems, %d warnings\n", len(base.Entries()), len(list))
	}
	return nil
}

// check loads the folder and prints what keeps it from being used.
func (c *checkCmd) check(s *streams) (*knowledge.Base, error) {
	if !c.JSON {
		return c.load(s)
	}
	quiet := *s
	var text strings.Builder
	quiet.out = &text
	base, err := c.load(&quiet)
	if text.Len() > 0 {
		for line := range strings.Lines(text.String()) {
			if err := json.NewEncoder(s.out).Encode(map[string]string{"problem": strings.TrimSpace(line)}); err != nil {
				return nil, err
			}
		}
	}
	return base, err
}

// print lists problems; any that is not a warning makes the exit code 1.
func (c *checkCmd) print(s *streams, list knowledge.Problems) error {
	var code error
	for _, p := range list {
		if !p.Warning {
			code = problems
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

// row is one labelled question of a test file.
type row struct {
	Question, Expected string
	Facts              []string
	Note               string
}

// readRows reads a file of labelled questions: question, expected, fact_ids and
// note, separated by tabs, under a header line.
func readRows(path string) ([]row, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usage{fmt.Errorf("test file: %w", err)}
	}
	var rows []row
	n := 0
	err = lines(bytes.NewReader(bytes.TrimPrefix(data, []byte("\xEF\xBB\xBF"))), func(line string) error {
		n++
		cells := strings.Split(line, "\t")
		if strings.TrimSpace(line) == "" || n == 1 && cells[0] == "question" {
			return nil
		}
		if len(cells) < 2 {
			return usage{fmt.Errorf("%s:%d:1: a row needs a question and what is expected, with a tab between", path, n)}
		}
		cells = append(cells, "", "")
		x := row{Question: cells[0], Expected: cells[1], Note: cells[3]}
		for f := range strings.SplitSeq(cells[2], ",") {
			if f = strings.TrimSpace(f); f != "" {
				x.Facts = append(x.Facts, f)
			}
		}
		rows = append(rows, x)
		return nil
	})
	return rows, err
}
