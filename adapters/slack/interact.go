package slack

import (
	"context"
	"encoding/json"

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
	m := bot.Message{Keys: keys(letter), Addressed: true, Audience: bot.Private, Direct: direct(x.User.ID), At: a.now(),
		From: bot.Person{ID: person(x.User.ID), Name: a.userName(ctx, x.User.ID, or(x.User.Name, x.User.Username))}}
	channel := or(x.Container.ChannelID, x.Channel.ID)
	switch s := x.surface(); {
	case channel == "" || s == inHome || s == inModal:
		if m.In = m.Direct; s == inModal {
			m.Audience = bot.InReply
		}
	default:
		m.In = place(channel, or(x.Container.ThreadTS, x.Message.ThreadTS))
		switch {
		case s == inEphemeral:
			m.Audience = bot.InReply
		case !isDirect(channel):
			m.Audience = bot.Shared
		}
		if !isDirect(channel) {
			m.Where, m.Link = a.whereOf(ctx, channel, or(x.Container.ThreadTS, x.Message.ThreadTS), "")
		}
	}
	if x.TriggerID != "" {
		m.Keys = append(m.Keys, "slack:"+x.Type+":"+x.TriggerID)
	}
	return m
}
