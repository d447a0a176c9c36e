package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// workloadName is a workload as people name it: "namespace/name".
func workloadName(w *fact.Workload) string {
	return fact.Place(w.Object.Namespace) + "/" + w.Object.Name
}

// Names are the members of a set, as people name them, each once: workloads, "node" for the node
// that the pod at the other end runs on, "nodes" for all others, "internet", and CIDRs.
func (n *Network) Names(s Set) []string {
	var list, outside []string
	for i := range s.All() {
		e := n.Endpoints[i]
		switch e.Kind {
		case Pods:
			for _, w := range e.Workloads {
				list = append(list, workloadName(w))
			}
		case Node:
			outside = append(outside, "node")
		case Nodes:
			outside = append(outside, "nodes")
		case Addresses:
			outside = append(outside, addressNames(e)...)
		}
	}
	slices.Sort(list)
	return slices.Compact(append(slices.Compact(list), outside...))
}

// addressNames are the blocks of an endpoint; those that no policy names are told in one word.
func addressNames(e *Endpoint) []string {
	if e.Rest {
		word := "private addresses"
		if e.Public {
			word = "internet"
		}
		if e.Blocks[0].Addr().Is6() {
			word += " (IPv6)"
		}
		return []string{word}
	}
	var list []string
	for _, b := range e.Blocks {
		list = append(list, b.String())
	}
	return list
}

// Title is a set in a few words: names up to most, and how many more.
func (n *Network) Title(s Set, most int) string {
	var words []string
	if len(n.pods) > 0 && !n.pods.empty() && n.pods.minus(s).empty() {
		words = append(words, "every pod")
		s = s.minus(n.pods)
	}
	if !n.outside.empty() && n.outside.minus(s).empty() {
		words = append(words, "every address")
		s = s.minus(n.outside)
	}
	names := n.Names(s)
	if extra := len(names) - most; extra > 0 {
		names = append(names[:most:most], fmt.Sprintf("%d more", extra))
	}
	return strings.Join(append(words, names...), ", ")
}

// Find is the endpoints that a word names: "namespace/name", "name", "namespace/*", "kind/name" with or
// without a namespace before it, "pods", "internet", "node", "nodes", an address or a CIDR.
func (n *Network) Find(word string) (Set, error) {
	s := newSet(len(n.Endpoints))
	switch word {
	case "", "*":
		return n.everything(), nil
	case "pods":
		return n.pods, nil
	case "internet":
		for i, e := range n.Endpoints {
			if e.Public {
				s.add(i)
			}
		}
		return s, nil
	case "node":
		s.add(n.node)
		return s, nil
	case "nodes":
		s.add(n.nodes)
		return s, nil
	}
	if p, ok := parseBlock(word); ok {
		for _, part := range n.parts {
			if blocksMeet(part.span, p) {
				s.add(part.endpoint)
			}
		}
		return s, nil
	}
	for w, i := range n.byWorkload {
		if isNamed(w, word) {
			s.add(i)
		}
	}
	if s.empty() {
		return nil, fmt.Errorf("nothing is named %q", word)
	}
	return s, nil
}

func blocksMeet(span addresses, p netip.Prefix) bool {
	return span.first.BitLen() == p.Addr().BitLen() && !lastOf(p).Less(span.first) && !span.last.Less(p.Addr())
}

func isNamed(w *fact.Workload, word string) bool {
	parts := strings.Split(word, "/")
	namespace, name := fact.Place(w.Object.Namespace), w.Object.Name
	isKind := func(kind string) bool { return strings.EqualFold(kind, w.Object.Kind) }
	switch len(parts) {
	case 1:
		return parts[0] == name
	case 2:
		return parts[0] == namespace && (parts[1] == name || parts[1] == "*") || isKind(parts[0]) && parts[1] == name
	case 3:
		return parts[0] == namespace && isKind(parts[1]) && parts[2] == name
	}
	return false
}
