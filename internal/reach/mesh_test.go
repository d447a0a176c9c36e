package reach

import (
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// meshBase is a cluster with every way to be in a mesh: in and also are injected by Istio, rev by a revision,
// amb is ambient, lin is Linkerd's, out is in none, and of dim nobody read the labels.
const meshBase = `
{apiVersion: v1, kind: Namespace, metadata: {name: in, labels: {istio-injection: enabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: also, labels: {istio-injection: enabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: rev, labels: {istio.io/rev: canary}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: amb, labels: {istio.io/dataplane-mode: ambient}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: lin, annotations: {linkerd.io/inject: enabled}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: out}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: istio-system}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: in, labels: {app: a}}, spec: {serviceAccountName: a, containers: [{name: a, image: a, ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: in, labels: {app: b}}, spec: {serviceAccountName: b, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: bare, namespace: in, labels: {app: bare, sidecar.istio.io/inject: "false"}}, spec: {serviceAccountName: b, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: old, namespace: in, labels: {app: old}, annotations: {sidecar.istio.io/inject: "false"}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: host, namespace: in, labels: {app: host}}, spec: {hostNetwork: true, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: also, labels: {app: a}}, spec: {serviceAccountName: a, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: r, namespace: rev, labels: {app: r}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: m, namespace: amb, labels: {app: m}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: n1, namespace: amb, labels: {app: n1, istio.io/dataplane-mode: none}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: o, namespace: out, labels: {app: a}}, spec: {serviceAccountName: a, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: out, labels: {app: p, sidecar.istio.io/inject: "true"}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: d, namespace: dim, labels: {app: d}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: l, namespace: lin, labels: {app: l}}, spec: {serviceAccountName: l, containers: [{name: a, image: a, ports: [{name: http, containerPort: 8080}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: k, namespace: lin, labels: {app: k}}, spec: {serviceAccountName: k, containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: j, namespace: lin, labels: {app: j}, annotations: {linkerd.io/inject: disabled}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: in}, spec: {selector: {app: a}, ports: [{name: tcp-x, port: 9000}, {name: http-y, port: 80, targetPort: http}]}}
---
`

const noTCP = "*/UDP */SCTP" // a mesh decides over TCP alone

var meshTables = map[string]table{
	"STRICT refuses plaintext: from outside of the mesh, and from those that opted out": {`{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}`, []ask{
		{"in/b", "in/a", "all", "none"},
		{"rev/r", "in/a", "all", "none"},
		{"amb/m", "in/a", "all", "none"},
		{"out/p", "in/a", "all", "none"},
		{"out/o", "in/a", noTCP, "none"},
		{"in/bare", "in/a", noTCP, "none"},
		{"in/old", "in/a", noTCP, "none"},
		{"in/host", "in/a", noTCP, "none"},
		{"node", "in/a", noTCP, "none"},
		{"8.8.8.8", "in/a", noTCP, "none"},
		{"dim/d", "in/a", noTCP, "*/TCP"},
		{"out/o", "dim/d", noTCP, "*/TCP"},
		{"in/a", "dim/d", "all", "none"},
		{"out/o", "in/bare", "all", "none"},
		{"out/o", "amb/m", noTCP, "none"},
		{"node", "amb/m", "all", "none"},
		{"out/o", "amb/n1", "all", "none"},
		{"out/o", "lin/l", "all", "none"},
	}},
	"PeerAuthentication: workload before namespace before mesh, UNSET inherits, ports": {`{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: istio-system}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: in}, spec: {mtls: {mode: PERMISSIVE}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: b, namespace: in}, spec: {selector: {matchLabels: {app: b}}, mtls: {mode: UNSET}, portLevelMtls: {8443: {mode: STRICT}}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: also}, spec: {}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: r, namespace: rev}, spec: {selector: {matchLabels: {app: r}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: r, namespace: rev}, spec: {rules: [{from: [{source: {namespaces: [in]}}]}]}}`, []ask{
		{"out/o", "in/a", "all", "none"},
		{"out/o", "in/b", "1-8442,8444-65535/TCP */UDP */SCTP", "none"},
		{"out/o", "also/c", noTCP, "none"},
		{"in/a", "rev/r", "1-8079,8081-65535/TCP */UDP */SCTP", "none"}, // on 8080 nobody has a name
		{"out/o", "rev/r", noTCP, "none"},
	}},
	"of two PeerAuthentications the older decides, whichever that is": {`{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: x, namespace: in}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: y1, namespace: in}, spec: {mtls: {mode: PERMISSIVE}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: x, namespace: also, creationTimestamp: "2025-01-02T00:00:00Z"}, spec: {mtls: {mode: STRICT}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: y1, namespace: also, creationTimestamp: "2024-01-02T00:00:00Z"}, spec: {mtls: {mode: PERMISSIVE}}}`, []ask{
		{"out/o", "in/a", noTCP, "*/TCP"}, {"out/o", "also/c", "all", "none"},
	}},
	"an ALLOW policy without rules denies all, where a proxy asks it": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {}}`, []ask{
		{"in/b", "in/a", noTCP, "none"}, {"in/b", "in/bare", "all", "none"}, {"in/b", "also/c", "all", "none"},
	}},
	"an ALLOW policy with an empty rule allows all": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {rules: [{}]}}`, []ask{{"out/o", "in/a", "all", "none"}}},
	"a DENY policy without rules denies nothing":    {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {action: DENY}}`, []ask{{"out/o", "in/a", "all", "none"}}},
	"principals, namespaces, accounts, ports": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {selector: {matchLabels: {app: a}}, rules: [
  {from: [{source: {principals: [cluster.local/ns/in/sa/b]}}], to: [{operation: {ports: ["8080"]}}]},
  {from: [{source: {namespaces: [al*]}}], to: [{operation: {notPorts: ["22"]}}]},
  {from: [{source: {principals: ["*/ns/rev/sa/default"]}}], to: [{operation: {ports: ["1"]}}]},
  {from: [{source: {serviceAccounts: [out/default]}}], to: [{operation: {ports: ["2"]}}]},
  {from: [{source: {principals: [other.domain/ns/amb/sa/default]}}], to: [{operation: {ports: ["3"]}}]}]}}`, []ask{
		{"in/b", "in/a", "8080/TCP " + noTCP, "none"},
		{"in/bare", "in/a", noTCP, "none"}, // the same account, and no certificate
		{"also/c", "in/a", "1-21,23-65535/TCP " + noTCP, "none"},
		{"rev/r", "in/a", "1/TCP " + noTCP, "none"},
		{"out/p", "in/a", "2/TCP " + noTCP, "none"},
		{"amb/m", "in/a", noTCP, "3/TCP"},
		{"8.8.8.8", "in/a", noTCP, "none"},
		{"out/o", "in/b", "all", "none"},
	}},
	"CUSTOM may deny, DENY is before ALLOW, AUDIT and dry runs are nothing": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {action: DENY, rules: [{from: [{source: {notPrincipals: [cluster.local/ns/in/sa/*]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: q, namespace: in}, spec: {action: ALLOW, rules: [{}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: c, namespace: in}, spec: {action: CUSTOM, provider: {name: oauth}, rules: [{to: [{operation: {ports: ["443"]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: d, namespace: in}, spec: {action: AUDIT, rules: [{}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: e, namespace: in, annotations: {istio.io/dry-run: "true"}}, spec: {action: DENY, rules: [{}]}}`, []ask{
		{"in/b", "in/a", "1-442,444-65535/TCP " + noTCP, "443/TCP"},
		{"also/c", "in/a", noTCP, "none"},
		{"8.8.8.8", "in/a", noTCP, "none"}, // without a certificate it is not in that list
	}},
	"the root namespace is for all, with or without a selector": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: istio-system}, spec: {action: DENY, selector: {matchLabels: {app: a}}, rules: [{from: [{source: {ipBlocks: [8.8.8.0/24]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: q, namespace: istio-system}, spec: {action: DENY, rules: [{when: [{key: destination.port, values: ["22"]}, {key: source.namespace, notValues: [in]}]}]}}`, []ask{
		{"8.8.8.8", "in/a", noTCP, "none"},
		{"8.8.8.8", "also/c", noTCP, "none"},
		{"8.8.8.8", "in/b", "1-21,23-65535/TCP " + noTCP, "none"},
		{"9.9.9.9", "in/a", "1-21,23-65535/TCP " + noTCP, "none"},
		{"in/b", "in/a", "all", "none"},
	}},
	"the root namespace that the mesh is told": {`{apiVersion: v1, kind: ConfigMap, metadata: {name: istio, namespace: mesh}, data: {mesh: "rootNamespace: mesh\ntrustDomain: x\n"}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: mesh}, spec: {mtls: {mode: STRICT}}}`, []ask{{"out/o", "in/a", noTCP, "none"}}},
	"ALLOW with HTTP may allow where that may be spoken, DENY with HTTP denies all where it is not": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {selector: {matchLabels: {app: a}}, rules: [{to: [{operation: {methods: [GET], ports: ["8080", "9000"]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: q, namespace: also}, spec: {action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: c, namespace: also}, spec: {selector: {app: a}, ports: [{appProtocol: redis, port: 6379}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: r, namespace: amb}, spec: {action: DENY, rules: [{from: [{source: {requestPrincipals: ["*"]}}], to: [{operation: {ports: ["80"]}}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: s, namespace: rev}, spec: {rules: [{when: [{key: "request.headers[x]", values: [y]}]}]}}`, []ask{
		{"in/b", "in/a", noTCP, "8080/TCP"},
		{"in/b", "also/c", noTCP, "1-6378,6380-65535/TCP"},
		{"in/b", "amb/m", "1-79,81-65535/TCP " + noTCP, "none"}, // its node's proxy reads no HTTP
		{"in/b", "rev/r", noTCP, "*/TCP"},
	}},
	"what a connection says of itself may be anything": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {rules: [{from: [{source: {remoteIpBlocks: [10.0.0.0/8]}}]}]}}`, []ask{{"in/b", "in/a", noTCP, "*/TCP"}}},
	"a waypoint decides in its pods' place": {`{apiVersion: v1, kind: Namespace, metadata: {name: way, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: w, namespace: way}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: way}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: waypoint}], rules: [{to: [{operation: {methods: [GET]}}]}]}}`, []ask{{"in/b", "way/w", noTCP, "*/TCP"}}},
	"ports that annotations take out of the sidecar": {`{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: in, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: "9090,15000-15010"}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: in}, spec: {mtls: {mode: STRICT}}}`, []ask{{"out/o", "in/x", "9090,15000-15010/TCP " + noTCP, "none"}}},
	"clients that are told to send plaintext": {`{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: d, namespace: in}, spec: {host: a.in.svc.cluster.local, trafficPolicy: {tls: {mode: DISABLE}}}}
---
{apiVersion: security.istio.io/v1, kind: PeerAuthentication, metadata: {name: default, namespace: in}, spec: {mtls: {mode: STRICT}}}`, []ask{{"in/b", "in/a", noTCP, "*/TCP"}}},
	"the network and the mesh must both let it through": {`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: in}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}, {port: 81}]}]}}
---
{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {rules: [{to: [{operation: {ports: ["81", "82"]}}]}]}}`, []ask{{"in/b", "in/a", "81/TCP", "none"}}},
	"a policy that Istio would refuse": {`{apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: p, namespace: in}, spec: {action: FORBID}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: in}, spec: {podSelector: {}, ingress: [{ports: [{port: 80}]}]}}`, []ask{{"in/b", "in/a", "none", "80/TCP"}, {"in/b", "also/c", "all", "none"}}},

	"Linkerd: a Server denies all but whom it is told": {`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: lin}, spec: {podSelector: {matchLabels: {app: l}}, port: http}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: lin}, spec: {targetRef: {group: policy.linkerd.io, kind: Server, name: s}, requiredAuthenticationRefs: [{name: k, kind: ServiceAccount}]}}`, []ask{
		{"lin/k", "lin/l", "all", "none"},
		{"lin/j", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "none"},
		{"in/a", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "none"},
		{"node", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "8080/TCP"}, // the kubelet's probes
		{"in/a", "lin/k", "all", "none"},
	}},
	"Linkerd: identities, networks, namespaces and both": {`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: lin}, spec: {podSelector: {}, port: 80}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: lin}, spec: {targetRef: {kind: Namespace, name: lin}, requiredAuthenticationRefs: [{name: m, kind: MeshTLSAuthentication, group: policy.linkerd.io}, {name: n1, kind: NetworkAuthentication, group: policy.linkerd.io}]}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: MeshTLSAuthentication, metadata: {name: m, namespace: lin}, spec: {identities: [k.lin.serviceaccount.identity.linkerd.cluster.local]}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: NetworkAuthentication, metadata: {name: n1, namespace: lin}, spec: {networks: [{cidr: 0.0.0.0/0, except: [8.8.8.0/24]}]}}
---
{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: t, namespace: lin}, spec: {podSelector: {}, port: 81}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: q, namespace: lin}, spec: {targetRef: {kind: Server, name: t}, requiredAuthenticationRefs: [{name: n1, kind: NetworkAuthentication}]}}`, []ask{
		{"lin/k", "lin/l", "all", "none"},
		{"in/a", "lin/l", "1-79,81-65535/TCP " + noTCP, "none"},
		{"8.8.8.8", "lin/l", "1-79,82-65535/TCP " + noTCP, "none"},
		{"9.9.9.9", "lin/l", "1-79,81-65535/TCP " + noTCP, "none"},
	}},
	"Linkerd: default policies of namespace and pod, skipped ports, accessPolicy": {`{apiVersion: v1, kind: Namespace, metadata: {name: shut, annotations: {linkerd.io/inject: enabled, config.linkerd.io/default-inbound-policy: deny}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: shut, annotations: {config.linkerd.io/skip-inbound-ports: "9090"}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: y1, namespace: shut, annotations: {config.linkerd.io/default-inbound-policy: all-authenticated}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: z, namespace: shut, labels: {app: z}, annotations: {config.linkerd.io/default-inbound-policy: cluster-unauthenticated}}, spec: {containers: [{name: a, image: a}]}}
---
{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: shut}, spec: {podSelector: {matchLabels: {app: z}}, port: 80, accessPolicy: all-unauthenticated}}`, []ask{
		{"lin/k", "shut/x", "9090/TCP " + noTCP, "none"},
		{"lin/k", "shut/y1", "all", "none"},
		{"lin/j", "shut/y1", noTCP, "none"},
		{"lin/j", "shut/z", "all", "none"},
		{"8.8.8.8", "shut/z", "80/TCP " + noTCP, "none"},
	}},
	"Linkerd: what its controller is told is the default": {`{apiVersion: apps/v1, kind: Deployment, metadata: {name: linkerd-destination, namespace: linkerd}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: policy, image: a, args: [--default-policy=all-authenticated]}]}}}}`, []ask{
		{"lin/k", "lin/l", "all", "none"}, {"lin/j", "lin/l", noTCP, "none"},
	}},
	"Linkerd: ServerAuthorization": {`{apiVersion: policy.linkerd.io/v1beta1, kind: Server, metadata: {name: s, namespace: lin, labels: {a: b}}, spec: {podSelector: {matchLabels: {app: l}}, port: 8080}}
---
{apiVersion: policy.linkerd.io/v1beta1, kind: ServerAuthorization, metadata: {name: x, namespace: lin}, spec: {server: {selector: {matchLabels: {a: b}}}, client: {meshTLS: {serviceAccounts: [{name: k}]}}}}
---
{apiVersion: policy.linkerd.io/v1beta1, kind: ServerAuthorization, metadata: {name: y1, namespace: lin}, spec: {server: {name: s}, client: {unauthenticated: true, networks: [{cidr: 8.8.8.0/24}]}}}`, []ask{
		{"lin/k", "lin/l", "all", "none"}, {"8.8.8.8", "lin/l", "all", "none"}, {"9.9.9.9", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "none"}, {"lin/j", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "none"},
	}},
	"Linkerd: a route is a part of what comes to a Server": {`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: lin}, spec: {podSelector: {matchLabels: {app: l}}, port: 8080}}
---
{apiVersion: policy.linkerd.io/v1beta3, kind: HTTPRoute, metadata: {name: r, namespace: lin}, spec: {parentRefs: [{kind: Server, group: policy.linkerd.io, name: s}], rules: [{matches: [{path: {value: /}}]}]}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: lin}, spec: {targetRef: {group: policy.linkerd.io, kind: HTTPRoute, name: r}, requiredAuthenticationRefs: [{name: k, kind: ServiceAccount}]}}`, []ask{
		{"lin/k", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "8080/TCP"}, {"lin/j", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "none"},
	}},
	"Linkerd: authentication that stands elsewhere": {`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: lin}, spec: {podSelector: {matchLabels: {app: l}}, port: 8080}}
---
{apiVersion: policy.linkerd.io/v1alpha1, kind: AuthorizationPolicy, metadata: {name: p, namespace: lin}, spec: {targetRef: {group: policy.linkerd.io, kind: Server, name: s}, requiredAuthenticationRefs: [{name: gone, kind: MeshTLSAuthentication}]}}`, []ask{
		{"lin/k", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "8080/TCP"},
	}},
	"Linkerd: two Servers that disagree": {`{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: s, namespace: lin}, spec: {podSelector: {matchLabels: {app: l}}, port: 8080}}
---
{apiVersion: policy.linkerd.io/v1beta3, kind: Server, metadata: {name: t, namespace: lin}, spec: {podSelector: {}, port: 8080, accessPolicy: all-unauthenticated}}`, []ask{
		{"lin/k", "lin/l", "1-8079,8081-65535/TCP " + noTCP, "8080/TCP"}, {"lin/l", "lin/k", "all", "none"},
	}},
}

func TestMeshTables(t *testing.T) { judgeTables(t, meshBase, meshTables) }

// TestMeshGap holds that a policy of a mesh that may not have been seen makes unknown what it may
// decide, and nothing that the network closes.
func TestMeshGap(t *testing.T) {
	gap := verdict.Gap{Code: verdict.GapForbidden, Kinds: []string{istioAuthorization}}
	n := network(t, meshBase+meshTables["the network and the mesh must both let it through"].policies, gap)
	got := n.Between(only(t, n, "in/b"), only(t, n, "in/a"))
	if got.Open.String() != "none" || got.Unknown.String() != "80-81/TCP" {
		t.Errorf("open %s, unknown %s", got.Open, got.Unknown)
	}
}

// TestMeshExplain holds that the policy that decides is named, with its rule.
func TestMeshExplain(t *testing.T) {
	n := network(t, meshBase+meshTables["STRICT refuses plaintext: from outside of the mesh, and from those that opted out"].policies+`
---
`+meshTables["principals, namespaces, accounts, ports"].policies+`
---
`+meshTables["Linkerd: a Server denies all but whom it is told"].policies)
	for _, test := range []struct{ from, to, want string }{
		{"out/o", "in/a", "deny */TCP by PeerAuthentication istio-system/default spec.mtls.mode"},
		{"in/b", "in/a", "allow 8080/TCP by AuthorizationPolicy in/p spec.rules[0]"},
		{"in/b", "in/a", "deny 1-8079,8081-65535/TCP by AuthorizationPolicy in/p"},
		{"lin/k", "lin/l", "allow 8080/TCP by AuthorizationPolicy lin/p spec.requiredAuthenticationRefs"},
		{"lin/j", "lin/l", "deny 8080/TCP by Server lin/s"},
	} {
		var lines []string
		for _, r := range n.Explain(only(t, n, test.from), only(t, n, test.to)) {
			lines = append(lines, r.Direction+" "+r.line(r.Ports))
		}
		if text := strings.Join(lines, "\n"); !strings.Contains(text, "mesh "+test.want) {
			t.Errorf("%s -> %s: no %q in\n%s", test.from, test.to, test.want, text)
		}
	}
}
