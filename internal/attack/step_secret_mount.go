package attack

var secretMount = Step{
	ID: "secret-mount", Title: "Read the secrets that a container is given", Technique: "T1552.001",
	Needs: "commands in a container that mounts a Secret or has variables from one",
	Gives: "the content of the Secret",
	Why:   "What the program reads everybody reads who runs commands beside it: files, and the variables of every process.",
	Fix:   "Give each container the secrets that its own program uses, by keys rather than whole.",
	// It is a file.
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		uses := w.secretUses()
		for i := range uses {
			u := &uses[i]
			to := SecretNode(u.box.Pods.Namespace, u.name)
			take(Taken{
				From: u.box.Node, To: to,
				Evidence: []Evidence{value(u.box, u.at, u.box.Node.Title()+" is given "+to.Title()+": "+u.tells)},
				Changes: []Change{{
					Object: u.box.Pods.Object, Edits: []Edit{Remove(u.at)}, Last: true, Breadth: WholePurpose,
					Title: "Take " + to.Title() + " from " + u.box.Node.Title(),
				}},
			})
		}
	},
}
