// Package cache keeps what a command made, by the digest of everything that it was made of, in a
// folder of the user's own. It knows nothing of what it keeps. What is not whole and unchanged is
// not there; a folder that cannot be written keeps nothing. Only internal/cli imports it.
package cache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Store is a folder of entries.
type Store struct {
	Dir string
	// MostEntries and MostBytes are what is kept; the entries that were not asked for longest go first.
	MostEntries int
	MostBytes   int64
}

// Key is the digest of everything that an entry was made of.
type Key [sha256.Size]byte

// Entry is named contents.
type Entry map[string][]byte

// ledger is the file of an entry that says what the others must hold.
const ledger = "ledger.json"

type kept struct {
	Name string `json:"name"`
	Sum  string `json:"sha256"`
}

func (s *Store) path(key Key) string { return filepath.Join(s.Dir, hex.EncodeToString(key[:])) }

// Keeps says whether there is a folder to keep entries in, which it makes: where there can be none, to digest what an entry
// would be made of is work for nothing.
func (s *Store) Keeps() bool { return os.MkdirAll(s.Dir, 0o700) == nil }

// Get is what was put under the key; nil when there is nothing whole.
func (s *Store) Get(key Key) Entry {
	dir := s.path(key)
	text, err := os.ReadFile(filepath.Join(dir, ledger))
	if err != nil {
		return nil
	}
	var list []kept
	if json.Unmarshal(text, &list) != nil {
		return nil
	}
	entry := Entry{}
	for _, k := range list {
		content, err := os.ReadFile(filepath.Join(dir, filepath.Base(k.Name)))
		if err != nil || sumOf(content) != k.Sum {
			return nil
		}
		entry[k.Name] = content
	}
	touch(dir)
	return entry
}

// touch says that an entry was asked for now. Only the order of going depends on it.
func touch(dir string) {
	now := time.Now()
	_ = os.Chtimes(dir, now, now)
}

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Put keeps an entry. One that is larger than everything that may be kept is not.
func (s *Store) Put(key Key, entry Entry) error {
	var size int64
	var list []kept
	for name, content := range entry {
		size += int64(len(content))
		list = append(list, kept{name, sumOf(content)})
	}
	if size > s.MostBytes {
		return nil
	}
	slices.SortFunc(list, func(a, b kept) int { return cmp.Compare(a.Name, b.Name) })
	text, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("write ledger: %w", err)
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return fmt.Errorf("make cache: %w", err)
	}
	temporary, err := os.MkdirTemp(s.Dir, "new-*")
	if err != nil {
		return fmt.Errorf("make cache entry: %w", err)
	}
	defer func() { _ = os.RemoveAll(temporary) }() // what is left of a failure
	errs := []error{write(filepath.Join(temporary, ledger), text)}
	for name, content := range entry {
		errs = append(errs, write(filepath.Join(temporary, filepath.Base(name)), content))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write cache entry: %w", err)
	}
	_ = os.RemoveAll(s.path(key)) // an entry that is not whole
	if err := os.Rename(temporary, s.path(key)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep cache entry: %w", err)
	}
	touch(s.path(key))
	return s.trim()
}

func write(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, bytes.NewReader(content))
	return errors.Join(err, file.Close())
}

// forgotten is the age from which a half-written entry belongs to nobody.
const forgotten = time.Hour

// trim removes the entries that were not asked for longest until the bounds hold.
func (s *Store) trim() error {
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return fmt.Errorf("read cache: %w", err)
	}
	type found struct {
		path string
		used time.Time
		size int64
	}
	var list []found
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue // somebody else removed it, or it is none of ours
		}
		f := found{path: filepath.Join(s.Dir, e.Name()), used: info.ModTime()}
		if raw, err := hex.DecodeString(e.Name()); err != nil || len(raw) != sha256.Size {
			if match, _ := filepath.Match("new-*", e.Name()); match && time.Since(f.used) > forgotten {
				_ = os.RemoveAll(f.path)
			}
			continue
		}
		files, _ := os.ReadDir(f.path) // one that cannot be read counts as empty
		for _, file := range files {
			if info, err := file.Info(); err == nil {
				f.size += info.Size()
			}
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b found) int { return b.used.Compare(a.used) })
	var total int64
	var errs []error
	for i, f := range list {
		if total += f.size; i >= s.MostEntries || total > s.MostBytes {
			errs = append(errs, os.RemoveAll(f.path))
		}
	}
	return errors.Join(errs...)
}
