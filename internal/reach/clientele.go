package reach

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// clientele is whom what stands before the pods lets in: a load balancer, an Ingress, a Gateway.
type clientele struct {
	private bool // the internet does not reach its address
	// blocks are whom alone it lets in, where limited is set.
	blocks  []netip.Prefix
	limited bool
	doubt   string // why it is not known whom; "" when it is
}

// letIn are the addresses of a clientele.
func (n *Network) letIn(c *clientele) Set {
	among := n.outside
	if c.limited {
		among = newSet(len(n.Endpoints))
		n.walked += meet(n.parts, spansOf(c.blocks), func(i int) { among.add(n.parts[i].endpoint) })
	}
	s := newSet(len(n.Endpoints))
	for i := range among.All() {
		if n.Endpoints[i].Public != c.private {
			s.add(i)
		}
	}
	return s
}

// because adds a reason why it is not known.
func (c *clientele) because(doubt string) {
	if doubt != "" && !strings.Contains(c.doubt, doubt) {
		c.doubt = strings.TrimPrefix(c.doubt+"; "+doubt, "; ")
	}
}

// limit lets in nobody but addresses and blocks, listed in text; an empty list says nothing.
func (c *clientele) limit(list string) {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\t' || r == '\n' })
	for _, word := range words {
		p, ok := parseBlock(word)
		if !ok {
			c.blocks, c.limited = nil, false
			c.because("of the addresses that it lets in, one is no CIDR")
			return
		}
		c.blocks, c.limited = append(c.blocks, p), true
	}
}

// internal are the annotations by which clouds give a load balancer an address that the internet
// does not reach (the documentation of EKS, GKE, AKS, OpenStack, Oracle and Alibaba).
var internal = map[string][]string{
	"service.beta.kubernetes.io/aws-load-balancer-internal":              {"true", "0.0.0.0/0"},
	"service.beta.kubernetes.io/aws-load-balancer-scheme":                {"internal"},
	"networking.gke.io/load-balancer-type":                               {"Internal"},
	"cloud.google.com/load-balancer-type":                                {"Internal"},
	"service.beta.kubernetes.io/azure-load-balancer-internal":            {"true"},
	"service.beta.kubernetes.io/openstack-internal-load-balancer":        {"true"},
	"service.beta.kubernetes.io/oci-load-balancer-internal":              {"true"},
	"service.beta.kubernetes.io/alibaba-cloud-loadbalancer-address-type": {"intranet"},
}

func isInternal(annotations document.Value) bool {
	for key, v := range annotations.Fields() {
		if slices.Contains(internal[key], v.Str()) {
			return true
		}
	}
	return false
}

// The annotations by which a Service of type LoadBalancer says whom alone it lets in; its field goes before
// the first (kubernetes.io, "Well-Known Labels, Annotations and Taints"; cloud-provider-azure, "LoadBalancer").
const (
	sourceRanges = "service.beta.kubernetes.io/load-balancer-source-ranges"
	azureRanges  = "service.beta.kubernetes.io/azure-allowed-ip-ranges"
)

// serviceClientele is whom a service's own load balancer lets in.
func serviceClientele(o *fact.Object) clientele {
	annotations, spec := annotationsOf(o), o.Root.Get("spec")
	c := clientele{private: isInternal(annotations)}
	ranges := spec.Get("loadBalancerSourceRanges")
	for _, v := range ranges.Items() {
		c.limit(v.Str())
	}
	if spec.Get("type").Str() == "LoadBalancer" && ranges.Len() == 0 {
		c.limit(annotations.Get(sourceRanges).Str())
		c.limit(annotations.Get(azureRanges).Str())
	}
	return c
}
