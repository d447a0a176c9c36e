package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// plan is what there is to read: the files, charts and overlays that the paths lead to.
type plan struct {
	ctx      context.Context // of the one call of Prepare that the plan lives in
	o        *FileOptions
	files    []input
	charts   []chartDir
	overlays []overlayDir
	seen     map[string]int  // absolute path -> index in files
	units    map[string]bool // absolute directories of charts and overlays
	links    []link
	reals    map[string]string // real paths of directories
	found    Reading           // what the search itself has to tell
}

// chartDir is a chart found in a walk, or named.
type chartDir struct {
	path string
	// within is the directory that the walk began at: links do not lead out of it.
	within string
}

// overlayDir is a directory with a kustomization.
type overlayDir struct {
	path  string
	named bool
}

// link is a symbolic link to a file of the tree, read only when the file itself is not.
type link struct {
	in     input
	target string
}

// kustomizationNames are the names that kustomize knows, in its order.
var kustomizationNames = [...]string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func isKustomization(name string) bool { return slices.Contains(kustomizationNames[:], name) }

// isManifest says by its name whether a walk reads the file. Case is nothing: M.YAML is a manifest to kubectl's users.
func isManifest(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json")
}

func isArchive(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tar.gz")
}

// fill follows every path.
func (p *plan) fill() error {
	for _, path := range p.o.Paths {
		if err := p.add(path); err != nil {
			return err
		}
		p.found.Coverage.Sources = append(p.found.Coverage.Sources, filepath.ToSlash(path))
	}
	for _, l := range p.links {
		if _, read := p.seen[l.target]; read {
			p.leaveOut("symbolic links within the tree", "what they lead to is judged where it stands")
			continue
		}
		p.addFile(l.in)
	}
	for i := range p.files {
		if in := &p.files[i]; in.matched && !in.named && p.ofChart(in.path) {
			in.dropped = true
		}
	}
	return nil
}

func (p *plan) leaveOut(what, reason string) {
	p.found.leaveOut(verdict.Exclusion{What: what, Reason: reason, Count: 1})
}

func (p *plan) add(path string) error {
	if path == "-" {
		if p.o.Stdin == nil {
			return &verdict.RemedyError{Err: errors.New("read -: there is no standard input"), Remedy: "Name a file or a directory."}
		}
		p.addFile(input{path: "-", named: true, stream: true})
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil:
		return p.addNamed(filepath.Clean(path), info)
	case errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(path, "*?["):
		return p.addPattern(path)
	case errors.Is(err, fs.ErrNotExist):
		if _, linkErr := os.Lstat(path); linkErr == nil {
			p.found.gap(unreadable(path, err))
			return nil
		}
		return &verdict.RemedyError{Err: fmt.Errorf("read %s: %w", path, fs.ErrNotExist), Remedy: "Name a file or directory that exists, or - for standard input."}
	default:
		p.found.gap(unreadable(path, err))
		return nil
	}
}

// addNamed adds what the user named himself: it is read whatever any ignore file says.
func (p *plan) addNamed(path string, info fs.FileInfo) error {
	name := filepath.Base(path)
	switch {
	case info.IsDir():
		return p.walk(path)
	case name == "Chart.yaml":
		p.addChart(filepath.Dir(path), filepath.Dir(path))
	case isKustomization(name):
		p.addOverlay(filepath.Dir(path), true)
	case isArchive(name):
		p.addChart(path, filepath.Dir(path))
	case info.Mode().IsRegular():
		p.addFile(input{path: path, size: info.Size(), named: true})
	default:
		p.addFile(input{path: path, named: true, stream: true})
	}
	return nil
}

func (p *plan) addFile(in input) {
	key := absolute(in.path)
	if in.path == "-" {
		key = "-"
	}
	if at, twice := p.seen[key]; twice {
		p.files[at].named = p.files[at].named || in.named
		return
	}
	p.seen[key] = len(p.files)
	p.files = append(p.files, in)
}

func (p *plan) addChart(path, within string) {
	if key := absolute(path); !p.units["chart "+key] {
		p.units["chart "+key] = true
		p.charts = append(p.charts, chartDir{path, within})
	}
}

func (p *plan) addOverlay(path string, named bool) {
	key := absolute(path)
	if p.units["overlay "+key] {
		for i := range p.overlays {
			if absolute(p.overlays[i].path) == key {
				p.overlays[i].named = p.overlays[i].named || named
			}
		}
		return
	}
	p.units["overlay "+key] = true
	p.overlays = append(p.overlays, overlayDir{path, named})
}

// ofChart says whether a chart that is rendered holds the file.
func (p *plan) ofChart(path string) bool {
	if len(p.charts) == 0 {
		return false
	}
	key := absolute(path)
	for dir := filepath.Dir(key); ; dir = filepath.Dir(dir) {
		if p.units["chart "+dir] {
			first, _, nested := strings.Cut(filepath.ToSlash(strings.TrimPrefix(key[len(dir):], string(filepath.Separator))), "/")
			if nested && chartDirs[first] || !nested && isChartOwn(first) {
				return true
			}
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// chartDirs are the directories of a chart that Helm reads; the rest of its directory is walked.
var chartDirs = map[string]bool{"templates": true, "charts": true, "crds": true}

// isChartOwn says whether a file beside Chart.yaml belongs to the chart.
func isChartOwn(name string) bool {
	return name == "Chart.yaml" || name == "Chart.lock" || strings.HasPrefix(name, "values") ||
		name == "requirements.yaml" || name == "requirements.lock"
}
