package attack

var escapeCorePattern = Step{
	ID: "escape-core-pattern", Title: "Have the kernel run a program when a process crashes", Technique: "T1611",
	Needs: "commands as root in a container that can write the node's /proc/sys/kernel/core_pattern",
	Gives: "root on the node",
	Why: "core_pattern names the program that gets what is left of a process that crashed, and the kernel starts it as root outside of every container. " +
		"The file asks for user 0 and no capability. A read-only mount of / does not help: /proc below it is a mount of its own and stays writable.",
	Fix:    "Mount the folders that are read rather than / or /proc, or set recursiveReadOnly to Enabled; leave procMount alone.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, f := range w.kernelFolders(place{path: "/proc/sys/kernel/core_pattern"}, "/proc") {
			take(f.taken(f.Box.Pods.Machine, "can write /proc/sys/kernel/core_pattern"))
		}
		for b := range w.Boxes {
			at := b.Value.At("securityContext", "procMount")
			if at.Str() != "Unmasked" || !w.rootOverKernel(b) || b.AppArmor() == "RuntimeDefault" {
				continue
			}
			_, doubt := w.SharesKernel(b.Pods)
			take(Taken{
				From: b.Node, To: b.Pods.Machine, Doubt: doubt,
				Evidence: []Evidence{value(b, at, "it sees /proc unmasked, and may write to it")},
				Changes:  []Change{without(b, at, "Mask /proc in "+b.Node.Title())},
			})
		}
	},
}

// rootOverKernel says whether root in the container is the node's root for files of the kernel.
func (w *World) rootOverKernel(b *Box) bool {
	shares, _ := w.SharesKernel(b.Pods)
	return shares && b.Root() && b.HostUsers() && b.Pods.OS() == "linux"
}

// kernelFolders are the folders that show a place of a file system of the kernel, mounted at a folder, to
// root that can write it: readOnly of what lies above the mount does not reach into it.
func (w *World) kernelFolders(p place, mounted string) []*Folder {
	var list []*Folder
	for _, f := range w.Folders() {
		if _, found := shows(f.Path, []place{p}); !found || !w.rootOverKernel(f.Box) {
			continue
		}
		if f.ReadOnly && (f.Deep || !within(mounted, f.Path)) {
			continue
		}
		if _, doubt := w.SharesKernel(f.Box.Pods); doubt != "" && f.Doubt == "" {
			doubted := *f
			doubted.Doubt = doubt
			f = &doubted
		}
		list = append(list, f)
	}
	return list
}
