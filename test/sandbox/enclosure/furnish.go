package enclosure

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// privateDirs get what is written below them in memory, over what the machine has there.
var privateDirs = []string{"/etc", "/opt", "/var"}

// nodeDirs are the places where a node's programs expect their files: directories of the sandbox's own, whose file system
// can be the upper layer of containers, which one in memory over the machine's cannot.
var nodeDirs = map[string]string{"/var/lib/kubelet": "kubelet", "/var/lib/containerd": "containerd"}

// globalSettings are the kernel's, not the namespace's: whoever writes them inside writes these files, which hold what a kubelet wants already.
var globalSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// furnish makes the mounts of the namespace that the calling process is alone in: everything of the machine's read-only,
// but for dir; the directories that a node writes to in memory; proc, sys and the control groups as this namespace sees them.
func furnish(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("part mounts from the machine's: %w", err)
	}
	own, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("take along %s: %w", dir, err)
	}
	defer unix.Close(own)
	groups, err := ownHierarchies() // as the machine mounts them; their roots are this process's own groups from now on
	if err != nil {
		return err
	}
	readOnly := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &readOnly); err != nil {
		return fmt.Errorf("make the machine's files read-only: %w", err)
	}
	m := &mounter{}
	m.kernel(groups)
	m.memory()
	if m.err != nil {
		return m.err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := unix.MoveMount(own, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("take along %s: %w", dir, err)
	}
	for place, name := range nodeDirs {
		m.makeDir(filepath.Join(dir, name))
		m.makeDir(place)
		m.bind(filepath.Join(dir, name), place)
	}
	// Pods may ask for what is mounted later (mountPropagation), which asks for a shared root.
	m.mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
	return m.err
}

// mounter keeps the first error of many mounts.
type mounter struct{ err error }

// kernel mounts what shows the namespace to itself.
func (m *mounter) kernel(groups []hierarchy) {
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	m.mount("proc", "/proc", "proc", quiet, "")
	m.mount("sysfs", "/sys", "sysfs", quiet, "")
	m.mount("cgroup", "/sys/fs/cgroup", "tmpfs", quiet, "mode=755")
	for _, h := range groups {
		place := "/sys/fs/cgroup/" + h.directory()
		m.makeDir(place)
		switch {
		case h.controllers == "":
			m.mount("cgroup2", place, "cgroup2", quiet, "")
		case h.controllers != h.directory():
			m.mount("cgroup", place, "cgroup", quiet, "none,"+h.controllers)
		default:
			m.mount("cgroup", place, "cgroup", quiet, h.controllers)
		}
	}
	if _, err := os.Stat("/sys/fs/bpf"); err == nil {
		m.mount("bpf", "/sys/fs/bpf", "bpf", quiet, "mode=700")
	}
}

// memory mounts what is written to and forgotten, and hides the kernel's settings that are not the namespace's own.
func (m *mounter) memory() {
	m.mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
	for _, dir := range privateDirs {
		upper, work := "/run/private"+dir+"/upper", "/run/private"+dir+"/work"
		m.makeDir(upper)
		m.makeDir(work)
		m.mount("overlay", dir, "overlay", 0, "lowerdir="+dir+",upperdir="+upper+",workdir="+work)
	}
	if _, err := os.Stat("/dev/shm"); err == nil {
		m.mount("tmpfs", "/dev/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	}
	const settings = "/proc/sys"
	m.bind(settings, settings)
	m.mount("", settings, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	const own = settings + "/net" // which is of the namespace
	m.bind(own, own)
	m.mount("", own, "", unix.MS_BIND|unix.MS_REMOUNT, "")
	for name, value := range globalSettings {
		if _, err := os.Stat(filepath.Join(settings, name)); err != nil {
			continue // this kernel does not have it, and a kubelet does not miss it
		}
		file := filepath.Join("/run/settings", name)
		m.makeDir(filepath.Dir(file))
		if m.err == nil {
			m.err = os.WriteFile(file, []byte(value+"\n"), 0o600)
		}
		m.bind(file, filepath.Join(settings, name))
	}
}

func (m *mounter) mount(source, place, kind string, flags uintptr, options string) {
	if m.err != nil {
		return
	}
	if err := unix.Mount(source, place, kind, flags, options); err != nil {
		m.err = fmt.Errorf("mount %s: %w", place, err)
	}
}

func (m *mounter) bind(source, place string) { m.mount(source, place, "", unix.MS_BIND, "") }

func (m *mounter) makeDir(path string) {
	if m.err != nil {
		return
	}
	m.err = os.MkdirAll(path, 0o755)
}
