package image

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// dpkgReader is the reader of a file of dpkg's other than its status: lists of files (info/NAME.list), and, in
// images without dpkg, one status for each package (status.d/NAME, with the files in NAME.md5sums).
func dpkgReader(at string) reader {
	base := path.Base(at)
	switch path.Dir(at) {
	case "var/lib/dpkg/info":
		if name, list := strings.CutSuffix(base, ".list"); list {
			return func(in *input) (*find, error) { return readOwned(in, name, "") }
		}
	case "var/lib/dpkg/status.d":
		if name, sums := strings.CutSuffix(base, ".md5sums"); sums {
			return func(in *input) (*find, error) { return readOwned(in, name, "  ") }
		}
		return readDpkgStatus
	}
	return nil
}

// readOwned reads a list of files, one a line, behind the separator where there is one.
func readOwned(in *input, name, separator string) (*find, error) {
	f := &find{owner: name}
	err := in.lines(func(line string) bool {
		if separator != "" {
			_, line, _ = strings.Cut(line, separator)
		}
		if at, _ := clean(line); at != "" {
			f.owned = append(f.owned, at)
		}
		return true
	})
	return f, err
}

// readDpkgStatus reads paragraphs of fields (deb-control(5)), one for each package, installed or not.
func readDpkgStatus(in *input) (*find, error) {
	f := &find{}
	fields := map[string]string{}
	var odd oddities
	begun := false
	flush := func() {
		if p, ok := dpkgPackage(fields); ok && begun {
			odd.check(p.Name, p.Version)
			f.packages = append(f.packages, p)
		}
		clear(fields)
		begun = false
	}
	err := in.lines(func(line string) bool {
		if strings.TrimSpace(line) == "" {
			flush()
			return true
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok && line[0] != ' ' && line[0] != '\t' {
			odd.lines++
		}
		begun = begun || ok
		if ok && line[0] != ' ' && line[0] != '\t' {
			switch key = strings.ToLower(key); key {
			case "package", "version", "source", "status", "architecture", "depends", "pre-depends", "provides", "installed-size", "origin", "vendor", "maintainer":
				fields[key] = strings.Clone(strings.TrimSpace(value))
			}
		}
		return true
	})
	flush()
	return odd.settle(f, err)
}

// dpkgPackage makes a package of a paragraph, unless none of its files are there.
func dpkgPackage(fields map[string]string) (fact.Package, bool) {
	p := fact.Package{Ecosystem: dpkg, Name: fields["package"], Version: fields["version"], Architecture: fields["architecture"]}
	if words := strings.Fields(fields["status"]); len(words) > 0 {
		switch words[len(words)-1] {
		case "not-installed", "config-files":
			return p, false
		}
	}
	p.Needs = append(relations(fields["pre-depends"]), relations(fields["depends"])...)
	p.Provides = relations(fields["provides"])
	if kib, err := strconv.ParseInt(fields["installed-size"], 10, 48); err == nil && kib > 0 {
		p.Size = kib << 10
	}
	p.Vendor = cmp.Or(fields["origin"], fields["vendor"], fields["maintainer"])
	p.Source, p.SourceVersion = p.Name, p.Version
	if source := fields["source"]; source != "" {
		name, version, given := strings.Cut(source, "(")
		p.Source = strings.TrimSpace(name)
		if given {
			p.SourceVersion = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(version), ")"))
		}
	}
	return p, true
}

// relations are the names of a field of relations (deb-control(5)): "libc6 (>= 2.36), perl:any | awk" is "libc6" and "perl|awk".
func relations(field string) []string {
	var list []string
	for group := range strings.SplitSeq(field, ",") {
		var names []string
		for one := range strings.SplitSeq(group, "|") {
			name, _, _ := strings.Cut(strings.TrimSpace(one), " ")
			name, _, _ = strings.Cut(name, "(")
			if name, _, _ = strings.Cut(name, ":"); name != "" {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			list = append(list, strings.Join(names, "|"))
		}
	}
	return list
}
