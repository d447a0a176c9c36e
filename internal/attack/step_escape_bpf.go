package attack

var escapeBPF = Step{
	ID: "escape-bpf", Title: "Read the memory of the node's processes with BPF", Technique: "T1611",
	Needs: "commands as root in a container with both BPF and PERFMON, outside of a user namespace",
	Gives: "what the kubelet there may do: the secrets and the tokens of every pod of the node",
	Why: "A tracing program in the kernel sees the system calls and the memory of every process of the node: the keys and tokens that the kubelet and the " +
		"pods send and receive pass by. Loading one takes BPF, and reading memory PERFMON; either alone does not do, and writing would take SYS_ADMIN.",
	Fix:    "Remove one of the two; keep tracing in one agent that nothing else can be run in.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		capabilityStep([]string{"BPF", "PERFMON"}, nil)(w, func(t Taken) {
			t.To = Kubelet(t.To)
			take(t)
		})
	},
}
