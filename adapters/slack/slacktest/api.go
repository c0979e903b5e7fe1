package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// known are the parameters that each method may be called with here.
var known = map[string][]string{
	"auth.test":             {},
	"apps.connections.open": {},
	"chat.postMessage":      {"channel", "text", "blocks", "thread_ts", "metadata", "unfurl_links", "unfurl_media"},
	"chat.update":           {"channel", "ts", "text", "blocks", "metadata", "unfurl_links", "unfurl_media"},
	"chat.postEphemeral":    {"channel", "user", "text", "blocks", "thread_ts", "unfurl_links", "unfurl_media"},
	"chat.delete":           {"channel", "ts"},
	"conversations.info":    {"channel", "include_locale", "include_num_members"},
	"conversations.members": {"channel", "cursor", "limit"},
	"conversations.open":    {"users", "channel", "return_im"},
	"conversations.history": {"channel", "cursor", "limit", "oldest", "latest", "inclusive", "include_all_metadata"},
	"conversations.replies": {"channel", "ts", "cursor", "limit", "oldest", "latest", "inclusive", "include_all_metadata"},
	"users.info":            {"user", "include_locale"},
	"views.open":            {"trigger_id", "view"},
	"views.push":            {"trigger_id", "view"},
	"views.update":          {"view_id", "view", "hash", "external_id"},
	"views.publish":         {"user_id", "view", "hash"},
}

// scopeOf is what a method needs.
var scopeOf = map[string]string{
	"chat.postMessage": "chat:write", "chat.update": "chat:write", "chat.postEphemeral": "chat:write", "chat.delete": "chat:write",
	"conversations.open": "im:write", "users.info": "users:read", "conversations.info": "channels:read", "conversations.members": "channels:read",
}

type object = map[string]any

// refused is an answer with "ok": false.
type refused string

func (s *Slack) api(w http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	form := url.Values{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		var fields map[string]json.RawMessage
		if len(body) > 0 && json.Unmarshal(body, &fields) != nil {
			s.answer(w, nil, "invalid_json")
			return
		}
		for k, v := range fields {
			var text string
			if json.Unmarshal(v, &text) != nil {
				text = string(v)
			}
			form.Set(k, text)
		}
	} else {
		form, _ = url.ParseQuery(string(body))
		for k, v := range r.URL.Query() {
			form[k] = v
		}
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = form.Get("token")
	}
	form.Del("token")

	s.mu.Lock()
	s.calls[method]++
	wait := s.slow[method]
	if wait > 0 {
		s.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-r.Context().Done():
		}
		s.mu.Lock()
	}
	var f Failure
	if q := s.scripts[method]; len(q) > 0 {
		f, s.scripts[method] = q[0], q[1:]
	}
	var out object
	var no refused
	if f == (Failure{}) || f.Done {
		out, no = s.call(method, token, form)
	}
	if no != "" {
		s.refusals = append(s.refusals, method+": "+string(no))
	}
	s.touch()
	scopes := strings.Join(s.scopes, ",")
	s.mu.Unlock()

	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-s.closed:
		}
		return
	case f.Status != 0:
		if f.RetryAfter != 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.WriteHeader(f.Status)
		return
	case f.Error != "":
		no = refused(f.Error)
	}
	w.Header().Set("X-OAuth-Scopes", scopes)
	s.answer(w, out, no)
}

func (s *Slack) answer(w http.ResponseWriter, out object, no refused) {
	if out == nil {
		out = object{}
	}
	out["ok"] = no == ""
	if no != "" {
		out["error"] = string(no)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(out)
}

// call carries out a method. The caller holds mu.
func (s *Slack) call(method, token string, form url.Values) (object, refused) {
	fields, ok := known[method]
	switch {
	case !ok:
		return nil, "unknown_method"
	case token == "":
		return nil, "not_authed"
	case s.revoked:
		return nil, "token_revoked"
	case token != s.BotToken && token != s.AppToken:
		return nil, "invalid_auth"
	case (token == s.AppToken) != (method == "apps.connections.open"):
		return nil, "not_allowed_token_type"
	}
	for k := range form {
		if !slices.Contains(fields, k) {
			return nil, refused("invalid_arguments: " + k)
		}
	}
	if scope := scopeOf[method]; scope != "" && !slices.Contains(s.scopes, scope) {
		return nil, "missing_scope"
	}
	switch method {
	case "auth.test":
		return object{"url": s.server.URL, "team": "Hospital", "user": "canteen", "team_id": s.TeamID, "user_id": s.BotUser, "bot_id": "BCANTEEN"}, ""
	case "apps.connections.open":
		return object{"url": "ws" + strings.TrimPrefix(s.server.URL, "http") + "/socket?ticket=" + random(8)}, ""
	case "users.info":
		u, ok := s.users[form.Get("user")]
		if !ok {
			return nil, "user_not_found"
		}
		name, team := u.Name, u.Team
		if team == "" {
			team = s.TeamID
		}
		return object{"user": object{"id": form.Get("user"), "team_id": team, "is_stranger": u.Team != "", "is_restricted": u.Guest, "is_ultra_restricted": false, "deleted": u.Disabled, "name": strings.ToLower(name), "real_name": name, "profile": object{"real_name": name, "display_name": ""}}}, ""
	case "conversations.open":
		user := form.Get("users")
		u, ok := s.users[user]
		switch {
		case !ok:
			return nil, "user_not_found"
		case u.Disabled: // [disabled]
			return nil, "user_disabled"
		}
		return object{"channel": object{"id": s.direct(user)}}, ""
	case "views.open", "views.push", "views.update", "views.publish":
		return s.view(method, form)
	}
	ch := s.channels[form.Get("channel")]
	if ch == nil {
		return nil, "channel_not_found"
	}
	switch method {
	case "conversations.info":
		return object{"channel": object{"id": ch.ID, "name": ch.Name, "is_channel": !ch.Private, "is_private": ch.Private, "is_mpim": strings.HasPrefix(ch.Name, "mpdm-"), "is_ext_shared": ch.Shared, "is_archived": ch.Archived, "is_member": slices.Contains(ch.Members, s.BotUser)}}, ""
	case "conversations.members":
		return page(ch.Members, form)
	case "conversations.history", "conversations.replies":
		return s.history(ch, form)
	}
	return s.chat(method, ch, form)
}

// page gives one page of a list of ids.
func page(all []string, form url.Values) (object, refused) {
	from, _ := strconv.Atoi(form.Get("cursor"))
	n, _ := strconv.Atoi(form.Get("limit"))
	if n <= 0 {
		n = 100
	}
	if n > 1000 { // [members]
		return nil, "invalid_limit"
	}
	from = min(from, len(all))
	to, next := min(from+n, len(all)), ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return object{"members": all[from:to], "response_metadata": object{"next_cursor": next}}, ""
}

func (s *Slack) history(ch *Channel, form url.Values) (object, refused) {
	need := "channels:history"
	if strings.HasPrefix(ch.ID, "D") {
		need = "im:history"
	}
	if !slices.Contains(s.scopes, need) {
		return nil, "missing_scope"
	}
	list := []object{}
	for _, m := range slices.Backward(s.messages) {
		if m.Channel != ch.ID || m.Only != "" || m.Gone || m.responseURL != "" || m.TS < form.Get("oldest") {
			continue
		}
		if root := form.Get("ts"); root != "" && m.TS != root && m.ThreadTS != root || root == "" && m.ThreadTS != "" {
			continue
		}
		x := object{"type": "message", "ts": m.TS, "user": m.User, "text": m.Text}
		if m.Key != "" && form.Get("include_all_metadata") != "" && form.Get("include_all_metadata") != "0" {
			x["metadata"] = object{"event_type": "canteen_delivery", "event_payload": object{"id": m.Key}}
		}
		list = append(list, x)
	}
	return object{"messages": list, "has_more": false}, ""
}

// chat carries out what writes.
func (s *Slack) chat(method string, ch *Channel, form url.Values) (object, refused) {
	switch {
	case ch.Archived:
		return nil, "is_archived"
	case !slices.Contains(ch.Members, s.BotUser):
		return nil, "not_in_channel"
	case strings.HasPrefix(ch.ID, "D") && s.users[strings.TrimPrefix(ch.ID, "D")] != nil && s.users[strings.TrimPrefix(ch.ID, "D")].Disabled: // [disabled]
		return nil, "user_disabled"
	}
	if method == "chat.delete" {
		m := s.message(ch.ID, form.Get("ts"))
		if m == nil {
			return nil, "message_not_found"
		}
		m.Gone = true
		return object{"channel": ch.ID, "ts": m.TS}, ""
	}
	text := form.Get("text")
	blocks, no := s.blocks("blocks", []byte(form.Get("blocks")), 50)
	if no == "" && text == "" && len(blocks) == 0 {
		no = "no_text"
	}
	if no == "" && utf8.RuneCountInString(text) > 40_000 {
		no = "msg_too_long"
	}
	if no != "" {
		return nil, no
	}
	var meta struct {
		EventType    string            `json:"event_type"`
		EventPayload map[string]string `json:"event_payload"`
	}
	if raw := form.Get("metadata"); raw != "" && json.Unmarshal([]byte(raw), &meta) != nil {
		return nil, "invalid_metadata_format"
	}
	switch method {
	case "chat.update":
		m := s.message(ch.ID, form.Get("ts"))
		if m == nil {
			return nil, "message_not_found"
		}
		m.Text, m.Blocks, m.Edits = text, blocks, m.Edits+1
		return object{"channel": ch.ID, "ts": m.TS, "text": text}, ""
	case "chat.postEphemeral":
		if !slices.Contains(ch.Members, form.Get("user")) {
			return nil, "user_not_in_channel"
		}
		m := &Message{Channel: ch.ID, TS: s.ts(), ThreadTS: form.Get("thread_ts"), User: s.BotUser, Only: form.Get("user"), Text: text, Blocks: blocks}
		s.messages = append(s.messages, m)
		return object{"message_ts": m.TS}, ""
	}
	m := &Message{Channel: ch.ID, TS: s.ts(), ThreadTS: form.Get("thread_ts"), User: s.BotUser, Text: text, Blocks: blocks, Key: meta.EventPayload["id"]}
	s.messages = append(s.messages, m)
	return object{"channel": ch.ID, "ts": m.TS, "message": object{"ts": m.TS, "text": text}}, ""
}

func (s *Slack) message(channel, ts string) *Message {
	i := slices.IndexFunc(s.messages, func(m *Message) bool { return m.Channel == channel && m.TS == ts && m.Only == "" && !m.Gone })
	if i < 0 {
		return nil
	}
	return s.messages[i]
}

// view carries out what shows modals and Home tabs. A trigger is good once.
func (s *Slack) view(method string, form url.Values) (object, refused) {
	raw := []byte(form.Get("view"))
	var v struct {
		Type       string                `json:"type"`
		CallbackID string                `json:"callback_id"`
		Metadata   string                `json:"private_metadata"`
		Title      struct{ Text string } `json:"title"`
		Submit     struct{ Text string } `json:"submit"`
		Close      struct{ Text string } `json:"close"`
		Blocks     json.RawMessage       `json:"blocks"`
	}
	if json.Unmarshal(raw, &v) != nil {
		return nil, "invalid_arguments"
	}
	blocks, no := s.blocks("view", v.Blocks, 100)
	if no != "" {
		return nil, no
	}
	for _, text := range []string{v.Title.Text, v.Submit.Text, v.Close.Text} {
		if utf8.RuneCountInString(text) > 24 {
			return nil, "invalid_arguments: more than 24 characters"
		}
	}
	if utf8.RuneCountInString(v.Metadata) > 3000 || len(v.CallbackID) > 255 || (v.Type == "home") != (method == "views.publish") {
		return nil, "invalid_arguments: view"
	}
	if s.Check != nil {
		if err := s.Check("view", raw); err != nil {
			return nil, refused("invalid_arguments: " + err.Error())
		}
	}
	next := &View{ID: "V" + random(5), Type: v.Type, CallbackID: v.CallbackID, Metadata: v.Metadata, Title: v.Title.Text, Blocks: blocks, Raw: raw, Hash: random(6)}
	switch method {
	case "views.publish":
		next.User = form.Get("user_id")
	case "views.update":
		i := slices.IndexFunc(s.views, func(x *View) bool { return x.ID == form.Get("view_id") })
		if i < 0 {
			return nil, "not_found"
		}
		next.ID, next.User = s.views[i].ID, s.views[i].User
	default:
		user, ok := s.trigger(form.Get("trigger_id"))
		if !ok {
			return nil, "expired_trigger_id"
		}
		next.User = user
	}
	s.views = append(s.views, next)
	// Slack writes an empty object as an empty list here, which the client's own
	// types do not take.
	return object{"view": object{"id": next.ID, "type": v.Type, "hash": next.Hash, "state": object{"values": []any{}}}}, ""
}

// blocks reads blocks and holds them to Slack's limits.
func (s *Slack) blocks(kind string, raw []byte, most int) ([]any, refused) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, ""
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil {
		return nil, "invalid_blocks_format"
	}
	if len(list) > most {
		return nil, refused(fmt.Sprintf("invalid_blocks: %d blocks", len(list)))
	}
	if kind == "blocks" {
		whole, _ := json.Marshal(list)
		var plain any
		_ = json.Unmarshal(whole, &plain)
		if n := utf8.RuneCountInString(unescaped(whole)); n > 13_200 {
			return nil, "msg_blocks_too_long"
		}
		if s.Check != nil {
			if err := s.Check("blocks", raw); err != nil {
				return nil, refused("invalid_blocks: " + err.Error())
			}
		}
	}
	ids := map[string]bool{}
	for i, b := range list {
		m, ok := b.(map[string]any)
		if !ok {
			return nil, "invalid_blocks_format"
		}
		if id, _ := m["block_id"].(string); id == "" {
			m["block_id"] = fmt.Sprintf("b%d", i)
		}
		if no := block(m, ids); no != "" {
			return nil, refused(fmt.Sprintf("invalid_blocks: /%d: %s", i, no))
		}
	}
	return list, ""
}

func unescaped(data []byte) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data))
}

// limits are the longest text of each kind of block, by key.
var limits = map[string]map[string]int{
	"section": {"text": 3000}, "header": {"text": 150}, "context": {"elements": 3000}, "input": {"label": 2000, "hint": 2000},
	"button": {"text": 75}, "static_select": {"placeholder": 150}, "external_select": {"placeholder": 150}, "users_select": {"placeholder": 150},
}

// block checks a block or an element, and what is in it.
func block(m map[string]any, ids map[string]bool) string {
	kind, _ := m["type"].(string)
	switch kind {
	case "section", "header", "context", "actions", "input", "divider", "button", "static_select", "external_select", "users_select", "checkboxes", "plain_text_input", "rich_text_input", "plain_text", "mrkdwn":
	default:
		return "unknown type " + kind
	}
	if id, ok := m["action_id"].(string); ok {
		if ids[id] || len(id) > 255 {
			return "action_id " + id + " stands twice"
		}
		ids[id] = true
	}
	if v, ok := m["value"].(string); ok && len(v) > 2000 {
		return "value is too long"
	}
	for key, limit := range limits[kind] {
		if text, ok := m[key].(map[string]any); ok {
			s, _ := text["text"].(string)
			if n := utf8.RuneCountInString(s); n == 0 || n > limit {
				return fmt.Sprintf("%s.%s has %d characters", kind, key, n)
			}
		}
	}
	if elements, ok := m["elements"].([]any); ok {
		if most := map[string]int{"actions": 25, "context": 10}[kind]; len(elements) > most || len(elements) == 0 {
			return fmt.Sprintf("%d elements", len(elements))
		}
		for _, e := range elements {
			if no := block(e.(map[string]any), ids); no != "" {
				return no
			}
		}
	}
	if options, ok := m["options"].([]any); ok {
		if len(options) == 0 || len(options) > 100 || kind == "checkboxes" && len(options) > 10 {
			return fmt.Sprintf("%d options", len(options))
		}
		for _, o := range options {
			x, _ := o.(map[string]any)
			value, _ := x["value"].(string)
			text, _ := x["text"].(map[string]any)["text"].(string)
			if n := utf8.RuneCountInString(text); n == 0 || n > 75 || value == "" || utf8.RuneCountInString(value) > 75 {
				return "option " + text
			}
		}
	}
	for _, key := range []string{"element", "accessory"} {
		if x, ok := m[key].(map[string]any); ok {
			if no := block(x, ids); no != "" {
				return no
			}
		}
	}
	return ""
}

// response takes what the app posts to a response URL.
func (s *Slack) response(w http.ResponseWriter, r *http.Request) {
	var body struct {
		ResponseType    string          `json:"response_type"`
		ReplaceOriginal bool            `json:"replace_original"`
		ThreadTS        string          `json:"thread_ts"`
		Text            string          `json:"text"`
		Blocks          json.RawMessage `json:"blocks"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&body); err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.touch()
	s.calls["response_url"]++
	if q := s.scripts["response_url"]; len(q) > 0 {
		s.scripts["response_url"] = q[1:]
		http.Error(w, q[0].Error, max(q[0].Status, http.StatusNotFound))
		return
	}
	ticket, ok := s.tickets(r.PathValue("id"))
	if !ok {
		http.Error(w, "expired_url", http.StatusNotFound)
		return
	}
	if no := s.respond(ticket, body.ResponseType == "in_channel", body.ReplaceOriginal, body.ThreadTS, body.Text, body.Blocks); no != "" {
		s.refusals = append(s.refusals, "response_url: "+string(no))
		http.Error(w, string(no), http.StatusBadRequest)
	}
}

// respond shows what a request took back. The caller holds mu.
func (s *Slack) respond(t ticket, open, replace bool, thread, text string, raw json.RawMessage) refused {
	blocks, no := s.blocks("blocks", raw, 50)
	if no != "" {
		return no
	}
	if replace && t.message != nil {
		t.message.Text, t.message.Blocks, t.message.Edits = text, blocks, t.message.Edits+1
		return ""
	}
	m := &Message{Channel: t.channel, TS: s.ts(), ThreadTS: thread, User: s.BotUser, Only: t.user, Text: text, Blocks: blocks, responseURL: "yes"}
	if open {
		m.Only = ""
	}
	s.messages = append(s.messages, m)
	return ""
}
