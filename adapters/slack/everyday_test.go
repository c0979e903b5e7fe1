package slack_test

import (
	"database/sql"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"canteen/adapters/slack"
	"canteen/adapters/slack/slacktest"
	"canteen/bot"
)

// What people do all day and the documentation does not show: each of these failed once.

func (w *world) answered(ref, text string) {
	w.t.Helper()
	card := w.said(comms, ref+" · ")
	w.Press(colin, card, "Answer")
	form := w.AwaitView(colin, "modal", func(v slacktest.View) bool { return has(v.Title, "Answer "+ref) })
	w.Submit(colin, form, map[string]string{"text": text})
	w.said(comms, ref+" · answered")
}

// An answer typed without a thought of Markdown keeps its lines, its list and its links.
func TestTypedAnswer(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "zorblax quffle snerp")
		w.said(comms, "C-1 · waiting")
		w.answered("C-1", "Yes.\nSecond line\nSee https://intranet.example/form_a\n• three\n• four, *bold*\n[**in**](https://nhs.uk)")
		got := w.said(dm, "Answer to C-1").Read()
		if !has(got, "Yes.\nSecond line\nSee <https://intranet.example/form_a|https://intranet.example/form_a>\n", "• three\n• four, *bold*", "*<https://nhs.uk|in>*") {
			t.Errorf("the answer reads:\n%s", got)
		}
		w.polite()
	})
}

// A follow-up in a thread is not met with silence: what the folder cannot answer is
// offered to its writer alone, and nothing is kept before they press.
func TestFollowUpInThread(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		root := w.Mention(nina, ward, "", "Can I tweet about work?")
		w.said(ward, "Staff can tweet")
		w.Say(nina, ward, root, "and what about zorblax?")
		ask := w.Await("an offer", func(m slacktest.Message) bool {
			return m.Only == nina && m.ThreadTS == root && has(m.Read(), "Shall I ask")
		})
		if w.has("zorblax") {
			t.Error("the words are kept before the press")
		}
		w.Say(pete, ward, root, "what about my holiday?") // not his thread
		w.Press(nina, ask, "Ask comms")
		w.said(comms, "C-1 · waiting", "and what about zorblax?")
		w.Await("the receipt in its place", func(m slacktest.Message) bool { return m.TS == ask.TS && has(m.Read(), "C-1") })
		if n := countWith(w.All(), "Shall I ask"); n != 0 {
			t.Errorf("%d offers are left", n)
		}
		w.polite()
	})
}

// Words that a button cannot carry are asked for again in a form.
func TestLongFollowUp(t *testing.T) {
	w := start(t, "http")
	root := w.Mention(nina, ward, "", "Can I tweet about work?")
	w.said(ward, "Staff can tweet")
	w.Say(nina, ward, root, "and what about zorblax? "+strings.Repeat("ż&", 400))
	ask := w.Await("an offer", func(m slacktest.Message) bool { return m.Only == nina && has(m.Read(), "Shall I ask") })
	w.Press(nina, ask, "Ask comms")
	form := w.AwaitView(nina, "modal", nil)
	w.Submit(nina, form, map[string]string{"text": "what about zorblax"})
	w.said(comms, "C-1", "what about zorblax")
	w.polite()
}

// has tells whether the store has a word in any of its rows.
func (w *world) has(word string) bool {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.file+"?mode=ro")
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{`SELECT data AS words FROM question`, `SELECT data AS words FROM escalation`, `SELECT post AS words FROM delivery`, `SELECT reply AS words FROM inbound`} {
		var n int
		if err := db.QueryRowContext(w.t.Context(), `SELECT COUNT(*) FROM (`+query+`) WHERE words LIKE '%' || $1 || '%'`, word).Scan(&n); err != nil {
			w.t.Fatal(err)
		}
		if n > 0 {
			return true
		}
	}
	return false
}

// A member of comms who writes under a card is asked, alone, whether that is the answer.
func TestUnderTheCard(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "Can I film a TikTok in the staff room?")
		card := w.said(comms, "C-1 · waiting")
		w.Press(colin, card, "Claim")
		w.said(comms, "C-1 · claimed") // so that the store knows which message it is
		w.Say(carol, comms, card.TS, "Yes they may, use *the form*: <https://intranet.example/form|form>")
		hint := w.Await("a hint", func(m slacktest.Message) bool { return m.Only == carol && has(m.Read(), "Only comms see") })
		w.Say(carol, comms, card.TS, "or not")
		w.Say(colin, comms, card.TS, "<@"+w.BotUser+"> tell them yes")
		w.Await("a hint for Colin", func(m slacktest.Message) bool { return m.Only == colin && has(m.Read(), "tell them yes") })
		if n := len(w.Messages(dm, nina)); n != 2 {
			t.Errorf("something went out without a press: %d messages", n)
		}
		w.Press(carol, hint, "Send as the answer")
		answer := w.said(dm, "Answer to C-1", "Yes they may, use *the form*: <https://intranet.example/form|form>")
		if answer.Only != "" {
			t.Error("not for her")
		}
		w.Await("what came of it", func(m slacktest.Message) bool { return m.TS == hint.TS && has(m.Read(), "on its way") })
		if n := countWith(w.Messages(comms, carol), "Only comms see"); n != 0 {
			t.Errorf("%d hints are left", n)
		}
		w.polite()
	})
}

// "Add to the FAQ" with its defaults answers its own question, and leaves the topic's
// others to comms.
func TestPromoteIsNarrow(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "Can I film a TikTok in the staff room?")
		w.said(comms, "C-1 · waiting")
		w.answered("C-1", "Yes, of course you can.")
		card := w.said(comms, "C-1 · answered")
		w.Press(carol, card, "Add to the FAQ")
		form := w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Title, "Add to the FAQ") })
		if !has(form.Read(), "In the place of", "A new entry") {
			t.Errorf("the form reads:\n%s", form.Read())
		}
		fields := map[string]string{}
		for _, b := range form.Blocks { // as it is filled in
			if e, ok := b.(map[string]any)["element"].(map[string]any); ok && e["type"] == "plain_text_input" {
				fields[b.(map[string]any)["block_id"].(string)], _ = e["initial_value"].(string)
			}
		}
		if _, then := w.Submit(carol, form, fields); then == nil {
			t.Fatal("the form is not acknowledged at once")
		}
		w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Read(), "is in the FAQ now") })
		if err := w.fitted(t.Context()); err != nil {
			t.Fatal(err)
		}
		petes := w.Direct(pete)
		w.Say(pete, petes, "", "Can I film a TikTok in the staff room?")
		w.said(petes, "Yes, of course you can.")
		w.Say(pete, petes, "", "may we make a film about the ward")
		w.Await("anything but the answer", func(m slacktest.Message) bool {
			return m.Channel == petes && m.User == w.BotUser && !has(m.Read(), "Yes, of course you can.")
		})
		w.polite()
	})
}

// A form that saves while the model is fitted is acknowledged within Slack's time, and
// then says what became of it, with what was wrong in it.
func TestSavingIsToldLater(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "zorblax quffle snerp")
		w.said(comms, "C-1 · waiting")
		w.answered("C-1", "No.")
		w.Press(carol, w.said(comms, "C-1 · answered"), "Add to the FAQ")
		form := w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Title, "Add to the FAQ") })
		w.Submit(carol, form, map[string]string{"title": "Zorblax", "text": "Ring 943 476 5919", "askedas": "zorblax", "id": "answers/zorblax"})
		again := w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Read(), "Take out personal details first") })
		w.Submit(carol, again, map[string]string{"text": "No, you may not."})
		w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Read(), "\"Zorblax\" is in the FAQ now") })
		w.polite()
	})
}

// The claimed card names the asker by Slack's own means, however slow it was when they
// asked; of a private channel not even the name gets out.
func TestWhoAndWhere(t *testing.T) {
	w := start(t, "http")
	w.Slow("users.info", time.Second)
	w.Mention(nina, ward, "", "zorblax quffle snerp")
	card := w.said(comms, "C-1 · waiting")
	w.Slow("users.info", 0)
	w.Press(carol, card, "Claim")
	card = w.said(comms, "C-1 · claimed")
	if !has(card.Read(), "<@"+nina+">", "/archives/"+ward+"/p", "|#ward-7>") {
		t.Errorf("the card reads:\n%s", card.Read())
	}
	w.AddChannel("GSECRET", "reorg-redundancies", w.BotUser, pete)
	w.ChangeChannel("GSECRET", func(c *slacktest.Channel) { c.Private = true })
	w.Mention(pete, "GSECRET", "", "zorblax quffle snerp")
	card = w.said(comms, "C-2 · waiting")
	w.Press(carol, card, "Claim")
	card = w.said(comms, "C-2 · claimed", "<@"+pete+">", "a private channel")
	if has(card.Read(), "redundancies") || has(card.Read(), "GSECRET") {
		t.Errorf("a private channel is named:\n%s", card.Read())
	}
	w.polite()
}

// A colleague's words are answered, and passed on only by the press of who asked about
// them.
func TestShortcutAsksFirst(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ts := w.Say(pete, ward, "", "Dr Foot was on Instagram again zorblax")
		w.Shortcut(nina, slacktest.Message{Channel: ward, TS: ts, User: pete, Text: "Dr Foot was on Instagram again zorblax"})
		ask := w.Await("a question first", func(m slacktest.Message) bool { return m.Only == nina && has(m.Read(), "Shall I ask") })
		if w.has("zorblax") || countWith(w.Messages(comms, carol), "zorblax") != 0 {
			t.Error("a colleague's words are kept before the press")
		}
		w.Press(nina, ask, "Ask comms")
		w.said(comms, "C-1 · waiting", "zorblax")
		w.polite()
	})
}

// People of another organisation are told that this is for staff, once; they and guests
// never act as comms, and a shared comms channel is said.
func TestOutsiders(t *testing.T) {
	w := start(t, "http")
	for _, id := range []string{"UEXT", "UEXTCOMMS", "UGUEST"} {
		w.AddUser(id, id)
	}
	for _, id := range []string{"UEXT", "UEXTCOMMS"} {
		w.Change(id, func(u *slacktest.User) { u.Team = "TOTHER" })
	}
	w.Change("UGUEST", func(u *slacktest.User) { u.Guest = true })
	w.AddChannel("CSHARED", "agency", w.BotUser, nina, "UEXT", "UGUEST")
	w.AddChannel(comms, "comms", w.BotUser, carol, colin, "UEXTCOMMS", "UGUEST")
	w.Mention("UEXT", "CSHARED", "", "zorblax quffle snerp")
	w.Await("a sentence for the outsider", func(m slacktest.Message) bool { return m.Only == "UEXT" && has(m.Read(), "I am for staff") })
	if w.has("zorblax") {
		t.Error("an outsider's question is kept")
	}
	w.Mention("UGUEST", "CSHARED", "", "Can I tweet about work?")
	w.said("CSHARED", "Staff can tweet") // guests may ask, unless the settings say otherwise
	w.Say(nina, w.Direct(nina), "", "zorblax quffle snerp")
	card := w.said(comms, "C-1 · waiting")
	for _, id := range []string{"UEXTCOMMS", "UGUEST"} {
		w.Press(id, card, "Claim")
	}
	w.Await("a refusal of the outsider", func(m slacktest.Message) bool { return m.Only == "UEXTCOMMS" && has(m.Read(), "I am for staff") })
	w.Await("a refusal of the guest", func(m slacktest.Message) bool {
		return m.Only == "UGUEST" && has(m.Read(), "Only members of the communications team")
	})
	if countWith(w.Messages(comms, carol), "C-1 · claimed") != 0 {
		t.Error("an outsider has claimed it")
	}
	w.ChangeChannel(comms, func(c *slacktest.Channel) { c.Shared = true })
	found := w.app.Doctor(t.Context())
	if !slices.ContainsFunc(found, func(f bot.Finding) bool { return !f.OK && has(f.Say, "shared with another organisation") }) {
		t.Errorf("a shared comms channel is not said: %+v", found)
	}
	w.polite()
}

func TestRefuseGuests(t *testing.T) {
	w := start(t, "http", func(c *slack.Config) { c.RefuseGuests = true })
	w.AddUser("UGUEST", "Guest")
	w.Change("UGUEST", func(u *slacktest.User) { u.Guest = true })
	dm := w.Direct("UGUEST")
	w.Say("UGUEST", dm, "", "Can I tweet about work?")
	w.said(dm, "I am for staff")
	if m := w.Command("UGUEST", dm, "Can I tweet about work?"); !has(m.Read(), "I am for staff") {
		t.Errorf("a guest's command shows %q", m.Read())
	}
	w.Say(nina, w.Direct(nina), "", "Can I tweet about work?")
	w.said(w.Direct(nina), "Staff can tweet")
	w.polite()
}

// An edited question is answered again in place while nothing has gone to comms, and is
// marked on their card afterwards; a deleted one is taken back.
func TestEditedAndDeleted(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		ts := w.Say(nina, dm, "", "Can I tweet about work?")
		first := w.said(dm, "Staff can tweet")
		w.Edit(nina, dm, ts, "Who can see what I post?")
		if again := w.said(dm, "Check who can see your posts"); again.TS != first.TS {
			t.Error("the new answer does not stand in the place of the old one")
		}
		ts = w.Mention(pete, ward, "", "zorblax quffle snerp")
		w.said(comms, "C-1 · waiting", "“zorblax quffle snerp”")
		w.Edit(pete, ward, ts, "<@"+w.BotUser+"> brimble wozzock frandle")
		w.said(comms, "C-1 · waiting", "“brimble wozzock frandle”", "Edited by the asker")
		w.Remove(ward, ts)
		w.said(comms, "C-1 · closed", "Deleted by the asker")
		if w.has("wozzock") {
			t.Error("deleted words are kept")
		}
		other := w.Say(pete, ward, "", "talk among colleagues")
		w.Edit(pete, ward, other, "Can I tweet about work?")
		w.Remove(ward, other)
		w.Mention(pete, ward, "", "Can I tweet about work?")
		w.said(ward, "Staff can tweet")
		if n := countWith(w.Messages(ward, pete), "Staff can tweet"); n != 1 {
			t.Errorf("%d answers: an edit of what was said to nobody is answered", n)
		}
		w.polite()
	})
}

// Called under a colleague's question, it reads that.
func TestSummoned(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		root := w.Say(pete, ward, "", "Can I tweet about work?")
		w.Mention(nina, ward, root, "")
		w.said(ward, "Staff can tweet")
		root = w.Say(pete, ward, "", "zorblax quffle snerp")
		w.Mention(nina, ward, root, "")
		ask := w.Await("an offer", func(m slacktest.Message) bool { return m.Only == nina && has(m.Read(), "Shall I ask") })
		if w.has("zorblax") {
			t.Error("a colleague's words are kept")
		}
		w.Press(nina, ask, "Ask comms")
		card := w.said(comms, "C-1 · waiting", "zorblax quffle snerp")
		w.Press(carol, card, "Claim")
		w.said(comms, "C-1 · claimed", "<@"+nina+">") // the asker is who called
		w.polite()
	})
}

// A mention with a file comes as message alone; a clip has its words with it.
func TestFiles(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Share(nina, ward, "", "<@"+w.BotUser+"> zorblax quffle snerp", slacktest.Picture())
		w.said(ward, "C-1", "I cannot see what you attached")
		w.said(comms, "C-1 · waiting", "Came with", "a picture")
		dm := w.Direct(nina)
		w.Share(nina, dm, "", "", slacktest.Clip("Can I tweet about work"))
		w.said(dm, "Staff can tweet")
		w.Share(nina, dm, "", "", slacktest.Picture())
		w.said(dm, "I cannot see pictures")
		w.polite()
	})
}

// An answer to somebody who is no longer there is said in the channel, and the question
// is open again.
func TestUndelivered(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Say(nina, w.Direct(nina), "", "zorblax quffle snerp")
		card := w.said(comms, "C-1 · waiting")
		w.Change(nina, func(u *slacktest.User) { u.Disabled = true })
		w.Press(colin, card, "Answer")
		form := w.AwaitView(colin, "modal", func(v slacktest.View) bool { return has(v.Title, "Answer C-1") })
		w.Submit(colin, form, map[string]string{"text": "No."})
		w.said(comms, "did not reach them", "C-1")
		w.said(comms, "C-1 · reopened", "Not delivered")
	})
}

// An answer that cannot go to its channel any more goes to the asker directly.
func TestDeliveredElsewhere(t *testing.T) {
	w := start(t, "http")
	w.Mention(nina, ward, "", "zorblax quffle snerp")
	w.said(comms, "C-1 · waiting")
	w.said(ward, "C-1")
	w.Archive(ward, true)
	w.answered("C-1", "No zorblax.")
	w.said(w.Direct(nina), "Answer to C-1", "No zorblax.")
}

// Whoever writes too much is told where they see it.
func TestSlowDownIsSeen(t *testing.T) {
	w := start(t, "http")
	for range 25 {
		w.Mention(nina, ward, "", "Can I tweet about work?")
	}
	if !slices.ContainsFunc(w.Messages(ward, nina), func(m slacktest.Message) bool { return m.Only == nina && has(m.Read(), "many messages") }) {
		w.Await("a notice that is seen", func(m slacktest.Message) bool {
			return m.Only == nina && m.ThreadTS == "" && has(m.Read(), "I have not read this one")
		})
	}
}

// Urgent cards call whom the settings name.
func TestUrgentCalls(t *testing.T) {
	for setting, want := range map[string]string{"": "<!here>", "channel": "<!channel>", "S0PRESS1,U0BOSS": "<!subteam^S0PRESS1> <@U0BOSS>"} {
		w := start(t, "http", func(c *slack.Config) { c.Urgent = setting })
		w.Mention(pete, ward, "", "A reporter rang me up")
		w.said(comms, want, "A reporter rang me up")
		w.polite()
	}
	w := start(t, "http", func(c *slack.Config) { c.Urgent = "nobody" })
	w.Mention(pete, ward, "", "A reporter rang me up")
	if m := w.said(comms, "A reporter rang me up"); has(m.Text, "<!") {
		t.Errorf("somebody is called: %s", m.Text)
	}
	if _, err := slack.New(slack.Config{BotToken: "x", AppToken: "x", Urgent: "@everybody"}); err == nil || !has(err.Error(), "SLACK_URGENT") {
		t.Errorf("a wrong setting: %v", err)
	}
}

// Every new event in every wrong shape is acknowledged, and leaves nothing.
func TestMalformedEvents(t *testing.T) {
	w := start(t, "http")
	good := []string{
		`{"type":"message","subtype":"message_changed","channel":"D1","channel_type":"im","ts":"2.1","message":{"user":"UNINA","text":"zorblax","ts":"1.1","edited":{"ts":"2.1"}},"previous_message":{"user":"UNINA","text":"x","ts":"1.1"}}`,
		`{"type":"message","subtype":"message_deleted","channel":"D1","channel_type":"im","ts":"2.1","deleted_ts":"1.1","previous_message":{"user":"UNINA","text":"zorblax","ts":"1.1"}}`,
		`{"type":"message","subtype":"file_share","channel":"D1","channel_type":"im","user":"UNINA","ts":"1.2","text":"","files":[{"mimetype":"image/png","transcription":{"status":"complete","preview":{"content":"zorblax"}}}]}`,
		`{"type":"message","channel":"CCOMMS","channel_type":"channel","user":"UCAROL","ts":"1.3","thread_ts":"0.1","parent_user_id":"UCANTEEN","text":"zorblax"}`,
	}
	var shapes []any
	for _, s := range good {
		whole := decode[map[string]any](t, []byte(s))
		for key, v := range whole {
			for _, bad := range []any{nil, 7, "", "x", []any{}, []any{nil, 7}, map[string]any{}, map[string]any{"ts": 7, "edited": "x"}} {
				if key == "channel" && bad == "x" || key == "text" || key == "subtype" && (bad == nil || bad == "") {
					continue // that is a message like another
				}
				broken := map[string]any{}
				for k, w := range whole {
					broken[k] = w
				}
				broken[key] = bad
				if inner, ok := v.(map[string]any); ok && key == "message" { // and within it
					for k := range inner {
						deep := map[string]any{}
						for a, b := range inner {
							deep[a] = b
						}
						deep[k] = bad
						if k != "text" && k != "user" {
							again := map[string]any{}
							for a, b := range whole {
								again[a] = b
							}
							again[key] = deep
							shapes = append(shapes, again)
						}
					}
				}
				shapes = append(shapes, broken)
			}
		}
	}
	for _, s := range shapes {
		if ack := w.Deliver(slacktest.Event, w.Wrap(s)); ack.Status != 200 {
			data, _ := json.Marshal(s)
			t.Errorf("%d for %s", ack.Status, data)
		}
	}
	if w.count("error") != 0 {
		t.Errorf("%d requests failed", w.count("error"))
	}
}

// A reaction does what its button does, for who may press it.
func TestReactions(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "zorblax quffle snerp")
		card := w.said(comms, "C-1 · waiting")
		w.Say(pete, w.Direct(pete), "", "zorblax quffle snerp")
		w.said(comms, "C-2 · waiting") // so that the store knows which message the first card is
		w.React(carol, card, "tada")
		w.React(carol, card, "white_check_mark") // nothing is answered yet
		w.Await("a word on it", func(m slacktest.Message) bool { return m.Only == carol && has(m.Read(), "no answer yet") })
		w.React(carol, card, "eyes")
		w.said(comms, "C-1 · claimed", "<@"+carol+">")
		w.answered("C-1", "Yes.")
		w.React(colin, w.said(comms, "C-1 · answered"), "white_check_mark::skin-tone-2")
		w.said(comms, "C-1 · closed")

		root := w.Mention(nina, ward, "", "Can I tweet about work?")
		answer := w.said(ward, "Staff can tweet")
		w.Mention(nina, ward, root, "Can I film a TikTok in the staff room?") // as above
		w.said(ward, "C-3")
		w.React(pete, answer, "-1") // not his question
		w.React(nina, answer, "-1")
		w.Await("the answer in another light", func(m slacktest.Message) bool {
			return m.TS == answer.TS && has(m.Read(), "I am sorry that was not it")
		})
		w.polite()
	})
}
