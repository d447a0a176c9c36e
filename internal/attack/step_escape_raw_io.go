package attack

var escapeRawIO = Step{
	ID: "escape-raw-io", Title: "Command the node's hardware past its kernel", Technique: "T1611",
	Needs: "commands as root in a container with SYS_RAWIO, outside of a user namespace, and hardware that answers to I/O ports",
	Gives: "root on the node, where its hardware lets it",
	Why: "SYS_RAWIO opens the processor's I/O ports (iopl, ioperm), by which disks and buses are commanded that read and write memory by themselves. " +
		"Whether any of them answers is up to the machine; /dev/mem is not given to containers that are not privileged, whatever they mount.",
	Fix:    "Remove SYS_RAWIO; let a device plugin hand the one device to the container.",
	Effort: Hard,
	Find: func(w *World, take func(Taken)) {
		capabilityStep([]string{"SYS_RAWIO"}, nil)(w, func(t Taken) {
			if t.Doubt == "" {
				t.Doubt = "whether hardware of the node answers to I/O ports is not known"
			}
			take(t)
		})
	},
}
