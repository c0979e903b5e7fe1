package slack

import (
	"context"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// Render is what Send renders.
func (a *Adapter) Render(p bot.Post, ping bool) (blocks []slackgo.Block, text string) {
	m := a.render(p, ping)
	return m.blocks, m.text
}

// HomeBlocks and FormView are what is drawn for a Home tab and a form.
func (a *Adapter) HomeBlocks(h bot.Home) slackgo.HomeTabViewRequest {
	return slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, Blocks: slackgo.Blocks{BlockSet: a.home(h)}}
}

func (a *Adapter) FormView(f bot.Form) slackgo.ModalViewRequest {
	return a.form(f, metadata{Press: f.Press, In: "slack:C1#1.2"})
}

// Decode is the HTTP decoder, for fuzzing.
func (a *Adapter) Decode(body []byte) (kind string, payload []byte, err error) {
	k, p, err := unwrap(body)
	return string(k), p, err
}

// Wait is a message's turn in a conversation, at a pace.
func (a *Adapter) Wait(ctx context.Context, conversation string) error {
	return a.paces.wait(ctx, conversation, a.c.Pace, 1)
}

var (
	Mrkdwn  = mrkdwn
	Split   = split
	Plain   = plainText
	Size    = size
	Receive = (*Adapter).receive
	PostURL = (*Adapter).postURL
	Kind    = func(s string) kind { return kind(s) }
)
