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
}

// A review takes a share of judging for each shareBytes of it: what a large one takes while it is read is
// many times its size.
const shareBytes = 256 << 10

func newBounds(l *Limits) *bounds {
	shares := int64(8 * runtime.GOMAXPROCS(0))
	return &bounds{limits: l, bodies: semaphore.NewWeighted(l.Bodies), turns: semaphore.NewWeighted(shares), shares: shares}
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

// turn waits for a share of judging.
func (b *bounds) turn(ctx context.Context, size int) (done func(), err error) {
	weight := min(1+int64(size)/shareBytes, b.shares)
	if err := b.turns.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { b.turns.Release(weight) }, nil
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
