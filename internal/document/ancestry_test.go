package document

import (
	"strings"
	"testing"
)

// TestAncestry holds the paths to all values of a document to those that are walked, below the root and below an item.
func TestAncestry(t *testing.T) {
	root := crowded(t)
	a := NewAncestry(root.doc)
	item := root.At("list").Index(4)
	for _, from := range []Value{root, item} {
		begin := len(from.Steps())
		for i := range uint32(root.Nodes()) { //nolint:gosec // few
			v := Value{root.doc, i}
			got, ok := a.PathText(from, v)
			if below := i >= from.i && i < from.node().next; ok != below {
				t.Fatalf("node %d below node %d: %t, want %t", i, from.i, ok, below)
			}
			if !ok {
				continue
			}
			if want := from.PathText(v.Steps()[begin:]); got != want {
				t.Fatalf("node %d: %q, want %q", i, got, want)
			}
		}
	}
	if _, ok := a.PathText(root, parse(t, `{"a": 1}`)); ok {
		t.Error("a value of another document has a path")
	}
}

// TestAncestryGrowth holds the work for the paths to all items of a list, the last ones first, to their number.
func TestAncestryGrowth(t *testing.T) {
	for _, n := range []int{1000, 100_000} {
		root := parse(t, `{"list": [`+strings.TrimSuffix(strings.Repeat("1, ", n), ", ")+`]}`)
		a := NewAncestry(root.doc)
		for i := root.doc.Root().Nodes() - 1; i > 1; i-- {
			a.PathText(root, Value{root.doc, uint32(i)}) //nolint:gosec // few
		}
		if most := 4 * n; a.looked > most {
			t.Errorf("%d items: looked at %d nodes, want %d at most", n, a.looked, most)
		}
	}
}
