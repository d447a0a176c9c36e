package coaming

import (
	"bytes"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageHasOneComment(t *testing.T) {
	type pkg struct {
		dir, name string
		tests     bool // nothing but tests
		comments  []string
	}
	packages := map[string]*pkg{}
	for _, s := range sources(t) {
		name := s.tree.Name.Name
		if s.test {
			name = strings.TrimSuffix(name, "_test") // an outside test needs no comment of its own
		}
		key := path.Dir(s.file) + " " + name
		p := packages[key]
		if p == nil {
			p = &pkg{dir: path.Dir(s.file), name: name, tests: true}
			packages[key] = p
		}
		p.tests = p.tests && s.test
		if s.tree.Doc == nil {
			continue
		}
		p.comments = append(p.comments, s.file)
		if text := s.tree.Doc.Text(); name != "main" && !strings.HasPrefix(text, "Package "+s.tree.Name.Name+" ") {
			t.Errorf("%s: the package comment begins with %q, want %q", s.file, first(text), "Package "+s.tree.Name.Name)
		}
	}
	for _, p := range packages {
		if len(p.comments) != 1 {
			t.Errorf("package %s in %s has %d package comments %v, want 1: what it is, what it is not, who may import it", p.name, p.dir, len(p.comments), p.comments)
		}
	}
}

func first(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func TestDesignNamesEveryPackage(t *testing.T) {
	design := read(t, "docs/design.md")
	seen := map[string]bool{}
	for _, s := range sources(t) {
		if room(s.file) == "" || seen[path.Dir(s.file)] {
			continue
		}
		seen[path.Dir(s.file)] = true
		named := regexp.MustCompile(regexp.QuoteMeta(path.Dir(s.file)) + `\b`)
		if !named.MatchString(design) {
			t.Errorf("docs/design.md does not name %s", path.Dir(s.file))
		}
	}
}

// TestDecisionsKnowEveryDependency holds docs/decisions.md to go.mod: one line for each module that we chose ourselves.
func TestDecisionsKnowEveryDependency(t *testing.T) {
	direct := requires(read(t, "go.mod"))
	if len(direct) == 0 {
		t.Fatal("go.mod has no direct dependency: the reader of it is broken")
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9.-]+\\.[a-z]+/[^`]+)` \\|")
	var listed []string
	for _, match := range row.FindAllStringSubmatch(read(t, "docs/decisions.md"), -1) {
		if slices.Contains(listed, match[1]) {
			t.Errorf("docs/decisions.md has two lines for %s", match[1])
		}
		listed = append(listed, match[1])
	}
	for _, dependency := range direct {
		if !slices.Contains(listed, dependency) {
			t.Errorf("docs/decisions.md has no line for %s", dependency)
		}
	}
	for _, dependency := range listed {
		if !slices.Contains(direct, dependency) {
			t.Errorf("docs/decisions.md has a line for %s, which go.mod does not require directly", dependency)
		}
	}
}

// requires lists the direct dependencies in the text of a go.mod.
func requires(mod string) []string {
	var list []string
	for line := range strings.Lines(mod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && strings.HasPrefix(fields[1], "v") && strings.Contains(fields[0], "/") && !strings.Contains(line, "// indirect") {
			list = append(list, fields[0])
		}
	}
	return list
}

// trace is something that belongs to one machine or one workplace and not in the tree. The patterns are written so that
// they do not match themselves.
type trace struct {
	what      string
	pattern   *regexp.Regexp
	manifests bool // looked for in manifests as well, where a path is one inside a container
}

var traces = []trace{
	{"a path of one machine", regexp.MustCompile(`(^|[^\w.~-])/[w]ork/\w`), true},
	{"a path of one machine", regexp.MustCompile(`(^|[^\w.~-])/([r]oot|[h]ome/\w+|[U]sers/\w+)/[\w.]`), false},
	{"the host of a package registry", regexp.MustCompile(`[p]roxy\.golang\.org|[r]egistry\.npmjs\.org|[d]eb\.debian\.org|GOPROXY=[h]ttp`), true},
	{"a replacement that exists on one machine", regexp.MustCompile(`^\s*(replace\s+)?\S+(\s+v\S+)?\s+=> [/]`), true},
	{"the name of a tool of a workplace", regexp.MustCompile(`(?i)\b([c]laude|[c]opilot|[c]hatgpt)\b`), true},
}

func TestTreeHoldsNoTraceOfAMachine(t *testing.T) {
	for _, file := range files(t) {
		text := []byte(read(t, file))
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not text
		}
		for _, tr := range traces {
			if !tr.manifests && manifest(file) {
				continue
			}
			number := 0
			for line := range bytes.Lines(text) {
				number++
				if tr.pattern.Match(line) {
					t.Errorf("%s:%d: %s: %s", file, number, tr.what, bytes.TrimSpace(line))
				}
			}
		}
	}
}

// manifest says whether a file is about what stands inside a container.
func manifest(file string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json", ".txt", ".txtar", ".tpl"}, path.Ext(file)) ||
		strings.Contains(file, "/testdata/") || strings.HasPrefix(file, "examples/")
}

func TestTracesAreNoticed(t *testing.T) {
	noticed := func(line string) bool {
		return slices.ContainsFunc(traces, func(tr trace) bool { return tr.pattern.MatchString(line) })
	}
	for _, line := range []string{
		"see /" + "work/main/README.md", "key: /" + "root/.ssh/id", `"/` + `home/ann/x"`, "https://proxy" + ".golang.org",
		"replace example.org/x => " + "/tmp/x", "\texample.org/x => " + "/tmp/x", "written by Clau" + "de",
	} {
		if !noticed(line) {
			t.Errorf("%q is not noticed", line)
		}
	}
	for _, line := range []string{"test/work/x", "network/work/", "./root/x", "a => b", "=> ../sibling", "a homework"} {
		if noticed(line) {
			t.Errorf("%q is noticed", line)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
