package teamstest

import (
	"strings"
)

// Message is what stands in a conversation now.
type Message struct {
	Conversation string // with ;messageid= in a channel
	ID           string
	Versions     int // how often it was written
	Deleted      bool
	Activity     map[string]any
}

// Card is the message's Adaptive Card, or nil.
func (m Message) Card() map[string]any {
	list, _ := m.Activity["attachments"].([]any)
	for _, a := range list {
		if c, ok := a.(map[string]any)["content"].(map[string]any); ok {
			return c
		}
	}
	return nil
}

// Text is all that a person reads of a message.
func (m Message) Text() string {
	text, _ := m.Activity["text"].(string)
	return strings.TrimSpace(text + "\n" + Read(m.Card()))
}

// Read is all the text of a card, a line for each block.
func Read(v any) string {
	var lines []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			switch v["type"] {
			case "RichTextBlock":
				line := ""
				for _, r := range v["inlines"].([]any) {
					line += r.(map[string]any)["text"].(string)
				}
				lines = append(lines, line)
				return
			case "TextBlock":
				lines = append(lines, v["text"].(string))
			case "FactSet":
				for _, f := range v["facts"].([]any) {
					f := f.(map[string]any)
					lines = append(lines, f["title"].(string)+": "+f["value"].(string))
				}
			case "Action.Execute", "Action.Submit", "Action.ShowCard", "Action.OpenUrl":
				lines = append(lines, "["+v["title"].(string)+"]")
				walk(v["card"])
				return
			}
			for _, key := range []string{"body", "items", "actions"} {
				walk(v[key])
			}
		}
	}
	walk(v)
	return strings.Join(lines, "\n")
}

// Button finds the action of a title anywhere in a card, or nil.
func Button(v any, title string) map[string]any {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if a := Button(x, title); a != nil {
				return a
			}
		}
	case map[string]any:
		if kind, _ := v["type"].(string); strings.HasPrefix(kind, "Action.") && v["title"] == title && kind != "Action.ShowCard" {
			return v
		}
		for key, x := range v {
			if key == "fallback" {
				continue
			}
			if a := Button(x, title); a != nil {
				return a
			}
		}
	}
	return nil
}

// Answer is the bot's own to an activity.
type Answer struct {
	Status int
	Body   map[string]any
}

// Dialog is the card of a dialog that an answer opens, or nil; Told is the
// sentence that it says.
func (a Answer) Dialog() map[string]any {
	task, _ := a.Body["task"].(map[string]any)
	value, _ := task["value"].(map[string]any)
	attachment, _ := value["card"].(map[string]any)
	content, _ := attachment["content"].(map[string]any)
	return content
}

// Told is the sentence of an answer without a card.
func (a Answer) Told() string {
	if s, ok := a.Body["value"].(string); ok {
		return s
	}
	task, _ := a.Body["task"].(map[string]any)
	s, _ := task["value"].(string)
	return s
}
