package text

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"io"
	"strings"
	"sync"
)

// Words of English: SCOWL as Debian's wbritish and wamerican have it, in lower case,
// without those that have accents or apostrophes. words/COPYRIGHT.scowl is its notice.
//
//go:embed words/english.txt.gz
var englishGz []byte

// The commonest of them, most frequent first: the order of GloVe's 6B set, which is
// in the public domain (words/COPYRIGHT.common).
//
//go:embed words/common.txt
var commonText string

var english = sync.OnceValue(func() map[string]struct{} {
	z, err := gzip.NewReader(bytes.NewReader(englishGz))
	if err != nil {
		panic(err) // the file is part of the program
	}
	all, err := io.ReadAll(z)
	if err != nil {
		panic(err)
	}
	words := make(map[string]struct{}, 80_000)
	for w := range strings.Lines(string(all)) {
		words[strings.TrimSuffix(w, "\n")] = struct{}{}
	}
	return words
})

// English tells whether w is a word of English, in lower case.
func English(w string) bool { _, ok := english()[w]; return ok }

// Common are the commonest words of English, most frequent first.
var Common = sync.OnceValue(func() []string { return strings.Fields(commonText) })

var commonRank = sync.OnceValue(func() map[string]int32 {
	rank := make(map[string]int32, len(Common()))
	for i, w := range Common() {
		rank[w] = int32(i)
	}
	return rank
})

// IsCommon tells whether w is one of the commonest words of English.
func IsCommon(w string) bool { _, ok := commonRank()[w]; return ok }

// contractions without their apostrophes, and what they stand for: "hasn't" and "has
// not" are one, and "not" is never hidden inside a word.
var contractions = func() map[string][]string {
	m := map[string][]string{}
	for _, l := range strings.FieldsFunc(`aint am not|arent are not|cant can not|cannot can not|couldnt could not|didnt did not|doesnt does not
dont do not|hadnt had not|hasnt has not|havent have not|isnt is not|mustnt must not|neednt need not|shouldnt should not|wasnt was not
werent were not|wont will not|wouldnt would not|whats what is|hows how is|wheres where is|whos who is|whys why is|whens when is
im i am|ive i have|youve you have|weve we have|theyve they have|youre you are|theyre they are|thats that is|theres there is|lets let us`, func(r rune) bool { return r == '|' || r == '\n' }) {
		w := strings.Fields(l)
		m[w[0]] = w[1:]
	}
	return m
}()
