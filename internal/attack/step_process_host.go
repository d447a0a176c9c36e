package attack

import (
	"slices"
	"strconv"
	"strings"
)

var processHost = Step{
	ID: "process-host", Title: "Reach into other containers of the node by its process list", Technique: "T1055",
	Needs: "commands in a container among the processes of its node (hostPID), as another container's user and with no capability less",
	Gives: "the other containers: their files, their environment, their memory",
	Why: "With hostPID /proc shows the processes of every pod of the node, and the files, the token and the environment of each to whoever may trace it: who runs as the same user and has all of " +
		"its capabilities. Root with the usual ones has the usual containers. Which pods run beside each other is the scheduler's choice; all that may are taken to.",
	Fix:    "Remove hostPID; a container that must have it can run as a user of its own.",
	Effort: Easy,
	Find: func(w *World, take func(Taken)) {
		var hubs map[Node][]*tracee
		for b := range w.Boxes {
			evidence, changes, among := inHostPID(b)
			if !among || !b.Runs() || !w.onNodeKernel(b) {
				continue
			}
			if hubs == nil {
				hubs = w.tracees(take)
			}
			_, doubt := w.SharesKernel(b.Pods)
			for _, class := range append(w.Fitting(b.Pods.Machine), b.Pods.Machine) {
				for _, of := range hubs[class] {
					if !b.traces(of.box) || of.only == b {
						continue
					}
					t := Taken{From: b.Node, To: of.hub, Evidence: evidence, Changes: changes, Doubt: doubt}
					if t.Doubt == "" {
						t.Doubt = b.unseenProfile()
					}
					take(t)
				}
			}
		}
	},
}

// tracee is the containers of a class of nodes that are alike in what it takes to trace them.
type tracee struct {
	hub  Node
	box  *Box // one of them
	only *Box // where there is no other
}

// tracees are the containers of all nodes by what it takes to trace them, each tied to its kind's hub.
func (w *World) tracees(take func(Taken)) map[Node][]*tracee {
	list := map[Node][]*tracee{}
	known := map[Node]*tracee{}
	for b := range w.Boxes {
		if !b.Runs() || !w.onNodeKernel(b) {
			continue
		}
		hub := Node{Kind: Scope, Name: "containers alike", Part: b.Pods.Machine.Name + " " + b.profile()}
		t := known[hub]
		if t == nil {
			t = &tracee{hub: hub, box: b, only: b}
			known[hub] = t
			list[b.Pods.Machine] = append(list[b.Pods.Machine], t)
		} else {
			t.only = nil
		}
		take(Taken{From: hub, To: b.Node, Joint: true})
	}
	return list
}

// onNodeKernel says whether a container's processes are among those of its node, of the same users.
func (w *World) onNodeKernel(b *Box) bool {
	shares, _ := w.SharesKernel(b.Pods)
	return shares && b.HostUsers() && b.Pods.OS() == "linux"
}

// profile is equal for containers that the same others may trace.
func (b *Box) profile() string {
	if !b.Root() {
		if user, ok := b.Security("runAsUser").Int(); ok {
			return "user " + strconv.FormatInt(user, 10)
		}
		return "some user"
	}
	if b.Value.At("securityContext", "privileged").Bool() {
		return "privileged"
	}
	var names []string
	for _, name := range usual {
		if b.has(name) {
			names = append(names, name)
		}
	}
	for _, v := range b.Value.At("securityContext", "capabilities", "add").Items() {
		names = append(names, capability(v.Str()))
	}
	slices.Sort(names)
	return "root " + strings.Join(slices.Compact(names), " ")
}
