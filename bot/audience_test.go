package bot_test

import (
	"encoding/json"
	"testing"

	"canteen/bot"
)

// What was kept before there were audiences is read as it was meant, and what is kept now
// as it is.
func TestOldAudience(t *testing.T) {
	for kept, want := range map[string]bot.Audience{
		`{}`: bot.Private, `{"open":true}`: bot.Shared, `{"inline":true}`: bot.InReply, `{"open":true,"inline":true}`: bot.InReply,
		`{"audience":"only-asker"}`: bot.OnlyAsker, `{"audience":"private","open":true}`: bot.Private,
	} {
		var q bot.Question
		var e bot.Escalation
		if err := json.Unmarshal([]byte(kept), &q); err != nil || q.Audience != want {
			t.Errorf("question %s: %q, %v", kept, q.Audience, err)
		}
		if err := json.Unmarshal([]byte(kept), &e); err != nil || e.Audience != want {
			t.Errorf("escalation %s: %q, %v", kept, e.Audience, err)
		}
	}
}

// A message of which nobody said who reads its place is taken for one that others read.
func TestUnknownAudience(t *testing.T) {
	w := newWorld(t)
	m := w.from("nurse", "slack:C-ward-7")
	m.Audience, m.Text = "", "should i just end my life"
	if _, err := w.handle(m); err != nil {
		t.Fatal(err)
	}
	w.deliver()
	if len(w.shown) == 0 {
		t.Fatal("nothing is said")
	}
	for _, d := range w.shown {
		if d.to == m.In {
			t.Errorf("in %s: %s", d.to, d.post.Title)
		}
	}
}
