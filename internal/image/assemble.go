package image

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// assembly is an image whose parts are put together.
type assembly struct {
	image    *fact.Image
	strata   []*stratum
	ledger   *ledger
	release  string          // the os-release that counts
	like     []string        // its ID_LIKE
	managers map[string]bool // of packages of a distribution that were found
	asides   []placed        // packages of Node.js outside of node_modules, of which links may lead to some
	locks    []placed        // what lock files name
}

// placed is what a file tells, and where it stands.
type placed struct {
	at       string
	layer    int
	packages []fact.Package
}

// assemble puts together what the layers leave to be seen.
func assemble(img *fact.Image, strata []*stratum, o *Options, l *ledger) {
	a := &assembly{image: img, strata: strata, ledger: l, managers: map[string]bool{}}
	owned := map[string][]string{} // files by the package that has them
	best, most := -1, 0
	for _, s := range strata {
		most += len(s.plain)
	}
	img.Packages = make([]fact.Package, 0, min(most, o.Limits.Packages))
	visible(strata, func(at string, layer int, f *find) {
		if f.system != nil && slices.Index(releaseFiles, at) > best {
			img.System, best = f.system, slices.Index(releaseFiles, at)
			a.release, a.like = at, f.like
		}
		if f.owner != "" {
			owned[f.owner] = append(owned[f.owner], f.owned...)
		}
		if len(f.aside) > 0 {
			a.asides = append(a.asides, placed{at, layer, f.aside})
		}
		if len(f.locked) > 0 {
			a.locks = append(a.locks, placed{at, layer, f.locked})
		}
		for _, p := range f.packages {
			if len(img.Packages) >= o.Limits.Packages {
				return
			}
			p.Place, p.Layer, p.Since = at, layer, layer
			img.Packages = append(img.Packages, p)
		}
	})
	a.follow()
	a.lock(o.Limits.Packages)
	if len(img.Packages) >= o.Limits.Packages {
		l.add(gap{layer: -1, code: verdict.GapTooLarge, message: fmt.Sprintf("there are more than %d packages", o.Limits.Packages), remedy: "Read parts of the image by themselves."})
	}
	if img.Packages == nil {
		img.Packages = []fact.Package{}
	}
	for i := range img.Packages {
		p := &img.Packages[i]
		if !managed(p) {
			continue
		}
		a.managers[p.Ecosystem] = true
		p.Files = append(p.Files, owned[p.Name+":"+p.Architecture]...)
		if files := owned[p.Name]; p.Files == nil {
			p.Files = slices.Clone(files)
		}
		slices.Sort(p.Files)
		p.Files = slices.Compact(p.Files)
		p.Ecosystem = purl.Distribution(img.System)
	}
	a.linked()
	a.missing()
	markOwned(img.Packages)
	markSince(img.Packages, strata)
	for _, s := range strata {
		s.finds, s.plain = nil, nil // they are in the image now
	}
	img.Packages = slices.DeleteFunc(img.Packages, func(p fact.Package) bool { return p.Kind == binaryKind && p.Owner != "" })
	if img.System != nil {
		img.System.EndOfLife = endOfLife(img.System)
	}
	slices.SortStableFunc(img.Packages, func(a, b fact.Package) int { return a.Compare(&b) })
}

// markOwned gives packages of languages the package of the distribution that has their file.
func markOwned(list []fact.Package) {
	if !slices.ContainsFunc(list, func(p fact.Package) bool { return len(p.Files) > 0 }) {
		return
	}
	wanted := map[string][]int{}
	for i := range list {
		if list[i].Files == nil && list[i].Place != "" {
			for _, at := range spellings(list[i].Place) {
				wanted[at] = append(wanted[at], i)
			}
		}
	}
	for i := range list {
		for _, file := range list[i].Files {
			for _, n := range wanted[file] {
				if n != i {
					list[n].Owner = list[i].Name
				}
			}
		}
	}
}

// spellings are the names that a file may have in its package's list: since /bin, /sbin and /lib are links into
// /usr, lists name either.
func spellings(at string) []string {
	list := []string{at}
	if rest, merged := strings.CutPrefix(at, "usr/"); merged {
		list = append(list, rest)
	} else {
		list = append(list, path.Join("usr", at))
	}
	return list
}
