package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxShared is the size up to which a file that several want to read is held in memory once for all of them.
const maxShared = 512 << 10

// taken is what one reader made of a file.
type taken struct {
	find *find
	err  error
	n    int64 // bytes read
}

// readAll gives one file to its readers, each from the beginning, and returns what each made of it and how many
// bytes were taken from r. A file is held in memory where it is small; a large one passes all of them in step.
func (s *stratum) readAll(e *entry, readers []reader, r io.Reader) ([]taken, int64) {
	list := make([]taken, len(readers))
	if len(readers) == 1 {
		list[0] = readOne(e, readers[0], r)
		return list, list[0].n
	}
	if e.size > maxShared {
		if file, ok := r.(io.ReaderAt); ok {
			return list, readApart(e, readers, file, list)
		}
		return list, readInStep(e, readers, r, list)
	}
	s.shared.Reset()
	n, err := s.shared.ReadFrom(io.LimitReader(r, e.size))
	for i, read := range readers {
		list[i] = readOne(e, read, &ended{bytes.NewReader(s.shared.Bytes()), err})
	}
	return list, n
}

// readOne gives a file to a reader. One on which the reader breaks off is a file that was not read, and nothing else.
func readOne(e *entry, read reader, r io.Reader) (t taken) {
	in := &input{path: e.path, size: e.size, r: r}
	defer func() {
		if fault := recover(); fault != nil {
			t = taken{nil, fmt.Errorf("%s: %v", brokeOff, fault), in.n}
		}
	}()
	f, err := read(in)
	return taken{f, err, in.n}
}

// brokeOff begins what is told of a file on which its reader panicked: a fault of the reader, which tests look for.
const brokeOff = "reading it broke off"

// readApart gives each reader a large file that stands on disk: most want little of it, and look only there.
func readApart(e *entry, readers []reader, file io.ReaderAt, list []taken) (n int64) {
	for i, read := range readers {
		list[i] = readOne(e, read, io.NewSectionReader(file, 0, e.size))
		n = max(n, list[i].n)
	}
	return n
}

// ended is what was read of a stream, and the error that it ended with.
type ended struct {
	r   *bytes.Reader
	err error
}

func (e *ended) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	if errors.Is(err, io.EOF) && e.err != nil {
		err = e.err
	}
	return n, err
}

// readInStep lets a large file pass several readers, block by block: none gets the next one before all have
// done with this one or want no more.
func readInStep(e *entry, readers []reader, r io.Reader, list []taken) int64 {
	var ends sync.WaitGroup
	taps := make([]*tap, len(readers))
	for i, read := range readers {
		t := &tap{blocks: make(chan []byte), ready: make(chan struct{}), done: make(chan struct{})}
		taps[i] = t
		ends.Go(func() {
			defer close(t.done)
			list[i] = readOne(e, read, t)
		})
	}
	var n int64
	var err error
	block := make([]byte, 128<<10)
	for err == nil {
		open := taps[:0]
		for _, t := range taps { // who waits for a block has done with the one before
			select {
			case <-t.ready:
				open = append(open, t)
			case <-t.done:
			}
		}
		if taps = open; len(taps) == 0 {
			break
		}
		got := 0
		for got < len(block) && err == nil {
			var part int
			part, err = r.Read(block[got:])
			got += part
		}
		n += int64(got)
		for _, t := range taps {
			if t.err = err; got > 0 {
				t.blocks <- block[:got]
			}
		}
	}
	for _, t := range taps {
		close(t.blocks)
	}
	ends.Wait()
	return n
}

// tap is one reader's end of a stream that several read.
type tap struct {
	blocks chan []byte
	ready  chan struct{} // the reader waits for the next block
	done   chan struct{} // the reader has returned
	left   []byte
	err    error // why there are no more blocks, once there are none
}

func (t *tap) Read(p []byte) (int, error) {
	if len(t.left) == 0 {
		if t.err != nil {
			return 0, t.err
		}
		t.ready <- struct{}{}
		block, more := <-t.blocks
		if !more {
			return 0, t.err
		}
		t.left = block
	}
	n := copy(p, t.left)
	t.left = t.left[n:]
	return n, nil
}
