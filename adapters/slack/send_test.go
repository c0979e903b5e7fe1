package slack_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"canteen/adapters/slack"
	"canteen/adapters/slack/slacktest"
	"canteen/bot"
)

// alone is an Adapter over a small Slack, without the outbox.
func alone(t *testing.T, set ...func(*slack.Config)) (*slacktest.Slack, *slack.Adapter) {
	t.Helper()
	s := slacktest.New(t)
	s.AddUser(nina, "Nina Nurse")
	s.AddChannel(comms, "comms", s.BotUser, carol)
	s.AddChannel(ward, "ward-7", s.BotUser, nina)
	c := slack.Config{BotToken: s.BotToken, AppToken: s.AppToken, CommsChannel: comms, APIURL: s.URL, Bot: drawingBot(t), Pace: rate.Inf}
	for _, f := range set {
		f(&c)
	}
	a, err := slack.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

// TestSendFails: the outbox is told whether a message is surely not there, when to
// try again, and whether that can help.
func TestSendFails(t *testing.T) {
	s, a := alone(t)
	post := bot.Post{Kind: bot.KindNotice, Text: "x"}
	for _, c := range []struct {
		name    string
		to      bot.Place
		only    bot.PersonID
		failure slacktest.Failure
		unsure  bool
		want    bot.NotSent
		say     string
	}{
		{"told to wait", "slack:" + ward, "", slacktest.Failure{Status: 429, RetryAfter: 7}, false, bot.NotSent{After: 7 * time.Second}, "wait"},
		{"told to wait, not how long", "slack:" + ward, "", slacktest.Failure{Status: 429}, false, bot.NotSent{After: 30 * time.Second}, "wait"},
		{"a fault of Slack's", "slack:" + ward, "", slacktest.Failure{Status: 502}, true, bot.NotSent{}, "502"},
		{"half done", "slack:" + ward, "", slacktest.Failure{Error: "fatal_error"}, true, bot.NotSent{}, "fatal_error"},
		{"not understood", "slack:" + ward, "", slacktest.Failure{Status: 404}, false, bot.NotSent{}, "404"},
		{"archived", "slack:" + ward, "", slacktest.Failure{Error: "is_archived"}, false, bot.NotSent{Final: true, Elsewhere: true}, "unarchive it"},
		{"no channel", "slack:CNONE", "", slacktest.Failure{}, false, bot.NotSent{Final: true, Elsewhere: true}, "invite the bot"},
		{"the comms channel, archived", "slack:" + comms, "", slacktest.Failure{Error: "is_archived"}, false, bot.NotSent{}, "unarchive it"},
		{"a bad token", "slack:" + ward, "", slacktest.Failure{Error: "token_revoked"}, false, bot.NotSent{After: time.Minute}, "token_revoked"},
		{"nobody", "slack:UNOBODY", "", slacktest.Failure{}, false, bot.NotSent{Final: true}, "no longer in Slack"},
		{"not in the channel", "slack:" + ward, "slack:UPETE", slacktest.Failure{}, false, bot.NotSent{Final: true, Elsewhere: true}, "not in the channel"},
		{"another platform", "teams:19:x", "", slacktest.Failure{}, false, bot.NotSent{Final: true}, "not a place"},
		{"new to us", "slack:" + ward, "", slacktest.Failure{Error: "new_error"}, false, bot.NotSent{}, "new_error"},
	} {
		if c.failure != (slacktest.Failure{}) {
			s.Fail("chat.postMessage", c.failure)
		}
		_, err := a.Send(t.Context(), bot.Delivery{ID: "d", To: c.to, Only: c.only, Fallback: "slack:" + nina, Post: post})
		var not *bot.NotSent
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %q in it", c.name, err, c.say)
		}
		if got := errors.As(err, &not); got == c.unsure {
			t.Errorf("%s: surely not sent is %t", c.name, got)
		} else if got && (not.After != c.want.After || not.Final != c.want.Final || not.Elsewhere != c.want.Elsewhere) {
			t.Errorf("%s: %+v, want %+v", c.name, *not, c.want)
		}
	}
	dead, err := slack.New(slack.Config{BotToken: "x", AppToken: "x", APIURL: "http://127.0.0.1:1", Bot: drawingBot(t)})
	if err != nil {
		t.Fatal(err)
	}
	var not *bot.NotSent
	if _, err := dead.Send(t.Context(), bot.Delivery{ID: "d", To: "slack:" + ward, Post: post}); !errors.As(err, &not) || not.Final {
		t.Errorf("what never reached Slack: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	s.Fail("chat.postMessage", slacktest.Failure{Hang: true})
	if _, err := a.Send(ctx, bot.Delivery{ID: "d", To: "slack:" + ward, Post: post}); err == nil || errors.As(err, &not) {
		t.Errorf("silence: %v", err)
	}
}

// TestUpdateOfTheDeleted: an update to a message that somebody deleted is posted
// anew, and one that calls the channel does so once.
func TestUpdateOfTheDeleted(t *testing.T) {
	s, a := alone(t)
	d := bot.Delivery{ID: "card-1", To: "slack:" + comms, Post: bot.Post{Kind: bot.KindCard, Title: "C-1", Urgent: true}}
	posted, err := a.Send(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	d.PostedID = "CCOMMS/1.000001"
	again, err := a.Send(t.Context(), d)
	if err != nil || again.ID == posted.ID || again.ID == "" {
		t.Fatalf("%v %v", again, err)
	}
	calls := 0
	for _, m := range s.Messages(comms, carol) {
		if strings.Contains(m.Read(), "<!here>") {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("the channel was called %d times", calls)
	}
	if found, ok, err := a.Find(t.Context(), d); err != nil || !ok || found.ID == "" {
		t.Errorf("found %v %t %v", found, ok, err)
	}
	if _, _, err := a.Find(t.Context(), bot.Delivery{ID: "x", To: "slack:" + comms, Only: "slack:" + carol}); !errors.Is(err, bot.ErrForbidden) {
		t.Errorf("looking for what only one person sees: %v", err)
	}
}

// TestMember: comms are who is in the channel, and who left is comms for a minute
// at most.
func TestMember(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	s, a := alone(t, func(c *slack.Config) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	many := []string{s.BotUser}
	for i := range 2_450 { // three pages
		many = append(many, fmt.Sprintf("UM%d", i))
	}
	for _, id := range []string{"UM0", "UM2449", "UM1", "UM2"} {
		s.AddUser(id, id)
	}
	s.Change("UM1", func(u *slacktest.User) { u.Guest = true })
	s.Change("UM2", func(u *slacktest.User) { u.Team = "TOTHER" })
	s.AddChannel(comms, "comms", many...)
	is := func(p bot.PersonID) bool {
		t.Helper()
		ok, err := a.Member(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if !is("slack:UM0") || !is("slack:UM2449") || is("slack:UNINA") || is("teams:UM0") || is("slack:") {
		t.Error("members are not who is in the channel")
	}
	if is("slack:UM1") || is("slack:UM2") {
		t.Error("a guest, or somebody of another organisation, is comms")
	}
	s.Leave(comms, "UM2449")
	mu.Lock()
	now = now.Add(59 * time.Second)
	mu.Unlock()
	if n := s.Calls("conversations.members"); !is("slack:UM2449") || s.Calls("conversations.members") != n {
		t.Error("asked again within a minute")
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	if is("slack:UM2449") {
		t.Error("who left is still comms after a minute")
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	s.Fail("conversations.members", slacktest.Failure{Status: 500}, slacktest.Failure{Status: 429, RetryAfter: 30}, slacktest.Failure{Status: 500})
	for range 2 {
		if !is("slack:UM0") {
			t.Error("the last good list does not serve")
		}
	}
	mu.Lock()
	now = now.Add(10 * time.Minute)
	mu.Unlock()
	if _, err := a.Member(t.Context(), "slack:UM0"); err == nil {
		t.Error("somebody is comms though nobody could look for ten minutes")
	}
}

// TestUnreadyAndRunning: what is wrong at the start is told with its mend, and
// ends nothing.
func TestUnreadyAndRunning(t *testing.T) {
	for want, set := range map[string]func(*slack.Config, *slacktest.Slack){
		"begins with xapp-":           func(c *slack.Config, s *slacktest.Slack) { c.AppToken = s.BotToken },
		"set SLACK_APP_TOKEN":         func(c *slack.Config, _ *slacktest.Slack) { c.AppToken = "xapp-none" },
		"set the new SLACK_BOT_TOKEN": func(c *slack.Config, _ *slacktest.Slack) { c.BotToken = "xoxb-none" },
		"is archived":                 func(_ *slack.Config, s *slacktest.Slack) { s.Archive(comms, true) },
		"is not in the comms channel": func(_ *slack.Config, s *slacktest.Slack) { s.Leave(comms, s.BotUser) },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			reasons := make(heard, 100)
			s := slacktest.New(t)
			s.AddChannel(comms, "comms", s.BotUser)
			c := slack.Config{BotToken: s.BotToken, AppToken: s.AppToken, CommsChannel: comms, APIURL: s.URL, Bot: drawingBot(t), Log: slog.New(reasons)}
			set(&c, s)
			a, err := slack.New(c)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- a.Run(ctx) }()
			timeout := time.NewTimer(30 * time.Second)
			defer timeout.Stop()
			for told := false; !told; {
				select {
				case reason := <-reasons:
					told = strings.Contains(reason, want)
				case err := <-ended:
					t.Fatalf("ended: %v", err)
				case <-timeout.C:
					t.Fatal("nothing was told")
				}
			}
			if err := a.Ready(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("ready: %v", err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// heard is a log of the reasons for not being ready.
type heard chan string

func (h heard) Enabled(context.Context, slog.Level) bool { return true }
func (h heard) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h heard) WithGroup(string) slog.Handler            { return h }
func (h heard) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			h <- a.Value.String()
		}
		return true
	})
	return nil
}
