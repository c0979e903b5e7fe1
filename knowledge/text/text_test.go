package text_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"canteen/knowledge/text"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"  can I tweet?\n", "can I tweet?"},
		{"one\r\ntwo\tthree", "one\ntwo\tthree"},
		{"zero\u200bwidth\u00adsoft\ufeff", "zerowidthsoft"},
		{"turned \u202eround\u202c", "turned round"},
		{"\x00\x1b[31mred", "[31mred"},
		{"\xff broken", "\uFFFD broken"},
		{"👩\u200d⚕️ stays", "👩\u200d⚕️ stays"},
		{"", ""},
	} {
		if got := text.Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Can I TWEET?", "can i tweet?"},
		{"Ｆｕｌｌｗｉｄｔｈ ４２", "fullwidth 42"},
		{"𝓀𝒾𝓁𝓁 ⓚⓘⓛⓛ", "kill kill"},
		{"ᴋɪʟʟ", "kill"},
		{"k̶i̶l̶l̶", "kill"},
		{"cliché Ångström Dŵr", "cliche angstrom dwr"},
		{"don’t ‘quote’ “me”", "don't 'quote' \"me\""},
		{"2014–2026", "2014-2026"},
		{"943\u00a0476\u20095919", "943 476 5919"},
		{"kіll mysеlf", "kill myself"}, // with Cyrillic і and е
		{"я хочу", "я хочу"},           // a text in Cyrillic stays
		{"a\u200bb\u00adc", "abc"},
		{"tab\there", "tab here"},
	} {
		if got := text.Fold(c.in).Plain; got != c.want {
			t.Errorf("Fold(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// What a place in the folded text was folded from.
func TestSpan(t *testing.T) {
	f := text.Fold("Dr É\u200b Ｘ９９ 𝓀 end")
	for _, c := range []struct{ find, want string }{
		{"dr", "Dr"}, {"e", "É\u200b"}, {"x99", "Ｘ９９"}, {"k", "𝓀"}, {"end", "end"},
	} {
		i := strings.Index(f.Plain, c.find)
		from, to := f.Span(i, i+len(c.find))
		if got := f.Source[from:to]; got != c.want {
			t.Errorf("%q was %q, want %q", c.find, got, c.want)
		}
	}
}

var reader = text.NewReader(map[string]string{
	"u": "you", "cud": "could", "kms": "kill myself", "idk": "i dont know", "2 b": "to be", "2 b honest": "honestly", "wanna": "want to",
}, []string{"wenurses"})

func TestRead(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"Can I tweet about work?", "can i tweet about work"},
		{"don't; DON’T, dont", "do not do not do not"},
		{"patients' photo, the nurse's page", "patients photo the nurses page"},
		{"x.com at 9.30", "x com at 9 30"},
		{"cud u help", "could you help"},
		{"2 b or 2 b honest", "to be or honestly"},
		{"2, b", "to be"},
		{"2. b", "2 b"},
		{"idk", "i do not know"},
		{"kms", "kill myself"},
		// Masks.
		{"I want to k*ll myself", "i want to kill myself"},
		{"d!e", "die"},
		{"su1c1de", "suicide"},
		{"unal1ve myself", "unalive myself"},
		{"s*****e", "suicide"},
		{"f**k this", "fuck this"},
		{"k i l l myself", "kill myself"},
		{"k.i.l.l  k-i-l-l", "kill kill"},
		{"i want to d i e", "i want to die"},
		{"killmyself iwanttodie", "kill myself i want to die"},
		{"sui cide", "suicide"},
		{"@canteen h3lp", "canteen help"},
		{"a*d", "a d"}, // may be anything
		// What is no mask.
		{"ward b5, covid19, f14, h1n1 and 4pm", "ward b5 covid19 f14 h1n1 and 4pm"},
		{"great! i like it! yes!", "great i like it yes"},
		{"rated 5* and ***", "rated 5 and"},
		{"nia@example.nhs.uk", "nia example nhs uk"},
		{"wenurses, #nhssm", "wenurses nhssm"},
		{"a i m for the n h s", "a i m for the n h s"},
		{"i am a b c", "i am a b c"},
		{"hithere", "hithere"},
		{"shifts assessments", "shifts assessments"},
		{"", ""},
		{"👍 🏥", ""},
	} {
		var got []string
		for _, w := range reader.Read(c.in, nil).Words {
			got = append(got, w.Text)
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("Read(%q) = %q, want %q", c.in, s, c.want)
		}
	}
}

func TestGaps(t *testing.T) {
	r := reader.Read("Night shift, so: cud u?\nI work on 3.5 wards (two) well-known. Bye!", nil)
	var b strings.Builder
	for _, w := range r.Words {
		fmt.Fprintf(&b, "%s%s ", []string{"", ",", ".", "?"}[w.Gap], w.Text)
	}
	want := "night shift ,so .could you ?i work on 3 5 wards ,two ,well known .bye "
	if b.String() != want || r.Closing != text.Stop {
		t.Errorf("%s and %d at the end, want %s", b.String(), r.Closing, want)
	}
	if n := len(r.Sentences()); n != 4 {
		t.Errorf("%d sentences, want 4: %v", n, r.Sentences())
	}
}

// Words stand where they came from, and say what they were.
func TestWhereWordsStand(t *testing.T) {
	r := reader.Read("Can’t  kіll k*ll k i l l iwanttodie", nil)
	var got []string
	for _, w := range r.Words {
		got = append(got, fmt.Sprintf("%s=%s", w.Text, r.Source[w.From:w.To]))
	}
	want := []string{"can=Can’t", "not=Can’t", "kill=kіll", "kill=k*ll", "kill=k i l l", "i=iwanttodie", "want=iwanttodie", "to=iwanttodie", "die=iwanttodie"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if w := r.Words[4]; w.Typed != "k i l l" {
		t.Errorf("typed %q", w.Typed)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"can I tweet?", "k*ll d!e k i l l", "iwanttodie", "\xff\u0301é𝓀", "don't'''", "2 b 2 b honest", strings.Repeat("*a", 30), "я kіll"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean := text.Clean(s)
		if !utf8.ValidString(clean) || text.Clean(clean) != clean {
			t.Fatalf("Clean(%q) = %q", s, clean)
		}
		r := reader.Read(s, nil)
		if !utf8.ValidString(r.Plain) || text.Fold(r.Plain).Plain != r.Plain {
			t.Fatalf("Fold(%q) = %q, and of that %q", s, r.Plain, text.Fold(r.Plain).Plain)
		}
		last := 0
		for _, w := range r.Words {
			if w.Text == "" || w.From < last || w.To < w.From || w.To > len(r.Source) || strings.ContainsFunc(w.Text, unicode.IsSpace) {
				t.Fatalf("%q: %+v", s, w)
			}
			last = w.From
		}
		count := 0
		for _, s := range r.Sentences() {
			count += len(s)
		}
		if count != len(r.Words) {
			t.Fatalf("%q: %d words in sentences, of %d", s, count, len(r.Words))
		}
	})
}

func BenchmarkRead(b *testing.B) {
	reader.Read("k*ll iwanttodie", nil) // the word lists are read once
	for name, s := range map[string]string{
		"question": "can i twet abuot work on my own facebook, or not?",
		"20000":    strings.Repeat("can i twet abuot work on my own facebook, or not? ", 400),
		"apart":    strings.Repeat("d i e k i x ", 1666),
		"masked":   strings.Repeat("k*ll d!e k i l l iwanttodie ｆｕｌｌ kіll ", 500)[:20_000],
	} {
		b.Run(name, func(b *testing.B) {
			var room []text.Word
			for b.Loop() {
				room = reader.Read(s, room).Words
			}
		})
	}
}
