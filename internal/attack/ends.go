package attack

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

// Ends are what words name: nodes, and every node of some kinds.
type Ends struct {
	Nodes []Node
	Kinds []Kind
}

// wholes are the words that name every node of a kind.
var wholes = map[string]Kind{
	"internet": Internet, "cluster-admin": ClusterAdmin, "data": Data, "node": Machine, "secret": Secret, "volume": Volume, "cloud": CloudIdentity,
}

// Words are those that a command line completes: of those that end in a colon a name follows.
func Words() []string {
	words := []string{"workload:", "container:", "sa:", "user:", "group:", "namespace:", "node:", "secret:", "volume:", "cloud:", "data:"}
	for w := range wholes {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// HowToName says how ends are named.
const HowToName = "Write internet, cluster-admin, data, node, secret, volume or cloud for all there are; workload:NAMESPACE/NAME, container:NAMESPACE/NAME/CONTAINER, " +
	"sa:NAMESPACE/NAME, user:NAME, group:NAME, namespace:NAME, node:NAME, secret:NAMESPACE/NAME, volume:NAMESPACE/NAME, cloud:NAME or data:NAMESPACE/NAME for one."

// Named are the ends that words name in this world. Every word that names nothing is an error.
func (w *World) Named(words []string) (Ends, []error) {
	var ends Ends
	var errs []error
	for _, word := range words {
		if kind, whole := wholes[word]; whole {
			ends.Kinds = append(ends.Kinds, kind)
			continue
		}
		nodes, err := w.one(word)
		if err == nil && len(nodes) == 0 {
			err = fmt.Errorf("nothing is named %q", word)
		}
		if err != nil {
			errs = append(errs, err)
		}
		ends.Nodes = append(ends.Nodes, nodes...)
	}
	return ends, errs
}

// one is the nodes that a word names; none when nothing is named so.
func (w *World) one(word string) ([]Node, error) {
	kind, name, found := strings.Cut(word, ":")
	if !found {
		return w.workloads(word), nil // a workload by its name alone
	}
	namespace, rest, isPlaced := strings.Cut(name, "/")
	switch strings.ToLower(kind) {
	case "workload":
		return w.workloads(name), nil
	case "container":
		return w.containers(name), nil
	case "namespace", "ns":
		if len(w.In(name)) > 0 && name != "" {
			return []Node{PodsIn(name)}, nil
		}
		return nil, nil
	case "node":
		return w.machines(name), nil
	case "secret", "volume", "data":
		k := wholes[strings.ToLower(kind)]
		if !isPlaced {
			namespace, rest = fact.Place(""), name
		}
		return []Node{{Kind: k, Namespace: namespace, Name: rest}}, nil
	case "cloud":
		return []Node{{Kind: CloudIdentity, Name: name}}, nil
	case "identity":
		word = name
	}
	return w.identities(word)
}

// workloads are those named "name", "namespace/name", "kind/name" or "namespace/kind/name".
func (w *World) workloads(name string) []Node {
	var list []Node
	for _, p := range w.Pods {
		if p.IsNamed(name) {
			list = append(list, p.Node)
		}
	}
	return list
}

// containers are those named as workloads are, with the container's name behind it.
func (w *World) containers(name string) []Node {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return nil
	}
	var list []Node
	for _, p := range w.Pods {
		for _, b := range p.Containers {
			if b.Name == name[i+1:] && p.IsNamed(name[:i]) {
				list = append(list, b.Node)
			}
		}
	}
	return list
}

func (w *World) machines(name string) []Node {
	for _, n := range w.Machines() {
		if n.Name == name {
			return []Node{n}
		}
	}
	return nil
}

// identities are what rbac reads, if the world knows of it: a user or a group may be anybody's, a
// service account must have been read, be run as, or be bound.
func (w *World) identities(word string) ([]Node, error) {
	id, err := rbac.ParseIdentity(word, "", nil)
	if err != nil {
		return nil, err
	}
	switch {
	case id.Account != "":
		n := Account(id.Namespace, id.Account)
		if !slices.Contains(w.accountsIn()[n.Namespace], n) {
			return nil, nil
		}
		return []Node{n}, nil
	case id.User != "":
		return []Node{User(id.User)}, nil
	}
	return []Node{Group(id.Groups[0])}, nil
}

// Nowhere are the ends that nothing is known of but their names: no step leads to them, or from them,
// and nothing that was read is called so.
func (g *Graph) Nowhere(e Ends) []Node {
	var list []Node
	for _, n := range e.Nodes {
		switch n.Kind {
		case Secret:
			if g.World.Inventory.Find("Secret", n.Namespace, n.Name) != nil {
				continue
			}
		case Volume, Data, CloudIdentity:
		default:
			continue
		}
		if i, known := g.index[n]; !known || len(g.out.of(i))+len(g.in.of(i)) == 0 {
			list = append(list, n)
		}
	}
	return list
}

// Resolve is the numbers of the ends in the graph, which must have been made with them. Of a workload
// that is a sink its containers are too.
func (g *Graph) Resolve(e Ends) []int32 {
	var list []int32
	add := func(i int32) {
		if !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	for _, n := range e.Nodes {
		if i, known := g.index[n]; known {
			add(i)
		}
	}
	for _, k := range e.Kinds {
		for _, i := range g.OfKind(k) {
			add(i)
		}
	}
	return list
}

// Within are the ends with the containers of their workloads: whoever has one of these has the workload.
func (w *World) Within(e Ends) Ends {
	more := Ends{Nodes: slices.Clone(e.Nodes), Kinds: e.Kinds}
	add := func(p *Pods) {
		more.Nodes = append(more.Nodes, p.Node)
		for _, b := range p.Containers {
			more.Nodes = append(more.Nodes, b.Node)
		}
	}
	for _, n := range e.Nodes {
		switch {
		case n.Kind == Workload:
			for _, p := range w.named()[n] {
				add(p)
			}
		case n.Kind == Scope && n.Name == "pods" && n.Part == "":
			for _, p := range w.In(n.Namespace) {
				add(p)
			}
		}
	}
	return more
}
