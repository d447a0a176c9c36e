package image

import (
	"path"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// readApk reads the database of installed packages of Alpine and its kin: a letter, a colon and a value a line,
// an empty line between packages (wiki.alpinelinux.org/wiki/Apk_spec).
func readApk(in *input) (*find, error) {
	f := &find{}
	p := fact.Package{Ecosystem: apk}
	dir := ""
	flush := func() {
		if p.Name != "" && p.Version != "" {
			if p.Source == "" {
				p.Source = p.Name
			}
			p.SourceVersion = p.Version
			f.packages = append(f.packages, p)
		}
		p, dir = fact.Package{Ecosystem: apk}, ""
	}
	err := in.lines(func(line string) bool {
		key, value, ok := strings.Cut(line, ":")
		if line == "" {
			flush()
		}
		if !ok {
			return true
		}
		switch key {
		case "P":
			p.Name = value
		case "V":
			p.Version = value
		case "A":
			p.Architecture = value
		case "L":
			p.Licence = licence(value)
		case "o":
			p.Source = value
		case "F":
			dir = value
		case "R":
			p.Files = append(p.Files, path.Join(dir, value))
		}
		return true
	})
	flush()
	return f, err
}
