package bot_test

import (
	"testing"

	"canteen/bot"
)

// What did not get through is put before comms again once, however often it is told, and
// not at all where the asker has taken the question back.
func TestUndelivered(t *testing.T) {
	w := newWorld(t)
	w.ask("nurse", "can we film a zumba class")
	w.deliver()
	w.press(w.bot, "sam", bot.Press{Action: bot.ActAnswer, Ref: 1, Fields: map[string]string{bot.FieldText: "No."}})
	var relay bot.Delivery
	for _, d := range w.deliver() {
		if d.Post.Kind == bot.KindRelay {
			relay = d.Delivery
		}
	}
	relay.PostedID = ""
	for range 2 {
		if err := w.bot.Undelivered(t.Context(), relay); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for _, d := range w.deliver() {
		if d.Post.Kind == bot.KindNotice {
			told++
		}
	}
	if e := w.escalation(1); told != 1 || e.State != bot.Claimed || e.Answer != "No." {
		t.Errorf("told %d times; %s, %q", told, e.State, e.Answer)
	}
	w.press(w.bot, "nurse", bot.Press{Action: bot.ActWithdraw, Ref: 1})
	relay.ID = "another"
	if err := w.bot.Undelivered(t.Context(), relay); err != nil {
		t.Fatal(err)
	}
	if e := w.escalation(1); e.State != bot.Closed {
		t.Errorf("a withdrawn question is %s again", e.State)
	}
}
