package teams

import (
	"context"
	"slices"
	"strings"

	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
	"canteen/knowledge/text"
)

// turn is one request under way.
type turn struct {
	a         *Adapter
	ctx       context.Context // the library's handlers have none
	in        *received
	key       string
	original  string // the key of the message itself; of an edit, that of what was edited
	answer    any    // the invoke's
	committed bool
	// unsaved says why the place could not be kept: see [bot.Bot.Unsaved].
	unsaved error
}

func (t *turn) person() bot.Person {
	return bot.Person{ID: personID(t.in.From), Name: limit(text.Clean(t.in.From.Name), 100)}
}

// said is what the person said or pressed, without what that was.
func (t *turn) newMessage() bot.Message {
	m := bot.Message{Keys: []string{t.key}, Said: t.original, From: t.person(), In: placeOf(t.in.Conversation), Direct: bot.Place(personID(t.in.From)), Audience: bot.Private, Addressed: true}
	if !t.in.personal() {
		m.Audience, m.Where = bot.Shared, t.where()
	}
	return m
}

// where names the place for comms.
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

// tell answers the request's own conversation, through the library.
func (t *turn) reply(options ...activity.MsgOption) (schema.Activity, error) {
	context := activity.TurnContext{Activity: t.in.activity()}
	return context.SendActivity(options...)
}

// message takes a text, or a press from a client that does not know
// Action.Execute.
func (t *turn) message(*activity.TurnContext) (schema.Activity, error) {
	in, m := t.in, t.newMessage()
	if strings.HasPrefix(in.From.ID, "28:") {
		return schema.Activity{}, nil // another bot
	}
	if in.hasValue() {
		press, ok := readPress(in.Value)
		if !ok {
			return schema.Activity{}, nil // a card of somebody else's
		}
		notice, err := t.press(press)
		if err != nil || notice == "" || m.Audience == bot.Shared { // nothing in a channel is for one person
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
			m.Above = "" // it is context: who quotes the bot to thank it asks nothing
		}
		m.Attached = in.attached()
	}
	m.Addressed = !in.overheard()
	if bot.Place(m.In.Lane()) == t.a.Comms() {
		_, root := connector.SplitThread(in.Conversation.ID)
		switch {
		case m.Change != "" && !m.Addressed:
			return schema.Activity{}, nil
		case root != "" && root != in.ID && m.Change == "":
			m.Under = root // perhaps a card's
		case !m.Addressed:
			return schema.Activity{}, nil // talk among comms
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

// aside shows what is for the one who wrote alone: in the private chat, since Teams shows
// nothing to one person among many.
func (t *turn) sendAside(m bot.Message, reply bot.Reply) {
	if reply.Aside == nil || reply.Repeat {
		return
	}
	if _, err := t.a.Send(t.ctx, bot.Delivery{ID: t.key, To: m.Direct, Post: *reply.Aside, Private: true}); err != nil {
		t.a.log.Warn("teams: a notice did not get through", "error", err)
	}
}

// homeCommand shows the person their own questions, what is kept and what there
// is to read.
const homeCommand = "My questions"

func (t *turn) home() (schema.Activity, error) {
	h, err := t.a.bot.Home(t.ctx, personID(t.in.From))
	if err != nil {
		return schema.Activity{}, err
	}
	return t.reply(activity.MsgOptionAttachments([]schema.Attachment{attach(t.a.homeCard(h))}))
}

// arrived takes what happened to a conversation: the bot was added to it.
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
