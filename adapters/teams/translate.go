package teams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/infracloudio/msbotbuilder-go/core"
	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"

	"canteen/adapters/teams/connector"
	"canteen/bot"
	"canteen/knowledge/text"
)

// maxBody is read of a request before anything else is known of it.
const maxBody = 256 << 10

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
	return (in.Type == schema.Message || in.changed() != "") && !in.personal() && !in.mentioned() && !in.valued()
}

// The types of what happens to a message later, which the library does not know.
const (
	messageUpdate schema.ActivityTypes = "messageUpdate"
	messageDelete schema.ActivityTypes = "messageDelete"
)

// changed says what became of a message; one that was brought back is as good as edited.
func (in *received) changed() bot.Change {
	switch {
	case in.Type == messageDelete:
		return bot.Deleted
	case in.Type == messageUpdate && (in.ChannelData.EventType == "editMessage" || in.ChannelData.EventType == "undeleteMessage"):
		return bot.Edited
	}
	return ""
}

// valued tells whether a message is a press.
func (in *received) valued() bool { return len(in.Value) > 0 && string(in.Value) != "null" }

func personID(a schema.ChannelAccount) bot.PersonID {
	if a.AadObjectID != "" {
		return bot.PersonID(Name + ":" + a.AadObjectID)
	}
	return bot.PersonID(Name + ":" + a.ID)
}

func placeOf(c schema.ConversationAccount) bot.Place {
	channel, thread := connector.SplitThread(c.ID)
	p := Name + ":" + channel
	if thread != "" {
		p += "#" + thread
	}
	return bot.Place(p)
}

func isChannel(ref schema.ConversationReference) bool {
	return ref.Conversation.ConversationType == inChannel
}

// Handler takes the Bot Connector's requests: /api/messages.
func (a *Adapter) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only the Bot Connector posts here", http.StatusMethodNotAllowed)
		return
	}
	refuse := func(status int, what, say string) {
		a.c.Count(what)
		http.Error(w, say, status)
	}
	if r.ContentLength > maxBody {
		refuse(http.StatusRequestEntityTooLarge, "size", "the request is too large")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case len(body) > maxBody:
		refuse(http.StatusRequestEntityTooLarge, "size", "the request is too large")
		return
	case err != nil:
		refuse(http.StatusBadRequest, "body", "the request ended early")
		return
	}
	// Who hangs up in the middle sends again: what is under way is finished.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTime)
	defer cancel()
	answer, err := a.take(ctx, r, body)
	if no := new(connector.Refused); errors.As(err, &no) {
		a.log.Warn("teams: request refused", "status", no.Status, "why", no.Reason)
		what := map[int]string{http.StatusUnauthorized: "token", http.StatusForbidden: "right"}[no.Status]
		if what == "" {
			what = "keys"
		}
		refuse(no.Status, what, http.StatusText(no.Status))
		return
	}
	if err != nil {
		a.log.Error("teams: nothing was committed, Teams is to send again", "error", err)
		refuse(http.StatusInternalServerError, "error", "try again")
		return
	}
	if answer == nil {
		return // 200
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		a.log.Warn("teams: an answer did not get through", "error", err)
	}
}

// requestTime is within the 15 seconds after which Teams sends again.
const requestTime = 12 * time.Second

// take verifies a request and does what it asks; answer is the body to give back,
// or nil. The error is a *connector.Refused, or says that nothing was committed.
func (a *Adapter) take(ctx context.Context, r *http.Request, body []byte) (answer any, err error) {
	in, malformed := decode(body)
	said := &libraryClient{ctx: ctx, connector: a.connector}
	adapter := core.BotFrameworkAdapter{TokenValidator: validator{a.verifier}, Client: said}
	if a.c.Insecure {
		if err := a.checkInsecure(r, &in); err != nil {
			return nil, err
		}
	} else if _, err := adapter.AuthenticateRequest(ctx, in.activity(), r.Header.Get("Authorization"), adapter.CredentialProvider, ""); err != nil {
		return nil, err
	}
	if malformed != nil {
		a.c.Count("ignored")
		return nil, nil // the Bot Connector's own fault: sent again it is no better
	}
	if !a.c.allows(in.tenant()) {
		return nil, forbidden("the tenant %q is not on the list", limit(in.tenant(), 64))
	}
	if !known(in.Type) {
		a.c.Count("ignored")
		return nil, nil
	}
	for _, id := range []string{in.Conversation.ID, in.From.ID, in.Recipient.ID} {
		if !connector.ValidID(id) {
			return nil, forbidden("%q is no id of Teams'", limit(id, 64))
		}
	}
	if in.From.AadObjectID != "" && !connector.ValidID(in.From.AadObjectID) || in.ReplyToID != "" && !connector.ValidID(in.ReplyToID) {
		return nil, forbidden("an id is none of Teams'")
	}
	t := &turn{a: a, ctx: ctx, in: &in}
	sum := sha256.Sum256(body)
	switch {
	case in.ID == "":
		t.key = Name + ":" + hex.EncodeToString(sum[:])
	case in.Type == messageUpdate || in.Type == messageDelete: // with the id of the message
		t.original = Name + ":" + in.Conversation.ID + "/" + in.ID
		t.key = t.original + "/" + hex.EncodeToString(sum[:8])
	default:
		t.key = Name + ":" + in.Conversation.ID + "/" + in.ID
		t.original = t.key
	}
	if in.overheard() {
		a.sighted(ctx, &in) // nothing of who only talks near the bot is kept
	} else if err := a.remember(ctx, &in); err != nil {
		// Nothing could be delivered to a place that is not kept: what is committed now
		// would be lost. Only an emergency is met.
		t.unsaved = fmt.Errorf("keep a place: %w", err)
		if in.Type != "message" {
			return nil, t.unsaved
		}
	}
	act := in.activity()
	switch act.Type {
	case messageUpdate, messageDelete:
		act.Type = schema.Message
	case schema.InstallationUpdate: // which the library does not route
		act.Type = schema.ConversationUpdate
	}
	err = adapter.ProcessActivity(ctx, act, activity.HandlerFuncs{OnMessageFunc: t.message, OnInvokeFunc: t.invoke, OnConversationUpdateFunc: t.arrived})
	if err != nil { // the library's own prints its stack
		err = fmt.Errorf("activity: %w", err)
	} else if t.unsaved != nil && !t.done {
		return nil, t.unsaved
	}
	if t.done && err != nil { // it is committed: only what was said about it did not get through
		a.log.Warn("teams: a notice did not get through", "error", err)
		err = nil
	}
	if err == nil {
		a.c.Count("ok")
	}
	return t.answer, err
}

func known(t schema.ActivityTypes) bool {
	switch t {
	case schema.Message, messageUpdate, messageDelete, schema.Invoke, schema.ConversationUpdate, schema.InstallationUpdate:
		return true
	}
	return false // reactions, typing and whatever comes to be
}

// checkInsecure replaces token validation in insecure mode: it has to come
// from this machine and name a service on it.
func (a *Adapter) checkInsecure(r *http.Request, in *received) error {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !connector.Loopback(host) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return forbidden("without authentication only this machine is heard")
	}
	if in.ChannelID != connector.Channel {
		return forbidden("the activity is of the channel %q, not of Teams", limit(in.ChannelID, 40))
	}
	if err := a.connector.CheckService(in.ServiceURL); err != nil {
		return forbidden("serviceUrl: %v", err)
	}
	return nil
}

// remember keeps how to reach who wrote and where, from an activity whose token
// vouched for its serviceUrl. Of people, nothing but their ids is kept, and that
// with the person alone, so that erasing them erases it.
func (a *Adapter) remember(ctx context.Context, in *received) error {
	base := in.reference()
	channel, _ := connector.SplitThread(in.Conversation.ID)
	person, where := base, base
	person.User = schema.ChannelAccount{ID: in.From.ID, AadObjectID: in.From.AadObjectID}
	composing := strings.HasPrefix(in.Name, "composeExtension/") // from anywhere: the bot need not be there
	if in.personal() && !composing {
		person.Conversation.ID, person.Conversation.ConversationType = in.Conversation.ID, personal
	}
	where.Conversation = schema.ConversationAccount{ID: channel, IsGroup: in.Conversation.IsGroup,
		ConversationType: in.Conversation.ConversationType, TenantID: in.tenant(), Name: in.placeName()}

	var saves sync.WaitGroup // together, so that they share a commit
	var errs [2]error
	save := func(i int, p bot.Place, ref schema.ConversationReference) {
		if a.seen.known(p, ref, a.now()) {
			return
		}
		saves.Go(func() {
			was, err := a.place(ctx, p)
			if err == nil && ref.Conversation.ID == "" { // a private chat that is known stays known
				ref.Conversation.ID, ref.Conversation.ConversationType = was.Conversation.ID, was.Conversation.ConversationType
			}
			if err == nil && ref.Conversation.Name == "" {
				ref.Conversation.Name = was.Conversation.Name
			}
			if err != nil || was != ref {
				if errs[i] = a.keep(ctx, p, ref); errs[i] != nil {
					a.seen.add(p, ref, time.Time{}) // for steps that go out while the store is down
					return
				}
			}
			a.seen.add(p, ref, a.now())
		})
	}
	save(0, bot.Place(personID(in.From)), person)
	if !composing {
		save(1, bot.Place(placeOf(in.Conversation).Lane()), where)
	}
	saves.Wait()
	a.sighted(ctx, in)
	return errors.Join(errs[:]...)
}

// reference is what every way to reach somebody from here has.
func (in *received) reference() schema.ConversationReference {
	ref := schema.ConversationReference{Bot: schema.ChannelAccount{ID: in.Recipient.ID, Name: in.Recipient.Name}, ChannelID: in.ChannelID, ServiceURL: in.ServiceURL}
	ref.Conversation.TenantID = in.tenant()
	return ref
}

// sighted looks in an activity from a team for the comms channel.
func (a *Adapter) sighted(ctx context.Context, in *received) {
	team, ref := in.ChannelData.Team.ID, in.reference()
	if a.c.CommsChannel == "" || !connector.ValidID(team) {
		return
	}
	if in.ChannelData.EventType == "teamMemberAdded" || in.ChannelData.EventType == "teamMemberRemoved" {
		a.forgetRoster()
	}
	if _, err := a.place(ctx, a.Comms()); !errors.Is(err, bot.ErrNotFound) {
		return
	}
	if slices.Contains([]string{team, in.ChannelData.Channel.ID, in.ChannelData.Settings.SelectedChannel.ID}, a.c.CommsChannel) {
		a.keepComms(ctx, ref)
		return
	}
	ref.Conversation.ID = team
	select {
	case a.teams <- ref:
	default: // Run is busy; the next message of the team does as well
	}
}

// placeName is the name of a place as far as the activity has it.
func (in *received) placeName() string {
	if in.Conversation.ConversationType != inChannel || in.closed() {
		return "" // who is in it, comms need not be
	}
	name := in.ChannelData.Channel.Name
	if name == "" {
		name = in.Conversation.Name
	}
	return limit(text.Clean(name), 80)
}

// closed tells a channel that not everybody in its team can read.
func (in *received) closed() bool {
	return strings.EqualFold(in.ChannelData.Channel.Type, "private") || strings.EqualFold(in.ChannelData.Channel.Type, "shared")
}

// turn is one request under way.
type turn struct {
	a        *Adapter
	ctx      context.Context // the library's handlers have none
	in       *received
	key      string
	original string // the key of the message itself; of an edit, that of what was edited
	answer   any    // the invoke's
	done     bool   // committed
	// unsaved says why the place could not be kept: see [bot.Bot.Unsaved].
	unsaved error
}

func (t *turn) person() bot.Person {
	return bot.Person{ID: personID(t.in.From), Name: limit(text.Clean(t.in.From.Name), 100)}
}

// said is what the person said or pressed, without what that was.
func (t *turn) said() bot.Message {
	m := bot.Message{Keys: []string{t.key}, Said: t.original, From: t.person(), In: placeOf(t.in.Conversation), Direct: bot.Place(personID(t.in.From)), Audience: bot.Private, Addressed: true}
	if !t.in.personal() {
		m.Audience, m.Where = bot.Shared, t.where()
	}
	return m
}

// where names the place for comms.
func (t *turn) where() string {
	name := t.in.placeName()
	if name == "" && t.in.Conversation.ConversationType == inChannel && !t.in.closed() {
		if ref, err := t.a.place(t.ctx, bot.Place(placeOf(t.in.Conversation).Lane())); err == nil {
			name = ref.Conversation.Name
		}
	}
	switch {
	case name != "":
		return name
	case t.in.closed():
		return "a private Teams channel"
	case t.in.Conversation.ConversationType == inChannel:
		return "a Teams channel"
	}
	return "a Teams group chat"
}

func (t *turn) handle(m bot.Message) (bot.Reply, error) {
	var reply bot.Reply
	var err error
	if t.unsaved != nil {
		reply, err = t.a.bot.Unsaved(t.ctx, m, t.unsaved)
	} else {
		reply, err = t.a.bot.Handle(t.ctx, m)
	}
	t.done = err == nil
	return reply, err
}

// tell answers the request's own conversation, through the library.
func (t *turn) tell(options ...activity.MsgOption) (schema.Activity, error) {
	context := activity.TurnContext{Activity: t.in.activity()}
	return context.SendActivity(options...)
}

// message takes a text, or a press from a client that does not know
// Action.Execute.
func (t *turn) message(*activity.TurnContext) (schema.Activity, error) {
	in, m := t.in, t.said()
	if strings.HasPrefix(in.From.ID, "28:") {
		return schema.Activity{}, nil // another bot
	}
	if in.valued() {
		press, ok := readPress(in.Value)
		if !ok {
			return schema.Activity{}, nil // a card of somebody else's
		}
		notice, err := t.pressed(press)
		if err != nil || notice == "" || m.Audience == bot.Shared { // nothing in a channel is for one person
			return schema.Activity{}, err
		}
		return t.tell(activity.MsgOptionText(plainOf(notice)))
	}
	if in.Type != schema.Message {
		if m.Change = in.changed(); m.Change == "" {
			return schema.Activity{}, nil
		}
	}
	if m.Change != bot.Deleted {
		if m.Text, m.Above = in.words(); m.Text != "" {
			m.Above = "" // it is context: who quotes the bot to thank it asks nothing
		}
		m.Attached = in.attached()
	}
	m.Addressed = !in.overheard()
	if bot.Place(m.In.Lane()) == t.a.Comms() {
		_, root := connector.SplitThread(in.Conversation.ID)
		switch {
		case m.Change != "" && !m.Addressed:
			return schema.Activity{}, nil
		case root != "" && root != in.ID && m.Change == "":
			m.Under = root // perhaps a card's
		case !m.Addressed:
			return schema.Activity{}, nil // talk among comms
		}
	}
	if in.personal() && strings.EqualFold(strings.Trim(m.Text, " .!?"), homeCommand) {
		return t.home()
	}
	reply, err := t.handle(m)
	t.aside(m, reply)
	if err != nil || reply.Notice == "" || m.Audience == bot.Shared {
		return schema.Activity{}, err
	}
	return t.tell(activity.MsgOptionText(plainOf(reply.Notice)))
}

// aside shows what is for the one who wrote alone: in the private chat, since Teams shows
// nothing to one person among many.
func (t *turn) aside(m bot.Message, reply bot.Reply) {
	if reply.Aside == nil || reply.Repeat {
		return
	}
	if _, err := t.a.Send(t.ctx, bot.Delivery{ID: t.key, To: m.Direct, Post: *reply.Aside, Private: true}); err != nil {
		t.a.log.Warn("teams: a notice did not get through", "error", err)
	}
}

// homeCommand shows the person their own questions, what is kept and what there
// is to read.
const homeCommand = "My questions"

func (t *turn) home() (schema.Activity, error) {
	h, err := t.a.bot.Home(t.ctx, personID(t.in.From))
	if err != nil {
		return schema.Activity{}, err
	}
	return t.tell(activity.MsgOptionAttachments([]schema.Attachment{attach(t.a.homeCard(h))}))
}

// words is what the person wrote, as plain text: without mentions, and without what they
// quote. above is what they quote.
func (in *received) words() (text, above string) {
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
	return plainText(text), plainText(above)
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
func plainText(s string) string {
	s = lineTag.ReplaceAllString(s, "\n")
	s = anyTag.ReplaceAllString(s, "")
	s = blanks.ReplaceAllString(html.UnescapeString(s), " ")
	return text.Clean(s)
}

// arrived takes what happened to a conversation: the bot was added to it.
func (t *turn) arrived(*activity.TurnContext) (schema.Activity, error) {
	in := t.in
	added := in.Type == schema.InstallationUpdate && strings.HasPrefix(in.Action, "add") ||
		slices.ContainsFunc(in.MembersAdded, func(m schema.ChannelAccount) bool { return m.ID == in.Recipient.ID })
	if !added || !in.personal() {
		return schema.Activity{}, nil
	}
	m := t.said()
	m.Keys = append(m.Keys, Name+":"+in.Conversation.ID+"/hello") // both events come for one installation
	m.Press = &bot.Press{Action: bot.ActGreet}
	_, err := t.handle(m)
	return schema.Activity{}, err
}

// The actions that are the adapter's own.
const (
	actErase   bot.Action = "teams-erase"
	actRefresh bot.Action = "teams-refresh"
)

// readPress finds a press of ours in an action's data: under dataKey the press,
// beside it the inputs by their names.
func readPress(data json.RawMessage) (bot.Press, bool) {
	var fields map[string]json.RawMessage
	var press bot.Press
	if json.Unmarshal(data, &fields) != nil || json.Unmarshal(fields[dataKey], &press) != nil || press.Action == "" {
		return press, false
	}
	for name, raw := range fields {
		var value string
		if name == dataKey || name == "msteams" || json.Unmarshal(raw, &value) != nil {
			continue
		}
		if press.Fields == nil {
			press.Fields = map[string]string{}
		}
		if name == bot.FieldTicked { // of several choices Teams makes a list with commas
			value = strings.ReplaceAll(value, ",", "\n")
		}
		press.Fields[name] = value
	}
	if press.Action == bot.ActShow && press.Entry == "" {
		press.Entry = press.Fields[bot.FieldEntry]
	}
	return press, true
}

// dataKey is where a press stands in an action's data.
const dataKey = "canteen"

// pressed does what a button on a card asks and gives the sentence for who
// pressed, or "".
func (t *turn) pressed(press bot.Press) (string, error) {
	m := t.said()
	if press.Action == actErase {
		p := t.person()
		if err := t.a.bot.Forget(t.ctx, p, t.key); err != nil {
			return "", err
		}
		t.a.seen.forget(bot.Place(p.ID))
		return t.a.bot.Say("erased"), nil
	}
	m.Press = &press
	reply, err := t.handle(m)
	return reply.Notice, err
}

// invokeTime is how long an invoke may take: Teams gives up after ten seconds, and
// the person is to read something before that.
const invokeTime = 8 * time.Second

// invoke answers what the client waits for. A person reads what went wrong: Teams
// does not send an invoke again.
func (t *turn) invoke(*activity.TurnContext) (schema.Activity, error) {
	ctx, cancel := context.WithTimeout(t.ctx, invokeTime)
	defer cancel()
	t.ctx = ctx
	var err error
	switch t.in.Name {
	case "adaptiveCard/action":
		t.answer, err = t.execute()
	case "task/fetch":
		t.answer, err = t.openDialog()
	case "task/submit":
		t.answer, err = t.submitDialog()
	case "composeExtension/query":
		t.answer = t.search()
	case "composeExtension/fetchTask":
		t.answer = t.askAbout()
	case "composeExtension/submitAction":
		t.answer, err = t.asked()
	case "application/search":
		t.answer = t.typeahead()
	case "message/submitAction":
		err = t.thumbs()
		t.answer = struct{}{}
	default:
		t.answer = struct{}{}
	}
	if err != nil {
		t.a.log.Error("teams: an invoke failed", "name", limit(t.in.Name, 60), "error", err)
		t.answer = t.failed(t.a.bot.Sentence(err))
	}
	return schema.Activity{}, nil
}

// failed says a sentence in the form that the invoke's answer has to have.
func (t *turn) failed(sentence string) any {
	switch t.in.Name {
	case "adaptiveCard/action":
		return actionMessage(sentence)
	case "task/fetch", "task/submit", "composeExtension/fetchTask", "composeExtension/submitAction":
		return dialogMessage(sentence)
	}
	return struct{}{}
}

func actionMessage(sentence string) any {
	return map[string]any{"statusCode": http.StatusOK, "type": "application/vnd.microsoft.activity.message", "value": plainOf(sentence)}
}

func actionCard(c card) any {
	return map[string]any{"statusCode": http.StatusOK, "type": cardType, "value": c}
}

func dialogMessage(sentence string) any {
	return map[string]any{"task": map[string]any{"type": "message", "value": plainOf(sentence)}}
}

func dialog(title string, c card) any {
	return map[string]any{"task": map[string]any{"type": "continue", "value": map[string]any{"title": title, "width": "medium", "height": "medium", "card": attach(c)}}}
}

// execute answers Action.Execute: with the card as it is now where it is comms',
// else with a sentence; what else the press causes comes as messages.
func (t *turn) execute() (any, error) {
	var value struct {
		Action struct {
			Data json.RawMessage `json:"data"`
		} `json:"action"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no press
	press, ok := readPress(value.Action.Data)
	if !ok {
		return actionMessage(t.a.bot.Say("expired")), nil
	}
	notice := ""
	if press.Action != actRefresh {
		var err error
		if notice, err = t.pressed(press); err != nil {
			return nil, err
		}
	}
	if notice == "" && press.Ref != 0 && bot.Place(placeOf(t.in.Conversation).Lane()) == t.a.Comms() {
		post, err := t.a.bot.Card(t.ctx, press.Ref, personID(t.in.From))
		switch {
		case err == nil:
			return actionCard(t.a.card(post, onMessage)), nil
		case errors.Is(err, bot.ErrForbidden):
			notice = t.a.bot.Say("forbidden-comms")
		case errors.Is(err, bot.ErrNotFound):
			notice = t.a.bot.Say("expired")
		case press.Action == actRefresh:
			return nil, err
		}
	}
	if notice == "" {
		notice = t.a.bot.Say("done")
	}
	return actionMessage(notice), nil
}

// submitted is the data of a dialog.
func (t *turn) submitted() json.RawMessage {
	var value struct {
		Data json.RawMessage `json:"data"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no press
	return value.Data
}

// openDialog gives the form that a button opens.
func (t *turn) openDialog() (any, error) {
	press, ok := readPress(t.submitted())
	if !ok {
		return dialogMessage(t.a.bot.Say("expired")), nil
	}
	return t.form(press, nil)
}

// form shows a press's form, with what was written already and what is wrong with
// it.
func (t *turn) form(press bot.Press, errs map[string]string) (any, error) {
	f, err := t.a.bot.Form(t.ctx, press, t.person())
	switch {
	case errors.Is(err, bot.ErrForbidden) && bot.Place(placeOf(t.in.Conversation).Lane()) == t.a.Comms():
		return dialogMessage(t.a.bot.Say("forbidden-comms")), nil
	case errors.Is(err, bot.ErrForbidden):
		return dialogMessage(t.a.bot.Say("forbidden")), nil
	case errors.Is(err, bot.ErrNotFound):
		return dialogMessage(t.a.bot.Say("expired")), nil
	case err != nil:
		return nil, err
	}
	for i, field := range f.Fields {
		if v, ok := press.Fields[field.Name]; ok && errs != nil {
			f.Fields[i].Value = v
		}
		if field.Kind == bot.People && len(field.Choices) == 0 {
			members, err := t.a.roster(t.ctx)
			if err != nil {
				return nil, err
			}
			for _, m := range members[:min(len(members), maxChoices)] {
				f.Fields[i].Choices = append(f.Fields[i].Choices, bot.Choice{Label: m.Name, Value: string(personOf(m))})
			}
		}
	}
	return dialog(f.Title, t.a.formCard(f, errs)), nil
}

// submitDialog takes a form that was filled in.
func (t *turn) submitDialog() (any, error) {
	press, ok := readPress(t.submitted())
	if !ok {
		return dialogMessage(t.a.bot.Say("expired")), nil
	}
	m := t.said()
	m.Press = &press
	if who, ok := press.Fields[bot.FieldPerson]; ok {
		press.Fields[bot.FieldPerson+"_name"] = t.nameOf(bot.PersonID(who))
	}
	reply, err := t.handle(m)
	switch {
	case err != nil:
		return nil, err
	case len(reply.Errors) > 0:
		return t.form(press, reply.Errors)
	case reply.Notice != "":
		return dialogMessage(reply.Notice), nil
	}
	return nil, nil // 200 and nothing closes the dialog
}

// nameOf is the name of a member of comms.
func (t *turn) nameOf(p bot.PersonID) string {
	members, err := t.a.roster(t.ctx)
	if err != nil {
		return "" // Handle asks the roster too, and says so
	}
	for _, m := range members {
		if personOf(m) == p {
			return m.Name
		}
	}
	return ""
}

// search answers the message extension: entries, to put into any conversation.
func (t *turn) search() any {
	var value struct {
		Parameters []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"parameters"`
		Options struct {
			Skip  int `json:"skip"`
			Count int `json:"count"`
		} `json:"queryOptions"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse searches for nothing
	text := ""
	for _, p := range value.Parameters {
		if s, ok := p.Value.(string); ok && p.Name != "initialRun" {
			text = s
		}
	}
	attachments := []any{}
	for _, p := range t.a.entries(text, value.Options.Skip, value.Options.Count) {
		full := attach(t.a.card(p, inserted))
		attachments = append(attachments, map[string]any{"contentType": full.ContentType, "content": full.Content,
			"preview": map[string]any{"contentType": "application/vnd.microsoft.card.thumbnail", "content": map[string]any{"title": html.EscapeString(p.Title), "text": html.EscapeString(limit(plainOf(p.Text), 120))}}})
	}
	return map[string]any{"composeExtension": map[string]any{"type": "result", "attachmentLayout": "list", "attachments": attachments}}
}

// maxFound is how many entries a search gives at a time.
const maxFound = 25

// entries are the answers that a few typed letters may mean, as posts.
func (a *Adapter) entries(text string, skip, n int) []bot.Post {
	if n <= 0 || n > maxFound {
		n = maxFound
	}
	skip = min(max(skip, 0), 10_000)
	var posts []bot.Post
	list := a.suggest(text, skip+n)
	for _, c := range list[min(skip, len(list)):] {
		if e, ok := a.bot.Base().Entry(c.Value); ok {
			posts = append(posts, bot.Post{Kind: bot.KindAnswer, Title: e.Title, Text: e.Body, Since: e.Since, Source: bot.SourceName(e.Source), Entry: e.ID})
		}
	}
	return posts
}

// suggest is Bot.Suggest for entries with an answer.
func (a *Adapter) suggest(text string, n int) []bot.Choice {
	list := slices.DeleteFunc(a.bot.Suggest(text, 4*n), func(c bot.Choice) bool {
		e, ok := a.bot.Base().Entry(c.Value)
		return !ok || e.Route != ""
	})
	return list[:min(n, len(list))]
}

// typeahead answers a form's field while somebody types in it.
func (t *turn) typeahead() any {
	var value struct {
		Text    string `json:"queryText"`
		Options struct {
			Top int `json:"top"`
		} `json:"queryOptions"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse searches for nothing
	n := value.Options.Top
	if n <= 0 || n > maxFound {
		n = maxFound
	}
	results := []any{}
	for _, c := range t.a.suggest(value.Text, n) {
		results = append(results, map[string]string{"title": c.Label, "value": c.Value})
	}
	return map[string]any{"statusCode": http.StatusOK, "type": "application/vnd.microsoft.search.searchResponse", "value": map[string]any{"results": results}}
}

// askAbout opens "Ask Canteen about this message", with the message in it.
func (t *turn) askAbout() any {
	var value struct {
		Message struct {
			Body struct {
				Content string `json:"content"`
			} `json:"body"`
		} `json:"messagePayload"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse has no message
	return t.askForm(limit(plainText(value.Message.Body.Content), maxQuestion), nil)
}

// maxQuestion is what the field of the action extension takes.
const maxQuestion = 3000

func (t *turn) askForm(text string, errs map[string]string) any {
	f := bot.Form{Title: "Ask Canteen", Submit: "Ask", Intro: t.a.bot.Say("form-ask"),
		Fields: []bot.Field{{Name: bot.FieldText, Label: "Question", Kind: bot.Area, Value: text, Max: maxQuestion}}}
	return dialog(f.Title, t.a.formCard(f, errs))
}

// asked answers what was asked, or pressed, in the dialog of the action extension:
// in the dialog, for nobody else's eyes. What comes later comes to the private
// chat.
func (t *turn) asked() (any, error) {
	data := t.submitted()
	m := t.said()
	m.In, m.Where, m.Audience = m.Direct, "", bot.InReply
	if press, ok := readPress(data); ok && press.Action != "" {
		var opens struct {
			Form bool `json:"form"`
		}
		_ = json.Unmarshal(data, &opens) // what does not parse opens nothing
		if opens.Form {
			return t.form(press, nil)
		}
		m.Press = &press
	} else {
		var fields struct {
			Text string `json:"text"`
		}
		_ = json.Unmarshal(data, &fields) // what does not parse has no text
		if m.Text = fields.Text; text.Clean(m.Text) == "" {
			return t.askForm("", map[string]string{bot.FieldText: t.a.bot.Say("field-empty")}), nil
		}
	}
	reply, err := t.handle(m)
	switch {
	case err != nil:
		return nil, err
	case len(reply.Errors) > 0:
		return t.form(*m.Press, reply.Errors)
	case len(reply.Posts) > 0:
		return dialog("Canteen", t.a.dialogCard(reply)), nil
	case reply.Notice != "":
		return dialogMessage(reply.Notice), nil
	}
	return dialogMessage(t.a.bot.Say("done")), nil
}

// thumbs takes the platform's own feedback on a message, with the words that were given
// with it. Which message it is, the client does not always say.
func (t *turn) thumbs() error {
	var value struct {
		Name  string `json:"actionName"`
		Value struct {
			Reaction string `json:"reaction"`
			Feedback string `json:"feedback"` // JSON in a string, as documented
		} `json:"actionValue"`
	}
	_ = json.Unmarshal(t.in.Value, &value) // what does not parse says nothing
	var said struct {
		Text string `json:"feedbackText"`
	}
	if json.Unmarshal([]byte(value.Value.Feedback), &said) != nil {
		said.Text = value.Value.Feedback // as the Agents Playground sends it
	}
	action, ok := map[string]bot.Action{"like": bot.ActHelped, "dislike": bot.ActNotMeant}[value.Value.Reaction]
	words := strings.TrimSpace(said.Text)
	if value.Name != "feedback" || !ok || t.in.ReplyToID == "" && words == "" {
		return nil
	}
	m := t.said()
	m.Press = &bot.Press{Action: action, On: t.in.ReplyToID, Thumb: true}
	if words != "" {
		m.Press.Fields = map[string]string{bot.FieldText: words}
	}
	_, err := t.handle(m)
	return err
}
