package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Folder is a file or folder of the node that a container has: by a hostPath, or by a claim whose
// volume is one.
type Folder struct {
	Box   *Box
	Path  string
	Mount Mount
	// ReadOnly is set where the container cannot write it. What the node mounts below it (/proc below
	// /) stays writable unless Deep is set, too (recursiveReadOnly).
	ReadOnly, Deep bool
	Evidence       []Evidence
	Doubt          string
}

// Folders are those of all containers.
func (w *World) Folders() []*Folder {
	if w.folders == nil {
		w.folders = []*Folder{}
		for b := range w.Boxes {
			for _, m := range b.Mounts() {
				if f := w.folderOf(b, m); f != nil {
					w.folders = append(w.folders, f)
				}
			}
		}
	}
	return w.folders
}

// folderOf is the folder of the node that a mount shows; nil for none.
func (w *World) folderOf(b *Box, m Mount) *Folder {
	if m.Device || b.Pods.OS() != "linux" {
		return nil
	}
	f := &Folder{Box: b, Path: m.HostPath(), Mount: m, ReadOnly: m.ReadOnly, Deep: m.Value.Get("recursiveReadOnly").Str() == "Enabled"}
	if m.Value.Get("subPathExpr").Exists() {
		f.Doubt = "what of the volume is mounted follows from a variable (subPathExpr)"
	}
	name := m.Volume.Get("name").Str()
	if f.Path != "" {
		f.Evidence = []Evidence{value(b, m.Volume.Get("hostPath"), "volume "+name+" is "+f.Path+" of its node")}
		return f
	}
	volume := w.boundTo(b.Pods, m.Volume)
	if volume == nil {
		return nil
	}
	if f.Path = nodeFolder(volume); f.Path == "" {
		return nil
	}
	if sub := m.Value.Get("subPath").Str(); sub != "" {
		f.Path = cleanPath(f.Path + "/" + sub)
	}
	f.ReadOnly = f.ReadOnly || m.Volume.At("persistentVolumeClaim", "readOnly").Bool()
	f.Evidence = []Evidence{
		value(b, m.Volume, "volume "+name+" is a claim that is bound to "+title(volume)),
		{volume, volume.Root.Get("spec"), title(volume) + " is " + f.Path + " of its node"},
	}
	return f
}

// nodeFolder is the folder of a node that a persistent volume is; "" for none.
func nodeFolder(volume *fact.Object) string {
	for _, kind := range []string{"hostPath", "local"} {
		if path := volume.Root.At("spec", kind, "path").Str(); path != "" {
			return cleanPath(path)
		}
	}
	return ""
}

// claimKey is a claim by its namespace and name.
type claimKey struct{ namespace, name string }

// boundTo is the persistent volume of a pod's volume that is a claim: the one that the claim names, or
// that names the claim; nil for none. What is only likely to be bound is not.
func (w *World) boundTo(p *Pods, volume document.Value) *fact.Object {
	claim := volume.At("persistentVolumeClaim", "claimName").Str()
	if claim == "" {
		return nil
	}
	if o := w.Inventory.Find("PersistentVolumeClaim", p.Namespace, claim); o != nil {
		if name := o.Root.At("spec", "volumeName").Str(); name != "" {
			return w.Inventory.Find("PersistentVolume", "", name)
		}
	}
	if w.bound == nil {
		w.bound = map[claimKey]*fact.Object{}
		for _, o := range w.Inventory.OfKind("PersistentVolume") {
			if ref := o.Root.At("spec", "claimRef"); ref.Get("name").Str() != "" {
				w.bound[claimKey{fact.Place(ref.Get("namespace").Str()), ref.Get("name").Str()}] = o
			}
		}
	}
	return w.bound[claimKey{p.Namespace, claim}]
}

// unmount is the change that takes the folder from the container, lock the one that leaves it to be read.
func (f *Folder) unmount() Change {
	return without(f.Box, f.Mount.Value, "Take "+f.Path+" of the node from "+f.Box.Node.Title())
}

func (f *Folder) lock() Change {
	return Change{
		Object: f.Box.Pods.Object, Edits: []Edit{Set(f.Mount.Value, "true", "readOnly")},
		Title: "Let " + f.Box.Node.Title() + " only read " + f.Path + " of the node",
	}
}

// place is a file or a folder of nodes that matters. Of a deep one everything below it does.
type place struct {
	path string
	deep bool
}

// shows is the first of the places that whoever has a folder has: the folder is it, holds it, or lies
// in it where it is deep.
func shows(folder string, places []place) (place, bool) {
	for _, p := range places {
		if folder == p.path || within(p.path, folder) || p.deep && within(folder, p.path) {
			return p, true
		}
	}
	return place{}, false
}

// within says whether a path lies below a folder.
func within(path, folder string) bool {
	return folder == "/" && path != "/" || strings.HasPrefix(path, folder+"/")
}

// folderStep takes a step for every folder that shows one of the places to root in a container; writing
// asks for one that can be written. Files of a pod in a user namespace are mapped so that its root
// owns what the node's does (kubernetes.io/docs/concepts/workloads/pods/user-namespaces).
func folderStep(places []place, writing bool, tells string, to func(*Box) Node) func(*World, func(Taken)) {
	return func(w *World, take func(Taken)) {
		for _, f := range w.Folders() {
			p, found := shows(f.Path, places)
			if !found || writing && f.ReadOnly || !f.Box.Root() {
				continue
			}
			t := f.taken(to(f.Box), tells+" "+p.path)
			if writing {
				t.Changes = append(t.Changes, f.lock())
			}
			take(t)
		}
	}
}

// taken is a step that the folder allows, with a sentence on what the container does with it.
func (f *Folder) taken(to Node, tells string) Taken {
	return Taken{
		From: f.Box.Node, To: to, Doubt: f.Doubt,
		Evidence: append([]Evidence{value(f.Box, f.Mount.Value, f.Box.Node.Title()+" "+tells)}, f.Evidence...),
		Changes:  []Change{f.unmount()},
	}
}

// machineOfBox is the node that a container runs on, kubeletOf what the kubelet there may do.
func machineOfBox(b *Box) Node { return b.Pods.Machine }

func kubeletOfBox(b *Box) Node { return Kubelet(b.Pods.Machine) }

// Kubelet is the identity of the kubelet on a class of nodes.
func Kubelet(machine Node) Node { return User("system:node:" + machine.Name) }
