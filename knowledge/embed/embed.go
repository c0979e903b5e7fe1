// Package embed asks a server for sentence embeddings: an OpenAI-compatible
// /v1/embeddings endpoint of the organisation's own, such as Ollama's. With them,
// match hears how near a question is in meaning to an entry's phrasings. Nothing
// needs it: where the server is slow, wrong or away, the ranking is as without.
package embed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"canteen/knowledge/match"
)

const (
	// questionTime is how long a question waits for the server.
	questionTime = 300 * time.Millisecond
	// restTime is how long the server is left alone after it failed a question, so
	// that one that is away does not hold up every question.
	restTime = 5 * time.Second
	// batchTime is how long a batch of phrasings may take: a server may have to
	// load its model first.
	batchTime = time.Minute
	batchSize = 64
	// retryFirst is the wait before the second try to embed phrasings; it doubles up
	// to retryMost.
	retryFirst = time.Second
	retryMost  = time.Minute

	maxDimensions = 8192
	maxResponse   = batchSize*maxDimensions*24 + 1<<20 // 24 characters a number
)

// ErrResponse means that the server answered what is no list of embeddings.
var ErrResponse = errors.New("not a response of an embeddings endpoint")

// Config says which server is asked.
type Config struct {
	URL   string // up to and with /v1
	Model string
	Key   string // sent as a bearer token, or ""
	Log   *slog.Logger
}

// Server embeds texts. It is safe for concurrent use.
type Server struct {
	url, model, key string
	log             *slog.Logger
	client          *http.Client
	now             func() time.Time
	retry           time.Duration
	resting         atomic.Int64 // until when, in nanoseconds since 1970
	down            atomic.Bool

	mu    sync.Mutex
	known map[string][]float32 // the phrasings of the folder learnt last
}

// New makes a Server. It calls nothing.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{url: strings.TrimSuffix(c.URL, "/") + "/embeddings", model: c.Model, key: c.Key, log: c.Log, now: time.Now, retry: retryFirst, client: &http.Client{
		// A redirect could carry the question to another house.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Embed gives a vector of length one for each text. The error is ErrResponse, a
// refusal with its status, or that of the connection; it holds none of the texts.
func (s *Server) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	body, err := json.Marshal(map[string]any{"model": s.model, "input": texts, "encoding_format": "float"})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, _ = io.CopyN(io.Discard, resp.Body, 1<<16) // so that the connection can be used again
		return nil, fmt.Errorf("the embeddings server answers %s", resp.Status)
	}
	var got struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxResponse)).Decode(&got); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrResponse // what it quotes might be the text
	}
	out := make([][]float32, len(texts))
	for _, d := range got.Data {
		if d.Index < 0 || d.Index >= len(out) || out[d.Index] != nil || len(d.Embedding) > maxDimensions || !unit(d.Embedding) {
			return nil, ErrResponse
		}
		out[d.Index] = d.Embedding
	}
	for _, v := range out {
		if v == nil || len(v) != len(out[0]) {
			return nil, ErrResponse
		}
	}
	return out, nil
}

// unit brings a vector to length one; it tells whether that can be done.
func unit(v []float32) bool {
	sum := 0.
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return false
	}
	f := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= f
	}
	return true
}

// Learn embeds the phrasings of documents, those that are new, and tries until it
// has them all. The error is ctx's.
func (s *Server) Learn(ctx context.Context, docs []match.Document) (match.Reranker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := map[string][]float32{}
	var missing []string
	for _, d := range docs {
		for _, p := range d.Phrasings {
			if _, ok := known[p]; ok {
				continue
			}
			known[p] = s.known[p]
			if known[p] == nil {
				missing = append(missing, p)
			}
		}
	}
	wait, learnt := s.retry, len(missing)
	for len(missing) > 0 {
		some := missing[:min(batchSize, len(missing))]
		vectors, err := s.batch(ctx, some)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.failed(err)
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(wait):
			}
			wait = min(2*wait, retryMost)
			continue
		}
		s.worked()
		wait = s.retry
		for i, p := range some {
			known[p] = vectors[i]
		}
		missing = missing[len(some):]
	}
	s.known = known
	f := &folder{server: s, docs: make(map[string][][]float32, len(docs))}
	for _, d := range docs {
		for _, p := range d.Phrasings {
			f.docs[d.ID] = append(f.docs[d.ID], known[p])
		}
	}
	s.log.Info("the folder's phrasings are embedded", "new", learnt, "of", len(known))
	return f, nil
}

func (s *Server) batch(ctx context.Context, texts []string) ([][]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, batchTime)
	defer cancel()
	return s.Embed(ctx, texts)
}

// failed and worked log that the server went and came back, once each.
func (s *Server) failed(err error) {
	if !s.down.Swap(true) {
		s.log.Warn("the embeddings server fails: questions are ranked without it", "error", err)
	}
}

func (s *Server) worked() {
	if s.down.Swap(false) {
		s.log.Info("the embeddings server answers again")
	}
}

// folder is a folder's phrasings, embedded.
type folder struct {
	server *Server
	docs   map[string][][]float32
}

// Near embeds the question, and waits for that no longer than questionTime.
func (f *folder) Near(question string, ids []string) []float32 {
	s := f.server
	if s.now().UnixNano() < s.resting.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), questionTime)
	defer cancel()
	vectors, err := s.Embed(ctx, []string{question})
	if err != nil {
		s.resting.Store(s.now().Add(restTime).UnixNano())
		s.failed(err)
		return nil
	}
	s.worked()
	near := make([]float32, len(ids))
	for i, id := range ids {
		best := float32(-1)
		for _, v := range f.docs[id] {
			if len(v) != len(vectors[0]) {
				return nil // the server's model is another by now
			}
			best = max(best, dot(v, vectors[0]))
		}
		near[i] = best
	}
	return near
}

func dot(a, b []float32) float32 {
	sum := float32(0)
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
