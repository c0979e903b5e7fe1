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
	if d.Only != "" { // Teams cannot show a message to one person alone
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
	case ref.Conversation.ID == "": // a person without a private chat yet
		if ref, err = a.openChat(ctx, to, ref); err != nil {
			return bot.Posted{}, err
		}
	case isChannel(ref) && !to.Thread():
		conversation, id, err := a.connector.StartThread(ctx, ref, msg)
		if err != nil {
			err = sendError(err, true)
			if not := new(bot.NotSent); errors.As(err, &not) && not.Elsewhere && to == a.Comms() { // removed from the team: cards wait until it is back
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

// splitPosted splits a Posted.ID: the message's id, after the conversation's and a space
// where that is not the place's own.
func splitPosted(s string) (conversation, id string) {
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// post posts a message and gives its id.
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

// refusedUpdate tells whether a message can no longer be changed.
func refusedUpdate(err error) bool {
	var s *connector.StatusError
	return errors.As(err, &s) && slices.Contains([]int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusGone}, s.Status)
}

// sendError turns an error of the connector's into one of bot.Sender's. posting says that a
// second try could make a second message; without it the call can simply be repeated.
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
		// The app was removed or blocked, or the conversation deleted.
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

// unsendable is the error of a message that can never be sent.
func unsendable(format string, args ...any) error {
	return &bot.NotSent{Err: fmt.Errorf(format, args...), Final: true}
}

// message is an outgoing activity. The library's own type has no entities, and writes zero
// times.
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

// libraryClient is the client that the library sends through, for one request or message.
// The library's interface has no context and no answer, and its activities lose what Teams
// needs.
type libraryClient struct {
	ctx       context.Context
	connector *connector.Client
	body      *message // nil: the activity's own content
	id        string   // of what was posted
}

var _ client.Client = (*libraryClient)(nil)

// Post implements client.Client. It does not use the library's URL, in which ids are not
// escaped.
func (l *libraryClient) Post(_ url.URL, act schema.Activity) error {
	if act.Type == "" {
		return nil // the handler had no reply
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
