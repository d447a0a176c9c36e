package image

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

func nodeReader(at string) reader {
	switch {
	case isNodePackage(at):
		return readNode
	case !strings.Contains("/"+at, "/node_modules/") && !strings.HasPrefix(at, "usr/share/") && !strings.HasPrefix(at, "usr/lib/"):
		return readNodeAside
	}
	return nil
}

// readNodeAside reads a package.json that may be one of an installed package, if a link leads to it.
func readNodeAside(in *input) (*find, error) {
	if in.size > maxText {
		return nil, nil // none of a package is that large
	}
	found, err := readNode(in)
	if err != nil || found == nil || found.packages[0].Version == "" {
		return nil, nil //nolint:nilerr // what is no package is of no interest here
	}
	return &find{aside: found.packages}, nil
}

// isNodePackage says whether a package.json stands where npm, pnpm, yarn or Debian install packages: in a directory
// NAME or @SCOPE/NAME right below node_modules (or nodejs). Others lie inside a package and describe no installed one.
func isNodePackage(at string) bool {
	parent := path.Dir(path.Dir(at))
	if strings.HasPrefix(path.Base(parent), "@") {
		parent = path.Dir(parent)
	}
	return path.Base(parent) == "node_modules" || parent == "usr/share/nodejs"
}

func readNode(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	return nodePackage(in.path, text)
}

// nodePackage reads the package.json at a path. Without a name, the package is called as its directory, as Node.js finds it.
func nodePackage(at string, text []byte) (*find, error) {
	var p struct {
		Name, Version word
		License       nodeLicence
		Licenses      nodeLicences // of old
	}
	if err := json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &p); err != nil {
		return nil, fmt.Errorf("it is no package.json: %w", err)
	}
	if p.Name == "" {
		dir := path.Dir(at)
		if p.Name = word(path.Base(dir)); strings.HasPrefix(path.Base(path.Dir(dir)), "@") {
			p.Name = word(path.Base(path.Dir(dir))) + "/" + p.Name
		}
	}
	var odd oddities
	odd.check(string(p.Name), string(p.Version))
	return odd.settle(one("npm", string(p.Name), string(p.Version)).under(cmp.Or(string(p.License), string(p.Licenses))), nil)
}

// yarnReader knows what yarn keeps its packages in where there is no node_modules.
func yarnReader(at string) reader {
	if strings.HasSuffix(path.Dir(at), ".yarn/cache") {
		return readYarn
	}
	return nil
}

func readYarn(in *input) (*find, error) {
	all := &find{}
	err := in.zipped(func(f *zip.File) error {
		if !isNodePackage(f.Name) || !strings.HasSuffix(f.Name, "/package.json") {
			return nil
		}
		text, err := zipText(f)
		if err != nil {
			return err
		}
		found, err := nodePackage(f.Name, text)
		if found != nil {
			all.packages = append(all.packages, within(f.Name, found.packages)...)
		}
		return err
	})
	return all, err
}
