package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"text/template"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

const probeImage = "sandbox.test/probe:1"

// What pods, the node itself and the machine outside answer on.
var (
	podPorts     = []string{"TCP:80", "TCP:443", "TCP:8080", "TCP:8443", "TCP:9090", "UDP:53", "UDP:5353", "SCTP:7000"}
	nodePorts    = []string{"TCP:9999", "UDP:9998"}
	outsidePorts = []string{"TCP:80", "TCP:443", "UDP:53", "SCTP:7000"}
)

// behind are the services, the one pod behind each, and the port of it that they lead to.
var behind = []struct {
	service, pod string
	port         int
}{
	{"front", "shop/shop-web", 8080}, // by the name of the port
	{"ledger", "data/data-db", 8443},
	{"lookup", "lab/lab-api", 80},
}

func splitPort(word string) (protocol string, port int) {
	protocol, number, _ := strings.Cut(word, ":")
	port, _ = strconv.Atoi(number) // the table above holds numbers
	return protocol, port
}

// townsfolk are the namespaces, pods and services. The same name is not the same port everywhere.
func townsfolk() string {
	var b bytes.Buffer
	t := template.Must(template.New("").Funcs(template.FuncMap{"lower": strings.ToLower}).Parse(`
{{range .Namespaces}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: {{.Name}}, labels: {{.Labels}}}}
{{end}}
{{range .Pods}}
---
apiVersion: v1
kind: Pod
metadata: {namespace: {{.Namespace}}, name: {{.Namespace}}-{{.Name}}, labels: {{.Labels}}}
spec:
  terminationGracePeriodSeconds: 0
  automountServiceAccountToken: false
  containers:
    - name: probe
      image: {{$.Image}}
      imagePullPolicy: Never
      args: [serve{{range $.Ports}}, '{{lower .}}'{{end}}]
      ports:
        - {name: http, containerPort: {{.HTTP}}}
        - {name: names, containerPort: {{.DNS}}, protocol: UDP}
        - {name: signals, containerPort: 7000, protocol: SCTP}
        {{if .Metrics}}- {name: metrics, containerPort: 9090}{{end}}
{{end}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: front}, spec: {selector: {app: web}, ports: [{port: 8000, targetPort: http}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: data, name: ledger}, spec: {selector: {app: db}, ports: [{port: 5432, targetPort: 8443}]}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: lab, name: lookup}, spec: {selector: {app: api}, ports: [{port: 80, targetPort: 80}]}}
`))
	type namespace struct{ Name, Labels string }
	type pod struct {
		Namespace, Name, Labels string
		HTTP, DNS               int
		Metrics                 bool
	}
	err := t.Execute(&b, map[string]any{
		"Image": probeImage, "Ports": podPorts,
		"Namespaces": []namespace{{"shop", "{team: shop, env: prod}"}, {"data", "{team: data, env: prod}"}, {"edge", "{team: edge, env: test}"}, {"lab", "{}"}},
		"Pods": []pod{
			{"shop", "web", "{app: web, tier: front}", 8080, 53, true},
			{"shop", "api", "{app: api, tier: back}", 80, 53, true},
			{"shop", "db", "{app: db, tier: data}", 8443, 5353, false},
			{"data", "db", "{app: db, tier: data}", 8443, 53, true},
			{"data", "cache", "{app: cache, tier: data}", 80, 5353, false},
			{"edge", "web", "{app: web, tier: front}", 80, 53, false},
			{"edge", "proxy", "{app: proxy}", 8080, 5353, true},
			{"lab", "api", "{app: api}", 80, 53, false},
			{"lab", "tool", "{}", 443, 5353, true},
		},
	})
	if err != nil {
		panic(err) // the template stands above
	}
	return b.String()
}

// round is a set of policies that are in force together.
type round struct {
	name     string
	policies []networking.NetworkPolicy
}

// writtenRounds are policies as people write them.
func writtenRounds() []round {
	texts := []struct{ name, policies string }{
		{"none", ``},
		{"default deny, and what a shop needs", `
- {metadata: {namespace: shop, name: deny}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}
- metadata: {namespace: shop, name: dns}
  spec:
    podSelector: {}
    policyTypes: [Egress]
    egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}]
- metadata: {namespace: shop, name: web-to-api}
  spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: http}]}]}
- metadata: {namespace: shop, name: web-out}
  spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: api}}}]}]}
- metadata: {namespace: shop, name: web-in}
  spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0, except: [203.0.113.0/24]}}], ports: [{port: 8080}]}]}
- metadata: {namespace: shop, name: api-to-data}
  spec: {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {team: data}}}], ports: [{port: 8000, endPort: 9000}]}]}
- metadata: {namespace: data, name: db}
  spec: {podSelector: {matchLabels: {tier: data}}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [shop]}]}, podSelector: {matchLabels: {tier: back}}}], ports: [{port: 8443}, {port: names, protocol: UDP}]}]}
`},
		{"peers apart are either, together are both", `
- metadata: {namespace: data, name: either}
  spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: test}}}, {podSelector: {matchLabels: {app: cache}}}]}]}
- metadata: {namespace: data, name: both}
  spec: {podSelector: {matchLabels: {app: cache}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: prod}}, podSelector: {matchLabels: {app: api}}}]}]}
- metadata: {namespace: lab, name: every-namespace}
  spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {}}]}]}
- metadata: {namespace: lab, name: unlabelled}
  spec: {podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: DoesNotExist}]}}]}]}
`},
		{"blocks, both ways", `
- metadata: {namespace: edge, name: from-outside}
  spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.64/26]}}, {ipBlock: {cidr: 192.0.2.10/32}}], ports: [{port: 80}, {port: 7000, protocol: SCTP}]}]}
- metadata: {namespace: edge, name: to-outside}
  spec: {podSelector: {matchLabels: {app: proxy}}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8, 198.51.100.0/24]}}], ports: [{port: 443}, {protocol: UDP}]}]}
- metadata: {namespace: shop, name: pods-by-address}
  spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.244.0.0/16}}], ports: [{port: 80, endPort: 8080}]}]}
- metadata: {namespace: lab, name: nothing-out}
  spec: {podSelector: {}, policyTypes: [Egress]}
`},
		{"names and ranges of ports", `
- metadata: {namespace: shop, name: http}
  spec: {podSelector: {}, ingress: [{ports: [{port: http}, {port: names, protocol: UDP}]}]}
- metadata: {namespace: data, name: range}
  spec: {podSelector: {}, ingress: [{ports: [{port: 443, endPort: 8442}, {port: 5000, endPort: 6000, protocol: UDP}, {port: signals, protocol: SCTP}]}]}
- metadata: {namespace: edge, name: out-by-name}
  spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: http}, {port: metrics}]}]}
- metadata: {namespace: lab, name: udp-alone}
  spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{ports: [{protocol: UDP}]}], egress: [{ports: [{protocol: UDP}, {protocol: SCTP, port: 7000}]}]}
`},
		{"types by default", `
- metadata: {namespace: shop, name: egress-rules-without-types}
  spec: {podSelector: {matchLabels: {app: web}}, egress: [{to: [{podSelector: {}}]}]}
- metadata: {namespace: data, name: nothing-said}
  spec: {podSelector: {}}
- metadata: {namespace: edge, name: everything-in}
  spec: {podSelector: {}, ingress: [{}]}
- metadata: {namespace: edge, name: only-egress}
  spec: {podSelector: {matchLabels: {app: proxy}}, policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}], egress: [{}]}
- metadata: {namespace: lab, name: sum-of-policies-1}
  spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: 80}]}]}
- metadata: {namespace: lab, name: sum-of-policies-2}
  spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: shop}}}], ports: [{port: 9090}]}]}
`},
	}
	var rounds []round
	for _, text := range texts {
		r := round{name: text.name}
		if err := yaml.UnmarshalStrict([]byte(text.policies), &r.policies); err != nil {
			panic(fmt.Sprintf("%s: %v", text.name, err)) // they stand above
		}
		rounds = append(rounds, r)
	}
	return rounds
}

// randomPolicies are policies as nobody writes them: between them every feature of the API, in every mixture.
func randomPolicies(r *rand.Rand) []networking.NetworkPolicy {
	var list []networking.NetworkPolicy
	for i := range 4 + r.IntN(8) {
		p := networking.NetworkPolicy{ObjectMeta: meta.ObjectMeta{Namespace: pick(r, "shop", "data", "edge", "lab"), Name: fmt.Sprintf("random-%d", i)}}
		p.Spec.PodSelector = randomSelector(r)
		p.Spec.PolicyTypes = pick(r, nil, []networking.PolicyType{"Ingress"}, []networking.PolicyType{"Egress"}, []networking.PolicyType{"Ingress", "Egress"})
		for range r.IntN(3) {
			p.Spec.Ingress = append(p.Spec.Ingress, networking.NetworkPolicyIngressRule{From: randomPeers(r), Ports: randomPorts(r)})
		}
		for range r.IntN(3) {
			p.Spec.Egress = append(p.Spec.Egress, networking.NetworkPolicyEgressRule{To: randomPeers(r), Ports: randomPorts(r)})
		}
		list = append(list, p)
	}
	return list
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

func randomSelector(r *rand.Rand) meta.LabelSelector {
	switch r.IntN(4) {
	case 0:
		return meta.LabelSelector{}
	case 1:
		return meta.LabelSelector{MatchLabels: map[string]string{"app": pick(r, "web", "api", "db", "proxy")}}
	case 2:
		return meta.LabelSelector{MatchLabels: map[string]string{"tier": pick(r, "front", "data")}}
	}
	key := pick(r, "app", "tier")
	switch operator := pick(r, meta.LabelSelectorOpIn, meta.LabelSelectorOpNotIn, meta.LabelSelectorOpExists, meta.LabelSelectorOpDoesNotExist); operator {
	case meta.LabelSelectorOpIn, meta.LabelSelectorOpNotIn:
		values := pick(r, []string{"web", "data"}, []string{"api", "front", "cache"})
		return meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
	default:
		return meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: key, Operator: operator}}}
	}
}

func randomNamespaces(r *rand.Rand) *meta.LabelSelector {
	return pick(
		r, &meta.LabelSelector{}, &meta.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}, &meta.LabelSelector{MatchLabels: map[string]string{"team": "edge"}},
		&meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: "team", Operator: meta.LabelSelectorOpNotIn, Values: []string{"shop"}}}},
		&meta.LabelSelector{MatchExpressions: []meta.LabelSelectorRequirement{{Key: "kubernetes.io/metadata.name", Operator: meta.LabelSelectorOpIn, Values: []string{"lab", "kube-system"}}}},
	)
}

func randomPeers(r *rand.Rand) []networking.NetworkPolicyPeer {
	var list []networking.NetworkPolicyPeer
	for range r.IntN(4) {
		var p networking.NetworkPolicyPeer
		switch r.IntN(4) {
		case 0:
			p.IPBlock = pick(
				r, &networking.IPBlock{CIDR: "0.0.0.0/0"}, &networking.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"203.0.113.0/24", "192.0.2.10/32"}},
				&networking.IPBlock{CIDR: "0.0.0.0/0", Except: []string{"10.244.0.0/16"}}, &networking.IPBlock{CIDR: "10.244.0.0/16"},
				&networking.IPBlock{CIDR: "192.0.2.0/24"}, &networking.IPBlock{CIDR: "203.0.113.0/24", Except: []string{"203.0.113.77/32"}},
				&networking.IPBlock{CIDR: "10.244.0.0/28"}, // holds some of the pods: nobody can say which
			)
		case 1:
			s := randomSelector(r)
			p.PodSelector = &s
		case 2:
			p.NamespaceSelector = randomNamespaces(r)
		default:
			s := randomSelector(r)
			p.PodSelector, p.NamespaceSelector = &s, randomNamespaces(r)
		}
		list = append(list, p)
	}
	return list
}

func randomPorts(r *rand.Rand) []networking.NetworkPolicyPort {
	var list []networking.NetworkPolicyPort
	number := func(n int) *intstr.IntOrString { v := intstr.FromInt(n); return &v }
	named := func(n string) *intstr.IntOrString { v := intstr.FromString(n); return &v }
	for range r.IntN(4) {
		udp, sctp, end := core.ProtocolUDP, core.ProtocolSCTP, int32(8442)
		list = append(list, pick(
			r, networking.NetworkPolicyPort{Port: number(80)}, networking.NetworkPolicyPort{Port: number(443), EndPort: &end},
			networking.NetworkPolicyPort{Port: named("http")}, networking.NetworkPolicyPort{Port: named("metrics")},
			networking.NetworkPolicyPort{Port: named("names"), Protocol: &udp}, networking.NetworkPolicyPort{Protocol: &udp},
			networking.NetworkPolicyPort{Port: number(53), Protocol: &udp}, networking.NetworkPolicyPort{Port: number(7000), Protocol: &sctp},
			networking.NetworkPolicyPort{Port: named("signals"), Protocol: &sctp}, networking.NetworkPolicyPort{},
		))
	}
	return list
}

// lower is how the program in the pods wants its ports.
func lower(ports []string) []string {
	var list []string
	for _, port := range ports {
		list = append(list, strings.ToLower(port))
	}
	return list
}
