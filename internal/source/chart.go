package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/ignore"
)

const (
	maxChart      = 100 << 20 // bytes of a chart's files; Helm's own bound on an archive
	maxChartFiles = 20_000
	maxLocalDepth = 5 // charts that name each other by file://
)

// chartFiles reads a chart's directory as Helm does, with .helmignore, but neither follows links out
// of the tree that is scanned, nor waits on a pipe, nor takes more than its bounds.
type chartFiles struct {
	ctx    context.Context // of the one loading that it lives in
	disk   disk
	root   string
	within string // real path; links may lead to what stands below it
	rules  *ignore.Rules
	files  []*archive.BufferedFile
	size   int64
	// left are links that were not followed.
	left []string
}

// loadChart loads a chart from a directory or an archive.
func loadChart(ctx context.Context, d disk, path, within string) (c *chart.Chart, left []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("load chart: %w", err)
	}
	if !info.IsDir() {
		c, err = loadArchive(path)
		return c, nil, err
	}
	f := &chartFiles{ctx: ctx, disk: d, root: path, within: realPath(within)}
	f.rules = f.ignoreRules()
	if err := f.dir(path, "", []string{realPath(path)}); err != nil {
		return nil, nil, err
	}
	c, err = chartloader.LoadFiles(f.files)
	return c, f.left, err
}

func loadArchive(path string) (*chart.Chart, error) {
	text, err := readRegular(path, maxChart)
	if err != nil {
		return nil, fmt.Errorf("load chart: %w", err)
	}
	c, err := chartloader.LoadArchive(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("load chart archive: %w", err)
	}
	return c, nil
}

func (f *chartFiles) ignoreRules() *ignore.Rules {
	rules := ignore.Empty()
	if text, err := readRegular(filepath.Join(f.root, ignore.HelmIgnore), 1<<20); err == nil {
		if parsed, err := ignore.Parse(strings.NewReader(text)); err == nil {
			rules = parsed
		}
	}
	rules.AddDefaults()
	return rules
}

// dir reads one directory; above are the real paths of those it stands in.
func (f *chartFiles) dir(path, rel string, above []string) error {
	if err := f.ctx.Err(); err != nil {
		return fmt.Errorf("load chart: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("load chart: %w", err)
	}
	for _, e := range entries {
		name := rel + e.Name()
		info, err := f.look(e, filepath.Join(path, e.Name()), above)
		if err != nil {
			return err
		}
		if info == nil || f.rules.Ignore(name, info) {
			continue
		}
		if err := f.take(filepath.Join(path, e.Name()), name, info, above); err != nil {
			return err
		}
	}
	return nil
}

// look gives what an entry is, behind a link what it leads to; nil for what is passed over.
func (f *chartFiles) look(e fs.DirEntry, path string, above []string) (fs.FileInfo, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Info()
	}
	info, err := os.Stat(path)
	if err != nil {
		f.left = append(f.left, path)
		return nil, nil //nolint:nilerr,nilnil // a broken link is told, and the chart may do without
	}
	target := realPath(path)
	if !within(target, f.within) {
		f.left = append(f.left, path)
		return nil, nil //nolint:nilnil // told as left
	}
	for _, dir := range above {
		if info.IsDir() && within(dir, target) {
			return nil, fmt.Errorf("load chart: %s is a loop of symbolic links", path)
		}
	}
	return info, nil
}

func (f *chartFiles) take(path, name string, info fs.FileInfo, above []string) error {
	if info.IsDir() {
		if strings.HasPrefix(info.Name(), ".git") || info.Name() == "node_modules" {
			return nil
		}
		return f.dir(path, name+"/", append(slices.Clip(above), realPath(path)))
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("load chart: %s is a pipe, a device or a socket", path)
	}
	f.size += info.Size()
	if f.size > maxChart || len(f.files) >= maxChartFiles {
		return &largeError{max(f.size, maxChart+1), maxChart}
	}
	text, err := f.disk.read(path, maxChart)
	if err != nil {
		return fmt.Errorf("load chart: %w", err)
	}
	data := bytes.TrimPrefix([]byte(text), []byte("\xef\xbb\xbf"))
	f.files = append(f.files, &archive.BufferedFile{Name: name, ModTime: info.ModTime(), Data: data})
	return nil
}

// absent are a chart's dependencies that are not vendored. Those that it names by a path on this
// disk are loaded from there, as "helm dependency build" would.
func absent(ctx context.Context, d disk, c *chart.Chart, dir, bound string, depth int) []*chart.Dependency {
	var missing []*chart.Dependency
	for _, want := range c.Metadata.Dependencies {
		if want == nil || has(c, want.Name) {
			continue
		}
		local, isLocal := strings.CutPrefix(want.Repository, "file://")
		if !isLocal || depth >= maxLocalDepth {
			missing = append(missing, want)
			continue
		}
		if !filepath.IsAbs(local) {
			local = filepath.Join(dir, filepath.FromSlash(local))
		}
		sub, err := loadLocal(ctx, d, local, bound)
		if err != nil {
			missing = append(missing, want)
			continue
		}
		for _, deep := range absent(ctx, d, sub, local, bound, depth+1) {
			deep.Enabled = true // Helm asks the conditions of the first level only
			missing = append(missing, deep)
		}
		c.AddDependency(sub)
	}
	return missing
}

func loadLocal(ctx context.Context, d disk, path, bound string) (*chart.Chart, error) {
	if !within(realPath(path), realPath(bound)) {
		return nil, errors.New("stands outside of what is scanned")
	}
	sub, _, err := loadChart(ctx, d, path, bound)
	return sub, err
}

func has(c *chart.Chart, name string) bool {
	for _, sub := range c.Dependencies() {
		if sub.Name() == name {
			return true
		}
	}
	return false
}
