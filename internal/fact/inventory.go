package fact

import "strings"

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

// NewInventory indexes objects, in their order, and finds their workloads. What a controller in
// the inventory made (a ReplicaSet's pods, a Deployment's ReplicaSets) is judged through the
// controller; pods of one controller that is not in the inventory are judged once per revision.
func NewInventory(objects []*Object, version string, live bool) *Inventory {
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

func (inv *Inventory) findWorkloads() {
	f := folder{byID: map[owner]*Object{}, roots: map[*Object][]*Workload{}, orphans: map[owner]*Workload{}}
	for _, o := range inv.Objects {
		if uid := o.Root.At("metadata", "uid").Str(); uid != "" {
			f.byID[owner{id: uid}] = o
		}
	}
	var folded []*Object
	for _, o := range inv.Objects {
		found := workloads(o)
		if len(found) == 0 {
			continue
		}
		if f.owner(o) != nil {
			folded = append(folded, o)
			continue
		}
		if first := f.sibling(o, found[0]); first != nil {
			first.Pods++
			continue
		}
		f.roots[o] = found
		inv.Workloads = append(inv.Workloads, found...)
		inv.count[o.Namespace] += len(found)
	}
	for _, o := range folded {
		top := f.top(o)
		if w := f.roots[top]; w != nil {
			w[0].Pods++
			continue
		}
		// The owner carries no template (an operator's resource): its pods are all there is to judge.
		found := workloads(o)
		if first := f.sibling(o, found[0]); first != nil {
			first.Pods++
			continue
		}
		inv.Workloads = append(inv.Workloads, found...)
		inv.count[o.Namespace] += len(found)
	}
}

// owner names a controller: by uid, with the revision of its template where pods are grouped.
type owner struct{ id, revision string }

type folder struct {
	byID    map[owner]*Object
	roots   map[*Object][]*Workload
	orphans map[owner]*Workload
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

// owner is the object's controller when it is in the inventory.
func (f *folder) owner(o *Object) *Object {
	uid, _ := controller(o)
	if uid == "" {
		return nil
	}
	return f.byID[owner{id: uid}]
}

// top follows controllers upwards; a loop of owners ends at the object it began with.
func (f *folder) top(o *Object) *Object {
	at := o
	for range 16 {
		up := f.owner(at)
		if up == nil || up == o {
			return at
		}
		at = up
	}
	return o
}

// sibling is the workload through which another pod of the same controller and revision is judged
// already; the first one is remembered. Static pods (owned by their Node) have no siblings.
func (f *folder) sibling(o *Object, w *Workload) *Workload {
	uid, kind := controller(o)
	if uid == "" || kind == "Node" || o.Kind != "Pod" {
		return nil
	}
	labels := o.Labels()
	key := owner{uid, labels.Get("pod-template-hash").Str() + "/" + labels.Get("controller-revision-hash").Str()}
	if first, found := f.orphans[key]; found {
		return first
	}
	f.orphans[key] = w
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
