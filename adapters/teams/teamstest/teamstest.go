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
	"fmt"
	"html"
	"io"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
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

// Person is somebody in Teams.
type Person struct{ ID, Object, Name string }

// Chat is the id of their private chat with the bot.
func (p Person) Chat() string { return "a:chat-" + strings.TrimPrefix(p.ID, "29:") }

// User makes a person of a name; the same one for the same name.
func User(name string) Person {
	sum := 0
	for _, r := range name {
		sum = (sum*31 + int(r)) % 1_000_000_000_000
	}
	return Person{ID: "29:" + strings.ToLower(strings.ReplaceAll(name, " ", "-")), Object: fmt.Sprintf("33333333-3333-3333-3333-%012d", sum), Name: name}
}

// Message is what stands in a conversation now.
type Message struct {
	Conversation string // with ;messageid= in a channel
	ID           string
	Versions     int // how often it was written
	Deleted      bool
	Activity     map[string]any
}

// Card is the message's Adaptive Card, or nil.
func (m Message) Card() map[string]any {
	list, _ := m.Activity["attachments"].([]any)
	for _, a := range list {
		if c, ok := a.(map[string]any)["content"].(map[string]any); ok {
			return c
		}
	}
	return nil
}

// Text is all that a person reads of a message.
func (m Message) Text() string {
	text, _ := m.Activity["text"].(string)
	return strings.TrimSpace(text + "\n" + Read(m.Card()))
}

// Read is all the text of a card, a line for each block.
func Read(v any) string {
	var lines []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			switch v["type"] {
			case "RichTextBlock":
				line := ""
				for _, r := range v["inlines"].([]any) {
					line += r.(map[string]any)["text"].(string)
				}
				lines = append(lines, line)
				return
			case "TextBlock":
				lines = append(lines, v["text"].(string))
			case "FactSet":
				for _, f := range v["facts"].([]any) {
					f := f.(map[string]any)
					lines = append(lines, f["title"].(string)+": "+f["value"].(string))
				}
			case "Action.Execute", "Action.Submit", "Action.ShowCard", "Action.OpenUrl":
				lines = append(lines, "["+v["title"].(string)+"]")
				walk(v["card"])
				return
			}
			for _, key := range []string{"body", "items", "actions"} {
				walk(v[key])
			}
		}
	}
	walk(v)
	return strings.Join(lines, "\n")
}

// Button finds the action of a title anywhere in a card, or nil.
func Button(v any, title string) map[string]any {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if a := Button(x, title); a != nil {
				return a
			}
		}
	case map[string]any:
		if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Action.") && v["title"] == title && kind != "Action.ShowCard" {
			return v
		}
		for key, x := range v {
			if key == "fallback" {
				continue
			}
			if a := Button(x, title); a != nil {
				return a
			}
		}
	}
	return nil
}

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
func (f *Fake) ServiceURL() string  { return f.server.URL + "/emea/" }
func (f *Fake) LoginURL() string    { return f.server.URL + "/login" }
func (f *Fake) MetadataURL() string { return f.server.URL + "/metadata" }
func (f *Fake) Host() string        { return strings.TrimPrefix(f.server.URL, "http://") }

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
func (f *Fake) Tokens() int  { f.mu.Lock(); defer f.mu.Unlock(); return f.tokens }

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

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case path == "/metadata" || path == "/keys":
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.Outage {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if path == "/metadata" {
			f.fetches++
			answer(w, http.StatusOK, map[string]any{"issuer": Issuer, "jwks_uri": f.server.URL + "/keys"})
			return
		}
		answer(w, http.StatusOK, map[string]any{"keys": f.listed})
	case path == "/login/"+Tenant+"/oauth2/v2.0/token":
		f.giveToken(w, r)
	case strings.HasPrefix(path, "/emea/v3/"):
		f.mu.Lock()
		f.calls = append(f.calls, r.Method+" "+path)
		good := f.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		script := f.Script
		f.mu.Unlock()
		if !good {
			refuse(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		if script != nil && script(w, r) {
			return
		}
		f.connect(w, r, strings.Split(strings.TrimPrefix(path, "/emea/v3/"), "/"))
	default:
		http.NotFound(w, r)
	}
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

func (f *Fake) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_id") != AppID || r.PostFormValue("client_secret") != f.Secret || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != Issuer+"/.default" {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens++
	token := fmt.Sprintf("bot-token-%d", f.tokens)
	f.issued[token] = true
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": token, "expires_in": 3600})
}

// Revoke makes every token that was given out useless.
func (f *Fake) Revoke() { f.mu.Lock(); defer f.mu.Unlock(); clear(f.issued) }

// maxMessage is Teams' limit.
const maxMessage = 100 << 10

func (f *Fake) connect(w http.ResponseWriter, r *http.Request, parts []string) {
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil {
			refuse(w, http.StatusBadRequest, "BadPath")
			return
		}
		parts[i] = s
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxMessage+1))
	if len(body) > maxMessage {
		refuse(w, http.StatusRequestEntityTooLarge, "MessageSizeTooBig")
		return
	}
	var act map[string]any
	if len(body) > 0 && json.Unmarshal(body, &act) != nil {
		refuse(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && len(parts) == 1 && parts[0] == "conversations":
		f.create(w, act)
	case r.Method == http.MethodGet && len(parts) == 3 && parts[0] == "conversations" && parts[2] == "pagedmembers":
		f.roster(w, r, parts[1])
	case r.Method == http.MethodGet && len(parts) == 3 && parts[0] == "teams" && parts[2] == "conversations":
		answer(w, http.StatusOK, map[string]any{"conversations": []any{map[string]string{"id": Team}, map[string]string{"id": Channel, "name": "Questions"}}})
	case r.Method == http.MethodPost && len(parts) == 3 && parts[0] == "conversations" && parts[2] == "activities":
		if !f.known[before(parts[1])] {
			refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
			return
		}
		if cut := split(act); cut != nil { // [split]
			for _, part := range cut {
				f.write(parts[1], "", part)
			}
			answer(w, http.StatusAccepted, map[string]string{})
			return
		}
		answer(w, http.StatusCreated, map[string]string{"id": f.write(parts[1], "", act)})
	case r.Method == http.MethodPut && len(parts) == 4 && parts[0] == "conversations" && parts[2] == "activities":
		m := f.messages[parts[3]]
		if !f.known[before(parts[1])] { // [gone]
			refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
			return
		}
		if split(act) != nil { // [split]
			refuse(w, http.StatusBadRequest, "BadSyntax")
			return
		}
		if m == nil || m.Deleted || before(m.Conversation) != before(parts[1]) {
			refuse(w, http.StatusNotFound, "ActivityNotFoundInConversation")
			return
		}
		f.write(m.Conversation, m.ID, act)
		answer(w, http.StatusOK, map[string]string{"id": m.ID})
	default:
		refuse(w, http.StatusNotFound, "NotFound")
	}
}

// create makes a thread in a channel, or gives a private chat.
func (f *Fake) create(w http.ResponseWriter, act map[string]any) {
	if act["isGroup"] != true {
		members, _ := act["members"].([]any)
		if len(members) != 1 || act["tenantId"] != Tenant {
			refuse(w, http.StatusBadRequest, "BadArgument")
			return
		}
		id, _ := members[0].(map[string]any)["id"].(string)
		if !strings.HasPrefix(id, "29:") {
			refuse(w, http.StatusBadRequest, "BadArgument")
			return
		}
		chat := (Person{ID: id}).Chat()
		f.known[chat] = true
		answer(w, http.StatusCreated, map[string]string{"id": chat})
		return
	}
	data, _ := act["channelData"].(map[string]any)
	channel, _ := data["channel"].(map[string]any)
	id, _ := channel["id"].(string)
	first, _ := act["activity"].(map[string]any)
	if id == "" || first == nil {
		refuse(w, http.StatusBadRequest, "BadArgument")
		return
	}
	if !f.known[id] {
		refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
		return
	}
	if cut := split(first); cut != nil { // [split]; whether the card follows is not documented
		first = cut[0]
	}
	message := f.write(id, "", first)
	answer(w, http.StatusCreated, map[string]string{"id": id + ";messageid=" + message, "activityId": message})
}

// split is what Teams makes of an activity with text and a card, or nil.
func split(act map[string]any) []map[string]any {
	text, _ := act["text"].(string)
	list, _ := act["attachments"].([]any)
	if text == "" || len(list) == 0 {
		return nil
	}
	first, second := map[string]any{}, map[string]any{}
	for k, v := range act {
		first[k], second[k] = v, v
	}
	delete(first, "attachments")
	delete(second, "text")
	return []map[string]any{first, second}
}

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

// roster gives two members a page.
func (f *Fake) roster(w http.ResponseWriter, r *http.Request, conversation string) {
	if conversation != Channel && conversation != Team {
		refuse(w, http.StatusNotFound, "ConversationNotFound")
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continuationToken"))
	page := map[string]any{}
	var list []any
	for i := from; i < len(f.members) && i < from+2; i++ {
		m := f.members[i]
		role := "user"
		if slices.Contains(f.guests, m) {
			role = "guest"
		}
		list = append(list, map[string]string{"id": m.ID, "name": m.Name, "objectId": m.Object, "tenantId": Tenant, "userRole": role})
	}
	if from+2 < len(f.members) {
		page["continuationToken"] = strconv.Itoa(from + 2)
	}
	page["members"] = list
	answer(w, http.StatusOK, page)
}

// Members changes who is in the comms team.
func (f *Fake) Members(comms ...Person) { f.mu.Lock(); defer f.mu.Unlock(); f.members = comms }

// Guests says who of the comms team are guests.
func (f *Fake) Guests(list ...Person) { f.mu.Lock(); defer f.mu.Unlock(); f.guests = list }

// write puts a message into a conversation, or replaces one. The caller holds mu.
func (f *Fake) write(conversation, id string, act map[string]any) string {
	if id == "" {
		f.count++
		id = strconv.Itoa(f.count)
		if strings.HasPrefix(conversation, "19:") && !strings.Contains(conversation, ";messageid=") {
			conversation += ";messageid=" + id
		}
		f.messages[id] = &Message{Conversation: conversation, ID: id}
		f.order = append(f.order, id)
	}
	m := f.messages[id]
	m.Activity = act
	m.Versions++
	close(f.changed)
	f.changed = make(chan struct{})
	return id
}

func before(conversation string) string {
	s, _, _ := strings.Cut(conversation, ";")
	return s
}

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

// activity is what all that a person does has.
func (f *Fake) activity(p Person, kind, conversation string) map[string]any {
	f.mu.Lock()
	f.count++
	id := fmt.Sprintf("activity-%d", f.count)
	f.known[before(conversation)] = true
	f.mu.Unlock()
	c := map[string]any{"id": conversation, "tenantId": Tenant, "conversationType": "personal"}
	data := map[string]any{"tenant": map[string]any{"id": Tenant}}
	if strings.HasPrefix(conversation, "19:") {
		c["conversationType"], c["isGroup"] = "groupChat", true
		if strings.Contains(conversation, "@thread.tacv2") {
			c["conversationType"] = "channel"
			data["channel"] = map[string]any{"id": before(conversation)}
			data["team"] = map[string]any{"id": "19:some-team@thread.tacv2"}
			if before(conversation) == Channel {
				data["team"] = map[string]any{"id": Team}
			}
		}
	}
	return map[string]any{"type": kind, "id": id, "channelId": "msteams", "serviceUrl": f.ServiceURL(), "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"from": map[string]any{"id": p.ID, "aadObjectId": p.Object, "name": p.Name}, "recipient": map[string]any{"id": BotID, "name": "Canteen"},
		"conversation": c, "channelData": data}
}

// Say is a message in a person's private chat.
func (f *Fake) Say(p Person, text string) map[string]any {
	a := f.activity(p, "message", p.Chat())
	a["text"], a["textFormat"] = text, "plain"
	return a
}

// Overhear is a message in a channel or a group chat that mentions nobody.
func (f *Fake) Overhear(p Person, conversation, text string) map[string]any {
	a := f.activity(p, "message", conversation)
	a["text"] = text
	return a
}

// Mention is a message in a channel or a group chat that mentions the bot.
func (f *Fake) Mention(p Person, conversation, text string) map[string]any {
	a := f.Overhear(p, conversation, "<at>Canteen</at>&nbsp;"+text)
	a["entities"] = []any{map[string]any{"type": "mention", "text": "<at>Canteen</at>", "mentioned": map[string]any{"id": BotID, "name": "Canteen"}}}
	return a
}

// Quote makes a message one that quotes another of that conversation, in the newer shape
// [quote].
func Quote(a map[string]any, id, preview string) map[string]any {
	a["text"] = `<quoted messageId="` + id + `"/> ` + a["text"].(string)
	list, _ := a["entities"].([]any)
	a["entities"] = append(list, map[string]any{"type": "quotedReply", "quotedReply": map[string]any{"messageId": id, "preview": preview}})
	return a
}

// QuoteInHTML is Quote in the older shape: plain text of all, and beside it the html [quote].
func QuoteInHTML(a map[string]any, quoted string) map[string]any {
	said := a["text"].(string)
	a["text"] = "Canteen\n" + quoted + "\r\n" + said
	a["attachments"] = []any{map[string]any{"contentType": "text/html", "content": `<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="1712"><strong itemprop="mri">Canteen</strong><span itemprop="time"></span><p itemprop="preview">` + html.EscapeString(quoted) + `</p></blockquote><p>` + html.EscapeString(said) + `</p>`}}
	return a
}

// Mentioning adds another person's mention at the end of a message.
func Mentioning(a map[string]any, p Person) map[string]any {
	at := "<at>" + p.Name + "</at>"
	a["text"] = a["text"].(string) + " " + at
	list, _ := a["entities"].([]any)
	a["entities"] = append(list, map[string]any{"type": "mention", "text": at, "mentioned": map[string]any{"id": p.ID, "name": p.Name}})
	return a
}

// Edit is what comes when a message is edited, Undelete when it is brought back, Erase
// when it is deleted [edit]: with the message's own id.
func Edit(a map[string]any, text string) map[string]any {
	return event(a, "messageUpdate", "editMessage", text)
}

// Undelete is described at Edit.
func Undelete(a map[string]any) map[string]any {
	return event(a, "messageUpdate", "undeleteMessage", a["text"].(string))
}

// Erase is described at Edit.
func Erase(a map[string]any) map[string]any {
	return event(a, "messageDelete", "softDeleteMessage", "")
}

func event(a map[string]any, kind, what, text string) map[string]any {
	b := maps.Clone(a)
	data := maps.Clone(a["channelData"].(map[string]any))
	data["eventType"] = what
	b["type"], b["channelData"], b["text"] = kind, data, text
	delete(b, "attachments")
	return b
}

// Install is what comes when the app is added to a private chat or a team.
func (f *Fake) Install(p Person, conversation string) []map[string]any {
	first := f.activity(p, "installationUpdate", conversation)
	first["action"] = "add"
	second := f.activity(p, "conversationUpdate", conversation)
	second["membersAdded"] = []any{map[string]any{"id": BotID}}
	if conversation == Team {
		for _, a := range []map[string]any{first, second} {
			a["channelData"].(map[string]any)["team"] = map[string]any{"id": Team}
		}
		f.mu.Lock()
		f.known[Channel] = true
		f.mu.Unlock()
	}
	return []map[string]any{first, second}
}

// Invoke is an invoke of a name.
func (f *Fake) Invoke(p Person, conversation, name string, value any) map[string]any {
	a := f.activity(p, "invoke", conversation)
	a["name"], a["value"] = name, value
	return a
}

// Press is what comes when a person uses a button of a card in a conversation: an
// adaptiveCard/action, or the task/fetch of one that opens a dialog.
func (f *Fake) Press(t testing.TB, p Person, m Message, title string) map[string]any {
	t.Helper()
	b := Button(m.Card(), title)
	if b == nil {
		t.Fatalf("there is no button %q in:\n%s", title, m.Text())
	}
	var a map[string]any
	if b["type"] == "Action.Execute" {
		a = f.Invoke(p, m.Conversation, "adaptiveCard/action", map[string]any{"action": b, "trigger": "manual"})
	} else {
		a = f.Invoke(p, m.Conversation, "task/fetch", map[string]any{"data": b["data"]})
	}
	a["replyToId"] = m.ID
	return a
}

// Answer is the bot's own to an activity.
type Answer struct {
	Status int
	Body   map[string]any
}

// Dialog is the card of a dialog that an answer opens, or nil; Told is the
// sentence that it says.
func (a Answer) Dialog() map[string]any {
	task, _ := a.Body["task"].(map[string]any)
	value, _ := task["value"].(map[string]any)
	attachment, _ := value["card"].(map[string]any)
	content, _ := attachment["content"].(map[string]any)
	return content
}

// Told is the sentence of an answer without a card.
func (a Answer) Told() string {
	if s, ok := a.Body["value"].(string); ok {
		return s
	}
	task, _ := a.Body["task"].(map[string]any)
	s, _ := task["value"].(string)
	return s
}

// Fill is what comes when a person fills in the form of a dialog and submits it.
func (f *Fake) Fill(t testing.TB, p Person, conversation string, form Answer, submit string, fields map[string]string) map[string]any {
	t.Helper()
	b := Button(form.Dialog(), submit)
	if b == nil {
		t.Fatalf("no form with the button %q was opened: %v", submit, form.Body)
	}
	data := map[string]any{}
	for k, v := range b["data"].(map[string]any) {
		data[k] = v
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Input.") {
				data[v["id"].(string)] = v["value"]
				if v["value"] == nil {
					data[v["id"].(string)] = ""
				}
			}
			walk(v["body"])
			walk(v["items"])
		}
	}
	walk(form.Dialog())
	for k, v := range fields {
		data[k] = v
	}
	return f.Invoke(p, conversation, "task/submit", map[string]any{"data": data})
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

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked is gone otherwise
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": code}})
}

// Ours makes every tenant in a recorded activity the bot's own, so that it is not
// skipped as foreign.
func Ours(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			Ours(x)
		}
	case map[string]any:
		for key, x := range v {
			if key == "tenantId" {
				v[key] = Tenant
			}
			if tenant, ok := x.(map[string]any); ok && key == "tenant" {
				tenant["id"] = Tenant
			}
			Ours(v[key])
		}
	}
}
