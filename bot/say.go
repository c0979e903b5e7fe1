package bot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"canteen/knowledge"
)

func (t *turn) say(w Word, with map[string]string) string { return t.base.Wording(w, with) }

// notice is a sentence of the bot's own.
func (t *turn) notice(w Word, with map[string]string, buttons ...Button) Post {
	return Post{Kind: KindNotice, Text: t.say(w, with), Buttons: buttons}
}

// tell shows a post to who wrote, in the request or where they wrote, and gives
// the id of the delivery, or "".
func (t *turn) tell(p Post) string {
	if t.m.Audience == InReply {
		t.Reply.Posts = append(t.Reply.Posts, t.greet(p))
		return ""
	}
	d := Delivery{ID: t.b.newID(), To: t.m.In, Post: t.greet(p), CreatedAt: t.m.At}
	if t.m.Audience == OnlyAsker {
		d.Only, d.Fallback = t.m.From.ID, t.m.Direct
	}
	t.Deliveries = append(t.Deliveries, d)
	if t.m.Audience == OnlyAsker {
		return "" // what one person sees among many cannot be changed
	}
	return d.ID
}

// put shows a post in the place of the one that a delivery has posted, or as a new one.
func (t *turn) put(id string, p Post) string {
	if id == "" {
		return t.tell(p)
	}
	t.update(id, p)
	return id
}

// tellAlone shows a post to who wrote and to nobody else.
func (t *turn) tellAlone(p Post) string {
	t.Private = t.hidden
	if t.m.Audience.alone() {
		id := t.tell(p)
		if id != "" {
			t.Deliveries[len(t.Deliveries)-1].Private = t.hidden
		}
		return id
	}
	d := Delivery{ID: t.b.newID(), To: t.m.Direct, Post: t.greet(p), Private: t.hidden, CreatedAt: t.m.At}
	if d.To == "" {
		d.To, d.Only = t.m.In, t.m.From.ID
	}
	t.Deliveries = append(t.Deliveries, d)
	return d.ID
}

// unkept moves what answers a text of which nothing is recorded (a private lane,
// a greeting, an empty line) into the response: what is delivered to the web is
// what its page shows from then on.
func (t *turn) unkept() {
	if t.m.Press != nil || t.m.In.Adapter() != WebAdapter || len(t.Questions)+len(t.Escalations) > 0 {
		return
	}
	for _, d := range t.Deliveries {
		t.Reply.Posts = append(t.Reply.Posts, d.Post)
	}
	t.Deliveries = nil
}

// greet adds, once for each person, what is kept of what they write.
func (t *turn) greet(p Post) Post {
	if len(t.m.Attached) > 0 && !t.saidUnseen && p.Text != t.say(WordCannotSee, nil) {
		t.saidUnseen = true
		p.Note = join(t.say(WordCannotSeeToo, nil), p.Note)
	}
	if c := t.known.Contact; t.hidden || c != nil && !c.FirstAt.IsZero() || t.Person != nil && !t.Person.FirstAt.IsZero() {
		return p
	}
	if t.Person == nil {
		t.Person = &Contact{ID: t.m.From.ID}
		if t.known.Contact != nil {
			*t.Person = *t.known.Contact
		}
	}
	t.Person.FirstAt = t.m.At
	p.Note = join(p.Note, t.say(WordFirstContact, nil))
	return p
}

// removed tells who wrote, and nobody else, which identifiers were taken out.
func (t *turn) removed(kinds []string) {
	if len(kinds) > 0 {
		t.tellAlone(t.notice(WordRemoved, map[string]string{"Kinds": strings.Join(kinds, ", ")}))
	}
}

// update gives a delivery that is there already a new post.
func (t *turn) update(id string, p Post) {
	t.Deliveries = append(t.Deliveries, Delivery{ID: id, Post: p})
}

func (t *turn) count(d Decided, entry string) {
	t.Tally = append(t.Tally, Tally{Decision: d, Entry: entry})
}

func (t *turn) countFeedback(entry string, f Feedback) {
	t.Tally = append(t.Tally, Tally{Decision: CountedFeedback, Entry: entry, What: f})
}

// event adds a step to an escalation's life. The asker's own steps carry no name:
// who asked stands in Asker and nowhere else.
func (t *turn) event(e *Escalation, what Event, text string) {
	by := t.m.From
	if by.ID == e.Asker.ID {
		by = Person{}
	}
	e.History = append(e.History, Step{At: t.m.At, What: what, By: by, Text: text})
}

// change saves an escalation and brings its cards up to date.
func (t *turn) change(e Escalation) {
	t.Escalations = append(t.Escalations, e)
	post := t.b.card(t.base, e)
	for _, place := range t.b.comms {
		t.Deliveries = append(t.Deliveries, Delivery{ID: cardID(e.Ref, place), To: place, Post: post, Ref: e.Ref, CreatedAt: t.m.At})
	}
}

// cardID is the delivery of an escalation's card on one platform.
func cardID(r Ref, place Place) string { return fmt.Sprintf("card-%d-%s", int64(r), place.Adapter()) }

func join(parts ...string) string {
	var s []string
	for _, p := range parts {
		if p != "" {
			s = append(s, p)
		}
	}
	return strings.Join(s, "\n\n")
}

// entryPost shows an entry; q is the question that its further buttons carry.
func (t *turn) entryPost(e *knowledge.Entry, q QuestionID) Post {
	p := Post{Kind: KindAnswer, Title: e.Title, Text: e.Body, Since: e.Since, Source: SourceName(e.Source), Entry: e.ID}
	if e.Route == knowledge.Comms {
		p.Text = join(p.Text, t.say(WordNotCovered, nil))
	}
	for _, id := range e.SeeAlso {
		if r, ok := t.base.Entry(id); ok && r.Lane() == "" && len(p.Related) < maxRelated {
			p.Related = append(p.Related, Button{Label: r.Title, Press: Press{Action: ActShow, Entry: r.ID, Question: q}})
		}
	}
	return p
}

// maxRelated is how many related entries an answer names.
const maxRelated = 3

// SourceName is a source as people read it; the folder writes the guide's short.
func SourceName(source string) string {
	name, section, _ := strings.Cut(source, ",")
	if strings.TrimSpace(name) != "quick-guide-2014" {
		return source
	}
	s := "NHS Employers quick guide, November 2014"
	if section = strings.TrimSpace(section); section != "" {
		s += ", " + section
	}
	return s
}

// answerPost is what the folder says to a question: an entry, or who to try
// instead.
func (t *turn) answerPost(q Question, e *knowledge.Entry) Post {
	if e.Route == knowledge.Elsewhere {
		p := Post{Kind: KindSignpost, Title: e.Title, Text: e.Body}
		p.Buttons = []Button{{Label: t.label(labelAskCommsAnyway), Press: Press{Action: ActAskComms, Question: q.ID}}}
		return p
	}
	p := t.entryPost(e, q.ID)
	p.Buttons = []Button{
		{Label: t.label(labelHelped), Press: Press{Action: ActHelped, Question: q.ID}, Style: Primary},
		{Label: t.label(labelNotMeant), Press: Press{Action: ActNotMeant, Question: q.ID}},
		{Label: t.label(labelAskComms), Press: Press{Action: ActAskComms, Question: q.ID}},
	}
	return p
}

// likelyPost shows an entry that is likely the answer, and what else may be meant.
func (t *turn) likelyPost(q Question, d Likely) Post {
	p := t.answerPost(q, d.Entry)
	p.Text, p.Related = join(t.say(WordLikely, nil), p.Text), nil
	for _, e := range d.Options {
		p.Options = append(p.Options, Button{Label: e.Title, Press: Press{Action: ActChoose, Question: q.ID, Entry: e.ID}})
	}
	return p
}

func (t *turn) clarifyPost(q Question, options []*knowledge.Entry, w Word) Post {
	p := Post{Kind: KindClarify, Text: t.say(w, nil)}
	for _, e := range options {
		p.Options = append(p.Options, Button{Label: e.Title, Press: Press{Action: ActChoose, Question: q.ID, Entry: e.ID}})
	}
	label := t.label(labelNone)
	if len(options) == 0 {
		label = t.label(labelAskComms)
	}
	p.Buttons = []Button{{Label: label, Press: Press{Action: ActNone, Question: q.ID}}}
	return p
}

// holdingPost tells the asker that comms have the question; of an urgent one it
// shows the steps to take now.
func (t *turn) holdingPost(ctx context.Context, e Escalation, topic *knowledge.Entry) (Post, error) {
	promise, err := t.promise(ctx)
	if err != nil {
		return Post{}, err
	}
	with := map[string]string{"Ref": e.Ref.String(), "Promise": promise}
	p := Post{Kind: KindHolding, Text: t.say(WordHolding, with)}
	switch {
	case e.Urgent && topic != nil:
		note := WordUrgentNote
		if !t.base.Local().Open(t.m.At) {
			note = WordUrgentUnseen
		}
		p = stepsPost(topic, t.say(note, with))
	case e.Pressed && topic == nil:
		p.Text = t.say(WordHoldingTopic, with)
	case topic != nil:
		p.Title, p.Text = topic.Title, join(topic.Body, t.say(WordHoldingTopic, with))
	}
	switch {
	case e.Anonymous && e.Audience == Shared:
		p.Note = join(p.Note, t.say(WordAnonymousOpen, with))
	case e.Anonymous:
		p.Note = join(p.Note, t.say(WordAnonymous, with))
	case e.Audience == Shared && !e.Urgent:
		p.Note = t.say(WordOpenChannel, with)
	}
	if !e.Urgent {
		p.Note = join(p.Note, t.say(WordUrgentHelp, nil))
	}
	p.Buttons = []Button{{Label: t.label(labelWithdraw), Press: Press{Action: ActWithdraw, Ref: e.Ref}}}
	if e.Urgent && e.Topic != "" {
		p.Buttons = append([]Button{{Label: t.label(labelNotThis), Press: Press{Action: ActNotThis, Ref: e.Ref}}}, p.Buttons...)
	}
	if !e.Anonymous {
		p.Buttons = append(p.Buttons, Button{Label: t.label(labelAnonymous), Press: Press{Action: ActAnonymous, Ref: e.Ref}})
	}
	return p, nil
}

// stepsPost shows a lane's steps.
func stepsPost(lane *knowledge.Entry, note string) Post {
	return Post{Kind: KindSignpost, Title: lane.Title, Text: lane.Body, Note: note}
}

// endHolding makes the message that promised an answer say what came of it,
// without its buttons. It tells whether there is one that can be changed.
func (t *turn) endHolding(e Escalation, w Word) bool {
	if e.Holding == "" {
		return false
	}
	p := t.notice(w, map[string]string{"Ref": e.Ref.String()})
	if topic, ok := t.base.Entry(e.Topic); ok && e.Urgent {
		p = stepsPost(topic, p.Text)
	}
	t.update(e.Holding, p)
	return true
}

// toAsker writes to whoever asked an escalation, wherever that was.
func (t *turn) toAsker(e *Escalation, p Post) {
	d := Delivery{ID: t.b.newID(), To: e.In, Post: p, Ref: e.Ref, CreatedAt: t.m.At}
	if e.Direct != e.In {
		d.Fallback = e.Direct
	}
	t.Deliveries = append(t.Deliveries, d)
	e.Messages = append(e.Messages, d.ID)
}

// promise says when an answer can be expected: what local.yaml promises, and what
// was measured over the last month.
func (t *turn) promise(ctx context.Context) (string, error) {
	local := t.base.Local()
	var parts []string
	if !local.Open(t.m.At) {
		parts = append(parts, t.say(WordOutOfHours, map[string]string{"Hours": local.Hours.String()}))
	}
	parts = append(parts, local.ReplyPromise)
	usual, err := t.b.measured(ctx, t.m.At)
	if err != nil {
		return "", err
	}
	if usual != "" {
		parts = append(parts, t.say(WordMeasured, map[string]string{"Time": usual}))
	}
	return strings.Join(parts, " "), nil
}

// span says a duration as people do, to the next half of what is said.
func span(d time.Duration) string {
	switch {
	case d < 90*time.Minute:
		return plural(int(d.Round(time.Minute)/time.Minute), "minute")
	case d < 36*time.Hour:
		return plural(int(d.Round(time.Hour)/time.Hour), "hour")
	}
	return plural(int((d+12*time.Hour)/(24*time.Hour)), "day")
}

func plural(n int, unit string) string {
	if n <= 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
