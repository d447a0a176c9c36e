package enclosure

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Programs are what a node runs that is not linked into the sandbox, and the Debian packages that hold them.
var Programs = map[string]string{
	"containerd":          "containerd",
	"ctr":                 "containerd",
	"runc":                "runc",
	"nft":                 "nftables",
	Plugins + "/bridge":   "containernetworking-plugins",
	Plugins + "/loopback": "containernetworking-plugins",
}

// Plugins is where Debian puts the network plugins.
const Plugins = "/usr/lib/cni"

// Missing says what this machine lacks for an enclosure with a node in it, a sentence each; nothing is missing where it is empty.
func Missing() []string {
	var list []string
	if os.Geteuid() != 0 {
		list = append(list, "a node needs root, to make namespaces and mounts")
	} else if err := mayMakeNamespaces(); err != nil {
		list = append(list, fmt.Sprintf("namespaces cannot be made: %v", err))
	}
	own, err := ownHierarchies()
	if err != nil {
		list = append(list, err.Error())
	}
	for _, want := range []string{"cpu", "cpuset", "memory", "devices", "pids"} {
		if !slices.ContainsFunc(own, func(h hierarchy) bool { return slices.Contains(strings.Split(h.controllers, ","), want) }) {
			list = append(list, "no control groups of version 1 for "+want+": version 2 alone is not supported")
		}
	}
	filesystems, err := os.ReadFile("/proc/filesystems")
	if err != nil || !strings.Contains(string(filesystems), "\toverlay\n") {
		list = append(list, "the kernel has no overlay file system")
	}
	packages := map[string]bool{}
	for program, name := range Programs {
		if _, err := exec.LookPath(program); err != nil {
			packages[name] = true
		}
	}
	if len(packages) > 0 {
		list = append(list, "programs are missing: apt-get install --no-install-recommends "+strings.Join(slices.Sorted(maps.Keys(packages)), " "))
	}
	return list
}

// mayMakeNamespaces looks at the capabilities that the kernel asks for.
func mayMakeNamespaces() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for name, bit := range map[string]int{"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE} {
		if data[bit/32].Effective&(1<<(bit%32)) == 0 {
			return fmt.Errorf("%s was taken away", name)
		}
	}
	return nil
}
