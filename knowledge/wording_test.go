package knowledge

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWording(t *testing.T) {
	f := folder("a")
	f["wording/holding.md"] = &fstest.MapFile{Data: []byte("\ufeff{{if .Name}}{{.Name}}, ask{{else}}Ask{{end}} {{.Comms}}.\r\n{{with .Switchboard}}Or {{.Name}}{{if .Phone}} on {{.Phone}}{{end}}.{{end}}\r\n{{range .Crisis}}{{.Nation}};{{end}}{{.Hours}}\r\n\r\n")}
	f["local.yaml"] = &fstest.MapFile{Data: []byte("switchboard: {phone: 0}\ncrisis: [{nation: England, line: x}, {nation: Wales, line: y}]\n")}
	b := load(t, f)
	for _, c := range []struct {
		words map[string]string
		want  string
	}{
		{nil, "Ask the communications team.\nOr your switchboard on 0.\nEngland;Wales;Monday to Friday, 9am to 5pm"},
		{map[string]string{"Name": "Jo <b>", "Hours": "at noon", "Unknown": "x"}, "Jo <b>, ask the communications team.\nOr your switchboard on 0.\nEngland;Wales;at noon"},
	} {
		if got := b.Wording("holding", c.words); got != c.want {
			t.Errorf("%v: %q, want %q", c.words, got, c.want)
		}
	}
	if got := b.Wording("no such message", nil); got != "" {
		t.Errorf("an unknown message says %q", got)
	}
}

// A translation is sent when somebody is named who has checked it, and has the numbers.
func TestTranslation(t *testing.T) {
	const body = "999, 111, 116 123. Po angielsku, albo {{.Comms.Name}}.\n"
	for name, c := range map[string]struct{ file, data, want, problem string }{
		"checked":            {"language-pl.md", "---\nchecked_by: the interpreting service\n---\n" + body, "999, 111, 116 123. Po angielsku, albo the communications team.", ""},
		"by nobody":          {"language-pl.md", body, "", "name who has read it"},
		"by an empty name":   {"language-pl.md", "---\nchecked_by: \"\"\n---\n" + body, "", "name who has read it"},
		"without end":        {"language-pl.md", "---\nchecked_by: x\n" + body, "", "name who has read it"},
		"without a number":   {"language-pl.md", "---\nchecked_by: x\n---\nCall 999 or 111.\n", "", "it has no 116 123"},
		"of no language":     {"language-xx.md", body, "", "unknown language"},
		"with a wrong value": {"language-pl.md", "---\nchecked_by: x\n---\n" + body + "{{.Nobody}}\n", "", ":5:1: template value .Nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			f := folder("a")
			f["wording/"+c.file] = &fstest.MapFile{Data: []byte(c.data)}
			b, err := Load(f)
			if got := b.Wording(Word(strings.TrimSuffix(c.file, ".md")), nil); got != c.want {
				t.Errorf("says %q, want %q", got, c.want)
			}
			if said := fmt.Sprint(err); !strings.Contains(said, c.problem) || (c.problem == "") != (err == nil) {
				t.Errorf("problems %q, want %q", said, c.problem)
			}
		})
	}
}

// Every shipped message reads without a caller's words, and says something.
func TestEmbeddedWording(t *testing.T) {
	b := load(t, folder("a"))
	if len(b.Wordings()) == 0 {
		t.Fatal("no messages")
	}
	for _, name := range b.Wordings() {
		if got := b.Wording(name, nil); got == "" {
			t.Errorf("%s says nothing", name)
		}
	}
}
