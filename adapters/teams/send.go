package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/infracloudio/msbotbuilder-go/connector/client"
	"github.com/infracloudio/msbotbuilder-go/core/activity"
	"github.com/infracloudio/msbotbuilder-go/schema"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/time/rate"

	"canteen/bot"
)

// Send implements bot.Sender.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Posted, error) {
	to := d.To
	if d.Only != "" { // Teams shows nothing to one person in a conversation of many
		to = bot.Place(d.Only)
	}
	ref, err := a.reference(ctx, to, d.Attempt == 0)
	if err != nil {
		return bot.Posted{}, err
	}
	msg, err := a.compose(ctx, d)
	if err != nil {
		return bot.Posted{}, err
	}
	if d.PostedID != "" {
		there := ref
		conversation, id := splitPosted(d.PostedID)
		if conversation != "" {
			there.Conversation.ID = conversation
		} else if isChannel(ref) && !to.Thread() {
			there.Conversation.ID = inThread(ref.Conversation.ID, id)
		}
		err := a.update(ctx, there, id, msg)
		if !refusedUpdate(err) {
			return bot.Posted{ID: d.PostedID}, outcome(err, false)
		}
		a.log.Warn("teams: a message cannot be changed, a new one takes its place", "delivery", d.ID, "error", err)
	}
	switch {
	case ref.Conversation.ID == "": // a person who has written to no private chat yet
		if ref, err = a.privately(ctx, to, ref); err != nil {
			return bot.Posted{}, err
		}
	case isChannel(ref) && !to.Thread():
		conversation, id, err := a.connector.newThread(ctx, ref, msg)
		if err != nil {
			err = outcome(err, true)
			if not := new(bot.NotSent); errors.As(err, &not) && not.Elsewhere && to == a.Comms() { // taken out of the team: until it is back, cards wait
				not.Final, not.Elsewhere, not.After = false, false, commsWait
			}
			return bot.Posted{}, err
		}
		if conversation == inThread(ref.Conversation.ID, id) || conversation == "" {
			return bot.Posted{ID: id}, nil
		}
		return bot.Posted{ID: conversation + " " + id}, nil
	}
	id, err := a.post(ctx, ref, msg)
	return bot.Posted{ID: id}, outcome(err, true)
}

// splitPosted reads a Posted.ID: the message's id, and before it the conversation
// where that does not follow from the place.
func splitPosted(s string) (conversation, id string) {
	if i := strings.LastIndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return "", s
}

// reference is how to reach a place, with the thread in the conversation's id. What is
// sent directly, without the queue, may go to where the place was last seen.
func (a *Adapter) reference(ctx context.Context, to bot.Place, directly bool) (schema.ConversationReference, error) {
	lane, thread, threaded := strings.Cut(string(to), "#")
	ref, err := a.place(ctx, bot.Place(lane))
	if err != nil && directly {
		if known, ok := a.seen.last(bot.Place(lane)); ok {
			ref, err = known, nil
		}
	}
	switch {
	case errors.Is(err, bot.ErrNotFound) && bot.Place(lane) == a.Comms():
		return ref, &bot.NotSent{Err: errNoComms, After: commsWait}
	case errors.Is(err, bot.ErrNotFound):
		if ref, err = a.stranger(ctx, bot.PersonID(lane)); err != nil {
			return ref, err
		}
	case err != nil:
		return ref, &bot.NotSent{Err: err}
	}
	if err := a.connector.hosts.check(ref.ServiceURL); err != nil {
		return ref, &bot.NotSent{Err: fmt.Errorf("serviceUrl of %s: %w", Name, err), Final: true}
	}
	if threaded {
		ref.Conversation.ID = inThread(ref.Conversation.ID, thread)
	}
	return ref, nil
}

// commsWait is how soon a card is tried again for a comms channel that the bot is
// not in yet. It never runs out of tries.
const commsWait = 30 * time.Second

var errNoComms = errors.New("the comms channel has not been heard from: add the app to its team, then mention the bot in the channel once")

// stranger is how to reach a person who has never written, but is in the comms
// team.
func (a *Adapter) stranger(ctx context.Context, p bot.PersonID) (schema.ConversationReference, error) {
	comms, err := a.place(ctx, a.Comms())
	if err != nil {
		return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
	}
	members, err := a.roster(ctx)
	if err != nil {
		return comms, &bot.NotSent{Err: err}
	}
	for _, m := range members {
		if m.person() == p {
			comms.User = schema.ChannelAccount{ID: m.ID, AadObjectID: m.object()}
			comms.Conversation = schema.ConversationAccount{TenantID: comms.Conversation.TenantID}
			return comms, nil
		}
	}
	return comms, &bot.NotSent{Err: errors.New("the place has never been heard from"), Final: true}
}

// privately opens the private chat with a person and keeps where it is.
func (a *Adapter) privately(ctx context.Context, person bot.Place, ref schema.ConversationReference) (schema.ConversationReference, error) {
	if ref.User.ID == "" {
		return ref, &bot.NotSent{Err: errors.New("neither a conversation nor a user id is known"), Final: true}
	}
	id, err := a.connector.privateChat(ctx, ref)
	if err != nil {
		var s *statusError
		if errors.As(err, &s) { // 1:1 creation is idempotent, and nothing was said in it
			return ref, outcome(err, false)
		}
		return ref, &bot.NotSent{Err: err}
	}
	ref.Conversation.ID, ref.Conversation.ConversationType = id, personal
	if err := a.keep(ctx, person, ref); err != nil {
		a.log.Warn("teams: a private chat's place is not kept", "error", err)
	}
	return ref, nil
}

// post says something in a conversation and gives the message's id.
func (a *Adapter) post(ctx context.Context, ref schema.ConversationReference, msg *message) (string, error) {
	w := &wired{ctx: ctx, connector: a.connector, body: msg}
	response, err := activity.NewActivityResponse(w)
	if err == nil {
		err = response.SendActivity(activity.ApplyConversationReference(schema.Activity{Type: schema.Message}, ref, false))
	}
	return w.id, err
}

// update replaces a message.
func (a *Adapter) update(ctx context.Context, ref schema.ConversationReference, id string, msg *message) error {
	response, err := activity.NewActivityResponse(&wired{ctx: ctx, connector: a.connector, body: msg})
	if err == nil {
		err = response.UpdateActivity(activity.ApplyConversationReference(schema.Activity{Type: schema.Message, ID: id}, ref, false))
	}
	return err
}

// refusedUpdate tells whether a message is none that can be changed any more.
func refusedUpdate(err error) bool {
	var s *statusError
	return errors.As(err, &s) && (s.code == http.StatusBadRequest || s.code == http.StatusForbidden || s.code == http.StatusNotFound || s.code == http.StatusGone)
}

// outcome says of an error whether the message may be there. posting: a second
// try would make a second message.
func outcome(err error, posting bool) error {
	var s *statusError
	var not *bot.NotSent
	switch {
	case err == nil || errors.As(err, &not):
		return err
	case !errors.As(err, &s):
		if !posting {
			return &bot.NotSent{Err: err}
		}
		return err
	}
	switch s.code {
	case http.StatusTooManyRequests, http.StatusPreconditionFailed, http.StatusServiceUnavailable:
		return &bot.NotSent{Err: err, After: s.after}
	case http.StatusUnauthorized, http.StatusRequestTimeout, http.StatusConflict:
		return &bot.NotSent{Err: err}
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		// Left, blocked or deleted.
		return &bot.NotSent{Err: err, Final: true, Elsewhere: true}
	}
	if s.code < 500 {
		return &bot.NotSent{Err: err, Final: true}
	}
	if !posting {
		return &bot.NotSent{Err: err, After: s.after}
	}
	return err // 502 and 504: what is behind the gateway may have done it
}

// message is an outgoing activity. The library's own loses entities, the id and
// citations, and writes zero times.
type message struct {
	Type             string              `json:"type"`
	Text             string              `json:"text,omitempty"`
	TextFormat       string              `json:"textFormat,omitempty"`
	Summary          string              `json:"summary,omitempty"`
	Importance       string              `json:"importance,omitempty"`
	AttachmentLayout string              `json:"attachmentLayout,omitempty"`
	Attachments      []schema.Attachment `json:"attachments,omitempty"`
	Entities         []any               `json:"entities,omitempty"`
	ChannelData      map[string]any      `json:"channelData,omitempty"`
}

// wired is the client that the library sends through, for one request or message:
// its interface has no context, no answer and a body that loses what Teams needs.
type wired struct {
	ctx       context.Context
	connector *connector
	body      *message // nil: what the activity itself has
	id        string   // of what was posted
}

var _ client.Client = (*wired)(nil)

// Post implements client.Client. The address that comes with it is not used: it
// is joined of ids that are not escaped.
func (w *wired) Post(_ url.URL, act schema.Activity) error {
	if act.Type == "" {
		return nil // a turn that says nothing
	}
	var made struct {
		ID string `json:"id"`
	}
	err := w.connector.say(w.ctx, http.MethodPost, act, w.content(act), &made, "activities")
	w.id = made.ID
	return err
}

// Put implements client.Client.
func (w *wired) Put(_ url.URL, act schema.Activity) error {
	return w.connector.say(w.ctx, http.MethodPut, act, w.content(act), nil, "activities", act.ID)
}

// Delete implements client.Client.
func (w *wired) Delete(_ url.URL, act schema.Activity) error {
	return w.connector.say(w.ctx, http.MethodDelete, act, nil, nil, "activities", act.ID)
}

func (w *wired) content(act schema.Activity) *message {
	if w.body != nil {
		return w.body
	}
	return &message{Type: string(act.Type), Text: act.Text, Attachments: act.Attachments}
}

// connector calls the Bot Connector.
type connector struct {
	http   *http.Client
	tokens *tokens
	hosts  hosts
	pace   *pace
}

// statusError is an answer of the connector's that is none of success.
type statusError struct {
	code  int
	said  string // its own error code
	after time.Duration
}

func (e *statusError) Error() string {
	if e.said != "" {
		return fmt.Sprintf("the connector answers %d %s", e.code, e.said)
	}
	return fmt.Sprintf("the connector answers %d", e.code)
}

// unsendable is the error of what no second try can send.
func unsendable(format string, args ...any) error {
	return &bot.NotSent{Err: fmt.Errorf(format, args...), Final: true}
}

// say calls for something below a conversation, in its pace.
func (c *connector) say(ctx context.Context, method string, act schema.Activity, body any, into any, below ...string) error {
	if err := c.pace.wait(ctx, act.Conversation.ID); err != nil {
		return err
	}
	return c.call(ctx, method, act.ServiceURL, nil, body, into, append([]string{"conversations", act.Conversation.ID}, below...)...)
}

// newThread starts a thread in a channel and gives its conversation and message.
func (c *connector) newThread(ctx context.Context, ref schema.ConversationReference, msg *message) (conversation, id string, err error) {
	where := conversationOf(ref.Conversation.ID)
	if err := c.pace.wait(ctx, where); err != nil {
		return "", "", err
	}
	var made struct {
		ID       string `json:"id"`
		Activity string `json:"activityId"`
	}
	err = c.call(ctx, http.MethodPost, ref.ServiceURL, nil, map[string]any{
		"isGroup": true, "bot": account(ref.Bot), "tenantId": ref.Conversation.TenantID, "activity": msg,
		"channelData": map[string]any{"channel": map[string]any{"id": where}, "tenant": map[string]any{"id": ref.Conversation.TenantID}},
	}, &made, "conversations")
	if err == nil && made.Activity == "" {
		_, made.Activity, _ = strings.Cut(made.ID, threadMark)
	}
	return made.ID, made.Activity, err
}

// privateChat gives the private chat with a person; it is the same each time.
func (c *connector) privateChat(ctx context.Context, ref schema.ConversationReference) (string, error) {
	var made struct {
		ID string `json:"id"`
	}
	err := c.again(ctx, func() error {
		return c.call(ctx, http.MethodPost, ref.ServiceURL, nil, map[string]any{
			"isGroup": false, "bot": account(ref.Bot), "members": []any{map[string]string{"id": ref.User.ID}}, "tenantId": ref.Conversation.TenantID,
			"channelData": map[string]any{"tenant": map[string]any{"id": ref.Conversation.TenantID}},
		}, &made, "conversations")
	})
	if err == nil && !plainID(made.ID) {
		err = errors.New("the connector gave no usable conversation id")
	}
	return made.ID, err
}

func account(a schema.ChannelAccount) map[string]string {
	return map[string]string{"id": a.ID, "name": a.Name}
}

// channels are the ids of a team's channels.
func (c *connector) channels(ctx context.Context, service, team string) ([]string, error) {
	var list struct {
		Conversations []struct {
			ID string `json:"id"`
		} `json:"conversations"`
	}
	err := c.again(ctx, func() error {
		return c.call(ctx, http.MethodGet, service, nil, nil, &list, "teams", team, "conversations")
	})
	var ids []string
	for _, x := range list.Conversations {
		ids = append(ids, x.ID)
	}
	return ids, err
}

// members are all of a conversation's.
func (c *connector) members(ctx context.Context, ref schema.ConversationReference) ([]member, error) {
	var all []member
	query := url.Values{"pageSize": {"500"}}
	for range maxPages {
		var page struct {
			Members []member `json:"members"`
			Next    string   `json:"continuationToken"`
		}
		err := c.again(ctx, func() error {
			return c.call(ctx, http.MethodGet, ref.ServiceURL, query, nil, &page, "conversations", conversationOf(ref.Conversation.ID), "pagedmembers")
		})
		if err != nil {
			return nil, err
		}
		if all = append(all, page.Members...); page.Next == "" {
			return all, nil
		}
		query.Set("continuationToken", page.Next)
	}
	return nil, fmt.Errorf("the roster has more than %d pages", maxPages)
}

// maxPages bounds a roster: a team has at most 25,000 members.
const maxPages = 60

// again repeats a call that changes nothing, or the same each time, while the
// connector asks for it.
func (c *connector) again(ctx context.Context, call func() error) error {
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		err := call()
		var s *statusError
		if try == 3 || !errors.As(err, &s) {
			return err
		}
		switch s.code {
		case http.StatusPreconditionFailed, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			return err
		}
		pause := max(wait+time.Duration(rand.Int64N(int64(wait))), s.after)
		if pause > 2*time.Second {
			return err // whoever called comes back by themselves
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		wait *= 2
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// call makes one request. The bot's token goes to allowed hosts alone, and every
// part of the path is one part.
func (c *connector) call(ctx context.Context, method, service string, query url.Values, body, into any, parts ...string) error {
	if err := c.hosts.check(service); err != nil {
		return unsendable("serviceUrl: %w", err)
	}
	address := trimURL(service) + "/v3"
	for _, p := range parts {
		if !plainID(p) {
			return unsendable("%q is no id", limit(p, 40))
		}
		address += "/" + url.PathEscape(p)
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return unsendable("%w", err)
		}
		content = bytes.NewReader(data)
	}
	token, err := c.tokens.get(ctx)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return unsendable("%w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = fmt.Errorf("call the connector: %w", err)
		if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
			return &bot.NotSent{Err: err}
		}
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		if into == nil || len(bytes.TrimSpace(answer)) == 0 {
			return nil // it is done, whatever the answer was to say
		}
		if err == nil {
			err = json.Unmarshal(answer, into)
		}
		if err != nil && method == http.MethodGet {
			return fmt.Errorf("read the connector's answer: %w", err)
		}
		return nil
	}
	if resp.StatusCode == http.StatusUnauthorized {
		c.tokens.drop(token)
	}
	var said struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // an answer without one is as good
	return &statusError{resp.StatusCode, limit(said.Error.Code, 60), retryAfter(resp.Header.Get("Retry-After"))}
}

const maxAnswer = 8 << 20

// retryAfter reads the header: seconds or a date; zero where there is none.
func retryAfter(s string) time.Duration {
	if n, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && n >= 0 {
		return time.Duration(min(n, 3600) * float64(time.Second))
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(t), 0), time.Hour)
	}
	return 0
}

// tokens are the bot's own, one at a time.
type tokens struct {
	config *clientcredentials.Config // nil: none is sent, for Config.Insecure
	http   *http.Client
	now    func() time.Time

	gate  chan struct{} // holds the right to look and to fetch
	value *oauth2.Token
}

// tokenWait is how soon a message is tried again that waits for the bot's token.
const tokenWait = 30 * time.Second

// get gives a token that is good for five minutes more.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.config == nil {
		return "", nil
	}
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-ctx.Done():
		return "", &bot.NotSent{Err: ctx.Err()}
	}
	if t.value != nil && (t.value.Expiry.IsZero() || t.now().Add(skew).Before(t.value.Expiry)) {
		return t.value.AccessToken, nil
	}
	token, err := t.config.Token(context.WithValue(ctx, oauth2.HTTPClient, t.http))
	if err != nil {
		var r *oauth2.RetrieveError
		if errors.As(err, &r) {
			said, _, _ := strings.Cut(r.ErrorDescription, "\n")
			err = fmt.Errorf("the log-in host answers %s: %s %s", r.Response.Status, limit(r.ErrorCode, 60), limit(strings.TrimSpace(said), 200))
		}
		return "", &bot.NotSent{Err: fmt.Errorf("the bot's token: %w", err), After: tokenWait}
	}
	t.value = token
	return token.AccessToken, nil
}

// drop forgets a token that was refused.
func (t *tokens) drop(value string) {
	t.gate <- struct{}{}
	if t.value != nil && t.value.AccessToken == value {
		t.value = nil
	}
	<-t.gate
}

// pace keeps within what Teams takes: of one bot in one conversation 7 messages in
// a second, 8 in two, 60 in thirty and 1,800 in an hour; 50 requests a second of
// one app in a tenant. A bucket of b refilled at r a second lets b + r·t through in
// t seconds, so 4 at 1.8 keeps the first three and 30 at 0.49 the last.
type pace struct {
	faster float64 // Config.Pace
	all    *rate.Limiter

	mu    sync.Mutex
	lanes map[string]*lane
}

type lane struct {
	short, long *rate.Limiter
	used        time.Time
}

func newPace(faster float64) *pace {
	if faster <= 0 {
		faster = 1
	}
	return &pace{faster: faster, all: rate.NewLimiter(rate.Limit(40*faster), 10), lanes: map[string]*lane{}}
}

// maxWait is the longest that a message waits here for its turn; beyond it the
// outbox is told when to come again.
const maxWait = time.Second

var errPace = errors.New("the conversation's pace is used up")

func (p *pace) wait(ctx context.Context, conversation string) error {
	now := time.Now() // the limits are of real time
	p.mu.Lock()
	key := conversationOf(conversation)
	l := p.lanes[key]
	if l == nil {
		if len(p.lanes) >= maxLanes {
			for k, x := range p.lanes {
				if now.Sub(x.used) > time.Hour {
					delete(p.lanes, k)
				}
			}
		}
		l = &lane{short: rate.NewLimiter(rate.Limit(1.8*p.faster), 4), long: rate.NewLimiter(rate.Limit(0.49*p.faster), 30)}
		p.lanes[key] = l
	}
	l.used = now
	p.mu.Unlock()
	var longest time.Duration
	var held []*rate.Reservation
	for _, limiter := range []*rate.Limiter{l.short, l.long, p.all} {
		r := limiter.ReserveN(now, 1)
		held = append(held, r)
		longest = max(longest, r.DelayFrom(now))
	}
	if longest == 0 {
		return nil
	}
	err := errPace
	if longest <= maxWait {
		if err = sleep(ctx, longest); err == nil {
			return nil
		}
	}
	for _, r := range held {
		r.CancelAt(now)
	}
	return &bot.NotSent{Err: err, After: longest}
}

// maxLanes is how many conversations' paces are kept before idle ones go.
const maxLanes = 10_000
