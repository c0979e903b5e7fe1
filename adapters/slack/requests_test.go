package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	slackgo "github.com/slack-go/slack"

	"canteen/adapters/slack"
	"canteen/adapters/slack/slacktest"
	"canteen/bot"
)

// recorded is one of Slack's requests as it was seen in the wild.
type recorded struct {
	name, kind string
	payload    []byte
	body       []byte // of HTTP, where it was recorded
}

func recordings(t *testing.T) []recorded {
	t.Helper()
	dir := filepath.Join(shared, "payloads", "slack")
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Skipf("the recorded payloads are not there: %v", err)
	}
	var list []recorded
	for i, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r := recorded{name: f.Name(), kind: slacktest.Event, payload: data}
		switch {
		case f.Name() == "index.json":
			continue
		case strings.HasSuffix(f.Name(), ".form"):
			r.body = data
		case strings.HasPrefix(f.Name(), "interactive_"):
			r.kind = slacktest.Interactive
		case strings.HasPrefix(f.Name(), "slash_command"):
			r.kind = slacktest.CommandKind
		case strings.HasPrefix(f.Name(), "socket_envelope_"):
			e := decode[struct {
				Type    string
				Payload json.RawMessage
			}](t, data)
			r.kind, r.payload = e.Type, e.Payload
		}
		// They come from one test suite and share their ids, so that the second of
		// them would be taken for a repeat of the first.
		for _, id := range []string{"Ev111", "111.222.xxx", "111.111.xxx"} {
			r.payload = bytes.ReplaceAll(r.payload, []byte(`"`+id+`"`), fmt.Appendf(nil, `"%s-%d"`, id, i))
		}
		list = append(list, r)
	}
	return list
}

// TestRecordedPayloads: every request is acknowledged once, and the same again has
// no effect.
func TestRecordedPayloads(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.AddChannel("C111", "random", w.BotUser, "W111", "W222")
		for _, user := range []string{"W111", "W222", "U111", "W99999"} {
			w.AddUser(user, user)
		}
		for _, r := range recordings(t) {
			for again := range 2 {
				fresh := w.count("ok")
				switch {
				case w.Events == "" && r.body != nil:
					continue
				case r.body != nil:
					header := w.Sign(r.body, time.Now())
					header.Set("Content-Type", "application/x-www-form-urlencoded")
					ack, err := w.Post(r.body, header)
					if err != nil || ack.Status != http.StatusOK {
						t.Errorf("%s: %d %s %v", r.name, ack.Status, ack.Body, err)
					}
				default:
					ack := w.Deliver(r.kind, json.RawMessage(r.payload))
					if ack.Status != http.StatusOK {
						t.Errorf("%s: %d %s", r.name, ack.Status, ack.Body)
					}
					if strings.HasPrefix(r.name, "url_verification") && !bytes.Contains(ack.Body, []byte("aljdsflaji3jj")) {
						t.Errorf("%s: challenge answered with %s", r.name, ack.Body)
					}
				}
				if again == 1 && w.count("ok") != fresh && !idle(r.name) {
					t.Errorf("%s: a repeat had an effect", r.name)
				}
			}
		}
		if n := w.count("error"); n > 0 {
			t.Errorf("%d requests failed", n)
		}
		w.Mention("W222", "C111", "", "Can I tweet about work?") // and it lives
		w.said("C111", "Staff can tweet")
	})
}

// TestDistortedPayloads: whatever stands in a field, or is missing there, a
// request is acknowledged.
func TestDistortedPayloads(t *testing.T) {
	w := start(t, "http")
	n := 0
	for _, r := range recordings(t) {
		if r.body != nil {
			continue
		}
		whole := decode[any](t, r.payload)
		var distort func(v any, set func(any))
		distort = func(v any, set func(any)) {
			for _, other := range []any{nil, []any{}, map[string]any{}, 5, "x", true, []any{nil}} {
				set(other)
				n++
				if _, err := slack.Receive(w.app, t.Context(), slack.Kind(r.kind), must(json.Marshal(whole)), ""); err != nil {
					t.Errorf("%s with %v: %v", r.name, other, err)
				}
			}
			set(v)
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					distort(x, func(x any) { v[k] = x })
				}
			case []any:
				for i, x := range v {
					distort(x, func(x any) { v[i] = x })
				}
			}
		}
		for k, x := range whole.(map[string]any) {
			distort(x, func(x any) { whole.(map[string]any)[k] = x })
		}
	}
	t.Logf("%d requests", n)
	w.Say(nina, w.Direct(nina), "", "Can I tweet about work?")
	w.said(w.Direct(nina), "Staff can tweet")
}

// idle are requests that change nothing, however often they come.
func idle(name string) bool {
	return slices.ContainsFunc([]string{"url_verification", "event_app_uninstalled", "event_tokens_revoked", "interactive_block_suggestion",
		"event_message.channel.thread", "event_message_message_changed", "event_message_message_deleted", "event_message_thread_broadcast" /* overheard, and about nothing of theirs */}, func(s string) bool { return strings.HasPrefix(name, s) })
}

func TestRefused(t *testing.T) {
	w := start(t, "http")
	now := time.Now()
	event, _ := json.Marshal(w.Wrap(map[string]any{"type": "message", "user": nina, "text": "Can I tweet about work?", "ts": "1.1", "channel": w.Direct(nina), "channel_type": "im"}))
	forged := w.Sign(event, now)
	forged.Set("X-Slack-Signature", "v0="+strings.Repeat("0", 64))
	command, _ := slacktest.Encode(slacktest.CommandKind, must(json.Marshal(w.CommandPayload(nina, ward, "Can I tweet about work?"))))
	large := append(bytes.Repeat([]byte(" "), 1<<20), event...)
	for _, c := range []struct {
		name   string
		body   []byte
		header http.Header
		status int
		count  string
	}{
		{"forged", event, forged, 401, "signature"},
		{"unsigned", event, http.Header{}, 401, "signature"},
		{"not hexadecimal", event, http.Header{"X-Slack-Signature": {"v0=zz"}, "X-Slack-Request-Timestamp": {fmt.Sprint(now.Unix())}}, 401, "signature"},
		{"another body", append(slices.Clone(event), ' '), w.Sign(event, now), 401, "signature"},
		{"six minutes old", event, w.Sign(event, now.Add(-6*time.Minute)), 401, "stale"},
		{"six minutes ahead", event, w.Sign(event, now.Add(6*time.Minute)), 401, "stale"},
		{"oversized", large, w.Sign(large, now), 413, "size"},
		{"no JSON", []byte("{oops"), w.Sign([]byte("{oops"), now), 400, "body"},
		{"a list", []byte("[1]"), w.Sign([]byte("[1]"), now), 400, "body"},
		{"a payload that is none", []byte("payload=null"), w.Sign([]byte("payload=null"), now), 400, "body"},
		{"no form", []byte("a=%zz"), w.Sign([]byte("a=%zz"), now), 400, "body"},
		{"nothing", nil, w.Sign(nil, now), 400, "body"},
		{"ssl check", []byte("ssl_check=1&token=x"), w.Sign([]byte("ssl_check=1&token=x"), now), 200, "ignored"},
		{"unknown type", []byte(`{"type":"new_thing"}`), w.Sign([]byte(`{"type":"new_thing"}`), now), 200, "ignored"},
		{"unknown event", []byte(`{"type":"event_callback","event":{"type":"new_thing","user":{"id":1}}}`), w.Sign([]byte(`{"type":"event_callback","event":{"type":"new_thing","user":{"id":1}}}`), now), 200, "ignored"},
		{"shapes nobody expects", []byte(`{"type":"event_callback","team_id":5,"event":[]}`), w.Sign([]byte(`{"type":"event_callback","team_id":5,"event":[]}`), now), 200, "ignored"},
		{"another workspace", []byte(`{"type":"event_callback","team_id":"T999","event":{"type":"message","channel_type":"im","user":"UNINA","channel":"DUNINA","ts":"1.7","text":"Can I tweet about work?"}}`), nil, 200, "ignored"},
		{"another command", []byte("command=%2Fother&text=x&user_id=UNINA"), nil, 200, "ignored"},
		{"taken", event, w.Sign(event, now), 200, "ok"},
		{"the same to the letter", event, w.Sign(event, now), 200, "repeat"},
		{"a command", command, w.Sign(command, now), 200, "ok"},
		{"the same to the letter", command, w.Sign(command, now), 200, "repeat"},
	} {
		before := w.count(c.count)
		header := c.header
		if header == nil {
			header = w.Sign(c.body, now)
		}
		ack, err := w.Post(c.body, header)
		if err != nil || ack.Status != c.status || w.count(c.count) != before+1 {
			t.Errorf("%s: %d %s %v, %s counted %d", c.name, ack.Status, ack.Body, err, c.count, w.count(c.count)-before)
		}
	}
	req, _ := http.Get(w.Events)
	if req.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %s", req.Status)
	}
	req.Body.Close()
	w.said(w.Direct(nina), "Staff can tweet")
	if got := countWith(w.Messages(w.Direct(nina), nina), "Staff can tweet"); got != 1 {
		t.Errorf("%d answers to one question", got)
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// TestForgedPresses: no value in a button or a form reaches a question that is
// somebody else's, and nobody acts for comms who is not in their channel.
func TestForgedPresses(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Say(nina, w.Direct(nina), "", "facebook page")
		clarify := w.said(w.Direct(nina), "Did you mean")
		none := decode[bot.Press](t, []byte(w.PressPayload(nina, clarify, "None of these")["actions"].([]any)[0].(map[string]any)["value"].(string)))
		w.Press(nina, clarify, "None of these")
		w.said(comms, "C-1")
		state := func() bot.Escalation {
			known, err := w.store.Load(context.Background(), bot.Ask{Ref: 1})
			if err != nil || known.Escalation == nil {
				t.Fatal(err)
			}
			return *known.Escalation
		}
		before := state()
		w.Say(pete, w.Direct(pete), "", "Hello")
		own := w.said(w.Direct(pete), "Hello. Ask me")
		n := 0
		for _, act := range []bot.Action{bot.ActHelped, bot.ActNotMeant, bot.ActAskComms, bot.ActChoose, bot.ActNone, bot.ActWithdraw, bot.ActAnonymous, bot.ActReply, bot.ActNoHelp, bot.ActThanks,
			bot.ActClaim, bot.ActGiveBack, bot.ActAssign, bot.ActAnswer, bot.ActCorrect, bot.ActAskBack, bot.ActUseEntry, bot.ActReuse, bot.ActNotOurs, bot.ActPromote, bot.ActClose} {
			press := bot.Press{Action: act, Question: none.Question, Ref: 1, Entry: "profiles/who-can-see", Fields: map[string]string{"text": "gotcha", "entry": "profiles/who-can-see", "person": "slack:UPETE", "from": "C-1"}}
			value := string(must(json.Marshal(press)))
			for _, id := range []string{"press/1", "form/1"} {
				w.Deliver(slacktest.Interactive, w.ActionPayload(pete, own, slacktest.Action{ID: id, Block: "b", Type: "button", Value: value}))
				n++
				w.AwaitCalls("chat.postEphemeral", n)
			}
			meta := string(must(json.Marshal(map[string]any{"p": press, "in": "slack:" + w.Direct(nina)})))
			form := slacktest.View{ID: "V1", User: pete, Type: "modal", CallbackID: "form", Metadata: meta, Hash: string(act),
				Raw:    must(json.Marshal(map[string]any{"type": "modal", "callback_id": "form", "private_metadata": meta})),
				Blocks: []any{map[string]any{"type": "input", "block_id": "text", "element": map[string]any{"type": "plain_text_input", "action_id": "field/area/text"}}}}
			w.Deliver(slacktest.Interactive, w.SubmitPayload(pete, form, map[string]string{"text": "gotcha"}))
		}
		after := state()
		if after.Version != before.Version || after.State != before.State {
			t.Errorf("C-1 went from version %d %s to %d %s", before.Version, before.State, after.Version, after.State)
		}
		if w.Calls("views.open") != 0 {
			t.Error("a form was opened for somebody else's question")
		}
		for _, m := range w.Messages(w.Direct(pete), pete) {
			if has(m.Read(), "facebook page") || has(m.Read(), "Nina") {
				t.Errorf("somebody else reads: %s", m.Read())
			}
		}
		for _, m := range append(w.Messages(w.Direct(nina), nina), w.Messages(comms, carol)...) {
			if has(m.Read(), "gotcha") {
				t.Errorf("forged words arrived: %s", m.Read())
			}
		}
		for _, value := range []string{"", "click_me_123", "{}", `{"a":"nonsense"}`, `{"a":"show-entry","e":"lanes/crisis-self"}`, `{"a":"claim","r":-1}`, `{"a":"withdraw","r":99999999}`, `[]`, "\x00"} {
			if ack := w.Deliver(slacktest.Interactive, w.ActionPayload(pete, own, slacktest.Action{ID: "press/1", Type: "button", Value: value})); ack.Status != http.StatusOK {
				t.Errorf("value %q: %d", value, ack.Status)
			}
		}
		if w.count("error") > 0 {
			t.Errorf("%d errors", w.count("error"))
		}
	})
}

// TestPressTwice: a press that comes twice is one press, and its form opens once.
func TestPressTwice(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Say(nina, w.Direct(nina), "", "Can I film a TikTok in the staff room?")
		card := w.said(comms, "C-1")
		claim, answer := w.PressPayload(carol, card, "Claim"), w.PressPayload(carol, card, "Answer")
		for range 2 {
			w.Deliver(slacktest.Interactive, claim)
			w.Deliver(slacktest.Interactive, answer)
		}
		form := w.AwaitView(carol, "modal", nil)
		submit := w.SubmitPayload(carol, form, map[string]string{"text": "No filming."})
		for range 2 {
			w.Deliver(slacktest.Interactive, submit)
		}
		w.said(w.Direct(nina), "No filming.")
		w.said(comms, "answered")
		if n := w.Calls("views.open"); n != 1 {
			t.Errorf("the form opened %d times", n)
		}
		if n := countWith(w.Messages(w.Direct(nina), nina), "No filming."); n != 1 {
			t.Errorf("%d answers", n)
		}
		w.polite()
	})
}

// TestResponseURL: only Slack's own is posted to, and no error has it in it: who has
// the address can post with it.
func TestResponseURL(t *testing.T) {
	a, err := slack.New(slack.Config{BotToken: "xoxb-1", AppToken: "xapp-1", APIURL: "http://127.0.0.1:1/api/"})
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{"http://127.0.0.1:1/commands/T1/2/s3cret", "https://hooks.slack.com.evil.example/s3cret", "http://hooks.slack.com/s3cret", "https://x@127.0.0.1/s3cret", "s3cret", ""} {
		if err := slack.PostURL(a, t.Context(), to, &slackgo.WebhookMessage{}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", to, err)
		}
	}
}

// TestRateLimited: a storm of 429 delays messages and loses or doubles none.
func TestRateLimited(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		for range 6 {
			w.Fail("chat.postMessage", slacktest.Failure{Status: 429, RetryAfter: 1})
		}
		w.Fail("chat.postMessage", slacktest.Failure{Status: 503}, slacktest.Failure{Error: "is_not_known_here"})
		var asking sync.WaitGroup
		for i := range 12 {
			user := fmt.Sprintf("USTORM%d", i)
			w.AddUser(user, user)
			dm := w.Direct(user)
			asking.Go(func() { w.Say(user, dm, "", "Can I tweet about work?") })
		}
		asking.Wait()
		for i := range 12 {
			w.said(fmt.Sprintf("DUSTORM%d", i), "Staff can tweet")
		}
		if n := countWith(w.All(), "Staff can tweet"); n != 12 {
			t.Errorf("%d answers to 12 questions", n)
		}
		w.polite()
	})
}

// TestUnsure: a message whose fate is unknown is looked for before it is sent
// again, and where nobody can look it says so.
func TestUnsure(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.Fail("chat.postMessage", slacktest.Failure{Done: true, Status: 500})
		w.Say(nina, w.Direct(nina), "", "Can I tweet about work?")
		w.AwaitCalls("conversations.history", 1)
		w.AwaitCalls("chat.update", 1)
		if n := countWith(w.All(), "Staff can tweet"); n != 1 {
			t.Errorf("%d answers", n)
		}
		w.Fail("chat.postMessage", slacktest.Failure{Done: true, Status: 500})
		ts := w.Mention(pete, ward, "", "Can I tweet about work?")
		w.AwaitCalls("conversations.replies", 1)
		w.AwaitCalls("chat.update", 2)
		if n := countWith(w.Messages(ward, pete), "Staff can tweet"); n != 1 {
			t.Errorf("%d answers in the thread %s", n, ts)
		}
		w.polite()
		w.Scopes("app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "im:read", "im:write", "users:read")
		w.Fail("chat.postMessage", slacktest.Failure{Done: true, Status: 500})
		w.Say(nina, w.Direct(nina), "", "Where can I park?")
		w.said(w.Direct(nina), "Parking", "You may have this message already")
	})
}

// TestSocketDrops: a connection that ends in mid-turn costs neither the question
// nor a second answer.
func TestSocketDrops(t *testing.T) {
	w := start(t, "socket")
	w.Fail("users.info", slacktest.Failure{Hang: true}) // holds the turn
	dm := w.Direct(nina)
	e := w.Send(slacktest.Event, must(json.Marshal(w.Wrap(map[string]any{"type": "message", "user": nina, "text": "Can I tweet about work?", "ts": "1.1", "channel": dm, "channel_type": "im"}))))
	w.AwaitCalls("users.info", 1)
	w.DropSockets()
	w.AwaitCalls("socket", 2)
	w.said(dm, "Staff can tweet")
	w.Disconnect()
	w.AwaitCalls("socket", 3)
	w.Say(nina, dm, "", "Who can see what I post?")
	w.said(dm, "Check who can see")
	w.DropSockets()
	w.Say(nina, dm, "", "Should I have two accounts?")
	w.said(dm, "one profile for work")
	if n := countWith(w.All(), "Staff can tweet"); n != 1 {
		t.Errorf("%d answers", n)
	}
	if acks, sent := w.Acks(e); acks == 0 || sent < 2 {
		t.Errorf("the envelope was sent %d times and acknowledged %d times", sent, acks)
	}
	w.polite()
}

// TestUnreadableForTheClient: what the client library cannot decode is handled and
// acknowledged all the same.
func TestUnreadableForTheClient(t *testing.T) {
	w := start(t, "socket")
	if ack := w.Deliver(slacktest.Event, w.Wrap(map[string]any{"type": "app_home_opened", "user": nina, "tab": "home", "view": map[string]any{"state": map[string]any{"values": []any{}}, "blocks": "none"}})); ack.Status != 200 {
		t.Error(ack)
	}
	w.AwaitView(nina, "home", nil)
	if ack := w.Deliver("a_new_kind", map[string]any{"x": 1}); ack.Status != 200 {
		t.Error(ack)
	}
}

func TestReady(t *testing.T) {
	w := start(t, "socket")
	ready := func(want string) {
		t.Helper()
		err := w.app.Ready()
		if got := fmt.Sprint(err); !strings.Contains(got, want) {
			t.Errorf("ready: %v, want %q", err, want)
		}
	}
	w.Say(nina, w.Direct(nina), "", "Hello")
	ready("<nil>")
	w.Deliver(slacktest.Event, w.Wrap(map[string]any{"type": "app_uninstalled"}))
	ready("install it again")
	w.Archive(comms, true)
	for _, f := range w.app.Doctor(t.Context()) {
		if f.Name == "Slack: comms channel" && (f.OK || !strings.Contains(f.Say, "archived")) {
			t.Errorf("%+v", f)
		}
	}
	w.Archive(comms, false)
	for _, f := range w.app.Doctor(t.Context()) {
		if !f.OK {
			t.Errorf("%+v", f)
		}
	}

	// The wrong token is told from a bad one, and neither ends the process.
	for _, c := range []struct {
		set  func(*slack.Config)
		want string
	}{
		{func(c *slack.Config) { c.AppToken = c.BotToken }, "begins with xapp-"},
		{func(c *slack.Config) { c.AppToken = "xapp-none" }, "SLACK_APP_TOKEN"},
		{func(c *slack.Config) { c.BotToken = "xoxb-none" }, "SLACK_BOT_TOKEN"},
		{func(c *slack.Config) { c.BotToken = c.AppToken }, "begins with xoxb-"},
		{func(c *slack.Config) { c.CommsChannel = "CNONE" }, "/invite"},
		{func(c *slack.Config) { c.APIURL = "http://127.0.0.1:1" }, "check the network"},
	} {
		conf := slack.Config{BotToken: w.BotToken, AppToken: w.AppToken, CommsChannel: comms, APIURL: w.URL, Bot: w.bot}
		c.set(&conf)
		app, err := slack.New(conf)
		if err != nil {
			t.Fatal(err)
		}
		bad := ""
		for _, f := range app.Doctor(t.Context()) {
			if !f.OK {
				bad += f.Say + "\n"
			}
		}
		if !strings.Contains(bad, c.want) {
			t.Errorf("doctor says %q, want %q", bad, c.want)
		}
	}
}

// BenchmarkAck measures how long an event takes from its arrival over HTTP to its
// acknowledgement, after the commit, while 100 of them arrive each second.
func BenchmarkAck(b *testing.B) {
	w := start(b, "http", func(c *slack.Config) { c.Pace = 0 })
	w.Check = nil // the schemas would cost more than all else
	bodies := make([][]byte, b.N)
	for i := range bodies {
		user := fmt.Sprintf("UB%d", i%500)
		bodies[i] = must(json.Marshal(w.Wrap(map[string]any{"type": "message", "user": user, "text": "Can I tweet about work?", "ts": fmt.Sprintf("%d.1", i), "channel": w.Direct(user), "channel_type": "im"})))
	}
	took := make([]time.Duration, b.N)
	var sending sync.WaitGroup
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for i, body := range bodies {
		<-tick.C
		sending.Go(func() {
			header := w.Sign(body, time.Now())
			from := time.Now()
			ack, err := w.Post(body, header)
			took[i] = time.Since(from)
			if err != nil || ack.Status != http.StatusOK {
				b.Errorf("%v %v", ack, err)
			}
		})
	}
	sending.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
