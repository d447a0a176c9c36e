package fact

import (
	"slices"
	"strings"
)

// Inventory is the facts at one moment, immutable and indexed; safe for concurrent readers.
type Inventory struct {
	Objects   []*Object
	Workloads []*Workload
	// Version is the Kubernetes version of the cluster, or the one aimed at: "1.36".
	Version string
	// Worlds is set when the objects describe several environments that are alternatives to each
	// other: each is an inventory of its own, and this one only counts.
	Worlds []*Inventory
	// Live is set when a cluster, or a snapshot of one, was read.
	Live bool
	// Images are those that were opened.
	Images []*Image

	byKind  map[string][]*Object
	byPlace map[place][]*Object
	byName  map[identity]*Object
	count   map[string]int // workloads by namespace
	beside  *Inventory     // of what came to it by With; nil for nearly all
}

type place struct{ kind, namespace string }

// Place is the namespace by which objects are joined: what names none is put into default by
// kubectl. Of cluster-scoped objects, which have none, it is the same for all.
func Place(namespace string) string {
	if namespace == "" {
		return "default"
	}
	return namespace
}

// NewInventory indexes objects, in their order, and finds their workloads. Of equal objects the
// first stays, with the others as its twins. What a controller in the inventory made (a
// ReplicaSet's pods, a Deployment's ReplicaSets) is judged through the controller; pods of one
// controller that is not in the inventory are judged once per revision.
func NewInventory(objects []*Object, version string, live bool) *Inventory {
	inv := &Inventory{
		Version: version,
		Live:    live,
		byKind:  map[string][]*Object{},
		byPlace: map[place][]*Object{},
		byName:  make(map[identity]*Object, len(objects)),
		count:   map[string]int{},
	}
	inv.Objects = inv.unite(objects)
	for _, o := range inv.Objects {
		kind := o.GroupKind()
		inv.byKind[kind] = append(inv.byKind[kind], o)
		at := place{kind, Place(o.Namespace)}
		inv.byPlace[at] = append(inv.byPlace[at], o)
	}
	inv.findWorkloads()
	inv.Worlds = worlds(objects, version, live)
	return inv
}

// worlds are the inventories of alternatives: overlays that were built side by side describe
// environments that do not see each other. What no overlay built is in all of them.
func worlds(objects []*Object, version string, live bool) []*Inventory {
	var overlays []string
	for _, o := range objects {
		if w := o.overlay(); w != "" && !slices.Contains(overlays, w) {
			overlays = append(overlays, w)
		}
	}
	if len(overlays) < 2 {
		return nil
	}
	list := make([]*Inventory, 0, len(overlays))
	for _, overlay := range overlays {
		var seen []*Object
		for _, o := range objects {
			if w := o.overlay(); w == "" || w == overlay {
				own := *o
				own.Twins = nil
				seen = append(seen, &own)
			}
		}
		list = append(list, NewInventory(seen, version, live))
	}
	return list
}

// overlay is the overlay that the object was built by; "" for none.
func (o *Object) overlay() string {
	if o.Origin != nil && strings.HasPrefix(o.Origin.Source, "kustomize:") {
		return o.Origin.Source
	}
	return ""
}

// identity is what the API server tells objects apart by.
type identity struct{ kind, namespace, name string }

// unite makes equal objects twins of the first of them. Objects of one identity that are not equal
// are variants, and all of them stay.
func (inv *Inventory) unite(objects []*Object) []*Object {
	variants := map[identity]map[string]*Object{}
	kept := make([]*Object, 0, len(objects))
	for _, o := range objects {
		id := identity{o.GroupKind(), Place(o.Namespace), o.Name}
		first, known := inv.byName[id]
		switch {
		case !known:
			inv.byName[id] = o
		case o.Name != "":
			if variants[id] == nil {
				variants[id] = map[string]*Object{first.content(): first}
			}
			content := o.content()
			if twin := variants[id][content]; twin != nil {
				twin.Twins = append(twin.Twins, o)
				continue
			}
			variants[id][content] = o
		}
		o.Twins = nil
		kept = append(kept, o)
	}
	return kept
}

func (inv *Inventory) findWorkloads() {
	f := newFolder(inv.Objects)
	for _, o := range inv.Objects {
		found := f.workloads(o)
		if len(found) == 0 {
			continue
		}
		if len(inv.Objects) > 1 { // what stands alone is judged by itself
			if other, folded := f.through(o, found[0]); folded {
				if other != nil {
					other.Pods += 1 + o.Replicas
				}
				continue
			}
		}
		found[0].Pods += o.Replicas
		inv.Workloads = append(inv.Workloads, found...)
		inv.count[Place(o.Namespace)] += len(found)
	}
}

// folder finds the workload through which another one is judged.
type folder struct {
	byID   map[string]*Object
	made   map[*Object][]*Workload // every object's, made once
	shapes map[string]*Workload    // the first pod of a controller with a shape of its own

	carried map[*Workload]string // the shapes of what controllers carry, made once
}

func newFolder(objects []*Object) *folder {
	f := &folder{byID: map[string]*Object{}, made: map[*Object][]*Workload{}, shapes: map[string]*Workload{}, carried: map[*Workload]string{}}
	for _, o := range objects {
		if uid := o.Root.At("metadata", "uid").Str(); uid != "" {
			f.byID[uid] = o
		}
	}
	return f
}

// Fold is the objects without those that an inventory of them judges through another one, which counts
// them in its Replicas: the inventory of the rest has the same workloads. It is for questions about the
// whole, which look at workloads and not at their pods.
func Fold(objects []*Object) []*Object {
	f := newFolder(objects)
	kept := make([]*Object, 0, len(objects))
	for _, o := range objects {
		if found := f.workloads(o); len(found) > 0 {
			if other, folded := f.through(o, found[0]); folded {
				if other != nil {
					other.Object.Replicas += 1 + o.Replicas
				}
				continue
			}
		}
		kept = append(kept, o)
	}
	return slices.Clip(kept)
}

func (f *folder) carriedShape(w *Workload) string {
	shape, known := f.carried[w]
	if !known {
		shape = string(w.shape())
		f.carried[w] = shape
	}
	return shape
}

func (f *folder) workloads(o *Object) []*Workload {
	found, known := f.made[o]
	if !known {
		found = workloads(o)
		f.made[o] = found
	}
	return found
}

// through says whether the object is judged through another workload, and through which: one that
// its owners carry, or another pod of the same controller, equal to its own in all that matters.
// What differs from its owners' templates (it was changed on the way in, or the reference is
// forged) is judged by itself, unless it is an old revision that runs nothing: of that there is
// no workload.
func (f *folder) through(o *Object, w *Workload) (other *Workload, folded bool) {
	owners := f.owners(o)
	uid, kind := Controller(o)
	lone := o.Kind != "Pod" || uid == "" || kind == "Node"
	switch {
	case len(owners) > 0 && Idle(o):
		return nil, true
	case len(owners) == 0 && lone:
		return nil, false
	}
	shape := string(w.shape())
	for _, up := range slices.Backward(owners) {
		if up != owners[len(owners)-1] && Idle(up) {
			continue // not judged itself
		}
		for _, candidate := range f.workloads(up) {
			if f.carriedShape(candidate) == shape && HasLabels(w.Labels(), candidate.Labels()) {
				return candidate, true
			}
		}
	}
	if lone {
		return nil, false
	}
	key := uid + "\x00" + shape
	if first := f.shapes[key]; first != nil {
		return first, true
	}
	f.shapes[key] = w
	return nil, false
}

// deepest is how many owners above each other are believed: Kubernetes' own are two.
const deepest = 8

// owners are the object's controllers that carry a template, the nearest first. Owners in a circle
// or without end are forged, and there are none.
func (f *folder) owners(o *Object) []*Object {
	var owners []*Object
	for at, n := f.owner(o), 0; at != nil; at, n = f.owner(at), n+1 {
		if at == o || n == deepest {
			return nil
		}
		if len(f.workloads(at)) > 0 {
			owners = append(owners, at)
		}
	}
	return owners
}

// Idle says whether it is a revision that was scaled to nothing.
func Idle(o *Object) bool {
	n, ok := o.Root.At("spec", "replicas").Int()
	return ok && n == 0 && o.GroupKind() == "ReplicaSet.apps"
}

// Controller is the uid and kind of the object's controlling owner, "" for none.
func Controller(o *Object) (uid, kind string) {
	for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
		if ref.Get("controller").Bool() {
			return ref.Get("uid").Str(), ref.Get("kind").Str()
		}
	}
	return "", ""
}

// owner is the object's controller when it is in the inventory and where a controller must be.
func (f *folder) owner(o *Object) *Object {
	uid, kind := Controller(o)
	if uid == "" {
		return nil
	}
	if up := f.byID[uid]; up != nil && up.Kind == kind && up.Namespace == o.Namespace {
		return up
	}
	return nil
}

// Name is the overlay that one of several worlds was built by; "" of an inventory that is no world.
func (inv *Inventory) Name() string {
	for _, o := range inv.Objects {
		if w := o.overlay(); w != "" {
			return w
		}
	}
	return ""
}

// With is the inventory with one more object, which is no variant of another and is judged by itself: at a small part of
// the cost of a new one.
func (inv *Inventory) With(o *Object, version string) *Inventory {
	own := *inv
	own.Version = version
	own.beside = NewInventory([]*Object{o}, version, inv.Live)
	own.Objects = append(slices.Clip(inv.Objects), own.beside.Objects...)
	own.Workloads = append(slices.Clip(inv.Workloads), own.beside.Workloads...)
	return &own
}

// OfKind is the objects of a kind, "Kind" or "Kind.group".
func (inv *Inventory) OfKind(kind string) []*Object {
	list := inv.byKind[kind]
	if inv.beside != nil {
		list = append(slices.Clip(list), inv.beside.OfKind(kind)...)
	}
	return list
}

// In is the objects of a kind in one namespace.
func (inv *Inventory) In(kind, namespace string) []*Object {
	list := inv.byPlace[place{kind, Place(namespace)}]
	if inv.beside != nil {
		list = append(slices.Clip(list), inv.beside.In(kind, namespace)...)
	}
	return list
}

// Find is the object of that kind, namespace and name; nil when it is not in the inventory.
func (inv *Inventory) Find(kind, namespace, name string) *Object {
	o := inv.byName[identity{kind, Place(namespace), name}]
	if o == nil && inv.beside != nil {
		o = inv.beside.Find(kind, namespace, name)
	}
	return o
}

// WorkloadsIn counts the workloads of a namespace.
func (inv *Inventory) WorkloadsIn(namespace string) int {
	n := inv.count[Place(namespace)]
	if inv.beside != nil {
		n += inv.beside.WorkloadsIn(namespace)
	}
	return n
}

// SplitKind takes "Kind.group" apart.
func SplitKind(kind string) (name, group string) {
	name, group, _ = strings.Cut(kind, ".")
	return name, group
}
