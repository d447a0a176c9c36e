package image

import (
	"math"
	"path"
	"slices"
	"strings"
)

// weights are the sizes of a layer's files: what a higher layer hides of them is carried along for nothing.
type weights struct {
	options *Options `keep:"-"`
	files   []weight
	dirs    []branch
	index   map[uint64]int32 `keep:"-"` // of dirs by their hash
	last    string           `keep:"-"` // the directory of the file that was last put on, as files of one mostly come together
	at      int32            `keep:"-"`
	places  []cachePlace     // caches of package managers, by the number in weight
	total   int64
}

// weight is one file: the hash of its path, its directory, its size, and the cache that it is part of.
type weight struct {
	hash  uint64
	dir   int32
	size  uint32 // at most 4 GiB are told of one file
	cache uint16
}

// branch is a directory.
type branch struct {
	hash uint64
	up   int32 // -1 for the root
}

type cachePlace struct{ path, kind string }

// maxCaches is how many caches of a layer are told apart.
const maxCaches = 1 << 10

func (w *weights) add(at string, hash uint64, size int64) {
	if size <= 0 {
		return
	}
	w.total += size
	dir := path.Dir(at)
	if dir != w.last || w.index == nil {
		w.last, w.at = strings.Clone(dir), w.directory(dir)
	}
	w.files = append(w.files, weight{hash, w.at, uint32(min(size, math.MaxUint32)), w.cacheOf(at)}) //nolint:gosec // bounded
}

func (w *weights) directory(dir string) int32 {
	if w.index == nil {
		w.index = map[uint64]int32{}
	}
	h := w.options.sum(dir)
	if n, known := w.index[h]; known {
		return n
	}
	up := int32(-1)
	if dir != "." {
		up = w.directory(path.Dir(dir))
	}
	n := int32(len(w.dirs)) //nolint:gosec // a layer has at most Limits.Entries
	w.dirs = append(w.dirs, branch{h, up})
	w.index[h] = n
	return n
}

func (w *weights) cacheOf(at string) uint16 {
	place, kind := cacheOf(at)
	if kind == "" {
		return 0
	}
	for i := range w.places {
		if w.places[i].path == place {
			return uint16(i + 1) //nolint:gosec // at most maxCaches
		}
	}
	if len(w.places) >= maxCaches {
		return 0
	}
	w.places = append(w.places, cachePlace{strings.Clone(place), kind})
	return uint16(len(w.places)) //nolint:gosec // as above
}

// caches are where package managers keep what they downloaded: a directory, or a piece of a path, and whose it is.
var caches = []struct{ piece, kind string }{
	{"var/lib/apt/lists/", "apt"},
	{"var/cache/apt/archives/", "apt"},
	{"var/cache/apk/", "apk"},
	{"etc/apk/cache/", "apk"},
	{"var/cache/yum/", "yum"},
	{"var/cache/dnf/", "dnf"},
	{"var/cache/libdnf5/", "dnf"},
	{"var/cache/zypp/", "zypper"},
	{"var/cache/pacman/pkg/", "pacman"},
	{"/.cache/pip/", "pip"},
	{"/.npm/_cacache/", "npm"},
	{"/.cache/yarn/", "yarn"},
	{"usr/local/share/.cache/yarn/", "yarn"},
	{"/.cache/pnpm/", "pnpm"},
	{"/.cache/go-build/", "go"},
	{"go/pkg/mod/cache/", "go"},
	{"/.cargo/registry/cache/", "cargo"},
	{"cargo/registry/cache/", "cargo"},
	{"/.composer/cache/", "composer"},
	{"/.cache/composer/", "composer"},
	{"/.gradle/caches/", "gradle"},
	{"/.cache/poetry/", "poetry"},
	{"/.cache/uv/", "uv"},
}

// cacheOf is the cache that a file is part of; the kind is "" for nearly all.
func cacheOf(at string) (place, kind string) {
	for _, c := range caches {
		i := 0
		if c.piece[0] == '/' {
			i = strings.Index(at, c.piece)
		} else if !strings.HasPrefix(at, c.piece) && (c.kind != "go" && c.kind != "cargo" || !strings.Contains(at, "/"+c.piece)) {
			continue
		} else if !strings.HasPrefix(at, c.piece) {
			i = strings.Index(at, "/"+c.piece) + 1
		}
		if i < 0 {
			continue
		}
		place = at[:i+len(c.piece)-1]
		if base := path.Base(at); base == "lock" || base == ".keep" || base == ".gitkeep" || strings.HasPrefix(base, "CACHEDIR.TAG") {
			return "", ""
		}
		return place, c.kind
	}
	return "", ""
}

// hidden is what of a layer the layers above it hide, by file: above are the layers' own lists put together.
type above struct{ gone, opaque, paths, taken []uint64 }

// with adds a layer to what stands above the next one below.
func (a *above) with(s *stratum) {
	a.gone, a.opaque, a.paths = merged(a.gone, s.gone), merged(a.opaque, s.opaque), merged(a.paths, s.paths)
	a.taken = merged(merged(a.taken, s.paths), merged(s.dirs, s.gone))
}

func merged(a, b []uint64) []uint64 {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	out := make([]uint64, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0] <= b[0] {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func (a *above) empty() bool { return len(a.taken) == 0 && len(a.opaque) == 0 }

func in(list []uint64, h uint64) bool {
	if len(list) == 0 {
		return false
	}
	_, found := slices.BinarySearch(list, h)
	return found
}

// weigh calls yield with each file of a layer, and whether it is hidden.
func (w *weights) weigh(a *above, yield func(f *weight, hidden bool)) {
	if a.empty() {
		for i := range w.files {
			yield(&w.files[i], false)
		}
		return
	}
	gone := make([]bool, len(w.dirs))
	for i, d := range w.dirs { // a directory stands behind the one that it is in
		gone[i] = d.up >= 0 && gone[d.up] || in(a.gone, d.hash) || in(a.opaque, d.hash) || in(a.paths, d.hash)
	}
	for i := range w.files {
		f := &w.files[i]
		yield(f, gone[f.dir] || in(a.taken, f.hash))
	}
}
