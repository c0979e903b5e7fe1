package knowledge

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// laneOrder decides where the cues of several lanes meet. A lane may carry a
// suffix (crisis-self); lanes that are not named here come last.
var laneOrder = []string{
	"crisis", "data-breach", "media", "abuse", "account-security", "safeguarding", "clinical",
	"speaking-up", "legal-discipline", "election", "patient-identifiable",
}

// laneRank orders lanes, the first the least. Of the parts of one lane a private
// one comes first: what may be about the asker is not passed on.
func laneRank(e *Entry) int {
	rank := slices.IndexFunc(laneOrder, func(name string) bool { return strings.HasPrefix(e.Lane(), name) })
	if rank < 0 {
		rank = len(laneOrder)
	}
	rank *= 2
	if e.Route != Private {
		rank++
	}
	return rank
}

// cue is one line of a lane's "Cues": words in a row, or a pattern.
type cue struct {
	text     string
	words    []cueWord
	pattern  func() *regexp.Regexp // nil: words
	literals [][]string            // what it meets holds one of each set
}

type cueWord struct {
	text string
	open bool // any ending
}

// maxCue bounds a pattern, and with it the time it can take.
const maxCue = 4000

func parseCue(text string) (cue, error) {
	c := cue{text: text}
	if len(text) > maxCue {
		return c, fmt.Errorf("it is longer than %d characters", maxCue)
	}
	if body, ok := strings.CutPrefix(text, "/"); ok {
		body, ok = strings.CutSuffix(body, "/")
		if !ok || body == "" {
			return c, errors.New("a pattern stands between two slashes")
		}
		if upper.MatchString(body) {
			body = "(?i:" + body + ")"
		}
		tree, err := syntax.Parse(body, syntax.Perl)
		if err != nil {
			return c, errors.New(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
		c.literals = literalSets(tree)
		// What parses compiles; that takes most of the time of a load, and most
		// patterns are never run.
		c.pattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(body) })
		if meetsEmpty(tree) || len(body) < 20 && c.pattern().MatchString(" ") {
			return c, errors.New("the pattern meets every question")
		}
		return c, nil
	}
	if strings.HasPrefix(text, "*") {
		return c, errors.New("the * stands at the end of a word")
	}
	letters := 0
	for part := range strings.FieldsSeq(normalText(text)) {
		stem, open := strings.CutSuffix(part, "*")
		if strings.Contains(stem, "*") {
			return c, errors.New("the * stands at the end of a word")
		}
		words := splitWords(stem, nil)
		if open && len(words) == 0 {
			return c, errors.New("the * stands at the end of a word")
		}
		for i, w := range words {
			c.words = append(c.words, cueWord{w, open && i == len(words)-1})
			letters += utf8.RuneCountInString(w)
		}
	}
	switch {
	case len(c.words) == 0:
		return c, errors.New("it has no word")
	case len(c.words) == 1 && c.words[0].open && letters < 3:
		return c, errors.New("at least three letters stand before the *")
	}
	return c, nil
}

// meetsEmpty says whether a pattern meets a text without a word in it.
func meetsEmpty(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpNoWordBoundary, syntax.OpStar, syntax.OpQuest:
		return true
	case syntax.OpCapture, syntax.OpPlus:
		return meetsEmpty(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || meetsEmpty(re.Sub[0])
	case syntax.OpAlternate:
		return slices.ContainsFunc(re.Sub, meetsEmpty)
	case syntax.OpConcat:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !meetsEmpty(sub) })
	}
	return false
}

// upper finds capitals that are no escapes: texts have none, so they stand
// for either case.
var upper = regexp.MustCompile(`(^|[^\\])[A-Z]`)

// laneIndex finds cues. Words are looked up by the first of them; patterns run
// only where their literals stand in the text.
type laneIndex struct {
	lanes     []*Entry
	cues      []laneCue
	first     map[string][]int32 // cue numbers by first word
	open      map[string][]int32 // the same, any ending
	lengths   []int              // of the keys of open, ascending
	patterns  []int32            // cue numbers, in order of precedence
	filter    *prefilter         // over patterns
	sweeps    sync.Pool
	textspeak map[string][]phrase // by first word, longest first
	other     int                 // place in lanes of somebody else's crisis; -1: there is none
}

// phrase is an entry of the lexicon's textspeak.
type phrase struct{ typed, plain []string }

type laneCue struct {
	cue
	lane int
	rank int
}

// newLaneIndex takes the lanes among entries, which are sorted by id.
func newLaneIndex(entries []*Entry, cues func(id string) []cue, textspeak map[string]string) *laneIndex {
	x := &laneIndex{first: map[string][]int32{}, open: map[string][]int32{}, textspeak: map[string][]phrase{}, filter: newPrefilter()}
	for _, k := range sortedKeys(textspeak) {
		if w := splitWords(normalText(k), nil); len(w) > 0 {
			x.textspeak[w[0]] = append(x.textspeak[w[0]], phrase{w, splitWords(normalText(textspeak[k]), nil)})
		}
	}
	for _, ps := range x.textspeak {
		slices.SortStableFunc(ps, func(a, b phrase) int { return cmp.Compare(len(b.typed), len(a.typed)) })
	}
	for _, e := range entries {
		if e.Lane() != "" {
			x.lanes = append(x.lanes, e)
		}
	}
	slices.SortStableFunc(x.lanes, func(a, b *Entry) int { return cmp.Compare(laneRank(a), laneRank(b)) })
	x.other = slices.IndexFunc(x.lanes, func(e *Entry) bool { return e.Route == Urgent && strings.HasPrefix(e.Lane(), crisis) })
	for i, e := range x.lanes {
		for _, c := range cues(e.ID) {
			x.add(c, i, laneRank(e))
			if r, changed := x.repairCue(c); changed {
				x.add(r, i, laneRank(e))
			}
		}
	}
	return x
}

func (x *laneIndex) add(c cue, lane, rank int) {
	n := int32(len(x.cues))
	x.cues = append(x.cues, laneCue{c, lane, rank})
	switch {
	case c.pattern != nil:
		x.patterns = append(x.patterns, n)
		x.filter.add(c.literals)
	case c.words[0].open:
		w := c.words[0].text
		x.open[w] = append(x.open[w], n)
		if k, found := slices.BinarySearch(x.lengths, len(w)); !found {
			x.lengths = slices.Insert(x.lengths, k, len(w))
		}
	default:
		w := c.words[0].text
		x.first[w] = append(x.first[w], n)
	}
}

// repairCue gives the form in which a cue stands in a repaired text: where
// dont is read as "do not", so is the cue's "don't".
func (x *laneIndex) repairCue(c cue) (cue, bool) {
	words := mapped(c.words, func(w cueWord) string { return w.text })
	repaired, changed := x.repair(words)
	last := len(c.words) - 1
	if !changed || slices.ContainsFunc(c.words[:last], func(w cueWord) bool { return w.open }) ||
		c.words[last].open && words[last] != repaired[len(repaired)-1] {
		return c, false
	}
	r := cue{text: c.text, words: mapped(repaired, func(w string) cueWord { return cueWord{text: w} })}
	r.words[len(repaired)-1].open = c.words[last].open
	return r, true
}

// maxLaneText is what Lane reads of a text, in bytes.
const maxLaneText = 64 << 10

// Lane returns the lane whose cue the text meets, and the cue; nil when it
// meets none. Where several do, crisis goes first, then the order of the
// contract; between two lanes of the same place the longer cue decides. What a
// pattern of the asker's own crisis meets only in what is told of somebody else
// is somebody else's crisis. Upper case, apostrophes and text-speak make no
// difference.
func (b *Base) Lane(text string) (*Entry, string) { return b.lanes.find(text) }

func (x *laneIndex) find(text string) (*Entry, string) {
	if len(x.cues) == 0 {
		return nil, ""
	}
	if len(text) > maxLaneText {
		text = text[:maxLaneText]
	}
	h := hit{laneIndex: x, best: -1}
	plain := normalText(text)
	h.patterns(plain)
	if strings.Contains(plain, "'") {
		h.patterns(strings.ReplaceAll(plain, "'", ""))
	}
	var room [64]string
	words := splitWords(plain, room[:0])
	h.words(words)
	if repaired, changed := x.repair(words); changed {
		h.words(repaired)
		h.patterns(strings.Join(repaired, " "))
	}
	if h.best < 0 {
		return nil, ""
	}
	return x.lanes[h.lane], x.cues[h.best].text
}

// hit is the cue that goes first of those met so far, -1 at the start, and the
// lane that it sets off.
type hit struct {
	*laneIndex
	best       int32
	lane, rank int
}

// take makes a cue the best if it goes before the best so far.
func (h *hit) take(n int32, lane, rank int) {
	if h.before(n, rank) {
		h.best, h.lane, h.rank = n, lane, rank
	}
}

// before says whether a cue that sets off a lane of a rank goes before the best.
func (h *hit) before(n int32, rank int) bool {
	if h.best < 0 {
		return true
	}
	return cmp.Or(cmp.Compare(rank, h.rank), cmp.Compare(len(h.cues[h.best].text), len(h.cues[n].text)), cmp.Compare(n, h.best)) < 0
}

// A pattern of the lanes reaches over some 200 characters at most. A long text
// goes through them in windows that overlap by as much, because the longer a
// text is, the more patterns could meet it, and the longer each one takes.
const (
	window  = 500
	overlap = 200
)

func (h *hit) patterns(text string) {
	if len(h.laneIndex.patterns) == 0 {
		return
	}
	for len(text) > window {
		end := cut(text, window-overlap/2, window)
		h.window(text[:end])
		text = text[cut(text, end-overlap, end-overlap/2):]
	}
	h.window(text)
}

// cut is where a text is best parted between two places: after the last end
// of a sentence there, or else of a word.
func cut(text string, from, to int) int {
	if i := strings.LastIndexAny(text[from:to], ".?!"); i >= 0 {
		return from + i + 1
	}
	if i := strings.LastIndexByte(text[from:to], ' '); i >= 0 {
		return from + i + 1
	}
	return to
}

func (h *hit) window(text string) {
	x := h.laneIndex
	s, _ := x.sweeps.Get().(*sweep)
	if s == nil {
		s = new(sweep)
	}
	defer x.sweeps.Put(s)
	for _, i := range x.filter.find(text, s) {
		n := x.patterns[i]
		c := &x.cues[n]
		if !h.before(n, c.rank) || !c.pattern().MatchString(text) {
			continue
		}
		if x.other >= 0 && x.lanes[c.lane].private(crisis) &&
			!slices.ContainsFunc(c.pattern().FindAllStringIndex(text, -1), func(at []int) bool { return !ofOthers(text, at[0], at[1]) }) {
			h.take(n, x.other, laneRank(x.lanes[x.other]))
			continue
		}
		h.take(n, c.lane, c.rank)
	}
}

// crisis begins the names of the two lanes that part by whose crisis it is.
const crisis = "crisis"

// private says whether an entry is a private lane whose name begins so.
func (e *Entry) private(name string) bool {
	return e.Route == Private && strings.HasPrefix(e.Lane(), name)
}

// told is how many words before what a pattern meets are looked at for whom it is
// said of, and toldAfter how many before those for why ("after what she wrote").
const (
	told      = 5
	toldAfter = 3
)

var (
	ownWords   = wordSet("i im ive id me my mine myself meself")
	otherWords = wordSet(`he hes hed she shes shed they theyre theyve theyd who whos someone someones somebody
		somebodys person persons people member follower followers commenter user girl boy lad lass man woman lady guy
		bloke kid teen teenager patient patients stranger visitor friend mate colleague`)
	// thingWords are others only right after: "a suicidal comment".
	thingWords  = wordSet("comment comments post posts message messages dm tweet")
	reasonWords = wordSet("after since because cos what")
	// kinWords are others only right before: "my mum took …", not "my mum died and …".
	kinWords = wordSet("mum mam mom dad mother father son daughter sister brother husband wife partner child nan gran cousin")
)

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// ofOthers says whether what stands between two places of a normal text is said of
// somebody else: of the words before it in its sentence, the nearest that names
// anybody decides, or else those right after it ("a suicidal comment"). In doubt it
// is the asker's own.
func ofOthers(text string, from, to int) bool {
	if first := splitWords(text[from:to], nil); len(first) > 0 && ownWords[first[0]] {
		return false
	}
	before := text[:from]
	before = before[strings.LastIndexAny(before, ".?!")+1:]
	words := splitWords(before, nil)
	for i := range min(told, len(words)) {
		switch w := words[len(words)-1-i]; {
		case ownWords[w]:
			return false
		case otherWords[w], i == 0 && kinWords[w]:
			why := words[:len(words)-1-i]
			return !slices.ContainsFunc(why[max(0, len(why)-toldAfter):], func(w string) bool { return reasonWords[w] })
		}
	}
	after := splitWords(text[to:], nil)
	return slices.ContainsFunc(after[:min(2, len(after))], func(w string) bool { return otherWords[w] || thingWords[w] })
}

func (h *hit) words(words []string) {
	try := func(n int32, rest []string) {
		if c := &h.cues[n]; h.before(n, c.rank) && c.follows(rest) {
			h.take(n, c.lane, c.rank)
		}
	}
	for i, w := range words {
		for _, n := range h.first[w] {
			try(n, words[i+1:])
		}
		for _, l := range h.lengths {
			if l > len(w) {
				break
			}
			for _, n := range h.open[w[:l]] {
				try(n, words[i+1:])
			}
		}
	}
}

// follows says whether the cue's words after the first stand at the start.
func (c *cue) follows(words []string) bool {
	rest := c.words[1:]
	if len(rest) > len(words) {
		return false
	}
	for i, r := range rest {
		if r.open && !strings.HasPrefix(words[i], r.text) || !r.open && words[i] != r.text {
			return false
		}
	}
	return true
}

// repair puts plain words in place of text-speak.
func (x *laneIndex) repair(words []string) ([]string, bool) {
	if !slices.ContainsFunc(words, func(w string) bool { return x.textspeak[w] != nil }) {
		return words, false
	}
	out := make([]string, 0, len(words)+8)
	changed := false
next:
	for i := 0; i < len(words); {
		for _, p := range x.textspeak[words[i]] {
			if n := len(p.typed); n <= len(words)-i && slices.Equal(p.typed, words[i:i+n]) && len(p.plain) > 0 {
				out, i, changed = append(out, p.plain...), i+n, true
				continue next
			}
		}
		out, i = append(out, words[i]), i+1
	}
	return out, changed
}

// normalText is the text that patterns meet: lower case, straight quotes and
// dashes, single spaces, nothing invisible.
func normalText(text string) string {
	ascii := true
	for i := 0; i < len(text) && ascii; i++ {
		ascii = text[i] < utf8.RuneSelf
	}
	if !ascii {
		text = norm.NFKC.String(strings.ToValidUTF8(text, " "))
	}
	var b strings.Builder
	b.Grow(len(text))
	space := true
	for _, r := range text {
		switch {
		case r == '’' || r == '‘' || r == 'ʼ' || r == '`' || r == '´' || r == '′' || r == '＇':
			r = '\''
		case r == '“' || r == '”' || r == '„':
			r = '"'
		case r == '‐' || r == '‑' || r == '–' || r == '—':
			r = '-'
		case r >= utf8.RuneSelf && unicode.Is(unicode.Cf, r):
			continue
		case unicode.IsSpace(r) || unicode.IsControl(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.TrimRight(b.String(), " ")
}

// splitWords appends the words of a normal text, their apostrophes dropped.
func splitWords(text string, words []string) []string {
	start, quoted := -1, false
	flush := func(end int) {
		if start < 0 {
			return
		}
		w := text[start:end]
		if quoted {
			w = strings.ReplaceAll(w, "'", "")
		}
		words = append(words, w)
		start, quoted = -1, false
	}
	for i, r := range text {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)):
			if start < 0 {
				start = i
			}
		case r == '\'' && start >= 0:
			quoted = true
		default:
			flush(i)
		}
	}
	flush(len(text))
	return words
}
