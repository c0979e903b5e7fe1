package slack

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// ack is what a request is answered with, and what is done after that.
type ack struct {
	body any // JSON, or nil
	then func(ctx context.Context)
}

// receive handles one request, whichever way it came. The acknowledgement that it
// gives may be sent: all that the request causes is committed. An error means
// that nothing is, and that Slack has to send it again.
//
// letter, when set, is a key that a repeat of the request to the letter shares.
func (a *Adapter) receive(ctx context.Context, k kind, payload []byte, letter string) (ack, error) {
	var out ack
	var what string
	var err error
	switch k {
	case kindEvent:
		out, what, err = a.event(ctx, payload, letter)
	case kindCommand:
		out, what, err = a.command(ctx, payload, letter)
	case kindInteractive:
		out, what, err = a.interact(ctx, payload, letter)
	default:
		what = "ignored"
	}
	if err != nil {
		what = "error"
	}
	a.c.Count(what)
	return out, err
}

// envelope is what is read of an event before anything else is done with it.
type envelope struct {
	Type         string `json:"type"`
	Challenge    string `json:"challenge"`
	TeamID       string `json:"team_id"`
	EnterpriseID string `json:"enterprise_id"`
	ContextTeam  string `json:"context_team_id"`
	ContextOrg   string `json:"context_enterprise_id"`
	EventID      string `json:"event_id"`
	// On an org-wide install only the first of these says who it is for.
	Authorizations []struct {
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		UserID       string `json:"user_id"`
		IsBot        bool   `json:"is_bot"`
	} `json:"authorizations"`
	Event said `json:"event"`
}

// said is an event within its envelope.
type said struct {
	Type         string `json:"type"`
	Subtype      string `json:"subtype"`
	User         string `json:"user"`
	BotID        string `json:"bot_id"`
	Channel      string `json:"channel"`
	ChannelType  string `json:"channel_type"`
	Text         string `json:"text"`
	TS           string `json:"ts"`
	ThreadTS     string `json:"thread_ts"`
	ParentUserID string `json:"parent_user_id"`
	Tab          string `json:"tab"`
	UserTeam     string `json:"user_team"`
	SourceTeam   string `json:"source_team"`
	Files        []file `json:"files"`
	Attachments  []struct {
		IsShare bool `json:"is_share"`
	} `json:"attachments"`
	// Of a message that was edited or deleted.
	Message   *inner `json:"message"`
	Previous  *inner `json:"previous_message"`
	DeletedTS string `json:"deleted_ts"`
	// Of a reaction.
	Reaction string `json:"reaction"`
	ItemUser string `json:"item_user"`
	Item     struct {
		Type    string `json:"type"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	} `json:"item"`
	Tokens struct {
		Bot []string `json:"bot"`
	} `json:"tokens"`
}

// inner is a message within an event.
type inner struct {
	Subtype  string `json:"subtype"`
	User     string `json:"user"`
	BotID    string `json:"bot_id"`
	Text     string `json:"text"`
	TS       string `json:"ts"`
	ThreadTS string `json:"thread_ts"`
	Edited   *struct {
		TS string `json:"ts"`
	} `json:"edited"`
	Files []file `json:"files"`
}

type file struct {
	MimeType      string `json:"mimetype"`
	Transcription struct {
		Status  string `json:"status"`
		Preview struct {
			Content string `json:"content"`
		} `json:"preview"`
	} `json:"transcription"`
}

func (a *Adapter) event(ctx context.Context, payload []byte, letter string) (ack, string, error) {
	var e envelope
	if err := lenient(payload, &e); err != nil {
		return ack{}, "ignored", nil
	}
	switch e.Type {
	case "url_verification":
		return ack{body: map[string]string{"challenge": e.Challenge}}, "ok", nil
	case "app_rate_limited":
		a.log.Warn("slack: Slack holds events back: more than 30,000 an hour")
		return ack{}, "ignored", nil
	}
	ids := []string{e.TeamID, e.EnterpriseID, e.ContextTeam, e.ContextOrg}
	for _, x := range e.Authorizations {
		ids = append(ids, x.TeamID, x.EnterpriseID)
	}
	if a.foreign(ids...) {
		a.log.Info("slack: event of another workspace ignored", "team", e.TeamID)
		return ack{}, "ignored", nil
	}
	switch e.Event.Type {
	case "message", "app_mention":
		m, ok := a.said(ctx, &e)
		if !ok {
			return ack{}, "ignored", nil
		}
		m.Keys = keys(letter)
		if e.EventID != "" {
			m.Keys = append(m.Keys, "slack:event:"+e.EventID)
		}
		// One mention comes as app_mention and as message, and re-sends with new
		// event ids have been seen: what was said in one spot is said once.
		m.Said = "slack:said:" + e.Event.Channel + ":" + e.Event.TS
		switch m.Change {
		case bot.Edited:
			m.Keys = append(m.Keys, m.Said+":"+e.Event.Message.Edited.TS)
		case bot.Deleted:
			m.Keys = append(m.Keys, m.Said+":deleted")
		default:
			m.Keys = append(m.Keys, m.Said)
		}
		if outside := a.outsider(ctx, e.Event.User, e.Event.UserTeam, e.Event.SourceTeam); outside {
			if !m.Addressed || m.Change != "" || m.Under != "" || !a.seen.first(a.now(), m.Said) {
				return ack{}, "ignored", nil
			}
			return ack{then: func(ctx context.Context) { a.aside(ctx, m, e.Event.TS, notice(a.c.Bot.Say(bot.WordForStaff))) }}, "ok", nil
		}
		r, err := a.c.Bot.Handle(ctx, m)
		if err != nil {
			return ack{}, "", err
		}
		if r.Repeat || r.Notice == "" && r.Aside == nil {
			return ack{}, outcome(r), nil
		}
		p := notice(r.Notice)
		if r.Aside != nil {
			p = *r.Aside
		}
		return ack{then: func(ctx context.Context) { a.aside(ctx, m, e.Event.TS, p) }}, outcome(r), nil
	case "reaction_added":
		return a.reacted(ctx, e, letter)
	case "app_home_opened":
		if e.Event.Tab == "messages" && e.Event.User != "" && e.Event.Channel != "" {
			return a.greet(ctx, e, letter)
		}
		if e.Event.Tab != "home" || e.Event.User == "" || e.EventID != "" && !a.seen.first(a.now(), "home:"+e.EventID) {
			return ack{}, "ignored", nil
		}
		return ack{then: func(ctx context.Context) { a.showHome(ctx, e.Event.User) }}, "ok", nil
	case "app_uninstalled":
		a.lost("the app was removed from the workspace: install it again and set the new SLACK_BOT_TOKEN")
		return ack{}, "ok", nil
	case "tokens_revoked":
		if len(e.Event.Tokens.Bot) == 0 {
			return ack{}, "ignored", nil
		}
		a.lost("the bot token was revoked: install the app again and set the new SLACK_BOT_TOKEN")
		return ack{}, "ok", nil
	}
	return ack{}, "ignored", nil
}

func notice(text string) bot.Post { return bot.Post{Kind: bot.KindNotice, Text: text} }

// aside tells who wrote, and nobody else, what nothing is stored of. ts is their
// message's: nobody sees what is whispered into a thread that has no reply yet, so that it
// stands in the channel then.
func (a *Adapter) aside(ctx context.Context, m bot.Message, ts string, p bot.Post) {
	msg := a.render(p, false)
	channel, thread, _ := where(m.In)
	if thread == ts {
		thread = ""
	}
	var err error
	if m.Audience != bot.Private {
		_, err = a.api.PostEphemeralContext(ctx, channel, userOf(m.From.ID), msg.options(thread)...)
	} else {
		_, _, err = a.api.PostMessageContext(ctx, channel, msg.options(thread)...)
	}
	if err != nil {
		a.log.Warn("slack: notice not shown", "error", err)
	}
}

// greet says hello to who opens the conversation with the bot for the first time.
func (a *Adapter) greet(ctx context.Context, e envelope, letter string) (ack, string, error) {
	m := bot.Message{Keys: keys(letter), Audience: bot.Private, Addressed: true, From: bot.Person{ID: person(e.Event.User)}, In: place(e.Event.Channel, ""), Direct: direct(e.Event.User),
		Press: &bot.Press{Action: bot.ActGreet}, At: a.now()}
	if e.EventID != "" {
		m.Keys = append(m.Keys, "slack:event:"+e.EventID)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		return ack{}, "", err
	}
	return ack{}, outcome(r), nil
}

// reactions are those that do what a button does: on a card, and on an answer.
var (
	cardReactions   = map[string]bot.Action{"eyes": bot.ActClaim, "white_check_mark": bot.ActClose}
	answerReactions = map[string]bot.Action{"+1": bot.ActHelped, "-1": bot.ActNotMeant}
)

// reacted handles a reaction to one of the bot's own messages.
func (a *Adapter) reacted(ctx context.Context, e envelope, letter string) (ack, string, error) {
	ev := e.Event
	list := answerReactions
	if ev.Item.Channel == a.c.CommsChannel {
		list = cardReactions
	}
	name, _, _ := strings.Cut(ev.Reaction, "::") // without the skin tone
	action, ok := list[name]
	if !ok || ev.User == "" || ev.Item.Type != "message" || ev.Item.Channel == "" || ev.Item.TS == "" || !slices.Contains(a.us(e), ev.ItemUser) || a.outsider(ctx, ev.User, ev.UserTeam) {
		return ack{}, "ignored", nil
	}
	m := bot.Message{Keys: keys(letter), Addressed: true, Audience: bot.Shared, From: bot.Person{ID: person(ev.User), Name: a.userName(ctx, ev.User, "")},
		In: place(ev.Item.Channel, ""), Direct: direct(ev.User), At: a.now(),
		Press: &bot.Press{Action: action, On: ev.Item.Channel + "/" + ev.Item.TS, Thumb: true}}
	if isDirect(ev.Item.Channel) {
		m.Audience = bot.Private
	}
	if e.EventID != "" {
		m.Keys = append(m.Keys, "slack:event:"+e.EventID)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		return ack{}, "", err
	}
	if r.Repeat || r.Notice == "" {
		return ack{}, outcome(r), nil
	}
	return ack{then: func(ctx context.Context) { a.aside(ctx, m, "", notice(r.Notice)) }}, outcome(r), nil
}

// lost is what Slack says of a token that is good no longer. The token itself is
// asked a little later, and whether it is true then counts.
func (a *Adapter) lost(say string) {
	a.problem(partToken, "Slack: "+say)
	time.AfterFunc(checkWrong, a.checkSoon)
}

// foreign tells whether a request is surely not for our workspace or
// organisation: it names others, and not ours.
func (a *Adapter) foreign(ids ...string) bool {
	self := a.self.Load()
	if self == nil {
		return false
	}
	named := false
	for _, id := range ids {
		if id == "" {
			continue
		}
		if id == self.team || id == self.enterprise {
			return false
		}
		named = true
	}
	return named && self.team != ""
}

// said makes a Message of what somebody wrote, changed or deleted, when it is for the bot.
func (a *Adapter) said(ctx context.Context, e *envelope) (bot.Message, bool) {
	ev := &e.Event
	var change bot.Change
	switch ev.Subtype {
	case "", "file_share", "thread_broadcast", "me_message":
	case "message_changed", "message_deleted":
		if change = ev.unfold(); change == "" {
			return bot.Message{}, false
		}
	default: // other bots, people who come and go
		return bot.Message{}, false
	}
	us := a.us(*e)
	if _, called := plainText(ev.Text, us); !called && ev.Type == "app_mention" {
		if m := leadingMention.FindStringSubmatch(ev.Text); m != nil {
			us = append(us, m[1]) // an id of the bot's that nobody told us
		}
	}
	if ev.User == "" || ev.Channel == "" || ev.TS == "" || ev.BotID != "" || ev.User == "USLACKBOT" || slices.Contains(us, ev.User) {
		return bot.Message{}, false
	}
	text, called := plainText(ev.Text, us)
	m := bot.Message{From: bot.Person{ID: person(ev.User)}, Audience: bot.Private, Addressed: true, In: place(ev.Channel, ev.ThreadTS), Direct: direct(ev.User), Text: text, Change: change, At: a.now()}
	for _, f := range ev.Files {
		switch words := f.Transcription.Preview.Content; {
		case f.Transcription.Status == "complete" && words != "":
			m.Text = strings.TrimSpace(m.Text + "\n" + words)
		case strings.HasPrefix(f.MimeType, "image/"):
			m.Attached = append(m.Attached, bot.Picture)
		default:
			m.Attached = append(m.Attached, bot.File)
		}
	}
	for _, x := range ev.Attachments {
		if x.IsShare {
			m.Attached = append(m.Attached, bot.Forwarded)
		}
	}
	private := ev.ChannelType == "im" || ev.ChannelType == "" && isDirect(ev.Channel)
	underCard := ev.Channel == a.c.CommsChannel && ev.ThreadTS != "" && (ev.ParentUserID == "" || slices.Contains(us, ev.ParentUserID))
	switch {
	case private:
	case underCard && change == "" && (called && ev.Type == "app_mention" || !called && !speaksToOthers(ev.Text)):
		m.Under, m.Audience, m.Addressed = ev.Channel+"/"+ev.ThreadTS, bot.Shared, called
		m.Text, _ = plainText(asTyped(ev.Text), us)
		return m, true
	case underCard:
		return m, false
	case ev.Type == "app_mention", called && len(ev.Files) > 0, called && change != "":
		if ev.ThreadTS == "" {
			m.In = place(ev.Channel, ev.TS)
		}
		m.Audience = bot.Shared
	case change == bot.Deleted:
		m.Audience, m.Addressed = bot.Shared, false
	case !called && ev.ThreadTS == "" && change == "" && slices.Contains(a.c.AskChannels, ev.Channel) && !speaksToOthers(ev.Text):
		m.In, m.Audience, m.Addressed, m.Asking = place(ev.Channel, ev.TS), bot.Shared, false, true
	case called, ev.ThreadTS == "" && change == "", speaksToOthers(ev.Text):
		return m, false // it comes as app_mention too, or is not for the bot
	default:
		m.Audience, m.Addressed = bot.Shared, false
	}
	shared := m.Audience == bot.Shared
	if shared && a.c.AnswerPrivately {
		m.Audience = bot.OnlyAsker
		if ev.ThreadTS == "" {
			m.In = place(ev.Channel, "") // nobody sees a whisper in a thread that has no reply yet
		}
	}
	if m.Addressed || m.Asking {
		m.From.Name = a.userName(ctx, ev.User, "")
	}
	if shared && (m.Addressed || m.Asking) {
		m.Where, m.Link = a.whereOf(ctx, ev.Channel, ev.TS, ev.ThreadTS)
		if ev.ThreadTS != "" && ev.ThreadTS != ev.TS && change == "" && len(strings.Fields(m.Text)) <= fewWords {
			m.Above = a.above(ctx, ev.Channel, ev.ThreadTS, ev.TS, us)
		}
	}
	return m, true
}

// unfold makes an event of the message that it says was changed or deleted, and says
// which; "" where it was neither by its writer, as when a link is unfurled.
func (ev *said) unfold() bot.Change {
	was, now := ev.Previous, ev.Message
	deleted := ev.Subtype == "message_deleted" || now != nil && now.Subtype == "tombstone"
	switch {
	case deleted && was != nil:
		ev.User, ev.BotID, ev.Text, ev.TS, ev.ThreadTS = was.User, was.BotID, "", or(ev.DeletedTS, was.TS), was.ThreadTS
		return bot.Deleted
	case !deleted && now != nil && now.Edited != nil && now.Edited.TS != "" && (was == nil || was.Text != now.Text):
		ev.User, ev.BotID, ev.Text, ev.TS, ev.ThreadTS, ev.Files = now.User, now.BotID, now.Text, now.TS, now.ThreadTS, now.Files
		return bot.Edited
	}
	return ""
}

// fewWords are so few that they may say nothing but call the bot.
const fewWords = 8

// aboveWait is how long an answer waits for what stands above.
const aboveWait = 800 * time.Millisecond

// above is what people wrote in a thread before a message: the root, and the last one.
// It is "" where the history cannot be read.
func (a *Adapter) above(ctx context.Context, channel, thread, before string, us []string) string {
	ctx, cancel := context.WithTimeout(ctx, aboveWait)
	defer cancel()
	list, _, _, err := a.api.GetConversationRepliesContext(ctx, &slackgo.GetConversationRepliesParameters{ChannelID: channel, Timestamp: thread, Latest: before, Limit: 50})
	if err != nil {
		a.log.Info("slack: what stands above a mention is not read", "error", err)
		return ""
	}
	var said []string
	slices.SortFunc(list, func(x, y slackgo.Message) int { return strings.Compare(x.Timestamp, y.Timestamp) })
	for _, m := range list {
		if m.Timestamp >= before || m.BotID != "" || m.User == "" || slices.Contains(us, m.User) {
			continue
		}
		if text, called := plainText(m.Text, us); text != "" && !called {
			said = append(said, text)
		}
	}
	if len(said) > 2 {
		said = []string{said[0], said[len(said)-1]}
	}
	return strings.Join(said, "\n")
}

// us are the user ids that the bot goes by in an event.
func (a *Adapter) us(e envelope) []string {
	var ids []string
	if self := a.self.Load(); self != nil {
		ids = append(ids, self.user)
	}
	for _, x := range e.Authorizations {
		if x.IsBot && x.UserID != "" {
			ids = append(ids, x.UserID)
		}
	}
	return ids
}

// command handles /canteen: the request carries the answer, for its sender alone.
func (a *Adapter) command(ctx context.Context, payload []byte, letter string) (ack, string, error) {
	var c struct {
		Command      string `json:"command"`
		Text         string `json:"text"`
		UserID       string `json:"user_id"`
		UserName     string `json:"user_name"`
		ChannelID    string `json:"channel_id"`
		ChannelName  string `json:"channel_name"`
		TeamID       string `json:"team_id"`
		EnterpriseID string `json:"enterprise_id"`
		TriggerID    string `json:"trigger_id"`
		ResponseURL  string `json:"response_url"`
	}
	if err := lenient(payload, &c); err != nil || c.Command != Command || c.UserID == "" || a.foreign(c.TeamID, c.EnterpriseID) {
		return ack{}, "ignored", nil
	}
	text, _ := plainText(c.Text, nil)
	m := bot.Message{Keys: keys(letter), From: bot.Person{ID: person(c.UserID), Name: a.userName(ctx, c.UserID, c.UserName)},
		In: place(c.ChannelID, ""), Direct: direct(c.UserID), Audience: bot.InReply, Addressed: true, Text: text, At: a.now()}
	if c.ChannelID == "" {
		m.In = m.Direct
	}
	if !isDirect(c.ChannelID) && c.ChannelID != "" {
		m.Where, _ = a.whereOf(ctx, c.ChannelID, "", "")
	}
	if a.outsider(ctx, c.UserID, "") {
		return ack{body: a.whisper(bot.Reply{Notice: a.c.Bot.Say(bot.WordForStaff)}, false)}, "ok", nil
	}
	if c.TriggerID != "" {
		m.Keys = append(m.Keys, "slack:command:"+c.TriggerID)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil { // Slack does not send a command again: the person is told
		a.log.Error("slack: command not handled", "error", err)
		return ack{body: a.whisper(bot.Reply{Notice: a.c.Bot.Sentence(err)}, false)}, "error", nil
	}
	body := a.whisper(r, !isDirect(c.ChannelID))
	if body != nil && size(body) > maxAck {
		return ack{then: func(ctx context.Context) { a.respond(ctx, c.ResponseURL, body, m.Direct) }}, outcome(r), nil
	}
	if body == nil {
		return ack{}, outcome(r), nil
	}
	return ack{body: body}, outcome(r), nil
}

// Command is the slash command that the manifest registers.
const Command = "/canteen"

// maxAck is what an acknowledgement may hold: Socket Mode drops one of 20 KB.
const maxAck = 18_000

func outcome(r bot.Reply) string {
	if r.Repeat {
		return "repeat"
	}
	return "ok"
}

func keys(letter string) []string {
	if letter == "" {
		return nil
	}
	return []string{"slack:" + letter}
}

// reference is what stands between angle brackets in a text of Slack's: a
// mention, a channel, a command to Slack, a link.
var reference = regexp.MustCompile(`<([^<>|]*)(?:\|([^<>]*))?>`)

var leadingMention = regexp.MustCompile(`^\s*<@([^<>|]+)`)

// plainText is a text of Slack's as its writer sees it, without the mention of the
// bot; called says that there was one.
func plainText(s string, us []string) (text string, called bool) {
	s = reference.ReplaceAllStringFunc(s, func(ref string) string {
		m := reference.FindStringSubmatch(ref)
		target, label := m[1], m[2]
		switch {
		case strings.HasPrefix(target, "@"):
			if slices.Contains(us, target[1:]) {
				called = true
				return ""
			}
			return "@" + or(label, "somebody")
		case strings.HasPrefix(target, "#"):
			return "#" + or(label, "channel")
		case strings.HasPrefix(target, "!date"):
			return label
		case strings.HasPrefix(target, "!"):
			name, _, _ := strings.Cut(target[1:], "^")
			return "@" + strings.TrimPrefix(or(label, name), "@")
		case label == "" || label == target || strings.HasSuffix(target, ":"+label):
			return or(label, target)
		}
		return label + " (" + target + ")"
	})
	return strings.TrimSpace(unescape.Replace(s)), called
}

var (
	bold       = regexp.MustCompile(`(^|[\s(_])\*([^\s*](?:[^*\n]*[^\s*])?)\*($|[\s).,;:!?_])`)
	struck     = regexp.MustCompile(`(^|[\s(])~([^\s~](?:[^~\n]*[^\s~])?)~($|[\s).,;:!?])`)
	namedLink  = regexp.MustCompile(`<(https?://[^<>|\s]+)\|([^<>]+)>`)
	linkBraces = strings.NewReplacer("[", "(", "]", ")")
)

// asTyped makes Markdown of Slack's own marks, which people type in Slack: *bold* and
// ~struck~. What is Markdown already stays.
func asTyped(s string) string {
	s = namedLink.ReplaceAllStringFunc(s, func(ref string) string {
		m := namedLink.FindStringSubmatch(ref)
		return "[" + linkBraces.Replace(m[2]) + "](" + m[1] + ")"
	})
	return struck.ReplaceAllString(bold.ReplaceAllString(s, "$1**$2**$3"), "$1~~$2~~$3")
}

// unescape undoes the three escapes of Slack's, once.
var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// speaksToOthers tells whether a text begins by calling somebody.
func speaksToOthers(s string) bool {
	s = strings.TrimSpace(s)
	return strings.HasPrefix(s, "<@") || strings.HasPrefix(s, "<!")
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
