package slack_test

import (
	"slices"
	"testing"

	"canteen/adapters/slack/slacktest"
)

// TestWholeLoop follows one question from a mention to an entry of the FAQ that
// answers the next who asks.
func TestWholeLoop(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ts := w.Mention(nina, ward, "", "facebook page")
		clarify := w.said(ward, "Did you mean")
		if clarify.ThreadTS != ts {
			t.Errorf("answered in thread %q, not in the thread of the mention", clarify.ThreadTS)
		}
		if !has(clarify.Read(), "I keep your question") {
			t.Errorf("the first answer does not say what is kept:\n%s", clarify.Read())
		}
		w.Press(nina, clarify, "None of these")
		holding := w.said(ward, "C-1", "I have asked the communications team")
		if holding.ThreadTS != ts || !has(holding.Read(), "Others in this channel can see your question") {
			t.Errorf("holding message:\n%s", holding.Read())
		}

		card := w.said(comms, "C-1 · waiting", "“facebook page”")
		if has(card.Read(), "Nina") || has(card.Read(), "ward-7") {
			t.Errorf("the card says who asked before anybody claimed it:\n%s", card.Read())
		}
		w.Press(nina, card, "Claim")
		w.said(comms, "Only members of the communications team")
		w.Press(carol, card, "Claim")
		card = w.said(comms, "C-1 · claimed", "<@UNINA>", "|#ward-7>", "<@UCAROL>")
		w.Press(colin, card, "Give back")
		card = w.said(comms, "C-1 · waiting")

		w.Say(carol, comms, card.TS, "does anybody know? @nina is impatient")
		w.Press(carol, card, "Ask back")
		form := w.AwaitView(carol, "modal", nil)
		if _, then := w.Submit(carol, form, map[string]string{"text": "For your ward, or for yourself?"}); then != nil {
			t.Errorf("the form stays: %s", then.Read())
		}
		asked := w.said(ward, "For your ward, or for yourself?")
		if asked.ThreadTS != ts {
			t.Error("asked back outside the thread")
		}
		w.Say(nina, ward, ts, "for the ward") // in the thread, without a mention
		w.said(ward, "passed your reply")
		card = w.said(comms, "for the ward", "C-1 · claimed")

		w.Press(colin, card, "Answer")
		form = w.AwaitView(colin, "modal", func(v slacktest.View) bool { return has(v.Title, "Answer C-1") })
		if errs, _ := w.Submit(colin, form, map[string]string{"text": " "}); errs["text"] != "Write something here." {
			t.Errorf("errors of an empty answer: %v", errs)
		}
		w.Submit(colin, form, map[string]string{"text": "Use a **page**. <!channel> <@UNINA> [policy](https://example.org/p?a=1&b=2)\n\n- one & two"})
		answer := w.said(ward, "Answer to C-1")
		if !has(answer.Read(), "Use a *page*. &lt;!channel&gt; &lt;@UNINA&gt; <https://example.org/p?a=1&amp;b=2|policy>", "• one &amp; two", "“facebook page”") {
			t.Errorf("the answer reads:\n%s", answer.Read())
		}
		card = w.said(comms, "C-1 · answered", "<@UCOLIN>")
		w.Press(carol, card, "Correct the answer")
		form = w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Title, "Correct C-1") })
		w.Submit(carol, form, map[string]string{"text": "Use a page, and look after it daily."})
		answer = w.said(ward, "Corrected answer", "look after it daily")
		w.Press(pete, answer, "That helped")
		w.said(ward, "Only the person who asked")
		w.Press(nina, answer, "That helped")
		card = w.said(comms, "C-1 · closed")

		w.Press(carol, card, "Add to the FAQ")
		form = w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Title, "Add to the FAQ") })
		errs, then := w.Submit(carol, form, map[string]string{"title": "Which kind of Facebook page to use", "askedas": "facebook page\nwhich facebook page do I use", "id": "answers/facebook-page"})
		if then == nil || !has(then.Read(), "Saving") {
			t.Fatalf("adding to the FAQ: %v %v", errs, then)
		}
		w.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Read(), "is in the FAQ now") })
		if err := w.fitted(t.Context()); err != nil {
			t.Fatal(err)
		}
		dm := w.Direct(pete)
		w.Say(pete, dm, "", "facebook page")
		w.said(dm, "Which kind of Facebook page to use", "look after it daily", "Open this entry")

		for _, m := range w.All() {
			if m.User == w.BotUser && m.Channel != comms && has(m.Read(), "impatient") {
				t.Errorf("talk of comms got out: %s", m.Read())
			}
		}
		if cards := countWith(w.Messages(comms, carol), "“facebook page"); cards != 1 {
			t.Errorf("%d cards", cards)
		}
		w.polite("chat.postEphemeral: user_not_in_channel") // Nina, at the card
	})
}

func countWith(list []slacktest.Message, words ...string) (n int) {
	for _, m := range list {
		if has(m.Read(), words...) {
			n++
		}
	}
	return n
}

func TestDirectMessage(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		dm := w.Direct(nina)
		w.Say(nina, dm, "", "Who can see what I post &amp; write?")
		answer := w.said(dm, "Check who can see your posts")
		if !has(answer.Read(), "*privacy settings*", "• Facebook: see <https://www.facebook.com/help/120939471321735|who can see your posts>.", "_protect_",
			"*Since then*", "Source: NHS Employers quick guide, November 2014", "Related", "<https://canteen.example.org/entry/profiles/who-can-see|Open this entry>") {
			t.Errorf("the answer reads:\n%s", answer.Read())
		}
		if answer.ThreadTS != "" {
			t.Error("a direct message was answered in a thread")
		}
		w.Press(nina, answer, "Keep two profiles")
		w.said(dm, "one profile for work")
		w.Press(nina, answer, "Not what I meant")
		w.said(dm, "I am sorry that was not it")

		root := w.Say(nina, dm, "", "Hello")
		w.said(dm, "Hello. Ask me about social media.")
		w.Say(nina, dm, root, "Can I tweet about work?")
		if m := w.said(dm, "Staff can tweet"); m.ThreadTS != root {
			t.Error("a question in a thread was answered outside it")
		}
		w.polite()
	})
}

// TestLanes: in an open channel, nobody else learns of a crisis, and comms are
// called at once when a journalist writes.
func TestLanes(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Mention(nina, ward, "", "I want to kill myself")
		dm := w.Direct(nina)
		crisis := w.said(dm, "If you are in crisis", "I have not kept what you wrote")
		if got := countWith(w.Messages(ward, pete), "crisis"); got != 0 {
			t.Error("others can read of the crisis")
		}
		w.Press(nina, crisis, "Pass it on")
		form := w.AwaitView(nina, "modal", nil)
		w.Submit(nina, form, map[string]string{"text": "please call me"})
		card := w.said(comms, "<!here>", "“please call me”")
		if card.Edits != 0 {
			t.Error("the card that calls the channel was an update")
		}
		w.Press(carol, card, "Claim")
		claimed := w.said(comms, "claimed", "please call me")
		if has(claimed.Read()+claimed.Text, "<!here>") {
			t.Error("an update calls the channel again")
		}
		w.Mention(pete, ward, "", "A reporter rang me up")
		w.said(w.Direct(pete), "A journalist has contacted you")
		w.said(comms, "<!here>", "A reporter rang me up")
		w.polite()
	})
}

func TestCommand(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.AddChannel("CELSE", "elsewhere", nina, pete) // the bot is not in it
		seen := w.Command(nina, "CELSE", "facebook page")
		if seen.Only != nina || !slices.Contains(seen.Buttons(), "None of these") || !has(seen.Read(), "Did you mean") {
			t.Fatalf("the command shows:\n%s\n%v", seen.Read(), seen.Buttons())
		}
		w.Press(nina, seen, "Use a Facebook page, not a profile")
		answer := w.Await("the chosen answer in place of the choice", func(m slacktest.Message) bool { return m.TS == seen.TS && has(m.Read(), "A service has a page.") })
		w.Press(nina, answer, "Share in channel")
		shared := w.Await("the shared entry", func(m slacktest.Message) bool { return m.Channel == "CELSE" && m.Only == "" && m.User == w.BotUser })
		if len(shared.Buttons()) != 0 || !has(shared.Read(), "A service has a page.") {
			t.Errorf("shared: %s %v", shared.Read(), shared.Buttons())
		}
		// The answer to what comms were asked by command comes directly.
		seen = w.Command(nina, "CELSE", "Can I film a TikTok in the staff room?")
		if !has(seen.Read(), "Filming at work", "C-1") {
			t.Errorf("the command shows:\n%s", seen.Read())
		}
		card := w.said(comms, "C-1 · waiting")
		w.Press(carol, card, "Use an entry")
		form := w.AwaitView(carol, "modal", nil)
		if near := w.Search(carol, form, "field/search/entry", ""); len(near) == 0 {
			t.Error("nothing is offered before a letter is typed")
		}
		found := w.Search(carol, form, "field/search/entry", "tweet")
		if len(found) == 0 || found[0] != "twitter/staff-tweeting" {
			t.Fatalf("found %v", found)
		}
		w.Submit(carol, form, map[string]string{"entry": found[0]})
		w.said(w.Direct(nina), "Tweeting as a member of staff", "chose this entry")
		if got := w.Command(nina, "CELSE", ""); !has(got.Read(), "I did not get a question") {
			t.Errorf("an empty command shows %q", got.Read())
		}
		w.polite()
	})
}

func TestShortcut(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Say(pete, ward, "", "Can I tweet about work?")
		post := w.Messages(ward, nina)[0]
		w.Shortcut(nina, post)
		answer := w.said(ward, "Tweeting as a member of staff")
		if answer.Only != nina {
			t.Error("others see what a shortcut asked")
		}
		w.Press(nina, answer, "That helped")
		w.said(ward, "Thank you for telling me")
		// Where the bot is not, the answer comes directly.
		w.AddChannel("CELSE", "elsewhere", nina, pete)
		w.Say(pete, "CELSE", "", "Who can see what I post?")
		w.Shortcut(nina, w.Messages("CELSE", nina)[0])
		w.said(w.Direct(nina), "Check who can see your posts")
		w.polite("chat.postEphemeral: not_in_channel")
	})
}

func TestHome(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		for range 2 { // they look, and look again
			w.Deliver(slacktest.Event, w.Wrap(map[string]any{"type": "app_home_opened", "user": nina, "channel": w.Direct(nina), "tab": "messages"}))
		}
		w.said(w.Direct(nina), "Hello. Ask me about using social media at work", "I keep your question")
		w.Say(nina, w.Direct(nina), "", "Can I film a TikTok in the staff room?")
		w.said(comms, "C-1")
		home := w.OpenHome(nina)
		if !has(home.Read(), "Find an answer", "My questions", "C-1", "Topics", "*Profiles*", "Delete my data") {
			t.Errorf("the Home tab reads:\n%s", home.Read())
		}
		found := w.Search(nina, home, "entry/search", "who can")
		if !slices.Contains(found, "profiles/who-can-see") {
			t.Fatalf("found %v", found)
		}
		w.PressView(nina, home, "entry/search", "profiles/who-can-see")
		page := w.AwaitView(nina, "modal", func(v slacktest.View) bool { return has(v.Read(), "Check who can see your posts") })
		w.PressView(nina, page, "Keep two profiles", "")
		w.AwaitView(nina, "modal", func(v slacktest.View) bool { return v.ID == page.ID && has(v.Read(), "one profile for work") })
		w.PressView(nina, home, "Withdraw", "")
		w.said(comms, "Withdrawn by the asker")
		w.AwaitView(nina, "modal", func(v slacktest.View) bool { return has(v.Read(), "You have taken back") })
		w.PressView(nina, home, "Delete my data", "")
		w.AwaitView(nina, "modal", func(v slacktest.View) bool { return has(v.Read(), "I have erased") })
		w.AwaitView(nina, "home", func(v slacktest.View) bool { return !has(v.Read(), "C-1") })
		if n := countWith(w.Messages(w.Direct(nina), nina), "Hello."); n != 1 {
			t.Errorf("greeted %d times", n)
		}
		w.polite()
	})
}

// TestNotForTheBot: what people say to each other, what bots say, and what was
// edited or deleted is left alone.
func TestNotForTheBot(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ts := w.Mention(nina, ward, "", "Can I tweet about work?")
		w.said(ward, "Tweeting as a member of staff")
		w.Say(pete, ward, "", "Who can see what I post?")     // to everybody
		w.Say(pete, ward, ts, "Who can see what I post?")     // in her thread, but not hers
		w.Say(nina, ward, ts, "<@UPETE> shall we have lunch") // to him
		card := w.Say(carol, comms, "", "a talk among comms")
		w.Say(carol, comms, card, "<@"+w.BotUser+"> Who can see what I post?") // hers, as anywhere
		for _, event := range []map[string]any{
			{"type": "message", "subtype": "bot_message", "bot_id": "B2", "text": "Who can see what I post?", "ts": "1.1", "channel": w.Direct(nina), "channel_type": "im"},
			{"type": "message", "user": w.BotUser, "text": "Who can see what I post?", "ts": "1.2", "channel": w.Direct(nina), "channel_type": "im"},
			{"type": "message", "subtype": "message_changed", "ts": "1.3", "channel": w.Direct(nina), "channel_type": "im", "previous_message": []any{}, "message": map[string]any{"user": nina, "text": "Who can see what I post?", "ts": "1.0"}},
			{"type": "message", "subtype": "message_deleted", "ts": "1.4", "channel": w.Direct(nina), "channel_type": "im"},
			{"type": "app_mention", "bot_id": "B2", "user": "UB2", "text": "Who can see what I post?", "ts": "1.5", "channel": ward},
		} {
			w.Deliver(slacktest.Event, w.Wrap(event))
		}
		w.Say(nina, ward, ts, "and who can see what I post?") // hers, in her thread
		m := w.said(ward, "Check who can see your posts")
		if m.ThreadTS != ts {
			t.Error("a follow-up was answered outside its thread")
		}
		w.said(comms, "Check who can see your posts", "Source") // Carol's turn runs beside Nina's
		if got := countWith(w.All(), "Check who can see your posts", "Source"); got != 2 {
			t.Errorf("%d answers, not one to her and one to comms", got)
		}
		w.polite()
	})
}

// TestAnswerPrivately: by a setting, a mention is answered to who asked alone, and
// comms' answer comes directly.
func TestAnswerPrivately(t *testing.T) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			w := start(t, transport, privately)
			w.Mention(nina, ward, "", "Can I film a TikTok in the staff room?")
			holding := w.said(ward, "Filming at work", "C-1")
			if holding.Only != nina {
				t.Error("others see the answer")
			}
			card := w.said(comms, "C-1")
			w.Press(carol, card, "Not for us")
			form := w.AwaitView(carol, "modal", nil)
			w.Submit(carol, form, map[string]string{"text": "Ask the estates team."})
			w.said(w.Direct(nina), "is not for", "Ask the estates team.")
			w.polite()
		})
	}
}

// TestStepsWithoutTheStore: whatever door a crisis comes in by, the steps are shown though
// nothing can be saved, to the person alone, and once.
func TestStepsWithoutTheStore(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
		w.Say(nina, w.Direct(nina), "", "I want to kill myself")
		w.said(w.Direct(nina), "If you are in crisis", "I have not kept what you wrote")
		w.Mention(pete, ward, "", "I want to kill myself")
		w.said(w.Direct(pete), "If you are in crisis")
		if n := countWith(w.Messages(ward, nina), "crisis"); n != 0 {
			t.Error("others can read of the crisis")
		}
		seen := w.Command(pete, ward, "I want to kill myself")
		if seen.Only != pete || !has(seen.Read(), "If you are in crisis") {
			t.Errorf("the command shows:\n%s", seen.Read())
		}
	})
}
