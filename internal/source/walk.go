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
	ctx      context.Context // of the one call of Files that the plan lives in
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

// isManifest says by its name whether a walk reads the file.
func isManifest(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json")
}

func isArchive(name string) bool {
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

// walker goes through one directory that was named.
type walker struct {
	plan *plan
	top  string // the directory, as it was given
	real string // its real path, looked up when a link is met
}

func (p *plan) walk(path string) error {
	w := &walker{plan: p, top: path}
	outer, below := outerScopes(path)
	return w.dir(path, below, outer, false)
}

// dir goes through one directory. below is its path below the outermost ignore file, with a slash at the end.
func (w *walker) dir(path, below string, outer *scope, chart bool) error {
	p := w.plan
	if err := p.ctx.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		p.found.gap(unreadable(path, err))
	}
	s := scopeOf(path, below, entries, outer)
	own := false
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		switch name := e.Name(); {
		case name == "Chart.yaml" && !s.ignored(below+name, false):
			own, chart = true, true
			p.addChart(path, w.top)
		case isKustomization(name) && !s.ignored(below+name, false):
			p.addOverlay(path, path == w.top)
		}
	}
	for _, e := range entries {
		if err := w.entry(e, path, below, s, [2]bool{own, chart}); err != nil {
			return err
		}
	}
	return nil
}

// entry takes one entry of a directory; chart says whether the directory is a chart's own, and
// whether it stands in one.
func (w *walker) entry(e fs.DirEntry, dir, below string, s *scope, chart [2]bool) error {
	p, name := w.plan, e.Name()
	path := join(dir, name)
	if e.IsDir() {
		switch {
		case chart[0] && chartDirs[name]:
		case name[0] == '.':
			p.leaveOut("hidden directories", "their names begin with a dot; name one to have it read")
		case name == "node_modules":
			p.leaveOut("node_modules directories", "they hold packages, not manifests; name one to have it read")
		case s.ignored(below+name, true):
			p.leaveOut(ignoredWhat, ignoredReason)
		default:
			return w.dir(path, below+name+"/", s, chart[1])
		}
		return nil
	}
	if chart[0] && isChartOwn(name) || isKustomization(name) {
		return nil
	}
	symbolic := e.Type()&fs.ModeSymlink != 0
	if !symbolic && !isManifest(name) {
		return nil
	}
	if s.ignored(below+name, false) {
		p.leaveOut(ignoredWhat, ignoredReason)
		return nil
	}
	switch {
	case symbolic:
		w.follow(path, dir, chart[1])
	case e.Type().IsRegular():
		info, err := e.Info()
		if err != nil {
			p.found.gap(unreadable(path, err))
			return nil
		}
		p.addFile(input{path: path, size: info.Size(), chart: chart[1]})
	default:
		p.leaveOut("pipes, devices and sockets", "they are not opened in a walk; name one to have it read")
	}
	return nil
}

const (
	ignoredWhat   = "files and directories that are ignored"
	ignoredReason = "a .gitignore or .coamingignore says so; name one to have it read"
)

// follow takes a symbolic link: one to a file of the same tree is read.
func (w *walker) follow(path, dir string, chart bool) {
	p, manifest := w.plan, isManifest(path)
	info, err := os.Stat(path)
	if err != nil {
		if manifest || !errors.Is(err, fs.ErrNotExist) {
			p.found.gap(unreadable(path, err))
		}
		return
	}
	if !info.IsDir() && !manifest {
		return
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		p.found.gap(unreadable(path, err))
		return
	}
	if w.real == "" {
		w.real = realPath(w.top)
	}
	target = absolute(target)
	switch {
	case !within(target, w.real):
		p.found.gap(fileGap(path, verdict.GapUnreadable, "a symbolic link out of the tree, which is not followed",
			"Name what it leads to as well, or leave it out in .coamingignore."))
	case !info.IsDir() && info.Mode().IsRegular():
		// Its own place below the real path is the place below the path as given.
		rel, _ := filepath.Rel(w.real, target)
		p.links = append(p.links, link{input{path: path, size: info.Size(), chart: chart}, absolute(filepath.Join(w.top, rel))})
	case !info.IsDir():
		p.leaveOut("pipes, devices and sockets", "they are not opened in a walk; name one to have it read")
	case within(realPath(dir), target):
		p.found.gap(fileGap(path, verdict.GapUnreadable, "a loop: a symbolic link to a directory that holds it", "Remove the link, or leave it out in .coamingignore."))
	default:
		p.leaveOut("symbolic links within the tree", "what they lead to is judged where it stands")
	}
}

// realPath is an absolute path without symbolic links, as far as it can be told.
func realPath(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	return absolute(path)
}

// within says whether a path is a directory or stands below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, string(filepath.Separator))+string(filepath.Separator))
}

// join is filepath.Join for a clean directory and a name, without cleaning them again.
func join(dir, name string) string {
	switch {
	case dir == ".":
		return name
	case strings.HasSuffix(dir, string(filepath.Separator)):
		return dir + name
	default:
		return dir + string(filepath.Separator) + name
	}
}

// scopeOf adds the directory's own ignore files to those above it.
func scopeOf(dir, below string, entries []fs.DirEntry, outer *scope) *scope {
	s := outer
	for _, e := range entries {
		if e.Name() > ignoreFiles[0] {
			break // entries are sorted, and .gitignore is the later of the names
		}
		kind := slices.Index(ignoreFiles[:], e.Name())
		if kind < 0 || e.IsDir() {
			continue
		}
		text, err := readRegular(join(dir, e.Name()), 8<<20)
		if err != nil {
			continue // an ignore file that cannot be read hides nothing
		}
		if s == outer {
			s = &scope{outer: outer, base: len(below)}
		}
		s.rules[kind] = parseIgnore(text)
	}
	return s
}

// outerScopes reads the ignore files above a directory, up to the root of its git repository.
// below is the directory's path below that root. When they ignore the directory itself they count
// for nothing: it was named.
func outerScopes(dir string) (outer *scope, below string) {
	path := realPath(dir)
	root := path
	for {
		if _, err := os.Lstat(filepath.Join(root, ".git")); err == nil {
			break
		}
		if root == filepath.Dir(root) {
			return nil, ""
		}
		root = filepath.Dir(root)
	}
	if root == path {
		return nil, ""
	}
	names := strings.Split(path[len(root)+1:], string(filepath.Separator))
	for _, name := range names {
		entries := []fs.DirEntry{}
		for _, file := range [...]string{".coamingignore", ".gitignore"} {
			if info, err := os.Lstat(filepath.Join(root, file)); err == nil {
				entries = append(entries, fs.FileInfoToDirEntry(info))
			}
		}
		outer = scopeOf(root, below, entries, outer)
		if outer.ignored(below+name, true) {
			return nil, ""
		}
		root, below = filepath.Join(root, name), below+name+"/"
	}
	return outer, below
}
