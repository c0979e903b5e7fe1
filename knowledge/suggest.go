package knowledge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sahilm/fuzzy"
)

// Suggestion is an entry offered while somebody types.
type Suggestion struct{ ID, Title string }

// suggestions are the titles and phrasings of all entries, in lower case.
type suggestions struct {
	texts   []string
	titles  []bool
	entries []*Entry
}

func newSuggestions(entries []*Entry) suggestions {
	var s suggestions
	for _, e := range entries {
		for i, t := range append([]string{e.Title}, e.AskedAs()...) {
			s.texts = append(s.texts, strings.ToLower(t))
			s.titles = append(s.titles, i == 0)
			s.entries = append(s.entries, e)
		}
	}
	return s
}

// maxTyped is more than anybody types before looking at the list.
const maxTyped = 80

// Suggest returns up to n entries for what was typed so far, best first; for
// nothing typed, the first n by id. It is for type-ahead, not for questions.
func (b *Base) Suggest(text string, n int) []Suggestion {
	var found []Suggestion
	add := func(e *Entry) bool {
		s := Suggestion{e.ID, e.Title}
		if len(found) < n && !slices.Contains(found, s) {
			found = append(found, s)
		}
		return len(found) < n
	}
	typed := []rune(strings.Join(strings.Fields(strings.ToLower(strings.ToValidUTF8(text, ""))), " "))
	if len(typed) == 0 {
		for _, e := range b.entries {
			if !add(e) {
				break
			}
		}
		return found
	}
	s := b.suggest()
	pattern := string(typed[:min(len(typed), maxTyped)])
	matches := fuzzy.Find(pattern, s.texts)
	// Texts that contain what was typed go before those that only have its letters in
	// order, and titles before phrasings.
	tier := func(m fuzzy.Match) (n int) {
		if !strings.Contains(m.Str, pattern) {
			n += 2
		}
		if !s.titles[m.Index] {
			n++
		}
		return n
	}
	slices.SortStableFunc(matches, func(a, b fuzzy.Match) int { return cmp.Compare(tier(a), tier(b)) })
	for _, m := range matches {
		if !add(s.entries[m.Index]) {
			break
		}
	}
	return found
}
