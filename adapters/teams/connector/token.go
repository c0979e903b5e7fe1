package connector

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokens hold the bot's own token, one at a time.
type tokens struct {
	config *clientcredentials.Config // nil: none is sent, for Config.Insecure
	http   *http.Client
	now    func() time.Time

	gate  chan struct{} // a lock over value; one caller fetches, the others wait for it
	value *oauth2.Token
}

func newTokens(c Config) *tokens {
	t := &tokens{http: c.httpClient(), now: c.Now, gate: make(chan struct{}, 1)}
	if !c.Insecure {
		t.config = &clientcredentials.Config{
			ClientID: c.AppID, ClientSecret: c.AppPassword, AuthStyle: oauth2.AuthStyleInParams,
			TokenURL: trimSlash(c.LoginURL) + "/" + url.PathEscape(c.TenantID) + "/oauth2/v2.0/token",
			Scopes:   []string{trimSlash(c.Issuer) + "/.default"},
		}
	}
	return t
}

const (
	tokenWait = 30 * time.Second // NotSent.After of a call that has no token
	tokenLeft = 5 * time.Minute  // how long a token has to be good for still
)

// get gives a token, or "" in insecure mode. The error is a *NotSent.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.config == nil {
		return "", nil
	}
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-ctx.Done():
		return "", &NotSent{Err: ctx.Err()}
	}
	if t.value != nil && (t.value.Expiry.IsZero() || t.now().Add(tokenLeft).Before(t.value.Expiry)) {
		return t.value.AccessToken, nil
	}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		var r *oauth2.RetrieveError
		if errors.As(err, &r) {
			said, _, _ := strings.Cut(r.ErrorDescription, "\n")
			err = fmt.Errorf("the log-in host answers %s: %s %s", r.Response.Status, limit(r.ErrorCode, 60), limit(strings.TrimSpace(said), 200))
		}
		return "", &NotSent{Err: fmt.Errorf("the bot's token: %w", err), After: tokenWait}
	}
	t.value = token
	return token.AccessToken, nil
}

// drop forgets a token that the service refused.
func (t *tokens) drop(ctx context.Context, value string) {
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-ctx.Done():
		return // the next call is refused too, and drops it
	}
	if t.value != nil && t.value.AccessToken == value {
		t.value = nil
	}
}
