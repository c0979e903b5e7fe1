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
	"errors"
	"log/slog"
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

// Adapter joins a Bot to Microsoft Teams. It is safe for concurrent use.
type Adapter struct {
	c          Config
	bot        *bot.Bot
	store      Store
	log        *slog.Logger
	now        func() time.Time
	verifier   *connector.Verifier
	connector  *connector.Client
	teamsHeard chan schema.ConversationReference // seen, perhaps with the comms channel among theirs

	recent recentPlaces
	comms  roster

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
		verifier:   connector.NewVerifier(wire),
		connector:  connector.NewClient(wire),
		teamsHeard: make(chan schema.ConversationReference, 16),
	}, nil
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
		case team := <-a.teamsHeard:
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

// limit cuts a text to n characters for a log, an error or a card.
func limit(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
