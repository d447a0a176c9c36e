package attack

import (
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/reach"
)

var lateralMovement = Step{
	ID: "lateral-movement", Title: "Use a flaw in what other pods serve", Technique: "T1210",
	Needs: "commands in a container whose pod may connect to a port on which another one listens",
	Gives: "commands in that container",
	Why: "Within the cluster every pod reaches every other unless network policies say no, and programs trust what comes from inside. The step assumes a flaw in what is served, whose use wants skill; " +
		"it looks at ports that containers declare, and at those that services lead to.",
	Fix:     "Let each pod be reached by its clients alone: a NetworkPolicy that denies by default, and one for each way that is used.",
	Effort:  Hard,
	Network: true,
	Find: func(w *World, take func(Taken)) {
		m := &movement{w: w, n: w.Network(), take: take, tied: map[int]bool{}, isolated: map[*Pods]bool{}, closing: map[string][]Change{}}
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
	closing  map[string][]Change       // what closes a namespace
	exposed  map[string][]*fact.Object // services with a selector, by namespace
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
	hub := Node{Kind: Scope, Name: "connections", Part: strconv.Itoa(number)}
	targets := false
	for j := range f.To.All() {
		for _, p := range m.w.At(j) {
			sure := m.attack(hub, p, f.Open, "")
			perhaps := m.attack(hub, p, f.Unknown, "whether policies let the connection through is not known")
			targets = targets || sure || perhaps
		}
	}
	if !targets {
		return
	}
	for _, i := range sources {
		m.tie(i, hub)
	}
}

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

// attack takes the step to the containers of pods that listen on one of the ports.
func (m *movement) attack(hub Node, p *Pods, ports reach.Ports, doubt string) (taken bool) {
	if ports.Empty() {
		return false
	}
	for _, b := range p.Containers {
		at, port := m.listens(p, b, ports)
		if !b.Serves() || !at.Exists() {
			continue
		}
		taken = true
		t := Taken{
			From: hub, To: b.Node, Doubt: doubt,
			Evidence: []Evidence{{p.Object, at, b.Node.Title() + " listens on port " + port + ", and no policy keeps the other pod out"}},
			Changes:  m.isolate(p),
		}
		m.take(t)
	}
	return taken
}

// listens is where it says that a container listens on one of the ports, and on which: the container itself,
// or, of a pod's only one, a service that leads there.
func (m *movement) listens(p *Pods, b *Box, ports reach.Ports) (at document.Value, port string) {
	for _, v := range b.Value.Get("ports").Items() {
		protocol, ok := reach.ParseProtocol(v.Get("protocol").Str())
		if number, isInt := v.Get("containerPort").Int(); ok && isInt && ports.Has(protocol, int(number)) {
			return v, strconv.FormatInt(number, 10)
		}
	}
	if b.Value.Get("ports").Len() > 0 || len(p.Containers) > 1 {
		return at, ""
	}
	for _, o := range m.services(p.Namespace) {
		if !fact.HasLabels(p.Labels(), o.Root.At("spec", "selector")) {
			continue
		}
		for _, v := range o.Root.At("spec", "ports").Items() {
			number, isInt := v.Get("port").Int()
			if target := v.Get("targetPort"); target.Exists() {
				number, isInt = target.Int()
			}
			if protocol, ok := reach.ParseProtocol(v.Get("protocol").Str()); ok && isInt && ports.Has(protocol, int(number)) {
				return b.Value, strconv.FormatInt(number, 10)
			}
		}
	}
	return at, ""
}

func (m *movement) services(namespace string) []*fact.Object {
	if m.exposed == nil {
		m.exposed = map[string][]*fact.Object{}
		for _, o := range m.w.Inventory.OfKind("Service") {
			if o.Root.At("spec", "selector").Len() > 0 {
				at := fact.Place(o.Namespace)
				m.exposed[at] = append(m.exposed[at], o)
			}
		}
	}
	return m.exposed[namespace]
}

// isolate is the change that closes a namespace by default; none where something selects the pods already,
// and so lets somebody in.
func (m *movement) isolate(p *Pods) []Change {
	if !m.closable || p.Spec.Get("hostNetwork").Bool() || m.selected(p) {
		return nil
	}
	if known := m.closing[p.Namespace]; known != nil {
		return known
	}
	changes := []Change{{
		Object: m.w.In(p.Namespace)[0].Object, Last: true, Title: "Deny what comes to the pods of namespace " + p.Namespace + " unless a policy allows it",
		Edits: []Edit{Add(`{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "default-deny-ingress", "namespace": ` +
			text(p.Namespace) + `}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}`)},
	}}
	m.closing[p.Namespace] = changes
	return changes
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
