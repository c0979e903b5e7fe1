package bot_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"canteen/bot"
	"canteen/bot/store"
)

// platform is a chat platform that does what it is told to.
type platform struct {
	mu    sync.Mutex
	start time.Time
	log   []string                                                      // what was tried, and when
	there map[string]string                                             // what can be read on it, by delivery
	does  map[string][]func(context.Context, bot.Delivery) error        // what becomes of each try
	find  func(context.Context, bot.Delivery) (bot.Posted, bool, error) // nil: by there
}

// on is what becomes of the tries at a delivery, one after another; then it works.
func (p *platform) on(id string, does ...func(context.Context, bot.Delivery) error) {
	p.does[id] = does
}

func (p *platform) note(format string, args ...any) {
	p.log = append(p.log, fmt.Sprintf("%3.0fs ", time.Since(p.start).Seconds())+fmt.Sprintf(format, args...))
}

func (p *platform) Send(ctx context.Context, d bot.Delivery) (bot.Posted, error) {
	p.mu.Lock()
	what := "post"
	if d.PostedID != "" {
		what = "update"
	}
	if d.Unsure {
		what += " again?"
	}
	p.note("%s %s to %s: %s", what, d.ID, d.To, d.Post.Text)
	var does func(context.Context, bot.Delivery) error
	if list := p.does[d.ID]; len(list) > 0 {
		does, p.does[d.ID] = list[0], list[1:]
	}
	p.mu.Unlock()
	if does != nil {
		if err := does(ctx, d); err != nil {
			return bot.Posted{}, err
		}
	}
	return p.put(d), nil
}

func (p *platform) put(d bot.Delivery) bot.Posted {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.there[d.ID] = d.Post.Text
	return bot.Posted{ID: "on-" + d.ID}
}

// findable is a platform on which messages can be read back.
type findable struct{ *platform }

func (p findable) Find(ctx context.Context, d bot.Delivery) (bot.Posted, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("look for %s", d.ID)
	if p.find != nil {
		return p.find(ctx, d)
	}
	_, ok := p.there[d.ID]
	return bot.Posted{ID: "on-" + d.ID}, ok, nil
}

// tried is what was tried by now, and arrived what is there of a delivery.
func (p *platform) tried() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.log)
}

func (p *platform) arrived(id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.there[id]
}

// What may become of a try.
func fails(err error) func(context.Context, bot.Delivery) error {
	return func(context.Context, bot.Delivery) error { return err }
}

func hangs(ctx context.Context, _ bot.Delivery) error { <-ctx.Done(); return ctx.Err() }

// lost arrives, and nobody is told.
func (p *platform) lost(_ context.Context, d bot.Delivery) error {
	p.put(d)
	return errors.New("connection reset")
}

// post is an office: a store, an outbox and a platform, in a time of their own.
type post struct {
	*platform
	t     *testing.T
	store *store.Store
	stop  context.CancelFunc
	ended chan struct{}
	keys  int
}

// office runs f in a bubble in which time passes only while all wait.
func office(t *testing.T, sender func(*platform) bot.Sender, f func(t *testing.T, o *post)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "canteen.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := &platform{start: time.Now(), there: map[string]string{}, does: map[string][]func(context.Context, bot.Delivery) error{}}
		ctx, stop := context.WithCancel(t.Context())
		o := &post{platform: p, t: t, store: s, stop: stop, ended: make(chan struct{})}
		box := bot.NewOutbox(bot.OutboxConfig{Queue: s, Senders: map[string]bot.Sender{"slack": sender(p), "teams": sender(p)}})
		defer func() {
			stop()
			<-o.ended
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			defer close(o.ended)
			box.Run(ctx)
		}()
		f(t, o)
	})
}

func withFinder(p *platform) bot.Sender { return findable{p} }
func without(p *platform) bot.Sender    { return p }

func (o *post) commit(list ...bot.Delivery) {
	o.keys++
	for i := range list {
		list[i].CreatedAt = time.Now()
	}
	if _, err := o.store.Commit(o.t.Context(), bot.Turn{Keys: []string{fmt.Sprint(o.keys)}, At: time.Now(), Deliveries: list}); err != nil {
		o.t.Fatal(err)
	}
}

func say(id string, to bot.Place, text string) bot.Delivery {
	return bot.Delivery{ID: id, To: to, Post: bot.Post{Kind: bot.KindNotice, Text: text}}
}

// wants compares what was tried; a time may be off by what the jitter adds.
func (o *post) wants(want ...string) {
	o.t.Helper()
	var got []string
	for _, l := range o.tried() {
		got = append(got, strings.TrimSpace(l))
	}
	if !slices.Equal(got, want) {
		o.t.Errorf("tried:\n%s\nwanted:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (o *post) queued() int64 {
	c, err := o.store.Counts(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return c.Queued
}

func TestSentAtOnce(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.commit(say("a", "slack:C1#1", "hello"))
		time.Sleep(time.Millisecond)
		o.wants("0s post a to slack:C1#1: hello")
		o.commit(say("a", "", "hello again"))
		time.Sleep(time.Minute)
		o.wants("0s post a to slack:C1#1: hello", "0s update a to slack:C1#1: hello again")
		if n := o.queued(); n != 0 {
			t.Errorf("%d wait", n)
		}
	})
}

// It surely is not there: it is sent again, later and later.
func TestNotSent(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		down := fails(&bot.NotSent{Err: errors.New("503")})
		o.on("a", down, down, down)
		o.commit(say("a", "slack:C1", "hello"))
		time.Sleep(time.Minute)
		for _, l := range o.tried() {
			if strings.Contains(l, "look") || strings.Contains(l, "again?") {
				t.Errorf("it was sure, and yet: %s", l)
			}
		}
		if len(o.tried()) != 4 || o.arrived("a") != "hello" {
			t.Errorf("tried: %q", o.tried())
		}
	})
}

// Nobody knows whether it is there: it is looked for, and found.
func TestUnsureFound(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.on("a", o.lost)
		o.commit(say("a", "slack:C1", "hello"))
		time.Sleep(10 * time.Second)
		o.wants("0s post a to slack:C1: hello", "2s look for a", "2s update again? a to slack:C1: hello")
	})
}

// A platform that does not answer is given up on in time.
func TestUnsureNotFound(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.on("a", hangs)
		o.commit(say("a", "slack:C1", "hello"))
		time.Sleep(time.Minute)
		o.wants("0s post a to slack:C1: hello", "17s look for a", "17s post a to slack:C1: hello")
	})
}

// Where it cannot be looked for, it is sent again, and says that it may be.
func TestUnsureUnseen(t *testing.T) {
	for name, sender := range map[string]func(*platform) bot.Sender{"no finder": without, "not allowed": withFinder} {
		t.Run(name, func(t *testing.T) {
			office(t, sender, func(t *testing.T, o *post) {
				o.find = func(context.Context, bot.Delivery) (bot.Posted, bool, error) {
					return bot.Posted{}, false, fmt.Errorf("history: %w", bot.ErrForbidden)
				}
				o.on("a", o.lost)
				o.commit(say("a", "slack:C1", "hello"))
				time.Sleep(10 * time.Second)
				if last := o.tried()[len(o.tried())-1]; !strings.Contains(last, "post again? a") {
					t.Errorf("tried: %q", o.tried())
				}
			})
		})
	}
}

// A message on which an adapter breaks does not take the others with it.
func TestPanic(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		breaks := func(context.Context, bot.Delivery) error { panic("hello") }
		o.on("a", breaks)
		o.commit(say("a", "slack:C1", "hello"), say("b", "slack:C2", "hello"))
		time.Sleep(time.Minute)
		if o.arrived("a") != "hello" || o.arrived("b") != "hello" || o.queued() != 0 {
			t.Errorf("tried: %q", o.tried())
		}
	})
}

// When reading back fails, nothing is sent until it works.
func TestReadBackFails(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		times := 0
		o.find = func(context.Context, bot.Delivery) (bot.Posted, bool, error) {
			if times++; times < 3 {
				return bot.Posted{}, false, errors.New("500")
			}
			return bot.Posted{ID: "on-a"}, true, nil
		}
		o.on("a", o.lost)
		o.commit(say("a", "slack:C1", "hello"))
		time.Sleep(time.Minute)
		posts := 0
		for _, l := range o.tried() {
			if strings.Contains(l, "post") {
				posts++
			}
		}
		if posts != 1 || times != 3 {
			t.Errorf("tried: %q", o.tried())
		}
	})
}

// A sender that died holding a lease leaves an unsure delivery.
func TestLeaseRunsOut(t *testing.T) {
	for _, there := range []bool{true, false} {
		t.Run(fmt.Sprintf("there=%v", there), func(t *testing.T) {
			office(t, withFinder, func(t *testing.T, o *post) {
				o.stop()
				<-o.ended
				o.commit(say("a", "slack:C1", "hello"))
				list, err := o.store.Lease(t.Context(), "dead", []string{"slack"}, 9, time.Minute)
				if err != nil || len(list) != 1 {
					t.Fatal(list, err)
				}
				if there {
					o.put(list[0])
				}
				ctx, stop := context.WithCancel(t.Context())
				o.stop, o.ended = stop, make(chan struct{})
				go func() {
					defer close(o.ended)
					bot.NewOutbox(bot.OutboxConfig{Queue: o.store, Senders: map[string]bot.Sender{"slack": findable{o.platform}}}).Run(ctx)
				}()
				time.Sleep(59 * time.Second)
				o.wants()
				time.Sleep(2 * time.Second)
				if there {
					o.wants("60s look for a", "60s update again? a to slack:C1: hello")
				} else {
					o.wants("60s look for a", "60s post a to slack:C1: hello")
				}
				// Whoever died cannot settle it any more.
				if err := o.store.Settle(t.Context(), bot.Settlement{Delivery: list[0], Owner: "dead"}); !errors.Is(err, bot.ErrGone) {
					t.Errorf("the dead settle: %v", err)
				}
				stop()
				<-o.ended
			})
		})
	}
}

// 429: the conversation waits as long as it was asked to, and no other does.
func TestTooMany(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.on("a", fails(&bot.NotSent{Err: errors.New("429"), After: 30 * time.Second}))
		o.commit(say("a", "slack:C1#1", "one"), say("b", "slack:C1#2", "two"), say("c", "slack:C2", "three"))
		time.Sleep(29 * time.Second)
		o.mu.Lock()
		slices.Sort(o.log)
		o.mu.Unlock()
		o.wants("0s post a to slack:C1#1: one", "0s post c to slack:C2: three")
		time.Sleep(2 * time.Second)
		o.wants("0s post a to slack:C1#1: one", "0s post c to slack:C2: three", "30s post a to slack:C1#1: one", "30s post b to slack:C1#2: two")
	})
}

// However long a platform asks to wait, nothing is given up for it.
func TestTooManyForLong(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		busy := fails(&bot.NotSent{Err: errors.New("429"), After: time.Minute})
		o.on("a", slices.Repeat([]func(context.Context, bot.Delivery) error{busy}, 30)...)
		o.commit(say("a", "slack:C1", "hello"))
		time.Sleep(31 * time.Minute)
		if len(o.tried()) != 31 || o.arrived("a") != "hello" {
			t.Errorf("tried %d times", len(o.tried()))
		}
	})
}

// What cannot be sent is parked, where the desk shows it and can try again.
func TestParked(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.on("a", fails(&bot.NotSent{Err: errors.New("channel_not_found"), Final: true}))
		o.on("c", fails(&bot.NotSent{Err: errors.New("expired"), Elsewhere: true}))
		o.commit(say("a", "slack:C1", "one"), say("b", "slack:C1", "two"), say("c", "slack:C2", "three"))
		time.Sleep(time.Minute)
		if len(o.tried()) != 3 || o.arrived("b") != "two" {
			t.Errorf("tried: %q", o.tried())
		}
		stuck, err := o.store.Parked(t.Context(), 9)
		if err != nil || len(stuck) != 2 {
			t.Fatalf("parked: %+v, %v", stuck, err)
		}
		if err := o.store.Retry(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if o.arrived("a") != "one" {
			t.Errorf("tried: %q", o.tried())
		}
	})
}

// After enough failures it is parked too, and the next one has its turn.
func TestParkedInTheEnd(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		soon := fails(&bot.NotSent{Err: errors.New("429"), After: time.Millisecond})
		o.on("a", append(slices.Repeat([]func(context.Context, bot.Delivery) error{soon}, 18), fails(&bot.NotSent{Err: errors.New("500")}))...)
		o.commit(say("a", "slack:C1", "one"), say("b", "slack:C1", "two"))
		time.Sleep(time.Minute)
		stuck, err := o.store.Parked(t.Context(), 9)
		if err != nil || len(stuck) != 1 || len(o.tried()) != 20 || o.arrived("b") != "two" {
			t.Errorf("parked: %+v, %v; tried: %q", stuck, err, o.tried())
		}
	})
}

// For one person's eyes, and too late: it goes to them directly.
func TestDiverted(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		d := say("a", "slack:C1", "hello")
		d.Only, d.Fallback = "slack:U1", "teams:D1"
		o.on("a", fails(&bot.NotSent{Err: errors.New("expired"), Elsewhere: true}))
		o.commit(d)
		time.Sleep(time.Second)
		o.wants("0s post a to slack:C1: hello", "0s post a to teams:D1: hello")
	})
}

// What is sent to one conversation keeps its order, whatever becomes of each.
func TestOrder(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		down := fails(&bot.NotSent{Err: errors.New("503")})
		o.on("a", down, o.lost)
		o.on("c", down)
		o.commit(say("a", "slack:C1#1", "a"), say("b", "slack:C1#2", "b"))
		o.commit(say("c", "slack:C1#1", "c"))
		o.commit(say("d", "slack:C1", "d"))
		time.Sleep(time.Minute)
		var order []string
		for _, l := range o.tried() {
			if id := strings.Fields(l[strings.Index(l, "post")+1:])[1]; strings.Contains(l, "post") && !slices.Contains(order, id) {
				order = append(order, id)
			}
		}
		if want := []string{"a", "b", "c", "d"}; !slices.Equal(order, want) {
			t.Errorf("order %q of %q", order, o.tried())
		}
	})
}

// Many changes of a message that is on its way become one.
func TestFolded(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		release := make(chan struct{})
		o.on("a", func(context.Context, bot.Delivery) error { <-release; return nil })
		o.commit(say("a", "slack:C1", "waiting"))
		synctest.Wait()
		for i := range 5 {
			o.commit(say("a", "", fmt.Sprintf("change %d", i)))
		}
		close(release)
		time.Sleep(time.Minute)
		o.wants("0s post a to slack:C1: waiting", "0s update a to slack:C1: change 4")
	})
}

// One conversation that hangs holds up no other.
func TestHangingHoldsUpNobody(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		o.on("a", hangs)
		o.commit(say("a", "slack:C1", "one"))
		synctest.Wait()
		for i := range 20 {
			o.commit(say(fmt.Sprintf("b%d", i), bot.Place(fmt.Sprintf("slack:C2%d", i)), "two"))
		}
		time.Sleep(time.Millisecond)
		if n := len(o.tried()); n != 21 {
			t.Errorf("%d of 21 were tried", n)
		}
	})
}

// A process that ends finishes what it has begun, and begins nothing.
func TestDrained(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		release := make(chan struct{})
		o.on("a", func(context.Context, bot.Delivery) error { <-release; return nil })
		o.commit(say("a", "slack:C1", "one"), say("b", "slack:C1", "two"))
		synctest.Wait()
		o.stop()
		synctest.Wait()
		select {
		case <-o.ended:
			t.Error("it ended with a delivery under way")
		default:
		}
		close(release)
		<-o.ended
		o.wants("0s post a to slack:C1: one")
		if n := o.queued(); n != 1 {
			t.Errorf("%d wait, wanted the second alone", n)
		}
	})
}

// What is private is gone from the store once it is there.
func TestPrivateIsNotKept(t *testing.T) {
	office(t, withFinder, func(t *testing.T, o *post) {
		d := say("a", "slack:D1", "hello")
		d.Private = true
		o.commit(d)
		time.Sleep(time.Second)
		o.commit(say("a", "", "an update of nothing"))
		time.Sleep(time.Second)
		o.wants("0s post a to slack:D1: hello")
	})
}
