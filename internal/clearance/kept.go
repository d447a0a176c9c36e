package clearance

import (
	"encoding/json"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
)

// kept is what stands on disk of an image beside the records of what it holds: a container that starts again knows what
// it knew. Between replicas nothing is shared.
type kept struct {
	Platforms []keptPlatform `json:"platforms"`
	Read      time.Time      `json:"read"`
	// Until is when who vouches for it must be asked again; zero where nobody is.
	Until time.Time `json:"until,omitzero"`
}

// keptPlatform is the image on one platform: where its record is kept, and who vouches for it.
type keptPlatform struct {
	Key      string         `json:"key"`
	Vouching *fact.Vouching `json:"vouching,omitempty"`
}

// keptKey is of an image for one build of the program, which reads what others may not, and one policy of trust.
func (c *Clearance) keptKey(key string) string { return "image\n" + c.Program + "\n" + c.policy + "\n" + key }

// kept is what stands on disk of an image; nil where nothing does.
func (c *Clearance) kept(key string) *kept {
	if c.Store == nil {
		return nil
	}
	k := &kept{}
	raw := c.Store.Get(hold.Resolved, c.keptKey(key))
	if raw == nil || json.Unmarshal(raw, k) != nil || len(k.Platforms) == 0 {
		return nil
	}
	return k
}

// keep keeps an image. What cannot be kept is read again.
func (c *Clearance) keep(key string, k *kept) {
	if c.Store == nil {
		return
	}
	if raw, err := json.Marshal(k); err == nil {
		err = c.Store.Put(hold.Resolved, c.keptKey(key), raw)
		if err != nil {
			c.Log.Warn("what is known of an image is not kept", "image", key, "error", err)
		}
	}
}

// tagOf is what a tag named when it was asked for last, from memory or from disk.
func (c *Clearance) tagOf(r *reference) (resolved, bool) {
	key := r.key()
	if t, found := c.memory.tag(key, c.Now()); found {
		return t, true
	}
	if c.Store == nil {
		return resolved{}, false
	}
	var t resolved
	if raw := c.Store.Get(hold.Resolved, "tag\n"+key); raw == nil || json.Unmarshal(raw, &t) != nil || t.Digest == "" {
		return resolved{}, false
	}
	t.wanted = c.Now()
	c.memory.putTag(key, t)
	return t, true
}

// keepTag remembers what a tag names now.
func (c *Clearance) keepTag(r *reference, digest string) {
	if r.tag == "" {
		return
	}
	t := resolved{Digest: digest, At: c.Now()}
	c.memory.putTag(r.key(), t)
	if c.Store == nil {
		return
	}
	if raw, err := json.Marshal(t); err == nil {
		_ = c.Store.Put(hold.Resolved, "tag\n"+r.key(), raw) // what cannot be kept is asked again
	}
}
