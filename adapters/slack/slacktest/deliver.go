package slacktest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// The kinds of request, as Socket Mode names its envelopes.
const (
	Event       = "events_api"
	Interactive = "interactive"
	CommandKind = "slash_commands"
)

// Ack is how the app acknowledged a request.
type Ack struct {
	Status int    // of HTTP; 200 over Socket Mode
	Body   []byte // JSON, or nothing
}

// envelope is a request that waits for its acknowledgement.
type envelope struct {
	ID      string
	frame   []byte
	acked   chan Ack
	acks    int
	sent    int
	pending bool
}

// Deliver gives the app one request and waits for its acknowledgement, over HTTP
// or, without Events, over Socket Mode, where it is sent again on every new
// connection until it is acknowledged.
func (s *Slack) Deliver(kind string, payload any) Ack {
	s.t.Helper()
	data, err := json.Marshal(payload)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.Events != "" {
		ack, err := s.post(kind, data)
		if err != nil {
			s.t.Fatalf("deliver over HTTP: %v", err)
		}
		return ack
	}
	e := s.Send(kind, data)
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case ack := <-e.acked:
		return ack
	case <-timeout.C:
		s.t.Fatalf("waited in vain for the acknowledgement of %s", data)
		return Ack{}
	}
}

// Send puts a request on the socket without waiting.
func (s *Slack) Send(kind string, payload []byte) *envelope {
	e := &envelope{ID: random(8), acked: make(chan Ack, 16), pending: true}
	e.frame, _ = json.Marshal(object{"type": kind, "envelope_id": e.ID, "payload": json.RawMessage(payload), "accepts_response_payload": kind != Event})
	s.mu.Lock()
	s.waiting[e.ID] = e
	s.mu.Unlock()
	s.flush(e)
	return e
}

// Redeliver sends again whatever is not acknowledged, as Slack does after a while.
func (s *Slack) Redeliver() {
	s.mu.Lock()
	list := slices.Collect(maps.Values(s.waiting))
	s.mu.Unlock()
	for _, e := range list {
		s.flush(e)
	}
}

func (s *Slack) flush(e *envelope) {
	s.mu.Lock()
	var to *socket
	if len(s.sockets) > 0 && e.pending {
		to = s.sockets[len(s.sockets)-1]
		e.sent++
	}
	s.mu.Unlock()
	if to != nil {
		_ = to.write(e.frame)
	}
}

// Acks tells how often an envelope was acknowledged, and Sent how often sent.
func (s *Slack) Acks(e *envelope) (acks, sent int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return e.acks, e.sent
}

// Sign gives the headers of a signed request.
func (s *Slack) Sign(body []byte, at time.Time) http.Header {
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(s.SigningSecret))
	fmt.Fprintf(mac, "v0:%s:%s", stamp, body)
	return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {"v0=" + hex.EncodeToString(mac.Sum(nil))}}
}

// Encode is the HTTP body of a request, and its content type.
func Encode(kind string, payload []byte) (body []byte, contentType string) {
	switch kind {
	case Interactive:
		return []byte(url.Values{"payload": {string(payload)}}.Encode()), "application/x-www-form-urlencoded"
	case CommandKind:
		var fields map[string]any
		_ = json.Unmarshal(payload, &fields)
		form := url.Values{}
		for k, v := range fields {
			form.Set(k, fmt.Sprint(v))
		}
		return []byte(form.Encode()), "application/x-www-form-urlencoded"
	}
	return payload, "application/json"
}

func (s *Slack) post(kind string, payload []byte) (Ack, error) {
	body, contentType := Encode(kind, payload)
	header := s.Sign(body, time.Now())
	header.Set("Content-Type", contentType)
	return s.Post(body, header)
}

// Post gives the app any HTTP request.
func (s *Slack) Post(body []byte, header http.Header) (Ack, error) {
	req, err := http.NewRequest(http.MethodPost, s.Events, bytes.NewReader(body))
	if err != nil {
		return Ack{}, err
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		return Ack{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return Ack{Status: resp.StatusCode, Body: bytes.TrimSpace(answer)}, err
}

// socket is one Socket Mode connection.
type socket struct {
	conn *websocket.Conn
	mu   sync.Mutex // of writing
}

func (k *socket) write(frame []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.conn.WriteMessage(websocket.TextMessage, frame)
}

func (s *Slack) socket(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	k := &socket{conn: conn}
	if err := k.write([]byte(`{"type":"hello","num_connections":1,"connection_info":{"app_id":"A111"},"debug_info":{"host":"slacktest"}}`)); err != nil {
		return
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		ping := time.NewTicker(5 * time.Second)
		defer ping.Stop()
		_ = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		for {
			select {
			case <-done:
				return
			case <-ping.C:
				_ = conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
			}
		}
	}()
	s.mu.Lock()
	s.sockets = append(s.sockets, k)
	s.calls["socket"]++
	s.touch()
	s.mu.Unlock()
	s.Redeliver()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			break
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(data, &ack) != nil || len(data) >= 20<<10 {
			s.mu.Lock()
			s.refusals = append(s.refusals, "socket: acknowledgement not taken")
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		if e := s.waiting[ack.EnvelopeID]; e != nil {
			e.acks++
			e.pending = false
			body := []byte(ack.Payload)
			if string(body) == "null" {
				body = nil
			}
			select {
			case e.acked <- Ack{Status: http.StatusOK, Body: body}:
			default:
			}
		}
		s.touch()
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.sockets = slices.DeleteFunc(s.sockets, func(x *socket) bool { return x == k })
	s.touch()
	s.mu.Unlock()
	_ = conn.Close()
}

// DropSockets cuts every Socket Mode connection without a word.
func (s *Slack) DropSockets() {
	s.mu.Lock()
	list := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, k := range list {
		_ = k.conn.UnderlyingConn().Close()
	}
}

// Disconnect asks the app to connect anew, as Slack does every few hours.
func (s *Slack) Disconnect() {
	s.mu.Lock()
	list := slices.Clone(s.sockets)
	s.mu.Unlock()
	for _, k := range list {
		_ = k.write([]byte(`{"type":"disconnect","reason":"refresh_requested","debug_info":{"host":"slacktest"}}`))
	}
}

// AwaitSocket waits until the app is connected.
func (s *Slack) AwaitSocket() {
	s.t.Helper()
	s.await("a Socket Mode connection", func() bool { return len(s.sockets) > 0 })
}
