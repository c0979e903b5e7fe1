package teams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
	"canteen/knowledge/text"
)

// turn is the handling of one activity.
type turn struct {
	a         *Adapter
	ctx       context.Context // the library's handlers have none
	in        *received
	key       string // of the activity, the same when Teams sends it again
	original  string // the key of the message; of an edit, that of the edited message
	answer    any    // to an invoke
	committed bool
	// unsaved says why the place could not be kept: see [bot.Bot.Unsaved].
	unsaved error
}

func newTurn(ctx context.Context, a *Adapter, in *received, body []byte) *turn {
	t := &turn{a: a, ctx: ctx, in: in}
	sum := sha256.Sum256(body)
	message := Name + ":" + in.Conversation.ID + "/" + in.ID
	switch {
	case in.ID == "":
		t.key = Name + ":" + hex.EncodeToString(sum[:])
	case in.Type == messageUpdate || in.Type == messageDelete: // they have the id of the message
		t.key, t.original = message+"/"+hex.EncodeToString(sum[:8]), message
	default:
		t.key, t.original = message, message
	}
	return t
}

func (t *turn) person() bot.Person {
	return bot.Person{ID: personID(t.in.From), Name: limit(text.Clean(t.in.From.Name), 100)}
}

// newMessage is a bot.Message of the activity's sender and conversation, without its
// content.
func (t *turn) newMessage() bot.Message {
	m := bot.Message{Keys: []string{t.key}, Said: t.original, From: t.person(), In: placeOf(t.in.Conversation), Direct: bot.Place(personID(t.in.From)), Audience: bot.Private, Addressed: true}
	if !t.in.personal() {
		m.Audience, m.Where = bot.Shared, t.where()
	}
	return m
}

// where describes the conversation for comms.
func (t *turn) where() string {
	name := t.in.placeName()
	if name == "" && t.in.Conversation.ConversationType == inChannel && !t.in.restricted() {
		if ref, err := t.a.place(t.ctx, bot.Place(placeOf(t.in.Conversation).Lane())); err == nil {
			name = ref.Conversation.Name
		}
	}
	switch {
	case name != "":
		return name
	case t.in.restricted():
		return "a private Teams channel"
	case t.in.Conversation.ConversationType == inChannel:
		return "a Teams channel"
	}
	return "a Teams group chat"
}

// handle lets the bot handle a message, by its emergency path where the place could not be
// saved.
func (t *turn) handle(m bot.Message) (bot.Reply, error) {
	var reply bot.Reply
	var err error
	if t.unsaved != nil {
		reply, err = t.a.bot.Unsaved(t.ctx, m, t.unsaved)
	} else {
		reply, err = t.a.bot.Handle(t.ctx, m)
	}
	t.committed = err == nil
	return reply, err
}

// reply posts into the activity's conversation, through the library.
func (t *turn) reply(options ...activity.MsgOption) (schema.Activity, error) {
	context := activity.TurnContext{Activity: t.in.activity()}
	return context.SendActivity(options...)
}

// message handles a text, its edit or deletion, and the press of a button in a client that
// has no Action.Execute.
func (t *turn) message(*activity.TurnContext) (schema.Activity, error) {
	in, m := t.in, t.newMessage()
	if strings.HasPrefix(in.From.ID, "28:") {
		return schema.Activity{}, nil // another bot
	}
	if in.hasValue() {
		press, ok := readPress(in.Value)
		if !ok {
			return schema.Activity{}, nil // another app's card
		}
		notice, err := t.press(press)
		if err != nil || notice == "" || m.Audience == bot.Shared { // in a channel everybody would read it
			return schema.Activity{}, err
		}
		return t.reply(activity.MsgOptionText(markdownText(notice)))
	}
	if in.Type != schema.Message {
		if m.Change = in.change(); m.Change == "" {
			return schema.Activity{}, nil
		}
	}
	if m.Change != bot.Deleted {
		if m.Text, m.Above = in.textAndQuote(); m.Text != "" {
			m.Above = "" // a quote alone is a question; beside a text it is not
		}
		m.Attached = in.attached()
	}
	m.Addressed = !in.overheard()
	m.Asking = !m.Addressed && t.inAskChannel()
	if bot.Place(m.In.Lane()) == t.a.Comms() {
		_, root := connector.SplitThread(in.Conversation.ID)
		switch {
		case m.Change != "" && !m.Addressed:
			return schema.Activity{}, nil
		case root != "" && root != in.ID && m.Change == "":
			m.Under = root // which may be a card
		case !m.Addressed:
			return schema.Activity{}, nil // comms among themselves
		}
	}
	if in.personal() && strings.EqualFold(strings.Trim(m.Text, " .!?"), homeCommand) {
		return t.home()
	}
	reply, err := t.handle(m)
	t.sendAside(m, reply)
	if err != nil || reply.Notice == "" || m.Audience == bot.Shared {
		return schema.Activity{}, err
	}
	return t.reply(activity.MsgOptionText(markdownText(reply.Notice)))
}

// inAskChannel tells whether a message begins a thread in a channel in which a question
// needs no mention, and mentions nobody.
func (t *turn) inAskChannel() bool {
	_, root := connector.SplitThread(t.in.Conversation.ID)
	lane := placeOf(t.in.Conversation).Lane()
	return (root == "" || root == t.in.ID) && t.in.Type == schema.Message && !t.in.callsSomebody() &&
		slices.ContainsFunc(t.a.c.AskChannels, func(id string) bool { return lane == Name+":"+id })
}

// mayAsk tells whether a message that mentions nobody may be for the bot all the same, so
// that its sender and its place have to be known.
func (t *turn) mayAsk() bool {
	text, _ := t.in.textAndQuote()
	return t.inAskChannel() && t.a.bot.MayAsk(text)
}

// sendAside sends the sender what nobody else may read. In Teams that takes their private
// chat.
func (t *turn) sendAside(m bot.Message, reply bot.Reply) {
	if reply.Aside == nil || reply.Repeat {
		return
	}
	if _, err := t.a.Send(t.ctx, bot.Delivery{ID: t.key, To: m.Direct, Post: *reply.Aside, Private: true}); err != nil {
		t.a.log.Warn("teams: a notice did not get through", "error", err)
	}
}

// homeCommand is the command for the home card: the person's questions to comms, what is
// kept of them, and the entries.
const homeCommand = "My questions"

func (t *turn) home() (schema.Activity, error) {
	h, err := t.a.bot.Home(t.ctx, personID(t.in.From))
	if err != nil {
		return schema.Activity{}, err
	}
	return t.reply(activity.MsgOptionAttachments([]schema.Attachment{attach(t.a.homeCard(h))}))
}

// installed greets the person to whose private chat the bot was added.
func (t *turn) installed(*activity.TurnContext) (schema.Activity, error) {
	in := t.in
	added := in.Type == schema.InstallationUpdate && strings.HasPrefix(in.Action, "add") ||
		slices.ContainsFunc(in.MembersAdded, func(m schema.ChannelAccount) bool { return m.ID == in.Recipient.ID })
	if !added || !in.personal() {
		return schema.Activity{}, nil
	}
	m := t.newMessage()
	m.Keys = append(m.Keys, Name+":"+in.Conversation.ID+"/hello") // both events come for one installation
	m.Press = &bot.Press{Action: bot.ActGreet}
	_, err := t.handle(m)
	return schema.Activity{}, err
}
