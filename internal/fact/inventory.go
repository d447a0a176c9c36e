package fact

import (
	"bytes"
	"strings"
)

// Inventory is the facts at one moment, immutable and indexed; safe for concurrent readers.
type Inventory struct {
	Objects   []*Object
	Workloads []*Workload
	// Version is the Kubernetes version of the cluster, or the one aimed at: "1.36".
	Version string
	// Live is set when a cluster, or a snapshot of one, was read.
	Live bool

	byKind  map[string][]*Object
	byPlace map[place][]*Object
	count   map[string]int // workloads by namespace
}

type place struct{ kind, namespace string }

// NewInventory indexes objects, in their order, and finds their workloads. Of equal objects the
// first stays, with the others as its twins. What a controller in
// the inventory made (a ReplicaSet's pods, a Deployment's ReplicaSets) is judged through the
// controller; pods of one controller that is not in the inventory are judged once per revision.
func NewInventory(objects []*Object, version string, live bool) *Inventory {
	objects = unite(objects)
	inv := &Inventory{
		Objects: objects,
		Version: version,
		Live:    live,
		byKind:  map[string][]*Object{},
		byPlace: map[place][]*Object{},
		count:   map[string]int{},
	}
	for _, o := range objects {
		kind := o.GroupKind()
		inv.byKind[kind] = append(inv.byKind[kind], o)
		at := place{kind, o.Namespace}
		inv.byPlace[at] = append(inv.byPlace[at], o)
	}
	inv.findWorkloads()
	return inv
}

// identity is what the API server tells objects apart by.
type identity struct{ kind, namespace, name string }

// unite makes equal objects twins of the first of them.
func unite(objects []*Object) []*Object {
	first := make(map[identity][]*Object, len(objects))
	kept := make([]*Object, 0, len(objects))
	for _, o := range objects {
		id := identity{o.GroupKind(), o.Namespace, o.Name}
		if twin := equalTo(o, first[id]); twin != nil {
			twin.Twins = append(twin.Twins, o)
			continue
		}
		first[id] = append(first[id], o)
		kept = append(kept, o)
	}
	return kept
}

func equalTo(o *Object, others []*Object) *Object {
	if len(others) == 0 || o.Name == "" {
		return nil
	}
	text := o.Root.AppendSorted(nil)
	for _, other := range others {
		if o.APIVersion == other.APIVersion && o.Doubt == other.Doubt && bytes.Equal(text, other.Root.AppendSorted(nil)) {
			return other
		}
	}
	return nil
}

func (inv *Inventory) findWorkloads() {
	f := folder{byID: map[string]*Object{}, roots: map[*Object][]*Workload{}, shapes: map[string]*Workload{}}
	for _, o := range inv.Objects {
		if uid := o.Root.At("metadata", "uid").Str(); uid != "" {
			f.byID[uid] = o
		}
	}
	for _, o := range inv.Objects {
		found := workloads(o)
		if len(found) == 0 {
			continue
		}
		if top := f.through(o, found[0]); top != nil {
			top.Pods++
			continue
		}
		f.roots[o] = found
		inv.Workloads = append(inv.Workloads, found...)
		inv.count[o.Namespace] += len(found)
	}
}

// folder finds the workload through which another one is judged.
type folder struct {
	byID   map[string]*Object
	roots  map[*Object][]*Workload
	shapes map[string]*Workload // the first pod of a controller with a shape of its own
}

// through is the workload that the object's own is judged through: the controller's for what a
// controller made, or another pod of the same controller that is equal in all that matters. A pod
// whose spec is not its controller's (it was changed on the way in, or the owner reference is
// forged) is judged by itself.
func (f *folder) through(o *Object, w *Workload) *Workload {
	uid, kind := controller(o)
	if uid == "" || kind == "Node" {
		return nil
	}
	var top []*Workload // of the highest owner that carries a template
	for at, n := o, 0; n < 16; n++ {
		if at = f.owner(at); at == nil || at == o {
			break
		}
		if found := f.templates(at); len(found) > 0 {
			top = found
		}
	}
	if o.Kind != "Pod" {
		if len(top) > 0 {
			return top[0]
		}
		return nil
	}
	shape := string(w.shape())
	for _, candidate := range top {
		if string(candidate.shape()) == shape {
			return candidate
		}
	}
	key := uid + "\x00" + shape
	if first := f.shapes[key]; first != nil {
		return first
	}
	f.shapes[key] = w
	return nil
}

// templates is an owner's workloads, made once.
func (f *folder) templates(o *Object) []*Workload {
	found, known := f.roots[o]
	if !known {
		found = workloads(o)
		f.roots[o] = found
	}
	return found
}

// controller is the uid and kind of the object's controlling owner, "" for none.
func controller(o *Object) (uid, kind string) {
	for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
		if ref.Get("controller").Bool() {
			return ref.Get("uid").Str(), ref.Get("kind").Str()
		}
	}
	return "", ""
}

// owner is the object's controller when it is in the inventory and where a controller must be.
func (f *folder) owner(o *Object) *Object {
	uid, kind := controller(o)
	if uid == "" {
		return nil
	}
	if up := f.byID[uid]; up != nil && up.Kind == kind && up.Namespace == o.Namespace {
		return up
	}
	return nil
}

// OfKind is the objects of a kind, "Kind" or "Kind.group".
func (inv *Inventory) OfKind(kind string) []*Object { return inv.byKind[kind] }

// In is the objects of a kind in one namespace.
func (inv *Inventory) In(kind, namespace string) []*Object {
	return inv.byPlace[place{kind, namespace}]
}

// Find is the object of that kind, namespace and name; nil when it is not in the inventory.
func (inv *Inventory) Find(kind, namespace, name string) *Object {
	for _, o := range inv.In(kind, namespace) {
		if o.Name == name {
			return o
		}
	}
	return nil
}

// WorkloadsIn counts the workloads of a namespace.
func (inv *Inventory) WorkloadsIn(namespace string) int { return inv.count[namespace] }

// Kinds is the kinds in the inventory.
func (inv *Inventory) Kinds() []string {
	kinds := make([]string, 0, len(inv.byKind))
	for kind := range inv.byKind {
		kinds = append(kinds, kind)
	}
	return kinds
}

// SplitKind takes "Kind.group" apart.
func SplitKind(kind string) (name, group string) {
	name, group, _ = strings.Cut(kind, ".")
	return name, group
}
