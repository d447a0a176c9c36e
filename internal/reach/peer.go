package reach

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

func errPlain(text string) error { return errors.New(text) }

// malformed is an error for what the API server would not take.
func malformed(path, fault string) error { return fmt.Errorf("%s: %s", path, fault) }

// selectPods is the pods that a LabelSelector selects, in whatever namespace.
func (n *Network) selectPods(selector document.Value) some {
	key := string(selector.AppendSorted(nil))
	if s, known := n.selected[key]; known {
		return s
	}
	s := newSome(len(n.Endpoints))
	for _, i := range n.candidates(selector) {
		e := n.Endpoints[i]
		s.put(i, answerOf(fact.MaySelect(selector, e.labels(), e.openLabel)))
	}
	n.selected[key] = s
	return s
}

func answerOf(selects, certain bool) answer {
	switch {
	case !selects:
		return no
	case certain:
		return yes
	}
	return maybe
}

// candidates are the pods that a selector may select: by the rarest label that it demands. A label
// that controllers give may be that of any pod that one made.
func (n *Network) candidates(selector document.Value) []int {
	var best, made []int
	found := false
	for key, v := range selector.Get("matchLabels").Fields() {
		list, others := n.byLabel[label{key, v.Str()}], []int(nil)
		if slices.Contains(generated, key) {
			others = n.madePods
		}
		if !found || len(list)+len(others) < len(best)+len(made) {
			best, made, found = list, others, true
		}
	}
	if found {
		list := slices.Concat(best, made, n.openPods)
		slices.Sort(list)
		return slices.Compact(list)
	}
	return slices.Collect(n.pods.All())
}

// selectNamespaces is the pods in the namespaces that a LabelSelector selects.
func (n *Network) selectNamespaces(selector document.Value) some {
	key := "ns" + string(selector.AppendSorted(nil))
	if s, known := n.selected[key]; known {
		return s
	}
	s := newSome(len(n.Endpoints))
	for _, ns := range n.namespaces {
		switch answerOf(fact.MaySelect(selector, ns.labels, ns.openLabel)) { //nolint:exhaustive // of the others there is nothing to do
		case yes:
			s.sure.merge(ns.pods)
		case maybe:
			s.maybe.merge(ns.pods)
		}
	}
	n.selected[key] = s
	return s
}

// openLabel says whether the namespace may have a label of that key: those of one that was not read are not known.
func (ns *namespace) openLabel(string) bool { return !ns.known }

// inNamespace is the pods of a namespace.
func (n *Network) inNamespace(name string) Set {
	if ns := n.byName[fact.Place(name)]; ns != nil {
		return ns.pods
	}
	return newSet(len(n.Endpoints))
}

// and is what is in both.
func (s some) and(o some) some {
	sure := s.sure.and(o.sure)
	return some{sure, s.any().and(o.any()).minus(sure)}
}

// within is what of it lies in a set.
func (s some) within(set Set) some { return some{s.sure.and(set), s.maybe.and(set)} }

// without is what of it lies outside of a set.
func (s some) without(set Set) some { return some{s.sure.minus(set), s.maybe.minus(set)} }

// sureOf is a set of which everything is known.
func sureOf(s Set) some { return some{s, newSet(len(s) * 64)} }

// group is peers, with the pods on their node's network that labels select kept apart.
type group struct {
	some

	hosts Set
}

func (n *Network) newGroup() group {
	return group{newSome(len(n.Endpoints)), newSet(len(n.Endpoints))}
}

// byLabels is what selectors of labels select, as peers.
func (n *Network) byLabels(s some) group {
	return group{some{s.sure.minus(n.hosts), s.maybe}, s.sure.and(n.hosts)}
}

func (g group) merge(o group) {
	g.some.merge(o.some)
	g.hosts.merge(o.hosts)
}

// blockPeers is what a block of addresses matches to the network's policies. Those of Cilium, and all where it
// is there, know pods by their labels alone.
func (n *Network) blockPeers(b block) some {
	s := n.addressPeers(b)
	if n.cilium {
		return s.without(n.pods)
	}
	return s
}

// addressPeers is who has an address in a block: addresses, nodes, and pods, as far as theirs are known.
func (n *Network) addressPeers(b block) some {
	s := newSome(len(n.Endpoints))
	start := b.cidr.Masked().Addr()
	parts := n.parts[sort.Search(len(n.parts), func(i int) bool { return !n.parts[i].span.first.Less(start) }):]
	parts = parts[:sort.Search(len(parts), func(i int) bool { return !b.cidr.Contains(parts[i].span.first) })]
	excepted := make(map[int]bool, len(b.except))
	n.walked += meet(parts, spansOf(b.except), func(i int) { excepted[i] = true })
	for i := range parts {
		if !excepted[i] {
			s.sure.add(parts[i].endpoint)
		}
	}
	usual := b.holdsPods(n.podBlocks, n.told)
	for i := range n.pods.All() {
		e := n.Endpoints[i]
		switch {
		case e.HostNetwork:
			s.put(i, b.holdsNodes(n))
		case len(e.ips) > 0:
			s.put(i, b.holdsOne(e.ips))
		default:
			s.put(i, usual)
		}
	}
	s.put(n.nodes, b.holdsNodes(n))
	s.put(n.node, b.holdsNodes(n))
	return s
}
