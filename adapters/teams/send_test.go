package teams_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
)

func notSent(t *testing.T, err error) *bot.NotSent {
	t.Helper()
	var not *bot.NotSent
	if !errors.As(err, &not) {
		t.Fatalf("error %v, not NotSent", err)
	}
	return not
}

// answering makes the connector answer messages by a status.
func answering(status int, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/activities") {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

// What the connector answers says whether the message is surely not there, or
// whether nobody knows.
func TestSendFails(t *testing.T) {
	w := newWorld(t, func(c *teams.Config) { c.Timeout = 300 * time.Millisecond })
	w.deliver(w.Say(nurse, "hello"))
	w.Await(t, nurse.Chat(), "Hello")
	d := bot.Delivery{ID: "d", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Kind: bot.KindNotice, Text: "x"}}
	for _, c := range []struct {
		status int
		header []string
		unsure bool
		after  time.Duration
		final  bool
	}{
		{status: 412},
		{status: 429, header: []string{"Retry-After", "7"}, after: 7 * time.Second},
		{status: 429},
		{status: 400, final: true},
		{status: 403, final: true},
		{status: 404, final: true},
		{status: 413, final: true},
		{status: 302, final: true}, // a redirect would take the token elsewhere
		{status: 502, unsure: true},
		{status: 504, unsure: true},
		{status: 500, unsure: true},
	} {
		w.SetScript(answering(c.status, append(c.header, "Location", "https://evil.example/")...))
		_, err := w.adapter.Send(t.Context(), d)
		if c.unsure {
			if not := new(bot.NotSent); err == nil || errors.As(err, &not) {
				t.Errorf("%d: %v, though it may be there", c.status, err)
			}
			// An update is the same the second time: it may simply be tried again.
			update := d
			update.PostedID = "1"
			_, err = w.adapter.Send(t.Context(), update)
			notSent(t, err)
			continue
		}
		if not := notSent(t, err); not.After != c.after || not.Final != c.final {
			t.Errorf("%d: %+v", c.status, not)
		}
	}
	// A connector that hangs leaves it unsure, within the time-out.
	release := make(chan struct{})
	defer close(release)
	w.SetScript(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	})
	_, err := w.adapter.Send(t.Context(), d)
	if not := new(bot.NotSent); err == nil || errors.As(err, &not) {
		t.Errorf("a hanging connector: %v", err)
	}
	// What was sent in doubt says so when it is sent again.
	w.SetScript(nil)
	d.Unsure, d.Attempt = true, 2
	if _, err := w.adapter.Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	w.Await(t, nurse.Chat(), "You may have this message already")
}

// A refused token is thrown away, and the next try has a new one.
func TestTokenRefused(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "hello"))
	w.Await(t, nurse.Chat(), "Hello")
	n := w.Tokens()
	w.Revoke()
	d := bot.Delivery{ID: "d", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Kind: bot.KindNotice, Text: "again"}}
	_, err := w.adapter.Send(t.Context(), d)
	if not := notSent(t, err); not.Final {
		t.Errorf("given up: %+v", not)
	}
	if _, err := w.adapter.Send(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if w.Tokens() != n+1 {
		t.Errorf("%d tokens", w.Tokens()-n)
	}
}

// A wrong secret is a message that waits, and a finding that says what to do.
func TestWrongSecret(t *testing.T) {
	w := newWorld(t, func(c *teams.Config) { c.AppPassword = "wrong" })
	w.deliver(w.Say(nurse, "hello"))
	_, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "d", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Text: "x"}})
	if not := notSent(t, err); not.After == 0 || not.Final {
		t.Errorf("%+v", not)
	}
	said := ""
	for _, f := range w.adapter.Doctor(t.Context()) {
		if !f.OK {
			said += f.Say
		}
	}
	contains(t, said, "Invalid client secret", "MICROSOFT_APP_PASSWORD")
	lacks(t, said, "wrong")
}

// Members of comms who have never written can be written to.
func TestStranger(t *testing.T) {
	w := newWorld(t)
	w.install()
	if _, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "d", To: bot.Place("teams:" + cleo.Object), Post: bot.Post{Text: "to you alone"}}); err != nil {
		t.Fatal(err)
	}
	w.Await(t, cleo.Chat(), "to you alone")
	_, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "e", To: "teams:44444444-0000-0000-0000-000000000000", Post: bot.Post{Text: "x"}})
	if not := notSent(t, err); !not.Final {
		t.Errorf("%+v", not)
	}
}

// Only paths of whole, escaped parts reach the connector.
func TestPaths(t *testing.T) {
	w := newWorld(t)
	w.install()
	w.deliver(w.Mention(nurse, ward, "can I tweet about work"))
	w.Await(t, ward, "Tweeting")
	if want := "POST /emea/v3/conversations/19:ward-7@thread.tacv2%3Bmessageid=77/activities"; !slices.Contains(w.Calls(), want) {
		t.Errorf("no %s in %q", want, w.Calls())
	}
	for _, to := range []bot.Place{"teams:..", "teams:a/b", "teams:a:1#../x"} {
		if _, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "d", To: to, Post: bot.Post{Text: "x"}}); err == nil {
			t.Errorf("sent to %s", to)
		}
	}
}

// What Teams takes of one bot in one conversation is kept to: what is beyond is
// not sent, and says when to come again.
func TestPace(t *testing.T) {
	w := newWorld(t, func(c *teams.Config) { c.Pace = 1 })
	w.deliver(w.Say(nurse, "hello"))
	w.Await(t, nurse.Chat(), "Hello")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // whoever would have to wait does not
	for range 3 {
		if _, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "d", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Text: "x"}}); err != nil {
			t.Fatal(err)
		}
	}
	held := 0
	for range 8 {
		if _, err := w.adapter.Send(ctx, bot.Delivery{ID: "d", To: bot.Place("teams:" + nurse.Chat()), Post: bot.Post{Text: "x"}}); err != nil {
			notSent(t, err)
			held++
		}
	}
	if held < 7 {
		t.Errorf("%d of 8 messages beyond the pace were held back", held)
	}
}

// Activities are acknowledged once they are committed: p99 at 100 a second, each
// from somebody new, on a real database.
func BenchmarkAcknowledge(b *testing.B) {
	w := newWorld(b)
	var bodies []map[string]any
	for i := range b.N {
		p := teamstest.User("Person " + string(rune('a'+i%26)) + time.Duration(i).String())
		bodies = append(bodies, w.Say(p, "can I tweet about work"))
	}
	token := "Bearer " + w.Sign(w.Claims(time.Now()))
	took := make([]time.Duration, b.N)
	var all sync.WaitGroup
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for i := range b.N {
		<-tick.C
		all.Go(func() {
			from := time.Now()
			if a := w.DeliverAs(b, bodies[i], token); a.Status != 200 {
				b.Errorf("status %d", a.Status)
			}
			took[i] = time.Since(from)
		})
	}
	all.Wait()
	b.StopTimer()
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	b.ReportMetric(float64(took[b.N*50/100].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[b.N*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
