package gate

import (
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// maxFile bounds what is read of a watched file.
const maxFile = 64 << 20

// Files tells when files change: by what they hold, for a mounted ConfigMap changes by a link.
type Files struct {
	// Paths are files, and folders with all that is below them.
	Paths []string

	mutex sync.Mutex
	last  [sha256.Size]byte
	known bool
}

// Changed says whether what the files hold is other than when it was asked last. A file that is not there holds nothing.
func (f *Files) Changed() bool {
	sum := sha256.New()
	for _, path := range f.Paths {
		add(sum, path)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	now := [sha256.Size]byte(sum.Sum(nil))
	changed := f.known && now != f.last
	f.last, f.known = now, true
	return changed
}

// mostFiles bounds how many files below a folder are looked at.
const mostFiles = 10_000

// add adds what a file holds, or the files of a folder in the order of their names.
func add(sum io.Writer, path string) {
	one := func(path string) {
		_, _ = fmt.Fprintf(sum, "%s\x00", path)
		file, err := os.Open(path)
		if err != nil {
			return
		}
		_, _ = io.Copy(sum, io.LimitReader(file, maxFile)) // what cannot be read is told when it is loaded
		_ = file.Close()
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		one(path)
		return
	}
	seen := 0
	_ = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if seen++; err == nil && !d.IsDir() {
			one(path)
		}
		if seen > mostFiles {
			return fs.SkipAll
		}
		return nil
	})
}
