package gate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coaming/coaming/internal/admission"
)

// Ruling is what is decided by, from one load to the next.
type Ruling struct {
	Desk *admission.Desk
	// Timeout is how long the API server waits.
	Timeout time.Duration
	// Alone says that no webhook is set which fails closed, whatever the plan says: the one that fails open is asked for all rules.
	Alone bool
	// Summary is one line for the log: how many rules hold how.
	Summary string
}

// rulings are the ruling of the moment, and how it fares with those that were to follow it.
type rulings struct {
	current atomic.Pointer[Ruling]
	mutex   sync.Mutex
	broken  error // why the last load failed; nil when it did not
	loaded  time.Time
}

// load takes a new ruling; one that is broken changes nothing.
func (g *Gate) load(ctx context.Context) error {
	r, err := g.Load(ctx)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if g.broken = err; err != nil {
		g.metrics.loads.WithLabelValues("broken").Inc()
		return fmt.Errorf("load what is decided by: %w", err)
	}
	if g.Watch != nil {
		g.Watch.Want(r.Desk.Around())
	}
	g.current.Store(r)
	g.loaded = time.Now()
	g.metrics.loads.WithLabelValues("loaded").Inc()
	g.Log.Info("loaded", "ruling", r.Summary)
	return nil
}

// trouble is why the last load failed.
func (g *Gate) trouble() error {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.broken
}

// keep loads anew what has changed, until the context ends.
func (g *Gate) keep(ctx context.Context) {
	tick := time.NewTicker(g.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if g.Changed == nil || !g.Changed() {
			continue
		}
		if err := g.load(ctx); err != nil {
			g.Log.Error("the former plan stays", "error", err.Error())
		}
	}
}

// ready says why the gate is not to be asked yet, or no longer; nil when it is.
func (g *Gate) ready() error {
	select {
	case <-g.ending:
		return errEnding
	default:
	}
	if g.current.Load() == nil {
		return errNoPlan
	}
	if err := g.Certificates.Ready(); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	if g.Watch != nil {
		if waiting := g.Watch.Waiting(); len(waiting) > 0 {
			return fmt.Errorf("still reading from the cluster: %v", waiting)
		}
	}
	return nil
}
