package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// anyMachine is the name of the class of nodes of pods that say nothing of where they run.
const anyMachine = "any"

// machineOf is the class of nodes that pods may run on: the one that they name, those that their
// selector and their required affinity ask for, or any. What they prefer, what they avoid, taints and
// the scheduler's choice are not looked at: what may run on the same class is taken to run on the same node.
func machineOf(p *fact.Workload) Node {
	if name := p.Spec.Get("nodeName").Str(); name != "" {
		return Node{Kind: Machine, Name: name}
	}
	var labels []string
	for key, v := range p.Spec.Get("nodeSelector").Fields() {
		labels = asking(labels, key, v.Str())
	}
	terms := p.Spec.At("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	var either []string
	for _, term := range terms.Items() {
		if asks := termLabels(term); len(asks) > 0 {
			either = append(either, strings.Join(asks, "+"))
		}
	}
	// Terms are alternatives: one that asks for nothing makes the others so, too.
	switch {
	case terms.Len() == 1 && len(either) == 1:
		labels = append(labels, strings.Split(either[0], "+")...)
	case len(either) > 0 && len(either) == terms.Len():
		slices.Sort(either)
		labels = append(labels, strings.Join(either, " or "))
	}
	if len(labels) == 0 {
		return Node{Kind: Machine, Name: anyMachine}
	}
	slices.Sort(labels)
	return Node{Kind: Machine, Name: strings.Join(slices.Compact(labels), ",")}
}

// asking adds a label that a node must have, unless every node has one like it.
func asking(labels []string, key, value string) []string {
	if key == "kubernetes.io/os" || key == "kubernetes.io/arch" {
		return labels
	}
	return append(labels, key+"="+value)
}

// termLabels are what one term asks for: a label, one of several values of it, or any.
func termLabels(term document.Value) []string {
	var labels []string
	for _, e := range term.Get("matchExpressions").Items() {
		switch e.Get("operator").Str() {
		case "In":
			var values []string
			for _, v := range e.Get("values").Items() {
				values = append(values, v.Str())
			}
			slices.Sort(values)
			labels = asking(labels, e.Get("key").Str(), strings.Join(values, "|"))
		case "Exists":
			labels = asking(labels, e.Get("key").Str(), "*")
		}
	}
	slices.Sort(labels)
	return labels
}
