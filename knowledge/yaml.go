package knowledge

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// yamlReader walks a YAML file by its nodes: unlike decoding into a struct it
// reports every problem, duplicate keys too, in one pass and in plain words.
type yamlReader struct{ *reporter }

// read calls f with the document, unless the file is empty.
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
				y.add(errorPosition(e), "%s", explainYAML(e.Message))
			}
		case errors.As(err, &one):
			y.add(errorPosition(one), "%s", explainYAML(one.Message))
		default:
			y.add(position{1, 1}, "%v", err)
		}
		return
	}
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		f(doc.Content[0])
	}
}

// explainYAML rewords an error of the YAML library for people who do not know YAML.
func explainYAML(message string) string {
	for _, s := range []struct{ said, plain string }{
		{"mapping values are not allowed", `a second colon in this line, or a line further in than the one above: write "key: value", and put a value that has a colon in double quotes`},
		{"found a tab", "a tab at the start of the line: use spaces"},
		{"cannot start any token", "a value cannot start with this character: put it in double quotes"},
		{"unexpected end of stream", "a quote is opened here and not closed"},
		{"expected ',' or ']'", "a list is opened here with [ and not closed with ]"},
		{"expected ',' or '}'", "a bracket { is opened here and not closed with }"},
		{"did not find expected key", `one of the lines from here on is no "key: value": look for a quote in the middle, or a line that starts further in`},
		{"expected '-' indicator", "a list from here on goes on without its dashes"},
		{"unknown anchor", "a value cannot start with *: put it in double quotes"},
		{"block sequence entries", "a dash after a colon: write the list on the next lines, or as [one, two]"},
	} {
		if strings.Contains(message, s.said) {
			return s.plain
		}
	}
	return "this cannot be read: " + message
}

func errorPosition(e *yaml.LoadError) position {
	return position{max(e.Mark.Line, 1), max(e.Mark.Column, 1)}
}

func positionOf(n *yaml.Node) position { return position{n.Line, n.Column} }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// fields calls the function of each key of a mapping.
func (y yamlReader) fields(n *yaml.Node, known map[string]func(*yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		y.add(positionOf(n), "expected lines of \"key: value\"")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		f, ok := known[k.Value]
		switch line := seen[k.Value]; {
		case !ok || k.Kind != yaml.ScalarNode:
			y.add(positionOf(k), "unknown key %q: the keys are %s", k.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case line > 0:
			y.add(positionOf(k), "key %q is there twice, first on line %d", k.Value, line)
		default:
			seen[k.Value] = k.Line
			f(v)
		}
	}
}

// each calls f for each item of a list.
func (y yamlReader) each(n *yaml.Node, f func(*yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		y.add(positionOf(n), "expected a list, such as [one, two]")
		return
	}
	for _, c := range n.Content {
		f(c)
	}
}

func (y yamlReader) text(n *yaml.Node) string {
	if isNull(n) {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		y.add(positionOf(n), "expected plain text")
		return ""
	}
	// "# a note" is a comment; in "Policy #12" somebody meant the number.
	if c := n.LineComment; len(c) > 1 && c[0] == '#' && c[1] != ' ' && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		y.add(positionOf(n), "the text stops before %q: put all of it in double quotes", c)
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
	y.add(positionOf(n), "expected true or false")
	return false
}

func (y yamlReader) date(n *yaml.Node) time.Time {
	t := y.text(n)
	if t == "" {
		return time.Time{}
	}
	d, err := time.Parse(time.DateOnly, t)
	if err != nil {
		y.add(positionOf(n), "%q is not a date: use the form 2027-05-31", t)
	}
	return d
}
