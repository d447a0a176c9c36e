package image

import (
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/fact"
)

// find is what one file tells.
type find struct {
	packages []fact.Package
	system   *fact.System
	like     []string // ID_LIKE of the system
	owner    string   // the package that owned belongs to
	owned    []string // paths
	locked   []fact.Package // that a lock file names, installed or not
	aside    []fact.Package // that are installed where a link named node_modules leads to them
}

// plain is a package of which its file tells no more than this, as those of languages are: there may be a hundred thousand.
type plain struct{ ecosystem, name, version, licence string }

// plain is the one package of which a file tells, if it is plain.
func (f *find) plain() (plain, bool) {
	if len(f.packages) != 1 || f.system != nil || f.owner != "" || f.owned != nil || f.locked != nil || f.aside != nil {
		return plain{}, false
	}
	p := &f.packages[0]
	more := p.Source != "" || p.SourceVersion != "" || p.Module != "" || p.Kind != "" || p.Vendor != "" || p.Architecture != "" || p.Place != "" || p.Within != "" ||
		p.Layer != 0 || p.Since != 0 || p.Owner != "" || p.Files != nil || p.Needs != nil || p.Provides != nil || p.Size != 0 // TestPlain knows when there is another field
	return plain{p.Ecosystem, p.Name, p.Version, p.Licence}, !more
}

func (p *plain) pkg() fact.Package {
	return fact.Package{Ecosystem: p.ecosystem, Name: p.name, Version: p.version, Licence: p.licence}
}

// found is what the file at a path told, nil for nothing.
func (s *stratum) found(at string) *find {
	if p, is := s.plain[at]; is {
		return &find{packages: []fact.Package{p.pkg()}}
	}
	return s.finds[at]
}

// forget forgets what was found at a path.
func (s *stratum) forget(at string) {
	delete(s.finds, at)
	delete(s.plain, at)
}

// keep notes what stands at a path, beside what others have found there.
func (s *stratum) keep(at string, f *find) {
	if f == nil {
		return
	}
	there := s.found(at)
	if there == nil {
		if p, is := f.plain(); is {
			s.plain[at] = p
			return
		}
		s.finds[at] = f
		return
	}
	delete(s.plain, at)
	there.join(f)
	s.finds[at] = there
}

// join adds what another observer found at the same path.
func (f *find) join(other *find) {
	f.packages = append(f.packages, other.packages...)
	f.locked, f.aside = append(f.locked, other.locked...), append(f.aside, other.aside...)
	if other.system != nil {
		f.system, f.like = other.system, other.like
	}
	if other.owner != "" {
		f.owner, f.owned = other.owner, append(f.owned, other.owned...)
	}
}

// visible calls yield with every find that no layer above hides, sorted by path within its layer.
func visible(strata []*stratum, yield func(at string, layer int, f *find)) {
	for i, s := range strata {
		names := slices.AppendSeq(make([]string, 0, len(s.finds)+len(s.plain)), maps.Keys(s.finds))
		names = slices.AppendSeq(names, maps.Keys(s.plain))
		slices.Sort(names)
		for _, at := range names {
			if i == len(strata)-1 {
				yield(at, i, s.found(at))
				continue
			}
			own, parents := s.sum(at), s.options.parentsOf(at)
			if !slices.ContainsFunc(strata[i+1:], func(above *stratum) bool { return above.covers(own, parents) }) {
				yield(at, i, s.found(at))
			}
		}
	}
}

