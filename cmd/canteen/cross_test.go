package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"canteen/adapters/slack/slacktest"
	"canteen/adapters/teams/teamstest"
)

// The channels and people of these tests: Nina and Pete ask in Slack, Nora and Olu
// in Teams; Carol is of comms in Slack, Carla and Chris in Teams.
const (
	slackComms = "CCOMMS"
	slackWard  = "CWARD7"
	slackElse  = "CELSE" // without the bot
	nina       = "UNINA"
	pete       = "UPETE"
	carol      = "UCAROL"

	teamsWard = "19:ward-9@thread.tacv2;messageid=77"
)

var (
	nora  = teamstest.User("Nora Nurse")
	olu   = teamstest.User("Olu Porter")
	carla = teamstest.User("Carla Comms")
	chris = teamstest.User("Chris Comms")
)

// hospital is one canteen serve between a Slack and a Teams, with comms in both.
type hospital struct {
	t     *testing.T
	slack *slacktest.Slack
	teams *teamstest.Fake
	p     *process
	env   []string
	db    string
}

// newHospital starts one. transport is how Slack reaches it: http or socket.
func newHospital(t *testing.T, transport string) *hospital {
	t.Helper()
	h := &hospital{t: t, slack: slacktest.New(t), teams: teamstest.New(t, carla, chris), db: filepath.Join(t.TempDir(), "canteen.db")}
	for id, name := range map[string]string{nina: "Nina Nurse", pete: "Pete Porter", carol: "Carol Comms"} {
		h.slack.AddUser(id, name)
	}
	h.slack.AddChannel(slackComms, "comms", h.slack.BotUser, carol)
	h.slack.AddChannel(slackWard, "ward-7", h.slack.BotUser, nina, pete, carol)
	h.slack.AddChannel(slackElse, "elsewhere", nina, pete)
	h.env = append(h.settings(), "SLACK_SIGNING_SECRET="+h.slack.SigningSecret)
	if transport == "socket" {
		h.env = append(h.settings(), "SLACK_APP_TOKEN="+h.slack.AppToken)
	}
	h.again()
	for _, a := range h.teams.Install(carla, teamstest.Team) {
		a["channelData"].(map[string]any)["settings"] = map[string]any{"selectedChannel": map[string]any{"id": teamstest.Channel}}
		h.deliver(a)
	}
	return h
}

// settings point a canteen at the two platforms; how Slack reaches it comes on top.
func (h *hospital) settings() []string {
	return []string{"DATABASE_URL=" + h.db, "PUBLIC_URL=https://canteen.example.org", "CANTEEN_PACE=1000",
		"SLACK_BOT_TOKEN=" + h.slack.BotToken, "SLACK_API_URL=" + h.slack.URL, "SLACK_COMMS_CHANNEL=" + slackComms, "SLACK_ASK_CHANNELS=CASK", "TEAMS_ASK_CHANNELS=19:ask@thread.tacv2",
		"MICROSOFT_APP_ID=" + teamstest.AppID, "MICROSOFT_APP_PASSWORD=" + h.teams.Secret, "MICROSOFT_APP_TENANT_ID=" + teamstest.Tenant, "TEAMS_COMMS_CHANNEL=" + teamstest.Channel,
		"MICROSOFT_LOGIN_URL=" + h.teams.LoginURL(), "BOT_OPENID_METADATA_URL=" + h.teams.MetadataURL(), "BOT_SERVICE_HOSTS=" + h.teams.Host()}
}

// again starts the process, after kill -9 where one runs, and waits until Slack
// knows it.
func (h *hospital) again() {
	h.t.Helper()
	if h.p != nil {
		h.p.kill()
	}
	checks, sockets := h.slack.Calls("conversations.info"), h.slack.Calls("socket")
	h.p = start(h.t, h.env)
	h.teams.Endpoint = h.p.url + "/api/messages"
	h.slack.AwaitCalls("conversations.info", checks+1)
	if strings.HasPrefix(h.env[len(h.env)-1], "SLACK_APP_TOKEN") {
		h.slack.AwaitCalls("socket", sockets+1)
	} else {
		h.slack.Events = h.p.url + "/slack/events"
	}
}

// deliver brings an activity from Teams, which has to be taken.
func (h *hospital) deliver(activity map[string]any) teamstest.Answer {
	h.t.Helper()
	a := h.teams.Deliver(h.t, activity)
	if a.Status != http.StatusOK {
		h.t.Fatalf("Teams' %v: status %d", activity["type"], a.Status)
	}
	return a
}

// press uses a button in Teams; fill submits the form that one opened.
func (h *hospital) press(p teamstest.Person, m teamstest.Message, label string) teamstest.Answer {
	h.t.Helper()
	return h.deliver(h.teams.Press(h.t, p, m, label))
}

func (h *hospital) fill(p teamstest.Person, m teamstest.Message, form teamstest.Answer, submit string, fields map[string]string) teamstest.Answer {
	h.t.Helper()
	var a teamstest.Answer
	for range 10 { // as for Slack's
		a = h.deliver(h.teams.Fill(h.t, p, m.Conversation, form, submit, fields))
		if !strings.Contains(a.Told(), "was not saved") {
			break
		}
	}
	return a
}

// form opens a form in Slack.
func (h *hospital) form(user string, m slacktest.Message, label, title string) slacktest.View {
	h.t.Helper()
	h.slack.Press(user, m, label)
	return h.slack.AwaitView(user, "modal", func(v slacktest.View) bool { return strings.Contains(v.Title, title) })
}

// submit submits a form in Slack. Slack waits 3 seconds for it, which a machine
// under load may miss: then the form says so and stays, and is submitted again.
func (h *hospital) submit(user string, v slacktest.View, fields map[string]string) (errs map[string]string, then *slacktest.View) {
	h.t.Helper()
	for range 10 {
		errs, then = h.slack.Submit(user, v, fields)
		if !strings.Contains(fmt.Sprint(errs), "was not saved") {
			break
		}
	}
	return errs, then
}

// said waits for a message of the bot's in a conversation of Slack's.
func (h *hospital) said(channel string, words ...string) slacktest.Message {
	h.t.Helper()
	return h.slack.Await(strings.Join(words, " … ")+" in "+channel, func(m slacktest.Message) bool {
		return m.Channel == channel && m.User == h.slack.BotUser && has(m.Read(), words...)
	})
}

func has(text string, words ...string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// cards are those of one question, as they stand on both platforms.
type cards struct {
	slack slacktest.Message
	teams teamstest.Message
}

// cards waits for both cards of a question, which say neither who asked nor where.
func (h *hospital) cards(ref, platform, question string, secrets ...string) cards {
	h.t.Helper()
	words := []string{ref + " · waiting", question, "Asked on " + platform}
	c := cards{h.said(slackComms, words...), h.teams.Await(h.t, teamstest.Channel, words...)}
	for where, v := range map[string]any{"Slack": c.slack, "Teams": c.teams.Activity} {
		data, err := json.Marshal(v)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, s := range secrets {
			if strings.Contains(string(data), s) {
				h.t.Errorf("before anybody claimed it, the card in %s says %q:\n%s", where, s, data)
			}
		}
	}
	return c
}

// changed waits until both cards say the words: the same messages as before, and
// the only ones.
func (h *hospital) changed(c cards, ref string, words ...string) cards {
	h.t.Helper()
	words = append(words, ref+" · ")
	inSlack := slices.Clone(words) // where people are shown by Slack's own means
	for i, w := range inSlack {
		switch w {
		case "Nina Nurse":
			inSlack[i] = "<@" + nina + ">"
		case "Carol Comms":
			inSlack[i] = "<@" + carol + ">"
		}
	}
	next := cards{h.said(slackComms, inSlack...), h.teams.Await(h.t, teamstest.Channel, words...)}
	if next.slack.TS != c.slack.TS || next.slack.Edits <= c.slack.Edits {
		h.t.Errorf("the card in Slack is not updated in place: %s after %d edits, was %s after %d", next.slack.TS, next.slack.Edits, c.slack.TS, c.slack.Edits)
	}
	if next.teams.ID != c.teams.ID || next.teams.Versions <= c.teams.Versions {
		h.t.Errorf("the card in Teams is not updated in place: %s in version %d, was %s in %d", next.teams.ID, next.teams.Versions, c.teams.ID, c.teams.Versions)
	}
	if n := h.inSlack(slackComms, ref+" · "); n != 1 {
		h.t.Errorf("%d cards of %s in Slack", n, ref)
	}
	if n := h.inTeams(teamstest.Channel, ref+" · "); n != 1 {
		h.t.Errorf("%d cards of %s in Teams", n, ref)
	}
	return next
}

// inSlack and inTeams count the bot's messages that say the words.
func (h *hospital) inSlack(channel string, words ...string) (n int) {
	for _, m := range h.slack.All() {
		if m.Channel == channel && m.User == h.slack.BotUser && !m.Gone && has(m.Read(), words...) {
			n++
		}
	}
	return n
}

func (h *hospital) inTeams(conversation string, words ...string) (n int) {
	for _, m := range h.teams.Messages(conversation) {
		if has(m.Text(), words...) {
			n++
		}
	}
	return n
}

// polite fails the test when Slack had to refuse something.
func (h *hospital) polite() {
	h.t.Helper()
	for _, r := range h.slack.Refusals() {
		h.t.Errorf("Slack refused: %s", r)
	}
}

// Asked in Teams, claimed, answered and promoted in Slack.
func TestAskedInTeams(t *testing.T) {
	h := newHospital(t, "http")
	const tiktok = "what are the rules on filming a tiktok dance in the staff room"
	secrets := []string{nora.Name, nora.ID, nora.Object, nora.Chat(), "ward-9", "messageid"}
	var last cards
	for i, c := range []struct{ name, question, conversation, where string }{
		{"private chat", tiktok, nora.Chat(), nora.Name},
		{"channel", "can our ward start a podcast", teamsWard, "a Teams channel"},
	} {
		ref := fmt.Sprintf("C-%d", i+1)
		if c.conversation == teamsWard {
			h.deliver(h.teams.Mention(nora, c.conversation, c.question))
		} else {
			h.deliver(h.teams.Say(nora, c.question))
		}
		holding := h.teams.Await(t, c.conversation, ref, "communications team")
		if holding.Conversation != c.conversation {
			t.Errorf("%s: told in %s", c.name, holding.Conversation)
		}
		both := h.cards(ref, "Microsoft Teams", c.question, secrets...)

		h.slack.Press(carol, both.slack, "Claim")
		both = h.changed(both, ref, "claimed", nora.Name, c.where, "Carol Comms")
		form := h.form(carol, both.slack, "Answer", "Answer "+ref)
		text := "Ask your manager about " + c.name + " first."
		if errs, then := h.submit(carol, form, map[string]string{"text": text}); errs != nil || then != nil {
			t.Fatalf("%s: the form stays: %v %v", c.name, errs, then)
		}
		answer := h.teams.Await(t, c.conversation, "Answer to "+ref, text, c.question)
		if answer.Conversation != c.conversation {
			t.Errorf("%s: answered in %s", c.name, answer.Conversation)
		}
		both = h.changed(both, ref, "answered", text, "Carol Comms")
		h.press(nora, answer, "That helped")
		last = h.changed(both, ref, "closed")
		if n := h.inTeams(nora.Chat(), text) + h.inTeams("19:ward-9@thread.tacv2", text); n != 1 {
			t.Errorf("%s: the answer arrived %d times", c.name, n)
		}
	}

	// Promoted in Slack, answered at once in Teams.
	form := h.form(carol, last.slack, "Add to the FAQ", "Add to the FAQ")
	if errs, then := h.submit(carol, form, map[string]string{"title": "Start a podcast"}); then == nil {
		t.Fatalf("adding to the FAQ: %v %+v", errs, then)
	}
	h.slack.AwaitView(carol, "modal", func(v slacktest.View) bool { return has(v.Read(), "is in the FAQ now") })
	h.changed(last, "C-2", "FAQ entry", "Start a podcast")
	h.deliver(h.teams.Say(olu, "can our ward start a podcast"))
	h.teams.Await(t, olu.Chat(), "Start a podcast", "Ask your manager about channel first.", "[That helped]")
	h.polite()
}

// Asked in Slack, claimed, answered and promoted in Teams.
func TestAskedInSlack(t *testing.T) {
	h := newHospital(t, "socket")
	secrets := []string{"Nina", nina, slackWard, "ward-7", slackElse, "elsewhere"}
	answer := func(both cards, ref, question, where, text string) cards {
		t.Helper()
		claimed := h.press(carla, both.teams, "Claim")
		if !has(teamstest.Read(claimed.Body["value"]), "claimed", "Nina Nurse") {
			t.Errorf("the press on Claim takes back %v", claimed.Body)
		}
		both = h.changed(both, ref, "claimed", "Nina Nurse", where, carla.Name)
		form := h.press(carla, both.teams, "Answer")
		if closed := h.fill(carla, both.teams, form, "Send", map[string]string{"text": text}); closed.Body != nil {
			t.Errorf("the form stays: %v", closed.Body)
		}
		return h.changed(both, ref, "answered", text, carla.Name)
	}

	root := h.slack.Say(pete, slackWard, "", "who is on tonight?")
	question := "what are the rules on filming a tiktok dance in the staff room"
	h.slack.Mention(nina, slackWard, root, question)
	if m := h.said(slackWard, "C-1", "communications team"); m.ThreadTS != root {
		t.Errorf("told in thread %q, asked in %q", m.ThreadTS, root)
	}
	both := answer(h.cards("C-1", "Slack", question, append(secrets, root)...), "C-1", question, "#ward-7", "Only off duty, and nobody else in it.")
	relay := h.said(slackWard, "Answer to C-1", "Only off duty", question)
	if relay.ThreadTS != root {
		t.Errorf("answered in thread %q, asked in %q", relay.ThreadTS, root)
	}

	// Promoted in Teams, answered at once in Slack.
	h.slack.Press(nina, relay, "That helped")
	both = h.changed(both, "C-1", "closed")
	promoted := h.fill(carla, both.teams, h.press(carla, both.teams, "Add to the FAQ"), "Add", map[string]string{"title": "Film a TikTok off duty"})
	if !has(promoted.Told(), "is in the FAQ now") {
		t.Fatalf("adding to the FAQ: %v", promoted.Body)
	}
	h.changed(both, "C-1", "FAQ entry", "Film a TikTok off duty")
	if seen := h.slack.Command(pete, slackElse, question); !has(seen.Read(), "Film a TikTok off duty", "nobody else in it") {
		t.Errorf("the command shows:\n%s", seen.Read())
	}

	// By command, where the bot is not: the answer comes directly.
	question = "can our ward start a podcast"
	if seen := h.slack.Command(nina, slackElse, question); seen.Only != nina || !has(seen.Read(), "C-2", "communications team") {
		t.Fatalf("the command shows %q:\n%s", seen.Only, seen.Read())
	}
	answer(h.cards("C-2", "Slack", question, secrets...), "C-2", question, "#elsewhere", "Talk to us first.")
	h.said(h.slack.Direct(nina), "Answer to C-2", "Talk to us first.")
	if n := h.inSlack(slackElse, "Talk to us first."); n != 0 {
		t.Errorf("the answer to a command is in the channel %d times", n)
	}
	h.polite()
}

// Both platforms answer: the first answer is sent, and the second is told so.
func TestFirstAnswerWins(t *testing.T) {
	h := newHospital(t, "http")
	const fromSlack, fromTeams = "Carol in Slack says no.", "Carla in Teams says no."
	for i, c := range []struct{ question, first string }{
		{"what are the rules on filming a tiktok dance in the staff room", "Slack"},
		{"can our ward start a podcast", "Teams"},
		{"is snapchat allowed on the ward", "both"},
	} {
		ref := fmt.Sprintf("C-%d", i+1)
		h.deliver(h.teams.Say(nora, c.question))
		both := h.cards(ref, "Microsoft Teams", c.question)
		slackForm, teamsForm := h.form(carol, both.slack, "Answer", "Answer "+ref), h.press(carla, both.teams, "Answer")
		var toldSlack, toldTeams string
		inSlack := func() {
			if errs, then := h.submit(carol, slackForm, map[string]string{"text": fromSlack}); then != nil {
				toldSlack = then.Read()
			} else if errs != nil {
				toldSlack = fmt.Sprint(errs)
			}
		}
		inTeams := func() {
			a := h.fill(carla, both.teams, teamsForm, "Send", map[string]string{"text": fromTeams})
			if toldTeams = a.Told(); a.Dialog() != nil { // who was too late keeps the form, with the text in it
				toldTeams = teamstest.Read(a.Dialog())
				if data, err := json.Marshal(a.Dialog()); err != nil || !strings.Contains(string(data), fromTeams) {
					t.Errorf("the text is lost: %s, %v", data, err)
				}
			}
		}
		switch c.first {
		case "Slack":
			inSlack()
			inTeams()
		case "Teams":
			inTeams()
			inSlack()
		default:
			var submitting sync.WaitGroup
			submitting.Go(inSlack)
			submitting.Go(inTeams)
			submitting.Wait()
		}
		won, lost, by, told := fromSlack, fromTeams, "Carol Comms", toldTeams
		if c.first == "Teams" || c.first == "both" && toldTeams == "" {
			won, lost, by, told = fromTeams, fromSlack, carla.Name, toldSlack
		}
		if !strings.Contains(told, ref+" was already answered or closed. Your text was not sent.") || toldSlack != "" && toldTeams != "" {
			t.Errorf("%s first: Slack was told %q, Teams %q", c.first, toldSlack, toldTeams)
		}
		h.teams.Await(t, nora.Chat(), "Answer to "+ref, won)
		h.changed(both, ref, "answered", won, by)
		// What is said in a conversation arrives in its order: nothing is on its way
		// when the next thing is there.
		h.deliver(h.teams.Say(nora, "My questions"))
		h.teams.Await(t, nora.Chat(), "Your questions", ref)
		if n := h.inTeams(nora.Chat(), "Answer to "+ref, lost); n != 0 {
			t.Errorf("%s first: the second answer arrived too", c.first)
		}
	}
	h.polite()
}

// kill -9 while an answer is on its way from one platform to the other: in Slack,
// which can be read back, it is there once; in Teams, which cannot, it is sent
// again and says so.
func TestCrossSurvivesKill(t *testing.T) {
	h := newHospital(t, "http")
	const tiktok, podcast = "what are the rules on filming a tiktok dance in the staff room", "can our ward start a podcast"

	ts := h.slack.Mention(nina, slackWard, "", tiktok)
	h.said(slackWard, "C-1")
	both := h.cards("C-1", "Slack", tiktok)
	h.again()
	h.press(carla, both.teams, "Claim")
	h.said(slackComms, "C-1 · claimed", carla.Name)
	claimed := h.teams.Await(t, teamstest.Channel, "C-1 · claimed")
	h.again()
	form := h.press(carla, claimed, "Answer")
	h.slack.Fail("chat.postMessage", slacktest.Failure{Done: true, Hang: true}) // it arrives, and nobody knows
	sent := h.slack.Calls("chat.postMessage")
	h.fill(carla, claimed, form, "Send", map[string]string{"text": "Only off duty."})
	h.slack.AwaitCalls("chat.postMessage", sent+1)
	h.again()
	h.said(slackComms, "C-1 · answered", "Only off duty.")
	h.slack.Mention(nina, slackWard, ts, podcast) // what comes after it in the thread
	h.said(slackWard, "C-2")
	if n := h.inSlack(slackWard, "Answer to C-1", "Only off duty."); n != 1 {
		t.Errorf("after a kill the answer is in Slack %d times", n)
	}

	h.deliver(h.teams.Mention(nora, teamsWard, "is snapchat allowed on the ward"))
	h.teams.Await(t, teamsWard, "C-3")
	both = h.cards("C-3", "Microsoft Teams", "is snapchat allowed on the ward")
	view := h.form(carol, both.slack, "Answer", "Answer C-3")
	hanging := make(chan struct{})
	var once sync.Once
	h.teams.SetScript(func(_ http.ResponseWriter, r *http.Request) bool {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "Not on the ward.") && strings.Contains(r.URL.Path, "ward-9") {
			once.Do(func() { close(hanging) })
			<-r.Context().Done() // until the process is gone
			return true
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		return false
	})
	h.submit(carol, view, map[string]string{"text": "Not on the ward."})
	<-hanging
	h.p.kill()
	h.teams.SetScript(nil)
	h.again()
	answer := h.teams.Await(t, teamsWard, "Answer to C-3", "Not on the ward.")
	if !has(answer.Text(), "You may have this message already") || answer.Conversation != teamsWard {
		t.Errorf("an answer whose fate is unknown is sent again, in %s, as:\n%s", answer.Conversation, answer.Text())
	}
	h.said(slackComms, "C-3 · answered")
	h.teams.Await(t, teamstest.Channel, "C-3 · answered")
	if n := h.inTeams("19:ward-9@thread.tacv2", "Not on the ward."); n != 1 {
		t.Errorf("the answer is in Teams %d times", n)
	}
	h.polite()
}
