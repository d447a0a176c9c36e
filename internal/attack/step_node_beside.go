package attack

import (
	"slices"
	"strings"
)

var nodeBeside = Step{
	ID: "node-beside", Title: "Have a node that other pods are kept on", Technique: "T1609",
	Needs: "root on the node of a pod that asks for no node, or for other labels than the pods it is after",
	Gives: "commands in the containers of the pods that are kept on certain nodes",
	Why: "A selector keeps pods on some nodes and nobody else off them: what asks for nothing runs there, too, and a DaemonSet does for certain. Only a taint keeps others away; " +
		"whether the nodes have one is not known where their pods tolerate some.",
	Fix:    "Taint the nodes that are kept for powerful pods, so that nothing else is scheduled there.",
	Effort: Trivial,
	Find: func(w *World, take func(Taken)) {
		classes := w.Machines()
		if len(classes) > mostClasses {
			classes = classes[:mostClasses]
		}
		for _, from := range w.Machines() {
			others := classes
			if from.Name == anyMachine {
				others = w.Machines()
			} else if !slices.Contains(classes, from) {
				continue
			}
			for _, to := range others {
				w.standsBeside(from, to, take)
			}
		}
	},
}

// mostClasses bounds between how many classes of labels it is asked whether one node may be of both.
const mostClasses = 64

// standsBeside takes the step from the nodes of one class to the pods of another, where one node may be of
// both and the other's pods are not tied to it already.
func (w *World) standsBeside(from, to Node, take func(Taken)) {
	if from == to || to.Name == anyMachine || slices.Contains(w.Fitting(from), to) {
		return
	}
	p := w.anyOn(to)
	t := Taken{From: from, To: PodsOn(to), Evidence: []Evidence{{p.Object, p.Spec, "the pods of " + p.Node.Title() + " are kept on node " + to.Name + ", and nothing keeps others off it"}}}
	switch {
	case from.Name == anyMachine:
		t.Doubt = w.fencedOff(to)
	case exclude(from.Name, to.Name):
		return
	default:
		t.Doubt = "whether a node has the labels of both, " + from.Name + " and " + to.Name + ", is not known"
	}
	take(t)
}

// fencedOff says why pods that ask for no node may not come on those of a class; "" where nothing speaks
// for it.
func (w *World) fencedOff(class Node) string {
	if !strings.Contains(class.Name, "=") {
		node := w.Inventory.Find("Node", "", class.Name)
		if node == nil {
			return "whether node " + class.Name + " takes other pods is not known"
		}
		if node.Root.At("spec", "taints").Len() > 0 || node.Root.At("spec", "unschedulable").Bool() {
			return "node " + class.Name + " is tainted, or takes no new pods"
		}
	}
	for _, p := range w.On(class) {
		if p.Spec.Get("tolerations").Len() > 0 {
			return "whether a taint keeps others off node " + class.Name + " is not known: " + p.Node.Title() + " tolerates some"
		}
	}
	if strings.Contains(class.Name, "node-role.kubernetes.io/") {
		return "whether a taint keeps others off node " + class.Name + " is not known"
	}
	return ""
}

// exclude says whether no node is of both classes: they want other values of one label, or one of them
// names its node.
func exclude(a, b string) bool {
	if !strings.Contains(a, "=") || !strings.Contains(b, "=") {
		return true
	}
	values := map[string]string{}
	for label := range strings.SplitSeq(a, ",") {
		key, value, _ := strings.Cut(label, "=")
		values[key] = value
	}
	return slices.ContainsFunc(strings.Split(b, ","), func(label string) bool {
		key, value, _ := strings.Cut(label, "=")
		have, both := values[key]
		return both && have != value && !strings.ContainsAny(have+value, "*|+")
	})
}
