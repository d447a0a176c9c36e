package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

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
