package attack

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Scopes keep the graph small: a right over every pod of a namespace is one step to the scope, which
// is tied to each of its pods once, whoever has such a right.

// onMachine begins the Part of the scope of pods that may run on a class of nodes.
const onMachine = "on "

// allMachines is the scope of every class of nodes.
var allMachines = Node{Kind: Scope, Name: "nodes"}

// AllMachines is every node.
func AllMachines() Node { return allMachines }

// everything is all that a namespace holds, or that all hold.
func everything(namespace string) []Node {
	return []Node{PodsIn(namespace), SecretsIn(namespace), AccountsIn(namespace)}
}

// PodsOn is every pod that may run on a class of nodes.
func PodsOn(machine Node) Node {
	return Node{Kind: Scope, Name: "pods", Part: onMachine + machine.Name}
}

// Machines are the classes of nodes that pods may run on. There are nodes wherever there is a cluster.
func (w *World) Machines() []Node {
	if w.classes == nil {
		seen := map[Node]bool{}
		for _, p := range w.Pods {
			if !seen[p.Machine] {
				seen[p.Machine] = true
				w.classes = append(w.classes, p.Machine)
			}
		}
		if len(seen) == 0 {
			w.classes = []Node{{Kind: Machine, Name: anyMachine}}
		}
	}
	return w.classes
}

// On is the workloads of a class of nodes itself.
func (w *World) On(machine Node) []*Pods {
	if w.onMachine == nil {
		w.onMachine = map[Node][]*Pods{}
		for _, p := range w.Pods {
			w.onMachine[p.Machine] = append(w.onMachine[p.Machine], p)
		}
	}
	return w.onMachine[machine]
}

// Fitting are the other classes whose pods may run on a node of a class, too: those that ask for no more
// than it. Pods that name their node run nowhere else.
func (w *World) Fitting(machine Node) []Node {
	var list []Node
	for _, class := range w.Machines() {
		if selects := class.Name == anyMachine || strings.Contains(class.Name, "="); selects && class != machine && w.mayRunOn(class, machine) {
			list = append(list, class)
		}
	}
	return list
}

func (w *World) mayRunOn(class, machine Node) bool {
	if class == machine || class.Name == anyMachine {
		return true
	}
	wants := strings.Split(class.Name, ",")
	has := strings.Split(machine.Name, ",")
	if node := w.Inventory.Find("Node", "", machine.Name); node != nil {
		for key, v := range node.Labels().Fields() {
			has = append(has, key+"="+v.Str())
		}
	}
	return !slices.ContainsFunc(wants, func(label string) bool { return !slices.Contains(has, label) })
}

// named is the workloads by node: variants of one workload that differ share theirs.
func (w *World) named() map[Node][]*Pods {
	if w.byNode == nil {
		w.byNode = make(map[Node][]*Pods, len(w.Pods))
		for _, p := range w.Pods {
			w.byNode[p.Node] = append(w.byNode[p.Node], p)
		}
	}
	return w.byNode
}

// namespacesOf are the namespaces in which a scope has members, sorted.
func (w *World) namespacesOf(what string) []string {
	seen := map[string]bool{}
	switch what {
	case "pods", servedPods("").Name:
		for _, p := range w.Pods {
			seen[p.Namespace] = true
		}
	case "secrets":
		for _, o := range w.Inventory.OfKind("Secret") {
			seen[fact.Place(o.Namespace)] = true
		}
	case "service accounts":
		for namespace := range w.accountsIn() {
			seen[namespace] = true
		}
	}
	return sorted(seen)
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// members are the nodes of a scope in one namespace.
func (w *World) members(scope Node) []Node {
	var list []Node
	switch scope.Name {
	case "pods":
		for _, p := range w.In(scope.Namespace) {
			list = append(list, p.Node)
		}
	case servedPods("").Name:
		for _, p := range w.In(scope.Namespace) {
			if w.isServed(p, nil) {
				list = append(list, p.Node)
			}
		}
	case "secrets":
		for _, o := range w.Inventory.In("Secret", scope.Namespace) {
			list = append(list, SecretNode(o.Namespace, o.Name))
		}
	case "service accounts":
		list = w.accountsIn()[scope.Namespace]
	}
	return list
}

// accountsIn is the service accounts by namespace: those that were read, those that pods run as, and
// those that bindings name.
func (w *World) accountsIn() map[string][]Node {
	if w.accounts != nil {
		return w.accounts
	}
	w.accounts = map[string][]Node{}
	seen := map[Node]bool{}
	add := func(n Node) {
		if n.Namespace != "" && !seen[n] {
			seen[n] = true
			w.accounts[n.Namespace] = append(w.accounts[n.Namespace], n)
		}
	}
	for _, o := range w.Inventory.OfKind("ServiceAccount") {
		add(Account(o.Namespace, o.Name))
	}
	for _, p := range w.Pods {
		add(p.Account)
	}
	for _, b := range w.Rights.Bindings() {
		for i := range b.Subjects {
			add(HolderOf(&b.Subjects[i]))
		}
	}
	return w.accounts
}
