package slack

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// whisper is what is shown to one person in answer to their own request, or nil
// when there is nothing to show.
func (a *Adapter) whisper(r bot.Reply, shareable bool) *slackgo.WebhookMessage {
	posts := r.Posts
	if r.Notice != "" {
		posts = append(posts[:len(posts):len(posts)], bot.Post{Kind: bot.KindNotice, Text: r.Notice})
	}
	if len(posts) == 0 {
		return nil
	}
	return a.webhook(posts, shareable)
}

func (a *Adapter) webhook(posts []bot.Post, shareable bool) *slackgo.WebhookMessage {
	msg := a.renderAll(posts, shareable)
	return &slackgo.WebhookMessage{ResponseType: slackgo.ResponseTypeEphemeral, Text: msg.text, Blocks: &slackgo.Blocks{BlockSet: msg.blocks}, UnfurlLinks: new(bool), UnfurlMedia: new(bool)}
}

// respond answers a request at its response URL, and where that does not work,
// directly.
func (a *Adapter) respond(ctx context.Context, to string, body *slackgo.WebhookMessage, in bot.Place) {
	if body == nil {
		return
	}
	err := a.postURL(ctx, to, body)
	if err == nil {
		return
	}
	a.log.Warn("slack: response URL failed, answering directly", "error", err)
	channel, _, err := a.conversation(ctx, in)
	if err == nil {
		_, _, err = a.api.PostMessageContext(ctx, channel, message{blocks: body.Blocks.BlockSet, text: body.Text}.options("")...)
	}
	if err != nil {
		a.log.Error("slack: answer to a request lost", "error", err)
	}
}

// postURL posts to a response URL, which has to be Slack's own.
func (a *Adapter) postURL(ctx context.Context, to string, body *slackgo.WebhookMessage) error {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return errors.New("no response URL")
	}
	api, err := url.Parse(a.c.APIURL)
	if err != nil {
		return err
	}
	slacks := u.Scheme == "https" && (u.Host == "hooks.slack.com" || u.Host == "hooks.slack-gov.com")
	if !slacks && (u.Host != api.Host || u.Scheme != api.Scheme) {
		return errors.New("the response URL is not one of Slack's")
	}
	err = slackgo.PostWebhookCustomHTTPContext(ctx, to, a.http, body)
	var call *url.Error
	if errors.As(err, &call) { // its text has the address, which lets anybody who reads it post
		return fmt.Errorf("response URL: %w", call.Err)
	}
	return err
}
