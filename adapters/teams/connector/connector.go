// Package connector is a client of the Bot Connector, the service through which bots
// reach Microsoft Teams, and the check of the tokens that the service sends. It knows
// HTTP, tokens and keys, and nothing of what a bot says.
//
// In reading order: client.go (the calls), errors.go (what can go wrong with one),
// token.go (the bot's own token), pace.go (how fast Teams lets a bot write), hosts.go
// (where the bot's token may go), verify.go and keys.go (inbound tokens), ids.go
// (conversations and threads).
//
// Nothing here starts a goroutine: every wait is the caller's own, and ends with its
// context or with Config.Timeout.
package connector

import (
	"net/http"
	"strings"
	"time"
)

// Config is what a Client and a Verifier are made of.
type Config struct {
	AppID, AppPassword string // of the bot
	TenantID           string // of the directory that the bot is registered in

	LoginURL     string   // of the identity platform, without a path: https://login.microsoftonline.com
	MetadataURL  string   // OpenID metadata that name the keys of inbound tokens
	Issuer       string   // of inbound tokens; the bot's own token has the scope Issuer/.default
	ServiceHosts []string // exact names, with a port if need be, or *.name; nil: DefaultHosts

	// Insecure sends no token and allows loopback service hosts alone, to work with the
	// Agents Playground.
	Insecure bool

	Timeout time.Duration    // of each HTTP request
	Pace    float64          // how many times faster than Teams allows messages go out; 0 is 1
	Now     func() time.Time // for the life of tokens and keys
}

// httpClient follows no redirect: it would carry the token away from a host that was
// allowed.
func (c Config) httpClient() *http.Client {
	return &http.Client{Timeout: c.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (c Config) hosts() hosts {
	switch {
	case c.Insecure:
		return hosts{loopback: true}
	case len(c.ServiceHosts) == 0:
		return hosts{names: DefaultHosts}
	}
	return hosts{names: c.ServiceHosts}
}

func trimSlash(address string) string { return strings.TrimRight(address, "/") }

// limit cuts a text to n characters for an error.
func limit(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
