package attack

var escapeUserHome = Step{
	ID: "escape-user-home", Title: "Leave a key in a user's home on the node", Technique: "T1098.004",
	Needs: "commands as root with DAC_OVERRIDE in a container that can write the homes of the node's users",
	Gives: "a login on the node, and root where its user may become root",
	Why: "Who may log in as a user stands in a file of their home. It belongs to them and not to root, so that writing it takes DAC_OVERRIDE, which runtimes give unless it is " +
		"dropped. Whether anybody can reach the node's SSH server, and what the user may do there, is not to be seen.",
	Fix:    "Take the volume out, mount it with readOnly, or drop DAC_OVERRIDE.",
	Effort: Moderate,
	Find: func(w *World, take func(Taken)) {
		for _, f := range w.Folders() {
			if _, found := shows(f.Path, []place{{"/home", true}}); !found || f.ReadOnly {
				continue
			}
			h, holds := w.Holds(f.Box, "DAC_OVERRIDE")
			if !holds {
				continue
			}
			t := f.taken(f.Box.Pods.Machine, "can write the homes of users in "+f.Path)
			t.Evidence = append(t.Evidence, h.tells(f.Box, "DAC_OVERRIDE"))
			t.Changes = append(t.Changes, f.lock(), h.taken(f.Box, "DAC_OVERRIDE"))
			if t.Doubt == "" {
				t.Doubt = "whether a user of the node can log in and become root is not known"
			}
			take(t)
		}
	},
}
