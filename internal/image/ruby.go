package image

import (
	"errors"
	"path"
	"regexp"
	"strings"
)

func gemReader(at string) reader {
	dir := path.Dir(at)
	if path.Base(dir) == "specifications" || strings.HasSuffix(dir, "/specifications/default") {
		return readGem
	}
	return nil
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
