package knowledge

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func withLocal(t *testing.T, yaml string) *Base {
	t.Helper()
	f := folder("a")
	f["local.yaml"] = &fstest.MapFile{Data: []byte(yaml)}
	return load(t, f)
}

func TestContact(t *testing.T) {
	for want, c := range map[string]Contact{
		"the IT service desk":                               {Name: "the IT service desk"},
		"the IT service desk (phone 1234)":                  {Name: "the IT service desk", Phone: "1234"},
		"the policy (phone 1, email a@b)":                   {Name: "the policy", Phone: "1", Email: "a@b"},
		"[the policy](https://trust.example/p)":             {Name: "the policy", Link: "https://trust.example/p"},
		"[the policy](https://trust.example/p) (email a@b)": {Name: "the policy", Link: "https://trust.example/p", Email: "a@b"},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestLocal(t *testing.T) {
	l := withLocal(t, `
organisation: {name: Ashdown Trust}
it_security: {phone: 01234 5678}
policy: {link: "https://intranet.example/policy"}
hr:
crisis:
  - {nation: England, line: "call 111"}
hours: {days: [monday, Wed, fri], from: "08:30", to: 5pm}
bank_holidays: [2026-12-25, 2026-12-28]
time_zone: Europe/Paris
reminders: {unclaimed: 30m}
reply_promise: They answer when they can.
`).Local()
	if l.Organisation.Name != "Ashdown Trust" || l.ITSecurity.String() != "the IT service desk (phone 01234 5678)" || l.HR.Name != "the HR team" {
		t.Errorf("%+v", l)
	}
	if !slices.Equal(l.Crisis, CrisisLines{{"England", "call 111"}}) || l.Zone.String() != "Europe/Paris" || l.ReplyPromise != "They answer when they can." {
		t.Errorf("%+v", l)
	}
	if l.Reminders != (Reminders{Unclaimed: 30 * time.Minute, Unanswered: 8 * time.Hour}) {
		t.Errorf("reminders %+v", l.Reminders)
	}
	if got, want := l.Hours.String(), "Monday, Wednesday and Friday, 8:30am to 5pm"; got != want {
		t.Errorf("hours %q, want %q", got, want)
	}
	for at, open := range map[string]bool{
		"2026-12-23T07:30:00Z": true, // half past eight in Paris
		"2026-12-23T07:29:59Z": false,
		"2026-12-23T15:59:59Z": true,
		"2026-12-23T16:00:00Z": false,
		"2026-12-24T10:00:00Z": false, // a Thursday
		"2026-12-25T10:00:00Z": false, // a Friday, and Christmas
	} {
		when, err := time.Parse(time.RFC3339, at)
		must(t, err)
		if l.Open(when) != open {
			t.Errorf("open at %s: %v", at, !open)
		}
	}
}

func TestLocalDefaults(t *testing.T) {
	l := load(t, folder("a")).Local()
	if l.Hours.String() != "Monday to Friday, 9am to 5pm" || l.ReplyPromise != "They answer from Monday to Friday, 9am to 5pm." || l.Zone == nil || len(l.Crisis) != 4 {
		t.Errorf("%+v", l)
	}
	for _, c := range l.contacts() {
		if c.to.Name == "" {
			t.Errorf("%s has no name", c.key)
		}
	}
}

func TestHours(t *testing.T) {
	for days, want := range map[string]string{
		"Monday to Friday":     "Monday to Friday, 9am to 5pm",
		"mon-sun":              "Monday to Sunday, 9am to 5pm",
		"sat, sun":             "Saturday and Sunday, 9am to 5pm",
		"[mon to wed, sat]":    "Monday to Wednesday and Saturday, 9am to 5pm",
		"Friday to Monday":     "Monday, Friday to Sunday, 9am to 5pm",
		"[sunday, mon, tuesd]": "Monday, Tuesday and Sunday, 9am to 5pm",
	} {
		want = strings.Replace(want, "Monday, Friday to Sunday", "Monday and Friday to Sunday", 1)
		if got := withLocal(t, "hours:\n  days: "+days).Local().Hours.String(); got != want {
			t.Errorf("%s: %q, want %q", days, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "midnight", 12 * time.Hour: "midday", 24 * time.Hour: "midnight", 13*time.Hour + 5*time.Minute: "1:05pm", 30 * time.Minute: "12:30am"} {
		if got := clock(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestUnset(t *testing.T) {
	f := folder("a")
	e := Entry{ID: "lanes/media", Title: "Media", Body: "Call {{.Switchboard}}, {{.OnCall.Name}} or {{if .HR.Phone}}{{.HR.Phone}}{{end}}.", Phrasings: []string{"press"}, Route: Urgent}
	f["faq/lanes/media.md"] = &fstest.MapFile{Data: Format(e)}
	f["faq/b.md"] = &fstest.MapFile{Data: []byte("# B\n\nAsk {{.Union}}.\n\n## Asked as\n- b\n")}
	f["local.yaml"] = &fstest.MapFile{Data: []byte("switchboard: {phone: 0}\non_call: {name: }\n")}
	if got, want := load(t, f).Unset(), []string{"hr", "on_call"}; !slices.Equal(got, want) {
		t.Errorf("unset %q, want %q", got, want)
	}
}

func TestLexicon(t *testing.T) {
	f := folder("a")
	f["lexicon.yaml"] = &fstest.MapFile{Data: []byte("\ufeffsynonyms:\r\n  - [facebook, fb, face book]\r\ncues:\r\n  - {word: X, means: twitter, near: [post, on x]}\r\ndistinct:\r\n  - [patient, colleague]\r\nkeep: [ig]\r\ntextspeak: {u: you, y: why, 2: to}\r\n")}
	lex := load(t, f).Lexicon()
	if len(lex.Synonyms) != 1 || lex.Synonyms[0][2] != "face book" || len(lex.Cues) != 1 || lex.Cues[0].Word != "x" || lex.Cues[0].Near[1] != "on x" ||
		len(lex.Distinct) != 1 || !slices.Equal(lex.Keep, []string{"ig"}) || lex.Textspeak["u"] != "you" || lex.Textspeak["2"] != "to" || lex.Textspeak["y"] != "why" {
		t.Errorf("%+v", lex)
	}
}

// The nation picks the crisis line and what the guardian is called, unless both are
// filled in.
func TestNation(t *testing.T) {
	f := folder("a")
	for yaml, want := range map[string][2]string{
		"nation: Scotland\n": {"Scotland", "your confidential contact for whistleblowing"},
		"nation: England\nspeaking_up_guardian: Jo in the library\n": {"England", "Jo in the library"},
		"": {"England, Scotland, Wales, Northern Ireland", "your speaking up contact"},
	} {
		f["local.yaml"] = &fstest.MapFile{Data: []byte(yaml)}
		l := load(t, f).Local()
		var nations []string
		for _, c := range l.Crisis {
			nations = append(nations, c.Nation)
		}
		if got := [2]string{strings.Join(nations, ", "), l.SpeakingUpGuardian.Name}; got != want {
			t.Errorf("%q: %q, want %q", yaml, got, want)
		}
	}
	f["local.yaml"] = &fstest.MapFile{Data: []byte("nation: Mercia\n")}
	if _, err := Load(f); err == nil || !strings.Contains(err.Error(), "is not a nation") {
		t.Errorf("Mercia: %v", err)
	}
}
