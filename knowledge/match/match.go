// Package match finds, among documents described by the ways people ask for
// them, the one that a question is about, and says how sure it is.
//
// A question is normalised (text-speak, spelling, synonyms), turned into
// sparse features (stems, pairs of stems, character n-grams), ranked by BM25
// and, once fitted, by a softmax regression too; a calibrator turns what was
// seen on the way into probabilities.
//
// Reading order: match.go, normalise.go, spell.go, features.go, rank.go,
// softmax.go, clause.go, calibrate.go, rerank.go, explain.go. NOTES.md has the
// measurements behind the constants.
package match

import (
	"context"
	"sync"
)

// Document is one thing that a question can be about.
type Document struct {
	ID        string
	Phrasings []string
	Covered   bool // counts towards Result.Covered
}

// Lexicon is what the folder knows about words. The zero value is fine.
type Lexicon struct {
	Synonyms  [][]string        // the first of each set is the form that all are read as
	Cues      []Cue             // words that mean another only in company
	Distinct  [][]string        // words that are never read as one another
	Keep      []string          // words that spelling leaves alone
	Textspeak map[string]string // whole words, replaced before all else
}

// Cue says that Word means Means when one of Near stands in the same question.
type Cue struct {
	Word, Means string
	Near        []string
}

// Result is what Rank found.
type Result struct {
	Candidates []Candidate // best first
	Covered    float64     // probability that some Covered document is right
}

// Candidate is one document that may be right.
type Candidate struct {
	ID         string
	Confidence float64 // probability that this document is right; they sum to at most 1
	Phrasing   int     // index of its phrasing nearest to the question; after the first candidate, among its first 30
}

// Index ranks questions. It never changes once made, and is safe for
// concurrent use.
type Index struct {
	docs  []Document
	lex   *lexicon
	words map[string]int32 // known words, to their place in vocab
	vocab []word
	stems map[string]int32 // stems of the folder's words, to features
	feats map[uint64]uint32
	idf   []float32 // by feature, sharpened
	block []uint8   // by feature
	inv   inverted
	phr   phrasings
	mean  []float32 // by document, a row each: the mean sense of its phrasings
	names [][]named // by document: the distinct words of its phrasings
	spell *speller
	model *softmax // nil until fitted
	cal   calibrator
	near  Reranker  // or nil
	pool  sync.Pool // of *scratch
}

// Build makes an index that answers by BM25 at once. The same input gives the
// same index, whatever the order of maps.
func Build(docs []Document, lex Lexicon) *Index {
	return build(docs, lex)
}

// Fit returns a new index whose ranking is fitted to the phrasings and whose
// confidence is calibrated on them. It is deterministic. The receiver stays
// usable meanwhile; the error is ctx's. A fitted index is its own fit.
func (ix *Index) Fit(ctx context.Context) (*Index, error) {
	return ix.fit(ctx)
}

// Fitted tells whether the index comes from Fit.
func (ix *Index) Fitted() bool { return ix.model != nil }
