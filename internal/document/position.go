package document

import (
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// Step is one step of a path: a key of a map, or an index of a list when Key is "".
type Step struct {
	Key   string
	Index int
}

// Steps is the path from the document's root to the value.
func (v Value) Steps() []Step {
	if v.doc == nil {
		return nil
	}
	var steps []Step
	d := v.doc
	at := uint32(0)
	for at != v.i {
		inMap := d.nodes[at].kind() == Map
		index := 0
		child := at + 1
		for d.nodes[child].next <= v.i {
			child = d.nodes[child].next
			index++
		}
		if inMap {
			steps = append(steps, Step{Key: d.key(child)})
		} else {
			steps = append(steps, Step{Index: index})
		}
		at = child
	}
	return steps
}

// Position is where the value's entry begins in the source: the line and column of its key, or of
// the item itself. Both are 0 when that is not known.
func (v Value) Position() (line, column int) {
	switch {
	case v.doc == nil || v.doc.source == nil:
		return 0, 0
	case v.doc.foreign:
		return v.doc.foreignPosition(v.Steps())
	case v.node().meta&flagKeySide != 0:
		return v.doc.source.Position(int(v.node().off))
	default:
		return v.doc.source.Position(int(v.node().pos))
	}
}

// Doc is the document the value belongs to; nil for the zero Value.
func (v Value) Doc() *Doc { return v.doc }

// parseNodes reads the document again, by the library that keeps positions. Documents that need
// it are rare, and only findings ask.
func (t *Text) parseNodes(start, end int) (root *yamlv3.Node) {
	defer func() {
		if recover() != nil {
			root = nil
		}
	}()
	var n yamlv3.Node
	if err := yamlv3.Unmarshal([]byte(t.content[start:end]), &n); err != nil || len(n.Content) == 0 {
		return nil
	}
	return n.Content[0]
}

func (d *Doc) foreignPosition(steps []Step) (line, column int) {
	base, _ := d.source.Position(int(d.start))
	n := d.source.parseNodes(int(d.start), int(d.end))
	if n == nil {
		return base, 1
	}
	at := n
	for _, s := range steps {
		for n.Kind == yamlv3.AliasNode && n.Alias != nil {
			n = n.Alias
		}
		entry, value := childNode(n, s)
		if entry == nil {
			break
		}
		at, n = entry, value
	}
	return base + at.Line - 1, at.Column
}

// childNode is the key's node (or the item's) and the value's node of one step.
func childNode(n *yamlv3.Node, s Step) (entry, value *yamlv3.Node) {
	switch n.Kind {
	case yamlv3.SequenceNode:
		if s.Index < len(n.Content) {
			return n.Content[s.Index], n.Content[s.Index]
		}
	case yamlv3.MappingNode:
		for i := len(n.Content) - 2; i >= 0; i -= 2 {
			if n.Content[i].Value == s.Key {
				return n.Content[i], n.Content[i+1]
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if merged := n.Content[i+1]; n.Content[i].Value == "<<" && merged.Kind == yamlv3.AliasNode {
				if entry, value := childNode(merged.Alias, s); entry != nil {
					return entry, value
				}
			}
		}
	case yamlv3.DocumentNode, yamlv3.ScalarNode, yamlv3.AliasNode:
	}
	return nil, nil
}

// findDuplicate places the key that the strict reading refused.
func (t *Text) findDuplicate(start, end int) *Error {
	base := strings.Count(t.content[:start], "\n")
	root := t.parseNodes(start, end)
	if root == nil {
		e := t.errorAt(start, CodeDuplicate, "a key stands twice in one map; only the last is judged", "Remove one of the two.")
		e.Column = 0
		return e
	}
	return duplicateBelow(root, base, 0)
}

func duplicateBelow(n *yamlv3.Node, base, depth int) *Error {
	if depth > maxDepth {
		return nil
	}
	if n.Kind == yamlv3.MappingNode {
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Value != "<<" && seen[key.Value] {
				e := NewText("").duplicateAt(0, key.Value)
				e.Line, e.Column = base+key.Line, key.Column
				return e
			}
			seen[key.Value] = true
		}
	}
	for _, child := range n.Content {
		if e := duplicateBelow(child, base, depth+1); e != nil {
			return e
		}
	}
	return nil
}
