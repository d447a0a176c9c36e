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
		if _, err := w.Read(buffer); err == io.EOF { //nolint:errorlint // a reader's own end
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
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
