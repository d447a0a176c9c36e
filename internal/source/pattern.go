package source

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/verdict"
)

// pattern is a path with *, ?, [a-z] and ** in it. It passes over what a walk passes over: hidden
// directories (unless it names the dot), node_modules, and what is ignored.
type pattern struct {
	plan     *plan
	segments []string
	deep     bool // a "**" is among them
	matches  int
}

func (p *plan) addPattern(text string) error {
	segments := strings.Split(filepath.ToSlash(text), "/")
	first := slices.IndexFunc(segments, func(s string) bool { return strings.ContainsAny(s, "*?[") })
	base := strings.Join(segments[:first], "/")
	switch {
	case first > 0 && base == "":
		base = "/"
	case first == 0:
		base = "."
	}
	base = filepath.Clean(filepath.FromSlash(base))
	g := &pattern{plan: p, segments: segments[first:], deep: slices.Contains(segments, "**")}
	if info, err := os.Stat(base); err == nil && info.IsDir() {
		outer, below := outerScopes(base)
		if err := g.dir(base, "", below, outer, 0); err != nil {
			return err
		}
	}
	if g.matches == 0 {
		return &verdict.RemedyError{
			Err:    fmt.Errorf("read %s: the pattern matches nothing", text),
			Remedy: "Name files that exist; ** goes through directories, and ignored and hidden ones are passed over.",
		}
	}
	return nil
}

// dir goes through one directory; rel is its path below the pattern's first segment.
func (g *pattern) dir(path, rel, below string, outer *scope, depth int) error {
	if err := g.plan.ctx.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		g.plan.found.gap(unreadable(path, err))
	}
	s := scopeOf(path, below, entries, outer)
	for _, e := range entries {
		name := e.Name()
		full := join(path, name)
		dir := e.IsDir()
		if e.Type()&fs.ModeSymlink != 0 && !g.deep {
			if info, err := os.Stat(full); err == nil {
				dir = info.IsDir()
			}
		}
		if dir && g.passes(name, depth) || s.ignored(below+name, dir) {
			continue
		}
		if matchPath(g.segments, rel+name) {
			if err := g.match(full, dir); err != nil {
				return err
			}
		}
		if dir && (g.deep || depth+1 < len(g.segments) && matchName(g.segments[depth], name)) {
			if err := g.dir(full, rel+name+"/", below+name+"/", s, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// passes says whether the pattern passes over a directory of that name.
func (g *pattern) passes(name string, depth int) bool {
	if g.deep {
		return name[0] == '.' || name == "node_modules"
	}
	return name[0] == '.' && !strings.HasPrefix(g.segments[depth], ".")
}

// match takes a path that the pattern matches.
func (g *pattern) match(path string, dir bool) error {
	p, name := g.plan, filepath.Base(path)
	last := g.segments[len(g.segments)-1]
	if dir {
		if last == "**" {
			return nil // what stands in it matches too
		}
		g.matches++
		return p.walk(path)
	}
	switch {
	case name == "Chart.yaml":
		p.addChart(filepath.Dir(path), filepath.Dir(path))
	case isKustomization(name):
		p.addOverlay(filepath.Dir(path), false)
	case isManifest(name) || strings.Trim(last, "*") != "":
		info, err := os.Stat(path)
		if err != nil {
			p.found.gap(unreadable(path, err))
			break
		}
		if !info.Mode().IsRegular() {
			p.leaveOut("pipes, devices and sockets", "they are not opened in a walk; name one to have it read")
			break
		}
		if isArchive(name) {
			p.addChart(path, filepath.Dir(path))
			break
		}
		p.addFile(input{path: path, size: info.Size(), matched: true})
	default:
		return nil
	}
	g.matches++
	return nil
}
