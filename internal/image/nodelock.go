package image

import (
	"strings"

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
		case name != "" && strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") && strings.TrimSuffix(field, ":") == "version":
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
