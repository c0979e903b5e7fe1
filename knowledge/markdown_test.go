package knowledge

import (
	"testing"

	"github.com/yuin/goldmark/ast"
)

func TestParseMarkdown(t *testing.T) {
	doc, src := ParseMarkdown("One <b>two</b> [three](https://x.example) www.y.example\n\n<div>four</div>\n\n- *five*\n")
	kinds := map[ast.NodeKind]int{}
	ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if enter {
			kinds[n.Kind()]++
		}
		return ast.WalkContinue, nil
	})
	if kinds[ast.KindHTMLBlock]+kinds[ast.KindRawHTML] > 0 {
		t.Error("HTML was read as such")
	}
	if kinds[ast.KindLink] != 1 || kinds[ast.KindAutoLink] != 0 || kinds[ast.KindEmphasis] != 1 || kinds[ast.KindListItem] != 1 {
		t.Errorf("%v", kinds)
	}
	if got, want := plainText(doc.FirstChild(), src), "One <b>two</b> three www.y.example"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
