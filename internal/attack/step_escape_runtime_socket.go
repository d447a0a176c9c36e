package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

var escapeRuntimeSocket = Step{
	ID: "escape-runtime-socket", Title: "Command the node through a socket", Technique: "T1611",
	Needs: "commands in a container that has the socket of the container runtime, of systemd or of D-Bus, be it read-only",
	Gives: "root on the node",
	Why: "One request to the runtime starts a privileged container that mounts the node, one to systemd a service. readOnly keeps the file from " +
		"being replaced, and nobody from connecting to it.",
	Fix:    "Take the volume out; build images with a rootless builder, and read about containers through the kubelet.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for _, f := range w.Folders() {
			p, found := shows(canonicalRun(f.Path), sockets)
			if !found && strings.HasSuffix(f.Path, "/docker.sock") {
				p, found = place{path: f.Path}, true
			}
			if !found || f.Path == "/" && f.ReadOnly && f.Deep {
				continue
			}
			shares, doubt := w.SharesKernel(f.Box.Pods)
			mayConnect, unsure := f.Box.mayConnect(p.path)
			if !shares || !mayConnect {
				continue
			}
			t := f.taken(f.Box.Pods.Machine, "can connect to "+p.path)
			for _, d := range []string{doubt, unsure} {
				if t.Doubt == "" {
					t.Doubt = d
				}
			}
			take(t)
		}
	},
}

// sockets are they. /var/run is a link to /run.
var sockets = []place{
	{"/run/containerd/containerd.sock", false},
	{"/run/docker.sock", false},
	{"/run/crio/crio.sock", false},
	{"/run/cri-dockerd.sock", false},
	{"/run/k3s/containerd/containerd.sock", false},
	{"/run/podman/podman.sock", false},
	{"/run/buildkit/buildkitd.sock", false},
	{"/run/dockershim.sock", false},
	{"/run/host-containerd/containerd.sock", false},
	{"/run/systemd/private", false},
	{"/run/dbus/system_bus_socket", false},
	{"/run/nri/nri.sock", false}, // a plugin of the runtime has hooks run in every container, and on the node
	{"/var/snap/microk8s/common/run/containerd.sock", false},
}

// canonicalRun is the path with /run for /var/run.
func canonicalRun(path string) string {
	if rest, found := strings.CutPrefix(path, "/var/run"); found && (rest == "" || rest[0] == '/') {
		return "/run" + rest
	}
	return path
}

// mayConnect says whether the container's user may write to a socket: root may, and who is in its group,
// which is root's of most and one of its own of Docker's.
func (b *Box) mayConnect(socket string) (may bool, doubt string) {
	if b.Root() {
		return true, ""
	}
	groups := b.Pods.Spec.At("securityContext", "supplementalGroups")
	if strings.HasSuffix(socket, "docker.sock") {
		return groups.Len() > 0, "whether one of its groups is the one of the socket is not known"
	}
	if group := b.Security("runAsGroup"); group.Exists() || groups.Len() > 0 {
		isRoot := func(v document.Value) bool { n, ok := v.Int(); return ok && n == 0 }
		list := []document.Value{group}
		for _, v := range groups.Items() {
			list = append(list, v)
		}
		return slices.ContainsFunc(list, isRoot), ""
	}
	return true, "whether its group is root, as it is unless its image says otherwise, is not known"
}
