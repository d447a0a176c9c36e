package reach

import (
	"testing"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// network reads manifests.
func network(t testing.TB, text string, gaps ...verdict.Gap) *Network {
	t.Helper()
	return New(Input{Inventory: fact.NewInventory(specimen.Objects(t, specimen.File("test.yaml"), text), "1.36", false), Gaps: gaps})
}

// base is a cluster of two namespaces: prod with web, api, db and a pod on its node's network, and test with web.
const base = `
{apiVersion: v1, kind: Namespace, metadata: {name: prod, labels: {env: prod}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: test, labels: {env: test}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: prod, labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: a, image: a, ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: api, namespace: prod, labels: {app: api}}, spec: {containers: [{name: a, image: a, ports: [{name: http, containerPort: 9090}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: prod, labels: {app: db}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: prod, labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: test, labels: {app: web}}, spec: {containers: [{name: a, image: a}]}}
---
`

// ask is a question and its answer, worked out by hand.
type ask struct {
	from, to      string
	open, unknown string
}

// table is policies and what follows from them.
type table struct {
	policies string
	asks     []ask
}

var tables = map[string]table{
	"no policy: all is open (Kubernetes, Network Policies)": {``, []ask{
		{"prod/web", "prod/db", "all", "none"}, {"8.8.8.8", "prod/db", "all", "none"}, {"prod/db", "8.8.8.8", "all", "none"},
	}},
	"default deny all ingress": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {}, policyTypes: [Ingress]}}`, []ask{
		{"prod/web", "prod/db", "none", "none"},
		{"test/web", "prod/db", "none", "none"},
		{"prod/web", "8.8.8.8", "all", "none"},
		{"node", "prod/db", "all", "none"},
		{"prod/agent", "prod/db", "none", "all"},
		{"prod/web", "prod/agent", "none", "all"},
	}},
	"allow all ingress wins over default deny: policies add up": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {}, policyTypes: [Ingress]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q, namespace: prod}, spec: {podSelector: {}, ingress: [{}], policyTypes: [Ingress]}}`, []ask{{"test/web", "prod/db", "all", "none"}}},
	"the documented example: ipBlock, namespaceSelector, podSelector, port": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: test-network-policy, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress],
  ingress: [{from: [{ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}}, {namespaceSelector: {matchLabels: {env: test}}}, {podSelector: {matchLabels: {app: api}}}], ports: [{protocol: TCP, port: 6379}]}],
  egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{protocol: TCP, port: 5978}]}]}}`, []ask{
		{"172.17.0.1", "prod/db", "6379/TCP", "none"},
		{"172.17.1.1", "prod/db", "none", "none"},
		{"test/web", "prod/db", "6379/TCP", "none"},
		{"prod/api", "prod/db", "6379/TCP", "none"},
		{"prod/db", "10.0.0.5", "5978/TCP", "none"},
		{"prod/db", "10.0.1.5", "none", "none"},
		{"prod/web", "prod/db", "none", "6379/TCP"}, // its address may lie in 172.17.0.0/16: nobody said where pods' come from
	}},
	"selectors in one peer are and, in two are or": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: test}}, podSelector: {matchLabels: {app: api}}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: q, namespace: prod}, spec: {podSelector: {matchLabels: {app: api}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: test}}}, {podSelector: {matchLabels: {app: web}}}]}]}}`, []ask{
		{"test/web", "prod/db", "none", "none"}, {"prod/api", "prod/db", "none", "none"}, {"test/web", "prod/api", "all", "none"}, {"prod/web", "prod/api", "all", "none"}, {"prod/db", "prod/api", "none", "none"},
	}},
	"a port's name is another on each pod": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: test}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}, {protocol: UDP, port: 5000, endPort: 5010}]}]}}`, []ask{
		{"test/web", "prod/web", "8080/TCP 5000-5010/UDP", "none"}, {"test/web", "prod/api", "9090/TCP 5000-5010/UDP", "none"}, {"test/web", "prod/db", "5000-5010/UDP", "none"}, {"test/web", "8.8.8.8", "5000-5010/UDP", "none"},
	}},
	"admin policies: the lower priority first, pass goes on, baseline where no policy is": {`{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: a}, spec: {priority: 5, subject: {namespaces: {matchLabels: {env: prod}}},
  ingress: [{action: Allow, from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: api}}}}], ports: [{portNumber: {protocol: TCP, port: 80}}]}, {action: Pass, from: [{namespaces: {matchLabels: {env: prod}}}]}, {action: Deny, from: [{namespaces: {}}]}]}}
---
{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {name: default}, spec: {subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}], ports: [{portRange: {protocol: TCP, start: 1, end: 100}}]}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]}}`, []ask{
		{"test/web", "prod/db", "none", "none"},
		{"prod/web", "prod/db", "5432/TCP", "none"},
		{"prod/api", "prod/db", "80/TCP", "none"},
		{"prod/db", "prod/web", "101-65535/TCP */UDP */SCTP", "none"},
		{"prod/api", "prod/web", "80,101-65535/TCP */UDP */SCTP", "none"},
		{"8.8.8.8", "prod/web", "all", "none"},
	}},
	"admin policies of one priority that disagree": {`{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: a}, spec: {priority: 5, subject: {namespaces: {}}, ingress: [{action: Allow, from: [{namespaces: {}}], ports: [{portNumber: {port: 80}}]}]}}
---
{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {name: b}, spec: {priority: 5, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}}`, []ask{{"test/web", "prod/web", "none", "80/TCP"}}},
	"ClusterNetworkPolicy: protocols and tiers": {`{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: a}, spec: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}},
  egress: [{action: Accept, to: [{networks: [8.8.8.0/24]}], protocols: [{udp: {destinationPort: {number: 53}}}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]}}`, []ask{
		{"prod/web", "8.8.8.8", "53/UDP", "none"}, {"prod/web", "9.9.9.9", "none", "none"}, {"prod/web", "prod/db", "none", "none"}, {"prod/api", "9.9.9.9", "all", "none"},
	}},
	"Cilium: default deny, own namespace, world, deny wins": {`{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a, namespace: prod}, spec: {endpointSelector: {matchLabels: {app: db}},
  ingress: [{fromEndpoints: [{matchLabels: {app: web}}], toPorts: [{ports: [{port: "5432", protocol: TCP}]}]}, {fromEntities: [world], toPorts: [{ports: [{port: "80"}]}]}],
  ingressDeny: [{fromCIDR: [8.8.0.0/16]}]}}`, []ask{
		{"prod/web", "prod/db", "5432/TCP", "none"},
		{"test/web", "prod/db", "none", "none"},
		{"prod/api", "prod/db", "none", "none"},
		{"9.9.9.9", "prod/db", "80/TCP 80/UDP 80/SCTP", "none"},
		{"8.8.8.8", "prod/db", "none", "none"},
		{"prod/db", "prod/api", "all", "none"},
		{"node", "prod/db", "all", "none"},
	}},
	"Cilium: an empty rule isolates, another namespace is named, CIDRs are not pods": {`{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: a, namespace: prod}, spec: {endpointSelector: {}, egress: [{}]}}
---
{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: b, namespace: prod}, spec: {endpointSelector: {matchLabels: {"k8s:app": web}}, egress: [{toEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": test}}]}, {toCIDRSet: [{cidr: 0.0.0.0/0, except: [9.0.0.0/8]}]}]}}`, []ask{
		{"prod/web", "test/web", "all", "none"}, {"prod/web", "prod/db", "none", "none"}, {"prod/web", "8.8.8.8", "all", "none"}, {"prod/web", "9.9.9.9", "none", "none"}, {"prod/db", "8.8.8.8", "none", "none"},
	}},
	"Cilium: clusterwide, without default deny": {`{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: a}, spec: {enableDefaultDeny: {ingress: false}, endpointSelector: {matchLabels: {app: web}}, ingress: [{fromEntities: [cluster]}], ingressDeny: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.namespace.labels.env": test}}]}]}}`, []ask{
		{"test/web", "prod/web", "none", "none"}, {"prod/db", "prod/web", "all", "none"}, {"8.8.8.8", "prod/web", "all", "none"},
	}},
	"Calico: tiers, order, actions": {`{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: sec}, spec: {order: 10}}
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: sec.a}, spec: {tier: sec, order: 2, selector: "app == 'db'", types: [Ingress], ingress: [{action: Pass, source: {namespaceSelector: "env == 'prod'"}}, {action: Deny}]}}
---
{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: sec.b}, spec: {tier: sec, order: 1, selector: "app == 'db'", types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {nets: [8.8.8.8/32]}, destination: {ports: [5432, "6000:6010"]}}]}}
---
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: c, namespace: prod}, spec: {order: 10, selector: "app in {'db', 'x'} && !has(gone)", ingress: [{action: Allow, protocol: TCP, source: {selector: "app != 'api'"}}]}}`, []ask{
		{"8.8.8.8", "prod/db", "5432,6000-6010/TCP", "none"},
		{"9.9.9.9", "prod/db", "none", "none"},
		{"test/web", "prod/db", "none", "none"},
		{"prod/web", "prod/db", "*/TCP", "none"},
		{"prod/api", "prod/db", "none", "none"},
		{"prod/db", "prod/web", "all", "none"},
	}},
	"a policy of a kind that is not understood": {`{apiVersion: crd.antrea.io/v1beta1, kind: NetworkPolicy, metadata: {name: a, namespace: prod}, spec: {}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: test}, spec: {podSelector: {}, policyTypes: [Ingress]}}`, []ask{
		{"test/web", "prod/web", "none", "all"}, {"8.8.8.8", "prod/web", "none", "all"}, {"8.8.8.8", "test/web", "none", "none"},
	}},
	"what the API server would refuse": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: db}}, ingress: [{ports: [{port: 90, endPort: 80}]}]}}`, []ask{
		{"prod/web", "prod/db", "none", "all"}, {"prod/db", "prod/web", "all", "none"},
	}},
	"labels of a namespace that was not read": {`{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: unseen}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: test}}}], ports: [{port: 80}]}, {from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: unseen}}}], ports: [{port: 81}]}]}}`, []ask{
		{"unseen/x", "prod/db", "81/TCP", "80/TCP"}, {"test/web", "prod/db", "80/TCP", "none"},
	}},
}

func TestTables(t *testing.T) { judgeTables(t, base, tables) }

func judgeTables(t *testing.T, base string, tables map[string]table) {
	t.Helper()
	for name, table := range tables {
		t.Run(name, func(t *testing.T) {
			n := network(t, base+table.policies)
			for _, a := range table.asks {
				got := n.Between(only(t, n, a.from), only(t, n, a.to))
				if got.Open.String() != a.open || got.Unknown.String() != a.unknown {
					t.Errorf("%s -> %s: open %s, unknown %s; want %s and %s", a.from, a.to, got.Open, got.Unknown, a.open, a.unknown)
					for _, r := range n.Explain(only(t, n, a.from), only(t, n, a.to)) {
						t.Log(r.Direction, r.line(r.Ports))
					}
				}
			}
		})
	}
}

// only is the one endpoint of that name.
func only(t testing.TB, n *Network, word string) int {
	t.Helper()
	s, err := n.Find(word)
	if err != nil {
		t.Fatal(err)
	}
	list := s.list()
	if len(list) != 1 {
		t.Fatalf("%q names %d endpoints", word, len(list))
	}
	return list[0]
}

// TestGaps holds that what was not looked at makes answers unknown, where it may hold a policy.
func TestGaps(t *testing.T) {
	for name, test := range map[string]struct {
		gap  verdict.Gap
		want Verdict
	}{
		"a file that does not parse":            {verdict.Gap{Code: verdict.GapSyntax}, Unknown},
		"a list of policies was forbidden":      {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{networkPolicy}}, Unknown},
		"only the kind's name is known":         {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"NetworkPolicy"}}, Unknown},
		"another kind":                          {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{"Secret"}}, Open},
		"another namespace":                     {verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{networkPolicy}, Namespace: "other"}, Open},
		"a doubt about an object that is there": {verdict.Gap{Code: verdict.GapDuplicate}, Open},
	} {
		t.Run(name, func(t *testing.T) {
			n := network(t, base, test.gap)
			if got := n.Between(only(t, n, "prod/web"), only(t, n, "prod/db")).At(TCP, 80); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}
