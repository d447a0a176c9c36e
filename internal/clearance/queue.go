package clearance

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

// class is why an image is looked into, the least urgent first.
type class uint8

const (
	refreshed class = iota // what is known of it grows old
	running                // a pod runs it
	requested              // a request named it, and was answered
	waited                 // a request waits for it
)

// job is one image that waits for a worker, or that one looks into.
type job struct {
	reference
	key       string
	namespace string // of who asked first
	class     class
	wants     int // how often it was asked for
	waiting   int // requests that wait for it now
	since     time.Time
	running   bool
	done      chan struct{} // closed when it was looked into, or given up
}

// errFull is that so many images wait that no more are taken.
var errFull = errors.New("too many images wait to be looked into")

// queue are the images that wait for a worker: bounded, each once. Nobody fills it for others: when it is full, who has the
// most in it makes room, and namespaces are served in turns.
type queue struct {
	mu      sync.Mutex
	most    int
	now     func() time.Time
	jobs    map[string]*job // those that are looked into, too
	pending int
	count   map[string]int    // by namespace, of those that wait
	served  map[string]uint64 // by namespace, when it was served last, in turns
	turn    uint64
	news    chan struct{} // holds one when something was added
	refused uint64        // for want of room
}

func newQueue(most int, now func() time.Time) *queue {
	return &queue{most: most, now: now, jobs: map[string]*job{}, count: map[string]int{}, served: map[string]uint64{}, news: make(chan struct{}, 1)}
}

// add queues an image, or joins who asked for it before. With waits the caller must call leave.
func (q *queue) add(r reference, namespace string, c class) (*job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := r.key()
	j := q.jobs[key]
	if j == nil {
		if q.pending >= q.most && !q.makeRoom(namespace, c) {
			q.refused++
			return nil, errFull
		}
		j = &job{reference: r, key: key, namespace: namespace, class: c, since: q.now(), done: make(chan struct{})}
		q.jobs[key] = j
		q.waits(j, 1)
		q.wake()
	}
	j.class = max(j.class, c)
	j.wants++
	if c == waited {
		j.waiting++
	}
	return j, nil
}

// leave is called by who no longer waits.
func (q *queue) leave(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j.waiting--; j.waiting == 0 {
		j.class = requested
	}
}

// makeRoom gives up one image for one of a class that a namespace asks for: one of a lower class, or of a namespace that has
// more in the queue than this one would have. One for which a request waits is given up only where another namespace asks and
// more than half of the queue is of this one.
func (q *queue) makeRoom(namespace string, c class) bool {
	var victim *job
	for _, j := range q.jobs {
		greedy := 2*q.count[j.namespace] > q.most && j.namespace != namespace
		if j.running || !greedy && (j.waiting > 0 || j.class > c || j.class == c && q.count[j.namespace] <= q.count[namespace]+1) {
			continue
		}
		if victim == nil || cmp.Or(
			cmp.Compare(j.class, victim.class), cmp.Compare(q.count[victim.namespace], q.count[j.namespace]), // of whoever has the most
			cmp.Compare(j.wants, victim.wants), victim.since.Compare(j.since), cmp.Compare(j.key, victim.key), // what was wanted least and last
		) < 0 {
			victim = j
		}
	}
	if victim == nil {
		return false
	}
	q.refused++
	q.remove(victim)
	return true
}

func (q *queue) remove(j *job) {
	delete(q.jobs, j.key)
	if !j.running {
		q.waits(j, -1)
	}
	close(j.done)
}

// waits counts an image that waits, or does no longer.
func (q *queue) waits(j *job, n int) {
	q.pending += n
	if q.count[j.namespace] += n; q.count[j.namespace] == 0 {
		delete(q.count, j.namespace)
	}
}

func (q *queue) wake() {
	select {
	case q.news <- struct{}{}:
	default:
	}
}

// next waits for an image to look into; nil when the context has ended. done must be called with it.
func (q *queue) next(ctx context.Context) *job {
	for {
		if j := q.take(); j != nil {
			return j
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.news:
		}
	}
}

// oldestEvery is how often the image that waits longest is taken, whatever is more urgent, so that none waits for ever.
const oldestEvery = 4

func (q *queue) take() *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.pending == 0 {
		return nil
	}
	q.turn++
	var best *job
	for _, j := range q.jobs {
		if !j.running && (best == nil || q.before(j, best)) {
			best = j
		}
	}
	best.running = true
	q.waits(best, -1)
	q.forget()
	q.served[best.namespace] = q.turn
	if q.pending > 0 {
		q.wake() // another worker may sleep
	}
	return best
}

// forget keeps the turns of those alone who have something in the queue.
func (q *queue) forget() {
	if len(q.served) < q.most {
		return
	}
	clear(q.served)
}

func (q *queue) before(a, b *job) bool {
	if q.turn%oldestEvery == 0 {
		return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.key, b.key)) < 0
	}
	return cmp.Or(
		cmp.Compare(b.class, a.class), cmp.Compare(q.served[a.namespace], q.served[b.namespace]),
		cmp.Compare(b.wants, a.wants), a.since.Compare(b.since), cmp.Compare(a.key, b.key),
	) < 0
}

// finish is called when an image was looked into.
func (q *queue) finish(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(j)
}

// depth is how many images wait, and how long the one that waits longest has done so.
func (q *queue) depth() (pending, looking int, oldest time.Duration, refused uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for _, j := range q.jobs {
		if !j.running {
			oldest = max(oldest, now.Sub(j.since))
		}
	}
	return q.pending, len(q.jobs) - q.pending, oldest, q.refused
}
