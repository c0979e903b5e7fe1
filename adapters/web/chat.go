package web

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"

	"canteen/bot"
	"canteen/knowledge"
	"canteen/knowledge/text"
)

// transcript is how many questions, and how many posts, the chat shows.
const transcript = 50

type chatPage struct {
	layout
	Said   []said
	Notice string // Markdown, for the one who pressed
	Text   string // what stands in the box
	Error  string // what is wrong with it
	Unsent string // what the script says when it reaches nobody
}

// said is one message on the page. One that is not Kept is there until the page
// is left.
type said struct {
	bot.Said
	Kept bool
}

// chat shows the conversation. A script that asks whether anything is new gets
// 304 until there is.
func (s *web) chat(w http.ResponseWriter, r *http.Request) error {
	p, err := s.chatPage(r)
	if err != nil {
		return err
	}
	if unchanged(w, r, p.Version) {
		return nil
	}
	return s.show(w, http.StatusOK, "chat", p)
}

func (s *web) newChat(r *http.Request) *chatPage {
	return &chatPage{layout: s.layout(r, "Ask about social media at work"), Unsent: s.Bot.Say(bot.WordNotSaved)}
}

func (s *web) chatPage(r *http.Request) (*chatPage, error) {
	p := s.newChat(r)
	me, ok := s.who(r)
	if !ok {
		p.Version = version()
		return p, nil
	}
	list, err := s.Store.Transcript(r.Context(), bot.Place(me.ID), transcript)
	if err != nil {
		return nil, fmt.Errorf("transcript: %w", err)
	}
	var state []any
	for _, x := range list {
		p.Said = append(p.Said, said{x, true})
		state = append(state, x.ID, x.Version)
	}
	p.Version = version(state...)
	return p, nil
}

// version names a state of a page.
func version(state ...any) string {
	return fmt.Sprintf(`W/"%x"`, sha256.Sum256(fmt.Append(nil, state...)))
}

func unchanged(w http.ResponseWriter, r *http.Request, version string) bool {
	w.Header().Set("ETag", version)
	if r.Header.Get("If-None-Match") != version {
		return false
	}
	w.WriteHeader(http.StatusNotModified)
	return true
}

// ask takes a question.
func (s *web) ask(w http.ResponseWriter, r *http.Request) error {
	if err := parse(r); err != nil {
		return err
	}
	asked := r.PostForm.Get("text")
	if u, ok := bot.Unreadable(asked); ok {
		return s.refuse(w, r, http.StatusUnprocessableEntity, asked, s.Bot.Say(u.Wording))
	}
	me := s.person(w, r)
	m := bot.Message{Keys: []string{messageKey(r, me, nil)}, From: me, In: bot.Place(me.ID), Audience: bot.Private, Addressed: true, Text: asked, At: s.Now()}
	reply, err := s.Bot.Handle(r.Context(), m)
	if err != nil {
		return s.notSaved(w, r, asked, err)
	}
	p, err := s.chatPage(r)
	switch {
	case err != nil && len(reply.Posts) > 0: // the steps of a lane, while the store is down
		s.Log.Error("the chat page shows one message alone", "error", err)
		p = s.newChat(r)
	case err != nil:
		return err
	}
	kept, _ := bot.Redact(text.Clean(asked))
	mine := func(x said) bool { return x.Mine && x.Text == kept }
	if reply.Repeat && !slices.ContainsFunc(p.Said, mine) {
		// The answer was for its own response alone, and nobody may have seen it;
		// or an old page was written into anew.
		m.Keys = []string{string(me.ID) + "/" + rand.Text()}
		if reply, err = s.Bot.Handle(r.Context(), m); err != nil {
			return s.notSaved(w, r, asked, err)
		}
		if p, err = s.chatPage(r); err != nil {
			return err
		}
	}
	if len(reply.Posts) > 0 {
		p.once(bot.Said{ID: rand.Text(), At: m.At, Text: kept, Mine: true})
	}
	return s.answered(w, r, p, reply)
}

// once adds to the page what is not kept.
func (p *chatPage) once(x bot.Said) { p.Said = append(p.Said, said{x, false}) }

// answered shows what a message came to: what is kept after a redirect, what is
// said once in the response.
func (s *web) answered(w http.ResponseWriter, r *http.Request, p *chatPage, reply bot.Reply) error {
	for _, post := range reply.Posts {
		p.once(bot.Said{ID: rand.Text(), At: s.Now(), Post: post})
	}
	p.Notice = reply.Notice
	if p.Notice != "" || len(reply.Posts) > 0 {
		return s.show(w, http.StatusOK, "chat", p)
	}
	for _, x := range slices.Backward(p.Said) {
		if x.Mine {
			return to(w, r, "/#m-"+x.ID)
		}
	}
	return to(w, r, "/")
}

// notSaved tells the asker that their question went nowhere, and leaves it in the
// box.
func (s *web) notSaved(w http.ResponseWriter, r *http.Request, text string, err error) error {
	s.Log.Error("web: question not saved", "error", err)
	return s.refuse(w, r, http.StatusServiceUnavailable, text, s.Bot.Sentence(err))
}

func (s *web) refuse(w http.ResponseWriter, r *http.Request, status int, text, sentence string) error {
	p, err := s.chatPage(r)
	if err != nil {
		p = s.newChat(r)
	}
	p.Text, p.Error, p.Failed = text, sentence, true
	return s.show(w, status, "chat", p)
}

type topicsPage struct {
	layout
	bot.Home
}

func (s *web) topics(w http.ResponseWriter, r *http.Request) error {
	return s.home(w, r, "topics", "Topics")
}

func (s *web) you(w http.ResponseWriter, r *http.Request) error {
	return s.home(w, r, "you", "Your questions")
}

func (s *web) home(w http.ResponseWriter, r *http.Request, page, title string) error {
	me, ok := s.who(r)
	if !ok {
		me.ID = bot.WebAdapter + ":" // nobody's: without an id, whoever was erased would be meant
	}
	home, err := s.Bot.Home(r.Context(), me.ID)
	if err != nil {
		return err
	}
	return s.show(w, http.StatusOK, page, topicsPage{s.layout(r, title), home})
}

type erasePage struct {
	layout
	Done bool
}

// erase forgets a person, when they have said so on its own page.
func (s *web) erase(w http.ResponseWriter, r *http.Request) error {
	p := erasePage{layout: s.layout(r, "Erase what is kept of you")}
	if r.Method == http.MethodPost {
		if err := parse(r); err != nil {
			return err
		}
		if me, ok := s.who(r); ok {
			if err := s.Bot.Forget(r.Context(), me, messageKey(r, me, nil)); err != nil {
				return err
			}
		}
		gone := cookie(chatCookie, "")
		gone.MaxAge = -1
		http.SetCookie(w, gone)
		p.Title, p.Done = "Erased", true
	}
	return s.show(w, http.StatusOK, "erase", p)
}

// about shows what Canteen says of itself in a wording of that name.
func (s *web) about(wording bot.Word, title string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		e := &knowledge.Entry{Title: title, Body: s.Bot.Say(wording)}
		return s.show(w, http.StatusOK, "entry", entryPage{layout: s.layout(r, title), Entry: e})
	}
}

type entryPage struct {
	layout
	Entry     *knowledge.Entry
	Uncovered string // of one that a person answers
	Source    string
	SeeAlso   []*knowledge.Entry
}

// entry shows an entry to read. Lanes are shown to whoever they are for only.
func (s *web) entry(w http.ResponseWriter, r *http.Request) error {
	base := s.Bot.Base()
	e, ok := base.Entry(r.PathValue("id"))
	if !ok || e.Lane() != "" || e.Route == knowledge.SmallTalk {
		return errMissing
	}
	p := entryPage{layout: s.layout(r, e.Title), Entry: e, Source: bot.SourceName(e.Source)}
	if e.Route == knowledge.Comms {
		p.Uncovered = s.Bot.Say(bot.WordNotCovered)
	}
	for _, id := range e.SeeAlso {
		if x, ok := base.Entry(id); ok && x.Lane() == "" {
			p.SeeAlso = append(p.SeeAlso, x)
		}
	}
	return s.show(w, http.StatusOK, "entry", p)
}
