package teams

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// Config is what an Adapter is made of. AppID, AppPassword, TenantID, Bot and Store are
// required; Package needs only AppID.
type Config struct {
	AppID, AppPassword, TenantID string
	CommsChannel                 string   // 19:…@thread.tacv2; empty: comms work elsewhere
	AskChannels                  []string // those in which a question is taken for one without a mention

	// These differ between clouds. The defaults are those of the public cloud.
	LoginURL          string
	OpenIDMetadataURL string
	TokenIssuer       string
	ServiceHosts      []string // exact names, with a port if need be, or *.name; nil: Teams' own

	Tenants []string // whose activities are taken; nil: the bot's own tenant's, "*" all that the token vouches for
	// Urgent are the members of the comms team whom an urgent card mentions, by e-mail
	// address or object id; nil: all of them, where they are at most 20; "nobody": none.
	Urgent []string
	// Insecure takes activities without a token and sends none, to work with the
	// Agents Playground. Listen, where the process listens, has to be loopback.
	Insecure bool
	Listen   string

	PublicURL string // of this Canteen, for links; may be empty
	Bot       *bot.Bot
	Store     Store
	Log       *slog.Logger
	Now       func() time.Time
	Timeout   time.Duration // of each call; default 10 seconds
	// Pace is how many times faster than Teams allows messages go out: 1, the
	// default, everywhere but in tests.
	Pace float64
	// Count, when set, is told of each request by what became of it: ok, ignored,
	// error, and refused as token, right, keys, size or body.
	Count func(what string)
}

var (
	guid           = regexp.MustCompile(`^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	channelID      = regexp.MustCompile(`^19:[A-Za-z0-9._=+-]+@thread\.(?:tacv2|skype)$`)
	tenantName     = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
	trafficManager = regexp.MustCompile(`(?i)^\*\.(?:net|(?:[a-z0-9.-]*\.)?trafficmanager\.net)$`)
)

// check reports every setting that is wrong.
func (c Config) check() error {
	var wrong []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	if c.Insecure {
		need(loopbackAddress(c.Listen), "without authentication only a loopback address may be listened on, such as 127.0.0.1:3978, not %q", c.Listen)
	} else {
		need(c.AppID != "" && c.AppPassword != "" && c.TenantID != "", "MICROSOFT_APP_ID, MICROSOFT_APP_PASSWORD and MICROSOFT_APP_TENANT_ID go together: set all three, or --insecure-teams on a loopback address to work without")
		need(c.AppID == "" || guid.MatchString(c.AppID), "MICROSOFT_APP_ID is not an application id (a GUID)")
		need(c.TenantID == "" || len(c.Tenants) > 0 || guid.MatchString(c.TenantID), "MICROSOFT_APP_TENANT_ID is a name: set the tenant's id (a GUID), which activities carry, or TEAMS_TENANTS")
		need(c.TenantID == "" || tenantName.MatchString(c.TenantID) && !strings.Contains(c.TenantID, ".."), "MICROSOFT_APP_TENANT_ID is not a tenant's id")
	}
	for _, id := range c.AskChannels {
		need(channelID.MatchString(id), "TEAMS_ASK_CHANNELS has ids that look like 19:…@thread.tacv2, with commas between, not %q", id)
	}
	need(c.CommsChannel == "" || channelID.MatchString(c.CommsChannel), "TEAMS_COMMS_CHANNEL has to look like 19:…@thread.tacv2: copy the channel's link and take the part after /channel/, with %%3a and %%40 read as : and @")
	for _, s := range []struct{ name, value string }{{"MICROSOFT_LOGIN_URL", c.LoginURL}, {"BOT_OPENID_METADATA_URL", c.OpenIDMetadataURL}, {"PUBLIC_URL", c.PublicURL}} {
		u, err := url.Parse(s.value)
		need(s.value == "" || err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && (connector.Loopback(u.Hostname()) || s.name == "PUBLIC_URL")), "%s has to be an https address", s.name)
	}
	for _, h := range c.ServiceHosts {
		need(!trafficManager.MatchString(h), "BOT_SERVICE_HOSTS: %s would trust names that anybody can register", h)
		need(h != "" && !strings.ContainsAny(h, "/ ") && !strings.Contains(strings.TrimPrefix(h, "*."), "*"), "BOT_SERVICE_HOSTS: %q is not a host name", h)
	}
	return errors.Join(wrong...)
}

// allows tells whether people of a tenant may use the bot.
func (c Config) allows(tenant string) bool {
	switch {
	case slices.Contains(c.Tenants, "*"):
		return true
	case len(c.Tenants) > 0:
		return slices.Contains(c.Tenants, tenant)
	case c.Insecure && c.TenantID == "":
		return true
	}
	return strings.EqualFold(tenant, c.TenantID)
}

func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && connector.Loopback(host)
}
