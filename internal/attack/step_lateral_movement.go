package attack

import (
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/reach"
)

var lateralMovement = Step{
	ID: "lateral-movement", Title: "Use a flaw in what other pods serve", Technique: "T1210",
	Needs: "commands in a container whose pod may connect to a port on which another one listens",
	Gives: "commands in that container",
	Why: "Within the cluster every pod reaches every other unless network policies say no, and programs trust what comes from inside. The step assumes a flaw in what is served, whose use wants skill; " +
		"a port need not be declared: what containers declare, what the kubelet probes and what services lead to is taken to be served, and of other ports that policies leave open nobody knows.",
	Fix:     "Let each pod be reached by its clients alone: a NetworkPolicy that denies by default, and one for each way that is used.",
	Effort:  Hard,
	Network: true,
	Find: func(w *World, take func(Taken)) {
		m := &movement{w: w, n: w.Network(), take: take, tied: map[int]bool{}, isolated: map[*Pods]bool{}, shut: map[*Pods][]Change{}, closing: map[string][]Change{}, services: newServicePorts(w.Inventory), listens: map[*Pods][]reach.Ports{}}
		m.closable = !m.otherPolicies()
		flows := m.n.Flows()
		for i := range flows {
			m.flow(i, &flows[i])
		}
	},
}

// movement takes the step over a network's flows. Each flow is a hub between the classes of its sources and
// the containers of its targets, so that what all reach of all costs as much as there are of both.
type movement struct {
	w        *World
	n        *reach.Network
	take     func(Taken)
	tied     map[int]bool // classes whose containers are tied to them
	closable bool         // whether NetworkPolicies alone decide
	isolated map[*Pods]bool
	closing  map[string][]Change // what closes a namespace
	shut     map[*Pods][]Change  // what closes a workload
	services servicePorts
	listens  map[*Pods][]reach.Ports // of their containers
}

func (m *movement) flow(number int, f *reach.Flow) {
	var sources []int
	for i := range f.From.All() {
		if len(m.w.At(i)) > 0 {
			sources = append(sources, i)
		}
	}
	if len(sources) == 0 {
		return // only nodes and addresses: they are no step's end
	}
	hub := Node{Kind: Scope, Name: connections, Part: strconv.Itoa(number)}
	targets := false
	for j := range f.To.All() {
		for _, p := range m.w.At(j) {
			targets = m.attack(hub, p, f) || targets
		}
	}
	if !targets {
		return
	}
	for _, i := range sources {
		m.tie(i, hub)
	}
}

// connections is the name of the scopes that stand for the sources of one flow.
const connections = "connections"

// tie ties a class of sources to a hub, and, once, its containers to it.
func (m *movement) tie(i int, hub Node) {
	class := Node{Kind: Scope, Name: "network class", Part: strconv.Itoa(i)}
	m.take(Taken{From: class, To: hub, Joint: true})
	if m.tied[i] {
		return
	}
	m.tied[i] = true
	for _, p := range m.w.At(i) {
		for _, b := range p.Containers {
			if b.Runs() {
				m.take(Taken{From: b.Node, To: class, Joint: true})
			}
		}
	}
}

// attack takes the step to the containers of pods: for certain to those that listen on a port that is open, and
// perhaps to the others, for a container may listen on more than it declares.
func (m *movement) attack(hub Node, p *Pods, f *reach.Flow) (taken bool) {
	listens := m.listening(p)
	for i, b := range p.Containers {
		if !b.Serves() {
			continue
		}
		t := Taken{From: hub, To: b.Node, Changes: m.isolate(p)}
		t.Doubt, t.Evidence = judge(b, listens[i], f)
		m.take(t)
		taken = true
	}
	return taken
}

// listening are the ports on which each container of a workload is known to listen.
func (m *movement) listening(p *Pods) []reach.Ports {
	if known := m.listens[p]; known != nil {
		return known
	}
	served := m.services.of(p)
	behind := p.Serving(served)
	list := make([]reach.Ports, len(p.Containers))
	for i, b := range p.Containers {
		if list[i] = b.listening(); slices.Contains(behind, b) {
			list[i] = list[i].Union(served)
		}
	}
	m.listens[p] = list
	return list
}

// judge says what is known of the connections of a flow to a container.
func judge(b *Box, listens reach.Ports, f *reach.Flow) (doubt string, evidence []Evidence) {
	ports, says := f.Open.Intersect(listens), " listens on "
	if ports.Empty() {
		if ports = f.Unknown.Intersect(listens); !ports.Empty() {
			doubt = "whether policies let the connection through is not known"
		} else {
			ports, says = f.Open.Union(f.Unknown), " may listen on "
			doubt = "nothing says whether it listens there: a port need not be declared"
		}
	}
	return doubt, []Evidence{{b.Pods.Object, b.declaration(ports), b.Node.Title() + says + portText(ports) + ", and no policy keeps the other pod out"}}
}

// isolate is the changes that close a workload, or its whole namespace, by default; none where something
// selects the pods already, and so lets somebody in.
func (m *movement) isolate(p *Pods) []Change {
	if !m.closable || p.Spec.Get("hostNetwork").Bool() || m.selected(p) {
		return nil
	}
	if known := m.shut[p]; known != nil {
		return known
	}
	m.shut[p] = append(m.fence(p), m.closeSpace(p)...)
	return m.shut[p]
}

// closeSpace is the change that closes a namespace.
func (m *movement) closeSpace(p *Pods) []Change {
	if known := m.closing[p.Namespace]; known != nil {
		return known
	}
	changes := []Change{{
		Object: m.w.In(p.Namespace)[0].Object, Last: true, Breadth: WholeNamespace, Title: "Deny what comes to the pods of namespace " + p.Namespace + " unless a policy allows it",
		Edits: []Edit{denyIngress("default-deny-ingress", p.Namespace, `{}`)},
	}}
	m.closing[p.Namespace] = changes
	return changes
}

// fence is the change that closes the pods of one workload; none where no labels tell them apart.
func (m *movement) fence(p *Pods) []Change {
	labels := p.Labels()
	if labels.Len() == 0 {
		return nil
	}
	selector := append(labels.AppendJSON([]byte(`{"matchLabels": `)), '}')
	return []Change{{
		Object: p.Object, Last: true, Breadth: ServedPods, Title: "Deny what comes to the pods of " + p.Node.Title() + " unless a policy allows it",
		Edits: []Edit{denyIngress("deny-ingress-"+p.Object.Name, p.Namespace, string(selector))},
	}}
}

// denyIngress adds the policy that lets nothing in to the pods that a selector, written as JSON, selects.
func denyIngress(name, namespace, selector string) Edit {
	return Add(`{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": ` + text(name) + `, "namespace": ` + text(namespace) +
		`}, "spec": {"podSelector": ` + selector + `, "policyTypes": ["Ingress"]}}`)
}

// selected says whether a NetworkPolicy for what comes in selects the pods.
func (m *movement) selected(p *Pods) bool {
	if is, known := m.isolated[p]; known {
		return is
	}
	is := false
	for _, o := range m.w.Inventory.In("NetworkPolicy.networking.k8s.io", p.Namespace) {
		spec := o.Root.Get("spec")
		types := spec.Get("policyTypes")
		if (types.Len() == 0 || holdsText(types, "Ingress")) && fact.Selects(spec.Get("podSelector"), p.Labels()) {
			is = true
			break
		}
	}
	m.isolated[p] = is
	return is
}

// otherPolicies says whether policies of other kinds have a say.
func (m *movement) otherPolicies() bool {
	for _, kind := range reach.Kinds() {
		if kind != "NetworkPolicy.networking.k8s.io" && kind != "Service" && len(m.w.Inventory.OfKind(kind)) > 0 && isPolicy(kind) {
			return true
		}
	}
	return false
}

func isPolicy(kind string) bool {
	name, _ := fact.SplitKind(kind)
	return len(name) > 6 && name[len(name)-6:] == "Policy"
}
