package match

// words ranks questions by their words alone. It never changes once made, and is
// safe for concurrent use.
type words struct {
	docs     []Document
	lex      *lexicon
	known    map[string]int32 // known words, to their place in vocab
	vocab    []word
	stems    map[string]int32 // stems of the folder's words, to features
	feats    map[uint64]uint32
	idf      []float32 // by feature, sharpened
	block    []uint8   // by feature
	inv      inverted
	phr      phrasings
	mean     []float32        // by document, a row each: the mean word vector of its phrasings
	distinct [][]distinctWord // by document: the distinct words of its phrasings
	spell    *speller
	model    *softmax // nil until fitted
	cal      calibrator
}

func (ix *words) fitted() bool { return ix.model != nil }
