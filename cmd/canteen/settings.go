package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// settings are all that can be set, each by a flag, by the environment or in .env,
// in this order. Their checks are in check; secrets are of type secret.
type settings struct {
	Database  string `env:"DATABASE_URL" name:"database" default:"canteen.db" placeholder:"ADDRESS" help:"A path, sqlite:path or postgres://… ($DATABASE_URL)."`
	Listen    string `env:"LISTEN_ADDR" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to listen ($LISTEN_ADDR)."`
	PublicURL string `env:"PUBLIC_URL" name:"public-url" placeholder:"URL" help:"This server as people reach it; links to entries are sent only when it is set ($PUBLIC_URL)."`

	// Pace scales the platforms' own limits on sending, for tests against fakes.
	Pace float64 `env:"CANTEEN_PACE" default:"1" hidden:""`

	Slack struct {
		BotToken       secret   `env:"SLACK_BOT_TOKEN" help:"xoxb-…"`
		SigningSecret  secret   `env:"SLACK_SIGNING_SECRET" help:"For events over HTTP."`
		AppToken       secret   `env:"SLACK_APP_TOKEN" help:"xapp-…, for Socket Mode."`
		CommsChannel   string   `env:"SLACK_COMMS_CHANNEL" placeholder:"C…" help:"The communications team's channel."`
		PrivateAnswers bool     `env:"SLACK_PRIVATE_ANSWERS" help:"Show the answer to a mention to who asked alone ($SLACK_PRIVATE_ANSWERS)."`
		Guests         string   `env:"SLACK_GUESTS" default:"ask" enum:"ask,refuse" help:"Whether guests of the workspace may ask: ask or refuse ($SLACK_GUESTS)."`
		Urgent         string   `env:"SLACK_URGENT" placeholder:"WHOM" help:"Whom an urgent card calls: here, channel, nobody, or ids of user groups and people ($SLACK_URGENT)."`
		AskChannels    []string `env:"SLACK_ASK_CHANNELS" placeholder:"C…" help:"Channels in which a question needs no mention ($SLACK_ASK_CHANNELS)."`
		OnCall         []string `env:"SLACK_ON_CALL" placeholder:"ID" help:"Who is told, out of hours, that something urgent waits: ids of people or channels ($SLACK_ON_CALL)."`
		APIURL         string   `env:"SLACK_API_URL" name:"api-url" placeholder:"URL" help:"For GovSlack: https://slack-gov.com/api/."`
	} `embed:"" prefix:"slack-" group:"Slack"`

	Teams struct {
		AppID        string   `env:"MICROSOFT_APP_ID" name:"app-id" help:"The bot's application id."`
		AppPassword  secret   `env:"MICROSOFT_APP_PASSWORD" help:"Its client secret."`
		TenantID     string   `env:"MICROSOFT_APP_TENANT_ID" name:"tenant-id" help:"The tenant that it is registered in."`
		CommsChannel string   `env:"TEAMS_COMMS_CHANNEL" placeholder:"19:…@thread.tacv2" help:"The communications team's channel."`
		Tenants      []string `env:"TEAMS_TENANTS" help:"Tenants whose people may ask: the bot's own when empty, all with *."`
		Urgent       []string `env:"TEAMS_URGENT" placeholder:"WHO" help:"Whom of the comms team an urgent card calls: addresses or object ids, or nobody; up to 20 members when empty ($TEAMS_URGENT)."`
		AskChannels  []string `env:"TEAMS_ASK_CHANNELS" placeholder:"19:…@thread.tacv2" help:"Channels in which a question needs no mention ($TEAMS_ASK_CHANNELS)."`
		OnCall       []string `env:"TEAMS_ON_CALL" placeholder:"ID" help:"Who is told, out of hours, that something urgent waits: object ids of people who have written to Canteen once ($TEAMS_ON_CALL)."`
		LoginURL     string   `env:"MICROSOFT_LOGIN_URL" name:"login-url" placeholder:"URL" help:"For sovereign clouds."`
		MetadataURL  string   `env:"BOT_OPENID_METADATA_URL" name:"metadata-url" placeholder:"URL" help:"For sovereign clouds."`
		Issuer       string   `env:"BOT_TOKEN_ISSUER" placeholder:"URL" help:"For sovereign clouds."`
		ServiceHosts []string `env:"BOT_SERVICE_HOSTS" placeholder:"HOST" help:"Hosts that the bot's token may be sent to."`
	} `embed:"" prefix:"teams-" group:"Microsoft Teams"`
	InsecureTeams bool `name:"insecure-teams" group:"Microsoft Teams" help:"Take activities from anybody, on a loopback address only. For trying out."`
}

// isURL reports whether s is an absolute http or https URL.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http")
}

// secret is a setting that is never printed.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "(set)"
}

// GoString keeps %#v from printing it.
func (s secret) GoString() string { return s.String() }

var (
	slackChannel = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	teamsChannel = regexp.MustCompile(`^19:[^@/\s]+@thread\.(tacv2|skype)$`)
)

// check returns all errors in the settings, each with what to do about it.
func (s *settings) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	// An empty variable counts as not set.
	s.Listen = cmp.Or(s.Listen, "127.0.0.1:8080")
	s.Database = cmp.Or(s.Database, "canteen.db")
	if _, port, err := net.SplitHostPort(s.Listen); err != nil || port == "" {
		bad("LISTEN_ADDR %q: write host:port, such as 127.0.0.1:8080", s.Listen)
	}
	for name, v := range map[string]string{"PUBLIC_URL": s.PublicURL, "SLACK_API_URL": s.Slack.APIURL, "MICROSOFT_LOGIN_URL": s.Teams.LoginURL, "BOT_OPENID_METADATA_URL": s.Teams.MetadataURL} {
		if v != "" && !isURL(v) {
			bad("%s: write a whole address, such as https://canteen.example.org", name)
		}
	}
	if s.slack() {
		if s.Slack.SigningSecret == "" && s.Slack.AppToken == "" {
			bad("SLACK_BOT_TOKEN is set: set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for events over HTTP, too")
		}
		if s.Slack.CommsChannel != "" && !slackChannel.MatchString(s.Slack.CommsChannel) {
			bad("SLACK_COMMS_CHANNEL: write the channel's id, which begins with C or G (in Slack: the channel's details, at the bottom)")
		}
	} else if s.Slack.AppToken != "" || s.Slack.SigningSecret != "" {
		bad("SLACK_BOT_TOKEN is not set, although other Slack settings are")
	}
	if s.teams() {
		if !s.InsecureTeams && (s.Teams.AppPassword == "" || s.Teams.TenantID == "") {
			bad("MICROSOFT_APP_ID is set: set MICROSOFT_APP_PASSWORD and MICROSOFT_APP_TENANT_ID too")
		}
		if s.Teams.CommsChannel != "" && !teamsChannel.MatchString(s.Teams.CommsChannel) {
			bad("TEAMS_COMMS_CHANNEL: write the channel's id, 19:…@thread.tacv2 (it is in the channel's link, percent-encoded)")
		}
	} else if s.Teams.AppPassword != "" {
		bad("MICROSOFT_APP_ID is not set, although MICROSOFT_APP_PASSWORD is")
	}
	if s.InsecureTeams && !s.loopback() {
		bad("--insecure-teams needs LISTEN_ADDR to be a loopback address, such as 127.0.0.1:3978")
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

func (s *settings) slack() bool { return s.Slack.BotToken != "" }
func (s *settings) teams() bool { return s.Teams.AppID != "" || s.InsecureTeams }

// loopback tells whether only this machine can reach the listener.
func (s *settings) loopback() bool {
	host, _, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
