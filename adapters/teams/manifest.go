package teams

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/url"
	"strings"
)

// version is the app package's: raise it with every change of what follows, or
// Teams does not take the new package for an update.
const version = "1.0.0"

// prompts are offered before anybody has asked anything.
var prompts = []struct{ title, prompt string }{
	{"Can I post about work?", "Can I post about my work on social media?"},
	{"Who can see my posts?", "Who can see what I post?"},
	{"A photo from the ward", "Can I post a photo taken on the ward?"},
	{"A patient sent me a friend request", "A patient has sent me a friend request. What do I do?"},
}

// Package is the app's zip for Teams: its manifest and two icons. address is where
// people reach this Canteen by https.
func (c Config) Package(address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("--url %s: Teams needs an https address, such as https://canteen.example.nhs.uk", limit(address, 100))
	}
	if !guid.MatchString(c.AppID) {
		return nil, errors.New("MICROSOFT_APP_ID is missing or is not an application id (a GUID): it is on the bot's page in the Azure portal")
	}
	manifest, err := json.MarshalIndent(c.manifest(u), "", "  ")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range []struct {
		name string
		data []byte
	}{{"manifest.json", append(manifest, '\n')}, {"color.png", icon(192, false)}, {"outline.png", icon(32, true)}} {
		w, err := z.Create(f.name)
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Package is Config.Package of the adapter's own settings.
func (a *Adapter) Package(address string) ([]byte, error) { return a.c.Package(address) }

type object = map[string]any

func (c Config) manifest(u *url.URL) object {
	commands := func(home bool) []object {
		var list []object
		if home {
			list = append(list, object{"title": homeCommand, "description": "Where your questions to comms stand, what is kept of you, and what there is to read"})
		}
		for _, p := range prompts {
			list = append(list, object{"title": p.title, "description": p.prompt, "type": "prompt", "prompt": p.prompt})
		}
		return list
	}
	here := strings.TrimRight(u.String(), "/") + "/"
	id := strings.ToLower(c.AppID)
	return object{
		"$schema":         "https://developer.microsoft.com/json-schemas/teams/v1.30/MicrosoftTeams.schema.json",
		"manifestVersion": "1.30",
		"version":         version,
		"id":              id,
		"developer":       object{"name": "Canteen", "websiteUrl": here, "privacyUrl": here + "privacy", "termsOfUseUrl": here + "terms"},
		"name":            object{"short": "Canteen", "full": "Canteen, answers about social media"},
		"description": object{
			"short": "Answers staff's questions about using social media at work",
			"full":  "Ask in your own words whether you can post, share, film or follow. Canteen answers from the communications team's FAQ, with its source, and passes on to that team what the FAQ does not answer. It answers in a private chat, where it is mentioned in a channel or group chat, and on a message that you point it to.",
		},
		"icons":               object{"color": "color.png", "outline": "outline.png"},
		"accentColor":         "#005EB8",
		"defaultInstallScope": "personal",
		"localizationInfo":    object{"defaultLanguageTag": "en-gb"},
		// Shared and private channels too; without it Teams leaves the bot out of them.
		"supportsChannelFeatures": "tier1",
		"bots": []object{{
			"botId":  id,
			"scopes": []string{"personal", "team", "groupChat"},
			"commandLists": []object{
				{"scopes": []string{"personal"}, "commands": commands(true)},
				{"scopes": []string{"team", "groupChat"}, "commands": commands(false)},
			},
		}},
		"composeExtensions": []object{{
			"botId": id,
			"commands": []object{
				{"id": "search", "type": "query", "title": "Search the FAQ", "description": "Find an entry and put it into the conversation", "initialRun": true,
					"context":    []string{"compose", "commandBox"},
					"parameters": []object{{"name": "question", "title": "Question", "description": "A few words of the question", "inputType": "text"}}},
				{"id": "ask", "type": "action", "title": "Ask Canteen about this message", "description": "Get the FAQ's answer to a message, for you alone", "fetchTask": true,
					"context": []string{"message", "compose"}},
			},
		}},
		"validDomains": []string{u.Hostname()},
		// Follow-ups without a mention reach the bot by these alone.
		"webApplicationInfo": object{"id": id, "resource": "https://RscBasedStoreApp"},
		"authorization": object{"permissions": object{"resourceSpecific": []object{
			{"name": "ChannelMessage.Read.Group", "type": "Application"},
			{"name": "ChatMessage.Read.Chat", "type": "Application"},
		}}},
	}
}

// icon draws a speech bubble with a cup in it: in colour on the accent, or white
// on nothing, as Teams wants the two.
func icon(size int, outline bool) []byte {
	const fine = 4 // samples across a pixel
	var (
		blue  = color.NRGBA{0x00, 0x5E, 0xB8, 0xFF}
		white = color.NRGBA{0xFF, 0xFF, 0xFF, 0xFF}
	)
	img := image.NewNRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			lit := 0
			for i := range fine * fine {
				px := (float64(x) + (float64(i%fine)+0.5)/fine) / float64(size)
				py := (float64(y) + (float64(i/fine)+0.5)/fine) / float64(size)
				if inIcon(px, py, outline) {
					lit++
				}
			}
			share := float64(lit) / (fine * fine)
			if outline {
				img.SetNRGBA(x, y, color.NRGBA{0xFF, 0xFF, 0xFF, uint8(math.Round(share * 255))})
				continue
			}
			mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-share) + float64(b)*share)) }
			img.SetNRGBA(x, y, color.NRGBA{mix(blue.R, white.R), mix(blue.G, white.G), mix(blue.B, white.B), 0xFF})
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, img) // a buffer takes everything
	return out.Bytes()
}

// inIcon tells whether a point of the unit square is lit: the bubble without the
// cup, or for the outline their edges.
func inIcon(x, y float64, outline bool) bool {
	box := func(x0, y0, x1, y1, r float64) bool {
		dx, dy := max(x0+r-x, 0, x-(x1-r)), max(y0+r-y, 0, y-(y1-r))
		return math.Hypot(dx, dy) <= r
	}
	tail := func(top, left, right, tip float64) bool { // under the bubble, pointing down and left
		return y >= top && y <= tip && x >= left && x <= right-(y-top)/(tip-top)*(right-left)
	}
	ring := func(cx, cy, outer, inner float64) bool {
		d := math.Hypot(x-cx, y-cy)
		return d <= outer && d >= inner
	}
	cup := box(0.33, 0.36, 0.58, 0.58, 0.05) || x > 0.57 && ring(0.58, 0.45, 0.10, 0.055)
	bubble := box(0.14, 0.18, 0.86, 0.74, 0.14) || tail(0.70, 0.28, 0.48, 0.90)
	if !outline {
		return bubble && !cup
	}
	inner := box(0.21, 0.25, 0.79, 0.67, 0.09)
	return bubble && !inner || cup
}
