package attack

var escapeNsenter = Step{
	ID: "escape-nsenter", Title: "Enter the namespaces of the node", Technique: "T1611",
	Needs: "commands as root among the processes of the node (hostPID), in a container that is privileged or has SYS_ADMIN, SYS_PTRACE and SYS_CHROOT",
	Gives: "root on the node",
	Why: "nsenter joins the namespaces of process 1, and with hostPID process 1 is the node's: one command is a root shell outside. Opening them asks for " +
		"SYS_PTRACE, joining them for SYS_ADMIN, and the one of mounts for SYS_CHROOT, too; hostPID alone gives none of them.",
	Fix:    "Remove hostPID, privileged or the capabilities: the container keeps to its own namespaces without any of them.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		for b := range w.Boxes {
			evidence, changes, among := inHostPID(b)
			if !among || b.AppArmor() == "RuntimeDefault" && !b.Privileged() {
				continue
			}
			t := Taken{From: b.Node, To: b.Pods.Machine}
			names := []string{"SYS_ADMIN", "SYS_PTRACE", "SYS_CHROOT"}
			if b.Privileged() {
				names = names[:1]
			}
			if w.holdsAll(b, names, &t) {
				t.Evidence, t.Changes = append(t.Evidence, evidence...), append(t.Changes, changes...)
				take(t)
			}
		}
	},
}
