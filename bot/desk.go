package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"canteen/knowledge"
)

// work decides on what a member of comms pressed. The state in the store decides
// who was first, whatever the card showed them.
func (t *turn) work(ctx context.Context, p Press) error {
	if t.known.Escalation == nil {
		t.Reply.Notice = t.say("expired", nil)
		return nil
	}
	e := *t.known.Escalation
	with := map[string]string{"Ref": e.Ref.String(), "Name": plain(name(e.Holder))}
	refuse := func(wording string) error {
		t.Reply.Notice = t.say(wording, with)
		return nil
	}
	text := Clean(limit(p.Fields[FieldText], maxAnswer))
	_, kinds := Redact(text)
	// Whom to ring or write to is what comms are asked for.
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == KindPhone || k == KindEmail })
	missing := func() bool {
		if text == "" {
			t.Reply.Errors = map[string]string{FieldText: t.say("field-empty", nil)}
		} else if len(kinds) > 0 {
			t.Reply.Errors = map[string]string{FieldText: t.say("field-identifiers", map[string]string{"Kinds": strings.Join(kinds, ", ")})}
		}
		return t.Reply.Errors != nil
	}
	open := e.State.Pending()
	switch p.Action {
	case ActClaim:
		if !open {
			return refuse("done-already")
		}
		if e.Holder.ID == t.m.From.ID {
			return nil
		}
		if e.Holder.ID != "" {
			return refuse("claimed-already")
		}
		t.hold(&e, t.m.From)
		t.event(&e, "claimed", "")
	case ActGiveBack:
		if !open || e.Holder.ID == "" {
			return refuse("done-already")
		}
		e.State, e.Holder = Open, Person{}
		t.event(&e, "given-back", "")
	case ActAssign:
		if !open {
			return refuse("done-already")
		}
		to := Person{ID: PersonID(p.Fields[FieldPerson]), Name: oneLine(Clean(limit(p.Fields[FieldPersonName], 100)))}
		ok, err := t.b.member(ctx, to.ID)
		if err != nil {
			return err
		}
		if !ok {
			t.Reply.Errors = map[string]string{FieldPerson: t.say("not-a-member", nil)}
			return nil
		}
		t.hold(&e, to)
		t.event(&e, "assigned", to.Name)
	case ActAnswer, ActReuse:
		if missing() {
			return nil
		}
		if !open {
			return refuse("answered-already")
		}
		t.answered(&e, text, "")
		t.toAsker(&e, t.relayPost(e, "relay-answer", text))
	case ActCorrect:
		if missing() {
			return nil
		}
		if e.Answer == "" {
			return refuse("done-already")
		}
		e.Answer, e.AnsweredBy = text, t.m.From
		t.event(&e, "corrected", text)
		t.toAsker(&e, t.relayPost(e, "relay-correction", text))
	case ActUseEntry:
		entry, ok := t.base.Entry(p.Fields[FieldEntry])
		if !ok || entry.Route == knowledge.Comms || entry.Route == knowledge.SmallTalk {
			t.Reply.Errors = map[string]string{FieldEntry: t.say("field-entry", nil)}
			return nil
		}
		if !open {
			return refuse("answered-already")
		}
		t.answered(&e, entry.Body, entry.ID)
		post := t.entryPost(entry, e.Question)
		post.Note = t.say("relay-entry", with)
		post.Buttons = t.answerButtons(e.Ref)
		t.toAsker(&e, post)
	case ActAskBack:
		if missing() {
			return nil
		}
		if !open {
			return refuse("answered-already")
		}
		if e.Holder.ID == "" {
			t.hold(&e, t.m.From)
		}
		e.State = Waiting
		t.event(&e, "asked-back", text)
		post := t.relayPost(e, "relay-question", text)
		post.Buttons = []Button{t.replyButton(e.Ref), {Label: t.label("withdraw"), Press: Press{Action: ActWithdraw, Ref: e.Ref}}}
		t.toAsker(&e, post)
	case ActNotOurs:
		if missing() {
			return nil
		}
		if !open {
			return refuse("answered-already")
		}
		e.State, e.ClosedAt = Closed, t.m.At
		t.event(&e, "not-ours", text)
		t.endHolding(e, "dealt-with")
		post := t.relayPost(e, "relay-not-ours", text)
		post.Buttons = nil
		t.toAsker(&e, post)
	case ActClose:
		if e.State != Answered {
			return refuse("done-already")
		}
		e.State, e.ClosedAt = Closed, t.m.At
		t.event(&e, "closed", "")
	case ActPromote:
		return t.promote(ctx, e, p)
	}
	t.change(e)
	return nil
}

// maxAnswer is the longest answer, in characters: it fits each platform's message
// in one piece.
const maxAnswer = 6000

func (t *turn) hold(e *Escalation, p Person) {
	e.Holder = p
	if e.State == Open {
		e.State = Claimed
	}
	if e.ClaimedAt.IsZero() {
		e.ClaimedAt = t.m.At
	}
}

func (t *turn) answered(e *Escalation, text, entry string) {
	if e.Holder.ID == "" {
		t.hold(e, t.m.From)
	}
	e.State, e.Answer, e.Entry, e.AnsweredBy, e.AnsweredAt = Answered, text, entry, t.m.From, t.m.At
	t.event(e, "answered", text)
	t.endHolding(*e, "dealt-with")
}

func (t *turn) replyButton(r Ref) Button {
	return Button{Label: t.label("reply"), Press: Press{Action: ActReply, Ref: r}, Form: true, Style: Primary}
}

func (t *turn) answerButtons(r Ref) []Button {
	return []Button{{Label: t.label("thanks"), Press: Press{Action: ActThanks, Ref: r}, Style: Primary},
		{Label: t.label("no-help"), Press: Press{Action: ActNoHelp, Ref: r}}}
}

// relayPost carries comms' words to the asker, under their own question.
func (t *turn) relayPost(e Escalation, wording, text string) Post {
	with := map[string]string{"Ref": e.Ref.String(), "Comms": t.base.Local().Comms.Name}
	return Post{Kind: KindRelay, Title: t.say(wording, with), Quote: limit(e.Text, 300), Text: text, Buttons: t.answerButtons(e.Ref)}
}

var slugPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*$`)

// promote writes an answer to the folder as an entry, and offers it to all others
// who wait for the like.
func (t *turn) promote(ctx context.Context, e Escalation, p Press) error {
	entry := knowledge.Entry{
		ID:       strings.TrimSpace(p.Fields[FieldSlug]),
		Title:    oneLine(Clean(p.Fields[FieldTitle])),
		Body:     Clean(p.Fields[FieldText]),
		Source:   "answer of " + t.base.Local().Comms.Name + " " + t.m.At.Format("2 January 2006"),
		ReviewBy: t.m.At.AddDate(1, 0, 0),
	}
	for line := range strings.Lines(p.Fields[FieldAskedAs]) {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- ")); line != "" {
			entry.Phrasings = append(entry.Phrasings, Clean(line))
		}
	}
	errs := map[string]string{}
	if asked, of := t.askedAlready(entry); of != nil {
		errs[FieldAskedAs] = t.say("field-phrasing", map[string]string{"Question": plain(asked), "Title": of.Title})
	}
	for field, s := range map[string]string{FieldTitle: entry.Title, FieldText: entry.Body, FieldAskedAs: strings.Join(entry.Phrasings, "\n"), FieldSlug: entry.ID} {
		if s == "" {
			errs[field] = t.say("field-empty", nil)
		} else if _, kinds := Redact(s); len(kinds) > 0 {
			errs[field] = t.say("field-identifiers", map[string]string{"Kinds": strings.Join(kinds, ", ")})
		}
	}
	if entry.ID != "" && !slugPattern.MatchString(entry.ID) {
		errs[FieldSlug] = t.say("field-id", nil)
	}
	if old, ok := t.base.Draft(entry.ID); ok {
		entry.Facts, entry.SeeAlso = old.Facts, old.SeeAlso
		// An earlier try of this same press may have saved it already.
		saved := old.Title == entry.Title && old.Body == entry.Body
		if old.Route != knowledge.Comms && e.Entry != entry.ID && !saved {
			errs[FieldSlug] = t.say("field-taken", map[string]string{"Title": old.Title})
		}
	}
	if len(errs) > 0 {
		t.Reply.Errors = errs
		return nil
	}
	if err := t.b.folder.Save(ctx, entry); err != nil {
		var problems knowledge.Problems
		switch {
		case errors.Is(err, knowledge.ErrReadOnly):
			t.Reply.Errors = map[string]string{FieldSlug: t.say("read-only", nil)}
			t.Reply.File = string(t.b.folder.Format(entry))
		case errors.As(err, &problems):
			t.Reply.Errors = map[string]string{FieldText: t.say("field-problems", map[string]string{"Reason": problems[0].Message})}
		default:
			return fmt.Errorf("save entry %s: %w", entry.ID, err)
		}
		return nil
	}
	t.base = t.b.folder.Base() // with the new entry
	e.Entry = entry.ID
	t.event(&e, "promoted", entry.ID)
	t.change(e)
	n, err := t.offer(ctx, e)
	if err != nil {
		return err
	}
	t.Reply.Notice = t.say("promoted", map[string]string{"Title": entry.Title, "Count": fmt.Sprint(n)})
	return nil
}

// askedAlready finds a phrasing of an entry that another one has.
func (t *turn) askedAlready(entry knowledge.Entry) (string, *knowledge.Entry) {
	for _, e := range t.base.Entries() {
		for _, asked := range entry.Phrasings {
			if e.ID != entry.ID && slices.ContainsFunc(e.Phrasings, func(p string) bool { return strings.EqualFold(p, asked) }) {
				return asked, e
			}
		}
	}
	return "", nil
}

// offer shows a new entry to everybody whose waiting question it answers.
func (t *turn) offer(ctx context.Context, from Escalation) (int, error) {
	pending, err := t.b.store.Pending(ctx)
	if err != nil {
		return 0, err
	}
	entry, ok := t.base.Entry(from.Entry)
	if !ok {
		return 0, nil
	}
	n := 0
	for _, e := range pending {
		if e.Ref == from.Ref || e.Entry == entry.ID {
			continue
		}
		if d, ok := Think(t.base, e.Text, t.b.policy).Decision.(Answer); e.Topic != entry.ID && (!ok || d.Entry.ID != entry.ID) {
			continue
		}
		n++
		e.Entry = entry.ID
		post := t.entryPost(entry, e.Question)
		post.Note = t.say("offer", map[string]string{"Ref": e.Ref.String()})
		post.Buttons = t.answerButtons(e.Ref)[:1]
		t.event(&e, "offered", entry.ID)
		t.toAsker(&e, post)
		t.change(e)
	}
	return n, nil
}

// measured is the usual time to an answer, from the last month's answers, or ""
// where there are too few to speak of.
func (b *Bot) measured(ctx context.Context, now time.Time) (string, error) {
	d, n, err := b.store.AnswerTime(ctx, now.AddDate(0, -1, 0))
	if err != nil || n < enoughAnswers {
		return "", err
	}
	return span(d), nil
}

// enoughAnswers is how many answers a month must have for its usual time to be
// told to people.
const enoughAnswers = 5
