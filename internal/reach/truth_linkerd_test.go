package reach

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/fact"
)

// The judge of Linkerd's policies, from its documentation (linkerd.io: "Authorization Policy",
// "Automatic Proxy Injection").

type linkerdRef struct {
	Kind      string `json:"kind"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

// linkerdServerObject is a Server; its route, if it has one, is an HTTPRoute of its name.
type linkerdServerObject struct {
	name, namespace string
	labels          map[string]string
	selector        metav1.LabelSelector
	port            any
	access          string
}

type linkerdAuthorization struct {
	name, namespace string
	target          linkerdRef
	required        []linkerdRef
}

// linkerdClient is a ServerAuthorization.
type linkerdClient struct {
	name, namespace string
	server          string
	labels          map[string]string // of servers, when server is ""
	open            bool
	accounts        []linkerdRef
	identities      []string
	networks        []networkingv1.IPBlock
}

type linkerdCluster struct {
	namespaces map[string]map[string]string // annotations of those that were read
	servers    []*linkerdServerObject
	policies   []*linkerdAuthorization
	old        []*linkerdClient
	identities map[string][]string               // MeshTLSAuthentications, by namespace/name
	networks   map[string][]networkingv1.IPBlock // NetworkAuthentications
}

func (c *linkerdCluster) joined(ask func(string) bool, p istioPod) bool {
	if p.name == "" {
		return false
	}
	around, read := c.namespaces[p.namespace]
	own := p.annotations["linkerd.io/inject"]
	if !read && own == "" {
		return ask("in the mesh " + p.name)
	}
	if own == "" {
		own = around["linkerd.io/inject"]
	}
	return own == "enabled"
}

// identity is "ACCOUNT.NAMESPACE.serviceaccount.identity.linkerd.cluster.local"; "" for who is not in the mesh.
func (c *linkerdCluster) identity(ask func(string) bool, p istioPod) string {
	if !c.joined(ask, p) {
		return ""
	}
	if _, read := c.namespaces[p.namespace]; !read && ask("its namespace lets it out past its proxy") {
		return ""
	}
	return p.account + "." + p.namespace + ".serviceaccount.identity.linkerd.cluster.local"
}

func isOneOf(identity string, wanted []string) bool {
	return identity != "" && slices.ContainsFunc(wanted, func(want string) bool {
		suffix, found := strings.CutPrefix(want, "*")
		return want == identity || found && strings.HasSuffix(identity, suffix)
	})
}

func inBlocks(ip netip.Addr, blocks []networkingv1.IPBlock) bool {
	return slices.ContainsFunc(blocks, func(b networkingv1.IPBlock) bool { return truthBlock(&b, ip) })
}

var linkerdClusterNetworks = []networkingv1.IPBlock{{CIDR: "10.0.0.0/8"}, {CIDR: "100.64.0.0/10"}, {CIDR: "172.16.0.0/12"}, {CIDR: "192.168.0.0/16"}, {CIDR: "fd00::/8"}}

// byDefault is what one of the default policies says.
func byDefault(policy, identity string, ip netip.Addr) bool {
	switch policy {
	case "all-unauthenticated", "audit":
		return true
	case "all-authenticated":
		return identity != ""
	case "cluster-unauthenticated":
		return inBlocks(ip, linkerdClusterNetworks)
	case "cluster-authenticated":
		return identity != "" && inBlocks(ip, linkerdClusterNetworks)
	}
	return false
}

func (c *linkerdCluster) required(ask func(string) bool, p *linkerdAuthorization, identity string, ip netip.Addr) bool {
	for _, ref := range p.required {
		namespace := ref.Namespace
		if namespace == "" {
			namespace = p.namespace
		}
		switch ref.Kind {
		case "ServiceAccount":
			if identity != ref.Name+"."+namespace+".serviceaccount.identity.linkerd.cluster.local" {
				return false
			}
		case "MeshTLSAuthentication":
			if ids, there := c.identities[namespace+"/"+ref.Name]; there && !isOneOf(identity, ids) || !there && !ask("elsewhere "+ref.Name) {
				return false
			}
		case "NetworkAuthentication":
			if blocks, there := c.networks[namespace+"/"+ref.Name]; there && !inBlocks(ip, blocks) || !there && !ask("elsewhere "+ref.Name) {
				return false
			}
		}
	}
	return true // "in the case of multiple entries, all must match"; of none, everybody is authorized
}

func (c *linkerdCluster) byServer(ask func(string) bool, s *linkerdServerObject, identity string, ip netip.Addr) bool {
	for _, p := range c.policies {
		if p.namespace != s.namespace || !c.required(ask, p, identity, ip) {
			continue
		}
		switch {
		case p.target.Kind == "Server" && p.target.Name == s.name, p.target.Kind == "Namespace" && p.target.Name == s.namespace:
			return true
		case p.target.Kind == "HTTPRoute" && p.target.Name == s.name && ask("the request is of the route of "+s.name):
			return true
		}
	}
	for _, o := range c.old {
		if o.namespace != s.namespace || o.server != "" && o.server != s.name || o.server == "" && !selectsAll(o.labels, s.labels) {
			continue
		}
		accounts := slices.ContainsFunc(o.accounts, func(a linkerdRef) bool {
			namespace := a.Namespace
			if namespace == "" {
				namespace = o.namespace
			}
			return identity == a.Name+"."+namespace+".serviceaccount.identity.linkerd.cluster.local"
		})
		if !o.open && !isOneOf(identity, o.identities) && !accounts {
			continue
		}
		if o.networks == nil && (inBlocks(ip, linkerdClusterNetworks) || ask("without networks all addresses are meant")) || inBlocks(ip, o.networks) {
			return true
		}
	}
	return byDefault(s.access, identity, ip)
}

func (c *linkerdCluster) allows(ask func(string) bool, from, to istioPod, protocol Protocol, port int) bool {
	if protocol != TCP || !c.joined(ask, to) {
		return true
	}
	around, read := c.namespaces[to.namespace]
	get := func(key string) string {
		if own := to.annotations[key]; own != "" {
			return own
		}
		return around[key]
	}
	skipped := get("config.linkerd.io/skip-inbound-ports")
	if skipped == strconv.Itoa(port) || skipped == "" && !read && ask("its namespace takes the port out of its proxy") {
		return true
	}
	identity := c.identity(ask, from)
	var servers []*linkerdServerObject
	for _, s := range c.servers {
		if s.namespace != to.namespace || !upstreamSelects(&s.selector, to.labels) {
			continue
		}
		named := slices.ContainsFunc(to.ports, func(p corev1.ContainerPort) bool {
			return p.Name == s.port && p.Protocol == corev1.ProtocolTCP && int(p.ContainerPort) == port
		})
		if s.port == port || named {
			servers = append(servers, s)
		}
	}
	for i, s := range servers { // which of several decides is not said
		if i == len(servers)-1 || ask("it decides: "+s.name) {
			return c.byServer(ask, s, identity, from.ip)
		}
	}
	policy := get("config.linkerd.io/default-inbound-policy")
	switch {
	case policy == "" && !read:
		return ask("what its namespace says")
	case policy == "":
		policy = "all-unauthenticated"
	}
	return byDefault(policy, identity, from.ip)
}

var (
	linkerdPolicies = []string{"all-unauthenticated", "all-authenticated", "cluster-authenticated", "cluster-unauthenticated", "deny", "audit"}
	linkerdNames    = []string{"a.one.serviceaccount.identity.linkerd.cluster.local", "b.two.serviceaccount.identity.linkerd.cluster.local", "*.one.serviceaccount.identity.linkerd.cluster.local", "*"}
)

func (d dice) linkerdBlocks() []networkingv1.IPBlock {
	b := networkingv1.IPBlock{CIDR: d.of(truthBlocks[:8]...)}
	if b.CIDR == "0.0.0.0/0" && d.one(2) {
		b.Except = []string{"192.0.2.128/25"}
	}
	return []networkingv1.IPBlock{b}
}

func (d dice) linkerdCluster() (*linkerdCluster, []istioPod) {
	c := &linkerdCluster{map[string]map[string]string{}, nil, nil, nil, map[string][]string{}, map[string][]networkingv1.IPBlock{}}
	annotate := func() map[string]string {
		m := map[string]string{}
		if !d.one(3) {
			m["linkerd.io/inject"] = d.of("enabled", "enabled", "disabled")
		}
		if d.one(4) {
			m["config.linkerd.io/default-inbound-policy"] = d.of(linkerdPolicies...)
		}
		if d.one(8) {
			m["config.linkerd.io/skip-inbound-ports"] = d.of("80", "81")
		}
		return m
	}
	places := []string{"one", "two", "three", "four"} // nobody read "four"
	for _, name := range places[:3] {
		c.namespaces[name] = annotate()
	}
	for _, place := range places {
		for _, name := range []string{"x", "y1"} {
			if !d.one(6) {
				c.identities[place+"/"+name] = d.some(3, linkerdNames...)
			}
			if !d.one(6) {
				c.networks[place+"/"+name] = d.linkerdBlocks()
			}
		}
	}
	for i := range d.IntN(5) {
		s := &linkerdServerObject{fmt.Sprint("server-", i), d.of(places...), map[string]string{"app": d.of("a", "b")}, *d.selector("app"), []any{79, 80, 81, "web", "dns"}[d.IntN(5)], ""}
		if d.one(4) {
			s.access = d.of(linkerdPolicies...)
		}
		c.servers = append(c.servers, s)
		for k := range d.IntN(3) {
			p := &linkerdAuthorization{name: fmt.Sprint("policy-", i, "-", k), namespace: s.namespace, target: linkerdRef{Kind: "Server", Name: s.name}}
			switch d.IntN(6) {
			case 0:
				p.target = linkerdRef{Kind: "Namespace", Name: s.namespace}
			case 1:
				p.target.Kind = "HTTPRoute"
			}
			if d.one(2) {
				p.required = append(p.required, linkerdRef{Kind: "ServiceAccount", Name: d.of("a", "b"), Namespace: d.of("", "one")})
				if d.one(2) {
					p.required[0] = linkerdRef{Kind: "MeshTLSAuthentication", Name: d.of("x", "y1"), Namespace: d.of("", "one")}
				}
			}
			if d.one(3) {
				p.required = append(p.required, linkerdRef{Kind: "NetworkAuthentication", Name: d.of("x", "y1")})
			}
			c.policies = append(c.policies, p)
		}
		if d.one(2) {
			o := &linkerdClient{name: fmt.Sprint("old-", i), namespace: s.namespace, server: s.name, open: d.one(3)}
			if d.one(3) {
				o.server, o.labels = "", map[string]string{"app": d.of("a", "b")}
			}
			if !o.open {
				o.accounts, o.identities = []linkerdRef{{Name: d.of("a", "b"), Namespace: d.of("", "two")}}, d.some(2, linkerdNames...)
			}
			if d.one(2) {
				o.networks = d.linkerdBlocks()
			}
			c.old = append(c.old, o)
		}
	}
	var pods []istioPod
	for i := range 6 {
		p := istioPod{d.pod(i), d.of("a", "b", "default"), map[string]string{}}
		p.host, p.namespace = false, d.of(places...)
		if d.one(3) {
			p.annotations = annotate()
		}
		pods = append(pods, p)
	}
	return c, pods
}

func (c *linkerdCluster) objects(t testing.TB, pods []istioPod) []*fact.Object {
	t.Helper()
	var objects []*fact.Object
	add := func(version, kind, namespace, name string, labels, annotations map[string]string, spec any) {
		meta := map[string]any{"name": name, "labels": labels, "annotations": annotations}
		if namespace != "" {
			meta["namespace"] = namespace
		}
		objects = append(objects, asObject(t, map[string]any{"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}))
	}
	for _, name := range []string{"one", "two", "three"} {
		add("v1", "Namespace", "", name, nil, c.namespaces[name], nil)
	}
	for _, s := range c.servers {
		spec := map[string]any{"podSelector": s.selector, "port": s.port}
		if s.access != "" {
			spec["accessPolicy"] = s.access
		}
		add("policy.linkerd.io/v1beta3", "Server", s.namespace, s.name, s.labels, nil, spec)
		add("policy.linkerd.io/v1beta3", "HTTPRoute", s.namespace, s.name, nil, nil, map[string]any{"parentRefs": []any{map[string]string{"kind": "Server", "group": "policy.linkerd.io", "name": s.name}}})
	}
	for _, p := range c.policies {
		add("policy.linkerd.io/v1alpha1", "AuthorizationPolicy", p.namespace, p.name, nil, nil, map[string]any{"targetRef": p.target, "requiredAuthenticationRefs": p.required})
	}
	for _, o := range c.old {
		server, client := map[string]any{"name": o.server}, map[string]any{}
		if o.server == "" {
			server = map[string]any{"selector": metav1.LabelSelector{MatchLabels: o.labels}}
		}
		if o.open {
			client["unauthenticated"] = true
		} else {
			client["meshTLS"] = map[string]any{"serviceAccounts": o.accounts, "identities": o.identities}
		}
		if o.networks != nil {
			client["networks"] = o.networks
		}
		add("policy.linkerd.io/v1beta1", "ServerAuthorization", o.namespace, o.name, nil, nil, map[string]any{"server": server, "client": client})
	}
	for key, ids := range c.identities {
		namespace, name, _ := strings.Cut(key, "/")
		add("policy.linkerd.io/v1alpha1", "MeshTLSAuthentication", namespace, name, nil, nil, map[string]any{"identities": ids})
	}
	for key, blocks := range c.networks {
		namespace, name, _ := strings.Cut(key, "/")
		add("policy.linkerd.io/v1alpha1", "NetworkAuthentication", namespace, name, nil, nil, map[string]any{"networks": blocks})
	}
	for _, p := range pods {
		objects = append(objects, accountPod(t, p))
	}
	return objects
}

// TestLinkerdTruth compares with the judge.
func TestLinkerdTruth(t *testing.T) {
	wanted := truthCases(t)
	d := dice{rand.New(rand.NewPCG(2, 8))}
	var count tally
	for count.cases() < wanted {
		c, pods := d.linkerdCluster()
		compared := comparison[istioPod]{
			network: New(Input{Inventory: fact.NewInventory(c.objects(t, pods), "1.36", false)}),
			from:    append(slices.Clone(pods), d.istioOutside(3, truthOutside)...), to: pods, times: 6, ask: d.meshPort,
			judge: func(from, to istioPod, protocol Protocol, port int) Verdict {
				return inAllWorlds(func(ask func(string) bool) bool { return c.allows(ask, from, to, protocol, port) })
			},
			world: func() any { return texts(c.objects(t, pods)) },
		}
		compared.run(t, &count)
	}
	count.enough(t, wanted/30, Closed, Unknown, Open)
}
