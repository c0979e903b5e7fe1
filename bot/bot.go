package bot

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"canteen/knowledge"
)

// Folder is the FAQ folder as the conversation uses it.
type Folder interface {
	// Base is the last good folder; its index is the best there is by now.
	Base() *knowledge.Base
	// Save writes an entry and serves it before it returns.
	Save(ctx context.Context, e knowledge.Entry) error
	// Preview is the folder as Save would make it.
	Preview(ctx context.Context, e knowledge.Entry) (*knowledge.Base, error)
	// AddHarmless has a lane learn that a sentence is none of its own.
	AddHarmless(ctx context.Context, lane, from, sentence string) error
	// Format is the file that Save would write.
	Format(e knowledge.Entry) []byte
}

// Members tells who belongs to comms, on the platform that it stands for. An
// answer may be up to a minute old.
type Members interface {
	Member(ctx context.Context, p PersonID) (bool, error)
}

// Config is what a Bot is made of. Store, Folder and Members are needed; the rest
// has defaults.
type Config struct {
	Store   Store
	Folder  Folder
	Members map[string]Members // by adapter
	Comms   []Place            // the comms channel on each platform: every card goes to each
	OnCall  []Place            // who is told, out of hours, that something urgent waits
	Policy  Policy             // zero: DefaultPolicy
	Now     func() time.Time
	NewID   func() string
	Log     *slog.Logger
	Meter   Meter
	// Direct sends a delivery at once, without the store: only for the steps of a lane
	// when nothing can be committed. Nil: nobody can.
	Direct func(context.Context, Delivery) error
}

// Bot holds the conversation. It is safe for concurrent use; all that it knows is
// in the store and the folder.
type Bot struct {
	store   Store
	folder  Folder
	members map[string]Members
	comms   []Place
	onCall  []Place
	policy  Policy
	now     func() time.Time
	newID   func() string
	log     *slog.Logger
	meter   Meter
	rates   rates
	slots   chan struct{}
	direct  func(context.Context, Delivery) error
	told    told
}

// New makes a Bot. It calls nothing.
func New(c Config) *Bot {
	b := &Bot{store: c.Store, folder: c.Folder, members: c.Members, comms: c.Comms, onCall: c.OnCall, policy: c.Policy, now: c.Now, newID: c.NewID, log: c.Log, meter: c.Meter, direct: c.Direct, slots: make(chan struct{}, atOnce)}
	if b.policy == (Policy{}) {
		b.policy = DefaultPolicy
	}
	if b.now == nil {
		b.now = time.Now
	}
	if b.newID == nil {
		b.newID = randomID
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if b.meter == nil {
		b.meter = unmetered{}
	}
	return b
}

// randomID is 80 random bits, so that no id can be guessed from another.
func randomID() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// conflicts is how often Handle decides anew when somebody else was faster.
const conflicts = 5

// Handle decides on one message and commits all that it causes; only then may the
// request be acknowledged. A message whose key was committed before changes
// nothing and gets the same Reply, with Repeat set.
//
// What the person did wrong comes back as Reply.Notice or Reply.Errors: of a text
// only that too many came, and then nothing of it is stored. An error
// means that nothing was committed: the platform has to send again, or the person
// has to be told (Sentence) to press again.
func (b *Bot) Handle(ctx context.Context, m Message) (Reply, error) {
	start, outcome := b.now(), "done"
	reply, err := b.handle(ctx, m)
	switch {
	case err != nil:
		outcome = "error"
	case reply.Repeat:
		outcome = "repeat"
	}
	b.meter.Handled(m.From.ID.Adapter(), outcome, b.now().Sub(start))
	return reply, err
}

// handle reads the message before anything that can fail: where it is an emergency, the
// person gets the steps whatever becomes of the rest.
func (b *Bot) handle(ctx context.Context, m Message) (Reply, error) {
	if m.At.IsZero() {
		m.At = b.now()
	}
	if m.Audience == "" {
		m.Audience = Shared
	}
	th := b.read(m)
	reply, err := b.turn(ctx, m, th)
	if lane := th.lane(); err != nil && lane != nil {
		return b.unsaved(ctx, m, lane, err)
	}
	return reply, err
}

func (b *Bot) turn(ctx context.Context, m Message, th *Thought) (Reply, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	default:
		return Reply{}, fmt.Errorf("%d messages at once: %w", atOnce, ErrBusy)
	}
	if m.Press != nil && m.Press.Action.comms() {
		ok, err := b.member(ctx, m.From.ID)
		if err != nil {
			return Reply{}, err
		}
		if !ok {
			return Reply{Notice: b.say(WordForbiddenComms, nil)}, nil
		}
	}
	if m.Under != "" {
		switch ok, err := b.member(ctx, m.From.ID); {
		case err != nil || !ok && !m.Addressed:
			return Reply{}, err
		case !ok:
			return Reply{Notice: b.say(WordForbiddenComms, nil)}, nil
		}
	}
	ask := Ask{Keys: m.Keys, Person: m.From.ID, In: m.In, Since: m.At.Add(-conversation)}
	if m.Under != "" { // cards are posted into the channel, not into a thread
		ask.In, ask.On = Place(m.In.Lane()), m.Under
	}
	if m.Press != nil {
		ask.Question, ask.Ref, ask.On = m.Press.Question, m.Press.Ref, m.Press.On
	}
	if m.Change != "" {
		ask.Said = m.Said
	}
	for try := range conflicts {
		known, err := b.store.Load(ctx, ask)
		if err != nil {
			return Reply{}, fmt.Errorf("load: %w", err)
		}
		if known.Seen {
			known.Reply.Repeat = true
			return known.Reply, nil
		}
		t := &turn{b: b, base: b.folder.Base(), m: m, known: known, read: th}
		t.Keys, t.At = m.Keys, m.At
		if t.passesBy() {
			return Reply{}, nil
		}
		if try == 0 && m.Press == nil && m.Change != Deleted && th.lane() == nil && !b.rates.allow(m.From.ID, b.now()) {
			return Reply{Notice: b.say(WordSlowDown, nil)}, nil
		}
		if err := t.decide(ctx); err != nil {
			return Reply{}, err
		}
		if len(t.Reply.Errors) > 0 {
			// The form stays open and nothing has changed. Were it kept, the same form
			// would be refused for ever, whatever was put right meanwhile.
			return t.Reply, nil
		}
		t.unkept()
		reply, err := b.store.Commit(ctx, t.Turn)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return Reply{}, fmt.Errorf("commit: %w", err)
		}
		return reply, nil
	}
	return Reply{}, fmt.Errorf("message of %s: %w", m.From.ID.Adapter(), ErrConflict)
}

// conversation is how long a pending "did you mean" and the question before a
// follow-up stay in mind.
const conversation = 30 * time.Minute

func (b *Bot) member(ctx context.Context, p PersonID) (bool, error) {
	m, ok := b.members[p.Adapter()]
	if !ok {
		return false, nil
	}
	ok, err := m.Member(ctx, p)
	if err != nil {
		return false, fmt.Errorf("members of comms: %w", err)
	}
	return ok, nil
}

// say is one of the bot's own messages from the folder's wording.
func (b *Bot) say(w Word, with map[string]string) string {
	return b.folder.Base().Wording(w, with)
}

// Say is say for adapters: the messages that no turn causes.
func (b *Bot) Say(w Word) string { return b.say(w, nil) }

// Base is the folder that is served now.
func (b *Bot) Base() *knowledge.Base { return b.folder.Base() }

// Think is what the folder makes of a text by the bot's own policy.
func (b *Bot) Think(text string) Thought { return Think(b.Base(), text, b.policy) }

// Sentence is what a person reads when Handle failed.
func (b *Bot) Sentence(err error) string {
	if errors.Is(err, ErrBusy) {
		return b.say(WordBusy, nil)
	}
	return b.say(WordNotSaved, nil)
}
