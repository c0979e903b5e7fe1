package bot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"canteen/knowledge"
	"canteen/knowledge/text"
)

// Form gives the form that a press opens, filled in as far as it can be. It is a
// read: nothing changes until the form is submitted to Handle. The error is
// ErrForbidden or ErrNotFound where the press is not this person's to make.
func (b *Bot) Form(ctx context.Context, p Press, from Person) (Form, error) {
	if p.Action == ActHandOff {
		return Form{Title: "Pass it on", Submit: "Pass it on", Press: p, Intro: b.say(WordFormHandOff, nil),
			Fields: []Field{{Name: FieldText, Label: "What happened", Hint: "Leave out names and details of patients.", Kind: Area, Max: 3000}}}, nil
	}
	if p.Action.comms() {
		ok, err := b.member(ctx, from.ID)
		if err != nil {
			return Form{}, err
		}
		if !ok {
			return Form{}, ErrForbidden
		}
	}
	known, err := b.store.Load(ctx, Ask{Person: from.ID, Ref: p.Ref})
	if err != nil {
		return Form{}, fmt.Errorf("load: %w", err)
	}
	if known.Escalation == nil {
		return Form{}, fmt.Errorf("escalation %s: %w", p.Ref, ErrNotFound)
	}
	e := *known.Escalation
	if !p.Action.comms() && e.Asker.ID != from.ID {
		return Form{}, ErrForbidden
	}
	quote := b.say(WordFormQuestion, map[string]string{"Question": plain(limit(e.Text, 500)), "Ref": e.Ref.String()})
	area := func(label, value string) []Field {
		return []Field{{Name: FieldText, Label: label, Kind: Marked, Value: value, Max: 3000}}
	}
	f := Form{Press: p, Intro: quote, Submit: "Send"}
	f.Press.Fields = nil
	switch p.Action {
	case ActReply:
		f.Title, f.Intro, f.Fields = "Reply to comms", b.say(WordFormReply, map[string]string{"Question": plain(lastAsked(e))}), area("Your reply", "")
	case ActAnswer:
		f.Title, f.Fields = "Answer "+e.Ref.String(), area("Answer", "")
	case ActCorrect:
		f.Title, f.Fields = "Correct "+e.Ref.String(), area("Answer", e.Answer)
		if x, ok := b.Base().Draft(e.Entry); ok && e.promoted() {
			f.Fields = append(f.Fields, Field{Name: FieldPlace, Label: "The FAQ entry made of it", Kind: Pick, Value: PlaceEntry, Choices: []Choice{
				{Label: limit(fmt.Sprintf("Change “%s” too", x.Title), 70), Value: PlaceEntry}, {Label: "Leave it as it is", Value: placeNew}}})
		}
	case ActAskBack:
		f.Title, f.Fields = "Ask back", area("Your question to the asker", "")
	case ActNotOurs:
		f.Title, f.Fields = "Not for us", area("Who to try instead, or why not", "")
	case ActReuse:
		f.Title, f.Fields, f.Press.Action = "Reuse an answer", area("Answer", ""), ActAnswer
		if ref, err := ParseRef(p.Fields[FieldFrom]); err == nil {
			from, err := b.store.Load(ctx, Ask{Ref: ref})
			if err != nil {
				return Form{}, fmt.Errorf("load: %w", err)
			}
			if from.Escalation != nil {
				f.Fields[0].Value = from.Escalation.Answer
			}
		}
	case ActUseEntry:
		f.Title = "Use an entry"
		field := Field{Name: FieldEntry, Label: "Entry", Hint: "Type a word of its title.", Kind: Search}
		for _, c := range e.Candidates {
			if x, ok := b.Base().Entry(c.ID); ok && x.Route == knowledge.Answered {
				field.Choices = append(field.Choices, Choice{x.Title, x.ID})
			}
		}
		f.Fields = []Field{field}
	case ActAssign:
		f.Title, f.Submit = "Assign "+e.Ref.String(), "Assign"
		f.Fields = []Field{{Name: FieldPerson, Label: "To", Kind: People}}
	case ActHarmless:
		f.Title, f.Submit = "No emergency", "Save"
		f.Intro, f.Fields = b.say(WordFormHarmless, nil), []Field{{Name: FieldText, Label: "Words that are no emergency", Kind: Line, Value: limit(oneLine(e.Text), maxHarmless), Max: maxHarmless}}
	case ActPromote:
		f.Title, f.Submit = "Add to the FAQ", "Add"
		f.Intro, f.Fields = b.promoteFields(e)
	default:
		return Form{}, fmt.Errorf("form of %q: %w", p.Action, ErrNotFound)
	}
	return f, nil
}

// maxHarmless is the longest sentence that lanes learn from, in characters.
const maxHarmless = 300

// nearEnough is the confidence from which an entry is named as one that may hold
// the answer already: below it, an entry is about something else.
const nearEnough = 0.25

// maxTicks is how many ways of asking a topic has for comms to tick.
const maxTicks = 8

// promoteFields fill in the form that makes an entry of an answer: a new one, for the
// question's own words and those that comms tick. Where the question matched a comms
// entry, it may take that one's place instead, and the form says for which questions.
func (b *Bot) promoteFields(e Escalation) (string, []Field) {
	base := b.Base()
	title := titleOf(e)
	intro := b.say(WordFormPromote, nil)
	found := base.Index().Rank(e.Text, maxCandidates)
	var near []string
	for _, c := range found.Candidates {
		if x, ok := base.Entry(c.ID); ok && x.Route == knowledge.Answered && c.Confidence >= nearEnough {
			near = append(near, fmt.Sprintf("- %s (%s)", plain(x.Title), likelihood(c.Confidence)))
		}
	}
	if len(near) > 0 {
		intro = join(intro, b.say(WordFormPromoteNear, nil), strings.Join(near, "\n"))
	}
	fields := []Field{
		{Name: FieldTitle, Label: "Title", Hint: "A short statement, not a question.", Kind: Line, Value: title, Max: 120},
		{Name: FieldText, Label: "Answer", Kind: Marked, Value: e.Answer, Max: 3000},
		{Name: FieldAskedAs, Label: "Asked as", Hint: "One way of asking on each line.", Kind: Area, Value: limit(oneLine(e.Text), 3000), Max: 3000},
	}
	topic, ok := base.Entry(e.Topic)
	if ok && topic.Route == knowledge.Comms {
		var ticks []Choice
		for _, asked := range alike(e.Text, topic.AskedAs(), maxTicks) {
			if len(asked) <= 150 {
				ticks = append(ticks, Choice{Label: asked, Value: strconv.Itoa(slices.Index(topic.AskedAs(), asked))})
			}
		}
		if len(ticks) > 0 {
			fields = append(fields, Field{Name: FieldTicked, Label: "Also for these", Hint: "Tick those that this answers too.", Kind: Many, Choices: ticks, Optional: true})
		}
		fields = append(fields, Field{Name: FieldPlace, Label: "What becomes of it", Kind: Pick, Value: placeNew, Choices: []Choice{
			{Label: "A new entry, for the questions above alone", Value: placeNew},
			{Label: limit(fmt.Sprintf("In the place of “%s”", topic.Title), 70), Value: placeTopic},
		}})
		intro = join(intro, b.say(WordFormPromoteTopic, map[string]string{"Title": plain(topic.Title), "Count": strconv.Itoa(len(topic.AskedAs())), "Reason": bulletsOf(alike(e.Text, topic.AskedAs(), 4))}))
	}
	return intro, append(fields, Field{Name: FieldSlug, Label: "Where it is kept", Hint: "For example, answers/filming-at-work.", Kind: Line, Value: "answers/" + slug(title), Max: 120},
		Field{Name: FieldSure, Label: "Questions of other entries", Hint: "If it would take some, they are listed here before it is saved.", Kind: Many, Optional: true,
			Choices: []Choice{{Label: "Let this entry answer them instead", Value: "yes"}}})
}

// titleOf is the title of an entry made of a question, for a start.
func titleOf(e Escalation) string { return upperFirst(limit(firstSentence(e.Text), 80)) }

// What becomes of an answer that is added to the FAQ, as FieldPlace has it.
const (
	placeNew   = "new"
	PlaceEntry = "entry" // of a correction
	placeTopic = "topic"
)

func bulletsOf(list []string) string {
	s := ""
	for _, x := range list {
		s += "- " + plain(x) + "\n"
	}
	return strings.TrimSuffix(s, "\n")
}

// alike gives up to n of a list, those first that have most words in common with a text.
func alike(said string, list []string, n int) []string {
	words := map[string]bool{}
	for _, w := range text.Words(said) {
		words[w] = true
	}
	common := func(s string) (n int) {
		for _, w := range text.Words(s) {
			if words[w] && !text.IsCommon(w) {
				n++
			}
		}
		return n
	}
	sorted := slices.DeleteFunc(slices.Clone(list), func(s string) bool { return sameText(s, said) })
	slices.SortStableFunc(sorted, func(a, b string) int { return cmp.Compare(common(b), common(a)) })
	return sorted[:min(n, len(sorted))]
}

// lastAsked is what comms asked the asker last.
func lastAsked(e Escalation) string {
	for i := len(e.History) - 1; i >= 0; i-- {
		if e.History[i].What == EventAskedBack {
			return e.History[i].Text
		}
	}
	return ""
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func firstSentence(s string) string {
	s = oneLine(s)
	if i := strings.IndexAny(s, ".?!"); i > 0 {
		return s[:i]
	}
	return s
}

func upperFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// slug makes an entry's id out of a title.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 60 {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// plain escapes a text so that it stands in Markdown as it is.
func plain(s string) string {
	return markdownEscaper.Replace(oneLine(s))
}

var markdownEscaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "#", `\#`, "!", `\!`, "|", `\|`, "~", `\~`, "&", `\&`, "://", `\://`, "www.", `www\.`, "@", `\@`)

// Suggest finds entries for a type-ahead by a few letters of their titles or
// phrasings.
func (b *Bot) Suggest(typed string, n int) []Choice {
	var list []Choice
	for _, s := range b.Base().Suggest(limit(text.Clean(typed), 100), n) {
		list = append(list, Choice{s.Title, s.ID})
	}
	return list
}
