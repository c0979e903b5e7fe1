// Package teams is Canteen in Microsoft Teams.
//
// In reading order: teams.go (what it is made of, its background work and who
// belongs to comms), verify.go (is this the Bot Connector speaking?), translate.go
// (from an activity to a bot.Message, and the answers to invokes), render.go (from
// a bot.Post to an Adaptive Card), send.go (to the Bot Connector), manifest.go (the
// app package), doctor.go.
package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// Name is the adapter's, in every id and place of its own.
const Name = "teams"

// Store keeps how to reach a place again.
type Store interface {
	// Place gives what was kept, or bot.ErrNotFound.
	Place(ctx context.Context, place bot.Place) ([]byte, error)
	// SavePlace keeps a JSON document.
	SavePlace(ctx context.Context, place bot.Place, data []byte) error
}

// Config is what an Adapter is made of. AppID, AppPassword, TenantID, Bot and
// Store are needed; Package needs AppID alone.
type Config struct {
	AppID, AppPassword, TenantID string
	CommsChannel                 string // 19:…@thread.tacv2; empty: comms work elsewhere

	// The clouds differ in these; the defaults are the public one's.
	LoginURL          string
	OpenIDMetadataURL string
	TokenIssuer       string
	ServiceHosts      []string // exact names, with a port if need be, or *.name; nil: Teams' own

	Tenants []string // whose activities are taken; nil: the bot's own tenant's, "*" all that the token vouches for
	// Urgent are those of the comms team whom an urgent card calls, by address or object
	// id; nil: all of them, where they are at most 20; "nobody": none.
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

// Adapter joins a Bot to Microsoft Teams. It is safe for concurrent use.
type Adapter struct {
	c         Config
	bot       *bot.Bot
	store     Store
	log       *slog.Logger
	now       func() time.Time
	verifier  *connector.Verifier
	connector *connector.Client
	teams     chan schema.ConversationReference // seen, perhaps with the comms channel among theirs

	seen   seen
	listed roster

	mu    sync.Mutex
	state error // of Ready
}

// errStarting is what Ready says before the first check is done.
var errStarting = errors.New("Microsoft Teams: not checked yet")

// New makes an Adapter. It calls nothing. The error says which setting is missing
// or wrong.
func New(c Config) (*Adapter, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	set := func(s *string, value string) {
		if *s == "" {
			*s = value
		}
	}
	set(&c.LoginURL, "https://login.microsoftonline.com")
	set(&c.OpenIDMetadataURL, "https://login.botframework.com/v1/.well-known/openidconfiguration")
	set(&c.TokenIssuer, "https://api.botframework.com")
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Insecure {
		c.Log.Warn("teams: INSECURE: every request to /api/messages is believed, whoever it says it is from; for work on this machine only")
	}
	wire := connector.Config{AppID: c.AppID, AppPassword: c.AppPassword, TenantID: c.TenantID, LoginURL: c.LoginURL, MetadataURL: c.OpenIDMetadataURL,
		Issuer: c.TokenIssuer, ServiceHosts: c.ServiceHosts, Insecure: c.Insecure, Timeout: c.Timeout, Pace: c.Pace, Now: c.Now}
	return &Adapter{
		c: c, bot: c.Bot, store: c.Store, log: c.Log, now: c.Now, state: errStarting,
		verifier:  connector.NewVerifier(wire),
		connector: connector.NewClient(wire),
		teams:     make(chan schema.ConversationReference, 16),
	}, nil
}

var (
	guid           = regexp.MustCompile(`^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)
	channelID      = regexp.MustCompile(`^19:[A-Za-z0-9._=+-]+@thread\.(?:tacv2|skype)$`)
	tenantName     = regexp.MustCompile(`^[A-Za-z0-9.-]+$`)
	trafficManager = regexp.MustCompile(`(?i)^\*\.(?:net|(?:[a-z0-9.-]*\.)?trafficmanager\.net)$`)
)

// check says every setting that is wrong.
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

// allows tells whether the people of a tenant may ask.
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

// Comms is the place of the comms channel for bot.Config.Comms.
func Comms(channel string) bot.Place { return bot.Place(Name + ":" + channel) }

// Comms is the place of its comms channel.
func (a *Adapter) Comms() bot.Place { return Comms(a.c.CommsChannel) }

// The times between two checks of Run, and of one check.
const (
	checkGood = 5 * time.Minute
	checkBad  = 15 * time.Second
	checkTime = time.Minute
)

// Run checks the settings against the platform until ctx ends, and looks for the
// comms channel in the teams that are heard from. A failure makes the adapter
// unready, is logged once with its mend, and ends nothing.
func (a *Adapter) Run(ctx context.Context) error {
	last := errStarting.Error()
	for {
		err := a.check(ctx)
		if ctx.Err() != nil {
			return nil
		}
		a.mu.Lock()
		a.state = err
		a.mu.Unlock()
		wait := checkGood
		switch {
		case err != nil:
			wait = checkBad
			if err.Error() != last {
				a.log.Error("teams: not ready", "error", err)
			}
			last = err.Error()
		case last != "":
			last = ""
			a.log.Info("teams: ready")
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case team := <-a.teams:
			a.findComms(ctx, team)
		}
		timer.Stop()
	}
}

// Ready is nil when questions can be taken and answered; otherwise it says what is
// missing and how to mend it.
func (a *Adapter) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// check gives the first thing that is wrong.
func (a *Adapter) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	for _, f := range a.Doctor(ctx) {
		if !f.OK {
			return errors.New(f.Name + ": " + f.Say)
		}
	}
	return nil
}

// findComms looks whether the comms channel is one of a team's.
func (a *Adapter) findComms(ctx context.Context, team schema.ConversationReference) {
	if _, err := a.place(ctx, a.Comms()); a.c.CommsChannel == "" || err == nil {
		return
	}
	ids, err := a.connector.Channels(ctx, team.ServiceURL, team.Conversation.ID)
	if err != nil {
		a.log.Warn("teams: a team's channels cannot be listed", "error", err)
		return
	}
	if slices.Contains(ids, a.c.CommsChannel) {
		a.keepComms(ctx, team)
	}
}

// keepComms keeps how to reach the comms channel.
func (a *Adapter) keepComms(ctx context.Context, ref schema.ConversationReference) {
	ref.User, ref.ActivityID = schema.ChannelAccount{}, ""
	ref.Conversation = schema.ConversationAccount{ID: a.c.CommsChannel, IsGroup: true, ConversationType: inChannel, TenantID: ref.Conversation.TenantID}
	if err := a.keep(ctx, a.Comms(), ref); err != nil {
		a.log.Error("teams: the comms channel's place is not kept", "error", err)
		return
	}
	a.log.Info("teams: the comms channel can be reached")
}

// place is how to reach a conversation or a person, as it was kept.
func (a *Adapter) place(ctx context.Context, p bot.Place) (schema.ConversationReference, error) {
	var ref schema.ConversationReference
	if a.store == nil {
		return ref, bot.ErrNotFound
	}
	data, err := a.store.Place(ctx, p)
	if err == nil {
		err = json.Unmarshal(data, &ref)
	}
	return ref, err
}

func (a *Adapter) keep(ctx context.Context, p bot.Place, ref schema.ConversationReference) error {
	data, err := json.Marshal(ref)
	if err != nil {
		return err
	}
	return a.store.SavePlace(ctx, p, data)
}

// seen remembers for a while what was kept, so that a message of somebody known
// costs no write. It is no store: sends read the store, but for steps that go out
// without it.
type seen struct {
	mu   sync.Mutex
	refs map[bot.Place]sighting
}

type sighting struct {
	ref schema.ConversationReference
	at  time.Time
}

const (
	seenFor = time.Hour
	maxSeen = 20_000
)

func (s *seen) known(p bot.Place, ref schema.ConversationReference, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.refs[p]
	return ok && x.ref == ref && now.Sub(x.at) < seenFor
}

// last is where a place was last seen to be.
func (s *seen) last(p bot.Place) (schema.ConversationReference, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.refs[p]
	return x.ref, ok
}

func (s *seen) add(p bot.Place, ref schema.ConversationReference, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == nil || len(s.refs) >= maxSeen {
		s.refs = map[bot.Place]sighting{}
	}
	s.refs[p] = sighting{ref, now}
}

func (s *seen) forget(p bot.Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refs, p)
}

func personOf(m connector.Member) bot.PersonID {
	return personID(schema.ChannelAccount{ID: m.ID, AadObjectID: m.Object()})
}

// roster is the comms team's, for at most a minute.
type roster struct {
	gate    sync.Mutex // one fetch at a time; whoever waits gets what it brought
	at      time.Time
	members []connector.Member
}

const rosterFor = time.Minute

// roster gives the comms team's members, from a minute ago at most.
func (a *Adapter) roster(ctx context.Context) ([]connector.Member, error) {
	a.listed.gate.Lock()
	defer a.listed.gate.Unlock()
	if !a.listed.at.IsZero() && a.now().Sub(a.listed.at) < rosterFor {
		return a.listed.members, nil
	}
	ref, err := a.place(ctx, a.Comms())
	if errors.Is(err, bot.ErrNotFound) {
		err = errNoComms
	}
	if err != nil {
		return nil, err
	}
	at := a.now() // before the call: what it brings may be as old as that
	members, err := a.connector.Members(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("roster of the comms team: %w", err)
	}
	// Guests of the team are not of the organisation: they are never comms.
	members = slices.DeleteFunc(members, func(m connector.Member) bool {
		return m.ID == ref.Bot.ID || strings.EqualFold(m.Role, "guest") || strings.EqualFold(m.Role, "anonymous") || m.TenantID != "" && !a.c.allows(m.TenantID)
	})
	a.listed.at, a.listed.members = at, members
	return members, nil
}

// rosterNow is the roster if it is at hand.
func (a *Adapter) rosterNow() []connector.Member {
	if !a.listed.gate.TryLock() {
		return nil
	}
	defer a.listed.gate.Unlock()
	return a.listed.members
}

// forgetRoster makes the next question for a member ask anew.
func (a *Adapter) forgetRoster() {
	a.listed.gate.Lock()
	defer a.listed.gate.Unlock()
	a.listed.at = time.Time{}
}

// Member implements bot.Members: who is in the comms team.
func (a *Adapter) Member(ctx context.Context, p bot.PersonID) (bool, error) {
	if a.c.CommsChannel == "" || p.Adapter() != Name {
		return false, nil
	}
	members, err := a.roster(ctx)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(members, func(m connector.Member) bool { return personOf(m) == p }), nil
}

// limit cuts a text to n characters for a log, an error or a card.
func limit(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
