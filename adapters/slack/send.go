package slack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"canteen/bot"
)

// metadataType marks a message of ours and carries the delivery's key, by which
// an unsure one is read back: chat.postMessage itself knows no such key.
const metadataType = "canteen_delivery"

// Send implements bot.Sender.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Posted, error) {
	channel, thread, err := a.conversation(ctx, d.To)
	if err != nil {
		return bot.Posted{}, a.failed(err, d)
	}
	if d.Only != "" {
		return bot.Posted{}, a.sendOnly(ctx, d, channel, thread)
	}
	post := d.Post
	if d.Unsure && d.PostedID == "" {
		post.Note = strings.TrimSpace(a.c.Bot.Say(bot.WordMaybeRepeat) + "\n\n" + post.Note)
	}
	if in, ts, ok := strings.Cut(d.PostedID, "/"); ok {
		msg := a.render(post, false)
		if err := a.paces.wait(ctx, "chat.update", updatePace*a.c.Pace, int(updateBurst*max(1, a.c.Pace))); err != nil {
			return bot.Posted{}, err
		}
		_, _, _, err := a.api.UpdateMessageContext(ctx, in, ts, a.keyed(d, msg, "")...)
		if err == nil {
			return bot.Posted{ID: d.PostedID}, nil
		}
		switch slackCode(err) {
		case "message_not_found", "cant_update_message", "edit_window_closed":
			// Somebody deleted it, or it is too old to change: it is posted anew.
		default:
			return bot.Posted{}, a.failed(err, d)
		}
	}
	if err := a.paces.wait(ctx, channel, a.c.Pace, 1); err != nil {
		return bot.Posted{}, err
	}
	in, ts, err := a.api.PostMessageContext(ctx, channel, a.keyed(d, a.render(post, d.PostedID == ""), thread)...)
	if err != nil {
		return bot.Posted{}, a.failed(err, d)
	}
	if ts == "" { // "ok": false without a reason is no error to the client
		return bot.Posted{}, errors.New("slack: the answer names no message")
	}
	return bot.Posted{ID: or(in, channel) + "/" + ts}, nil
}

// sendOnly shows a delivery to one person in a conversation of many.
func (a *Adapter) sendOnly(ctx context.Context, d bot.Delivery, channel, thread string) error {
	user := userOf(d.Only)
	if user == "" {
		return &bot.NotSent{Err: errors.New("slack: the one who may see it is not in Slack"), Final: true}
	}
	if d.PostedID != "" {
		return &bot.NotSent{Err: errors.New("slack: what one person sees in a channel cannot be changed"), Final: true, Elsewhere: true}
	}
	if err := a.paces.wait(ctx, channel, a.c.Pace, 1); err != nil {
		return err
	}
	if _, err := a.api.PostEphemeralContext(ctx, channel, user, a.render(d.Post, false).options(thread)...); err != nil {
		return a.failed(err, d)
	}
	return nil
}

// keyed are a message's options with the delivery's key.
func (a *Adapter) keyed(d bot.Delivery, m message, thread string) []slackgo.MsgOption {
	return append(m.options(thread), slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: metadataType, EventPayload: map[string]any{"id": d.ID}}))
}

// Find implements bot.Finder: it reads the conversation back. Without the history
// scopes it gives bot.ErrForbidden, and for what only one person sees too.
func (a *Adapter) Find(ctx context.Context, d bot.Delivery) (bot.Posted, bool, error) {
	if d.Only != "" {
		return bot.Posted{}, false, fmt.Errorf("slack: an ephemeral message cannot be read back: %w", bot.ErrForbidden)
	}
	channel, thread, err := a.conversation(ctx, d.To)
	if err != nil {
		return bot.Posted{}, false, a.failed(err, d)
	}
	oldest := fmt.Sprintf("%d.000000", d.CreatedAt.Add(-time.Minute).Unix())
	for cursor, page := "", 0; page < maxPages; page++ {
		var list []slackgo.Message
		if thread != "" {
			list, _, cursor, err = a.api.GetConversationRepliesContext(ctx, &slackgo.GetConversationRepliesParameters{ChannelID: channel, Timestamp: thread, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
		} else {
			var r *slackgo.GetConversationHistoryResponse
			r, err = a.api.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{ChannelID: channel, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
			if err == nil {
				list, cursor = r.Messages, r.ResponseMetaData.NextCursor
			}
		}
		switch slackCode(err) {
		case "missing_scope", "not_in_channel", "channel_not_found", "thread_not_found", "access_denied", "not_allowed_token_type":
			return bot.Posted{}, false, fmt.Errorf("slack: %s: %w", slackCode(err), bot.ErrForbidden)
		}
		if err != nil {
			return bot.Posted{}, false, a.failed(err, d)
		}
		for _, m := range list {
			if m.Metadata.EventType == metadataType && m.Metadata.EventPayload["id"] == d.ID {
				return bot.Posted{ID: channel + "/" + m.Timestamp}, true, nil
			}
		}
		if cursor == "" {
			break
		}
	}
	return bot.Posted{}, false, nil
}

// maxPages is how far Find reads: 2,000 messages since the delivery was made.
const maxPages = 10

// hand gives a person a file's text to take with them.
func (a *Adapter) hand(ctx context.Context, in bot.Place, text string) {
	channel, _, err := a.conversation(ctx, in)
	for err == nil && text != "" {
		var piece string
		piece, text = cutLines(text, maxSection)
		quoted := "```\n" + escape(strings.ReplaceAll(piece, "```", "'''")) + "\n```"
		_, _, err = a.api.PostMessageContext(ctx, channel, message{blocks: []slackgo.Block{section(quoted)}, text: quoted}.options("")...)
	}
	if err != nil {
		a.log.Warn("slack: entry not handed over", "error", err)
	}
}

// cutLines takes whole lines off a text, with room for their escapes.
func cutLines(s string, limit int) (head, rest string) {
	end := 0
	for i, r := range s {
		if length(escape(s[:i])) > limit-20 {
			if end == 0 {
				end = i
			}
			return s[:end], s[end:]
		}
		if r == '\n' {
			end = i + 1
		}
	}
	return s, ""
}

// conversation is the channel and thread of a place. A person's is opened by
// Slack, which gives the same one every time.
func (a *Adapter) conversation(ctx context.Context, p bot.Place) (channel, thread string, err error) {
	channel, thread, ok := where(p)
	if !ok {
		return "", "", &bot.NotSent{Err: fmt.Errorf("slack: %q is not a place in Slack", p), Final: true}
	}
	if !isUser(channel) {
		return channel, thread, nil
	}
	user := channel
	a.paces.mu.Lock()
	channel = a.paces.opened[user]
	a.paces.mu.Unlock()
	if channel != "" {
		return channel, thread, nil
	}
	ch, _, _, err := a.api.OpenConversationContext(ctx, &slackgo.OpenConversationParameters{Users: []string{user}})
	switch {
	case err != nil:
		var not *bot.NotSent
		if err = a.failed(err, bot.Delivery{To: p}); !errors.As(err, &not) {
			err = &bot.NotSent{Err: err} // nothing was posted yet
		}
		return "", "", err
	case ch == nil || ch.ID == "":
		return "", "", &bot.NotSent{Err: errors.New("slack: the answer names no conversation")}
	}
	a.paces.mu.Lock()
	if a.paces.opened == nil || len(a.paces.opened) > maxNames {
		a.paces.opened = map[string]string{}
	}
	a.paces.opened[user] = ch.ID
	a.paces.mu.Unlock()
	return ch.ID, thread, nil
}

// paces keeps each conversation to the pace that Slack allows, and knows the
// conversations that were opened.
type paces struct {
	mu     sync.Mutex
	pace   rate.Limit
	by     map[string]*rate.Limiter
	opened map[string]string // by user
}

// Updates have a limit for the whole workspace: Tier 3, 50 a minute with bursts.
const (
	updatePace  = rate.Limit(50.0 / 60)
	updateBurst = 25
	// longestPause is how long a message waits here for its turn: one that has to
	// wait longer goes back to the queue, which keeps the order.
	longestPause = 2 * time.Second
)

// wait waits for a turn.
func (p *paces) wait(ctx context.Context, what string, pace rate.Limit, burst int) error {
	if p.pace == rate.Inf {
		return nil
	}
	p.mu.Lock()
	l := p.by[what]
	if l == nil {
		if p.by == nil || len(p.by) >= maxNames {
			p.by = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(pace, burst)
		p.by[what] = l
	}
	p.mu.Unlock()
	r := l.Reserve()
	pause := r.Delay()
	if pause == 0 {
		return nil
	}
	if pause > longestPause {
		r.Cancel()
		return &bot.NotSent{Err: errors.New("slack: it is not its turn yet"), After: pause}
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		r.Cancel()
		return &bot.NotSent{Err: ctx.Err()}
	}
}

// tokenWait is how long deliveries wait while Slack does not take the token.
const tokenWait = time.Minute

// hopeless are answers of Slack's that trying again does not change, with what to
// do about them.
var hopeless = map[string]string{
	"is_archived":                              "the channel is archived: unarchive it, then send again from the desk",
	"channel_not_found":                        "the channel is gone, or the bot was taken out of it: invite the bot, then send again from the desk",
	"not_in_channel":                           "the bot is not in the channel: invite it, then send again from the desk",
	"user_not_found":                           "the person is no longer in Slack",
	"user_disabled":                            "the person is no longer in Slack",
	"users_not_found":                          "the person is no longer in Slack",
	"user_not_visible":                         "the bot may not see the person",
	"cannot_dm_bot":                            "the message is for a bot",
	"user_not_in_channel":                      "the person is not in the channel",
	"messages_tab_disabled":                    "the app's Messages tab is off: turn it on under App Home",
	"restricted_action":                        "the workspace does not let the app write there: ask its administrator",
	"restricted_action_read_only_channel":      "only some people may write in the channel: ask its administrator",
	"restricted_action_thread_only_channel":    "only answers in threads are allowed in the channel",
	"restricted_action_non_threadable_channel": "threads are not allowed in the channel",
	"thread_not_found":                         "the thread was deleted",
	"missing_scope":                            "the app lacks a scope: compare it with the manifest and install it again",
	"no_permission":                            "the app may not write there: ask the workspace's administrator",
	"team_access_not_granted":                  "the app may not use that workspace: ask the organisation's administrator",
	"ekm_access_denied":                        "the workspace's administrator has suspended writing",
	"msg_too_long":                             "Slack finds the message too long",
	"msg_blocks_too_long":                      "Slack finds the message too long",
	"invalid_blocks":                           "Slack does not take the message: this is a fault of Canteen's",
	"invalid_blocks_format":                    "Slack does not take the message: this is a fault of Canteen's",
	"no_text":                                  "Slack finds the message empty: this is a fault of Canteen's",
	"invalid_arguments":                        "Slack does not take the message: this is a fault of Canteen's",
	"metadata_must_be_sent_from_app":           "the bot token is not an app's: set the one that begins with xoxb-",
}

// failed sorts an error of the Web API into what the outbox has to know.
func (a *Adapter) failed(err error, d bot.Delivery) error {
	var not *bot.NotSent
	if errors.As(err, &not) {
		return err
	}
	var limited *slackgo.RateLimitedError
	if errors.As(err, &limited) {
		return &bot.NotSent{Err: errors.New("slack: told to wait"), After: max(limited.RetryAfter, time.Second)}
	}
	var status slackgo.StatusCodeError
	if errors.As(err, &status) {
		switch {
		case status.Code == http.StatusTooManyRequests:
			return &bot.NotSent{Err: errors.New("slack: told to wait"), After: 30 * time.Second}
		case status.Code >= 500:
			return fmt.Errorf("slack: %w", err) // what came of it, Slack does not say
		}
		return &bot.NotSent{Err: fmt.Errorf("slack: %w", err)}
	}
	switch code := slackCode(err); {
	case code == "":
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return &bot.NotSent{Err: fmt.Errorf("slack: %w", err)} // it never got there
		}
		return fmt.Errorf("slack: %w", err)
	case code == "ratelimited" || code == "rate_limited":
		return &bot.NotSent{Err: errors.New("slack: told to wait"), After: 30 * time.Second}
	case code == "fatal_error" || code == "internal_error" || code == "request_timeout" || code == "service_unavailable" || code == "team_added_to_org":
		return fmt.Errorf("slack: %s", code) // part of it may have been done, says Slack
	case isTokenCode(code):
		a.problem(partToken, "Slack: "+tokenMend(err))
		a.checkSoon()
		return &bot.NotSent{Err: fmt.Errorf("slack: %s", code), After: tokenWait}
	default:
		say, final := hopeless[code]
		if !final {
			return &bot.NotSent{Err: fmt.Errorf("slack: %s", code)}
		}
		not := &bot.NotSent{Err: fmt.Errorf("slack: %s: %s", code, say), Final: true, Elsewhere: d.Fallback != ""}
		if d.To != "" && d.To.Lane() == string(a.Comms()) {
			// A card must not be lost to a channel that is being mended.
			not.Final, not.Elsewhere = false, false
			a.checkSoon()
		}
		return not
	}
}

func isTokenCode(code string) bool {
	switch code {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type", "org_login_required":
		return true
	}
	return false
}
