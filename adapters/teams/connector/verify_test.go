package connector_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"canteen/adapters/teams/connector"
	"canteen/adapters/teams/teamstest"
)

// inbound is a Verifier beside the fake platform that signs for it.
type inbound struct {
	*teamstest.Fake
	*connector.Verifier
	at time.Time
}

func newInbound(t testing.TB) *inbound {
	in := &inbound{Fake: teamstest.New(t), at: time.Now()}
	c := config(in.Fake)
	c.Now = func() time.Time { return in.at }
	in.Verifier = connector.NewVerifier(c)
	return in
}

// status is that by which a header is refused, or 200.
func (in *inbound) status(t testing.TB, header string) int {
	t.Helper()
	return statusOf(t, in.Verify(t.Context(), header, connector.Channel, in.ServiceURL()))
}

func statusOf(t testing.TB, err error) int {
	t.Helper()
	var refused *connector.Refused
	switch {
	case err == nil:
		return 200
	case !errors.As(err, &refused):
		t.Fatalf("error %v, not Refused", err)
	}
	return refused.Status
}

func (in *inbound) good() string { return "Bearer " + in.Sign(in.Claims(in.at)) }

// The whole table of tokens: what is refused, by which status and for which reason.
func TestVerify(t *testing.T) {
	in := newInbound(t)
	strange := newKey(t)
	in.List("web", &strange.PublicKey, "webchat")
	claims := func(change func(jwt.MapClaims)) string {
		c := in.Claims(in.at)
		change(c)
		return "Bearer " + in.Sign(c)
	}
	set := func(name string, value any) string { return claims(func(c jwt.MapClaims) { c[name] = value }) }
	without := func(name string) string { return claims(func(c jwt.MapClaims) { delete(c, name) }) }
	unix := func(d time.Duration) int64 { return in.at.Add(d).Unix() }
	signed := func(method jwt.SigningMethod, key any, kid string) string {
		token := jwt.NewWithClaims(method, in.Claims(in.at))
		if kid != "" {
			token.Header["kid"] = kid
		}
		s, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + s
	}
	// The classic: the public key taken for an HMAC secret.
	confused := func() string {
		part := func(v any) string { b, _ := json.Marshal(v); return base64.RawURLEncoding.EncodeToString(b) }
		head := part(map[string]string{"alg": "HS256", "kid": "first"}) + "." + part(in.Claims(in.at))
		mac := hmac.New(sha256.New, in.Key().N.Bytes())
		mac.Write([]byte(head))
		return "Bearer " + head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	const elsewhere = "https://smba.trafficmanager.net/uk/"
	for _, c := range []struct {
		name, header     string
		channel, service string // "": those of the platform
		status           int
		why              string
	}{
		{"good", in.good(), "", "", 200, ""},
		{"scheme in lower case", "bearer" + strings.TrimPrefix(in.good(), "Bearer"), "", "", 200, ""},
		{"no header", "", "", "", 401, "no Bearer token"},
		{"no scheme", strings.TrimPrefix(in.good(), "Bearer "), "", "", 401, "no Bearer token"},
		{"basic", "Basic YTpi", "", "", 401, "no Bearer token"},
		{"scheme alone", "Bearer ", "", "", 401, "no Bearer token"},
		{"rubbish", "Bearer a.b.c", "", "", 401, "not a token"},
		{"100 KB header", "Bearer " + strings.Repeat("a", 100<<10), "", "", 401, "longer than"},
		{"no iss", without("iss"), "", "", 401, "iss is"},
		{"wrong iss", set("iss", "https://sts.windows.net/x/"), "", "", 401, "iss is"},
		{"iss a number", set("iss", 7), "", "", 401, "not a token"},
		{"no aud", without("aud"), "", "", 401, "aud is not this bot"},
		{"wrong aud", set("aud", "33333333-2222-2222-2222-222222222222"), "", "", 401, "aud is not this bot"},
		{"array aud", set("aud", []string{teamstest.AppID}), "", "", 401, "aud"},
		{"api aud", set("aud", "api://"+teamstest.AppID), "", "", 200, ""},
		{"botid aud", set("aud", "api://botid-"+teamstest.AppID), "", "", 200, ""},
		{"no exp", without("exp"), "", "", 401, "has no exp"},
		{"exp a word", set("exp", "never"), "", "", 401, "not a token"},
		{"expired", set("exp", unix(-6*time.Minute)), "", "", 401, "expired"},
		{"expired within the skew", set("exp", unix(-4*time.Minute)), "", "", 200, ""},
		{"no nbf", without("nbf"), "", "", 401, "has no nbf"},
		{"not yet", set("nbf", unix(6*time.Minute)), "", "", 401, "not valid yet"},
		{"not yet within the skew", set("nbf", unix(4*time.Minute)), "", "", 200, ""},
		{"no serviceurl", without("serviceurl"), "", "", 401, "no serviceurl"},
		{"serviceurl an object", set("serviceurl", map[string]any{}), "", "", 401, "not a token"},
		{"another serviceUrl", set("serviceurl", elsewhere), "", "", 403, "another serviceUrl"},
		{"a serviceUrl that is not allowed", set("serviceurl", "https://evil.trafficmanager.net/"), "", "https://evil.trafficmanager.net/", 403, "none of the allowed"},
		{"a serviceUrl with a password", set("serviceurl", "https://a:b@"+in.Host()), "", "https://a:b@" + in.Host(), 403, "not a plain address"},
		{"slash at the end", set("serviceurl", strings.TrimRight(in.ServiceURL(), "/")), "", "", 200, ""},
		{"alg none", signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "first"), "", "", 401, "signed by"},
		{"HS256 with the public key", confused(), "", "", 401, "signed by"},
		{"PS256", signed(jwt.SigningMethodPS256, in.Key(), "first"), "", "", 401, "signed by"},
		{"RS512", signed(jwt.SigningMethodRS512, in.Key(), "first"), "", "", 200, ""},
		{"no kid", signed(jwt.SigningMethodRS256, in.Key(), ""), "", "", 401, "names no key"},
		{"unknown kid", signed(jwt.SigningMethodRS256, strange, "nobody's"), "", "", 401, "not listed"},
		{"another's signature", signed(jwt.SigningMethodRS256, strange, "first"), "", "", 401, "signature"},
		{"a key of another channel", signed(jwt.SigningMethodRS256, strange, "web"), "", "", 403, "not endorsed"},
		{"another channel by its own key", signed(jwt.SigningMethodRS256, strange, "web"), "webchat", "", 403, "not of Teams"},
		{"another channel", in.good(), "webchat", "", 403, "not of Teams"},
	} {
		t.Run(c.name, func(t *testing.T) {
			channel, service := connector.Channel, in.ServiceURL()
			if c.channel != "" {
				channel = c.channel
			}
			if c.service != "" {
				service = c.service
			}
			err := in.Verify(t.Context(), c.header, channel, service)
			if got := statusOf(t, err); got != c.status || err != nil && !strings.Contains(err.Error(), c.why) {
				t.Errorf("status %d, want %d for %q: %v", got, c.status, c.why, err)
			}
		})
	}
}

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyRotation(t *testing.T) {
	in := newInbound(t)
	try := func(want int) {
		t.Helper()
		if got := in.status(t, in.good()); got != want {
			t.Errorf("status %d, want %d", got, want)
		}
	}
	try(200)
	in.Rotate(t, "second")
	try(401) // looked for within minutes of the last fetch: a forger could make it many
	if n := in.Fetches(); n != 1 {
		t.Errorf("an unknown key was fetched for at once: %d fetches", n)
	}
	in.at = in.at.Add(6 * time.Minute)
	try(200)
	try(200)
	if n := in.Fetches(); n != 2 {
		t.Errorf("%d fetches for one rotation", n-1)
	}
	// With the metadata away, the keys that are known go on for as long as it takes.
	in.SetOutage(true)
	for range 2 {
		in.at = in.at.Add(30 * time.Hour)
		try(200)
		if err := in.LoadKeys(t.Context()); err == nil {
			t.Error("old keys that cannot be fetched anew are no error")
		}
		try(200)
	}
	// A key that is not known cannot be told from a forged one.
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, in.Claims(in.at))
	token.Header["kid"] = "third"
	s, err := token.SignedString(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := in.status(t, "Bearer "+s); got != 401 {
		t.Errorf("status %d", got)
	}
}

// Keys are fetched anew after a day, and one that is listed no more is out.
func TestKeysAreFetchedDaily(t *testing.T) {
	in := newInbound(t)
	old := in.Key()
	load := func(fetches int) {
		t.Helper()
		if err := in.LoadKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := in.Fetches(); n != fetches {
			t.Errorf("%d fetches, want %d", n, fetches)
		}
	}
	load(1)
	load(1)
	in.Rotate(t, "second")
	in.at = in.at.Add(23 * time.Hour)
	load(1)
	in.at = in.at.Add(2 * time.Hour)
	load(2)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, in.Claims(in.at))
	token.Header["kid"] = "first"
	s, err := token.SignedString(old)
	if err != nil {
		t.Fatal(err)
	}
	if got := in.status(t, "Bearer "+s); got != 401 {
		t.Errorf("status %d for a key that was taken away", got)
	}
}

// Without keys the service is asked to send again, and whoever waits for a fetch waits no
// longer than its own context.
func TestNoKeys(t *testing.T) {
	in := newInbound(t)
	in.SetOutage(true)
	if got := in.status(t, in.good()); got != 503 {
		t.Errorf("status %d", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := statusOf(t, in.Verify(ctx, in.good(), connector.Channel, in.ServiceURL())); got != 503 {
		t.Errorf("status %d for who does not wait", got)
	}
	in.SetOutage(false)
	if got := in.status(t, in.good()); got != 503 {
		t.Errorf("status %d: fetched again within seconds", got)
	}
	in.at = in.at.Add(11 * time.Second)
	if got := in.status(t, in.good()); got != 200 {
		t.Errorf("status %d after the outage", got)
	}
}

func FuzzVerify(f *testing.F) {
	in := newInbound(f)
	good := in.Sign(in.Claims(in.at))
	f.Add("Bearer " + good)
	f.Add("Bearer e30.e30.")
	parts := strings.Split(good, ".")
	for _, claims := range []string{`{"aud":["x"]}`, `{"iss":null}`, `{"exp":1e400}`, `[]`, `null`, `{"iss":"https://api.botframework.com","aud":"` + teamstest.AppID + `","exp":1e308,"nbf":-1e308,"serviceurl":"x"}`} {
		f.Add("Bearer " + parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + parts[2])
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := in.status(t, header); got == 200 && !strings.HasSuffix(strings.TrimSpace(header), good) {
			t.Errorf("taken for good: %q", header)
		}
	})
}
