package gate

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/coaming/coaming/internal/admission"
)

// bounds keep what requests cost together within limits. Large reviews have limits of their own, so that who writes large objects
// takes neither time nor memory from all others.
type bounds struct {
	limits   *Limits
	requests atomic.Int64
	bodies   *semaphore.Weighted // bytes
	turns    *semaphore.Weighted // of judging
	shares   int64
	resting  *semaphore.Weighted // bytes of bodies whose requests wait for something but a turn

	large    *semaphore.Weighted // bytes of large bodies
	queueing *semaphore.Weighted // large requests that wait for such
	heavy    *semaphore.Weighted // turns of judging large ones
}

// Of the requests and of the bodies that there may be at a time, so large a part may wait for images: what they were read into
// stays in memory meanwhile, and all others need places, too.
const (
	restingRequests = 2 // one half
	restingBodies   = 4 // one quarter
)

// mostQueueing is how many large requests wait for memory at a time; what has come of them is held meanwhile.
const mostQueueing = 16

func newBounds(l *Limits) *bounds {
	processors := int64(runtime.GOMAXPROCS(0))
	return &bounds{
		limits: l, bodies: semaphore.NewWeighted(l.Bodies), turns: semaphore.NewWeighted(8 * processors), shares: 8 * processors,
		resting: semaphore.NewWeighted(l.Bodies / restingBodies),
		large:   semaphore.NewWeighted(l.Large), queueing: semaphore.NewWeighted(mostQueueing), heavy: semaphore.NewWeighted(max(processors/2, 1)),
	}
}

// enter takes one of the places for requests; false when there is none.
func (b *bounds) enter() bool {
	if b.requests.Add(1) > int64(b.limits.Requests) {
		b.requests.Add(-1)
		return false
	}
	return true
}

func (b *bounds) leave() { b.requests.Add(-1) }

// turn is the share of judging that a request holds.
type turn struct {
	*bounds
	of   *semaphore.Weighted
	size int64
	held atomic.Bool
}

// turn waits for a share of judging; end gives it back.
func (b *bounds) turn(ctx context.Context, size int) (*turn, error) {
	t := &turn{bounds: b, of: b.turns, size: int64(size)}
	if size >= admission.Large {
		t.of = b.heavy
	}
	return t, t.take(ctx)
}

func (t *turn) take(ctx context.Context) error {
	err := t.of.Acquire(ctx, 1)
	t.held.Store(err == nil)
	return err
}

func (t *turn) end() {
	if t.held.CompareAndSwap(true, false) {
		t.of.Release(1)
	}
}

// rest gives the share to others until again, where there is room to wait in. What is left to do once the context has ended
// is little, and is done without a share.
func (t *turn) rest(ctx context.Context) (again func(), may bool) {
	weight := max(t.size, t.limits.Bodies/restingBodies/max(int64(t.limits.Requests)/restingRequests, 1))
	if !t.resting.TryAcquire(weight) {
		return nil, false
	}
	t.end()
	return func() {
		t.resting.Release(weight)
		_ = t.take(ctx)
	}, true
}

// crowded is the answer of a gate whose places are taken.
func crowded(what string) error { return &refusal{http.StatusTooManyRequests, what} }
