// Package coaming holds no code of its own: its tests are the rules of the house, which docs/design.md explains.
package coaming

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/coaming/coaming"

// floors is the house. A room imports only from the floors below it, and never a neighbour (but see besides).
// A new room is entered here and in docs/design.md.
var floors = map[string]int{
	"cmd/coaming":  4,
	"internal/cli": 4,

	"internal/source":    3,
	"internal/cache":     3,
	"internal/heap":      3,
	"internal/hold":      3,
	"internal/bundle":    3,
	"internal/vulndb":    3,
	"internal/image":     3,
	"internal/registry":  3,
	"internal/trust":     3,
	"internal/reconcile": 3,
	"internal/gate":      3,
	"internal/clearance": 3,

	"internal/certificate": 3,
	"internal/install":     3,

	"internal/judge":     2,
	"internal/admission": 2,
	"internal/report":    2,
	"internal/fix":       2,
	"internal/policy":    2,
	"internal/rehearsal": 2,
	"internal/kubetype":  2,
	"internal/workbench": 2,
	"internal/reach":     2,
	"internal/attack":    2,
	"internal/advisory":  2,
	"internal/sbom":      2,
	"internal/assay":     2,
	"internal/inject":    2,

	"internal/drift":       1,
	"internal/purl":        1,
	"internal/rbac":        1,
	"internal/rule":        1,
	"internal/catalog":     1,
	"internal/exception":   1,
	"internal/signature":   1,
	"internal/threshold":   1,
	"internal/enforcement": 1,

	"internal/fact":       0,
	"internal/verdict":    0,
	"internal/document":   0,
	"internal/credential": 0,
	"internal/rpmdb":      0,
	"internal/varint":     0,
}

// besides lists the few neighbours that may be imported, each with its reason.
var besides = map[string][]string{
	"cmd/coaming":      {"internal/cli"},  // main is os.Exit(cli.Run(...))
	"internal/catalog": {"internal/rule"}, // the built-in rules are rules
	"internal/rule":    {"internal/rbac"}, // what RBAC rules grant is known in one place
	// A plan speaks of rules, of frameworks and of gates.
	"internal/enforcement": {"internal/rule", "internal/catalog", "internal/threshold"},
	// Rules ask the graph of attacks, and the network beneath it, through named facts.
	"internal/judge":     {"internal/attack", "internal/reach"},
	"internal/admission": {"internal/judge"}, // a request is decided by the one decision function
	// A trial of a rule is a judgement, its fix is proved as any is, and a rule from outside is held to the types of its facts.
	"internal/workbench": {"internal/judge", "internal/fix", "internal/kubetype"},
	// What a plan would refuse judge says, and policy what the API server shows policies.
	"internal/rehearsal": {"internal/judge", "internal/policy"},
	// A mutation is a fix that judge has proved, or a part of a pod held to the API's types, and stands as a policy too.
	"internal/inject": {"internal/judge", "internal/fix", "internal/kubetype", "internal/policy"},
	// The gate's images are read, kept, vouched for and judged by the rooms that scans use.
	"internal/clearance": {"internal/hold", "internal/image", "internal/registry", "internal/trust", "internal/vulndb"},
	"internal/trust":     {"internal/registry"}, // what stands beside an image is fetched as images are
	"internal/assay":     {"internal/advisory"}, // what is published about a package is known in one place
	"internal/image":     {"internal/registry"}, // an image in a registry is read as any other
	"internal/attack":    {"internal/reach"},    // connections are steps, decided in one place
	// Who installs makes the authority that the gate's certificates are made of.
	"internal/install": {"internal/certificate"},
	"internal/fact":    {"internal/document"}, // an object is a document of which kind and name are known
}

// alone lists rooms that import less than their floor allows.
var alone = map[string][]string{
	"cmd/coaming": {"internal/cli"}, // about 20 lines: whatever else it wants belongs in cli
}

// carried are packages outside of the house that hold files for the binary, and no code.
var carried = []string{"deploy"}

// pure is the highest floor that does no I/O and reads no clock: same input, same output.
const pure = 2

// notPure are the packages that a pure room has no use for.
var notPure = []string{
	"os", "os/exec", "os/signal", "os/user", "syscall", "net", "net/http", "net/rpc", "net/smtp",
	"log", "math/rand", "math/rand/v2", "crypto/rand", "database/sql",
}

// clock is what a pure room may not use of package time.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// homes says where alone a weighty dependency is imported; a prefix stands for every package below it.
var homes = map[string][]string{
	// cli: the kubeconfig flags; certificate: keys in PEM.
	"k8s.io/client-go":                       {"internal/source", "internal/cli", "internal/certificate", "internal/install", "internal/reconcile", "internal/gate"},
	"k8s.io/cli-runtime":                     {"internal/source", "internal/cli"},
	"helm.sh/helm":                           {"internal/source", "internal/install"},
	"sigs.k8s.io/kustomize":                  {"internal/source"},
	"github.com/google/cel-go":               {"internal/rule", "internal/policy", "internal/kubetype", "internal/threshold"},
	"k8s.io/apiserver":                       {"internal/rule", "internal/policy"},
	"k8s.io/api":                             {"internal/kubetype", "internal/reconcile"},
	"github.com/google/go-containerregistry": {"internal/bundle", "internal/registry", "internal/image", "internal/clearance"}, // the last two: names of images
	"github.com/prometheus":                  {"internal/gate"},
	"github.com/BurntSushi/toml":             {"internal/registry"},
	"github.com/google/osv-scalibr":          {"internal/advisory"},
	"github.com/sigstore":                    {"internal/trust"},
	"github.com/secure-systems-lab":          {"internal/trust"},
	"github.com/notaryproject":               {"internal/trust"},
	"github.com/pandatix/go-cvss":            {"internal/advisory"},
	"github.com/klauspost/compress":          {"internal/image", "internal/vulndb"},
	"go.yaml.in/yaml":                        {"internal/document", "internal/source"}, // source: what kustomize writes
	"github.com/spf13/cobra":                 {"internal/cli"},
	"github.com/spf13/pflag":                 {"internal/cli"},
	"k8s.io/kubernetes":                      {}, // the sandbox, a module of its own
}

// nameless are names that say nothing about what is inside.
var nameless = []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "misc", "shared", "base", "lib"}

// source is one Go file of the tree.
type source struct {
	file string // relative, with slashes
	test bool
	tree *ast.File
}

// room is the first two elements of the path of a file under internal or cmd, "" elsewhere.
func room(file string) string {
	parts := strings.Split(file, "/")
	if len(parts) < 3 || (parts[0] != "internal" && parts[0] != "cmd") {
		return ""
	}
	return path.Join(parts[:2]...)
}

func TestRoomsImportOnlyFromBelow(t *testing.T) {
	for _, s := range sources(t) {
		from := room(s.file)
		if s.test || from == "" {
			continue
		}
		if _, ok := floors[from]; !ok {
			t.Errorf("%s: room %s has no floor: enter it in arch_test.go and docs/design.md", s.file, from)
			continue
		}
		for _, imported := range imports(s.tree) {
			rest, ours := strings.CutPrefix(imported, module+"/")
			if !ours {
				continue
			}
			to := room(rest + "/file.go")
			if to == from {
				continue
			}
			if to == "" && slices.Contains(carried, rest) {
				continue
			}
			if to == "" {
				t.Errorf("%s imports %s: the product does not import its own tests, examples or tools", s.file, rest)
				continue
			}
			if allowed, ok := alone[from]; ok && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s: %s imports nothing but %s", s.file, rest, from, strings.Join(allowed, ", "))
				continue
			}
			if floors[to] >= floors[from] && !slices.Contains(besides[from], to) {
				t.Errorf("%s (floor %d) imports %s (floor %d): a room imports only from floors below it", s.file, floors[from], rest, floors[to])
			}
		}
	}
}

func TestDependenciesStayInTheirRooms(t *testing.T) {
	for _, s := range sources(t) {
		from := room(s.file)
		if s.test || from == "" {
			continue
		}
		for _, imported := range imports(s.tree) {
			for prefix, rooms := range homes {
				if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(rooms, from) {
					t.Errorf("%s imports %s, which belongs in these rooms alone: %s", s.file, imported, rooms)
				}
			}
		}
	}
}

func TestPureRoomsStayPure(t *testing.T) {
	for _, s := range sources(t) {
		floor, ok := floors[room(s.file)]
		if s.test || !ok || floor > pure {
			continue
		}
		for _, imported := range imports(s.tree) {
			if slices.Contains(notPure, imported) {
				t.Errorf("%s imports %s: floors 0 to %d do no I/O, and give the same output for the same input", s.file, imported, pure)
			}
		}
		for _, used := range clockUses(s.tree) {
			t.Errorf("%s uses %s: floors 0 to %d are told the time", s.file, used, pure)
		}
	}
}

func TestRoomsHaveNamesThatSaySomething(t *testing.T) {
	for _, s := range sources(t) {
		dir := path.Dir(s.file)
		if slices.Contains(nameless, path.Base(dir)) {
			t.Errorf("%s: a package is named by the noun it is about", dir)
		}
		if strings.HasPrefix(dir, "internal/") && strings.Count(dir, "/") > 2 {
			t.Errorf("%s: at most two levels below internal", dir)
		}
	}
}

// TestHouseRulesNotice asks the rules above to see what they are there for.
func TestHouseRulesNotice(t *testing.T) {
	const text = `package p
import stopwatch "time"
import "time/tzdata"
var now = stopwatch.Now
var d stopwatch.Duration
func f() { time.Now(); stopwatch.Sleep(d) }`
	tree, err := parser.ParseFile(token.NewFileSet(), "p.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := clockUses(tree), []string{"time.Now", "time.Sleep"}; !slices.Equal(got, want) {
		t.Errorf("clock uses are %q, want %q", got, want)
	}
	for file, want := range map[string]string{
		"internal/source/helm.go":      "internal/source",
		"internal/source/helm/load.go": "internal/source",
		"cmd/coaming/main.go":          "cmd/coaming",
		"arch_test.go":                 "",
		"test/bench/main.go":           "",
	} {
		if got := room(file); got != want {
			t.Errorf("room of %s is %q, want %q", file, got, want)
		}
	}
}

func imports(tree *ast.File) []string {
	var paths []string
	for _, spec := range tree.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// clockUses finds package time's clock, called or passed on, whatever name the file gives the package.
func clockUses(tree *ast.File) []string {
	local := ""
	for _, spec := range tree.Imports {
		if spec.Path.Value == `"time"` {
			local = "time"
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	if local == "" {
		return nil
	}
	if local == "." {
		return []string{"a dot import of time"}
	}
	var used []string
	ast.Inspect(tree, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == local && slices.Contains(clock, selector.Sel.Name) {
			used = append(used, "time."+selector.Sel.Name)
		}
		return true
	})
	return used
}

// sources parses every Go file of the tree, whatever its build tags.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	set := token.NewFileSet()
	for _, file := range files(t) {
		if !strings.HasSuffix(file, ".go") || strings.Contains(file, "/testdata/") {
			continue
		}
		tree, err := parser.ParseFile(set, filepath.FromSlash(file), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, source{file: file, test: strings.HasSuffix(file, "_test.go"), tree: tree})
	}
	return list
}

// files lists the tree as it would be committed: relative paths with slashes, less what is built or fetched.
func files(t *testing.T) []string {
	t.Helper()
	built := []string{".git", "bin", "dist", ".cache", "node_modules"}
	var list []string
	err := filepath.WalkDir(".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(built, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular():
			list = append(list, filepath.ToSlash(file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
