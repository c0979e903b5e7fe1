package teams_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
)

// world is the whole of Canteen in Teams: the platform is fake, the rest is real.
type world struct {
	*teamstest.Fake
	t       testing.TB
	adapter *teams.Adapter
	bot     *bot.Bot
	store   *store.Store
	folder  *knowledge.Folder
	settled chan struct{} // one for each delivery that is known to be there
}

var (
	nurse = teamstest.User("Nora Nurse")
	other = teamstest.User("Olu Porter")
	carla = teamstest.User("Carla Comms")
	chris = teamstest.User("Chris Comms")
	cleo  = teamstest.User("Cleo Comms")
)

const ward = "19:ward-7@thread.tacv2;messageid=77"

func newWorld(t testing.TB, change ...func(*teams.Config)) *world {
	t.Helper()
	w := &world{t: t, settled: make(chan struct{}, 1000), Fake: teamstest.New(t, carla, chris, cleo)}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "knowledge"), os.DirFS("testdata/knowledge")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	var err error
	if w.folder, err = knowledge.Open(ctx, knowledge.Config{Log: log, Dirs: []string{filepath.Join(dir, "knowledge")}}); err != nil {
		t.Fatal(err)
	}
	if err := w.folder.WaitFitted(ctx); err != nil {
		t.Fatal(err)
	}
	if w.store, err = store.Open(ctx, filepath.Join(dir, "canteen.db"), store.Options{}); err != nil {
		t.Fatal(err)
	}
	members := map[string]bot.Members{}
	var outbox *bot.Outbox
	w.bot = bot.New(bot.Config{Direct: func(ctx context.Context, d bot.Delivery) error { return outbox.Direct(ctx, d) }, Store: w.store, Folder: w.folder, Members: members, Comms: []bot.Place{teams.Comms(teamstest.Channel)}, Log: log})
	c := w.config(log)
	for _, f := range change {
		f(&c)
	}
	if w.adapter, err = teams.New(c); err != nil {
		t.Fatal(err)
	}
	members[teams.Name] = w.adapter
	w.Connect(t, w.adapter.Handler())
	outbox = bot.NewOutbox(bot.OutboxConfig{Queue: w.store, Senders: map[string]bot.Sender{teams.Name: w.adapter}, Undelivered: w.bot.Undelivered, Log: log,
		Observe: func(string, bot.Outcome, time.Duration) { w.settled <- struct{}{} }})
	done := make(chan struct{}, 2)
	go func() { outbox.Run(ctx); done <- struct{}{} }()
	go func() { _ = w.adapter.Run(ctx); done <- struct{}{} }()
	t.Cleanup(func() {
		cancel()
		<-done
		<-done
		<-w.folder.Done()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// config is a bot's that knows the fake platform.
func (w *world) config(log *slog.Logger) teams.Config {
	return teams.Config{AppID: teamstest.AppID, AppPassword: w.Secret, TenantID: teamstest.Tenant, CommsChannel: teamstest.Channel,
		LoginURL: w.LoginURL(), OpenIDMetadataURL: w.MetadataURL(), ServiceHosts: []string{w.Host()},
		PublicURL: "https://canteen.example.org", Bot: w.bot, Store: w.store, Log: log, Pace: 100}
}

// deliver brings an activity, which the bot has to take.
func (w *world) deliver(activity map[string]any) teamstest.Answer {
	w.t.Helper()
	a := w.Deliver(w.t, activity)
	if a.Status != 200 {
		w.t.Fatalf("%v: status %d", activity["type"], a.Status)
	}
	return a
}

// install puts the app into the comms team.
func (w *world) install() {
	w.t.Helper()
	for _, a := range w.Install(carla, teamstest.Team) {
		a["channelData"].(map[string]any)["settings"] = map[string]any{"selectedChannel": map[string]any{"id": teamstest.Channel}}
		w.deliver(a)
	}
}

func (w *world) press(p teamstest.Person, m teamstest.Message, title string) teamstest.Answer {
	w.t.Helper()
	return w.deliver(w.Press(w.t, p, m, title))
}

func (w *world) fill(p teamstest.Person, conversation string, form teamstest.Answer, submit string, fields map[string]string) teamstest.Answer {
	w.t.Helper()
	return w.deliver(w.Fill(w.t, p, conversation, form, submit, fields))
}

func contains(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

func lacks(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) {
			t.Errorf("%q is in:\n%s", w, text)
		}
	}
}

// The whole loop: asked, passed on, claimed, asked back, answered, found wanting,
// answered again, made an entry, and asked once more.
func TestLoop(t *testing.T) {
	w := newWorld(t)
	w.install()
	chat := nurse.Chat()

	w.deliver(w.Say(nurse, "can I tweet about work"))
	answer := w.Await(t, chat, "Tweeting as a member of staff")
	contains(t, answer.Text(), "• leave out patients", "Since then", "now called X", "Source: NHS Employers quick guide, November 2014", "[That helped]", "[Not what I meant]", "[Ask comms]", "[Who can see your posts]", "30 days")

	w.deliver(w.Say(nurse, "whats the rules on filming a tiktok in the staff room??"))
	w.Await(t, chat, "C-", "communications team")
	card := w.Await(t, teamstest.Channel, "[Claim]")
	contains(t, card.Text(), "waiting", "tiktok in the staff room", "Asked on Microsoft Teams", "[Answer]", "[Ask back]", "[Use an entry]", "[Not for us]")
	lacks(t, card.Text(), nurse.Name)

	// Only comms may claim.
	told := w.press(other, card, "Claim")
	contains(t, told.Told(), "Only members of the communications team")
	claimed := w.press(carla, card, "Claim")
	if claimed.Body["type"] != "application/vnd.microsoft.card.adaptive" {
		t.Fatalf("the press is not answered by the card: %v", claimed.Body)
	}
	contains(t, teamstest.Read(claimed.Body["value"]), "claimed", carla.Name, nurse.Name, "[Give back]")
	card = w.Await(t, teamstest.Channel, "claimed", nurse.Name)
	if card.Versions < 2 {
		t.Errorf("the card was not updated in place: %d versions", card.Versions)
	}
	contains(t, w.press(chris, card, "Answer").Body["task"].(map[string]any)["type"].(string), "continue")

	// Comms ask back, the asker replies by the form.
	form := w.press(carla, card, "Ask back")
	w.fill(carla, card.Conversation, form, "Send", map[string]string{"text": "Are patients in the picture?"})
	back := w.Await(t, chat, "Are patients in the picture?")
	form = w.press(nurse, back, "Reply to comms")
	w.fill(nurse, chat, form, "Send", map[string]string{"text": "No, only us."})
	card = w.Await(t, teamstest.Channel, "No, only us.")

	// An empty answer stays open with a sentence; the real one reaches the asker.
	form = w.press(carla, card, "Answer")
	again := w.fill(carla, card.Conversation, form, "Send", map[string]string{"text": " "})
	contains(t, teamstest.Read(again.Dialog()), "Write something here.")
	closed := w.fill(carla, card.Conversation, again, "Send", map[string]string{"text": "Yes, with **no patients** in it. See https://example.org."})
	if closed.Body != nil {
		t.Errorf("the dialog does not close: %v", closed.Body)
	}
	relayed := w.Await(t, chat, "with no patients in it", "[That did not help]")
	late := w.fill(chris, card.Conversation, form, "Send", map[string]string{"text": "No."})
	contains(t, teamstest.Read(late.Dialog()), "already", "Your text was not sent") // it stays open, with it

	// It did not help: reopened, answered again.
	w.press(nurse, relayed, "That did not help")
	card = w.Await(t, teamstest.Channel, "claimed", "No, only us.", "[Answer]")
	form = w.press(carla, card, "Answer")
	w.fill(carla, card.Conversation, form, "Send", map[string]string{"text": "You can film a TikTok when nobody else is in it."})
	relayed = w.Await(t, chat, "when nobody else is in it")
	w.press(nurse, relayed, "That helped")
	card = w.Await(t, teamstest.Channel, "closed", "[Add to the FAQ]")

	// It becomes an entry, which answers the next one who asks.
	form = w.press(carla, card, "Add to the FAQ")
	promoted := w.fill(carla, card.Conversation, form, "Add", map[string]string{"place": "topic"})
	contains(t, promoted.Told(), "is in the FAQ now")
	if err := w.folder.WaitFitted(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.deliver(w.Say(other, "what are the rules on filming a tiktok in the staff room"))
	w.Await(t, other.Chat(), "when nobody else is in it", "[That helped]")
}

func TestChannel(t *testing.T) {
	w := newWorld(t)
	w.install()

	// A mention is answered in its thread.
	w.deliver(w.Mention(nurse, ward, "can I tweet about work"))
	answer := w.Await(t, ward, "Tweeting as a member of staff")
	if answer.Conversation != ward {
		t.Errorf("answered in %s, not in the thread %s", answer.Conversation, ward)
	}
	contains(t, w.press(other, answer, "That helped").Told(), "Only the person who asked")
	contains(t, w.press(nurse, answer, "That helped").Told(), "Thank you")

	// What nobody addressed to the bot is left alone, but for follow-ups.
	before := len(w.Messages(ward))
	w.deliver(w.Overhear(cleo, ward, "can I post a photo taken on the ward"))
	w.deliver(w.Mention(nurse, ward, "what are the rules on filming a tiktok in the staff room"))
	w.Await(t, ward, "C-", "can see your question")
	w.Await(t, teamstest.Channel, "[Claim]")
	w.deliver(w.Overhear(nurse, ward, "it is on the night shift"))
	card := w.Await(t, teamstest.Channel, "it is on the night shift")
	lacks(t, card.Text(), "photo")
	for _, m := range w.Messages(ward)[before:] {
		lacks(t, m.Text(), "Photos on the ward")
	}

	if _, err := w.store.Place(t.Context(), bot.Place("teams:"+cleo.Object)); err == nil {
		t.Error("somebody who only talked near the bot is kept")
	}

	// Talk under the card is comms' own.
	w.deliver(w.Overhear(carla, card.Conversation, "what shall we say?"))
	w.deliver(w.Overhear(carla, card.Conversation, "can I tweet about work"))
	if n := len(w.Messages(card.Conversation)); n != 1 {
		t.Errorf("the bot answers comms' own talk: %d messages", n)
	}

	// A private lane to a mention goes to the private chat, which is opened for it.
	w.deliver(w.Mention(other, ward, "I want to die"))
	w.Await(t, other.Chat(), "Call 999", "I have not kept")
	for _, m := range w.Messages(ward) {
		lacks(t, m.Text(), "Call 999")
	}

	// An urgent one calls comms by name.
	w.deliver(w.Say(nurse, "a journalist rang me"))
	urgent := w.Await(t, teamstest.Channel, "urgent")
	contains(t, urgent.Text(), "<at>"+carla.Name+"</at>", "<at>"+cleo.Name+"</at>")
	if urgent.Activity["importance"] != "urgent" {
		t.Error("the card is not marked as urgent")
	}
}

func TestGroupChat(t *testing.T) {
	w := newWorld(t)
	const chat = "19:group@unq.gbl.spaces"
	w.deliver(w.Mention(nurse, chat, "can I tweet about work"))
	w.Await(t, chat, "Tweeting as a member of staff")
	n := len(w.Messages(chat))
	w.deliver(w.Overhear(nurse, chat, "who can see what I post"))
	w.deliver(w.Mention(nurse, chat, "who can see what I post"))
	w.Await(t, chat, "Check your privacy settings")
	if len(w.Messages(chat)) != n+1 {
		t.Error("a group chat's own talk is answered")
	}
}

func TestGreetedOnce(t *testing.T) {
	w := newWorld(t)
	for _, a := range append(w.Install(nurse, nurse.Chat()), w.Install(nurse, nurse.Chat())...) {
		w.deliver(a)
	}
	w.deliver(w.Say(nurse, "can I tweet about work"))
	w.Await(t, nurse.Chat(), "Tweeting")
	list := w.Messages(nurse.Chat())
	if len(list) != 2 {
		t.Fatalf("%d messages, not one greeting and one answer", len(list))
	}
	contains(t, list[0].Text(), "Hello", "30 days")
	lacks(t, list[1].Text(), "30 days")
}

func TestRepeats(t *testing.T) {
	w := newWorld(t)
	w.install()
	question := w.Say(nurse, "what are the rules on filming a tiktok in the staff room")
	w.deliver(question)
	w.Await(t, nurse.Chat(), "C-")
	w.deliver(question)
	card := w.Await(t, teamstest.Channel, "[Claim]")
	claim := w.Press(t, carla, card, "Claim")
	first, second := w.deliver(claim), w.deliver(claim)
	contains(t, teamstest.Read(first.Body["value"]), "claimed")
	contains(t, teamstest.Read(second.Body["value"]), "claimed")
	w.deliver(w.Say(nurse, "can I tweet about work"))
	w.Await(t, nurse.Chat(), "Tweeting")
	if n := len(w.Messages(nurse.Chat())); n != 2 {
		t.Errorf("a message sent twice is answered twice: %d messages", n)
	}
}

func TestThumbs(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "can I tweet about work"))
	answer := w.Await(t, nurse.Chat(), "Tweeting")
	<-w.settled // so that the store knows which message it is
	if loop, _ := answer.Activity["channelData"].(map[string]any)["feedbackLoop"].(map[string]any); loop["type"] != "default" {
		t.Errorf("no thumbs: %v", answer.Activity["channelData"])
	}
	thumb := w.Invoke(nurse, nurse.Chat(), "message/submitAction", map[string]any{"actionName": "feedback", "actionValue": map[string]any{"reaction": "dislike", "feedback": `{"feedbackText":"no"}`}})
	thumb["replyToId"] = answer.ID
	if a := w.deliver(thumb); a.Body == nil || len(a.Body) != 0 {
		t.Errorf("thumbs are answered by %v, not {}", a.Body)
	}
	instead := w.Await(t, nurse.Chat(), "I am sorry that was not it")
	if instead.ID != answer.ID {
		t.Error("what is offered instead does not take the answer's place")
	}
}

func TestSubmitFallback(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "can I tweet about work"))
	answer := w.Await(t, nurse.Chat(), "Tweeting")
	b := teamstest.Button(answer.Card(), "That helped")["fallback"].(map[string]any)
	if b["type"] != "Action.Submit" {
		t.Fatalf("no Action.Submit to fall back on: %v", b)
	}
	press := w.Overhear(nurse, nurse.Chat(), "")
	press["value"], press["replyToId"] = b["data"], answer.ID
	w.deliver(press)
	w.Await(t, nurse.Chat(), "Thank you")
}

func TestMessageExtensions(t *testing.T) {
	w := newWorld(t)
	w.install()
	found := w.deliver(w.Invoke(other, "19:elsewhere@thread.tacv2", "composeExtension/query", map[string]any{"commandId": "search",
		"parameters": []any{map[string]any{"name": "question", "value": "tweet"}}, "queryOptions": map[string]any{"skip": 0, "count": 25}}))
	list := found.Body["composeExtension"].(map[string]any)["attachments"].([]any)
	if len(list) == 0 {
		t.Fatal("nothing is found")
	}
	contains(t, teamstest.Read(list[0].(map[string]any)["content"]), "Tweeting as a member of staff", "Source:")
	if teamstest.Button(list[0], "That helped") != nil {
		t.Error("a card that somebody puts into a conversation has buttons that work nowhere")
	}

	// Asked about a message: answered in the dialog, and later in the private chat.
	const there = "19:elsewhere@thread.tacv2;messageid=5"
	form := w.deliver(w.Invoke(other, there, "composeExtension/fetchTask", map[string]any{"commandId": "ask", "messagePayload": map[string]any{"id": "5", "body": map[string]any{"contentType": "html", "content": "<p>Folks, can I make a TikTok at work?&nbsp;</p>"}}}))
	submit := w.Fill(t, other, there, form, "Ask", nil)
	submit["name"] = "composeExtension/submitAction"
	contains(t, submit["value"].(map[string]any)["data"].(map[string]any)["text"].(string), "Folks, can I make a TikTok at work?")
	answer := w.deliver(submit)
	contains(t, teamstest.Read(answer.Dialog()), "C-", "[Withdraw]")
	card := w.Await(t, teamstest.Channel, "[Claim]")
	lacks(t, card.Text(), "elsewhere")
	w.fill(carla, card.Conversation, w.press(carla, card, "Answer"), "Send", map[string]string{"text": "Only off duty."})
	w.Await(t, other.Chat(), "Only off duty.")
	if n := len(w.Messages("19:elsewhere@thread.tacv2")); n != 0 {
		t.Error("the bot speaks where it was only asked by extension")
	}
}

func TestComms(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, "what are the rules on filming a tiktok in the staff room"))
	card := w.Await(t, teamstest.Channel, "[Claim]")

	// Assigned by the roster, which has three people on two pages.
	form := w.press(carla, card, "Assign")
	var choices []string
	for _, c := range input(t, form, "person")["choices"].([]any) {
		choices = append(choices, c.(map[string]any)["title"].(string))
	}
	if !slices.Equal(choices, []string{carla.Name, chris.Name, cleo.Name}) {
		t.Errorf("one can assign to %v", choices)
	}
	w.fill(carla, card.Conversation, form, "Assign", map[string]string{"person": "teams:" + cleo.Object})
	card = w.Await(t, teamstest.Channel, "With: "+cleo.Name)

	// Somebody who is not of comms cannot be assigned to.
	again := w.fill(carla, card.Conversation, form, "Assign", map[string]string{"person": "teams:" + other.Object})
	contains(t, teamstest.Read(again.Dialog()), "Choose a member")

	// An entry answers it; it is found by typing.
	form = w.press(cleo, card, "Use an entry")
	if input(t, form, "entry")["choices.data"] == nil {
		t.Error("entries cannot be found by typing")
	}
	typed := w.deliver(w.Invoke(cleo, card.Conversation, "application/search", map[string]any{"queryText": "photo", "dataset": "entries", "queryOptions": map[string]any{"skip": 0, "top": 15}}))
	results := typed.Body["value"].(map[string]any)["results"].([]any)
	if len(results) == 0 || results[0].(map[string]any)["value"] != "posts/photos" {
		t.Errorf("typing finds %v", results)
	}
	w.fill(cleo, card.Conversation, form, "Send", map[string]string{"entry": "posts/photos"})
	w.Await(t, nurse.Chat(), "Do not post a photo")

	// The card refreshes for members, and for nobody else.
	card = w.Await(t, teamstest.Channel, "answered")
	refresh := card.Card()["refresh"].(map[string]any)
	if n := len(refresh["userIds"].([]any)); n != 3 {
		t.Errorf("refreshed for %d people, not the three of comms", n)
	}
	ask := func(p teamstest.Person) teamstest.Answer {
		return w.deliver(w.Invoke(p, card.Conversation, "adaptiveCard/action", map[string]any{"action": refresh["action"], "trigger": "automatic"}))
	}
	contains(t, teamstest.Read(ask(chris).Body["value"]), "answered")
	contains(t, ask(other).Told(), "Only members")

	// Who leaves the team is out at once, by its event.
	w.Members(carla, chris)
	left := w.Install(carla, teamstest.Team)[1]
	delete(left, "membersAdded")
	left["channelData"].(map[string]any)["eventType"] = "teamMemberRemoved"
	w.deliver(left)
	contains(t, w.press(cleo, card, "Close").Told(), "Only members")
}

func input(t *testing.T, form teamstest.Answer, id string) map[string]any {
	t.Helper()
	for _, x := range form.Dialog()["body"].([]any) {
		if x := x.(map[string]any); x["id"] == id {
			return x
		}
	}
	t.Fatalf("the form has no field %q", id)
	return nil
}

func TestHome(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(nurse, "what are the rules on filming a tiktok in the staff room"))
	w.Await(t, nurse.Chat(), "C-")
	w.deliver(w.Say(nurse, "my questions"))
	home := w.Await(t, nurse.Chat(), "Your questions to comms")
	contains(t, home.Text(), "C-", "waiting", "[Withdraw]", "What is kept", "30 days", "[Delete my data]")
	show := w.Press(t, nurse, home, "Show it")
	show["value"].(map[string]any)["action"].(map[string]any)["data"].(map[string]any)["entry"] = "posts/privacy"
	w.deliver(show)
	w.Await(t, nurse.Chat(), "Check your privacy settings")
	contains(t, w.press(nurse, home, "Erase it").Told(), "I have erased")
	if _, err := w.store.Place(t.Context(), bot.Place("teams:"+nurse.Object)); err == nil {
		t.Error("how to reach an erased person is still kept")
	}
	w.Await(t, teamstest.Channel, "erased")
}

// Cards wait for the comms channel until it is heard from, and none is lost.
func TestCommsUnknown(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "what are the rules on filming a tiktok in the staff room"))
	w.Await(t, nurse.Chat(), "C-")
	_, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "x", To: w.adapter.Comms(), Post: bot.Post{Kind: bot.KindCard, Title: "C-1"}})
	if not := notSent(t, err); not.After == 0 || not.Final {
		t.Errorf("a card does not wait: %+v", not)
	}
	found := false
	for _, f := range w.adapter.Doctor(t.Context()) {
		found = found || !f.OK && strings.Contains(f.Say, "add the app to its team")
	}
	if !found {
		t.Errorf("the doctor does not say how to mend it: %+v", w.adapter.Doctor(t.Context()))
	}
	// Heard from the team's first channel: the comms channel is looked for in it.
	for _, a := range w.Install(carla, teamstest.Team) {
		w.deliver(a)
	}
	for range 200 {
		if _, err := w.store.Place(t.Context(), w.adapter.Comms()); err == nil {
			break
		}
		w.deliver(w.Mention(carla, "19:general@thread.tacv2;messageid=1", "hello"))
	}
	if _, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "x", To: w.adapter.Comms(), Post: bot.Post{Kind: bot.KindCard, Title: "C-1"}}); err != nil {
		t.Error(err)
	}
	for _, f := range w.adapter.Doctor(t.Context()) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestStepsWithoutTheStore: a crisis is met with steps though nothing can be saved; so is
// an emergency that comms ought to get, which the platform is asked to send again.
func TestStepsWithoutTheStore(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Say(other, "hello"))
	w.Await(t, other.Chat(), "Hello")
	<-w.settled
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	w.deliver(w.Say(other, "I want to die"))
	w.Await(t, other.Chat(), "Call 999", "I have not kept")
	again := w.Say(other, "a journalist is on the phone")
	for range 2 {
		if a := w.Deliver(t, again); a.Status == 200 {
			t.Error("what comms do not have is acknowledged")
		}
	}
	w.Await(t, other.Chat(), "do not have this")
	n := 0
	for _, m := range w.Messages(other.Chat()) {
		if strings.Contains(m.Text(), "do not have this") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the steps are there %d times", n)
	}
}
