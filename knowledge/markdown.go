package knowledge

import (
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown knows CommonMark without HTML: a tag is text like any other. Bare
// addresses are no links, because entries name old ones as text.
var markdown = parser.NewParser(
	parser.WithBlockParsers(without(parser.DefaultBlockParsers(), parser.NewHTMLBlockParser())...),
	parser.WithInlineParsers(without(parser.DefaultInlineParsers(), parser.NewRawHTMLParser())...),
	parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
)

// anyMarkdown parses HTML too, so that it can be reported.
var anyMarkdown = parser.NewParser(
	parser.WithBlockParsers(parser.DefaultBlockParsers()...),
	parser.WithInlineParsers(parser.DefaultInlineParsers()...),
	parser.WithParagraphTransformers(parser.DefaultParagraphTransformers()...),
)

// ParseMarkdown is the one reading of Markdown that every renderer starts
// from. Nodes refer to the bytes that it returns.
func ParseMarkdown(md string) (ast.Node, []byte) {
	source := []byte(md)
	return markdown.Parse(text.NewReader(source)), source
}

func without(from []util.PrioritizedValue, gone any) (kept []util.PrioritizedValue) {
	for _, v := range from {
		if v.Value != gone {
			kept = append(kept, v)
		}
	}
	return kept
}
