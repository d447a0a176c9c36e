package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"fmt"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
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

// keptLayer is a stratum as it is kept. TestEverythingIsKept holds it to the fields of stratum and find.
type keptLayer struct {
	Finds                     map[string]*keptFind
	Paths, Dirs, Gone, Opaque []uint64
	Gaps                      []keptGap
	More                      int
}

type keptFind struct {
	Packages []fact.Package
	System   *fact.System
	Owner    string
	Owned    []string
}

type keptGap struct {
	File, Message, Remedy string
	Code                  verdict.GapCode
}

// key is what a layer's content depends on beside the program: the digest of what, and how much of it is read.
func (b *blob) key(o *Options) string {
	what := "blob"
	if b.plain {
		what = "tar"
	}
	return fmt.Sprintf("%s %s %+v", what, b.digest, o.Limits)
}

// catalogued is what a layer tells, from the keeper where it has it. A layer that could not be read whole is not kept.
func catalogued(ctx context.Context, b *blob, number int, o *Options, l *ledger) *stratum {
	if o.Keeper == nil {
		return readLayer(ctx, b, number, o, l)
	}
	key := b.key(o)
	if raw := o.Keeper.Get(key); raw != nil {
		var k keptLayer
		if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&k); err == nil {
			return k.stratum(number, o, l)
		}
	}
	own := &ledger{path: l.path, limit: l.limit}
	read, whole := readWhole(ctx, b, number, o, own)
	for _, g := range own.gaps {
		l.add(g)
	}
	l.addMore(own.more)
	if whole && ctx.Err() == nil {
		var raw bytes.Buffer
		if err := gob.NewEncoder(&raw).Encode(kept(read, own)); err == nil {
			o.Keeper.Put(key, raw.Bytes())
		}
	}
	return read
}

func kept(s *stratum, l *ledger) *keptLayer {
	k := &keptLayer{Finds: make(map[string]*keptFind, len(s.finds)), Paths: s.paths, Dirs: s.dirs, Gone: s.gone, Opaque: s.opaque, More: l.more}
	for at, f := range s.finds {
		k.Finds[at] = &keptFind{Packages: f.packages, System: f.system, Owner: f.owner, Owned: f.owned}
	}
	for _, g := range l.gaps {
		k.Gaps = append(k.Gaps, keptGap{File: g.file, Message: g.message, Remedy: g.remedy, Code: g.code})
	}
	return k
}

func (k *keptLayer) stratum(number int, o *Options, l *ledger) *stratum {
	s := newStratum(number, o, l)
	s.paths, s.dirs, s.gone, s.opaque = k.Paths, k.Dirs, k.Gone, k.Opaque
	for at, f := range k.Finds {
		s.finds[at] = &find{packages: f.Packages, system: f.System, owner: f.Owner, owned: f.Owned}
	}
	for _, g := range k.Gaps {
		l.add(gap{layer: number, file: g.File, message: g.Message, remedy: g.Remedy, code: g.Code})
	}
	l.addMore(k.More)
	return s
}
