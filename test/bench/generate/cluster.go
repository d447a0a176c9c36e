package generate

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// The shares of a cluster, all of its pods. Services, policies and bindings are what the benches ask
// for. Pods per node and their total keep to "Considerations for large clusters" of the Kubernetes
// documentation (5,000 nodes and 150,000 pods together), namespaces to what hosted clusters are
// sized for (80 for each 4,000 pods, Huawei CCE's table of cluster scales).
const (
	podsPerNode      = 30
	podsPerNamespace = 50
	serviceShare     = 0.05
	policyShare      = 0.02
	bindingShare     = 0.03
)

// thing is one object, or a part of one.
type thing = map[string]any

// list is a list in one.
type list = []any

// Cluster is a made-up cluster of a realistic shape, for the graphs over it: few owners have many of
// the pods and many have few, teams use the same labels, namespaces are of skewed size, agents run
// privileged on every node, operators hold wildcards. The same seed and size give the same bytes.
type Cluster struct {
	Pods int

	r          *rand.Rand
	nodes      int
	namespaces []*namespace
	owners     []*owner
	things     []thing // what is neither a namespace nor an owner
}

// namespace is a team's, or one that the platform needs.
type namespace struct {
	name   string
	level  string // of Pod Security, "" for none
	owners []*owner
	denied bool // a policy closes it
}

// owner is what carries a pod template.
type owner struct {
	kind      string
	namespace *namespace
	name, app string
	account   string
	replicas  int
	pod       pod
}

// NewCluster makes up a cluster of that many pods.
func NewCluster(seed uint64, pods int) *Cluster {
	c := &Cluster{Pods: pods, r: rand.New(rand.NewPCG(seed, uint64(pods))), nodes: max(3, pods/podsPerNode)}
	for _, name := range platform {
		c.namespaces = append(c.namespaces, &namespace{name: name, level: "privileged"})
	}
	for i := range max(3, pods/podsPerNamespace-len(platform)) {
		c.namespaces = append(c.namespaces, &namespace{
			name:  fmt.Sprintf("%s-%s-%03d", teams[i%len(teams)], environments[i/len(teams)%len(environments)], i),
			level: c.pick("", "", "", "", "", "baseline", "baseline", "restricted"),
		})
	}
	c.addAgents()
	c.addPlatform()
	c.addApplications()
	c.addServices(int(math.Round(float64(pods) * serviceShare)))
	c.addPolicies(int(math.Round(float64(pods) * policyShare)))
	c.addAccess(int(math.Round(float64(pods) * bindingShare)))
	return c
}

// platform are the namespaces of what every team uses.
var platform = []string{"kube-system", "monitoring", "logging", "ingress-nginx", "cert-manager", "argocd", "ci", "operators"}

var (
	teams        = []string{"shop", "search", "payments", "accounts", "media", "data", "mobile", "partner", "fraud", "billing", "ads", "support", "geo"}
	environments = []string{"prod", "stage", "test"}
	// apps are the names that teams give alike, those of most first.
	apps = []string{"api", "web", "worker", "frontend", "backend", "redis", "postgres", "auth", "scheduler", "consumer", "gateway", "cache", "sync", "mailer", "report"}
)

// pick is one of some values, all alike likely.
func (c *Cluster) pick(values ...string) string { return values[c.r.IntN(len(values))] }

// chance is true as often as its share says.
func (c *Cluster) chance(share float64) bool { return c.r.Float64() < share }

// skewed is an index below n; the first are the likeliest (Zipf with exponent 1, shifted).
func (c *Cluster) skewed(n int) int {
	const shift = 2
	return min(n-1, int(shift*math.Pow(float64(n+shift)/shift, c.r.Float64()))-shift)
}

// find is the namespace of that name.
func (c *Cluster) find(name string) *namespace {
	i := slices.IndexFunc(c.namespaces, func(n *namespace) bool { return n.name == name })
	return c.namespaces[i]
}

// team is one of the teams' namespaces, the large ones oftener.
func (c *Cluster) team() *namespace {
	own := c.namespaces[len(platform):]
	return own[c.skewed(len(own))]
}

// add puts an owner into its namespace.
func (c *Cluster) add(o *owner) {
	c.owners = append(c.owners, o)
	o.namespace.owners = append(o.namespace.owners, o)
}

// put adds another object.
func (c *Cluster) put(apiVersion, kind, namespace, name string, rest thing) thing {
	meta := thing{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	o := thing{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	maps.Copy(o, rest)
	c.things = append(c.things, o)
	return o
}

// Shape is how many there are of everything: "10,000 pods" is what all owners run together.
func (c *Cluster) Shape() string {
	count := map[string]int{"Namespace": len(c.namespaces), "Node": c.nodes}
	for _, o := range c.owners {
		count[o.kind]++
	}
	for _, o := range c.things {
		count[o["kind"].(string)]++
	}
	var kinds []string
	for kind := range count {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	var b strings.Builder
	fmt.Fprintf(&b, "%d pods of %d owners", c.Pods, len(c.owners))
	for _, kind := range kinds {
		fmt.Fprintf(&b, ", %d %s", count[kind], kind)
	}
	return b.String()
}
