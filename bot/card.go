package bot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"canteen/knowledge"
)

// nearest is how many near entries a card names.
const nearest = 3

// wordsGone stands on a card in the place of words that are kept no longer.
const wordsGone = "The words are no longer kept."

// card is an escalation as comms see it. Until somebody claims it, nobody sees
// who asked or where; of a question asked without a name, never.
func (b *Bot) card(base *knowledge.Base, e Escalation) Post {
	p := Post{Kind: KindCard, Quote: strings.Join(append([]string{e.Text}, e.Additions...), "\n\n"), Urgent: e.Urgent && e.State == Open}
	if e.Text == "" {
		p.Quote = wordsGone
	}
	p.Title = e.Ref.String() + " · " + stateName(e)
	if topic, ok := base.Entry(e.Topic); ok {
		p.Title += " · " + topic.Title
	}
	asked := "Asked"
	if e.In != "" { // erased
		asked = "Asked on " + platform(e.In)
	}
	p.Facts = append(p.Facts, Fact{Label: asked, Time: e.OpenedAt})
	if !e.EditedAt.IsZero() {
		p.Facts = append(p.Facts, Fact{Label: "Edited by the asker", Time: e.EditedAt})
	}
	if len(e.Attached) > 0 {
		p.Facts = append(p.Facts, Fact{Label: "Came with", Value: attachedNames(e.Attached)})
	}
	if e.undelivered() {
		p.Facts = append(p.Facts, Fact{Label: "Not delivered", Value: "The answer did not reach the person who asked. Please find another way, then close this."})
	}
	if name, where := e.Who(); name != "" {
		p.Facts = append(p.Facts, Fact{Label: "Asked by", Value: name, Person: e.Asker.ID})
		if where != "" {
			p.Facts = append(p.Facts, Fact{Label: "Asked in", Value: where, Link: e.Link})
		}
	}
	if e.Anonymous && !e.ClaimedAt.IsZero() {
		p.Facts = append(p.Facts, Fact{Label: "Asked by", Value: "somebody who asked without their name"})
	}
	if e.Holder.ID != "" {
		p.Facts = append(p.Facts, Fact{Label: "With", Value: name(e.Holder), Person: e.Holder.ID})
	}
	if e.State.Pending() {
		if near := nearNames(base, e, b.policy.Offer); near != "" {
			p.Facts = append(p.Facts, Fact{Label: "Nearest entries", Value: near})
		}
		if len(e.Like) > 0 {
			p.Facts = append(p.Facts, Fact{Label: "Like it", Value: refs(e.Like)})
		}
	}
	if e.Answer != "" {
		label := "Answered by"
		if e.State.Pending() {
			label = "Answered before by"
		}
		p.Facts = append(p.Facts, Fact{Label: label, Value: name(e.AnsweredBy), Person: e.AnsweredBy.ID, Time: e.AnsweredAt})
		p.Text = e.Answer
	}
	if x, ok := base.Entry(e.Entry); ok {
		p.Facts = append(p.Facts, Fact{Label: "FAQ entry", Value: x.Title})
	}
	if last := len(e.History) - 1; last >= 0 && e.State == Closed {
		label := cmp.Or(endings[e.History[last].What], eventNames[EventClosed])
		p.Facts = append(p.Facts, Fact{Label: label, Value: e.History[last].Text, Time: e.History[last].At})
	}
	p.Buttons = cardButtons(e)
	return p
}

func attachedNames(list []Attached) string {
	var names []string
	for _, a := range list {
		if !slices.Contains(names, string(a)) {
			names = append(names, string(a))
		}
	}
	return strings.Join(names, ", ")
}

// promoted tells whether an entry was made of the answer.
func (e Escalation) promoted() bool {
	return e.Entry != "" && slices.ContainsFunc(e.History, func(ev Step) bool { return ev.What == EventPromoted && ev.Text == e.Entry })
}

// undelivered tells whether what comms said last did not get through.
func (e Escalation) undelivered() bool {
	for i := len(e.History) - 1; i >= 0; i-- {
		switch e.History[i].What {
		case EventUndelivered:
			return true
		case EventAnswered, EventCorrected, EventAskedBack, EventNotOurs:
			return false
		}
	}
	return false
}

// Card is an escalation's card as it stands now, for a member of comms. It is a
// read; the error is ErrForbidden or ErrNotFound.
func (b *Bot) Card(ctx context.Context, r Ref, by PersonID) (Post, error) {
	if ok, err := b.member(ctx, by); err != nil {
		return Post{}, err
	} else if !ok {
		return Post{}, ErrForbidden
	}
	known, err := b.store.Load(ctx, Ask{Ref: r})
	if err != nil {
		return Post{}, fmt.Errorf("load: %w", err)
	}
	if known.Escalation == nil {
		return Post{}, fmt.Errorf("escalation %s: %w", r, ErrNotFound)
	}
	return b.card(b.Base(), *known.Escalation), nil
}

// Who is who asked and where, as far as comms may know it now.
func (e Escalation) Who() (name, where string) {
	if e.Anonymous || e.ClaimedAt.IsZero() || e.Asker.ID == "" {
		return "", ""
	}
	name = e.Asker.Name
	if name == "" {
		name = "somebody in " + platform(e.In)
	}
	return name, e.Where
}

// Safe is the escalation as comms may see it now: without who asked, where that
// is not for them.
func (e Escalation) Safe() Escalation {
	name, where := e.Who()
	e.Asker, e.Where, e.Link = Person{Name: name}, where, ""
	e.In, e.Direct, e.Question, e.Holding, e.Messages = Place(e.In.Adapter()+":"), "", "", "", nil
	return e
}

func name(p Person) string {
	if p.Name != "" {
		return p.Name
	}
	return "somebody in comms"
}

func platform(p Place) string {
	switch p.Adapter() {
	case "slack":
		return "Slack"
	case "teams":
		return "Microsoft Teams"
	}
	return "the web chat"
}

func stateName(e Escalation) string {
	s := map[State]string{Open: "waiting", Claimed: "claimed", Waiting: "waiting for the asker", Answered: "answered", Closed: "closed"}[e.State]
	if e.Answer != "" && e.State.Pending() {
		s = "reopened, " + s
	}
	if e.Urgent && e.State.Pending() {
		s = "urgent, " + s
	}
	return s
}

// likelihood says a confidence in words.
func likelihood(confidence float64) string {
	if confidence >= .5 {
		return "likely"
	}
	return "perhaps"
}

// nearNames lists the entries that come nearest to a question. A lane that was not
// sure enough to be shown is none of them: naming it would say more than is known.
func nearNames(base *knowledge.Base, e Escalation, least float64) string {
	var names []string
	for _, c := range e.Candidates {
		if x, ok := base.Entry(c.ID); ok && x.Lane() == "" && c.Confidence >= least && len(names) < nearest {
			names = append(names, x.Title+" ("+likelihood(c.Confidence)+")")
		}
	}
	return strings.Join(names, ", ")
}

func refs(list []Ref) string {
	var s []string
	for _, r := range list {
		s = append(s, r.String())
	}
	return strings.Join(s, ", ")
}

// wasHarmless tells whether a lane took for an emergency what was none, and nobody has
// had it learnt yet.
func (e Escalation) wasHarmless() bool {
	return e.Text != "" && e.Urgent && (e.last() == EventNotThis || e.last() == EventFalseAlarm)
}

// last is what happened last.
func (e Escalation) last() Event {
	if len(e.History) == 0 {
		return ""
	}
	return e.History[len(e.History)-1].What
}

// cardButtons are what comms can do next.
func cardButtons(e Escalation) []Button {
	var list []Button
	add := func(a Action, l label, form bool, style Style) {
		list = append(list, Button{Label: labels[l], Press: Press{Action: a, Ref: e.Ref}, Form: form, Style: style})
	}
	switch e.State {
	case Open, Claimed, Waiting:
		if e.Holder.ID == "" {
			add(ActClaim, labelClaim, false, Primary)
			add(ActAnswer, labelAnswer, true, "")
		} else {
			add(ActAnswer, labelAnswer, true, Primary)
		}
		add(ActAskBack, labelAskBack, true, "")
		add(ActUseEntry, labelUseEntry, true, "")
		for _, like := range e.Like {
			list = append(list, Button{Label: "Reuse " + like.String(), Form: true, Press: Press{Action: ActReuse, Ref: e.Ref, Fields: map[string]string{FieldFrom: like.String()}}})
		}
		if e.Urgent {
			add(ActFalse, labelFalseAlarm, false, "")
		} else {
			add(ActNotOurs, labelNotOurs, true, "")
		}
		if e.Holder.ID != "" {
			add(ActGiveBack, labelGiveBack, false, "")
		}
		add(ActAssign, labelAssign, true, "")
	case Answered:
		add(ActCorrect, labelCorrect, true, "")
		if e.Entry == "" {
			add(ActPromote, labelPromote, true, Primary)
		}
		add(ActClose, labelClose, false, "")
	case Closed:
		if e.Answer != "" && e.Entry == "" {
			add(ActPromote, labelPromote, true, "")
		}
		if e.wasHarmless() {
			add(ActHarmless, labelHarmless, true, "")
		}
	}
	return list
}
