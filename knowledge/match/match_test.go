package match

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"unicode/utf8"
)

// folder is a small one with a bit of everything.
func folder() ([]Document, Lexicon) {
	docs := []Document{
		{ID: "twitter/staff", Covered: true, Phrasings: []string{"can I tweet about work", "tweeting as a member of staff", "am I allowed on twitter", "is it ok to post on twitter about my job", "staff on twitter"}},
		{ID: "facebook/page", Covered: true, Phrasings: []string{"should our ward have a facebook page", "set up a facebook page for the team", "page or profile on facebook", "facebook page for the unit"}},
		{ID: "privacy/who-can-see", Covered: true, Phrasings: []string{"who can see my posts", "privacy settings", "can everyone see my profile", "how do I hide my posts from strangers"}},
		{ID: "policy/read", Covered: true, Phrasings: []string{"do I have to read the social media policy", "what does the policy say", "is there a policy", "social media policy"}},
		{ID: "open/friend-requests", Phrasings: []string{"a patient added me as a friend", "friend request from a patient", "can I accept a patient's friend request"}},
		{ID: "open/colleagues", Phrasings: []string{"a colleague added me as a friend", "friend request from a colleague", "should I be friends with colleagues online"}},
		{ID: "elsewhere/parking", Phrasings: []string{"where do I park", "car park permit", "how much is parking"}},
	}
	lex := Lexicon{
		Synonyms: [][]string{{"twitter", "x.com", "ex-twitter"}, {"facebook", "fb", "face book"}, {"facebook", "instagram"}},
		Cues:     []Cue{{Word: "x", Means: "twitter", Near: []string{"post", "tweet", "account"}}},
		Distinct: [][]string{{"facebook", "twitter", "instagram", "tiktok"}, {"patient", "colleague"}},
		Keep:     []string{"ig"},
		Textspeak: map[string]string{
			"u": "you", "wots": "what's",
		},
	}
	return docs, lex
}

// both are the index before and after fitting.
func both(t testing.TB) []*Index {
	t.Helper()
	ix := Build(folder())
	fitted, err := ix.Fit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if ix.Fitted() || !fitted.Fitted() {
		t.Fatal("Fitted is the wrong way about")
	}
	return []*Index{ix, fitted}
}

func TestRank(t *testing.T) {
	for _, ix := range both(t) {
		for q, want := range map[string]string{
			"can i twet abuot work":    "twitter/staff",
			"am I allowed on x.com":    "twitter/staff",
			"can I tweet on X":         "twitter/staff",
			"fb page for our team":     "facebook/page",
			"Privcy setings?":          "privacy/who-can-see",
			"socialmedia policy":       "policy/read",
			"wots in the policy":       "policy/read",
			"is there parking for me":  "elsewhere/parking",
			"patient frend request":    "open/friend-requests",
			"colleague friend request": "open/colleagues",
			"wh ocan see my posts":     "privacy/who-can-see",
			"WHO CAN SEE MY POSTS??!!": "privacy/who-can-see",
			"who can’t see my posts…":  "privacy/who-can-see",
			"I'm a porter on nights and we were talking in the tea room, so who can see my posts? Thanks, Dave from estates": "privacy/who-can-see",
		} {
			if got := ix.Rank(q, 3).Candidates; len(got) == 0 || got[0].ID != want {
				t.Errorf("fitted %v: Rank(%q) = %v, want %s first", ix.Fitted(), q, got, want)
			}
		}
	}
}

func TestRankIsSane(t *testing.T) {
	for _, ix := range both(t) {
		for _, q := range awkward() {
			checkResult(t, ix, q)
		}
	}
}

func awkward() []string {
	return []string{
		"", " ", "?", "the of and to", "is it the", "policy", "POLICY!!!", "🙂🙂🙂", "\x00\x01\xff\xfe", "é\u0301", "ça va, où est la cafétéria",
		"как дела", "我可以发推吗", "func main() { fmt.Println(\"hello\") }", "<script>alert(1)</script>", "http://example.com/a?b=c#d",
		strings.Repeat("policy ", 2000), strings.Repeat("why is my car parked here, and who can see it? ", 400),
		strings.Repeat("a", 100000), strings.Repeat("ab ", 50000), strings.Repeat("\u0301", 5000), strings.Repeat("?", 9000),
		"From: someone\nTo: you\nSubject: RE: RE: policy\n\n> who wrote\n> this\n-- \nsig",
	}
}

// checkResult checks what Rank promises of every question.
func checkResult(t *testing.T, ix *Index, q string) {
	t.Helper()
	r := ix.Rank(q, 5)
	if len(r.Candidates) > 5 {
		t.Errorf("%.40q: %d candidates", q, len(r.Candidates))
	}
	sum, last := 0., 1.
	for _, c := range r.Candidates {
		if math.IsNaN(c.Confidence) || c.Confidence < 0 || c.Confidence > last {
			t.Errorf("%.40q: confidence %v after %v", q, c.Confidence, last)
		}
		sum, last = sum+c.Confidence, c.Confidence
		for _, d := range ix.docs {
			if d.ID == c.ID && c.Phrasing >= max(1, len(d.Phrasings)) {
				t.Errorf("%.40q: phrasing %d of %s", q, c.Phrasing, c.ID)
			}
		}
	}
	if sum > 1+1e-9 || math.IsNaN(r.Covered) || r.Covered < 0 || r.Covered > 1+1e-9 {
		t.Errorf("%.40q: confidences sum to %v, covered %v", q, sum, r.Covered)
	}
}

func TestNotConfidentFromStopWordsAlone(t *testing.T) {
	for _, ix := range both(t) {
		for _, q := range []string{"the of and to", "is it the", "of", "how is it", "to be or not to be", "asdf qwer zxcv", "日本語"} {
			if c := ix.Rank(q, 1).Candidates; len(c) > 0 && c[0].Confidence > .5 {
				t.Errorf("fitted %v: %q gets %.2f for %s", ix.Fitted(), q, c[0].Confidence, c[0].ID)
			}
		}
	}
}

func TestDistinctWordsAreNeverBlurred(t *testing.T) {
	for _, ix := range both(t) {
		right := ix.Rank("should our ward have a facebook page", 1).Candidates[0]
		for _, q := range []string{"should our ward have an instagram page", "should our ward have a tiktok page", "should our ward have a tiktoc page"} {
			c := ix.Rank(q, 1).Candidates
			if len(c) > 0 && c[0].ID == right.ID && c[0].Confidence > right.Confidence/2 {
				t.Errorf("fitted %v: %q gets %.2f for %s, which is sure of %.2f", ix.Fitted(), q, c[0].Confidence, c[0].ID, right.Confidence)
			}
		}
		s := ix.words.newScratch()
		for q, want := range map[string]string{"instagramm": "instagram", "instgram": "instagram", "facebookk": "facebook", "tiktoc": "tiktok", "ig": "ig", "x": "x"} {
			if toks := ix.words.tokenise(s, q); len(toks) != 1 || toks[0].word != want {
				t.Errorf("%q is read as %v, want %s", q, toks, want)
			}
		}
	}
}

func TestSpelling(t *testing.T) {
	docs, lex := folder()
	docs = append(docs, Document{ID: "open/nights", Phrasings: []string{"wet beds", "it was wet at work", "a witty remark", "the count is wrong", "private account", "can my manager see my profile", "delete my account", "password for my account"}})
	ix := Build(docs, lex)
	s := ix.words.newScratch()
	for q, want := range map[string]string{
		"can i twet abuot work":     "can i tweet about work",
		"can i tweat about work":    "can i tweet about work",
		"may i tweeet":              "may i tweet",
		"can i twett":               "can i tweet",
		"twiter":                    "twitter",
		"twittr":                    "twitter",
		"wtitter":                   "twitter",
		"on twiiter":                "on twitter",
		"facbook":                   "facebook",
		"acebook":                   "facebook",
		"my acount":                 "my account",
		"privat acount":             "private account",
		"delet my acount":           "delete my account",
		"pasword":                   "password",
		"patiant":                   "patient",
		"the polcy":                 "the policy",
		"can my manger see":         "can my manager see", // a word of English, but not in this company
		"the manger":                "the manger",
		"i sok to tweet":            "is ok to tweet",
		"th epolicy":                "the policy",
		"wo rk":                     "work",
		"polic y":                   "policy",
		"socialmedia policy":        "social media policy",
		"tweeting is okk, was wett": "tweeting is ok was wet",
	} {
		var ws []string
		for _, t := range ix.words.tokenise(s, q) {
			ws = append(ws, t.word)
		}
		if got := strings.Join(ws, " "); got != want {
			t.Errorf("%q is read as %q, want %q", q, got, want)
		}
	}
}

func TestSpellingLeavesEnglishAlone(t *testing.T) {
	ix := Build(folder())
	s := ix.words.newScratch()
	for _, w := range []string{"tart", "ward", "pasts", "polite", "tweed", "police", "lark"} {
		if toks := ix.words.tokenise(s, w); len(toks) != 1 || toks[0].word != w {
			t.Errorf("%q is read as %v", w, toks)
		}
	}
}

func TestBuildAndFitAreDeterministic(t *testing.T) {
	a, b := both(t), both(t)
	for i := range a {
		for _, q := range []string{"who can see my page on fb", "a patient wants to be friends", "what is this"} {
			if x, y := fmt.Sprint(a[i].Rank(q, 5)), fmt.Sprint(b[i].Rank(q, 5)); x != y {
				t.Errorf("%q: %s, then %s", q, x, y)
			}
		}
	}
}

func TestFitStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if ix, err := Build(folder()).Fit(ctx); !errors.Is(err, context.Canceled) || ix != nil {
			t.Errorf("Fit = %v, %v", ix, err)
		}
	})
}

func TestEmptyAndTinyFolders(t *testing.T) {
	for _, docs := range [][]Document{nil, {{ID: "a"}}, {{ID: "a", Phrasings: []string{""}}}, {{ID: "a", Phrasings: []string{"only one"}}}, {{ID: "a", Phrasings: []string{"one"}}, {ID: "b", Phrasings: []string{"two", "?"}}}} {
		ix := Build(docs, Lexicon{})
		fitted, err := ix.Fit(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range awkward() {
			checkResult(t, ix, q)
			checkResult(t, fitted, q)
		}
	}
}

func TestRankAtOnce(t *testing.T) {
	ix := both(t)[1]
	want := fmt.Sprint(ix.Rank("who can see my posts", 5))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				ix.Rank("unknown words such as bicycles and a very long story, so what does the policy say?", 5)
				if got := fmt.Sprint(ix.Rank("who can see my posts", 5)); got != want {
					t.Errorf("%s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestKindOf(t *testing.T) {
	ix := Build(folder())
	s := ix.words.newScratch()
	for q, want := range map[string]uint8{
		"can I tweet": kindMay, "do I have to post": kindMust, "can my manager make me post": kindMust, "how do I post": kindHow,
		"how much does it cost": kindMuch, "who writes it": kindWho, "when is it due": kindWhen, "how do I delete a post": kindStop, "tweets": kindNone,
	} {
		if got := questionKind(ix.words.tokenise(s, q)); got != want {
			t.Errorf("kindOf(%q) = %q, want %q", q, kindNames[got], kindNames[want])
		}
	}
}

func FuzzRank(f *testing.F) {
	for _, q := range awkward() {
		f.Add(q)
	}
	ixs := both(f)
	f.Fuzz(func(t *testing.T, q string) {
		for _, ix := range ixs {
			checkResult(t, ix, q)
			if e := ix.Explain(q, 3); !utf8.ValidString(e.String()) {
				t.Errorf("%q: explanation is not UTF-8", q)
			}
		}
	})
}

func TestExplain(t *testing.T) {
	ix := both(t)[1]
	e := ix.Explain("I'm a porter on nights and we were chatting in the tea room, so can i twet about my unicycle on X?", 3)
	if len(e.Candidates) != 3 || e.Candidates[0].ID != "twitter/staff" || e.Candidates[0].Nearest == "" || e.Clause == "" || e.Kind != "may I" {
		t.Errorf("%+v", e)
	}
	if got, want := fmt.Sprint(e.Candidates[0].Candidate), fmt.Sprint(ix.Rank("I'm a porter on nights and we were chatting in the tea room, so can i twet about my unicycle on X?", 3).Candidates[0]); got != want {
		t.Errorf("Explain has %s first, Rank %s", got, want)
	}
	text := e.String()
	for _, want := range []string{"twet → tweet", "unicycle", "twitter/staff", "like: “", "kind         may I"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	t.Log("\n" + text)
}
