package teams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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

// maxBody is read of a request before anything else is known of it.
const maxBody = 256 << 10

// requestTime is within the 15 seconds after which Teams sends again.
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
	// Who hangs up in the middle sends again: what is under way is finished.
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

// take verifies a request and does what it asks; answer is the body to give back,
// or nil. The error is a *connector.Refused, or says that nothing was committed.
func (a *Adapter) handleActivity(ctx context.Context, r *http.Request, body []byte) (answer any, err error) {
	in, malformed := decode(body)
	said := &libraryClient{ctx: ctx, connector: a.connector}
	adapter := core.BotFrameworkAdapter{TokenValidator: validator{a.verifier}, Client: said}
	if a.c.Insecure {
		if err := a.checkInsecure(r, &in); err != nil {
			return nil, err
		}
	} else if _, err := adapter.AuthenticateRequest(ctx, in.activity(), r.Header.Get("Authorization"), adapter.CredentialProvider, ""); err != nil {
		return nil, err
	}
	if malformed != nil {
		a.c.Count("ignored")
		return nil, nil // the Bot Connector's own fault: sent again it is no better
	}
	if !a.c.allows(in.tenant()) {
		return nil, forbidden("the tenant %q is not on the list", limit(in.tenant(), 64))
	}
	if !handled(in.Type) {
		a.c.Count("ignored")
		return nil, nil
	}
	for _, id := range []string{in.Conversation.ID, in.From.ID, in.Recipient.ID} {
		if !connector.ValidID(id) {
			return nil, forbidden("%q is no id of Teams'", limit(id, 64))
		}
	}
	if in.From.AadObjectID != "" && !connector.ValidID(in.From.AadObjectID) || in.ReplyToID != "" && !connector.ValidID(in.ReplyToID) {
		return nil, forbidden("an id is none of Teams'")
	}
	t := &turn{a: a, ctx: ctx, in: &in}
	sum := sha256.Sum256(body)
	switch {
	case in.ID == "":
		t.key = Name + ":" + hex.EncodeToString(sum[:])
	case in.Type == messageUpdate || in.Type == messageDelete: // with the id of the message
		t.original = Name + ":" + in.Conversation.ID + "/" + in.ID
		t.key = t.original + "/" + hex.EncodeToString(sum[:8])
	default:
		t.key = Name + ":" + in.Conversation.ID + "/" + in.ID
		t.original = t.key
	}
	if in.overheard() {
		a.lookForComms(ctx, &in) // nothing of who only talks near the bot is kept
	} else if err := a.savePlaces(ctx, &in); err != nil {
		// Nothing could be delivered to a place that is not kept: what is committed now
		// would be lost. Only an emergency is met.
		t.unsaved = fmt.Errorf("keep a place: %w", err)
		if in.Type != "message" {
			return nil, t.unsaved
		}
	}
	act := in.activity()
	switch act.Type {
	case messageUpdate, messageDelete:
		act.Type = schema.Message
	case schema.InstallationUpdate: // which the library does not route
		act.Type = schema.ConversationUpdate
	}
	err = adapter.ProcessActivity(ctx, act, activity.HandlerFuncs{OnMessageFunc: t.message, OnInvokeFunc: t.invoke, OnConversationUpdateFunc: t.installed})
	if err != nil { // the library's own prints its stack
		err = fmt.Errorf("activity: %w", err)
	} else if t.unsaved != nil && !t.committed {
		return nil, t.unsaved
	}
	if t.committed && err != nil { // it is committed: only what was said about it did not get through
		a.log.Warn("teams: a notice did not get through", "error", err)
		err = nil
	}
	if err == nil {
		a.c.Count("ok")
	}
	return t.answer, err
}

func handled(t schema.ActivityTypes) bool {
	switch t {
	case schema.Message, messageUpdate, messageDelete, schema.Invoke, schema.ConversationUpdate, schema.InstallationUpdate:
		return true
	}
	return false // reactions, typing and whatever comes to be
}

// checkInsecure replaces token validation in insecure mode: it has to come
// from this machine and name a service on it.
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
