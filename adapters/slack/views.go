package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// maxHome is how many topics the Home tab shows: a view has 100 blocks.
const maxHome = 50

// showHome draws a person's Home tab.
func (a *Adapter) showHome(ctx context.Context, user string) {
	home, err := a.c.Bot.Home(ctx, person(user))
	if err != nil {
		a.log.Error("slack: Home tab not drawn", "error", err)
		return
	}
	view := slackgo.HomeTabViewRequest{Type: slackgo.VTHomeTab, Blocks: slackgo.Blocks{BlockSet: a.home(home)}}
	_, err = a.api.PublishViewContext(ctx, slackgo.PublishViewContextRequest{UserID: user, View: view})
	_ = a.logView("show the Home tab", err)
}

// home is the Home tab: search, popular entries, topics, the person's own
// questions, and what is kept of them.
func (a *Adapter) home(h bot.Home) []slackgo.Block {
	l := a.rendering()
	b := []slackgo.Block{section(escape(a.c.Bot.Say(bot.WordSlackHome)))}
	heading := func(s string) { b = append(b, slackgo.NewHeaderBlock(plain(s, maxHeader))) }
	search := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeExternal, plain("Type a word", maxChoice), idEntry+"/search")
	search.MinQueryLength = new(1)
	heading("Find an answer")
	b = append(b, slackgo.NewActionBlock("", search))
	if len(h.Popular) > 0 {
		b = append(b, section("*Asked most in the last month*"))
		b = append(b, l.buttons(h.Popular)...)
	}
	if len(h.Mine) > 0 {
		heading("My questions")
		for _, m := range h.Mine {
			b = append(b, slackgo.NewSectionBlock(plain("“"+ellipsis(m.Text, 300)+"”", maxSection), nil, nil))
			b = append(b, small(l.fact(bot.Fact{Label: m.Ref.String(), Value: m.State, Time: m.At})))
			b = append(b, l.buttons(m.Buttons)...)
		}
	}
	if len(h.Topics) > 0 {
		heading("Topics")
		for i, t := range h.Topics[:min(len(h.Topics), maxHome)] {
			menu := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, plain("Choose an entry", maxChoice), idEntry+"/"+strconv.Itoa(i))
			for _, e := range t.Entries[:min(len(t.Entries), 100)] {
				menu.Options = append(menu.Options, option(bot.Choice{Label: e.Label, Value: e.Press.Entry}))
			}
			b = append(b, slackgo.NewSectionBlock(marked("*"+escape(ellipsis(t.Name, 200))+"*"), nil, slackgo.NewAccessory(menu)))
		}
	}
	heading("What I keep")
	b = append(b, sections(mrkdwn(h.Privacy))...)
	erase := slackgo.NewButtonBlockElement(idErase, "erase", plain("Delete my data", maxButton)).WithStyle(slackgo.StyleDanger)
	erase.Confirm = slackgo.NewConfirmationBlockObject(plain("Erase", 100), plain(a.c.Bot.Say(bot.WordEraseConfirm), 300), plain("Erase", 30), plain("Cancel", 30))
	return append(b, slackgo.NewActionBlock("", erase))
}

// form is a modal that asks what a press needs.
func (a *Adapter) form(f bot.Form, meta metadata) slackgo.ModalViewRequest {
	var b []slackgo.Block
	b = append(b, sections(mrkdwn(f.Intro))...)
	for _, x := range f.Fields {
		input := slackgo.NewInputBlock(x.Name, plain(x.Label, 2_000), nil, a.input(x))
		if x.Hint != "" {
			input.Hint = plain(x.Hint, 2_000)
		}
		b = append(b, input.WithOptional(x.Optional))
	}
	data, err := json.Marshal(meta)
	if err != nil || len(data) > 3_000 {
		meta.Press.Fields = nil
		data, _ = json.Marshal(meta) // plain strings: never fails
	}
	return slackgo.ModalViewRequest{Type: slackgo.VTModal, CallbackID: callForm, PrivateMetadata: string(data), Blocks: slackgo.Blocks{BlockSet: b},
		Title: plain(f.Title, maxModal), Submit: plain(or(f.Submit, "Send"), maxModal), Close: plain("Cancel", maxModal)}
}

// input is the element of a field. Its action id says how its value is read.
func (a *Adapter) input(f bot.Field) slackgo.BlockElement {
	id := idField + "/" + string(f.Kind) + "/" + f.Name
	switch f.Kind {
	case bot.Search:
		s := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeExternal, plain("Type a word", maxChoice), id)
		s.MinQueryLength = new(int) // an empty search shows the nearest entries
		for _, c := range f.Choices {
			if f.Value != "" && c.Value == f.Value {
				s.InitialOption = option(c)
			}
		}
		return s
	case bot.Pick:
		s := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeStatic, plain("Choose", maxChoice), id)
		for _, c := range f.Choices[:min(len(f.Choices), 100)] {
			o := option(c)
			s.Options = append(s.Options, o)
			if c.Value == f.Value {
				s.InitialOption = o
			}
		}
		return s
	case bot.Many:
		s := slackgo.NewCheckboxGroupsBlockElement(id)
		chosen := strings.Split(f.Value, "\n")
		for _, c := range f.Choices[:min(len(f.Choices), 10)] {
			o := option(c)
			s.Options = append(s.Options, o)
			if slices.Contains(chosen, c.Value) {
				s.InitialOptions = append(s.InitialOptions, o)
			}
		}
		return s
	case bot.People:
		s := slackgo.NewOptionsSelectBlockElement(slackgo.OptTypeUser, plain("Choose a colleague", maxChoice), id)
		s.InitialUser = userOf(bot.PersonID(f.Value))
		return s
	}
	if f.Kind == bot.Marked && f.Value == "" {
		return slackgo.NewRichTextInputBlockElement(nil, id)
	}
	if f.Kind == bot.Marked { // Markdown that is there already is shown as it is
		id = idField + "/" + string(bot.Area) + "/" + f.Name
	}
	limit := f.Max
	if limit <= 0 || limit > 3_000 {
		limit = 3_000
	}
	return &slackgo.PlainTextInputBlockElement{Type: slackgo.METPlainTextInput, ActionID: id, Multiline: f.Kind != bot.Line, InitialValue: ellipsis(f.Value, limit), MaxLength: limit}
}

// page is a modal that shows what a press took back.
func (a *Adapter) page(r bot.Reply) slackgo.ModalViewRequest {
	posts := r.Posts
	if r.Notice != "" {
		posts = append(posts[:len(posts):len(posts)], bot.Post{Kind: bot.KindNotice, Text: r.Notice})
	}
	m := a.renderAll(posts, false)
	return slackgo.ModalViewRequest{Type: slackgo.VTModal, Title: plain("Canteen", maxModal), Close: plain("Close", maxModal), Blocks: slackgo.Blocks{BlockSet: m.blocks}}
}

// option is a choice in a menu. An id that is too long for Slack stands as its
// hash.
func option(c bot.Choice) *slackgo.OptionBlockObject {
	return slackgo.NewOptionBlockObject(shortID(c.Value), plain(c.Label, maxChoice), nil)
}

func shortID(id string) string {
	if length(id) <= maxChoice {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

// entryOf reads what option wrote of an entry's id; ok says that it is there.
func (a *Adapter) entryOf(value string) (id string, ok bool) {
	if value == "" {
		return "", false
	}
	base := a.c.Bot.Base()
	if _, ok := base.Entry(value); ok {
		return value, true
	}
	for _, e := range base.Entries() {
		if length(e.ID) > maxChoice && shortID(e.ID) == value {
			return e.ID, true
		}
	}
	return value, false
}
