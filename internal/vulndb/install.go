package vulndb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
)

// Previous is where the index that was replaced stays.
func Previous(path string) string { return path + ".previous" }

// Write makes a file of what write writes: beside its place first, then in it, so that who reads it sees the
// old one or the new one, whatever happens.
func Write(path string, write func(io.Writer) error) error {
	return place(path, write, nil)
}

// place writes a file beside its place, asks accept, and moves it into its place.
func place(path string, write func(io.Writer) error, accept func(written string) error) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	file, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name()) // the first error is the one to tell
		}
	}()
	err = write(file)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if accept != nil {
		if err = accept(file.Name()); err != nil {
			return err
		}
	}
	if _, statErr := os.Lstat(path); statErr == nil && accept != nil {
		if err = keep(path); err != nil {
			return err
		}
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return syncDir(dir)
}

// keep leaves the old index under another name, without a moment in which its own is free.
func keep(path string) error {
	if err := os.Remove(Previous(path)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keep the previous index: %w", err)
	}
	if err := os.Link(path, Previous(path)); err != nil {
		return fmt.Errorf("keep the previous index: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("write to %s: %w", dir, err)
	}
	return nil
}

// Update is how a newer index is taken over.
type Update struct {
	Path string // of the index that is replaced, or made
	// Verify fails when nobody who may has signed the bytes; nil takes them as they are.
	Verify func(file []byte) error
	// Seal is the one that it must have, as the mirror said; nil takes any.
	Seal []byte
	// Downgrade allows an index that is older than the one that is there.
	Downgrade bool
}

// Outcome is what an update did.
type Outcome struct {
	About   advisory.About
	Changed bool // whether the index is another than before
}

// Take reads an index to its end, checks its seal, its signature and that it is not older than the one that is there, and
// puts it in its place. Whatever fails, the index that was there stays.
func (u *Update) Take(from io.Reader) (*Outcome, error) {
	out := &Outcome{Changed: true}
	unlock, err := lock(u.Path)
	if err != nil {
		return nil, err
	}
	defer unlock()
	same := errors.New("the same")
	err = place(u.Path, func(w io.Writer) error {
		n, err := io.Copy(w, io.LimitReader(from, advisory.MaxIndex+1))
		if err == nil && n > advisory.MaxIndex {
			err = fmt.Errorf("it has over %d bytes", int64(advisory.MaxIndex))
		}
		return err
	}, func(written string) (err error) {
		fresh, err := Open(written)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, fresh.Close()) }()
		out.About = fresh.About
		if err := fresh.CheckSeal(); err != nil {
			return err
		}
		if u.Seal != nil && !bytes.Equal(u.Seal, Seal(fresh.Bytes)) {
			return errors.New("the index is not the one that the mirror names: it may be changing just now")
		}
		if u.Verify != nil {
			if err := u.Verify(fresh.Bytes); err != nil {
				return err
			}
		}
		isSame, err := u.compare(fresh)
		if isSame {
			return same
		}
		return err
	})
	if errors.Is(err, same) {
		out.Changed = false
		return out, nil
	}
	return out, err
}

// compare refuses an index that is older than the one that is there; one that is damaged is no reason to refuse.
func (u *Update) compare(fresh *DB) (same bool, err error) {
	old, err := Open(u.Path)
	if err != nil {
		return false, nil // there is none that could be used
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	if string(old.Bytes) == string(fresh.Bytes) {
		return true, nil
	}
	if isOlder(fresh, old) && !u.Downgrade {
		return false, &verdict.RemedyError{
			Err: fmt.Errorf("the index is older than the one in place: sequence %d of %s, in place %d of %s",
				fresh.About.Sequence, fresh.Created().Format("2006-01-02"), old.About.Sequence, old.Created().Format("2006-01-02")),
			Remedy: "Somebody may want you to miss what was published since. If not, say --allow-downgrade.",
		}
	}
	return false, nil
}

func isOlder(fresh, old *DB) bool {
	return fresh.About.Sequence < old.About.Sequence || fresh.About.Sequence == old.About.Sequence && fresh.About.Created < old.About.Created
}

// lock waits until no other process takes over an index to the same place: of two at once the newer one must stay.
func lock(path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	file, err := os.OpenFile(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { _ = file.Close() }, nil // which ends the lock
}
