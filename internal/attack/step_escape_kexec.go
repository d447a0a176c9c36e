package attack

var escapeKexec = Step{
	ID: "escape-kexec", Title: "Start another kernel on the node", Technique: "T1611",
	Needs: "commands as root in a container with SYS_BOOT among the processes of its node (hostPID), without a seccomp profile",
	Gives: "root on the node",
	Why: "kexec loads a kernel of the attacker's own and starts it in place of the node's. Only in the process namespace of the node does reboot reach the machine, " +
		"and the runtime's seccomp profile forbids kexec_load; nodes that started with Secure Boot refuse it.",
	Fix:    "Remove SYS_BOOT or hostPID, or set the seccomp profile RuntimeDefault.",
	Effort: Hard,
	Find: capabilityStep([]string{"SYS_BOOT"}, func(_ *World, b *Box) ([]Evidence, []Change, bool) {
		profile := b.Security("seccompProfile")
		if t := profile.Get("type").Str(); t != "" && t != "Unconfined" {
			return nil, nil, false
		}
		evidence, changes, among := inHostPID(b)
		if !profile.Exists() {
			profile = b.Value
		}
		return append(evidence, value(b, profile, "no seccomp profile keeps it from loading a kernel")), append(changes, Change{
			Object: b.Pods.Object, Edits: []Edit{Set(b.Value, `"RuntimeDefault"`, "securityContext", "seccompProfile", "type")},
			Title: "Give " + b.Node.Title() + " the runtime's seccomp profile",
		}), among
	}),
}
