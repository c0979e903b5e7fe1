package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ticket is what a response URL stands for.
type ticket struct {
	channel, user string
	message       *Message
	left          int
}

// responseURL makes one. The caller holds mu.
func (s *Slack) responseURL(channel, user string, m *Message) string {
	if s.open == nil {
		s.open, s.triggers = map[string]*ticket{}, map[string]trigger{}
	}
	id := random(8)
	s.open[id] = &ticket{channel: channel, user: user, message: m, left: 5}
	return s.server.URL + "/response/" + id
}

func (s *Slack) tickets(id string) (ticket, bool) {
	t := s.open[id]
	if t == nil || t.left == 0 {
		return ticket{}, false
	}
	t.left--
	return *t, true
}

// newTrigger makes what opens one modal.
func (s *Slack) newTrigger(user string) string {
	if s.triggers == nil {
		s.open, s.triggers = map[string]*ticket{}, map[string]trigger{}
	}
	id := "13.37." + random(8)
	s.triggers[id] = trigger{user, time.Now()}
	return id
}

// trigger is what opens one modal, for 3 seconds [trigger].
type trigger struct {
	user string
	at   time.Time
}

func (s *Slack) trigger(id string) (user string, ok bool) {
	t, ok := s.triggers[id]
	delete(s.triggers, id)
	return t.user, ok && time.Since(t.at) < 3*time.Second
}

// direct is a user's conversation with the bot. The caller holds mu.
func (s *Slack) direct(user string) string {
	id := "D" + user
	if s.channels[id] == nil {
		s.channels[id] = &Channel{ID: id, Name: "directmessage", Members: []string{user, s.BotUser}}
	}
	return id
}

// Direct is a user's conversation with the bot.
func (s *Slack) Direct(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.direct(user)
}

// Wrap is an event as Slack sends it.
func (s *Slack) Wrap(event any) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return object{"token": "x", "team_id": s.TeamID, "api_app_id": "A111", "type": "event_callback", "event_id": "Ev" + random(6), "event_time": 1700000000,
		"authorizations":        []any{object{"enterprise_id": nil, "team_id": s.TeamID, "user_id": s.BotUser, "is_bot": true, "is_enterprise_install": false}},
		"is_ext_shared_channel": false, "event": event}
}

// Say writes a message for a user, in a thread or, with "", in none, and tells the
// app of it as its scopes allow: a mention in a channel comes twice. It gives the
// message's time stamp.
func (s *Slack) Say(user, channel, thread, text string) string {
	s.t.Helper()
	return s.say(user, channel, thread, text, nil)
}

// Picture and Clip are files of a message.
func Picture() map[string]any {
	return object{"id": "F" + random(4), "mimetype": "image/jpeg", "name": "x.jpg"}
}

// Clip is an audio clip with its words.
func Clip(words string) map[string]any {
	return object{"id": "F" + random(4), "mimetype": "audio/mp4", "subtype": "slack_audio", "transcription": object{"status": "complete", "preview": object{"content": words, "has_more": false}}}
}

// Share writes a message with files: it comes as file_share alone [file].
func (s *Slack) Share(user, channel, thread, text string, files ...map[string]any) string {
	s.t.Helper()
	return s.say(user, channel, thread, text, files)
}

// Edit changes a user's message, and Remove deletes it [change].
func (s *Slack) Edit(user, channel, ts, text string) {
	s.t.Helper()
	s.mu.Lock()
	m := s.message(channel, ts)
	was := s.inner(m)
	m.Text = text
	now := s.inner(m)
	now["edited"] = object{"user": user, "ts": s.ts()}
	e := object{"type": "message", "subtype": "message_changed", "hidden": true, "channel": channel, "channel_type": s.channelType(channel), "ts": s.ts(), "event_ts": s.ts(), "message": now, "previous_message": was}
	history := slices.Contains(s.scopes, "channels:history") || strings.HasPrefix(channel, "D")
	mention := strings.Contains(text, "<@"+s.BotUser+">") && !strings.HasPrefix(channel, "D")
	s.mu.Unlock()
	if mention { // it comes as an app_mention, with the same time stamp
		again := s.inner(m)
		again["type"], again["channel"], again["event_ts"], again["edited"] = "app_mention", channel, ts, now["edited"]
		s.deliver(Event, s.Wrap(again))
	}
	if history {
		s.deliver(Event, s.Wrap(e))
	}
}

// React adds a reaction to a message: the app is told where its scopes allow it and it is
// in the conversation (docs.slack.dev/reference/events/reaction_added).
func (s *Slack) React(user string, m Message, name string) {
	s.t.Helper()
	s.mu.Lock()
	heard := slices.Contains(s.scopes, "reactions:read") && slices.Contains(s.channels[m.Channel].Members, s.BotUser) && m.Only == ""
	e := object{"type": "reaction_added", "user": user, "reaction": name, "item_user": m.User, "event_ts": s.ts(), "item": object{"type": "message", "channel": m.Channel, "ts": m.TS}}
	s.mu.Unlock()
	if heard {
		s.deliver(Event, s.Wrap(e))
	}
}

// Remove is described at Edit.
func (s *Slack) Remove(channel, ts string) {
	s.t.Helper()
	s.mu.Lock()
	m := s.message(channel, ts)
	m.Gone = true
	e := object{"type": "message", "subtype": "message_deleted", "hidden": true, "channel": channel, "channel_type": s.channelType(channel), "ts": s.ts(), "event_ts": s.ts(), "deleted_ts": ts, "previous_message": s.inner(m)}
	s.mu.Unlock()
	s.deliver(Event, s.Wrap(e))
}

// channelType is a channel's kind as events have it. The caller holds mu.
func (s *Slack) channelType(channel string) string {
	switch ch := s.channels[channel]; {
	case strings.HasPrefix(channel, "D"):
		return "im"
	case ch != nil && strings.HasPrefix(ch.Name, "mpdm-"):
		return "mpim"
	case ch != nil && ch.Private:
		return "group"
	}
	return "channel"
}

// inner is a message as it stands inside an event.
func (s *Slack) inner(m *Message) object {
	o := object{"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": s.TeamID}
	if m.ThreadTS != "" {
		o["thread_ts"] = m.ThreadTS
	}
	return o
}

func (s *Slack) say(user, channel, thread, text string, files []map[string]any) string {
	s.t.Helper()
	s.mu.Lock()
	m := &Message{Channel: channel, TS: s.ts(), ThreadTS: thread, User: user, Text: text}
	s.messages = append(s.messages, m)
	member := slices.Contains(s.channels[channel].Members, s.BotUser)
	history, kind := slices.Contains(s.scopes, "channels:history"), s.channelType(channel)
	s.touch()
	s.mu.Unlock()
	if !member {
		return m.TS
	}
	event := func(kind, channelType string) object {
		e := object{"type": kind, "user": user, "text": text, "ts": m.TS, "event_ts": m.TS, "channel": channel, "team": s.TeamID, "client_msg_id": random(8)}
		if channelType != "" {
			e["channel_type"] = channelType
		}
		if len(files) > 0 {
			e["subtype"], e["files"] = "file_share", files
		}
		s.mu.Lock()
		if u := s.users[user]; u != nil && u.Team != "" { // [connect]
			e["team"], e["user_team"], e["source_team"] = u.Team, u.Team, u.Team
		}
		s.mu.Unlock()
		if thread != "" {
			e["thread_ts"] = thread
			s.mu.Lock()
			if root := s.message(channel, thread); root != nil {
				e["parent_user_id"] = root.User
			}
			s.mu.Unlock()
		}
		return e
	}
	if strings.HasPrefix(channel, "D") {
		s.deliver(Event, s.Wrap(event("message", "im")))
		return m.TS
	}
	if strings.Contains(text, "<@"+s.BotUser+">") && len(files) == 0 {
		s.deliver(Event, s.Wrap(event("app_mention", "")))
	}
	if history {
		s.deliver(Event, s.Wrap(event("message", kind)))
	}
	return m.TS
}

// Mention asks the bot in a channel.
func (s *Slack) Mention(user, channel, thread, text string) string {
	s.t.Helper()
	return s.Say(user, channel, thread, "<@"+s.BotUser+"> "+text)
}

func (s *Slack) deliver(kind string, payload any) Ack {
	s.t.Helper()
	ack := s.Deliver(kind, payload)
	if ack.Status != http.StatusOK {
		s.t.Fatalf("%s: acknowledged with %d %s", kind, ack.Status, ack.Body)
	}
	return ack
}

// CommandPayload is a slash command as Slack sends it.
func (s *Slack) CommandPayload(user, channel, text string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := "directmessage"
	if c := s.channels[channel]; c != nil {
		name = c.Name
	}
	return object{"token": "x", "team_id": s.TeamID, "team_domain": "hospital", "channel_id": channel, "channel_name": name, "user_id": user, "user_name": strings.ToLower(s.nameOf(user)),
		"command": "/canteen", "text": text, "api_app_id": "A111", "is_enterprise_install": "false", "response_url": s.responseURL(channel, user, nil), "trigger_id": s.newTrigger(user)}
}

// Command types a slash command and gives what its user sees.
func (s *Slack) Command(user, channel, text string) Message {
	s.t.Helper()
	ack := s.deliver(CommandKind, s.CommandPayload(user, channel, text))
	var body struct {
		ResponseType string          `json:"response_type"`
		Text         string          `json:"text"`
		Blocks       json.RawMessage `json:"blocks"`
	}
	if len(ack.Body) == 0 {
		return Message{}
	}
	if err := json.Unmarshal(ack.Body, &body); err != nil {
		s.t.Fatalf("answer to a command: %v: %s", err, ack.Body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touch()
	if no := s.respond(ticket{channel: channel, user: user}, body.ResponseType == "in_channel", false, "", body.Text, body.Blocks); no != "" {
		s.t.Fatalf("answer to a command: %s: %s", no, ack.Body)
	}
	return *s.messages[len(s.messages)-1]
}

func (s *Slack) nameOf(user string) string {
	if u := s.users[user]; u != nil {
		return u.Name
	}
	return ""
}

func (s *Slack) teamOf(user string) string {
	if u := s.users[user]; u != nil && u.Team != "" {
		return u.Team
	}
	return s.TeamID
}

// envelopeOf is what every press has. The caller holds mu.
func (s *Slack) envelopeOf(kind, user string) object {
	return object{"type": kind, "user": object{"id": user, "username": strings.ToLower(s.nameOf(user)), "name": strings.ToLower(s.nameOf(user)), "team_id": s.teamOf(user)},
		"team": object{"id": s.TeamID, "domain": "hospital"}, "enterprise": nil, "is_enterprise_install": false, "api_app_id": "A111", "token": "x", "trigger_id": s.newTrigger(user)}
}

// PressPayload is a press on a button of a message, by its label, as Slack sends
// it.
func (s *Slack) PressPayload(user string, m Message, label string) map[string]any {
	s.t.Helper()
	act, ok := find(m.Blocks, label)
	if !ok {
		s.t.Fatalf("no button %q in: %s %v", label, m.Read(), m.Buttons())
	}
	return s.ActionPayload(user, m, act)
}

// ActionPayload is a press with any value in it.
func (s *Slack) ActionPayload(user string, m Message, act Action) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.envelopeOf("block_actions", user)
	var real *Message
	for _, x := range s.messages {
		if x.Channel == m.Channel && x.TS == m.TS {
			real = x
		}
	}
	container := object{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.Only != ""}
	message := object{"type": "message", "ts": m.TS, "text": m.Text, "user": s.BotUser}
	if m.ThreadTS != "" {
		container["thread_ts"], message["thread_ts"] = m.ThreadTS, m.ThreadTS
	}
	p["container"], p["message"], p["response_url"] = container, message, s.responseURL(m.Channel, user, real)
	if c := s.channels[m.Channel]; c != nil {
		p["channel"] = object{"id": c.ID, "name": c.Name}
	}
	p["actions"] = []any{s.action(act)}
	p["state"] = object{"values": object{}}
	return p
}

func (s *Slack) action(act Action) object {
	x := object{"type": act.Type, "action_id": act.ID, "block_id": act.Block, "action_ts": s.ts()}
	if act.Type == "button" {
		x["value"] = act.Value
		x["text"] = object{"type": "plain_text", "text": "x"}
	} else {
		x["selected_option"] = object{"value": act.Value, "text": object{"type": "plain_text", "text": "x"}}
	}
	return x
}

// Press presses a button of a message.
func (s *Slack) Press(user string, m Message, label string) {
	s.t.Helper()
	s.deliver(Interactive, s.PressPayload(user, m, label))
}

// viewPayload is an action within a view. The caller holds mu.
func (s *Slack) viewPayload(kind, user string, v View) object {
	p := s.envelopeOf(kind, user)
	var view object
	_ = json.Unmarshal(v.Raw, &view)
	view["id"], view["hash"], view["team_id"], view["app_id"] = v.ID, v.Hash, s.TeamID, "A111"
	view["blocks"] = v.Blocks
	view["state"] = object{"values": []any{}}
	p["view"], p["container"] = view, object{"type": "view", "view_id": v.ID}
	return p
}

// PressView presses a button of a view, or with value picks one of a menu, which
// goes by its action id.
func (s *Slack) PressView(user string, v View, label, value string) {
	s.t.Helper()
	act, ok := find(v.Blocks, label)
	if !ok {
		s.t.Fatalf("no button %q in: %s %v", label, v.Read(), v.Buttons())
	}
	if value != "" {
		act.Value = value
	}
	s.mu.Lock()
	p := s.viewPayload("block_actions", user, v)
	p["actions"] = []any{s.action(act)}
	s.mu.Unlock()
	s.deliver(Interactive, p)
}

// Search types into a menu of a view and gives the values that it offers.
func (s *Slack) Search(user string, v View, id, text string) []string {
	s.t.Helper()
	act, ok := find(v.Blocks, id)
	if !ok {
		s.t.Fatalf("no menu %q in: %s", id, v.Read())
	}
	s.mu.Lock()
	p := s.viewPayload("block_suggestion", user, v)
	p["action_id"], p["block_id"], p["value"] = act.ID, act.Block, text
	s.mu.Unlock()
	ack := s.deliver(Interactive, p)
	var body struct {
		Options []struct {
			Text  struct{ Type, Text string } `json:"text"`
			Value string                      `json:"value"`
		} `json:"options"`
	}
	if err := json.Unmarshal(ack.Body, &body); err != nil {
		s.t.Fatalf("options: %v: %s", err, ack.Body)
	}
	values := []string{}
	for _, o := range body.Options {
		if len([]rune(o.Text.Text)) > 75 || len(o.Value) > 75 || o.Text.Type != "plain_text" {
			s.t.Fatalf("option %v breaks Slack's limits", o)
		}
		values = append(values, o.Value)
	}
	return values
}

// editor is what Slack's editor makes of a text that is typed into it: a rich_text block,
// with bullets as a list and addresses as links. A text that is a rich_text block's JSON
// already is taken as it is.
func editor(typed string) any {
	if strings.HasPrefix(typed, `{"type":"rich_text"`) {
		return json.RawMessage(typed)
	}
	var elements, items []any
	pieces := func(line string) []any {
		var list []any
		for i, word := range strings.SplitAfter(line, " ") {
			bare := strings.TrimSpace(word)
			switch {
			case strings.HasPrefix(bare, "http://") || strings.HasPrefix(bare, "https://"):
				list = append(list, object{"type": "link", "url": bare})
				if bare != word {
					list = append(list, object{"type": "text", "text": " "})
				}
			case i > 0 && len(list) > 0 && list[len(list)-1].(object)["type"] == "text":
				last := list[len(list)-1].(object)
				last["text"] = last["text"].(string) + word
			default:
				list = append(list, object{"type": "text", "text": word})
			}
		}
		return list
	}
	flush := func() {
		if len(items) > 0 {
			elements = append(elements, object{"type": "rich_text_list", "style": "bullet", "indent": 0, "elements": items})
			items = nil
		}
	}
	for line := range strings.SplitSeq(typed, "\n") {
		if item, ok := strings.CutPrefix(line, "• "); ok {
			items = append(items, object{"type": "rich_text_section", "elements": pieces(item)})
			continue
		}
		flush()
		list := append(pieces(line), object{"type": "text", "text": "\n"})
		if n := len(elements); n > 0 && elements[n-1].(object)["type"] == "rich_text_section" {
			section := elements[n-1].(object)
			section["elements"] = append(section["elements"].([]any), list...)
			continue
		}
		elements = append(elements, object{"type": "rich_text_section", "elements": list})
	}
	flush()
	return object{"type": "rich_text", "elements": elements}
}

// SubmitPayload is a modal filled in, as Slack sends it. Fields that are not given
// keep what they were filled with.
func (s *Slack) SubmitPayload(user string, v View, fields map[string]string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.viewPayload("view_submission", user, v)
	values := object{}
	for _, b := range v.Blocks {
		block := b.(map[string]any)
		element, ok := block["element"].(map[string]any)
		if !ok {
			continue
		}
		id, name := element["action_id"].(string), block["block_id"].(string)
		state := object{"type": element["type"]}
		given, ok := fields[name]
		switch element["type"] {
		case "plain_text_input":
			state["value"] = element["initial_value"]
			if ok {
				state["value"] = given
			}
		case "rich_text_input":
			if ok {
				state["rich_text_value"] = editor(given)
			}
		case "users_select":
			state["selected_user"] = given
		case "checkboxes":
			list := []any{}
			for v := range strings.SplitSeq(given, "\n") {
				if v != "" {
					list = append(list, object{"value": v, "text": object{"type": "plain_text", "text": v}})
				}
			}
			state["selected_options"] = list
		default:
			if first, is := element["initial_option"].(map[string]any); !ok && is {
				given, _ = first["value"].(string)
			}
			state["selected_option"] = object{"value": given, "text": object{"type": "plain_text", "text": given}}
		}
		values[name] = object{id: state}
	}
	p["view"].(object)["state"] = object{"values": values}
	p["response_urls"] = []any{}
	return p
}

// Submit sends a modal filled in. It gives the errors that keep the modal open, or
// what the modal shows instead, or neither when it closes.
func (s *Slack) Submit(user string, v View, fields map[string]string) (errs map[string]string, then *View) {
	s.t.Helper()
	ack := s.deliver(Interactive, s.SubmitPayload(user, v, fields))
	if len(ack.Body) == 0 {
		return nil, nil
	}
	var body struct {
		ResponseAction string            `json:"response_action"`
		Errors         map[string]string `json:"errors"`
		View           json.RawMessage   `json:"view"`
	}
	if err := json.Unmarshal(ack.Body, &body); err != nil {
		s.t.Fatalf("answer to a form: %v: %s", err, ack.Body)
	}
	switch body.ResponseAction {
	case "errors":
		for name := range body.Errors {
			if !slices.ContainsFunc(v.Blocks, func(b any) bool { return b.(map[string]any)["block_id"] == name }) {
				s.t.Fatalf("answer to a form: an error on %q, which it does not have", name)
			}
		}
		return body.Errors, nil
	case "update":
		s.mu.Lock()
		defer s.mu.Unlock()
		_, no := s.view("views.update", map[string][]string{"view_id": {v.ID}, "view": {string(body.View)}})
		if no != "" {
			s.t.Fatalf("answer to a form: %s: %s", no, body.View)
		}
		s.touch()
		return nil, s.views[len(s.views)-1]
	}
	s.t.Fatalf("answer to a form: %s", ack.Body)
	return nil, nil
}

// Shortcut uses the message shortcut on a message.
func (s *Slack) Shortcut(user string, m Message) {
	s.t.Helper()
	s.mu.Lock()
	p := s.envelopeOf("message_action", user)
	p["callback_id"], p["action_ts"], p["message_ts"] = "ask_canteen", s.ts(), m.TS
	p["message"] = object{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text}
	p["channel"] = object{"id": m.Channel, "name": s.channels[m.Channel].Name}
	if s.channels[m.Channel].Private {
		p["channel"] = object{"id": m.Channel, "name": "privategroup"}
	}
	p["response_url"] = s.responseURL(m.Channel, user, nil)
	s.mu.Unlock()
	s.deliver(Interactive, p)
}

// OpenHome opens a user's Home tab and gives what is drawn for it.
func (s *Slack) OpenHome(user string) View {
	s.t.Helper()
	n := s.Calls("views.publish")
	s.deliver(Event, s.Wrap(object{"type": "app_home_opened", "user": user, "channel": s.Direct(user), "tab": "home", "event_ts": fmt.Sprint(n),
		"view": object{"id": "V0", "type": "home", "state": object{"values": []any{}}}}))
	s.AwaitCalls("views.publish", n+1)
	return s.AwaitView(user, "home", nil)
}
