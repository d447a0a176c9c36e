package judge

import (
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/rule"
)

// Needs is the object kinds that the rules judge or compute named facts from, each "Kind" or
// "Kind.group": what a live cluster must be asked for. A rule on every object adds none: it judges
// what the others need.
func Needs(rules []*rule.Compiled) []string {
	need := map[string]bool{}
	for _, r := range rules {
		switch r.Match.Fact {
		case "container", "workload":
			for _, kind := range fact.PodKinds() {
				need[kind] = true
			}
		case "namespace":
			need["Namespace"] = true
		}
		for _, kind := range r.Match.Kinds {
			need[kind] = true
		}
		for _, kind := range Around(r) {
			need[kind] = true
		}
	}
	return sortedKeys(need)
}

// Around is the kinds of other objects that a rule computes named facts from, sorted; none for a rule that an object alone decides.
func Around(r *rule.Compiled) []string {
	need := map[string]bool{}
	for named, sources := range factKinds {
		if r.ReadsFact(named) {
			for _, kind := range sources {
				need[kind] = true
			}
		}
	}
	for _, read := range r.Reads() {
		if keys := rule.Keys(read); len(keys) > 1 && (keys[0] == "beside" || keys[0] == "everywhere") {
			need[keys[1]] = true
		}
	}
	return sortedKeys(need)
}

// Everywhere is the kinds of those around of which a rule wants the objects of all namespaces, not only of the object's own; sorted.
func Everywhere(r *rule.Compiled) []string {
	need := map[string]bool{}
	if r.ReadsFact("workload.bindings") {
		for _, kind := range rbac.Kinds {
			need[kind] = true // a binding in any namespace may name the account
		}
	}
	if r.ReadsFact("binding.subjects") {
		need[serviceAccount] = true
	}
	for _, read := range r.Reads() {
		if keys := rule.Keys(read); len(keys) > 1 && keys[0] == "everywhere" {
			need[keys[1]] = true
		}
	}
	return sortedKeys(need)
}

// AsksWhole says whether a rule asks something that no part of a cluster answers rightly: the graph of attacks, the network, or
// which pods there are.
func AsksWhole(r *rule.Compiled) bool {
	if r.Match.Fact == "cluster" {
		return true
	}
	around := Around(r)
	return r.ReadsFact("workload.network") || r.ReadsFact("ns.network") ||
		slices.ContainsFunc(fact.PodKinds(), func(kind string) bool { return slices.Contains(around, kind) })
}
