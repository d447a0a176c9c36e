// Package vulndb keeps the index of advisories on disk: it reads OSV records from folders and zips, writes an
// index so that it is there whole or not at all, maps it into memory, and takes over a newer one. What an
// index says it leaves to internal/advisory; where a newer one comes from, and who must have signed it, is
// its caller's to say.
package vulndb

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
)

// FileName is what an index is called in a folder that serves as a mirror.
const FileName = "coaming-advisories.db"

// DB is an index of advisories, mapped from its file.
type DB struct {
	*advisory.Index

	Path  string
	Bytes []byte // the file, read only
}

// Open maps an index. The caller closes it when nothing that it gave is needed any more.
func Open(path string) (*DB, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("there is no advisory index %s", path), Remedy: "Make one from OSV records with 'coaming db build', or fetch one with 'coaming db update --from'."}
	}
	if err != nil {
		return nil, fmt.Errorf("open advisory index: %w", err)
	}
	defer func() { _ = file.Close() }() // the map stays
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open advisory index: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 || info.Size() > min(advisory.MaxIndex, math.MaxInt) {
		return nil, fmt.Errorf("open advisory index %s: a file of %d bytes is none", path, info.Size())
	}
	raw, err := syscall.Mmap(int(file.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map advisory index %s: %w", path, err)
	}
	db := &DB{Path: path, Bytes: raw}
	there := cached(file, info.Size())
	if !there {
		db.prefetch(advisory.Opened(uint64(len(raw))))
	}
	db.Index, err = advisory.Open(raw)
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    errors.Join(fmt.Errorf("open %s: %w", path, err), syscall.Munmap(raw)),
			Remedy: "Make it again with 'coaming db build', or fetch it again with 'coaming db update --from'.",
		}
	}
	if !there {
		db.Prefetch = db.prefetch
	}
	return db, nil
}

// Close ends the map.
func (db *DB) Close() error {
	if err := syscall.Munmap(db.Bytes); err != nil {
		return fmt.Errorf("unmap advisory index: %w", err)
	}
	return nil
}
