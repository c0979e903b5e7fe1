package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"canteen/bot"
)

// interaction is what is read of a press, a submitted form, a menu's search or a
// shortcut.
type interaction struct {
	Type string `json:"type"`
	User struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
		TeamID   string `json:"team_id"`
	} `json:"user"`
	Team struct {
		ID           string `json:"id"`
		EnterpriseID string `json:"enterprise_id"`
	} `json:"team"`
	Enterprise struct {
		ID string `json:"id"`
	} `json:"enterprise"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	CallbackID  string `json:"callback_id"`
	ActionTS    string `json:"action_ts"`
	ActionID    string `json:"action_id"` // of a menu's search
	Value       string `json:"value"`     // of a menu's search
	Channel     struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"channel"`
	Container struct {
		Type        string `json:"type"`
		ChannelID   string `json:"channel_id"`
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Message struct {
		User     string `json:"user"`
		Text     string `json:"text"`
		ThreadTS string `json:"thread_ts"`
	} `json:"message"`
	Actions []struct {
		ActionID string `json:"action_id"`
		ActionTS string `json:"action_ts"`
		Value    string `json:"value"`
		Selected struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	} `json:"actions"`
	View struct {
		ID         string          `json:"id"`
		Type       string          `json:"type"`
		CallbackID string          `json:"callback_id"`
		Metadata   string          `json:"private_metadata"`
		Hash       string          `json:"hash"`
		State      json.RawMessage `json:"state"`
		Blocks     json.RawMessage `json:"blocks"`
	} `json:"view"`
}

// What the ids of our buttons and menus begin with; the rest tells those of one
// message apart.
const (
	idPress  = "press"       // value: a bot.Press
	idForm   = "form"        // value: a bot.Press that opens a form
	idShare  = "share"       // value: an entry, to be shown to the channel
	idEntry  = "entry"       // a menu of entries
	idErase  = "erase"       // on the Home tab
	idField  = "field"       // an input of a form
	callForm = "form"        // a form's callback id
	callAsk  = "ask_canteen" // the message shortcut's callback id
)

func (a *Adapter) interact(ctx context.Context, payload []byte, letter string) (ack, string, error) {
	var x interaction
	if err := lenient(payload, &x); err != nil || x.User.ID == "" || a.foreign(x.Team.ID, x.Team.EnterpriseID, x.Enterprise.ID, x.User.TeamID) {
		return ack{}, "ignored", nil
	}
	switch {
	case x.Type == "block_actions" && len(x.Actions) > 0:
		return a.pressed(ctx, x, letter)
	case x.Type == "view_submission" && x.View.CallbackID == callForm:
		return a.submitted(ctx, x, letter)
	case x.Type == "block_suggestion":
		return ack{body: map[string]any{"options": a.options(ctx, x)}}, "ok", nil
	case x.Type == "message_action" && x.CallbackID == callAsk:
		return a.asked(ctx, x, letter)
	}
	return ack{}, "ignored", nil
}

// surface is where somebody pressed: it decides how they are told what came of it.
type surface int

const (
	inMessage   surface = iota // a message that others may read
	inEphemeral                // a message to them alone, which only its response URL can change
	inModal
	inHome
)

func (x interaction) surface() surface {
	switch {
	case x.View.Type == "home":
		return inHome
	case x.View.Type == "modal" || x.Container.Type == "view":
		return inModal
	case x.Container.IsEphemeral:
		return inEphemeral
	}
	return inMessage
}

// from is a Message with who pressed, where, and the names of the press.
func (a *Adapter) from(ctx context.Context, x interaction, letter string) bot.Message {
	m := bot.Message{Keys: keys(letter), Direct: direct(x.User.ID), At: a.now(),
		From: bot.Person{ID: person(x.User.ID), Name: a.userName(ctx, x.User.ID, or(x.User.Name, x.User.Username))}}
	channel := or(x.Container.ChannelID, x.Channel.ID)
	switch s := x.surface(); {
	case channel == "" || s == inHome || s == inModal:
		m.In, m.Inline = m.Direct, s == inModal
	default:
		m.In = place(channel, or(x.Container.ThreadTS, x.Message.ThreadTS))
		m.Inline = s == inEphemeral
		if m.Open = !isDirect(channel) && s == inMessage; !isDirect(channel) {
			m.Where, m.Link = a.whereOf(ctx, channel, or(x.Container.ThreadTS, x.Message.ThreadTS), "")
		}
	}
	if x.TriggerID != "" {
		m.Keys = append(m.Keys, "slack:"+x.Type+":"+x.TriggerID)
	}
	return m
}

// pressed handles a button or a menu. Slack does not send a press again, so that
// every press is acknowledged and whoever pressed is told when it failed.
func (a *Adapter) pressed(ctx context.Context, x interaction, letter string) (ack, string, error) {
	act := x.Actions[0]
	id, _, _ := strings.Cut(act.ActionID, "/")
	press, ok := decodePress(act.Value)
	switch id {
	case idPress, idShare:
	case idForm:
		if !ok || !a.seen.first(a.now(), "form:"+x.TriggerID) {
			return ack{}, "ignored", nil
		}
		return ack{then: func(ctx context.Context) { a.openForm(ctx, x, press) }}, "ok", nil
	case idEntry:
		entry, known := a.entryOf(act.Selected.Value)
		press, ok = bot.Press{Action: bot.ActShow, Entry: entry}, known
	case idErase:
		if !a.seen.first(a.now(), "erase:"+act.ActionTS+x.TriggerID) {
			return ack{}, "repeat", nil
		}
		return a.erase(ctx, x)
	default:
		return ack{}, "ignored", nil
	}
	if !ok {
		return ack{}, "ignored", nil
	}
	m := a.from(ctx, x, letter)
	if a.outsider(ctx, x.User.ID, x.User.TeamID) {
		return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say("for-staff")}) }}, "ok", nil
	}
	if !carries(press.Action) {
		press.Fields = nil // what is filled in comes from forms alone
	}
	m.Press = &press
	if act.ActionTS != "" {
		m.Keys = append(m.Keys, "slack:action:"+x.User.ID+":"+act.ActionTS)
	}
	if id == idShare || x.surface() == inHome && press.Action == bot.ActShow {
		m.Inline, m.Open = true, false
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: press not handled", "action", press.Action, "error", err)
		r = bot.Reply{Notice: a.c.Bot.Sentence(err)}
	}
	if r.Repeat {
		return ack{}, "repeat", nil
	}
	return ack{then: func(ctx context.Context) {
		if id == idShare {
			a.share(ctx, x, m, r)
			return
		}
		a.tell(ctx, x, m, r)
	}}, outcome(r), nil
}

// carries tells the buttons that carry words which are kept nowhere else, or stand beside
// one that does. What came of the press takes their place.
func carries(a bot.Action) bool {
	return a == bot.ActPassOn || a == bot.ActSend || a == bot.ActKeep
}

// decodePress reads the press that a button carries.
func decodePress(value string) (bot.Press, bool) {
	var p bot.Press
	err := json.Unmarshal([]byte(value), &p)
	return p, err == nil && p.Action != ""
}

// tell shows whoever pressed what the press took back.
func (a *Adapter) tell(ctx context.Context, x interaction, m bot.Message, r bot.Reply) {
	for _, e := range r.Errors { // a form's, that was pressed without its form
		if r.Notice == "" {
			r.Notice = e
		}
	}
	said := r.Notice != "" || len(r.Posts) > 0
	switch x.surface() {
	case inHome:
		if said {
			_ = a.openView(ctx, x, a.page(r), false) // logged there
		}
		a.showHome(ctx, x.User.ID)
	case inModal:
		if !said {
			return
		}
		_, err := a.api.UpdateViewContext(ctx, a.page(r), "", "", x.View.ID)
		_ = a.logView("update a form", err)
	case inEphemeral:
		if body := a.whisper(r, !isDirect(or(x.Container.ChannelID, x.Channel.ID))); body != nil {
			body.ReplaceOriginal = len(r.Posts) > 0 || m.Press != nil && carries(m.Press.Action)
			a.respond(ctx, x.ResponseURL, body, m.Direct)
		}
	case inMessage:
		if said {
			a.notice(ctx, x, m.In, r.Notice)
		}
	}
}

// notice shows a sentence to whoever pressed, beside the message.
func (a *Adapter) notice(ctx context.Context, x interaction, in bot.Place, text string) {
	if text == "" {
		return
	}
	channel, thread, _ := where(in)
	msg := a.render(bot.Post{Kind: bot.KindNotice, Text: text}, false)
	_, err := a.api.PostEphemeralContext(ctx, channel, x.User.ID, msg.options(thread)...)
	if err != nil { // as to somebody who only looks into a channel
		body := a.whisper(bot.Reply{Notice: text}, false)
		body.ThreadTimestamp = thread
		err = a.postURL(ctx, x.ResponseURL, body)
	}
	if err != nil {
		a.log.Warn("slack: notice not shown", "error", err)
	}
}

// share shows an entry to the channel in which somebody was shown it alone.
func (a *Adapter) share(ctx context.Context, x interaction, m bot.Message, r bot.Reply) {
	if len(r.Posts) > 0 {
		p := r.Posts[len(r.Posts)-1]
		p.Buttons, p.Options, p.Related, p.Note = nil, nil, nil, ""
		body := a.webhook([]bot.Post{p}, false)
		body.ResponseType = slackgo.ResponseTypeInChannel
		body.ThreadTimestamp = x.Container.ThreadTS
		err := a.postURL(ctx, x.ResponseURL, body)
		if err == nil {
			return
		}
		a.log.Warn("slack: entry not shared", "error", err)
		r = bot.Reply{Notice: a.c.Bot.Say("not-shared")}
	}
	a.tell(ctx, x, m, bot.Reply{Notice: r.Notice})
}

// asked handles the shortcut "Ask Canteen about this": the answer goes to whoever
// asked, beside the message, or to them directly where the bot may not write.
func (a *Adapter) asked(ctx context.Context, x interaction, letter string) (ack, string, error) {
	m := a.from(ctx, x, letter)
	m.Alone, m.Open, m.Inline = true, false, false
	text, _ := plainText(x.Message.Text, nil)
	if x.Message.User == x.User.ID {
		m.Text = text
	} else { // a colleague's words: nothing of them is kept before a press
		m.Above = text
	}
	if isDirect(x.Channel.ID) || x.Channel.ID == "" {
		m.In, m.Alone = m.Direct, false // somebody's own conversation: the bot is not in it
	}
	if a.outsider(ctx, x.User.ID, x.User.TeamID) {
		return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say("for-staff")}) }}, "ok", nil
	}
	if x.ActionTS != "" {
		m.Keys = append(m.Keys, "slack:shortcut:"+x.User.ID+":"+x.ActionTS)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: shortcut not handled", "error", err)
		if a.told(ctx, x, err) != nil {
			return ack{}, "", err
		}
		return ack{}, "error", nil
	}
	if r.Aside != nil && !r.Repeat {
		return ack{then: func(ctx context.Context) {
			a.respond(ctx, x.ResponseURL, a.webhook([]bot.Post{*r.Aside}, false), m.Direct)
		}}, outcome(r), nil
	}
	return ack{}, outcome(r), nil
}

// tellTime is what is left of Slack's three seconds after requestTimeout.
const tellTime = 400 * time.Millisecond

// told tells a person that their shortcut failed, before it is acknowledged: Slack
// does not send it again, and after an acknowledgement nobody would tell them. When
// they cannot be told, no acknowledgement makes Slack say it.
func (a *Adapter) told(ctx context.Context, x interaction, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTime)
	defer cancel()
	return a.postURL(ctx, x.ResponseURL, a.whisper(bot.Reply{Notice: a.c.Bot.Sentence(failed)}, false))
}

// erase forgets a person, as they pressed on the Home tab.
func (a *Adapter) erase(ctx context.Context, x interaction) (ack, string, error) {
	m := a.from(ctx, x, "")
	r, what := bot.Reply{Notice: a.c.Bot.Say("erased")}, "ok"
	if err := a.c.Bot.Forget(ctx, m.From, "slack:erase:"+or(x.TriggerID, x.Actions[0].ActionTS)); err != nil {
		a.log.Error("slack: person not erased", "error", err)
		r, what = bot.Reply{Notice: a.c.Bot.Sentence(err)}, "error"
	}
	return ack{then: func(ctx context.Context) { a.tell(ctx, x, m, r) }}, what, nil
}

// metadata is what a form remembers of where it was opened.
type metadata struct {
	Press  bot.Press `json:"p"`
	In     bot.Place `json:"in,omitempty"`
	Open   bool      `json:"o,omitempty"`
	Inline bool      `json:"i,omitempty"`
	Where  string    `json:"w,omitempty"`
}

// openForm opens the form of a press, or says why it does not open.
func (a *Adapter) openForm(ctx context.Context, x interaction, press bot.Press) {
	m := a.from(ctx, x, "")
	form, err := a.c.Bot.Form(ctx, press, m.From)
	if err != nil {
		say := a.c.Bot.Sentence(err)
		switch {
		case errors.Is(err, bot.ErrNotFound):
			say = a.c.Bot.Say("expired")
		case errors.Is(err, bot.ErrForbidden) && (press.Action == bot.ActReply || press.Action == bot.ActHandOff):
			say = a.c.Bot.Say("forbidden")
		case errors.Is(err, bot.ErrForbidden):
			say = a.c.Bot.Say("forbidden-comms")
		default:
			a.log.Error("slack: form not made", "action", press.Action, "error", err)
		}
		a.tell(ctx, x, m, bot.Reply{Notice: say})
		return
	}
	view := a.form(form, metadata{Press: form.Press, In: m.In, Open: m.Open, Inline: m.Inline, Where: m.Where})
	if err := a.openView(ctx, x, view, x.surface() == inModal); err != nil {
		a.tell(ctx, x, m, bot.Reply{Notice: a.c.Bot.Say("not-saved")})
	}
}

// openView opens a form or a page within the three seconds of the press.
func (a *Adapter) openView(ctx context.Context, x interaction, view slackgo.ModalViewRequest, onTop bool) error {
	open := a.api.OpenViewContext
	if onTop {
		open = a.api.PushViewContext
	}
	_, err := open(ctx, x.TriggerID, view)
	return a.logView("open a form", err)
}

// logView logs what went wrong with a view. An answer that the client cannot read
// is none: Slack sends shapes that it does not expect for views that are there.
func (a *Adapter) logView(what string, err error) error {
	var shape *json.UnmarshalTypeError
	if err == nil || errors.As(err, &shape) {
		return nil
	}
	a.log.Warn("slack: cannot "+what, "error", err)
	return err
}

// submitted handles a form. The acknowledgement closes it, shows what it took
// back, or keeps it open with what is wrong with its fields.
func (a *Adapter) submitted(ctx context.Context, x interaction, letter string) (ack, string, error) {
	var meta metadata
	if err := json.Unmarshal([]byte(x.View.Metadata), &meta); err != nil || meta.Press.Action == "" {
		return ack{}, "ignored", nil
	}
	m := a.from(ctx, x, letter)
	m.Open, m.Inline, m.Where = meta.Open, meta.Inline, meta.Where
	if _, _, ok := where(meta.In); ok {
		m.In = meta.In
	}
	meta.Press.Fields = a.values(ctx, x.View.State)
	switch meta.Press.Action {
	case bot.ActAnswer, bot.ActReuse, bot.ActCorrect, bot.ActAskBack, bot.ActNotOurs:
		meta.Press.Fields[bot.FieldText] = asTyped(meta.Press.Fields[bot.FieldText])
	}
	m.Press = &meta.Press
	// The same view with the same words in it is the same submission, whatever
	// its trigger.
	sum := sha256.Sum256([]byte(x.View.Hash + string(x.View.State)))
	m.Keys = append(m.Keys, "slack:view:"+x.User.ID+":"+x.View.ID+":"+hex.EncodeToString(sum[:12]))
	if savesEntry(meta.Press) {
		return a.save(x, m, meta)
	}
	r, err := a.c.Bot.Handle(ctx, m)
	if err != nil {
		a.log.Error("slack: form not handled", "action", meta.Press.Action, "error", err)
		r = bot.Reply{Errors: map[string]string{"": a.c.Bot.Sentence(err)}}
	}
	out := ack{}
	switch {
	case len(r.Errors) > 0:
		out.body = slackgo.NewErrorsViewSubmissionResponse(onBlocks(r.Errors, x.View.Blocks))
		if r.File != "" && !r.Repeat {
			out.then = func(ctx context.Context) { a.hand(ctx, m.Direct, r.File) }
		}
	case r.Notice != "" || len(r.Posts) > 0:
		page := a.page(r)
		out.body = slackgo.NewUpdateViewSubmissionResponse(&page)
	}
	if err != nil {
		return out, "error", nil
	}
	return out, outcome(r), nil
}

// savesEntry tells the presses that write into the FAQ folder: while a model is being
// fitted, that takes longer than Slack waits.
func savesEntry(p bot.Press) bool {
	return p.Action == bot.ActPromote || p.Action == bot.ActHarmless || p.Action == bot.ActCorrect && p.Fields[bot.FieldPlace] == bot.PlaceEntry
}

// savingShown is how long "Saving" stands at least: what came of it must not overtake the
// acknowledgement that shows it.
const savingShown = 500 * time.Millisecond

// saveTime bounds what saves an entry. Slack has its acknowledgement before.
const saveTime = time.Minute

// save acknowledges a form at once, and then shows in its place what became of it: the
// form again, with what is wrong with it, or that it is saved.
func (a *Adapter) save(x interaction, m bot.Message, meta metadata) (ack, string, error) {
	saving := a.page(bot.Reply{Notice: a.c.Bot.Say("saving")})
	return ack{body: slackgo.NewUpdateViewSubmissionResponse(&saving), then: func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
		defer cancel()
		shown := time.NewTimer(savingShown)
		defer shown.Stop()
		r, err := a.c.Bot.Handle(ctx, m)
		if err != nil {
			a.log.Error("slack: form not handled", "action", meta.Press.Action, "error", err)
			r = bot.Reply{Errors: map[string]string{"": a.c.Bot.Sentence(err)}}
		}
		select {
		case <-shown.C:
		case <-ctx.Done():
		}
		if r.Notice == "" && len(r.Posts) == 0 {
			r.Notice = a.c.Bot.Say("done")
		}
		view := a.page(r)
		if len(r.Errors) > 0 {
			if form, err := a.c.Bot.Form(ctx, meta.Press, m.From); err == nil {
				view = a.form(filled(form, meta.Press.Fields, r.Errors), meta)
			}
		}
		_, err = a.api.UpdateViewContext(ctx, view, "", "", x.View.ID)
		_ = a.logView("show what was saved", err)
		if r.File != "" && !r.Repeat {
			a.hand(ctx, m.Direct, r.File)
		}
	}}, "ok", nil
}

// filled is a form with what was written in it, and above it what is wrong.
func filled(f bot.Form, written, errs map[string]string) bot.Form {
	var wrong []string
	for i, x := range f.Fields {
		if v, ok := written[x.Name]; ok {
			f.Fields[i].Value = v
		}
		if say := errs[x.Name]; say != "" {
			wrong = append(wrong, "- **"+x.Label+"**: "+say)
		}
	}
	if say := errs[""]; say != "" {
		wrong = append(wrong, "- "+say)
	}
	f.Intro = strings.Join(wrong, "\n") + "\n\n" + f.Intro
	f.Press.Fields = nil
	return f
}

// values reads the fields of a form by their names.
func (a *Adapter) values(ctx context.Context, state json.RawMessage) map[string]string {
	var s struct {
		Values map[string]map[string]struct {
			Value        string   `json:"value"`
			Rich         richText `json:"rich_text_value"`
			SelectedUser string   `json:"selected_user"`
			Selected     struct {
				Value string `json:"value"`
			} `json:"selected_option"`
			Ticked []struct {
				Value string `json:"value"`
			} `json:"selected_options"`
		} `json:"values"`
	}
	fields := map[string]string{}
	if lenient(state, &s) != nil {
		return fields
	}
	for block, inputs := range s.Values {
		for id, v := range inputs {
			_, id, _ = strings.Cut(id, "/")
			kind, _, _ := strings.Cut(id, "/")
			switch bot.FieldKind(kind) {
			case bot.People:
				if v.SelectedUser != "" {
					fields[block] = string(person(v.SelectedUser))
					fields[bot.FieldPersonName] = a.userName(ctx, v.SelectedUser, "")
				}
			case bot.Search:
				fields[block], _ = a.entryOf(v.Selected.Value)
			case bot.Pick:
				fields[block] = v.Selected.Value
			case bot.Many:
				var ticked []string
				for _, t := range v.Ticked {
					ticked = append(ticked, t.Value)
				}
				fields[block] = strings.Join(ticked, "\n")
			case bot.Line, bot.Area:
				fields[block] = unescape.Replace(v.Value)
			case bot.Marked:
				fields[block] = v.Rich.markdown(func(user string) string { return a.userName(ctx, user, "") })
			}
		}
	}
	return fields
}

// onBlocks puts errors on the fields that the form has: Slack refuses others.
func onBlocks(errs map[string]string, blocks json.RawMessage) map[string]string {
	var has []struct {
		Type    string `json:"type"`
		BlockID string `json:"block_id"`
	}
	_ = json.Unmarshal(blocks, &has) // without blocks the errors keep their names
	inputs := map[string]bool{}
	first := ""
	for _, b := range has {
		if b.Type == "input" {
			inputs[b.BlockID] = true
			if first == "" {
				first = b.BlockID
			}
		}
	}
	out := map[string]string{}
	for name, say := range errs {
		if !inputs[name] {
			name = or(first, or(name, bot.FieldText))
		}
		out[name] = say
	}
	return out
}

// options are what a menu finds for a few letters.
func (a *Adapter) options(ctx context.Context, x interaction) []*slackgo.OptionBlockObject {
	list := []*slackgo.OptionBlockObject{}
	id, _, _ := strings.Cut(x.ActionID, "/")
	if id != idEntry && id != idField {
		return list
	}
	var choices []bot.Choice
	var meta metadata
	if x.Value == "" && json.Unmarshal([]byte(x.View.Metadata), &meta) == nil && meta.Press.Action != "" {
		// Before anything is typed: the entries nearest to the question.
		if form, err := a.c.Bot.Form(ctx, meta.Press, bot.Person{ID: person(x.User.ID)}); err == nil {
			for _, f := range form.Fields {
				if f.Kind == bot.Search {
					choices = f.Choices
				}
			}
		}
	}
	if len(choices) == 0 {
		choices = a.c.Bot.Suggest(unescape.Replace(x.Value), maxOptions)
	}
	for _, c := range choices {
		list = append(list, option(c))
	}
	return list
}

// maxOptions is how many entries a search offers; Slack shows up to 100.
const maxOptions = 20

// whisper is what is shown to one person in answer to their own request, or nil
// when there is nothing to show.
func (a *Adapter) whisper(r bot.Reply, shareable bool) *slackgo.WebhookMessage {
	posts := r.Posts
	if r.Notice != "" {
		posts = append(posts[:len(posts):len(posts)], bot.Post{Kind: bot.KindNotice, Text: r.Notice})
	}
	if len(posts) == 0 {
		return nil
	}
	return a.webhook(posts, shareable)
}

func (a *Adapter) webhook(posts []bot.Post, shareable bool) *slackgo.WebhookMessage {
	msg := a.renderAll(posts, shareable)
	return &slackgo.WebhookMessage{ResponseType: slackgo.ResponseTypeEphemeral, Text: msg.text, Blocks: &slackgo.Blocks{BlockSet: msg.blocks}, UnfurlLinks: new(bool), UnfurlMedia: new(bool)}
}

// respond answers a request at its response URL, and where that does not work,
// directly.
func (a *Adapter) respond(ctx context.Context, to string, body *slackgo.WebhookMessage, in bot.Place) {
	if body == nil {
		return
	}
	err := a.postURL(ctx, to, body)
	if err == nil {
		return
	}
	a.log.Warn("slack: response URL failed, answering directly", "error", err)
	channel, _, err := a.conversation(ctx, in)
	if err == nil {
		_, _, err = a.api.PostMessageContext(ctx, channel, message{blocks: body.Blocks.BlockSet, text: body.Text}.options("")...)
	}
	if err != nil {
		a.log.Error("slack: answer to a request lost", "error", err)
	}
}

// postURL posts to a response URL, which has to be Slack's own.
func (a *Adapter) postURL(ctx context.Context, to string, body *slackgo.WebhookMessage) error {
	u, err := url.Parse(to)
	if err != nil || u.Host == "" {
		return errors.New("no response URL")
	}
	api, err := url.Parse(a.c.APIURL)
	if err != nil {
		return err
	}
	slacks := u.Scheme == "https" && (u.Host == "hooks.slack.com" || u.Host == "hooks.slack-gov.com")
	if !slacks && (u.Host != api.Host || u.Scheme != api.Scheme) {
		return errors.New("the response URL is not one of Slack's")
	}
	err = slackgo.PostWebhookCustomHTTPContext(ctx, to, a.http, body)
	var call *url.Error
	if errors.As(err, &call) { // its text has the address, which lets anybody who reads it post
		return fmt.Errorf("response URL: %w", call.Err)
	}
	return err
}
