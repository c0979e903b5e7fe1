package teams_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
)

// What people do all day and the documentation does not show: each of these failed once.

const tiktok = "what are the rules on filming a tiktok in the staff room"

// Every post is one message, with an id by which it can be changed; what can be changed no
// more, or is gone, is posted anew.
func TestOneActivityIsOneMessage(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, "hello"))
	w.Await(t, nurse.Chat(), "Hello")
	for name, p := range posts() {
		to := bot.Place("teams:" + nurse.Chat())
		conversation := nurse.Chat()
		if p.Kind == bot.KindCard {
			to, conversation = w.adapter.Comms(), teamstest.Channel
		}
		before := len(w.Messages(conversation))
		posted, err := w.adapter.Send(t.Context(), bot.Delivery{ID: name, To: to, Post: p})
		if err != nil || posted.ID == "" {
			t.Fatalf("%s: %+v, %v", name, posted, err)
		}
		if n := len(w.Messages(conversation)); n != before+1 {
			t.Errorf("%s: %d messages", name, n-before)
		}
		again, err := w.adapter.Send(t.Context(), bot.Delivery{ID: name, To: to, Post: p, PostedID: posted.ID})
		if err != nil || again != posted {
			t.Errorf("%s: changed to %+v, %v", name, again, err)
		}
		w.Delete(posted.ID)
		anew, err := w.adapter.Send(t.Context(), bot.Delivery{ID: name, To: to, Post: p, PostedID: posted.ID})
		if err != nil || anew == posted || anew.ID == "" {
			t.Errorf("%s: after it was deleted %+v, %v", name, anew, err)
		}
	}
}

// An urgent card has its question and its buttons, and calls comms from within.
func TestUrgentCard(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, "a journalist rang me about a patient"))
	card := w.Await(t, teamstest.Channel, "[Claim]", "a journalist rang me", "Urgent: <at>Carla Comms</at>")
	data, err := json.Marshal(card.Card()["msteams"])
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(data), carla.ID, chris.ID, cleo.ID, "mention")
	if card.Activity["text"] != nil {
		t.Errorf("text beside the card: %v", card.Activity["text"])
	}
}

// The settings say whom of comms it calls.
func TestUrgentCalls(t *testing.T) {
	for setting, want := range map[string]string{strings.ToUpper(chris.Object): "Urgent: <at>Chris Comms</at>\n", "nobody": ""} {
		w := newWorld(t, func(c *teams.Config) { c.Urgent = []string{setting} })
		w.install()
		w.deliver(w.Say(nurse, "a journalist rang me about a patient"))
		card := w.Await(t, teamstest.Channel, "[Claim]", "a journalist rang me", want)
		lacks(t, card.Text(), "Carla")
	}
}

// A chosen "did you mean" becomes the answer in its place.
func TestChosen(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "can I tweet about work"))
	first := w.Await(t, nurse.Chat(), "Tweeting as a member of staff")
	<-w.settled
	w.press(nurse, first, "Not what I meant")
	instead := w.Await(t, nurse.Chat(), "I am sorry that was not it")
	<-w.settled
	const title = "Photos on the ward"
	w.press(nurse, instead, title)
	answer := w.Await(t, nurse.Chat(), title, "Source:")
	if answer.ID != first.ID {
		t.Error("the answer does not take the place of the choice")
	}
	<-w.settled
	w.press(nurse, answer, "Not what I meant") // what was wrong is not offered again
	lacks(t, w.Await(t, nurse.Chat(), "I am sorry that was not it").Text(), "[Tweeting as a member of staff]", "["+title+"]")
}

// What is quoted is no part of the question, in either shape.
func TestQuotedReplies(t *testing.T) {
	w := newWorld(t)
	w.install()
	const lane = "A journalist has asked you something. Do not answer. Take their name and number."
	for _, quote := range []func(a map[string]any) map[string]any{
		func(a map[string]any) map[string]any { return teamstest.Quote(a, "1712", lane) },
		func(a map[string]any) map[string]any { return teamstest.QuoteInHTML(a, lane) },
		func(a map[string]any) map[string]any {
			a["text"] = `<blockquote itemtype="http://schema.skype.com/Reply"><p>` + lane + `</p></blockquote><p>` + a["text"].(string) + `</p>`
			return a
		},
	} {
		n := len(w.Messages(nurse.Chat()))
		w.deliver(quote(w.Say(nurse, "can I tweet about work")))
		w.until(func() bool { return len(w.Messages(nurse.Chat())) > n })
		if got := w.Messages(nurse.Chat())[n].Text(); !strings.Contains(got, "Tweeting as a member of staff") {
			t.Errorf("a quote changes the answer:\n%s", got)
		}
		n++
		w.deliver(quote(w.Say(nurse, "hello")))
		w.until(func() bool { return len(w.Messages(nurse.Chat())) > n })
	}
	w.deliver(w.Say(nurse, "can I post a photo taken on the ward"))
	w.Await(t, nurse.Chat(), "Photos on the ward")
	if list := w.Messages(teamstest.Channel); len(list) != 0 {
		t.Errorf("a quote raised an alarm:\n%s", list[0].Text())
	}
}

// until waits for something that comes with one of the platform's changes.
func (w *world) until(ok func() bool) {
	w.t.Helper()
	for !ok() {
		select {
		case <-w.settled:
		case <-time.After(30 * time.Second):
			w.t.Fatal("waited in vain")
		}
	}
}

// Somebody else's mention is neither read nor stored.
func TestOthersMentioned(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(teamstest.Mentioning(w.Mention(nurse, ward, "can I tweet about work"), other))
	w.Await(t, ward, "Tweeting as a member of staff")
	w.deliver(teamstest.Mentioning(w.Say(nurse, tiktok), other))
	card := w.Await(t, teamstest.Channel, "[Claim]", "tiktok")
	lacks(t, card.Text(), other.Name)
}

// Pictures and forwarded messages are said, and marked on the card.
func TestAttachments(t *testing.T) {
	w := newWorld(t)
	w.install()
	picture := []any{map[string]any{"contentType": "image/*", "contentUrl": "https://smba.example/x"}}
	a := w.Say(nurse, tiktok)
	a["attachments"] = picture
	w.deliver(a)
	w.Await(t, nurse.Chat(), "C-", "I cannot see what you attached")
	contains(t, w.Await(t, teamstest.Channel, "[Claim]").Text(), "Came with: a picture")
	later := w.Say(other, "can I tweet about work") // comms are asked later, by a press
	later["attachments"] = picture
	w.deliver(later)
	answer := w.Await(t, other.Chat(), "Tweeting as a member of staff")
	w.press(other, answer, "Ask comms")
	contains(t, w.Await(t, teamstest.Channel, "can I tweet about work").Text(), "Came with: a picture")
	alone := w.Say(nurse, "")
	alone["attachments"] = picture
	w.deliver(alone)
	w.Await(t, nurse.Chat(), "I cannot see pictures")
	forward := w.Say(other, "")
	forward["attachments"] = []any{map[string]any{"contentType": "text/html", "content": `<blockquote itemtype="http://schema.skype.com/Forward"><p>a journalist rang me about a patient</p></blockquote>`}}
	w.deliver(forward)
	w.Await(t, other.Chat(), "I cannot see pictures, files or forwarded messages")
}

// Words that come with a thumb reach comms, whether or not the client says on which
// message.
func TestThumbWithWords(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, "can I tweet about work"))
	answer := w.Await(t, nurse.Chat(), "Tweeting")
	<-w.settled
	thumbed := func(feedback, on string) {
		a := w.Invoke(nurse, nurse.Chat(), "message/submitAction", map[string]any{"actionName": "feedback", "actionValue": map[string]any{"reaction": "dislike", "feedback": feedback}})
		if on != "" {
			a["replyToId"] = on
		}
		w.deliver(a)
	}
	thumb := func(words, on string) {
		feedback, err := json.Marshal(map[string]string{"feedbackText": words})
		if err != nil {
			t.Fatal(err)
		}
		thumbed(string(feedback), on)
	}
	thumb("ward policy says otherwise", "")
	shown := w.Await(t, teamstest.Channel, "ward policy says otherwise", "Tweeting as a member of staff")
	lacks(t, shown.Text(), nurse.Name)
	thumb("it is out of date", answer.ID)
	w.Await(t, teamstest.Channel, "it is out of date")
	w.Await(t, nurse.Chat(), "I am sorry that was not it")
	thumbed("not what it said last week", "") // not as documented
	w.Await(t, teamstest.Channel, "not what it said last week")
	thumb("I want to die", answer.ID)
	w.Await(t, nurse.Chat(), "Help for you right now")
	thumb("and it is still wrong", answer.ID) // what follows it waits for a press
	w.Await(t, nurse.Chat(), "I have not passed this on")
	for _, m := range w.Messages(teamstest.Channel) {
		lacks(t, m.Text(), "want to die", "still wrong")
	}
}

// Words with a thumb that names no message are never said of another's answer.
func TestThumbOnNothing(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, tiktok))
	w.Await(t, teamstest.Channel, "C-1 · waiting")
	w.deliver(w.Invoke(nurse, nurse.Chat(), "message/submitAction", map[string]any{"actionName": "feedback", "actionValue": map[string]any{"reaction": "like", "feedback": `{"feedbackText":"thank you for that"}`}}))
	w.Await(t, teamstest.Channel, "thank you for that", `"C-1"`)
}

func TestEditedAndDeleted(t *testing.T) {
	w := newWorld(t)
	w.install()
	chat := nurse.Chat()
	question := w.Say(nurse, "can I tweet about work")
	w.deliver(question)
	first := w.Await(t, chat, "Tweeting as a member of staff")
	<-w.settled
	w.deliver(teamstest.Edit(question, "who can see what I post"))
	if again := w.Await(t, chat, "Check your privacy settings"); again.ID != first.ID {
		t.Error("the new answer does not stand in the place of the old one")
	}
	asked := w.Say(nurse, tiktok)
	w.deliver(asked)
	w.Await(t, teamstest.Channel, "waiting", "tiktok in the staff room")
	w.deliver(teamstest.Edit(asked, "what are the rules on filming a tiktok in the car park"))
	w.Await(t, teamstest.Channel, "tiktok in the car park", "Edited by the asker")
	w.deliver(teamstest.Erase(asked))
	gone := w.Await(t, teamstest.Channel, "Deleted by the asker", "no longer kept")
	lacks(t, gone.Text(), "tiktok")
	w.deliver(teamstest.Undelete(asked))
	w.Await(t, teamstest.Channel, "C-2", "waiting", "tiktok in the staff room")
	// What was said to nobody is not read when it changes.
	overheard := w.Overhear(nurse, ward, "talk")
	w.deliver(overheard)
	w.deliver(teamstest.Edit(overheard, "can I tweet about work"))
	w.deliver(teamstest.Erase(overheard))
	w.deliver(w.Mention(nurse, ward, "who can see what I post"))
	w.Await(t, ward, "Check your privacy settings")
	if n := len(w.Messages(ward)); n != 1 {
		t.Errorf("%d messages in the channel", n)
	}
}

// An answer that cannot arrive goes to the private chat, or else comms are told and the
// question is open again.
func TestUndelivered(t *testing.T) {
	w := newWorld(t)
	w.install()
	answer := func(ref string) {
		card := w.Await(t, teamstest.Channel, ref+" · ", "[Answer]")
		w.fill(carla, card.Conversation, w.press(carla, card, "Answer"), "Send", map[string]string{"text": "Yes, " + ref + "."})
	}
	const group = "19:group@unq.gbl.spaces"
	w.deliver(w.Say(nurse, "hello"))
	w.deliver(w.Mention(nurse, group, tiktok))
	w.Await(t, group, "C-1")
	w.Remove(group)
	answer("C-1")
	w.Await(t, nurse.Chat(), "Yes, C-1.")
	w.deliver(w.Say(other, tiktok+" please"))
	w.Await(t, other.Chat(), "C-2")
	w.Remove(other.Chat())
	answer("C-2")
	w.Await(t, teamstest.Channel, "did not reach them", "C-2")
	w.Await(t, teamstest.Channel, "C-2 · reopened", "Not delivered")
}

// A member of comms who writes under a card is asked in their private chat whether that
// is the answer.
func TestUnderTheCard(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, tiktok))
	card := w.Await(t, teamstest.Channel, "[Claim]")
	w.press(chris, card, "Claim")
	card = w.Await(t, teamstest.Channel, "claimed", chris.Name)
	w.deliver(w.Overhear(carla, card.Conversation, "Yes they may, use the form"))
	hint := w.Await(t, carla.Chat(), "Only comms see", "Yes they may, use the form")
	w.deliver(w.Overhear(carla, card.Conversation, "or not"))
	w.press(carla, hint, "Send as the answer")
	w.Await(t, nurse.Chat(), "Yes they may, use the form", "[That helped]")
	if n := len(w.Messages(carla.Chat())); n != 1 {
		t.Errorf("%d hints", n)
	}
}

// Only the bot's own tenant may ask, unless the settings say otherwise; guests of the
// comms team are never comms.
func TestWhoMayAsk(t *testing.T) {
	foreign := func(w *world) map[string]any {
		a := w.Say(nurse, "can I tweet about work")
		a["channelData"].(map[string]any)["tenant"] = map[string]any{"id": "44444444-1111-1111-1111-111111111111"}
		a["conversation"].(map[string]any)["tenantId"] = "44444444-1111-1111-1111-111111111111"
		return a
	}
	w := newWorld(t)
	if got := w.Deliver(t, foreign(w)); got.Status != http.StatusForbidden {
		t.Errorf("a foreign tenant: status %d", got.Status)
	}
	open := newWorld(t, func(c *teams.Config) { c.Tenants = []string{"*"} })
	open.deliver(foreign(open))
	open.Await(t, nurse.Chat(), "Tweeting")

	w.install()
	w.Guests(cleo)
	w.deliver(w.Say(nurse, tiktok))
	card := w.Await(t, teamstest.Channel, "[Claim]")
	contains(t, w.press(cleo, card, "Claim").Told(), "Only members of the communications team")
	w.press(carla, card, "Claim")
	w.Await(t, teamstest.Channel, "claimed", carla.Name)
}

// A card names whom Teams refreshes it for while it may, and nobody where there are more.
func TestRefreshOfManyMembers(t *testing.T) {
	w := newWorld(t)
	w.install()
	users := func() (any, bool) {
		posted, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "x", To: w.adapter.Comms(), Post: posts()["card"]})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range w.Messages(teamstest.Channel) {
			if m.ID == posted.ID {
				refresh, _ := m.Card()["refresh"].(map[string]any)
				ids, ok := refresh["userIds"]
				return ids, ok && refresh != nil
			}
		}
		t.Fatal("no card")
		return nil, false
	}
	if ids, ok := users(); !ok || len(ids.([]any)) != 3 {
		t.Errorf("the first card is refreshed for %v", ids)
	}
	var many []teamstest.Person
	for i := range 66 {
		many = append(many, teamstest.User("Member "+string(rune('A'+i%26))+string(rune('a'+i/26))))
	}
	w = newWorld(t)
	w.Members(many...)
	w.install()
	if ids, ok := users(); ok {
		t.Errorf("of 66 members the card is refreshed for %v", ids)
	}
}

// Long titles wrap.
func TestLongTitles(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "hello"))
	w.Await(t, nurse.Chat(), "Hello")
	const title = "Accounts on X (formerly Twitter) for teams and services"
	posted, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "x", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Kind: bot.KindClarify, Text: "Which?",
		Options: []bot.Button{{Label: title, Press: bot.Press{Action: bot.ActChoose, Question: "q", Entry: "a"}}, {Label: "Short", Press: bot.Press{Action: bot.ActChoose, Question: "q", Entry: "b"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	m := w.Await(t, nurse.Chat(), "Which?")
	if m.ID != posted.ID || teamstest.Button(m.Card(), title) == nil {
		t.Fatalf("no way to press it: %v", m.Card())
	}
	data, _ := json.Marshal(m.Card())
	contains(t, string(data), `"selectAction"`, `"wrap":true`)
	valid(t, cardSchema(t, "adaptive-card-1.5.0.json"), m.Card())
}

// Every new activity in every wrong shape is taken, and leaves nothing behind.
func TestMalformed(t *testing.T) {
	w := newWorld(t)
	w.install()
	base := func() map[string]any { return w.Say(nurse, "zorblax") }
	for _, change := range []func(a map[string]any){
		func(a map[string]any) { a["type"] = "messageUpdate" },
		func(a map[string]any) { a["type"], a["channelData"] = "messageUpdate", 7 },
		func(a map[string]any) { a["type"] = "messageDelete"; delete(a, "id") },
		func(a map[string]any) { a["type"], a["text"] = "messageDelete", nil },
		func(a map[string]any) {
			a["type"] = "messageUpdate"
			a["channelData"].(map[string]any)["eventType"] = []any{"editMessage"}
		},
		func(a map[string]any) {
			a["text"], a["entities"] = "", []any{7, nil, map[string]any{"type": "quotedReply", "quotedReply": 7}}
		},
		func(a map[string]any) { a["text"] = `<quoted messageId="`; a["entities"] = "x" },
		func(a map[string]any) { a["text"] = `<blockquote itemtype="http://schema.skype.com/Reply">` },
		func(a map[string]any) {
			a["text"], a["attachments"] = "", []any{nil, 7, map[string]any{"contentType": 7}, map[string]any{"contentType": "text/html", "content": map[string]any{}}}
		},
		func(a map[string]any) {
			a["type"], a["name"], a["value"] = "invoke", "message/submitAction", map[string]any{"actionName": "feedback", "actionValue": map[string]any{"reaction": "dislike", "feedback": "{"}}
		},
		func(a map[string]any) {
			a["type"], a["name"], a["value"] = "invoke", "message/submitAction", map[string]any{"actionName": 7, "actionValue": 7}
		},
	} {
		a := base()
		change(a)
		if got := w.Deliver(t, a); got.Status != http.StatusOK {
			data, _ := json.Marshal(a)
			t.Errorf("status %d for %s", got.Status, data)
		}
	}
}
