package slack

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// richText is what Slack's editor gives (docs.slack.dev/reference/block-kit/blocks/
// rich-text-block): a block, one of its sections, lists, quotes and preformatted texts, or
// a piece of one. What is unknown reads as its text.
type richText struct {
	Type     string          `json:"type"`
	Elements []richText      `json:"elements"`
	Style    json.RawMessage `json:"style"` // of a list its name, of a piece the marks
	Indent   int             `json:"indent"`
	Offset   int             `json:"offset"`
	Text     string          `json:"text"`
	URL      string          `json:"url"`
	Name     string          `json:"name"`    // of an emoji
	Unicode  string          `json:"unicode"` // of an emoji, in hexadecimal, joined by hyphens
	UserID   string          `json:"user_id"`
	Channel  string          `json:"channel_id"`
	Range    string          `json:"range"`    // of a broadcast
	Fallback string          `json:"fallback"` // of a date
}

// maxIndent is the deepest that Slack's editor goes.
const maxIndent = 8

// markdown is the Markdown of what was written in the editor. Marks of Markdown and Slack's
// own that somebody types there are meant as such, and stay. name gives a person's.
func (r richText) markdown(name func(user string) string) string {
	switch r.Type {
	case "rich_text":
		var parts []string
		for _, e := range r.Elements {
			if s := strings.TrimRight(e.markdown(name), "\n"); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, "\n")
	case "rich_text_list":
		var style string
		_ = json.Unmarshal(r.Style, &style) // without one it is a list of bullets
		var lines []string
		for i, e := range r.Elements {
			mark := "- "
			if style == "ordered" {
				mark = strconv.Itoa(r.Offset+i+1) + ". "
			}
			lines = append(lines, strings.Repeat("    ", min(max(r.Indent, 0), maxIndent))+mark+strings.Join(strings.Fields(e.markdown(name)), " "))
		}
		return strings.Join(lines, "\n")
	case "rich_text_quote":
		return "> " + strings.ReplaceAll(r.inner(name), "\n", "\n> ")
	case "rich_text_preformatted":
		var b strings.Builder
		for _, e := range r.Elements {
			b.WriteString(e.Text + e.URL)
		}
		return "```\n" + strings.TrimRight(b.String(), "\n") + "\n```"
	case "text":
		return r.styled(r.Text)
	case "link":
		if r.Text == "" || r.Text == r.URL {
			return "<" + r.URL + ">"
		}
		return r.styled("[" + r.Text + "](" + r.URL + ")")
	case "emoji":
		return emoji(r.Unicode, r.Name)
	case "user":
		return "@" + or(name(r.UserID), "somebody")
	case "broadcast":
		return "@" + r.Range
	case "date":
		return r.Fallback
	case "channel":
		return "a Slack channel"
	}
	return r.inner(name)
}

// inner is the Markdown of the pieces.
func (r richText) inner(name func(user string) string) string {
	var b strings.Builder
	for _, e := range r.Elements {
		b.WriteString(e.markdown(name))
	}
	return b.String()
}

// styled puts a piece's marks around its words and not around the spaces beside them, line
// by line, since marks end with the line.
func (r richText) styled(s string) string {
	var style struct{ Bold, Italic, Strike, Code bool }
	if json.Unmarshal(r.Style, &style) != nil {
		return s
	}
	mark := ""
	for _, m := range []struct {
		set  bool
		mark string
	}{{style.Strike, "~~"}, {style.Bold, "**"}, {style.Italic, "_"}} {
		if m.set {
			mark += m.mark
		}
	}
	closing := []byte(mark)
	slices.Reverse(closing)
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		words := strings.TrimSpace(line)
		if words == "" {
			continue
		}
		marked := mark + words + string(closing)
		if style.Code {
			marked = "`" + strings.ReplaceAll(words, "`", "'") + "`"
		}
		lines[i] = strings.Replace(line, words, marked, 1)
	}
	return strings.Join(lines, "\n")
}

func emoji(codes, name string) string {
	var b strings.Builder
	for code := range strings.SplitSeq(codes, "-") {
		r, err := strconv.ParseInt(code, 16, 32)
		if err != nil {
			return ":" + name + ":"
		}
		b.WriteRune(rune(r))
	}
	return b.String()
}
