package teams_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"flag"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dlclark/regexp2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
)

var golden = flag.Bool("golden", false, "write what is rendered to testdata instead of comparing")

// posts are one of each kind, with every field that the kind has.
func posts() map[string]bot.Post {
	at := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	press := func(a bot.Action) bot.Press { return bot.Press{Action: a, Question: "q1"} }
	work := func(a bot.Action) bot.Press { return bot.Press{Action: a, Ref: 42} }
	return map[string]bot.Post{
		"answer": {Kind: bot.KindAnswer, Title: "Tweeting as a *member* of staff", Entry: "twitter/staff-tweeting",
			Text:  "You can tweet, **if**:\n\n1. you read [the policy](https://example.org/p?a=1&b=2)\n   - all of it\n2. you ask\n\n> Would you say it in the canteen?\n\n    code <b>\n\nNot <script>alert(1)</script> &amp; not [this](javascript:alert(1)).\n\n# A heading\n\nEnd \\*here\\*.",
			Since: "Twitter is now called X.", Source: "NHS Employers quick guide, November 2014",
			Related: []bot.Button{{Label: "Work accounts", Press: bot.Press{Action: bot.ActShow, Entry: "twitter/work-accounts"}}},
			Buttons: []bot.Button{{Label: "That helped", Press: press(bot.ActHelped), Style: bot.Primary}, {Label: "Not what I meant", Press: press(bot.ActNotMeant)}, {Label: "Ask comms", Press: press(bot.ActAskComms)}},
			Note:    "I keep your question for *30 days*."},
		"clarify": {Kind: bot.KindClarify, Text: "Which of these do you mean?",
			Options: []bot.Button{{Label: "Work accounts", Press: bot.Press{Action: bot.ActChoose, Question: "q1", Entry: "a"}}, {Label: "Your own account", Press: bot.Press{Action: bot.ActChoose, Question: "q1", Entry: "b"}}},
			Buttons: []bot.Button{{Label: "None of these", Press: press(bot.ActNone)}}},
		"holding": {Kind: bot.KindHolding, Title: "TikTok and filming at work", Text: "I have asked the communications team. Your reference is C-42.", Note: "Others can see your question.",
			Buttons: []bot.Button{{Label: "Withdraw", Press: work(bot.ActWithdraw)}, {Label: "Ask without my name", Press: work(bot.ActAnonymous)}}},
		"signpost": {Kind: bot.KindSignpost, Title: "Help for you right now", Text: "Call 999.\n\n- Samaritans: 116 123", Note: "I have not kept what you wrote.",
			Buttons: []bot.Button{{Label: "Pass it on", Press: bot.Press{Action: bot.ActHandOff, Entry: "lanes/crisis"}, Form: true}}},
		"smalltalk": {Kind: bot.KindSmallTalk, Text: "Hello. Ask me about social media."},
		"notice":    {Kind: bot.KindNotice, Text: "Thank you for telling me."},
		"relay": {Kind: bot.KindRelay, Title: "The communications team answer C-42", Quote: "can we film a tiktok? <at>everyone</at> **now**\n[click](https://evil.example)", Text: "Only *off duty*.",
			Buttons: []bot.Button{{Label: "That helped", Press: work(bot.ActThanks), Style: bot.Primary}, {Label: "That did not help", Press: work(bot.ActNoHelp)}}},
		"card": {Kind: bot.KindCard, Title: "C-42 · waiting · TikTok", Quote: "whats the rules on filming a tiktok??\n\nit is {{DATE(2026-01-01T00:00:00Z)}} _now_", Urgent: true,
			Facts: []bot.Fact{{Label: "Asked in Microsoft Teams", Time: at}, {Label: "Nearest entries", Value: "Videos on YouTube (0.31)"}},
			Buttons: []bot.Button{{Label: "Claim", Press: work(bot.ActClaim), Style: bot.Primary}, {Label: "Answer", Press: work(bot.ActAnswer), Form: true}, {Label: "Ask back", Press: work(bot.ActAskBack), Form: true},
				{Label: "Use an entry", Press: work(bot.ActUseEntry), Form: true}, {Label: "Reuse C-17", Press: bot.Press{Action: bot.ActReuse, Ref: 42, Fields: map[string]string{bot.FieldFrom: "C-17"}}, Form: true},
				{Label: "Not for us", Press: work(bot.ActNotOurs), Form: true}, {Label: "Assign", Press: work(bot.ActAssign), Form: true}}},
	}
}

// cardSchema is the published one; its patterns need a fuller engine than RE2.
func cardSchema(t testing.TB, file string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open(shared(t, "schemas/"+file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		re, err := regexp2.Compile(s, regexp2.ECMAScript)
		return (*pattern)(re), err
	})
	if err := c.AddResource(file, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

type pattern regexp2.Regexp

func (p *pattern) MatchString(s string) bool {
	ok, err := (*regexp2.Regexp)(p).MatchString(s)
	return err == nil && ok
}
func (p *pattern) String() string { return (*regexp2.Regexp)(p).String() }

// valid checks a card against the schema. What Teams has beyond it is known and
// left out: how a field is searched in.
func valid(t *testing.T, schema *jsonschema.Schema, c any) {
	t.Helper()
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var beyond func(any)
	beyond = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				beyond(x)
			}
		case map[string]any:
			if v["type"] == "AdaptiveCard" {
				delete(v, "msteams") // Teams' own, for mentions
			}
			if v["type"] == "Input.ChoiceSet" {
				delete(v, "choices.data")
				if v["style"] == "filtered" {
					delete(v, "style")
				}
			}
			for _, x := range v {
				beyond(x)
			}
		}
	}
	beyond(v)
	if err := schema.Validate(v); err != nil {
		t.Errorf("no Adaptive Card 1.5: %v", err)
	}
}

// Every kind of post is rendered as its golden file says, to a valid card.
func TestRender(t *testing.T) {
	w := newWorld(t)
	w.install()
	if _, err := w.adapter.Member(t.Context(), "teams:x"); err != nil { // so that the roster is at hand
		t.Fatal(err)
	}
	w.deliver(w.Say(nurse, "hello"))
	for name, p := range posts() {
		t.Run(name, func(t *testing.T) {
			to := bot.Place("teams:" + nurse.Chat())
			if p.Kind == bot.KindCard {
				to = w.adapter.Comms()
			}
			posted, err := w.adapter.Send(t.Context(), bot.Delivery{ID: name, To: to, Post: p})
			if err != nil {
				t.Fatal(err)
			}
			var sent teamstest.Message
			for _, m := range append(w.Messages(nurse.Chat()), w.Messages(teamstest.Channel)...) {
				if m.ID == posted.ID {
					sent = m
				}
			}
			got, err := json.MarshalIndent(sent.Activity, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			file := filepath.Join("testdata", "golden", name+".json")
			if *golden {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("rendered otherwise than %s (go test -golden writes it anew):\n%s", file, got)
			}
			if strings.Contains(string(got), "AIGeneratedContent") {
				t.Error("a curated answer is labelled as generated")
			}
			if strings.Contains(string(got), `"url": "javascript:`) {
				t.Error("a script can be opened")
			}
			valid(t, cardSchema(t, "adaptive-card-1.5.0.json"), sent.Card())
		})
	}
}

// Forms, dialogs and the home page are valid cards too.
func TestDialogsAreValid(t *testing.T) {
	w := newWorld(t)
	w.install()
	schema := cardSchema(t, "adaptive-card-1.5.0.json")
	w.deliver(w.Say(nurse, "what are the rules on filming a tiktok in the staff room"))
	card := w.Await(t, teamstest.Channel, "[Claim]")
	for _, title := range []string{"Answer", "Ask back", "Use an entry", "Not for us", "Assign"} {
		form := w.press(carla, card, title)
		if form.Dialog() == nil {
			t.Fatalf("%s opens nothing: %v", title, form.Body)
		}
		valid(t, schema, form.Dialog())
	}
	bad := w.fill(carla, card.Conversation, w.press(carla, card, "Answer"), "Send", map[string]string{"text": ""})
	valid(t, schema, bad.Dialog())
	ask := w.deliver(w.Invoke(nurse, nurse.Chat(), "composeExtension/fetchTask", map[string]any{"commandId": "ask"}))
	valid(t, schema, ask.Dialog())
	submit := w.Fill(t, nurse, nurse.Chat(), ask, "Ask", map[string]string{"text": "can I tweet about work"})
	submit["name"] = "composeExtension/submitAction"
	valid(t, schema, w.deliver(submit).Dialog())
	w.deliver(w.Say(nurse, "My questions"))
	valid(t, schema, w.Await(t, nurse.Chat(), "What is kept").Card())
	found := w.deliver(w.Invoke(nurse, nurse.Chat(), "composeExtension/query", map[string]any{"parameters": []any{map[string]any{"name": "initialRun", "value": "true"}}}))
	for _, a := range found.Body["composeExtension"].(map[string]any)["attachments"].([]any) {
		valid(t, schema, a.(map[string]any)["content"])
	}
}

// Whatever is in a post, its message stays below what Teams takes, and a person's
// words stay words.
func TestRenderLongAndHostile(t *testing.T) {
	w := newWorld(t)
	w.deliver(w.Say(nurse, "hello"))
	to := bot.Place("teams:" + nurse.Chat())
	long := strings.Repeat("**bold** and [a link](https://example.org) and more\n\n", 8000)
	for name, p := range map[string]bot.Post{
		"text":  {Kind: bot.KindAnswer, Title: "T", Text: long, Source: "S"},
		"quote": {Kind: bot.KindCard, Title: "T", Quote: strings.Repeat("line\n", 20000)},
		"empty": {Kind: bot.KindNotice},
	} {
		posted, err := w.adapter.Send(t.Context(), bot.Delivery{ID: name, To: to, Post: p})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list := w.Messages(nurse.Chat())
		last := list[len(list)-1]
		data, _ := json.Marshal(last.Activity)
		if last.ID != posted.ID || len(data) > 80_000 {
			t.Errorf("%s: %d bytes", name, len(data))
		}
	}
	hostile := "<at>everyone</at> **x** [y](https://evil.example) {{DATE(2026-01-01T00:00:00Z)}} ![z](https://evil.example/p.png)"
	if _, err := w.adapter.Send(t.Context(), bot.Delivery{ID: "h", To: to, Post: bot.Post{Kind: bot.KindRelay, Quote: hostile, Text: "# " + hostile, Title: hostile, Facts: []bot.Fact{{Label: hostile, Value: hostile}}}}); err != nil {
		t.Fatal(err)
	}
	list := w.Messages(nurse.Chat())
	data, _ := json.Marshal(list[len(list)-1].Card())
	lacks(t, string(data), `"Image"`)
	if n := strings.Count(string(data), `"url":"https://evil.example`); n != 1 { // the one that comms wrote as a link
		t.Errorf("%d links open the address: %s", n, data)
	}
}

func TestPackage(t *testing.T) {
	c := teams.Config{AppID: teamstest.AppID}
	data, err := c.Package("https://canteen.example.nhs.uk")
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string]int{"color.png": 192, "outline.png": 32} {
		img, err := png.Decode(bytes.NewReader(files[name]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if img.Bounds() != image.Rect(0, 0, size, size) {
			t.Errorf("%s is %v", name, img.Bounds())
		}
		for y := range size { // an outline is white on nothing, a colour icon has no hole
			for x := range size {
				r, g, b, a := img.At(x, y).RGBA()
				if name == "outline.png" && a > 0 && (r != a || g != a || b != a) || name == "color.png" && a != 0xffff {
					t.Fatalf("%s: pixel %d,%d is %x %x %x %x", name, x, y, r, g, b, a)
				}
			}
		}
	}
	for _, bad := range []string{"http://canteen.example.nhs.uk", "canteen", "https://"} {
		if _, err := c.Package(bad); err == nil {
			t.Errorf("%q is taken for an address", bad)
		}
	}
	if _, err := (teams.Config{}).Package("https://x.example"); err == nil {
		t.Error("a package without a bot")
	}
	manifest, err := jsonschema.UnmarshalJSON(bytes.NewReader(files["manifest.json"]))
	if err != nil {
		t.Fatal(err)
	}
	if err := cardSchema(t, "teams-manifest-v1.30.schema.json").Validate(manifest); err != nil {
		t.Error(err)
	}
}
