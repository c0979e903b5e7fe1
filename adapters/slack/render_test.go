package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"canteen/adapters/slack"
	"canteen/bot"
	"canteen/knowledge"
)

var update = flag.Bool("update", false, "write the golden files anew")

// drawing is an Adapter that can render and nothing else.
func drawing(t testing.TB, public string) *slack.Adapter {
	t.Helper()
	a, err := slack.New(slack.Config{BotToken: "x", AppToken: "x", PublicURL: public, Bot: drawingBot(t)})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// drawingBot is a bot with a folder and no store.
func drawingBot(t testing.TB) *bot.Bot {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	folder, err := knowledge.Open(ctx, knowledge.Config{Dirs: []string{"testdata/folder"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); <-folder.Done() })
	return bot.New(bot.Config{Folder: folder})
}

func button(label string, a bot.Action, form bool, style bot.Style) bot.Button {
	return bot.Button{Label: label, Press: bot.Press{Action: a, Question: "q1", Ref: 42}, Form: form, Style: style}
}

// posts has one of each kind, with all that the kind can have.
var posts = map[bot.Kind]bot.Post{
	bot.KindAnswer: {Kind: bot.KindAnswer, Title: "Check who can see your posts", Entry: "profiles/who-can-see",
		Text:   "Look at the **privacy settings** of *each* platform:\n\n- Facebook: [see this](https://www.facebook.com/help/1?a=1&b=2)\n- X, `protected`\n  1. open it\n  2. protect it\n\n> Would you say it aloud?\n\n```\n<!channel>\n```\n\n---\n\nAsk [comms](mailto:comms@example.org) or <https://example.org>. <script>alert(1)</script>",
		Since:  "Twitter is now called X.",
		Source: "NHS Employers quick guide, November 2014", Note: "I keep your question for 30 days.",
		Related: []bot.Button{button("Keep two profiles", bot.ActShow, false, "")},
		Buttons: []bot.Button{button("That helped", bot.ActHelped, false, bot.Primary), button("Not what I meant", bot.ActNotMeant, false, ""), button("Ask comms", bot.ActAskComms, false, "")}},
	bot.KindClarify: {Kind: bot.KindClarify, Text: "Did you mean one of these?", Options: []bot.Button{button("Use a Facebook page, not a profile", bot.ActChoose, false, ""), button(strings.Repeat("A long title ", 10), bot.ActChoose, false, "")},
		Buttons: []bot.Button{button("None of these", bot.ActNone, false, "")}},
	bot.KindHolding: {Kind: bot.KindHolding, Title: "Filming at work", Text: "I have asked the communications team for you. Your reference is C-42.", Note: "Others in this channel can see your question.",
		Buttons: []bot.Button{button("Withdraw", bot.ActWithdraw, false, ""), button("Ask without my name", bot.ActAnonymous, false, "")}},
	bot.KindSignpost: {Kind: bot.KindSignpost, Title: "If you are in crisis", Text: "You can talk to somebody now:\n\n- England: call NHS 111\n- Wales: call NHS 111 Wales", Note: "I have not kept what you wrote.",
		Buttons: []bot.Button{button("Pass it on", bot.ActHandOff, true, "")}},
	bot.KindSmallTalk: {Kind: bot.KindSmallTalk, Text: "Hello. Ask me about social media."},
	bot.KindNotice:    {Kind: bot.KindNotice, Text: "I have added this to your question C-42."},
	bot.KindRelay: {Kind: bot.KindRelay, Title: "Answer to C-42 from the communications team", Text: "Use a **page**. <!here> <@U1> @channel", Quote: "facebook <!channel> https://evil.example <https://evil.example|click> *bold*",
		Buttons: []bot.Button{button("That helped", bot.ActThanks, false, bot.Primary), button("That did not help", bot.ActNoHelp, false, "")}},
	bot.KindCard: {Kind: bot.KindCard, Urgent: true, Title: "C-42 · urgent, waiting · A journalist", Quote: "a <@U123> from the <#C1|news> rang & asked",
		Facts: []bot.Fact{{Label: "Asked in Slack", Time: time.Unix(1_700_000_000, 0)}, {Label: "Nearest entries", Value: "A <journalist> & *co* (0.97)"}},
		Buttons: []bot.Button{button("Claim", bot.ActClaim, false, bot.Primary), button("Answer", bot.ActAnswer, true, ""),
			{Label: "Reuse C-17", Form: true, Press: bot.Press{Action: bot.ActReuse, Ref: 42, Fields: map[string]string{"from": "C-17"}}},
			button("Close", bot.ActClose, false, "")}},
}

func TestGolden(t *testing.T) {
	a, check := drawing(t, "https://canteen.example.org"), checker(t)
	golden := func(name, kind string, v any) {
		t.Helper()
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			t.Fatal(err)
		}
		if check != nil {
			if err := check(kind, b.Bytes()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		file := filepath.Join("testdata", "golden", name+".json")
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, b.Bytes()) {
			t.Errorf("%s differs from %s; look at it and run the test with -update:\n%s", name, file, b.Bytes())
		}
	}
	for kind, p := range posts {
		blocks, _ := a.Render(p, true)
		golden(string(kind), "blocks", blocks)
	}
	golden("home", "view", a.HomeBlocks(bot.Home{Privacy: "I keep **little**.", Popular: []bot.Button{button("Tweeting", bot.ActShow, false, "")},
		Topics: []bot.Topic{{Name: "Profiles & more", Entries: []bot.Button{{Label: "Keep two profiles", Press: bot.Press{Action: bot.ActShow, Entry: "profiles/two-profiles"}}}}},
		Mine:   []bot.Mine{{Ref: 42, Text: "can I <!here> film?", State: "waiting", At: time.Unix(1_700_000_000, 0), Buttons: []bot.Button{button("Withdraw", bot.ActWithdraw, false, "")}}}}))
	golden("form", "view", a.FormView(bot.Form{Title: "Answer C-42", Submit: "Send", Intro: "C-42: can I *film*?", Press: bot.Press{Action: bot.ActAnswer, Ref: 42}, Fields: []bot.Field{
		{Name: "text", Label: "Answer", Hint: "Plain words.", Kind: bot.Area, Max: 6000, Value: strings.Repeat("x", 20)},
		{Name: "title", Label: "Title", Kind: bot.Line, Optional: true},
		{Name: "entry", Label: "Entry", Kind: bot.Search, Value: "a/b", Choices: []bot.Choice{{Label: "A", Value: "a/b"}}},
		{Name: "pick", Label: "Pick", Kind: bot.Pick, Value: "2", Choices: []bot.Choice{{Label: "One", Value: "1"}, {Label: "Two", Value: "2"}}},
		{Name: "person", Label: "To", Kind: bot.People, Value: "slack:U1"}}}))
}

// call is what would call somebody in Slack, or link to somewhere.
var call = regexp.MustCompile(`<(?:[@#!][^>]*|[a-z]+:[^>]*)>`)

// TestNothingCalls: no text of a person's, and none of comms', calls anybody, and
// a person's own text links to nothing.
func TestNothingCalls(t *testing.T) {
	a := drawing(t, "")
	evil := "<!channel> <!here|x> <@U123> <#C1> <https://evil.example|click> <!subteam^S1> &lt;!here&gt; @here [x](!here) [y](https://ok.example|<!here>) ![z](<!channel>) <!date^1^{date}|x>"
	for _, p := range []bot.Post{{Title: evil, Quote: evil, Source: evil, Facts: []bot.Fact{{Label: evil, Value: evil}}, Buttons: []bot.Button{{Label: evil}}}, {Text: evil, Since: evil, Note: evil}} {
		blocks, text := a.Render(p, true)
		var walk func(v any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, x := range v {
					walk(x)
				}
			case map[string]any:
				if v["type"] == "mrkdwn" {
					if v["verbatim"] != true {
						t.Errorf("Slack would find names and links by itself in %v", v["text"])
					}
					for _, found := range call.FindAllString(v["text"].(string), -1) {
						if !strings.HasPrefix(found, "<https://ok.example") {
							t.Errorf("%s calls or links", found)
						}
					}
				}
				for _, x := range v {
					walk(x)
				}
			}
		}
		walk(decode[any](t, must(json.Marshal(blocks))))
		for _, found := range call.FindAllString(text, -1) {
			if !strings.HasPrefix(found, "<https://ok.example") {
				t.Errorf("%s calls or links in the text", found)
			}
		}
	}
}

// TestLimits: whatever its length, a post stays within Slack's limits, and what
// was cut says so.
func TestLimits(t *testing.T) {
	a, check := drawing(t, "https://canteen.example.org"), checker(t)
	long := strings.Repeat("A sentence with a [link](https://example.org/a?b=1&c=2) & more in it. ", 100)
	for name, p := range map[string]bot.Post{
		"body":      {Kind: bot.KindAnswer, Title: strings.Repeat("T", 400), Text: strings.Repeat(long+"\n\n", 10), Entry: "profiles/who-can-see", Source: strings.Repeat("s", 4000)},
		"one word":  {Text: strings.Repeat("x", 60_000)},
		"escapes":   {Text: strings.Repeat("&", 20_000), Quote: strings.Repeat("<", 20_000)},
		"all":       {Title: "T", Text: long, Since: long, Quote: long, Note: long, Facts: []bot.Fact{{Label: "L", Value: long}}},
		"not Latin": {Quote: strings.Repeat("ありがとう ", 4000), Text: strings.Repeat("😀", 9000)},
		"buttons":   {Text: "x", Buttons: make([]bot.Button, 60)},
	} {
		blocks, text := a.Render(p, true)
		if n := slack.Size(blocks); n > 12_000 {
			t.Errorf("%s: %d characters of blocks", name, n)
		}
		if n := utf8.RuneCountInString(text); n > 4_000 {
			t.Errorf("%s: %d characters of text", name, n)
		}
		if len(blocks) > 50 {
			t.Errorf("%s: %d blocks", name, len(blocks))
		}
		data := must(json.Marshal(blocks))
		if check != nil {
			if err := check("blocks", data); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if name == "body" && (!bytes.Contains(data, []byte("The rest does not fit")) || !bytes.Contains(data, []byte("Open this entry"))) {
			t.Errorf("%s: nothing says that it was cut", name)
		}
	}
}

func TestPlainText(t *testing.T) {
	for in, want := range map[string]string{
		"<@UBOT> can I &lt;tweet&gt; &amp; post?":              "can I <tweet> & post?",
		"<@UBOT|canteen>":                                      "",
		"ask <@U2> or <@U2|Jo> in <#C1|ward-7> <#C2>":          "ask @somebody or @Jo in #ward-7 #channel",
		"<!here> <!channel|channel> <!subteam^S1|@team>":       "@here @channel @team",
		"<!date^139^{date}|18 Feb>":                            "18 Feb",
		"<https://x.example/?a=1&amp;b=2> <https://y.z|label>": "https://x.example/?a=1&b=2 label (https://y.z)",
		"<mailto:a@b.c|a@b.c> <tel:123|123>":                   "a@b.c 123",
		"&amp;lt;":                                             "&lt;",
	} {
		if got, _ := slack.Plain(in, []string{"UBOT"}); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestManifest(t *testing.T) {
	check := checker(t)
	for _, url := range []string{"", "https://canteen.example.org/"} {
		data, err := slack.Manifest(url)
		if err != nil {
			t.Fatal(err)
		}
		if check != nil {
			if err := check("manifest", data); err != nil {
				t.Error(err)
			}
		}
		m := decode[struct {
			Settings struct {
				Socket   bool  `json:"socket_mode_enabled"`
				Rotation *bool `json:"token_rotation_enabled"`
				Events   struct {
					URL string `json:"request_url"`
				} `json:"event_subscriptions"`
			}
		}](t, data)
		if m.Settings.Socket != (url == "") || m.Settings.Rotation == nil || url != "" && m.Settings.Events.URL != "https://canteen.example.org/slack/events" {
			t.Errorf("%q: %+v", url, m.Settings)
		}
	}
	for _, url := range []string{"canteen.example.org", "http://canteen.example.org", "https://", "https://x.example/?a=b"} {
		if _, err := slack.Manifest(url); err == nil {
			t.Errorf("%s is taken", url)
		}
	}
}

// TestPace: a conversation takes one message a second; what would wait for longer
// than a moment goes back to the queue, and conversations do not hold up each
// other.
func TestPace(t *testing.T) {
	a := drawing(t, "")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		results := make(chan error, 5)
		for range 5 {
			go func() { results <- a.Wait(t.Context(), "C1") }()
		}
		if err := a.Wait(t.Context(), "C2"); err != nil || time.Since(start) != 0 {
			t.Errorf("another conversation waited for %v: %v", time.Since(start), err)
		}
		sent := 0
		for range 5 {
			var not *bot.NotSent
			if err := <-results; err == nil {
				sent++
			} else if !errors.As(err, &not) || not.After <= 2*time.Second {
				t.Error(err)
			}
		}
		if took := time.Since(start); sent != 3 || took.Round(time.Second) != 2*time.Second {
			t.Errorf("%d sent in %v", sent, took)
		}
	})
}

// FuzzRequest: no body that is signed panics, and none fails but for cause.
func FuzzRequest(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(shared, "payloads", "slack", "*"))
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Add([]byte(`{"type":"block_actions","user":{"id":"U1"},"actions":[{"action_id":"entry/1","selected_option":null}],"view":{"type":"home"}}`))
	f.Add([]byte(`payload=%7B%22type%22%3A%22view_submission%22%7D`))
	a := drawing(f, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		_, payload, err := a.Decode(body)
		if err == nil && payload != nil && !bytes.HasPrefix(bytes.TrimSpace(payload), []byte("{")) {
			t.Errorf("%q was taken for a request", payload)
		}
	})
}

// FuzzMrkdwn: no Markdown calls anybody, and no cut goes through a link.
func FuzzMrkdwn(f *testing.F) {
	f.Add("[a](https://b.example) <!here> `<@U1>` **x**", 10)
	f.Add("- a\n  - b\n\n1. c\n\n> d & e", 3)
	f.Fuzz(func(t *testing.T, md string, at int) {
		s := slack.Mrkdwn(md)
		for _, found := range call.FindAllString(s, -1) {
			if !regexp.MustCompile(`^<(https?|mailto|tel):[^<>]*\|[^<>|]*>$`).MatchString(found) {
				t.Errorf("%q calls: %q", md, found)
			}
		}
		if at < 20 || at > 4000 || strings.Contains(s, "<") && utf8.RuneCountInString(s) > at {
			return
		}
		if head, rest := slack.Split(s, at); utf8.RuneCountInString(head) > at || len(head)+len(rest) > len(s) {
			t.Errorf("split of %d characters at %d: %d and %d", len(s), at, len(head), len(rest))
		}
	})
}
