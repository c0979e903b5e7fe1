package teams_test

import (
	"strings"
	"testing"

	"canteen/adapters/teams"
	"canteen/adapters/teams/teamstest"
)

func TestSettings(t *testing.T) {
	good := teams.Config{AppID: teamstest.AppID, AppPassword: "x", TenantID: teamstest.Tenant}
	for name, c := range map[string]struct {
		change func(*teams.Config)
		say    string
	}{
		"good":                {func(*teams.Config) {}, ""},
		"no credentials":      {func(c *teams.Config) { c.AppID, c.AppPassword, c.TenantID = "", "", "" }, "--insecure-teams"},
		"no password":         {func(c *teams.Config) { c.AppPassword = "" }, "go together"},
		"insecure":            {func(c *teams.Config) { *c = teams.Config{Insecure: true, Listen: "127.0.0.1:3978"} }, ""},
		"insecure, everybody": {func(c *teams.Config) { *c = teams.Config{Insecure: true, Listen: ":3978"} }, "loopback"},
		"app id":              {func(c *teams.Config) { c.AppID = "canteen" }, "GUID"},
		"tenant":              {func(c *teams.Config) { c.TenantID = "../x" }, "tenant"},
		"channel":             {func(c *teams.Config) { c.CommsChannel = "General" }, "19:"},
		"login by http":       {func(c *teams.Config) { c.LoginURL = "http://login.example.org" }, "https"},
		"traffic manager":     {func(c *teams.Config) { c.ServiceHosts = []string{"*.trafficmanager.net"} }, "anybody"},
		"host":                {func(c *teams.Config) { c.ServiceHosts = []string{"https://x/"} }, "host name"},
	} {
		config := good
		c.change(&config)
		_, err := teams.New(config)
		if (err == nil) != (c.say == "") || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
