package teams

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/util"

	"canteen/adapters/teams/connector"
	"canteen/bot"
	"canteen/knowledge"
)

// cardType is the content type of an Adaptive Card.
const cardType = "application/vnd.microsoft.card.adaptive"

// card is an Adaptive Card 1.5, or a part of one.
type card map[string]any

func attach(c card) schema.Attachment { return schema.Attachment{ContentType: cardType, Content: c} }

// surface is where a card is shown: what its buttons may be depends on it.
type surface int

const (
	onMessage surface = iota // Universal Actions
	inDialog                 // a dialog's one answer is what is submitted
	inserted                 // by somebody, where the bot need not be: nothing to press
)

// compose renders a delivery as a card and nothing beside it: of text with a card Teams
// makes two messages, without an id, and refuses to update them.
func (a *Adapter) compose(ctx context.Context, d bot.Delivery) (*message, error) {
	p := d.Post
	if d.Unsure && d.PostedID == "" {
		p.Note = strings.TrimSpace(p.Note + "\n\n" + a.bot.Say("maybe-repeat"))
	}
	m := &message{Type: string(schema.Message), Summary: summary(p)}
	if d.Private { // a notification is read over a shoulder
		m.Summary = "Canteen"
	}
	var ping *mentions
	data := map[string]any{}
	if thumbed(p) {
		data["feedbackLoop"] = map[string]string{"type": "default"}
	}
	if p.Urgent && d.PostedID == "" {
		m.Importance = "urgent"
		data["notification"] = map[string]any{"alert": true}
		var err error
		if ping, err = a.ping(ctx); err != nil {
			return nil, err
		}
	}
	if len(data) > 0 {
		m.ChannelData = data
	}
	if p.Kind == bot.KindCard {
		if _, err := a.roster(ctx); err != nil && ctx.Err() != nil { // refreshable needs it
			return nil, ctx.Err()
		}
	}
	c, err := a.fitting(p, onMessage)
	if err != nil {
		return nil, err
	}
	ping.in(c)
	m.Attachments = []schema.Attachment{attach(c)}
	return m, nil
}

// maxPinged is how many people an urgent card names: a small team is called in
// whole, a large one by the channel's own notifications.
const maxPinged = 20

// mentions are people whom a card names, so that Teams notifies them.
type mentions struct {
	text     string
	entities []any
}

// in puts them at the head of a card.
func (m *mentions) in(c card) {
	if m == nil {
		return
	}
	line := card{"type": "TextBlock", "text": m.text, "wrap": true, "weight": "Bolder", "color": "Attention"}
	c["body"] = append([]any{line}, c["body"].([]any)...)
	c["msteams"] = card{"entities": m.entities}
}

// ping names the members of comms in an urgent card, where they can be had.
func (a *Adapter) ping(ctx context.Context) (*mentions, error) {
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
	if len(members) == 0 || len(members) > maxPinged {
		return nil, nil
	}
	m := &mentions{}
	var names []string
	for _, x := range members {
		// The text of the card and of the entity have to be the same, so nothing in a
		// name can be escaped; what could format is left out.
		at := "<at>" + special.ReplaceAllString(strings.NewReplacer(">", "", "&", "and").Replace(x.Name), "") + "</at>"
		names = append(names, at)
		m.entities = append(m.entities, map[string]any{"type": "mention", "text": at, "mentioned": map[string]string{"id": x.ID, "name": x.Name}})
	}
	m.text = "Urgent: " + strings.Join(names, ", ")
	return m, nil
}

// thumbed tells whether the platform's thumbs mean something on a post: where
// there are buttons that say the same.
func thumbed(p bot.Post) bool {
	for _, b := range p.Buttons {
		if b.Press.Action == bot.ActHelped || b.Press.Action == bot.ActThanks {
			return true
		}
	}
	return false
}

// summary is what a notification shows.
func summary(p bot.Post) string {
	for _, s := range []string{p.Title, plainOf(p.Text)} {
		if s != "" {
			return limit(strings.Join(strings.Fields(s), " "), 100)
		}
	}
	return "Canteen"
}

// link is the page of an entry, or "".
func (a *Adapter) link(entry string) string {
	if a.c.PublicURL == "" || entry == "" {
		return ""
	}
	return strings.TrimRight(a.c.PublicURL, "/") + bot.EntryPath + entry
}

// maxCard leaves room in a message for all that is around its card.
const maxCard = 60_000

// fitting renders a post, cut where it is longer than Teams takes.
func (a *Adapter) fitting(p bot.Post, s surface) (card, error) {
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

// card renders every field of a post that is set, in their order.
func (a *Adapter) card(p bot.Post, s surface) card {
	var body []any
	add := func(items ...any) { body = append(body, items...) }
	if p.Title != "" {
		add(heading(p.Title))
	}
	add(rich(p.Text, look{})...)
	if p.Quote != "" {
		add(card{"type": "Container", "style": "emphasis", "items": plainLines(p.Quote, look{})})
	}
	if p.Since != "" {
		add(textBlock("Since then", look{bold: true}))
		add(rich(p.Since, look{})...)
	}
	if p.Source != "" {
		add(textBlock("Source: "+p.Source, look{subtle: true}))
	}
	if len(p.Facts) > 0 {
		add(factSet(p.Facts))
	}
	if s != inserted {
		for _, o := range p.Options { // titles are long: one a row
			add(row(o, s))
		}
		if len(p.Related) > 0 {
			add(textBlock("Related", look{subtle: true}))
			for _, r := range p.Related {
				add(row(r, s))
			}
		}
		add(buttons(p.Buttons, s)...)
	}
	if link := a.link(p.Entry); link != "" {
		add(actionSet(card{"type": "Action.OpenUrl", "title": "Open the page", "url": link}))
	}
	add(rich(p.Note, look{subtle: true, small: true})...)
	c := newCard(body)
	if p.Kind == bot.KindCard && s == onMessage {
		a.refreshable(c, p)
	}
	return c
}

func newCard(body []any) card {
	if body == nil {
		body = []any{}
	}
	return card{"type": "AdaptiveCard", "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "version": "1.5", "body": body}
}

// maxRefreshed is how many people Teams refreshes a card for by itself. Where there are
// more, none is named: then all of them have "Refresh card" in its menu, and every change
// reaches everybody as an update.
const maxRefreshed = 60

// refreshable makes comms' clients ask for a card anew when they show it, so that
// nobody works on one that could not be updated in place.
func (a *Adapter) refreshable(c card, p bot.Post) {
	var ref bot.Ref
	for _, b := range p.Buttons {
		ref = max(ref, b.Press.Ref)
	}
	members := a.rosterNow()
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

// maxPrimary is how many buttons a row shows: Teams drops what is beyond six, and
// has a menu for what is marked as secondary.
const maxPrimary = 5

// buttons are a row of buttons.
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

// maxTitle is the longest title that Teams shows of a button in whole.
const maxTitle = 40

// row is a button in a row of its own. Of a long title Teams' buttons show the beginning,
// so that it stands in a box to press, where it wraps.
func row(b bot.Button, s surface) card {
	x := action(b, s)
	if len([]rune(b.Label)) <= maxTitle {
		return actionSet(x)
	}
	delete(x, "style")
	return card{"type": "Container", "style": "emphasis", "selectAction": x,
		"items": []any{card{"type": "TextBlock", "text": escape(b.Label), "wrap": true, "color": "Accent"}}}
}

func actionSet(actions ...any) card { return card{"type": "ActionSet", "actions": actions} }

// action is one button. On a message it is an Action.Execute, with Action.Submit
// for clients without; what opens a form is an Action.Submit, as dialogs need.
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

// formCard is a form in a dialog; errs are sentences for its fields.
func (a *Adapter) formCard(f bot.Form, errs map[string]string) card {
	body := rich(f.Intro, look{})
	for _, field := range f.Fields {
		body = append(body, a.input(field))
		if field.Hint != "" {
			body = append(body, textBlock(field.Hint, look{subtle: true, small: true}))
		}
		if e := errs[field.Name]; e != "" {
			body = append(body, textBlock(plainOf(e), look{wrong: true}))
		}
	}
	for name, e := range errs { // of no field that is shown
		if !hasField(f, name) {
			body = append(body, textBlock(plainOf(e), look{wrong: true}))
		}
	}
	data := card{}
	if f.Press.Action != "" {
		data[dataKey] = f.Press
	}
	body = append(body, actionSet(card{"type": "Action.Submit", "title": f.Submit, "style": "positive", "data": data}))
	return newCard(body)
}

func hasField(f bot.Form, name string) bool {
	for _, x := range f.Fields {
		if x.Name == name {
			return true
		}
	}
	return false
}

// maxChoices is how many choices a field carries itself; the rest is found by
// typing.
const maxChoices = 200

// input is one field of a form.
func (a *Adapter) input(f bot.Field) card {
	in := card{"type": "Input.Text", "id": f.Name, "label": f.Label}
	if !f.Optional {
		in["isRequired"], in["errorMessage"] = true, a.bot.Say("field-empty")
	}
	if f.Value != "" {
		in["value"] = f.Value
	}
	switch f.Kind {
	case bot.Line, bot.Area, bot.Marked:
		if f.Kind != bot.Line {
			in["isMultiline"] = true
		}
		if f.Max > 0 {
			in["maxLength"] = f.Max
		}
		return in
	case bot.Search:
		// The nearest first, then the folder; Teams asks for the rest by what is
		// typed.
		for _, c := range a.suggest("", maxChoices) {
			if !hasChoice(f.Choices, c.Value) {
				f.Choices = append(f.Choices, c)
			}
		}
		in["choices.data"] = card{"type": "Data.Query", "dataset": "entries"}
	}
	choices := []any{}
	for _, c := range f.Choices {
		choices = append(choices, card{"title": c.Label, "value": c.Value})
	}
	in["type"], in["choices"], in["style"] = "Input.ChoiceSet", choices, "filtered"
	if f.Kind == bot.Many {
		in["isMultiSelect"], in["style"], in["wrap"] = true, "expanded", true
		if f.Value != "" {
			in["value"] = strings.ReplaceAll(f.Value, "\n", ",")
		}
	}
	return in
}

func hasChoice(list []bot.Choice, value string) bool {
	for _, c := range list {
		if c.Value == value {
			return true
		}
	}
	return false
}

// dialogCard shows what a request itself takes back, in a dialog.
func (a *Adapter) dialogCard(r bot.Reply) card {
	var body []any
	for _, p := range r.Posts {
		c, err := a.fitting(p, inDialog)
		if err != nil {
			continue // as long as no post is
		}
		body = append(body, c["body"].([]any)...)
	}
	if r.Notice != "" {
		body = append(body, rich(r.Notice, look{})...)
	}
	return newCard(body)
}

// homeCard is a person's home page.
func (a *Adapter) homeCard(h bot.Home) card {
	var body []any
	if len(h.Mine) > 0 {
		body = append(body, heading("Your questions to comms"))
		for _, m := range h.Mine {
			items := plainLines(m.Text, look{})
			items = append(items, textBlock(m.Ref.String()+" · "+m.State, look{subtle: true, small: true}))
			items = append(items, buttons(m.Buttons, onMessage)...)
			body = append(body, card{"type": "Container", "style": "emphasis", "items": items})
		}
	}
	if len(h.Popular) > 0 {
		body = append(body, heading("Often read"))
		for _, b := range h.Popular {
			body = append(body, actionSet(action(b, onMessage)))
		}
	}
	var choices []any
	for _, t := range h.Topics {
		for _, e := range t.Entries {
			if len(choices) < maxChoices {
				choices = append(choices, card{"title": limit(t.Name+": "+e.Label, 150), "value": e.Press.Entry})
			}
		}
	}
	if len(choices) > 0 {
		body = append(body, heading("Everything there is to read"),
			card{"type": "Input.ChoiceSet", "id": bot.FieldEntry, "label": "Entry", "choices": choices, "style": "filtered"},
			actionSet(action(bot.Button{Label: "Show it", Press: bot.Press{Action: bot.ActShow}}, onMessage)))
	}
	body = append(body, heading("What is kept"))
	body = append(body, rich(h.Privacy, look{})...)
	erase := action(bot.Button{Label: "Erase it", Press: bot.Press{Action: actErase}}, onMessage)
	erase["style"] = "destructive"
	sure := newCard([]any{textBlock("What you asked and what was answered is erased. A question that still waits is withdrawn.", look{}), actionSet(erase)})
	body = append(body, actionSet(card{"type": "Action.ShowCard", "title": "Erase what you keep of me", "card": sure}))
	return newCard(body)
}

// look is how a text looks.
type look struct {
	bold, italic, mono, subtle, small, wrong, struck bool
	link                                             string
}

// run is a piece of text. It is never read as Markdown, so nothing in it can
// format, link or mention.
func (l look) run(s string) card {
	r := card{"type": "TextRun", "text": s}
	set := func(on bool, key string, value any) {
		if on {
			r[key] = value
		}
	}
	set(l.bold, "weight", "Bolder")
	set(l.italic, "italic", true)
	set(l.mono, "fontType", "Monospace")
	set(l.subtle, "isSubtle", true)
	set(l.small, "size", "Small")
	set(l.wrong, "color", "Attention")
	set(l.struck, "strikethrough", true)
	if l.link != "" {
		r["selectAction"] = card{"type": "Action.OpenUrl", "url": l.link}
	}
	return r
}

func textBlock(s string, l look) card {
	return card{"type": "RichTextBlock", "inlines": []any{l.run(s)}}
}

// heading is a plain title; being a TextBlock, it alone can be a heading for a
// screen reader, and has to be escaped.
func heading(s string) card {
	return card{"type": "TextBlock", "text": escape(s), "style": "heading", "weight": "Bolder", "size": "Medium", "wrap": true}
}

// plainLines are a plain text's lines.
func plainLines(s string, l look) []any {
	var items []any
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			items = append(items, textBlock(line, l))
		}
	}
	return items
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

var (
	special   = regexp.MustCompile("[\\\\*\\[\\]`~<]|_")
	lineStart = regexp.MustCompile(`(?m)^(\s*)([#>+-]|\d+[.)])(\s)`)
)

// escape makes a plain text stand as it is where Markdown is read.
func escape(s string) string {
	s = special.ReplaceAllStringFunc(s, func(m string) string { return `\` + m })
	s = lineStart.ReplaceAllStringFunc(s, func(m string) string {
		i := strings.IndexFunc(m, func(r rune) bool { return r == '#' || r == '>' || r == '+' || r == '-' || r == '.' || r == ')' })
		return m[:i] + `\` + m[i:]
	})
	return strings.ReplaceAll(s, "{{", "{\u200b{") // a date, otherwise
}

// rich renders Markdown as blocks of text.
func rich(md string, l look) []any {
	if strings.TrimSpace(md) == "" {
		return nil
	}
	doc, source := knowledge.ParseMarkdown(md)
	r := renderer{source: source}
	r.blocks(doc, l, 0)
	return r.out
}

type renderer struct {
	source []byte
	out    []any
}

func (r *renderer) blocks(parent ast.Node, l look, depth int) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		r.block(n, l, depth, "")
	}
}

// block renders one block, so many lists deep, with a list's mark before it.
func (r *renderer) block(n ast.Node, l look, depth int, mark string) {
	lead := strings.Repeat("\u00a0\u00a0\u00a0", depth) + mark
	switch n := n.(type) {
	case *ast.List:
		r.list(n, l, depth)
	case *ast.Blockquote:
		quoted := renderer{source: r.source}
		quoted.blocks(n, l, 0)
		r.out = append(r.out, card{"type": "Container", "style": "emphasis", "items": append([]any{}, quoted.out...)})
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		l.mono = true
		lines := n.Lines()
		for i := range lines.Len() {
			segment := lines.At(i)
			r.out = append(r.out, textBlock(lead+strings.TrimRight(string(segment.Value(r.source)), "\n"), l))
		}
	case *ast.ThematicBreak:
		r.out = append(r.out, card{"type": "RichTextBlock", "inlines": []any{l.run(" ")}, "separator": true})
	default:
		if n.Kind() == ast.KindHeading {
			l.bold = true
		}
		inlines := r.inlines(n, l)
		if lead != "" {
			inlines = append([]any{l.run(lead)}, inlines...)
		}
		if len(inlines) > 0 {
			r.out = append(r.out, card{"type": "RichTextBlock", "inlines": inlines})
		}
	}
}

func (r *renderer) list(list *ast.List, l look, depth int) {
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "• "
		if list.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		for n := item.FirstChild(); n != nil; n = n.NextSibling() {
			if n == item.FirstChild() {
				r.block(n, l, depth, mark)
			} else {
				r.block(n, l, depth+1, "")
			}
		}
	}
}

// inlines are a paragraph's runs, neighbours of the same look in one.
func (r *renderer) inlines(n ast.Node, l look) []any {
	var runs []piece
	r.collect(n, l, &runs)
	var out []any
	for i := 0; i < len(runs); {
		j, s := i, ""
		for ; j < len(runs) && runs[j].look == runs[i].look; j++ {
			s += runs[j].text
		}
		if s != "" {
			out = append(out, runs[i].look.run(s))
		}
		i = j
	}
	return out
}

type piece struct {
	text string
	look look
}

func (r *renderer) collect(parent ast.Node, l look, runs *[]piece) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		in := l
		switch n := n.(type) {
		case *ast.Text:
			s := string(n.Segment.Value(r.source))
			if !n.IsRaw() {
				s = unescape(s)
			}
			if n.HardLineBreak() {
				s += "\n"
			} else if n.SoftLineBreak() {
				s += " "
			}
			*runs = append(*runs, piece{s, l})
		case *ast.String:
			*runs = append(*runs, piece{string(n.Value), l})
		case *ast.CodeSpan:
			in.mono = true
			r.collect(n, in, runs)
		case *ast.Emphasis:
			if n.Level > 1 {
				in.bold = true
			} else {
				in.italic = true
			}
			r.collect(n, in, runs)
		case *ast.Link:
			in.link = safeLink(string(n.Destination))
			r.collect(n, in, runs)
		case *ast.AutoLink:
			in.link = safeLink(string(n.URL(r.source)))
			*runs = append(*runs, piece{string(n.Label(r.source)), in})
		case *ast.Image:
			r.collect(n, l, runs) // its description
		default:
			r.collect(n, l, runs)
		}
	}
}

// safeLink is an address that may be opened, or "".
func safeLink(s string) string {
	lower := strings.ToLower(s)
	for _, scheme := range []string{"https://", "http://", "mailto:", "tel:"} {
		if strings.HasPrefix(lower, scheme) {
			return s
		}
	}
	return ""
}

// plainOf is Markdown's text alone, for what takes no formatting.
func plainOf(md string) string {
	if md == "" {
		return ""
	}
	doc, source := knowledge.ParseMarkdown(md)
	r := renderer{source: source}
	var lines []string
	var walk func(ast.Node)
	walk = func(parent ast.Node) {
		for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
			if n.Type() == ast.TypeBlock && n.HasChildren() && n.FirstChild().Type() == ast.TypeBlock {
				walk(n)
				continue
			}
			var runs []piece
			r.collect(n, look{}, &runs)
			s := ""
			for _, x := range runs {
				s += x.text
			}
			if s = strings.TrimSpace(s); s != "" {
				lines = append(lines, s)
			}
		}
	}
	walk(doc)
	return strings.Join(lines, "\n")
}

// unescape gives what backslashes and references stand for; what a backslash
// protects is no reference.
func unescape(s string) string {
	out, from := make([]byte, 0, len(s)), 0
	flush := func(to int) {
		out = append(out, util.ResolveEntityNames(util.ResolveNumericReferences([]byte(s[from:to])))...)
	}
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' && util.IsPunct(s[i+1]) {
			flush(i)
			out = append(out, s[i+1])
			i++
			from = i + 1
		}
	}
	flush(len(s))
	return string(out)
}
