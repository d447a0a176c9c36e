package image

import (
	"errors"
	"io"
	"sync"
)

// ahead reads a stream in a goroutine of its own, a few blocks ahead of who takes them: what decompresses, what
// hashes and what looks into a layer then run beside one another. Who makes one must close it.
type ahead struct {
	full  chan block
	free  chan *[blockSize]byte
	stop  chan struct{}
	ended sync.WaitGroup

	held  *[blockSize]byte // what left is a part of
	left  []byte
	taken int64 // bytes
	err   error
}

type block struct {
	memory *[blockSize]byte
	n      int
	err    error // what the stream ended with, behind these bytes
}

const (
	blockSize   = 128 << 10
	blocksAhead = 4
)

var memory = sync.Pool{New: func() any { return new([blockSize]byte) }}

func readAhead(r io.Reader) *ahead {
	a := &ahead{full: make(chan block, blocksAhead), free: make(chan *[blockSize]byte, blocksAhead), stop: make(chan struct{})}
	for range blocksAhead {
		a.free <- memory.Get().(*[blockSize]byte) //nolint:forcetypeassert // the pool holds no other
	}
	a.ended.Go(func() { a.fill(r) })
	return a
}

// fill reads until the stream ends or nobody wants more of it.
func (a *ahead) fill(r io.Reader) {
	for {
		var m *[blockSize]byte
		select {
		case m = <-a.free:
		case <-a.stop:
			return
		}
		b := block{memory: m}
		for idle := 0; b.n < blockSize && b.err == nil; {
			var n int
			if n, b.err = r.Read(m[b.n:]); n > 0 {
				idle = 0
			} else if idle++; idle > 100 && b.err == nil {
				b.err = io.ErrNoProgress
			}
			b.n += n
		}
		a.full <- b // there is room for as many as there are blocks
		if b.err != nil {
			return
		}
	}
}

// next waits for more.
func (a *ahead) next() error {
	if a.held != nil {
		a.free <- a.held
		a.held = nil
	}
	if a.err != nil {
		return a.err
	}
	b := <-a.full
	a.held, a.left, a.err = b.memory, b.memory[:b.n], b.err
	if b.n == 0 {
		return a.err
	}
	return nil
}

// Read takes what comes next.
func (a *ahead) Read(p []byte) (int, error) {
	if len(a.left) == 0 {
		if err := a.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.left)
	a.left = a.left[n:]
	a.taken += int64(n)
	return n, nil
}

// Seek passes over bytes without copying them: forward alone, from where the stream stands, which is how a tar's
// reader leaves out files. What lies behind the end is told by the next Read.
func (a *ahead) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 {
		return 0, errors.New("a stream goes forward")
	}
	for offset > 0 {
		if len(a.left) == 0 {
			if err := a.next(); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return a.taken, err
			}
		}
		n := min(offset, int64(len(a.left)))
		a.left = a.left[n:]
		a.taken += n
		offset -= n
	}
	return a.taken, nil
}

// drain passes over the rest.
func (a *ahead) drain() error {
	for {
		a.taken += int64(len(a.left))
		a.left = nil
		if err := a.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// Close ends the reading. A stream that waits for the network must have been ended before.
func (a *ahead) Close() {
	close(a.stop)
	a.ended.Wait()
	for {
		select {
		case b := <-a.full:
			memory.Put(b.memory)
		case m := <-a.free:
			memory.Put(m)
		default:
			if a.held != nil {
				memory.Put(a.held)
				a.held = nil
			}
			return
		}
	}
}
