package teams

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"canteen/bot"
)

// Doctor reports, of each thing that Teams needs, whether it works, and how to fix it where
// it does not.
func (a *Adapter) Doctor(ctx context.Context) []bot.Finding {
	var list []bot.Finding
	add := func(name string, err error, good, fix string) {
		f := bot.Finding{Name: "Microsoft Teams: " + name, OK: err == nil, Say: good}
		if err != nil {
			f.Say = err.Error() + ". " + fix
		}
		list = append(list, f)
	}
	if a.c.Insecure {
		add("authentication", nil, "switched off: every request is believed, which is for work on this machine only", "")
	} else {
		add("the bot's token", a.connector.CheckToken(ctx), "the log-in host gives one", "Check MICROSOFT_APP_ID, MICROSOFT_APP_PASSWORD (the secret's value, not its id; it may have expired) and MICROSOFT_APP_TENANT_ID, and that this server reaches "+a.c.LoginURL)
		add("the Bot Connector's keys", a.verifier.LoadKeys(ctx), "they are read, so requests can be verified", "Check BOT_OPENID_METADATA_URL, and that this server reaches "+hostOf(a.c.OpenIDMetadataURL))
	}
	if a.c.CommsChannel == "" {
		add("comms channel", nil, "none is set: comms work in Slack or at the desk", "")
		return list
	}
	if a.store == nil {
		add("comms channel", nil, "set; the canteen that runs on this database says at /readyz whether it can be reached", "")
		return list
	}
	_, err := a.place(ctx, a.Comms())
	switch {
	case errors.Is(err, bot.ErrNotFound):
		add("comms channel", errNoComms, "", "Until then its cards wait, and none is lost")
	case err != nil:
		add("comms channel", err, "", "The store cannot be read")
	default:
		members, err := a.roster(ctx)
		add("comms channel", err, fmt.Sprintf("it can be reached; %d people of its team may answer", len(members)), "Check that the app is still in the team of TEAMS_COMMS_CHANNEL")
	}
	return list
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil {
		return u.Host
	}
	return address
}
