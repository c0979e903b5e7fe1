package match

import (
	"math"
	"strings"

	"canteen/knowledge/text"
)

// Long messages often tell a story around a short question, so they are also ranked
// clause by clause.
const (
	wholeWords  = 9 // up to here a message is one clause
	clauseWords = 3 // shorter clauses belong to the one before
	maxClauses  = 8 // of longer messages, the first and the last ones

	// Words in clauses that score less than the best get less weight: the same in a
	// message of up to shortMessage words, as little as 1-clauseShare from longMessage
	// words on. Stories put around BANKING77's questions cost 10 points without this, 4
	// with it.
	shortMessage   = 15
	longMessage    = 32
	clauseShare    = .6
	topScoreWeight = .6  // of the clause's best score
	questionWeight = 1.2 // of looking like a question
	introCost      = 1   // taken off a clause that introduces the speaker
)

// kinds of question. Two questions of different kinds about the same thing
// have different answers.
const (
	kindNone = iota
	kindMay  // can I, am I allowed
	kindMust // must I, can my manager make me
	kindHow  // how do I
	kindMuch // how much, how many, how long
	kindWho
	kindWhere
	kindWhen
	kindWhy
	kindStop // how do I undo, refuse, come off
	kinds
)

var kindNames = [kinds]string{"", "may I", "must I", "how do I", "how much", "who", "where", "when", "why", "undoing or refusing"}

var kindWords = func() map[string]uint8 {
	m := map[string]uint8{}
	for kind, words := range map[uint8]string{
		kindMay:   "allowed allow can could may ok okay alright permitted permission acceptable fine",
		kindMust:  "must force forced forcing mandatory compulsory obliged required need",
		kindMuch:  "cost costs price budget fee",
		kindWho:   "who whose whos whom",
		kindWhere: "where wheres",
		kindWhen:  "when whens deadline",
		kindWhy:   "why whys",
		kindStop:  "stop refuse delete remove quit close cancel unfollow unlike undo leave opt",
	} {
		for _, w := range strings.Fields(words) {
			m[w] = kind
		}
	}
	return m
}()

// questionKind classifies the question in toks by its most specific question word.
func questionKind(toks []token) uint8 {
	kind := uint8(kindNone)
	rank := func(k uint8) int {
		switch k {
		case kindNone:
			return 0
		case kindMay:
			return 1
		case kindHow:
			return 2
		case kindWhere, kindWhen, kindWhy, kindWho:
			return 3
		}
		return 4
	}
	for i := range toks {
		w := toks[i].word
		k := kindWords[w]
		switch {
		case w == "how" || w == "hows":
			k = kindHow
			if i+1 < len(toks) {
				switch toks[i+1].word {
				case "much", "many", "long", "often":
					k = kindMuch
				}
			}
		case i+1 < len(toks) && toks[i+1].word == "to" && (w == "have" || w == "need" || w == "got" || w == "made"):
			k = kindMust
		case k == kindMust && w == "need":
			k = kindNone
		case i+1 < len(toks) && w == "make" && toks[i+1].word == "me":
			k = kindMust
		}
		if rank(k) > rank(kind) {
			kind = k
		}
	}
	return kind
}

// clause is a stretch of a message's tokens.
type clause struct {
	from, to      int
	questionScore float32 // how much it looks like a question
	topScore      float32 // weighted score of its best document
}

var asking = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields("how what whats who whos whose where wheres when why which can could should shall may must do does is are am allowed wondering wonder") {
		m[w] = true
	}
	return m
}()

var joins = map[string]bool{"but": true, "so": true, "because": true, "although": true, "and": true, "wondering": true, "if": true}

// splitClauses splits toks at the ends of sentences, and long sentences at commas
// and conjunctions. It returns nil for a short message.
func (s *wordScratch) splitClauses(toks []token) []clause {
	s.clauses = s.clauses[:0]
	if len(toks) <= wholeWords {
		return nil
	}
	from := 0
	cut := func(to int) {
		if to <= from {
			return
		}
		if n := len(s.clauses); n > 0 && to-from < clauseWords {
			s.clauses[n-1].to = to
		} else {
			s.clauses = append(s.clauses, clause{from: from, to: to})
		}
		from = to
	}
	for i := 1; i < len(toks); i++ {
		switch g := toks[i].gap; {
		case g >= text.Stop:
			cut(i)
		case g == text.Comma && i-from >= clauseWords:
			cut(i)
		case joins[toks[i].word] && i-from >= clauseWords+1:
			cut(i)
		}
	}
	cut(len(toks))
	if len(s.clauses) < 2 {
		return nil
	}
	if n := len(s.clauses); n > maxClauses {
		s.clauses = append(s.clauses[:maxClauses/2], s.clauses[n-maxClauses/2:]...)
	}
	for k := range s.clauses {
		c := &s.clauses[k]
		end := s.closing
		if c.to < len(toks) {
			end = toks[c.to].gap
		}
		if end == text.Asking {
			c.questionScore++
		}
		for i := c.from; i < min(c.to, c.from+3); i++ {
			if asking[toks[i].word] {
				c.questionScore += .5
				break
			}
		}
		if k == len(s.clauses)-1 {
			c.questionScore += .25
		}
		if isIntroduction(toks[c.from:c.to]) {
			c.questionScore -= float32(introCost)
		}
	}
	return s.clauses
}

// isIntroduction reports whether a clause introduces the speaker: "I'm a porter on
// nights", "first week as a scrub nurse".
func isIntroduction(toks []token) bool {
	w := func(i int) string {
		if i < len(toks) {
			return toks[i].word
		}
		return ""
	}
	switch {
	case w(0) == "i" && (w(1) == "am" || w(1) == "work" || w(1) == "run"),
		w(0) == "just" && (w(1) == "started" || w(1) == "joined" || w(1) == "got"),
		w(0) == "as" && (w(1) == "a" || w(1) == "an"),
		w(0) == "my" && !asking[w(1)] && !asking[w(2)]:
		return true
	}
	for i := 1; i < min(len(toks), 4); i++ {
		if w(i) == "as" && (w(i+1) == "a" || w(i+1) == "an") || w(i) == "here" {
			return true
		}
	}
	return false
}

// weighByClause sets the weight of every word by the score of its clause, and returns
// the index of the best clause.
func weighByClause(toks []token, parts []clause) (best int) {
	value := func(c *clause) float64 { return float64(c.topScore) + questionWeight*float64(c.questionScore) }
	for k := range parts {
		if value(&parts[k]) > value(&parts[best]) {
			best = k
		}
	}
	share := clauseShare * min(1, max(0, (float64(len(toks))-shortMessage)/(longMessage-shortMessage)))
	top := value(&parts[best])
	for k := range parts {
		c := &parts[k]
		w := float32(1 - share + share*math.Exp(value(c)-top))
		for i := c.from; i < c.to; i++ {
			toks[i].weight = w
		}
	}
	return best
}

// weighClauses weights the words of a phrasing like those of a question, by
// questionScore alone, because there is no index yet.
func (s *wordScratch) weighClauses(toks []token) {
	if parts := s.splitClauses(toks); parts != nil {
		weighByClause(toks, parts)
	}
}
