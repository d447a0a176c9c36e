package judge

import (
	"slices"
	"strings"
	"sync"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
	"github.com/coaming/coaming/internal/rule"
)

// surroundings are the graph of attacks and the network, as rules ask about them; read-only once they
// are made.
type surroundings struct {
	*attack.Outlook
	graph *attack.Graph
	// ways are the containers that the internet connects to, with what that rests on.
	ways map[attack.Node]string
	// neighbours is made when it is first asked for.
	neighbours func() *reach.Neighbours
}

func (j *judgement) survey() *surroundings {
	w := attack.NewWorld(attack.Input{Inventory: j.Inventory, Gaps: j.Coverage.Gaps, Rights: j.access(), Flaws: j.flaws()})
	g := attack.New(w, attack.Steps())
	s := &surroundings{Outlook: attack.NewOutlook(g), graph: g, ways: map[attack.Node]string{}}
	for i := range g.Edges {
		e := &g.Edges[i]
		if e.Step == nil || !e.Step.Network || g.Nodes[e.From].Kind != attack.Internet {
			continue
		}
		if doubt, known := s.ways[g.Nodes[e.To]]; !known || doubt != "" {
			s.ways[g.Nodes[e.To]] = e.Doubt
		}
	}
	s.neighbours = sync.OnceValue(func() *reach.Neighbours { return w.Network().Neighbours() })
	return s
}

// start is a node that an attacker may hold, with why it may not be so after all.
type start struct {
	node  attack.Node
	doubt string
}

// outcomeGoals are the goals by the names that rules know them by.
var outcomeGoals = map[string]attack.Goal{"admin": attack.ToAdmin, "node": attack.ToMachine, "secrets": attack.ToEverySecret, "cloud": attack.ToCloud}

// gravest are the goals in the order in which a message tells of one.
var gravest = []attack.Goal{attack.ToAdmin, attack.ToMachine, attack.ToEverySecret, attack.ToCloud}

// comesTo is what comes of any of the starts: a map with there, admin, node, secrets, cloud and by.
func (j *judgement) comesTo(starts func() []start) rule.Fact {
	var list []start
	looked := false
	return rule.Lazy(func(name string) (rule.Fact, error) {
		if !looked {
			list, looked = starts(), true
		}
		switch name {
		case "by":
			return rule.Text(j.how(list)), nil
		case "possible":
			return rule.Bool(len(list) > 0), nil
		case "sure":
			return rule.Bool(slices.ContainsFunc(list, func(s start) bool { return s.doubt == "" })), nil
		}
		goal, known := outcomeGoals[name]
		if !known && name != "there" {
			return nil, nil
		}
		var doubt string
		for _, s := range list {
			leads, why := true, ""
			if known {
				leads, why = j.around().Leads(s.node, goal)
			}
			if leads && s.doubt == "" {
				return rule.Bool(true), nil
			}
			if leads {
				why = s.doubt
			}
			if doubt == "" {
				doubt = why
			}
		}
		if doubt != "" {
			return nil, &rule.NotSeen{Reason: doubt}
		}
		return rule.Bool(false), j.missedAny(rightsKinds)
	})
}

// rightsKinds and wayKinds are the kinds of which one more might lead where nothing seems to.
var (
	rightsKinds = []string{rbac.RoleBindingKind, rbac.ClusterRoleBindingKind, rbac.RoleKind, rbac.ClusterRoleKind}
	wayKinds    = []string{service, "Ingress.networking.k8s.io"}
)

// missedWay says why a way into a namespace ("" for any) may have been missed; "" when none may.
func (j *judgement) missedWay(namespace string) string {
	for _, kind := range wayKinds {
		if reason := j.gaps.Missed(kind, namespace); reason != "" {
			return reason
		}
	}
	return ""
}

// missedAny is a NotSeen where an object of one of the kinds may have been missed, anywhere.
func (j *judgement) missedAny(kinds []string) error {
	for _, kind := range kinds {
		if err := j.gaps.missed(kind, ""); err != nil {
			return err
		}
	}
	return nil
}

// how is the steps to the gravest goal that one of the starts leads to, in one phrase.
func (j *judgement) how(starts []start) string {
	for _, goal := range gravest {
		for _, s := range starts {
			if titles := j.around().How(s.node, goal); len(titles) > 0 {
				for i := range titles {
					titles[i] = strings.ToLower(titles[i][:1]) + titles[i][1:]
				}
				return strings.Join(titles, ", then ")
			}
		}
	}
	return ""
}

// containers are the nodes of a workload's containers that pass.
func (j *judgement) containersOf(w *fact.Workload, passes func(n attack.Node) (in bool, doubt string)) func() []start {
	return func() []start {
		pods := j.around().graph.World.Of(w)
		if pods == nil {
			return nil
		}
		var list []start
		for _, b := range pods.Containers {
			if !b.Runs() {
				continue
			}
			if in, doubt := passes(b.Node); in || doubt != "" {
				list = append(list, start{b.Node, doubt})
			}
		}
		return list
	}
}

// leadsTo is what an intruder in any of the workload's containers comes to by what they hold.
func (j *judgement) leadsTo(w *fact.Workload) rule.Fact {
	return j.comesTo(j.containersOf(w, func(attack.Node) (bool, string) { return true, "" }))
}

// exposed is the same of the containers that the internet connects to.
func (j *judgement) exposed(w *fact.Workload) rule.Fact {
	return j.comesTo(j.containersOf(w, func(n attack.Node) (bool, string) {
		doubt, known := j.around().ways[n]
		if !known {
			doubt = j.missedWay(w.Object.Namespace)
		}
		return known && doubt == "", doubt
	}))
}

// reached is the same of the containers that a path from the internet leads to, over others too.
func (j *judgement) reached(w *fact.Workload) rule.Fact {
	return j.comesTo(j.containersOf(w, func(n attack.Node) (bool, string) {
		reached, doubt := j.around().Reached(n)
		if !reached && doubt == "" {
			doubt = j.missedWay("")
		}
		return reached, doubt
	}))
}

// identityLeadsTo is what an identity comes to by its rights.
func (j *judgement) identityLeadsTo(n attack.Node) rule.Fact {
	return j.comesTo(func() []start { return []start{{node: n}} })
}

// network is where a workload stands among the others.
func (j *judgement) network(w *fact.Workload) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		n := j.around().neighbours()
		switch name {
		case "internet":
			return connects(n.Internet(w), "whether its pods connect to the internet")
		case "metadata":
			return connects(n.Metadata(w), "whether its pods connect to the cloud's metadata")
		case "clients", "strangers":
			c, ok := n.Clients(w, serving(w))
			return crowd(c, ok, fact.Place(w.Object.Namespace), name == "strangers")
		case "servers":
			c, ok := n.Servers(w)
			return crowd(c, ok, fact.Place(w.Object.Namespace), true)
		case "dependents":
			return j.dependents(w)
		}
		return nil, nil
	})
}

// serving is the containers whose clients are asked for: of a workload that runs a data store or a console
// those that do, and not what stands beside them; nil for all.
func serving(w *fact.Workload) func(*fact.Container) bool {
	runs := func(c *fact.Container) bool {
		image := c.Value.Get("image").Str()
		return catalog.StoreOf(image) != "" || catalog.ConsoleOf(image) != ""
	}
	for i := range w.Containers {
		if w.Containers[i].Role == fact.App && runs(&w.Containers[i]) {
			return runs
		}
	}
	return nil
}

func connects(v reach.Verdict, what string) (rule.Fact, error) {
	if v == reach.Unknown {
		return nil, &rule.NotSeen{Reason: what + " is not known"}
	}
	return rule.Bool(v == reach.Open), nil
}

// crowd is how many workloads there are in a crowd, those of one namespace left out or not.
func crowd(c *reach.Crowd, ok bool, home string, strangers bool) (rule.Fact, error) {
	if !ok {
		return nil, &rule.NotSeen{Reason: "network policies do not hold pods on their node's network"}
	}
	count := func(m map[string]int) (n int) {
		for namespace, workloads := range m {
			if namespace != home || !strangers {
				n += workloads
			}
		}
		return n
	}
	if count(c.Unknown) > 0 {
		return nil, &rule.NotSeen{Reason: "which pods connect to which is not known for all"}
	}
	n := count(c.Workloads)
	if c.Self && !strangers {
		n-- // a workload is no client of itself
	}
	return rule.Count(n), nil
}

// stores are the data stores that a workload's containers run, consoles the consoles.
func programsOf(w *fact.Workload, of func(image string) string) rule.Fact {
	var programs []string
	for i := range w.Containers {
		if c := &w.Containers[i]; c.Role == fact.App {
			if program := of(c.Value.Get("image").Str()); program != "" && !slices.Contains(programs, program) {
				programs = append(programs, program)
			}
		}
	}
	list := make([]rule.Fact, 0, len(programs))
	for _, program := range programs {
		list = append(list, rule.Text(program))
	}
	return rule.Facts(list)
}

func storesOf(w *fact.Workload) rule.Fact   { return programsOf(w, catalog.StoreOf) }
func consolesOf(w *fact.Workload) rule.Fact { return programsOf(w, catalog.ConsoleOf) }

// accountFact is the variable account: a ServiceAccount with who runs as it and what it leads to.
func (j *worker) accountFact(o *fact.Object) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "workloads":
			for _, kind := range fact.PodKinds() {
				if err := j.gaps.missed(kind, o.Namespace); err != nil {
					return nil, err
				}
			}
			return rule.Count(len(j.access().WorkloadsOf(fact.Place(o.Namespace), o.Name))), nil
		case "bindings":
			return j.bindingsOf(o.Namespace, o.Name)
		case "leadsTo":
			return j.identityLeadsTo(attack.Account(o.Namespace, o.Name)), nil
		}
		return nil, nil
	})
}

// namespaceNetwork is who connects to the pods of a namespace, and where they connect to.
func (j *judgement) namespaceNetwork(namespace string) rule.Fact {
	return rule.Lazy(func(name string) (rule.Fact, error) {
		switch name {
		case "strangers", "servers":
			return j.strangersOf(namespace, name == "strangers")
		case "from":
			return j.clientNamespaces(namespace)
		}
		return nil, nil
	})
}

// strangersOf is how many workloads of other namespaces connect to those of one (inwards), or are
// connected to by them, at most: the largest number of any of its workloads.
func (j *judgement) strangersOf(namespace string, inwards bool) (rule.Fact, error) {
	most := 0
	var unknown error
	for _, w := range j.inNamespaceWorkloads(namespace) {
		c, ok := j.crowdOf(w, inwards)
		if !ok {
			continue // on its node's network, which no policy closes
		}
		n := 0
		for place, workloads := range c.Workloads {
			if place != namespace {
				n += workloads
			}
		}
		most = max(most, n)
		for place := range c.Unknown {
			if place != namespace {
				unknown = &rule.NotSeen{Reason: "which pods connect to which is not known for all"}
			}
		}
	}
	if unknown != nil && most == 0 {
		return nil, unknown
	}
	return rule.Count(most), nil
}

func (j *judgement) crowdOf(w *fact.Workload, inwards bool) (*reach.Crowd, bool) {
	if inwards {
		return j.around().neighbours().Clients(w, nil)
	}
	return j.around().neighbours().Servers(w)
}

// clientNamespaces are the Namespace objects whose pods connect to pods of one.
func (j *judgement) clientNamespaces(namespace string) (rule.Fact, error) {
	seen := map[string]bool{}
	for _, w := range j.inNamespaceWorkloads(namespace) {
		c, ok := j.crowdOf(w, true)
		if !ok {
			continue
		}
		for place := range c.Workloads {
			seen[place] = place != namespace
		}
	}
	list := []rule.Fact{}
	for _, place := range sortedKeys(seen) {
		if o := j.Inventory.Find("Namespace", "", place); o != nil && seen[place] {
			list = append(list, rule.Of(o.Root))
		}
	}
	return rule.Facts(list), nil
}

func (j *judgement) inNamespaceWorkloads(namespace string) []*fact.Workload {
	var list []*fact.Workload
	for _, p := range j.around().graph.World.In(namespace) {
		list = append(list, p.Workload)
	}
	return list
}
