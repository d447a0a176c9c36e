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

	istioAuthorization: (*Network).readIstio,
	peerAuthentication: readElsewhere,
	linkerdServer:      (*Network).readServer,
	linkerdOldPolicy:   readElsewhere,
	linkerdPolicy:      readElsewhere,
	meshTLS:            readElsewhere,
	networkAuth:        readElsewhere,
}

// readElsewhere is for kinds that are read with those that they belong to.
func readElsewhere(*Network, *fact.Object) {}

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
	return slices.Contains(foreignGroups[o.Group()], o.Kind) || strings.HasSuffix(o.Kind, "NetworkPolicy") && o.Group() != "operator.openshift.io"
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
	kinds = append(kinds, destinationRule, "HTTPRoute."+linkerdGroup)
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
	if o.Namespace != "" {
		subjects = n.inNamespace(o.Namespace)
	}
	n.cloud(o, subjects, "policies of kind "+o.Kind+" ("+o.Group()+") are not understood")
}

// cloud makes unknown what the network decides for the subjects.
func (n *Network) cloud(o *fact.Object, subjects Set, reason string) {
	p := &policy{object: o, subjects: sureOf(subjects), doubt: reason, tier: n.tierNamed("", 0)}
	p.sides[ingress], p.sides[egress] = &side{}, &side{}
	n.take(p)
}

// doubt makes unknown what a policy may decide that stands in what was not looked at. Those of a mesh
// open nothing that the network closes.
func (n *Network) doubt(gaps *verdict.GapIndex) {
	for _, g := range gaps.Hiding(decides) {
		subjects := n.pods
		if g.Namespace != "" && g.Namespace != n.istioRoot {
			subjects = n.inNamespace(g.Namespace)
		}
		gap := &fact.Object{Kind: "gap", Name: g.Place(), Namespace: g.Namespace}
		reason := "a policy may stand in what was not looked at: " + g.Message
		if len(g.Kinds) > 0 && !slices.ContainsFunc(g.Kinds, decidesInNetwork) {
			n.meshCloud(gap, subjects, reason, istio, linkerd)
			continue
		}
		n.cloud(gap, subjects, reason)
	}
}

// decides says whether a kind, of which a gap may know only the name, is one of policies.
func decides(kind string) bool { return isMeshKind(kind) || decidesInNetwork(kind) }

func decidesInNetwork(kind string) bool {
	for known := range readers {
		if name, _ := fact.SplitKind(known); !isMeshKind(known) && (kind == known || kind == name) {
			return true
		}
	}
	name, group := fact.SplitKind(kind)
	return slices.Contains(foreignGroups[group], name) || strings.HasSuffix(name, "NetworkPolicy")
}
