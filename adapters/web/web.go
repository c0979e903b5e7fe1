// Package web is Canteen on one machine without any platform: the chat page at /
// and the comms desk at /desk/.
//
// Every page works without a script. The script sends the chat's forms without a
// reload and looks for what has arrived since; it takes all that it shows from the
// same pages. There is no log-in yet, so nobody but this machine is served, and the desk
// opens by a key alone.
//
// In reading order: web.go (who may come in), chat.go and form.go (staff), desk.go
// (comms), render.go (posts into HTML).
package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"canteen/bot"
	"canteen/knowledge"
	"canteen/knowledge/text"
)

// Store is what the pages show of the store.
type Store interface {
	// Transcript gives the last n questions and the last n posts of a place,
	// oldest first.
	Transcript(ctx context.Context, place bot.Place, n int) ([]bot.Said, error)
	// Pending gives what comms have to do, the urgent first, then the oldest.
	Pending(ctx context.Context) ([]bot.Escalation, error)
	// Done gives the latest n on which comms have nothing more to do.
	Done(ctx context.Context, n int) ([]bot.Escalation, error)
	// Escalation gives one, or bot.ErrNotFound.
	Escalation(ctx context.Context, ref bot.Ref) (bot.Escalation, error)
	// Parked gives the latest n deliveries that were given up.
	Parked(ctx context.Context, n int) ([]bot.Stuck, error)
	// Retry queues one of those again, or gives bot.ErrNotFound.
	Retry(ctx context.Context, id string) error
}

// Config is what the pages are made of. Bot and Store are needed.
type Config struct {
	Bot   *bot.Bot
	Store Store
	// Problems are those that keep the FAQ folder on disk out of service.
	Problems func() knowledge.Problems
	// Unready says of each part that does not work what is missing.
	Unready func() []string
	// Local says that the listener is on loopback. Elsewhere every page but those of
	// entries is 404 until there is a log-in.
	Local bool
	// DeskKey opens the desk, at the address that [DeskPath] gives of it. Without one
	// nothing does.
	DeskKey string
	Now     func() time.Time
	Log     *slog.Logger
}

// DeskPath is the path that opens the desk to whoever has its key.
func DeskPath(key string) string { return "/desk/?key=" + url.QueryEscape(key) }

type web struct {
	Config
	// colleagues are the names of those who were at the desk since the start, by
	// bot.PersonID: whom a question can be assigned to.
	colleagues sync.Map
}

// New makes the pages. Their paths are /, all below /desk/, and those of links and
// forms on them.
func New(c Config) http.Handler {
	if c.Problems == nil {
		c.Problems = func() knowledge.Problems { return nil }
	}
	if c.Unready == nil {
		c.Unready = func() []string { return nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &web{Config: c}
	mux := http.NewServeMux()
	for path, page := range map[string]func(http.ResponseWriter, *http.Request) error{
		"/":                                s.missing,
		"GET /{$}":                         s.chat,
		"POST /{$}":                        s.ask,
		"POST /press":                      s.press,
		"GET /form":                        s.form,
		"GET /topics":                      s.topics,
		"GET " + bot.EntryPath + "{id...}": s.entry,
		"GET /privacy":                     s.about(bot.WordPrivacy, "What is kept"),
		"GET /terms":                       s.about(bot.WordTerms, "What Canteen is for"),
		"GET /you":                         s.you,
		"GET /erase":                       s.erase,
		"POST /erase":                      s.erase,
		"GET /desk":                        func(w http.ResponseWriter, r *http.Request) error { return to(w, r, "/desk/") },
		"GET /desk/{$}":                    s.desk,
		"GET /desk/{ref}":                  s.item,
		"GET /desk/form":                   s.form,
		"POST /desk/press":                 s.press,
		"POST /desk/name":                  s.name,
		"POST /desk/retry":                 s.retry,
		"GET /desk/try":                    s.try,
		"POST /desk/try":                   s.try,
		"GET /assets/{name}":               s.asset,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			err := s.deskDoor(w, r)
			if err == nil {
				err = page(w, r)
			}
			if err != nil && !errors.Is(err, errOpened) {
				s.failed(w, r, err)
			}
		})
	}
	guarded := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.local(r) && !public(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		guarded.ServeHTTP(w, r)
	})
}

// maxBody is the largest form that is read.
const maxBody = 64 << 10

// public tells the pages that answers and an app's listing link to: entries and what
// Canteen says of itself, which say nothing of anybody.
func public(path string) bool {
	return path == "/privacy" || path == "/terms" || strings.HasPrefix(path, bot.EntryPath) || strings.HasPrefix(path, "/assets/")
}

// local tells whether a request was made on this machine for this machine. A proxy
// in front, or a foreign name that was made to point here, would open the pages to
// whoever is behind it.
func (s *web) local(r *http.Request) bool {
	// A proxy may pass on neither the name that was asked for nor a word of itself;
	// most of those, nginx as it comes among them, speak HTTP/1.0. No browser does.
	if !s.Local || !r.ProtoAtLeast(1, 1) {
		return false
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback()
}

// deskDoor lets those to the desk who came by its key once, and keeps their way in as a
// cookie. It gives errOpened where it has answered with that, and errShut to anybody else:
// nothing of a request tells a proxy on this machine from a person.
func (s *web) deskDoor(w http.ResponseWriter, r *http.Request) error {
	if !atDesk(r) {
		return nil
	}
	sum := sha256.Sum256([]byte("desk cookie " + s.DeskKey))
	value := base32.StdEncoding.EncodeToString(sum[:15])
	same := func(a, b string) bool {
		return s.DeskKey != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
	}
	if key := r.URL.Query().Get("key"); r.Method == http.MethodGet && same(key, s.DeskKey) {
		http.SetCookie(w, cookie(doorCookie, value))
		_ = to(w, r, "/desk/")
		return errOpened
	}
	if c, err := r.Cookie(doorCookie); err != nil || !same(c.Value, value) {
		return errShut
	}
	return nil
}

// The cookies. Each holds random letters; the name is base64.
const (
	doorCookie = "canteen_door"
	chatCookie = "canteen_chat"
	deskCookie = "canteen_desk"
	nameCookie = "canteen_name"
	cookieAge  = 365 * 24 * time.Hour
)

// deskPrefix sets the persons of the desk apart from those of the chat, whose ids
// have no hyphen.
const deskPrefix = bot.WebAdapter + ":desk-"

var secret = regexp.MustCompile(`^[A-Z2-7]{26}$`) // as rand.Text makes it

// Members is who belongs to comms on the web: whoever is at the desk.
type Members struct{}

// Member implements bot.Members.
func (Members) Member(_ context.Context, p bot.PersonID) (bool, error) {
	return strings.HasPrefix(string(p), deskPrefix), nil
}

// atDesk tells whether a request is to the desk.
func atDesk(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/desk/") }

// who is the person of a request, and false for one who has not written anything
// yet. What is stored of them is no key to their cookie.
func (s *web) who(r *http.Request) (bot.Person, bool) {
	name, prefix := chatCookie, bot.WebAdapter+":"
	if atDesk(r) {
		name, prefix = deskCookie, deskPrefix
	}
	c, err := r.Cookie(name)
	if err != nil || !secret.MatchString(c.Value) {
		return bot.Person{}, false
	}
	sum := sha256.Sum256([]byte(c.Value))
	p := bot.Person{ID: bot.PersonID(prefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:15])))}
	if atDesk(r) {
		if c, err := r.Cookie(nameCookie); err == nil {
			if b, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil {
				p.Name = deskName(string(b))
			}
		}
		s.colleagues.Store(p.ID, p.Name)
	}
	return p, true
}

// person is who, with a new cookie where there is none.
func (s *web) person(w http.ResponseWriter, r *http.Request) bot.Person {
	p, ok := s.who(r)
	if !ok {
		name := chatCookie
		if atDesk(r) {
			name = deskCookie
		}
		c := cookie(name, rand.Text())
		http.SetCookie(w, c)
		others := r.Cookies()
		r.Header.Del("Cookie")
		r.AddCookie(c)
		for _, o := range others {
			if o.Name != name {
				r.AddCookie(o)
			}
		}
		p, _ = s.who(r)
	}
	return p
}

func cookie(name, value string) *http.Cookie {
	// Lax, because a link from elsewhere must find the conversation that is there.
	return &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(cookieAge / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// maxName is the longest name of a colleague, in characters.
const maxName = 60

func deskName(s string) string {
	r := []rune(strings.Join(strings.Fields(text.Clean(s)), " "))
	return string(r[:min(len(r), maxName)])
}

// messageKey is the name of one submission of one form: the same form sent twice
// is one message. The form's token alone would lose what somebody writes into an
// old page that they went back to, so what was sent is part of it; of free text it
// is not, since that may be private.
func messageKey(r *http.Request, p bot.Person, press *bot.Press) string {
	token := r.PostForm.Get("key")
	if !secret.MatchString(token) {
		token = rand.Text()
	}
	key := string(p.ID) + "/" + token
	if press != nil {
		b, _ := json.Marshal(press) // strings and a number: cannot fail
		key += fmt.Sprintf("/%x", sha256.Sum256(b))
	}
	return key
}

//go:embed assets
var assets embed.FS

// asset serves one file under a name that changes with its content.
func (s *web) asset(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	http.ServeFileFS(w, r, assets, "assets/"+r.PathValue("name"))
	return nil
}

func to(w http.ResponseWriter, r *http.Request, where string) error {
	http.Redirect(w, r, where, http.StatusSeeOther)
	return nil
}

// Errors of a request itself.
var (
	errBadRequest = errors.New("bad request")
	errMissing    = fmt.Errorf("page: %w", bot.ErrNotFound)
	errShut       = errors.New("the desk is shut")
	errOpened     = errors.New("the desk is opened")
)

func (s *web) missing(http.ResponseWriter, *http.Request) error { return errMissing }

// failed shows what went wrong. Whose fault it was decides whether it is logged.
func (s *web) failed(w http.ResponseWriter, r *http.Request, err error) {
	p := failedPage{layout: s.layout(r, "Sorry, there is a problem")}
	status := http.StatusServiceUnavailable
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		status, p.Text = http.StatusRequestEntityTooLarge, s.Bot.Say(bot.WordTooLong)
	case errors.Is(err, errShut):
		status, p.Title, p.Text = http.StatusNotFound, "The desk is not open here", "Open the address that \"canteen serve\" prints after \"desk:\" when it starts. You need it once in each browser."
		p.Desk = false
	case errors.Is(err, bot.ErrNotFound):
		status, p.Title, p.Text = http.StatusNotFound, "Page not found", "If you typed the address, check that it is correct."
	case errors.Is(err, bot.ErrForbidden):
		status, p.Text = http.StatusForbidden, s.Bot.Say(bot.WordForbidden)
	case errors.Is(err, errBadRequest):
		status, p.Text = http.StatusBadRequest, s.Bot.Say(bot.WordExpired)
	default:
		p.Text = s.Bot.Sentence(err)
		s.Log.Error("web: request failed", "method", r.Method, "route", r.Pattern, "error", err)
	}
	if err := s.show(w, status, "failed", p); err != nil {
		s.Log.Error("web: page of an error", "error", err)
	}
}

// parse reads a posted form.
func parse(r *http.Request) error {
	err := r.ParseForm()
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		return fmt.Errorf("%w: form", errBadRequest)
	}
	return err
}
