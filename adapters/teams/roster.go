package teams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// roster caches the members of the comms team.
type roster struct {
	lock    chan struct{} // over what follows; one caller fetches, the others wait for it
	at      time.Time     // zero: the members have to be fetched anew
	members []connector.Member
}

// rosterFor is how long the members are used.
const rosterFor = time.Minute

// roster gives the comms team's members, at most rosterFor old.
func (a *Adapter) roster(ctx context.Context) ([]connector.Member, error) {
	select {
	case a.comms.lock <- struct{}{}:
		defer func() { <-a.comms.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !a.comms.at.IsZero() && a.now().Sub(a.comms.at) < rosterFor {
		return a.comms.members, nil
	}
	ref, err := a.place(ctx, a.Comms())
	if errors.Is(err, bot.ErrNotFound) {
		err = errNoComms
	}
	if err != nil {
		return nil, err
	}
	at := a.now() // before the call: its answer may be as old as that
	members, err := a.connector.Members(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("roster of the comms team: %w", err)
	}
	// The team's guests are not of the organisation, so they are never comms.
	members = slices.DeleteFunc(members, func(m connector.Member) bool {
		return m.ID == ref.Bot.ID || strings.EqualFold(m.Role, "guest") || strings.EqualFold(m.Role, "anonymous") || m.TenantID != "" && !a.c.allows(m.TenantID)
	})
	a.comms.at, a.comms.members = at, members
	return members, nil
}

// cachedRoster gives the members that were fetched last, or nil where they are being
// fetched. It never waits.
func (a *Adapter) cachedRoster() []connector.Member {
	select {
	case a.comms.lock <- struct{}{}:
		defer func() { <-a.comms.lock }()
		return a.comms.members
	default:
		return nil
	}
}

// forgetRoster makes the next call of roster fetch.
func (a *Adapter) forgetRoster(ctx context.Context) {
	select {
	case a.comms.lock <- struct{}{}:
		defer func() { <-a.comms.lock }()
		a.comms.at = time.Time{}
	case <-ctx.Done(): // it is old in a minute anyway
	}
}

// Member implements bot.Members: it tells whether a person is in the comms team.
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

func personOf(m connector.Member) bot.PersonID {
	return personID(schema.ChannelAccount{ID: m.ID, AadObjectID: m.Object()})
}
