package reach

import (
	"io"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// FuzzNetwork reads whatever objects: it must not fail, and its flows must agree with its pairs.
func FuzzNetwork(f *testing.F) { fuzzNetwork(f, base, tables) }

// FuzzMesh is FuzzNetwork in a cluster with meshes.
func FuzzMesh(f *testing.F) { fuzzNetwork(f, meshBase, meshTables) }

func fuzzNetwork(f *testing.F, base string, tables map[string]table) {
	f.Helper()
	for _, table := range tables {
		f.Add(table.policies)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<14 {
			return
		}
		docs, _ := document.Read(document.NewText(base+text), 1)
		var objects []*fact.Object
		for _, d := range docs {
			if d.Root().Kind() == document.Map {
				objects = append(objects, fact.NewObject(d.Root(), &fact.Origin{Source: "files"}))
			}
		}
		n := New(Input{Inventory: fact.NewInventory(objects, "1.36", false)})
		m := matrix(n)
		for i := range n.pods.All() {
			for j := range n.Endpoints {
				a, b := n.Between(i, j), m[[2]int{i, j}]
				if !a.Open.Equal(b.Open) || !a.Unknown.Equal(b.Unknown) || !a.Open.Intersect(a.Unknown).Empty() {
					t.Fatalf("between %d and %d is %v, in the flows %v", i, j, a, b)
				}
				n.Explain(i, j)
			}
		}
		answer := n.Ask(n.everything(), n.everything(), AllPorts())
		for _, format := range Formats {
			if err := format.Write(io.Discard, n, &answer); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// FuzzExpression reads whatever selectors of Calico.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{`all()`, `a == 'b' && !has(c) || d in {'x', "y"}`, `a not in {}`, `(x starts with 'y')`, `!(!a != '')`, `global()`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := parseExpression(text)
		if err != nil {
			return
		}
		known := e(func(string) (string, answer) { return "b", yes })
		if known == maybe {
			t.Errorf("%q is maybe where every label is known", text)
		}
		if open := e(func(string) (string, answer) { return "", maybe }); open > yes {
			t.Errorf("%q is %d", text, open)
		}
	})
}
