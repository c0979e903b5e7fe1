// Package teamstest is Microsoft Teams for tests: a Bot Connector and an identity
// platform on a loopback port, with people who write, press and fill in forms.
//
// It refuses what the real ones refuse: a request without a token that it gave
// out, an unknown conversation, a message over 100 KB, a path of the wrong parts.
// Where it is as unkind as Teams, a comment says where that is documented:
//
//	[split]  learn.microsoft.com, Teams, "Format your bot messages" and "Update and
//	         delete messages": an activity with text and a card becomes two messages,
//	         is answered without an id, and cannot be updated (400 BadSyntax,
//	         "Activity resulted into multiple skype activities"). Seen in Microsoft
//	         365 Agents Playground 0.2.28; OfficeDev/BotBuilder-MicrosoftTeams#125, #126.
//	[gone]   "Status codes from bot APIs": 403 where the app was removed, blocked or
//	         the bot is no member (BotNotInConversationRoster, MessageWritesBlocked);
//	         404 where the message or conversation is gone.
//	[quote]  Teams SDK, "Quoted replies": <quoted messageId="…"/> with an entity of
//	         type quotedReply; before, an html attachment with a blockquote of
//	         itemtype http://schema.skype.com/Reply beside its plain form.
//	[edit]   "Conversation events": messageUpdate with eventType editMessage or
//	         undeleteMessage, messageDelete with softDeleteMessage.
//	[refresh] "Up to date cards": userIds takes at most 60; for all others the card
//	         has a "Refresh card" in its menu.
package teamstest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The bot, its tenant, and the comms team's channel.
const (
	AppID   = "22222222-2222-2222-2222-222222222222"
	BotID   = "28:" + AppID
	Tenant  = "11111111-1111-1111-1111-111111111111"
	Team    = "19:comms-team@thread.tacv2"
	Channel = "19:comms-channel@thread.tacv2"
)

// Fake is the platform. Its methods are safe for concurrent use.
type Fake struct {
	Secret string
	// Endpoint is where the bot takes activities; Connect sets it.
	Endpoint string
	// Script, when set, may answer a connector's request in its place: it returns
	// true when it did.
	Script func(w http.ResponseWriter, r *http.Request) bool
	// Outage makes the metadata and the keys answer 503.
	Outage bool

	server *httptest.Server
	key    *rsa.PrivateKey

	mu       sync.Mutex
	changed  chan struct{}
	kid      string
	listed   []any // keys
	issued   map[string]bool
	count    int
	order    []string
	messages map[string]*Message
	known    map[string]bool // conversations that the bot is in
	members  []Person        // of the comms team
	guests   []Person        // those of them who are guests
	calls    []string
	fetches  int
	tokens   int
}

// New starts a platform with a comms team of these people, and ends it with the
// test.
func New(t testing.TB, comms ...Person) *Fake {
	t.Helper()
	secret := make([]byte, 16)
	_, _ = rand.Read(secret)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := &Fake{Secret: base64.RawURLEncoding.EncodeToString(secret), key: key, kid: "first", changed: make(chan struct{}), issued: map[string]bool{},
		messages: map[string]*Message{}, known: map[string]bool{}, members: comms, count: 1_000}
	f.List(f.kid, &key.PublicKey, "msteams")
	f.server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.server.Close)
	return f
}

// Connect serves a bot's handler for the time of the test.
func (f *Fake) Connect(t testing.TB, handler http.Handler) {
	bot := httptest.NewServer(handler)
	t.Cleanup(bot.Close)
	f.Endpoint = bot.URL + "/api/messages"
}

// The addresses for the bot's settings.
func (f *Fake) ServiceURL() string { return f.server.URL + "/emea/" }

func (f *Fake) LoginURL() string { return f.server.URL + "/login" }

func (f *Fake) MetadataURL() string { return f.server.URL + "/metadata" }

func (f *Fake) Host() string { return strings.TrimPrefix(f.server.URL, "http://") }

// Issuer is who signs the tokens.
const Issuer = "https://api.botframework.com"

// List adds a signing key to those that the platform publishes.
func (f *Fake) List(kid string, key *rsa.PublicKey, endorsements ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed = append(f.listed, map[string]any{"kty": "RSA", "use": "sig", "kid": kid, "endorsements": endorsements,
		"n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())})
}

// Rotate takes all keys away and signs by a new one.
func (f *Fake) Rotate(t testing.TB, kid string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.key, f.kid, f.listed = key, kid, nil
	f.mu.Unlock()
	f.List(kid, &key.PublicKey, "msteams")
}

// Key is the key that signs now.
func (f *Fake) Key() *rsa.PrivateKey {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key
}

// Fetches is how often the metadata was asked for, Tokens how many the bot got.
func (f *Fake) Fetches() int { f.mu.Lock(); defer f.mu.Unlock(); return f.fetches }

func (f *Fake) Tokens() int { f.mu.Lock(); defer f.mu.Unlock(); return f.tokens }

// Calls are the connector's requests, as "METHOD /escaped/path".
func (f *Fake) Calls() []string { f.mu.Lock(); defer f.mu.Unlock(); return slices.Clone(f.calls) }

// Claims are those of a good token at a time.
func (f *Fake) Claims(now time.Time) jwt.MapClaims {
	return jwt.MapClaims{"iss": Issuer, "aud": AppID, "serviceurl": f.ServiceURL(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
}

// Sign makes a token of claims, by the key that signs now.
func (f *Fake) Sign(claims jwt.Claims) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = f.kid
	s, err := token.SignedString(f.key)
	if err != nil {
		panic(err) // the key is ours
	}
	return s
}

// SetScript changes Script while requests come.
func (f *Fake) SetScript(s func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Script = s
}

// SetOutage changes Outage while requests come.
func (f *Fake) SetOutage(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.Outage = on
}

// Revoke makes every token that was given out useless.
func (f *Fake) Revoke() { f.mu.Lock(); defer f.mu.Unlock(); clear(f.issued) }

// Remove takes the bot out of a conversation: the app is removed, blocked, or the bot
// has left [gone].
func (f *Fake) Remove(conversation string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.known, before(conversation))
}

// Delete takes a message away [gone].
func (f *Fake) Delete(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages[id].Deleted = true
}

// Members changes who is in the comms team.
func (f *Fake) Members(comms ...Person) { f.mu.Lock(); defer f.mu.Unlock(); f.members = comms }

// Guests says who of the comms team are guests.
func (f *Fake) Guests(list ...Person) { f.mu.Lock(); defer f.mu.Unlock(); f.guests = list }

// Messages are those of a conversation that the bot wrote, oldest first; of a
// channel in all its threads.
func (f *Fake) Messages(conversation string) []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.of(conversation)
}

func (f *Fake) of(conversation string) []Message {
	var list []Message
	for _, id := range f.order {
		if m := f.messages[id]; !m.Deleted && (m.Conversation == conversation || before(m.Conversation) == conversation) {
			list = append(list, *m)
		}
	}
	return list
}

// Await waits until a message of a conversation says all of the words, and gives
// the latest such.
func (f *Fake) Await(t testing.TB, conversation string, words ...string) Message {
	t.Helper()
	for {
		f.mu.Lock()
		list, changed := f.of(conversation), f.changed
		f.mu.Unlock()
		for _, m := range slices.Backward(list) {
			text := m.Text()
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				return m
			}
		}
		select {
		case <-changed:
		case <-time.After(2 * time.Minute): // on a machine under load
			said := ""
			for _, m := range list {
				said += "\n---\n" + m.Text()
			}
			t.Fatalf("%s never says %q; it says:%s", conversation, words, said)
		}
	}
}

// Deliver brings an activity to the bot with a good token.
func (f *Fake) Deliver(t testing.TB, activity map[string]any) Answer {
	t.Helper()
	return f.DeliverAs(t, activity, "Bearer "+f.Sign(f.Claims(time.Now())))
}

// DeliverAs brings an activity with an Authorization header of one's own.
func (f *Fake) DeliverAs(t testing.TB, activity any, authorization string) Answer {
	t.Helper()
	body, err := json.Marshal(activity)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.Endpoint, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &a.Body); err != nil {
			t.Fatal(err)
		}
	}
	return a
}
