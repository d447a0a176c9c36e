package image

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// lockedKind is the kind of packages that a lock file names and that were not found installed: they may be in the application, bundled or
// compiled, or nowhere.
const lockedKind = "locked"

// lockReader reads a lock file of an application: none of what others have brought, where it says what they were tried with.
func lockReader(read func(in *input) ([]fact.Package, error)) func(at string) reader {
	return func(at string) reader {
		if isOthers(at) {
			return nil
		}
		return func(in *input) (*find, error) {
			list, err := read(in)
			slices.SortFunc(list, func(a, b fact.Package) int { return a.Compare(&b) })
			list = slices.CompactFunc(list, func(a, b fact.Package) bool { return a.Name == b.Name && a.Version == b.Version })
			return &find{locked: list}, err
		}
	}
}

// isOthers says whether a path lies in what somebody else made: a package of a language, a distribution's files, tests.
func isOthers(at string) bool {
	return among(at, vendored) || among(at, tests) || beneath(at, distributed)
}

// lock adds what lock files name where it is not installed. Where a third of it is, the lock is that of what is installed, and the
// rest is for other platforms or for building.
func (a *assembly) lock(most int) {
	if len(a.locks) == 0 {
		return
	}
	there := map[string]bool{}
	for i := range a.image.Packages {
		there[lockKey(&a.image.Packages[i])] = true
	}
	for _, l := range a.locks {
		installed := 0
		for i := range l.packages {
			if there[lockKey(&l.packages[i])] {
				installed++
			}
		}
		if 3*installed >= len(l.packages) {
			continue
		}
		for _, p := range l.packages {
			if there[lockKey(&p)] || len(a.image.Packages) >= most {
				continue
			}
			p.Place, p.Layer, p.Since, p.Kind = l.at, l.layer, l.layer, lockedKind
			a.image.Packages = append(a.image.Packages, p)
		}
	}
}

// lockKey is a package as lock files and what is installed spell it alike.
func lockKey(p *fact.Package) string {
	name := p.Name
	if p.Ecosystem == "PyPI" {
		name = strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
	}
	return fmt.Sprintf("%s\x00%s\x00%s", p.Ecosystem, name, strings.TrimPrefix(p.Version, "v"))
}
