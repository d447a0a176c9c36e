package reach

import (
	"strings"
	"testing"
)

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
	ingressWith := func(annotations, class string) string {
		return inner + `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, namespace: prod, annotations: {` + annotations + `}}, spec: {` + class + `rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 81}}}}]}}]}}`
	}
	gatewayOf := func(class string) string {
		return route + grant + `
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g, namespace: test}, spec: {gatewayClassName: ` + class + `}}`
	}
	const classALB = `
---
{apiVersion: networking.k8s.io/v1, kind: IngressClass, metadata: {name: shared}, spec: {controller: ingress.k8s.aws/alb, parameters: {apiGroup: elbv2.k8s.aws, kind: IngressClassParams, name: shared}}}`
	const params = `
---
{apiVersion: elbv2.k8s.aws/v1beta1, kind: IngressClassParams, metadata: {name: shared}, spec: {scheme: internet-facing}}`
	const listed = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: prod}, spec: {type: LoadBalancer, ports: [{name: w, port: 80}]}}
---
`
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
		"an ingress under a deny-all":                    {ingress + deny, "none", "8080/TCP"},

		"alb, internal by default":              {ingressWith(`kubernetes.io/ingress.class: alb`, ""), "none", "none"},
		"alb, facing the internet":              {ingressWith(`alb.ingress.kubernetes.io/scheme: internet-facing`, "ingressClassName: alb, "), "9/TCP", "none"},
		"alb, internal":                         {ingressWith(`alb.ingress.kubernetes.io/scheme: internal`, "ingressClassName: alb, "), "none", "none"},
		"alb, whose class was not read":         {ingressWith(``, "ingressClassName: alb, "), "none", "9/TCP"},
		"alb, whose parameters decide":          {ingressWith(``, "ingressClassName: shared, ") + classALB + params, "9/TCP", "none"},
		"alb, whose parameters were not read":   {ingressWith(``, "ingressClassName: shared, ") + classALB, "none", "9/TCP"},
		"alb, for some addresses":               {ingressWith(`alb.ingress.kubernetes.io/scheme: internet-facing, alb.ingress.kubernetes.io/inbound-cidrs: "192.0.2.0/24,10.0.0.0/8"`, "ingressClassName: alb, "), "none", "none"},
		"gce-internal":                          {ingressWith(`kubernetes.io/ingress.class: gce-internal`, ""), "none", "none"},
		"gce":                                   {ingressWith(`kubernetes.io/ingress.class: gce`, ""), "9/TCP", "none"},
		"an application gateway's private side": {ingressWith(`appgw.ingress.kubernetes.io/use-private-ip: "true"`, "ingressClassName: azure-application-gateway, "), "none", "none"},
		"nginx, for some addresses":             {ingressWith(`nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8`, ""), "none", "none"},
		"nginx, for all addresses":              {ingressWith(`nginx.ingress.kubernetes.io/allowlist-source-range: "10.0.0.0/8, 0.0.0.0/0"`, "ingressClassName: nginx, "), "9/TCP", "none"},
		"nginx, for what is no address":         {ingressWith(`nginx.ingress.kubernetes.io/whitelist-source-range: office`, ""), "none", "9/TCP"},
		"nginx's list, and traefik":             {ingressWith(`nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8`, "ingressClassName: traefik, "), "9/TCP", "none"},
		"nginx, which asks who comes":           {ingressWith(`nginx.ingress.kubernetes.io/auth-url: "https://a.example"`, ""), "none", "9/TCP"},
		"a class called internal":               {ingressWith(``, "ingressClassName: nginx-internal, "), "none", "9/TCP"},

		"GKE's internal gateway":      {gatewayOf("gke-l7-rilb"), "none", "none"},
		"GKE's cross-regional one":    {gatewayOf("gke-l7-cross-regional-internal-managed-mc"), "none", "none"},
		"GKE's external gateway":      {gatewayOf("gke-l7-global-external-managed"), "9/TCP", "none"},
		"a gateway in VPC Lattice":    {gatewayOf("amazon-vpc-lattice"), "none", "none"},
		"a gateway's given service":   {gatewayOf(`istio, infrastructure: {annotations: {networking.gke.io/load-balancer-type: Internal}}`), "none", "none"},
		"a load balancer, for some":   {strings.Replace(of("LoadBalancer"), "{name: web,", `{name: web, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: "10.0.0.0/8"},`, 1), "none", "none"},
		"the field before that":       {strings.Replace(of(`LoadBalancer, loadBalancerSourceRanges: ["0.0.0.0/0"]`), "{name: web,", `{name: web, annotations: {service.beta.kubernetes.io/load-balancer-source-ranges: "10.0.0.0/8"},`, 1), "9,8080/TCP", "none"},
		"a service that lists a pod":  {listed + `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, namespace: prod, labels: {kubernetes.io/service-name: web}}, ports: [{name: w, port: 7}, {name: other, port: 8}], endpoints: [{addresses: [10.9.9.9], targetRef: {kind: Pod, name: web}}]}`, "7/TCP", "none"},
		"a service with Endpoints":    {listed + `{apiVersion: v1, kind: Endpoints, metadata: {name: web, namespace: prod}, subsets: [{ports: [{name: w, port: 7}], addresses: [{ip: 10.9.9.9, targetRef: {kind: Pod, name: web}}]}]}`, "7/TCP", "none"},
		"a service that lists others": {listed + `{apiVersion: v1, kind: Endpoints, metadata: {name: web, namespace: prod}, subsets: [{ports: [{name: w, port: 7}], addresses: [{ip: 10.9.9.9}]}]}`, "none", "none"},
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
