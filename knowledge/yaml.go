package knowledge

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// reporter gathers the problems of one file.
type reporter struct {
	path     string
	problems Problems
}

func (p *reporter) add(a at, format string, args ...any) {
	p.problems = append(p.problems, Problem{Path: p.path, Line: a.line, Column: a.column, Message: fmt.Sprintf(format, args...)})
}

func (p *reporter) warn(a at, format string, args ...any) {
	p.add(a, format, args...)
	p.problems[len(p.problems)-1].Warning = true
}

// lines is the text of a file, without a byte order mark and with either line
// ending; false when it is no text of a sensible size.
func (p *reporter) lines(data []byte, limit int) ([]string, bool) {
	if len(data) > limit {
		p.add(at{1, 1}, "the file has %d bytes; the limit is %d", len(data), limit)
		return nil, false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	lines := strings.Split(string(data), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
		for j := 0; j < len(l); {
			r, n := utf8.DecodeRuneInString(l[j:])
			if r == utf8.RuneError && n == 1 {
				p.add(at{i + 1, utf8.RuneCountInString(l[:j]) + 1}, "not text in UTF-8: save the file with this encoding")
				return nil, false
			}
			if r == 0 {
				p.add(at{i + 1, utf8.RuneCountInString(l[:j]) + 1}, "a NUL character: this is no text file")
				return nil, false
			}
			j += n
		}
	}
	return lines, true
}

// yamlReader walks a YAML file by its nodes: unlike decoding into a struct it
// reports every problem, duplicate keys too, in one pass and in plain words.
type yamlReader struct{ *reporter }

// read gives the document to f, unless there is none.
func (y yamlReader) read(data []byte, f func(*yaml.Node)) {
	if len(bytes.TrimSpace(data)) == 0 {
		return
	}
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		var one *yaml.LoadError
		var many *yaml.LoadErrors
		switch {
		case errors.As(err, &many):
			for _, e := range many.Errors {
				if strings.Contains(e.Message, "no documents") {
					continue
				}
				y.add(yamlPlace(e), "%s", e.Message)
			}
		case errors.As(err, &one):
			y.add(yamlPlace(one), "%s", one.Message)
		default:
			y.add(at{1, 1}, "%v", err)
		}
		return
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		f(doc.Content[0])
	}
}

func yamlPlace(e *yaml.LoadError) at {
	return at{max(e.Mark.Line, 1), max(e.Mark.Column, 1)}
}

func place(n *yaml.Node) at { return at{n.Line, n.Column} }

func none(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// fields calls the function of each key of a mapping.
func (y yamlReader) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if none(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		y.add(place(n), "lines of \"key: value\" are wanted here")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		f, ok := known[k.Value]
		switch line := seen[k.Value]; {
		case !ok || k.Kind != yaml.ScalarNode:
			y.add(place(k), "unknown key %q: the keys are %s", k.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case line > 0:
			y.add(place(k), "key %q stands twice, first on line %d", k.Value, line)
		default:
			seen[k.Value] = k.Line
			f(v)
		}
	}
}

// each calls f for each item of a list.
func (y yamlReader) each(n *yaml.Node, f func(*yaml.Node)) {
	if none(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		y.add(place(n), "a list is wanted here, such as [one, two]")
		return
	}
	for _, c := range n.Content {
		f(c)
	}
}

func (y yamlReader) text(n *yaml.Node) string {
	if none(n) {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		y.add(place(n), "plain text is wanted here")
		return ""
	}
	return strings.TrimSpace(n.Value)
}

func (y yamlReader) texts(n *yaml.Node) (out []string) {
	y.each(n, func(n *yaml.Node) {
		if t := y.text(n); t != "" {
			out = append(out, t)
		}
	})
	return out
}

func (y yamlReader) flag(n *yaml.Node) bool {
	switch strings.ToLower(y.text(n)) {
	case "true", "yes":
		return true
	case "false", "no", "":
		return false
	}
	y.add(place(n), "true or false is wanted here")
	return false
}

func (y yamlReader) date(n *yaml.Node) time.Time {
	t := y.text(n)
	if t == "" {
		return time.Time{}
	}
	d, err := time.Parse(time.DateOnly, t)
	if err != nil {
		y.add(place(n), "%q is no date: write it as 2027-05-31", t)
	}
	return d
}
