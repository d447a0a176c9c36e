package clearance

import (
	"errors"
	"time"

	"github.com/coaming/coaming/internal/image"
)

// failure is why an image could not be looked into, and when it is tried again.
type failure struct {
	reference
	namespace string
	why       string
	times     int
	at        time.Time
	again     time.Time
	wanted    time.Time // when somebody asked for it last
}

const (
	// mostFailures bounds what is remembered of failures: a flood of names that do not exist.
	mostFailures = 5000
	// longestWhy bounds the reason, in bytes: a registry's words may be in it.
	longestWhy = 400
	// patience is how often an image is tried again when nobody asks for it.
	patience = 6
)

// fail notes that an image could not be looked into.
func (c *Clearance) fail(j *job, err error) {
	c.look.Lock()
	defer c.look.Unlock()
	f := c.failures[j.key]
	if f == nil {
		f = &failure{reference: j.reference, namespace: j.namespace, wanted: c.Now()}
		if len(c.failures) >= mostFailures {
			c.forgetOne()
		}
		c.failures[j.key] = f
	}
	why := err.Error()
	if len(why) > longestWhy {
		why = why[:longestWhy] + "…"
	}
	f.why = c.toldAs(why, err)
	f.at = c.Now()
	f.again = f.at.Add(c.Backoff << min(f.times, 6))
	f.times++
	c.counts.failed.Add(1)
	c.Log.Warn("an image was not looked into", "image", j.key, "times", f.times, "error", why)
}

// toldAs is what those are told who create pods: where anything may be named as a registry, not what answered there, or the gate would look
// into ports for them.
func (c *Clearance) toldAs(why string, err error) string {
	if len(c.Registries) > 0 || errors.Is(err, image.ErrOtherPlatform) {
		return why
	}
	return "its registry did not give it, or not whole; the gate's log tells why"
}

// forgetOne makes room: what nobody asked for the longest goes.
func (c *Clearance) forgetOne() {
	oldest := ""
	for key, f := range c.failures {
		if oldest == "" || f.wanted.Before(c.failures[oldest].wanted) {
			oldest = key
		}
	}
	delete(c.failures, oldest)
}

// failed is why an image could not be looked into, while it is not yet to be tried again.
func (c *Clearance) failed(key string) (why string, at time.Time, failed bool) {
	c.look.Lock()
	defer c.look.Unlock()
	f := c.failures[key]
	if f == nil {
		return "", time.Time{}, false
	}
	f.wanted = c.Now()
	return f.why, f.at, f.again.After(f.wanted)
}

func (c *Clearance) forgive(key string) {
	c.look.Lock()
	defer c.look.Unlock()
	delete(c.failures, key)
}

// retries are the images whose time to be tried again has come: as often as patience lets, or while somebody asks for them.
func (c *Clearance) retries() (list []*failure) {
	c.look.Lock()
	defer c.look.Unlock()
	now := c.Now()
	for key, f := range c.failures {
		switch {
		case f.again.After(now):
		case f.times <= patience || now.Sub(f.wanted) < c.TagLimit && f.wanted.After(f.at):
			list = append(list, f)
		case now.Sub(f.wanted) > c.TagLimit:
			delete(c.failures, key)
		}
	}
	return list
}
