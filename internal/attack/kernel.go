package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Held is a capability that commands in a container can use over their node.
type Held struct {
	// At is what gives it: the item of add, or privileged; nothing where the runtime gives it by itself.
	At document.Value
	// Doubt says why it may not be of use after all; "" for nearly all.
	Doubt string
}

// Holds says whether commands in the container can use a capability over the node's kernel. In a user
// namespace of the pod's own, on a kernel of the pod's own, and as another user than root they cannot:
// a process that is not root keeps no capability, and the programs of an image that become root ask
// for a password.
func (w *World) Holds(b *Box, name string) (h Held, holds bool) {
	at, has := b.Capability(name)
	if !has || b.Pods.OS() != "linux" || !b.HostUsers() || !b.Root() {
		return Held{}, false
	}
	shared, doubt := w.SharesKernel(b.Pods)
	if doubt == "" && !b.Privileged() {
		doubt = b.unseenProfile()
	}
	return Held{At: at, Doubt: doubt}, shared
}

// plainHandlers are the runtimes that start containers on the node's own kernel, ownKernels the
// beginnings of the names of those that give each pod a kernel of its own (gVisor, Kata Containers).
var (
	plainHandlers = []string{"runc", "crun", "youki", "nvidia", "nvidia-cdi", "nvidia-legacy", "docker"}
	ownKernels    = []string{"runsc", "gvisor", "kata", "firecracker"}
)

// SharesKernel says whether the containers run on the kernel of their node, by the handler of their
// runtime class; doubt says why that is not known.
func (w *World) SharesKernel(p *Pods) (shares bool, doubt string) {
	class := p.Spec.Get("runtimeClassName").Str()
	if class == "" {
		return true, ""
	}
	handler := class
	if o := w.Inventory.Find("RuntimeClass.node.k8s.io", "", class); o != nil {
		handler = o.Root.Get("handler").Str()
	}
	if slices.ContainsFunc(ownKernels, func(start string) bool { return strings.HasPrefix(handler, start) }) {
		return false, ""
	}
	if slices.Contains(plainHandlers, handler) {
		return true, ""
	}
	return true, "whether the runtime class " + class + " shares the kernel of the node is not known"
}

// unseenProfile says that a profile which lies on the node may forbid what the container tries.
func (b *Box) unseenProfile() string {
	for _, field := range []string{"seccompProfile", "appArmorProfile"} {
		if v := b.Security(field); v.Get("type").Str() == "Localhost" {
			return "what the profile " + v.Get("localhostProfile").Str() + " of its node forbids was not seen"
		}
	}
	return ""
}

// AppArmor is the type of the profile that the container asks for by name; "" where it asks for none,
// and the node decides. The kubelet refuses pods that ask for one on nodes without AppArmor.
func (b *Box) AppArmor() string {
	if v := b.Security("appArmorProfile").Get("type"); v.Exists() {
		return v.Str()
	}
	switch name := b.Pods.Annotations().Get("container.apparmor.security.beta.kubernetes.io/" + b.Name).Str(); {
	case name == "runtime/default":
		return "RuntimeDefault"
	case name == "unconfined":
		return "Unconfined"
	case name != "":
		return "Localhost"
	}
	return ""
}

// tells is the evidence of a capability.
func (h *Held) tells(b *Box, name string) Evidence {
	switch {
	case !h.At.Exists():
		return value(b, b.Value, "it keeps the capability "+name+", which the runtime gives")
	case b.Value.At("securityContext", "privileged").Bool():
		return value(b, h.At, "it runs privileged, with the capability "+name)
	}
	return value(b, h.At, "it adds the capability "+name)
}

// taken is the change that takes a capability from a container.
func (h *Held) taken(b *Box, name string) Change {
	switch {
	case !h.At.Exists():
		return Change{
			Object: b.Pods.Object, Edits: []Edit{Append(b.Value, text(name), "securityContext", "capabilities", "drop")},
			Title: "Drop the capability " + name + " of " + b.Node.Title(),
		}
	case b.Value.At("securityContext", "privileged").Bool():
		return without(b, h.At, "Do not run "+b.Node.Title()+" privileged")
	}
	return without(b, h.At, "Take the capability "+h.At.Str()+" from "+b.Node.Title())
}

// without is the change that removes a value of a container or of its pod.
func without(b *Box, at document.Value, title string) Change {
	return Change{Object: b.Pods.Object, Edits: []Edit{Remove(at)}, Title: title}
}

// capabilityStep takes a step to the node for every container that can use all of the capabilities,
// any of which it is enough to take away. also says what else it takes: evidence and changes, and
// whether it is there.
func capabilityStep(names []string, also func(w *World, b *Box) ([]Evidence, []Change, bool)) func(*World, func(Taken)) {
	return func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			if b.Privileged() {
				continue // which needs no capability more
			}
			t := Taken{From: b.Node, To: b.Pods.Machine}
			if !w.holdsAll(b, names, &t) {
				continue
			}
			if also != nil {
				evidence, changes, holds := also(w, b)
				if !holds {
					continue
				}
				t.Evidence, t.Changes = append(t.Evidence, evidence...), append(t.Changes, changes...)
			}
			take(t)
		}
	}
}

// holdsAll adds what gives each of the capabilities, and says whether none is missing.
func (w *World) holdsAll(b *Box, names []string, t *Taken) bool {
	for _, name := range names {
		h, holds := w.Holds(b, name)
		if !holds {
			return false
		}
		t.Evidence, t.Changes = append(t.Evidence, h.tells(b, name)), append(t.Changes, h.taken(b, name))
		if t.Doubt == "" {
			t.Doubt = h.Doubt
		}
	}
	return true
}

// inHostPID is the evidence that a pod is among the processes of its node, and the change that ends it.
func inHostPID(b *Box) ([]Evidence, []Change, bool) {
	at := b.Pods.Spec.Get("hostPID")
	if !at.Bool() {
		return nil, nil, false
	}
	return []Evidence{value(b, at, "it is among the processes of its node")},
		[]Change{without(b, at, "Take the pods of "+b.Pods.Node.Title()+" out of the process list of their node")}, true
}
