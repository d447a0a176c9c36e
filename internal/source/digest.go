package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Plan is what the paths lead to, looked up and not yet read.
type Plan struct {
	plan  *plan
	tasks []task
}

// Digest is 32 bytes that are the same only when Read would read the same again: what was found, and
// the content of every file of it. ok is false where that cannot be told without reading: of
// streams, of charts that name others by their path, and of overlays with plugins or directories as files.
func (p *Plan) Digest(ctx context.Context) (sum [sha256.Size]byte, ok bool, err error) {
	if p.plan.o.Replace != nil {
		return sum, false, nil
	}
	sums := make([][]byte, len(p.tasks))
	var taken atomic.Int64
	var refused atomic.Bool
	group, ctx := errgroup.WithContext(ctx)
	for range min(runtime.GOMAXPROCS(0), len(p.tasks)) {
		group.Go(func() error {
			for !refused.Load() {
				i := int(taken.Add(1)) - 1
				if i >= len(p.tasks) {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return fmt.Errorf("read files: %w", err)
				}
				if sums[i] = p.tasks[i].digest(ctx); sums[i] == nil {
					refused.Store(true)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return sum, false, err
	}
	found, err := json.Marshal(p.plan.found.Coverage)
	if err != nil || refused.Load() {
		return sum, false, nil //nolint:nilerr // what cannot be told is not remembered
	}
	all := sha256.New()
	_, _ = all.Write(found) // a hash takes everything
	for i, t := range p.tasks {
		_, _ = fmt.Fprintf(all, "\x00%d %s\x00%x", len(t.path), t.path, sums[i])
	}
	return [sha256.Size]byte(all.Sum(nil)), true, nil
}

// contents digests files, and what else decides a task; nil where one cannot be read.
func (d disk) contents(limit int64, files []string, facts ...any) []byte {
	all := sha256.New()
	for _, f := range facts {
		text, err := json.Marshal(f)
		if err != nil {
			return nil
		}
		_, _ = all.Write(append(text, 0)) // a hash takes everything
	}
	var size [8]byte
	for _, path := range files {
		text, err := d.read(path, limit)
		if err != nil {
			return nil
		}
		binary.LittleEndian.PutUint64(size[:], uint64(len(text)))
		_, _ = all.Write(append([]byte(path), size[:]...))
		_, _ = all.Write(bytesOf(text))
	}
	return all.Sum(nil)
}

// digest is of a file: its content, and how it is read.
func (in *input) digest(o *FileOptions) []byte {
	if in.stream {
		return nil
	}
	return o.disk.contents(o.MaxFile, []string{in.path}, in.named, in.chart, in.overlay)
}

// digest is of a chart: every file of it, and the values.
func (j *rendering) digest(ctx context.Context) []byte {
	info, err := os.Stat(j.release.Chart)
	switch {
	case err != nil:
		return nil
	case !info.IsDir():
		return disk(nil).contents(maxChart, []string{j.release.Chart}, j.values, j.kube, j.release)
	}
	f := &chartFiles{ctx: ctx, root: j.release.Chart, within: realPath(j.within)}
	f.rules = f.ignoreRules()
	if err := f.dir(f.root, "", []string{realPath(f.root)}); err != nil {
		return nil
	}
	all := sha256.New()
	for _, file := range f.files {
		if bytes.Contains(file.Data, []byte("file://")) {
			return nil
		}
		_, _ = fmt.Fprintf(all, "%s\x00%d\x00", file.Name, len(file.Data)) // a hash takes everything
		_, _ = all.Write(file.Data)
	}
	return disk(nil).contents(0, nil, all.Sum(nil), f.left, j.values, j.kube, j.release)
}

// digestOverlays is of all kustomizations and of what they name, with the files as they would be.
func (d disk) digestOverlays(roots ...*kustomization) []byte {
	reached := map[*kustomization]bool{}
	for _, k := range roots {
		k.reach(reached)
	}
	var files, facts []string
	for _, k := range sorted(reached) {
		files = append(files, k.file)
		for _, e := range k.entries {
			facts = append(facts, strings.Join([]string{k.real, e.text, e.path}, "\x00"))
			info, err := os.Stat(e.path)
			switch {
			case e.role == asPlugin || e.path != "" && err != nil:
				return nil
			case e.path == "" || e.sub != nil:
			case info.IsDir():
				return nil
			default:
				files = append(files, e.path)
			}
		}
	}
	return d.contents(maxResource, files, facts)
}
