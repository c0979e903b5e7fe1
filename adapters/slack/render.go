package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"
	"github.com/yuin/goldmark/ast"

	"canteen/bot"
	"canteen/knowledge"
)

// Slack's limits, in characters, and ours below them. All the blocks of one
// message together may have about 13,200; the figure is not documented, so
// maxBlocks keeps away from it.
const (
	maxBlocks  = 11_800
	maxSection = 2_900 // of 3,000
	maxHeader  = 150
	maxButton  = 75
	maxValue   = 2_000
	maxText    = 3_500 // of 40,000; what a notification and a screen reader have
	maxChoice  = 75
	maxModal   = 24 // a modal's title and buttons
)

// message is a post in Slack's terms.
type message struct {
	blocks []slackgo.Block
	text   string // the same without blocks
	ping   bool
}

// options are the message as the client wants it, for a thread or for none.
func (m message) options(thread string) []slackgo.MsgOption {
	o := []slackgo.MsgOption{slackgo.MsgOptionText(m.text, false), slackgo.MsgOptionBlocks(m.blocks...), slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl()}
	if thread != "" {
		o = append(o, slackgo.MsgOptionTS(thread))
	}
	return o
}

// rendering is what is known beside the post.
type rendering struct {
	entry func(id string) string // the address of an entry's page, or ""
	say   func(bot.Word) string
	zone  *time.Location
	share bool // an answer offers itself to the channel
	ping  bool // an urgent card calls people
	calls string
	next  int // numbers the buttons of one message apart
}

func (a *Adapter) rendering() *rendering {
	l := &rendering{calls: a.calls, entry: func(string) string { return "" }, say: a.c.Bot.Say, zone: a.c.Bot.Base().Local().Zone}
	if a.c.PublicURL != "" {
		l.entry = func(id string) string { return a.c.PublicURL + bot.EntryPath + id }
	}
	return l
}

func (a *Adapter) render(p bot.Post, ping bool) message {
	l := a.rendering()
	l.ping = ping
	return l.post(p)
}

// renderAll puts several posts into one message.
func (a *Adapter) renderAll(posts []bot.Post, share bool) message {
	l := a.rendering()
	l.share = share
	var all message
	for i, p := range posts {
		m := l.post(p)
		if i > 0 {
			all.text += "\n\n"
			if size(all.blocks)+size(m.blocks) > maxBlocks {
				continue // never met: a reply has one long post at most
			}
		}
		all.blocks, all.text = append(all.blocks, m.blocks...), all.text+m.text
	}
	return all
}

// post renders a post within every limit. What is too long loses its end, and
// says so.
func (l *rendering) post(p bot.Post) message {
	body, since := mrkdwn(p.Text), mrkdwn(p.Since)
	quote := p.Quote
	cut := false
	start := l.next
	blocks := l.blocks(p, body, since, quote, cut)
	for range 8 {
		over := size(blocks) - maxBlocks
		if over <= 0 {
			break
		}
		cut = true
		over += len(l.say(bot.WordCut)) + 200
		switch longest := max(length(body), length(since), length(quote)); longest {
		case length(body):
			body = shorten(body, max(longest-over, 200))
		case length(quote):
			quote = shorten(quote, max(longest-over, 200))
		default:
			since = shorten(since, max(longest-over, 200))
		}
		l.next = start
		blocks = l.blocks(p, body, since, quote, cut)
	}
	return message{blocks: blocks, text: l.fallback(p, body, since, quote), ping: l.ping && p.Urgent}
}

func (l *rendering) blocks(p bot.Post, body, since, quote string, cut bool) []slackgo.Block {
	var b []slackgo.Block
	add := func(x ...slackgo.Block) { b = append(b, x...) }
	if p.Urgent && l.ping && l.calls != "" {
		add(section(l.calls))
	}
	if p.Title != "" {
		add(slackgo.NewHeaderBlock(plain(p.Title, maxHeader)))
	}
	add(sections(body)...)
	add(quoted(quote)...)
	if since != "" {
		add(sections("*Since then*\n" + since)...)
	}
	if cut {
		add(small(escape(l.say(bot.WordCut))))
	}
	if p.Source != "" {
		add(slackgo.NewContextBlock("", plain("Source: "+p.Source, maxSection)))
	}
	if len(p.Facts) > 0 {
		var lines []string
		for _, f := range p.Facts {
			lines = append(lines, l.fact(f))
		}
		add(sections(strings.Join(lines, "\n"))...)
	}
	add(l.buttons(p.Options)...)
	if len(p.Related) > 0 {
		add(small("Related"))
		add(l.buttons(p.Related)...)
	}
	buttons := p.Buttons
	if l.share && p.Kind == bot.KindAnswer && p.Entry != "" {
		buttons = append(buttons[:len(buttons):len(buttons)], bot.Button{Label: "Share in channel", Press: bot.Press{Action: bot.ActShow, Entry: p.Entry}, Style: shareStyle})
	}
	add(l.buttons(buttons)...)
	if at := l.entry(p.Entry); p.Entry != "" && at != "" {
		add(small("<" + address(at) + "|Open this entry>"))
	}
	if note := mrkdwn(p.Note); note != "" {
		add(small(shorten(note, maxSection)))
	}
	return b
}

// fallback is the post without blocks, for notifications and screen readers.
func (l *rendering) fallback(p bot.Post, body, since, quote string) string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if p.Urgent && l.ping {
		add(l.calls)
	}
	add(escape(p.Title))
	add(body)
	add(escape(quote))
	add(since)
	for _, o := range p.Options {
		add(escape(o.Label))
	}
	add(mrkdwn(p.Note))
	return shorten(strings.Join(parts, "\n"), maxText)
}

// fact is a labelled line; Slack shows its time in each reader's own zone.
func (l *rendering) fact(f bot.Fact) string {
	s := "*" + escape(f.Label) + "*"
	switch user := userOf(f.Person); {
	case user != "": // their name as it is now, and no look-up
		s += " <@" + user + ">"
	case f.Link != "":
		s += " " + link(f.Link, escape(f.Value))
	case f.Value != "":
		s += " " + shorten(escape(f.Value), 1_000)
	}
	if !f.Time.IsZero() {
		s += fmt.Sprintf(" <!date^%d^{date_short_pretty} at {time}|%s>", f.Time.Unix(), f.Time.In(l.zone).Format("2 Jan 2006 at 15:04"))
	}
	return s
}

// shareStyle marks the one button that is not the centre's.
const shareStyle bot.Style = "share"

func (l *rendering) buttons(list []bot.Button) []slackgo.Block {
	var elements []slackgo.BlockElement
	for _, x := range list {
		value, err := json.Marshal(x.Press)
		if err != nil || len(value) > maxValue || x.Label == "" {
			continue
		}
		id := idPress
		switch {
		case x.Form:
			id = idForm
		case x.Style == shareStyle:
			id = idShare
		}
		l.next++
		b := slackgo.NewButtonBlockElement(id+"/"+strconv.Itoa(l.next), string(value), plain(x.Label, maxButton))
		if x.Style == bot.Primary {
			b.Style = slackgo.StylePrimary
		}
		elements = append(elements, b)
	}
	if len(elements) == 0 {
		return nil
	}
	return []slackgo.Block{slackgo.NewActionBlock("", elements[:min(len(elements), 25)]...)}
}

// plain is a text that Slack shows as it is: no links, no mentions, no emoji codes.
func plain(s string, limit int) *slackgo.TextBlockObject {
	if s == "" {
		s = " "
	}
	return slackgo.NewTextBlockObject(slackgo.PlainTextType, ellipsis(s, limit), false, false)
}

// marked is a text in Slack's own markup, of which every piece was escaped.
// Verbatim keeps Slack from finding links and names in it by itself.
func marked(s string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.MarkdownType, s, false, true)
}

func section(s string) slackgo.Block { return slackgo.NewSectionBlock(marked(s), nil, nil) }

func small(s string) slackgo.Block { return slackgo.NewContextBlock("", marked(s)) }

// sections are a text of any length in pieces that Slack takes.
func sections(s string) []slackgo.Block {
	var b []slackgo.Block
	for s != "" {
		var piece string
		piece, s = split(s, maxSection)
		if piece != "" {
			b = append(b, section(piece))
		}
	}
	return b
}

// quoted is a person's own words: plain text, whatever is in them.
func quoted(s string) []slackgo.Block {
	var b []slackgo.Block
	if s != "" {
		s = "“" + s + "”"
	}
	for s != "" {
		var piece string
		piece, s = split(s, maxSection)
		if piece != "" {
			b = append(b, slackgo.NewSectionBlock(plain(piece, maxSection), nil, nil))
		}
	}
	return b
}

func escape(s string) string { return slackutilsx.EscapeMessage(s) }

func length(s string) int { return utf8.RuneCountInString(s) }

// size is how many characters of blocks something is.
func size(v any) int {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return 0
	}
	return utf8.RuneCount(b.Bytes())
}

// ellipsis cuts plain text.
func ellipsis(s string, limit int) string {
	if length(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// shorten cuts marked text.
func shorten(s string, limit int) string {
	if length(s) <= limit {
		return s
	}
	s, _ = split(s, limit-2)
	return s + " …"
}

// split takes at most limit characters off marked text, at the end of a
// paragraph, a line or a word where there is one, and never within a link or an
// escape.
func split(s string, limit int) (head, rest string) {
	if length(s) <= limit {
		return strings.TrimSpace(s), ""
	}
	end := 0
	for n := 0; n < limit; n++ {
		_, w := utf8.DecodeRuneInString(s[end:])
		end += w
	}
	if open := strings.LastIndexByte(s[:end], '<'); open > strings.LastIndexByte(s[:end], '>') && open > 0 {
		end = open
	}
	if amp := strings.LastIndexByte(s[:end], '&'); amp > 0 && amp > strings.LastIndexByte(s[:end], ';') && end-amp < 6 {
		end = amp
	}
	for _, at := range []string{"\n\n", "\n", ". ", " "} {
		i := strings.LastIndex(s[:end], at)
		if i < end/2 {
			continue
		}
		if at == ". " {
			i++
		}
		if open := strings.LastIndexByte(s[:i], '<'); open <= strings.LastIndexByte(s[:i], '>') {
			end = i
			break
		}
	}
	return strings.TrimSpace(s[:end]), strings.TrimSpace(s[end:])
}

// mrkdwn is Markdown in Slack's markup. Whatever stands in it as text is escaped,
// so that nothing in it calls anybody, and only its own links are links.
func mrkdwn(md string) string {
	if md == "" {
		return ""
	}
	doc, source := knowledge.ParseMarkdown(md)
	w := writer{source: source}
	return strings.TrimSpace(w.children(doc, "\n\n"))
}

type writer struct {
	source []byte
	bare   bool // without marks
}

// children joins what is rendered of a block's blocks.
func (w writer) children(n ast.Node, between string) string {
	var parts []string
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if s := w.block(c); s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, between)
}

func (w writer) block(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Heading:
		return "*" + strings.ReplaceAll(w.inline(n), "*", "") + "*"
	case *ast.Paragraph, *ast.TextBlock:
		return w.inline(n)
	case *ast.List:
		return w.list(n)
	case *ast.Blockquote:
		return "> " + strings.ReplaceAll(w.children(n, "\n\n"), "\n", "\n> ")
	case *ast.CodeBlock:
		return w.code(n.Lines().Value(w.source))
	case *ast.FencedCodeBlock:
		return w.code(n.Lines().Value(w.source))
	case *ast.ThematicBreak:
		return "———"
	}
	return w.children(n, "\n\n")
}

func (w writer) code(text []byte) string {
	return "```\n" + escape(strings.ReplaceAll(strings.TrimRight(string(text), "\n"), "```", "'''")) + "\n```"
}

func (w writer) list(l *ast.List) string {
	between := "\n"
	if !l.IsTight {
		between = "\n\n"
	}
	var items []string
	n := l.Start
	for c := l.FirstChild(); c != nil; c = c.NextSibling() {
		bullet := "• "
		if l.IsOrdered() {
			bullet = strconv.Itoa(n) + ". "
			n++
		}
		items = append(items, bullet+strings.ReplaceAll(w.children(c, between), "\n", "\n    "))
	}
	return strings.Join(items, "\n")
}

func (w writer) inline(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.WriteString(escape(string(c.Value(w.source))))
			switch {
			case c.HardLineBreak():
				b.WriteByte('\n')
			case c.SoftLineBreak():
				b.WriteByte(' ')
			}
		case *ast.String:
			b.WriteString(escape(string(c.Value)))
		case *ast.CodeSpan, *ast.Emphasis:
			if w.bare {
				b.WriteString(w.inline(c))
				continue
			}
			b.WriteString(w.marked(c))
		case *ast.Link:
			b.WriteString(w.link(c, string(c.Destination)))
		case *ast.Image:
			b.WriteString(w.link(c, string(c.Destination)))
		case *ast.AutoLink:
			b.WriteString(link(string(c.URL(w.source)), escape(string(c.Label(w.source)))))
		default:
			b.WriteString(w.inline(c))
		}
	}
	return b.String()
}

// marked is a piece of text that stands out.
func (w writer) marked(n ast.Node) string {
	e, ok := n.(*ast.Emphasis)
	switch {
	case !ok:
		return "`" + strings.ReplaceAll(w.inline(n), "`", "'") + "`"
	case e.Level > 1:
		return "*" + w.inline(n) + "*"
	}
	return "_" + w.inline(n) + "_"
}

// link is a link whose text has no marks in it: on Android such a one is no link
// (getsentry/sentry#123662). What was marked in whole is marked outside.
func (w writer) link(n ast.Node, to string) string {
	text, mark := w.inline(n), ""
	if e, ok := n.FirstChild().(*ast.Emphasis); ok && e.NextSibling() == nil {
		mark = "_"
		if e.Level > 1 {
			mark = "*"
		}
	}
	plain := writer{source: w.source, bare: true}
	if strings.ContainsAny(text, "*_`") {
		text = plain.inline(n)
	}
	return mark + link(to, text) + mark
}

// link is a link of Slack's, or the text alone where the address leads nowhere
// that a person could follow.
func link(to, text string) string {
	to = unescapeMarkdown(to)
	u, err := url.Parse(to)
	if err != nil {
		return text
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return text
		}
	case "mailto", "tel":
	default:
		return text
	}
	if text = strings.Join(strings.Fields(linkText.Replace(text)), " "); text == "" {
		text = escape(to)
	}
	return "<" + address(to) + "|" + text + ">"
}

// linkText is what cannot stand in a link's text; what is escaped already stays.
var linkText = strings.NewReplacer("<", "", ">", "", "|", "/")

// address is what may stand before the bar in a link.
func address(to string) string {
	return strings.NewReplacer("<", "%3C", ">", "%3E", "|", "%7C", " ", "%20", "&", "&amp;").Replace(to)
}

// unescapeMarkdown undoes the backslashes of a link's address.
func unescapeMarkdown(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[i+1]) >= 0 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
