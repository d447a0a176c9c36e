package attack

var podForward = Step{
	ID: "pod-forward", Title: "Reach the ports of pods past network policies", Technique: "T1572",
	Needs: "an identity that may create, or get, pods/portforward",
	Gives: "commands in the pods there, where what they serve has a flaw",
	Why: "The kubelet carries the connection into the pod, so that no network policy sees it, and reaches what listens on the pod's own loopback, too: databases and " +
		"consoles that ask for no password there. The step assumes a flaw in what is served.",
	Fix:    "Give pods/portforward to people who debug, in the namespaces where they do.",
	Effort: Hard,
	Find:   podStep("port-forward"),
}
