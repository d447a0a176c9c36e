package clearance

import (
	"context"
	"time"
)

// every is how often is looked whether something is to be asked or judged again.
const every = 15 * time.Second

// refresh judges again what a new index or day judges otherwise, and queues what has grown old.
func (c *Clearance) refresh(ctx context.Context) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			c.tend(ctx)
		}
	}
}

// tend is one round of refresh.
func (c *Clearance) tend(ctx context.Context) {
	if err := c.reopen(); err != nil {
		c.counts.unopened.Add(1)
		c.Log.Error("the index of advisories was not opened; the one before it stays", "file", c.Index, "error", err)
	}
	c.judgeAgain(ctx)
	now := c.Now()
	for _, key := range c.memory.stale(now.Add(-24*time.Hour), now.Add(-c.TagAge)) {
		c.again(key, "")
	}
	for _, key := range c.memory.keys() {
		if k := c.memory.peek(key); k != nil && !k.until.IsZero() && now.After(k.until) {
			c.again(key, "")
		}
	}
	for _, f := range c.retries() {
		_, _ = c.queue.add(f.reference, f.namespace, refreshed) // it is tried in the next round
	}
}

// again queues what is known by a key.
func (c *Clearance) again(key, namespace string) {
	r, err := parse(key)
	if err != nil {
		return
	}
	if _, _, failed := c.failed(key); failed {
		return // its own time comes
	}
	_, _ = c.queue.add(r, namespace, refreshed) // it is queued in the next round
}

// judgeAgain judges all images in memory that were judged by something older; those that are on disk alone are when somebody asks.
func (c *Clearance) judgeAgain(ctx context.Context) {
	generation := c.generation.Load()
	for _, key := range c.memory.keys() {
		if ctx.Err() != nil {
			return
		}
		k := c.memory.peek(key)
		if k == nil || k.generation == generation {
			continue
		}
		if r, err := parse(key); err == nil && c.knownAs(ctx, &r, k.digest) == nil {
			c.again(key, "") // without a store it is read again
		}
	}
}
