// Package teams is Canteen in Microsoft Teams.
//
// What comes in: http.go (requests, and whether to trust them), activity.go (the parts of
// an activity), message.go (messages and installations), invoke.go (buttons, dialogs and
// thumbs), extension.go (search and "Ask Canteen" in the compose box).
//
// What goes out: send.go (a delivery to the Bot Connector), card.go and form.go (posts and
// forms as Adaptive Cards), richtext.go (Markdown as text blocks).
//
// Around both: teams.go (the adapter and its background check), settings.go, places.go (how
// to reach people and conversations), roster.go (who is in the comms team), doctor.go,
// manifest.go (the app package). The package connector below it speaks to the Bot
// Connector.
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

// Name is the adapter's: every person id and place of Teams starts with it and a colon.
const Name = "teams"

// Store keeps the conversation references of people and conversations.
type Store interface {
	// Place gives what SavePlace saved, or bot.ErrNotFound.
	Place(ctx context.Context, place bot.Place) ([]byte, error)
	// SavePlace saves a JSON document in the place of an earlier one.
	SavePlace(ctx context.Context, place bot.Place, data []byte) error
}

// Adapter connects a Bot to Microsoft Teams. It is safe for concurrent use.
type Adapter struct {
	c          Config
	bot        *bot.Bot
	store      Store
	log        *slog.Logger
	now        func() time.Time
	verifier   *connector.Verifier
	connector  *connector.Client
	teamsHeard chan schema.ConversationReference // for Run, which looks for the comms channel among theirs

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
	conn := connector.Config{AppID: c.AppID, AppPassword: c.AppPassword, TenantID: c.TenantID, LoginURL: c.LoginURL, MetadataURL: c.OpenIDMetadataURL,
		Issuer: c.TokenIssuer, ServiceHosts: c.ServiceHosts, Insecure: c.Insecure, Timeout: c.Timeout, Pace: c.Pace, Now: c.Now}
	return &Adapter{
		c: c, bot: c.Bot, store: c.Store, log: c.Log, now: c.Now, state: errStarting,
		verifier:   connector.NewVerifier(conn),
		connector:  connector.NewClient(conn),
		teamsHeard: make(chan schema.ConversationReference, 16),
		comms:      roster{lock: make(chan struct{}, 1)},
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

// Run checks the settings against the platform until ctx ends, keeps the signing keys
// fresh by that, and looks for the comms channel in the teams that activities come from. A
// failed check makes Ready fail, is logged once with its remedy, and does not end Run.
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
// missing and how to fix it.
func (a *Adapter) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state
}

// check gives the first of Doctor's findings that is wrong.
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
