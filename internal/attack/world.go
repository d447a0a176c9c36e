package attack

import (
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
	"github.com/coaming/coaming/internal/verdict"
)

// Input is what a world is made of.
type Input struct {
	Inventory *fact.Inventory
	Gaps      []verdict.Gap
	// Shipped are the roles and bindings that every cluster has, and Cloud what exports of a cloud say.
	Shipped []*fact.Object
	Cloud   rbac.Cloud
	// Flaws are those of images, by the reference that containers name them with; nil where no image was scanned.
	Flaws map[string][]Flaw
	// Rights and Network are made of the others where they are nil.
	Rights  *rbac.Model
	Network *reach.Network
}

// World is an inventory as steps look at it. Its indexes are made when they are first asked for; it is
// not safe for concurrent use.
type World struct {
	Inventory *fact.Inventory
	Rights    *rbac.Model
	// Pods are the workloads that run: templates that nothing runs are not among them.
	Pods []*Pods

	in            Input
	gaps          *verdict.GapIndex
	network       *reach.Network
	byObject      map[*fact.Workload]*Pods
	classes       []Node
	onMachine     map[Node][]*Pods
	byNode        map[Node][]*Pods
	inSpace       map[string][]*Pods
	accounts      map[string][]Node
	rights        map[string][]*Right
	holding       map[Node]map[string][]*Right // by who has them and danger, without what is gained
	audienceFlags []string
	gained        map[Node]*Gained
	gains         map[*Right][]grant      // by right to bind
	permissions   map[question]permission // what rights' holders may do beside
	uses          []secretUse
	secrets       map[string][]int // by name, their places in the inventory
	folders       []*Folder
	namespaces    []string
	refuses       *string                   // why other policies may refuse pods; nil before it is asked for
	bound         map[claimKey]*fact.Object // persistent volumes by the claim that they name
	listening     map[int][]*Pods           // by endpoint of the network
}

// Pods is a workload that runs.
type Pods struct {
	*fact.Workload
	Node       Node
	Namespace  string
	Containers []*Box
	// Machine is where its pods run, Account the identity that they run as.
	Machine, Account Node
	// Endpoint is its class in the network, -1 for none; of World.Network alone.
	Endpoint int
}

// Box is one container of a workload that runs.
type Box struct {
	*fact.Container
	Node Node
	Pods *Pods
}

// NewWorld indexes an inventory. Of one with Worlds each is a world of its own.
func NewWorld(in Input) *World {
	w := &World{Inventory: in.Inventory, in: in, gaps: verdict.IndexGaps(in.Gaps), byObject: map[*fact.Workload]*Pods{}, inSpace: map[string][]*Pods{}}
	w.Rights, w.network = in.Rights, in.Network
	if w.Rights == nil {
		w.Rights = rbac.New(rbac.Input{Inventory: in.Inventory, Gaps: in.Gaps, Shipped: in.Shipped, Cloud: in.Cloud})
	}
	several := map[*fact.Object]int{}
	for _, p := range in.Inventory.Workloads {
		several[p.Object]++
	}
	for _, p := range in.Inventory.Workloads {
		if p.Object.GroupKind() == "PodTemplate" {
			continue // nothing runs it
		}
		w.add(p, several[p.Object] > 1)
	}
	return w
}

func (w *World) add(of *fact.Workload, several bool) {
	p := &Pods{Workload: of, Namespace: fact.Place(of.Object.Namespace), Endpoint: -1}
	name := of.Object.Kind + "/" + of.Object.Name
	if several {
		name += "@" + pathText(of.Path)
	}
	p.Node = Node{Kind: Workload, Namespace: p.Namespace, Name: name}
	p.Account = Account(p.Namespace, of.ServiceAccount())
	p.Machine = machineOf(of)
	for i := range of.Containers {
		c := &of.Containers[i]
		p.Containers = append(p.Containers, &Box{Container: c, Pods: p, Node: Node{Container, p.Namespace, name, c.Name}})
	}
	w.Pods = append(w.Pods, p)
	w.byObject[of] = p
	w.inSpace[p.Namespace] = append(w.inSpace[p.Namespace], p)
}

// Stopped says whether the workload has no pods as it was read.
func (p *Pods) Stopped() bool { return p.rests() != "" }

// rests says why the workload has no pods as it was read: nobody wants any, or they have ended.
func (p *Pods) rests() string {
	root := p.Object.Root
	switch p.Object.GroupKind() {
	case "Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps", "ReplicationController":
		if n, ok := root.At("spec", "replicas").Int(); ok && n == 0 {
			return "as long as nobody scales it up: its replicas are 0"
		}
	case "CronJob.batch", "Job.batch":
		if root.At("spec", "suspend").Bool() {
			return "as long as it is suspended"
		}
		if root.At("status", "completionTime").Exists() {
			return "any more: it is complete"
		}
	case "Pod":
		if phase := root.At("status", "phase").Str(); phase == "Succeeded" || phase == "Failed" {
			return "that run: it has ended"
		}
	}
	return ""
}

// stopped is the doubt of what takes pods of the workload, where it has none.
func (p *Pods) stopped() string {
	if why := p.rests(); why != "" {
		return title(p.Object) + " has no pods " + why
	}
	return ""
}

func pathText(steps []document.Step) string {
	var parts []string
	for _, s := range steps {
		parts = append(parts, s.Key)
	}
	return strings.Join(parts, ".")
}

// In is the workloads of a namespace, "" for all.
func (w *World) In(namespace string) []*Pods {
	if namespace == "" {
		return w.Pods
	}
	return w.inSpace[namespace]
}

// Of is the workload as it runs; nil for one that does not.
func (w *World) Of(p *fact.Workload) *Pods { return w.byObject[p] }

// Boxes yields every container of every workload that runs.
func (w *World) Boxes(yield func(*Box) bool) {
	for _, p := range w.Pods {
		for _, b := range p.Containers {
			if !yield(b) {
				return
			}
		}
	}
}

// Missed says why an object of that kind and namespace may have been missed; "" when none may.
func (w *World) Missed(kind, namespace string) string { return w.gaps.Missed(kind, namespace) }

// Network is who can talk to whom; made when it is first asked for.
func (w *World) Network() *reach.Network {
	if w.network == nil {
		w.network = reach.New(reach.Input{Inventory: w.Inventory, Gaps: w.in.Gaps})
	}
	if w.listening == nil {
		w.listening = map[int][]*Pods{}
		for i, e := range w.network.Endpoints {
			for _, of := range e.Workloads {
				if p := w.Of(of); p != nil {
					p.Endpoint = i
					w.listening[i] = append(w.listening[i], p)
				}
			}
		}
	}
	return w.network
}

// Forget lets go of the network, which nothing asks for once the graph is made: else it is made anew.
func (w *World) Forget() { w.network, w.listening = w.in.Network, nil }

// At is the workloads of a class of the network.
func (w *World) At(endpoint int) []*Pods {
	w.Network()
	return w.listening[endpoint]
}
