package bot

import (
	"context"
	"errors"
	"sync"
	"time"

	"canteen/knowledge"
)

// read is what the folder makes of the words of a message, before anything else is done
// with it: an emergency is no matter of rates, of room, or of the store. It is nil where
// there are none of the asker's own, or where they are only overheard: in a channel in
// which people ask, an emergency counts all the same.
func (b *Bot) read(m Message) *Thought {
	said := m.Text
	switch {
	case !m.Addressed && !m.Asking:
		return nil
	case m.Press != nil && m.Press.Action.comms():
		return nil
	case m.Press != nil:
		said = limit(m.Press.Fields[FieldText], maxText)
	}
	if said == "" {
		return nil
	}
	start := b.now()
	th := Think(b.folder.Base(), said, b.policy)
	b.meter.Matched(b.now().Sub(start))
	return &th
}

// lane is the lane that a text is shown, or nil.
func (t *Thought) lane() *knowledge.Entry {
	if t == nil {
		return nil
	}
	if d, ok := t.Decision.(Signpost); ok && d.Entry.Lane() != "" {
		return d.Entry
	}
	return nil
}

// isOwnCrisis tells whether a lane may be about the asker's own crisis.
func isOwnCrisis(lane *knowledge.Entry) bool {
	return lane != nil && (lane.ID == ownCrisis || lane.ID == eitherCrisis)
}

// Unsaved is Handle for a message of which the adapter could not keep what it needs: an
// emergency is met with its steps, and of all else the cause comes back.
func (b *Bot) Unsaved(ctx context.Context, m Message, cause error) (Reply, error) {
	if m.At.IsZero() {
		m.At = b.now()
	}
	if lane := b.read(m).lane(); lane != nil {
		return b.unsaved(ctx, m, lane, cause)
	}
	return Reply{}, cause
}

// unsaved shows the steps of a lane though nothing could be committed: the one message
// that is sent before anything is written down. An urgent lane says that comms do not
// have it; its error goes on, so that the platform sends the message again and comms
// get it when the store is back.
func (b *Bot) unsaved(ctx context.Context, m Message, lane *knowledge.Entry, cause error) (Reply, error) {
	note := WordPrivateNote
	if lane.Route == knowledge.Urgent {
		note = WordNotPassedOn
	}
	p := stepsPost(lane, b.say(note, nil))
	b.log.Error("the steps of a lane are sent, and nothing is saved", "adapter", m.From.ID.Adapter(), "error", cause)
	switch {
	case m.Press != nil:
		return Reply{Notice: join(p.Title, p.Text, p.Note)}, nil
	case m.Audience == InReply || m.In.Adapter() == WebAdapter:
		return Reply{Posts: []Post{p}}, nil
	}
	passed := cause
	if lane.Route == knowledge.Private {
		passed = nil // there is nothing to keep
	}
	if b.direct == nil {
		return Reply{}, cause
	}
	if len(m.Keys) > 0 && !b.told.first(m.Keys[0], b.now()) {
		return Reply{}, passed
	}
	d := Delivery{ID: b.newID(), To: m.In, Post: p, Private: lane.Route == knowledge.Private, CreatedAt: m.At}
	if !m.Audience.alone() {
		if d.To = m.Direct; d.To == "" {
			d.To, d.Only = m.In, m.From.ID
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	if err := b.direct(ctx, d); err != nil {
		return Reply{}, errors.Join(cause, err)
	}
	return Reply{}, passed
}

// told are the messages whose steps were sent unsaved, so that a repeat sends none.
type told struct {
	mu   sync.Mutex
	keys map[string]time.Time
}

// toldFor is how long a platform may send a message again.
const toldFor = 2 * time.Hour

func (t *told) first(key string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]time.Time{}
	}
	for k, at := range t.keys {
		if now.Sub(at) > toldFor {
			delete(t.keys, k)
		}
	}
	if _, ok := t.keys[key]; ok {
		return false
	}
	t.keys[key] = now
	return true
}
