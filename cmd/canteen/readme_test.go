package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"canteen/adapters/slack/slacktest"
)

// TestSlackReadme does what adapters/slack/README.md says, in its order and with its
// own lines: the manifest, the settings in a file .env, the doctor, serve, the two
// questions and the answer from the card. Slack's side, where somebody presses through
// its pages, is the fake's: it grants what the manifest asks for, and no more.
func TestSlackReadme(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("..", "..", "adapters", "slack", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	shown := func(pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(readme)
		if m == nil {
			t.Fatalf("the README has no %s", pattern)
		}
		return m[1]
	}
	for name, step := range map[string]struct{ manifest, setting string }{
		"socket": {shown("2\\. .*`canteen (manifest slack) > manifest.json`"), ""},
		"http":   {shown("8\\. .*`canteen (manifest slack --url [^`]+)`"), shown("8\\. .*set `(SLACK_SIGNING_SECRET)`")},
	} {
		t.Run(name, func(t *testing.T) {
			s := slacktest.New(t)
			s.AddUser(nina, "Nina Nurse")
			s.AddUser(carol, "Carol Comms")
			dir := t.TempDir()

			code, manifest, errs := onceIn(t, dir, nil, strings.Fields(step.manifest)...)
			if code != 0 {
				t.Fatalf("the manifest: exit %d: %s", code, errs)
			}
			var app struct {
				OAuth struct {
					Scopes struct{ Bot []string }
				} `json:"oauth_config"`
			}
			if err := json.Unmarshal([]byte(manifest), &app); err != nil || len(app.OAuth.Scopes.Bot) == 0 {
				t.Fatalf("the manifest: %v:\n%s", err, manifest)
			}
			s.Scopes(app.OAuth.Scopes.Bot...)
			s.AddChannel(slackComms, "comms", s.BotUser, carol) // /invite @Canteen

			var env []string
			for _, line := range strings.Fields(shown(`(?s)\n +(SLACK_BOT_TOKEN=.*?)\n\n`)) {
				setting, _, _ := strings.Cut(line, "=")
				if setting == "SLACK_APP_TOKEN" && step.setting != "" {
					setting = step.setting
				}
				env = append(env, setting+"="+map[string]string{"SLACK_BOT_TOKEN": s.BotToken, "SLACK_APP_TOKEN": s.AppToken, "SLACK_SIGNING_SECRET": s.SigningSecret, "SLACK_COMMS_CHANNEL": slackComms}[setting])
			}
			env = append(env, "SLACK_API_URL="+s.URL)
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(strings.Join(env, "\n")+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}

			_, out, _ := onceIn(t, dir, nil, "doctor")
			for line := range strings.Lines(out) {
				if strings.HasPrefix(line, "FIX") && !strings.HasPrefix(line, "FIX   Your names and numbers: ") {
					t.Errorf("the doctor: %s", line)
				}
			}
			if !strings.Contains(out, "ok    Slack: comms channel: the bot is in #comms") {
				t.Errorf("the doctor says:\n%s", out)
			}
			p := startIn(t, dir, nil)
			if step.setting == "" {
				s.AwaitCalls("socket", 1)
			} else {
				s.Events = p.url + "/slack/events"
			}

			said := func(channel string, words ...string) slacktest.Message {
				t.Helper()
				return s.Await(strings.Join(words, " … ")+" in "+channel, func(m slacktest.Message) bool {
					return m.Channel == channel && m.User == s.BotUser && has(m.Read(), words...)
				})
			}
			s.Say(nina, s.Direct(nina), "", shown("10\\. .*?`([^`\n]+)`"))
			said(s.Direct(nina), "Staff tweeting on their own accounts", "Source: NHS Employers")
			s.Say(nina, s.Direct(nina), "", "what are the rules on filming a tiktok dance in the staff room")
			said(s.Direct(nina), "C-1")
			s.Press(carol, said(slackComms, "C-1 · waiting"), "Claim")
			s.Press(carol, said(slackComms, "C-1 · claimed"), "Answer")
			form := s.AwaitView(carol, "modal", nil)
			if errs, _ := s.Submit(carol, form, map[string]string{"text": "Ask your manager first."}); errs != nil {
				t.Fatalf("the answer: %v", errs)
			}
			said(s.Direct(nina), "Ask your manager first.")
			for _, r := range s.Refusals() {
				t.Errorf("Slack refused: %s", r)
			}
		})
	}
}
