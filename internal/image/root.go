package image

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// volatile are directories of a running system in which nothing is installed.
var volatile = []string{"proc", "sys", "dev"}

// readRoot catalogues a root directory: one layer without a tar. Links are not followed, and none leads out of it.
func readRoot(ctx context.Context, dir string, root *os.Root, o *Options, l *ledger) (*fact.Image, *verdict.Coverage, error) {
	s := newStratum(0, o, l)
	tree := root.FS()
	entries := 0
	err := fs.WalkDir(tree, ".", func(at string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if entries++; entries > o.Limits.Entries {
			return boundError(fmt.Sprintf("it has more than %d entries", o.Limits.Entries))
		}
		switch {
		case err != nil:
			s.gap(at, verdict.GapUnreadable, err.Error(), "Run with permission to read it.")
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir() && slices.Contains(volatile, at):
			return fs.SkipDir
		case at != ".":
			s.installed(root, at, d)
		}
		return nil
	})
	if _, over := errors.AsType[boundError](err); over {
		s.gap("", verdict.GapTooLarge, err.Error(), "Name a directory further down.")
		err = nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", dir, err)
	}
	s.finish()
	img := &fact.Image{Name: dir, Form: "directory"}
	assemble(img, []*stratum{s}, o, l)
	describe(img, &manifest{config: &config{}}, []*stratum{s})
	return img, l.coverage(), nil
}

// installed takes one entry of a root directory.
func (s *stratum) installed(root *os.Root, at string, d fs.DirEntry) {
	info, err := d.Info()
	if err != nil {
		return // gone since
	}
	e := &s.current
	*e = entry{path: at, layer: s.number, mode: info.Mode(), size: info.Size(), modified: info.ModTime()}
	e.uid, e.gid = ownerOf(info)
	if e.mode&fs.ModeSymlink != 0 {
		e.link, _ = root.Readlink(at)
	}
	readers := s.observe(e)
	if len(readers) == 0 {
		return
	}
	file, info, err := openRegular(root, at)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		s.gap(at, verdict.GapUnreadable, err.Error(), "Run with permission to read it.")
		return
	}
	defer file.Close() //nolint:errcheck // nothing was written
	e.size = info.Size()
	s.read(e, readers, file)
}
