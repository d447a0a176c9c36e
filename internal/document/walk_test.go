package document

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// crowded is a document with a long list, a long map and short ones in them.
func crowded(t *testing.T) Value {
	t.Helper()
	var list, entries []string
	for i := range 300 {
		list = append(list, fmt.Sprintf(`{"name": "n%d", "more": [1, {"a": "b"}]}`, i), strconv.Itoa(i))
		entries = append(entries, fmt.Sprintf(`"k%d": ["x", "y"]`, i))
	}
	return parse(t, `{"list": [`+strings.Join(list, ", ")+`], "map": {`+strings.Join(entries, ", ")+`}}`)
}

func TestWalk(t *testing.T) {
	root := crowded(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same paths each time
	var w Walk
	for n := range 4000 {
		i := n / 3
		if random.IntN(20) == 0 {
			i = random.IntN(700)
		}
		paths := [][]Step{
			{{Key: "list"}, {Index: i}, {Key: "more"}, {Index: 1}, {Key: "a"}},
			{{Key: "map"}, {Key: fmt.Sprint("k", i)}, {Index: 1}},
			{{Key: "list"}, {Key: "k1"}},
			{{Key: "map"}, {Index: i}},
			{{Key: "list"}, {Index: -1}},
		}
		for _, steps := range paths {
			if got, want := w.Follow(root, steps...), root.Follow(steps); got != want {
				t.Fatalf("%v: %v, want %v", steps, got, want)
			}
		}
	}
}

func TestLineage(t *testing.T) {
	root := crowded(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same values each time
	var l Lineage
	for i := range uint32(root.Nodes()) { //nolint:gosec // few
		v := Value{root.doc, i}
		if random.IntN(10) == 0 {
			v.i = random.Uint32N(uint32(root.Nodes())) //nolint:gosec // few
		}
		l.To(v)
		at := v
		for n := range l.Len() {
			if l.Up(n) != at {
				t.Fatalf("node %d, %d up: %v, want %v", v.i, n, l.Up(n).i, at.i)
			}
			at = at.Parent()
		}
		if at.Exists() || l.Up(l.Len()).Exists() {
			t.Fatalf("node %d: the lineage has %d values", v.i, l.Len())
		}
		var before Value
		for _, sibling := range children(v.Parent()) {
			if sibling == v {
				break
			}
			before = sibling
		}
		if l.Before() != before {
			t.Fatalf("node %d: %v stands before it, want %v", v.i, l.Before().i, before.i)
		}
	}
}

func children(v Value) (list []Value) {
	for c := v.Cursor(); c.More(); {
		list = append(list, c.Next())
	}
	return list
}
