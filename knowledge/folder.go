package knowledge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// ErrReadOnly means that there is nowhere to save an entry: offer the file
// ([Format]) instead.
var ErrReadOnly = errors.New("the knowledge folder cannot be written")

const (
	// settle is how long a folder must be quiet before it is read: editors
	// and ConfigMaps change a file in several steps.
	settle = 100 * time.Millisecond
	// patience ends the wait for quiet when changes keep coming.
	patience = time.Second
	// glance is how often the folder is read without an event: shared volumes
	// do not report what another machine wrote.
	glance = 30 * time.Second
)

// Folder keeps a [Base] fresh. All methods are safe for concurrent use.
type Folder struct {
	log     *slog.Logger
	dirs    []string
	overlay string
	shipped fs.FS // served without dirs
	glance  time.Duration
	fit     func(*Base, context.Context) (*Base, error)
	learner Learner // or nil

	now atomic.Pointer[state]

	loading sync.Mutex // one reload or save at a time
	stopFit context.CancelFunc
	stopped bool // no more fits
	fits    sync.WaitGroup

	signal  sync.Mutex
	changed chan struct{}

	done chan struct{}
}

type state struct {
	base     *Base
	problems Problems
	fitErr   error
}

// Config says what a [Folder] is made of.
type Config struct {
	Log     *slog.Logger
	Dirs    []string // read as [Load] does; none for the embedded folder
	Overlay string   // the directory over the embedded folder; it need not exist
	Learner Learner  // or nil
}

// Open reads a folder and watches it until ctx ends. It returns as soon as
// questions can be answered; the fitted index, and the reranker if there is a
// Learner, follow. A broken overlay directory does not keep it from opening: its
// problems are logged and kept.
func Open(ctx context.Context, c Config) (*Folder, error) {
	return newFolder(c).open(ctx)
}

func newFolder(c Config) *Folder {
	f := &Folder{
		log: c.Log, dirs: slices.Clone(c.Dirs), learner: c.Learner, shipped: Embedded, glance: glance, fit: (*Base).Fit,
		changed: make(chan struct{}), done: make(chan struct{}),
	}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	if len(f.dirs) == 0 {
		f.overlay = c.Overlay
	}
	f.now.Store(&state{})
	return f
}

func (f *Folder) open(ctx context.Context) (*Folder, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		f.log.Warn("the knowledge folder is not watched, only read at intervals", "error", err)
		watcher = nil
	}
	w := &watch{folder: f, watcher: watcher}
	w.refresh() // before reading, so that no change is missed in between
	f.loading.Lock()
	f.reload(ctx)
	f.loading.Unlock()
	if f.Base() == nil {
		w.close()
		close(f.done)
		return nil, f.now.Load().problems
	}
	go func() {
		defer close(f.done)
		w.run(ctx)
		f.loading.Lock()
		f.stopped = true
		if f.stopFit != nil {
			f.stopFit()
		}
		f.loading.Unlock()
		f.fits.Wait()
	}()
	return f, nil
}

// Base is the last good folder, with the best index that there is.
func (f *Folder) Base() *Base { return f.now.Load().base }

// Problems are those that keep the folder as it is now from being served;
// none when Base is what the folder has.
func (f *Folder) Problems() Problems { return slices.Clone(f.now.Load().problems) }

// Changed returns a channel that is closed at the next change of Base, of its
// index or of Problems.
func (f *Folder) Changed() <-chan struct{} {
	f.signal.Lock()
	defer f.signal.Unlock()
	return f.changed
}

// Done is closed when the folder is no longer watched.
func (f *Folder) Done() <-chan struct{} { return f.done }

// WaitFitted returns when the index of Base is the fitted one.
func (f *Folder) WaitFitted(ctx context.Context) error {
	for {
		changed := f.Changed()
		s := f.now.Load()
		if s.fitErr != nil {
			return s.fitErr
		}
		if s.base.Index().Fitted() {
			return nil
		}
		select {
		case <-changed:
		case <-f.done:
			return context.Canceled
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *Folder) set(s *state) {
	f.now.Store(s)
	f.signal.Lock()
	defer f.signal.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// layers are the folders as they are on disk now.
func (f *Folder) layers() []*layer {
	if len(f.dirs) == 0 {
		layers := []*layer{readLayer(f.shipped, true)}
		if info, err := os.Stat(f.overlay); f.overlay != "" && err == nil && info.IsDir() {
			layers = append(layers, readLayer(Dir(f.overlay), false))
		}
		return layers
	}
	var layers []*layer
	for i, d := range f.dirs {
		layers = append(layers, readLayer(Dir(d), i == 0))
	}
	return layers
}

// reload reads the folder and takes it into service if it is good and new.
// The caller holds f.loading.
func (f *Folder) reload(ctx context.Context) {
	was := f.now.Load()
	layers := f.layers()
	unread := slices.ContainsFunc(layers, func(l *layer) bool { return len(l.problems) > 0 })
	if was.base != nil && was.problems == nil && !unread && was.base.Hash() == hash(layers) {
		return
	}
	b, err := assemble(layers)
	if err != nil {
		problems := asProblems(err)
		if slices.Equal(problems, was.problems) {
			return
		}
		for _, p := range problems[:min(len(problems), 20)] {
			f.log.Error("a problem in the knowledge folder", "problem", p.String())
		}
		base := was.base
		if base == nil && len(f.dirs) == 0 && len(layers) > 1 {
			base, _ = assemble(layers[:1]) // start without the overlay
		}
		if base == nil {
			f.now.Store(&state{problems: problems})
			return
		}
		f.log.Error("the knowledge folder has problems: the last good one stays in service", "problems", len(problems))
		f.serve(ctx, was, &state{base: base, problems: problems})
		return
	}
	if was.base != nil && b.Hash() == was.base.Hash() {
		b = was.base // mended without a change: keep the fitted index
	}
	f.serve(ctx, was, &state{base: b})
}

// serve swaps a state in and starts the fit of a new base.
func (f *Folder) serve(ctx context.Context, was, next *state) {
	if next.base == was.base {
		next.fitErr = was.fitErr
		f.set(next)
		return
	}
	next.base.Index() // built before questions come to wait for it
	next.base.suggest()
	f.set(next)
	f.log.Info("knowledge folder loaded", "entries", len(next.base.entries), "warnings", len(next.base.warnings), "hash", next.base.hash[:12])
	if f.stopped {
		return
	}
	if f.stopFit != nil {
		f.stopFit()
	}
	ctx, f.stopFit = context.WithCancel(ctx)
	base := next.base
	f.fits.Go(func() {
		fitted, err := f.fit(base, ctx)
		defer debug.FreeOSMemory() // what the fit took, several times what it leaves
		f.improve(ctx, base, func(s *state) {
			if err != nil {
				f.log.Error("the fitted model failed: the simpler one stays in service", "error", err)
				s.fitErr = fmt.Errorf("fit: %w", err)
				return
			}
			b := *s.base
			b.rank(fitted.index, s.base.near)
			s.base = &b
		})
	})
	if f.learner == nil {
		return
	}
	f.fits.Go(func() {
		learnt, err := base.Learn(ctx, f.learner)
		f.improve(ctx, base, func(s *state) {
			if err != nil {
				f.log.Error("no reranker for this folder", "error", err)
				return
			}
			b := *s.base
			b.rank(s.base.index, learnt.near)
			s.base = &b
		})
	})
}

// improve changes what is served of base, unless something newer is by now.
func (f *Folder) improve(ctx context.Context, base *Base, change func(*state)) {
	f.loading.Lock()
	defer f.loading.Unlock()
	s := *f.now.Load()
	if ctx.Err() != nil || s.base.hash != base.hash {
		return
	}
	change(&s)
	f.set(&s)
}

// Format is the text of an entry's file, with the titles of the entries that
// it refers to.
func (f *Folder) Format(e Entry) []byte {
	b := f.Base()
	return format(e, func(id string) string {
		if s, ok := b.sources[id]; ok && !strings.ContainsAny(s.Title, "[]{}") {
			return s.Title
		}
		return slugTitle(id)
	})
}

// Save writes an entry to the last directory, or without directories to the
// overlay, and takes it into service before it returns. It refuses with
// [Problems] what would not load, and returns [ErrReadOnly] where nothing can be
// written. A file is replaced whole or not at all.
func (f *Folder) Save(ctx context.Context, e Entry) error {
	dir := f.overlay
	if len(f.dirs) > 0 {
		dir = f.dirs[len(f.dirs)-1]
	}
	name := "faq/" + e.ID + ".md"
	if !idPattern.MatchString(e.ID) {
		return Problems{{Path: name, Line: 1, Column: 1, Message: "an id has letters, digits, - and _, in parts joined by /"}}
	}
	data := f.Format(e)
	f.loading.Lock()
	defer f.loading.Unlock()
	layers := f.layers()
	if len(f.dirs) == 0 && len(layers) == 1 {
		layers = append(layers, &layer{dir: dir, files: map[string][]byte{}})
	}
	was, last := f.now.Load(), layers[len(layers)-1]
	if was.base != nil && was.problems == nil && bytes.Equal(last.files[name], data) && was.base.Hash() == hash(layers) {
		return nil // an earlier try got as far as this
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	last.files[name] = data
	b, err := assemble(layers)
	if err != nil {
		return err
	}
	if dir == "" {
		return ErrReadOnly
	}
	// From here on it is finished, whoever still waits: their next try finds it.
	if err := writeFile(filepath.Join(dir, filepath.FromSlash(name)), data); err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("save %s: %w", e.ID, ErrReadOnly)
		}
		return fmt.Errorf("save %s: %w", e.ID, err)
	}
	f.serve(context.WithoutCancel(ctx), was, &state{base: b})
	return nil
}

// writeFile replaces a file so that a reader, or a power cut, finds the old
// one or the new one.
func writeFile(file string, data []byte) (err error) {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t, err := os.CreateTemp(dir, ".saving-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			t.Close()
			os.Remove(t.Name())
		}
	}()
	if _, err = t.Write(data); err != nil {
		return err
	}
	if err = t.Chmod(0o644); err != nil {
		return err
	}
	if err = t.Sync(); err != nil {
		return err
	}
	if err = t.Close(); err != nil {
		return err
	}
	if err = os.Rename(t.Name(), file); err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil {
		d.Sync() // some volumes refuse this; the rename stands all the same
		d.Close()
	}
	return nil
}

// watch turns the file system's events into reloads.
type watch struct {
	folder  *Folder
	watcher *fsnotify.Watcher
	trees   map[string]bool // directories any change of which counts
	names   map[string]bool // names that count in directories that do not
}

func (w *watch) close() {
	if w.watcher != nil {
		w.watcher.Close()
	}
}

func (w *watch) run(ctx context.Context) {
	defer w.close()
	var events chan fsnotify.Event
	var failures chan error
	if w.watcher != nil {
		events, failures = w.watcher.Events, w.watcher.Errors
	}
	tick := time.NewTicker(w.folder.glance)
	defer tick.Stop()
	var due <-chan time.Time
	var first time.Time
	wait := func() {
		if due == nil {
			first = time.Now()
		}
		due = time.After(max(min(settle, patience-time.Since(first)), 0))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				events = nil
			} else if w.counts(e) {
				wait()
			}
		case _, ok := <-failures:
			if !ok {
				failures = nil
			} else {
				wait() // events were lost
			}
		case <-tick.C:
			w.reload(ctx)
		case <-due:
			due = nil
			w.reload(ctx)
		}
	}
}

func (w *watch) reload(ctx context.Context) {
	w.refresh() // first: what appears after this is reported
	w.folder.loading.Lock()
	defer w.folder.loading.Unlock()
	w.folder.reload(ctx)
}

func (w *watch) counts(e fsnotify.Event) bool {
	if e.Op == fsnotify.Chmod {
		return false
	}
	if w.names[e.Name] {
		return true
	}
	base := filepath.Base(e.Name)
	if strings.HasPrefix(base, ".") && !strings.HasPrefix(base, "..") || strings.HasSuffix(base, "~") {
		return false
	}
	return w.trees[filepath.Dir(e.Name)] || w.trees[e.Name]
}

// refresh watches the directories as they are now: all real directories of
// the trees, and those that hold a link or root, because a link that is
// swapped changes nothing in what it pointed to.
func (w *watch) refresh() {
	w.trees, w.names = map[string]bool{}, map[string]bool{}
	holders := map[string]bool{}
	roots := w.folder.dirs
	if len(roots) == 0 && w.folder.overlay != "" {
		roots = []string{w.folder.overlay}
	}
	for _, root := range roots {
		abs, err := filepath.Abs(root)
		if err != nil {
			continue
		}
		for p := abs; p != filepath.Dir(p); p = filepath.Dir(p) {
			info, err := os.Lstat(p)
			if p == abs || err != nil || info.Mode()&fs.ModeSymlink != 0 {
				if dir, err := filepath.EvalSymlinks(filepath.Dir(p)); err == nil {
					holders[dir] = true
					w.names[filepath.Join(dir, filepath.Base(p))] = true
				}
			}
		}
		w.tree(abs, 0)
	}
	if w.watcher == nil {
		return
	}
	wanted := map[string]bool{}
	for d := range w.trees {
		wanted[d] = true
	}
	for d := range holders {
		wanted[d] = true
	}
	for _, d := range w.watcher.WatchList() {
		if !wanted[d] {
			w.watcher.Remove(d)
		}
	}
	for d := range wanted {
		if err := w.watcher.Add(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.folder.log.Warn("a directory is not watched, only read at intervals", "directory", d, "error", err)
		}
	}
}

func (w *watch) tree(dir string, depth int) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil || depth > maxDepth || w.trees[dir] {
		return
	}
	items, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	w.trees[dir] = true
	for _, i := range items {
		if strings.HasPrefix(i.Name(), ".") || depth == 0 && i.Name() != "faq" && i.Name() != "wording" {
			continue
		}
		p := filepath.Join(dir, i.Name())
		info, err := os.Stat(p)
		if err != nil {
			continue
		}
		if i.Type()&fs.ModeSymlink != 0 && !info.IsDir() {
			if real, err := filepath.EvalSymlinks(p); err == nil {
				w.trees[filepath.Dir(real)] = true
			}
		}
		if info.IsDir() {
			w.tree(p, depth+1)
		}
	}
}

func slugTitle(id string) string { return strings.ReplaceAll(path.Base(id), "-", " ") }
