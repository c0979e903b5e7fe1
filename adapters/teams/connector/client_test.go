package connector_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/adapters/teams/teamstest"
)

var (
	nurse = teamstest.User("Nora Nurse")
	carla = teamstest.User("Carla Comms")
)

// config is a bot's that the fake platform knows.
func config(f *teamstest.Fake) connector.Config {
	return connector.Config{AppID: teamstest.AppID, AppPassword: f.Secret, TenantID: teamstest.Tenant, LoginURL: f.LoginURL(), MetadataURL: f.MetadataURL(),
		Issuer: teamstest.Issuer, ServiceHosts: []string{f.Host()}, Timeout: 10 * time.Second, Pace: 100, Now: time.Now}
}

func newClient(t *testing.T, change ...func(*connector.Config)) (*connector.Client, *teamstest.Fake) {
	t.Helper()
	f := teamstest.New(t, carla)
	f.Install(carla, teamstest.Team)
	f.Say(nurse, "hello") // from now on the bot is in that chat
	c := config(f)
	for _, x := range change {
		x(&c)
	}
	return connector.NewClient(c), f
}

func in(f *teamstest.Fake, conversation string) schema.ConversationReference {
	return schema.ConversationReference{ServiceURL: f.ServiceURL(), Bot: schema.ChannelAccount{ID: teamstest.BotID, Name: "Canteen"},
		Conversation: schema.ConversationAccount{ID: conversation, TenantID: teamstest.Tenant}}
}

var hello = map[string]string{"type": "message", "text": "hello"}

func notSent(t *testing.T, err error) *connector.NotSent {
	t.Helper()
	var not *connector.NotSent
	if !errors.As(err, &not) {
		t.Fatalf("error %v, not NotSent", err)
	}
	return not
}

func TestCalls(t *testing.T) {
	c, f := newClient(t)
	ctx := t.Context()
	chat := in(f, nurse.Chat())
	id, err := c.Post(ctx, chat, hello)
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	if err := c.Update(ctx, chat, id, map[string]string{"type": "message", "text": "changed"}); err != nil {
		t.Fatal(err)
	}
	if m := f.Messages(nurse.Chat()); len(m) != 1 || m[0].Text() != "changed" || m[0].Versions != 2 {
		t.Errorf("%+v", m)
	}
	conversation, id, err := c.StartThread(ctx, in(f, teamstest.Channel), hello)
	if err != nil || id == "" || conversation != connector.InThread(teamstest.Channel, id) {
		t.Errorf("%q, %q, %v", conversation, id, err)
	}
	stranger := in(f, "")
	stranger.User.ID = carla.ID
	if got, err := c.OpenChat(ctx, stranger); err != nil || got != carla.Chat() {
		t.Errorf("%q, %v", got, err)
	}
	members, err := c.Members(ctx, in(f, conversation))
	if err != nil || len(members) != 1 || members[0].Object() != carla.Object || members[0].Name != carla.Name {
		t.Errorf("%+v, %v", members, err)
	}
	channels, err := c.Channels(ctx, f.ServiceURL(), teamstest.Team)
	if err != nil || !slices.Contains(channels, teamstest.Channel) {
		t.Errorf("%q, %v", channels, err)
	}
	if f.Tokens() != 1 {
		t.Errorf("%d tokens for one bot", f.Tokens())
	}
}

// Every part of a path is one part, and what could be more is not sent.
func TestPaths(t *testing.T) {
	c, f := newClient(t)
	_, err := c.Post(t.Context(), in(f, "19:ward-7@thread.tacv2;messageid=77"), hello)
	if s := new(connector.StatusError); !errors.As(err, &s) || s.Status != http.StatusForbidden || s.Code != "BotNotInConversationRoster" || s.MaybeDone() {
		t.Errorf("%#v", err)
	}
	if want := []string{"POST /emea/v3/conversations/19:ward-7@thread.tacv2%3Bmessageid=77/activities"}; !slices.Equal(f.Calls(), want) {
		t.Errorf("%q, want %q", f.Calls(), want)
	}
	for _, id := range []string{"", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", strings.Repeat("a", 2000)} {
		if _, err := c.Post(t.Context(), in(f, id), hello); !notSent(t, err).Final {
			t.Errorf("posted into %q: %v", id, err)
		}
		if err := c.Delete(t.Context(), in(f, nurse.Chat()), id); !notSent(t, err).Final {
			t.Errorf("deleted %q: %v", id, err)
		}
	}
}

// The bot's token goes to the allowed hosts alone.
func TestHosts(t *testing.T) {
	for _, x := range []struct {
		hosts    []string
		insecure bool
		service  string
		ok       bool
	}{
		{nil, false, "https://smba.trafficmanager.net/uk/", true},
		{nil, false, "https://SMBA.trafficmanager.net/uk/", true},
		{nil, false, "http://smba.trafficmanager.net/uk/", false},
		{nil, false, "https://evil.trafficmanager.net/", false},
		{nil, false, "https://smba.trafficmanager.net@evil.example/", false},
		{nil, false, "https://smba.trafficmanager.net/?x=y", false},
		{nil, false, "http://127.0.0.1/", false},
		{[]string{"*.example.org"}, false, "https://a.example.org/", true},
		{[]string{"*.example.org"}, false, "https://example.org/", false},
		{[]string{"*.example.org"}, false, "https://aexample.org/", false},
		{nil, true, "http://localhost:3978/", true},
		{nil, true, "https://smba.trafficmanager.net/uk/", false},
	} {
		c := connector.NewClient(connector.Config{ServiceHosts: x.hosts, Insecure: x.insecure})
		if err := c.CheckService(x.service); (err == nil) != x.ok {
			t.Errorf("%v %v %s: %v", x.hosts, x.insecure, x.service, err)
		}
	}
}

// What the service answers says whether the call may have been carried out.
func TestStatuses(t *testing.T) {
	c, f := newClient(t)
	for status, maybe := range map[int]bool{302: false, 400: false, 404: false, 412: false, 429: false, 500: true, 502: true, 503: false, 504: true} {
		f.SetScript(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "https://evil.example/")
			w.WriteHeader(status)
			return true
		})
		_, err := c.Post(t.Context(), in(f, nurse.Chat()), hello)
		var s *connector.StatusError
		if !errors.As(err, &s) || s.Status != status || s.MaybeDone() != maybe || s.RetryAfter != 7*time.Second {
			t.Errorf("%d: %#v", status, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	c, f := newClient(t)
	for header, want := range map[string]time.Duration{"": 0, "1.5": 1500 * time.Millisecond, "-1": 0, "soon": 0, "1e9": time.Hour,
		time.Now().Add(-time.Minute).UTC().Format(http.TimeFormat): 0, time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat): time.Hour} {
		f.SetScript(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusTooManyRequests)
			return true
		})
		_, err := c.Post(t.Context(), in(f, nurse.Chat()), hello)
		var s *connector.StatusError
		if !errors.As(err, &s) || s.RetryAfter != want {
			t.Errorf("%q: %#v, want %s", header, err, want)
		}
	}
}

// What changes nothing is asked again, a few times; what the service wants to wait long
// for is not.
func TestRetry(t *testing.T) {
	c, f := newClient(t)
	tries, header := 0, ""
	f.SetScript(func(w http.ResponseWriter, _ *http.Request) bool {
		if tries++; tries == 3 {
			return false
		}
		w.Header().Set("Retry-After", header)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	if _, err := c.Members(t.Context(), in(f, teamstest.Channel)); err != nil || tries != 3 {
		t.Errorf("%d tries, %v", tries, err)
	}
	tries, header = 0, "60"
	if _, err := c.Members(t.Context(), in(f, teamstest.Channel)); err == nil || tries != 1 {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// A refused token is thrown away, and the next call has a new one; without one nothing is
// sent.
func TestToken(t *testing.T) {
	c, f := newClient(t)
	chat := in(f, nurse.Chat())
	if err := c.CheckToken(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.Revoke()
	_, err := c.Post(t.Context(), chat, hello)
	if s := new(connector.StatusError); !errors.As(err, &s) || s.Status != http.StatusUnauthorized {
		t.Fatal(err)
	}
	if _, err := c.Post(t.Context(), chat, hello); err != nil || f.Tokens() != 2 {
		t.Fatalf("%d tokens, %v", f.Tokens(), err)
	}

	c, f = newClient(t, func(c *connector.Config) { c.AppPassword = "wrong" })
	_, err = c.Post(t.Context(), in(f, nurse.Chat()), hello)
	if not := notSent(t, err); not.After == 0 || not.Final || !strings.Contains(err.Error(), "Invalid client secret") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%+v", not)
	}
	if len(f.Calls()) != 0 {
		t.Errorf("called without a token: %q", f.Calls())
	}

	c, f = newClient(t, func(c *connector.Config) { c.Insecure, c.AppPassword = true, "" })
	if _, err := c.Post(t.Context(), in(f, nurse.Chat()), hello); err == nil || f.Tokens() != 0 {
		t.Errorf("insecure: %d tokens, %v", f.Tokens(), err)
	}
}

// A host that is away was surely not called; one that hangs leaves it unknown, within the
// timeout.
func TestAway(t *testing.T) {
	c, f := newClient(t, func(c *connector.Config) {
		c.ServiceHosts = append(c.ServiceHosts, "127.0.0.1:1")
		c.Timeout = 300 * time.Millisecond
	})
	away := in(f, nurse.Chat())
	away.ServiceURL = "http://127.0.0.1:1/"
	_, err := c.Post(t.Context(), away, hello)
	if notSent(t, err).Final {
		t.Errorf("given up: %v", err)
	}
	release := make(chan struct{})
	defer close(release)
	f.SetScript(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	_, err = c.Post(t.Context(), in(f, nurse.Chat()), hello)
	not, s := new(connector.NotSent), new(connector.StatusError)
	if err == nil || errors.As(err, &not) || errors.As(err, &s) {
		t.Errorf("a service that hangs: %v", err)
	}
}

// What is beyond the pace of Teams is not sent, and its error says for how long.
func TestPace(t *testing.T) {
	c, f := newClient(t, func(c *connector.Config) { c.Pace = 1 })
	for range 4 {
		if _, err := c.Post(t.Context(), in(f, nurse.Chat()), hello); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // does not wait for its turn
	_, err := c.Post(ctx, in(f, nurse.Chat()), hello)
	if not := notSent(t, err); not.After <= 0 || not.After > time.Second || not.Final {
		t.Errorf("%+v", not)
	}
	if _, _, err := c.StartThread(t.Context(), in(f, teamstest.Channel), hello); err != nil {
		t.Errorf("one conversation holds another up: %v", err)
	}
}

func TestThreads(t *testing.T) {
	for id, want := range map[string][2]string{
		"19:x@thread.tacv2;messageid=7": {"19:x@thread.tacv2", "7"},
		"19:x@thread.tacv2":             {"19:x@thread.tacv2", ""},
		"a:chat":                        {"a:chat", ""},
	} {
		channel, thread := connector.SplitThread(id)
		if [2]string{channel, thread} != want {
			t.Errorf("%s: %q, %q", id, channel, thread)
		}
	}
	if got := connector.InThread("19:x@thread.tacv2;messageid=7", "8"); got != "19:x@thread.tacv2;messageid=8" {
		t.Error(got)
	}
}
