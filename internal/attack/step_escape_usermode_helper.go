package attack

var escapeUsermodeHelper = Step{
	ID: "escape-usermode-helper", Title: "Have the kernel run a program on an event", Technique: "T1611",
	Needs: "commands as root in a container that can write the node's /sys/kernel or its control groups",
	Gives: "root on the node, where its kernel has such helpers",
	Why: "uevent_helper names a program that the kernel starts as root when a device comes or goes, release_agent of a control group (version 1) " +
		"one that it starts when the group is empty. Whether a node has either is up to how its kernel was built and started.",
	Fix:    "Mount the folders below /sys that are read, with readOnly; a read-only mount of / leaves /sys writable unless recursiveReadOnly is Enabled.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		for _, p := range []place{{path: "/sys/kernel/uevent_helper"}, {"/sys/fs/cgroup", true}} {
			for _, f := range w.kernelFolders(p, "/sys") {
				t := f.taken(f.Box.Pods.Machine, "can write "+p.path)
				if t.Doubt == "" {
					t.Doubt = "whether the kernel of the node has usermode helpers of this kind is not known"
				}
				take(t)
			}
		}
	},
}
