package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/time/rate"

	"canteen/adapters/slack"
	"canteen/adapters/slack/slacktest"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
)

const (
	comms = "CCOMMS"
	ward  = "CWARD7"
	// The people of these tests.
	nina  = "UNINA" // a nurse
	pete  = "UPETE" // a porter
	carol = "UCAROL"
	colin = "UCOLIN" // both in comms
)

// world is a workspace with Canteen in it, all of it real but Slack.
type world struct {
	*slacktest.Slack
	t     testing.TB
	app   *slack.Adapter
	bot   *bot.Bot
	store *store.Store
	file  string // of the store
	// fitted waits for the model of what was saved last.
	fitted func(context.Context) error

	mu     sync.Mutex
	counts map[string]int
}

// transports are the two ways in which Slack reaches an app.
var transports = []string{"socket", "http"}

func overBoth(t *testing.T, test func(t *testing.T, w *world)) {
	for _, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, start(t, transport))
		})
	}
}

func start(t testing.TB, transport string, set ...func(*slack.Config)) *world {
	t.Helper()
	w := &world{t: t, Slack: slacktest.New(t), counts: map[string]int{}}
	w.Check = checker(t)
	for id, name := range map[string]string{nina: "Nina Nurse", pete: "Pete Porter", carol: "Carol Comms", colin: "Colin Comms"} {
		w.AddUser(id, name)
	}
	w.AddChannel(comms, "comms", w.BotUser, carol, colin)
	w.AddChannel(ward, "ward-7", w.BotUser, nina, pete, carol)

	ctx, stop := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() && os.Getenv("SLACK_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	folder, err := knowledge.Open(ctx, knowledge.Config{Log: log, Dirs: []string{"testdata/folder", t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WaitFitted(ctx); err != nil {
		t.Fatal(err)
	}
	w.fitted = folder.WaitFitted
	w.file = filepath.Join(t.TempDir(), "canteen.db")
	w.store, err = store.OpenSQLite(ctx, w.file, store.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	members := map[string]bot.Members{}
	policy := bot.DefaultPolicy
	policy.Covered, policy.Likely = 0, .70 // a folder as small as this one has no measure of them
	var outbox *bot.Outbox
	w.bot = bot.New(bot.Config{Direct: func(ctx context.Context, d bot.Delivery) error { return outbox.Direct(ctx, d) }, Store: w.store, Folder: folder, Members: members, Comms: []bot.Place{"slack:" + comms}, Policy: policy, Log: log})
	c := slack.Config{BotToken: w.BotToken, CommsChannel: comms, APIURL: strings.TrimSuffix(w.URL, "/"), PublicURL: "https://canteen.example.org/", Bot: w.bot, Log: log, Pace: rate.Inf,
		Count: func(what string) { w.mu.Lock(); w.counts[what]++; w.mu.Unlock() }}
	if transport == "http" {
		c.SigningSecret = w.SigningSecret
	} else {
		c.AppToken = w.AppToken
	}
	for _, f := range set {
		f(&c)
	}
	w.app, err = slack.New(c)
	if err != nil {
		t.Fatal(err)
	}
	members[slack.Name] = w.app
	outbox = bot.NewOutbox(bot.OutboxConfig{Queue: w.store, Senders: map[string]bot.Sender{slack.Name: w.app}, Undelivered: w.bot.Undelivered, Log: log})

	var running sync.WaitGroup
	var server *httptest.Server
	if transport == "http" {
		mux := http.NewServeMux()
		mux.Handle(slack.Path, w.app.Handler())
		server = httptest.NewServer(mux)
		w.Events = server.URL + slack.Path
	}
	running.Go(func() { outbox.Run(ctx) })
	running.Go(func() { _ = w.app.Run(ctx) })
	t.Cleanup(func() {
		if server != nil {
			server.Close()
		}
		stop()
		running.Wait()
		<-folder.Done()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	w.AwaitCalls("conversations.info", 1) // who we are is known before anybody speaks
	if transport == "socket" {
		w.AwaitSocket()
	}
	return w
}

func (w *world) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts[what]
}

// polite fails the test when Canteen broke one of Slack's rules, other than those
// that the test made it break.
func (w *world) polite(but ...string) {
	w.t.Helper()
	for _, r := range w.Refusals() {
		if !slices.Contains(but, r) {
			w.t.Errorf("Slack refused: %s", r)
		}
	}
}

// said waits for a message of the bot's in a conversation that has all the words.
func (w *world) said(channel string, words ...string) slacktest.Message {
	w.t.Helper()
	return w.Await(strings.Join(words, " … ")+" in "+channel, func(m slacktest.Message) bool {
		return m.Channel == channel && m.User == w.BotUser && has(m.Read(), words...)
	})
}

func has(text string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// shared is where the files stand that this project shares with others.
const shared = "../../../shared"

var schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	list := map[string]*jsonschema.Schema{}
	for kind, file := range map[string]string{"blocks": "slack-blocks.schema.json", "view": "slack-view.schema.json", "manifest": "slack-manifest.schema.json"} {
		c := jsonschema.NewCompiler()
		c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
			re, err := regexp2.Compile(s, regexp2.ECMAScript)
			return (*lookahead)(re), err
		})
		schema, err := c.Compile(filepath.Join(shared, "schemas", file))
		if err != nil {
			return nil, err
		}
		list[kind] = schema
	}
	return list, nil
})

// lookahead is a regexp engine that knows it, which one of the schemas needs.
type lookahead regexp2.Regexp

func (re *lookahead) String() string { return (*regexp2.Regexp)(re).String() }

func (re *lookahead) MatchString(s string) bool {
	ok, err := (*regexp2.Regexp)(re).MatchString(s)
	return err == nil && ok
}

// checker holds blocks and views to Slack's schemas where they are there.
func checker(t testing.TB) func(kind string, data []byte) error {
	if _, err := os.Stat(filepath.Join(shared, "schemas")); err != nil {
		return nil
	}
	list, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	return func(kind string, data []byte) error {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return err
		}
		return list[kind].Validate(v)
	}
}

func decode[T any](t testing.TB, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return v
}

func privately(c *slack.Config) { c.AnswerPrivately = true }
