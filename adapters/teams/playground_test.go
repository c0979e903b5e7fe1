//go:build playground

package teams_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
	"canteen/bot"
)

// Where the playground listens, and who is in it.
const (
	playground = "http://localhost:56150"
	scene      = `version: "0.1.1"
tenantId: 11111111-1111-1111-1111-111111111111
bot:
  id: 28:22222222-2222-2222-2222-222222222222
  name: Canteen
currentUser:
  id: 29:alex
  name: Alex Wilber
  userPrincipleName: alexw@example.com
  aadObjectId: 33333333-3333-3333-3333-333333333330
  givenName: Alex
  surname: Wilber
  email: alexw@example.com
users:
  - id: 29:megan
    name: Megan Bowen
    userPrincipleName: megan@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333331
    givenName: Megan
    surname: Bowen
    email: megan@example.com
  - id: 29:adele
    name: Adele Vance
    userPrincipleName: adele@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333332
    givenName: Adele
    surname: Vance
    email: adele@example.com
  - id: 29:isaiah
    name: Isaiah Langer
    userPrincipleName: isaiah@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333333
    givenName: Isaiah
    surname: Langer
    email: isaiah@example.com
  - id: 29:patti
    name: Patti Fernandez
    userPrincipleName: patti@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333334
    givenName: Patti
    surname: Fernandez
    email: patti@example.com
  - id: 29:lynne
    name: Lynne Robbins
    userPrincipleName: lynne@example.com
    aadObjectId: 33333333-3333-3333-3333-333333333335
    givenName: Lynne
    surname: Robbins
    email: lynne@example.com
personalChat:
  id: a:personal-chat-1
groupChat:
  id: 19:group@unq.gbl.spaces
  name: Group Chat
team:
  id: ` + teamstest.Team + `
  name: Comms
  aadGroupId: 44444444-4444-4444-4444-444444444444
  channels:
    - id: ` + teamstest.Channel + `
      name: Questions
`
)

type sending struct {
	bot.Delivery
	posted bot.Posted
	err    error
}

// The loop through Microsoft 365 Agents Playground, which sends no tokens: asked,
// passed on, claimed and answered. It needs the program agentsplayground, and is
// best run with no network: unshare -n sh -c 'ip link set lo up; go test -tags playground …'.
func TestPlayground(t *testing.T) {
	program := os.Getenv("AGENTSPLAYGROUND")
	if program == "" {
		program = "agentsplayground"
	}
	if _, err := exec.LookPath(program); err != nil {
		t.Skip("needs agentsplayground of npm's @microsoft/m365agentsplayground@0.2.28")
	}
	sent := make(chan sending, 100)
	w := newWorld(t, func(c *teams.Config) {
		*c = teams.Config{Insecure: true, Listen: "127.0.0.1:0", CommsChannel: teamstest.Channel, Bot: c.Bot, Store: c.Store, Log: c.Log}
	})
	w.sent = func(d bot.Delivery, p bot.Posted, err error) { sent <- sending{d, p, err} }

	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".m365agentsplayground.yml"), []byte(scene), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-e", w.Endpoint, "-c", "msteams", "--dt")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "BROWSER=none")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for tries := 0; ; tries++ {
		resp, err := http.Get(playground + "/_debug/ping")
		if err == nil {
			resp.Body.Close()
			break
		}
		if tries == 300 {
			t.Fatalf("the playground does not start: %v: %s", err, &out)
		}
		<-tick.C
	}
	call := func(path string, body any) map[string]any {
		t.Helper()
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(playground+path, "application/json", bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got map[string]any
		_ = json.NewDecoder(resp.Body).Decode(&got) // not every answer has a body
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", path, resp.Status, got)
		}
		return got
	}
	var seen []sending
	// A delivery that says something, as it landed.
	await := func(words string) sending {
		t.Helper()
		for i := 0; ; i++ {
			if i == len(seen) {
				select {
				case s := <-sent:
					seen = append(seen, s)
				case <-time.After(30 * time.Second):
					t.Fatalf("nothing says %q: %s", words, &out)
				}
			}
			if data, _ := json.Marshal(seen[i].Post); seen[i].err == nil && strings.Contains(string(data), words) {
				return seen[i]
			}
		}
	}
	say := func(conversation, text string) {
		t.Helper()
		body := map[string]any{"from": map[string]any{"id": "29:alex"}, "text": text, "textFormat": "plain"}
		if strings.HasPrefix(text, "<at>") {
			body["mentions"] = []any{map[string]any{"mentioned": map[string]any{"id": "28:22222222-2222-2222-2222-222222222222"}, "text": "<at>Canteen</at>"}}
		}
		call("/_conversation/v1/conversations/"+conversation+"/messages", body)
	}
	const chat = "a:personal-chat-1"
	say(chat, "can I tweet about work")
	await("Tweeting as a member of staff")
	say(teamstest.Channel, "<at>Canteen</at> hello") // so that the comms channel is known
	await("Hello")
	say(chat, "what are the rules on filming a tiktok in the staff room")
	await(`"kind":"holding"`)
	card := await(`"kind":"card"`)
	press := func(action string, more map[string]any) map[string]any {
		t.Helper()
		data := map[string]any{"canteen": map[string]any{"a": action, "r": int64(card.Ref)}}
		maps.Copy(data, more)
		_, id := split(card.posted.ID)
		conversation, _ := split(card.posted.ID)
		if conversation == "" {
			conversation = teamstest.Channel + ";messageid=" + id
		}
		return call("/_conversation/v1/invoke", map[string]any{"name": "adaptiveCard/action", "conversation": map[string]any{"id": conversation}, "from": map[string]any{"id": "29:alex"},
			"replyToId": id, "value": map[string]any{"action": map[string]any{"type": "Action.Execute", "title": "x", "verb": "press", "data": data}}})
	}
	contains(t, fmt.Sprint(press("claim", nil)), "claimed")
	press("answer", map[string]any{"text": "Only off duty."})
	await("Only off duty.")
}

// split takes a Posted.ID apart.
func split(s string) (conversation, id string) {
	if before, after, ok := strings.Cut(s, " "); ok {
		return before, after
	}
	return "", s
}
