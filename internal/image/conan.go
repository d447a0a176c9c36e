package image

import (
	"cmp"
	"errors"
	"path"
	"regexp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// conanRef is a reference of Conan's: NAME/VERSION, maybe @USER/CHANNEL, #REVISION, :PACKAGE and %TIME.
var conanRef = regexp.MustCompile(`^([a-z0-9_][a-z0-9_+.-]*)/([^@#:%\s]+)`)

// readConanLock reads a lock in both forms that it has had (docs.conan.io): of Conan 2 lists of references, of 1 a
// graph of nodes. What was needed for building alone is not in the image.
func readConanLock(in *input) (*find, error) {
	var lock struct {
		Requires []word `json:"requires"`
		Graph    struct {
			Nodes map[string]struct {
				Ref     word `json:"ref"`
				PRef    word `json:"pref"`
				Context word `json:"context"`
			} `json:"nodes"`
		} `json:"graph_lock"`
	}
	if err := in.json(&lock); err != nil {
		return nil, err
	}
	f := &find{}
	for _, ref := range lock.Requires {
		f.conan(string(ref))
	}
	for _, n := range lock.Graph.Nodes {
		if n.Context != "build" {
			f.conan(string(cmp.Or(n.Ref, n.PRef)))
		}
	}
	return f, nil
}

func (f *find) conan(ref string) {
	if m := conanRef.FindStringSubmatch(ref); m != nil {
		f.packages = append(f.packages, fact.Package{Ecosystem: "ConanCenter", Name: m[1], Version: m[2]})
	}
}

// conanReader knows the cache of Conan 1, in which paths tell the package: data/NAME/VERSION/USER/CHANNEL/package/ID/conaninfo.txt.
// Of other places the file tells the requirements alone.
func conanReader(at string) reader {
	parts := strings.Split(path.Dir(at), "/")
	if n := len(parts); n >= 7 && parts[n-2] == "package" && parts[n-7] == "data" {
		if path.Base(at) == "conaninfo.txt" {
			return func(in *input) (*find, error) { return one("ConanCenter", parts[n-6], parts[n-5]), nil }
		}
		return nil
	}
	if path.Base(at) == "conaninfo.txt" {
		return readConanInfo
	}
	return nil
}

// readConanInfo reads the requirements of a package in a cache of Conan 2 or of one that was deployed.
func readConanInfo(in *input) (*find, error) {
	f := &find{}
	section, found := "", false
	err := in.lines(func(line string) bool {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section, found = line, true
		} else if section == "[full_requires]" || section == "[requires]" {
			if m := conanRef.FindStringSubmatch(line); m != nil && !strings.HasSuffix(m[2], ".Z") {
				f.conan(line)
			}
		}
		return true
	})
	if err == nil && !found {
		err = errors.New("it has no section")
	}
	return f, err
}
