package bot

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"canteen/knowledge"
	"canteen/knowledge/match"
	"canteen/knowledge/text"
)

// work decides on what a member of comms pressed. The state in the store decides
// who was first, whatever the card showed them.
func (t *turn) work(ctx context.Context, p Press) error {
	if t.known.Escalation == nil {
		if !p.Thumb { // or it is a reaction to something else
			t.Reply.Notice = t.say(WordExpired, nil)
		}
		return nil
	}
	e := *t.known.Escalation
	with := map[string]string{"Ref": e.Ref.String(), "Name": plain(name(e.Holder))}
	refuse := func(w Word) { t.Reply.Notice = t.say(w, with) }
	said := text.Clean(limit(p.Fields[FieldText], maxAnswer))
	switch p.Action {
	case ActAnswer, ActReuse, ActSend, ActCorrect, ActAskBack, ActNotOurs:
		said = asMarkdown(said)
	}
	_, kinds := Redact(said)
	// Whom to ring or write to is what comms are asked for.
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == KindPhone || k == KindEmail })
	missing := func() bool {
		if said == "" {
			t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldEmpty, nil)}
		} else if utf8.RuneCountInString(p.Fields[FieldText]) > maxAnswer {
			t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldLong, map[string]string{"Count": strconv.Itoa(maxAnswer)})}
		} else if len(kinds) > 0 {
			t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldIdentifiers, map[string]string{"Kinds": strings.Join(kinds, ", ")})}
		}
		return t.Reply.Errors != nil
	}
	open := e.State.Pending()
	// Who was too late keeps the form, with what they wrote in it.
	tooLate := func() {
		if said != "" {
			t.Reply.Errors = map[string]string{FieldText: t.say(WordAnsweredAlready, with)}
			return
		}
		refuse(WordAnsweredAlready)
	}
	switch p.Action {
	case ActClaim:
		if !open {
			refuse(WordDoneAlready)
			return nil
		}
		if e.Holder.ID == t.m.From.ID {
			return nil
		}
		if e.Holder.ID != "" {
			refuse(WordClaimedAlready)
			return nil
		}
		t.hold(&e, t.m.From)
		t.event(&e, EventClaimed, "")
	case ActGiveBack:
		if !open || e.Holder.ID == "" {
			refuse(WordDoneAlready)
			return nil
		}
		e.State, e.Holder = Open, Person{}
		t.event(&e, EventGivenBack, "")
	case ActAssign:
		if !open {
			refuse(WordDoneAlready)
			return nil
		}
		to := Person{ID: PersonID(p.Fields[FieldPerson]), Name: oneLine(text.Clean(limit(p.Fields[FieldPersonName], 100)))}
		ok, err := t.b.member(ctx, to.ID)
		if err != nil {
			return err
		}
		if !ok {
			t.Reply.Errors = map[string]string{FieldPerson: t.say(WordNotAMember, nil)}
			return nil
		}
		t.hold(&e, to)
		t.event(&e, EventAssigned, to.Name)
	case ActAnswer, ActReuse, ActSend:
		if missing() {
			return nil
		}
		if !open {
			tooLate()
			return nil
		}
		t.answered(&e, said, "")
		t.toAsker(&e, t.relayPost(e, WordRelayAnswer, said))
		if p.Action == ActSend {
			t.Reply.Notice = t.say(WordSent, with)
		}
	case ActKeep:
		refuse(WordKeptAmongComms)
		return nil
	case ActCorrect:
		if missing() {
			return nil
		}
		if e.Answer == "" {
			refuse(WordDoneAlready)
			return nil
		}
		if draft, ok := t.base.Draft(e.Entry); ok && e.promoted() && p.Fields[FieldPlace] == PlaceEntry && draft.Body != said {
			draft.Body, draft.ReviewBy = said, t.m.At.AddDate(1, 0, 0)
			if err := t.b.folder.Save(ctx, draft); err != nil {
				return t.notWritten(err, FieldText)
			}
		}
		e.Answer, e.AnsweredBy = said, t.m.From
		t.event(&e, EventCorrected, said)
		t.toAsker(&e, t.relayPost(e, WordRelayCorrection, said))
	case ActUseEntry:
		entry, ok := t.base.Entry(p.Fields[FieldEntry])
		if !ok || entry.Route == knowledge.Comms || entry.Route == knowledge.SmallTalk {
			t.Reply.Errors = map[string]string{FieldEntry: t.say(WordFieldEntry, nil)}
			return nil
		}
		if !open {
			tooLate()
			return nil
		}
		t.answered(&e, entry.Body, entry.ID)
		post := t.entryPost(entry, e.Question)
		post.Note = t.say(WordRelayEntry, with)
		post.Buttons = t.answerButtons(e.Ref)
		t.toAsker(&e, post)
	case ActAskBack:
		if missing() {
			return nil
		}
		if !open {
			tooLate()
			return nil
		}
		if e.Holder.ID == "" {
			t.hold(&e, t.m.From)
		}
		e.State = Waiting
		t.event(&e, EventAskedBack, said)
		post := t.relayPost(e, WordRelayQuestion, said)
		post.Buttons = []Button{t.replyButton(e.Ref), {Label: t.label(labelWithdraw), Press: Press{Action: ActWithdraw, Ref: e.Ref}}}
		t.toAsker(&e, post)
	case ActNotOurs:
		if missing() {
			return nil
		}
		if !open {
			tooLate()
			return nil
		}
		e.State, e.ClosedAt = Closed, t.m.At
		t.event(&e, EventNotOurs, said)
		t.endHolding(e, WordDealtWith)
		post := t.relayPost(e, WordRelayNotOurs, said)
		post.Buttons = nil
		t.toAsker(&e, post)
	case ActFalse:
		if !open || !e.Urgent {
			refuse(WordDoneAlready)
			return nil
		}
		e.State, e.ClosedAt = Closed, t.m.At
		t.event(&e, EventFalseAlarm, "")
		t.endHolding(e, WordDealtWith)
		post := t.relayPost(e, WordRelayFalseAlarm, t.say(WordFalseAlarm, with))
		post.Buttons = nil
		t.toAsker(&e, post)
	case ActClose:
		if open {
			refuse(WordNotAnswered)
			return nil
		}
		if e.State != Answered {
			refuse(WordDoneAlready)
			return nil
		}
		e.State, e.ClosedAt = Closed, t.m.At
		t.event(&e, EventClosed, "")
	case ActHarmless:
		if missing() {
			return nil
		}
		if !e.wasHarmless() {
			refuse(WordDoneAlready)
			return nil
		}
		lane, ok := t.base.Entry(e.Topic)
		if !ok || lane.Lane() == "" {
			refuse(WordExpired)
			return nil
		}
		from := fmt.Sprintf("%s, false alarm of %s", e.Ref, t.m.At.Format("2 January 2006"))
		if err := t.b.folder.AddHarmless(ctx, lane.ID, from, limit(said, maxHarmless)); err != nil {
			return t.notWritten(err, FieldText)
		}
		t.event(&e, EventLearnt, "")
		t.Reply.Notice = t.say(WordLearnt, nil)
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
	t.event(e, EventAnswered, text)
	t.endHolding(*e, WordDealtWith)
}

func (t *turn) replyButton(r Ref) Button {
	return Button{Label: t.label(labelReply), Press: Press{Action: ActReply, Ref: r}, Form: true, Style: Primary}
}

func (t *turn) answerButtons(r Ref) []Button {
	return []Button{{Label: t.label(labelThanks), Press: Press{Action: ActThanks, Ref: r}, Style: Primary},
		{Label: t.label(labelNoHelp), Press: Press{Action: ActNoHelp, Ref: r}}}
}

// relayPost carries comms' words to the asker, under their own question.
func (t *turn) relayPost(e Escalation, w Word, text string) Post {
	with := map[string]string{"Ref": e.Ref.String(), "Comms": t.base.Local().Comms.Name}
	return Post{Kind: KindRelay, Title: t.say(w, with), Quote: limit(e.Text, 300), Text: text, Buttons: t.answerButtons(e.Ref)}
}

var slugPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*$`)

// promote writes an answer to the folder as an entry, and offers it to all others
// who wait for the like.
func (t *turn) promote(ctx context.Context, e Escalation, p Press) error {
	entry := knowledge.Entry{
		ID:       strings.TrimSpace(p.Fields[FieldSlug]),
		Title:    oneLine(text.Clean(p.Fields[FieldTitle])),
		Body:     text.Clean(p.Fields[FieldText]),
		Source:   "answer of " + t.base.Local().Comms.Name + " " + t.m.At.Format("2 January 2006"),
		ReviewBy: t.m.At.AddDate(1, 0, 0),
	}
	for line := range strings.Lines(p.Fields[FieldAskedAs]) {
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "- ")); line != "" {
			entry.Phrasings = append(entry.Phrasings, text.Clean(line))
		}
	}
	topic, ok := t.base.Entry(e.Topic)
	if ok && topic.Route == knowledge.Comms {
		asked := topic.AskedAs()
		for line := range strings.Lines(p.Fields[FieldTicked]) {
			if i, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && i >= 0 && i < len(asked) {
				entry.Phrasings = append(entry.Phrasings, asked[i])
			}
		}
		if p.Fields[FieldPlace] == placeTopic {
			entry.ID = topic.ID
			if entry.Title == titleOf(e) { // as the form had it
				entry.Title = topic.Title
			}
			entry.Phrasings = append(entry.Phrasings, topic.Phrasings...)
		}
		entry.Phrasings = unique(entry.Phrasings)
	}
	errs := map[string]string{}
	if asked, of := t.askedAlready(entry); of != nil {
		errs[FieldAskedAs] = t.say(WordFieldPhrasing, map[string]string{"Question": plain(asked), "Title": of.Title})
	}
	for field, s := range map[string]string{FieldTitle: entry.Title, FieldText: entry.Body, FieldAskedAs: strings.Join(entry.Phrasings, "\n"), FieldSlug: entry.ID} {
		if s == "" {
			errs[field] = t.say(WordFieldEmpty, nil)
		} else if _, kinds := Redact(s); len(kinds) > 0 {
			errs[field] = t.say(WordFieldIdentifiers, map[string]string{"Kinds": strings.Join(kinds, ", ")})
		}
	}
	if entry.ID != "" && !slugPattern.MatchString(entry.ID) {
		errs[FieldSlug] = t.say(WordFieldID, nil)
	}
	if old, ok := t.base.Draft(entry.ID); ok {
		entry.Facts, entry.SeeAlso = old.Facts, old.SeeAlso
		// An earlier try of this same press may have saved it already.
		saved := old.Title == entry.Title && old.Body == entry.Body
		if old.Route != knowledge.Comms && e.Entry != entry.ID && !saved {
			errs[FieldSlug] = t.say(WordFieldTaken, map[string]string{"Title": old.Title})
		}
	}
	if len(errs) > 0 {
		t.Reply.Errors = errs
		return nil
	}
	if p.Fields[FieldSure] == "" {
		taken, err := t.takenBy(ctx, entry)
		if err != nil {
			return t.notWritten(err, FieldSlug)
		}
		if len(taken) > 0 {
			t.Reply.Errors = map[string]string{FieldSure: t.say(WordFieldTakes, map[string]string{"Reason": strings.Join(taken, ", ")})}
			return nil
		}
	}
	if err := t.b.folder.Save(ctx, entry); err != nil {
		if errors.Is(err, knowledge.ErrReadOnly) {
			t.Reply.File = string(t.b.folder.Format(entry))
		}
		return t.notWritten(err, FieldSlug)
	}
	t.base = t.b.folder.Base() // with the new entry
	e.Entry = entry.ID
	t.event(&e, EventPromoted, entry.ID)
	t.change(e)
	n, err := t.offer(ctx, e)
	if err != nil {
		return err
	}
	t.Reply.Notice = t.say(WordPromoted, map[string]string{"Title": entry.Title, "Count": fmt.Sprint(n)})
	return nil
}

// A new entry is tried on so many of the questions that were asked last, and of the
// entries that lose some of theirs so many are listed.
const (
	maxTried       = 200
	maxTakenListed = 5
)

// takenBy are the entries that answer questions now, of those that are kept, to which a
// new entry would make the answer another, or less sure, when it is saved; each with
// their number. Nobody's words are in it: they were never passed on.
func (t *turn) takenBy(ctx context.Context, entry knowledge.Entry) ([]string, error) {
	asked, err := t.b.store.Asked(ctx, maxTried)
	if err != nil {
		return nil, err
	}
	with, err := t.b.folder.Preview(ctx, entry)
	if err != nil {
		return nil, err
	}
	lost := map[string]int{}
	for _, q := range asked {
		if e, ok := t.base.Entry(q.Entry); !ok || e.Route != knowledge.Answered || e.ID == entry.ID || q.Ref != 0 {
			continue
		}
		then := Think(with, q.Text, t.b.policy)
		near := then.Found.Candidates[:min(2, len(then.Found.Candidates))]
		if !slices.ContainsFunc(near, func(c match.Candidate) bool { return c.ID == entry.ID }) {
			continue
		}
		was := Think(t.base, q.Text, t.b.policy)
		if of := answers(was); of != "" && of != entry.ID && !sameAnswer(was, then) {
			lost[of]++
		}
	}
	var list []string
	for id, n := range lost {
		e, _ := t.base.Entry(id)
		list = append(list, fmt.Sprintf("“%s” (%s)", e.Title, plural(n, "question")))
	}
	slices.Sort(list)
	return list[:min(len(list), maxTakenListed)], nil
}

// sameAnswer tells whether two thoughts answer alike: by the same entry, and as surely.
func sameAnswer(a, b Thought) bool {
	return answers(a) == answers(b) && a.Decision.decision() == b.Decision.decision()
}

// answers is the id of the entry that a thought answers with, surely or likely.
func answers(th Thought) string {
	switch d := th.Decision.(type) {
	case Answer:
		return d.Entry.ID
	case Likely:
		return d.Entry.ID
	}
	return ""
}

// notWritten says beside the fields of a form why the folder did not take what it holds:
// beside one where nothing can be written, beside the other what is wrong with it.
func (t *turn) notWritten(err error, readOnly string) error {
	var problems knowledge.Problems
	switch {
	case errors.Is(err, knowledge.ErrReadOnly):
		t.Reply.Errors = map[string]string{readOnly: t.say(WordReadOnly, nil)}
	case errors.As(err, &problems):
		t.Reply.Errors = map[string]string{FieldText: t.say(WordFieldProblems, map[string]string{"Reason": problems[0].Message})}
	default:
		return err
	}
	return nil
}

// unique leaves out what stands in a list already.
func unique(list []string) []string {
	var kept []string
	for _, s := range list {
		if !slices.ContainsFunc(kept, func(k string) bool { return sameText(k, s) }) {
			kept = append(kept, s)
		}
	}
	return kept
}

// askedAlready finds a phrasing of an entry that another one has.
func (t *turn) askedAlready(entry knowledge.Entry) (string, *knowledge.Entry) {
	for _, e := range t.base.Entries() {
		for _, asked := range entry.Phrasings {
			if e.ID != entry.ID && e.Route != knowledge.Comms && slices.ContainsFunc(e.AskedAs(), func(p string) bool { return strings.EqualFold(p, asked) }) {
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
		post.Note = t.say(WordOffer, map[string]string{"Ref": e.Ref.String()})
		post.Buttons = t.answerButtons(e.Ref)[:1]
		t.event(&e, EventOffered, entry.ID)
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
