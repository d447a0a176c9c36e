package clearance

import (
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/registry"
)

// connection is what registries are asked with. A client remembers every repository that it was asked about, and how it was let
// in there: it is made anew when it has served so many images, and when the files have changed that it was made of.
type connection struct {
	connect func() (*registry.Client, error)
	files   []string

	mu     sync.Mutex
	now    *registry.Client
	served int
	stamp  string
}

// mostServed is how many images one client serves.
const mostServed = 1000

// client is the client for one more image. One that cannot be made anew, as while a file is being written, does not take the place
// of one that could.
func (n *connection) client() (*registry.Client, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var stamp strings.Builder
	for _, file := range n.files {
		stamp.WriteString(stampOf(file, "") + "\n")
	}
	if n.now != nil && n.served < mostServed && stamp.String() == n.stamp {
		n.served++
		return n.now, nil
	}
	next, err := n.connect()
	switch {
	case err != nil && n.now == nil:
		return nil, err
	case err == nil:
		if n.now != nil {
			n.now.Close() // who still asks with it goes on
		}
		n.now, n.served, n.stamp = next, 1, stamp.String()
	}
	return n.now, nil
}

func (n *connection) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now != nil {
		n.now.Close()
	}
}
