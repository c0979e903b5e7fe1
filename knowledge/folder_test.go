package knowledge

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// patienceOfTests is how long a test waits for a signal that ought to come;
// no test waits for time to pass.
const patienceOfTests = 30 * time.Second

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, data, 0o644))
}

// watched opens a folder that is watched by events alone and is never fitted.
func watched(t *testing.T, dirs []string, overlay string) *Folder {
	t.Helper()
	return opened(t, dirs, overlay, func(b *Base, _ context.Context, _ Fitting) (*Base, error) { return b, nil })
}

func opened(t *testing.T, dirs []string, overlay string, fit func(*Base, context.Context, Fitting) (*Base, error)) *Folder {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	f := newFolder(Config{Dirs: dirs, Overlay: overlay})
	f.pollInterval, f.fit, f.shipped = 24*time.Hour, fit, folder("a/one", "a/two")
	_, err := f.open(ctx)
	must(t, err)
	t.Cleanup(func() {
		stop()
		<-f.Done()
	})
	return f
}

// until waits for the changes that make a condition true.
func until(t *testing.T, f *Folder, what string, good func() bool) {
	t.Helper()
	late := time.After(patienceOfTests)
	for {
		changed := f.Changed()
		if good() {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("it never came: %s; problems %v", what, f.Problems())
		}
	}
}

func has(f *Folder, id string) func() bool {
	return func() bool { _, ok := f.Base().Entry(id); return ok }
}

func TestFolderFollowsEdits(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/a/one.md", entryFile("one"))
	f := watched(t, []string{dir}, "")

	write(t, dir, "faq/a/two.md", entryFile("two"))
	until(t, f, "a new entry", has(f, "a/two"))

	write(t, dir, "faq/new/topic/three.md", entryFile("three"))
	until(t, f, "an entry in a new topic", has(f, "new/topic/three"))

	// As editors save: another file, renamed over the old one.
	write(t, dir, "faq/a/.one.md.swp", bytes.ReplaceAll(entryFile("one"), []byte("title"), []byte("heading")))
	must(t, os.Rename(filepath.Join(dir, "faq/a/.one.md.swp"), filepath.Join(dir, "faq/a/one.md")))
	until(t, f, "an atomic save", func() bool { e, _ := f.Base().Entry("a/one"); return e.Title == "The heading of one" })

	write(t, dir, "wording/holding.md", []byte("Wait. {{.Ref}}"))
	until(t, f, "wording", func() bool { return f.Base().Wording("holding", nil) == "Wait." })

	write(t, dir, "local.yaml", []byte("comms: the press office"))
	until(t, f, "local.yaml", func() bool { return f.Base().Local().Comms.Name == "the press office" })

	must(t, os.Remove(filepath.Join(dir, "faq/a/two.md")))
	until(t, f, "a removal", func() bool { return !has(f, "a/two")() })
}

func TestFolderKeepsTheLastGoodOne(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	f := watched(t, []string{dir}, "")
	good := f.Base().Hash()

	write(t, dir, "faq/bad.md", []byte("# Bad\n"))
	until(t, f, "the problems", func() bool { return len(f.Problems()) == 2 })
	if n := len(f.Base().Entries()); n != 1 {
		t.Errorf("%d entries, with a broken one", n)
	}
	if p := f.Problems()[0]; p.Path != filepath.Join(dir, "faq/bad.md") || p.Line != 1 {
		t.Errorf("%+v", p)
	}
	must(t, os.Remove(filepath.Join(dir, "faq/bad.md")))
	until(t, f, "the mended folder", func() bool { return len(f.Problems()) == 0 })
	if f.Base().Hash() != good {
		t.Error("the mended folder is another one")
	}

	// A broken edit: what it was stays, and the rest goes on.
	write(t, dir, "faq/one.md", []byte("# Broken\n"))
	write(t, dir, "faq/more.md", entryFile("more"))
	until(t, f, "the rest", func() bool { return has(f, "more")() && len(f.Problems()) == 2 })
	if e, _ := f.Base().Entry("one"); e.Title != "The title of one" {
		t.Errorf("in the place of a broken edit stands %+v", e)
	}
	write(t, dir, "faq/one.md", entryFile("one"))
	until(t, f, "the mended edit", func() bool { return len(f.Problems()) == 0 })
	must(t, os.Remove(filepath.Join(dir, "faq/more.md")))
	until(t, f, "the removal", func() bool { return !has(f, "more")() })

	must(t, os.Rename(dir, dir+".away"))
	until(t, f, "the missing folder", func() bool { return len(f.Problems()) > 0 })
	must(t, os.Rename(dir+".away", dir))
	until(t, f, "the folder that came back", func() bool { return len(f.Problems()) == 0 })
	write(t, dir, "faq/two.md", entryFile("two"))
	until(t, f, "an entry after that", has(f, "two"))
}

// A ConfigMap changes by one link: ..data, to which all names point.
func TestFolderFollowsConfigMaps(t *testing.T) {
	dir := t.TempDir()
	version := func(name string, ids ...string) {
		for _, id := range ids {
			write(t, dir, "..v"+name+"/faq/a/"+id+".md", entryFile(id))
		}
		must(t, os.Symlink("..v"+name, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	version("1", "one")
	must(t, os.Symlink("..data/faq", filepath.Join(dir, "faq")))
	f := watched(t, []string{dir}, "")
	if !has(f, "a/one")() {
		t.Fatal("the first version is not there")
	}
	for _, v := range []string{"2", "3"} {
		version(v, "one", "new"+v)
		until(t, f, "version "+v, has(f, "a/new"+v))
	}
	must(t, os.RemoveAll(filepath.Join(dir, "..v1")))
	version("4", "four")
	until(t, f, "version 4", func() bool { return has(f, "a/four")() && !has(f, "a/one")() })
}

// A release folder may itself be a link that is swapped.
func TestFolderFollowsASwappedRoot(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "1/faq/one.md", entryFile("one"))
	write(t, dir, "2/faq/two.md", entryFile("two"))
	root := filepath.Join(dir, "current")
	must(t, os.Symlink("1", root))
	f := watched(t, []string{root}, "")
	must(t, os.Symlink("2", root+".new"))
	must(t, os.Rename(root+".new", root))
	until(t, f, "the second release", has(f, "two"))
	write(t, dir, "2/faq/three.md", entryFile("three"))
	until(t, f, "an edit of the second release", has(f, "three"))
}

// Without events, as on a shared volume, the folder is read at intervals.
func TestFolderReadsAtIntervals(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	ctx, stop := context.WithCancel(context.Background())
	f := newFolder(Config{Dirs: []string{dir}})
	f.pollInterval = time.Millisecond
	f.reload(ctx)
	go func() {
		defer close(f.done)
		(&watch{folder: f}).run(ctx)
	}()
	write(t, dir, "faq/two.md", entryFile("two"))
	until(t, f, "a new entry", has(f, "two"))
	stop()
	<-f.Done()
	f.fits.Wait()
}

func TestFolderFits(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	write(t, dir, "faq/two.md", entryFile("two"))
	f := opened(t, []string{dir}, "", (*Base).Fit)
	ctx, stop := context.WithTimeout(context.Background(), patienceOfTests)
	defer stop()
	must(t, f.WaitFitted(ctx))
	if !f.Base().Index().Fitted() {
		t.Error("not fitted")
	}
	write(t, dir, "faq/three.md", entryFile("three"))
	until(t, f, "a fitted model of the new folder", func() bool { return has(f, "three")() && f.Base().Index().Fitted() })
}

func TestFolderThatDoesNotFit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	broken := errors.New("no room")
	f := opened(t, []string{dir}, "", func(*Base, context.Context, Fitting) (*Base, error) { return nil, broken })
	if err := f.WaitFitted(context.Background()); !errors.Is(err, broken) {
		t.Error(err)
	}
	if !has(f, "one")() {
		t.Error("the simpler index is gone too")
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if err := watched(t, []string{dir}, "").WaitFitted(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestOpenBroken(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/bad.md", []byte("# Bad\n"))
	_, err := Open(context.Background(), Config{Dirs: []string{dir}})
	if ps, ok := errors.AsType[Problems](err); !ok || len(ps) != 2 {
		t.Errorf("%T %v", err, err)
	}
}

func TestSave(t *testing.T) {
	base, dir := t.TempDir(), t.TempDir()
	write(t, base, "faq/a/one.md", entryFile("one"))
	write(t, dir, "faq/a/two.md", entryFile("two"))
	f := watched(t, []string{base, dir}, "")
	ctx := context.Background()
	e := Entry{ID: "b/three", Title: "Three", Body: "Ask {{.Comms}}.", Phrasings: []string{"about three"}, SeeAlso: []string{"a/one"}}
	must(t, f.Save(ctx, e))
	got, ok := f.Base().Entry("b/three")
	if want := filepath.Join(dir, "faq/b/three.md"); !ok || got.Body != "Ask the communications team." || got.File != want {
		t.Errorf("saved %+v", got)
	}
	data, err := os.ReadFile(filepath.Join(dir, "faq/b/three.md"))
	if want := "# Three\n\nAsk {{.Comms}}.\n\n## Asked as\n- about three\n\n## See also\n- [The title of one](../a/one.md)\n"; err != nil || string(data) != want {
		t.Errorf("file %q, want %q", data, want)
	}

	// An entry of the first folder is overlaid by its new text, from its draft.
	d, _ := f.Base().Draft("a/one")
	d.Title = "Changed"
	must(t, f.Save(ctx, d))
	if e, _ := f.Base().Entry("a/one"); e.Title != "Changed" || e.File != filepath.Join(dir, "faq/a/one.md") {
		t.Errorf("%+v", e)
	}

	for name, c := range map[string]struct {
		entry Entry
		want  string
	}{
		"path":     {Entry{ID: "../x"}, "an id has letters"},
		"empty":    {Entry{ID: "x"}, "no phrasing"},
		"phrasing": {Entry{ID: "x", Title: "X", Body: "B", Phrasings: []string{"About THREE"}}, "duplicate phrasing"},
		"link":     {Entry{ID: "x", Title: "X", Body: "B", Phrasings: []string{"x"}, SeeAlso: []string{"gone"}}, "broken See also"},
		"value":    {Entry{ID: "x", Title: "X", Body: "{{.Nobody}}", Phrasings: []string{"x"}}, "nowhere set"},
		"retired":  {Entry{ID: "a/one", Title: "X", Phrasings: []string{"x"}, Retired: true}, "there is no entry a/one"},
	} {
		err := f.Save(ctx, c.entry)
		if _, ok := errors.AsType[Problems](err); !ok || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, "faq/*/.*"))
	if _, err := os.Stat(filepath.Join(dir, "faq/x.md")); err == nil || len(left) > 0 {
		t.Error("a refused entry left a file", left)
	}

	d, _ = f.Base().Draft("a/two")
	d.Retired = true
	must(t, f.Save(ctx, d))
	if has(f, "a/two")() {
		t.Error("the retired entry is there")
	}
}

func TestAppend(t *testing.T) {
	base, dir := t.TempDir(), t.TempDir()
	write(t, base, "faq/a/one.md", entryFile("one"))
	write(t, base, "faq/a/two.md", entryFile("two"))
	write(t, base, "faq/a/one.asked", []byte("one of the base"))
	f := watched(t, []string{base, dir}, "")
	ctx := context.Background()
	must(t, f.Append(ctx, "a/one", "from C-42, 3 June", "who  knows\none", "# hashed", "One of the BASE", "who knows one"))
	must(t, f.Append(ctx, "a/one", "from C-43", "another"))
	must(t, f.Append(ctx, "a/one", "from C-43", "another"))
	data, err := os.ReadFile(filepath.Join(dir, "faq/a/one.asked"))
	if want := "# from C-42, 3 June\nwho knows one\nhashed\n# from C-43\nanother\n"; err != nil || string(data) != want {
		t.Errorf("file %q, want %q", data, want)
	}
	e, _ := f.Base().Entry("a/one")
	if want := []string{"how is one", "tell me of one", "one", "one of the base", "who knows one", "hashed", "another"}; !slices.Equal(e.AskedAs(), want) {
		t.Errorf("asked as %q, want %q", e.AskedAs(), want)
	}
	// A new text of the entry keeps them.
	d, _ := f.Base().Draft("a/one")
	d.Title = "Changed"
	must(t, f.Save(ctx, d))
	if e, _ := f.Base().Entry("a/one"); e.Title != "Changed" || len(e.Asked) != 4 {
		t.Errorf("%+v", e)
	}
	for id, want := range map[string]string{"a/none": "there is no entry a/none", "../x": "an id has letters"} {
		if err := f.Append(ctx, id, "from C-1", "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
	if err := f.Append(ctx, "a/one", "from C-1", "how is TWO"); err == nil || !strings.Contains(err.Error(), "already in a/two") {
		t.Errorf("a phrasing of another entry: %v", err)
	}
}

// What comms call a false alarm stands below the cues that the lane has already, also
// those of a folder below.
func TestAddHarmless(t *testing.T) {
	base, dir := t.TempDir(), t.TempDir()
	write(t, base, "faq/one.md", entryFile("one"))
	write(t, base, "faq/lanes/media.md", Format(Entry{ID: "lanes/media", Title: "Media", Body: "Steps.", Phrasings: []string{"about the media"}, Route: Urgent}))
	write(t, base, "faq/lanes/media.cues", []byte("film crew\nmust: there is a film crew"))
	f := watched(t, []string{base, dir}, "")
	ctx := context.Background()
	for range 2 {
		must(t, f.AddHarmless(ctx, "lanes/media", "C-4, false alarm", "the film\nclub meets"))
	}
	data, err := os.ReadFile(filepath.Join(dir, "faq/lanes/media.cues"))
	if want := "film crew\nmust: there is a film crew\n# C-4, false alarm\nmust not: the film club meets\n"; err != nil || string(data) != want {
		t.Errorf("file %q, want %q, %v", data, want, err)
	}
	if examples := f.Base().Examples(); len(examples) != 2 || examples[1].Must || examples[1].Text != "the film club meets" {
		t.Errorf("%+v", examples)
	}
	if lane, _ := f.Base().Cue("a film crew is here"); lane == nil {
		t.Error("the cues of the folder below are gone")
	}
	for _, id := range []string{"one", "lanes/none", "../x"} {
		if err := f.AddHarmless(ctx, id, "C-1", "x"); err == nil {
			t.Errorf("%s was taken", id)
		}
	}
}

// While one file is broken, others can be saved.
func TestSaveBesideABrokenFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	write(t, dir, "faq/bad.md", []byte("# Bad\n"))
	f := watched(t, []string{dir}, "")
	must(t, f.Save(context.Background(), Entry{ID: "new", Title: "New", Body: "B.", Phrasings: []string{"what is new"}}))
	if !has(f, "new")() || len(f.Problems()) != 2 {
		t.Error("not saved", f.Problems())
	}
}

func TestSaveToTheOverlay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	f := watched(t, nil, dir)
	n := len(f.Base().Entries())
	e := Entry{ID: "promoted/one", Title: "One", Body: "B.", Phrasings: []string{"a question that no entry of the shipped folder has"}}
	must(t, f.Save(context.Background(), e))
	if len(f.Base().Entries()) != n+1 {
		t.Error("the entry is not there")
	}
	write(t, dir, "faq/promoted/two.md", entryFile("two"))
	until(t, f, "an edit of the overlay", has(f, "promoted/two"))

	write(t, dir, "faq/promoted/bad.md", []byte("# Bad"))
	until(t, f, "the problems", func() bool { return len(f.Problems()) == 2 })
	again := watched(t, nil, dir)
	if len(again.Base().Entries()) != n+2 || len(again.Problems()) != 2 {
		t.Errorf("opened with %d entries and %v", len(again.Base().Entries()), again.Problems())
	}
}

func TestSaveNowhere(t *testing.T) {
	e := Entry{ID: "promoted/one", Title: "One", Body: "B.", Phrasings: []string{"a question that no entry of the shipped folder has"}}
	if err := watched(t, nil, "").Save(context.Background(), e); !errors.Is(err, ErrReadOnly) {
		t.Errorf("without an overlay: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if err := watched(t, nil, filepath.Join(file, "below")).Save(context.Background(), e); err == nil || errors.Is(err, ErrReadOnly) {
		t.Errorf("below a file: %v", err)
	}
	if os.Geteuid() != 0 { // root may write anywhere
		dir := t.TempDir()
		must(t, os.Chmod(dir, 0o555))
		if err := watched(t, nil, dir).Save(context.Background(), e); !errors.Is(err, ErrReadOnly) {
			t.Errorf("in a folder without the right to write: %v", err)
		}
	}
}

// Saves, reads and reloads at once, for the race detector.
func TestFolderConcurrently(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "faq/one.md", entryFile("one"))
	f := watched(t, []string{dir}, "")
	var wg sync.WaitGroup
	ids := []string{"a", "b", "c", "d"}
	for _, id := range ids {
		wg.Go(func() {
			for range 3 {
				if err := f.Save(context.Background(), Entry{ID: id, Title: id, Body: "B.", Phrasings: []string{"about " + id}}); err != nil {
					t.Error(err)
				}
				b := f.Base()
				b.Index().Rank("about a", 3)
				b.Cue("about a")
				b.Suggest("about", 3)
				f.Problems()
			}
		})
	}
	wg.Wait()
	got := mapSlice(f.Base().Entries(), func(e *Entry) string { return e.ID })
	if want := []string{"a", "b", "c", "d", "one"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
