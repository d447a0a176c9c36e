package image

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	"github.com/coaming/coaming/internal/fact"
)

// eye looks at the bytes of a file as they pass, whoever reads them.
type eye interface {
	// see is given one piece after the other, and says whether it wants more.
	see(piece []byte) bool
	// tell notes what it has seen when the file has passed.
	tell(r *record)
}

// choosy is an eye that wants only parts of a file, and says where.
type choosy interface {
	eye
	// next is the place in the file of what it wants next.
	next() int64
	// jump has it go on at a place that is not behind the next.
	jump(to int64)
}

// watched passes on what is read, and shows it to eyes.
type watched struct {
	r    io.Reader
	eyes []eye // those that want more
	n    int64
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += int64(n)
	if n > 0 {
		kept := w.eyes[:0]
		for _, e := range w.eyes {
			if e.see(p[:n]) {
				kept = append(kept, e)
			}
		}
		w.eyes = kept
	}
	return n, err
}

// finish reads on for as long as an eye wants more.
func (w *watched) finish(buffer []byte) error {
	for len(w.eyes) > 0 {
		w.jump()
		if _, err := w.Read(buffer); err == io.EOF { //nolint:errorlint // a reader's own end
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// leastJump is how many bytes are rather read than jumped over.
const leastJump = 64 << 10

// jump passes over what no eye wants of a file in which one can go on elsewhere.
func (w *watched) jump() {
	in, ok := w.r.(*input)
	if !ok {
		return
	}
	to := in.size
	for _, e := range w.eyes {
		p, ok := e.(choosy)
		if !ok {
			return
		}
		to = min(to, p.next())
	}
	if to-w.n < leastJump || !in.skip(to-w.n) {
		return
	}
	w.n = to
	for _, e := range w.eyes {
		e.(choosy).jump(to) //nolint:forcetypeassert // all are
	}
}

// digestEye knows files by their digest.
type digestEye struct {
	sum   hash.Hash
	known *KnownBad
}

func newDigestEye(known *KnownBad) *digestEye { return &digestEye{sha256.New(), known} }

func (d *digestEye) see(piece []byte) bool {
	d.sum.Write(piece)
	return true
}

func (d *digestEye) tell(r *record) {
	digest := hex.EncodeToString(d.sum.Sum(nil))
	if k, found := d.known.files[digest]; found {
		r.known = &fact.KnownFile{What: k.name, Digest: "sha256:" + digest}
	}
}

// headEye keeps the beginning of a file, or all of a small one, and reads it when it has passed.
type headEye struct {
	head []byte
	most int
	read func(r *record, head []byte)
}

func (h *headEye) see(piece []byte) bool {
	h.head = append(h.head, piece[:min(len(piece), h.most-len(h.head))]...)
	return len(h.head) < h.most
}

func (h *headEye) tell(r *record) { h.read(r, h.head) }
