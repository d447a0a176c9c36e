// Package clearance knows what images hold before anybody asks. Workers resolve tags, read images in their
// registries, judge them by the index of advisories, the rules on images and the policy of trust, and keep what they found
// by digest. A request is answered at once from what is known: it waits only where the plan says so, and no registry is
// asked on its path. What is not known is queued, within bounds, and says so: it is never taken for clean. Exceptions
// are not its business: who asks puts the findings to judge. internal/gate and internal/cli import it.
package clearance

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/trust"
)

// Settings is all that a clearance depends on. What is 0 has the default that is named.
type Settings struct {
	// Connect makes what registries are asked with: the gate's own credentials, for pull secrets of pods are never read. It is
	// called again when one of the files of Watched has changed.
	Connect func() (*registry.Client, error)
	Watched []string
	// Registries are the only ones that are asked, as globs over REGISTRY/NAME ("registry.example.com/*"); empty for all.
	Registries []string
	// Platforms are those of the cluster's nodes, "linux/arm64"; empty is linux on this machine's architecture. An image is
	// judged as all of them see it.
	Platforms []string
	// Store keeps what images hold on disk; nil keeps verdicts alone, and what leaves memory is read again.
	Store *hold.Store
	// Program tells one build of the program from another; Version is its version.
	Program, Version string
	// Index is the file of the index of advisories, "" for none; it may be replaced at any time. VEX excuses what does not apply.
	Index string
	VEX   []advisory.Statement
	// IndexAge is how old the index may be, in days, before what passes by it is unknown: advisory.MostDays. Below 0 is any age.
	IndexAge int
	// Rules are asked about images until SetRules changes them; those that match something else are left out.
	Rules []*rule.Compiled
	Told  rule.Settings
	// Policy says who must vouch for images, Files are bundles beside them; nil where nobody is asked.
	Policy *trust.Policy
	Files  trust.Files
	// Plan gives the plan as it is now.
	Plan func() *enforcement.Plan

	Limits
	Log *slog.Logger
	Now func() time.Time
}

// Limits bound what looking into images may cost. What is 0 has the default that is named.
type Limits struct {
	Workers int   // images that are looked into at a time: 1
	Queue   int   // images that wait for a worker: 1000
	Memory  int64 // bytes of verdicts in memory: 32 MiB
	Stored  int64 // bytes of an image's layers, as they are stored: 8 GiB
	// Timeout is for one image: 5 minutes.
	Timeout time.Duration
	// TagAge is how old what a tag names may be before it is asked for again, TagLimit before it is no longer believed: 5 minutes,
	// and an hour.
	TagAge, TagLimit time.Duration
	// Backoff is the wait before an image that failed is tried again; it doubles up to 64 times as long: 10 seconds.
	Backoff time.Duration
}

func (l *Limits) defaults() {
	l.Workers, l.Queue = cmp.Or(l.Workers, 1), cmp.Or(l.Queue, 1000)
	l.Memory, l.Stored = cmp.Or(l.Memory, 32<<20), cmp.Or(l.Stored, 8<<30)
	l.Timeout, l.Backoff = cmp.Or(l.Timeout, 5*time.Minute), cmp.Or(l.Backoff, 10*time.Second)
	l.TagAge, l.TagLimit = cmp.Or(l.TagAge, 5*time.Minute), cmp.Or(l.TagLimit, time.Hour)
}

// Clearance answers what is known of images. Several goroutines may ask it.
type Clearance struct {
	Settings

	bases  []*fact.Image // images that others may be built on
	policy string        // what tells one policy of trust from another

	queue      *queue
	memory     *memory
	bench      bench
	connection *connection
	// generation is of the index and the day: what was judged under another is judged again.
	generation atomic.Uint64
	judging    singleflight.Group
	judges     chan struct{} // a place for each that may judge at a time
	counts     counts
	look       sync.Mutex // guards the failures
	failures   map[string]*failure
}

// maxJudges is how many images are judged at a time: each takes what is kept of one image into memory.
const maxJudges = 2

// New makes a clearance. Run does its work.
func New(s Settings) (*Clearance, error) {
	if s.Connect == nil || s.Plan == nil {
		return nil, errors.New("a clearance needs to know how registries are asked, and a plan")
	}
	s.defaults()
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	c := &Clearance{
		Settings: s, queue: newQueue(s.Queue, s.Now), memory: newMemory(s.Memory), judges: make(chan struct{}, maxJudges),
		failures: map[string]*failure{}, connection: &connection{connect: s.Connect, files: s.Watched}, policy: policyKey(s.Policy, s.Files),
	}
	c.SetRules(s.Rules, s.Told)
	if s.Store != nil {
		err := s.Store.Records(hold.Base, func(_ string, r *hold.Record) error {
			c.bases = append(c.bases, &r.Image)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	_, err := c.connection.client()
	return c, errors.Join(err, c.reopen())
}

// Run looks into images until its context ends, and then closes what it had open. It is called once.
func (c *Clearance) Run(ctx context.Context) error {
	group, inner := errgroup.WithContext(ctx)
	for range c.Workers {
		group.Go(func() error { return c.work(inner) })
	}
	group.Go(func() error { return c.refresh(inner) })
	err := group.Wait()
	if ctx.Err() != nil {
		err = nil // who ended it knows
	}
	c.connection.close()
	return errors.Join(err, c.bench.close())
}
