package image

import (
	"path"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// readApk reads the database of installed packages of Alpine and its kin: a letter, a colon and a value a line,
// an empty line between packages (wiki.alpinelinux.org/wiki/Apk_spec).
func readApk(in *input) (*find, error) {
	f := &find{}
	p := fact.Package{Ecosystem: apk}
	dir, begun := "", false
	var odd oddities
	flush := func() {
		if begun {
			odd.check(p.Name, p.Version)
			if p.Source == "" {
				p.Source = p.Name
			}
			p.SourceVersion = p.Version
			f.packages = append(f.packages, p)
		}
		p, dir, begun = fact.Package{Ecosystem: apk}, "", false
	}
	err := in.lines(func(line string) bool {
		key, value, ok := strings.Cut(line, ":")
		if line == "" {
			flush()
		}
		if !ok {
			if line != "" {
				odd.lines++
			}
			return true
		}
		begun = true
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
		case "D":
			p.Needs = apkNames(value, false)
		case "p":
			p.Provides = apkNames(value, true)
		case "I":
			p.Size, _ = strconv.ParseInt(value, 10, 48)
		case "F":
			dir = value
		case "R":
			p.Files = append(p.Files, path.Join(dir, value))
		}
		return true
	})
	flush()
	return odd.settle(f, err)
}

// apkNames are names without the versions behind them: "so:libc.musl-x86_64.so.1 busybox>=1.36". A conflict ("!name") is no need.
func apkNames(value string, provided bool) []string {
	var list []string
	for word := range strings.FieldsSeq(value) {
		if at := strings.IndexAny(word, "=<>~"); at > 0 {
			word = word[:at]
		}
		if word != "" && (provided || word[0] != '!') {
			list = append(list, word)
		}
	}
	return list
}
