package teams

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
)

// cardType is the content type of an Adaptive Card.
const cardType = "application/vnd.microsoft.card.adaptive"

// card is an Adaptive Card 1.5, or a part of one.
type card map[string]any

func attach(c card) schema.Attachment { return schema.Attachment{ContentType: cardType, Content: c} }

func newCard(body []any) card {
	if body == nil {
		body = []any{}
	}
	return card{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.5", "body": body}
}

// surface is where a card is shown. The kind of its buttons depends on it.
type surface int

const (
	onMessage surface = iota // its buttons are Universal Actions
	inDialog                 // its buttons submit the dialog
	inserted                 // by a person, perhaps where the bot is not: it has no buttons
)

// compose renders a delivery as a message with a card and no text: of text with a card
// Teams makes two messages, gives no id, and refuses to update them.
func (a *Adapter) compose(ctx context.Context, d bot.Delivery) (*message, error) {
	p := d.Post
	if d.Unsure && d.PostedID == "" {
		p.Note = strings.TrimSpace(p.Note + "\n\n" + a.bot.Say(bot.WordMaybeRepeat))
	}
	m := &message{Type: string(schema.Message), Summary: summary(p)}
	if d.Private { // others may read a notification
		m.Summary = "Canteen"
	}
	var ping *mentions
	data := map[string]any{}
	if takesFeedback(p) {
		data["feedbackLoop"] = map[string]string{"type": "default"}
	}
	if p.Urgent && d.PostedID == "" {
		m.Importance = "urgent"
		data["notification"] = map[string]any{"alert": true}
		var err error
		if ping, err = a.mentionComms(ctx); err != nil {
			return nil, err
		}
	}
	if len(data) > 0 {
		m.ChannelData = data
	}
	if p.Kind == bot.KindCard {
		if _, err := a.roster(ctx); err != nil && ctx.Err() != nil { // addRefresh needs it
			return nil, ctx.Err()
		}
	}
	c, err := a.fitCard(p, onMessage)
	if err != nil {
		return nil, err
	}
	ping.addTo(c)
	m.Attachments = []schema.Attachment{attach(c)}
	return m, nil
}

// maxMentioned is how many people an urgent card mentions. In a larger team nobody is
// mentioned, and the channel's own notifications have to do.
const maxMentioned = 20

// mentions are the people whom a card mentions, so that Teams notifies them.
type mentions struct {
	text     string
	entities []any
}

// addTo puts them at the head of a card.
func (m *mentions) addTo(c card) {
	if m == nil {
		return
	}
	line := card{"type": "TextBlock", "text": m.text, "wrap": true, "weight": "Bolder", "color": "Attention"}
	c["body"] = append([]any{line}, c["body"].([]any)...)
	c["msteams"] = card{"entities": m.entities}
}

// mentionComms mentions the members of comms for an urgent card. Without a roster the card
// goes out all the same.
func (a *Adapter) mentionComms(ctx context.Context) (*mentions, error) {
	members, err := a.roster(ctx)
	if err != nil {
		a.log.Warn("teams: an urgent card names nobody", "error", err)
		return nil, ctx.Err()
	}
	if len(a.c.Urgent) > 0 {
		members = slices.DeleteFunc(slices.Clone(members), func(m connector.Member) bool {
			return !slices.ContainsFunc(a.c.Urgent, func(id string) bool {
				return strings.EqualFold(id, m.Email) || strings.EqualFold(id, m.Login) || strings.EqualFold(id, m.Object())
			})
		})
	}
	if len(members) == 0 || len(members) > maxMentioned {
		return nil, nil
	}
	m := &mentions{}
	var names []string
	for _, x := range members {
		// The card's text and the entity's have to be the same, so a name cannot be escaped:
		// what Markdown would read is left out.
		at := "<at>" + special.ReplaceAllString(strings.NewReplacer(">", "", "&", "and").Replace(x.Name), "") + "</at>"
		names = append(names, at)
		m.entities = append(m.entities, map[string]any{"type": "mention", "text": at, "mentioned": map[string]string{"id": x.ID, "name": x.Name}})
	}
	m.text = "Urgent: " + strings.Join(names, ", ")
	return m, nil
}

// takesFeedback tells whether a post gets the thumbs of Teams: where a button of its own
// says the same.
func takesFeedback(p bot.Post) bool {
	for _, b := range p.Buttons {
		if b.Press.Action == bot.ActHelped || b.Press.Action == bot.ActThanks {
			return true
		}
	}
	return false
}

// summary is what a notification shows.
func summary(p bot.Post) string {
	for _, s := range []string{p.Title, markdownText(p.Text)} {
		if s != "" {
			return limit(strings.Join(strings.Fields(s), " "), 100)
		}
	}
	return "Canteen"
}

// maxCard is how many bytes a card may have. Teams' limit is for the whole message.
const maxCard = 60_000

// fitCard renders a post, and cuts its longest text until the card fits.
func (a *Adapter) fitCard(p bot.Post, s surface) (card, error) {
	for {
		c := a.card(p, s)
		data, err := json.Marshal(c)
		if err != nil {
			return nil, unsendable("%w", err)
		}
		if len(data) <= maxCard {
			return c, nil
		}
		longest := &p.Text
		for _, f := range []*string{&p.Quote, &p.Since, &p.Note} {
			if len(*f) > len(*longest) {
				longest = f
			}
		}
		if len(*longest) < 100 {
			return nil, unsendable("the card has %d bytes", len(data))
		}
		*longest = limit(*longest, len([]rune(*longest))*2/3)
	}
}

// card renders every field of a post that is set, in order.
func (a *Adapter) card(p bot.Post, s surface) card {
	var body []any
	add := func(items ...any) { body = append(body, items...) }
	if p.Title != "" {
		add(heading(p.Title))
	}
	add(richText(p.Text, style{})...)
	if p.Quote != "" {
		add(card{"type": "Container", "style": "emphasis", "items": plainLines(p.Quote, style{})})
	}
	if p.Since != "" {
		add(textBlock("Since then", style{bold: true}))
		add(richText(p.Since, style{})...)
	}
	if p.Source != "" {
		add(textBlock("Source: "+p.Source, style{subtle: true}))
	}
	if len(p.Facts) > 0 {
		add(factSet(p.Facts))
	}
	if s != inserted {
		for _, o := range p.Options { // titles are long, so one a row
			add(wideButton(o, s))
		}
		if len(p.Related) > 0 {
			add(textBlock("Related", style{subtle: true}))
			for _, r := range p.Related {
				add(wideButton(r, s))
			}
		}
		add(buttons(p.Buttons, s)...)
	}
	if link := a.link(p.Entry); link != "" {
		add(actionSet(card{"type": "Action.OpenUrl", "title": "Open the page", "url": link}))
	}
	add(richText(p.Note, style{subtle: true, small: true})...)
	c := newCard(body)
	if p.Kind == bot.KindCard && s == onMessage {
		a.addRefresh(c, p)
	}
	return c
}

// link is the page of an entry, or "".
func (a *Adapter) link(entry string) string {
	if a.c.PublicURL == "" || entry == "" {
		return ""
	}
	return strings.TrimRight(a.c.PublicURL, "/") + bot.EntryPath + entry
}

// maxRefreshed is how many people Teams refreshes a card for by itself. Where there are
// more, none is named: then everybody has "Refresh card" in the card's menu, and changes
// arrive as updates.
const maxRefreshed = 60

// addRefresh makes comms' clients fetch a card anew when they show it, so that nobody works
// on one that could not be updated in place.
func (a *Adapter) addRefresh(c card, p bot.Post) {
	var ref bot.Ref
	for _, b := range p.Buttons {
		ref = max(ref, b.Press.Ref)
	}
	members := a.cachedRoster()
	if ref == 0 || len(members) == 0 {
		return
	}
	refresh := card{"type": "Refresh",
		"action": card{"type": "Action.Execute", "title": "Refresh", "verb": "refresh", "data": card{dataKey: bot.Press{Action: actRefresh, Ref: ref}}}}
	if len(members) <= maxRefreshed {
		var ids []string
		for _, m := range members {
			ids = append(ids, m.ID)
		}
		refresh["userIds"] = ids
	}
	c["refresh"] = refresh
}

// maxPrimary is how many buttons a row shows. Teams drops those beyond six, but has a menu
// for the secondary ones.
const maxPrimary = 5

// buttons is a row of buttons.
func buttons(list []bot.Button, s surface) []any {
	if len(list) == 0 {
		return nil
	}
	var actions []any
	for i, b := range list {
		x := action(b, s)
		if i >= maxPrimary {
			x["mode"] = "secondary"
		}
		actions = append(actions, x)
	}
	return []any{actionSet(actions...)}
}

// maxTitle is how many characters of a button's title Teams surely shows.
const maxTitle = 40

// wideButton is a button in a row of its own. Teams cuts long titles of buttons, so one with
// a long title is a box that can be pressed, in which the title wraps.
func wideButton(b bot.Button, s surface) card {
	x := action(b, s)
	if len([]rune(b.Label)) <= maxTitle {
		return actionSet(x)
	}
	delete(x, "style")
	return card{"type": "Container", "style": "emphasis", "selectAction": x,
		"items": []any{card{"type": "TextBlock", "text": escape(b.Label), "wrap": true, "color": "Accent"}}}
}

func actionSet(actions ...any) card { return card{"type": "ActionSet", "actions": actions} }

// action is one button. On a message it is an Action.Execute, with an Action.Submit for
// clients that have none. One that opens a dialog has to be an Action.Submit.
func action(b bot.Button, s surface) card {
	data := card{dataKey: b.Press}
	submit := card{"type": "Action.Submit", "title": b.Label, "data": data}
	x := submit
	switch {
	case s == inDialog && b.Form:
		data["form"] = true
	case s == inDialog:
	case b.Form:
		data["msteams"] = card{"type": "task/fetch"}
	default:
		x = card{"type": "Action.Execute", "title": b.Label, "verb": "press", "data": data, "fallback": submit}
	}
	if b.Style == bot.Primary {
		x["style"] = "positive"
	}
	return x
}

func factSet(list []bot.Fact) card {
	var facts []any
	for _, f := range list {
		value := escape(f.Value)
		if to := safeLink(f.Link); to != "" {
			value = "[" + value + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(to) + ")"
		}
		if !f.Time.IsZero() {
			at := f.Time.UTC().Format(time.RFC3339)
			value = strings.TrimSpace(value + " {{DATE(" + at + ", SHORT)}} {{TIME(" + at + ")}}")
		}
		facts = append(facts, card{"title": escape(f.Label), "value": value})
	}
	return card{"type": "FactSet", "facts": facts}
}
