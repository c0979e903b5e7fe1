package bot

import (
	"context"
	"slices"
	"time"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// pressed decides on what an asker pressed.
func (t *turn) pressed(ctx context.Context, p Press) error {
	switch p.Action {
	case ActShow:
		return t.show(p)
	case ActGreet:
		if c := t.known.Contact; c == nil || c.FirstAt.IsZero() {
			t.tell(Post{Kind: KindSmallTalk, Text: t.say(WordGreeting, nil)})
		}
		return nil
	case ActHandOff:
		return t.handOff(ctx, p)
	case ActNotThis:
		return t.notThis(ctx, p)
	case ActPassOn:
		return t.passOn(ctx)
	case ActWithdraw, ActAnonymous, ActReply, ActNoHelp, ActThanks:
		return t.pressedEscalation(ctx, p)
	}
	q := t.known.Question
	if p.Thumb && t.read != nil && text.Clean(t.read.Text) != "" {
		if lane := t.read.lane(); lane != nil {
			return t.lane(ctx, *t.read, lane)
		}
		if t.keptBack(*t.read) {
			return nil
		}
		t.feedback(q, p)
	}
	if p.Thumb && (q == nil || q.Asker.ID != t.m.From.ID) {
		return t.thumbs(ctx, p)
	}
	if q == nil {
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	}
	if q.Asker.ID != t.m.From.ID {
		t.Reply.Notice = t.say(WordForbidden, nil)
		return nil
	}
	switch p.Action {
	case ActChoose:
		return t.choose(ctx, *q, p.Entry)
	case ActHelped:
		return t.helped(*q)
	case ActNotMeant:
		return t.notMeant(*q)
	case ActAskComms, ActNone:
		return t.toComms(ctx, *q, p)
	}
	t.Reply.Notice = t.say(WordExpired, nil)
	return nil
}

// feedback gives the words that came with a thumb to comms, without who they are of.
func (t *turn) feedback(q *Question, p Press) {
	about := ""
	if q == nil && p.On == "" {
		q = t.known.Last
	}
	if q != nil && q.Asker.ID == t.m.From.ID {
		if e, ok := t.base.Entry(q.Entry); ok && q.Ref == 0 {
			about = e.Title
		} else if q.Ref != 0 {
			about = q.Ref.String()
		}
	}
	if e := t.known.Escalation; e != nil && e.Asker.ID == t.m.From.ID {
		about = e.Ref.String()
	}
	t.removed(t.read.Removed)
	t.countFeedback("", FeedbackWords)
	for _, place := range t.b.comms {
		post := t.notice(WordFeedback, map[string]string{"Title": plain(about)})
		post.Quote = t.read.Text
		t.Deliveries = append(t.Deliveries, Delivery{ID: t.b.newID(), To: place, Post: post, CreatedAt: t.m.At})
	}
}

// thumbs takes a thumb under comms' own answer for what its buttons say. Under any
// other message, and from anybody else, it is a thumb and no more.
func (t *turn) thumbs(ctx context.Context, p Press) error {
	e := t.known.Escalation
	over, ok := map[Action]Action{ActHelped: ActThanks, ActNotMeant: ActNoHelp}[p.Action]
	if !ok || e == nil || e.Asker.ID != t.m.From.ID {
		return nil
	}
	p.Action = over
	return t.pressedEscalation(ctx, p)
}

// toComms passes on a question that the folder's answer, or none of the entries
// offered, was right for.
func (t *turn) toComms(ctx context.Context, q Question, p Press) error {
	if q.Ref != 0 {
		t.Reply.Notice = t.say(WordAlready, map[string]string{"Ref": q.Ref.String()})
		return nil
	}
	q.Feedback, q.Options = FeedbackNone, nil
	if p.Action == ActAskComms {
		q.Feedback = FeedbackAskComms
	}
	t.countFeedback(q.Entry, q.Feedback)
	if p.Action == ActAskComms { // the answer stays, and the holding text follows it
		t.settle(q)
		q.Message = ""
	}
	topic, ok := t.base.Entry(p.Entry) // they read that comms answer this one
	if !ok || topic.Route != knowledge.Comms {
		topic = nil
	}
	return t.escalate(ctx, q, topic, false)
}

// show gives an entry that was pressed for, to whoever pressed.
func (t *turn) show(p Press) error {
	e, ok := t.base.Entry(p.Entry)
	if !ok || e.Lane() != "" {
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	}
	t.count(CountedShown, e.ID)
	post := t.entryPost(e, p.Question)
	if q := t.known.Question; e.Route == knowledge.Comms && q != nil && q.Asker.ID == t.m.From.ID && q.Ref == 0 {
		post.Buttons = []Button{{Label: t.label(labelAskComms), Press: Press{Action: ActAskComms, Question: q.ID, Entry: e.ID}}}
	}
	t.tell(post)
	return nil
}

// choose answers with the entry that was picked among those offered.
func (t *turn) choose(ctx context.Context, q Question, id string) error {
	e, ok := t.base.Entry(id)
	if !ok || !slices.Contains(q.Options, id) {
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	}
	q.Options, q.Entry, q.Feedback = nil, e.ID, FeedbackChose
	t.countFeedback(e.ID, FeedbackChose)
	if e.Route == knowledge.Comms {
		return t.escalate(ctx, q, e, false)
	}
	q.Decision = DecidedAnswer
	t.present(&q, t.answerPost(q, e), false)
	return nil
}

// notMeant offers what came next to the answer that was wrong.
func (t *turn) notMeant(q Question) error {
	wrong, left := q.Entry, 0.0
	q.Candidates = slices.DeleteFunc(slices.Clone(q.Candidates), func(c match.Candidate) bool { return c.ID == wrong }) // it is not offered again
	for _, c := range q.Candidates {
		left += c.Confidence
	}
	var options []*knowledge.Entry
	for _, c := range q.Candidates { // as probable beside the others as the policy wants, now that one is out
		e, ok := t.base.Entry(c.ID)
		if ok && (e.Route == knowledge.Answered || e.Route == knowledge.Comms) && c.Confidence >= t.b.policy.Offer*left && len(options) < maxOptions {
			options = append(options, e)
		}
	}
	q.Options = ids(options)
	q.Feedback = FeedbackNotMeant
	t.countFeedback(wrong, q.Feedback)
	sorry := WordNotMeant
	if len(options) == 0 {
		sorry = WordNotMeantNone
	}
	t.present(&q, t.clarifyPost(q, options, sorry), false)
	return nil
}

// helped records that an answer was right and takes its buttons away.
func (t *turn) helped(q Question) error {
	t.Reply.Notice = t.say(WordHelped, nil)
	if q.Feedback == FeedbackHelped {
		return nil
	}
	q.Feedback = FeedbackHelped
	t.countFeedback(q.Entry, q.Feedback)
	t.settle(q)
	t.Questions = append(t.Questions, q)
	return nil
}

// settle shows the answer to a question again without its buttons.
func (t *turn) settle(q Question) {
	if e, ok := t.base.Entry(q.Entry); ok && q.Message != "" && q.Ref == 0 {
		p := t.answerPost(q, e)
		p.Buttons = nil
		t.update(q.Message, p)
	}
}

// handOff passes on what the asker of a private lane chose to write.
func (t *turn) handOff(ctx context.Context, p Press) error {
	said := text.Clean(p.Fields[FieldText])
	if said == "" {
		t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldEmpty, nil)}
		return nil
	}
	th := Thought{Decision: Escalate{}}
	th.Text, th.Removed = Redact(limit(said, maxText))
	t.removed(th.Removed)
	q := t.question(th)
	lane, ok := t.base.Entry(p.Entry)
	if !ok || !lane.Handoff {
		lane = nil
	}
	if q.Audience != Private { // what comes of it is for their eyes alone
		q.Audience = OnlyAsker
	}
	q.Where, q.Feedback = "", FeedbackHandOff
	q.Link = ""
	if own := t.read.lane(); isOwnCrisis(own) && p.Entry != own.ID { // they chose to pass it on, and need help all the same
		t.tellAlone(stepsPost(own, ""))
	}
	return t.escalate(ctx, q, lane, lane != nil)
}

// pressedEscalation decides on what the asker pressed about their escalation.
func (t *turn) pressedEscalation(ctx context.Context, p Press) error {
	e := t.known.Escalation
	if e == nil {
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	}
	if e.Asker.ID != t.m.From.ID {
		t.Reply.Notice = t.say(WordForbidden, nil)
		return nil
	}
	x, with := *e, map[string]string{"Ref": e.Ref.String()}
	switch p.Action {
	case ActWithdraw:
		if !e.State.Pending() {
			t.Reply.Notice = t.say(WordTooLate, with)
			return nil
		}
		x.State, x.ClosedAt = Closed, t.m.At
		t.event(&x, EventWithdrawn, "")
		if t.endHolding(x, WordWithdrawn) {
			t.Reply.Notice = t.say(WordWithdrawn, with)
		} else {
			t.tell(t.notice(WordWithdrawn, with))
		}
	case ActAnonymous:
		if e.Anonymous {
			t.Reply.Notice = t.say(WordAnonymous, with)
			return nil
		}
		if e.State != Open || !e.ClaimedAt.IsZero() {
			t.Reply.Notice = t.say(WordAnonymousLate, with)
			return nil
		}
		x.Anonymous = true
		t.event(&x, EventAnonymous, "")
		if x.Holding != "" {
			topic, _ := t.base.Entry(x.Topic)
			p, err := t.holdingPost(ctx, x, topic)
			if err != nil {
				return err
			}
			t.update(x.Holding, p)
		}
		if e.Audience == Shared {
			t.Reply.Notice = t.say(WordAnonymousOpen, with)
		} else {
			t.Reply.Notice = t.say(WordAnonymous, with)
		}
	case ActReply:
		said := text.Clean(p.Fields[FieldText])
		if said == "" {
			t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldEmpty, nil)}
			return nil
		}
		if !e.State.Pending() {
			t.Reply.Notice = t.say(WordTooLate, with)
			return nil
		}
		if lane := t.read.lane(); isOwnCrisis(lane) {
			return t.lane(ctx, *t.read, lane)
		} else if lane != nil && lane.Route == knowledge.Urgent {
			x.Urgent = true
		}
		th := Thought{}
		th.Text, th.Removed = Redact(limit(said, maxText))
		return t.add(x, th)
	case ActNoHelp:
		if w := notReopened(*e); w != "" {
			t.Reply.Notice = t.say(w, with)
			return nil
		}
		x.State, x.ClosedAt, x.AnsweredAt = Open, time.Time{}, time.Time{}
		if x.Holder.ID != "" {
			x.State = Claimed
		}
		t.event(&x, EventReopened, "")
		t.countFeedback(x.Entry, FeedbackNoHelp)
		t.tell(t.notice(WordReopened, with, t.replyButton(x.Ref)))
	case ActThanks:
		t.Reply.Notice = t.say(WordHelped, nil)
		if e.State == Closed || e.State.Pending() && e.Entry == "" {
			return nil // it is done, or nothing has been answered yet
		}
		if e.State.Pending() { // by an entry that was offered
			t.endHolding(x, WordHelped)
		}
		x.State, x.ClosedAt = Closed, t.m.At
		t.event(&x, EventClosed, "")
		t.countFeedback(x.Entry, FeedbackHelped)
	}
	t.change(x)
	return nil
}

// notThis takes an alarm back: comms read that it was none, and the question is read
// again as if there were no lanes. Of a private lane nothing is kept that could be read
// again: the person is asked to say it another way.
func (t *turn) notThis(ctx context.Context, p Press) error {
	if p.Ref == 0 {
		t.hidden = true
		t.tellAlone(t.notice(WordSayAnotherWay, nil))
		return nil
	}
	e := t.known.Escalation
	switch {
	case e == nil:
		t.Reply.Notice = t.say(WordExpired, nil)
		return nil
	case e.Asker.ID != t.m.From.ID:
		t.Reply.Notice = t.say(WordForbidden, nil)
		return nil
	case !e.State.Pending() || !e.Urgent:
		t.Reply.Notice = t.say(WordTooLate, map[string]string{"Ref": e.Ref.String()})
		return nil
	}
	x := *e
	x.State, x.ClosedAt = Closed, t.m.At
	t.event(&x, EventNotThis, "")
	t.endHolding(x, WordAlarmEnded)
	t.change(x)
	t.known.Mine = slices.DeleteFunc(t.known.Mine, func(m Escalation) bool { return m.Ref == x.Ref })
	th := thinkPast(t.base, x.Text, t.b.policy)
	return t.carryOut(ctx, t.question(th), th)
}

// notReopened says why an escalation cannot be reopened, or "".
func notReopened(e Escalation) Word {
	switch {
	case e.State.Pending() && e.Answer != "":
		return WordReopened // it was
	case e.State.Pending():
		return WordAlready
	case e.Answer == "":
		return WordTooLate
	}
	return ""
}
