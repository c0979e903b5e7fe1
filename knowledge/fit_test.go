package knowledge

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"canteen/knowledge/match"
	"canteen/knowledge/match/encoder"
	"canteen/knowledge/match/encoder/minilm"
)

func loadEncoder(t testing.TB) *encoder.Encoder {
	t.Helper()
	e, err := minilm.Load()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// What is in the program is what its folder gives. Where this fails after an edit of
// the folder, `go generate ./knowledge` makes it anew.
func TestFittedIsOfThisFolder(t *testing.T) {
	const remedy = "; run: go generate ./knowledge"
	b, e := load(t, Embedded), loadEncoder(t)
	if key, id := match.KeyOf(fittedModel); key != b.key() || id != e.ModelID() {
		t.Error("fitted/model.bin is of another folder, lexicon or encoder" + remedy)
	}
	vectors := match.VectorFile(fittedVectors)
	if !vectors.Valid() {
		t.Fatal("fitted/vectors.bin is damaged" + remedy)
	}
	f := Fitting{Encoder: e}
	if n := f.countUnencoded(b, 1<<30); n > 0 {
		t.Errorf("%d phrasings have no vector in fitted/vectors.bin%s", n, remedy)
	}
	differ := 0
	for i, entry := range b.Entries() {
		if i%8 != 0 {
			continue
		}
		text := entry.AskedAs()[0]
		want, got := encoder.Store(e.Encode(text)), vectors.Find(e.Key(text))
		for k := range got {
			if d := int(want[k]) - int(got[k]); d < -1 || d > 1 {
				differ++
				t.Errorf("%q has another vector than the kept one%s", text, remedy)
				break
			}
		}
	}
	if testing.Short() || runtime.GOARCH != "amd64" || t.Failed() {
		return // another processor rounds in other places
	}
	model, kept, err := b.Fitted(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(model, fittedModel) {
		t.Error("a fit gives another fitted/model.bin" + remedy)
	}
	if string(kept) != fittedVectors {
		t.Error("a fit gives another fitted/vectors.bin" + remedy)
	}
}

// With and without the encoder a start takes the model that is in the program, and
// what damaged files of a cache hold is not used.
func TestFitTakesWhatIsKept(t *testing.T) {
	b, e := load(t, Embedded), loadEncoder(t)
	for name, f := range map[string]Fitting{"both": {Encoder: e}, "words alone": {}} {
		if f.restore(b, b.Index()) == nil {
			t.Errorf("%s: the embedded model is not used", name)
		}
		if !f.saved(b) {
			t.Errorf("%s: the embedded model would be kept again", name)
		}
	}

	small := load(t, fstest.MapFS{
		"faq/a/film.md":   {Data: []byte("# Filming\n\nNot on wards.\n\n## Asked as\n- can I film in my scrubs\n- filming at work\n")},
		"faq/a/friend.md": {Data: []byte("# Friend requests\n\nDo not accept them.\n\n## Asked as\n- a patient added me\n- friend request\n")},
	})
	dir := t.TempDir()
	f := Fitting{Encoder: e, Cache: dir}
	if f.restore(small, small.Index()) != nil || f.saved(small) {
		t.Error("a model of another folder is used")
	}
	fitted, err := small.Fit(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	f.save(fitted)
	r := f.restore(small, small.Index())
	if r == nil || f.countUnencoded(small, 1) != 0 {
		t.Fatal("what was kept is not used")
	}
	again, err := small.Fit(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"recording a clip in my work clothes", "he wants to be my friend on fb", "bus times"} {
		if got, want := again.Index().Rank(q, 3), fitted.Index().Rank(q, 3); len(got.Candidates) != len(want.Candidates) || got.Covered != want.Covered || got.Candidates[0] != want.Candidates[0] {
			t.Errorf("%q: %v from what was kept, %v from the fit", q, got, want)
		}
	}
	for _, damage := range []string{"", "x", strings.Repeat("\x00", 1000)} {
		write(t, dir, modelFile, []byte(damage))
		write(t, dir, vectorsFile, []byte(damage+"?"))
		if _, err := small.Fit(t.Context(), f); err != nil {
			t.Errorf("damaged %q: %v", damage, err)
		}
	}
}
