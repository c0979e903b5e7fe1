package slack

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// pressed handles a button or a menu. Slack does not send a press again, so that
// every press is acknowledged and whoever pressed is told when it failed.
func (a *Adapter) pressed(ctx context.Context, x interaction, letter string) (ack, string, error) {
	act := x.Actions[0]
	id, _, _ := strings.Cut(act.ActionID, "/")
	press, ok := decodePress(act.Value)
	switch id {
	case idPress, idShare:
	case idForm:
		if !ok || !a.seen.first(a.now(), "form:"+x.TriggerID) {
			return ack{}, "ignored", nil
		}
		return ack{then: func(ctx context.Context) { a.openForm(ctx, x, press) }}, "ok", nil
	case idEntry:
		entry, known := a.entryOf(act.Selected.Value)
		press, ok = bot.Press{Action: bot.ActShow, Entry: entry}, known
	case idErase:
		if !a.seen.first(a.now(), "erase:"+act.ActionTS+x.TriggerID) {
			return ack{}, "repeat", nil
		}
		return a.erase(ctx, x)
	default:
		return ack{}, "ignored", nil
	}
	if !ok {
		return ack{}, "ignored", nil
	}
	m := a.from(ctx, x, letter)
	if a.outsider(ctx, x.User.ID, x.User.TeamID) {
		return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say(bot.WordForStaff)}) }}, "ok", nil
	}
	if !carries(press.Action) {
		press.Fields = nil // what is filled in comes from forms alone
	}
	m.Press = &press
	if act.ActionTS != "" {
		m.Keys = append(m.Keys, "slack:action:"+x.User.ID+":"+act.ActionTS)
	}
	if id == idShare || x.surface() == inHome && press.Action == bot.ActShow {
		m.Audience = bot.InReply
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: press not handled", "action", press.Action, "error", err)
		r = bot.Reply{Notice: a.c.Bot.Sentence(err)}
	}
	if r.Repeat {
		return ack{}, "repeat", nil
	}
	return ack{then: func(ctx context.Context) {
		if id == idShare {
			a.share(ctx, x, m, r)
			return
		}
		a.tell(ctx, x, m, r)
	}}, outcome(r), nil
}

// carries tells the buttons that carry words which are kept nowhere else, or stand beside
// one that does. What came of the press takes their place.
func carries(a bot.Action) bool {
	return a == bot.ActPassOn || a == bot.ActSend || a == bot.ActKeep
}

// decodePress reads the press that a button carries.
func decodePress(value string) (bot.Press, bool) {
	var p bot.Press
	err := json.Unmarshal([]byte(value), &p)
	return p, err == nil && p.Action != ""
}

// tell shows whoever pressed what the press took back.
func (a *Adapter) tell(ctx context.Context, x interaction, m bot.Message, r bot.Reply) {
	for _, e := range r.Errors { // a form's, that was pressed without its form
		if r.Notice == "" {
			r.Notice = e
		}
	}
	said := r.Notice != "" || len(r.Posts) > 0
	switch x.surface() {
	case inHome:
		if said {
			_ = a.openView(ctx, x, a.page(r), false) // logged there
		}
		a.showHome(ctx, x.User.ID)
	case inModal:
		if !said {
			return
		}
		_, err := a.api.UpdateViewContext(ctx, a.page(r), "", "", x.View.ID)
		_ = a.logView("update a form", err)
	case inEphemeral:
		if body := a.whisper(r, !isDirect(or(x.Container.ChannelID, x.Channel.ID))); body != nil {
			body.ReplaceOriginal = len(r.Posts) > 0 || m.Press != nil && carries(m.Press.Action)
			a.respond(ctx, x.ResponseURL, body, m.Direct)
		}
	case inMessage:
		if said {
			a.notice(ctx, x, m.In, r.Notice)
		}
	}
}

// notice shows a sentence to whoever pressed, beside the message.
func (a *Adapter) notice(ctx context.Context, x interaction, in bot.Place, text string) {
	if text == "" {
		return
	}
	channel, thread, _ := where(in)
	msg := a.render(bot.Post{Kind: bot.KindNotice, Text: text}, false)
	_, err := a.api.PostEphemeralContext(ctx, channel, x.User.ID, msg.options(thread)...)
	if err != nil { // as to somebody who only looks into a channel
		body := a.whisper(bot.Reply{Notice: text}, false)
		body.ThreadTimestamp = thread
		err = a.postURL(ctx, x.ResponseURL, body)
	}
	if err != nil {
		a.log.Warn("slack: notice not shown", "error", err)
	}
}

// share shows an entry to the channel in which somebody was shown it alone.
func (a *Adapter) share(ctx context.Context, x interaction, m bot.Message, r bot.Reply) {
	if len(r.Posts) > 0 {
		p := r.Posts[len(r.Posts)-1]
		p.Buttons, p.Options, p.Related, p.Note = nil, nil, nil, ""
		body := a.webhook([]bot.Post{p}, false)
		body.ResponseType = slackgo.ResponseTypeInChannel
		body.ThreadTimestamp = x.Container.ThreadTS
		err := a.postURL(ctx, x.ResponseURL, body)
		if err == nil {
			return
		}
		a.log.Warn("slack: entry not shared", "error", err)
		r = bot.Reply{Notice: a.c.Bot.Say(bot.WordNotShared)}
	}
	a.tell(ctx, x, m, bot.Reply{Notice: r.Notice})
}

// asked handles the shortcut "Ask Canteen about this": the answer goes to whoever
// asked, beside the message, or to them directly where the bot may not write.
func (a *Adapter) asked(ctx context.Context, x interaction, letter string) (ack, string, error) {
	m := a.from(ctx, x, letter)
	m.Audience = bot.OnlyAsker
	text, _ := plainText(x.Message.Text, nil)
	if x.Message.User == x.User.ID {
		m.Text = text
	} else { // a colleague's words: nothing of them is kept before a press
		m.Above = text
	}
	if isDirect(x.Channel.ID) || x.Channel.ID == "" {
		m.In, m.Audience = m.Direct, bot.Private // somebody's own conversation: the bot is not in it
	}
	if a.outsider(ctx, x.User.ID, x.User.TeamID) {
		return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say(bot.WordForStaff)}) }}, "ok", nil
	}
	if x.ActionTS != "" {
		m.Keys = append(m.Keys, "slack:shortcut:"+x.User.ID+":"+x.ActionTS)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: shortcut not handled", "error", err)
		if a.told(ctx, x, err) != nil {
			return ack{}, "", err
		}
		return ack{}, "error", nil
	}
	if r.Aside != nil && !r.Repeat {
		return ack{then: func(ctx context.Context) {
			a.respond(ctx, x.ResponseURL, a.webhook([]bot.Post{*r.Aside}, false), m.Direct)
		}}, outcome(r), nil
	}
	return ack{}, outcome(r), nil
}

// tellTime is what is left of Slack's three seconds after requestTimeout.
const tellTime = 400 * time.Millisecond

// told tells a person that their shortcut failed, before it is acknowledged: Slack
// does not send it again, and after an acknowledgement nobody would tell them. When
// they cannot be told, no acknowledgement makes Slack say it.
func (a *Adapter) told(ctx context.Context, x interaction, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	return a.postURL(ctx, x.ResponseURL, a.whisper(bot.Reply{Notice: a.c.Bot.Sentence(failed)}, false))
}

// erase forgets a person, as they pressed on the Home tab.
func (a *Adapter) erase(ctx context.Context, x interaction) (ack, string, error) {
	m := a.from(ctx, x, "")
	r, what := bot.Reply{Notice: a.c.Bot.Say(bot.WordErased)}, "ok"
	if err := a.c.Bot.Forget(ctx, m.From, "slack:erase:"+or(x.TriggerID, x.Actions[0].ActionTS)); err != nil {
		a.log.Error("slack: person not erased", "error", err)
		r, what = bot.Reply{Notice: a.c.Bot.Sentence(err)}, "error"
	}
	return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, r) }}, what, nil
}
