package main

import (
	"path/filepath"
	"strings"
	"testing"

	"canteen/adapters/web/webtest"
)

// TestLoopSurvivesKill plays both sides of an escalation in a browser, with kill -9
// between every two steps while the pages stay open: what was acknowledged is there
// afterwards, what was not is still in the box, and nothing is there twice.
func TestLoopSurvivesKill(t *testing.T) {
	t.Parallel()
	db := filepath.Join(t.TempDir(), "canteen.db")
	p := start(t, nil, "--database", db)
	address := strings.TrimPrefix(p.url, "http://")
	up := func() { p = start(t, nil, "--database", db, "--listen", address) }
	again := func() { p.kill(); up() }
	once := func(b *webtest.Browser, text string) {
		t.Helper()
		b.Sees(text)
		if n := strings.Count(b.Text(), text); n != 1 {
			t.Errorf("%q is there %d times:\n%s", text, n, b.Text())
		}
	}
	const question = "what are the rules on filming a tiktok dance in the staff room"
	const answer = "Ask your manager first, and keep patients out of it."

	nurse := webtest.Open(t, p.url)
	nurse.GoTo("/")
	p.kill()
	nurse.Fill("text", question+"\r")
	nurse.Sees("was not saved")
	nurse.Is(`document.getElementById("text").value.trim() === "`+question+`"`, "what was not sent is still there")
	up()
	nurse.Press("Send")
	once(nurse, "Your reference is C-1")
	again()
	nurse.GoTo("/")
	once(nurse, "Your reference is C-1")

	desk := nurse.Stranger()
	desk.GoTo(strings.TrimPrefix(p.desk, p.url))
	desk.Fill("name", "Jo Bloggs")
	desk.Follow("Save")
	again()
	desk.Follow("C-1")
	again()
	desk.Follow("Claim")
	desk.Sees("Jo Bloggs")
	again()
	desk.Follow("Ask back")
	again()
	desk.Fill("field-text", "Would patients be in it?")
	desk.Follow("Send")
	desk.Sees("Asked back")
	again()
	nurse.Sees("Would patients be in it?") // without a reload
	nurse.Follow("Reply to comms")
	again()
	nurse.Fill("field-text", "No, only the two of us.")
	nurse.Follow("Send")
	again()
	once(desk, "The asker replied")
	desk.Follow("Answer")
	again()
	desk.Fill("field-text", answer)
	desk.Follow("Send")
	desk.Sees("Answered by")
	again()
	once(nurse, answer)
	desk.Follow("Add to the FAQ")
	again()
	desk.Follow("Add")
	desk.Sees("is in the FAQ now")
	again()
	other := nurse.Stranger()
	other.GoTo("/")
	other.Fill("text", question+"\r")
	once(other, answer)
	nurse.Press("That helped")
	nurse.Sees("Thank you for telling me.")
	again()
	desk.Sees("Closed")
	nurse.GoTo("/")
	once(nurse, answer)
}
