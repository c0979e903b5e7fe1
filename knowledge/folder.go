package knowledge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"canteen/knowledge/match/encoder"

	"github.com/fsnotify/fsnotify"
)

// ErrReadOnly means that an entry cannot be saved anywhere. Offer the file ([Format])
// instead.
var ErrReadOnly = errors.New("the knowledge folder cannot be written")

const (
	// quietTime is how long a folder must be unchanged before it is read: editors
	// and ConfigMaps change a file in several steps.
	quietTime = 100 * time.Millisecond
	// maxQuietWait bounds that wait while changes keep coming.
	maxQuietWait = time.Second
	// pollInterval is how often the folder is read without an event: shared volumes
	// do not report what another machine wrote.
	pollInterval = 30 * time.Second
)

// Folder keeps a [Base] fresh. All methods are safe for concurrent use.
type Folder struct {
	log          *slog.Logger
	dirs         []string
	overlay      string
	shipped      fs.FS // served without dirs
	pollInterval time.Duration
	fitting      Fitting
	fit          func(b *Base, ctx context.Context, f Fitting) (*Base, error)

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
	read     string // hash of what base was made of, problems and all
	fitErr   error
}

// Config says what a [Folder] is made of.
type Config struct {
	Log     *slog.Logger
	Dirs    []string         // read as [Load] does; none for the embedded folder
	Overlay string           // the directory over the embedded folder; it need not exist
	Encoder *encoder.Encoder // nil: entries are found by their words alone
	Cache   string           // a folder that keeps what was fitted for the next start; "": none
}

// Open reads a folder and watches it until ctx ends. It returns as soon as
// questions can be answered; the fitted index follows. A broken overlay directory does not
// stop it: its problems are logged, and returned by Problems.
func Open(ctx context.Context, c Config) (*Folder, error) {
	return newFolder(c).open(ctx)
}

func newFolder(c Config) *Folder {
	f := &Folder{
		log: c.Log, dirs: slices.Clone(c.Dirs), shipped: Embedded, pollInterval: pollInterval, fit: (*Base).Fit,
		fitting: Fitting{Encoder: c.Encoder, Cache: c.Cache, Log: c.Log},
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

// Base is the last good state of the folder, with the best index so far.
func (f *Folder) Base() *Base { return f.now.Load().base }

// Problems are those of the folder as it is now. The last good version of each bad file
// is served.
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

func (f *Folder) publish(s *state) {
	f.now.Store(s)
	f.signal.Lock()
	defer f.signal.Unlock()
	close(f.changed)
	f.changed = make(chan struct{})
}

// layers reads the folders from disk.
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

// reload reads the folder and takes what is good of it into service. The caller holds
// f.loading.
func (f *Folder) reload(ctx context.Context) {
	was := f.now.Load()
	layers := f.layers()
	read := hash(layers)
	if was.base != nil && was.read == read {
		return
	}
	b, problems := assemble(layers, was.base)
	for _, p := range problems[:min(len(problems), 20)] {
		if !slices.Contains(was.problems, p) {
			f.log.Error("a problem in the knowledge folder", "problem", p.String())
		}
	}
	if b == nil && was.base == nil && len(f.dirs) == 0 && len(layers) > 1 {
		b, _ = assemble(layers[:1], nil) // start without the overlay
	}
	if b == nil {
		b = was.base
	}
	if b == nil {
		f.now.Store(&state{problems: problems})
		return
	}
	if len(problems) > 0 {
		f.log.Error("the knowledge folder has problems: the last good version of each bad file stays in service", "problems", len(problems))
	}
	f.swapIn(ctx, was, &state{base: b, problems: problems, read: read})
}

// swapIn takes a state into service. The first one is fitted before that, so that nobody
// gets an answer that the fitted model would not give. Each later one has an amended index
// at once (see match.Index.Amend), and its own when that is fitted in the background.
func (f *Folder) swapIn(ctx context.Context, was, next *state) {
	next.fitErr = was.fitErr
	switch {
	case next.base == was.base:
		f.publish(next)
		return
	case was.base == nil:
		next.base, next.fitErr = f.fitFirst(ctx, next.base)
	case was.base.key() == next.base.key():
		next.base = next.base.with(was.base.Index())
	default:
		next.base, next.fitErr = f.amendNext(ctx, next.base, was.base)
	}
	next.base.suggest()
	f.publish(next)
	if was.base == nil {
		debug.FreeOSMemory() // reading and fitting took several times what they leave
	}
	f.log.Info("knowledge folder loaded", "entries", len(next.base.entries), "problems", len(next.problems), "warnings", len(next.base.warnings), "hash", next.base.hash[:12])
	if ix := next.base.Index(); f.stopped || ix.Fitted() && ix.Understands() == (f.fitting.Encoder != nil) {
		return
	}
	if f.stopFit != nil {
		f.stopFit()
	}
	ctx, f.stopFit = context.WithCancel(ctx)
	base := next.base
	f.fits.Go(func() {
		fitted, err := f.fit(base, ctx, f.fitting)
		defer debug.FreeOSMemory() // what the fit took, several times what it leaves
		if err == nil {
			f.fitting.save(fitted)
		}
		f.loading.Lock()
		defer f.loading.Unlock()
		s := *f.now.Load()
		if ctx.Err() != nil || s.base.hash != base.hash {
			return
		}
		if err != nil {
			f.log.Error("the fitted model failed: the one before stays in service", "error", err)
			s.fitErr = fmt.Errorf("fit: %w", err)
		} else {
			s.base = fitted
		}
		f.publish(&s)
	})
}

// manyUnencoded texts take so long to encode that questions are answered by words alone
// meanwhile.
const manyUnencoded = 2000

// fitFirst fits the first Base; by words alone where manyUnencoded texts are not encoded
// yet.
func (f *Folder) fitFirst(ctx context.Context, b *Base) (*Base, error) {
	fitting := f.fitting
	if fitting.Encoder != nil && fitting.countUnencoded(b, manyUnencoded) == manyUnencoded {
		fitting.Encoder = nil
	}
	fitted, err := f.fit(b, ctx, fitting)
	if err != nil {
		b.Index() // built before questions come to wait for it
		return b, fmt.Errorf("fit: %w", err)
	}
	if fitting.Encoder == f.fitting.Encoder {
		f.fitting.save(fitted)
	}
	return fitted, nil
}

// amendNext returns b with an index amended from that of was, until its own is fitted.
func (f *Folder) amendNext(ctx context.Context, b, was *Base) (*Base, error) {
	amended, err := b.amend(ctx, was, f.fitting)
	if err != nil {
		b.Index()
		return b, fmt.Errorf("fit: %w", err)
	}
	return amended, nil
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

// Save writes an entry's file to the last directory, or without directories to the
// overlay, and takes it into service before it returns; its further phrasings
// (Entry.Asked) stay as they are. It refuses with [Problems] what would not load, and
// returns [ErrReadOnly] where nothing can be written. A file is replaced whole or not
// at all.
func (f *Folder) Save(ctx context.Context, e Entry) error {
	return f.write(ctx, e.ID, entrySuffix, func([]byte) []byte { return f.Format(e) })
}

// Append adds further phrasings to an entry, below a line that says where they come
// from, and takes them into service before it returns. Those that the entry has
// already are left out. It refuses and fails as Save does.
func (f *Folder) Append(ctx context.Context, id, from string, phrasings ...string) error {
	return f.write(ctx, id, askedSuffix, func(was []byte) []byte {
		d, _ := f.Base().Draft(id)
		var fresh []string
		for _, p := range phrasings {
			same := func(q string) bool { return fold(p) == fold(q) }
			if p = strings.TrimLeft(oneLine(p), "# "); p != "" && !slices.ContainsFunc(d.AskedAs(), same) && !slices.ContainsFunc(fresh, same) {
				fresh = append(fresh, p)
			}
		}
		if len(fresh) == 0 {
			return was
		}
		var b bytes.Buffer
		if b.Write(was); len(was) > 0 && !bytes.HasSuffix(was, []byte("\n")) {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "# %s\n%s\n", oneLine(from), strings.Join(fresh, "\n"))
		return b.Bytes()
	})
}

// AddHarmless adds a sentence to those that must not meet a lane (`must not:` in its
// .cues file), which the lanes are learnt from and [Base.Check] tries, below a line that
// says where it comes from. It refuses and fails as Save does.
func (f *Folder) AddHarmless(ctx context.Context, lane, from, sentence string) error {
	line := mustNotMark + " " + oneLine(sentence)
	return f.write(ctx, lane, cuesSuffix, func(was []byte) []byte {
		if slices.Contains(strings.Split(string(was), "\n"), line) {
			return was
		}
		if len(was) > 0 && !bytes.HasSuffix(was, []byte("\n")) {
			was = append(slices.Clip(was), '\n')
		}
		return fmt.Appendf(slices.Clip(was), "# %s\n%s\n", oneLine(from), line)
	})
}

// Preview returns the folder as [Folder.Save] of an entry would make it, with an amended
// index, to see what it would answer. Nothing is written. It refuses as Save does.
func (f *Folder) Preview(ctx context.Context, e Entry) (*Base, error) {
	f.loading.Lock()
	d, err := f.draft(ctx, e.ID, entrySuffix, func([]byte) []byte { return f.Format(e) })
	f.loading.Unlock()
	if err != nil || d.base == nil {
		return f.Base(), err
	}
	return f.amendNext(ctx, d.base, d.was.base)
}

// draft is the folder with one file changed, before it is written.
type draft struct {
	was      *state
	dir      string
	file     string // below dir
	data     []byte
	base     *Base // nil: nothing is left to do, the file is like this already
	problems Problems
	layers   []*layer
}

// draft changes one file of the entry with that id; was is its content, nil where it is
// not there. The caller holds f.loading.
func (f *Folder) draft(ctx context.Context, id, suffix string, change func(was []byte) []byte) (draft, error) {
	d := draft{was: f.now.Load(), dir: f.overlay, file: "faq/" + id + suffix}
	if len(f.dirs) > 0 {
		d.dir = f.dirs[len(f.dirs)-1]
	}
	if !idPattern.MatchString(id) {
		return d, Problems{{Path: d.file, Line: 1, Column: 1, Message: "an id has letters, digits, - and _, in parts joined by /"}}
	}
	d.layers = f.layers()
	if len(f.dirs) == 0 && len(d.layers) == 1 {
		d.layers = append(d.layers, &layer{dir: d.dir, files: map[string][]byte{}})
	}
	last := d.layers[len(d.layers)-1]
	file := last.files[d.file]
	for i := len(d.layers) - 1; file == nil && suffix == cuesSuffix && i >= 0; i-- {
		file = d.layers[i].files[d.file] // the cues of a later folder take the place of an earlier one's
	}
	d.data = change(file)
	if d.was.base != nil && bytes.Equal(last.files[d.file], d.data) && d.was.read == hash(d.layers) {
		return d, nil // an earlier try got as far as this
	}
	if err := ctx.Err(); err != nil {
		return d, err
	}
	_, before := assemble(d.layers, d.was.base)
	last.files[d.file] = d.data
	d.base, d.problems = assemble(d.layers, d.was.base)
	if fresh := slices.DeleteFunc(slices.Clone(d.problems), func(p Problem) bool { return slices.Contains(before, p) }); len(fresh) > 0 {
		return d, fresh
	}
	if d.base == nil {
		return d, d.problems
	}
	return d, nil
}

// write changes one file of the entry with that id, as draft does, and serves the result.
func (f *Folder) write(ctx context.Context, id, suffix string, change func(was []byte) []byte) error {
	f.loading.Lock()
	defer f.loading.Unlock()
	d, err := f.draft(ctx, id, suffix, change)
	if err != nil || d.base == nil {
		return err
	}
	if d.dir == "" {
		return ErrReadOnly
	}
	// From here on ctx no longer stops it: a caller who has gone finds it at their next try.
	if err := writeFile(filepath.Join(d.dir, filepath.FromSlash(d.file)), d.data); err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			return fmt.Errorf("save %s: %w", id, ErrReadOnly)
		}
		return fmt.Errorf("save %s: %w", id, err)
	}
	f.swapIn(context.WithoutCancel(ctx), d.was, &state{base: d.base, problems: d.problems, read: hash(d.layers)})
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
