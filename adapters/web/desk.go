package web

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"canteen/bot"
	"canteen/knowledge"
)

// How much of the past the desk shows.
const (
	latestDone   = 20
	latestParked = 20
)

type deskPage struct {
	layout
	Me       bot.Person
	Pending  []row
	Done     []row
	Parked   []bot.Stuck
	Problems knowledge.Problems
	Unready  []string
}

// row is an escalation in a list. It names the holder, and never the asker.
type row struct {
	Ref    bot.Ref
	State  bot.State
	Urgent bool
	Topic  string
	Text   string
	Holder string
	At     time.Time
	Age    string // "2 hours", of one that waits
}

// maxRow is how much of a question a list shows, in characters.
const maxRow = 200

// desk lists what waits, and what does not work.
func (s *web) desk(w http.ResponseWriter, r *http.Request) error {
	p := deskPage{layout: s.layout(r, "Comms desk"), Problems: s.Problems(), Unready: s.Unready()}
	p.Me = s.person(w, r)
	pending, err := s.Store.Pending(r.Context())
	if err != nil {
		return fmt.Errorf("pending: %w", err)
	}
	done, err := s.Store.Done(r.Context(), latestDone)
	if err != nil {
		return fmt.Errorf("done: %w", err)
	}
	if p.Parked, err = s.Store.Parked(r.Context(), latestParked); err != nil {
		return fmt.Errorf("parked: %w", err)
	}
	for _, e := range pending {
		x := s.row(e)
		x.Age = age(s.Now().Sub(e.OpenedAt))
		p.Pending = append(p.Pending, x)
	}
	for _, e := range done {
		p.Done = append(p.Done, s.row(e))
	}
	p.Version = version(p.Me, p.Pending, p.Done, p.Parked, p.Problems, p.Unready)
	if unchanged(w, r, p.Version) {
		return nil
	}
	return s.show(w, http.StatusOK, "desk", p)
}

func (s *web) row(e bot.Escalation) row {
	x := row{Ref: e.Ref, State: e.State, Urgent: e.Urgent && e.State.Pending(), Text: e.Text, At: e.OpenedAt}
	if topic, ok := s.Bot.Base().Entry(e.Topic); ok {
		x.Topic = topic.Title
	}
	if r := []rune(x.Text); len(r) > maxRow {
		x.Text = string(r[:maxRow-1]) + "…"
	}
	if e.Holder.ID != "" {
		x.Holder = cmp.Or(e.Holder.Name, nameless)
	}
	return x
}

// nameless is a colleague who has given no name.
const nameless = "somebody in comms"

// age says how long something has waited.
func age(d time.Duration) string {
	n, unit := int(d/time.Minute), "minute"
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d >= 48*time.Hour:
		n, unit = int(d/(24*time.Hour)), "day"
	case d >= 2*time.Hour:
		n, unit = int(d/time.Hour), "hour"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

type itemPage struct {
	layout
	Ref     bot.Ref
	Card    bot.Post
	History []bot.Step
	Near    []near
	Like    []bot.Ref
	Entry   *knowledge.Entry // used for the answer, or made of it
	Notice  string
}

// Row is an escalation of a list on its page.
func (p deskPage) Row(x row) rowView { return rowView{p.layout, x} }

type rowView struct {
	layout
	row
}

// nearest is how many entries close to a question are shown.
const nearest = 3

// near is an entry close to a question; one without a page has no link.
type near struct {
	ID, Title  string
	Confidence float64
	Page       bool
}

// item shows one question as comms may see it now.
func (s *web) item(w http.ResponseWriter, r *http.Request) error {
	ref, err := bot.ParseRef(r.PathValue("ref"))
	if err != nil {
		return errMissing
	}
	return s.showItem(w, r, ref, "")
}

func (s *web) showItem(w http.ResponseWriter, r *http.Request, ref bot.Ref, notice string) error {
	me := s.person(w, r)
	e, err := s.Store.Escalation(r.Context(), ref)
	if err != nil {
		return err
	}
	p := itemPage{layout: s.layout(r, ref.String()), Ref: ref, Like: e.Like, Notice: notice}
	if p.Card, err = s.Bot.Card(r.Context(), ref, me.ID); err != nil {
		return err
	}
	// The page has these two with links.
	p.Card.Facts = slices.DeleteFunc(p.Card.Facts, func(f bot.Fact) bool { return f.Label == "Nearest entries" || f.Label == "Like it" })
	p.History = e.Safe().History
	base := s.Bot.Base()
	for _, c := range e.Candidates {
		// A lane that was not sure enough to be shown would say more than is known.
		if x, ok := base.Entry(c.ID); ok && x.Lane() == "" && len(p.Near) < nearest {
			p.Near = append(p.Near, near{x.ID, x.Title, c.Confidence, x.Route != knowledge.SmallTalk})
		}
	}
	if x, ok := base.Entry(e.Entry); ok {
		p.Entry = x
	}
	p.Version = version(e.Version, base.Hash())
	if notice == "" && unchanged(w, r, p.Version) {
		return nil
	}
	return s.show(w, http.StatusOK, "item", p)
}

// people are those whom a question can be assigned to: whoever is asking, who was
// at the desk lately, and who has held or answered one on any platform. Whether
// they still belong to comms is checked when they are picked.
func (s *web) people(ctx context.Context, me bot.Person) ([]bot.Choice, error) {
	pending, err := s.Store.Pending(ctx)
	if err != nil {
		return nil, fmt.Errorf("pending: %w", err)
	}
	done, err := s.Store.Done(ctx, latestDone)
	if err != nil {
		return nil, fmt.Errorf("done: %w", err)
	}
	list := []bot.Choice{{Label: cmp.Or(me.Name, nameless), Value: string(me.ID)}}
	add := func(id bot.PersonID, name string) {
		if name != "" && !slices.ContainsFunc(list, func(c bot.Choice) bool { return c.Value == string(id) }) {
			list = append(list, bot.Choice{Label: name, Value: string(id)})
		}
	}
	s.colleagues.Range(func(id, name any) bool {
		add(id.(bot.PersonID), name.(string))
		return true
	})
	for _, e := range append(pending, done...) {
		add(e.Holder.ID, e.Holder.Name)
		add(e.AnsweredBy.ID, e.AnsweredBy.Name)
	}
	slices.SortStableFunc(list[1:], func(a, b bot.Choice) int { return strings.Compare(a.Label, b.Label) })
	return list, nil
}

// name keeps what colleagues see of whoever is at the desk.
func (s *web) name(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	s.person(w, r)
	http.SetCookie(w, cookie(nameCookie, base64.RawURLEncoding.EncodeToString([]byte(deskName(r.PostForm.Get("name"))))))
	return to(w, r, "/desk/")
}

// retry queues a delivery again that was given up. One that is no longer there was
// retried already.
func (s *web) retry(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	s.person(w, r)
	if err := s.Store.Retry(r.Context(), r.PostForm.Get("id")); err != nil {
		return err
	}
	return to(w, r, "/desk/")
}

type tryPage struct {
	layout
	Text    string
	Error   string
	Asked   *bot.Asked
	Cue     string
	Removed string
	Titles  map[string]string // of the entries named, by id
}

// try shows what would become of a question. Nothing of it is kept, and it is
// posted so that it stands in no address.
func (s *web) try(w http.ResponseWriter, r *http.Request) error {
	p := tryPage{layout: s.layout(r, "Try a question"), Titles: map[string]string{}}
	if r.Method != http.MethodPost {
		return s.show(w, http.StatusOK, "try", p)
	}
	if err := parse(r); err != nil {
		return err
	}
	p.Text = r.PostForm.Get("text")
	if u, ok := bot.Unreadable(p.Text); ok {
		p.Error, p.Failed = s.Bot.Say(u.Wording), true
		return s.show(w, http.StatusUnprocessableEntity, "try", p)
	}
	base := s.Bot.Base()
	thought := s.Bot.Think(p.Text)
	asked := thought.Report(base, thought.Text)
	p.Asked, p.Cue, p.Removed = &asked, thought.Cue, strings.Join(thought.Removed, ", ")
	for _, e := range base.Entries() {
		p.Titles[e.ID] = e.Title
	}
	return s.show(w, http.StatusOK, "try", p)
}
