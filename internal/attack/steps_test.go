package attack

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/test/specimen"
)

// TestStepsAreAllListed reads the package for files of steps, and compares them with the list.
func TestStepsAreAllListed(t *testing.T) {
	files, err := filepath.Glob("step_*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ids := stepIDs(tree)
		want := strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(file, "step_"), ".go"), "_", "-")
		if !slices.Equal(ids, []string{want}) {
			t.Errorf("%s holds the steps %q, and by its name the step %q", file, ids, want)
		}
		found = append(found, ids...)
	}
	var listed []string
	for _, s := range Steps() {
		listed = append(listed, s.ID)
	}
	if slices.Sort(found); !slices.Equal(listed, found) {
		t.Errorf("steps lists, in this order:\n%q\nfiles hold, sorted:\n%q", listed, found)
	}
}

// stepIDs are the IDs of the literals of Step in a file.
func stepIDs(tree *ast.File) []string {
	var ids []string
	ast.Inspect(tree, func(n ast.Node) bool {
		literal, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		if name, ok := literal.Type.(*ast.Ident); !ok || name.Name != "Step" {
			return true
		}
		for _, e := range literal.Elts {
			pair, ok := e.(*ast.KeyValueExpr)
			if !ok {
				continue
			}
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "ID" {
				if value, ok := pair.Value.(*ast.BasicLit); ok {
					ids = append(ids, strings.Trim(value.Value, `"`))
				}
			}
		}
		return true
	})
	return ids
}

var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// TestStepsAreTold holds every step to say all that people read.
func TestStepsAreTold(t *testing.T) {
	for _, s := range Steps() {
		for field, text := range map[string]string{"Title": s.Title, "Needs": s.Needs, "Gives": s.Gives} {
			if text == "" || strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is %q: a phrase without a full stop", s.ID, field, text)
			}
		}
		for field, text := range map[string]string{"Why": s.Why, "Fix": s.Fix} {
			if !strings.HasSuffix(text, ".") {
				t.Errorf("%s: %s is %q: sentences, which end in a full stop", s.ID, field, text)
			}
		}
		if !technique.MatchString(s.Technique) || s.TechniqueTitle() == "" {
			t.Errorf("%s: %q is no technique of MITRE ATT&CK that techniques knows", s.ID, s.Technique)
		}
		if s.Effort == Joint || s.Find == nil {
			t.Errorf("%s has no effort or no Find", s.ID)
		}
	}
}

// TestStepsOnTheirManifests takes every step in each of its bad manifests, between the nodes that the
// manifest's head names ("# from: ...", "# to: ..."; "# doubt" where it must be doubtful), by a path
// of joints around it, and not in the good ones.
func TestStepsOnTheirManifests(t *testing.T) {
	for _, s := range Steps() {
		t.Run(s.ID, func(t *testing.T) {
			bad, _ := filepath.Glob(filepath.Join("testdata", "steps", s.ID, "bad*.yaml"))
			good, _ := filepath.Glob(filepath.Join("testdata", "steps", s.ID, "good*.yaml"))
			if len(bad) == 0 || len(good) == 0 {
				t.Fatalf("testdata/steps/%s holds %d bad*.yaml and %d good*.yaml: it wants both", s.ID, len(bad), len(good))
			}
			for _, file := range bad {
				checkBad(t, s, file)
			}
			for _, file := range good {
				g := New(worldOf(t, file), []*Step{s})
				for i := range g.Edges {
					if e := &g.Edges[i]; !e.Joint {
						t.Errorf("%s: the step is taken from %s to %s", file, e.Source(), e.Target())
					}
				}
			}
		})
	}
}

func checkBad(t *testing.T, s *Step, file string) {
	t.Helper()
	g := New(worldOf(t, file), []*Step{s})
	heads := headsOf(t, file)
	if len(heads) == 0 {
		t.Errorf("%s: its head names no ends: # from: ... and # to: ...", file)
	}
	for _, h := range heads {
		var seen []string
		taken := false
		for i := range g.Edges {
			e := &g.Edges[i]
			if e.Joint {
				continue
			}
			seen = append(seen, e.Source().String()+" -> "+e.Target().String())
			if !g.joined(h.from, e.Source().String()) || !g.joined(e.Target().String(), h.to) || (e.Doubt != "") != h.doubt {
				continue
			}
			taken = true
			if len(e.Evidence) == 0 || e.Evidence[0].Object == nil || e.Evidence[0].Text == "" {
				t.Errorf("%s: the step has no evidence", file)
			}
		}
		if !taken {
			t.Errorf("%s: the step is not taken from %s to %s (doubtful: %v); taken is\n%s", file, h.from, h.to, h.doubt, strings.Join(seen, "\n"))
		}
	}
}

// joined says whether joints alone lead from one node to another.
func (g *Graph) joined(from, to string) bool {
	if from == to {
		return true
	}
	seen := make([]bool, len(g.Nodes))
	var queue []int32
	for i, n := range g.Nodes {
		if n.String() == from {
			queue, seen[i] = append(queue, int32(i)), true
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if g.Nodes[at].String() == to {
			return true
		}
		for _, e := range g.out.of(at) {
			if next := g.Edges[e].To; g.Edges[e].Joint && !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return false
}

// head is the ends that a manifest's comments name.
type head struct {
	from, to string
	doubt    bool
}

func headsOf(t *testing.T, file string) []head {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []head
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if from, found := strings.CutPrefix(line, "# from: "); found {
			list = append(list, head{from: from})
		} else if to, found := strings.CutPrefix(line, "# to: "); found && len(list) > 0 {
			list[len(list)-1].to = to
		} else if line == "# doubt" && len(list) > 0 {
			list[len(list)-1].doubt = true
		}
	}
	return list
}

// worldOf is the world of a file of manifests.
func worldOf(t testing.TB, file string) *World {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return worldFrom(t, file, string(raw))
}

// flawsIn are the lines "# flaw: IMAGE ID PACKAGE LIKELIHOOD" of a manifest; "exploited" is a likelihood, too.
func flawsIn(text string) map[string][]Flaw {
	flaws := map[string][]Flaw{}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 6 || words[0] != "#" || words[1] != "flaw:" {
			continue
		}
		f := Flaw{ID: words[3], Package: words[4], Exploited: words[5] == "exploited"}
		f.Likelihood, _ = strconv.ParseFloat(words[5], 64)
		flaws[words[2]] = append(flaws[words[2]], f)
	}
	return flaws
}

func worldFrom(t testing.TB, file, text string) *World {
	t.Helper()
	return NewWorld(Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File(file), text), "1.36", false), Flaws: flawsIn(text)})
}
