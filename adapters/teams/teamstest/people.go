package teamstest

import (
	"fmt"
	"html"
	"maps"
	"strings"
	"testing"
	"time"
)

// Person is somebody in Teams.
type Person struct{ ID, Object, Name string }

// Chat is the id of their private chat with the bot.
func (p Person) Chat() string { return "a:chat-" + strings.TrimPrefix(p.ID, "29:") }

// User makes a person of a name; the same one for the same name.
func User(name string) Person {
	sum := 0
	for _, r := range name {
		sum = (sum*31 + int(r)) % 1_000_000_000_000
	}
	return Person{ID: "29:" + strings.ToLower(strings.ReplaceAll(name, " ", "-")), Object: fmt.Sprintf("33333333-3333-3333-3333-%012d", sum), Name: name}
}

// activity is what all that a person does has.
func (f *Fake) activity(p Person, kind, conversation string) map[string]any {
	f.mu.Lock()
	f.count++
	id := fmt.Sprintf("activity-%d", f.count)
	f.known[before(conversation)] = true
	f.mu.Unlock()
	c := map[string]any{"id": conversation, "tenantId": Tenant, "conversationType": "personal"}
	data := map[string]any{"tenant": map[string]any{"id": Tenant}}
	if strings.HasPrefix(conversation, "19:") {
		c["conversationType"], c["isGroup"] = "groupChat", true
		if strings.Contains(conversation, "@thread.tacv2") {
			c["conversationType"] = "channel"
			data["channel"] = map[string]any{"id": before(conversation)}
			data["team"] = map[string]any{"id": "19:some-team@thread.tacv2"}
			if before(conversation) == Channel {
				data["team"] = map[string]any{"id": Team}
			}
		}
	}
	return map[string]any{"type": kind, "id": id, "channelId": "msteams", "serviceUrl": f.ServiceURL(), "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"from": map[string]any{"id": p.ID, "aadObjectId": p.Object, "name": p.Name}, "recipient": map[string]any{"id": BotID, "name": "Canteen"},
		"conversation": c, "channelData": data}
}

// Say is a message in a person's private chat.
func (f *Fake) Say(p Person, text string) map[string]any {
	a := f.activity(p, "message", p.Chat())
	a["text"], a["textFormat"] = text, "plain"
	return a
}

// Overhear is a message in a channel or a group chat that mentions nobody.
func (f *Fake) Overhear(p Person, conversation, text string) map[string]any {
	a := f.activity(p, "message", conversation)
	a["text"] = text
	return a
}

// Mention is a message in a channel or a group chat that mentions the bot.
func (f *Fake) Mention(p Person, conversation, text string) map[string]any {
	a := f.Overhear(p, conversation, "<at>Canteen</at>&nbsp;"+text)
	a["entities"] = []any{map[string]any{"type": "mention", "text": "<at>Canteen</at>", "mentioned": map[string]any{"id": BotID, "name": "Canteen"}}}
	return a
}

// Quote makes a message one that quotes another of that conversation, in the newer shape
// [quote].
func Quote(a map[string]any, id, preview string) map[string]any {
	a["text"] = `<quoted messageId="` + id + `"/> ` + a["text"].(string)
	list, _ := a["entities"].([]any)
	a["entities"] = append(list, map[string]any{"type": "quotedReply", "quotedReply": map[string]any{"messageId": id, "preview": preview}})
	return a
}

// QuoteInHTML is Quote in the older shape: plain text of all, and beside it the html [quote].
func QuoteInHTML(a map[string]any, quoted string) map[string]any {
	said := a["text"].(string)
	a["text"] = "Canteen\n" + quoted + "\r\n" + said
	a["attachments"] = []any{map[string]any{"contentType": "text/html", "content": `<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="1712"><strong itemprop="mri">Canteen</strong><span itemprop="time"></span><p itemprop="preview">` + html.EscapeString(quoted) + `</p></blockquote><p>` + html.EscapeString(said) + `</p>`}}
	return a
}

// Mentioning adds another person's mention at the end of a message.
func Mentioning(a map[string]any, p Person) map[string]any {
	at := "<at>" + p.Name + "</at>"
	a["text"] = a["text"].(string) + " " + at
	list, _ := a["entities"].([]any)
	a["entities"] = append(list, map[string]any{"type": "mention", "text": at, "mentioned": map[string]any{"id": p.ID, "name": p.Name}})
	return a
}

// Edit is what comes when a message is edited, Undelete when it is brought back, Erase
// when it is deleted [edit]: with the message's own id.
func Edit(a map[string]any, text string) map[string]any {
	return event(a, "messageUpdate", "editMessage", text)
}

// Undelete is described at Edit.
func Undelete(a map[string]any) map[string]any {
	return event(a, "messageUpdate", "undeleteMessage", a["text"].(string))
}

// Erase is described at Edit.
func Erase(a map[string]any) map[string]any {
	return event(a, "messageDelete", "softDeleteMessage", "")
}

func event(a map[string]any, kind, what, text string) map[string]any {
	b := maps.Clone(a)
	data := maps.Clone(a["channelData"].(map[string]any))
	data["eventType"] = what
	b["type"], b["channelData"], b["text"] = kind, data, text
	delete(b, "attachments")
	return b
}

// Install is what comes when the app is added to a private chat or a team.
func (f *Fake) Install(p Person, conversation string) []map[string]any {
	first := f.activity(p, "installationUpdate", conversation)
	first["action"] = "add"
	second := f.activity(p, "conversationUpdate", conversation)
	second["membersAdded"] = []any{map[string]any{"id": BotID}}
	if conversation == Team {
		for _, a := range []map[string]any{first, second} {
			a["channelData"].(map[string]any)["team"] = map[string]any{"id": Team}
		}
		f.mu.Lock()
		f.known[Channel] = true
		f.mu.Unlock()
	}
	return []map[string]any{first, second}
}

// Invoke is an invoke of a name.
func (f *Fake) Invoke(p Person, conversation, name string, value any) map[string]any {
	a := f.activity(p, "invoke", conversation)
	a["name"], a["value"] = name, value
	return a
}

// Press is what comes when a person uses a button of a card in a conversation: an
// adaptiveCard/action, or the task/fetch of one that opens a dialog.
func (f *Fake) Press(t testing.TB, p Person, m Message, title string) map[string]any {
	t.Helper()
	b := Button(m.Card(), title)
	if b == nil {
		t.Fatalf("there is no button %q in:\n%s", title, m.Text())
	}
	var a map[string]any
	if b["type"] == "Action.Execute" {
		a = f.Invoke(p, m.Conversation, "adaptiveCard/action", map[string]any{"action": b, "trigger": "manual"})
	} else {
		a = f.Invoke(p, m.Conversation, "task/fetch", map[string]any{"data": b["data"]})
	}
	a["replyToId"] = m.ID
	return a
}

// Fill is what comes when a person fills in the form of a dialog and submits it.
func (f *Fake) Fill(t testing.TB, p Person, conversation string, form Answer, submit string, fields map[string]string) map[string]any {
	t.Helper()
	b := Button(form.Dialog(), submit)
	if b == nil {
		t.Fatalf("no form with the button %q was opened: %v", submit, form.Body)
	}
	data := map[string]any{}
	for k, v := range b["data"].(map[string]any) {
		data[k] = v
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Input.") {
				data[v["id"].(string)] = v["value"]
				if v["value"] == nil {
					data[v["id"].(string)] = ""
				}
			}
			walk(v["body"])
			walk(v["items"])
		}
	}
	walk(form.Dialog())
	for k, v := range fields {
		data[k] = v
	}
	return f.Invoke(p, conversation, "task/submit", map[string]any{"data": data})
}

// Ours makes every tenant in a recorded activity the bot's own, so that it is not
// skipped as foreign.
func Ours(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			Ours(x)
		}
	case map[string]any:
		for key, x := range v {
			if key == "tenantId" {
				v[key] = Tenant
			}
			if tenant, ok := x.(map[string]any); ok && key == "tenant" {
				tenant["id"] = Tenant
			}
			Ours(v[key])
		}
	}
}
