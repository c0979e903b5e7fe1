package teams

import (
	"encoding/json"
	"errors"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/bot"
	"canteen/knowledge/text"
)

// The types of conversation.
const (
	personal  = "personal"
	inChannel = "channel"
)

// received is an activity as it comes. The library's own type loses mentions and
// the team, and refuses values that are no objects.
type received struct {
	Type         schema.ActivityTypes       `json:"type"`
	ID           string                     `json:"id"`
	ServiceURL   string                     `json:"serviceUrl"`
	ChannelID    string                     `json:"channelId"`
	From         schema.ChannelAccount      `json:"from"`
	Recipient    schema.ChannelAccount      `json:"recipient"`
	Conversation schema.ConversationAccount `json:"conversation"`
	Text         string                     `json:"text"`
	Name         string                     `json:"name"`
	Action       string                     `json:"action"`
	ReplyToID    string                     `json:"replyToId"`
	MembersAdded []schema.ChannelAccount    `json:"membersAdded"`
	Entities     []struct {
		Type      string                `json:"type"`
		Text      string                `json:"text"`
		Mentioned schema.ChannelAccount `json:"mentioned"`
		Quoted    struct {
			Preview string `json:"preview"`
		} `json:"quotedReply"`
	} `json:"entities"`
	Attachments []struct {
		ContentType string          `json:"contentType"`
		Content     json.RawMessage `json:"content"`
	} `json:"attachments"`
	ChannelData struct {
		EventType string                          `json:"eventType"`
		Tenant    struct{ ID string }             `json:"tenant"`
		Team      struct{ ID, Name string }       `json:"team"`
		Channel   struct{ ID, Name, Type string } `json:"channel"`
		Settings  struct {
			SelectedChannel struct{ ID string } `json:"selectedChannel"`
		} `json:"settings"`
	} `json:"channelData"`
	Value json.RawMessage `json:"value"`
}

// decode reads an activity. A part of an unexpected shape is left out: it is no
// reason to refuse the rest.
func decode(body []byte) (received, error) {
	var in received
	err := json.Unmarshal(body, &in)
	if shape := new(json.UnmarshalTypeError); errors.As(err, &shape) {
		err = nil
	}
	return in, err
}

// activity is it as far as the library holds it.
func (in *received) activity() schema.Activity {
	return schema.Activity{Type: in.Type, ID: in.ID, ServiceURL: in.ServiceURL, ChannelID: in.ChannelID, From: in.From, Recipient: in.Recipient,
		Conversation: in.Conversation, Text: in.Text, Name: in.Name, Action: in.Action, ReplyToID: in.ReplyToID, MembersAdded: in.MembersAdded}
}

func (in *received) personal() bool {
	c := in.Conversation
	return c.ConversationType == personal || c.ConversationType == "" && !c.IsGroup
}

func (in *received) tenant() string {
	if in.ChannelData.Tenant.ID != "" {
		return in.ChannelData.Tenant.ID
	}
	return in.Conversation.TenantID
}

// placeName is the name of a place as far as the activity has it.
func (in *received) placeName() string {
	if in.Conversation.ConversationType != inChannel || in.restricted() {
		return "" // who is in it, comms need not be
	}
	name := in.ChannelData.Channel.Name
	if name == "" {
		name = in.Conversation.Name
	}
	return limit(text.Clean(name), 80)
}

// closed tells a channel that not everybody in its team can read.
func (in *received) restricted() bool {
	return strings.EqualFold(in.ChannelData.Channel.Type, "private") || strings.EqualFold(in.ChannelData.Channel.Type, "shared")
}

// mentioned tells whether the message is to the bot.
func (in *received) mentioned() bool {
	for _, e := range in.Entities {
		if e.Type == "mention" && e.Mentioned.ID == in.Recipient.ID {
			return true
		}
	}
	return false
}

// overheard tells whether a message is to the others in a conversation.
func (in *received) overheard() bool {
	return (in.Type == schema.Message || in.change() != "") && !in.personal() && !in.mentioned() && !in.hasValue()
}

// The types of what happens to a message later, which the library does not know.
const (
	messageUpdate schema.ActivityTypes = "messageUpdate"
	messageDelete schema.ActivityTypes = "messageDelete"
)

// changed says what became of a message; one that was brought back is as good as edited.
func (in *received) change() bot.Change {
	switch {
	case in.Type == messageDelete:
		return bot.Deleted
	case in.Type == messageUpdate && (in.ChannelData.EventType == "editMessage" || in.ChannelData.EventType == "undeleteMessage"):
		return bot.Edited
	}
	return ""
}

// valued tells whether a message is a press.
func (in *received) hasValue() bool { return len(in.Value) > 0 && string(in.Value) != "null" }

// words is what the person wrote, as plain text: without mentions, and without what they
// quote. above is what they quote.
func (in *received) textAndQuote() (text, above string) {
	text = in.Text
	for _, x := range in.Attachments {
		var content string
		if x.ContentType != "text/html" || json.Unmarshal(x.Content, &content) != nil {
			continue
		}
		// Beside the html of a reply stands a plain form of all of it, the quote included.
		if strings.TrimSpace(text) == "" || quotedBlock.MatchString(content) {
			text = content
		}
	}
	for _, block := range quotedBlock.FindAllString(text, -1) {
		if !forwarded.MatchString(block) {
			above += " " + block
		}
	}
	text = quotedTag.ReplaceAllString(quotedBlock.ReplaceAllString(text, " "), " ")
	for _, e := range in.Entities {
		switch {
		case e.Type == "quotedReply":
			above += " " + e.Quoted.Preview
		case e.Type != "mention":
		case e.Text != "" && strings.Contains(text, e.Text):
			text = strings.Replace(text, e.Text, " ", 1)
		case e.Mentioned.Name != "":
			text = strings.Replace(text, ">"+e.Mentioned.Name+"<", "><", 1)
		}
	}
	return htmlText(text), htmlText(above)
}

// What is quoted: the newer shape's tag, and the blockquote of the older one and of what
// is forwarded.
var (
	quotedTag   = regexp.MustCompile(`(?i)<quoted\b[^<>]*/?>(?:\s*</quoted>)?`)
	quotedBlock = regexp.MustCompile(`(?is)<blockquote\b[^<>]*schema\.skype\.com/(?:Reply|Forward)[^<>]*>.*?</blockquote>`)
	forwarded   = regexp.MustCompile(`(?i)schema\.skype\.com/Forward`)
)

// attached is what came with the words that nobody reads.
func (in *received) attached() []bot.Attached {
	var list []bot.Attached
	for _, x := range in.Attachments {
		var content string
		_ = json.Unmarshal(x.Content, &content) // what is no text is not forwarded
		switch {
		case strings.HasPrefix(x.ContentType, "image/"):
			list = append(list, bot.Picture)
		case x.ContentType == "application/vnd.microsoft.teams.file.download.info":
			list = append(list, bot.File)
		case x.ContentType == "forwardedMessageReference" || x.ContentType == "text/html" && forwarded.MatchString(content):
			list = append(list, bot.Forwarded)
		case x.ContentType == "text/html" && strings.Contains(content, "<img"):
			if !slices.Contains(list, bot.Picture) {
				list = append(list, bot.Picture)
			}
		}
	}
	if len(list) == 0 && forwarded.MatchString(in.Text) {
		list = append(list, bot.Forwarded)
	}
	return list
}

var (
	lineTag = regexp.MustCompile(`(?i)<(?:br|/p|/div|/li|/h[1-6]|/tr|/blockquote)\b[^<>]*>`)
	anyTag  = regexp.MustCompile(`(?i)</?(?:a|at|attachment|b|blockquote|br|code|div|em|emoji|h[1-6]|i|img|li|ol|p|pre|s|span|strike|strong|sub|sup|table|tbody|td|th|thead|tr|u|ul)\b[^<>]*>`)
	blanks  = regexp.MustCompile(`[ \t\x{00A0}]+`)
)

// plainText reduces what Teams writes as HTML. What only looks like a tag stays.
func htmlText(s string) string {
	s = lineTag.ReplaceAllString(s, "\n")
	s = anyTag.ReplaceAllString(s, "")
	s = blanks.ReplaceAllString(html.UnescapeString(s), " ")
	return text.Clean(s)
}
