package image

import (
	"cmp"
	_ "embed"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	yaml "github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// artifact is what an archive of Java tells of itself.
type artifact struct {
	file     string // its name without the suffix
	manifest map[string]string
	poms     map[string]coordinates
	classes  bool // it has some
	holds    bool // other archives: it is an application
}

// fileVersion takes the name of an archive apart as build tools put it together: NAME-VERSION.
var fileVersion = regexp.MustCompile(`^(.+?)[-_]v?(\d[\w.+~-]*?)(?:-(?:sources|javadoc|tests|all|jar-with-dependencies|shaded|boot|exec))?$`)

// packages are the artifacts in the archive, its own and those that were put into it. One without coordinates keeps its
// name, and, where its group is not known for certain, no ecosystem: advisories go by group and name, and a guess that
// misses would be taken for safe.
func (a *artifact) packages() []fact.Package {
	var list []fact.Package
	for _, at := range slices.Sorted(maps.Keys(a.poms)) {
		c := a.poms[at]
		if c.version == "" && len(a.poms) == 1 {
			c.version = a.version(c.name)
		}
		p := fact.Package{Ecosystem: "Maven", Name: c.group + ":" + c.name, Version: c.version}
		if c.version == "" || c.group == "" {
			p.Ecosystem = ""
		}
		list = append(list, p)
	}
	if len(list) > 0 {
		return list
	}
	name := a.file
	if m := fileVersion.FindStringSubmatch(a.file); m != nil {
		name = m[1]
	}
	if jenkins := a.manifest["short-name"]; jenkins != "" && a.manifest["plugin-version"] != "" {
		name = jenkins
	}
	version := a.version(name)
	if version == "" && (a.holds || !a.classes) {
		return nil // an application, or no archive of classes
	}
	name = cmp.Or(artifacts().aliases[name], name)
	p := fact.Package{Name: name, Version: version}
	if group := a.group(name); group != "" && version != "" {
		p.Ecosystem, p.Name = "Maven", group+":"+name
	}
	return []fact.Package{p}
}

// version is what the file's name says, or the manifest.
func (a *artifact) version(name string) string {
	if rest, found := strings.CutPrefix(a.file, name+"-"); found && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
		return rest
	}
	if m := fileVersion.FindStringSubmatch(a.file); m != nil && m[1] == name {
		return m[2]
	}
	for _, field := range []string{"plugin-version", "implementation-version", "bundle-version", "specification-version"} {
		if v, _, _ := strings.Cut(strings.TrimSpace(a.manifest[field]), " "); v != "" && !strings.HasPrefix(v, "$") {
			return v
		}
	}
	return ""
}

// group is the group that an artifact without Maven's own notes belongs to: as the manifest says it in so many words, or as
// the table knows of artifacts whose builds write none.
func (a *artifact) group(name string) string {
	return cmp.Or(a.manifest["group-id"], groupOf(name))
}

// groupOf is the group of an artifact by its name, "" where the name alone does not tell.
func groupOf(name string) string {
	t := artifacts()
	if group := t.names[name]; group != "" {
		return group
	}
	best, group := "", ""
	for begin, g := range t.beginnings {
		if len(begin) > len(best) && strings.HasPrefix(name, begin) {
			best, group = begin, g
		}
	}
	return group
}

//go:embed artifacts.yaml
var artifactTable string

// artifactGroups is the table of artifacts that do not say their group.
type artifactGroups struct{ names, beginnings, aliases map[string]string }

var artifacts = sync.OnceValue(func() *artifactGroups {
	t := &artifactGroups{map[string]string{}, map[string]string{}, map[string]string{}}
	docs, _ := yaml.Read(yaml.NewText(artifactTable), 1) // TestTables reads it and fails
	if len(docs) == 0 {
		return t
	}
	root := docs[0].Root()
	for group, names := range root.Get("names").Fields() {
		for _, name := range names.Items() {
			t.names[name.Str()] = group
		}
	}
	for begin, group := range root.Get("beginnings").Fields() {
		t.beginnings[begin] = group.Str()
	}
	for name, meant := range root.Get("aliases").Fields() {
		t.aliases[name] = meant.Str()
	}
	return t
})
