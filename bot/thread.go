package bot

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"canteen/knowledge"
	"canteen/knowledge/text"
)

// maxCarried is the longest text that a button carries, in bytes as JSON has it: of
// Slack's 2,000 for a button's value it leaves what stands beside the text.
const maxCarried = 1800

// carried tells whether a button can carry a text.
func carried(words string) bool {
	data, err := json.Marshal(words)
	return err == nil && len(data) <= maxCarried
}

// asks matches what is surely put as a question.
var asks = regexp.MustCompile(`(?i)\?|^\W*(can|could|may|might|should|shall|do|does|did|is|are|am|was|will|would|what|whats|who|where|when|why|how|which|and (what|how|if|can|who|where)|what about|how about)\b`)

// asksOn tells whether a text that was only overheard may be a question to the bot: it
// stands in a thread in which the bot has answered its writer, or in a channel in which
// people ask, and is put as a question. An emergency there needs no question mark.
func (t *turn) asksOn() bool {
	if t.m.Asking && t.m.Change == "" {
		th := t.thought()
		return isQuestion(t.m.Text) || th.lane() != nil
	}
	return t.m.In.Thread() && t.known.Last != nil && isQuestion(t.m.Text)
}

// MayAsk tells whether a text in a channel in which people ask may be for the bot: it is
// put as a question, or is an emergency. All else there is nothing to it.
func (b *Bot) MayAsk(said string) bool {
	if isQuestion(said) {
		return true
	}
	th := b.Think(said)
	return th.lane() != nil
}

func isQuestion(said string) bool { return asks.MatchString(text.Clean(said)) }

// unanswered offers to pass on what was said to nobody and the folder cannot answer; of
// an emergency that comms are told of, with the steps. Nothing of it is kept before the
// press: the button has the words.
func (t *turn) unanswered(ctx context.Context) error {
	th := t.thought()
	switch th.Decision.(type) {
	case Unread, SmallTalk:
		return nil
	}
	p := t.notice(WordShallIAsk, nil)
	if lane := th.lane(); lane != nil {
		if lane.Route == knowledge.Private {
			return t.lane(ctx, th, lane)
		}
		p = stepsPost(lane, t.say(WordPrivateNote, nil))
	}
	t.offerToPassOn(p, th.Text)
	return nil
}

// offerToPassOn offers, to who wrote alone, to pass words on that are kept nowhere yet: the
// button below p has them, and where they are too long, a form asks for them again.
func (t *turn) offerToPassOn(p Post, words string) {
	b := Button{Label: t.label(labelPassOn), Press: Press{Action: ActPassOn, Fields: map[string]string{FieldText: words}}, Style: Primary}
	if !carried(words) {
		b = Button{Label: t.label(labelPassOn), Press: Press{Action: ActHandOff}, Form: true}
	}
	p.Buttons = []Button{b}
	t.Reply.Aside = &p
}

// passOn passes on the words that a button carries.
func (t *turn) passOn(ctx context.Context) error {
	if t.read == nil {
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	}
	th := t.thought()
	if lane := th.lane(); lane != nil {
		return t.lane(ctx, th, lane)
	}
	q := t.question(th)
	q.Feedback = FeedbackPassOn
	var topic *knowledge.Entry
	if d, ok := th.Decision.(Escalate); ok {
		topic = d.Topic
	}
	t.removed(th.Removed)
	return t.escalate(ctx, q, topic, false)
}

// underCard answers a member of comms who writes in a card's thread, where the asker is
// not: to them alone, it offers to send that as the answer. Once for each card and
// person, unless they call the bot.
func (t *turn) underCard() error {
	e, said := *t.known.Escalation, strings.TrimSpace(t.m.Text)
	if !e.State.Pending() || said == "" {
		return nil
	}
	with := map[string]string{"Ref": e.Ref.String()}
	if !t.m.Addressed {
		t.Keys = append(t.Keys, "under/"+e.Ref.String()+"/"+string(t.m.From.ID))
	}
	keep := Button{Label: t.label(labelKeep), Press: Press{Action: ActKeep, Ref: e.Ref}}
	if !carried(said) {
		p := t.notice(WordUnderCardLong, with, keep)
		t.Reply.Aside = &p
		return nil
	}
	send := Button{Label: t.label(labelSend), Press: Press{Action: ActSend, Ref: e.Ref, Fields: map[string]string{FieldText: said}}, Style: Primary}
	p := t.notice(WordUnderCard, with, send, keep)
	p.Text = join(p.Text, asMarkdown(said))
	t.Reply.Aside = &p
	return nil
}
