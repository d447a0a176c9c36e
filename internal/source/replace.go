package source

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// disk is the file system with some files as they would be: their texts, by real path. nil is the
// file system as it is.
type disk map[string]string

// newDisk takes texts by the paths that the user sees.
func newDisk(replace map[string]string) disk {
	if len(replace) == 0 {
		return nil
	}
	d := disk{}
	for path, text := range replace {
		d[placeOf(path)] = text
	}
	return d
}

// placeOf is a path in the form that files are told apart by; - is standard input.
func placeOf(path string) string {
	if path == "-" {
		return path
	}
	return realPath(filepath.FromSlash(path))
}

// read is readRegular with the files as they would be.
func (d disk) read(path string, limit int64) (string, error) {
	if text, replaced := d.at(path); replaced {
		return text, nil
	}
	return readRegular(path, limit)
}

// at is a file's text as it would be.
func (d disk) at(path string) (text string, replaced bool) {
	if d == nil {
		return "", false
	}
	text, replaced = d[placeOf(path)]
	return text, replaced
}

// Memo keeps what was read between readings of the same sources, of which some replace files: what
// none of those files is a part of is not read again. Safe for concurrent use.
type Memo struct {
	mutex  sync.Mutex
	known  map[string][]*Reading
	builds []finished
}

// mostBuilds is how many builds of overlays a memo keeps: those of a few copies, which mostly share files.
const mostBuilds = 16

// finished is what was built of an overlay whose files had that digest.
type finished struct {
	dir     string
	digest  []byte
	reading *Reading
}

// build is what was built of the same files before; nil where nothing was. m may be nil.
func (m *Memo) build(dir string, digest []byte) *Reading {
	if m == nil || digest == nil {
		return nil
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for i, f := range m.builds {
		if f.dir == dir && bytes.Equal(f.digest, digest) {
			m.builds = append(slices.Delete(m.builds, i, i+1), f) // the last is what was used last
			return f.reading
		}
	}
	return nil
}

// keepBuild remembers what was built.
func (m *Memo) keepBuild(f finished) {
	if m == nil || f.digest == nil {
		return
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.builds) >= mostBuilds {
		m.builds = slices.Delete(m.builds, 0, 1)
	}
	m.builds = append(m.builds, f)
}

// keep makes a task remember. replaced says whether any of what it reads is replaced.
func (o *FileOptions) keep(key string, t task, replaced bool) task {
	if o.Memo == nil || replaced {
		return t
	}
	run := t.run
	t.run = func(ctx context.Context) ([]*Reading, error) {
		o.Memo.mutex.Lock()
		known := o.Memo.known[key]
		o.Memo.mutex.Unlock()
		if known != nil {
			return known, nil
		}
		readings, err := run(ctx)
		if err == nil {
			o.Memo.mutex.Lock()
			if o.Memo.known == nil {
				o.Memo.known = map[string][]*Reading{}
			}
			o.Memo.known[key] = readings
			o.Memo.mutex.Unlock()
		}
		return readings, err
	}
	return t
}

// with is a release that reads what another one reads too.
func (r Release) with(own Release) *Release {
	own.Values = append(slices.Clone(r.Values), own.Values...)
	own.SetFile = append(slices.Clone(r.SetFile), own.SetFile...)
	return &own
}

// replaced says whether a part of the chart's rendering is replaced.
func (r *Release) replaced(d disk) bool {
	if d == nil {
		return false
	}
	for _, file := range slices.Concat([]string{r.Chart}, r.Values, setFiles(r.SetFile)) {
		root := realPath(file)
		for real := range d {
			if within(real, root) {
				return true
			}
		}
	}
	return false
}

// replaced says whether a part of any of the kustomizations is replaced.
func (s *overlays) replaced() bool {
	if s.disk == nil {
		return false
	}
	for _, k := range s.order {
		if _, replaced := s.disk.at(k.file); replaced {
			return true
		}
		for _, e := range k.entries {
			if _, replaced := s.disk[e.path]; replaced {
				return true
			}
		}
	}
	return false
}

// Named are the files and directories that arguments name: a pattern names what stands before it,
// and a chart's or a kustomization's own file its directory.
func Named(args []string) []string {
	var named []string
	for _, arg := range args {
		if _, err := os.Stat(arg); err != nil {
			if at := strings.IndexAny(arg, "*?["); at >= 0 {
				arg = filepath.Dir(arg[:at] + "x")
			}
		} else if isChartFileName(arg) {
			arg = filepath.Dir(arg)
		}
		if arg != "-" {
			named = append(named, arg)
		}
	}
	return named
}

func isChartFileName(path string) bool {
	return filepath.Base(path) == "Chart.yaml" || isKustomization(filepath.Base(path))
}

// IsWithin says whether a file is one of those that are named or stands below one, whatever links lead there.
func IsWithin(path string, named []string) bool {
	place := placeOf(path)
	for _, root := range named {
		if within(place, realPath(root)) {
			return true
		}
	}
	return false
}

// IsChart says whether a directory is a chart's.
func IsChart(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "Chart.yaml"))
	return err == nil
}

// setFiles are the files of KEY=FILE flags.
func setFiles(flags []string) []string {
	var files []string
	for _, flag := range flags {
		for part := range strings.SplitSeq(flag, ",") {
			if _, file, found := strings.Cut(part, "="); found {
				files = append(files, file)
			}
		}
	}
	return files
}

// vendoredDirs hold what others wrote and an update overwrites.
var vendoredDirs = map[string]bool{"vendor": true, "node_modules": true, "third_party": true}

// IsVendored says whether a file was put there by a tool: below a vendor directory, or among the
// dependencies of a chart.
func IsVendored(path string) bool {
	dir := filepath.Dir(placeOf(path))
	for parent := filepath.Dir(dir); parent != dir; dir, parent = parent, filepath.Dir(parent) {
		name := filepath.Base(dir)
		if vendoredDirs[name] {
			return true
		}
		if name == "charts" {
			if _, err := os.Stat(filepath.Join(parent, "Chart.yaml")); err == nil {
				return true
			}
		}
	}
	return false
}
