package knowledge

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"canteen/knowledge/text"
)

func TestCheck(t *testing.T) {
	f := fstest.MapFS{
		"faq/good.md": {Data: []byte("# Tweeting as a member of staff\n\nNHS Employers says that staff can tweet. Your organisation decides, so read {{.Policy}} first. Then ask {{.SpeakingUpGuardian}} what they think of the thing. You may go on from there.\n\n## Asked as\n- can i tweet\n- am i allowed on twitter\n- twitter at work\n")},
		"faq/poor.md": {Data: []byte("---\nreview_by: 2026-01-31\n---\n# Can I tweet.\n\nShort one. " +
			"Word" + strings.Repeat(" word", 20) + " end. A third, e.g. this. A fourth. A [link](../good.md).\n\n" +
			"Organisational communications professionals characteristically necessitate comprehensive consultation regarding " +
			"institutional authorisation, notwithstanding considerable administrative complexity.\n\n- fine\n- also fine\n\n## Asked as\n- Can I tweet?!\n- a phrase of its own\n")},
	}
	b := load(t, f)
	now := time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC)
	want := `faq/good.md:3:1: warning: a paragraph of 4 sentences (the limit is 3)
faq/poor.md:1:1: warning: the review was due by 31 January 2026
faq/poor.md:4:3: warning: the title ends with a full stop
faq/poor.md:4:3: warning: the title is a question: write a short statement
faq/poor.md:6:1: warning: a paragraph of 5 sentences (the limit is 3)
faq/poor.md:6:1: warning: a sentence of 22 words (the limit is 20): "Word word word word word word word word word word word word …"
faq/poor.md:6:1: warning: the text links to ../good.md, which nobody can follow from a chat: use See also
faq/poor.md:14:3: warning: nearly the phrasing "can i tweet" of good
faq/poor.md:14:3: warning: only 2 phrasings: with at least 3, better 5 to 15, questions find this entry`
	var got []string
	for _, p := range b.Check(now) {
		if strings.Contains(p.Message, "reading age") {
			if p.Path != "faq/poor.md" || p.Line != 4 {
				t.Error(p)
			}
			continue
		}
		got = append(got, p.String())
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
	for _, p := range b.Check(now.AddDate(0, 0, -1)) {
		if strings.Contains(p.Message, "review") {
			t.Errorf("on the day itself: %s", p)
		}
	}
}

func TestAgainst(t *testing.T) {
	f := fstest.MapFS{"faq/a.md": {Data: []byte("# A\n\nB.\n\n## Asked as\n- Can I tweet about my work?\n- fb who sees posts\n- photo of the ward Christmas tree on insta\n- hi\n")}}
	b := load(t, f)
	for row, want := range map[string]string{
		"can i tweet about my work":               "6:3",
		"CAN I TWEET, ABOUT MY WORK!!":            "6:3",
		"can i twet about my work":                "6:3", // most letters
		"can i tweet about work":                  "6:3", // most words
		"who sees fb posts":                       "7:3", // the same words
		"photo of the ward tree on insta":         "8:3",
		"Hi":                                      "9:3",
		"can i post about my work":                "",
		"photos of a Christmas party on facebook": "",
		"who sees":                                "",
		"":                                        "",
		"???":                                     "",
	} {
		got := ""
		for _, p := range b.Against([]string{"unlike all others", row}) {
			got += fmt.Sprintf("%d:%d", p.Line, p.Column)
			if p.Warning || p.Path != "faq/a.md" || !strings.Contains(p.Message, fmt.Sprintf("a question of the test: %q", row)) {
				t.Errorf("%+v", p)
			}
		}
		if got != want {
			t.Errorf("%q: at %q, want %q", row, got, want)
		}
	}
}

// The rare features of a text must be enough to find all that is like it.
func TestNearCopiesMissesNothing(t *testing.T) {
	var texts []string
	words := strings.Fields("can i you post photo ward patient facebook about my our work team the a on page")
	seed := uint32(1)
	next := func(n int) int {
		seed = seed*1664525 + 1013904223
		return int(seed>>8) % n
	}
	for range 250 {
		var t []string
		for range 1 + next(7) {
			t = append(t, words[next(len(words))])
		}
		texts = append(texts, strings.Join(t, " "))
	}
	found := map[[2]int]bool{}
	nearCopies(texts, texts, func(i, j int) bool { found[[2]int{i, j}] = true; return true })
	all := 0
	for i, a := range texts {
		for j, b := range texts {
			near := alike(sets(a), sets(b))
			if near {
				all++
			}
			if found[[2]int{i, j}] != near {
				t.Fatalf("%q and %q: found %v", a, b, !near)
			}
		}
	}
	if all < 300 {
		t.Errorf("only %d pairs: the texts say little", all)
	}
}

// sets and alike are the definition, in the plainest words.
func sets(phrasing string) (s [2]map[string]bool) {
	s[0], s[1] = map[string]bool{}, map[string]bool{}
	words := text.Words(phrasing)
	for _, w := range words {
		s[0][w] = true
	}
	padded := "  " + strings.Join(words, " ") + " "
	for i := 0; i+3 <= len(padded); i++ {
		s[1][padded[i:i+3]] = true
	}
	return s
}

func alike(a, b [2]map[string]bool) bool {
	both := func(k int) (n float64) {
		for f := range a[k] {
			if b[k][f] {
				n++
			}
		}
		return n
	}
	w, g := both(0), both(1)
	return min(len(a[0]), len(b[0])) >= 3 && w >= nearWords*(float64(len(a[0])+len(b[0]))-w) || 2*g >= nearGrams*float64(len(a[1])+len(b[1]))
}

func BenchmarkCheck(b *testing.B) {
	base, err := Load(Embedded)
	if err != nil {
		b.Fatal(err)
	}
	rows := []string{"can i tweet", "who can see what i post on fb", "something else entirely"}
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			base.Check(time.Now())
		}
	})
	b.Run("against", func(b *testing.B) {
		for b.Loop() {
			base.Against(rows)
		}
	})
}
