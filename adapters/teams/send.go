package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
		if ref, err = a.openChat(ctx, to, ref); err != nil {
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
