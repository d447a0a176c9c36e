package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"
)

// bounds keep what requests cost together within limits.
type bounds struct {
	limits   *Limits
	requests atomic.Int64
	bodies   *semaphore.Weighted // bytes
	turns    *semaphore.Weighted // shares of judging
	shares   int64
	resting  *semaphore.Weighted // bytes of bodies whose requests wait for something but a turn
}

// A review takes a share of judging for each shareBytes of it: what a large one takes while it is read is
// many times its size.
const shareBytes = 256 << 10

// Of the requests and of the bodies that there may be at a time, so large a part may wait for images: what they were read into
// stays in memory meanwhile, and all others need places, too.
const (
	restingRequests = 2 // one half
	restingBodies   = 4 // one quarter
)

func newBounds(l *Limits) *bounds {
	shares := int64(8 * runtime.GOMAXPROCS(0))
	return &bounds{
		limits: l, bodies: semaphore.NewWeighted(l.Bodies), turns: semaphore.NewWeighted(shares), shares: shares,
		resting: semaphore.NewWeighted(l.Bodies / restingBodies),
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
	size, weight int64
	held         bool
}

// turn waits for a share of judging; end gives it back.
func (b *bounds) turn(ctx context.Context, size int) (*turn, error) {
	t := &turn{bounds: b, size: int64(size), weight: min(1+int64(size)/shareBytes, b.shares)}
	return t, t.take(ctx)
}

func (t *turn) take(ctx context.Context) error {
	err := t.turns.Acquire(ctx, t.weight)
	t.held = err == nil
	return err
}

func (t *turn) end() {
	if t.held {
		t.turns.Release(t.weight)
	}
	t.held = false
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

// chunk is how much of a body is read at a time where its length is not told.
const chunk = 64 << 10

// read reads a body within what all bodies may take together. release gives the place back.
func (b *bounds) read(w http.ResponseWriter, request *http.Request) (body string, release func(), err error) {
	var held int64
	release = func() { b.bodies.Release(held) }
	hold := func(n int64) bool {
		if !b.bodies.TryAcquire(n) {
			return false
		}
		held += n
		return true
	}
	limit := b.limits.Body
	if request.ContentLength > limit {
		return "", release, tooLarge(limit)
	}
	// A connection that may have ended is no matter: then reading ends, too.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(b.limits.Read))
	size := max(request.ContentLength, 0)
	text := make([]byte, 0, min(size, chunk)+1)
	for {
		if len(text) == cap(text) {
			text = append(text, 0)[:len(text)]
		}
		if more := int64(cap(text)) - held; more > 0 && !hold(more) {
			return "", release, &refusal{http.StatusTooManyRequests, "too many large requests at a time"}
		}
		n, err := request.Body.Read(text[len(text):cap(text)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > limit:
			return "", release, tooLarge(limit)
		case errors.Is(err, io.EOF):
			return unsafe.String(unsafe.SliceData(text), len(text)), release, nil // nobody else has the bytes
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", release, &refusal{http.StatusRequestTimeout, "the request did not come in time"}
		case err != nil:
			return "", release, &refusal{http.StatusBadRequest, "the request broke off: " + err.Error()}
		}
	}
}

func tooLarge(limit int64) error {
	return &refusal{http.StatusRequestEntityTooLarge, "the request is over " + strconv.FormatInt(limit, 10) + " bytes"}
}
