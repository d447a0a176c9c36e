package generate

import (
	"fmt"
	"math"
)

// addAgents makes what runs on every node. All of it is more privileged than what teams run; the
// privileges are those that such agents ask for in their own manifests.
func (c *Cluster) addAgents() {
	agent := func(namespace, name string, p pod) {
		p.image, p.token = "registry.example.com/platform/"+name+":1.14.2", true
		c.add(&owner{kind: "DaemonSet", namespace: c.find(namespace), name: name, app: name, account: name, replicas: c.nodes, pod: p})
	}
	agent("kube-system", "cni", pod{privileged: true, hostNetwork: true, hostPaths: []string{"/opt/cni/bin", "/etc/cni/net.d", "/var/run/netns"}})
	agent("kube-system", "kube-proxy", pod{privileged: true, hostNetwork: true, hostPaths: []string{"/run/xtables.lock", "/lib/modules:ro"}})
	agent("kube-system", "csi-node", pod{privileged: true, hostPaths: []string{"/var/lib/kubelet", "/dev"}})
	agent("monitoring", "node-exporter", pod{hostNetwork: true, hostPID: true, hostPaths: []string{"/:ro"}, port: 9100, hardened: true})
	agent("logging", "log-collector", pod{hostPaths: []string{"/var/log:ro", "/var/lib/docker/containers:ro"}})
	agent("monitoring", "security-agent", pod{privileged: true, hostPID: true, hostPaths: []string{"/run/containerd/containerd.sock", "/proc:ro", "/sys/kernel/debug"}})
}

// addPlatform makes what teams share: controllers with rights in the whole cluster.
func (c *Cluster) addPlatform() {
	shared := func(kind, namespace, name string, replicas int, p pod) {
		p.image, p.token, p.hardened = "registry.example.com/platform/"+name+":2.3.1", true, true
		c.add(&owner{kind: kind, namespace: c.find(namespace), name: name, app: name, account: name, replicas: replicas, pod: p})
	}
	grow := func(each int) int { return min(1+c.Pods/each, 40) }
	shared("Deployment", "kube-system", "coredns", 2+grow(2000), pod{port: 53})
	shared("Deployment", "kube-system", "metrics-server", 2, pod{port: 10250})
	shared("Deployment", "kube-system", "cluster-autoscaler", 1, pod{})
	shared("Deployment", "kube-system", "external-dns", 1, pod{})
	shared("Deployment", "kube-system", "csi-controller", 2, pod{})
	shared("Deployment", "ingress-nginx", "ingress-nginx-controller", 2+grow(1000), pod{port: 8080})
	c.owners[len(c.owners)-1].app = "ingress-nginx" // as its own chart calls it
	shared("Deployment", "cert-manager", "cert-manager", 1, pod{port: 9402})
	shared("Deployment", "cert-manager", "cert-manager-webhook", 2, pod{port: 10250})
	shared("StatefulSet", "argocd", "argocd-application-controller", grow(5000), pod{port: 8082})
	shared("Deployment", "argocd", "argocd-server", 2, pod{port: 8080})
	shared("StatefulSet", "monitoring", "prometheus", 2, pod{port: 9090})
	shared("Deployment", "monitoring", "grafana", 1, pod{port: 3000})
	shared("Deployment", "monitoring", "kube-state-metrics", 1, pod{port: 8080})
	shared("Deployment", "ci", "runner", grow(500), pod{})
	shared("Deployment", "ci", "docker-builder", grow(2000), pod{privileged: true, hostPaths: []string{"/var/run/docker.sock"}})
	for i := range c.operators() {
		shared("Deployment", "operators", fmt.Sprintf("%s-operator", operatorName(i)), 1, pod{port: 8443})
	}
}

// operators is how many operators there are: a handful, and more in large clusters.
func (c *Cluster) operators() int { return min(4+c.Pods/1000, 40) }

func operatorName(i int) string {
	names := []string{"postgres", "redis", "kafka", "rabbitmq", "vault", "elastic", "mongodb", "minio"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s-%d", names[i%len(names)], i/len(names))
}

// addApplications makes what the teams run, until the cluster has its pods.
func (c *Cluster) addApplications() {
	left := c.Pods
	for _, o := range c.owners {
		left -= o.replicas
	}
	for i := 0; left > 0; i++ {
		ns := c.team()
		app := apps[c.skewed(len(apps))]
		o := &owner{namespace: ns, app: app, name: fmt.Sprintf("%s-%05d", app, i), replicas: min(c.replicas(), left), pod: c.application(ns)}
		o.kind, o.pod.image = c.kind(), "registry.example.com/"+ns.name+"/"+o.name+":1."+c.pick("4.0", "5.2", "7.1")
		switch o.kind {
		case "CronJob":
			o.replicas = 0 // it runs now and then
		case "Pod":
			o.replicas = 1
		}
		// About half run as an account of their own.
		if o.account = "default"; c.chance(0.5) {
			o.account = o.name
		}
		left -= o.replicas
		c.add(o)
	}
}

// kind is that of what carries an application's template, in the shares of public manifests.
func (c *Cluster) kind() string {
	switch share := c.r.Float64(); {
	case share < 0.81:
		return "Deployment"
	case share < 0.90:
		return "StatefulSet"
	case share < 0.97:
		return "CronJob"
	default:
		return "Pod"
	}
}

// replicas is how many pods an application has: mostly one to three, few have hundreds (Pareto).
func (c *Cluster) replicas() int {
	const shape, most = 1.16, 400 // a fifth of the owners have four fifths of the pods
	return min(int(math.Pow(1-c.r.Float64(), -1/shape)), most)
}

// application is the pod of what a team runs.
func (c *Cluster) application(ns *namespace) pod {
	p := pod{
		port: []int{8080, 8080, 8080, 3000, 5000, 6379, 5432, 9000}[c.r.IntN(8)], containers: 1 + c.skewed(4), settings: 2 + c.r.IntN(10),
		hardened: c.chance(0.3), token: !c.chance(0.2), secret: c.chance(0.22),
	}
	if ns.level != "" || p.hardened {
		return p // the API server lets nothing of what follows pass, or its team would not
	}
	switch share := c.r.Float64(); {
	case share < 0.004:
		p.privileged = true
	case share < 0.008:
		p.hostPaths = []string{c.pick("/var/run/docker.sock", "/run/containerd/containerd.sock")}
	case share < 0.016:
		p.hostPaths = []string{c.pick("/data", "/var/log:ro", "/mnt/models:ro", "/etc/ssl/certs:ro", "/")}
	case share < 0.020:
		p.hostNetwork = true
	case share < 0.035:
		p.capability = c.pick("NET_ADMIN", "NET_BIND_SERVICE", "SYS_PTRACE", "SYS_ADMIN", "NET_RAW")
	}
	return p
}
