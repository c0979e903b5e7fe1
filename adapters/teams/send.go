package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/infracloudio/msbotbuilder-go/connector/client"
	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// Send implements bot.Sender.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Posted, error) {
	to := d.To
	if d.Only != "" { // Teams shows nothing to one person in a conversation of many
		to = bot.Place(d.Only)
	}
	ref, err := a.reference(ctx, to, d.Attempt == 0)
	if err != nil {
		return bot.Posted{}, err
	}
	msg, err := a.compose(ctx, d)
	if err != nil {
		return bot.Posted{}, err
	}
	if d.PostedID != "" {
		there := ref
		conversation, id := splitPosted(d.PostedID)
		if conversation != "" {
			there.Conversation.ID = conversation
		} else if isChannel(ref) && !to.Thread() {
			there.Conversation.ID = connector.InThread(ref.Conversation.ID, id)
		}
		err := a.update(ctx, there, id, msg)
		if !refusedUpdate(err) {
			return bot.Posted{ID: d.PostedID}, sendError(err, false)
		}
		a.log.Warn("teams: a message cannot be changed, a new one takes its place", "delivery", d.ID, "error", err)
	}
	switch {
	case ref.Conversation.ID == "": // a person who has written to no private chat yet
		if ref, err = a.privately(ctx, to, ref); err != nil {
			return bot.Posted{}, err
		}
	case isChannel(ref) && !to.Thread():
		conversation, id, err := a.connector.StartThread(ctx, ref, msg)
		if err != nil {
			err = sendError(err, true)
			if not := new(bot.NotSent); errors.As(err, &not) && not.Elsewhere && to == a.Comms() { // taken out of the team: until it is back, cards wait
				not.Final, not.Elsewhere, not.After = false, false, commsWait
			}
			return bot.Posted{}, err
		}
		if conversation == connector.InThread(ref.Conversation.ID, id) || conversation == "" {
			return bot.Posted{ID: id}, nil
		}
		return bot.Posted{ID: conversation + " " + id}, nil
	}
	id, err := a.post(ctx, ref, msg)
	return bot.Posted{ID: id}, sendError(err, true)
}

// splitPosted reads a Posted.ID: the message's id, and before it the conversation
// where that does not follow from the place.
func splitPosted(s string) (conversation, id string) {
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// reference is how to reach a place, with the thread in the conversation's id. What is
// sent directly, without the queue, may go to where the place was last seen.
func (a *Adapter) reference(ctx context.Context, to bot.Place, directly bool) (schema.ConversationReference, error) {
	lane, thread, threaded := strings.Cut(string(to), "#")
	ref, err := a.place(ctx, bot.Place(lane))
	if err != nil && directly {
		if known, ok := a.seen.last(bot.Place(lane)); ok {
			ref, err = known, nil
		}
	}
	switch {
	case errors.Is(err, bot.ErrNotFound) && bot.Place(lane) == a.Comms():
		return ref, &bot.NotSent{Err: errNoComms, After: commsWait}
	case errors.Is(err, bot.ErrNotFound):
		if ref, err = a.stranger(ctx, bot.PersonID(lane)); err != nil {
			return ref, err
		}
	case err != nil:
		return ref, &bot.NotSent{Err: err}
	}
	if err := a.connector.CheckService(ref.ServiceURL); err != nil {
		return ref, &bot.NotSent{Err: fmt.Errorf("serviceUrl of %s: %w", Name, err), Final: true}
	}
	if threaded {
		ref.Conversation.ID = connector.InThread(ref.Conversation.ID, thread)
	}
	return ref, nil
}

// commsWait is how soon a card is tried again for a comms channel that the bot is
// not in yet. It never runs out of tries.
const commsWait = 30 * time.Second

var errNoComms = errors.New("the comms channel has not been heard from: add the app to its team, then mention the bot in the channel once")

// stranger is how to reach a person who has never written, but is in the comms
// team.
func (a *Adapter) stranger(ctx context.Context, p bot.PersonID) (schema.ConversationReference, error) {
	comms, err := a.place(ctx, a.Comms())
	if err != nil {
		return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
	}
	members, err := a.roster(ctx)
	if err != nil {
		return comms, &bot.NotSent{Err: err}
	}
	for _, m := range members {
		if personOf(m) == p {
			comms.User = schema.ChannelAccount{ID: m.ID, AadObjectID: m.Object()}
			comms.Conversation = schema.ConversationAccount{TenantID: comms.Conversation.TenantID}
			return comms, nil
		}
	}
	return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
}

// privately opens the private chat with a person and keeps where it is.
func (a *Adapter) privately(ctx context.Context, person bot.Place, ref schema.ConversationReference) (schema.ConversationReference, error) {
	if ref.User.ID == "" {
		return ref, &bot.NotSent{Err: errors.New("neither a conversation nor a user id is known"), Final: true}
	}
	id, err := a.connector.OpenChat(ctx, ref)
	if err != nil {
		return ref, sendError(err, false) // opened again it is the same chat, and nothing was said in it
	}
	ref.Conversation.ID, ref.Conversation.ConversationType = id, personal
	if err := a.keep(ctx, person, ref); err != nil {
		a.log.Warn("teams: a private chat's place is not kept", "error", err)
	}
	return ref, nil
}

// post says something in a conversation and gives the message's id.
func (a *Adapter) post(ctx context.Context, ref schema.ConversationReference, msg *message) (string, error) {
	w := &libraryClient{ctx: ctx, connector: a.connector, body: msg}
	response, err := activity.NewActivityResponse(w)
	if err == nil {
		err = response.SendActivity(activity.ApplyConversationReference(schema.Activity{Type: schema.Message}, ref, false))
	}
	return w.id, err
}

// update replaces a message.
func (a *Adapter) update(ctx context.Context, ref schema.ConversationReference, id string, msg *message) error {
	response, err := activity.NewActivityResponse(&libraryClient{ctx: ctx, connector: a.connector, body: msg})
	if err == nil {
		err = response.UpdateActivity(activity.ApplyConversationReference(schema.Activity{Type: schema.Message, ID: id}, ref, false))
	}
	return err
}

// refusedUpdate tells whether a message is none that can be changed any more.
func refusedUpdate(err error) bool {
	var s *connector.StatusError
	return errors.As(err, &s) && slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusGone}, s.Status)
}

// sendError turns an error of the connector's into one of bot.Sender's. posting says that
// trying again would make a second message, where the first may be there.
func sendError(err error, posting bool) error {
	var not *connector.NotSent
	var s *connector.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &not):
		return &bot.NotSent{Err: not.Err, After: not.After, Final: not.Final}
	case !errors.As(err, &s):
		if posting {
			return err
		}
		return &bot.NotSent{Err: err}
	}
	switch s.Status {
	case http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusServiceUnavailable:
		return &bot.NotSent{Err: err, After: s.RetryAfter}
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusConflict:
		return &bot.NotSent{Err: err}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		// Left, blocked or deleted.
		return &bot.NotSent{Err: err, Final: true, Elsewhere: true}
	}
	switch {
	case !s.MaybeDone():
		return &bot.NotSent{Err: err, Final: true}
	case !posting:
		return &bot.NotSent{Err: err, After: s.RetryAfter}
	}
	return err
}

// unsendable is the error of what no second try can send.
func unsendable(format string, args ...any) error {
	return &bot.NotSent{Err: fmt.Errorf(format, args...), Final: true}
}

// message is an outgoing activity. The library's own loses entities, the id and
// citations, and writes zero times.
type message struct {
	Type             string              `json:"type"`
	Text             string              `json:"text,omitempty"`
	TextFormat       string              `json:"textFormat,omitempty"`
	Summary          string              `json:"summary,omitempty"`
	Importance       string              `json:"importance,omitempty"`
	AttachmentLayout string              `json:"attachmentLayout,omitempty"`
	Attachments      []schema.Attachment `json:"attachments,omitempty"`
	Entities         []any               `json:"entities,omitempty"`
	ChannelData      map[string]any      `json:"channelData,omitempty"`
}

// libraryClient is the client that the library sends through, for one request or message:
// its interface has no context, no answer and a body that loses what Teams needs.
type libraryClient struct {
	ctx       context.Context
	connector *connector.Client
	body      *message // nil: what the activity itself has
	id        string   // of what was posted
}

var _ client.Client = (*libraryClient)(nil)

// Post implements client.Client. The address that comes with it is not used: it
// is joined of ids that are not escaped.
func (l *libraryClient) Post(_ url.URL, act schema.Activity) error {
	if act.Type == "" {
		return nil // a turn that says nothing
	}
	var err error
	l.id, err = l.connector.Post(l.ctx, conversationOf(act), l.content(act))
	return err
}

// Put implements client.Client.
func (l *libraryClient) Put(_ url.URL, act schema.Activity) error {
	return l.connector.Update(l.ctx, conversationOf(act), act.ID, l.content(act))
}

// Delete implements client.Client.
func (l *libraryClient) Delete(_ url.URL, act schema.Activity) error {
	return l.connector.Delete(l.ctx, conversationOf(act), act.ID)
}

func conversationOf(act schema.Activity) schema.ConversationReference {
	return schema.ConversationReference{ServiceURL: act.ServiceURL, Conversation: act.Conversation}
}

func (l *libraryClient) content(act schema.Activity) *message {
	if l.body != nil {
		return l.body
	}
	return &message{Type: string(act.Type), Text: act.Text, Attachments: act.Attachments}
}
