package knowledge

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what the folders in testdata give into their want sections")

// files reads an archive in which overlay/ stands for a second folder.
func files(archive *txtar.Archive) (base, overlay fstest.MapFS) {
	base, overlay = fstest.MapFS{}, fstest.MapFS{}
	for _, f := range archive.Files {
		if name, ok := strings.CutPrefix(f.Name, "overlay/"); ok {
			overlay[name] = &fstest.MapFile{Data: f.Data}
		} else {
			base[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	return base, overlay
}

func TestFolders(t *testing.T) {
	names, err := filepath.Glob("testdata/folders/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no folders", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			last := &archive.Files[len(archive.Files)-1]
			if last.Name != "want" {
				t.Fatal("the last file is no want section")
			}
			base, overlay := files(&txtar.Archive{Files: archive.Files[:len(archive.Files)-1]})
			var overlays []fs.FS
			if len(overlay) > 0 {
				overlays = append(overlays, overlay)
			}
			var got strings.Builder
			b, err := Load(base, overlays...)
			if err != nil {
				fmt.Fprintln(&got, err)
			}
			if b != nil {
				for _, w := range b.Warnings() {
					fmt.Fprintln(&got, w)
				}
				for _, e := range b.Entries() {
					fmt.Fprintf(&got, "entry %s %q, asked as %.60q\n", e.ID, e.Title, strings.Join(e.AskedAs(), "|"))
				}
			}
			if *update {
				last.Data = []byte(got.String())
				if err := os.WriteFile(name, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(last.Data); got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want)
			}
		})
	}
}

// folder is a file system of entries that need no more than a name.
func folder(entries ...string) fstest.MapFS {
	f := fstest.MapFS{}
	for _, e := range entries {
		f["faq/"+e+".md"] = &fstest.MapFile{Data: entryFile(e)}
	}
	return f
}

func entryFile(name string) []byte {
	return fmt.Appendf(nil, "# The title of %s\n\nThe answer of %[1]s.\n\n## Asked as\n- how is %[1]s\n- tell me of %[1]s\n- %[1]s\n", name)
}

func load(t *testing.T, f fs.FS, overlays ...fs.FS) *Base {
	t.Helper()
	b, err := Load(f, overlays...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEmbedded(t *testing.T) {
	b := load(t, Embedded)
	for _, w := range b.Warnings() {
		t.Error(w)
	}
	carried := map[string]bool{}
	for _, e := range b.Entries() {
		for _, f := range e.Facts {
			carried[f] = true
		}
		if strings.Contains(e.Body+e.Since+e.Title, "{{") {
			t.Errorf("%s: a template value is left", e.ID)
		}
	}
	if n := len(b.Facts()); n != 65 {
		t.Errorf("%d facts, want 65", n)
	}
	for _, f := range b.Facts() {
		if !carried[f.ID] {
			t.Errorf("no entry carries %s (%s)", f.ID, f.Concept)
		}
		if f.Words == "" {
			t.Errorf("%s has no words", f.ID)
		}
	}
}

func TestBase(t *testing.T) {
	f := folder("b/two", "a/one")
	f["faq/b/three.md"] = &fstest.MapFile{Data: []byte("---\nroute: comms\n---\n# Three\n\nAsk {{.Comms}} or {{.Comms.Name}}.\n\n## Asked as\n- three\n")}
	b := load(t, f)
	var ids []string
	for _, e := range b.Entries() {
		ids = append(ids, e.ID)
	}
	if want := []string{"a/one", "b/three", "b/two"}; !slices.Equal(ids, want) {
		t.Errorf("entries %q, want %q", ids, want)
	}
	e, ok := b.Entry("b/three")
	if want := "Ask the communications team or the communications team."; !ok || e.Body != want {
		t.Errorf("body %q, want %q", e.Body, want)
	}
	d, ok := b.Draft("b/three")
	if want := "Ask {{.Comms}} or {{.Comms.Name}}."; !ok || d.Body != want {
		t.Errorf("draft %q, want %q", d.Body, want)
	}
	docs := b.Documents()
	if docs[1].ID != "b/three" || docs[1].Covered || !docs[0].Covered {
		t.Errorf("documents %+v", docs)
	}
	if r := b.Index().Rank("how is a/one", 1); len(r.Candidates) != 1 || r.Candidates[0].ID != "a/one" {
		t.Errorf("ranked %+v", r)
	}
	if b.Hash() != load(t, f).Hash() || b.Hash() == load(t, folder("a/one")).Hash() {
		t.Error("the hash does not tell contents apart")
	}
}

func TestEncodings(t *testing.T) {
	plain := entryFile("x")
	for name, data := range map[string][]byte{
		"byte order mark": append([]byte("\ufeff"), plain...),
		"CRLF":            bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")),
		"no last newline": bytes.TrimRight(plain, "\n"),
		"front matter":    append([]byte("\ufeff---\r\nfacts: [F01]\r\n---\r\n"), bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n"))...),
	} {
		b := load(t, fstest.MapFS{"faq/x.md": {Data: data}})
		e, _ := b.Entry("x")
		if e.Title != "The title of x" || e.Body != "The answer of x." || !slices.Equal(e.Phrasings, []string{"how is x", "tell me of x", "x"}) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"Latin-1": {[]byte("# Caf\xe9\n"), "faq/x.md:1:6: not text in UTF-8: save the file with this encoding"},
		"NUL":     {[]byte("# A\x00\n"), "faq/x.md:1:4: a NUL character: this is no text file"},
		"large":   {bytes.Repeat([]byte("x"), maxEntry+1), "faq/x.md:1:1: the file has 262145 bytes; the limit is 262144"},
	} {
		_, err := Load(fstest.MapFS{"faq/x.md": {Data: c.data}, "faq/y.md": {Data: plain}})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestNoFolder(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		fsys fs.FS
		want string
	}{
		"missing":  {Dir(filepath.Join(dir, "none")), filepath.Join(dir, "none") + ":1:1: the folder cannot be read: no such file or directory"},
		"empty":    {Dir(dir), filepath.Join(dir, "faq") + ":1:1: there are no entries here: a folder holds faq/<topic>/<entry>.md"},
		"too many": {many(maxEntries + 1), fmt.Sprintf("faq/n/%d.md:1:1: more than 5000 entries in one folder: the rest is left out", maxEntries+1000)},
	} {
		_, err := Load(c.fsys)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := Load(folder("a"), Dir(dir)); err != nil {
		t.Errorf("an empty overlay: %v", err)
	}
}

func many(n int) fstest.MapFS {
	f := fstest.MapFS{}
	for i := range n {
		id := fmt.Sprintf("n/%d", i+1000)
		f["faq/"+id+".md"] = &fstest.MapFile{Data: entryFile(id)}
	}
	return f
}

func TestLinks(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "..data", "faq", "a")
	must(t, os.MkdirAll(real, 0o755))
	must(t, os.WriteFile(filepath.Join(real, "one.md"), entryFile("one"), 0o644))
	must(t, os.Symlink(filepath.Join("..data", "faq"), filepath.Join(dir, "faq")))
	b := load(t, Dir(dir))
	e, ok := b.Entry("a/one")
	if want := filepath.Join(dir, "faq/a/one.md"); !ok || e.File != want {
		t.Errorf("read %+v, want it from %s", e, want)
	}
	must(t, os.Symlink("..", filepath.Join(real, "loop")))
	must(t, os.Symlink("nowhere", filepath.Join(real, "dangling.md")))
	_, err := Load(Dir(dir))
	want := filepath.Join(dir, "faq/a/dangling.md") + ":1:1: cannot be read: no such file or directory\n" +
		filepath.Join(dir, "faq/a/loop") + ":1:1: this folder contains itself, or is nested too deeply"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOverlayOfSettings(t *testing.T) {
	base := folder("a")
	base["local.yaml"] = &fstest.MapFile{Data: []byte("comms: the press office\nhr: {phone: 1}\n")}
	base["wording/holding.md"] = &fstest.MapFile{Data: []byte("Base {{.Ref}}.")}
	over := fstest.MapFS{
		"local.yaml":         {Data: []byte("hr: {name: people services}\n")},
		"wording/clarify.md": {Data: []byte("Which one?\n")},
		"facts.tsv":          {Data: []byte("L1\tours\tOur own\n")},
		"faq/b.md":           {Data: []byte("---\nfacts: [L1, F01]\n---\n" + string(entryFile("b")))},
	}
	b := load(t, base, over)
	if l := b.Local(); l.Comms.Name != "the press office" || l.HR != (Contact{Name: "people services", Phone: "1"}) {
		t.Errorf("local %+v", l)
	}
	for name, want := range map[Word]string{"holding": "Base C-1.", "clarify": "Which one?"} {
		if got := b.Wording(name, map[string]string{"Ref": "C-1"}); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestProblemsAreAnError(t *testing.T) {
	_, err := Load(fstest.MapFS{"faq/x.md": {Data: []byte("# x\n")}})
	ps, ok := errors.AsType[Problems](err)
	if !ok || len(ps) != 2 {
		t.Fatalf("%T %v", err, err)
	}
	if ps[0].Path != "faq/x.md" || ps[0].Line != 1 || ps[0].Warning {
		t.Errorf("%+v", ps[0])
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, f := range []struct {
		name string
		fsys fs.FS
	}{{"shipped", Embedded}, {"150x100", wide(150, 100)}} {
		b.Run(f.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(f.fsys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// wide is a folder of n entries with m phrasings of eight words each.
func wide(n, m int) fstest.MapFS {
	f := fstest.MapFS{}
	seed := uint32(1)
	for i := range n {
		e := Entry{ID: fmt.Sprintf("n/%d", i), Title: fmt.Sprintf("Class %d", i), Body: "The answer."}
		for j := range m {
			words := []string{fmt.Sprintf("q%dx%d", i, j)}
			for range 7 {
				seed = seed*1664525 + 1013904223
				words = append(words, fmt.Sprintf("word%d", (seed>>8)%2000))
			}
			e.Phrasings = append(e.Phrasings, strings.Join(words, " "))
		}
		f["faq/"+e.ID+".md"] = &fstest.MapFile{Data: Format(e)}
	}
	return f
}

// Entries that were called open-… before the first release are found by both ids,
// and in a folder of before they are what they are now.
func TestOldIDs(t *testing.T) {
	b := load(t, Embedded)
	for was, now := range map[string]string{"open-self/views-my-own": "self/views-my-own", "open-guide/our-own-accounts-list": "guide/our-own-accounts-list"} {
		if e, ok := b.Entry(was); !ok || e.ID != now {
			t.Errorf("%s is %v", was, e)
		}
		if d, ok := b.Draft(was); !ok || d.ID != now {
			t.Errorf("the draft of %s is %v", was, d)
		}
	}
	for _, id := range []string{"open-day/tours", "open-self", "self/open-self"} {
		if got := currentID(id); got != id {
			t.Errorf("%s became %s", id, got)
		}
	}
	for _, e := range b.Entries() {
		for _, id := range e.SeeAlso {
			if _, ok := b.byID[id]; !ok {
				t.Errorf("%s points to %s", e.ID, id)
			}
		}
		if strings.HasPrefix(e.ID, "open-") {
			t.Errorf("%s is called open for ever", e.ID)
		}
		topic, _, _ := strings.Cut(e.ID, "/")
		if b.topics[topic] == "" {
			t.Errorf("topic %s has no title", topic)
		}
		if n := len(e.Phrasings); n < 5 || n > 15 {
			t.Errorf("%s has %d phrasings for people to read", e.ID, n)
		}
	}
	old := folder("a")
	old["faq/open-policy/mine.md"] = &fstest.MapFile{Data: entryFile("mine")}
	over, err := Load(Embedded, old)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := over.Entry("policy/mine"); !ok || len(over.Warnings()) != 1 {
		t.Errorf("an overlay of before: %v", over.Warnings())
	}
}

// What is asked word for word finds its entry: of an answer and a question for comms the
// answer, of two answers neither.
func TestAskedExactly(t *testing.T) {
	f := folder("a", "b")
	entry := func(name, front, asked string) {
		f["faq/"+name+".md"] = &fstest.MapFile{Data: []byte(front + "# The title of " + name + "\n\nText.\n\n## Asked as\n- " + asked + "\n")}
	}
	entry("comms", "---\nroute: comms\n---\n", "May we sing?\n- only comms know")
	entry("answer", "", "may we sing")
	entry("one", "", "which is it")
	entry("other", "", "Which is it?")
	entry("lanes/x", "---\nroute: urgent\n---\n", "it burns")
	b := load(t, f)
	for said, want := range map[string]string{"MAY WE SING?!": "answer", "only comms know": "comms", "which is it": "", "it burns": "", "how is a": "a", "": ""} {
		e, ok := b.AskedExactly(said)
		if ok != (want != "") || ok && e.ID != want {
			t.Errorf("%q finds %v, want %q", said, e, want)
		}
	}
}
