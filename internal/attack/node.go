package attack

import (
	"fmt"
	"strings"

	"github.com/coaming/coaming/internal/fact"
)

// Kind is what a node is.
type Kind uint8

// The kinds. A Workload is commands in any container of its pods; a Container is commands in that one.
// A Machine is root on a node. A Scope stands for many ("every pod of shop"): whoever has it has each
// of them.
const (
	Internet Kind = iota
	Workload
	Container
	Identity
	Machine
	Secret
	Volume
	CloudIdentity
	ClusterAdmin
	Data
	Scope
)

var kindNames = [...]string{"internet", "workload", "container", "identity", "node", "secret", "volume", "cloud", "cluster-admin", "data", "scope"}

// String is the kind's word, stable for machines.
func (k Kind) String() string { return kindNames[k] }

// Node is something that an attacker may hold. Replicas of a workload are one.
//
//	internet, cluster-admin  nothing but the kind
//	workload                 Namespace, Name "Deployment/web"
//	container                the same, Part is the container's name
//	identity                 Namespace and Name of a service account; else Name "user:NAME" or "group:NAME"
//	node                     Name "any", a nodeName, or a node selector "pool=gpu"
//	secret                   Namespace, Name
//	volume                   Namespace, Name
//	cloud                    Name, as the cloud has it
//	data                     Namespace, Name of what holds it
//	scope                    Namespace, Name what it is of: "pods"; Part where there are several
type Node struct {
	Kind                  Kind
	Namespace, Name, Part string
}

// String is the node in one word after its kind, stable for machines: "container shop/Deployment/web/app".
func (n Node) String() string {
	parts := make([]string, 0, 3)
	for _, p := range []string{n.Namespace, n.Name, n.Part} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if len(parts) == 0 {
		return n.Kind.String()
	}
	return n.Kind.String() + " " + strings.Join(parts, "/")
}

// Title is the node as people name it.
func (n Node) Title() string {
	place := n.Namespace + "/"
	if n.Namespace == "" {
		place = ""
	}
	switch n.Kind {
	case Internet:
		return "the internet"
	case ClusterAdmin:
		return "cluster-admin"
	case Workload:
		kind, name, _ := strings.Cut(n.Name, "/")
		return kind + " " + place + name
	case Container:
		kind, name, _ := strings.Cut(n.Name, "/")
		return "container " + n.Part + " of " + kind + " " + place + name
	case Identity:
		return identityTitle(n)
	case Machine:
		if n.Name == anyMachine {
			return "root on a node"
		}
		return "root on node " + n.Name
	case Secret:
		return "Secret " + place + n.Name
	case Volume:
		return "volume " + place + n.Name
	case CloudIdentity:
		return "cloud identity " + n.Name
	case Data:
		return "the data of " + place + n.Name
	case Scope:
		if machine, found := strings.CutPrefix(n.Part, onMachine); found && machine == anyMachine {
			return "every pod that may run on the same node"
		} else if found {
			return "every pod that may run on node " + machine
		}
		if role, found := strings.CutPrefix(n.Name, rightsOf); found {
			if n.Namespace != "" {
				role += " in namespace " + n.Namespace
			}
			return "the rights of " + role
		}
		if n.Name == connections {
			return "whoever the network lets through"
		}
		if n == Everything("") {
			return "everything of every namespace"
		}
		if n.Namespace == "" {
			return strings.TrimSpace("all " + n.Name + " " + n.Part)
		}
		return strings.TrimSpace(n.Name + " of namespace " + n.Namespace + " " + n.Part)
	}
	return n.String()
}

func identityTitle(n Node) string {
	if n.Namespace != "" {
		return "ServiceAccount " + n.Namespace + "/" + n.Name
	}
	if name, found := strings.CutPrefix(n.Name, "group:"); found {
		return "Group " + name
	}
	return "User " + strings.TrimPrefix(n.Name, "user:")
}

// Account is the identity of a service account.
func Account(namespace, name string) Node {
	return Node{Kind: Identity, Namespace: fact.Place(namespace), Name: name}
}

// User is the identity of a user, Group that of a group.
func User(name string) Node { return Node{Kind: Identity, Name: "user:" + name} }

// Group is what being in a group gives.
func Group(name string) Node { return Node{Kind: Identity, Name: "group:" + name} }

// SecretNode is a Secret's content.
func SecretNode(namespace, name string) Node {
	return Node{Kind: Secret, Namespace: fact.Place(namespace), Name: name}
}

// PodsIn is every pod of a namespace, or "" of all: as of every scope, whoever has it has each of its members.
func PodsIn(namespace string) Node { return Node{Kind: Scope, Namespace: namespace, Name: "pods"} }

// SecretsIn is every secret of a namespace, or "" of all.
func SecretsIn(namespace string) Node {
	return Node{Kind: Scope, Namespace: namespace, Name: "secrets"}
}

// AccountsIn is every service account of a namespace, or "" of all.
func AccountsIn(namespace string) Node {
	return Node{Kind: Scope, Namespace: namespace, Name: "service accounts"}
}

// title is an object as a sentence names it: "Role shop/reader".
func title(o *fact.Object) string {
	if o.Namespace == "" || fact.ClusterScoped(o.GroupKind()) {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}
