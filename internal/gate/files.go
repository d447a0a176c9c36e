package gate

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
)

// maxFile bounds what is read of a watched file.
const maxFile = 64 << 20

// Files tells when files change: by what they hold, for a mounted ConfigMap changes by a link.
type Files struct {
	Paths []string

	mutex sync.Mutex
	last  [sha256.Size]byte
	known bool
}

// Changed says whether what the files hold is other than when it was asked last. A file that is not there holds nothing.
func (f *Files) Changed() bool {
	sum := sha256.New()
	for _, path := range f.Paths {
		_, _ = fmt.Fprintf(sum, "%s\x00", path)
		file, err := os.Open(path)
		if err != nil {
			continue
		}
		_, _ = io.Copy(sum, io.LimitReader(file, maxFile)) // what cannot be read is told when it is loaded
		_ = file.Close()
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	now := [sha256.Size]byte(sum.Sum(nil))
	changed := f.known && now != f.last
	f.last, f.known = now, true
	return changed
}
