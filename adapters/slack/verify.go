package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"

	slackgo "github.com/slack-go/slack"
)

// maxBody is the largest request that is read: the largest seen, a form in a
// message with all its blocks, has a tenth of it.
const maxBody = 1 << 20

// Handler takes what Slack sends over HTTP: events, presses, menus' searches and
// commands, all at one address. A request is answered after what it causes is
// committed.
func (a *Adapter) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Slack sends POST", http.StatusMethodNotAllowed)
		return
	}
	refuse := func(status int, what, say string) {
		a.c.Count(what)
		http.Error(w, say, status)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			refuse(http.StatusRequestEntityTooLarge, "size", "the request is too large")
			return
		}
		refuse(http.StatusBadRequest, "body", "the request ended early")
		return
	}
	if err := verify(r.Header, a.c.SigningSecret, body); err != nil {
		what := "signature"
		if errors.Is(err, slackgo.ErrExpiredTimestamp) {
			what = "stale"
		}
		a.log.Warn("slack: request refused", "reason", what)
		refuse(http.StatusUnauthorized, what, "the signature does not match: check SLACK_SIGNING_SECRET and the clock")
		return
	}
	kind, payload, err := unwrap(body)
	if err != nil {
		refuse(http.StatusBadRequest, "body", "the body is not one of Slack's requests")
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), requestTimeout)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			a.c.Count("error")
			a.log.Error("slack: panic on a request", "kind", kind, "panic", r)
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	}()
	// A request repeated to the letter has the same signature, whatever it is.
	ack, err := a.receive(ctx, kind, payload, "sig:"+r.Header.Get("X-Slack-Signature"))
	if err != nil {
		a.log.Error("slack: request not handled, Slack sends it again", "kind", kind, "error", err)
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	if ack.body != nil {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(ack.body); err != nil {
			a.log.Warn("slack: acknowledgement not written", "error", err)
		}
	} else {
		w.WriteHeader(http.StatusOK)
	}
	a.later(ack.then)
}

// verify checks Slack's signature and its age of at most five minutes.
func verify(h http.Header, secret string, body []byte) error {
	v, err := slackgo.NewSecretsVerifier(h, secret)
	if err != nil {
		return err
	}
	if _, err := v.Write(body); err != nil {
		return err
	}
	return v.Ensure()
}

// kind is what a request is, named as Socket Mode names its envelopes.
type kind string

const (
	kindEvent       kind = "events_api"
	kindInteractive kind = "interactive"
	kindCommand     kind = "slash_commands"
	kindNothing     kind = "" // to be acknowledged, no more
)

var errBody = errors.New("not a request of Slack's")

// unwrap finds out what an HTTP body holds: an event in JSON, a press as a form's
// payload, a command as a form. What it gives has the shape that it has in a
// Socket Mode envelope.
func unwrap(body []byte) (kind, []byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		return classify(body)
	}
	form, err := url.ParseQuery(string(body))
	switch {
	case err != nil:
		return "", nil, errBody
	case form.Get("ssl_check") != "":
		return kindNothing, nil, nil
	case form.Has("payload"):
		return classify([]byte(form.Get("payload")))
	case form.Has("command"):
		fields := map[string]string{}
		for k := range form {
			fields[k] = form.Get(k)
		}
		payload, err := json.Marshal(fields)
		return kindCommand, payload, err
	}
	return "", nil, errBody
}

// classify tells the kinds of JSON apart.
func classify(payload []byte) (kind, []byte, error) {
	var p struct {
		Type, Command string
		Event         json.RawMessage
	}
	if err := lenient(payload, &p); err != nil {
		return "", nil, errBody
	}
	switch {
	case p.Command != "":
		return kindCommand, payload, nil
	case p.Event != nil || p.Type == "url_verification" || p.Type == "app_rate_limited":
		return kindEvent, payload, nil
	}
	return kindInteractive, payload, nil
}

// lenient decodes JSON as far as its shapes are as expected: Slack sends [] for an
// empty object, and null, where it likes. Only what is no JSON object is an error.
func lenient(data []byte, v any) error {
	if data = bytes.TrimSpace(data); !bytes.HasPrefix(data, []byte("{")) {
		return errBody
	}
	err := json.Unmarshal(data, v)
	var shape *json.UnmarshalTypeError
	if errors.As(err, &shape) && shape.Field != "" {
		return nil
	}
	return err
}
