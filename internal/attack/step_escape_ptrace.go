package attack

var escapePtrace = Step{
	ID: "escape-ptrace", Title: "Put code into a process of the node", Technique: "T1611",
	Needs: "commands as root in a container with SYS_PTRACE among the processes of its node (hostPID)",
	Gives: "root on the node",
	Why: "SYS_PTRACE writes the memory and the registers of any process in sight, and with hostPID those are all of the node: code that is put into " +
		"one that runs as root outside runs as it does. Without hostPID there is nobody but the pod in sight; an AppArmor profile of the runtime forbids it.",
	Fix:    "Remove hostPID or SYS_PTRACE; a debugger needs both only while a person debugs.",
	Effort: Easy,
	Find: capabilityStep([]string{"SYS_PTRACE"}, func(_ *World, b *Box) ([]Evidence, []Change, bool) {
		if b.AppArmor() == "RuntimeDefault" {
			return nil, nil, false
		}
		return inHostPID(b)
	}),
}
