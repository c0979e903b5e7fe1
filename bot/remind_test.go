package bot

import (
	"testing"
	"testing/fstest"
	"time"

	"canteen/knowledge"
)

func local(t *testing.T, yaml string) knowledge.Local {
	base, err := knowledge.Load(fstest.MapFS{
		"local.yaml":      {Data: []byte(yaml)},
		"faq/basics/a.md": {Data: []byte("# A\n\nText.\n\n## Asked as\n- a question\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return base.Local()
}

func TestWorked(t *testing.T) {
	l := local(t, "bank_holidays: [2026-08-31, 2026-12-25, 2026-12-28]\n")
	day := func(s string) time.Time {
		at, err := time.ParseInLocation("2006-01-02 15:04", s, l.Zone)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct {
		name, from, to string
		want           time.Duration
	}{
		{"within a morning", "2026-06-03 10:00", "2026-06-03 11:30", 90 * time.Minute},
		{"before work", "2026-06-03 06:00", "2026-06-03 08:59", 0},
		{"from before work to after it", "2026-06-03 06:00", "2026-06-03 22:00", 8 * time.Hour},
		{"over a night", "2026-06-03 16:00", "2026-06-04 10:00", 2 * time.Hour},
		{"over a weekend", "2026-06-05 16:30", "2026-06-08 09:30", time.Hour},
		{"at a weekend", "2026-06-06 10:00", "2026-06-07 16:00", 0},
		{"a week", "2026-06-03 12:00", "2026-06-10 12:00", 40 * time.Hour},
		{"over a bank holiday", "2026-08-28 16:00", "2026-09-01 10:00", 2 * time.Hour},
		{"on a bank holiday", "2026-08-31 10:00", "2026-08-31 12:00", 0},
		{"over Christmas", "2026-12-24 16:00", "2026-12-29 10:00", 2 * time.Hour},
		{"over the end of the year", "2026-12-31 16:00", "2027-01-01 10:00", 2 * time.Hour},
		{"over the spring change of the clocks", "2026-03-27 16:00", "2026-03-30 10:00", 2 * time.Hour},
		{"over the autumn change of the clocks", "2026-10-23 16:00", "2026-10-26 10:00", 2 * time.Hour},
		{"backwards", "2026-06-03 12:00", "2026-06-03 11:00", 0},
		{"nothing", "2026-06-03 12:00", "2026-06-03 12:00", 0},
	} {
		if got := worked(l, day(c.from), day(c.to)); got != c.want {
			t.Errorf("%s: %v, wanted %v", c.name, got, c.want)
		}
	}
	// The clocks change in the night of Saturday: who works then gains or loses the hour.
	nights := local(t, "hours: {days: [sunday], from: \"00:00\", to: \"08:00\"}\n")
	for _, c := range []struct {
		day  string
		want time.Duration
	}{{"2026-03-29", 7 * time.Hour}, {"2026-10-25", 9 * time.Hour}, {"2026-06-07", 8 * time.Hour}} {
		if got := worked(nights, day(c.day+" 00:00"), day(c.day+" 20:00")); got != c.want {
			t.Errorf("the night of %s: %v, wanted %v", c.day, got, c.want)
		}
	}
}

func TestReminderLimits(t *testing.T) {
	for yaml, want := range map[string]knowledge.Reminders{
		"":                            {Unclaimed: 2 * time.Hour, Unanswered: 8 * time.Hour},
		"reminders: {unclaimed: 90m}": {Unclaimed: 90 * time.Minute, Unanswered: 8 * time.Hour},
		"reminders: {unclaimed: 0, unanswered: 0}": {},
	} {
		if got := local(t, yaml).Reminders; got != want {
			t.Errorf("%q: %+v, wanted %+v", yaml, got, want)
		}
	}
	for _, yaml := range []string{"reminders: {unclaimed: soon}", "reminders: {unanswered: -1h}", "reminders: {other: 1h}"} {
		if _, err := knowledge.Load(fstest.MapFS{"local.yaml": {Data: []byte(yaml)}}); err == nil {
			t.Errorf("%q was read", yaml)
		}
	}
}

func TestOverdue(t *testing.T) {
	l := local(t, "")
	start := time.Date(2026, 6, 3, 9, 0, 0, 0, l.Zone) // a Wednesday
	e := Escalation{State: Open, OpenedAt: start}
	with := func(e Escalation, s State, events ...Step) Escalation { e.State, e.History = s, events; return e }
	off := l
	off.Reminders = knowledge.Reminders{}
	for _, c := range []struct {
		name  string
		e     Escalation
		local knowledge.Local
		after time.Duration
		want  string
	}{
		{"too early", e, l, 119 * time.Minute, ""},
		{"unclaimed", e, l, 2 * time.Hour, unclaimed},
		{"claimed", with(e, Claimed), l, 3 * time.Hour, ""},
		{"claimed, unanswered", with(e, Claimed), l, 24 * time.Hour, unanswered},
		{"both", e, l, 24 * time.Hour, unanswered},
		{"reminded", with(e, Open, Step{What: EventReminded, Text: unclaimed}), l, 3 * time.Hour, ""},
		{"reminded, still unanswered", with(e, Open, Step{What: EventReminded, Text: unclaimed}), l, 24 * time.Hour, unanswered},
		{"reminded of both", with(e, Open, Step{What: EventReminded, Text: unanswered}), l, 240 * time.Hour, ""},
		{"given back after a reminder", with(e, Open, Step{What: EventReminded, Text: unclaimed}, Step{What: EventGivenBack, At: start.Add(3 * time.Hour)}), l, 5 * time.Hour, unclaimed},
		{"waiting for the asker", with(e, Waiting), l, 240 * time.Hour, ""},
		{"reopened", with(e, Claimed, Step{What: EventReminded, Text: unanswered}, Step{What: EventReopened, At: start.Add(24 * time.Hour)}), l, 25 * time.Hour, ""},
		{"reopened, unanswered", with(e, Claimed, Step{What: EventReminded, Text: unanswered}, Step{What: EventReopened, At: start.Add(24 * time.Hour)}), l, 48 * time.Hour, unanswered},
		{"turned off", e, off, 240 * time.Hour, ""},
	} {
		if got, _ := overdue(c.e, c.local, start.Add(c.after)); got != c.want {
			t.Errorf("%s: %q, wanted %q", c.name, got, c.want)
		}
	}
}
