package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/infracloudio/msbotbuilder-go/connector/auth"
	"github.com/infracloudio/msbotbuilder-go/core"
	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
)

// maxBody is how many bytes of a request are read before its token is checked.
const maxBody = 256 << 10

// requestTime is how long a request may take: after 15 seconds Teams sends it again.
const requestTime = 12 * time.Second

// Handler takes the Bot Connector's requests: /api/messages.
func (a *Adapter) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only the Bot Connector posts here", http.StatusMethodNotAllowed)
		return
	}
	refuse := func(status int, what, say string) {
		a.c.Count(what)
		http.Error(w, say, status)
	}
	if r.ContentLength > maxBody {
		refuse(http.StatusRequestEntityTooLarge, "size", "the request is too large")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		refuse(http.StatusRequestEntityTooLarge, "size", "the request is too large")
		return
	case err != nil:
		refuse(http.StatusBadRequest, "body", "the request ended early")
		return
	}
	// A caller that hangs up sends the request again, so finish it all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTime)
	defer cancel()
	answer, err := a.handleActivity(ctx, r, body)
	if no := new(connector.Refused); errors.As(err, &no) {
		a.log.Warn("teams: request refused", "status", no.Status, "why", no.Reason)
		what := map[int]string{http.StatusUnauthorized: "token", http.StatusForbidden: "right"}[no.Status]
		if what == "" {
			what = "keys"
		}
		refuse(no.Status, what, http.StatusText(no.Status))
		return
	}
	if err != nil {
		a.log.Error("teams: nothing was committed, Teams is to send again", "error", err)
		refuse(http.StatusInternalServerError, "error", "try again")
		return
	}
	if answer == nil {
		return // 200
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.log.Warn("teams: an answer did not get through", "error", err)
	}
}

// handleActivity verifies a request and handles its activity. answer is the body of the
// response, or nil. The error is a *connector.Refused, or says that nothing was committed.
func (a *Adapter) handleActivity(ctx context.Context, r *http.Request, body []byte) (answer any, err error) {
	in, malformed := decode(body)
	library := core.BotFrameworkAdapter{TokenValidator: validator{a.verifier}, Client: &libraryClient{ctx: ctx, connector: a.connector}}
	if a.c.Insecure {
		if err := a.checkInsecure(r, &in); err != nil {
			return nil, err
		}
	} else if _, err := library.AuthenticateRequest(ctx, in.activity(), r.Header.Get("Authorization"), library.CredentialProvider, ""); err != nil {
		return nil, err
	}
	if malformed != nil {
		a.c.Count("ignored")
		return nil, nil // the Bot Connector's own fault, and no better when it is sent again
	}
	if !a.c.allows(in.tenant()) {
		return nil, forbidden("the tenant %q is not on the list", limit(in.tenant(), 64))
	}
	if !handled(in.Type) {
		a.c.Count("ignored")
		return nil, nil
	}
	if err := in.checkIDs(); err != nil {
		return nil, err
	}
	t := newTurn(ctx, a, &in, body)
	if in.overheard() && !t.mayAsk() {
		a.lookForComms(ctx, &in) // nothing is saved of people who only talk near the bot
	} else if err := a.savePlaces(ctx, &in); err != nil {
		// Nothing could be delivered to a place that is not saved: what is committed now
		// would be lost. Only an emergency is answered.
		t.unsaved = fmt.Errorf("keep a place: %w", err)
		if in.Type != schema.Message {
			return nil, t.unsaved
		}
	}
	err = t.process(library)
	if err == nil {
		a.c.Count("ok")
	}
	return t.answer, err
}

// process lets the library route the activity to its handler, and gives an error only
// where nothing was committed.
func (t *turn) process(library core.BotFrameworkAdapter) error {
	act := t.in.activity()
	switch act.Type {
	case messageUpdate, messageDelete:
		act.Type = schema.Message
	case schema.InstallationUpdate: // the library does not route it
		act.Type = schema.ConversationUpdate
	}
	err := library.ProcessActivity(t.ctx, act, activity.HandlerFuncs{OnMessageFunc: t.message, OnInvokeFunc: t.invoke, OnConversationUpdateFunc: t.installed})
	switch {
	case err == nil && t.unsaved != nil && !t.committed:
		return t.unsaved
	case err != nil && t.committed: // only what was said about it did not get through
		t.a.log.Warn("teams: a notice did not get through", "error", fmt.Errorf("activity: %w", err))
	case err != nil:
		return fmt.Errorf("activity: %w", err) // the library's own prints its stack
	}
	return nil
}

// handled tells whether activities of a type are for the bot: reactions, typing and what
// Teams may add are not.
func handled(t schema.ActivityTypes) bool {
	switch t {
	case schema.Message, messageUpdate, messageDelete, schema.Invoke, schema.ConversationUpdate, schema.InstallationUpdate:
		return true
	}
	return false
}

// checkInsecure replaces token validation in insecure mode: the request has to come from
// this machine and name a service on it.
func (a *Adapter) checkInsecure(r *http.Request, in *received) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !connector.Loopback(host) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return forbidden("without authentication only this machine is heard")
	}
	if in.ChannelID != connector.Channel {
		return forbidden("the activity is of the channel %q, not of Teams", limit(in.ChannelID, 40))
	}
	if err := a.connector.CheckService(in.ServiceURL); err != nil {
		return forbidden("serviceUrl: %v", err)
	}
	return nil
}

// validator is the connector's Verifier as the library's TokenValidator.
type validator struct{ *connector.Verifier }

var _ auth.TokenValidator = validator{}

// AuthenticateRequest implements auth.TokenValidator. The error is a *connector.Refused.
func (v validator) AuthenticateRequest(ctx context.Context, act schema.Activity, header string, _ auth.CredentialProvider, _ string) (auth.ClaimsIdentity, error) {
	if err := v.Verify(ctx, header, act.ChannelID, act.ServiceURL); err != nil {
		return nil, err
	}
	return auth.NewClaimIdentity(map[string]any{auth.ServiceURLClaim: act.ServiceURL}, true), nil
}

func forbidden(format string, args ...any) error {
	return &connector.Refused{Status: http.StatusForbidden, Reason: fmt.Sprintf(format, args...)}
}
