package slack

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"canteen/bot"
)

var signingSecret = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Doctor looks at everything that Slack has to do with and says what works, what
// does not, and how to mend it. It changes nothing and posts nothing.
func (a *Adapter) Doctor(ctx context.Context) []bot.Finding {
	var found []bot.Finding
	add := func(name string, ok bool, say string) {
		found = append(found, bot.Finding{Name: "Slack: " + name, OK: ok, Say: say})
	}
	id, scopes, err := a.identify(ctx)
	if err != nil {
		add("bot token", false, tokenMend(err))
	} else {
		a.self.Store(&id)
		say := "works, for workspace " + id.team
		if id.enterprise != "" {
			say += " of organisation " + id.enterprise
		}
		add("bot token", true, say)
		switch missing, history, other := lacking(scopes, neededScopes), lacking(scopes, historyScopes), lacking(scopes, otherScopes); {
		case len(scopes) == 0:
			add("scopes", true, "Slack does not say which scopes the token has")
		case len(missing) > 0:
			add("scopes", false, "missing: "+strings.Join(missing, ", ")+". Add them under OAuth & Permissions and install the app again")
		case len(history) > 0:
			add("scopes", true, "works; without "+strings.Join(history, ", ")+" follow-ups in a thread need a mention, edits and deletions in channels and replies under a card are not seen, nor is what stands above a mention, and a message whose fate is unknown is sent again, marked as a possible repeat")
		case len(other) > 0:
			add("scopes", true, "works; without "+strings.Join(other, ", ")+" reactions do nothing: 👀 claims a card and ✅ closes it, 👍 and 👎 say whether an answer helped. Add it under OAuth & Permissions, and the event reaction_added under Event Subscriptions, and install the app again")
		default:
			add("scopes", true, "all there")
		}
		if a.c.CommsChannel == "" {
			add("comms channel", true, "none: questions to comms are on the web desk. Set SLACK_COMMS_CHANNEL to have cards here")
		} else if say, name := a.commsChannel(ctx); say != "" {
			add("comms channel", false, strings.TrimPrefix(say, "Slack: "))
		} else {
			add("comms channel", true, "the bot is in #"+name)
		}
	}
	switch {
	case a.c.SigningSecret == "":
		add("HTTP", true, "not used: SLACK_SIGNING_SECRET is not set")
	case !signingSecret.MatchString(a.c.SigningSecret):
		add("HTTP", false, "SLACK_SIGNING_SECRET does not look like one (32 characters of 0-9 and a-f): copy it from Basic Information")
	default:
		add("HTTP", true, "requests are taken at "+or(a.c.PublicURL, "https://(your address)")+Path)
	}
	if a.c.AppToken == "" {
		add("Socket Mode", true, "not used: SLACK_APP_TOKEN is not set")
	} else if _, _, err := a.api.StartSocketModeContext(ctx); err != nil {
		add("Socket Mode", false, socketMend(err))
	} else {
		add("Socket Mode", true, "opens")
	}
	return found
}

// lacking are those of want that are not there.
func lacking(have, want []string) []string {
	return slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(have, s) })
}
