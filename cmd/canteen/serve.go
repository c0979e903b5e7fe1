package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"canteen/adapters/web"
	"canteen/bot"
	"canteen/bot/store"
	"canteen/knowledge"
)

type serveCmd struct {
	folderFlags
	settings
}

// The server's own times.
const (
	// drainTime is how long all that is under way, requests and then deliveries,
	// may take after SIGTERM.
	drainTime = 20 * time.Second
	// openTime is how long the database may take to open and migrate.
	openTime      = time.Minute
	purgeInterval = time.Hour
	// readTime is how long a request's header may take; its body may take as long
	// again, and the answer what Teams allows and more.
	readTime = 10 * time.Second
)

// adapter is one platform, wired.
type adapter interface {
	bot.Sender
	bot.Members
	// Run does the adapter's background work until ctx ends.
	Run(ctx context.Context) error
	// Ready is nil, or says what is missing and how to fix it.
	Ready() error
	Handler() http.Handler
	Doctor(ctx context.Context) []bot.Finding
}

func (c *serveCmd) Run(ctx context.Context, s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	// Listen first: probes are answered before any platform is called.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return usageError{fmt.Errorf("LISTEN_ADDR %s: %w", c.Listen, err)}
	}
	defer listener.Close()

	openCtx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	st, err := store.Open(openCtx, c.Database, store.Options{Log: s.log})
	if err != nil {
		return err
	}
	defer func() {
		if err := st.Close(); err != nil {
			s.log.Error("store: close", "error", err)
		}
	}()
	read := knowledge.Config{Log: s.log, Dirs: c.Knowledge, Overlay: overlayDir(c.Database), Encoder: c.encoder(s), Cache: filepath.Join(filepath.Dir(overlayDir(c.Database)), "canteen-cache")}
	c.warnUnreadFolder(s)
	folder, err := knowledge.Open(ctx, read)
	if err != nil {
		var list knowledge.Problems
		if errors.As(err, &list) {
			for _, p := range list {
				fmt.Fprintln(s.out, p)
			}
			return exitProblems
		}
		return err
	}

	key := "" // elsewhere there is no desk
	if c.loopback() {
		if key, err = deskKey(c.Database); err != nil {
			s.log.Warn("the desk's key cannot be kept: its address changes with the next start", "error", err)
		}
	}
	app, err := c.wire(st, folder, key, s.log)
	if err != nil {
		return err
	}
	server := newServer(app.routes(), s.log)
	// One write: who starts the program may read its first line and close the pipe.
	said := fmt.Sprintf("listening on http://%s\n", listener.Addr())
	if c.loopback() {
		said += fmt.Sprintf("desk: http://%s%s\n", listener.Addr(), web.DeskPath(key))
	}
	fmt.Fprintf(s.out, "%sfolder: %s, %d entries; your names and numbers go in %s\n", said, c.folderNames(), len(folder.Base().Entries()), c.localFile(c.Database))
	return app.run(ctx, server, listener)
}

// newServer bounds the time and memory of a connection. A request has to be read before
// its signature can be checked, so without a timeout anybody could hold a connection for
// ever by sending byte by byte.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: readTime, ReadTimeout: 2 * readTime, WriteTimeout: 6 * readTime, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
}

// deskKey is what opens the desk: random letters, kept in a file beside the database, so
// that the address of the desk stays the same. Where they cannot be kept they are good for
// this run, and the error says why.
func deskKey(database string) (string, error) {
	file := filepath.Join(filepath.Dir(overlayDir(database)), "canteen.db-desk-key")
	data, err := os.ReadFile(file)
	if key := strings.TrimSpace(string(data)); err == nil && len(key) >= 26 {
		return key, nil
	}
	key := rand.Text()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return key, os.WriteFile(file, []byte(key+"\n"), 0o600)
}

// overlayDir is where entries made on the desk are kept when no --knowledge folder
// is given: beside the database file.
func overlayDir(database string) string {
	if strings.Contains(database, "://") && !strings.HasPrefix(database, "sqlite:") {
		return "canteen-entries"
	}
	path := strings.TrimPrefix(strings.TrimPrefix(database, "sqlite:"), "//")
	return filepath.Join(filepath.Dir(path), "canteen-entries")
}

// folderNames names the folder that is read.
func (f folderFlags) folderNames() string {
	if len(f.Knowledge) == 0 {
		return "the built-in one"
	}
	return strings.Join(f.Knowledge, ", overlaid by ")
}

// localFile is where an organisation's own names and numbers belong.
func (f folderFlags) localFile(database string) string {
	dir := overlayDir(database)
	if n := len(f.Knowledge); n > 0 {
		dir = f.Knowledge[n-1]
	}
	return filepath.Join(dir, "local.yaml")
}

// app is a Canteen, wired and not yet running.
type app struct {
	log      *slog.Logger
	store    *store.Store
	folder   *knowledge.Folder
	bot      *bot.Bot
	outbox   *bot.Outbox
	web      http.Handler
	adapters map[string]adapter
	metrics  *metrics
}

// wire makes every part and calls nothing outside.
func (c *serveCmd) wire(st *store.Store, folder *knowledge.Folder, deskKey string, log *slog.Logger) (*app, error) {
	a := &app{log: log, store: st, folder: folder, adapters: map[string]adapter{}, metrics: newMetrics(st)}
	members := map[string]bot.Members{}
	a.bot = bot.New(bot.Config{Store: st, Folder: folder, Members: members, Comms: c.comms(), OnCall: c.onCall(), Meter: a.metrics, Log: log,
		Direct: func(ctx context.Context, d bot.Delivery) error { return a.outbox.Direct(ctx, d) }})
	a.web = web.New(web.Config{Bot: a.bot, Store: st, Problems: folder.Problems, Unready: a.unready, Local: c.loopback(), DeskKey: deskKey, Log: log})
	members[bot.WebAdapter] = web.Members{}
	if err := c.platforms(a); err != nil {
		return nil, err
	}
	senders := map[string]bot.Sender{}
	for name, x := range a.adapters {
		members[name], senders[name] = x, x
	}
	a.outbox = bot.NewOutbox(bot.OutboxConfig{Queue: st, Senders: senders, Log: log, Undelivered: a.bot.Undelivered, Observe: a.metrics.settled})
	return a, nil
}

// routes are the paths of CONTRACT.md.
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", a.web)
	for path, name := range map[string]string{"/slack/events": "slack", "/api/messages": "teams"} {
		if x, ok := a.adapters[name]; ok {
			mux.Handle(path, x.Handler())
		} else {
			mux.Handle(path, http.NotFoundHandler())
		}
	}
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("/readyz", a.readyz)
	mux.Handle("/metrics", a.metrics.handler())
	return mux
}

func writeText(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

// readyTime is how long the store may take to answer /readyz.
const readyTime = 2 * time.Second

// readyz says whether the store and the folder are there. What a platform lacks
// is said too, and takes nothing away from the others.
func (a *app) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	code, text := http.StatusOK, "store: ok\n"
	if err := a.store.Ping(ctx); err != nil {
		a.log.Error("readyz: the store does not answer", "error", err)
		code, text = http.StatusServiceUnavailable, "store: does not answer\n"
	}
	base := a.folder.Base()
	text += fmt.Sprintf("folder: %d entries, found by %s\n", len(base.Entries()), foundBy(base))
	if n := len(a.folder.Problems()); n > 0 {
		text += fmt.Sprintf("folder: problems: %d. The last good version of each bad file is served; canteen check lists them\n", n)
	}
	for _, line := range a.unready() {
		text += line + "\n"
	}
	writeText(w, code, text)
}

// foundBy says how entries are found.
func foundBy(b *knowledge.Base) string {
	if b.Index().Understands() {
		return "words and meaning"
	}
	return "words alone"
}

// unready says of each platform that does not work what it lacks.
func (a *app) unready() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(a.adapters)) {
		if err := a.adapters[name].Ready(); err != nil {
			list = append(list, err.Error())
		}
	}
	return list
}

// run serves until ctx ends, then drains: no new requests, what is under way is
// finished, and what is not sent by then is sent by the next run.
func (a *app) run(ctx context.Context, server *http.Server, listener net.Listener) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var background sync.WaitGroup
	background.Go(func() { a.outbox.Run(work) })
	for name, x := range a.adapters {
		background.Go(func() {
			if err := x.Run(work); err != nil && work.Err() == nil {
				a.log.Error("adapter stopped", "adapter", name, "error", err)
			}
		})
	}
	background.Go(func() { a.every(work, purgeInterval, "purge", a.store.Purge) })
	background.Go(func() { a.every(work, time.Minute, "remind", a.bot.Remind) })
	background.Go(func() { a.every(work, time.Minute, "folder problems", a.reportFolder()) })

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		a.log.Info("draining", "for", drainTime)
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err == nil {
		if e := server.Shutdown(drain); e != nil {
			a.log.Warn("requests were cut off", "error", e)
		}
	}
	stop()
	done := make(chan struct{})
	go func() { background.Wait(); close(done) }()
	select {
	case <-done:
	case <-drain.Done():
		a.log.Warn("deliveries were cut off; the next run finishes them")
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// reportFolder returns a function that tells comms about the folder's problems. A problem
// counts from the second call in a row on, so that a file that is just being saved does
// not.
func (a *app) reportFolder() func(context.Context) error {
	var before knowledge.Problems
	return func(ctx context.Context) error {
		now := a.folder.Problems()
		lasting := slices.DeleteFunc(slices.Clone(now), func(p knowledge.Problem) bool { return !slices.Contains(before, p) })
		before = now
		return a.bot.ReportProblems(ctx, lasting)
	}
}

// every calls fn now and at each interval.
func (a *app) every(ctx context.Context, interval time.Duration, what string, fn func(context.Context) error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			a.log.Error(what, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
