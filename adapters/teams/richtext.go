package teams

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"

	"canteen/knowledge"
)

// style is the style of a text.
type style struct {
	bold, italic, mono, subtle, small, wrong, struck bool
	link                                             string
}

// run is a TextRun. It is never read as Markdown, so nothing in it can format, link or
// mention.
func (l style) run(s string) card {
	r := card{"type": "TextRun", "text": s}
	set := func(on bool, key string, value any) {
		if on {
			r[key] = value
		}
	}
	set(l.bold, "weight", "Bolder")
	set(l.italic, "italic", true)
	set(l.mono, "fontType", "Monospace")
	set(l.subtle, "isSubtle", true)
	set(l.small, "size", "Small")
	set(l.wrong, "color", "Attention")
	set(l.struck, "strikethrough", true)
	if l.link != "" {
		r["selectAction"] = card{"type": "Action.OpenUrl", "url": l.link}
	}
	return r
}

func textBlock(s string, l style) card {
	return card{"type": "RichTextBlock", "inlines": []any{l.run(s)}}
}

// heading is a title. Only a TextBlock can be a heading for a screen reader; as that is
// read as Markdown, the title is escaped.
func heading(s string) card {
	return card{"type": "TextBlock", "text": escape(s), "style": "heading", "weight": "Bolder", "size": "Medium", "wrap": true}
}

// plainLines are a plain text's lines.
func plainLines(s string, l style) []any {
	var items []any
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, textBlock(line, l))
		}
	}
	return items
}

var (
	special   = regexp.MustCompile("[\\\\*\\[\\]`~<]|_")
	lineStart = regexp.MustCompile(`(?m)^(\s*)([#>+-]|\d+[.)])(\s)`)
)

// escape escapes a plain text for where Markdown is read.
func escape(s string) string {
	s = special.ReplaceAllStringFunc(s, func(m string) string { return `\` + m })
	s = lineStart.ReplaceAllStringFunc(s, func(m string) string {
		i := strings.IndexFunc(m, func(r rune) bool { return r == '#' || r == '>' || r == '+' || r == '-' || r == '.' || r == ')' })
		return m[:i] + `\` + m[i:]
	})
	return strings.ReplaceAll(s, "{{", "{\u200b{") // otherwise the start of a date function
}

// richText renders Markdown as text blocks.
func richText(md string, l style) []any {
	if strings.TrimSpace(md) == "" {
		return nil
	}
	doc, source := knowledge.ParseMarkdown(md)
	r := renderer{source: source}
	r.blocks(doc, l, 0)
	return r.out
}

type renderer struct {
	source []byte
	out    []any
}

func (r *renderer) blocks(parent ast.Node, l style, depth int) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		r.block(n, l, depth, "")
	}
}

// block renders one block at a depth of nested lists, after a list item's mark.
func (r *renderer) block(n ast.Node, l style, depth int, mark string) {
	lead := strings.Repeat("\u00a0\u00a0\u00a0", depth) + mark
	switch n := n.(type) {
	case *ast.List:
		r.list(n, l, depth)
	case *ast.Blockquote:
		quoted := renderer{source: r.source}
		quoted.blocks(n, l, 0)
		r.out = append(r.out, card{"type": "Container", "style": "emphasis", "items": append([]any{}, quoted.out...)})
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		l.mono = true
		lines := n.Lines()
		for i := range lines.Len() {
			segment := lines.At(i)
			r.out = append(r.out, textBlock(lead+strings.TrimRight(string(segment.Value(r.source)), "\n"), l))
		}
	case *ast.ThematicBreak:
		r.out = append(r.out, card{"type": "RichTextBlock", "inlines": []any{l.run(" ")}, "separator": true})
	default:
		if n.Kind() == ast.KindHeading {
			l.bold = true
		}
		inlines := r.inlines(n, l)
		if lead != "" {
			inlines = append([]any{l.run(lead)}, inlines...)
		}
		if len(inlines) > 0 {
			r.out = append(r.out, card{"type": "RichTextBlock", "inlines": inlines})
		}
	}
}

func (r *renderer) list(list *ast.List, l style, depth int) {
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "• "
		if list.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		for n := item.FirstChild(); n != nil; n = n.NextSibling() {
			if n == item.FirstChild() {
				r.block(n, l, depth, mark)
			} else {
				r.block(n, l, depth+1, "")
			}
		}
	}
}

// inlines are a paragraph's runs. Neighbours of the same style are joined.
func (r *renderer) inlines(n ast.Node, l style) []any {
	var runs []piece
	r.collect(n, l, &runs)
	var out []any
	for i := 0; i < len(runs); {
		j, s := i, ""
		for ; j < len(runs) && runs[j].style == runs[i].style; j++ {
			s += runs[j].text
		}
		if s != "" {
			out = append(out, runs[i].style.run(s))
		}
		i = j
	}
	return out
}

type piece struct {
	text  string
	style style
}

func (r *renderer) collect(parent ast.Node, l style, runs *[]piece) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		in := l
		switch n := n.(type) {
		case *ast.Text:
			s := string(n.Segment.Value(r.source))
			if !n.IsRaw() {
				s = unescape(s)
			}
			if n.HardLineBreak() {
				s += "\n"
			} else if n.SoftLineBreak() {
				s += " "
			}
			*runs = append(*runs, piece{s, l})
		case *ast.String:
			*runs = append(*runs, piece{string(n.Value), l})
		case *ast.CodeSpan:
			in.mono = true
			r.collect(n, in, runs)
		case *ast.Emphasis:
			if n.Level > 1 {
				in.bold = true
			} else {
				in.italic = true
			}
			r.collect(n, in, runs)
		case *ast.Link:
			in.link = safeLink(string(n.Destination))
			r.collect(n, in, runs)
		case *ast.AutoLink:
			in.link = safeLink(string(n.URL(r.source)))
			*runs = append(*runs, piece{string(n.Label(r.source)), in})
		case *ast.Image:
			r.collect(n, l, runs) // its description
		default:
			r.collect(n, l, runs)
		}
	}
}

// safeLink is an address that may be opened, or "".
func safeLink(s string) string {
	lower := strings.ToLower(s)
	for _, scheme := range []string{"https://", "http://", "mailto:", "tel:"} {
		if strings.HasPrefix(lower, scheme) {
			return s
		}
	}
	return ""
}

// markdownText is the text of Markdown, for where nothing can be formatted.
func markdownText(md string) string {
	if md == "" {
		return ""
	}
	doc, source := knowledge.ParseMarkdown(md)
	r := renderer{source: source}
	var lines []string
	var walk func(ast.Node)
	walk = func(parent ast.Node) {
		for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
			if n.Type() == ast.TypeBlock && n.HasChildren() && n.FirstChild().Type() == ast.TypeBlock {
				walk(n)
				continue
			}
			var runs []piece
			r.collect(n, style{}, &runs)
			s := ""
			for _, x := range runs {
				s += x.text
			}
			if s = strings.TrimSpace(s); s != "" {
				lines = append(lines, s)
			}
		}
	}
	walk(doc)
	return strings.Join(lines, "\n")
}

// unescape resolves backslash escapes and entity references. An escaped & starts no
// reference.
func unescape(s string) string {
	out, from := make([]byte, 0, len(s)), 0
	flush := func(to int) {
		out = append(out, util.ResolveEntityNames(util.ResolveNumericReferences([]byte(s[from:to])))...)
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' && util.IsPunct(s[i+1]) {
			flush(i)
			out = append(out, s[i+1])
			i++
			from = i + 1
		}
	}
	flush(len(s))
	return string(out)
}
