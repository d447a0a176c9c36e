package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// Security is a field of the container's security context, else of its pod's.
func (b *Box) Security(field string) document.Value {
	if v := b.Value.At("securityContext", field); v.Kind() > document.Null {
		return v
	}
	return b.Pods.Spec.At("securityContext", field)
}

// Serves says whether the container runs as long as its pod does: what is attacked from outside.
func (b *Box) Serves() bool { return b.Role == fact.App || b.Role == fact.Sidecar }

// Runs says whether one may run commands in it; an init container that is done is there no more.
func (b *Box) Runs() bool { return b.Role != fact.Init }

// Privileged says whether it runs privileged, on the node's own users: a user namespace of its own
// leaves it root over nothing of the node.
func (b *Box) Privileged() bool {
	return b.Value.At("securityContext", "privileged").Bool() && b.HostUsers() && b.Pods.OS() == "linux"
}

// HostUsers says whether root in the container is root on the node (hostUsers is not false).
func (b *Box) HostUsers() bool {
	v := b.Pods.Spec.Get("hostUsers")
	return v.Kind() != document.Bool || v.Bool()
}

// Root says whether the container may run as user 0: nothing says that it does not.
func (b *Box) Root() bool {
	if user, ok := b.Security("runAsUser").Int(); ok {
		return user == 0
	}
	return !b.Security("runAsNonRoot").Bool()
}

// usual are the capabilities that the container runtimes give unless they are dropped
// (containerd pkg/oci defaultUnixCaps).
var usual = []string{
	"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
}

// Capability says whether the container has a capability, by its name without CAP_, and which value
// gives it: the item of add, privileged, or nothing where the runtime gives it. Whether its user can
// use it Root says.
func (b *Box) Capability(name string) (at document.Value, has bool) {
	context := b.Value.Get("securityContext")
	if v := context.Get("privileged"); v.Bool() {
		return v, true
	}
	for _, v := range context.At("capabilities", "add").Items() {
		if is := capability(v.Str()); is == name || is == "ALL" {
			return v, true
		}
	}
	for _, v := range context.At("capabilities", "drop").Items() {
		if is := capability(v.Str()); is == name || is == "ALL" {
			return document.Value{}, false
		}
	}
	return document.Value{}, slices.Contains(usual, name)
}

func capability(text string) string { return strings.TrimPrefix(strings.ToUpper(text), "CAP_") }

// Mount is a volume where a container has it.
type Mount struct {
	// Value is the entry of volumeMounts or volumeDevices, Volume that of the pod's volumes.
	Value, Volume document.Value
	ReadOnly      bool
	// Device is set of one that is given as a block device.
	Device bool
}

// Mounts are the container's.
func (b *Box) Mounts() []Mount {
	var list []Mount
	for _, field := range []string{"volumeMounts", "volumeDevices"} {
		for _, m := range b.Value.Get(field).Items() {
			if v := b.Pods.Volume(m.Get("name").Str()); v.Exists() {
				list = append(list, Mount{Value: m, Volume: v, ReadOnly: m.Get("readOnly").Bool(), Device: field == "volumeDevices"})
			}
		}
	}
	return list
}

// Volume is the pod's volume of that name.
func (p *Pods) Volume(name string) document.Value {
	for _, v := range p.Spec.Get("volumes").Items() {
		if v.Get("name").Str() == name {
			return v
		}
	}
	return document.Value{}
}

// HostPath is the path of the node that the mount shows, with what subPath leads to; "" for other volumes.
func (m *Mount) HostPath() string {
	path := m.Volume.At("hostPath", "path").Str()
	if path == "" {
		return ""
	}
	if sub := m.Value.Get("subPath").Str(); sub != "" {
		path = strings.TrimSuffix(path, "/") + "/" + sub
	}
	return cleanPath(path)
}

// cleanPath is a path without what means nothing in it.
func cleanPath(path string) string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "", ".":
		case "..":
			if len(parts) > 0 {
				parts = parts[:len(parts)-1]
			}
		default:
			parts = append(parts, part)
		}
	}
	return "/" + strings.Join(parts, "/")
}
