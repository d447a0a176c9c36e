package attack

import "github.com/coaming/coaming/internal/document"

var processSidecar = Step{
	ID: "process-sidecar", Title: "Reach into the other containers of a pod", Technique: "T1055",
	Needs: "commands in a container of a pod that shares its process list (shareProcessNamespace), as the other's user and with no capability less, or with SYS_PTRACE",
	Gives: "the other container: its files, its environment, its memory",
	Why: "In a shared process list /proc shows each process's files and environment to whoever may trace it: who runs as the same user and has all of its capabilities, " +
		"or SYS_PTRACE. So a flaw in the weaker container is one in the stronger.",
	Fix:    "Remove shareProcessNamespace, or run the containers as different users without SYS_PTRACE.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		for _, p := range w.Pods {
			at := p.Spec.Get("shareProcessNamespace")
			if !at.Bool() || len(p.Containers) > mostShared {
				continue
			}
			for _, a := range p.Containers {
				for _, b := range p.Containers {
					if a == b || !a.Runs() || !b.Runs() || !a.traces(b) {
						continue
					}
					take(Taken{
						From: a.Node, To: b.Node,
						Evidence: []Evidence{value(a, at, "its containers see each other's processes")},
						Changes:  []Change{without(a, at, "Keep the processes of the containers of "+p.Node.Title()+" apart")},
					})
				}
			}
		}
	},
}

// mostShared is how many containers of a pod are compared with each other. Real pods have a dozen.
const mostShared = 100

// traces says whether commands in a container may trace the other's processes (the kernel's
// __ptrace_may_access and cap_ptrace_access_check).
func (b *Box) traces(other *Box) bool {
	if _, has := b.Capability("SYS_PTRACE"); has && b.Root() {
		return true
	}
	if !b.Root() || !other.Root() {
		own, of := b.Security("runAsUser"), other.Security("runAsUser")
		return sameNumber(own, of)
	}
	if other.Value.At("securityContext", "privileged").Bool() && !b.Value.At("securityContext", "privileged").Bool() {
		return false
	}
	for _, name := range usual {
		if _, has := other.Capability(name); has && !b.has(name) {
			return false
		}
	}
	for _, v := range other.Value.At("securityContext", "capabilities", "add").Items() {
		if !b.has(capability(v.Str())) {
			return false
		}
	}
	return true
}

func (b *Box) has(name string) bool {
	_, has := b.Capability(name)
	return has
}

func sameNumber(a, b document.Value) bool {
	m, isInt := a.Int()
	n, too := b.Int()
	return isInt && too && m == n
}
