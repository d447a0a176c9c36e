// Package hold keeps on disk what was catalogued, by digest: what each layer of an image adds and hides, so that a layer
// is read once whatever images share it, and what each image holds, so that new advisories are put to it without
// the image. Several processes may use one folder at once. What is not whole and unchanged is not there; what
// was not asked for longest goes when a bound is passed. internal/cli and internal/clearance import it.
package hold

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/coaming/coaming/internal/varint"
)

// Kind is what an entry is of. Each kind has bounds of its own.
type Kind string

// The kinds.
const (
	Layer Kind = "layers"
	Image Kind = "images"
	Base  Kind = "bases" // images that others are built on
	// Resolved is what references named when their registries were asked for them.
	Resolved Kind = "resolved"
)

// DefaultBytes is what is kept of each kind when nobody says otherwise.
const DefaultBytes = 2 << 30

// shards are the folders that the entries of a kind are spread over by the first digit of their name: a bound is held in each by
// itself, so that keeping an entry looks at a sixteenth of them.
const shards = 16

// Store is a folder of entries.
type Store struct {
	Dir string
	// Most is how many bytes are kept of each kind; 0 is DefaultBytes.
	Most int64
}

// magic begins each entry, with the version of the form.
const magic = "coaming hold 1\n"

// freshness is how old the mark of an entry's last use may be before it is set again.
const freshness = time.Hour

func (s *Store) path(kind Kind, key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(s.Dir, string(kind), name[:1], name)
}

// Get is what was put under the key; nil when there is nothing whole.
func (s *Store) Get(kind Kind, key string) []byte {
	path := s.path(kind, key)
	found, content := read(path)
	if content == nil || found != key {
		return nil
	}
	if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > freshness {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // only the order of going depends on it
	}
	return content
}

// read takes an entry apart; content is nil when it is not whole, and then the entry is removed.
func read(path string) (key string, content []byte) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", nil
	}
	if body, ok := checked(raw); ok {
		r := varint.Reader{Rest: body}
		if key := r.Bytes(); !r.Bad {
			return string(key), r.Rest
		}
	}
	_ = os.Remove(path) // it is made anew
	return "", nil
}

// checked is what stands between the magic and the checksum that it answers to.
func checked(raw []byte) (body []byte, ok bool) {
	end := len(raw) - sha256.Size
	if end < len(magic) || string(raw[:len(magic)]) != magic {
		return nil, false
	}
	sum := sha256.Sum256(raw[:end])
	return raw[len(magic):end], bytes.Equal(sum[:], raw[end:])
}

// Put keeps an entry, whole or not at all. One that is larger than what a folder may keep is not.
func (s *Store) Put(kind Kind, key string, content []byte) error {
	most := cmp.Or(s.Most, DefaultBytes) / shards
	raw := make([]byte, 0, len(magic)+binary.MaxVarintLen64+len(key)+len(content)+sha256.Size)
	raw = append(raw, magic...)
	raw = binary.AppendUvarint(raw, uint64(len(key)))
	raw = append(append(raw, key...), content...)
	sum := sha256.Sum256(raw)
	raw = append(raw, sum[:]...)
	if int64(len(raw)) > most {
		return nil
	}
	path := s.path(kind, key)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep what was catalogued: %w", err)
	}
	if err := replace(path, raw); err != nil {
		return fmt.Errorf("keep what was catalogued: %w", err)
	}
	return trim(dir, most)
}

// temporary begins the names of files that are being written.
const temporary = "new-"

func replace(path string, raw []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return err
	}
	_, err = file.Write(raw)
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // the error that matters is told
	}
	return err
}

// forgotten is the age from which a half-written entry belongs to nobody.
const forgotten = time.Hour

// trim removes the entries of a folder that were not asked for longest until no more than most bytes are left.
func trim(dir string, most int64) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read what was catalogued: %w", err)
	}
	var list []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		switch {
		case err != nil: // somebody else removed it
		case len(e.Name()) != hex.EncodedLen(sha256.Size):
			if time.Since(info.ModTime()) > forgotten {
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
		default:
			list = append(list, info)
			total += info.Size()
		}
	}
	if total <= most {
		return nil
	}
	slices.SortFunc(list, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range list {
		if total <= most {
			break
		}
		if err := os.Remove(filepath.Join(dir, info.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was catalogued long ago: %w", err)
		}
		total -= info.Size()
	}
	return nil
}

// Remove forgets one of Names' entries.
func (s *Store) Remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what was catalogued: %w", err)
	}
	return nil
}

// Names are the entries of a kind, to be asked for with Read; in one order.
func (s *Store) Names(kind Kind) ([]string, error) {
	var list []string
	for i := range shards {
		dir := filepath.Join(s.Dir, string(kind), fmt.Sprintf("%x", i))
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read what was catalogued: %w", err)
		}
		for _, e := range entries {
			if len(e.Name()) == hex.EncodedLen(sha256.Size) {
				list = append(list, filepath.Join(dir, e.Name()))
			}
		}
	}
	return list, nil
}

// Read is one of Names' entries with its key; content is nil when it went away or is not whole.
func (s *Store) Read(name string) (key string, content []byte) { return read(name) }

// Secret is a secret of the folder, made when it is first asked for: what hashes names so that who makes an
// image cannot know beforehand which collide.
func (s *Store) Secret() ([16]byte, error) {
	var secret [16]byte
	path := filepath.Join(s.Dir, "secret")
	for range 3 {
		raw, err := os.ReadFile(path)
		if err == nil && len(raw) == len(secret) {
			return [16]byte(raw), nil
		}
		if err == nil {
			_ = os.Remove(path) // cut off
		}
		if err := os.MkdirAll(s.Dir, 0o700); err != nil {
			return secret, fmt.Errorf("keep what was catalogued: %w", err)
		}
		_, _ = rand.Read(secret[:]) // never fails
		if err := linkNew(path, secret[:]); err != nil && !errors.Is(err, fs.ErrExist) {
			return secret, fmt.Errorf("keep what was catalogued: %w", err)
		}
	}
	return secret, fmt.Errorf("keep what was catalogued: %s cannot be read back", path)
}

// linkNew writes a file whole, unless another process was faster.
func linkNew(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), temporary)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) //nolint:errcheck // it has another name by then
	_, err = file.Write(content)
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}
