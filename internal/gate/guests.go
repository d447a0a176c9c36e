package gate

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"
)

// guests are the connections that the gate has taken. When there are as many as there may be, one that is there gives way to one that comes, for
// whoever holds connections open must not keep the API server out: of the address with the most connections, one that nobody
// uses, and before others one that never asked for a review.
type guests struct {
	net.Listener
	most, mostOfOne int
	now             func() time.Time

	mutex  sync.Mutex
	list   map[*guest]bool
	counts map[string]int // by address
}

// guest is one connection.
type guest struct {
	net.Conn
	of      *guests
	address string

	// What follows is the mutex's.
	since    time.Time // when it came, or was last used
	idle     bool      // nobody asks anything
	reviewed bool      // a review was answered
}

const (
	// shareOfOne is how large a part of all connections one address may have. An API server makes a few, and asks everything over them.
	shareOfOne = 8
	// strangerIdles is how long a connection stays open unused that never asked for a review.
	strangerIdles = 10 * time.Second
)

func newGuests(l net.Listener, most int) *guests {
	return &guests{Listener: l, most: most, mostOfOne: max(most/shareOfOne, 1), now: time.Now, list: map[*guest]bool{}, counts: map[string]int{}}
}

// Accept takes the next connection, and lets one go where there are too many.
func (g *guests) Accept() (net.Conn, error) {
	conn, err := g.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // the server tells what kind of error it is
	}
	address := conn.RemoteAddr().String()
	if host, _, err := net.SplitHostPort(address); err == nil {
		address = host
	}
	one := &guest{Conn: conn, of: g, address: address, since: g.now()}
	if gone := g.welcome(one); gone != nil {
		_ = gone.Close()
	}
	return one, nil
}

// welcome enters a guest, and says who has to go.
func (g *guests) welcome(one *guest) (gone *guest) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	switch {
	case g.counts[one.address] >= g.mostOfOne:
		gone = g.least(one.address)
	case len(g.list) >= g.most:
		crowd := one.address
		for address, n := range g.counts {
			if n > g.counts[crowd] || n == g.counts[crowd] && address < crowd {
				crowd = address
			}
		}
		gone = g.least(crowd)
	}
	if gone != nil {
		g.remove(gone)
	}
	g.list[one] = true
	g.counts[one.address]++
	return gone
}

// least is the connection of an address that is missed least.
func (g *guests) least(address string) *guest {
	var least *guest
	for one := range g.list {
		if one.address == address && (least == nil || missed(one, least) < 0) {
			least = one
		}
	}
	return least
}

// missed compares how much connections are missed.
func missed(a, b *guest) int {
	count := func(c *guest) (n int) {
		if c.reviewed {
			n += 2
		}
		if !c.idle {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(count(a), count(b)), a.since.Compare(b.since))
}

func (g *guests) remove(one *guest) {
	if !g.list[one] {
		return
	}
	delete(g.list, one)
	if g.counts[one.address]--; g.counts[one.address] == 0 {
		delete(g.counts, one.address)
	}
}

// Close ends the connection.
func (c *guest) Close() error {
	c.of.mutex.Lock()
	c.of.remove(c)
	c.of.mutex.Unlock()
	return c.Conn.Close() //nolint:wrapcheck // as if it were the connection
}

// guestOf is the guest behind a connection of the server.
func guestOf(conn net.Conn) *guest {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	one, _ := conn.(*guest)
	return one
}

// guestKey is the key of a request's guest.
type guestKey struct{}

// attend has a server tell of its connections.
func (g *guests) attend(s *http.Server) {
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, guestKey{}, guestOf(conn))
	}
	s.ConnState = func(conn net.Conn, state http.ConnState) {
		if one := guestOf(conn); one != nil && (state == http.StateIdle || state == http.StateActive) {
			g.mutex.Lock()
			one.idle, one.since = state == http.StateIdle, g.now()
			g.mutex.Unlock()
		}
	}
}

// reviewed notes that a review of a request's guest was answered.
func reviewed(ctx context.Context) {
	if one, _ := ctx.Value(guestKey{}).(*guest); one != nil {
		one.of.mutex.Lock()
		one.reviewed = true
		one.of.mutex.Unlock()
	}
}

// run lets those go who came for nothing, until the context ends.
func (g *guests) run(ctx context.Context) {
	tick := time.NewTicker(strangerIdles / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, one := range g.strangers() {
			_ = one.Close()
		}
	}
}

// strangers are those that stay and ask for nothing.
func (g *guests) strangers() []*guest {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	var list []*guest
	for one := range g.list {
		if one.idle && !one.reviewed && g.now().Sub(one.since) > strangerIdles {
			list = append(list, one)
		}
	}
	return list
}
