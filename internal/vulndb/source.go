package vulndb

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
)

// What the sources may hold together: some ten times all of OSV.
const (
	maxRecords = 5_000_000
	maxText    = 32 << 30 // bytes of JSON, unpacked
	maxExtra   = 1 << 30  // bytes of a catalogue of exploited vulnerabilities or of scores, unpacked
	portion    = 256      // records that one goroutine reads at a time
)

// Read adds the records of a path to the builder: a folder and those below it, with zips and JSON files; a zip, as OSV
// publishes them; or one JSON file. What could not be read as a record is told in unread; the others are added.
func Read(ctx context.Context, b *advisory.Builder, path string) (unread []error, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read advisories: %w", err)
	}
	var files []string
	if !info.IsDir() {
		files = []string{path}
	} else if err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(d.Name(), ".") && file != path:
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type().IsRegular() && (strings.HasSuffix(file, ".zip") || strings.HasSuffix(file, ".json")):
			files = append(files, file)
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("read advisories: %w", err)
	}
	if len(files) == 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%s holds no advisories", path), Remedy: "Name a folder with OSV's records as .json or .zip: npm/all.zip, Debian/all.zip."}
	}
	loose := &reader{source: advisory.Source{Name: filepath.Base(whole(path))}}
	for _, file := range files {
		if !strings.HasSuffix(file, ".zip") {
			loose.list = append(loose.list, text{file, func() (io.ReadCloser, error) { return os.Open(file) }, 0})
			continue
		}
		z, err := openZip(file, path)
		if err != nil {
			return nil, err
		}
		err = z.run(ctx, b)
		if err := errors.Join(err, z.Close()); err != nil {
			return nil, err
		}
		unread = append(unread, z.unread...)
	}
	if len(loose.list) > 0 {
		if err := loose.run(ctx, b); err != nil {
			return nil, err
		}
	}
	return append(unread, loose.unread...), nil
}

// text is one record that is yet to be read.
type text struct {
	name string
	open func() (io.ReadCloser, error)
	size uint64 // as its archive says
}

// reader reads the records of one source.
type reader struct {
	io.Closer

	source advisory.Source
	list   []text
	unread []error
}

func openZip(file, root string) (*reader, error) {
	sum, err := digest(file)
	if err != nil {
		return nil, err
	}
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	r := &reader{Closer: z, source: advisory.Source{Name: nameOf(file, root), SHA256: sum}}
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, ".json") && !f.FileInfo().IsDir() {
			r.list = append(r.list, text{file + ":" + f.Name, f.Open, f.UncompressedSize64})
		}
	}
	return r, nil
}

// bareName is what OSV calls the zip of every ecosystem: the folder says of which.
const bareName = "all.zip"

// nameOf is what a zip below a path is called: its place there. Where that is a bare name alone, its folder's stands before it.
func nameOf(file, root string) string {
	name := filepath.Base(file)
	if inside, err := filepath.Rel(root, file); err == nil && inside != "." {
		name = filepath.ToSlash(inside)
	}
	if name == bareName {
		name = filepath.Base(filepath.Dir(whole(file))) + "/" + name
	}
	return name
}

// whole is a path from the root, or the path as it is where nothing tells that.
func whole(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func digest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read advisories: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// run reads the records on all cores, and adds them in their order.
func (r *reader) run(ctx context.Context, b *advisory.Builder) error {
	total := uint64(0)
	for _, t := range r.list {
		total += t.size
	}
	if len(r.list) > maxRecords || total > maxText {
		return fmt.Errorf("read %s: %d records of %d bytes are more than advisories have", r.source.Name, len(r.list), total)
	}
	records := make([]*advisory.Record, len(r.list))
	faults := make([]error, len(r.list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for from := 0; from < len(r.list); from += portion {
		group.Go(func() error {
			for i := from; i < min(from+portion, len(r.list)); i++ {
				if err := ctx.Err(); err != nil {
					return err
				}
				records[i], faults[i] = r.list[i].read()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("read %s: %w", r.source.Name, err)
	}
	for i, err := range faults {
		if err != nil {
			r.unread = append(r.unread, fmt.Errorf("%s: %w", r.list[i].name, err))
		}
	}
	r.source.Unread = len(r.unread)
	b.Add(r.source, slices.DeleteFunc(records, func(record *advisory.Record) bool { return record == nil }))
	return nil
}

func (t text) read() (*advisory.Record, error) {
	file, err := t.open()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(file, advisory.MaxRecord+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	return advisory.ParseRecord(raw)
}

// Join hands a catalogue's file, unpacked when it ends in .gz, to one of the builder's Join methods.
func Join(path string, join func(io.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read catalogue: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	var plain io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if plain, err = gzip.NewReader(file); err != nil {
			return fmt.Errorf("unpack %s: %w", path, err)
		}
	}
	limited := &io.LimitedReader{R: plain, N: maxExtra}
	if err := join(limited); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if limited.N <= 0 {
		return fmt.Errorf("%s: it has over %d bytes", path, maxExtra)
	}
	return nil
}
