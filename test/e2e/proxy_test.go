package e2e

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// ending is what a proxy does when it has sent all that it may.
type ending int

const (
	cut   ending = iota // close every connection and take no other
	stall               // send nothing more, and leave the connections open
)

// proxy stands between the product and the API server. It passes bytes on, and ends after so many of the server's.
type proxy struct {
	server string

	target   string
	listener net.Listener
	end      ending
	limit    int64
	count    atomic.Int64
	stop     sync.Once
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func startProxy(t *testing.T, server string, limit int64, end ending) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{
		server: "https://" + listener.Addr().String(), target: strings.TrimPrefix(server, "https://"),
		listener: listener, end: end, limit: limit,
	}
	p.wg.Go(func() { p.serve(t.Context()) })
	t.Cleanup(func() {
		p.close()
		p.wg.Wait()
	})
	return p
}

// sent is how many bytes of the server's were passed on.
func (p *proxy) sent() int64 { return p.count.Load() }

func (p *proxy) serve(ctx context.Context) {
	var dialer net.Dialer
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := dialer.DialContext(ctx, "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() { _, _ = io.Copy(server, client) })
		p.wg.Go(func() { p.pass(client, server) })
	}
}

// pass passes on what the server says until the limit.
func (p *proxy) pass(client, server net.Conn) {
	buffer := make([]byte, 4096)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			_ = client.Close()
			return
		}
		if p.count.Add(int64(n)) > p.limit {
			if p.end == cut {
				p.close()
			}
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// close ends the proxy for good.
func (p *proxy) close() {
	p.stop.Do(func() {
		_ = p.listener.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, c := range p.conns {
			_ = c.Close()
		}
	})
}
