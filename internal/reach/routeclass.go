package reach

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

const (
	ingressClass   = "IngressClass.networking.k8s.io"
	classParams    = "IngressClassParams.elbv2.k8s.aws"
	eksClassParams = "IngressClassParams.eks.amazonaws.com"
	gatewayClass   = "GatewayClass." + gatewayGroup
	awsBalancer    = "LoadBalancerConfiguration.gateway.k8s.aws"
)

// routeClass is who serves an Ingress: the name of its class, and the controller behind it. Either may be "".
type routeClass struct {
	name, controller string
	object           *fact.Object // nil when it was not read
}

// is says whether the class is one of a family of controllers, as far as words tell.
func (c routeClass) is(word string) bool {
	if c.controller != "" {
		return strings.Contains(c.controller, word)
	}
	return strings.Contains(c.name, word)
}

// classOf is the class of an Ingress: the field, the annotation before it, the class that is the default.
func (n *Network) classOf(o *fact.Object) routeClass {
	c := routeClass{name: o.Root.At("spec", "ingressClassName").Str()}
	if c.name == "" {
		c.name = annotationsOf(o).Get("kubernetes.io/ingress.class").Str()
	}
	if c.name != "" {
		c.object = n.inventory.Find(ingressClass, "", c.name)
	} else {
		for _, class := range n.inventory.OfKind(ingressClass) {
			if annotationsOf(class).Get("ingressclass.kubernetes.io/is-default-class").Str() == "true" {
				c.object, c.name = class, class.Name
			}
		}
	}
	if c.object != nil {
		c.controller = c.object.Root.At("spec", "controller").Str()
	}
	return c
}

// byName says that a class may be internal, of which nothing tells it but the name.
func byName(name string) string {
	for _, word := range []string{"internal", "private", "intranet"} {
		if strings.Contains(strings.ToLower(name), word) {
			return "its class is called " + name + ": whether the internet reaches it is not known"
		}
	}
	return ""
}

// allowances are annotations that name whom alone a route lets in, with the word of the controllers that read them
// (the documentation of ingress-nginx, haproxy-ingress, HAProxy, APISIX and OpenShift).
var allowances = map[string]string{
	"nginx.ingress.kubernetes.io/whitelist-source-range": "nginx",
	"nginx.ingress.kubernetes.io/allowlist-source-range": "nginx",
	"ingress.kubernetes.io/whitelist-source-range":       "",
	"haproxy-ingress.github.io/allowlist-source-range":   "haproxy",
	"haproxy-ingress.github.io/whitelist-source-range":   "haproxy",
	"haproxy.org/allow-list":                             "haproxy",
	"haproxy.org/whitelist":                              "haproxy",
	"k8s.apisix.apache.org/allowlist-source-range":       "apisix",
	"haproxy.router.openshift.io/ip_allowlist":           "openshift",
	"haproxy.router.openshift.io/ip_whitelist":           "openshift",
	"alb.ingress.kubernetes.io/inbound-cidrs":            "alb",
}

// families are words of which a class or its controller has one. What one reads the others do not.
var families = []string{"nginx", "haproxy", "traefik", "kong", "contour", "istio", "cilium", "apisix", "openshift", "application-gateway", "gce", "alb"}

// reads says whether the class's controller reads what is written for a family's; of an unknown one it is taken so.
func (c routeClass) reads(family string) bool {
	return family == "" || c.is(family) || family == "nginx" && c.is("webapprouting") || !slices.ContainsFunc(families, c.is)
}

// askers are annotations that make a route ask who comes, with the values that do not.
var askers = map[string][]string{
	"nginx.ingress.kubernetes.io/auth-url":        {""},
	"nginx.ingress.kubernetes.io/auth-type":       {""},
	"nginx.ingress.kubernetes.io/auth-tls-secret": {""},
	"haproxy-ingress.github.io/auth-url":          {""},
	"haproxy-ingress.github.io/auth-secret":       {""},
	"haproxy-ingress.github.io/auth-tls-secret":   {""},
	"haproxy.org/auth-type":                       {""},
	"alb.ingress.kubernetes.io/auth-type":         {"", "none"},
}

// routeClientele is whom an Ingress or a Route lets in.
func (n *Network) routeClientele(o *fact.Object) clientele {
	var c clientele
	class, annotations := n.classOf(o), annotationsOf(o)
	if o.GroupKind() == openShiftRoute {
		class = routeClass{name: "openshift"}
	}
	for key, v := range annotations.Fields() {
		if family, known := allowances[key]; known && class.reads(family) {
			c.limit(v.Str())
		}
		if quiet, known := askers[key]; known && !slices.Contains(quiet, v.Str()) {
			c.because("it asks who comes, and whom that lets in is not known")
		}
	}
	const scheme = "alb.ingress.kubernetes.io/scheme"
	switch {
	case class.name == "gce-internal", annotations.Get("appgw.ingress.kubernetes.io/use-private-ip").Str() == "true" && class.reads("application-gateway"):
		c.private = true
	case class.isAWS(), class.name == "" && annotations.Get(scheme).Exists():
		n.awsScheme(&c, class, o)
	default:
		c.because(byName(class.name))
	}
	return c
}

func (c routeClass) isAWS() bool {
	if c.controller != "" {
		return c.controller == "ingress.k8s.aws/alb" || c.controller == "eks.amazonaws.com/alb"
	}
	return c.name == "alb"
}

// awsScheme says whether the load balancer that AWS makes for an Ingress is internal, as it is unless its class's
// parameters, its annotation or, in a group, another's says "internet-facing" (AWS Load Balancer Controller,
// "Ingress annotations" and "IngressClass").
func (n *Network) awsScheme(c *clientele, class routeClass, o *fact.Object) {
	const scheme, group = "alb.ingress.kubernetes.io/scheme", "alb.ingress.kubernetes.io/group.name"
	said := annotationsOf(o).Get(scheme).Str()
	if name := annotationsOf(o).Get(group).Str(); name != "" && said == "" {
		for _, other := range n.inventory.OfKind(ingressKind) {
			if a := annotationsOf(other); a.Get(group).Str() == name && a.Get(scheme).Str() != "" {
				said = a.Get(scheme).Str()
			}
		}
	}
	unread := class.object == nil && o.Root.At("spec", "ingressClassName").Exists()
	if class.object != nil && class.object.Root.At("spec", "parameters").Exists() {
		ref := class.object.Root.At("spec", "parameters")
		params := n.inventory.Find(ref.Get("kind").Str()+"."+ref.Get("apiGroup").Str(), "", ref.Get("name").Str())
		unread = params == nil
		if params != nil {
			if v := params.Root.At("spec", "scheme").Str(); v != "" {
				said = v
			}
			if blocks := params.Root.At("spec", "inboundCIDRs"); blocks.Len() > 0 {
				c.blocks, c.limited = nil, false
				for _, v := range blocks.Items() {
					c.limit(v.Str())
				}
			}
		}
	}
	if said == "" && unread {
		c.because("the parameters of its class were not read, and they say whether the internet reaches it")
		return
	}
	c.private = said != "internet-facing"
}

// gatewayClientele is whom a Gateway of the Gateway API lets in.
func (n *Network) gatewayClientele(g *fact.Object) clientele {
	spec := g.Root.Get("spec")
	name := spec.Get("gatewayClassName").Str()
	given := spec.At("infrastructure", "annotations")
	c := clientele{private: isInternal(given) || isInternal(annotationsOf(g)) || isGKEInternal(name) || name == "amazon-vpc-lattice"}
	c.limit(given.Get(sourceRanges).Str())
	c.limit(given.Get(azureRanges).Str())
	if c.private {
		return c
	}
	class := n.inventory.Find(gatewayClass, "", name)
	if class == nil || !strings.HasPrefix(class.Root.At("spec", "controllerName").Str(), "gateway.k8s.aws/") {
		c.because(byName(name))
		return c
	}
	said, unread := "", false
	for _, ref := range []document.Value{spec.At("infrastructure", "parametersRef"), class.Root.At("spec", "parametersRef")} {
		if !ref.Exists() {
			continue
		}
		namespace := ref.Get("namespace").Str()
		if namespace == "" {
			namespace = g.Namespace
		}
		config := n.inventory.Find(awsBalancer, namespace, ref.Get("name").Str())
		if config == nil {
			unread = true
		} else if said == "" {
			said = config.Root.At("spec", "scheme").Str()
		}
	}
	if said == "" && unread {
		c.because("the configuration of its load balancer was not read, and it says whether the internet reaches it")
		return c
	}
	c.private = said != "internet-facing" // AWS Load Balancer Controller, "LoadBalancerConfiguration": internal by default
	return c
}

// isGKEInternal says whether a class is one of those that GKE has for addresses within the network
// (gke-l7-rilb, gke-l7-cross-regional-internal-managed-mc, gke-passthrough-lb-internal-managed and the like).
func isGKEInternal(class string) bool {
	return strings.HasPrefix(class, "gke-") && (strings.Contains(class, "-rilb") || strings.Contains(class, "-internal"))
}
