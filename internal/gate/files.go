package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
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

// Pair is a certificate in two files, read again when they change.
type Pair struct {
	CertFile, KeyFile string
	Log               *slog.Logger

	current atomic.Pointer[tls.Certificate]
	held    []byte
}

// Load reads the files; a broken pair leaves the one that was.
func (p *Pair) Load() error {
	certificate, err := os.ReadFile(p.CertFile)
	key, keyErr := os.ReadFile(p.KeyFile)
	if err := errors.Join(err, keyErr); err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	if both := append(slices.Clip(certificate), key...); !bytes.Equal(both, p.held) {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return fmt.Errorf("read the certificate %s with the key %s: %w", p.CertFile, p.KeyFile, err)
		}
		p.held = both
		p.current.Store(&pair)
	}
	return nil
}

// GetCertificate is what tls.Config asks at each handshake.
func (p *Pair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := p.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("no certificate has been loaded")
}

// Ready is nil while there is a certificate that has not ended.
func (p *Pair) Ready() error {
	c, err := p.GetCertificate(nil)
	if err != nil {
		return err
	}
	if c.Leaf != nil && time.Now().After(c.Leaf.NotAfter) {
		return fmt.Errorf("it ended on %s", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// pairEvery is how often the files are looked at.
const pairEvery = 10 * time.Second

// Run looks at the files until the context ends.
func (p *Pair) Run(ctx context.Context) {
	tick := time.NewTicker(pairEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.Load(); err != nil {
				p.Log.Error("the former certificate stays", "error", err.Error())
			}
		}
	}
}
