package knowledge

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Dir is the folder at a path on disk; problems found in it print the path.
func Dir(dir string) fs.FS { return dirFS{os.DirFS(dir), dir} }

type dirFS struct {
	fs.FS
	dir string
}

func (d dirFS) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(d.FS, name) }
func (d dirFS) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.FS, name) }
func (d dirFS) ReadFile(name string) ([]byte, error)       { return fs.ReadFile(d.FS, name) }

const (
	maxEntry = 256 << 10 // bytes of a file in faq/ or wording/: a long one has 40 KiB, so a larger one is something else
	maxFile  = 1 << 20   // bytes of lexicon.yaml, local.yaml and facts.tsv

	// maxDepth is far beyond topic/slug, and ends a loop of links that the
	// comparison of directories did not see.
	maxDepth = 8
)

// layer is the raw content of one folder.
type layer struct {
	dir      string            // what problems print before the names
	files    map[string][]byte // nil: the file cannot be read
	problems Problems
	missing  bool // the folder itself cannot be read, or has no entry where it must
	unread   bool // a folder in it cannot be read
}

func (l *layer) path(name string) string {
	if l.dir == "" {
		return name
	}
	return filepath.Join(l.dir, filepath.FromSlash(name))
}

func (l *layer) names() []string { return sortedKeys(l.files) }

func (l *layer) problem(name, format string, args ...any) {
	l.problems = append(l.problems, Problem{Path: l.path(name), Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)})
}

// The files of faq/: an entry, its further phrasings, and what is said of a topic.
const (
	entrySuffix = ".md"
	askedSuffix = ".asked"
	topicFile   = "_topic.yaml"
)

// fileID gives the id of the entry that a file of faq/ with that suffix is of.
func fileID(name, suffix string) (string, bool) {
	id, ok := strings.CutPrefix(name, "faq/")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(id, suffix)
}

// readLayer reads all files of a folder at once, so that what is checked is
// what is served. Symbolic links are followed; hidden names are left out.
func readLayer(fsys fs.FS, first bool) *layer {
	l := &layer{files: map[string][]byte{}}
	if d, ok := fsys.(dirFS); ok {
		l.dir = d.dir
	}
	root, err := fs.Stat(fsys, ".")
	if err != nil || !root.IsDir() {
		l.problem(".", "the folder cannot be read: %v", withoutPath(err))
		l.missing = true
		return l
	}
	for _, name := range []string{"lexicon.yaml", "local.yaml", "facts.tsv"} {
		l.read(fsys, name, true)
	}
	l.walk(fsys, "wording", []fs.FileInfo{root})
	l.walk(fsys, "faq", []fs.FileInfo{root})
	l.warnOutsideFAQ(fsys)
	entries := 0
	for name := range l.files {
		if _, ok := fileID(name, entrySuffix); ok {
			entries++
		}
	}
	if first && entries == 0 && len(l.problems) == 0 {
		l.problem("faq", "there are no entries here: a folder holds faq/<topic>/<entry>.md")
		l.missing = true
	}
	return l
}

func (l *layer) walk(fsys fs.FS, dir string, above []fs.FileInfo) {
	here, err := fs.Stat(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) && len(above) == 1 {
		return
	}
	if err == nil && (len(above) > maxDepth || slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, here) })) {
		l.problem(dir, "this folder contains itself, or is nested too deeply")
		return
	}
	var items []fs.DirEntry
	if err == nil {
		items, err = fs.ReadDir(fsys, dir)
	}
	if err != nil {
		l.problem(dir, "cannot be read: %v", withoutPath(err))
		l.unread = true
		return
	}
	above = append(slices.Clone(above), here)
	for _, item := range items {
		if hidden(item.Name()) {
			continue
		}
		name := path.Join(dir, item.Name())
		info, err := fs.Stat(fsys, name)
		switch {
		case err != nil:
			l.problem(name, "cannot be read: %v", withoutPath(err))
			l.files[name] = nil
		case info.IsDir():
			l.walk(fsys, name, above)
		case !info.Mode().IsRegular():
		default:
			if why := strayReason(name); why != "" {
				l.problem(name, "left out: %s", why)
				continue
			}
			l.read(fsys, name, false)
		}
	}
}

// hidden reports whether a file is left out silently: hidden files, an editor's copies,
// and what file managers leave behind.
func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasPrefix(name, "#") ||
		strings.EqualFold(name, "thumbs.db") || strings.EqualFold(name, "desktop.ini")
}

// strayReason says why a file does not belong in the folder, or "".
func strayReason(name string) string {
	base := path.Base(name)
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	faq := strings.HasPrefix(name, "faq/")
	switch {
	case strings.HasPrefix(base, "~$"):
		return "Word keeps this file while it has the entry open"
	case faq && base == topicFile:
		return ""
	case ext == entrySuffix || faq && (ext == askedSuffix || ext == cuesSuffix):
		if idPattern.MatchString(stem) {
			return ""
		}
		if isCopyName(base) {
			return "a copy that a program made when two people saved: compare it with the entry, then delete it"
		}
		return fmt.Sprintf("the name %q: use letters, digits, - and _ only, because the path is the entry's id", base)
	case isCopyName(base):
		return "an editor's or a program's copy: delete it when it is not needed"
	}
	if faq {
		return "the name does not end in .md, .asked or .cues"
	}
	return "the name does not end in .md"
}

// isCopyName recognises the names that sync programs, file managers, editors and version
// control give to copies: OneDrive and Windows "x - Copy.md", "x (1).md", Dropbox
// "x (Jo's conflicted copy 2026-11-26).md", Syncthing "x.sync-conflict-20261126-…",
// git "x.md.orig", "x.LOCAL.md".
func isCopyName(base string) bool {
	l := strings.ToLower(base)
	for _, mark := range []string{"conflict", "copy", "(", ".orig", ".bak", ".tmp", ".swp", ".swx", ".rej", ".old", ".local.", ".remote.", ".base.", ".backup."} {
		if strings.Contains(l, mark) {
			return true
		}
	}
	return false
}

// warnOutsideFAQ reports entries outside faq/, where they are never found.
func (l *layer) warnOutsideFAQ(fsys fs.FS) {
	items, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return // what cannot be read is reported for faq and wording
	}
	for _, item := range items {
		name := item.Name()
		if hidden(name) || name == "faq" || name == "wording" || strings.EqualFold(name, "readme.md") {
			continue
		}
		files := []string{name}
		if item.IsDir() {
			files = nil
			below, _ := fs.ReadDir(fsys, name)
			for _, b := range below {
				files = append(files, path.Join(name, b.Name()))
			}
		}
		for _, file := range files {
			info, err := fs.Stat(fsys, file)
			if path.Ext(file) != entrySuffix || err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
				continue
			}
			if data, err := fs.ReadFile(fsys, file); err == nil && strings.Contains(strings.ToLower(string(data)), "\n## "+strings.ToLower(secAsked)) {
				l.problem(file, "an entry outside faq/ is never found: move it to a folder below faq/")
			}
		}
	}
}

func (l *layer) read(fsys fs.FS, name string, optional bool) {
	info, err := fs.Stat(fsys, name)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	limit := int64(maxEntry)
	if optional {
		limit = maxFile
	}
	data := []byte{}
	if err == nil && info.Size() > limit {
		l.problem(name, "the file has %d bytes; the limit is %d", info.Size(), limit)
		l.files[name] = nil
		return
	}
	if err == nil {
		var read []byte
		read, err = fs.ReadFile(fsys, name)
		data = append(data, read...)
	}
	if err != nil {
		l.problem(name, "cannot be read: %v", withoutPath(err))
		l.files[name] = nil
		return
	}
	l.files[name] = data
}

// withoutPath is an error without its path, which problems print already.
func withoutPath(err error) error {
	if err == nil {
		return errors.New("it is not a folder")
	}
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// hash differs where the layers' contents or problems do.
func hash(layers []*layer) string {
	digest := sha256.New()
	for _, l := range layers {
		for _, name := range l.names() {
			fmt.Fprintf(digest, "%q %d\n", name, len(l.files[name]))
			digest.Write(l.files[name])
		}
		for _, p := range l.problems {
			fmt.Fprintln(digest, p)
		}
		fmt.Fprintln(digest)
	}
	return hex.EncodeToString(digest.Sum(nil))
}
