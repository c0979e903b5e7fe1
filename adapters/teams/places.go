package teams

import (
	"context"
	"encoding/json"
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

func personID(a schema.ChannelAccount) bot.PersonID {
	if a.AadObjectID != "" {
		return bot.PersonID(Name + ":" + a.AadObjectID)
	}
	return bot.PersonID(Name + ":" + a.ID)
}

func placeOf(c schema.ConversationAccount) bot.Place {
	channel, thread := connector.SplitThread(c.ID)
	p := Name + ":" + channel
	if thread != "" {
		p += "#" + thread
	}
	return bot.Place(p)
}

func isChannel(ref schema.ConversationReference) bool {
	return ref.Conversation.ConversationType == inChannel
}

// place loads how to reach a conversation or a person, or gives bot.ErrNotFound.
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

func (a *Adapter) savePlace(ctx context.Context, p bot.Place, ref schema.ConversationReference) error {
	data, err := json.Marshal(ref)
	if err != nil {
		return err
	}
	return a.store.SavePlace(ctx, p, data)
}

// recentPlaces caches what was saved in the last hour, so that another message from the
// same place costs no write. Sends read the store; only what is sent without the queue,
// while the store is down, is sent to a cached place.
type recentPlaces struct {
	mu   sync.Mutex
	refs map[bot.Place]recentPlace
}

type recentPlace struct {
	ref schema.ConversationReference
	at  time.Time
}

const (
	recentFor = time.Hour
	maxRecent = 20_000
)

// saved tells whether a place was saved like this in the last hour.
func (s *recentPlaces) saved(p bot.Place, ref schema.ConversationReference, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.refs[p]
	return ok && x.ref == ref && now.Sub(x.at) < recentFor
}

// last is how a place was reached last, even where it could not be saved.
func (s *recentPlaces) last(p bot.Place) (schema.ConversationReference, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, ok := s.refs[p]
	return x.ref, ok
}

func (s *recentPlaces) add(p bot.Place, ref schema.ConversationReference, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refs == nil || len(s.refs) >= maxRecent {
		s.refs = map[bot.Place]recentPlace{}
	}
	s.refs[p] = recentPlace{ref, now}
}

func (s *recentPlaces) forget(p bot.Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.refs, p)
}

// savePlaces saves how to reach the sender and the conversation, from an activity whose
// token vouched for its serviceUrl. Of people only the ids are saved, and only in their own
// record, so that erasing the person erases them.
func (a *Adapter) savePlaces(ctx context.Context, in *received) error {
	base := in.reference()
	channel, _ := connector.SplitThread(in.Conversation.ID)
	person, where := base, base
	person.User = schema.ChannelAccount{ID: in.From.ID, AadObjectID: in.From.AadObjectID}
	composing := strings.HasPrefix(in.Name, "composeExtension/") // from any conversation, also one without the bot
	if in.personal() && !composing {
		person.Conversation.ID, person.Conversation.ConversationType = in.Conversation.ID, personal
	}
	where.Conversation = schema.ConversationAccount{ID: channel, IsGroup: in.Conversation.IsGroup,
		ConversationType: in.Conversation.ConversationType, TenantID: in.tenant(), Name: in.placeName()}

	var saves sync.WaitGroup // both at the same time, so that they share a commit
	var errs [2]error
	save := func(i int, p bot.Place, ref schema.ConversationReference) {
		if a.recent.saved(p, ref, a.now()) {
			return
		}
		saves.Go(func() {
			was, err := a.place(ctx, p)
			if err == nil && ref.Conversation.ID == "" { // a private chat that is known stays known
				ref.Conversation.ID, ref.Conversation.ConversationType = was.Conversation.ID, was.Conversation.ConversationType
			}
			if err == nil && ref.Conversation.Name == "" {
				ref.Conversation.Name = was.Conversation.Name
			}
			if err != nil || was != ref {
				if errs[i] = a.savePlace(ctx, p, ref); errs[i] != nil {
					a.recent.add(p, ref, time.Time{}) // not saved, but can be reached while the store is down
					return
				}
			}
			a.recent.add(p, ref, a.now())
		})
	}
	save(0, bot.Place(personID(in.From)), person)
	if !composing {
		save(1, bot.Place(placeOf(in.Conversation).Lane()), where)
	}
	saves.Wait()
	a.lookForComms(ctx, in)
	return errors.Join(errs[:]...)
}

// reference is what the references of the sender and of the conversation have in common.
func (in *received) reference() schema.ConversationReference {
	ref := schema.ConversationReference{Bot: schema.ChannelAccount{ID: in.Recipient.ID, Name: in.Recipient.Name}, ChannelID: in.ChannelID, ServiceURL: in.ServiceURL}
	ref.Conversation.TenantID = in.tenant()
	return ref
}

// lookForComms saves the comms channel if an activity comes from it, or else lets Run look
// for it among the channels of the activity's team.
func (a *Adapter) lookForComms(ctx context.Context, in *received) {
	team, ref := in.ChannelData.Team.ID, in.reference()
	if a.c.CommsChannel == "" || !connector.ValidID(team) {
		return
	}
	if in.ChannelData.EventType == "teamMemberAdded" || in.ChannelData.EventType == "teamMemberRemoved" {
		a.forgetRoster(ctx)
	}
	if _, err := a.place(ctx, a.Comms()); !errors.Is(err, bot.ErrNotFound) {
		return
	}
	if slices.Contains([]string{team, in.ChannelData.Channel.ID, in.ChannelData.Settings.SelectedChannel.ID}, a.c.CommsChannel) {
		a.saveComms(ctx, ref)
		return
	}
	ref.Conversation.ID = team
	select {
	case a.teamsHeard <- ref:
	default: // Run is busy, and the team's next message does as well
	}
}

// findComms saves the comms channel if it is one of a team's channels.
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
		a.saveComms(ctx, team)
	}
}

// saveComms saves how to reach the comms channel.
func (a *Adapter) saveComms(ctx context.Context, ref schema.ConversationReference) {
	ref.User, ref.ActivityID = schema.ChannelAccount{}, ""
	ref.Conversation = schema.ConversationAccount{ID: a.c.CommsChannel, IsGroup: true, ConversationType: inChannel, TenantID: ref.Conversation.TenantID}
	if err := a.savePlace(ctx, a.Comms(), ref); err != nil {
		a.log.Error("teams: the comms channel's place is not kept", "error", err)
		return
	}
	a.log.Info("teams: the comms channel can be reached")
}

// reference is how to reach a place, with the thread in the conversation's id. What is
// sent directly, without the queue, may use the cache where the store fails.
func (a *Adapter) reference(ctx context.Context, to bot.Place, directly bool) (schema.ConversationReference, error) {
	lane, thread, threaded := strings.Cut(string(to), "#")
	ref, err := a.place(ctx, bot.Place(lane))
	if err != nil && directly {
		if known, ok := a.recent.last(bot.Place(lane)); ok {
			ref, err = known, nil
		}
	}
	switch {
	case errors.Is(err, bot.ErrNotFound) && bot.Place(lane) == a.Comms():
		return ref, &bot.NotSent{Err: errNoComms, After: commsWait}
	case errors.Is(err, bot.ErrNotFound):
		if ref, err = a.commsMember(ctx, bot.PersonID(lane)); err != nil {
			return ref, err
		}
	case err != nil:
		return ref, &bot.NotSent{Err: err}
	}
	if err := a.connector.CheckService(ref.ServiceURL); err != nil {
		return ref, &bot.NotSent{Err: fmt.Errorf("serviceUrl of %s: %w", Name, err), Final: true}
	}
	if threaded {
		ref.Conversation.ID = connector.InThread(ref.Conversation.ID, thread)
	}
	return ref, nil
}

// commsWait is how soon a card is tried again for a comms channel that the bot is not in
// yet, without an end: NotSent with After set never runs out of tries.
const commsWait = 30 * time.Second

var errNoComms = errors.New("the comms channel has not been heard from: add the app to its team, then mention the bot in the channel once")

// commsMember is how to reach a person who has never written to the bot but is in the
// comms team.
func (a *Adapter) commsMember(ctx context.Context, p bot.PersonID) (schema.ConversationReference, error) {
	comms, err := a.place(ctx, a.Comms())
	if err != nil {
		return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
	}
	members, err := a.roster(ctx)
	if err != nil {
		return comms, &bot.NotSent{Err: err}
	}
	for _, m := range members {
		if personOf(m) == p {
			comms.User = schema.ChannelAccount{ID: m.ID, AadObjectID: m.Object()}
			comms.Conversation = schema.ConversationAccount{TenantID: comms.Conversation.TenantID}
			return comms, nil
		}
	}
	return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
}

// openChat opens the private chat with a person and saves it.
func (a *Adapter) openChat(ctx context.Context, person bot.Place, ref schema.ConversationReference) (schema.ConversationReference, error) {
	if ref.User.ID == "" {
		return ref, &bot.NotSent{Err: errors.New("neither a conversation nor a user id is known"), Final: true}
	}
	id, err := a.connector.OpenChat(ctx, ref)
	if err != nil {
		return ref, sendError(err, false) // opening it twice gives the same chat, and nothing was posted
	}
	ref.Conversation.ID, ref.Conversation.ConversationType = id, personal
	if err := a.savePlace(ctx, person, ref); err != nil {
		a.log.Warn("teams: a private chat's place is not kept", "error", err)
	}
	return ref, nil
}
