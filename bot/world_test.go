package bot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
	"canteen/knowledge/match/encoder/minilm"
)

// world is a whole Canteen on one machine: a real store, a small folder, and
// platforms that are nothing but names. Its time stands still until it is moved.
type world struct {
	t      testing.TB
	bot    *bot.Bot
	store  *store.Store
	folder *folder
	dir    string

	mu    sync.Mutex
	clock time.Time
	ids   int

	keys  int
	shown []*message // all that was posted, oldest first
	seen  map[string]int64
	asked map[string]bot.QuestionID // the last one, by conversation
}

// message is a post as it stands on a platform.
type message struct {
	id   string
	to   bot.Place
	only bot.PersonID
	post bot.Post
}

// everybody is who the scenes are about. Sam and Kim are comms.
var everybody = map[string]struct {
	person bot.Person
	home   bot.Place
	comms  bool
}{
	"nurse":   {bot.Person{ID: "slack:T1/nurse", Name: "Nia Nurse"}, "slack:D-nurse", false},
	"porter":  {bot.Person{ID: "slack:T1/porter", Name: "Pat Porter"}, "slack:D-porter", false},
	"doctor":  {bot.Person{ID: "teams:doctor", Name: "Dee Doctor"}, "teams:D-doctor", false},
	"clerk":   {bot.Person{ID: "web:clerk"}, "web:clerk", false},
	"mallory": {bot.Person{ID: "slack:T1/mallory", Name: "Mallory"}, "slack:D-mallory", false},
	"sam":     {bot.Person{ID: "slack:T1/sam", Name: "Sam"}, "slack:D-sam", true},
	"kim":     {bot.Person{ID: "teams:kim", Name: "Kim"}, "teams:D-kim", true},
}

const (
	slackComms bot.Place = "slack:C-comms"
	teamsComms bot.Place = "teams:C-comms"
)

// policy is the shipped one, a little easier: the small folder's confidence is
// not what the scenes are about.
var policy = bot.Policy{Answer: .5, Likely: 2, Topic: .5, Covered: .45, Offer: .05, Lane: .8, Elsewhere: .5, SmallTalk: .5}

type members struct{}

func (members) Member(_ context.Context, p bot.PersonID) (bool, error) {
	for _, x := range everybody {
		if x.person.ID == p {
			return x.comms, nil
		}
	}
	return false, nil
}

// folder serves testdata/folder, and what is saved over it.
type folder struct {
	base     *knowledge.Base
	overlay  fstest.MapFS
	readOnly bool
}

var small = sync.OnceValues(func() (*knowledge.Base, error) { return knowledge.Load(os.DirFS("testdata/folder")) })

func (f *folder) Base() *knowledge.Base { return f.base }

func (f *folder) Format(e knowledge.Entry) []byte { return knowledge.Format(e) }

func (f *folder) Save(_ context.Context, e knowledge.Entry) error {
	return f.write("faq/"+e.ID+".md", knowledge.Format(e))
}

func (f *folder) AddHarmless(_ context.Context, lane, from, sentence string) error {
	return f.write("faq/"+lane+".cues", fmt.Appendf(nil, "# %s\nmust not: %s\n", from, sentence))
}

func (f *folder) Preview(_ context.Context, e knowledge.Entry) (*knowledge.Base, error) {
	base, _, err := f.with("faq/"+e.ID+".md", knowledge.Format(e))
	return base, err
}

func (f *folder) with(name string, data []byte) (*knowledge.Base, fstest.MapFS, error) {
	with := fstest.MapFS{name: {Data: data}}
	for name, file := range f.overlay {
		if _, ok := with[name]; !ok {
			with[name] = file
		}
	}
	base, err := knowledge.Load(os.DirFS("testdata/folder"), with)
	return base, with, err
}

func (f *folder) write(name string, data []byte) error {
	base, with, err := f.with(name, data)
	if err != nil {
		return err
	}
	if f.readOnly {
		return knowledge.ErrReadOnly
	}
	f.base, f.overlay = base, with
	return nil
}

func newWorld(t testing.TB, change ...func(*bot.Config)) *world {
	base, err := small()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, folder: &folder{base: base}, dir: t.TempDir(), seen: map[string]int64{}, asked: map[string]bot.QuestionID{}, clock: at("2026-06-03 10:00")}
	w.store, err = store.OpenSQLite(t.Context(), filepath.Join(w.dir, "canteen.db"), store.Options{Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.make(append([]func(*bot.Config){func(c *bot.Config) { c.Comms = []bot.Place{slackComms} }}, change...)...)
	return w
}

// newUnderstandingWorld is a world whose folder is a real one on disk, with the
// sentence encoder.
func newUnderstandingWorld(t testing.TB, change ...func(*bot.Config)) *world {
	e, err := minilm.Load()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/folder")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	f, err := knowledge.Open(ctx, knowledge.Config{Dirs: []string{dir}, Encoder: e})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); <-f.Done() })
	return newWorld(t, append([]func(*bot.Config){func(c *bot.Config) { c.Folder, c.Policy = f, bot.DefaultPolicy }}, change...)...)
}

// make makes the bot anew over the same store, as a second replica would.
func (w *world) make(change ...func(*bot.Config)) {
	c := bot.Config{Store: w.store, Folder: w.folder, Policy: policy, Now: w.now, NewID: w.newID,
		Members: map[string]bot.Members{"slack": members{}, "teams": members{}, "web": members{}}}
	for _, f := range change {
		f(&c)
	}
	w.bot = bot.New(c)
}

func at(s string) time.Time {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err)
	}
	t, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		panic(err)
	}
	return t
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) newID() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids++
	return fmt.Sprintf("id-%d", w.ids)
}

// from is a message of somebody's, in a place; an empty one is where they are
// alone with the bot.
func (w *world) from(who string, in bot.Place) bot.Message {
	x, ok := everybody[who]
	if !ok {
		w.t.Fatalf("nobody is called %q", who)
	}
	w.keys++
	m := bot.Message{Keys: []string{fmt.Sprintf("key-%d", w.keys), fmt.Sprintf("also-%d", w.keys)}, From: x.person, Audience: bot.Private, Addressed: true, In: in, Direct: x.home, At: w.now()}
	if in == "" {
		m.In = x.home
	}
	if _, channel, ok := strings.Cut(m.In.Lane(), ":C-"); ok {
		m.Audience, m.Where = bot.Shared, "#"+channel
	}
	return m
}

// handle handles a message twice, as a platform that repeats it would have it:
// the second time nothing may happen, and the reply must be the same.
func (w *world) handle(m bot.Message) (bot.Reply, error) {
	reply, err := w.bot.Handle(w.t.Context(), m)
	if err != nil {
		return reply, err
	}
	again, err := w.bot.Handle(w.t.Context(), m)
	if err != nil {
		w.t.Errorf("the repeat of %q: %v", m.Text, err)
	}
	kept := again.Repeat
	again.Repeat = false
	if !reflect.DeepEqual(normal(reply), normal(again)) && (!kept || !reflect.DeepEqual(again, bot.Reply{})) {
		w.t.Errorf("the repeat of %q got another reply:\n%+v\nnot\n%+v", m.Text, again, reply)
	}
	w.check(reply.Posts...)
	return reply, nil
}

// normal is a reply as it comes back from the store.
func normal(r bot.Reply) bot.Reply {
	r.Repeat = false
	data, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	var n bot.Reply
	if err := json.Unmarshal(data, &n); err != nil {
		panic(err)
	}
	return n
}

// delivered is one delivery, as it was settled.
type delivered struct {
	bot.Delivery
	update bool
}

// deliver sends all that waits, as the outbox would, and gives it in order.
func (w *world) deliver() []delivered {
	var all []delivered
	for {
		list, err := w.store.Lease(w.t.Context(), "test", []string{"slack", "teams"}, 100, time.Minute)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		slices.SortFunc(list, func(a, b bot.Delivery) int { return strings.Compare(string(a.To), string(b.To)) })
		for _, d := range list {
			posted := d.PostedID
			if posted == "" {
				posted = "on-" + d.ID
			}
			if err := w.store.Settle(w.t.Context(), bot.Settlement{Delivery: d, Owner: "test", Outcome: bot.Sent, Posted: bot.Posted{ID: posted}}); err != nil {
				w.t.Fatal(err)
			}
			all = append(all, delivered{d, d.PostedID != ""})
			w.show(d.ID, d.To, d.Only, d.Post)
		}
	}
	for _, name := range names() {
		x := everybody[name]
		if x.home.Adapter() != bot.WebAdapter {
			continue
		}
		said, err := w.store.Transcript(w.t.Context(), x.home, 100)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, s := range said {
			was, known := w.seen[s.ID]
			if s.Mine || known && was == s.Version {
				continue
			}
			w.seen[s.ID] = s.Version
			all = append(all, delivered{bot.Delivery{ID: s.ID, To: x.home, Post: s.Post}, known})
			w.show(s.ID, x.home, "", s.Post)
		}
	}
	for _, d := range all {
		w.check(d.Post)
		if d.Post.Kind == bot.KindCard {
			w.hides(d.Post, d.Ref)
		}
	}
	return all
}

func (w *world) show(id string, to bot.Place, only bot.PersonID, p bot.Post) {
	for _, b := range slices.Concat(p.Buttons, p.Options) {
		if b.Press.Question != "" {
			w.asked[to.Lane()] = b.Press.Question
		}
	}
	for _, m := range w.shown {
		if m.id == id {
			m.post = p
			return
		}
	}
	w.shown = append(w.shown, &message{id, to, only, p})
}

// check finds what no post may have: no text, broken text, a button without a
// label.
func (w *world) check(posts ...bot.Post) {
	for _, p := range posts {
		if p.Text == "" && p.Quote == "" {
			w.t.Errorf("a %s without a text: %+v", p.Kind, p)
		}
		for _, s := range []string{p.Title, p.Text, p.Quote, p.Note} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				w.t.Errorf("a broken text: %q", s)
			}
		}
		for _, b := range slices.Concat(p.Buttons, p.Options, p.Related) {
			if b.Label == "" || b.Press.Action == "" {
				w.t.Errorf("a button with nothing: %+v", b)
			}
		}
	}
}

// hides finds what a card must not show: who asked and where, until a claim, and
// for ever of one who asked not to be named.
func (w *world) hides(p bot.Post, ref bot.Ref) {
	e := w.escalation(ref)
	if !e.Anonymous && !e.ClaimedAt.IsZero() {
		return
	}
	data, err := json.Marshal([]any{p, e.Safe()})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, secret := range []string{e.Asker.Name, string(e.Asker.ID), e.Where, string(e.In)} {
		if secret != "" && bytes.Contains(data, []byte(secret)) {
			w.t.Errorf("the card of %s shows %q: %s", ref, secret, data)
		}
	}
}

func (w *world) escalation(ref bot.Ref) bot.Escalation {
	e, err := w.store.Escalation(w.t.Context(), ref)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// find is the button of that label which somebody sees last; ref, when it is not
// 0, is the escalation whose message it must be on.
func (w *world) find(who, label string, ref bot.Ref) (bot.Button, *message) {
	x := everybody[who]
	for _, m := range slices.Backward(w.shown) {
		if m.only != "" && m.only != x.person.ID {
			continue
		}
		if m.to.Lane() != x.home.Lane() && !(strings.Contains(string(m.to), ":C-") && m.to.Adapter() == x.home.Adapter()) {
			continue
		}
		for _, b := range slices.Concat(m.post.Buttons, m.post.Options, m.post.Related) {
			if b.Label == label && (ref == 0 || b.Press.Ref == ref) {
				return b, m
			}
		}
	}
	w.t.Fatalf("%s sees no button %q", who, label)
	return bot.Button{}, nil
}

// holds lists which of the words are in any file of the database.
func (w *world) holds(words ...string) []string {
	var found []string
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		for _, word := range words {
			if bytes.Contains(bytes.ToLower(data), []byte(strings.ToLower(word))) && !slices.Contains(found, word) {
				found = append(found, word)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

func names() []string {
	var list []string
	for n := range everybody {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}
