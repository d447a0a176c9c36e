// Command floor does the least that whoever looks into an image must: it decompresses and hashes every layer of
// an OCI layout, all layers at once, hashing beside decompressing, and looks at nothing.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"
)

func main() {
	bytes, err := read(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println(bytes)
}

type descriptor struct{ Digest string }

func read(dir string) (int64, error) {
	var index struct{ Manifests []descriptor }
	if err := document(filepath.Join(dir, "index.json"), &index); err != nil {
		return 0, err
	}
	var manifest struct{ Layers []descriptor }
	if err := document(blob(dir, index.Manifests[0]), &manifest); err != nil {
		return 0, err
	}
	sizes := make([]int64, len(manifest.Layers))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range manifest.Layers {
		group.Go(func() (err error) {
			sizes[i], err = layer(blob(dir, d), d.Digest)
			return err
		})
	}
	err := group.Wait()
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	return sum, err
}

func blob(dir string, d descriptor) string {
	return filepath.Join(dir, "blobs", strings.Replace(d.Digest, ":", "/", 1))
}

func document(file string, v any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read document: %w", err)
	}
	return json.Unmarshal(text, v)
}

func layer(file, digest string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, fmt.Errorf("open layer: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	sum := sha256.New()
	r, w := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(sum, w)}, struct{ io.Reader }{f}, make([]byte, 256<<10))
		_ = w.CloseWithError(err)
	}()
	stored := bufio.NewReaderSize(r, 256<<10)
	z, err := gzip.NewReader(stored)
	if err != nil {
		return 0, fmt.Errorf("read layer: %w", err)
	}
	n, err := io.Copy(io.Discard, z)
	if err == nil {
		_, err = io.Copy(io.Discard, stored)
	}
	if err == nil && fmt.Sprintf("sha256:%x", sum.Sum(nil)) != digest {
		err = errors.New("the digest is another")
	}
	return n, err
}
