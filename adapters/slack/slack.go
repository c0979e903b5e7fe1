// Package slack is Canteen in Slack, over Socket Mode and over signed HTTP.
//
// In reading order: slack.go (the adapter, and whether it is ready), verify.go
// (requests over HTTP), socket.go (requests over Socket Mode), translate.go (from
// a request to a bot.Message, the same for both), interact.go (presses, forms and
// what they take back), render.go (from a bot.Post to Block Kit), views.go (the
// Home tab and forms), send.go (the outbox's end), people.go (names and members),
// manifest.go and doctor.go.
package slack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	slackgo "github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"canteen/bot"
)

// Name is what the ids of this adapter begin with.
const Name = "slack"

// Config is what an Adapter is made of. BotToken, Bot and one of SigningSecret
// and AppToken are needed; Doctor needs no Bot. The tokens and the secret are
// never logged.
type Config struct {
	BotToken      string
	SigningSecret string // gives HTTP
	AppToken      string // gives Socket Mode
	CommsChannel  string // the channel's id; without one no card is posted here
	APIURL        string // for GovSlack; default https://slack.com/api/
	PublicURL     string // links to entries are sent only when it is set
	// AnswerPrivately shows the answer to a mention to who asked, and to nobody
	// else in the channel.
	AnswerPrivately bool
	// AskChannels are those in which a question is taken for one without a mention.
	AskChannels []string
	// RefuseGuests answers guests of the workspace as it does people of other ones: with
	// one sentence. Neither is ever a member of comms.
	RefuseGuests bool
	// Urgent is whom an urgent card calls: "here" (the default), "channel", "nobody", or
	// ids of user groups (S…) and people (U…, W…), with commas between.
	Urgent string

	Bot *bot.Bot
	Log *slog.Logger
	Now func() time.Time
	// Pace is how many messages a second a conversation takes; default 1, which
	// is Slack's own limit.
	Pace rate.Limit
	// Count, when set, is told of each request by what became of it: ok, repeat,
	// ignored, error, and refused as signature, stale, size, body or busy.
	Count func(what string)
}

// Adapter is one Slack workspace, or one Grid organisation.
type Adapter struct {
	c    Config
	api  *slackgo.Client
	http *http.Client
	log  *slog.Logger
	now  func() time.Time

	self     atomic.Pointer[identity]
	members  members
	users    lookups[user]
	channels lookups[channel]
	asking   *rate.Limiter // users.info and conversations.info have 50 a minute and more
	paces    paces
	calls    string // how an urgent card calls people
	seen     recent
	recheck  chan struct{}

	slots chan struct{} // one for each thing that runs after an acknowledgement

	mu       sync.Mutex
	problems map[string]string
}

// identity is who the bot token belongs to.
type identity struct{ user, bot, team, enterprise, url string }

// The parts of the adapter that can be unready, in the order in which they are
// told.
const (
	partToken  = "token"
	partSocket = "socket"
	partComms  = "comms"
)

// requestTimeout bounds what one request may take before its acknowledgement:
// Slack gives up after 3 seconds.
const requestTimeout = 2500 * time.Millisecond

// New makes an Adapter. It calls nothing.
func New(c Config) (*Adapter, error) {
	switch {
	case c.BotToken == "":
		return nil, errors.New("SLACK_BOT_TOKEN is not set")
	case c.SigningSecret == "" && c.AppToken == "":
		return nil, errors.New("set SLACK_APP_TOKEN for Socket Mode, or SLACK_SIGNING_SECRET for events over HTTP")
	}
	if c.APIURL == "" {
		c.APIURL = slackgo.APIURL
	}
	if _, err := url.Parse(c.APIURL); err != nil {
		return nil, errors.New("SLACK_API_URL is not an address such as https://slack-gov.com/api/")
	}
	c.APIURL = strings.TrimSuffix(c.APIURL, "/") + "/" // the client joins the two as they are
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Pace == 0 {
		c.Pace = 1
	}
	if c.Count == nil {
		c.Count = func(string) {}
	}
	var err error
	a := &Adapter{
		c: c, log: c.Log.With("adapter", Name), now: c.Now,
		http:     &http.Client{Timeout: callTimeout},
		recheck:  make(chan struct{}, 1),
		slots:    make(chan struct{}, 128),
		problems: map[string]string{partToken: "Slack: not checked yet"},
	}
	a.api = slackgo.New(c.BotToken, slackgo.OptionHTTPClient(a.http), slackgo.OptionAPIURL(c.APIURL), slackgo.OptionAppLevelToken(c.AppToken))
	a.members.turn = make(chan struct{}, 1)
	a.members.ttl, a.asking = memberTTL, rate.NewLimiter(rate.Every(time.Second), 30)
	if a.calls, err = calls(c.Urgent); err != nil {
		return nil, err
	}
	a.paces.pace = c.Pace
	if c.AppToken != "" {
		a.problems[partSocket] = "Slack: Socket Mode is not connected yet"
	}
	return a, nil
}

// callTimeout bounds one call of the Web API.
const callTimeout = 10 * time.Second

// Comms is the place of the comms channel, or "" when none is set.
func (a *Adapter) Comms() bot.Place {
	if a.c.CommsChannel == "" {
		return ""
	}
	return place(a.c.CommsChannel, "")
}

// Ready is nil when questions can come in and answers can go out; otherwise it
// says what is wrong and how to mend it.
func (a *Adapter) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, part := range []string{partToken, partSocket, partComms} {
		if p := a.problems[part]; p != "" {
			errs = append(errs, errors.New(p))
		}
	}
	return errors.Join(errs...)
}

// problem sets or, with "", clears what is wrong with a part, and logs a change.
func (a *Adapter) problem(part, say string) {
	a.mu.Lock()
	was := a.problems[part]
	a.problems[part] = say
	a.mu.Unlock()
	switch {
	case say == was:
	case say == "":
		a.log.Info("slack: ready", "part", part)
	default:
		a.log.Error("slack: not ready", "part", part, "reason", say)
	}
}

// Run checks the platform and keeps the socket until ctx ends, then waits for
// what is under way. It returns nil: no failure of Slack's ends it.
func (a *Adapter) Run(ctx context.Context) error {
	var socket sync.WaitGroup
	if a.c.AppToken != "" {
		socket.Go(func() { a.socket(ctx) })
	}
	a.watch(ctx)
	socket.Wait()
	a.finish()
	return nil
}

// How often the platform is checked: soon while something is wrong, seldom
// otherwise.
const (
	checkFirst   = time.Second
	checkWrong   = 30 * time.Second
	checkRight   = 10 * time.Minute
	checkTimeout = 15 * time.Second
)

func (a *Adapter) watch(ctx context.Context) {
	wait := checkFirst
	for {
		check, cancel := context.WithTimeout(ctx, checkTimeout)
		ok := a.check(check)
		cancel()
		pause := checkRight
		if !ok {
			pause, wait = wait, min(2*wait, checkWrong)
		} else {
			wait = checkFirst
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-a.recheck:
			timer.Stop()
		}
	}
}

// check looks at the token and the comms channel and remembers what is wrong.
func (a *Adapter) check(ctx context.Context) bool {
	id, _, err := a.identify(ctx)
	if err != nil {
		if ctx.Err() == nil || !errors.Is(err, context.Canceled) {
			a.problem(partToken, "Slack: "+tokenMend(err))
		}
		return false
	}
	a.self.Store(&id)
	a.problem(partToken, "")
	say, _ := a.commsChannel(ctx)
	a.problem(partComms, say)
	return say == ""
}

// identify asks Slack whose the bot token is, and which scopes it has.
func (a *Adapter) identify(ctx context.Context) (identity, []string, error) {
	r, err := a.api.AuthTestContext(ctx)
	if err != nil {
		return identity{}, nil, err
	}
	var scopes []string
	for s := range strings.SplitSeq(r.Header.Get("X-OAuth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			scopes = append(scopes, s)
		}
	}
	return identity{user: r.UserID, bot: r.BotID, team: r.TeamID, enterprise: r.EnterpriseID, url: r.URL}, scopes, nil
}

// tokenMend says what to do about a token that Slack does not take.
func tokenMend(err error) string {
	switch code := slackCode(err); {
	case code == "token_expired":
		return "the bot token has expired: turn token rotation off, install the app again and set the new SLACK_BOT_TOKEN"
	case slices.Contains([]string{"token_revoked", "account_inactive", "invalid_auth", "not_authed"}, code):
		return "the bot token is not valid (" + code + "): install the app again and set the new SLACK_BOT_TOKEN (xoxb-…)"
	case code == "not_allowed_token_type":
		return "SLACK_BOT_TOKEN holds another kind of token: set the one that begins with xoxb-"
	case code != "":
		return "the bot token cannot be used: " + code
	}
	return "cannot be reached (" + err.Error() + "): check the network and SLACK_API_URL"
}

// commsChannel says what is wrong with the comms channel, or "", and its name.
func (a *Adapter) commsChannel(ctx context.Context) (say, name string) {
	id := a.c.CommsChannel
	if id == "" {
		return "", ""
	}
	ch, err := a.api.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: id})
	switch code := slackCode(err); {
	case code == "channel_not_found":
		return "Slack: the comms channel " + id + " is not there, or is private and the bot is not in it: check SLACK_COMMS_CHANNEL, then write /invite @Canteen in the channel", ""
	case code == "missing_scope":
		return "Slack: the app may not look at channels: add the scopes channels:read and groups:read and install it again", ""
	case err != nil:
		return "Slack: the comms channel cannot be checked (" + err.Error() + ")", ""
	case ch.IsArchived:
		return "Slack: the comms channel #" + ch.Name + " is archived: unarchive it, or set another SLACK_COMMS_CHANNEL", ch.Name
	case ch.IsExtShared:
		return "Slack: the comms channel #" + ch.Name + " is shared with another organisation, whose people read every card: set another SLACK_COMMS_CHANNEL", ch.Name
	case !ch.IsMember:
		return "Slack: the bot is not in the comms channel #" + ch.Name + ": write /invite @Canteen there", ch.Name
	}
	return "", ch.Name
}

var called = regexp.MustCompile(`^[SUW][A-Z0-9]+$`)

// calls is Config.Urgent in Slack's marks.
func calls(urgent string) (string, error) {
	switch urgent {
	case "", "here":
		return "<!here>", nil
	case "channel":
		return "<!channel>", nil
	case "nobody":
		return "", nil
	}
	var list []string
	for id := range strings.SplitSeq(urgent, ",") {
		id = strings.TrimSpace(id)
		switch {
		case !called.MatchString(id):
			return "", fmt.Errorf("SLACK_URGENT is here, channel, nobody, or ids such as S0123 and U0123 with commas between, not %q", id)
		case id[0] == 'S':
			list = append(list, "<!subteam^"+id+">")
		default:
			list = append(list, "<@"+id+">")
		}
	}
	return strings.Join(list, " "), nil
}

// checkSoon makes watch check at once.
func (a *Adapter) checkSoon() {
	select {
	case a.recheck <- struct{}{}:
	default:
	}
}

// later runs what follows an acknowledgement: calls of the Web API that the
// person waits for, and that nothing depends on.
func (a *Adapter) later(f func(ctx context.Context)) {
	if f == nil {
		return
	}
	held := false
	select {
	case a.slots <- struct{}{}:
		held = true
	default:
	}
	go func() {
		defer a.caught()
		ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
		defer cancel()
		if !held {
			select {
			case a.slots <- struct{}{}:
			case <-ctx.Done():
				a.c.Count("busy")
				return
			}
		}
		defer func() { <-a.slots }()
		f(ctx)
	}()
}

// finish waits for what later has under way.
func (a *Adapter) finish() {
	timer := time.NewTimer(callTimeout)
	defer timer.Stop()
	for taken := range cap(a.slots) {
		select {
		case a.slots <- struct{}{}:
			defer func() { <-a.slots }()
		case <-timer.C:
			a.log.Warn("slack: stopped before all was shown", "left", cap(a.slots)-taken)
			return
		}
	}
}

// caught keeps a panic on one request from ending the process.
func (a *Adapter) caught() {
	if r := recover(); r != nil {
		a.c.Count("error")
		a.log.Error("slack: panic on a request", "panic", r)
	}
}

// slackCode is the error code of Slack's answer, or "".
func slackCode(err error) string {
	var e slackgo.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	var p *slackgo.SlackErrorResponse
	if errors.As(err, &p) {
		return p.Err
	}
	return ""
}

// The ids of the centre that only this file knows how to read and write.

func person(user string) bot.PersonID { return bot.PersonID(Name + ":" + user) }

// userOf is the Slack id of a person, or "" when they are not in Slack.
func userOf(p bot.PersonID) string {
	user, ok := strings.CutPrefix(string(p), Name+":")
	if !ok {
		return ""
	}
	return user
}

func place(channel, thread string) bot.Place {
	if thread == "" {
		return bot.Place(Name + ":" + channel)
	}
	return bot.Place(Name + ":" + channel + "#" + thread)
}

// direct is where a person can be written to alone. It names the person, not the
// conversation, which Send opens when it needs it.
func direct(user string) bot.Place { return place(user, "") }

// where takes a place apart; ok says that it is one of Slack's.
func where(p bot.Place) (channel, thread string, ok bool) {
	rest, ok := strings.CutPrefix(string(p), Name+":")
	channel, thread, _ = strings.Cut(rest, "#")
	return channel, thread, ok && channel != ""
}

// isUser tells a user's id from a conversation's.
func isUser(id string) bool { return strings.HasPrefix(id, "U") || strings.HasPrefix(id, "W") }

// isDirect tells whether a conversation is one person's with the bot.
func isDirect(channel string) bool { return strings.HasPrefix(channel, "D") }
