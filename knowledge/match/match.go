// Package match finds, among documents described by the ways people ask for
// them, the one that a question is about, and says how sure it is.
//
// A question is ranked twice. By its words: normalised (text-speak, spelling,
// synonyms), turned into sparse features (stems, pairs of stems, character n-grams),
// scored by BM25 and, once fitted, by a softmax regression. And by its meaning: a
// sentence encoder makes a vector of it, which is compared with those of all
// phrasings. The two are fused, and what was seen on the way is turned into
// probabilities.
//
// Reading order: match.go; the words in words.go, normalise.go, spell.go, features.go,
// rank.go, softmax.go, clause.go, calibrate.go; the meaning in meaning.go,
// vectors.go, soft.go; both in fuse.go, confidence.go; model.go, explain.go. NOTES.md
// has the measurements behind the constants.
package match

import (
	"context"
	"sync"

	"canteen/knowledge/match/encoder"
)

// Document is one thing that a question can be about.
type Document struct {
	ID        string
	Phrasings []string
	Answer    string // its title and answer in plain text, or ""
	Covered   bool   // counts towards Result.Covered
	Lane      bool   // an emergency: it may be in Result.Lanes, and is never a candidate
	Harmless  bool   // its phrasings are examples of no emergency; it is never found
}

// Lexicon is what the folder knows about words. The zero value is fine.
type Lexicon struct {
	Synonyms  [][]string        // the first of each set is the form that all are read as
	Cues      []Cue             // words that mean another only in company
	Distinct  [][]string        // words that are never read as one another
	Keep      []string          // words that spelling correction leaves alone
	Textspeak map[string]string // one word or several, replaced before all else
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
	Alarm      float64     // probability that the question is an emergency; 0 until fitted
	Lanes      []Candidate // at most three, best first, whose confidences sum to Alarm at most; none where Alarm is below .02
}

// Harmless is the result for a question that is known to be no emergency.
func (r Result) Harmless() Result {
	scale := 1 / max(1-r.Alarm, 1e-6)
	out := Result{Covered: min(1, r.Covered*scale)}
	for _, c := range r.Candidates {
		c.Confidence = min(1, c.Confidence*scale)
		out.Candidates = append(out.Candidates, c)
	}
	return out
}

// Candidate is one document that may be right.
type Candidate struct {
	ID         string
	Confidence float64 // probability that this document is right; with Alarm they sum to at most 1
	Phrasing   int     // index of its phrasing nearest to the question; after the first candidate, among its first 30; 0 where it has none
}

// Index ranks questions. It never changes once made, and is safe for
// concurrent use.
type Index struct {
	docs    []Document // those that are ranked
	special []Document // lanes, and what is harmless
	lex     Lexicon
	place   map[string]int // of documents, by id
	words   *words
	doc     []int          // by document of words, its place in docs; -1 where it has gone
	meaning *meaning       // nil: words alone
	lanes   *lanes         // nil until fitted, or where there are none
	soft    *vectorSoftmax // of a kept model, for Understand; else nil
	amended bool           // words are those of other documents
	pool    sync.Pool
}

func (ix *Index) derive(docs []Document, w *words, m *meaning, l *lanes) *Index {
	ix = &Index{docs: docs, special: ix.special, lex: ix.lex, place: make(map[string]int, len(docs)), words: w, doc: make([]int, len(w.docs)), meaning: m, lanes: l}
	for i := range docs {
		ix.place[docs[i].ID] = i
	}
	for i := range w.docs {
		ix.doc[i] = -1
		if k, ok := ix.place[w.docs[i].ID]; ok {
			ix.doc[i] = k
		}
	}
	ix.pool.New = func() any { return ix.newScratch() }
	return ix
}

// Build makes an index that answers by BM25 at once. The same input gives the
// same index, whatever the order of maps.
func Build(docs []Document, lex Lexicon) *Index {
	docs, special := separate(docs)
	if len(docs) > maxDocs {
		docs = docs[:maxDocs]
	}
	ix := &Index{special: special, lex: lex}
	return ix.derive(docs, build(docs, lex), nil, nil)
}

// separate returns the documents that are ranked, and the others: lanes and harmless ones.
func separate(docs []Document) (ranked, special []Document) {
	for _, d := range docs {
		if d.Lane || d.Harmless {
			special = append(special, d)
		} else {
			ranked = append(ranked, d)
		}
	}
	return ranked, special
}

// Fit returns a new index whose ranking is fitted to the phrasings and whose
// confidence is calibrated on them. It is deterministic. The receiver stays
// usable meanwhile; the error is ctx's. A fitted index is its own fit.
func (ix *Index) Fit(ctx context.Context) (*Index, error) {
	if ix.Fitted() {
		return ix, nil
	}
	l, err := fitLanes(ctx, ix.docs, ix.special, ix.lex, nil, "")
	if err != nil {
		return nil, err
	}
	w, err := ix.words.fit(ctx)
	if err != nil {
		return nil, err
	}
	return ix.derive(ix.docs, w, ix.meaning, l), nil
}

// Fitted tells whether the index comes from Fit, and of these very documents.
func (ix *Index) Fitted() bool { return ix.words.fitted() && !ix.amended }

// Amended tells whether the index comes from Amend.
func (ix *Index) Amended() bool { return ix.amended }

// Understand returns an index that ranks by meaning too. The vectors of phrasings that
// known does not have are worked out, which takes 2 or 3 ms each on a core; the error
// is ctx's.
func (ix *Index) Understand(ctx context.Context, e *encoder.Encoder, known Vectors) (*Index, error) {
	m, err := newMeaning(ctx, ix.docs, ix.special, e, known)
	if err != nil {
		return nil, err
	}
	if m.soft = ix.soft; m.soft == nil {
		if m.soft, err = fitVectorSoftmax(ctx, m.vectors[:m.phrasings.Len()], m.first); err != nil {
			return nil, err
		}
	}
	vectors := func(text string) *encoder.Stored { return m.Find(e.Key(text)) }
	l := ix.lanes
	if l != nil && l.encoder == e.ModelID() {
		l = l.understand(ix.special, vectors)
	} else if l, err = fitLanes(ctx, ix.docs, ix.special, ix.lex, vectors, e.ModelID()); err != nil {
		return nil, err
	}
	return ix.derive(ix.docs, ix.words, m, l), nil
}

// Understands tells whether the index ranks by meaning.
func (ix *Index) Understands() bool { return ix.meaning != nil }

// Amend returns an index of other documents at once, to be used until one is fitted. It
// ranks by ix's words and by the meaning of all phrasings. So a document that ix did not
// have is found by its meaning alone, or not at all where ix does not understand. Lanes
// stay as they are in ix.
func (ix *Index) Amend(ctx context.Context, docs []Document, known Vectors) (*Index, error) {
	docs, special := separate(docs)
	if ix.meaning == nil {
		out := ix.derive(docs, ix.words, nil, ix.lanes)
		out.special, out.amended = special, true
		return out, nil
	}
	m, err := newMeaning(ctx, docs, special, ix.meaning.encoder, Join(ix.meaning, known))
	if err != nil {
		return nil, err
	}
	m.soft = initVectorSoftmax(m.vectors[:m.phrasings.Len()], m.first)
	for d := range docs {
		if was, ok := ix.place[docs[d].ID]; ok {
			m.soft.copyDocument(d, ix.meaning.soft, was)
		}
	}
	out := ix.derive(docs, ix.words, m, ix.lanes)
	out.special, out.amended = special, true
	return out, nil
}

// Rank returns at most n documents that the question may be about.
func (ix *Index) Rank(question string, n int) Result {
	s := ix.pool.Get().(*scratch)
	defer ix.pool.Put(s)
	ix.rank(s, question)
	return ix.result(s, n)
}
