package hold

import (
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// ImageKey is of an image under its name: two names of one image are two entries.
func ImageKey(name string, img *fact.Image) string {
	return strings.Join([]string{name, img.Digest, img.ID, img.Platform}, "\n")
}

// PutRecord keeps a record under its image's key.
func (s *Store) PutRecord(kind Kind, r *Record) error {
	raw, err := r.MarshalBinary()
	if err != nil {
		return err
	}
	return s.Put(kind, ImageKey(r.Name, &r.Image), raw)
}

// KeepImage keeps what an image holds, for judging it again, and what rules read of it. A root directory has no digest to
// keep it by. What cannot be kept is read again.
func (s *Store) KeepImage(r *Record) {
	if s == nil || r.Image.Digest == "" && r.Image.ID == "" {
		return
	}
	_ = s.PutRecord(Image, r) // as above
	if r.Image.Contents != nil {
		_ = s.PutContents(ImageKey(r.Name, &r.Image), r.Image.Contents)
	}
}

// Image is what was kept of an image under its key, with what rules read of it; nil when that went away or is not whole.
// Where nothing is kept that rules could read, Contents is nil.
func (s *Store) Image(key string) *Record {
	r := recordIn(s.Get(Image, key))
	if r != nil {
		r.Image.Contents = s.GetContents(key, r.Image.Packages)
	}
	return r
}

// ReadRecord is one of Names' entries; nil when it went away or is not whole.
func (s *Store) ReadRecord(name string) *Record {
	_, raw := s.Read(name)
	return recordIn(raw)
}

func recordIn(raw []byte) *Record {
	if raw == nil {
		return nil
	}
	r := &Record{}
	if r.UnmarshalBinary(raw) != nil {
		return nil
	}
	return r
}

// Records yields what is kept of a kind and is whole, in one order.
func (s *Store) Records(kind Kind, yield func(entry string, r *Record) error) error {
	entries, err := s.Names(kind)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if r := s.ReadRecord(entry); r != nil {
			if err := yield(entry, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Keeper keeps layers for one build of the program: another one may know more kinds of packages. A folder that
// cannot be written is no reason to fail.
type Keeper struct {
	store   *Store
	program string
}

// Keeper is the one that images are read with by this build of the program; nil when nothing is kept, or the folder cannot
// be written.
func (s *Store) Keeper(program string) *Keeper {
	if s == nil {
		return nil
	}
	if _, err := s.Secret(); err != nil {
		return nil
	}
	return &Keeper{store: s, program: program}
}

// Get gives what was kept (image.Keeper).
func (k *Keeper) Get(key string) []byte { return k.store.Get(Layer, k.program+"\n"+key) }

// Put keeps (image.Keeper).
func (k *Keeper) Put(key string, content []byte) {
	_ = k.store.Put(Layer, k.program+"\n"+key, content)
}

// Secret is the folder's (image.Keeper).
func (k *Keeper) Secret() ([16]byte, error) { return k.store.Secret() }
