package slack

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"sync"
	"time"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	// socketWorkers is how many envelopes are handled at the same time. One more
	// is not acknowledged, so that Slack sends it again.
	socketWorkers = 128
	// drain is how long envelopes under way have when the process stops.
	drain = 3 * time.Second
	// socketRetry is how long a token that Slack does not take is left alone.
	socketRetry = 30 * time.Second
)

// socket keeps a Socket Mode connection until ctx ends. Reconnecting is the
// client's; what it gives up on, a bad token, is tried again here.
func (a *Adapter) socket(ctx context.Context) {
	for {
		err := a.connected(ctx)
		if ctx.Err() != nil {
			return
		}
		a.problem(partSocket, "Slack: "+socketMend(err))
		timer := time.NewTimer(socketRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// connected serves the socket until the client gives up or ctx ends.
func (a *Adapter) connected(ctx context.Context) error {
	client := socketmode.New(a.api, socketmode.OptionLog(log.New(io.Discard, "", 0)), socketmode.OptionReadLimit(maxFrame))
	// The socket outlives ctx by what is under way, so that it is acknowledged.
	socket, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	done := make(chan error, 1)
	go func() { done <- client.RunContext(socket) }()

	var working sync.WaitGroup
	slots := make(chan struct{}, socketWorkers)
	for {
		select {
		case <-ctx.Done():
			finished := make(chan struct{})
			go func() { working.Wait(); close(finished) }()
			timer := time.NewTimer(drain)
			defer timer.Stop()
			for {
				select {
				case <-finished:
					stop()
					if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
						a.log.Warn("slack: the socket ended badly", "error", err)
					}
					return nil
				case <-timer.C:
					return nil
				case <-client.Events: // not acknowledged: Slack sends it again
				}
			}
		case err := <-done:
			return err
		case evt := <-client.Events:
			env, ok := a.frame(evt)
			if !ok {
				continue
			}
			select {
			case slots <- struct{}{}:
			default:
				a.c.Count("busy")
				a.log.Warn("slack: too much at once, an envelope is left for Slack to send again")
				continue
			}
			working.Go(func() {
				defer func() { <-slots }()
				defer a.caught()
				a.envelope(socket, client, env)
			})
		}
	}
}

// maxFrame is the largest envelope that is read.
const maxFrame = 4 << 20

// frame takes in what the client tells. ok says that it is an envelope of Slack's
// that has to be handled and acknowledged.
func (a *Adapter) frame(evt socketmode.Event) (env socketmode.Request, ok bool) {
	switch evt.Type {
	case socketmode.EventTypeConnected, socketmode.EventTypeHello:
		a.problem(partSocket, "")
	case socketmode.EventTypeConnectionError:
		if e, ok := evt.Data.(*slackgo.ConnectionErrorEvent); ok {
			a.problem(partSocket, "Slack: "+socketMend(e.ErrorObj))
		}
	case socketmode.EventTypeErrorBadMessage:
		// The client cannot read it, which says nothing: it may be an event like
		// any other with a field that is new to the client.
		if e, ok := evt.Data.(*socketmode.ErrorBadMessage); ok && lenient(e.Message, &env) == nil && env.EnvelopeID != "" {
			return env, true
		}
	case socketmode.EventTypeErrorWriteFailed:
		a.log.Warn("slack: acknowledgement not written, Slack sends the envelope again")
	default:
		if evt.Request != nil && evt.Request.EnvelopeID != "" {
			return *evt.Request, true
		}
	}
	return env, false
}

// envelope handles one envelope and acknowledges it once all that it causes is
// committed.
func (a *Adapter) envelope(ctx context.Context, client *socketmode.Client, env socketmode.Request) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := a.receive(ctx, kind(env.Type), env.Payload, "")
	if err != nil {
		a.log.Error("slack: envelope not handled, Slack sends it again", "kind", env.Type, "error", err)
		return
	}
	if err := client.AckCtx(ctx, env.EnvelopeID, out.body); err != nil {
		a.log.Warn("slack: acknowledgement not sent, Slack sends the envelope again", "error", err)
	}
	a.later(out.then)
}

// socketMend says what to do about a socket that does not open.
func socketMend(err error) string {
	var limited *slackgo.RateLimitedError
	var shape *json.SyntaxError
	switch code := slackCode(err); {
	case code == "invalid_auth" || code == "not_authed" || code == "token_revoked" || code == "account_inactive":
		return "the app-level token is not valid (" + code + "): make a new one under Basic Information with the scope connections:write, and set SLACK_APP_TOKEN (xapp-…)"
	case code == "not_allowed_token_type":
		return "SLACK_APP_TOKEN holds another kind of token: set the one that begins with xapp-"
	case code == "missing_scope":
		return "the app-level token lacks the scope connections:write: make a new one under Basic Information"
	case code != "":
		return "Socket Mode does not open: " + code
	case errors.As(err, &limited), errors.As(err, &shape), err == nil:
		return "Socket Mode is not connected: Slack asks to wait"
	}
	return "Socket Mode is not connected (" + err.Error() + "): check the network and SLACK_API_URL"
}
