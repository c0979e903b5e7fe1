package bot_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"canteen/bot"
	"canteen/bot/store"
)

// Who writes too much at once is told so; nothing of it is stored, nobody else has
// to wait, and a repeat of what was taken counts for nothing.
func TestTooFast(t *testing.T) {
	w := newWorld(t)
	write := func(who string) (bot.Message, bot.Reply) {
		m := w.from(who, "")
		m.Text = "can I tweet about work"
		r, err := w.bot.Handle(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		return m, r
	}
	var first bot.Message
	for i := range 20 {
		m, r := write("nurse")
		if i == 0 {
			first = m
		}
		if r.Notice != "" {
			t.Fatalf("message %d: %q", i+1, r.Notice)
		}
	}
	if r, err := w.bot.Handle(t.Context(), first); err != nil || !r.Repeat {
		t.Errorf("a repeat: %+v %v", r, err)
	}
	m, r := write("nurse")
	if r.Notice != w.bot.Say("slow-down") || r.Notice == "" {
		t.Errorf("message 21: %+v", r)
	}
	if k, err := w.store.Load(t.Context(), bot.Ask{Keys: m.Keys}); err != nil || k.Seen {
		t.Errorf("what was refused was stored: %v %v", k.Seen, err)
	}
	if _, r := write("porter"); r.Notice != "" {
		t.Errorf("somebody else: %q", r.Notice)
	}
	w.mu.Lock()
	w.clock = w.clock.Add(time.Minute)
	w.mu.Unlock()
	if r, err := w.bot.Handle(t.Context(), m); err != nil || r.Notice != "" || r.Repeat {
		t.Errorf("the same after a minute: %+v %v", r, err)
	}
}

// While all that it takes at once is under way, the bot asks to come again.
func TestTooManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		b := bot.New(bot.Config{Store: stuck{release: release}})
		results := make(chan error, 300)
		for range cap(results) {
			go func() {
				_, err := b.Handle(t.Context(), bot.Message{From: bot.Person{ID: "slack:x"}})
				results <- err
			}()
		}
		synctest.Wait()
		if n := len(results); n != cap(results)-256 {
			t.Errorf("%d were told at once", n)
		}
		for range len(results) {
			if err := <-results; !errors.Is(err, bot.ErrBusy) {
				t.Error(err)
			}
		}
		close(release)
		synctest.Wait()
		if n := len(results); n != 256 {
			t.Errorf("%d came to an end", n)
		}
	})
}

// stuck is a store that does not answer until it is released, and then is down.
type stuck struct {
	bot.Store
	release chan struct{}
}

func (s stuck) Load(context.Context, bot.Ask) (bot.Known, error) {
	<-s.release
	return bot.Known{}, errors.New("down")
}

// What is there is not sent again because the store did not take note at once.
func TestSettledLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "canteen.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		q := &forgetful{Store: s}
		q.fails.Store(6)
		p := &platform{start: time.Now(), there: map[string]string{}, does: map[string][]func(context.Context, bot.Delivery) error{}}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			bot.NewOutbox(bot.OutboxConfig{Queue: q, Senders: map[string]bot.Sender{"teams": p}}).Run(ctx)
		}()
		o := &post{platform: p, t: t, store: s}
		o.commit(say("a", "teams:D1", "hello"))
		time.Sleep(3 * time.Minute)
		o.wants("0s post a to teams:D1: hello")
		if n := o.queued(); n != 0 {
			t.Errorf("%d wait", n)
		}
		stop()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// forgetful fails to settle so many times.
type forgetful struct {
	*store.Store
	fails atomic.Int64
}

func (f *forgetful) Settle(ctx context.Context, x bot.Settlement) error {
	if f.fails.Add(-1) >= 0 {
		return errors.New("the server is away")
	}
	return f.Store.Settle(ctx, x)
}
