package image

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/coaming/coaming/internal/fact"
)

// complete leaves out what has no name or no version.
func complete(list []fact.Package) []fact.Package {
	kept := list[:0]
	for _, p := range list {
		if p.Name != "" && p.Version != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

// readTomlLock reads the tables [[package]] of Cargo's, poetry's, uv's and pdm's locks, which machines write with one field on a line. What
// has no source in Cargo's, and what is a directory in uv's, is the application's own.
func readTomlLock(ecosystem string) func(in *input) ([]fact.Package, error) {
	return func(in *input) ([]fact.Package, error) {
		var list []fact.Package
		var p fact.Package
		own, inside := false, false
		done := func() {
			if inside && !own && p.Name != "" && p.Version != "" {
				list = append(list, p)
			}
			p, own = fact.Package{Ecosystem: ecosystem}, ecosystem == "crates.io"
		}
		err := in.lines(func(line string) bool {
			if strings.HasPrefix(line, "[") {
				if line == "[[package]]" || !strings.HasPrefix(line, "[package.") && !strings.HasPrefix(line, "[[package.") {
					done()
				}
				inside = line == "[[package]]" || inside && strings.Contains(line, "package.")
				return true
			}
			key, value, _ := strings.Cut(line, " = ")
			switch value = strings.Trim(value, `"`); key {
			case "name":
				if p.Name == "" {
					p.Name = value
				}
			case "version":
				if p.Version == "" {
					p.Version = value
				}
			case "source":
				own = strings.Contains(value, "virtual =") || strings.Contains(value, "editable =") || strings.Contains(value, "directory =")
			case "category":
				own = own || value == "dev"
			}
			return true
		})
		done()
		return list, err
	}
}

// readPipfileLock reads pipenv's.
func readPipfileLock(in *input) ([]fact.Package, error) {
	var lock struct {
		Default map[string]struct{ Version word }
	}
	err := in.json(&lock)
	var list []fact.Package
	for name, p := range lock.Default {
		if version, exact := strings.CutPrefix(string(p.Version), "=="); exact {
			list = append(list, fact.Package{Ecosystem: "PyPI", Name: name, Version: version})
		}
	}
	return list, err
}

// readGemfileLock reads the section GEM of bundler's: names with their versions, four spaces in, a platform behind the version.
func readGemfileLock(in *input) ([]fact.Package, error) {
	var list []fact.Package
	inside := false
	err := in.lines(func(line string) bool {
		if line != "" && line[0] != ' ' {
			inside = line == "GEM"
		}
		if name, version, found := strings.Cut(strings.TrimSuffix(line, ")"), " ("); inside && found && len(name) > 4 && strings.HasPrefix(name, "    ") && name[4] != ' ' {
			version, _, _ = strings.Cut(version, "-")
			list = append(list, fact.Package{Ecosystem: "RubyGems", Name: name[4:], Version: version})
		}
		return true
	})
	return list, err
}

// readComposerLock reads composer's, without what is for developers.
func readComposerLock(in *input) ([]fact.Package, error) {
	var lock struct {
		Packages []struct{ Name, Version word }
	}
	err := in.json(&lock)
	var list []fact.Package
	for _, p := range lock.Packages {
		list = append(list, fact.Package{Ecosystem: "Packagist", Name: string(p.Name), Version: string(p.Version)})
	}
	return complete(list), err
}

// readGoSum reads the modules whose content go.sum has a sum of, each in the highest version: that is the one that is built with.
func readGoSum(in *input) ([]fact.Package, error) {
	highest := map[string]string{}
	bad := 0
	err := in.lines(func(line string) bool {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case len(f) != 3 || !semver.IsValid(strings.TrimSuffix(f[1], "/go.mod")):
			bad++
		case !strings.HasSuffix(f[1], "/go.mod") && (highest[f[0]] == "" || semver.Compare(f[1], highest[f[0]]) > 0):
			highest[f[0]] = f[1]
		}
		return true
	})
	var list []fact.Package
	for name, version := range highest {
		list = append(list, fact.Package{Ecosystem: "Go", Name: name, Version: version})
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d lines are not understood", bad)
	}
	return list, err
}
