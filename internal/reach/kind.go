package reach

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

const adminGroup = "policy.networking.k8s.io"

// readers are the kinds of policies that are understood.
var readers = map[string]func(*Network, *fact.Object){
	networkPolicy:              (*Network).readNetworkPolicy,
	"NetworkPolicy.extensions": (*Network).readNetworkPolicy,
	adminPolicy:                (*Network).readAdminPolicy,
	baselinePolicy:             (*Network).readAdminPolicy,
	clusterPolicy:              (*Network).readAdminPolicy,
	ciliumPolicy:               (*Network).readCilium,
	ciliumClusterPolicy:        (*Network).readCilium,

	"NetworkPolicy.projectcalico.org":           (*Network).readCalico,
	"NetworkPolicy.crd.projectcalico.org":       (*Network).readCalico,
	"GlobalNetworkPolicy.projectcalico.org":     (*Network).readCalico,
	"GlobalNetworkPolicy.crd.projectcalico.org": (*Network).readCalico,
}

// foreignGroups are the API groups of policies over connections that are not understood: what
// stands in the namespace of one, or in the cluster of one without a namespace, is unknown
// (the API references of Antrea, OVN-Kubernetes, OpenShift, Kube-OVN, NSX, AWS, GKE, Kuma, Consul).
var foreignGroups = map[string][]string{
	"crd.antrea.io":             {"NetworkPolicy", "ClusterNetworkPolicy", "ExternalNode"},
	"k8s.ovn.org":               {"EgressFirewall"},
	"network.openshift.io":      {"EgressNetworkPolicy"},
	"kubeovn.io":                {"SecurityGroup"},
	"crd.nsx.vmware.com":        {"SecurityPolicy"},
	"nsx.vmware.com":            {"SecurityPolicy"},
	"networking.k8s.aws":        {"ApplicationNetworkPolicy", "ClusterNetworkPolicy"},
	"vpcresources.k8s.aws":      {"SecurityGroupPolicy"},
	"networking.gke.io":         {"FQDNNetworkPolicy"},
	"kuma.io":                   {"MeshTrafficPermission", "TrafficPermission"},
	"consul.hashicorp.com":      {"ServiceIntentions"},
	"networking.gardener.cloud": {"NetworkPolicy"},
}

// isForeign says whether the kind decides over connections in a way that is not understood: those
// that are known, and those that call themselves a network policy.
func isForeign(o *fact.Object) bool {
	if readers[o.GroupKind()] != nil {
		return false
	}
	return slices.Contains(foreignGroups[o.Group()], o.Kind) || slices.Contains(restricting[o.Group()], o.Kind) || strings.HasSuffix(o.Kind, "NetworkPolicy") && o.Group() != "operator.openshift.io"
}

// Kinds are what a network is read from, beside pods: "Kind.group", sorted.
func Kinds() []string {
	kinds := []string{"Namespace", "Node", "Service"}
	for kind := range readers {
		kinds = append(kinds, kind)
	}
	for group, list := range foreignGroups {
		for _, kind := range list {
			kinds = append(kinds, kind+"."+group)
		}
	}
	for _, group := range calicoGroups {
		kinds = append(kinds, "Tier."+group, "NetworkSet."+group, "GlobalNetworkSet."+group)
	}
	for group, list := range restricting {
		for _, kind := range list {
			kinds = append(kinds, kind+"."+group)
		}
	}
	kinds = append(kinds, wayKinds...)
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// policyObjects are the objects that decide over connections, in their order.
func (n *Network) policyObjects() []*fact.Object {
	var list []*fact.Object
	for _, o := range n.inventory.Objects {
		if readers[o.GroupKind()] != nil || isForeign(o) {
			list = append(list, o)
		}
	}
	return list
}

// read reads one policy.
func (n *Network) read(o *fact.Object) {
	if reader := readers[o.GroupKind()]; reader != nil {
		reader(n, o)
		return
	}
	subjects := n.pods
	if o.Namespace != "" && o.Namespace != meshRoot {
		subjects = n.inNamespace(o.Namespace)
	}
	n.cloud(o, subjects, "policies of kind "+o.Kind+" ("+o.Group()+") are not understood", slices.Contains(restricting[o.Group()], o.Kind))
}

// restricting are the kinds of service meshes that only take away what the network lets through, at
// the target (the API references of Istio and Linkerd).
var restricting = map[string][]string{
	"security.istio.io": {"AuthorizationPolicy", "PeerAuthentication"},
	"policy.linkerd.io": {"Server", "ServerAuthorization", "AuthorizationPolicy"},
}

// meshRoot is the namespace whose policies of Istio are for all others.
const meshRoot = "istio-system"

// cloud makes unknown what is decided for the subjects; what restricts opens nothing that is closed.
func (n *Network) cloud(o *fact.Object, subjects Set, reason string, restricts bool) {
	p := &policy{object: o, subjects: sureOf(subjects), doubt: reason, restricts: restricts, tier: n.tierNamed("", 0)}
	p.sides[ingress] = &side{}
	if !restricts {
		p.sides[egress] = &side{}
	}
	n.take(p)
}

// doubt makes unknown what a policy may decide that stands in what was not looked at.
func (n *Network) doubt(gaps *verdict.GapIndex) {
	for _, g := range gaps.Hiding(decides) {
		subjects := n.pods
		if g.Namespace != "" {
			subjects = n.inNamespace(g.Namespace)
		}
		gap := &fact.Object{Kind: "gap", Name: g.Place(), Namespace: g.Namespace}
		n.cloud(gap, subjects, "a policy may stand in what was not looked at: "+g.Message, false)
	}
}

// decides says whether a kind, of which a gap may know only the name, is one of policies.
func decides(kind string) bool {
	for known := range readers {
		if name, _ := fact.SplitKind(known); kind == known || kind == name {
			return true
		}
	}
	return strings.HasSuffix(strings.SplitN(kind, ".", 2)[0], "NetworkPolicy")
}
