package generate

import (
	"fmt"
	"slices"
)

// addServices puts services before the owners that listen; some of them, and routes to others, are
// open to the internet. The types are in the shares of public manifests.
func (c *Cluster) addServices(count int) {
	var listening []*owner
	for _, o := range c.owners {
		if o.pod.port != 0 && o.kind != "CronJob" && o.kind != "DaemonSet" {
			listening = append(listening, o)
		}
	}
	if len(listening) == 0 {
		return
	}
	c.put("networking.k8s.io/v1", "IngressClass", "", "nginx", thing{"spec": thing{"controller": "k8s.io/ingress-nginx"}})
	controller := slices.IndexFunc(listening, func(o *owner) bool { return o.name == "ingress-nginx-controller" })
	c.service(listening[controller], "ingress-nginx-controller", "LoadBalancer")
	order := c.r.Perm(len(listening))
	for i := range count - 1 {
		o := listening[order[i%len(order)]]
		name := o.name
		if i >= len(order) {
			name = fmt.Sprintf("%s-%d", name, i/len(order))
		}
		if o.namespace.name == "ingress-nginx" {
			name += "-metrics"
		}
		kind := "ClusterIP"
		switch share := c.r.Float64(); {
		case slices.Contains(platform, o.namespace.name):
		case share < 0.04:
			kind = "LoadBalancer"
		case share < 0.07:
			kind = "NodePort"
		}
		c.service(o, name, kind)
		if kind == "ClusterIP" && tier(o.app) == "edge" && c.chance(0.5) {
			c.ingress(o, name)
		}
	}
}

func (c *Cluster) service(o *owner, name, kind string) {
	spec := thing{
		"type":     kind,
		"ports":    list{thing{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}},
		"selector": thing{"app.kubernetes.io/name": o.app, "app.kubernetes.io/instance": o.name},
	}
	if kind == "LoadBalancer" && c.chance(0.2) {
		spec["loadBalancerSourceRanges"] = list{"203.0.113.0/24", "10.0.0.0/8"}
	}
	c.put("v1", "Service", o.namespace.name, name, thing{"spec": spec})
}

func (c *Cluster) ingress(o *owner, service string) {
	host := o.name + ".example.com"
	c.put("networking.k8s.io/v1", "Ingress", o.namespace.name, o.name, thing{"spec": thing{
		"ingressClassName": "nginx",
		"tls":              list{thing{"hosts": list{host}, "secretName": o.name + "-tls"}},
		"rules": list{thing{"host": host, "http": thing{"paths": list{thing{
			"path": "/", "pathType": "Prefix", "backend": thing{"service": thing{"name": service, "port": thing{"name": "http"}}},
		}}}}},
	}})
}

// addPolicies makes network policies: what closes a namespace, and what opens it again.
func (c *Cluster) addPolicies(count int) {
	for i := range count {
		ns := c.team()
		if i < 4 {
			ns = c.namespaces[1+i]
		}
		name := fmt.Sprintf("policy-%05d", i)
		if !ns.denied {
			ns.denied, name = true, "default-deny"
			types := list{"Ingress"}
			if c.chance(0.3) {
				types = append(types, "Egress")
			}
			c.policy(ns, name, thing{"podSelector": thing{}, "policyTypes": types})
			continue
		}
		c.policy(ns, name, c.opening())
	}
}

func (c *Cluster) policy(ns *namespace, name string, spec thing) {
	c.put("networking.k8s.io/v1", "NetworkPolicy", ns.name, name, thing{"spec": spec})
}

// opening is a policy that lets something through. Its selectors name what teams call alike, not one
// owner: that is what makes a policy apply to many.
func (c *Cluster) opening() thing {
	app := thing{"matchLabels": thing{"app.kubernetes.io/name": apps[c.skewed(len(apps))]}}
	peer := thing{"podSelector": thing{"matchLabels": thing{"app.kubernetes.io/name": apps[c.skewed(len(apps))]}}}
	http := list{thing{"port": "http", "protocol": "TCP"}}
	from := func(name string) thing {
		return thing{"namespaceSelector": thing{"matchLabels": thing{"kubernetes.io/metadata.name": name}}}
	}
	in := func(selector thing, peers, ports list) thing {
		rule := thing{"from": peers}
		if ports != nil {
			rule["ports"] = ports
		}
		return thing{"podSelector": selector, "policyTypes": list{"Ingress"}, "ingress": list{rule}}
	}
	switch share := c.r.Float64(); {
	case share < 0.20: // the ingress controller to what faces the edge
		return in(thing{"matchLabels": thing{"tier": "edge"}}, list{from("ingress-nginx")}, http)
	case share < 0.35: // the namespace itself
		return in(thing{}, list{thing{"podSelector": thing{}}}, nil)
	case share < 0.50: // the metrics
		return in(thing{}, list{from("monitoring")}, http)
	case share < 0.75: // one to another
		return in(app, list{peer}, http)
	case share < 0.85: // services to data, of the team's other namespaces too
		data := list{thing{"port": 5432, "protocol": "TCP"}, thing{"port": 6379, "protocol": "TCP"}}
		clients := thing{"podSelector": thing{"matchLabels": thing{"tier": "service"}}, "namespaceSelector": thing{"matchLabels": thing{"team": teams[c.r.IntN(len(teams))]}}}
		return in(thing{"matchLabels": thing{"tier": "data"}}, list{clients}, data)
	case share < 0.95: // names, and nothing else
		return thing{"podSelector": thing{}, "policyTypes": list{"Egress"}, "egress": list{thing{
			"to": list{from("kube-system")}, "ports": list{thing{"port": 53, "protocol": "UDP"}, thing{"port": 53, "protocol": "TCP"}},
		}}}
	default: // the internet without the metadata of the cloud
		return thing{"podSelector": app, "policyTypes": list{"Egress"}, "egress": list{thing{
			"to": list{thing{"ipBlock": thing{"cidr": "0.0.0.0/0", "except": list{"169.254.169.254/32", "10.0.0.0/8"}}}},
		}}}
	}
}
