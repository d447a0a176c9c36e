package image

import (
	"fmt"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/coaming/coaming/internal/fact"
)

// readPackageLock reads npm's: of its release 1 a tree of dependencies, later a list by the place of each (docs.npmjs.com,
// package-lock.json).
func readPackageLock(in *input) ([]fact.Package, error) {
	type dependency struct {
		Version      word
		Dev          bool
		Dependencies map[string]*dependency
	}
	var lock struct {
		Packages map[string]struct {
			Name, Version word
			Dev, Link     bool
		}
		Dependencies map[string]*dependency
	}
	if err := in.json(&lock); err != nil {
		return nil, err
	}
	var list []fact.Package
	for at, p := range lock.Packages {
		i := strings.LastIndex(at, "node_modules/")
		if i < 0 || p.Dev || p.Link || p.Version == "" {
			continue // the application itself, its workspaces, what builds it
		}
		name := at[i+len("node_modules/"):]
		if p.Name != "" {
			name = string(p.Name) // an alias
		}
		list = append(list, fact.Package{Ecosystem: "npm", Name: name, Version: string(p.Version)})
	}
	if lock.Packages != nil {
		return list, nil
	}
	var below func(of map[string]*dependency)
	below = func(of map[string]*dependency) {
		for name, d := range of {
			if d == nil || d.Dev {
				continue
			}
			if d.Version != "" && !strings.Contains(string(d.Version), ":") { // file:, git+https:
				list = append(list, fact.Package{Ecosystem: "npm", Name: name, Version: string(d.Version)})
			}
			below(d.Dependencies)
		}
	}
	below(lock.Dependencies)
	return list, nil
}

// readYarnLock reads yarn's, of its release 1 and of later ones: a line of what is asked for, and the version below it.
func readYarnLock(in *input) ([]fact.Package, error) {
	var list []fact.Package
	name := ""
	err := in.lines(func(line string) bool {
		switch field, value, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case line == "", line[0] == '#':
		case line[0] != ' ':
			first, _, _ := strings.Cut(strings.Trim(strings.TrimSuffix(line, ":"), `"`), ",")
			name = ""
			if at := strings.LastIndexByte(strings.Trim(first, `" `), '@'); at > 0 && !strings.Contains(first, "@workspace:") && !strings.HasPrefix(first, "__") {
				name = packageOfRange(strings.Trim(first, `" `))
			}
		case name != "" && strings.HasPrefix(line, "  ") && line[2] != ' ' && strings.TrimSuffix(field, ":") == "version":
			list = append(list, fact.Package{Ecosystem: "npm", Name: name, Version: strings.Trim(value, `"`)})
			name = ""
		}
		return true
	})
	return list, err
}

// packageOfRange is the package of "@s/a@npm:^1" and of an alias "a@npm:b@^1".
func packageOfRange(asked string) string {
	at := strings.IndexByte(asked[1:], '@') + 1
	if at == 0 {
		return ""
	}
	name, rest := asked[:at], asked[at+1:]
	if alias, is := strings.CutPrefix(rest, "npm:"); is && strings.LastIndexByte(alias, '@') > 0 {
		return alias[:strings.LastIndexByte(alias, '@')]
	}
	return name
}

// readPnpmLock reads the keys of pnpm's list of packages, in the notations of its releases: /a/1.0.0, /a@1.0.0, a@1.0.0(peer@2).
func readPnpmLock(in *input) ([]fact.Package, error) {
	var list []fact.Package
	inside := false
	err := in.lines(func(line string) bool {
		switch {
		case line != "" && line[0] != ' ':
			inside = line == "packages:"
		case !inside || len(line) < 4:
		case strings.HasPrefix(line, "    dev: true"):
			list = list[:max(0, len(list)-1)]
		case line[2] != ' ' && strings.HasSuffix(line, ":"):
			list = append(list, pnpmPackage(strings.Trim(line[2:len(line)-1], `'"`)))
		}
		return true
	})
	return complete(list), err
}

// pnpmPackage is the package of a key, without a name where it is none of the registry.
func pnpmPackage(key string) fact.Package {
	key, _, _ = strings.Cut(strings.TrimPrefix(key, "/"), "(")
	from := 0
	if strings.HasPrefix(key, "@") {
		from = strings.IndexByte(key, '/') + 1
	}
	at := strings.IndexAny(key[from:], "/@")
	if at <= 0 || strings.Contains(key, ":") {
		return fact.Package{}
	}
	version, _, _ := strings.Cut(key[from+at+1:], "_") // what it is installed beside
	return fact.Package{Ecosystem: "npm", Name: key[:from+at], Version: version}
}

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
		if name, version, found := strings.Cut(strings.TrimSuffix(line, ")"), " ("); inside && found && strings.HasPrefix(name, "    ") && name[4] != ' ' {
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
