package gate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"

	"github.com/coaming/coaming/internal/admission"
)

// body is the body of a request, or its beginning and why there is no more.
type body struct {
	text    string
	trouble *admission.Trouble
	code    int // of trouble, for who takes it for none of the object's

	held []hold
}

// hold is bytes that a body takes of those that there are.
type hold struct {
	of    *semaphore.Weighted
	bytes int64
}

// release gives back what the body took.
func (b *body) release() {
	for _, h := range b.held {
		h.of.Release(h.bytes)
	}
	b.held = nil
}

// firstBytes is what is taken for a body before anything has come of it: who announces much and sends little holds little.
const firstBytes = 4 << 10

// mostDrained is how much of a body is stepped over, so that who sends it reads the answer.
const mostDrained = 64 << 20

// reading is a body that is being read.
type reading struct {
	*bounds
	*http.Request
	body
	buffer []byte
}

// read reads a body within what all bodies may take together, and within the time that there is. The caller releases what it gets,
// beside an error, too.
func (b *bounds) read(ctx context.Context, w http.ResponseWriter, request *http.Request) (*body, error) {
	r := &reading{bounds: b, Request: request}
	// A connection that may have ended is no matter: then reading ends, too.
	_ = http.NewResponseController(w).SetReadDeadline(b.deadline(ctx))
	size := max(request.ContentLength, 0)
	if !b.bodies.TryAcquire(firstBytes) {
		return &r.body, crowded("too many requests send their bodies")
	}
	r.held = []hold{{b.bodies, firstBytes}}
	r.buffer = make([]byte, 0, firstBytes)
	done, err := r.fill(func(grown int64) bool {
		more := grown - r.held[0].bytes
		if grown > admission.Large || !b.bodies.TryAcquire(more) {
			return false
		}
		r.held[0].bytes = grown
		return true
	})
	switch {
	case err != nil || done:
		return r.whole(), err
	case len(r.buffer) < admission.Large:
		return r.whole(), crowded("too many requests send their bodies")
	case size > b.limits.Body:
		return r.beginning(admission.TooLarge(b.limits.Body), http.StatusRequestEntityTooLarge)
	}
	return r.rest(ctx, size)
}

// rest reads a large body, of which the beginning has come, to its end: where it has room, and once there is.
func (r *reading) rest(ctx context.Context, size int64) (*body, error) {
	room := r.limits.Body
	if size > 0 {
		room = size
	}
	room++ // to see that there is no more
	if !r.makeRoom(ctx, room) {
		return r.beginning(admission.Crowded, http.StatusTooManyRequests)
	}
	beginning := len(r.buffer)
	r.buffer = append(make([]byte, 0, room), r.buffer...)
	r.bodies.Release(r.held[0].bytes)
	r.held = []hold{{r.large, room}}
	done, err := r.fill(func(int64) bool { return false })
	if err == nil && !done {
		r.buffer = r.buffer[:beginning]
		return r.beginning(admission.TooLarge(r.limits.Body), http.StatusRequestEntityTooLarge)
	}
	return r.whole(), err
}

// makeRoom waits for memory for a large body, for half of the time that there is.
func (r *reading) makeRoom(ctx context.Context, room int64) bool {
	if !r.queueing.TryAcquire(1) {
		return false
	}
	defer r.queueing.Release(1)
	if end, ends := ctx.Deadline(); ends {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	return r.large.Acquire(ctx, room) == nil
}

// fill reads until the end, or until there is no more room; grow says whether there is more, and how much is then taken.
func (r *reading) fill(grow func(capacity int64) bool) (done bool, err error) {
	for {
		if len(r.buffer) == cap(r.buffer) {
			if !grow(2 * int64(cap(r.buffer))) {
				return false, nil
			}
			r.buffer = append(make([]byte, 0, 2*cap(r.buffer)), r.buffer...)
		}
		n, err := r.Body.Read(r.buffer[len(r.buffer):cap(r.buffer)])
		r.buffer = r.buffer[:len(r.buffer)+n]
		switch {
		case errors.Is(err, io.EOF):
			return true, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return false, &refusal{http.StatusRequestTimeout, "the request did not come in time"}
		case err != nil:
			return false, &refusal{http.StatusBadRequest, "the request broke off: " + err.Error()}
		}
	}
}

// whole is all that was read.
func (r *reading) whole() *body {
	r.text = unsafe.String(unsafe.SliceData(r.buffer), len(r.buffer)) // nobody else has the bytes
	return &r.body
}

// beginning is what was read, and why there is no more; the rest is stepped over.
func (r *reading) beginning(t admission.Trouble, code int) (*body, error) {
	r.trouble, r.code = &t, code
	// What does not come is no matter any more.
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, mostDrained))
	return r.whole(), nil
}

// deadline is until when a body may come: there is no use in one that comes after the API server has turned away.
func (b *bounds) deadline(ctx context.Context) time.Time {
	deadline := time.Now().Add(b.limits.Read)
	if end, ends := ctx.Deadline(); ends && end.Before(deadline) {
		return end
	}
	return deadline
}

// refused is the answer to a body that is not read to its end where nobody decides by its beginning.
func (b *body) refused() error {
	return &refusal{b.code, "the request was not read, for " + b.trouble.What + " (" + strconv.Itoa(len(b.text)) + " bytes were)"}
}
