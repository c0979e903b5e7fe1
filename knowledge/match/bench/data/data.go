// Package data reads the question sets that the benchmarks run on.
package data

import (
	"encoding/csv"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"canteen/knowledge/match"
)

// Row is a question and the document that answers it.
type Row struct{ Question, Want string }

// Find returns dir, or where it is empty the first of the folders above the
// working one that holds path.
func Find(dir, path string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	at, err := os.Getwd()
	for err == nil {
		if p := filepath.Join(at, path); exists(p) {
			return p, nil
		}
		up := filepath.Dir(at)
		if up == at {
			break
		}
		at = up
	}
	return "", errors.Join(err, &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist})
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

// Rows reads a table of questions and their documents: .csv with a heading,
// or .tsv without.
func Rows(path string) ([]Row, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	heading := true
	if strings.HasSuffix(path, ".tsv") {
		r.Comma, r.LazyQuotes, heading = '\t', true, false
	}
	all, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	var out []Row
	for i, c := range all {
		if len(c) >= 2 && !(heading && i == 0) {
			out = append(out, Row{c[0], strings.ToLower(c[1])})
		}
	}
	return out, nil
}

// Documents groups rows into covered documents, in order of appearance.
func Documents(rows []Row) []match.Document {
	var docs []match.Document
	at := map[string]int{}
	for _, r := range rows {
		i, ok := at[r.Want]
		if !ok {
			i = len(docs)
			at[r.Want] = i
			docs = append(docs, match.Document{ID: r.Want, Covered: true})
		}
		docs[i].Phrasings = append(docs[i].Phrasings, r.Question)
	}
	return docs
}

// Few draws k rows a document.
func Few(rows []Row, k int, seed uint64) (few, rest []Row) {
	rng := rand.New(rand.NewPCG(seed, 1))
	n := map[string]int{}
	for _, i := range rng.Perm(len(rows)) {
		if n[rows[i].Want]++; n[rows[i].Want] <= k {
			few = append(few, rows[i])
		} else {
			rest = append(rest, rows[i])
		}
	}
	return few, rest
}

// Typo makes n random edits to the letters of q: one left out, put in, changed
// or swapped with the next character.
func Typo(q string, n int, rng *rand.Rand) string {
	b := []byte(q)
	for ; n > 0; n-- {
		var at []int
		for i, c := range b {
			if 'a' <= c|32 && c|32 <= 'z' {
				at = append(at, i)
			}
		}
		if len(at) == 0 {
			break
		}
		i := at[rng.IntN(len(at))]
		letter := byte('a' + rng.IntN(26))
		switch rng.IntN(4) {
		case 0:
			b = append(b[:i], b[i+1:]...)
		case 1:
			b = append(b[:i], append([]byte{letter}, b[i:]...)...)
		case 2:
			b[i] = letter
		case 3:
			if i+1 < len(b) {
				b[i], b[i+1] = b[i+1], b[i]
			}
		}
	}
	return string(b)
}
