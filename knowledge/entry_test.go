package knowledge

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func parsed(id string, data []byte) (*source, Problems) {
	p := &reporter{}
	return parseEntry(p, nil, id, data), p.problems
}

func TestFormat(t *testing.T) {
	day := time.Date(2027, 5, 31, 0, 0, 0, 0, time.UTC)
	for _, e := range []Entry{
		{ID: "a/b", Title: "A title", Body: "One.\n\n- two\n- three", Phrasings: []string{"who asks?", "- a dash", "* [not](md) `raw`"}},
		{ID: "privacy/who", Title: "Who", Body: "Ask {{.Comms}}.", Since: "Changed.\nTwice.", Phrasings: []string{"x"},
			SeeAlso: []string{"profiles/three-choices", "one"}, Facts: []string{"F14", "F15"}, Source: "quick-guide-2014, Your profiles", ReviewBy: day},
		{ID: "lanes/crisis", Title: "Help", Body: "Call.", Phrasings: []string{"help"}, Route: Private, Handoff: true},
		{ID: "x", Title: "Gone", Phrasings: []string{"x"}, Retired: true, Source: "a: colon # and 'quotes' \"both\""},
		{ID: "x", Title: "yes", Body: "\\# not a title\n### deeper is text", Phrasings: []string{"x"}, Source: "true"},
	} {
		data := Format(e)
		s, problems := parsed(e.ID, data)
		if problems != nil {
			t.Errorf("%s: %v\n%s", e.ID, problems, data)
		}
		if !reflect.DeepEqual(s.Entry, e) {
			t.Errorf("read back\n%+v\nwant\n%+v\nfile\n%s", s.Entry, e, data)
		}
	}
}

func TestFormatKeepsTextFromBecomingStructure(t *testing.T) {
	e := Entry{ID: "x", Title: "# T #", Body: "# a\n ## Asked as\n- b\n##Cues\n#wenurses is a chat\u0000", Since: "## See also", Phrasings: []string{"one\ntwo", " ", "a\tb\r\n"}}
	s, problems := parsed("x", Format(e))
	if problems != nil {
		t.Fatal(problems)
	}
	want := Entry{ID: "x", Title: "# T", Body: "\\# a\n \\## Asked as\n- b\n\\##Cues\n#wenurses is a chat", Since: "\\## See also", Phrasings: []string{"one two", "a b"}}
	if !reflect.DeepEqual(s.Entry, want) {
		t.Errorf("got %#v", s.Entry)
	}
}

func TestLane(t *testing.T) {
	for want, e := range map[string]Entry{
		"crisis-self": {ID: "lanes/crisis-self", Route: Private},
		"media":       {ID: "lanes/media", Route: Urgent},
		"":            {ID: "lanes/media", Route: Comms},
	} {
		if got := e.Lane(); got != want {
			t.Errorf("%+v: %q", e, got)
		}
	}
}

// FuzzEntry holds the parser to its promises: it never fails, its problems
// have a place in the file, and what loads is the same after Format.
func FuzzEntry(f *testing.F) {
	f.Add([]byte("---\nfacts: [F14]\nroute: private\nreview_by: 2027-01-02\n---\n# T\n\nB {{.Comms}}\n\n## Since then\ns\n\n## Asked as\n- a\n\n## See also\n- [x](y.md)\n\n## Cues\n- a b*\n- /x+/\n"))
	f.Add([]byte("\ufeff# T\r\n\r\nB\r\n## Asked as\r\n* a\r\n"))
	f.Add([]byte("## Asked as\n- a\n# T\n"))
	f.Add([]byte("---\nsource: &a [*a]\n---\n# #\n#\n## \n##Cues"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, problems := parsed("a/b", data)
		lines := strings.Count(string(data), "\n") + 1
		failed := false
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("%+v in %d lines", p, lines)
			}
			failed = failed || !p.Warning
		}
		Load(fstest.MapFS{"faq/a/b.md": {Data: data}})
		if failed {
			return
		}
		once := Format(s.Entry)
		again, problems := parsed("a/b", once)
		for _, p := range problems {
			if !p.Warning {
				t.Fatalf("%v\n%q\n%q", p, data, once)
			}
		}
		if twice := Format(again.Entry); string(twice) != string(once) {
			t.Fatalf("not settled:\n%q\n%q", once, twice)
		}
		if len(again.Phrasings) != len(s.Phrasings) || again.Route != s.Route || !reflect.DeepEqual(again.SeeAlso, s.SeeAlso) || !again.ReviewBy.Equal(s.ReviewBy) {
			t.Fatalf("read back\n%+v\nwas\n%+v", again.Entry, s.Entry)
		}
	})
}

// FuzzFormat holds Format to giving a file that loads as the same entry.
func FuzzFormat(f *testing.F) {
	f.Add("Title", "Body", "Since", "asked", "source", "F14")
	f.Add("# x #", "## Asked as\n---", "- a", "- b", "a: b #c", "F,]")
	f.Fuzz(func(t *testing.T, title, body, since, asked, source, fact string) {
		e := Entry{ID: "a/b", Title: title, Body: body, Since: since, Phrasings: []string{asked}, Source: source}
		if fact != "" {
			e.Facts = []string{fact}
		}
		data := Format(e)
		s, problems := parsed("a/b", data)
		blank := oneLine(asked) == "" || s.Title == "" || s.Body == ""
		// Comments, HTML, tables and merge conflicts are refused on purpose.
		blank = blank || strings.ContainsAny(body+since, "<|>")
		if problems != nil && !blank && len(data) < maxEntry {
			t.Fatalf("%v\n%q", problems, data)
		}
		if blank || problems != nil {
			return
		}
		if s.Phrasings[0] != oneLine(asked) || s.Source != oneLine(source) || s.Since != textBlock(since) || s.Body != textBlock(body) {
			t.Fatalf("%q read back as %+v", data, s.Entry)
		}
	})
}
