package certificate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/cert"

	"github.com/coaming/coaming/internal/verdict"
)

// The names of a Secret of type kubernetes.io/tls, and so of the files of its folder.
const (
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
)

const largestFile = 1 << 20 // a Secret is no larger

// In are the two files of a folder to which such a Secret is mounted.
func In(folder string) (certificate, key string) {
	return filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile)
}

// Options say where a keeper's certificates come from.
type Options struct {
	// Certificate and Key are files of PEM. Are they an authority, leaves are made of it, in memory alone; are they a server's
	// certificate (cert-manager's), it is served, and read again when it changes.
	Certificate, Key string
	// Names are those that leaves are made for: COAMING-GATE.NAMESPACE.svc. Without them the files are a server's certificate,
	// whatever it may sign.
	Names []string
	Life  time.Duration // of leaves; 0 is LeafLife
	Now   func() time.Time
	Log   *slog.Logger
}

// Keeper hands a server the certificate of the moment.
type Keeper struct {
	o       Options
	current atomic.Pointer[tls.Certificate]

	mu     sync.Mutex
	source [sha256.Size]byte // of the files that current was made of
	wrong  string            // the last trouble, so that it is told once
}

// NewKeeper is a keeper without a certificate yet: Refresh, or Run, gives it the first.
func NewKeeper(o Options) *Keeper {
	if o.Life == 0 {
		o.Life = LeafLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{o: o}
}

// GetCertificate is what tls.Config asks at each handshake.
func (k *Keeper) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c := k.current.Load(); c != nil {
		return c, nil
	}
	return nil, errors.New("no certificate has been loaded")
}

// Ready is nil while there is a certificate that has not ended.
func (k *Keeper) Ready() error {
	c := k.current.Load()
	if c == nil {
		return errors.New("no certificate has been loaded")
	}
	if now := k.o.Now(); !now.Before(c.Leaf.NotAfter) {
		return fmt.Errorf("the certificate ended on %s and could not be replaced", c.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// End is the last moment of the certificate that is served; zero where there is none.
func (k *Keeper) End() time.Time {
	if c := k.current.Load(); c != nil {
		return c.Leaf.NotAfter
	}
	return time.Time{}
}

// Run looks after the certificate until the context ends: every tenth of a leaf's life, and at least every ten seconds,
// for files that changed. What goes wrong once there is a certificate is logged once and tried again; the old one is served meanwhile.
func (k *Keeper) Run(ctx context.Context) {
	const rarest = 10 * time.Second
	tick := time.NewTicker(max(min(k.o.Life/10, rarest), 100*time.Millisecond))
	defer tick.Stop()
	for {
		_ = k.Refresh() // which has logged it
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Refresh reads the files and replaces the certificate where it is time: there is none, they have changed, or two
// thirds of a leaf's life are over.
func (k *Keeper) Refresh() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.refresh()
	switch {
	case err == nil:
		k.wrong = ""
	case k.wrong != err.Error() && k.current.Load() != nil:
		k.wrong = err.Error()
		k.o.Log.Error("certificate not replaced", "error", err, "serving_until", k.End())
	}
	return err
}

func (k *Keeper) refresh() error {
	chain, key, err := k.read()
	if err != nil {
		return err
	}
	source := sha256.Sum256(bytes.Join([][]byte{chain, key}, []byte{0}))
	changed := k.current.Load() == nil || source != k.source
	list, err := cert.ParseCertsPEM(chain)
	if err != nil {
		return fmt.Errorf("read the certificate %s: %w", k.o.Certificate, err)
	}
	var made *tls.Certificate
	makes := list[0].IsCA && len(k.o.Names) > 0
	switch {
	case makes && (changed || k.old()):
		authority, err := ReadAuthority(chain, key)
		if err != nil {
			return err
		}
		if made, err = authority.Issue(k.o.Names, k.o.Now(), k.o.Life); err != nil {
			return err
		}
	case !makes && changed:
		pair, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return fmt.Errorf("read the certificate %s with the key %s: %w", k.o.Certificate, k.o.Key, err)
		}
		pair.Leaf = list[0]
		made = &pair
	default:
		return nil
	}
	k.current.Store(made)
	k.source = source
	k.o.Log.Info("certificate loaded", "until", made.Leaf.NotAfter, "serial", made.Leaf.SerialNumber.Text(16))
	return nil
}

// old says whether two thirds of the life of the certificate are over. The authority's own end may have cut it short.
func (k *Keeper) old() bool {
	leaf := k.current.Load().Leaf
	begin := leaf.NotBefore.Add(skew)
	return !k.o.Now().Before(begin.Add(leaf.NotAfter.Sub(begin) * 2 / 3))
}

func (k *Keeper) read() (chain, key []byte, err error) {
	for _, file := range []struct {
		path string
		text *[]byte
	}{{k.o.Certificate, &chain}, {k.o.Key, &key}} {
		info, err := os.Stat(file.path)
		if err == nil && (!info.Mode().IsRegular() || info.Size() > largestFile) {
			err = fmt.Errorf("%s is no file of PEM", file.path)
		}
		if err == nil {
			*file.text, err = os.ReadFile(file.path)
		}
		if err != nil {
			return nil, nil, &verdict.RemedyError{
				Err:    fmt.Errorf("read the certificate: %w", err),
				Remedy: "Name the files of a certificate and its key, or a folder with tls.crt and tls.key: of an authority, or of a server's certificate.",
			}
		}
	}
	return chain, key, nil
}
