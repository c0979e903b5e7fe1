// Package slacktest is a small Slack: its Web API, Socket Mode and signed HTTP
// delivery, with one workspace in it. It holds a client to what Slack holds it to
// (tokens, sizes, known fields, membership), fails by script, sends again what is
// not acknowledged, and lets a test read a channel as a person would.
//
// Where it is as unkind as Slack, a comment says where that is documented or was seen:
//
//	[trigger]   docs.slack.dev, "Handling user interaction": a trigger_id is good once,
//	            for 3 seconds.
//	[ephemeral] docs.slack.dev, chat.postEphemeral: "thread_ts … an ephemeral message in a
//	            thread that has no replies is not shown".
//	[members]   docs.slack.dev, conversations.members: pages of at most 1,000, "limit"
//	            at most; Tier 4.
//	[disabled]  docs.slack.dev, conversations.open and chat.postMessage: user_disabled.
//	[change]    docs.slack.dev, events message_changed and message_deleted.
//	[file]      slackapi/bolt-python#925: a mention with a file comes as message with
//	            subtype file_share, and as no app_mention.
//	[connect]   docs.slack.dev, "Slack Connect": user_team, source_team and
//	            is_ext_shared_channel; users.info has is_stranger, is_restricted,
//	            is_ultra_restricted, team_id.
//
// slacktest.go has the workspace and what people see; api.go the Web API; deliver.go
// how events reach the app; people.go what people do.
package slacktest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Slack is one workspace with one app in it. Its tokens and its secret are made
// for each one.
type Slack struct {
	URL           string // of the Web API, with the trailing slash
	BotToken      string
	AppToken      string
	SigningSecret string
	TeamID        string
	BotUser       string
	// Events is where the app takes events over HTTP; empty is Socket Mode.
	Events string
	// Check, when set before use, may refuse "blocks" and "view" as JSON.
	Check func(kind string, data []byte) error

	t      testing.TB
	server *httptest.Server
	client *http.Client

	mu       sync.Mutex
	changed  chan struct{} // closed at every change
	clock    int64
	channels map[string]*Channel
	users    map[string]*User
	messages []*Message
	views    []*View
	scripts  map[string][]Failure
	calls    map[string]int
	refusals []string
	sockets  []*socket
	waiting  map[string]*envelope
	scopes   []string
	revoked  bool
	open     map[string]*ticket // response URLs
	triggers map[string]trigger
	// Slow, when set, holds up a call of a method for as long, within the client's
	// patience.
	slow   map[string]time.Duration
	closed chan struct{}
}

// Channel is a conversation.
type Channel struct {
	ID, Name string
	Archived bool
	Private  bool
	Shared   bool // with another organisation [connect]
	Members  []string
}

// User is a person.
type User struct {
	Name     string
	Team     string // "" is the workspace's own [connect]
	Guest    bool
	Disabled bool // deactivated [disabled]
}

// Message is one message as those who may see it see it.
type Message struct {
	Channel, TS, ThreadTS string
	User                  string // who wrote it
	Only                  string // who alone sees it, or ""
	Text                  string
	Blocks                []any
	Key                   string // of the delivery, from the metadata
	Edits                 int
	Gone                  bool
	responseURL           string // of a message that is no message of the API's
}

// View is a modal or a Home tab.
type View struct {
	ID, User, Type, CallbackID, Metadata, Hash string
	Title                                      string
	Blocks                                     []any
	Raw                                        json.RawMessage
}

// Failure is what one call of a method comes to instead of its answer.
type Failure struct {
	Status     int    // of HTTP, or 0
	RetryAfter int    // seconds, with Status 429
	Error      string // with "ok": false
	// Done: the call is carried out all the same, and only its answer is lost.
	Done bool
	// Hang: there is no answer until the client gives up or the test ends.
	Hang bool
}

// New starts a workspace that ends with the test.
func New(t testing.TB) *Slack {
	s := &Slack{t: t, BotToken: "xoxb-" + random(12), AppToken: "xapp-" + random(12), SigningSecret: random(16), TeamID: "T111", BotUser: "UCANTEEN",
		changed: make(chan struct{}), clock: time.Now().Unix() * 1_000_000, channels: map[string]*Channel{}, users: map[string]*User{"UCANTEEN": {Name: "Canteen"}}, slow: map[string]time.Duration{},
		scripts: map[string][]Failure{}, calls: map[string]int{}, waiting: map[string]*envelope{}, closed: make(chan struct{}),
		scopes: []string{"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "reactions:read", "users:read"},
		client: &http.Client{Timeout: patience}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/{method}", s.api)
	mux.HandleFunc("GET /api/{method}", s.api)
	mux.HandleFunc("POST /response/{id}", s.response)
	mux.HandleFunc("GET /socket", s.socket)
	s.server = httptest.NewServer(mux)
	s.URL = s.server.URL + "/api/"
	t.Cleanup(func() {
		close(s.closed)
		s.DropSockets()
		s.server.CloseClientConnections()
		s.server.Close()
		s.client.CloseIdleConnections()
	})
	return s
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

// AddChannel makes a channel; the bot is a member when it is named among them.
func (s *Slack) AddChannel(id, name string, members ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id] = &Channel{ID: id, Name: name, Members: members}
}

// Archive closes a channel, and Leave takes somebody out of it.
func (s *Slack) Archive(id string, archived bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels[id].Archived = archived
}

// Leave takes a user out of a channel.
func (s *Slack) Leave(id, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[id]
	c.Members = slices.DeleteFunc(c.Members, func(m string) bool { return m == user })
}

// AddUser makes a person.
func (s *Slack) AddUser(id, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[id] = &User{Name: name}
}

// Change changes what is known of a person.
func (s *Slack) Change(id string, f func(u *User)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.users[id])
}

// ChangeChannel changes a channel.
func (s *Slack) ChangeChannel(id string, f func(c *Channel)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.channels[id])
}

// Slow makes every call of a method take a while.
func (s *Slack) Slow(method string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow[method] = d
}

// Scopes sets what the bot token may do.
func (s *Slack) Scopes(scopes ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes = scopes
}

// Revoke makes the tokens worthless, or good again.
func (s *Slack) Revoke(revoked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = revoked
}

// Fail makes the next calls of a method fail, each as given.
func (s *Slack) Fail(method string, f ...Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scripts[method] = append(s.scripts[method], f...)
}

// Calls is how often a method was called.
func (s *Slack) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

// Refusals are the calls that broke one of Slack's rules: none is expected.
func (s *Slack) Refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refusals)
}

// Messages are those of a channel that a user sees, oldest first.
func (s *Slack) Messages(channel, user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Message
	for _, m := range s.messages {
		if m.Channel == channel && !m.Gone && !s.unseen(m) && (m.Only == "" || m.Only == user) {
			list = append(list, *m)
		}
	}
	return list
}

// Channels are those of which a user is a member.
func (s *Slack) Channels(user string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for id, ch := range s.channels {
		if slices.Contains(ch.Members, user) {
			list = append(list, id)
		}
	}
	return list
}

// unseen tells the messages to one person that Slack shows to nobody: those into a thread
// without replies [ephemeral]. The caller holds mu.
func (s *Slack) unseen(m *Message) bool {
	if m.Only == "" || m.ThreadTS == "" {
		return false
	}
	return !slices.ContainsFunc(s.messages, func(x *Message) bool {
		return x.Channel == m.Channel && x.ThreadTS == m.ThreadTS && x.Only == "" && x.TS < m.TS
	})
}

// All are all messages there are.
func (s *Slack) All() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Message, len(s.messages))
	for i, m := range s.messages {
		list[i] = *m
	}
	return list
}

// Views are the views that a user was shown, oldest first.
func (s *Slack) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []View
	for _, v := range s.views {
		if v.User == user {
			list = append(list, *v)
		}
	}
	return list
}

// patience is how long a test waits for what has to come.
const patience = 2 * time.Minute

// Await gives the first message for which ok holds, as soon as there is one.
func (s *Slack) Await(what string, ok func(Message) bool) Message {
	s.t.Helper()
	var found Message
	s.await(what, func() bool {
		for _, m := range s.messages {
			if !m.Gone && !s.unseen(m) && ok(*m) {
				found = *m
				return true
			}
		}
		return false
	})
	return found
}

// AwaitView gives a user's latest view of a type for which ok holds.
func (s *Slack) AwaitView(user, kind string, ok func(View) bool) View {
	s.t.Helper()
	var found View
	s.await("a "+kind+" of "+user, func() bool {
		for _, v := range slices.Backward(s.views) {
			if v.User == user && v.Type == kind {
				found = *v
				return ok == nil || ok(*v)
			}
		}
		return false
	})
	return found
}

// AwaitCalls waits until a method was called n times.
func (s *Slack) AwaitCalls(method string, n int) {
	s.t.Helper()
	s.await(fmt.Sprintf("%d calls of %s", n, method), func() bool { return s.calls[method] >= n })
}

func (s *Slack) await(what string, ok func() bool) {
	s.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		done, changed := ok(), s.changed
		s.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			s.t.Fatalf("waited in vain for %s; there is:\n%s", what, s.dump())
		}
	}
}

func (s *Slack) dump() string {
	var b strings.Builder
	for _, m := range s.All() {
		fmt.Fprintf(&b, "%s %s thread=%s only=%s edits=%d: %s\n", m.Channel, m.TS, m.ThreadTS, m.Only, m.Edits, m.Read())
	}
	for _, r := range s.Refusals() {
		fmt.Fprintf(&b, "refused: %s\n", r)
	}
	return b.String()
}

// touch tells those who wait that something changed. The caller holds mu.
func (s *Slack) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// ts is a new time stamp, unlike every other and never behind the clock. The
// caller holds mu.
func (s *Slack) ts() string {
	s.clock = max(s.clock+137, time.Now().UnixMicro())
	return fmt.Sprintf("%d.%06d", s.clock/1_000_000, s.clock%1_000_000)
}

// Read is the text of a message as a person reads it: its blocks, or without any
// its text.
func (m Message) Read() string { return read(m.Blocks, m.Text) }

// Read is the text of a view.
func (v View) Read() string { return strings.TrimSpace(v.Title + "\n" + read(v.Blocks, "")) }

func read(blocks []any, otherwise string) string {
	if len(blocks) == 0 {
		return otherwise
	}
	var lines []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if v["type"] == "plain_text" || v["type"] == "mrkdwn" {
				lines = append(lines, fmt.Sprint(v["text"]))
				return
			}
			for _, k := range []string{"text", "label", "hint", "elements", "element", "accessory", "options"} {
				walk(v[k])
			}
		}
	}
	walk(blocks)
	return strings.Join(lines, "\n")
}

// Action is a button or a menu, as a press names it.
type Action struct {
	ID, Block, Type, Value string
	Options                []string // values of a menu's options
}

// Buttons are the labels that can be pressed.
func (m Message) Buttons() []string { return labels(m.Blocks) }

// Buttons are the labels that can be pressed.
func (v View) Buttons() []string { return labels(v.Blocks) }

func labels(blocks []any) []string {
	var list []string
	actions(blocks, func(label string, _ Action) bool {
		list = append(list, label)
		return false
	})
	return list
}

// find looks for a button by its label, or a menu by its action id.
func find(blocks []any, label string) (Action, bool) {
	var found Action
	ok := actions(blocks, func(l string, a Action) bool {
		found = a
		return l == label || a.ID == label
	})
	return found, ok
}

func actions(blocks []any, is func(label string, a Action) bool) bool {
	var walk func(v any, block string) bool
	walk = func(v any, block string) bool {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				if walk(x, block) {
					return true
				}
			}
		case map[string]any:
			if b, ok := v["block_id"].(string); ok {
				block = b
			}
			if id, ok := v["action_id"].(string); ok {
				a := Action{ID: id, Block: block}
				a.Type, _ = v["type"].(string)
				a.Value, _ = v["value"].(string)
				options, _ := v["options"].([]any)
				for _, o := range options {
					value, _ := o.(map[string]any)["value"].(string)
					a.Options = append(a.Options, value)
				}
				label := ""
				if text, ok := v["text"].(map[string]any); ok {
					label, _ = text["text"].(string)
				}
				return is(label, a)
			}
			return walk(v["elements"], block) || walk(v["accessory"], block) || walk(v["element"], block)
		}
		return false
	}
	return walk(blocks, "")
}
