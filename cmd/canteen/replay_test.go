package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"canteen/adapters/slack/slacktest"
	"canteen/adapters/teams/teamstest"
)

// shared finds what comes with the project's brief and not with the project.
func shared(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs ../shared/%s beside the project", name)
	}
	return path
}

// recordings reads the files of a folder.
func recordings(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := map[string][]byte{}
	for _, f := range files {
		if f.Name() == "index.json" {
			continue
		}
		if list[f.Name()], err = os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", dir)
	}
	return list
}

// platformWait is how long a platform waits for an acknowledgement.
const platformWait = 3 * time.Second

// lives checks that the process is there and answers on both platforms.
func (h *hospital) lives() {
	h.t.Helper()
	if code, body := get(h.t, http.DefaultClient, h.p.url+"/healthz"); code != http.StatusOK {
		h.t.Errorf("healthz: %d %s", code, body)
	}
	const question, answer = "what are the rules on filming a tiktok dance in the staff room", "C-"
	h.slack.Say(nina, h.slack.Direct(nina), "", question)
	h.said(h.slack.Direct(nina), answer)
	h.deliver(h.teams.Say(nora, question))
	h.teams.Await(h.t, nora.Chat(), answer)
}

// Each of Slack's recorded requests, signed, is acknowledged in time; unsigned it
// is refused.
func TestReplaySlack(t *testing.T) {
	list := recordings(t, shared(t, "payloads/slack"))
	h := newHospital(t, "http")
	for name, payload := range list {
		payload = h.ours(name, payload)
		kind := slacktest.Event
		switch {
		case strings.HasPrefix(name, "interactive_"):
			kind = slacktest.Interactive
		case strings.HasPrefix(name, "slash_command"):
			kind = slacktest.CommandKind
		case strings.HasPrefix(name, "socket_envelope_"):
			var e struct {
				Type    string
				Payload json.RawMessage
			}
			if err := json.Unmarshal(payload, &e); err != nil {
				t.Fatal(err)
			}
			kind, payload = e.Type, e.Payload
		}
		body, contentType := payload, "application/x-www-form-urlencoded"
		if !strings.HasSuffix(name, ".form") {
			body, contentType = slacktest.Encode(kind, payload)
		}
		for what, c := range map[string]struct {
			header http.Header
			status int
		}{"signed": {h.slack.Sign(body, time.Now()), http.StatusOK}, "again": {h.slack.Sign(body, time.Now()), http.StatusOK}, "unsigned": {http.Header{}, http.StatusUnauthorized},
			"stale": {h.slack.Sign(body, time.Now().Add(-time.Hour)), http.StatusUnauthorized}} {
			c.header.Set("Content-Type", contentType)
			from := time.Now()
			ack, err := h.slack.Post(body, c.header)
			if took := time.Since(from); err != nil || ack.Status != c.status || took > platformWait {
				t.Errorf("%s, %s: %d after %v, want %d: %s %v", name, what, ack.Status, took, c.status, ack.Body, err)
			}
		}
	}
	h.lives()
	h.said(slackWard, "Ask me a question") // to "Hi there!": nothing is skipped as foreign
	// What is said in a conversation arrives in its order: all else is there by now.
	h.slack.Mention(nina, slackWard, "", "what are the rules on filming a tiktok dance in the staff room")
	h.said(slackWard, "already have this question")
	seen := map[string]bool{}
	for _, m := range h.slack.All() {
		if m.User == h.slack.BotUser && m.Key != "" && seen[m.Key] {
			t.Errorf("twice: %s", m.Read())
		}
		seen[m.Key] = true
	}
}

// Ids in a recording of Slack's.
var (
	recordedTeam    = regexp.MustCompile(`\bT_?[A-Z0-9]{3,}\b`)
	recordedChannel = regexp.MustCompile(`\b[CG][A-Z0-9]{3,}\b`)
	recordedDirect  = regexp.MustCompile(`\bD[A-Z0-9]{3,}\b`)
	recordedEvent   = regexp.MustCompile(`"event_id": "[^"]*"`)
	recordedUser    = regexp.MustCompile(`\b[UW][0-9][A-Z0-9]{2,}\b`)
	recordedBot     = regexp.MustCompile(`"user_id": "[UW][A-Z0-9]+",(\s+)"is_bot": true|<@[UW][0-9][A-Z0-9]+>`)
)

// ours makes a recording one of the test's workspace, so that it is not skipped as
// foreign: Nina speaks in the ward or in her own conversation with the bot.
func (h *hospital) ours(name string, payload []byte) []byte {
	payload = recordedEvent.ReplaceAll(payload, fmt.Appendf(nil, `"event_id": "Ev%x"`, name)) // many have the same
	payload = recordedBot.ReplaceAllFunc(payload, func(found []byte) []byte {
		if found[0] == '<' {
			return []byte("<@" + h.slack.BotUser + ">")
		}
		return []byte(`"user_id": "` + h.slack.BotUser + `", "is_bot": true`)
	})
	payload = recordedTeam.ReplaceAll(payload, []byte(h.slack.TeamID))
	payload = recordedUser.ReplaceAll(payload, []byte(nina))
	payload = recordedDirect.ReplaceAll(payload, []byte(h.slack.Direct(nina)))
	return recordedChannel.ReplaceAll(payload, []byte(slackWard))
}

// Each of Teams' recorded activities, with a token, is taken in time; without one,
// or with one for another service, it is refused.
func TestReplayTeams(t *testing.T) {
	list := recordings(t, shared(t, "payloads/teams"))
	h := newHospital(t, "http")
	for name, payload := range list {
		var activity map[string]any
		if err := json.Unmarshal(payload, &activity); err != nil {
			t.Fatal(err)
		}
		token := func(service any) string {
			claims := h.teams.Claims(time.Now())
			claims["serviceurl"] = service
			return "Bearer " + h.teams.Sign(claims)
		}
		recorded := activity["serviceUrl"]
		teamstest.Ours(activity)
		for _, c := range []struct {
			what, authorization string
			service             any
			status              int
		}{
			{"from a host that is not Teams'", token(recorded), recorded, http.StatusForbidden},
			{"without a token", "", h.teams.ServiceURL(), http.StatusUnauthorized},
			{"with another service's token", token("https://smba.trafficmanager.net/emea/"), h.teams.ServiceURL(), http.StatusForbidden},
			{"with its token", token(h.teams.ServiceURL()), h.teams.ServiceURL(), http.StatusOK},
			{"again", token(h.teams.ServiceURL()), h.teams.ServiceURL(), http.StatusOK},
		} {
			activity["serviceUrl"] = c.service
			from := time.Now()
			a := h.teams.DeliverAs(t, activity, c.authorization)
			if took := time.Since(from); a.Status != c.status || took > platformWait {
				t.Errorf("%s, %s: %d after %v, want %d", name, c.what, a.Status, took, c.status)
			}
			if activity["type"] == "invoke" && c.status == http.StatusOK && a.Body == nil {
				t.Errorf("%s, %s: an invoke without an answer", name, c.what)
			}
		}
	}
	h.lives()
}
