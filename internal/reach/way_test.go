package reach

import "testing"

// TestWays holds what leads in from outside, and what does not.
func TestWays(t *testing.T) {
	const service = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {type: %, selector: {app: web}, ports: [{name: w, port: 80, targetPort: http}, {port: 81, targetPort: 9}]}}`
	const inner = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {selector: {app: web}, ports: [{name: w, port: 80, targetPort: http}, {port: 81, targetPort: 9}]}}
---
`
	const deny = `
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}`
	const controller = `
---
{apiVersion: v1, kind: Pod, metadata: {name: ingress, namespace: test, labels: {app.kubernetes.io/name: ingress-nginx}}, spec: {containers: [{name: a, image: a}]}}`
	const fromController = `
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: prod}, spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {env: test}}, podSelector: {matchLabels: {app.kubernetes.io/name: ingress-nginx}}}]}]}}`
	const ingress = inner + `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: prod}, spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: w}}}}]}}]}}`
	const route = inner + `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: test}, spec: {parentRefs: [{name: g}], rules: [{backendRefs: [{name: web, namespace: prod, port: 81}]}]}}`
	const gateway = `
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: test}, spec: {}}`
	const grant = `
---
{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g, namespace: prod}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: test}], to: [{group: "", kind: Service}]}}`
	of := func(kind string) string {
		var b []byte
		for i := range service {
			if service[i] == '%' {
				b = append(b, kind...)
			} else {
				b = append(b, service[i])
			}
		}
		return string(b)
	}
	for name, test := range map[string]struct{ objects, open, unknown string }{
		"a load balancer":                                {of("LoadBalancer"), "9,8080/TCP", "none"},
		"a policy closes it":                             {of("LoadBalancer") + deny, "none", "9,8080/TCP"}, // the client may be seen as the pod's own node
		"a policy closes it to clients that are seen":    {of("LoadBalancer, externalTrafficPolicy: Local") + deny, "none", "none"},
		"a node's port":                                  {of("NodePort"), "none", "9,8080/TCP"},
		"a service inside":                               {of("ClusterIP"), "none", "none"},
		"an ingress to a port by name, all open":         {ingress, "8080/TCP", "none"},
		"an ingress whose controller is not seen":        {ingress + fromController, "none", "8080/TCP"},
		"an ingress whose controller is let in":          {ingress + fromController + controller, "8080/TCP", "none"},
		"an ingress whose controller is kept out":        {ingress + deny + controller, "none", "none"},
		"a route into another namespace without a grant": {route + gateway, "none", "none"},
		"a route into another namespace":                 {route + gateway + grant, "9/TCP", "none"},
		"a route whose gateway is not seen":              {route + grant, "none", "9/TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			n := network(t, base+test.objects)
			to := only(t, n, "prod/web")
			internet, err := n.Find("8.8.8.8")
			if err != nil {
				t.Fatal(err)
			}
			var got Access
			for _, w := range n.Ways {
				if w.To.has(to) && w.From.meets(internet) {
					got = Access{got.Open.Union(w.Open), got.Unknown.Union(w.Unknown)}
				}
			}
			if got.Open.String() != test.open || got.Unknown.String() != test.unknown {
				t.Errorf("open %s, unknown %s; want %s and %s", got.Open, got.Unknown, test.open, test.unknown)
			}
		})
	}
}
