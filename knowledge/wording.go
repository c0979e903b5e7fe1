package knowledge

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"canteen/knowledge/text"
)

// Word names a message: its file is wording/NAME.md.
type Word string

// given are the template values that a caller of [Base.Wording] may give. The
// embedded wording may use others too; a folder's own may use these and those.
var given = []string{"Name", "Ref", "Topic", "Question", "Kinds", "Promise", "Hours", "Title", "Reason", "Answer", "Count", "Link"}

// message is one file of wording/.
type message struct {
	text   *template.Template
	values map[string]any // local values, and "" for each that is given
}

// Wording is the message of that name, with what the caller gives over the local
// values. A value that is not given prints as nothing. Of a name without a file the
// result is empty.
func (b *Base) Wording(name Word, with map[string]string) string {
	m, ok := b.wording[name]
	if !ok {
		return ""
	}
	values := m.values
	if len(with) > 0 {
		values = maps.Clone(values)
		for k, v := range with {
			values[k] = v
		}
	}
	var out strings.Builder
	if err := m.text.Execute(&out, values); err != nil {
		return "" // load made sure that the fields are there
	}
	return strings.TrimSpace(out.String())
}

// Translation is the message "language" in a language of its own, or "" where nobody has
// translated it.
func (b *Base) Translation(code string) string { return b.Wording(Word(translationOf+code), nil) }

// Wordings are the names that Wording knows, sorted.
func (b *Base) Wordings() []Word { return sortedKeys(b.wording) }

// embeddedWording has the text of each shipped message.
var embeddedWording = sync.OnceValue(func() map[string]string {
	texts := map[string]string{}
	files, _ := fs.Glob(Embedded, "wording/*.md")
	for _, f := range files {
		if data, err := fs.ReadFile(Embedded, f); err == nil {
			texts[strings.TrimSuffix(path.Base(f), ".md")] = string(data)
		}
	}
	return texts
})

// readWording takes each message from the last folder that has it, or else the embedded
// one. A broken one is replaced by the last good one, or else by that of the folder below
// it.
func (a *assembly) readWording() {
	local := a.local.values()
	shipped := embeddedWording()
	add := func(file, name string, data []byte) {
		p := &reporter{path: file}
		defer func() { a.record(p) }()
		original, known := shipped[name]
		code, translated := strings.CutPrefix(name, translationOf)
		if translated && !slices.Contains(text.Languages(), code) {
			p.add(position{1, 1}, "unknown language %q: the bot can tell these: %s", code, strings.Join(text.Languages(), ", "))
			return
		}
		if !known && !translated {
			p.add(position{1, 1}, "unknown message %q: the bot says nothing of this name", name)
			return
		}
		values := maps.Clone(local)
		for _, w := range append(slices.Clone(given), valuesOf(original)...) {
			if _, ok := values[w]; !ok {
				values[w] = callerValue("")
			}
		}
		lines, ok := p.lines(data, maxEntry)
		if translated && ok {
			if lines, ok = p.checkedBy(lines); !ok {
				return // an earlier version is not used either
			}
		}
		var t *template.Template
		if ok {
			t = p.template(strings.Join(lines, "\n"), position{1, 1}, values, false)
		}
		if t != nil {
			a.wording[Word(name)] = &message{t, values}
		} else if a.last != nil && a.last.wording[Word(name)] != nil {
			a.wording[Word(name)] = a.last.wording[Word(name)]
		}
	}
	for name, text := range shipped {
		add("wording/"+name+".md", name, []byte(text))
	}
	for _, l := range a.layers {
		for _, file := range l.names() {
			if name, ok := strings.CutPrefix(file, "wording/"); ok && l.files[file] != nil {
				add(l.path(file), strings.TrimSuffix(name, ".md"), l.files[file])
			}
		}
	}
}

// translationOf is the prefix of the names of translations of the message "language", such
// as language-pl. One is sent when a text is in that language, and only where checked_by
// in its front matter names a fluent reader.
const translationOf = "language-"

// checkedBy blanks the front matter of a translation, so that the lines below keep their
// numbers. It reports false where that names no reader.
func (p *reporter) checkedBy(lines []string) ([]string, bool) {
	by, n := "", 0
	if len(lines) > 0 && strings.TrimRight(lines[0], " \t") == "---" {
		if end := slices.IndexFunc(lines[1:], func(l string) bool { return strings.TrimRight(l, " \t") == "---" }); end >= 0 {
			y := yamlReader{reporter: p}
			y.read([]byte("\n"+strings.Join(lines[1:end+1], "\n")), func(n *yaml.Node) {
				y.fields(n, map[string]func(*yaml.Node){"checked_by": func(n *yaml.Node) { by = strings.TrimSpace(y.text(n)) }})
			})
			n = end + 2
		}
	}
	if by == "" {
		p.add(position{1, 1}, "this translation is not sent: name who has read it, and is fluent in the language, in a line checked_by between two lines of --- at the top")
		return nil, false
	}
	for _, number := range []string{"999", "111", "116 123"} {
		if !strings.Contains(strings.Join(lines[n:], "\n"), number) {
			p.add(position{n + 1, 1}, "this translation is not sent: it has no %s", number)
			return nil, false
		}
	}
	return append(make([]string, n), lines[n:]...), true
}

// valuesOf are the template values that a shipped message uses.
func valuesOf(text string) []string {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil
	}
	return topFields(t.Tree)
}

// callerValue is a value that the caller of Wording gives: it may be empty at load.
type callerValue string

// expand fills in the template values of an entry's text.
func (p *reporter) expand(text string, start position, values map[string]any) string {
	if !strings.Contains(text, "{{") {
		return text
	}
	t := p.template(text, start, values, true)
	if t == nil {
		return text
	}
	var out strings.Builder
	if err := t.Execute(&out, values); err != nil {
		p.add(start, "template: %v", err)
		return text
	}
	return strings.TrimSpace(out.String())
}

var templateError = regexp.MustCompile(`^template: text:(\d+)(?::\d+)?: (.*)`)

// template parses a text and checks each value it uses; nil when a problem was
// reported. In strict mode, that of entries, a text may hold values, if and
// range, and nothing that could run on.
func (p *reporter) template(text string, start position, values map[string]any, strict bool) *template.Template {
	t, err := template.New("text").Parse(text)
	if err != nil {
		a, message := start, err.Error()
		if m := templateError.FindStringSubmatch(message); m != nil {
			n, _ := strconv.Atoi(m[1])
			lines := strings.Split(text, "\n")
			n = min(max(n, 1), len(lines))
			a = position{start.line + n - 1, 1 + utf8.RuneCountInString(lines[n-1][:max(strings.Index(lines[n-1], "{{"), 0)])}
			if n == 1 {
				a.column += start.column - 1
			}
			message = m[2]
		}
		p.add(a, "template value: %s", message)
		return nil
	}
	if t.Tree == nil || t.Root == nil {
		return t
	}
	before := len(p.problems)
	w := templateCheck{reporter: p, text: text, start: start, root: values, strict: strict}
	w.walk(t.Root, values, nil)
	if len(t.Templates()) > 1 {
		w.add(start, "template value: define and block have no place here")
	}
	if len(p.problems) > before {
		return nil
	}
	return t
}

type templateCheck struct {
	*reporter
	text   string
	start  position
	root   map[string]any
	strict bool
}

// place is where the {{ before a node stands.
func (w *templateCheck) place(n parse.Node) position {
	pos := min(int(n.Position()), len(w.text))
	if i := strings.LastIndex(w.text[:pos], "{{"); i >= 0 {
		pos = i
	}
	before := w.text[:pos]
	a := position{w.start.line + strings.Count(before, "\n"), utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1}
	if a.line == w.start.line {
		a.column += w.start.column - 1
	}
	return a
}

// walk checks a node; dot is the value of the dot there, and guard has the
// fields that an if or with around it has found to be set.
func (w *templateCheck) walk(n parse.Node, dot any, guard []string) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			w.walk(c, dot, guard)
		}
	case *parse.TextNode, *parse.CommentNode:
	case *parse.ActionNode:
		fields := w.fields(n.Pipe, dot)
		if w.strict && (len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 || len(fields) != 1) {
			w.add(w.place(n), "template value: only values such as {{.Comms.Name}} can stand here")
			return
		}
		for _, f := range fields {
			if f.known && isEmpty(f.value) && !slices.Contains(guard, f.name) {
				w.add(w.place(n), "template value %s is nowhere set and has no default: fill it in in local.yaml", f.name)
			}
		}
	case *parse.IfNode:
		fields := w.fields(n.Pipe, dot)
		inside := slices.Clone(guard)
		for _, f := range fields {
			inside = append(inside, f.name)
		}
		w.walk(n.List, dot, inside)
		w.walk(n.ElseList, dot, guard)
	case *parse.WithNode:
		fields := w.fields(n.Pipe, dot)
		if len(fields) == 1 {
			w.walk(n.List, fields[0].value, append(slices.Clone(guard), "."))
		}
		w.walk(n.ElseList, dot, guard)
	case *parse.RangeNode:
		fields := w.fields(n.Pipe, dot)
		lines, ok := any(nil), false
		if len(fields) == 1 && len(n.Pipe.Decl) == 0 {
			if c, is := fields[0].value.(CrisisLines); is && len(c) > 0 {
				lines, ok = c[0], true
			}
		}
		if !ok {
			w.add(w.place(n), "template value: range goes over {{range .Crisis}} only")
			return
		}
		w.walk(n.List, lines, guard)
		w.walk(n.ElseList, dot, guard)
	default:
		w.add(w.place(n), "template value: %s has no place here", n)
	}
}

type field struct {
	name  string
	value any
	known bool
}

// fields are the values that a pipeline uses; unknown ones are reported.
func (w *templateCheck) fields(pipe *parse.PipeNode, dot any) (found []field) {
	if pipe == nil {
		return nil
	}
	use := func(n parse.Node, from any, idents []string) {
		f := field{name: "." + strings.Join(idents, "."), value: from, known: true}
		for _, id := range idents {
			if f.value, f.known = lookUp(f.value, id); !f.known {
				w.add(w.place(n), "template value %s is nowhere set and has no default", f.name)
				break
			}
		}
		found = append(found, f)
	}
	for _, cmd := range pipe.Cmds {
		for _, arg := range cmd.Args {
			switch a := arg.(type) {
			case *parse.FieldNode:
				use(a, dot, a.Ident)
			case *parse.VariableNode:
				if a.Ident[0] != "$" {
					w.add(w.place(a), "template value: variables have no place here")
					continue
				}
				use(a, w.root, a.Ident[1:])
			case *parse.DotNode:
				use(a, dot, nil)
			case *parse.PipeNode:
				found = append(found, w.fields(a, dot)...)
			case *parse.IdentifierNode:
				if w.strict && a.Ident != "and" && a.Ident != "or" && a.Ident != "not" {
					w.add(w.place(a), "template value: %s has no place here", a.Ident)
				}
			case *parse.StringNode, *parse.NumberNode, *parse.BoolNode:
			default:
				w.add(w.place(a), "template value: %s has no place here", a)
			}
		}
	}
	return found
}

// lookUp is a field of a value of local.yaml.
func lookUp(of any, name string) (any, bool) {
	if m, ok := of.(map[string]any); ok {
		v, ok := m[name]
		return v, ok
	}
	v := reflect.ValueOf(of)
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	if f := v.FieldByName(name); f.IsValid() && f.CanInterface() {
		return f.Interface(), true
	}
	return nil, false
}

func isEmpty(v any) bool {
	if _, ok := v.(callerValue); ok {
		return false
	}
	if _, ok := v.(map[string]any); ok {
		return true
	}
	return strings.TrimSpace(fmt.Sprint(v)) == ""
}

// topFields are the first names of all fields that a template uses.
func topFields(tree *parse.Tree) []string {
	var names []string
	if tree == nil || tree.Root == nil {
		return nil
	}
	for _, m := range fieldName.FindAllStringSubmatch(tree.Root.String(), -1) {
		names = append(names, m[1])
	}
	return names
}

var fieldName = regexp.MustCompile(`[{(\s$]\.([A-Z][A-Za-z0-9]*)`)

// usesValue says whether a text has that template value.
func usesValue(text, name string) bool {
	for _, m := range fieldName.FindAllStringSubmatch(text, -1) {
		if m[1] == name {
			return true
		}
	}
	return false
}
