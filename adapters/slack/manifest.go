package slack

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// The file is the manifest as Slack takes it, for Socket Mode: the client's own
// types would drop what they do not know.
//
//go:embed manifest.json
var manifest []byte

// Manifest is what an app is made from at api.slack.com/apps. With the public
// address of this server, events come over HTTP; without, over Socket Mode.
func Manifest(public string) ([]byte, error) {
	if public == "" {
		return slices.Clone(manifest), nil
	}
	u, err := url.Parse(public)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not an address such as https://canteen.example.org", public)
	}
	var m map[string]any
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	at := strings.TrimSuffix(public, "/") + Path
	settings := m["settings"].(map[string]any)
	settings["socket_mode_enabled"] = false
	settings["event_subscriptions"].(map[string]any)["request_url"] = at
	interactivity := settings["interactivity"].(map[string]any)
	interactivity["request_url"], interactivity["message_menu_options_url"] = at, at
	for _, c := range m["features"].(map[string]any)["slash_commands"].([]any) {
		c.(map[string]any)["url"] = at
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(m)
	return b.Bytes(), err
}

// Path is where Handler belongs.
const Path = "/slack/events"

// The scopes of the app. Without those of the second group it works, and less
// well: the README says how.
var (
	neededScopes  = []string{"app_mentions:read", "channels:read", "chat:write", "commands", "groups:read", "im:history", "im:read", "im:write", "users:read"}
	historyScopes = []string{"channels:history", "groups:history", "mpim:history"}
	otherScopes   = []string{"reactions:read"}
)
