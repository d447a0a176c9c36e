package attack

var escapeSysAdmin = Step{
	ID: "escape-sys-admin", Title: "Mount the node's control groups and have the kernel run a program", Technique: "T1611",
	Needs: "commands as root in a container with SYS_ADMIN, outside of a user namespace",
	Gives: "root on the node",
	Why: "SYS_ADMIN mounts file systems of the kernel, whose switches name programs that the kernel runs as root outside of every container, and loads " +
		"BPF programs that write into the memory of the node's processes. An AppArmor profile of the runtime forbids the mounts alone.",
	Fix:    "Remove SYS_ADMIN; what asks for it often needs only PERFMON, BPF, SYSLOG or a user namespace (hostUsers false).",
	Effort: Easy,
	Find:   capabilityStep([]string{"SYS_ADMIN"}, nil),
}
