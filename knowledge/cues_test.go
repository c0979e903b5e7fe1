package knowledge

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// withLanes is a folder with lanes of these cues, all private.
func withLanes(lanes map[string][]string) fstest.MapFS {
	f := folder("a")
	for name, cues := range lanes {
		e := Entry{ID: "lanes/" + name, Title: name, Body: "Steps.", Phrasings: []string{"about " + name}, Cues: cues, Route: Private}
		f["faq/"+e.ID+".md"] = &fstest.MapFile{Data: Format(e)}
	}
	return f
}

func TestLaneCues(t *testing.T) {
	f := withLanes(map[string][]string{
		"crisis-self":  {"don't want to live", "kill myself", "suicid*", "self harm", `/\b(can.?t|cannot) go on\b/`, "ill end it"},
		"crisis-other": {"kill myself she said", "want to die"},
		"data-breach":  {"patient data", `/sent .{0,20}wrong (email|person)/`, "wrong ward list"},
		"media":        {"journalist*", "the BBC", "harass* by press*"},
		"abuse":        {"harass*", "being bullied"},
		"zebra":        {"journalist at the zoo", "zoo"},
	})
	f["lexicon.yaml"] = &fstest.MapFile{Data: []byte("textspeak: {wanna: want to, ur: your, want 2: want to, kil: kill, dont: do not, can't: cannot}\n")}
	b := load(t, f)
	for _, c := range []struct{ text, lane, cue string }{
		{"I don't want to live", "crisis-self", "don't want to live"},
		{"i dont want to live anymore", "crisis-self", "don't want to live"},
		{"I DON’T  WANT\nto live", "crisis-self", "don't want to live"},
		{"i dont wanna live", "crisis-self", "don't want to live"},
		{"do not wanna live", "crisis-self", "don't want to live"},
		{"dont want 2 live", "crisis-self", "don't want to live"},
		{"going to kil myself", "crisis-self", "kill myself"},
		{"kill, myself", "crisis-self", "kill myself"},
		{"\u200bki\u200bll myself", "crisis-self", "kill myself"},
		{"ｋｉｌｌ myself", "crisis-self", "kill myself"},
		{"she is suicidal", "crisis-self", "suicid*"},
		{"self-harm photos", "crisis-self", "self harm"},
		{"I can’t go on", "crisis-self", `/\b(can.?t|cannot) go on\b/`},
		{"i cant go on", "crisis-self", `/\b(can.?t|cannot) go on\b/`},
		{"I'll end it", "crisis-self", "ill end it"},
		{"kill myself she said", "crisis-other", "kill myself she said"},
		{"a journalist has patient data", "data-breach", "patient data"},
		{"i sent it to the wrong person", "data-breach", `/sent .{0,20}wrong (email|person)/`},
		{"journalists are here", "media", "journalist*"},
		{"the bbc rang", "media", "the BBC"},
		{"harassed by pressmen", "media", "harass* by press*"},
		{"i am harassed", "abuse", "harass*"},
		{"a journalist at the zoo", "media", "journalist*"},
		{"at the zoo", "zebra", "zoo"},
		{"skill myself up", "", ""},
		{"a photojournalist", "", ""},
		{"cannot go once", "", ""},
		{"", "", ""},
		{"\xff\xfe ' * /", "", ""},
		{strings.Repeat("word ", 5000) + "kill myself", "crisis-self", "kill myself"},
		{strings.Repeat("word. ", 3000) + "i cannot go on" + strings.Repeat(" word", 1000), "crisis-self", `/\b(can.?t|cannot) go on\b/`},
	} {
		e, cue := b.Lane(c.text)
		lane := ""
		if e != nil {
			lane = e.Lane()
		}
		if lane != c.lane || cue != c.cue {
			t.Errorf("%.60q: lane %q by %q, want %q by %q", c.text, lane, cue, c.lane, c.cue)
		}
	}
}

func TestLaneOrder(t *testing.T) {
	lanes := map[string][]string{"xenon": {"all"}}
	for _, l := range laneOrder {
		lanes[l+"-of-some-kind"] = []string{"all " + l, "all"}
	}
	b := load(t, withLanes(lanes))
	text := "all"
	for i := len(laneOrder) - 1; i >= 0; i-- {
		text += " and all " + laneOrder[i]
		if e, cue := b.Lane(text); e.ID != "lanes/crisis-of-some-kind" {
			t.Errorf("%q: %s by %q", text, e.ID, cue)
		}
	}
	for i, l := range laneOrder {
		delete(lanes, l+"-of-some-kind")
		want := "lanes/xenon"
		if i+1 < len(laneOrder) {
			want = "lanes/" + laneOrder[i+1] + "-of-some-kind"
		}
		if e, _ := load(t, withLanes(lanes)).Lane(text); e.ID != want {
			t.Errorf("without %s: %s, want %s", l, e.ID, want)
		}
	}
}

// The shipped cues: what must not wait, by whose danger it is, and harmless
// questions that look like it.
func TestShippedCues(t *testing.T) {
	b := load(t, Embedded)
	for lane, texts := range map[string][]string{
		"crisis-self": {
			"took 40 paracetamol and dont know what to do", "they wrote horrible things and i took all my tablets",
			"after what they wrote i want to die", "he left me and now im suicidal", "a patient posted about me and i cant go on",
			"going to overdose", "suicidal", "please somebody i took an overdose", "need someone to talk to", "i have a rope ready",
			"need somebody to talk to about my head", "my mum died and i dont want to be here", "my mum died and want to end it all",
			"after what she wrote want to die", "because of that patient want to die", "they bully me and want to die", "want to die",
			"since he posted it thinking of ending my life",
		},
		"crisis-other": {
			"follower says she took 40 paracetamol an hour ago", "she is ill and took 40 paracetamol", "someone messaged us theyve took a load of pills",
			"Somebody has posted that they want to die", "he posted that he is in a dark place", "suisidal person in our inbox",
			"person on our page has written they have a rope ready", "how do i reply to a suicidal comment",
			"our page, girl says she is bleeding from cuts she made", "lad in the comments sed he wants to dye",
		},
		"media": {
			"hoax about a gunman at the hospital is going round", "a rumour that our a&e is shut is being shared everywhere",
			"a post saying we let a man die has gone viral", "post going round that the hospital has run out of oxygen",
			"an email from a reporter", "a columnist wants my view",
		},
		"abuse-threats": {
			"he is coming to the ward with a knife", "they want 2 grand or they release the video of me",
			"deepfake porn of one of our nurses", "my face was put in a porn video", "a comment says burn that ward down",
			"google review threatens a named nurse", "he has a gun and knows which ward she works on",
		},
		"account-security": {
			"someone has got into the ward page", "page hijackd by somebody", "nobody here wrote the posts on our page, none of us put them there",
		},
		"data-breach": {
			"a colleague replied to a review and said what the patient was in for", "someone on our team named a patient in the group chat",
			"nurse let slip in a reply that she was here for an abortion",
		},
		"safeguarding":     {"somebody is grooming a girl on our page", "he is being groomed online", "is this grooming", "grooming of patients"},
		"legal-discipline": {"I have been charged with assault", "probation meeting over a post"},
		"": {
			"Hi I need someone to explain ESR to me", "i need somebody to talk to about my payslip", "want someone to talk to our team about twitter",
			"said goodbye to our leaver today", "can I share a post about suicide prevention", "may I tweet about overdose awareness",
			"the internet is career suicide, says my dad, am I right",
			"a journalist has sent me a friend request on facebook", "got a friend request from a reporter I know",
			"a reporter wants to connect with me on linkedin", "visitors filming for their channels", "may I crop the photographer's picture",
			"the trust magazine wants my recipe", "our video went viral", "is there guidance about misinformation",
			"I was charged a parking fee", "i got charged twice for my lunch", "I have a probation meeting with my manager next week",
			"i have been put in charge of our colleagues' group chat", "my colleagues put me in charge of the group",
			"i feel safe using twitter", "I'd be frightened of posting from the wrong one", "who is our guardian angel lead",
			"a patient asked to be my friend, is it ok", "do we need a backup person who can get into the page",
			"someone is on our page asking about parking", "I sent the newsletter to the wrong list", "patients are panicking",
			"I do dog grooming at weekends, can I advertise it on my facebook", "the bride and groom met on our ward, can we post it",
			"can we make an ai picture of a nurse for our poster", "charity naked calendar to raise money", "can I reply to a review",
		},
	} {
		for _, text := range texts {
			e, cue := b.Lane(text)
			got := ""
			if e != nil {
				got = e.Lane()
			}
			if got != lane {
				t.Errorf("%q: lane %q, want %q, by %.80s", text, got, lane, cue)
			}
		}
	}
}

func TestNoLanes(t *testing.T) {
	if e, cue := load(t, folder("a")).Lane("kill myself"); e != nil || cue != "" {
		t.Error(e, cue)
	}
}

// A pattern that the prefilter leaves out must not have met the text.
func TestPrefilterMissesNothing(t *testing.T) {
	b := load(t, Embedded)
	s := new(sweep)
	for i, e := range b.Entries() {
		if i%5 > 0 {
			continue // each text is put to all patterns
		}
		for _, q := range e.Phrasings[:1] {
			q = normalText(q)
			found := b.lanes.filter.find(q, s)
			for i, n := range b.lanes.patterns {
				if _, ok := slices.BinarySearch(found, int32(i)); !ok && b.lanes.cues[n].pattern().MatchString(q) {
					t.Errorf("%q meets %s", q, b.lanes.cues[n].text)
				}
			}
		}
	}
}

func FuzzPrefilter(f *testing.F) {
	f.Add(`\b(she|he|they)\b.{0,20}(can.?t|cannot) (go|carry) on`, "she said that they can't carry on")
	f.Add(`^(a|b)?su[ie]?c[iau]+d+(al)?\b`, "suiciidal")
	f.Add(`[^.?!]{0,4}x+\B(y|z){2,3}$`, "xxyyz")
	f.Add(`(?i)KMS|_\b-\b`, "kms _-a")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 500 {
			return
		}
		tree, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return
		}
		text = normalText(text)
		if !re.MatchString(text) || upper.MatchString(pattern) {
			return
		}
		p := newPrefilter()
		p.add(literalSets(tree))
		if len(p.find(text, new(sweep))) != 1 {
			t.Fatalf("%q meets %q, which has none of %q", pattern, text, literalSets(tree))
		}
	})
}

func FuzzCue(f *testing.F) {
	f.Add("end it*", "i want to end itall")
	f.Add("/x+/", "xx")
	f.Add("don't", "don’t")
	f.Fuzz(func(t *testing.T, text, question string) {
		c, err := parseCue(strings.TrimSpace(text))
		if err != nil {
			return
		}
		if strings.ContainsAny(text, "\n\r") || oneLine(text) != strings.TrimSpace(text) {
			return
		}
		e := Entry{ID: "lanes/x", Route: Private}
		x := newLaneIndex([]*Entry{&e}, func(string) []cue { return []cue{c} }, nil)
		x.find(question)
		// Words meet themselves.
		if c.pattern == nil {
			if _, cue := x.find("so " + strings.ReplaceAll(c.text, "*", "") + " then"); cue == "" {
				t.Fatalf("%q does not meet itself", text)
			}
		}
	})
}

// The budget is 100 µs for a question of 60 characters: it is run on every
// one, before matching.
func BenchmarkLane(b *testing.B) {
	base, err := Load(Embedded)
	if err != nil {
		b.Fatal(err)
	}
	var questions []string
	for _, e := range base.Entries() {
		if e.Lane() == "" {
			questions = append(questions, e.Phrasings...)
		}
	}
	long := strings.Join(questions, ". ")
	for _, q := range questions {
		base.Lane(q) // compiles the patterns
	}
	b.Run("questions", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			base.Lane(questions[i%len(questions)])
		}
	})
	b.Run("20000 characters", func(b *testing.B) {
		for b.Loop() {
			base.Lane(long[:20000])
		}
	})
}

// BenchmarkLaneWords is for cues of words alone: 13 lanes of 60.
func BenchmarkLaneWords(b *testing.B) {
	lanes := map[string][]string{}
	for i := range 13 {
		for j := range 60 {
			lanes[fmt.Sprint("lane", i)] = append(lanes[fmt.Sprint("lane", i)], fmt.Sprintf("word%d and thing%d*", j, i))
		}
	}
	base, err := Load(withLanes(lanes))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		base.Lane("can i put a photo of the ward christmas tree on our facebook")
	}
}
