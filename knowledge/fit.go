package knowledge

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"

	"canteen/knowledge/match"
	"canteen/knowledge/match/encoder"
)

// The fitted model of the embedded folder and the vectors of its texts, made by
// `go generate ./knowledge`. With them a start takes half a second instead of half a
// minute.
//
//go:generate go run ./generate
var (
	//go:embed fitted/model.bin
	fittedModel []byte
	//go:embed fitted/vectors.bin
	fittedVectors string
)

// Fitting says how a Base is fitted.
type Fitting struct {
	Encoder *encoder.Encoder // nil: by words alone
	Cache   string           // a folder that keeps what was fitted, beside what the program has; "": none
	Log     *slog.Logger     // nil: none
}

// Documents are the entries as package match has them, sorted by id, and the harmless
// examples. A title is one more phrasing, which matters where there are few; that of a
// lane is left out, since it says how we help and not what has happened.
func (b *Base) Documents() []match.Document {
	docs := mapSlice(b.entries, func(e *Entry) match.Document {
		d := match.Document{ID: e.ID, Phrasings: e.AskedAs(), Covered: e.Route == Answered || e.Route == SmallTalk, Lane: e.Lane() != ""}
		if !d.Lane {
			d.Phrasings = append(d.Phrasings, e.Title)
		}
		d.Answer = e.Title + ". " + plainAnswer(e.Body)
		return d
	})
	harmless := match.Document{ID: "harmless", Harmless: true}
	for _, name := range sortedKeys(b.harmless) {
		harmless.Phrasings = append(harmless.Phrasings, b.harmless[name]...)
	}
	for _, x := range b.Examples() { // what has to be met, or must not, is learnt too
		if !x.Must {
			harmless.Phrasings = append(harmless.Phrasings, x.Text)
		} else if i := slices.IndexFunc(docs, func(d match.Document) bool { return d.ID == x.Lane }); i >= 0 {
			docs[i].Phrasings = append(slices.Clip(docs[i].Phrasings), x.Text)
		}
	}
	return append(docs, harmless)
}

// plainAnswer is an answer's text without its Markdown.
func plainAnswer(body string) string {
	doc, src := ParseMarkdown(body)
	var parts []string
	ast.Walk(doc, func(n ast.Node, enter bool) (ast.WalkStatus, error) {
		if enter && (n.Kind() == ast.KindParagraph || n.Kind() == ast.KindTextBlock) {
			parts = append(parts, plainText(n, src))
			return ast.WalkSkipChildren, nil
		}
		return ast.WalkContinue, nil
	})
	return spaces.ReplaceAllString(strings.Join(parts, " "), " ")
}

var spaces = regexp.MustCompile(`\s+`)

// Fit returns the same Base with a fitted index, which ranks by meaning too where there
// is an encoder. A model that was kept of the same folder is used instead of fitting
// again, with the same result. The error is ctx's.
func (b *Base) Fit(ctx context.Context, f Fitting) (*Base, error) {
	ix := b.Index()
	if ix.Amended() {
		ix = match.Build(b.Documents(), b.lexicon)
	}
	if ix.Fitted() && ix.Understands() == (f.Encoder != nil) {
		return b, nil
	}
	if !ix.Fitted() {
		if r := f.restore(b, ix); r != nil {
			ix = r
		} else if fitted, err := ix.Fit(ctx); err == nil {
			ix = fitted
		} else {
			return nil, err
		}
	}
	if f.Encoder != nil {
		var err error
		if ix, err = ix.Understand(ctx, f.Encoder, f.vectors()); err != nil {
			return nil, err
		}
	}
	return b.with(ix), nil
}

// amend returns the same Base with an index amended from another Base's: it is ready at
// once, and used until the fitted one is.
func (b *Base) amend(ctx context.Context, was *Base, f Fitting) (*Base, error) {
	ix, err := was.Index().Amend(ctx, b.Documents(), f.vectors())
	if err != nil {
		return nil, err
	}
	return b.with(ix), nil
}

func (b *Base) key() [32]byte { return match.ModelKey(b.Documents(), b.lexicon) }

func (f Fitting) encoderID() string {
	if f.Encoder == nil {
		return ""
	}
	return f.Encoder.ModelID()
}

// The files of a cache.
const (
	modelFile   = "model"
	vectorsFile = "vectors"
)

// restore returns the fitted index from a kept model; nil where none is of this folder.
func (f Fitting) restore(b *Base, ix *match.Index) *match.Index {
	key := b.key()
	models := [][]byte{fittedModel}
	if data, err := f.read(modelFile); err == nil {
		models = append(models, data)
	}
	for _, m := range models {
		if r, err := ix.Restore(key, m, f.encoderID()); err == nil {
			return r
		}
	}
	return nil
}

// vectors are those that were kept.
func (f Fitting) vectors() match.Vectors {
	known := []match.Vectors{match.VectorFile(fittedVectors)}
	if data, err := f.read(vectorsFile); err == nil {
		if v := match.VectorFile(data); v.Valid() {
			known = append(known, v)
		} else {
			f.warn("the kept vectors are damaged: they are made anew", nil)
		}
	}
	return match.Join(known...)
}

func (f Fitting) read(name string) ([]byte, error) {
	if f.Cache == "" {
		return nil, fs.ErrNotExist
	}
	data, err := os.ReadFile(filepath.Join(f.Cache, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.warn("what was fitted cannot be read: it is fitted anew", err)
	}
	return data, err
}

// save writes the model and the vectors for the next start, unless they are kept already.
func (f Fitting) save(b *Base) {
	if f.Cache == "" || !b.Index().Fitted() || f.saved(b) {
		return
	}
	if err := f.write(b, b.key()); err != nil {
		f.warn("what was fitted is not kept: the next start fits anew", err)
	}
}

// saved reports whether a model of b is kept already.
func (f Fitting) saved(b *Base) bool {
	data, _ := f.read(modelFile) // what cannot be read is not kept
	for _, m := range [][]byte{fittedModel, data} {
		if key, id := match.KeyOf(m); key == b.key() && (f.Encoder == nil || id == f.encoderID()) {
			return true
		}
	}
	return false
}

func (f Fitting) write(b *Base, key [32]byte) error {
	model, err := b.Index().Model(key)
	if err != nil {
		return err
	}
	if b.Index().Understands() {
		if err := writeFile(filepath.Join(f.Cache, vectorsFile), b.Index().Vectors()); err != nil {
			return fmt.Errorf("keep vectors: %w", err)
		}
	}
	if err := writeFile(filepath.Join(f.Cache, modelFile), model); err != nil {
		return fmt.Errorf("keep the model: %w", err)
	}
	return nil
}

func (f Fitting) warn(message string, err error) {
	if f.Log != nil {
		f.Log.Warn(message, "folder", f.Cache, "error", err)
	}
}

// countUnencoded counts the texts of b that have to be encoded, up to a limit.
func (f Fitting) countUnencoded(b *Base, limit int) int {
	n, known := 0, f.vectors()
	for _, d := range b.Documents() {
		for _, p := range d.Phrasings {
			if known.Find(f.Encoder.Key(p)) == nil {
				if n++; n == limit {
					return n
				}
			}
		}
	}
	return n
}

// Fitted fits a Base without using a kept model, only the vectors, and returns its model
// and vectors: see package generate.
func (b *Base) Fitted(ctx context.Context, e *encoder.Encoder) (model, vectors []byte, err error) {
	f := Fitting{Encoder: e}
	ix, err := b.Index().Fit(ctx)
	if err != nil {
		return nil, nil, err
	}
	if ix, err = ix.Understand(ctx, e, f.vectors()); err != nil {
		return nil, nil, err
	}
	if model, err = ix.Model(b.key()); err != nil {
		return nil, nil, err
	}
	return model, ix.Vectors(), nil
}
