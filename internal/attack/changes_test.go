package attack

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/coaming/coaming/internal/fix"
)

// TestChangesEndTheirSteps makes every change of every step that is taken in a bad manifest, each by
// itself in the text, and reads that again: there is one way less from the one node to the other.
func TestChangesEndTheirSteps(t *testing.T) {
	for _, s := range Steps() {
		t.Run(s.ID, func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join("testdata", "steps", s.ID, "bad*.yaml"))
			for _, file := range files {
				raw, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				dir := t.TempDir()
				ways := func(text string) (*Graph, map[[2]Node]int) {
					g := New(worldIn(t, dir, map[string]string{"bad.yaml": text}), []*Step{s})
					counts := map[[2]Node]int{}
					for i := range g.Edges {
						if e := &g.Edges[i]; !e.Joint {
							counts[ends(e)]++
						}
					}
					return g, counts
				}
				g, before := ways(string(raw))
				made := map[string]bool{}
				for i := range g.Edges {
					for k := range g.Edges[i].Changes {
						c := &g.Edges[i].Changes[k]
						if made[c.Key()] {
							continue
						}
						made[c.Key()] = true
						if _, after := ways(changed(t, c)); after[ends(&g.Edges[i])] >= before[ends(&g.Edges[i])] {
							t.Errorf("%s: after %q the step is taken from %s to %s still", file, c.Title, g.Edges[i].Source(), g.Edges[i].Target())
						}
					}
				}
			}
		})
	}
}

// ends are the two ends of a step; hubs of the network are numbered anew each time.
func ends(e *Edge) [2]Node {
	from := e.Source()
	if from.Name == connections {
		from.Part = ""
	}
	return [2]Node{from, e.Target()}
}

// changed is the one file after a change.
func changed(t *testing.T, c *Change) string {
	t.Helper()
	written, err := fix.Write([]fix.Route{{Edits: []fix.Edit{{Place: fix.PlaceOf(c.Object), Changes: c.Rules()}}}})
	if err != nil || len(written.Failed) > 0 || len(written.Result.Files) != 1 {
		t.Fatalf("%s: %v %v, %d files", c.Title, err, written.Failed, len(written.Result.Files))
	}
	return written.Result.Files[0].After
}
