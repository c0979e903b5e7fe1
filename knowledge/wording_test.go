package knowledge

import (
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
