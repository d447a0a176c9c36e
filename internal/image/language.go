package image

import (
	"cmp"
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
	var p struct {
		Name, Version word
		License       nodeLicence
		Licenses      nodeLicences // of old
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("it is no package.json: %w", err)
	}
	if p.Name == "" || p.Version == "" {
		return nil, nil // npm installs none without
	}
	return one("npm", string(p.Name), string(p.Version), cmp.Or(string(p.License), string(p.Licenses))), nil
}

// nodeLicence is a string, or of old an object with a type.
type nodeLicence string

func (l *nodeLicence) UnmarshalJSON(text []byte) error {
	var w word
	var o struct{ Type word }
	if _ = w.UnmarshalJSON(text); w == "" && json.Unmarshal(text, &o) == nil {
		w = o.Type
	}
	*l = nodeLicence(w)
	return nil
}

// nodeLicences are several, any one of which may be chosen.
type nodeLicences string

func (l *nodeLicences) UnmarshalJSON(text []byte) error {
	var list []nodeLicence
	if json.Unmarshal(text, &list) != nil {
		return nil //nolint:nilerr // whatever else it is, it tells no licence
	}
	var words []string
	for _, one := range list {
		if one != "" {
			words = append(words, string(one))
		}
	}
	*l = nodeLicences(strings.Join(words, " OR "))
	if len(words) > 1 {
		*l = "(" + *l + ")"
	}
	return nil
}

// maxLicence is the most bytes of a licence that is a name or an expression; more is the text of one.
const maxLicence = 200

// licence is a licence in one line, "" when it is none or its whole text.
func licence(text string) string {
	text = strings.TrimSpace(text)
	if len(text) > maxLicence || text == "UNKNOWN" || text == "UNLICENSED" {
		return ""
	}
	return text
}

func one(ecosystem, name, version, terms string) *find {
	return &find{packages: []fact.Package{{Ecosystem: ecosystem, Name: name, Version: version, Licence: licence(terms)}}}
}

// readPython reads the head of the metadata of an installed distribution (packaging.python.org, core metadata).
func readPython(in *input) (*find, error) {
	name, version, terms, old := "", "", "", ""
	err := in.lines(func(line string) bool {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(key) {
		case "name":
			name = cmp.Or(name, strings.TrimSpace(value))
		case "version":
			version = cmp.Or(version, strings.TrimSpace(value))
		case "license-expression":
			terms = value
		case "license":
			old = value
		}
		return line != "" // which ends the head
	})
	if err != nil {
		return nil, err
	}
	if name == "" || version == "" {
		return nil, errors.New("the metadata names no package and version")
	}
	return one("PyPI", name, version, cmp.Or(licence(terms), licence(old))), nil
}

var (
	gemName    = regexp.MustCompile(`(?m)^\s*\w+\.name\s*=\s*["']([^"']+)["']`)
	gemLicence = regexp.MustCompile(`(?m)^\s*\w+\.licenses?\s*=\s*\[?["']([^"'\]]+)["'](?:\.freeze)?\s*\]?\s*$`)
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
	terms := ""
	if found := gemLicence.FindSubmatch(text); found != nil {
		terms = string(found[1])
	}
	return one("RubyGems", string(name[1]), string(version[1]), terms), nil
}
