package gate

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestIdleConnections holds as many connections open as the gate takes, each of which asked once how it is, and demands that reviews
// are answered all the same, over the connection that was there before and over a new one.
func TestIdleConnections(t *testing.T) {
	s := serve(t, func(o *Options) { o.Limits.Connections = 64 })
	if code, _ := s.post(t, "/validate", strings.NewReader(reviewOf(plain))); code != 200 {
		t.Fatal(code)
	}
	config := s.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	for range 100 {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 512)); err != nil {
			t.Fatal(err)
		}
	}
	for _, client := range []*http.Client{s.client, {Transport: s.client.Transport.(*http.Transport).Clone()}} {
		begun := time.Now()
		code, text := (&served{Gate: s.Gate, url: s.url, client: client}).post(t, "/validate", strings.NewReader(reviewOf(privileged)))
		if code != 200 || !strings.Contains(text, "runs privileged") || time.Since(begun) > 5*time.Second {
			t.Errorf("after %v: %d %s", time.Since(begun), code, text)
		}
	}
}

// double is a connection of a test.
type double struct {
	net.Conn
	address string
	closed  bool
}

func (d *double) RemoteAddr() net.Addr { return &net.UnixAddr{Name: d.address} }
func (d *double) Close() error         { d.closed = true; return nil }

// doubles hands connections out.
type doubles struct {
	net.Listener
	next chan net.Conn
}

func (d *doubles) Accept() (net.Conn, error) { return <-d.next, nil }

// TestWhoGivesWay names who has to go when one more comes.
func TestWhoGivesWay(t *testing.T) {
	l := &doubles{next: make(chan net.Conn, 1)}
	g := newGuests(l, 16) // two of each address
	clock := time.Unix(0, 0)
	g.now = func() time.Time { clock = clock.Add(time.Second); return clock }
	come := func(address string) (*guest, *double) {
		d := &double{address: address}
		l.next <- d
		c, err := g.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c.(*guest), d
	}
	api, first := come("10.0.0.1:1")
	api.reviewed, api.idle = true, true
	_, second := come("10.0.0.1:2")
	if _, third := come("10.0.0.1:3"); first.closed || !second.closed || third.closed {
		t.Error("of one address the one goes that was there for nothing")
	}
	for i := range 7 {
		come(fmt.Sprintf("10.0.1.%d:1", i))
		come(fmt.Sprintf("10.0.1.%d:2", i))
	}
	if len(g.list) != 16 {
		t.Fatalf("%d connections", len(g.list))
	}
	_, last := come("10.0.9.9:1")
	if first.closed || last.closed || len(g.list) != 16 {
		t.Errorf("who came last is kept out, or who reviewed went: %d connections", len(g.list))
	}
	stranger, gone := come("10.0.9.9:2")
	stranger.idle = true
	clock = clock.Add(2 * strangerIdles)
	for _, one := range g.strangers() {
		_ = one.Close()
	}
	if !gone.closed || first.closed || g.list[stranger] || g.counts["10.0.9.9"] != 1 {
		t.Errorf("a stranger stays: %v", g.counts)
	}
}

// TestSlowBodies has more connections than there are places begin a review that does not come, and demands that others are answered.
func TestSlowBodies(t *testing.T) {
	s := serve(t, func(o *Options) { o.Limits.Requests, o.Limits.Read = 8, 30*time.Second })
	config := s.client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	for range 40 {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "POST /validate HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{")
	}
	if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged))); code != 200 || !strings.Contains(text, "runs privileged") {
		t.Errorf("%d %s", code, text)
	}
}
