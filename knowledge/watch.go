package knowledge

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// watch turns the file system's events into reloads.
type watch struct {
	folder  *Folder
	watcher *fsnotify.Watcher
	trees   map[string]bool // directories in which any change counts
	names   map[string]bool // paths that count in other directories
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
	tick := time.NewTicker(w.folder.pollInterval)
	defer tick.Stop()
	var due <-chan time.Time
	var first time.Time
	wait := func() {
		if due == nil {
			first = time.Now()
		}
		due = time.After(max(min(quietTime, maxQuietWait-time.Since(first)), 0))
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

// refresh watches the directories as they are now: all directories below the roots, and
// those that contain a root or a symbolic link to one, because swapping a link changes
// nothing in its old target.
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
