package attack

var escapeSysModule = Step{
	ID: "escape-sys-module", Title: "Load a module into the node's kernel", Technique: "T1611",
	Needs: "commands as root in a container with SYS_MODULE, outside of a user namespace",
	Gives: "root on the node",
	Why: "A module is code in the kernel that all pods of the node share; it needs no namespace of the node, and the default seccomp profile lets it be loaded " +
		"where the capability is given. Only nodes that demand signed modules, or whose kernel is locked down, refuse it.",
	Fix:    "Remove SYS_MODULE; load modules by the node's own configuration.",
	Effort: Moderate,
	Find:   capabilityStep([]string{"SYS_MODULE"}, nil),
}
