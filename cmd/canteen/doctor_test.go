package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"canteen/adapters/teams/teamstest"
)

// once runs one command of the real program to its end.
func once(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return onceIn(t, t.TempDir(), env, args...)
}

// onceIn is once in a folder that is there already.
func onceIn(t *testing.T, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{asMain + "=1", "HOME=" + cmd.Dir}, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// The doctor says of each thing whether it works, and how to mend what does not.
func TestDoctor(t *testing.T) {
	h := newHospital(t, "http")
	h.env = append(h.env, "SLACK_APP_TOKEN="+h.slack.AppToken)
	// A folder without lanes names nobody who is not filled in.
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("..", "..", "adapters", "slack", "testdata", "folder"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "faq", "lanes")); err != nil {
		t.Fatal(err)
	}
	examine := func(name string, code int, want []string, env ...string) {
		t.Helper()
		got, out, errs := once(t, append(h.env[:len(h.env):len(h.env)], env...), "doctor", "--knowledge", folder)
		if got != code {
			t.Errorf("%s: exit %d, want %d", name, got, code)
		}
		lines := strings.Split(out, "\n")
		for _, w := range want {
			mark, text, _ := strings.Cut(w, " ")
			found := false
			for _, line := range lines {
				found = found || strings.HasPrefix(line, mark) && strings.Contains(line, text)
			}
			if !found {
				t.Errorf("%s: no line %q", name, w)
			}
		}
		mend := 0
		for _, line := range lines {
			if strings.HasPrefix(line, "FIX") {
				mend++
			} else if line != "" && !strings.HasPrefix(line, "ok  ") {
				t.Errorf("%s: a line that is neither ok nor FIX: %q", name, line)
			}
		}
		wanted := 0
		for _, w := range want {
			if strings.HasPrefix(w, "FIX") {
				wanted++
			}
		}
		if mend != wanted {
			t.Errorf("%s: %d lines to mend, want %d", name, mend, wanted)
		}
		for _, secret := range []string{h.slack.BotToken, h.slack.AppToken, h.slack.SigningSecret, h.teams.Secret, "xoxb-none", "wrong-secret"} {
			if strings.Contains(out+errs, secret) {
				t.Errorf("%s: a secret is printed", name)
			}
		}
		if t.Failed() {
			t.Fatalf("%s: the doctor says:\n%s%s", name, out, errs)
		}
	}
	slackOK := []string{"ok Slack: bot token: works, for workspace T111", "ok Slack: scopes: all there", "ok Slack: comms channel: the bot is in #comms",
		"ok Slack: HTTP: requests are taken at https://canteen.example.org/slack/events", "ok Slack: Socket Mode: opens"}
	teamsOK := []string{"ok Microsoft Teams: the bot's token", "ok Microsoft Teams: the Bot Connector's keys"}
	all := append(append([]string{"ok Settings: complete", "ok Folder: ", "ok Store: in use by a canteen that runs"}, slackOK...), teamsOK...)

	examine("beside a canteen that runs", 0, append(all[:len(all):len(all)], "ok Microsoft Teams: comms channel: set; the canteen that runs on this database"))
	if code := h.p.stop(t); code != 0 {
		t.Errorf("exit %d", code)
	}
	all[2] = "ok Store: opens"
	examine("alone", 0, append(all, "ok Microsoft Teams: comms channel: it can be reached; 2 people of its team may answer"))

	examine("a bad token", 1, []string{"FIX Slack: bot token: the bot token is not valid (invalid_auth): install the app again and set the new SLACK_BOT_TOKEN"}, "SLACK_BOT_TOKEN=xoxb-none")
	examine("the two tokens swapped", 1, []string{"FIX Slack: bot token: SLACK_BOT_TOKEN holds another kind of token", "FIX Slack: Socket Mode: "},
		"SLACK_BOT_TOKEN="+h.slack.AppToken, "SLACK_APP_TOKEN="+h.slack.BotToken)
	examine("a signing secret that is none", 1, []string{"FIX Slack: HTTP: SLACK_SIGNING_SECRET does not look like one"}, "SLACK_SIGNING_SECRET=nonsense")
	examine("no such channel", 1, []string{"FIX Slack: comms channel: the comms channel CNONE is not there"}, "SLACK_COMMS_CHANNEL=CNONE")
	h.slack.Leave(slackComms, h.slack.BotUser)
	examine("not in the channel", 1, []string{"FIX Slack: comms channel: the bot is not in the comms channel #comms: write /invite @Canteen there"})
	h.slack.AddChannel(slackComms, "comms", h.slack.BotUser, carol)
	h.slack.Archive(slackComms, true)
	examine("an archived channel", 1, []string{"FIX Slack: comms channel: the comms channel #comms is archived: unarchive it"})
	h.slack.Archive(slackComms, false)
	h.slack.Scopes("app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "im:history", "im:read", "im:write")
	examine("a missing scope", 1, []string{"FIX Slack: scopes: missing: users:read. Add them under OAuth & Permissions"})
	h.slack.Scopes("app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "im:history", "im:read", "im:write", "users:read")
	examine("without the history scopes", 0, []string{"ok Slack: scopes: works; without channels:history, groups:history, mpim:history"})
	examine("no network", 1, []string{"FIX Slack: bot token: cannot be reached", "FIX Slack: Socket Mode: "}, "SLACK_API_URL=http://127.0.0.1:1/api/")

	examine("a wrong password", 1, []string{"FIX Microsoft Teams: the bot's token: ", "FIX Microsoft Teams: comms channel: "}, "MICROSOFT_APP_PASSWORD=wrong-secret")
	examine("another tenant", 1, []string{"FIX Microsoft Teams: the bot's token: ", "FIX Microsoft Teams: comms channel: "}, "MICROSOFT_APP_TENANT_ID=44444444-4444-4444-4444-444444444444")
	h.teams.SetOutage(true)
	examine("no keys", 1, []string{"FIX Microsoft Teams: the Bot Connector's keys: "})
	h.teams.SetOutage(false)
	examine("a comms channel that was never heard from", 1, []string{"FIX Microsoft Teams: comms channel: the comms channel has not been heard from: add the app to its team"},
		"DATABASE_URL="+filepath.Join(t.TempDir(), "new.db"), "TEAMS_COMMS_CHANNEL="+teamstest.Channel)
	examine("settings that do not go together", 1, []string{"FIX Settings: "}, "MICROSOFT_APP_PASSWORD=")
}
