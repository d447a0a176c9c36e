package attack

var podDebug = Step{
	ID: "pod-debug", Title: "Put a debug container into running pods", Technique: "T1610",
	Needs: "an identity that may update or patch pods/ephemeralcontainers",
	Gives: "what the pods there have: their tokens, secrets and volumes",
	Why: "An ephemeral container runs an image of the attacker's inside of the pod, on its network, and mounts any volume of the pod: the token of its service account, " +
		"its secrets, its claims.",
	Fix:    "Give pods/ephemeralcontainers to people, for the hour in which they debug.",
	Effort: Easy,
	Find:   podStep("debug"),
}
