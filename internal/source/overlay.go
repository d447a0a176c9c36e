package source

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// overlayTasks finds the overlays that nothing else refers to, takes what they read out of the
// plain files, and makes one task that builds them one after another: kustomize keeps its schemas
// in global variables.
func (p *plan) overlayTasks() []task {
	if len(p.overlays) == 0 {
		return nil
	}
	s := &overlays{disk: p.o.disk, known: map[string]*kustomization{}}
	var found []*kustomization
	named := map[*kustomization]bool{}
	for _, o := range p.overlays {
		k := s.load(o.path, 0)
		if k.foreign {
			if info, err := os.Stat(k.file); err == nil {
				p.addFile(input{path: k.file, size: info.Size()})
			}
			continue
		}
		found = append(found, k)
		named[k] = o.named
	}
	roots := s.roots(found, named)
	p.dropReferred(s, roots)
	roots = slices.DeleteFunc(roots, p.plainly)
	if len(roots) == 0 {
		return nil
	}
	t := task{
		path: roots[0].dir, done: len(roots),
		run:    func(ctx context.Context) ([]*Reading, error) { return p.buildAll(ctx, roots) },
		digest: func(context.Context) []byte { return p.o.disk.digestOverlays(roots...) },
	}
	return []task{p.o.keep("overlays", t, s.replaced())}
}

// roots are the overlays that nothing refers to and those that were named. A component that
// nothing uses is no root: its patches mean nothing alone.
func (s *overlays) roots(found []*kustomization, named map[*kustomization]bool) []*kustomization {
	referred := map[*kustomization]bool{}
	for _, k := range s.order {
		for _, e := range k.entries {
			if e.sub != nil && e.sub != k {
				referred[e.sub] = true
			}
		}
	}
	reached := map[*kustomization]bool{}
	var roots []*kustomization
	take := func(k *kustomization) {
		if !reached[k] || named[k] {
			roots = append(roots, k)
		}
		k.reach(reached)
	}
	for _, k := range found {
		if named[k] || !referred[k] && !k.loose() {
			take(k)
		}
	}
	for _, k := range found { // overlays that refer to each other in a circle
		if !reached[k] && !k.loose() {
			take(k)
		}
	}
	slices.SortFunc(roots, func(a, b *kustomization) int { return strings.Compare(a.dir, b.dir) })
	return slices.Compact(roots)
}

// loose says whether it is a component: a part for overlays, not one itself.
func (k *kustomization) loose() bool { return k.fields.Kind == types.ComponentKind }

// reach marks everything that the kustomization leads to.
func (k *kustomization) reach(reached map[*kustomization]bool) {
	if reached[k] {
		return
	}
	reached[k] = true
	for _, e := range k.entries {
		if e.sub != nil {
			e.sub.reach(reached)
		}
	}
}

// dropReferred takes the files that a kustomization reads out of the plain files.
func (p *plan) dropReferred(s *overlays, roots []*kustomization) {
	reached := map[*kustomization]bool{}
	for _, k := range roots {
		k.reach(reached)
	}
	byReal := map[string]*input{}
	for i := range p.files {
		if in := &p.files[i]; !in.named && !in.stream {
			byReal[p.realOf(in.path)] = in
		}
	}
	for _, k := range s.order {
		for _, e := range k.entries {
			in := byReal[e.path]
			if in == nil || !reached[k] && e.role == asResource {
				continue
			}
			in.dropped = true
		}
		if !reached[k] && k.loose() {
			p.leaveOut("kustomize components that no overlay here uses", "patches mean nothing alone; the objects that they add are judged as they stand")
		}
	}
}

// plainly reads a kustomization that only lists resources, and changes none of them, as plain
// files: that is faster, and places are those in the files. It says whether the kustomization is one.
func (p *plan) plainly(root *kustomization) bool {
	reached := map[*kustomization]bool{}
	root.reach(reached)
	for k := range reached {
		bare := k.fields
		bare.TypeMeta, bare.MetaData, bare.Resources = types.TypeMeta{}, nil, nil
		if k.broken || !reflect.DeepEqual(bare, types.Kustomization{}) {
			return false
		}
	}
	for _, k := range sorted(reached) {
		for _, g := range k.gaps {
			g.Location.Source = root.source()
			p.found.gap(g)
		}
	}
	p.found.Coverage.Sources = append(p.found.Coverage.Sources, root.source())
	root.resources(map[*kustomization]bool{}, func(file, path string) {
		info, err := os.Stat(path)
		if err != nil {
			p.found.gap(unreadable(file, err))
			return
		}
		at, known := p.seen[absolute(file)]
		if !known {
			at = len(p.files)
			p.addFile(input{path: file, size: info.Size(), stream: !info.Mode().IsRegular()})
		}
		in := &p.files[at]
		in.dropped = false
		if in.overlay != "" && in.overlay != root.source() {
			in.overlay = shared
		} else {
			in.overlay = root.source()
		}
	})
	return true
}

// shared is the source of what several overlays list.
const shared = "kustomize"

// sorted are the kustomizations in the order of their directories.
func sorted(set map[*kustomization]bool) []*kustomization {
	list := slices.Collect(maps.Keys(set))
	slices.SortFunc(list, func(a, b *kustomization) int { return strings.Compare(a.dir, b.dir) })
	return list
}

// localConfig leaves out what kustomize leaves out of every build.
func localConfig(o *fact.Object) (verdict.Exclusion, bool) {
	if o.Root.At("metadata", "annotations", "config.kubernetes.io/local-config").Text() != "true" {
		return verdict.Exclusion{}, false
	}
	return verdict.Exclusion{What: "client-side configuration", Reason: clientReason, Count: 1}, true
}

// realOf is the real path of a file that a walk found, looking up each directory once.
func (p *plan) realOf(path string) string {
	dir := filepath.Dir(path)
	resolved, known := p.reals[dir]
	if !known {
		resolved = realPath(dir)
		p.reals[dir] = resolved
	}
	return filepath.Join(resolved, filepath.Base(path))
}
