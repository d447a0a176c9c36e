package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// isNodePackage says whether a package.json stands where npm, yarn or Debian install packages: in a directory
// NAME or @SCOPE/NAME right below node_modules (or nodejs). Others lie inside a package and describe no installed one.
func isNodePackage(at string) bool {
	parent := path.Dir(path.Dir(at))
	if strings.HasPrefix(path.Base(parent), "@") {
		parent = path.Dir(parent)
	}
	return path.Base(parent) == "node_modules" || parent == "usr/share/nodejs"
}

// word is a JSON string; anything else is read as "".
type word string

func (w *word) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*w = word(s)
	}
	return nil
}

func readNode(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	var p struct{ Name, Version word }
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("it is no package.json: %w", err)
	}
	if p.Name == "" || p.Version == "" {
		return nil, nil // npm installs none without
	}
	return one("npm", string(p.Name), string(p.Version)), nil
}

func one(ecosystem, name, version string) *find {
	return &find{packages: []fact.Package{{Ecosystem: ecosystem, Name: name, Version: version}}}
}

// readPython reads the head of the metadata of an installed distribution (packaging.python.org, core metadata).
func readPython(in *input) (*find, error) {
	name, version := "", ""
	err := in.lines(func(line string) bool {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(key) {
		case "name":
			name = strings.TrimSpace(value)
		case "version":
			version = strings.TrimSpace(value)
		}
		return line != "" && (name == "" || version == "") // an empty line ends the head
	})
	if err != nil {
		return nil, err
	}
	if name == "" || version == "" {
		return nil, errors.New("the metadata names no package and version")
	}
	return one("PyPI", name, version), nil
}

var (
	gemName    = regexp.MustCompile(`(?m)^\s*\w+\.name\s*=\s*["']([^"']+)["']`)
	gemVersion = regexp.MustCompile(`(?m)^\s*\w+\.version\s*=\s*(?:Gem::Version\.new\s*\(?\s*)?["']([^"']+)["']`)
)

// readGem reads the specification that gem writes beside what it installs; it is Ruby, in a form of its own making.
func readGem(in *input) (*find, error) {
	text, err := in.text()
	if err != nil {
		return nil, err
	}
	name, version := gemName.FindSubmatch(text), gemVersion.FindSubmatch(text)
	if name == nil || version == nil {
		return nil, errors.New("the specification names no gem and version in the form that gem writes")
	}
	return one("RubyGems", string(name[1]), string(version[1])), nil
}
