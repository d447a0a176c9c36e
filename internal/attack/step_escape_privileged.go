package attack

var escapePrivileged = Step{
	ID: "escape-privileged", Title: "Leave a privileged container", Technique: "T1611",
	Needs: "commands as root in a container that runs privileged",
	Gives: "root on its node",
	Why: "A privileged container has every capability and every device of its node, and neither seccomp nor AppArmor hold it: " +
		"it mounts the node's disk, or writes the kernel's usermode helpers, and runs what it likes outside.",
	Fix:    "Run it without securityContext.privileged; add the one capability or device that it needs.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			if !b.Privileged() || !b.Root() {
				continue
			}
			shares, doubt := w.SharesKernel(b.Pods)
			if !shares {
				continue
			}
			at := b.Value.At("securityContext", "privileged")
			take(Taken{
				From: b.Node, To: b.Pods.Machine, Doubt: doubt,
				Evidence: []Evidence{value(b, at, "it runs privileged")},
				Changes:  []Change{without(b, at, "Do not run "+b.Node.Title()+" privileged")},
			})
		}
	},
}
