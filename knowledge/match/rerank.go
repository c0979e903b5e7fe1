package match

// Reranker likens questions to documents by something else than their words, such
// as the sentence embeddings of a server.
type Reranker interface {
	// Near gives, for each of the documents with these ids, how near the question is
	// to the nearest of its phrasings: a cosine, -1 to 1. It gives nil when it cannot
	// tell in time, and then the ranking stands as it is.
	Near(question string, ids []string) []float32
}

// Reranked returns an index that ranks as ix does and then hears r about the first
// few documents.
func (ix *Index) Reranked(r Reranker) *Index {
	out := ix.copy()
	out.near = r
	return out
}

const (
	nearFew   = 10 // documents that the reranker is asked about
	nearLogit = 12 // what a cosine of 1 is worth in logits
)

// rerank moves the first few by what the reranker says of them.
func (ix *Index) rerank(s *scratch, question string) {
	if ix.near == nil {
		return
	}
	few := s.top[:min(nearFew, len(s.top))]
	ids := make([]string, len(few))
	for i := range few {
		ids[i] = ix.docs[few[i].doc].ID
	}
	near := ix.near.Near(question, ids)
	if len(near) != len(few) {
		return
	}
	for i := range few {
		few[i].told = near[i]
		few[i].z += nearLogit * near[i]
	}
	s.settle(len(few), nearLogit*near[len(near)-1])
}
