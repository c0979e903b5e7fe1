package bot

import (
	"context"
	"regexp"
	"strings"

	"canteen/knowledge"
)

// turn is one Turn in the making.
type turn struct {
	Turn
	b          *Bot
	base       *knowledge.Base
	m          Message
	known      Known
	read       *Thought // of the person's own words; nil where there are none
	saidUnseen bool     // that what came with the message cannot be read
	// hidden: nothing that would tell a private lane from silence may be stored.
	hidden bool
}

// decide fills the turn. It sends nothing and stores nothing.
func (t *turn) decide(ctx context.Context) error {
	switch p := t.m.Press; {
	case p != nil && p.Action.comms():
		return t.work(ctx, *p)
	case p != nil:
		return t.pressed(ctx, *p)
	case t.m.Under != "" && t.known.Escalation != nil:
		return t.underCard()
	case t.m.Change == Deleted:
		t.deleted()
		return nil
	case t.m.Change == Edited && t.known.Question != nil:
		return t.edited(ctx, *t.known.Question)
	case !t.m.Addressed && !t.follows():
		return t.unanswered(ctx)
	}
	return t.heard(ctx)
}

// passesBy tells what is nothing to the bot: talk that it overhears and that neither
// goes on from something of its writer's own nor may be a question in a thread of
// theirs, and changes to messages of which it made nothing.
func (t *turn) passesBy() bool {
	switch {
	case t.m.Under != "" && (t.known.Escalation != nil || !t.m.Addressed):
		return t.known.Escalation == nil
	case t.m.Change != "" && t.known.Question == nil:
		return t.m.Change == Deleted || !t.m.Addressed
	case t.m.Change != "":
		return false
	}
	return !t.m.Addressed && !t.follows() && !t.asksOn()
}

// heard decides on free text. Unless it names one of the entries on offer, it
// beats a pending choice.
func (t *turn) heard(ctx context.Context) error {
	if id, ok := chosen(t.base, t.known.Last, t.m.Text); ok {
		return t.choose(ctx, t.typed(*t.known.Last), id)
	}
	if declined(t.known.Last, t.m.Text) {
		return t.toComms(ctx, t.typed(*t.known.Last), Press{Action: ActNone})
	}
	th := t.thought()
	if done, err := t.summoned(ctx, th); done {
		return err
	}
	if d, ok := th.Decision.(Unread); ok {
		if len(t.m.Attached) > 0 {
			d.Wording = WordCannotSee
		}
		t.tell(t.notice(d.Wording, nil))
		return nil
	}
	if lane := th.lane(); lane != nil {
		return t.lane(ctx, th, lane)
	}
	if e := t.followUp(th); e != nil && !t.quiet() {
		if t.b.policy.own(th.Found) && t.keptBack(th) {
			return nil
		}
		return t.add(*e, th)
	}
	if _, ok := th.Decision.(Escalate); ok {
		if j, ok := joined(t.base, t.known.Last, th, t.b.policy); ok {
			th = j
		} else if t.keptBack(th) {
			return nil
		}
	}
	return t.carryOut(ctx, t.question(th), th)
}

// keptBack tells whether words go to comms by a press alone, since they may be what a
// private lane is for, or follow one; then it has said so.
func (t *turn) keptBack(th Thought) bool {
	if !t.quiet() && !t.b.policy.private(t.base, th.Found) {
		return false
	}
	t.hidden = true
	t.tellAlone(t.notice(WordQuiet, nil, Button{Label: t.label(labelHandOff), Press: Press{Action: ActHandOff}, Form: true}))
	return true
}

// thought is what the folder makes of what was written, on its own.
func (t *turn) thought() Thought {
	if t.read == nil { // it was only overheard
		th := Think(t.base, t.m.Text, t.b.policy)
		t.read = &th
	}
	return *t.read
}

// summoned answers what others wrote above, where the asker's own words only call the
// bot: the asker is then who called. It keeps and passes on nothing of a colleague's words
// before the asker's press; of somebody in danger it shows what to do for them.
func (t *turn) summoned(ctx context.Context, th Thought) (bool, error) {
	switch th.Decision.(type) {
	case Unread, SmallTalk:
	default:
		return false, nil
	}
	if t.m.Above == "" {
		return false, nil
	}
	above := Think(t.base, limit(t.m.Above, maxText), t.b.policy)
	if lane := above.lane(); lane != nil {
		if isOwnCrisis(lane) {
			if other, ok := t.base.Entry(othersCrisis); ok {
				lane = other
			}
		}
		t.hidden = true
		t.count(DecidedSignpost, lane.ID)
		p := stepsPost(lane, t.say(WordPrivateNote, nil))
		p.Buttons = []Button{{Label: t.label(labelHandOff), Press: Press{Action: ActHandOff, Entry: lane.ID}, Form: true}}
		t.tellAlone(p)
		return true, nil
	}
	switch above.Decision.(type) {
	case Answer, Likely, Clarify, Signpost:
		said := above
		if said.Text, said.Removed = th.Text, nil; said.Text == "" {
			said.Text = t.say(WordAskedAbove, nil) // for comms, should it go to them
		}
		return true, t.carryOut(ctx, t.question(said), said)
	case Unread, SmallTalk, Language:
		return false, nil
	}
	t.offerToPassOn(t.notice(WordCannotAnswerAbove, nil), above.Text)
	return true, nil
}

// followUp is the asker's own escalation that a text belongs to, or nil: the one
// in whose thread it stands, one on which comms wait for the asker, or the one
// made of the question before, when the text goes on from it and says nothing
// that the folder knows.
func (t *turn) followUp(th Thought) *Escalation {
	if e := t.threaded(); e != nil {
		return e
	}
	if e := t.askedBack(); e != nil {
		if _, ok := th.Decision.(Answer); !ok {
			return e
		}
	}
	if d, ok := th.Decision.(Escalate); !ok || d.Topic != nil || t.known.Last == nil || !goesOn.MatchString(th.Text) {
		return nil
	}
	for i := range t.known.Mine {
		if e := &t.known.Mine[i]; e.Ref == t.known.Last.Ref && e.State.Pending() {
			return e
		}
	}
	return nil
}

// goesOn matches a text that cannot stand alone.
var goesOn = regexp.MustCompile(`(?i)^(and|also|but|or|what about|how about|what if)\b`)

// follows tells whether a text that was only overheard follows up something of
// its writer's own: a question that comms have, a choice that is pending, or in a
// thread an earlier question of theirs, when the folder answers this one too.
func (t *turn) follows() bool {
	if _, ok := chosen(t.base, t.known.Last, t.m.Text); ok || declined(t.known.Last, t.m.Text) {
		return true
	}
	if _, unreadable := Unreadable(t.m.Text); unreadable {
		return false
	}
	if t.threaded() != nil || t.askedBack() != nil {
		return true
	}
	if (!t.m.In.Thread() || t.known.Last == nil) && (!t.m.Asking || !isQuestion(t.m.Text)) {
		return false
	}
	_, ok := t.thought().Decision.(Answer)
	return ok
}

// question is the record of what was asked.
func (t *turn) question(th Thought) Question {
	q := Question{ID: QuestionID(t.b.newID()), Said: t.m.Said, Asker: t.m.From, In: t.m.In, Direct: t.m.Direct, Where: t.m.Where, Link: t.m.Link, Audience: t.m.Audience, Attached: t.m.Attached,
		Text: th.Text, At: t.m.At, Decision: th.Decision.decision(), Candidates: th.Found.Candidates}
	if e := th.Entry(); e != nil {
		q.Entry = e.ID
	}
	return q
}

// carryOut does what was decided on a question.
func (t *turn) carryOut(ctx context.Context, q Question, th Thought) error {
	t.removed(th.Removed)
	switch d := th.Decision.(type) {
	case Answer:
		p := t.answerPost(q, d.Entry)
		if e := t.askedBack(); e != nil { // it may have been meant for comms
			p.Note = t.say(WordWaitingForYou, map[string]string{"Ref": e.Ref.String()})
			p.Buttons = append(p.Buttons, t.replyButton(e.Ref))
		}
		q.Message = t.put(q.Message, p)
	case Likely:
		q.Options = ids(d.Options)
		q.Message = t.put(q.Message, t.likelyPost(q, d))
	case Clarify:
		q.Options = ids(d.Options)
		q.Message = t.put(q.Message, t.clarifyPost(q, d.Options, WordClarify))
	case Signpost:
		q.Message = t.put(q.Message, t.answerPost(q, d.Entry))
	case Language:
		q.Candidates, q.Entry = nil, ""
		q.Message = t.put(q.Message, Post{Kind: KindNotice, Text: d.read(t.base), Buttons: []Button{{Label: t.label(labelAskComms), Press: Press{Action: ActAskComms, Question: q.ID}}}})
	case SmallTalk:
		t.count(DecidedSmallTalk, d.Entry.ID)
		t.tell(Post{Kind: KindSmallTalk, Text: d.Entry.Body})
		return nil // nothing to keep
	case Escalate:
		return t.escalate(ctx, q, d.Topic, false)
	}
	t.count(q.Decision, q.Entry)
	t.Questions = append(t.Questions, q)
	return nil
}

// lane shows a lane's steps: an urgent one tells comms at once, a private one
// keeps nothing but a count.
func (t *turn) lane(ctx context.Context, th Thought, e *knowledge.Entry) error {
	t.count(DecidedSignpost, e.ID)
	if e.Route == knowledge.Urgent {
		t.removed(th.Removed)
		q := t.question(th)
		return t.escalate(ctx, q, e, true)
	}
	t.hidden = true
	p := stepsPost(e, t.say(WordPrivateNote, nil))
	if e.Handoff {
		p.Buttons = []Button{{Label: t.label(labelHandOff), Press: Press{Action: ActHandOff, Entry: e.ID}, Form: true}}
	}
	p.Buttons = append(p.Buttons, Button{Label: t.label(labelNotThis), Press: Press{Action: ActNotThis}})
	t.Person = &Contact{ID: t.m.From.ID, QuietUntil: t.m.At.Add(conversation)}
	if t.known.Contact != nil {
		t.Person.FirstAt = t.known.Contact.FirstAt
	}
	t.tellAlone(p)
	return nil
}

// quiet tells whether a private lane's steps were shown to the person lately.
func (t *turn) quiet() bool {
	c := t.known.Contact
	return c != nil && t.m.At.Before(c.QuietUntil)
}

// typed makes what follows a new message, below what the person has written; the
// offer above it loses its buttons.
func (t *turn) typed(q Question) Question {
	if q.Message == "" {
		return q
	}
	var titles []string
	for _, id := range q.Options {
		if e, ok := t.base.Entry(id); ok {
			titles = append(titles, "- "+plain(e.Title))
		}
	}
	t.update(q.Message, Post{Kind: KindClarify, Text: join(t.say(WordClarify, nil), strings.Join(titles, "\n"))})
	q.Message = ""
	return q
}

// threaded is the asker's own escalation in whose thread they write, or nil.
func (t *turn) threaded() *Escalation {
	for i := range t.known.Mine {
		e := &t.known.Mine[i]
		if t.m.In.Thread() && e.In == t.m.In && e.State.Pending() {
			return e
		}
	}
	return nil
}

// askedBack is the asker's escalation on which comms wait for them, when this is
// where they were asked: what they say elsewhere is not meant for comms.
func (t *turn) askedBack() *Escalation {
	alone := t.m.Audience == Private
	for i := range t.known.Mine {
		e := &t.known.Mine[i]
		here := e.In == t.m.In || alone && (e.In.Lane() == t.m.In.Lane() || e.In.Lane() == t.m.Direct.Lane())
		if e.State == Waiting && here {
			return e
		}
	}
	return nil
}

// add puts the asker's words to an escalation of theirs.
func (t *turn) add(e Escalation, th Thought) error {
	t.removed(th.Removed)
	e.Additions = append(e.Additions, th.Text)
	what, said := EventAdded, WordAdded
	if e.State == Waiting {
		e.State, what, said = Claimed, EventReplied, WordReplied
	}
	t.event(&e, what, th.Text)
	t.change(e)
	t.tell(t.notice(said, map[string]string{"Ref": e.Ref.String()}))
	return nil
}

// escalate passes a question to comms.
func (t *turn) escalate(ctx context.Context, q Question, topic *knowledge.Entry, urgent bool) error {
	if q.Ref != 0 { // asked anew, from an old message
		q.ID, q.Ref = QuestionID(t.b.newID()), 0
	}
	for _, e := range t.known.Mine {
		if e.State.Pending() && sameText(e.Text, q.Text) {
			q.Ref = e.Ref
			p := t.notice(WordAlready, map[string]string{"Ref": e.Ref.String()})
			if urgent {
				p = stepsPost(topic, p.Text)
			}
			t.present(&q, p, urgent)
			return nil
		}
	}
	ref, err := t.b.store.NextRef(ctx)
	if err != nil {
		return err
	}
	e := Escalation{Ref: ref, State: Open, Urgent: urgent, Pressed: q.Feedback != "", Question: q.ID, Direct: q.Direct, Attached: q.Attached, Asker: q.Asker, Where: q.Where, Link: q.Link, Audience: q.Audience, Text: q.Text, Candidates: q.Candidates, OpenedAt: t.m.At}
	e.In = q.In
	if (q.Audience.narrow() || urgent && q.Audience == Shared) && q.Direct != "" {
		e.In = q.Direct
	}
	if topic != nil {
		e.Topic = topic.ID
	}
	if err := t.like(ctx, &e); err != nil {
		return err
	}
	t.event(&e, EventOpened, "")
	q.Ref, q.Decision = ref, DecidedEscalate
	p, err := t.holdingPost(ctx, e, topic)
	if err != nil {
		return err
	}
	if urgent {
		q.Decision = DecidedSignpost
	} else {
		t.count(DecidedEscalate, e.Topic)
	}
	if e.Holding = t.present(&q, p, urgent || q.Audience.narrow() && t.m.Audience != OnlyAsker); e.Holding != "" {
		e.Messages = append(e.Messages, e.Holding)
	}
	t.change(e)
	return nil
}

// present saves a question with a post that takes the place of the message that
// it has, or else becomes it; alone: for nobody's eyes but the asker's.
func (t *turn) present(q *Question, p Post, alone bool) string {
	switch {
	case q.Message != "":
		t.update(q.Message, p)
	case alone:
		q.Message = t.tellAlone(p)
	default:
		q.Message = t.tell(p)
	}
	t.Questions = append(t.Questions, *q)
	return q.Message
}

// likes is how many earlier like questions a card shows.
const likes = 2

// like finds the earlier questions on the same topic that comms have answered.
func (t *turn) like(ctx context.Context, e *Escalation) error {
	if len(e.Candidates) == 0 || e.Candidates[0].Confidence < t.b.policy.Offer {
		return nil
	}
	earlier, err := t.b.store.Answered(ctx, e.Candidates[0].ID, likes)
	if err != nil {
		return err
	}
	for _, x := range earlier {
		e.Like = append(e.Like, x.Ref)
	}
	return nil
}

func sameText(a, b string) bool {
	return strings.Join(strings.Fields(strings.ToLower(a)), " ") == strings.Join(strings.Fields(strings.ToLower(b)), " ")
}

// limit cuts a text to n characters.
func limit(s string, n int) string {
	if len(s) <= n {
		return s
	}
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

func ids(entries []*knowledge.Entry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.ID)
	}
	return list
}
