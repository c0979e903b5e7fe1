//go:build playground

package teams_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
)

// Where the playground listens, and who is in it.
const (
	playground = "localhost:56150"
	chat       = "a:personal-chat-1"
	scene      = `version: "0.1.1"
tenantId: 11111111-1111-1111-1111-111111111111
bot:
  id: 28:22222222-2222-2222-2222-222222222222
  name: Canteen
currentUser:
  id: 29:alex
  name: Alex Wilber
  userPrincipleName: alexw@example.com
  aadObjectId: 33333333-3333-3333-3333-333333333330
  givenName: Alex
  surname: Wilber
  email: alexw@example.com
users:
  - id: 29:megan
    name: Megan Bowen
    userPrincipleName: megan@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333331
    givenName: Megan
    surname: Bowen
    email: megan@example.com
  - id: 29:adele
    name: Adele Vance
    userPrincipleName: adele@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333332
    givenName: Adele
    surname: Vance
    email: adele@example.com
  - id: 29:isaiah
    name: Isaiah Langer
    userPrincipleName: isaiah@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333333
    givenName: Isaiah
    surname: Langer
    email: isaiah@example.com
  - id: 29:patti
    name: Patti Fernandez
    userPrincipleName: patti@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333334
    givenName: Patti
    surname: Fernandez
    email: patti@example.com
  - id: 29:lynne
    name: Lynne Robbins
    userPrincipleName: lynne@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333335
    givenName: Lynne
    surname: Robbins
    email: lynne@example.com
personalChat:
  id: a:personal-chat-1
groupChat:
  id: 19:group@unq.gbl.spaces
  name: Group Chat
team:
  id: ` + teamstest.Team + `
  name: Comms
  aadGroupId: 44444444-4444-4444-4444-444444444444
  channels:
    - id: ` + teamstest.Channel + `
      name: Questions
`
)

// Who asks, and who answers.
var (
	alex  = teamstest.Person{ID: "29:alex", Name: "Alex Wilber"}
	megan = teamstest.Person{ID: "29:megan", Object: "33333333-3333-3333-3333-333333333331", Name: "Megan Bowen"}
)

// What people do all day, through Microsoft 365 Agents Playground, which sends no tokens.
// It needs the program agentsplayground, and is best run with no network: unshare -n sh -c
// 'ip link set lo up; go test -tags playground …'.
//
// What it cannot do is left out: dialogs (forms are sent unseen), refusals, other people's private chats, thumbs under a changed message.
func TestPlayground(t *testing.T) {
	p := play(t)
	p.say(teamstest.Channel, "<at>Canteen</at> hello") // so that the comms channel is known
	p.await(teamstest.Channel, "Hello")

	p.say(chat, "can I tweet about work")
	answer := p.await(chat, "Tweeting as a member of staff", "• leave out patients", "Since then", "Source: NHS Employers quick guide, November 2014",
		"[That helped]", "[Not what I meant]", "[Ask comms]", "[Who can see your posts]")
	if answer.Activity["feedbackLoopEnabled"] != true {
		t.Error("no thumbs under an answer")
	}

	// A chosen "did you mean" becomes the answer in its place.
	p.press(alex, answer, "Not what I meant")
	choice := p.await(chat, "I am sorry that was not it", "[Photos on the ward]")
	p.press(alex, choice, "Photos on the ward")
	chosen := p.await(chat, "Do not post a photo", "Source:", "[That helped]")
	if choice.ID != answer.ID || chosen.ID != answer.ID {
		t.Error("the answer does not take the place of the choice")
	}

	// Words that come with a thumb reach comms, whether or not they say on which message.
	said := func(words string) map[string]any {
		feedback, _ := json.Marshal(map[string]string{"feedbackText": words})
		return map[string]any{"actionName": "feedback", "actionValue": map[string]any{"reaction": "dislike", "feedback": string(feedback)}}
	}
	p.invoke(alex, chat, map[string]any{"name": "message/submitAction", "value": said("ward policy says otherwise")})
	shown := p.await(teamstest.Channel, "ward policy says otherwise", "Photos on the ward")
	lacks(t, shown.Text(), alex.Name)
	thumb := p.blank(alex, chat, "invoke")
	thumb["name"], thumb["replyToId"], thumb["value"] = "message/submitAction", chosen.ID, said("it is out of date")
	p.bring(thumb)
	p.await(teamstest.Channel, "it is out of date", "Photos on the ward")
	if again := p.await(chat, "I am sorry that was not it"); again.ID != answer.ID || again.Versions != 4 {
		t.Errorf("after a thumb down, version %d of %s", again.Versions, again.ID)
	}

	// An urgent card has its question and its buttons, and calls comms from within.
	p.say(chat, "a journalist rang me about a patient")
	p.await(chat, "A journalist has asked you something", "Take their name and number", "C-1")
	card := p.await(teamstest.Channel, "urgent, waiting", "a journalist rang me about a patient", "Urgent: <at>", "<at>"+megan.Name+"</at>",
		"[Claim]", "[Answer]", "[Ask back]", "[Use an entry]", "[False alarm]")
	lacks(t, card.Text(), "Asked by")
	calls, err := json.Marshal(card.Card()["msteams"])
	if err != nil {
		t.Fatal(err)
	}
	contains(t, string(calls), megan.ID, "mention")
	if list, _ := card.Activity["attachments"].([]any); card.Activity["text"] != nil || len(list) != 1 {
		t.Errorf("beside the card: %v, %d attachments", card.Activity["text"], len(list))
	}

	// Comms' answer reaches the asker.
	contains(t, p.press(megan, card, "Claim"), "claimed", megan.Name, "Asked by", alex.Name)
	claimed := p.await(teamstest.Channel, "C-1 · urgent, claimed", megan.Name, "[Give back]")
	if claimed.ID != card.ID {
		t.Error("a card is not changed in its place")
	}
	p.fill(megan, claimed, "Answer", map[string]string{"text": "Say **nothing** and ring us."})
	p.await(chat, "Say nothing and ring us.", "[That helped]", "[That did not help]")
	p.await(teamstest.Channel, "C-1 · answered", "Say nothing and ring us.")

	// What is quoted is no part of the question, in either shape.
	const lane = "A journalist has asked you something. Do not answer. Take their name and number."
	for _, quote := range []func(a map[string]any) map[string]any{
		func(a map[string]any) map[string]any { return teamstest.Quote(a, card.ID, lane) },
		func(a map[string]any) map[string]any { return teamstest.QuoteInHTML(a, lane) },
	} {
		n := len(p.of(chat))
		p.bring(quote(p.question("can I tweet about work")))
		contains(t, p.next(chat, n).Text(), "Tweeting as a member of staff")
	}

	// An edit is answered in its place, and marked where comms have the question; a
	// deletion takes the words back.
	question := p.question("who can see what I post")
	p.bring(question)
	first := p.await(chat, "Check your privacy settings")
	p.bring(teamstest.Edit(question, "can I post a photo taken on the ward"))
	if again := p.await(chat, "Do not post a photo", "[That helped]"); again.ID != first.ID {
		t.Error("the new answer does not stand in the place of the old one")
	}
	asked := p.question(tiktok)
	p.bring(asked)
	p.await(chat, "C-2", "communications team")
	card = p.await(teamstest.Channel, "C-2 · waiting", "tiktok in the staff room", "[Claim]")
	p.bring(teamstest.Edit(asked, "what are the rules on filming a tiktok in the car park"))
	p.await(teamstest.Channel, "C-2 · waiting", "tiktok in the car park", "Edited by the asker")
	p.bring(teamstest.Erase(asked))
	gone := p.await(teamstest.Channel, "C-2 · closed", "Deleted by the asker", "no longer kept")
	lacks(t, gone.Text(), "tiktok", "[Claim]")
	if gone.ID != card.ID {
		t.Error("the card of a deleted question is not changed in its place")
	}
	p.await(chat, "You have taken back your question C-2")

	if list := p.of(teamstest.Channel); len(list) != 5 { // a greeting, two thumbs, two cards
		t.Errorf("%d messages in the comms channel", len(list))
	}
}

// stage is the playground with the bot in it, and what it shows.
type stage struct {
	*world
	out    bytes.Buffer
	stream *websocket.Conn
	shown  []*teamstest.Message // by the bot, oldest first, each as it is now
}

// play starts both.
func play(t *testing.T) *stage {
	program := os.Getenv("AGENTSPLAYGROUND")
	if program == "" {
		program = "agentsplayground"
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("needs agentsplayground of npm's @microsoft/m365agentsplayground@0.2.28")
	}
	p := &stage{world: newWorld(t, func(c *teams.Config) {
		*c = teams.Config{Insecure: true, Listen: "127.0.0.1:0", CommsChannel: teamstest.Channel, Bot: c.Bot, Store: c.Store, Log: c.Log}
	})}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".m365agentsplayground.yml"), []byte(scene), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-e", p.Endpoint, "-c", "msteams", "--dt")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BROWSER=none")
	cmd.Stdout, cmd.Stderr = &p.out, &p.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; tries++ {
		var err error
		if p.stream, _, err = websocket.DefaultDialer.Dial("ws://"+playground+"/_ws_conversation/v1/conversations/stream", nil); err == nil {
			break
		}
		if tries == 300 {
			t.Fatalf("the playground does not start: %v: %s", err, &p.out)
		}
		<-tick.C
	}
	t.Cleanup(func() { _ = p.stream.Close() })
	return p
}

// call asks the playground for something; a body is posted.
func (p *stage) call(path string, body any) map[string]any {
	p.t.Helper()
	method, data := http.MethodGet, []byte(nil)
	if body != nil {
		method = http.MethodPost
		var err error
		if data, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+playground+path, bytes.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	var got map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&got) // not every answer has a body
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s %v", path, resp.Status, got)
	}
	return got
}

// say writes a message, as on the playground's page.
func (p *stage) say(conversation, text string) {
	p.t.Helper()
	body := map[string]any{"from": map[string]any{"id": alex.ID}, "text": text, "textFormat": "plain"}
	if strings.HasPrefix(text, "<at>") {
		body["mentions"] = []any{map[string]any{"mentioned": map[string]any{"id": teamstest.BotID}, "text": "<at>Canteen</at>"}}
	}
	p.call("/_conversation/v1/conversations/"+conversation+"/messages", body)
}

// invoke does what the page can do with a message, and gives what the bot answers.
func (p *stage) invoke(by teamstest.Person, conversation string, what map[string]any) map[string]any {
	p.t.Helper()
	what["from"], what["conversation"] = map[string]any{"id": by.ID}, map[string]any{"id": conversation}
	return p.call("/_conversation/v1/invoke", what)
}

// press uses a button of a card, and gives what the person then reads.
func (p *stage) press(by teamstest.Person, m teamstest.Message, title string) string {
	p.t.Helper()
	got := p.invoke(by, m.Conversation, map[string]any{"name": "adaptiveCard/action", "replyToId": m.ID, "value": map[string]any{"action": p.button(m, title), "trigger": "manual"}})
	if s, ok := got["value"].(string); ok {
		return s
	}
	return teamstest.Read(got["value"])
}

func (p *stage) button(m teamstest.Message, title string) map[string]any {
	p.t.Helper()
	b := teamstest.Button(m.Card(), title)
	if b == nil {
		p.t.Fatalf("there is no button %q in:\n%s", title, m.Text())
	}
	return b
}

// blank is an activity with nothing in it yet, as the playground makes them.
func (p *stage) blank(by teamstest.Person, conversation, kind string) map[string]any {
	p.t.Helper()
	a := p.call("/_internal/v1/customActivities/template?conversationId="+url.QueryEscape(conversation), nil)
	a["type"], a["channelData"] = kind, map[string]any{"tenant": map[string]any{"id": teamstest.Tenant}}
	if by != alex {
		a["from"] = map[string]any{"id": by.ID, "aadObjectId": by.Object, "name": by.Name}
	}
	return a
}

// question is a message whose id is known, unlike those of say: it can be edited, deleted
// and made to quote another.
func (p *stage) question(text string) map[string]any {
	p.t.Helper()
	a := p.blank(alex, chat, "message")
	a["text"], a["textFormat"] = text, "plain"
	return a
}

// bring has the playground send an activity. What the bot answers is not told.
func (p *stage) bring(a map[string]any) {
	p.t.Helper()
	p.call("/_internal/v1/customActivities", a)
}

// fill submits the form that a button opens.
func (p *stage) fill(by teamstest.Person, m teamstest.Message, title string, fields map[string]string) {
	p.t.Helper()
	data := maps.Clone(p.button(m, title)["data"].(map[string]any))
	for name, value := range fields {
		data[name] = value
	}
	a := p.blank(by, m.Conversation, "invoke")
	a["name"], a["value"] = "task/submit", map[string]any{"data": data}
	p.bring(a)
}

// of is what stands in a conversation.
func (p *stage) of(conversation string) []teamstest.Message {
	var list []teamstest.Message
	for _, m := range p.shown {
		if m.Conversation == conversation || strings.HasPrefix(m.Conversation, conversation+";") {
			list = append(list, *m)
		}
	}
	return list
}

// await gives the latest message in a conversation that says all of the words.
func (p *stage) await(conversation string, words ...string) teamstest.Message {
	p.t.Helper()
	for {
		for _, m := range slices.Backward(p.of(conversation)) {
			text := m.Text()
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				return m
			}
		}
		if err := p.read(); err != nil {
			said := ""
			for _, m := range p.of(conversation) {
				said += "\n---\n" + m.Text()
			}
			p.t.Fatalf("%s never says %q: %v; it says:%s\n%s", conversation, words, err, said, &p.out)
		}
	}
}

// next gives the message in a conversation that comes after n others.
func (p *stage) next(conversation string, n int) teamstest.Message {
	p.t.Helper()
	for len(p.of(conversation)) <= n {
		if err := p.read(); err != nil {
			p.t.Fatalf("no message %d in %s: %v", n+1, conversation, err)
		}
	}
	return p.of(conversation)[n]
}

// read takes one change of what the playground shows, and waits until the bot knows that
// it is there.
func (p *stage) read() error {
	const patience = 30 * time.Second
	var change struct {
		Action       string
		Conversation string `json:"actionConversationId"`
		Message      map[string]any
	}
	_ = p.stream.SetReadDeadline(time.Now().Add(patience))
	if err := p.stream.ReadJSON(&change); err != nil {
		return err
	}
	id, _ := change.Message["messageId"].(string)
	switch change.Action {
	case "createMessage":
		m := &teamstest.Message{Conversation: change.Conversation, ID: id}
		if post, ok := change.Message["postConversationId"].(string); ok { // a thread's first
			m.Conversation = post
		}
		p.shown = append(p.shown, m)
	case "updateMessage":
	default:
		return nil // typing
	}
	for _, m := range p.shown {
		if m.ID == id {
			m.Activity = change.Message
			m.Versions++
		}
	}
	select {
	case <-p.settled:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the bot does not know of %s", id)
	}
}
