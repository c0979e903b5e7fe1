package text

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

//go:embed languages.txt
var languageWords string

// languages are the commonest words of languages in the Latin alphabet, by code.
var languages = sync.OnceValue(func() map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for line := range strings.Lines(languageWords) {
		code, list, ok := strings.Cut(line, ":")
		if !ok || line[0] == '#' {
			continue
		}
		all[code] = map[string]bool{}
		for w := range strings.FieldsSeq(list) {
			for _, w := range Words(w) {
				all[code][w] = true
			}
		}
	}
	return all
})

// scripts are those that tell a language by themselves.
var scripts = []struct {
	code  string
	table *unicode.RangeTable
}{{"hi", unicode.Devanagari}, {"pa", unicode.Gurmukhi}, {"ml", unicode.Malayalam}, {"ta", unicode.Tamil}, {"uk", unicode.Cyrillic}, {"ar", unicode.Arabic}}

// urdu has the letters that Urdu writes and Arabic does not.
const urdu = "ٹڈڑںےہگچپژکی"

// The share of letters in another script, and of words in another language, from which a
// text is in it. A text in the Latin alphabet needs two of the commonest words of the
// other language, and more of them than words of English.
const (
	otherScript = .6
	otherWords  = .4
	leastOwn    = 2
	leastAlone  = 3 // in halves of a word, where no word is English
	leastWords  = 2
)

// Languages are the codes that Language knows, sorted.
func Languages() []string {
	codes := []string{"ur"}
	for code := range languages() {
		codes = append(codes, code)
	}
	for _, s := range scripts {
		codes = append(codes, s.code)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// Language is the code (ISO 639-1) of the language of a text, where that is surely not
// English: "und" where it is in a script of none that it knows, "" for English and
// wherever it is in doubt. Names, clinical words and text-speak are English to it.
func Language(s string) string {
	if code, ok := byScript(s); ok {
		return code
	}
	words := Words(s)
	slices.Sort(words)
	words = slices.Compact(words) // la la la is one word
	if len(words) < leastWords {
		return ""
	}
	best, most := "", 0
	for code, of := range languages() {
		own, english, all := 0, 0, true
		for _, w := range words {
			switch {
			case of[w] && !common(w):
				own += 2
			case of[w]:
				own++
			case English(w):
				english += 2
				fallthrough
			default:
				all = false
			}
		}
		if all && own > len(words) { // no word that is not of it, and one that is not English
			own += 2
		}
		score := own - english
		if own < 2*leastOwn && (english > 0 || own < leastAlone) || own*10 < len(words)*int(20*otherWords) || score <= 0 {
			continue
		}
		if score > most || score == most && code < best {
			best, most = code, score
		}
	}
	return best
}

// common tells a word that English has too, so that it says little.
func common(w string) bool { return IsCommon(w) || utf8.RuneCountInString(w) == 1 }

func byScript(s string) (string, bool) {
	letters, other, isUrdu := 0, 0, false
	count := make([]int, len(scripts))
	for _, r := range s {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		if unicode.Is(unicode.Latin, r) {
			continue
		}
		other++
		isUrdu = isUrdu || strings.ContainsRune(urdu, r)
		for i := range scripts {
			if unicode.Is(scripts[i].table, r) {
				count[i]++
			}
		}
	}
	if letters == 0 || float64(other) < otherScript*float64(letters) {
		return "", false
	}
	for i := range scripts {
		if float64(count[i]) >= otherScript*float64(letters) {
			if scripts[i].code == "ar" && isUrdu {
				return "ur", true
			}
			return scripts[i].code, true
		}
	}
	return "und", true
}
