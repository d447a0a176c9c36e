package reach

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/coaming/coaming/internal/fact"
)

// The judge of Istio's policies, from its documentation (istio.io: "Authorization Policy",
// "PeerAuthentication", "Installing the Sidecar", "Protocol Selection", "TCP Traffic", "Use Layer 4
// security policy"). It asks of one connection at a time.

type istioSource struct {
	Principals        []string `json:"principals,omitempty"`
	NotPrincipals     []string `json:"notPrincipals,omitempty"`
	Namespaces        []string `json:"namespaces,omitempty"`
	NotNamespaces     []string `json:"notNamespaces,omitempty"`
	IPBlocks          []string `json:"ipBlocks,omitempty"`
	NotIPBlocks       []string `json:"notIpBlocks,omitempty"`
	RequestPrincipals []string `json:"requestPrincipals,omitempty"`
}

type istioOperation struct {
	Ports    []string `json:"ports,omitempty"`
	NotPorts []string `json:"notPorts,omitempty"`
	Methods  []string `json:"methods,omitempty"`
}

type istioWhen struct {
	Key       string   `json:"key"`
	Values    []string `json:"values,omitempty"`
	NotValues []string `json:"notValues,omitempty"`
}

type istioFrom struct {
	Source istioSource `json:"source"`
}

type istioTo struct {
	Operation istioOperation `json:"operation"`
}

type istioRule struct {
	From []istioFrom `json:"from,omitempty"`
	To   []istioTo   `json:"to,omitempty"`
	When []istioWhen `json:"when,omitempty"`
}

type istioSelector struct {
	MatchLabels map[string]string `json:"matchLabels"`
}

type istioPolicy struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Selector *istioSelector `json:"selector,omitempty"`
		Action   string         `json:"action,omitempty"`
		Rules    []istioRule    `json:"rules,omitempty"`
	} `json:"spec"`
}

type istioMode struct {
	Mode string `json:"mode,omitempty"`
}

type istioPeer struct {
	metav1.TypeMeta
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		Selector *istioSelector       `json:"selector,omitempty"`
		MTLS     *istioMode           `json:"mtls,omitempty"`
		Ports    map[string]istioMode `json:"portLevelMtls,omitempty"`
	} `json:"spec"`
}

// istioPod is a pod of the cluster, or an address outside when it has no name.
type istioPod struct {
	truthPod

	account     string
	annotations map[string]string
}

type istioCluster struct {
	namespaces map[string]map[string]string // those that were read
	policies   []*istioPolicy
	peers      []*istioPeer
	services   []*corev1.Service
}

func selectsAll(want, labels map[string]string) bool {
	for k, v := range want {
		if labels[k] != v {
			return false
		}
	}
	return true
}

// joined says whether a pod is in the mesh, and whether by its node's proxy.
func (c *istioCluster) joined(ask func(string) bool, p istioPod) (in, ambient bool) {
	if p.name == "" {
		return false, false
	}
	labels, read := c.namespaces[p.namespace]
	label, annotation := p.labels["sidecar.istio.io/inject"], p.annotations["sidecar.istio.io/inject"]
	if !read { // nobody knows what its namespace says
		if label != "false" && (label != "" || annotation != "false") && ask("injected "+p.name) {
			return true, false
		}
		if ask("ambient " + p.name) {
			return true, true
		}
		return false, false
	}
	ambient = labels["istio.io/dataplane-mode"] == "ambient"
	sidecar := false
	switch { // the label of the pod is asked before its annotation
	case label == "false", label == "" && annotation == "false":
	case labels["istio-injection"] != "":
		sidecar = labels["istio-injection"] == "enabled"
	case labels["istio.io/rev"] != "":
		sidecar = true
	default:
		sidecar = label == "true"
	}
	if sidecar {
		return true, false
	}
	return ambient, ambient
}

// mode is what a pod's proxy takes on a port: "WORKLOAD > NAMESPACE > MESH", the oldest of each, UNSET inherits.
func (c *istioCluster) mode(p istioPod, port int) string {
	var width [3]*istioPeer
	for _, a := range c.peers {
		at := 1
		switch root := a.Namespace == "istio-system"; {
		case a.Spec.Selector != nil && root:
			continue
		case a.Spec.Selector != nil:
			if at = 2; a.Namespace != p.namespace || !selectsAll(a.Spec.Selector.MatchLabels, p.labels) {
				continue
			}
		case root:
			at = 0
		case a.Namespace != p.namespace:
			continue
		}
		if width[at] == nil || a.CreationTimestamp.Before(&width[at].CreationTimestamp) {
			width[at] = a
		}
	}
	mode := "PERMISSIVE"
	for _, a := range width {
		if a != nil && a.Spec.MTLS != nil && a.Spec.MTLS.Mode != "" && a.Spec.MTLS.Mode != "UNSET" {
			mode = a.Spec.MTLS.Mode
		}
	}
	if a := width[2]; a != nil {
		if own := a.Spec.Ports[strconv.Itoa(port)].Mode; own != "" && own != "UNSET" {
			mode = own
		}
	}
	return mode
}

// http says whether HTTP is read on a port: as services declare it, and else nobody knows.
func (c *istioCluster) http(ask func(string) bool, p istioPod, port int) bool {
	yes, no, other := false, false, false
	for _, s := range c.services {
		if s.Namespace != p.namespace || !selectsAll(s.Spec.Selector, p.labels) {
			continue
		}
		for _, sp := range s.Spec.Ports {
			target := sp.TargetPort.IntValue()
			if sp.TargetPort.Type == intstr.String {
				target = 0
				for _, cp := range p.ports {
					if cp.Name == sp.TargetPort.StrVal && cp.Protocol == corev1.ProtocolTCP {
						target = int(cp.ContainerPort)
					}
				}
			}
			if target != port {
				continue
			}
			switch protocol, _, _ := strings.Cut(sp.Name, "-"); protocol {
			case "http", "grpc":
				yes = true
			case "tcp", "redis":
				no = true
			default:
				other = true
			}
		}
	}
	switch {
	case yes && !no && !other:
		return true
	case no && !yes && !other:
		return false
	}
	return ask("http")
}

func (c *istioCluster) allows(ask func(string) bool, from, to istioPod, protocol Protocol, port int) bool {
	in, ambient := c.joined(ask, to)
	if protocol != TCP || !in { // "Non-TCP based protocols, such as UDP, are not proxied."
		return true
	}
	if !ambient && to.annotations["traffic.sidecar.istio.io/excludeInboundPorts"] == strconv.Itoa(port) {
		return true
	}
	mode := c.mode(to, port)
	identity := ""
	if joined, _ := c.joined(ask, from); joined && (mode != "DISABLE" || ambient) {
		identity = "cluster.local/ns/" + from.namespace + "/sa/" + from.account
	}
	if mode == "STRICT" && identity == "" {
		return false
	}
	http := !ambient && c.http(ask, to, port)
	isAllowed, hasAllow := false, false
	for _, action := range []string{"CUSTOM", "DENY", "ALLOW"} {
		for _, p := range c.policies {
			if c.action(p) != action || p.Annotations["istio.io/dry-run"] == "true" || p.Namespace != "istio-system" && p.Namespace != to.namespace {
				continue
			}
			if p.Spec.Selector != nil && !selectsAll(p.Spec.Selector.MatchLabels, to.labels) {
				continue
			}
			matches := false
			for i := range p.Spec.Rules {
				matches = p.Spec.Rules[i].matches(ask, fmt.Sprint(p.Name, i), action, identity, from.ip, port, http) || matches
			}
			switch {
			case action == "CUSTOM" && matches && ask("refused by the provider of "+p.Name), action == "DENY" && matches:
				return false
			case action == "ALLOW":
				hasAllow = true
				isAllowed = isAllowed || matches
			}
		}
	}
	return isAllowed || !hasAllow
}

func (c *istioCluster) action(p *istioPolicy) string {
	if p.Spec.Action == "" {
		return "ALLOW"
	}
	return p.Spec.Action
}

func oneOf(values []string, holds func(string) bool) bool { return slices.ContainsFunc(values, holds) }

// field is "values, if there are any, and none of the others".
func field(values, not []string, holds func(string) bool) bool {
	return (len(values) == 0 || oneOf(values, holds)) && !oneOf(not, holds)
}

func (r *istioRule) matches(ask func(string) bool, name, action, identity string, ip netip.Addr, port int, http bool) bool {
	usesHTTP := false
	for _, f := range r.From {
		usesHTTP = usesHTTP || len(f.Source.RequestPrincipals) > 0
	}
	for _, o := range r.To {
		usesHTTP = usesHTTP || len(o.Operation.Methods) > 0
	}
	for _, w := range r.When {
		usesHTTP = usesHTTP || strings.HasPrefix(w.Key, "request.")
	}
	if usesHTTP && !http && action == "ALLOW" {
		return false // "an ALLOW rule with HTTP-only fields never matches TCP"
	}
	from, to := r.From, r.To
	if len(from) == 0 {
		from = []istioFrom{{}}
	}
	if len(to) == 0 {
		to = []istioTo{{}}
	}
	principal := func(want string) bool {
		want = strings.TrimPrefix(want, "spiffe://")
		switch {
		case identity == "":
			return false
		case want == "*":
			return true
		case strings.HasPrefix(want, "*"):
			return strings.HasSuffix(identity, want[1:])
		case strings.HasSuffix(want, "*"):
			return strings.HasPrefix(identity, want[:len(want)-1])
		}
		return identity == want
	}
	namespace := func(want string) bool {
		if identity == "" {
			return false
		}
		own := strings.Split(identity, "/")[2]
		switch {
		case strings.HasPrefix(want, "*"):
			return strings.HasSuffix(own, want[1:])
		case strings.HasSuffix(want, "*"):
			return strings.HasPrefix(own, want[:len(want)-1])
		}
		return own == want
	}
	block := func(want string) bool {
		if p, err := netip.ParsePrefix(want); err == nil {
			return p.Contains(ip)
		}
		return netip.MustParseAddr(want) == ip
	}
	onPort := func(want string) bool { return want == strconv.Itoa(port) }
	matched := false
	for i, f := range from {
		for j, o := range to {
			asksHTTP := len(f.Source.RequestPrincipals)+len(o.Operation.Methods) > 0
			ok := field(f.Source.Principals, f.Source.NotPrincipals, principal) && field(f.Source.Namespaces, f.Source.NotNamespaces, namespace) &&
				field(f.Source.IPBlocks, f.Source.NotIPBlocks, block) && field(o.Operation.Ports, o.Operation.NotPorts, onPort)
			for _, w := range r.When {
				switch w.Key {
				case "source.principal":
					ok = ok && field(w.Values, w.NotValues, principal)
				case "source.namespace":
					ok = ok && field(w.Values, w.NotValues, namespace)
				case "source.ip":
					ok = ok && field(w.Values, w.NotValues, block)
				case "destination.port":
					ok = ok && field(w.Values, w.NotValues, onPort)
				default:
					asksHTTP = true
				}
			}
			if ok && asksHTTP && http {
				ok = ask(fmt.Sprint("the request is what ", name, " asks for, ", i, " ", j))
			}
			matched = matched || ok
		}
	}
	return matched
}

var istioPrincipals = []string{
	"cluster.local/ns/one/sa/a", "cluster.local/ns/two/sa/b", "spiffe://cluster.local/ns/one/sa/b", "cluster.local/ns/one/*", "*/sa/a", "*", "cluster.local/ns/three/sa/default",
}

func (d dice) some(n int, words ...string) []string {
	var list []string
	for range d.IntN(n) {
		list = append(list, d.of(words...))
	}
	return list
}

func (d dice) istioRule() istioRule {
	var r istioRule
	ports := []string{"79", "80", "81", "82"}
	for range d.IntN(3) {
		var s istioSource
		switch d.IntN(6) {
		case 0:
			s.Principals = []string{d.of(istioPrincipals...)}
		case 1:
			s.NotPrincipals = []string{d.of(istioPrincipals...)}
		case 2:
			s.Namespaces, s.NotNamespaces = d.some(3, "one", "t*", "*e", "two"), []string{d.of("three", "istio-system")}
		case 3:
			s.IPBlocks, s.NotIPBlocks = []string{d.of(truthBlocks[:7]...)}, d.some(2, truthBlocks[1:]...)
		case 4:
			s.Principals, s.NotNamespaces = []string{d.of(istioPrincipals...)}, d.some(2, "two")
		default:
			s.RequestPrincipals = []string{"*"}
			s.Namespaces = d.some(2, "one", "two")
		}
		r.From = append(r.From, istioFrom{s})
	}
	for range d.IntN(3) {
		o := istioOperation{Ports: d.some(3, ports...), NotPorts: d.some(2, ports...)}
		if d.one(3) {
			o.Methods = []string{"GET"}
		}
		if len(o.Ports)+len(o.NotPorts)+len(o.Methods) == 0 {
			o.Ports = []string{"80"}
		}
		r.To = append(r.To, istioTo{o})
	}
	if d.one(4) {
		r.When = append(r.When, []istioWhen{
			{Key: "source.principal", NotValues: []string{d.of(istioPrincipals...)}},
			{Key: "source.namespace", Values: []string{d.of("one", "two")}},
			{Key: "source.ip", Values: []string{"10.0.0.0/8"}},
			{Key: "destination.port", Values: d.some(3, ports...), NotValues: []string{"84"}},
			{Key: "request.headers[x]", Values: []string{"y"}},
		}[d.IntN(5)])
	}
	return r
}

var istioPlaces = []string{"one", "two", "three", "four", "istio-system"}

func (d dice) istioSelector() *istioSelector {
	if d.one(2) {
		return nil
	}
	return &istioSelector{map[string]string{d.of("app", "tier"): d.of("a", "b")}}
}

func (d dice) istioCluster() (*istioCluster, []istioPod) {
	c := &istioCluster{namespaces: map[string]map[string]string{"istio-system": {}}}
	for _, name := range istioPlaces[:3] { // nobody read the labels of "four"
		c.namespaces[name] = []map[string]string{
			{}, {"istio-injection": "enabled"}, {"istio-injection": "enabled"}, {"istio-injection": "disabled"}, {"istio.io/rev": "x"}, {"istio.io/dataplane-mode": "ambient"},
		}[d.IntN(6)]
	}
	for i := range d.IntN(7) {
		p := &istioPolicy{TypeMeta: metav1.TypeMeta{APIVersion: "security.istio.io/v1", Kind: "AuthorizationPolicy"}}
		p.Name, p.Namespace = fmt.Sprint("policy-", i), d.of(istioPlaces...)
		p.Spec.Action, p.Spec.Selector = d.of("", "ALLOW", "ALLOW", "DENY", "DENY", "CUSTOM", "AUDIT"), d.istioSelector()
		if d.one(12) {
			p.Annotations = map[string]string{"istio.io/dry-run": "true"}
		}
		for range d.IntN(4) {
			p.Spec.Rules = append(p.Spec.Rules, d.istioRule())
		}
		c.policies = append(c.policies, p)
	}
	for i := range d.IntN(4) {
		p := &istioPeer{TypeMeta: metav1.TypeMeta{APIVersion: "security.istio.io/v1", Kind: "PeerAuthentication"}}
		p.Name, p.Namespace, p.Spec.Selector = fmt.Sprint("peers-", i), d.of(istioPlaces...), d.istioSelector()
		p.CreationTimestamp = metav1.Unix(int64(1_700_000_000+d.IntN(1000)*10+i), 0)
		if !d.one(4) {
			p.Spec.MTLS = &istioMode{d.of("STRICT", "STRICT", "PERMISSIVE", "DISABLE", "UNSET")}
		}
		if p.Spec.Selector != nil && d.one(2) {
			p.Spec.Ports = map[string]istioMode{d.of("80", "81"): {d.of("STRICT", "PERMISSIVE", "DISABLE", "UNSET")}}
		}
		c.peers = append(c.peers, p)
	}
	for i := range d.IntN(4) {
		s := &corev1.Service{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}}
		s.Name, s.Namespace = fmt.Sprint("service-", i), d.of(istioPlaces...)
		s.Spec.Selector = map[string]string{"app": d.of("a", "b")}
		s.Spec.Ports = []corev1.ServicePort{{Name: d.of("http-x", "tcp-x", "redis", "grpc", "web"), Port: 1000, TargetPort: intstr.FromInt(79 + d.IntN(4))}, {Name: d.of("http", "tcp"), Port: 1001, TargetPort: intstr.FromString("web")}}
		c.services = append(c.services, s)
	}
	var pods []istioPod
	for i := range 6 {
		p := istioPod{d.pod(i), d.of("a", "b", "default"), map[string]string{}}
		p.host, p.namespace = false, d.of(istioPlaces[:4]...)
		if d.one(5) {
			p.labels["sidecar.istio.io/inject"] = d.of("true", "false")
		}
		if d.one(6) {
			p.annotations["sidecar.istio.io/inject"] = "false"
		}
		if d.one(6) {
			p.annotations["traffic.sidecar.istio.io/excludeInboundPorts"] = "80"
		}
		pods = append(pods, p)
	}
	return c, pods
}

func (c *istioCluster) objects(t testing.TB, pods []istioPod) []*fact.Object {
	t.Helper()
	var objects []*fact.Object
	for _, name := range slices.Sorted(maps.Keys(c.namespaces)) {
		objects = append(objects, asObject(t, map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": c.namespaces[name]}}))
	}
	for _, p := range c.policies {
		objects = append(objects, asObject(t, p))
	}
	for _, p := range c.peers {
		objects = append(objects, asObject(t, p))
	}
	for _, s := range c.services {
		objects = append(objects, asObject(t, s))
	}
	for _, p := range pods {
		objects = append(objects, accountPod(t, p))
	}
	return objects
}

// accountPod is a pod with an account and annotations.
func accountPod(t testing.TB, p istioPod) *fact.Object {
	t.Helper()
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	pod.Name, pod.Namespace, pod.Labels, pod.Annotations = p.name, p.namespace, p.labels, p.annotations
	pod.Spec.ServiceAccountName, pod.Status.PodIP = p.account, p.ip.String()
	pod.Spec.Containers = []corev1.Container{{Name: "app", Image: "app", Ports: p.ports}}
	return asObject(t, pod)
}

// TestIstioTruth compares with the judge. Of ends in a namespace that nobody read, the answer may be
// unknown where it hangs on the same question twice, or on a waypoint there; it may not be another one.
func TestIstioTruth(t *testing.T) {
	wanted := truthCases(t)
	d := dice{rand.New(rand.NewPCG(9, 4))}
	var count tally
	for count.cases() < wanted {
		c, pods := d.istioCluster()
		compared := comparison[istioPod]{
			network: New(Input{Inventory: fact.NewInventory(c.objects(t, pods), "1.36", false)}),
			from:    append(slices.Clone(pods), d.istioOutside(3, truthOutside[:5])...), to: pods, times: 6, ask: d.meshPort,
			judge: func(from, to istioPod, protocol Protocol, port int) Verdict {
				return inAllWorlds(func(ask func(string) bool) bool { return c.allows(ask, from, to, protocol, port) })
			},
			mayDoubt: func(from, to istioPod) bool { return from.namespace == "four" || to.namespace == "four" },
			world:    func() any { return texts(c.objects(t, pods)) },
		}
		compared.run(t, &count)
	}
	count.enough(t, wanted/20, Closed, Unknown, Open)
}
