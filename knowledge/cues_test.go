package knowledge

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// withLanes is a folder with lanes of these cues, all private.
func withLanes(lanes map[string][]string) fstest.MapFS {
	f := folder("a")
	for name, cues := range lanes {
		e := Entry{ID: "lanes/" + name, Title: name, Body: "Steps.", Phrasings: []string{"about " + name}, Route: Private}
		f["faq/"+e.ID+".md"] = &fstest.MapFile{Data: Format(e)}
		f["faq/"+e.ID+".cues"] = &fstest.MapFile{Data: []byte(strings.Join(cues, "\n") + "\n")}
	}
	return f
}

func TestCues(t *testing.T) {
	f := withLanes(map[string][]string{
		"crisis-self":  {"don't want to live", "kill myself", "suicid*", "self harm", "(cannot|can't) go on", "i'll end it", "i … {gone}", "not: (poster|training)"},
		"crisis-other": {"kill myself she said", "want to die"},
		"data-breach":  {"patient data", "sent … wrong (email|person)", "wrong ward list"},
		"media":        {"journalist*", "the BBC", "harass* by press*"},
		"abuse":        {"harass*", "being bullied"},
		"zebra":        {"journalist at the zoo", "zoos"},
	})
	f["lexicon.yaml"] = &fstest.MapFile{Data: []byte("textspeak: {wanna: want to, ur: your, want 2: want to, kil: kill}\nlists:\n  gone: [no longer here, gone for good]\n")}
	b := load(t, f)
	for _, c := range []struct{ text, lane, cue string }{
		{"I don't want to live", "crisis-self", "don't want to live"},
		{"i dont want to live anymore", "crisis-self", "don't want to live"},
		{"I DON’T  WANT to live", "crisis-self", "don't want to live"},
		{"i dont wanna live", "crisis-self", "don't want to live"},
		{"do not wanna live", "crisis-self", "don't want to live"},
		{"dont want 2 live", "crisis-self", "don't want to live"},
		{"going to kil myself", "crisis-self", "kill myself"},
		{"kill, myself", "crisis-self", "kill myself"},
		{"k*ll myself", "crisis-self", "kill myself"},
		{"\u200bki\u200bll myself", "crisis-self", "kill myself"},
		{"ｋｉｌｌ myself", "crisis-self", "kill myself"},
		{"she is suicidal", "crisis-self", "suicid*"},
		{"self-harm photos", "crisis-self", "self harm"},
		{"I can’t go on", "crisis-self", "(cannot|can't) go on"},
		{"i cant go on", "crisis-self", "(cannot|can't) go on"},
		{"I'll end it", "crisis-self", "i'll end it"},
		{"soon i will be gone for good", "crisis-self", "i … {gone}"},
		{"i will, when all of this and that and the other is done, be gone for good", "", ""}, // more than 8 words
		{"it is not me. gone for good", "", ""},                                               // another sentence
		{"a poster: do not kill myself", "", ""},
		{"kill myself she said", "crisis-other", "kill myself she said"}, // both private here: the longer
		{"a journalist has patient data", "data-breach", "patient data"},
		{"i sent it to the wrong person", "data-breach", "sent … wrong (email|person)"},
		{"journalists are here", "media", "journalist*"},
		{"the bbc rang", "media", "the BBC"},
		{"i am harassed by pressmen", "media", "harass* by press*"},
		{"i am harassed", "abuse", "harass*"},
		{"at the zoos", "zebra", "zoos"},
		{"skill myself up", "", ""},
		{"a photojournalist", "", ""},
		{"cannot go once", "", ""},
		{"", "", ""},
		{"\xff\xfe ' * /", "", ""},
		{strings.Repeat("word ", 3000) + "kill myself", "crisis-self", "kill myself"},
	} {
		e, cue := b.Cue(c.text)
		lane := ""
		if e != nil {
			lane = e.Lane()
		}
		if lane != c.lane || cue != c.cue {
			t.Errorf("%.60q: lane %q by %q, want %q by %q", c.text, lane, cue, c.lane, c.cue)
		}
	}
}

func TestCuesThatCannotBeUsed(t *testing.T) {
	f := withLanes(map[string][]string{"media": {
		"# a note", "", "fine words", "/(old|pattern)/", "(open end", "{nowhere}", "mid*dle", "???", "ab", "…", "must: words of a reporter", "must not: words of a poet",
	}})
	b, err := Load(f)
	problems, _ := errors.AsType[Problems](err)
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"media.cues:4:1: a cue that cannot be used: a pattern between slashes is no longer read: write plain words",
		"media.cues:5:1: a cue that cannot be used: the ( has no )",
		`media.cues:6:1: a cue that cannot be used: lexicon.yaml has no list "nowhere"`,
		`media.cues:7:1: a cue that cannot be used: "mid*dle"`,
		`media.cues:8:1: a cue that cannot be used: "???"`,
		"media.cues:9:1: a cue that cannot be used: it is too short",
		"media.cues:10:1: a cue that cannot be used: it has no word",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if len(got) != 7 {
		t.Errorf("%d problems:\n%s", len(got), all)
	}
	if e, _ := b.Cue("some fine words"); e == nil {
		t.Error("a good cue beside bad ones is not used")
	}
	if x := b.Examples(); len(x) != 2 || x[0].Text != "words of a reporter" || !x[0].Must || x[1].Must {
		t.Errorf("examples %+v", x)
	}

	var many []string
	for range maxCues + 1 {
		many = append(many, "very plain words")
	}
	if _, err := Load(withLanes(map[string][]string{"media": many})); err == nil || !strings.Contains(err.Error(), "more than 25 cues") {
		t.Errorf("too many: %v", err)
	}
	f = folder("a")
	f["faq/a/b.cues"] = &fstest.MapFile{Data: []byte("plain words\n")}
	if _, err := Load(f); err == nil || !strings.Contains(err.Error(), "there is no lane a/b") {
		t.Errorf("cues of no lane: %v", err)
	}
	f = folder("a")
	f["faq/a/b.md"] = &fstest.MapFile{Data: []byte("# T\n\nB.\n\n## Asked as\n- b\n\n## Cues\n- old\n")}
	if _, err := Load(f); err == nil || !strings.Contains(err.Error(), "cues are in a file of their own now, b.cues") {
		t.Errorf("a section of before: %v", err)
	}
}

func TestLaneOrder(t *testing.T) {
	lanes := map[string][]string{"xenon": {"all of it"}}
	for _, l := range laneOrder {
		lanes[l+"-of-some-kind"] = []string{"all " + l, "all of it"}
	}
	b := load(t, withLanes(lanes))
	text := "all of it"
	for i := len(laneOrder) - 1; i >= 0; i-- {
		text += " and all " + laneOrder[i]
		if e, cue := b.Cue(text); e.ID != "lanes/crisis-of-some-kind" {
			t.Errorf("%q: %s by %q", text, e.ID, cue)
		}
	}
	for i, l := range laneOrder {
		delete(lanes, l+"-of-some-kind")
		want := "lanes/xenon"
		if i+1 < len(laneOrder) {
			want = "lanes/" + laneOrder[i+1] + "-of-some-kind"
		}
		if e, _ := load(t, withLanes(lanes)).Cue(text); e.ID != want {
			t.Errorf("without %s: %s, want %s", l, e.ID, want)
		}
	}
}

func TestNoLanes(t *testing.T) {
	if e, cue := load(t, folder("a")).Cue("kill myself"); e != nil || cue != "" {
		t.Error(e, cue)
	}
}

// The shipped cues can be read: so many and so long at most, in files of their own.
func TestShippedCues(t *testing.T) {
	b := load(t, Embedded)
	lanes, size := 0, 0
	for _, words := range b.lists {
		size += len(strings.Join(words, ", "))
	}
	for _, e := range b.Entries() {
		if e.Lane() == "" {
			continue
		}
		lanes++
		if c := b.cues[e.ID]; c != nil {
			for _, x := range c.cues {
				size += len(x.text)
			}
			if len(c.examples) == 0 {
				t.Errorf("%s has no example that must be met, or must not", e.ID)
			}
		}
	}
	if lanes < 15 || size > maxCueText {
		t.Errorf("%d lanes, cues and lists of %d bytes", lanes, size)
	}
	t.Logf("%d lanes, cues and lists of %d bytes", lanes, size)
}

func FuzzCue(f *testing.F) {
	f.Add("end it*", "i want to end itall")
	f.Add("(a b|c) … don't", "c don’t")
	f.Add("/x+/", "xx")
	f.Fuzz(func(t *testing.T, line, question string) {
		r := text.NewReader(nil, nil)
		c, err := parseCue(strings.TrimSpace(line), nil, r)
		if err != nil {
			return
		}
		e := &Entry{ID: "lanes/x", Route: Private}
		x := newLaneIndex([]*Entry{e}, map[string]*laneCues{e.ID: {cues: []cue{c}}}, match.Lexicon{})
		x.find(question)
		if strings.ContainsAny(line, "(|){}*.…?!\n\r") || len(line) > 100 {
			return
		}
		// Words meet themselves.
		if _, cue := x.find("so " + c.text + " then"); cue == "" && len(text.Words(c.text)) == len(strings.Fields(c.text)) && !strings.ContainsAny(line, ",;:-—–\"'/") {
			t.Fatalf("%q does not meet itself", line)
		}
	})
}

// The budget is 100 µs for a question of 60 characters: it is run on every one.
func BenchmarkCue(b *testing.B) {
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
	b.Run("questions", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			base.Cue(questions[i%len(questions)])
		}
	})
	b.Run("20000 characters", func(b *testing.B) {
		for b.Loop() {
			base.Cue(long[:20000])
		}
	})
}
