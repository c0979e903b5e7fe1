package match

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"canteen/knowledge/match/encoder"
	"canteen/knowledge/match/encoder/minilm"
)

// The encoder of all tests: it reads 23 MB.
var loaded = sync.OnceValues(minilm.Load)

// understood is an index that is fitted and ranks by meaning too.
func understood(t testing.TB, docs []Document, lex Lexicon) *Index {
	t.Helper()
	e, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	ix, err := Build(docs, lex).Fit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if ix, err = ix.Understand(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	return ix
}

func TestMeaning(t *testing.T) {
	docs, lex := folder()
	ix := understood(t, docs, lex)
	for q, want := range map[string]string{
		"he wants to connect with me and I nursed him last week": "open/friend-requests",
		"which strangers look at what I put up":                  "privacy/who-can-see",
		"space for my vehicle during a shift":                    "elsewhere/parking",
		"can i twet abuot work":                                  "twitter/staff",
	} {
		if got := ix.Rank(q, 3).Candidates; len(got) == 0 || got[0].ID != want {
			t.Errorf("Rank(%q) = %v, want %s first", q, got, want)
		}
	}
	for _, q := range awkward() {
		checkResult(t, ix, q)
	}
}

// Folders that nobody would write, and those that somebody will.
func TestOddFoldersByMeaning(t *testing.T) {
	alone := []Document{{ID: "a", Phrasings: []string{"can I film in my scrubs", "filming at work", "videos on the ward"}, Covered: true}}
	var single, twice []Document
	for i, p := range []string{"can I film in my scrubs", "a patient wants to be my friend", "where do I park", "who reads my posts"} {
		single = append(single, Document{ID: fmt.Sprint(i), Phrasings: []string{p}, Covered: true})
		twice = append(twice, Document{ID: fmt.Sprint(i), Phrasings: []string{p, "the very same words"}, Covered: true})
	}
	for name, docs := range map[string][]Document{
		"none": nil, "no phrasing": {{ID: "a"}}, "an empty phrasing": {{ID: "a", Phrasings: []string{""}}},
		"one entry": alone, "one phrasing each": single, "the same phrasing in all": twice,
	} {
		ix := understood(t, docs, Lexicon{})
		for _, q := range append(awkward(), "the very same words", "recording a clip in work clothes") {
			checkResult(t, ix, q)
		}
		if name == "the same phrasing in all" {
			if r := ix.Rank("the very same words", 4); r.Candidates[0].Confidence > 1./2 {
				t.Errorf("%s: %v is sure of one", name, r)
			}
		}
		if name == "one phrasing each" {
			if r := ix.Rank("recording a clip in work clothes", 4); r.Candidates[0].ID != "0" {
				t.Errorf("%s: %v", name, r)
			}
		}
	}
}

// A folder of 2,000 entries with 10 phrasings each is fitted and ranks.
func TestBigFolderByMeaning(t *testing.T) {
	if testing.Short() {
		t.Skip("a big folder takes half a minute")
	}
	things := strings.Fields("scrubs badge pager rota ward theatre clinic kitchen laundry chapel garden mortuary pharmacy library nursery reception corridor lift roof car-park")
	acts := strings.Fields("film photograph paint sell borrow mend lock open visit rename")
	whom := strings.Fields("nurses porters visitors volunteers students doctors cooks drivers clerks chaplains")
	var docs []Document
	for i := range 2000 {
		thing, act, who := things[i%20], acts[i/20%10], whom[i/200]
		d := Document{ID: fmt.Sprintf("%s-%s-%s", act, thing, who), Covered: true}
		for _, form := range []string{"can %[3]s %[1]s the %[2]s", "%[1]s %[2]s %[3]s", "who lets %[3]s %[1]s a %[2]s", "is it ok for %[3]s to %[1]s the %[2]s", "rules when %[3]s %[1]s the %[2]s",
			"%[3]s want to %[1]s our %[2]s", "may any %[2]s be touched, to %[1]s it, by %[3]s", "the %[2]s: %[3]s %[1]s it", "how do %[3]s %[1]s the %[2]s", "%[2]s, %[1]s, %[3]s?"} {
			d.Phrasings = append(d.Phrasings, fmt.Sprintf(form, act, thing, who))
		}
		docs = append(docs, d)
	}
	ix := understood(t, docs, Lexicon{})
	if got := ix.Rank("are nurses allowed to film the garden", 3).Candidates; got[0].ID != "film-garden-nurses" {
		t.Errorf("%v", got)
	}
	for _, q := range awkward() {
		checkResult(t, ix, q)
	}
}

// Understanding may be damaged on the way from a cache: that is an error, or the text
// is encoded anew, and never a panic.
func TestModelIsKept(t *testing.T) {
	docs, lex := folder()
	ix := understood(t, docs, lex)
	key := ModelKey(docs, lex)
	model, err := ix.Model(key)
	if err != nil {
		t.Fatal(err)
	}
	if got, id := KeyOf(model); got != key || id == "" {
		t.Errorf("KeyOf = %x, %q", got, id)
	}
	e, _ := loaded()
	plain := Build(docs, lex)
	for n := 0; n < len(model); n += max(1, len(model)/200) {
		if _, err := plain.Restore(key, model[:n], e.ModelID()); err == nil {
			t.Errorf("the first %d bytes of a model are taken for one", n)
		}
	}
	if _, err := Build(docs[1:], lex).Restore(key, model, e.ModelID()); err == nil {
		t.Error("a model of other documents is taken")
	}
	back, err := plain.Restore(key, model, e.ModelID())
	if err != nil {
		t.Fatal(err)
	}
	if back, err = back.Understand(t.Context(), e, VectorFile(ix.Vectors())); err != nil {
		t.Fatal(err)
	}
	alone, err := plain.Restore(key, model, "")
	if err != nil || alone.Understands() {
		t.Errorf("words alone: %v", err)
	}
	for _, q := range append(awkward(), "space for my vehicle") {
		if got, want := fmt.Sprint(back.Rank(q, 5)), fmt.Sprint(ix.Rank(q, 5)); got != want {
			t.Errorf("%.40q: %s, and before it was kept %s", q, got, want)
		}
	}
}

// What the longest questions take, whatever they are made of. What is longer than the
// encoder reads is cut.
func BenchmarkLongQuestion(b *testing.B) {
	docs, lex := folder()
	ix := understood(b, docs, lex)
	for name, q := range map[string]string{
		"words":   strings.Repeat("why is my car parked here, and who can see it? ", 500)[:20_000],
		"emoji":   strings.Repeat("🙂👩‍⚕️", 20_000/5),
		"control": strings.Repeat("\x00\x07\u200b", 20_000/3),
		"letters": strings.Repeat("a", 20_000),
	} {
		b.Run(name, func(b *testing.B) {
			var worst time.Duration
			for b.Loop() {
				start := time.Now()
				ix.Rank(q, 5)
				worst = max(worst, time.Since(start))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
		})
	}
}

func FuzzRankByMeaning(f *testing.F) {
	for _, q := range awkward() {
		f.Add(q)
	}
	docs, lex := folder()
	ix := understood(f, docs, lex)
	f.Fuzz(func(t *testing.T, q string) {
		checkResult(t, ix, q)
		if e := ix.Explain(q, 3); !utf8.ValidString(e.String()) {
			t.Errorf("%q: explanation is not UTF-8", q)
		}
	})
}

// A file of vectors is searched where it is valid and refused where it is not.
func TestVectorFile(t *testing.T) {
	docs, lex := folder()
	ix := understood(t, docs, lex)
	e, _ := loaded()
	file := VectorFile(ix.Vectors())
	if !file.Valid() {
		t.Fatal("what was written is not valid")
	}
	for _, p := range docs[0].Phrasings {
		if file.Find(e.Key(p)) == nil {
			t.Errorf("%q is not in the file", p)
		}
	}
	if file.Find(encoder.Key{1}) != nil || VectorFile("").Find(encoder.Key{}) != nil {
		t.Error("what is not there is found")
	}
	for name, bad := range map[string]VectorFile{"cut": file[:len(file)-1], "order": file[recordSize:2*recordSize] + file[:recordSize], "twice": file[:recordSize] + file[:recordSize]} {
		if bad.Valid() {
			t.Errorf("%s: a damaged file is valid", name)
		}
	}
}
