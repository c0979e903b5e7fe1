package teamstest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func (f *Fake) serve(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case path == "/metadata" || path == "/keys":
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.Outage {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if path == "/metadata" {
			f.fetches++
			answer(w, http.StatusOK, map[string]any{"issuer": Issuer, "jwks_uri": f.server.URL + "/keys"})
			return
		}
		answer(w, http.StatusOK, map[string]any{"keys": f.listed})
	case path == "/login/"+Tenant+"/oauth2/v2.0/token":
		f.giveToken(w, r)
	case strings.HasPrefix(path, "/emea/v3/"):
		f.mu.Lock()
		f.calls = append(f.calls, r.Method+" "+path)
		good := f.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		script := f.Script
		f.mu.Unlock()
		if !good {
			refuse(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		if script != nil && script(w, r) {
			return
		}
		f.connect(w, r, strings.Split(strings.TrimPrefix(path, "/emea/v3/"), "/"))
	default:
		http.NotFound(w, r)
	}
}

// maxMessage is Teams' limit.
const maxMessage = 100 << 10

// connect answers a call of the connector's, of parts of a path that are still escaped.
func (f *Fake) connect(w http.ResponseWriter, r *http.Request, parts []string) {
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil {
			refuse(w, http.StatusBadRequest, "BadPath")
			return
		}
		parts[i] = s
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxMessage+1))
	if len(body) > maxMessage {
		refuse(w, http.StatusRequestEntityTooLarge, "MessageSizeTooBig")
		return
	}
	var act map[string]any
	if len(body) > 0 && json.Unmarshal(body, &act) != nil {
		refuse(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	call := r.Method + " " + parts[0]
	if len(parts) > 2 {
		call += "/" + parts[2]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case call == "POST conversations" && len(parts) == 1:
		f.create(w, act)
	case call == "GET conversations/pagedmembers" && len(parts) == 3:
		f.roster(w, r, parts[1])
	case call == "GET teams/conversations" && len(parts) == 3:
		answer(w, http.StatusOK, map[string]any{"conversations": []any{map[string]string{"id": Team}, map[string]string{"id": Channel, "name": "Questions"}}})
	case call == "POST conversations/activities" && len(parts) == 3:
		f.post(w, parts[1], act)
	case call == "PUT conversations/activities" && len(parts) == 4:
		f.update(w, parts[1], parts[3], act)
	default:
		refuse(w, http.StatusNotFound, "NotFound")
	}
}

// post posts an activity into a conversation.
func (f *Fake) post(w http.ResponseWriter, conversation string, act map[string]any) {
	if !f.known[before(conversation)] {
		refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
		return
	}
	if cut := split(act); cut != nil { // [split]
		for _, part := range cut {
			f.write(conversation, "", part)
		}
		answer(w, http.StatusAccepted, map[string]string{})
		return
	}
	answer(w, http.StatusCreated, map[string]string{"id": f.write(conversation, "", act)})
}

// update puts an activity in the place of one that was posted.
func (f *Fake) update(w http.ResponseWriter, conversation, id string, act map[string]any) {
	m := f.messages[id]
	if !f.known[before(conversation)] { // [gone]
		refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
		return
	}
	if split(act) != nil { // [split]
		refuse(w, http.StatusBadRequest, "BadSyntax")
		return
	}
	if m == nil || m.Deleted || before(m.Conversation) != before(conversation) {
		refuse(w, http.StatusNotFound, "ActivityNotFoundInConversation")
		return
	}
	f.write(m.Conversation, m.ID, act)
	answer(w, http.StatusOK, map[string]string{"id": m.ID})
}

// create makes a thread in a channel, or gives a private chat.
func (f *Fake) create(w http.ResponseWriter, act map[string]any) {
	if act["isGroup"] != true {
		members, _ := act["members"].([]any)
		if len(members) != 1 || act["tenantId"] != Tenant {
			refuse(w, http.StatusBadRequest, "BadArgument")
			return
		}
		id, _ := members[0].(map[string]any)["id"].(string)
		if !strings.HasPrefix(id, "29:") {
			refuse(w, http.StatusBadRequest, "BadArgument")
			return
		}
		chat := (Person{ID: id}).Chat()
		f.known[chat] = true
		answer(w, http.StatusCreated, map[string]string{"id": chat})
		return
	}
	data, _ := act["channelData"].(map[string]any)
	channel, _ := data["channel"].(map[string]any)
	id, _ := channel["id"].(string)
	first, _ := act["activity"].(map[string]any)
	if id == "" || first == nil {
		refuse(w, http.StatusBadRequest, "BadArgument")
		return
	}
	if !f.known[id] {
		refuse(w, http.StatusForbidden, "BotNotInConversationRoster")
		return
	}
	if cut := split(first); cut != nil { // [split]; whether the card follows is not documented
		first = cut[0]
	}
	message := f.write(id, "", first)
	answer(w, http.StatusCreated, map[string]string{"id": id + ";messageid=" + message, "activityId": message})
}

// split is what Teams makes of an activity with text and a card, or nil.
func split(act map[string]any) []map[string]any {
	text, _ := act["text"].(string)
	list, _ := act["attachments"].([]any)
	if text == "" || len(list) == 0 {
		return nil
	}
	first, second := map[string]any{}, map[string]any{}
	for k, v := range act {
		first[k], second[k] = v, v
	}
	delete(first, "attachments")
	delete(second, "text")
	return []map[string]any{first, second}
}

// roster gives two members a page.
func (f *Fake) roster(w http.ResponseWriter, r *http.Request, conversation string) {
	if conversation != Channel && conversation != Team {
		refuse(w, http.StatusNotFound, "ConversationNotFound")
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continuationToken"))
	page := map[string]any{}
	var list []any
	for i := from; i < len(f.members) && i < from+2; i++ {
		m := f.members[i]
		role := "user"
		if slices.Contains(f.guests, m) {
			role = "guest"
		}
		list = append(list, map[string]string{"id": m.ID, "name": m.Name, "objectId": m.Object, "tenantId": Tenant, "userRole": role})
	}
	if from+2 < len(f.members) {
		page["continuationToken"] = strconv.Itoa(from + 2)
	}
	page["members"] = list
	answer(w, http.StatusOK, page)
}

// write puts a message into a conversation, or replaces one. The caller holds mu.
func (f *Fake) write(conversation, id string, act map[string]any) string {
	if id == "" {
		f.count++
		id = strconv.Itoa(f.count)
		if strings.HasPrefix(conversation, "19:") && !strings.Contains(conversation, ";messageid=") {
			conversation += ";messageid=" + id
		}
		f.messages[id] = &Message{Conversation: conversation, ID: id}
		f.order = append(f.order, id)
	}
	m := f.messages[id]
	m.Activity = act
	m.Versions++
	close(f.changed)
	f.changed = make(chan struct{})
	return id
}

func before(conversation string) string {
	s, _, _ := strings.Cut(conversation, ";")
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // who asked is gone otherwise
}

func refuse(w http.ResponseWriter, status int, code string) {
	answer(w, status, map[string]any{"error": map[string]string{"code": code, "message": code}})
}

func (f *Fake) giveToken(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_id") != AppID || r.PostFormValue("client_secret") != f.Secret || r.PostFormValue("grant_type") != "client_credentials" || r.PostFormValue("scope") != Issuer+"/.default" {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."})
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens++
	token := fmt.Sprintf("bot-token-%d", f.tokens)
	f.issued[token] = true
	answer(w, http.StatusOK, map[string]any{"token_type": "Bearer", "access_token": token, "expires_in": 3600})
}
