package bot

import (
	"strings"
	"testing"

	"canteen/knowledge"
)

// What comms type stands as they typed it, whatever they know of Markdown.
func TestAsMarkdown(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"Yes.\nSecond line", "Yes.  \nSecond line"},
		{"Yes.\n\nAnother paragraph", "Yes.\n\nAnother paragraph"},
		{"Two things:\n• three\n• four\nThat is all", "Two things:\n- three\n- four\n\nThat is all"},
		{"1. one\n2. two", "1. one\n2. two"},
		{"– a dash first", "- a dash first"},
		{"See https://intranet.example/form_a.", "See <https://intranet.example/form_a>."},
		{"(https://a.example/b?c=1&d=2)", "(<https://a.example/b?c=1&d=2>)"},
		{"[here](https://a.example) and <https://b.example>", "[here](https://a.example) and <https://b.example>"},
		{"www.a.example, javascript:alert(1)", "www.a.example, javascript:alert(1)"},
		{"```\na\nhttps://b.example\n```", "```\na\nhttps://b.example\n```"},
		{"**bold** and _it_", "**bold** and _it_"},
		{"", ""},
	} {
		got := asMarkdown(c.typed)
		if got != c.want {
			t.Errorf("%q became %q, want %q", c.typed, got, c.want)
		}
		if again := asMarkdown(got); again != got && !strings.Contains(got, "  \n") {
			t.Errorf("%q became %q the second time", got, again)
		}
		knowledge.ParseMarkdown(got)
	}
}
