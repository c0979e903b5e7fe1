package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// one is a listener with one connection.
type one chan net.Conn

func (l one) Accept() (net.Conn, error) {
	if c, ok := <-l; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l one) Close() error   { close(l); return nil }
func (l one) Addr() net.Addr { return &net.TCPAddr{} }

// TestSlowRequest: who does not come to the end of a request is hung up on.
func TestSlowRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // as every adapter does, before it knows who it is
		}), slog.New(slog.DiscardHandler))
		here, there := net.Pipe()
		listener := make(one, 1)
		listener <- there
		go func() { _ = server.Serve(listener) }()
		defer server.Close()
		_, err := io.WriteString(here, "POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_ = here.SetReadDeadline(start.Add(time.Hour))
		_, _ = io.ReadAll(here)
		if held := time.Since(start); held > time.Minute {
			t.Errorf("held for %v", held)
		}
	})
}
