package teams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// roster is the comms team's, for at most a minute.
type roster struct {
	gate    sync.Mutex // one fetch at a time; whoever waits gets what it brought
	at      time.Time
	members []connector.Member
}

const rosterFor = time.Minute

// roster gives the comms team's members, from a minute ago at most.
func (a *Adapter) roster(ctx context.Context) ([]connector.Member, error) {
	a.comms.gate.Lock()
	defer a.comms.gate.Unlock()
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
	at := a.now() // before the call: what it brings may be as old as that
	members, err := a.connector.Members(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("roster of the comms team: %w", err)
	}
	// Guests of the team are not of the organisation: they are never comms.
	members = slices.DeleteFunc(members, func(m connector.Member) bool {
		return m.ID == ref.Bot.ID || strings.EqualFold(m.Role, "guest") || strings.EqualFold(m.Role, "anonymous") || m.TenantID != "" && !a.c.allows(m.TenantID)
	})
	a.comms.at, a.comms.members = at, members
	return members, nil
}

// rosterNow is the roster if it is at hand.
func (a *Adapter) cachedRoster() []connector.Member {
	if !a.comms.gate.TryLock() {
		return nil
	}
	defer a.comms.gate.Unlock()
	return a.comms.members
}

// forgetRoster makes the next question for a member ask anew.
func (a *Adapter) forgetRoster() {
	a.comms.gate.Lock()
	defer a.comms.gate.Unlock()
	a.comms.at = time.Time{}
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

func personOf(m connector.Member) bot.PersonID {
	return personID(schema.ChannelAccount{ID: m.ID, AadObjectID: m.Object()})
}
