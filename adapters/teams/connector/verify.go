package connector

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Channel is the channel whose activities are taken. Others (Direct Line, web chat) let
// their callers say who they are.
const Channel = "msteams"

const (
	maxHeader = 16 << 10        // bytes of an Authorization header; real ones have under 2 KB
	skew      = 5 * time.Minute // between the clocks, as the Bot Connector's rules allow
)

// algorithms are those of the RSA keys that sign.
var algorithms = []string{"RS256", "RS384", "RS512"}

// Verifier checks the tokens that come with inbound activities. It is safe for concurrent
// use.
type Verifier struct {
	appID  string
	issuer string
	hosts  hosts
	keys   *keys
	now    func() time.Time
}

// NewVerifier makes a Verifier. It calls nothing.
func NewVerifier(c Config) *Verifier {
	return &Verifier{appID: c.AppID, issuer: c.Issuer, hosts: c.hosts(), now: c.Now, keys: newKeys(c)}
}

// LoadKeys fetches the signing keys where they are missing or older than a day. Whoever
// serves requests calls it every few minutes: Verify itself fetches only for a key that
// it does not know. The error is that of the last fetch.
func (v *Verifier) LoadKeys(ctx context.Context) error { return v.keys.load(ctx) }

// Verify says whether the token in an Authorization header is the Bot Connector's for
// this bot, and vouches for an activity's channelId and serviceUrl. The error is a
// *Refused.
func (v *Verifier) Verify(ctx context.Context, authorization, channelID, serviceURL string) error {
	if len(authorization) > maxHeader {
		return unauthorized("the Authorization header is longer than %d bytes", maxHeader)
	}
	scheme, raw, _ := strings.Cut(authorization, " ")
	if raw = strings.TrimSpace(raw); !strings.EqualFold(scheme, "Bearer") || raw == "" {
		return unauthorized("no Bearer token")
	}
	var c claims
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods(algorithms))
	// All that needs no key comes first: a forged token causes no request.
	unverified, _, err := parser.ParseUnverified(raw, &c)
	if err != nil {
		return unauthorized("not a token: %v", err)
	}
	if err := v.check(c); err != nil {
		return err
	}
	if alg, _ := unverified.Header["alg"].(string); !slices.Contains(algorithms, alg) {
		return unauthorized("signed by %q, not by an RSA key", limit(alg, 20))
	}
	kid, _ := unverified.Header["kid"].(string)
	if kid == "" {
		return unauthorized("names no key")
	}
	k, err := v.keys.get(ctx, kid)
	if err != nil {
		return err
	}
	c = claims{}
	if _, err := parser.ParseWithClaims(raw, &c, func(*jwt.Token) (any, error) { return k.public, nil }); err != nil {
		return unauthorized("the signature is not that of key %q", limit(kid, 64))
	}
	if channelID != Channel {
		return forbidden("the activity is of the channel %q, not of Teams", limit(channelID, 40))
	}
	if !slices.Contains(k.endorsements, channelID) {
		return forbidden("the key is not endorsed for the channel %q", channelID)
	}
	if trimSlash(c.ServiceURL) != trimSlash(serviceURL) {
		return forbidden("the token is for another serviceUrl than the activity's")
	}
	if err := v.hosts.check(serviceURL); err != nil {
		return forbidden("serviceUrl: %v", err)
	}
	return nil
}

// claims are those that are looked at. An aud that is an array does not decode: the Bot
// Connector sends one string, and a token for several is not meant for this bot alone.
type claims struct {
	Issuer     string   `json:"iss"`
	Audience   string   `json:"aud"`
	ServiceURL string   `json:"serviceurl"`
	Expires    *float64 `json:"exp"` // Unix time in seconds
	NotBefore  *float64 `json:"nbf"`
}

// The parser's own validation is off: check is stricter, and gives the reason.

func (c *claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (c *claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (c *claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (c *claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *claims) GetSubject() (string, error)                  { return "", nil }
func (c *claims) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{c.Audience}, nil }

func (v *Verifier) check(c claims) error {
	now := float64(v.now().Unix())
	switch {
	case c.Issuer != v.issuer:
		return unauthorized("iss is %q, not %q", limit(c.Issuer, 80), v.issuer)
	case v.appID == "" || c.Audience != v.appID && c.Audience != "api://"+v.appID && c.Audience != "api://botid-"+v.appID:
		return unauthorized("aud is not this bot")
	case c.Expires == nil:
		return unauthorized("has no exp")
	case now > *c.Expires+skew.Seconds():
		return unauthorized("expired")
	case c.NotBefore == nil:
		return unauthorized("has no nbf")
	case now < *c.NotBefore-skew.Seconds():
		return unauthorized("is not valid yet")
	case c.ServiceURL == "":
		return unauthorized("has no serviceurl")
	}
	return nil
}
