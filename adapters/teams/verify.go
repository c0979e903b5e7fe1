package teams

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/infracloudio/msbotbuilder-go/connector/auth"
	"github.com/infracloudio/msbotbuilder-go/schema"
)

// refused is why a request gets no answer: 401 for a token that is none of the Bot
// Connector's, 403 for one that gives no right to this activity, 503 where the
// keys to judge it by cannot be had, so that Teams sends again.
type refused struct {
	status int
	why    string
}

func (r *refused) Error() string { return r.why }

func bad(format string, args ...any) error {
	return &refused{http.StatusUnauthorized, fmt.Sprintf(format, args...)}
}

func forbidden(format string, args ...any) error {
	return &refused{http.StatusForbidden, fmt.Sprintf(format, args...)}
}

// The channel whose activities are taken. Others (Direct Line, web chat) let their
// callers say who they are.
const channel = "msteams"

const (
	maxHeader = 16 << 10        // of an Authorization header; real ones have under 2 KB
	skew      = 5 * time.Minute // between the clocks, as the Bot Connector's rules allow
)

// verifier checks the Bot Connector's tokens. It implements auth.TokenValidator.
type verifier struct {
	appID  string
	issuer string
	hosts  hosts
	keys   *keys
	now    func() time.Time
}

var _ auth.TokenValidator = (*verifier)(nil)

// AuthenticateRequest says whether the header's token is the Bot Connector's and
// vouches for this activity. The error is a *refused.
func (v *verifier) AuthenticateRequest(ctx context.Context, act schema.Activity, header string, _ auth.CredentialProvider, _ string) (auth.ClaimsIdentity, error) {
	if len(header) > maxHeader {
		return nil, bad("the Authorization header is longer than %d bytes", maxHeader)
	}
	scheme, raw, _ := strings.Cut(header, " ")
	if raw = strings.TrimSpace(raw); !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return nil, bad("no Bearer token")
	}
	var c claims
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"RS256", "RS384", "RS512"}))
	// All that needs no key comes first: a forged token causes no request.
	unsure, _, err := parser.ParseUnverified(raw, &c)
	if err != nil {
		return nil, bad("not a token: %v", err)
	}
	if err := v.check(c); err != nil {
		return nil, err
	}
	if alg, _ := unsure.Header["alg"].(string); !slices.Contains([]string{"RS256", "RS384", "RS512"}, alg) {
		return nil, bad("signed by %q, not by an RSA key", limit(alg, 20))
	}
	kid, _ := unsure.Header["kid"].(string)
	if kid == "" {
		return nil, bad("names no key")
	}
	k, err := v.keys.get(ctx, kid)
	if err != nil {
		return nil, err
	}
	c = claims{}
	if _, err := parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return k.public, nil }); err != nil {
		return nil, bad("the signature is not that of key %q", limit(kid, 64))
	}
	if act.ChannelID != channel {
		return nil, forbidden("the activity is of the channel %q, not of Teams", limit(act.ChannelID, 40))
	}
	if !slices.Contains(k.endorsements, act.ChannelID) {
		return nil, forbidden("the key is not endorsed for the channel %q", act.ChannelID)
	}
	if trimURL(c.ServiceURL) != trimURL(act.ServiceURL) {
		return nil, forbidden("the token is for another serviceUrl than the activity's")
	}
	if err := v.hosts.check(act.ServiceURL); err != nil {
		return nil, forbidden("serviceUrl: %v", err)
	}
	return auth.NewClaimIdentity(map[string]any{"iss": c.Issuer, "aud": c.Audience, auth.ServiceURLClaim: c.ServiceURL}, true), nil
}

// claims are those that are looked at. An aud that is an array does not decode:
// the Bot Connector sends one string, and a token for several is not meant for us
// alone.
type claims struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	ServiceURL string   `json:"serviceurl"`
	Expires    *float64 `json:"exp"`
	NotBefore  *float64 `json:"nbf"`
}

// The parser's own validation is off: check is stricter, and says why.
func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return "", nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{c.Audience}, nil }

func (v *verifier) check(c claims) error {
	now := float64(v.now().Unix())
	switch {
	case c.Issuer != v.issuer:
		return bad("iss is %q, not %q", limit(c.Issuer, 80), v.issuer)
	case v.appID == "" || c.Audience != v.appID && c.Audience != "api://"+v.appID && c.Audience != "api://botid-"+v.appID:
		return bad("aud is not this bot")
	case c.Expires == nil:
		return bad("has no exp")
	case now > *c.Expires+skew.Seconds():
		return bad("expired")
	case c.NotBefore == nil:
		return bad("has no nbf")
	case now < *c.NotBefore-skew.Seconds():
		return bad("is not valid yet")
	case c.ServiceURL == "":
		return bad("has no serviceurl")
	}
	return nil
}

func trimURL(s string) string { return strings.TrimRight(s, "/") }

// hosts are the service hosts that activities may come from and answers go to.
type hosts struct {
	names    []string // a name, or *.name for all below it
	loopback bool     // any loopback host, by http too
}

// defaultHosts are Teams' own in the public and the GCC cloud. Names are exact:
// anybody can have another name below trafficmanager.net.
var defaultHosts = []string{"smba.trafficmanager.net", "smba.infra.gcc.teams.microsoft.com"}

// check says what is wrong with a serviceUrl, if anything.
func (h hosts) check(service string) error {
	u, err := url.Parse(service)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return fmt.Errorf("%q is not a plain address", limit(service, 100))
	}
	name := strings.ToLower(u.Hostname())
	listed := slices.ContainsFunc(h.names, func(n string) bool {
		below, wild := strings.CutPrefix(n, "*.")
		return n == name || n == strings.ToLower(u.Host) || wild && strings.HasSuffix(name, "."+below)
	})
	local := loopback(name)
	switch {
	case !listed && !(local && h.loopback):
		return fmt.Errorf("the host %q is none of the allowed service hosts", limit(u.Host, 100))
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return fmt.Errorf("%q is not https", limit(service, 100))
	}
	return nil
}

// key is a signing key and the channels that it may speak for.
type key struct {
	public       *rsa.PublicKey
	endorsements []string
}

// The times of the key cache.
const (
	keysFresh  = 24 * time.Hour
	keysMissed = 5 * time.Minute  // between fetches for an unknown key
	keysFailed = 10 * time.Second // between fetches that fail
	maxKeys    = 1 << 20          // bytes of metadata or keys
)

// keys are the identity platform's signing keys, by kid. An outage leaves those
// that are known in use, and never makes who holds one of them wait.
type keys struct {
	metadata string
	http     *http.Client
	now      func() time.Time

	fetching sync.Mutex // one fetch at a time

	mu      sync.Mutex // over what follows, never held while fetching
	byID    map[string]key
	fetched time.Time
	tried   time.Time
	lastErr error
}

// get gives a key. A key that is not known is looked for anew, but not for every
// forged token.
func (k *keys) get(ctx context.Context, kid string) (key, error) {
	found, ok, due := k.look(kid)
	if ok {
		if due {
			go func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.http.Timeout)
				defer cancel()
				_ = k.refresh(ctx, kid) // the next one after keysFailed, and load reports it
			}()
		}
		return found, nil
	}
	err := k.refresh(ctx, kid)
	if found, ok, _ = k.look(kid); ok {
		return found, nil
	}
	if k.empty() {
		return key{}, &refused{http.StatusServiceUnavailable, fmt.Sprintf("no signing keys: %v", err)}
	}
	return key{}, bad("key %q is not listed", limit(kid, 64))
}

// look gives a key as it is known, and whether a fetch for it is due.
func (k *keys) look(kid string) (found key, ok, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	found, ok = k.byID[kid]
	wait := keysMissed
	if ok || k.lastErr != nil {
		wait = keysFailed
	}
	now := k.now()
	return found, ok, (!ok || now.Sub(k.fetched) > keysFresh) && (k.tried.IsZero() || now.Sub(k.tried) >= wait)
}

func (k *keys) empty() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.byID) == 0
}

// refresh fetches the keys if that is still due for kid, and gives the error of
// the last fetch.
func (k *keys) refresh(ctx context.Context, kid string) error {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	if _, _, due := k.look(kid); due {
		k.mu.Lock()
		k.tried = k.now()
		k.mu.Unlock()
		byID, err := k.fetch(ctx)
		k.mu.Lock()
		if k.lastErr = err; err == nil {
			k.byID, k.fetched = byID, k.now()
		}
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lastErr
}

// load fetches the keys where they are missing or old.
func (k *keys) load(ctx context.Context) error {
	k.mu.Lock()
	fresh := k.lastErr == nil && len(k.byID) > 0 && k.now().Sub(k.fetched) <= keysFresh
	k.mu.Unlock()
	if fresh {
		return nil
	}
	return k.refresh(ctx, "")
}

func (k *keys) fetch(ctx context.Context) (map[string]key, error) {
	var meta struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := k.read(ctx, k.metadata, &meta); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var set struct {
		Keys []struct {
			Type         string   `json:"kty"`
			ID           string   `json:"kid"`
			N            string   `json:"n"`
			E            string   `json:"e"`
			Endorsements []string `json:"endorsements"`
		} `json:"keys"`
	}
	if err := k.read(ctx, meta.JWKS, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	byID := map[string]key{}
	for _, j := range set.Keys {
		n, err1 := base64.RawURLEncoding.DecodeString(strings.TrimRight(j.N, "="))
		e, err2 := base64.RawURLEncoding.DecodeString(strings.TrimRight(j.E, "="))
		exponent := new(big.Int).SetBytes(e)
		if j.Type != "RSA" || j.ID == "" || err1 != nil || err2 != nil || len(n) < 256 || len(n) > 1024 || !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > 1<<31-1 {
			continue // not for us, or too weak
		}
		byID[j.ID] = key{&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, j.Endorsements}
	}
	if len(byID) == 0 {
		return nil, errors.New("keys: the list has none that can be used")
	}
	return byID, nil
}

func (k *keys) read(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if req.URL.Scheme != "https" && !loopback(req.URL.Hostname()) {
		return fmt.Errorf("%s is not https", limit(address, 100))
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", limit(address, 100), resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(into)
}
