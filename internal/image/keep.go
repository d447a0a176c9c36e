package image

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Keeper keeps what a layer tells under a key. What it does not have it forgot, and is read again.
type Keeper interface {
	Get(key string) []byte
	Put(key string, content []byte)
	// Secret is what names of files are hashed under, the same every time.
	Secret() ([16]byte, error)
}

// takeSecret is the keeper's, or one of this call alone. A keeper without a secret keeps nothing.
func (o *Options) takeSecret() {
	if o.Keeper != nil {
		secret, err := o.Keeper.Secret()
		if err == nil {
			o.secret = secret
			return
		}
		o.Keeper = nil
	}
	_, _ = rand.Read(o.secret[:]) // never fails
}

// keptLayer is what is kept of a layer.
type keptLayer struct {
	stratum stratum
	gaps    []gap
	more    int
}

// key is what a layer's content depends on beside the program: the digest of what, and how much of it is read.
func (b *blob) key(o *Options) string {
	what := "blob"
	if b.plain {
		what = "tar"
	}
	known := builtIn
	if o.Known != nil {
		known = o.Known
	}
	return fmt.Sprintf("%s %s %.80s %+v %s", what, b.digest, b.diffID, o.Limits, known.sum)
}

// stands says whether what is kept of a layer is of the bytes that stand here: a file's name is nobody's word for
// what it holds. Of a registry the bytes are not fetched: what runs the image holds them to the same digest.
func (b *blob) stands(ctx context.Context) bool {
	if b.addressed {
		return true
	}
	r, _, err := b.open(ctx)
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // nothing was written
	sum := sha256.New()
	if _, err := io.Copy(sum, &patient{ctx, r}); err != nil {
		return false
	}
	return "sha256:"+hex.EncodeToString(sum.Sum(nil)) == b.digest
}

// patient reads until its context ends.
type patient struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call
	r   io.Reader
}

func (p *patient) Read(to []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(to)
}

// catalogued is what a layer tells, from the keeper where it has it. A layer that could not be read whole is not kept.
func catalogued(ctx context.Context, b *blob, number int, o *Options, l *ledger) *stratum {
	if o.Keeper == nil {
		return readLayer(ctx, b, number, o, l)
	}
	key := b.key(o)
	if raw := o.Keeper.Get(key); raw != nil && b.stands(ctx) {
		k := keptLayer{stratum: *newStratum(number, o, l)}
		if err := decode(raw, &k); err == nil {
			for _, g := range k.gaps {
				g.layer = number
				l.add(g)
			}
			l.addMore(k.more)
			return &k.stratum
		}
	}
	own := &ledger{path: l.path, limit: l.limit}
	read, whole := readWhole(ctx, b, number, o, own)
	for _, g := range own.gaps {
		l.add(g)
	}
	l.addMore(own.more)
	read.ledger = l
	if whole && ctx.Err() == nil {
		if raw, err := encode(nil, &keptLayer{stratum: *read, gaps: own.gaps, more: own.more}); err == nil {
			o.Keeper.Put(key, raw)
		}
	}
	return read
}
