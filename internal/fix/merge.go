package fix

import (
	"errors"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
)

// errNoPatch says that changes have no strategic merge patch.
var errNoPatch = errors.New("a patch cannot name the place: an item of a list has no name")

// Merge is the strategic merge patch that makes the changes of an object under the name that it has
// before an overlay renames it. Of a choice it takes the candidate of that index.
func Merge(o *fact.Object, name string, changes []rule.Change, choice int) (string, error) {
	doc, fault := document.ParseJSON(string(o.Root.AppendJSON(nil)))
	if fault != nil {
		return "", fault
	}
	draft, err := doc.Edit()
	if err != nil {
		return "", err
	}
	m := &made{doc: doc}
	it := &item{choice: choice}
	place := &Edit{}
	for i := range changes {
		if changes[i].Op == rule.FixAdd {
			return "", errNoPatch
		}
		if err := m.change(draft, it, place, &changes[i]); err != nil {
			return "", err
		}
	}
	patch := &patchNode{}
	patch.child("apiVersion").value, patch.child("kind").value = text(o.APIVersion), text(o.Kind)
	patch.child("metadata").child("name").value = text(name)
	if ns := o.Root.At("metadata", "namespace"); ns.Exists() {
		patch.child("metadata").child("namespace").value = ns.AppendJSON(nil)
	}
	for i := range changes {
		if err := patch.put(o.Root, draft, changes[i].Steps); err != nil {
			return "", err
		}
	}
	whole, fault := document.ParseJSON(string(patch.json()))
	if fault != nil {
		return "", fault
	}
	return document.YAML(whole.Root()), nil
}

func text(s string) []byte { return document.AppendString(nil, s) }

// patchNode is a part of a patch: a value, entries of a map, or the named items of a list.
type patchNode struct {
	value []byte
	keys  []string
	below map[string]*patchNode
	list  bool
}

func (n *patchNode) child(key string) *patchNode {
	if n.below == nil {
		n.below = map[string]*patchNode{}
	}
	if n.below[key] == nil {
		n.below[key] = &patchNode{}
		n.keys = append(n.keys, key)
	}
	return n.below[key]
}

// mergeKeys are the keys by which a strategic merge patch finds the items of a list, by the list's field
// (patchMergeKey in k8s.io/api core/v1). Lists that have none, such as a binding's subjects, are replaced.
var mergeKeys = map[string]string{
	"containers": "name", "initContainers": "name", "ephemeralContainers": "name", "volumes": "name", "env": "name", "imagePullSecrets": "name",
	"volumeMounts": "mountPath", "volumeDevices": "devicePath", "ports": "name",
}

// put sets what the draft holds at a path, null where it holds nothing.
func (n *patchNode) put(root document.Value, draft *document.Draft, steps []document.Step) error {
	for i, s := range steps {
		if n.value != nil {
			return nil // a whole above it is set
		}
		if s.Key != "" {
			n = n.child(s.Key)
			continue
		}
		key := mergeKeys[steps[max(i-1, 0)].Key]
		if key == "" { // it is replaced as a whole
			steps = steps[:i]
			break
		}
		name := root.Follow(steps[:i+1]).Get(key).Str()
		if name == "" {
			return errNoPatch
		}
		n.list = true
		n = n.child(name)
		n.child(key).value = text(name)
		if i == len(steps)-1 {
			if draft.JSON(steps) != "" {
				return errNoPatch
			}
			n.child("$patch").value = text("delete")
			return nil
		}
	}
	n.value = []byte("null")
	if now := draft.JSON(steps); now != "" {
		n.value = []byte(now)
	}
	return nil
}

func (n *patchNode) json() []byte {
	if n.value != nil {
		return n.value
	}
	opening, closing := byte('{'), byte('}')
	if n.list {
		opening, closing = '[', ']'
	}
	out := []byte{opening}
	for i, key := range n.keys {
		if i > 0 {
			out = append(out, ',')
		}
		if !n.list {
			out = append(document.AppendString(out, key), ':')
		}
		out = append(out, n.below[key].json()...)
	}
	return append(out, closing)
}

// Translate is changes for another writing of the same object, list items found by their names;
// false where an item is not there.
func Translate(from, to document.Value, changes []rule.Change) ([]rule.Change, bool) {
	moved := slices.Clone(changes)
	for i := range moved {
		steps := slices.Clone(moved[i].Steps)
		a, b := from, to
		for j, s := range steps {
			if a.Kind() == document.List {
				at := indexOf(b, a.Index(s.Index))
				if at < 0 {
					return nil, false
				}
				steps[j].Index = at
				a, b = a.Index(s.Index), b.Index(at)
				continue
			}
			a, b = a.Get(s.Key), b.Get(s.Key)
		}
		moved[i].Steps = steps
	}
	return moved, true
}

// indexOf is where a list holds the item of that name, or without names an equal one.
func indexOf(list, item document.Value) int {
	name := item.Get("name")
	for i, v := range list.Items() {
		if name.Exists() && document.Equal(v.Get("name"), name) || !name.Exists() && document.Equal(v, item) {
			return i
		}
	}
	return -1
}
