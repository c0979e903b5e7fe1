package connector

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
	"time"

	"github.com/infracloudio/msbotbuilder-go/schema"
)

// Client calls the Bot Connector as one bot. It is safe for concurrent use.
//
// Of a conversation reference the calls use ServiceURL, Conversation.ID and
// Conversation.TenantID; StartThread and OpenChat also Bot, and OpenChat User.ID. An
// activity is anything that encoding/json writes as one.
//
// Every error is one of three: a *NotSent says that the call surely did nothing; a
// *StatusError is the service's answer, which says by MaybeDone whether it may have done
// something; any other, a timeout above all, leaves it unknown.
type Client struct {
	http   *http.Client
	tokens *tokens
	hosts  hosts
	pace   *pace
}

// NewClient makes a Client. It calls nothing.
func NewClient(c Config) *Client {
	return &Client{http: c.httpClient(), tokens: newTokens(c), hosts: c.hosts(), pace: newPace(c.Pace)}
}

// CheckToken gets the bot's own token where none is held. The error says what the log-in
// host says, and never holds the password.
func (c *Client) CheckToken(ctx context.Context) error {
	_, err := c.tokens.get(ctx)
	return err
}

// CheckService says what is wrong with a service URL, if anything: its host has to be one
// of the allowed, by https.
func (c *Client) CheckService(serviceURL string) error { return c.hosts.check(serviceURL) }

// Post posts an activity into a conversation and gives its id. What exceeds the pace of
// Teams waits for at most a second, and is a *NotSent beyond.
func (c *Client) Post(ctx context.Context, to schema.ConversationReference, activity any) (id string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	err = c.inConversation(ctx, http.MethodPost, to, activity, &made, "activities")
	return made.ID, err
}

// Update puts another activity in the place of one that the bot posted, in the pace of
// Post.
func (c *Client) Update(ctx context.Context, in schema.ConversationReference, id string, activity any) error {
	return c.inConversation(ctx, http.MethodPut, in, activity, nil, "activities", id)
}

// Delete deletes an activity that the bot posted, in the pace of Post.
func (c *Client) Delete(ctx context.Context, in schema.ConversationReference, id string) error {
	return c.inConversation(ctx, http.MethodDelete, in, nil, nil, "activities", id)
}

// inConversation calls for something below a conversation, in its pace.
func (c *Client) inConversation(ctx context.Context, method string, ref schema.ConversationReference, body, into any, below ...string) error {
	if err := c.pace.wait(ctx, ref.Conversation.ID); err != nil {
		return err
	}
	return c.call(ctx, method, ref.ServiceURL, nil, body, into, append([]string{"conversations", ref.Conversation.ID}, below...)...)
}

// StartThread posts an activity into a channel as the first of a new thread, in the pace
// of Post, and gives the thread's conversation and the activity's id.
func (c *Client) StartThread(ctx context.Context, channel schema.ConversationReference, activity any) (conversation, id string, err error) {
	where, _ := SplitThread(channel.Conversation.ID)
	if err := c.pace.wait(ctx, where); err != nil {
		return "", "", err
	}
	var made struct {
		ID       string `json:"id"`
		Activity string `json:"activityId"`
	}
	tenant := channel.Conversation.TenantID
	err = c.call(ctx, http.MethodPost, channel.ServiceURL, nil, map[string]any{
		"isGroup": true, "bot": account(channel.Bot), "tenantId": tenant, "activity": activity,
		"channelData": map[string]any{"channel": map[string]any{"id": where}, "tenant": map[string]any{"id": tenant}},
	}, &made, "conversations")
	if err == nil && made.Activity == "" {
		_, made.Activity = SplitThread(made.ID)
	}
	return made.ID, made.Activity, err
}

// OpenChat gives the conversation of the private chat with a user. It is the same one
// each time, so the call is repeated while the service asks for it.
func (c *Client) OpenChat(ctx context.Context, with schema.ConversationReference) (conversation string, err error) {
	var made struct {
		ID string `json:"id"`
	}
	tenant := with.Conversation.TenantID
	err = c.retry(ctx, func() error {
		return c.call(ctx, http.MethodPost, with.ServiceURL, nil, map[string]any{
			"isGroup": false, "bot": account(with.Bot), "members": []any{map[string]string{"id": with.User.ID}}, "tenantId": tenant,
			"channelData": map[string]any{"tenant": map[string]any{"id": tenant}},
		}, &made, "conversations")
	})
	if err == nil && !ValidID(made.ID) {
		err = errors.New("the connector gave no usable conversation id")
	}
	return made.ID, err
}

func account(a schema.ChannelAccount) map[string]string {
	return map[string]string{"id": a.ID, "name": a.Name}
}

// Channels gives the ids of a team's channels.
func (c *Client) Channels(ctx context.Context, serviceURL, team string) ([]string, error) {
	var list struct {
		Conversations []struct {
			ID string `json:"id"`
		} `json:"conversations"`
	}
	err := c.retry(ctx, func() error {
		return c.call(ctx, http.MethodGet, serviceURL, nil, nil, &list, "teams", team, "conversations")
	})
	var ids []string
	for _, x := range list.Conversations {
		ids = append(ids, x.ID)
	}
	return ids, err
}

// Member is somebody in a conversation or a team.
type Member struct {
	ID          string `json:"id"` // for the bot, such as 29:…
	Name        string `json:"name"`
	AADObjectID string `json:"aadObjectId"`
	ObjectID    string `json:"objectId"` // AADObjectID as some rosters call it
	Role        string `json:"userRole"` // user, guest, anonymous or empty
	TenantID    string `json:"tenantId"`
	Email       string `json:"email"`
	Login       string `json:"userPrincipalName"`
}

// Object is the member's object id in the directory, or "".
func (m Member) Object() string {
	if m.AADObjectID != "" {
		return m.AADObjectID
	}
	return m.ObjectID
}

// maxPages bounds a roster: a team has at most 25,000 members, and a page 500.
const maxPages = 60

// Members gives all members of a conversation; of a channel, those of its team.
func (c *Client) Members(ctx context.Context, of schema.ConversationReference) ([]Member, error) {
	var all []Member
	conversation, _ := SplitThread(of.Conversation.ID)
	query := url.Values{"pageSize": {"500"}}
	for range maxPages {
		var page struct {
			Members []Member `json:"members"`
			Next    string   `json:"continuationToken"`
		}
		err := c.retry(ctx, func() error {
			return c.call(ctx, http.MethodGet, of.ServiceURL, query, nil, &page, "conversations", conversation, "pagedmembers")
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

const (
	maxTries   = 3
	firstRetry = 200 * time.Millisecond // doubled each time
	maxRetry   = 2 * time.Second        // whoever would have to wait for longer gets the error
)

// retry repeats a call that changes nothing, or the same each time, while the service
// asks for it.
func (c *Client) retry(ctx context.Context, call func() error) error {
	wait := firstRetry
	for try := 1; ; try++ {
		err := call()
		var s *StatusError
		if try == maxTries || !errors.As(err, &s) {
			return err
		}
		switch s.Status {
		case http.StatusPreconditionFailed, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		default:
			return err
		}
		pause := max(wait+time.Duration(rand.Int64N(int64(wait))), s.RetryAfter)
		if pause > maxRetry {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		wait *= 2
	}
}

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 8 << 20

// call makes one request, of parts of a path, and decodes the answer.
func (c *Client) call(ctx context.Context, method, service string, query url.Values, body, into any, parts ...string) error {
	req, err := c.request(ctx, method, service, query, body, parts)
	if err != nil {
		return err
	}
	token, err := c.tokens.get(ctx)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		err = fmt.Errorf("call the connector: %w", err)
		if dial := new(net.OpError); errors.As(err, &dial) && dial.Op == "dial" {
			return &NotSent{Err: err}
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
		c.tokens.drop(ctx, token)
	}
	var said struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(answer, &said) // without one the status says enough
	return &StatusError{resp.StatusCode, limit(said.Error.Code, 60), retryAfter(resp.Header.Get("Retry-After"))}
}

// request makes a request without a token, to an allowed host alone. Every part of the
// path is one part, whatever is in it. The error is a *NotSent.
func (c *Client) request(ctx context.Context, method, service string, query url.Values, body any, parts []string) (*http.Request, error) {
	if err := c.hosts.check(service); err != nil {
		return nil, unsendable("serviceUrl: %w", err)
	}
	address := trimSlash(service) + "/v3"
	for _, p := range parts {
		if !ValidID(p) {
			return nil, unsendable("%q is not an id", limit(p, 40))
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
			return nil, unsendable("%w", err)
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, unsendable("%w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	req.Header.Set("Accept", "application/json")
	return req, nil
}
