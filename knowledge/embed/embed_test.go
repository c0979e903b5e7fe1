package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"canteen/knowledge/match"
)

// fake is an embeddings server: its vectors count a few letters.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	inputs [][]string
	answer http.HandlerFunc // in the place of embeddings, or nil
}

func newFake(t *testing.T) *fake {
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Model string   `json:"model"`
			Input []string `json:"input"`
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model != "small" || r.URL.Path != "/v1/embeddings" || r.Method != http.MethodPost {
			t.Errorf("asked %s %s for the model %q: %v", r.Method, r.URL, q.Model, err)
		}
		f.mu.Lock()
		f.inputs = append(f.inputs, q.Input)
		answer := f.answer
		f.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		var data []map[string]any
		for i, text := range slices.Backward(q.Input) { // the order is told by the index alone
			v := []float64{.01}
			for _, letter := range "aeioust" {
				v = append(v, float64(strings.Count(text, string(letter))))
			}
			data = append(data, map[string]any{"index": i, "embedding": v, "object": "embedding"})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data})
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) does(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// asked gives the texts of all requests, and forgets them.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.Concat(f.inputs...)
	f.inputs = nil
	return all
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func (f *fake) server(log *bytes.Buffer) *Server {
	s := New(Config{URL: f.URL + "/v1/", Model: "small", Key: "a key", Log: slog.New(slog.NewTextHandler(log, nil))})
	s.retry = time.Millisecond
	return s
}

func TestEmbed(t *testing.T) {
	f := newFake(t)
	s := f.server(&bytes.Buffer{})
	got, err := s.Embed(t.Context(), []string{"aaa", "tttt"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0][1] < .99 || got[1][7] < .99 {
		t.Errorf("got %v", got)
	}
	f.does(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer a key" {
			t.Error("no key")
		}
		http.Error(w, "aaa is not for me", http.StatusTeapot)
	})
	if _, err := s.Embed(t.Context(), []string{"aaa"}); err == nil || !strings.Contains(err.Error(), "418") || strings.Contains(err.Error(), "aaa") {
		t.Errorf("a refusal: %v", err)
	}
	elsewhere := newFake(t)
	f.does(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/v1/embeddings", http.StatusTemporaryRedirect)
	})
	if _, err := s.Embed(t.Context(), []string{"aaa"}); err == nil || len(elsewhere.asked()) > 0 {
		t.Errorf("a redirect carried the text elsewhere (%v)", err)
	}
	for name, text := range map[string]string{
		"no JSON":          `aaa`,
		"nothing":          `{}`,
		"one too few":      `{"data":[{"index":0,"embedding":[1]}]}`,
		"one twice":        `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"one beyond":       `{"data":[{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}]}`,
		"one before":       `{"data":[{"index":0,"embedding":[1]},{"index":-1,"embedding":[1]}]}`,
		"different sizes":  `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}]}`,
		"an empty vector":  `{"data":[{"index":0,"embedding":[]},{"index":1,"embedding":[]}]}`,
		"zeros":            `{"data":[{"index":0,"embedding":[0,0]},{"index":1,"embedding":[0,0]}]}`,
		"numbers too big":  `{"data":[{"index":0,"embedding":[1e999]},{"index":1,"embedding":[1]}]}`,
		"text for numbers": `{"data":[{"index":0,"embedding":"aaa"},{"index":1,"embedding":[1]}]}`,
	} {
		f.does(says(text))
		if _, err := s.Embed(t.Context(), []string{"aaa", "b"}); !errors.Is(err, ErrResponse) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func documents() []match.Document {
	return []match.Document{
		{ID: "a", Phrasings: []string{"banana", "papaya"}},
		{ID: "t", Phrasings: []string{"tattle", "tutti"}},
		{ID: "none"},
	}
}

func TestLearnAndNear(t *testing.T) {
	f := newFake(t)
	var log bytes.Buffer
	s := f.server(&log)
	fails := 2
	f.does(func(w http.ResponseWriter, _ *http.Request) {
		if fails--; fails == 0 {
			f.does(nil)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r, err := s.Learn(t.Context(), documents())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings, not one:\n%s", n, &log)
	}
	f.asked()

	near := r.Near("alabama", []string{"t", "a", "none"})
	if len(near) != 3 || near[1] < .9 || near[0] > near[1] || near[2] != -1 {
		t.Errorf("near: %v", near)
	}
	if got := f.asked(); !slices.Equal(got, []string{"alabama"}) {
		t.Errorf("asked %v", got)
	}

	more := append(documents(), match.Document{ID: "o", Phrasings: []string{"loco", "banana"}})
	if r, err = s.Learn(t.Context(), more); err != nil {
		t.Fatal(err)
	}
	if got := f.asked(); !slices.Equal(got, []string{"loco"}) {
		t.Errorf("of a changed folder, %v were embedded, not only what is new", got)
	}
	if near := r.Near("oo", []string{"o"}); len(near) != 1 || near[0] < .9 {
		t.Errorf("near: %v", near)
	}

	// A failure is silent to who asks, and the server is left alone for a while.
	f.asked()
	now := time.Now()
	s.now = func() time.Time { return now }
	f.does(says("down"))
	log.Reset()
	for range 3 {
		if near := r.Near("secret words", []string{"o"}); near != nil {
			t.Errorf("near: %v", near)
		}
	}
	if got := f.asked(); len(got) != 1 {
		t.Errorf("a server that fails was asked %d times", len(got))
	}
	f.does(nil)
	now = now.Add(restTime)
	if near := r.Near("oo", []string{"o"}); len(near) != 1 {
		t.Error("the server is not asked again")
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "answers again") || strings.Contains(text, "secret") {
		t.Errorf("the log:\n%s", text)
	}

	// Another model, with vectors of another size.
	f.does(says(`{"data":[{"index":0,"embedding":[1,2]}]}`))
	if near := r.Near("oo", []string{"o"}); near != nil {
		t.Errorf("another model: %v", near)
	}
}

// A server that stands still holds a question up for a moment, and then no more.
func TestNearInTime(t *testing.T) {
	f := newFake(t)
	s := f.server(&bytes.Buffer{})
	r, err := s.Learn(t.Context(), documents())
	if err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	f.does(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(gone)
	})
	if near := r.Near("alabama", []string{"a"}); near != nil {
		t.Errorf("near: %v", near)
	}
	<-gone
}

func TestLearnEnds(t *testing.T) {
	f := newFake(t)
	ctx, stop := context.WithCancel(t.Context())
	f.does(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	if _, err := f.server(&bytes.Buffer{}).Learn(ctx, documents()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
