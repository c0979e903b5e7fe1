package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"canteen/knowledge"
)

// Home is what a person sees before they ask: what the folder has, and where
// their own questions stand.
type Home struct {
	Topics  []Topic
	Popular []Button
	Mine    []Mine
	// Privacy says what is kept, in Markdown; Erase goes with it.
	Privacy string
}

// Topic is one folder of entries.
type Topic struct {
	Name    string
	Entries []Button
}

// Mine is one of a person's own questions to comms.
type Mine struct {
	Ref     Ref
	Text    string // plain
	State   string // for people: "waiting", "answered"
	At      time.Time
	Buttons []Button
}

// The home page's limits.
const (
	homePopular = 5
	homeMine    = 10
	homeDays    = 30
)

// Home draws a person's home page. It is a read.
func (b *Bot) Home(ctx context.Context, p PersonID) (Home, error) {
	base := b.Base()
	h := Home{Privacy: join(b.say(WordUrgentHelp, nil), b.say(WordPrivacy, nil))}
	show := func(e *knowledge.Entry) Button {
		return Button{Label: e.Title, Press: Press{Action: ActShow, Entry: e.ID}}
	}
	for _, e := range base.Entries() {
		if e.Route != knowledge.Answered {
			continue
		}
		dir, _, _ := strings.Cut(e.ID, "/")
		name := base.TopicTitle(dir)
		i := slices.IndexFunc(h.Topics, func(t Topic) bool { return t.Name == name })
		if i < 0 {
			h.Topics = append(h.Topics, Topic{Name: name})
			i = len(h.Topics) - 1
		}
		h.Topics[i].Entries = append(h.Topics[i].Entries, show(e))
	}
	popular, err := b.store.Popular(ctx, b.now().AddDate(0, 0, -homeDays), homePopular)
	if err != nil {
		return h, fmt.Errorf("popular entries: %w", err)
	}
	for _, id := range popular {
		e, ok := base.Entry(id)
		if !ok || e.Route != knowledge.Answered {
			continue
		}
		// Counted under an id of before the first release, too.
		if !slices.ContainsFunc(h.Popular, func(b Button) bool { return b.Press.Entry == e.ID }) {
			h.Popular = append(h.Popular, show(e))
		}
	}
	mine, err := b.store.Of(ctx, p, homeMine)
	if err != nil {
		return h, fmt.Errorf("own questions: %w", err)
	}
	for _, e := range mine {
		m := Mine{Ref: e.Ref, Text: e.Text, State: stateName(e), At: e.OpenedAt}
		switch {
		case e.State.Pending():
			m.Buttons = append(m.Buttons, Button{Label: labels[labelWithdraw], Press: Press{Action: ActWithdraw, Ref: e.Ref}})
			if e.State == Waiting {
				m.Buttons = append(m.Buttons, Button{Label: labels[labelReply], Press: Press{Action: ActReply, Ref: e.Ref}, Form: true})
			}
		case e.State == Answered:
			m.Buttons = append(m.Buttons, Button{Label: labels[labelNoHelp], Press: Press{Action: ActNoHelp, Ref: e.Ref}})
		}
		h.Mine = append(h.Mine, m)
	}
	return h, nil
}

// Forget erases what is kept of a person: their questions and what was written to
// them, and in escalations that are done everything but the answer. A question
// that still waits is withdrawn first.
func (b *Bot) Forget(ctx context.Context, p Person, key string) error {
	mine, err := b.store.Of(ctx, p.ID, maxForget)
	if err != nil {
		return fmt.Errorf("own questions: %w", err)
	}
	for _, e := range mine {
		if !e.State.Pending() {
			continue
		}
		m := Message{Keys: []string{fmt.Sprintf("%s/%d", key, int64(e.Ref))}, From: p, In: e.In, Audience: InReply, Addressed: true, Press: &Press{Action: ActWithdraw, Ref: e.Ref}, At: b.now()}
		if _, err := b.Handle(ctx, m); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return b.store.Forget(ctx, p.ID)
}

// maxForget is how many of a person's escalations are looked at for ones that
// still wait.
const maxForget = 10_000
