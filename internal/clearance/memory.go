package clearance

import (
	"container/list"
	"sync"
	"time"

	"github.com/coaming/coaming/internal/verdict"
)

// known is what is known of one image. Nothing changes it once it is made: requests share it.
type known struct {
	digest   string // of its manifest, or of the index of its platforms' manifests
	findings []verdict.Finding
	// generation is the one that it was judged under.
	generation uint64
	read       time.Time // when the image was read
	// until is when who vouches for it must be asked again; zero where nobody is.
	until time.Time
	size int64
}

// resolved is what a tag named when it was asked for last.
type resolved struct {
	Digest string    `json:"digest"`
	At     time.Time `json:"at"`
	wanted time.Time // when somebody asked for it last
}

// mostTags is how many tags are remembered, each with about 300 bytes.
const mostTags = 10_000

// memory is what is known in memory: bounded, what was not asked for longest goes first.
type memory struct {
	mu     sync.Mutex
	most   int64
	size   int64
	images map[string]*list.Element // *entry by repository@digest
	order  *list.List               // the one asked for last in front
	tags   map[string]*list.Element // *tagged by repository:tag
	recent *list.List
}

type entry struct {
	key string
	*known
}

type tagged struct {
	key string
	resolved
}

func newMemory(most int64) *memory {
	return &memory{most: most, images: map[string]*list.Element{}, order: list.New(), tags: map[string]*list.Element{}, recent: list.New()}
}

func (m *memory) image(key string) *known {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.images[key]
	if at == nil {
		return nil
	}
	m.order.MoveToFront(at)
	return at.Value.(*entry).known
}

// peek is an image that nobody asks for.
func (m *memory) peek(key string) *known {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.images[key]; at != nil {
		return at.Value.(*entry).known
	}
	return nil
}

// put remembers an image. One that is larger than everything that may be remembered is not.
func (m *memory) put(key string, k *known) {
	k.size = sizeOf(k.findings) + int64(len(key))
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.images[key]; at != nil {
		m.drop(at)
	}
	if k.size > m.most {
		return
	}
	m.images[key] = m.order.PushFront(&entry{key, k})
	for m.size += k.size; m.size > m.most; {
		m.drop(m.order.Back())
	}
}

func (m *memory) drop(at *list.Element) {
	e := m.order.Remove(at).(*entry)
	delete(m.images, e.key)
	m.size -= e.size
}

// keys are the images in memory, the one asked for last first.
func (m *memory) keys() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make([]string, 0, len(m.images))
	for at := m.order.Front(); at != nil; at = at.Next() {
		keys = append(keys, at.Value.(*entry).key)
	}
	return keys
}

// tag is what a tag named when it was asked for last; wanted says that somebody wants to know it now.
func (m *memory) tag(key string, wanted time.Time) (resolved, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.tags[key]
	if at == nil {
		return resolved{}, false
	}
	m.recent.MoveToFront(at)
	t := at.Value.(*tagged)
	if wanted.After(t.wanted) {
		t.wanted = wanted
	}
	return t.resolved, true
}

func (m *memory) putTag(key string, r resolved) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at := m.tags[key]; at != nil {
		t := at.Value.(*tagged)
		if r.wanted.IsZero() {
			r.wanted = t.wanted
		}
		t.resolved = r
		m.recent.MoveToFront(at)
		return
	}
	m.tags[key] = m.recent.PushFront(&tagged{key, r})
	for len(m.tags) > mostTags {
		delete(m.tags, m.recent.Remove(m.recent.Back()).(*tagged).key)
	}
}

// stale are the tags that somebody wanted since a time and that were resolved before another.
func (m *memory) stale(wantedSince, resolvedBefore time.Time) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key, at := range m.tags {
		if t := at.Value.(*tagged); t.wanted.After(wantedSince) && t.At.Before(resolvedBefore) {
			keys = append(keys, key)
		}
	}
	return keys
}

// held is how much is remembered.
func (m *memory) held() (images, tags int, size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.images), len(m.tags), m.size
}

// sizeOf is about what findings take in memory: their structs, and the texts that are made for each.
func sizeOf(findings []verdict.Finding) int64 {
	size := int64(0)
	for i := range findings {
		f := &findings[i]
		size += 640 + int64(len(f.Message)+len(f.Reason)+len(f.Path)+len(f.Fingerprint)+len(f.Subject.Name)+len(f.Location.Source)+len(f.Location.File))
		if v := f.Vulnerability; v != nil {
			size += 560 + int64(len(v.Place))
			for _, name := range v.Installed {
				size += 16 + int64(len(name))
			}
		}
	}
	return size
}
