package teams

import (
	"encoding/json"
	"errors"
	"html"
	"regexp"
	"slices"
	"strings"

	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
	"canteen/knowledge/text"
)

// The types of conversation.
const (
	personal  = "personal"
	inChannel = "channel"
)

// received is an activity as Teams sends it. The library's own type loses mentions and the
// team, and refuses values that are not objects.
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

// decode reads an activity. A part of an unexpected type is left out, and is no error.
func decode(body []byte) (received, error) {
	var in received
	err := json.Unmarshal(body, &in)
	if shape := new(json.UnmarshalTypeError); errors.As(err, &shape) {
		err = nil
	}
	return in, err
}

// activity is the part of it that the library's type holds.
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

// checkIDs refuses ids that could mean something else in a path or a place.
func (in *received) checkIDs() error {
	for _, id := range []string{in.Conversation.ID, in.From.ID, in.Recipient.ID} {
		if !connector.ValidID(id) {
			return forbidden("%q is no id of Teams'", limit(id, 64))
		}
	}
	if in.From.AadObjectID != "" && !connector.ValidID(in.From.AadObjectID) || in.ReplyToID != "" && !connector.ValidID(in.ReplyToID) {
		return forbidden("an id is none of Teams'")
	}
	return nil
}

// placeName is the name of the channel that comms may read, or "".
func (in *received) placeName() string {
	if in.Conversation.ConversationType != inChannel || in.restricted() {
		return "" // comms may not be in it
	}
	name := in.ChannelData.Channel.Name
	if name == "" {
		name = in.Conversation.Name
	}
	return limit(text.Clean(name), 80)
}

// restricted tells whether not everybody in the team can read the channel.
func (in *received) restricted() bool {
	return strings.EqualFold(in.ChannelData.Channel.Type, "private") || strings.EqualFold(in.ChannelData.Channel.Type, "shared")
}

// mentioned tells whether the bot is mentioned.
func (in *received) mentioned() bool {
	for _, e := range in.Entities {
		if e.Type == "mention" && e.Mentioned.ID == in.Recipient.ID {
			return true
		}
	}
	return false
}

// overheard tells whether a message is to the others in a conversation, not to the bot.
func (in *received) overheard() bool {
	return (in.Type == schema.Message || in.change() != "") && !in.personal() && !in.mentioned() && !in.hasValue()
}

// callsSomebody tells whether a message mentions anybody.
func (in *received) callsSomebody() bool {
	for _, e := range in.Entities {
		if e.Type == "mention" {
			return true
		}
	}
	return false
}

// The types of activities about an earlier message, which the library does not have.
const (
	messageUpdate schema.ActivityTypes = "messageUpdate"
	messageDelete schema.ActivityTypes = "messageDelete"
)

// change says what became of an earlier message. One that was restored counts as edited.
func (in *received) change() bot.Change {
	switch {
	case in.Type == messageDelete:
		return bot.Deleted
	case in.Type == messageUpdate && (in.ChannelData.EventType == "editMessage" || in.ChannelData.EventType == "undeleteMessage"):
		return bot.Edited
	}
	return ""
}

// hasValue tells whether a message is the press of a button.
func (in *received) hasValue() bool { return len(in.Value) > 0 && string(in.Value) != "null" }

// textAndQuote is what the person wrote, as plain text without mentions and quotes, and
// what they quoted.
func (in *received) textAndQuote() (text, quote string) {
	text = in.Text
	for _, x := range in.Attachments {
		var content string
		if x.ContentType != "text/html" || json.Unmarshal(x.Content, &content) != nil {
			continue
		}
		// The plain text of a reply includes the quote; its HTML marks it.
		if strings.TrimSpace(text) == "" || quotedBlock.MatchString(content) {
			text = content
		}
	}
	for _, block := range quotedBlock.FindAllString(text, -1) {
		if !forwarded.MatchString(block) {
			quote += " " + block
		}
	}
	text = quotedTag.ReplaceAllString(quotedBlock.ReplaceAllString(text, " "), " ")
	for _, e := range in.Entities {
		switch {
		case e.Type == "quotedReply":
			quote += " " + e.Quoted.Preview
		case e.Type != "mention":
		case e.Text != "" && strings.Contains(text, e.Text):
			text = strings.Replace(text, e.Text, " ", 1)
		case e.Mentioned.Name != "":
			text = strings.Replace(text, ">"+e.Mentioned.Name+"<", "><", 1)
		}
	}
	return htmlText(text), htmlText(quote)
}

// Quotes: the tag of the newer form, and the blockquote of the older form and of forwarded
// messages.
var (
	quotedTag   = regexp.MustCompile(`(?i)<quoted\b[^<>]*/?>(?:\s*</quoted>)?`)
	quotedBlock = regexp.MustCompile(`(?is)<blockquote\b[^<>]*schema\.skype\.com/(?:Reply|Forward)[^<>]*>.*?</blockquote>`)
	forwarded   = regexp.MustCompile(`(?i)schema\.skype\.com/Forward`)
)

// attached is what came with the text and is not read.
func (in *received) attached() []bot.Attached {
	var list []bot.Attached
	for _, x := range in.Attachments {
		var content string
		_ = json.Unmarshal(x.Content, &content) // what is not a string has no HTML
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

// htmlText is the text of Teams' HTML. Only tags that Teams uses are removed, so that "<3"
// and the like stay.
func htmlText(s string) string {
	s = lineTag.ReplaceAllString(s, "\n")
	s = anyTag.ReplaceAllString(s, "")
	s = blanks.ReplaceAllString(html.UnescapeString(s), " ")
	return text.Clean(s)
}
