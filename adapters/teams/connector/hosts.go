package connector

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// DefaultHosts are Teams' own service hosts in the public and the GCC cloud. The names
// are exact: anybody can have another name below trafficmanager.net.
var DefaultHosts = []string{"smba.trafficmanager.net", "smba.infra.gcc.teams.microsoft.com"}

// hosts are the service hosts that activities may come from and the bot's token goes to.
type hosts struct {
	names    []string // a name, or *.name for all below it
	loopback bool     // any loopback host, by http too
}

// check says what is wrong with a service URL, if anything.
func (h hosts) check(service string) error {
	u, err := url.Parse(service)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return fmt.Errorf("%q is not a plain address", limit(service, 100))
	}
	name := strings.ToLower(u.Hostname())
	listed := slices.ContainsFunc(h.names, func(n string) bool {
		below, wild := strings.CutPrefix(n, "*.")
		return n == name || n == strings.ToLower(u.Host) || wild && strings.HasSuffix(name, "."+below)
	})
	local := Loopback(name)
	switch {
	case !listed && !(local && h.loopback):
		return fmt.Errorf("the host %q is none of the allowed service hosts", limit(u.Host, 100))
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return fmt.Errorf("%q is not https", limit(service, 100))
	}
	return nil
}

// Loopback tells whether a host name or address is this machine's own.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
