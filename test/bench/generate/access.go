package generate

import "fmt"

const rbacVersion = "rbac.authorization.k8s.io/v1"

// grant is one rule of a role.
func grant(groups, resources, verbs list) thing {
	return thing{"apiGroups": groups, "resources": resources, "verbs": verbs}
}

var (
	core  = list{""}
	read  = list{"get", "list", "watch"}
	all   = list{"*"}
	write = list{"get", "list", "watch", "create", "update", "patch", "delete"}
)

// addAccess makes the accounts, the roles and that many bindings: first those that the platform's
// controllers have in their own manifests, then the teams'.
func (c *Cluster) addAccess(count int) {
	c.addAccounts()
	bound := c.platformAccess()
	for i := range c.operators() {
		name := operatorName(i) + "-operator"
		c.clusterRole(name, c.operatorRules(i))
		c.bindCluster(name, name, account("operators", name))
		bound++
	}
	for i := range max(3, count/100) { // people with rights everywhere
		c.bindCluster(fmt.Sprintf("group-%03d", i), c.pick("view", "view", "view", "edit", "cluster-admin", "node-reader"), thing{"kind": "Group", "name": fmt.Sprintf("sso:platform-%03d", i), "apiGroup": "rbac.authorization.k8s.io"})
		bound++
	}
	c.clusterRole("node-reader", list{grant(core, list{"nodes"}, read)})
	for i := bound; i < count; i++ {
		c.bindTeam(i)
	}
}

// addAccounts makes the accounts that owners run as; one in twenty is linked with a role of the cloud.
func (c *Cluster) addAccounts() {
	for _, o := range c.owners {
		if o.account == "default" {
			continue
		}
		a := c.put("v1", "ServiceAccount", o.namespace.name, o.account, nil)
		switch {
		case o.name == "external-dns" || o.name == "cluster-autoscaler" || c.chance(0.05):
			a["metadata"].(thing)["annotations"] = thing{"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/" + o.account}
		case c.chance(0.05):
			a["automountServiceAccountToken"] = false
		}
	}
}

func account(namespace, name string) thing {
	return thing{"kind": "ServiceAccount", "name": name, "namespace": namespace}
}

func (c *Cluster) clusterRole(name string, rules list) {
	c.put(rbacVersion, "ClusterRole", "", name, thing{"rules": rules})
}

func (c *Cluster) bindCluster(name, role string, subjects ...any) {
	c.put(rbacVersion, "ClusterRoleBinding", "", name, thing{"roleRef": roleRef("ClusterRole", role), "subjects": subjects})
}

func roleRef(kind, name string) thing {
	return thing{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
}

// platformAccess gives the platform's controllers what they ask for, and says how many bindings that is.
func (c *Cluster) platformAccess() int {
	everywhere := []struct {
		namespace, name string
		rules           list
	}{
		{"kube-system", "cni", list{grant(core, list{"pods", "nodes", "namespaces"}, read), grant(core, list{"nodes/status", "pods/status"}, list{"patch"})}},
		{"kube-system", "csi-node", list{grant(core, list{"nodes"}, list{"get", "patch"})}},
		{"kube-system", "csi-controller", list{grant(core, list{"persistentvolumes", "persistentvolumeclaims"}, write), grant(core, list{"secrets"}, list{"get", "list"})}},
		{"kube-system", "external-dns", list{grant(core, list{"services", "endpoints", "pods", "nodes"}, read), grant(list{"networking.k8s.io"}, list{"ingresses"}, read)}},
		{"kube-system", "cluster-autoscaler", list{grant(core, list{"nodes"}, list{"get", "list", "watch", "update", "delete"}), grant(core, list{"pods/eviction"}, list{"create"})}},
		{"kube-system", "metrics-server", list{grant(core, list{"nodes/metrics"}, list{"get"}), grant(core, list{"pods", "nodes"}, read)}},
		{"monitoring", "prometheus", list{
			grant(core, list{"nodes", "nodes/metrics", "services", "endpoints", "pods"}, read), thing{"nonResourceURLs": list{"/metrics"}, "verbs": list{"get"}},
		}},
		{"monitoring", "kube-state-metrics", list{grant(core, list{"configmaps", "secrets", "nodes", "pods", "services"}, list{"list", "watch"})}},
		{"monitoring", "security-agent", list{grant(core, list{"nodes", "pods", "nodes/proxy"}, list{"get", "list"})}},
		{"logging", "log-collector", list{grant(core, list{"pods", "namespaces"}, read)}},
		{"ingress-nginx", "ingress-nginx-controller", list{grant(core, list{"configmaps", "endpoints", "pods", "secrets", "services"}, list{"list", "watch"})}},
		{"cert-manager", "cert-manager", list{grant(core, list{"secrets"}, write), grant(list{"cert-manager.io"}, all, all)}},
		{"ci", "runner", list{grant(core, list{"pods", "pods/exec", "secrets", "configmaps"}, write)}},
	}
	for _, e := range everywhere {
		c.clusterRole(e.name, e.rules)
		c.bindCluster(e.name, e.name, account(e.namespace, e.name))
	}
	c.bindCluster("argocd-application-controller", "cluster-admin", account("argocd", "argocd-application-controller"))
	c.bindCluster("ci-docker-builder", "edit", account("ci", "docker-builder"))
	return len(everywhere) + 2
}

// operatorRules are an operator's: its own kinds by a wildcard, what it makes of them, and, with
// some, everything (a fifth of the public cluster roles name every verb).
func (c *Cluster) operatorRules(i int) list {
	own := grant(list{operatorName(i) + ".example.com"}, all, all)
	if c.chance(0.1) {
		return list{grant(all, all, all)}
	}
	makes := grant(core, list{"pods", "services", "configmaps", "persistentvolumeclaims"}, write)
	rules := list{own, makes, grant(list{"apps"}, list{"deployments", "statefulsets"}, write), grant(list{"coordination.k8s.io"}, list{"leases"}, write)}
	if c.chance(0.4) {
		rules = append(rules, grant(core, list{"secrets"}, write))
	}
	if c.chance(0.15) {
		rules = append(rules, grant(list{"rbac.authorization.k8s.io"}, list{"roles", "rolebindings"}, write))
	}
	return rules
}

// bindTeam makes one binding in a team's namespace, and its role where it has one of its own.
func (c *Cluster) bindTeam(i int) {
	ns := c.team()
	name := fmt.Sprintf("binding-%05d", i)
	people := thing{"kind": "Group", "name": "sso:" + team(ns.name), "apiGroup": "rbac.authorization.k8s.io"}
	bind := func(kind, role string, subject thing) {
		c.put(rbacVersion, "RoleBinding", ns.name, name, thing{"roleRef": roleRef(kind, role), "subjects": list{subject}})
	}
	own := func(subject thing, rules ...any) {
		c.put(rbacVersion, "Role", ns.name, name, thing{"rules": rules})
		bind("Role", name, subject)
	}
	who := account(ns.name, "default")
	if len(ns.owners) > 0 {
		who = account(ns.name, ns.owners[c.r.IntN(len(ns.owners))].account)
	}
	switch share := c.r.Float64(); {
	case share < 0.25:
		bind("ClusterRole", c.pick("edit", "edit", "view", "view", "view", "admin"), people)
	case share < 0.40:
		bind("ClusterRole", c.pick("edit", "admin"), account("ci", "runner"))
	case share < 0.65: // reads its settings
		own(who, grant(core, list{"configmaps", "endpoints", "pods"}, read))
	case share < 0.80: // elects a leader
		own(who, grant(list{"coordination.k8s.io"}, list{"leases"}, write), grant(core, list{"events"}, list{"create", "patch"}))
	case share < 0.88: // reads its own secret
		own(who, thing{"apiGroups": core, "resources": list{"secrets"}, "verbs": list{"get"}, "resourceNames": list{name + "-secrets"}})
	case share < 0.92: // reads all secrets
		own(who, grant(core, list{"secrets"}, read))
	case share < 0.95: // starts workers
		own(who, grant(list{"batch"}, list{"jobs"}, list{"create", "get", "delete"}), grant(core, list{"pods", "pods/log"}, read))
	case share < 0.97: // on call
		own(people, grant(core, list{"pods/exec", "pods/portforward"}, list{"create"}), grant(core, list{"pods"}, read))
	case share < 0.98: // asks for tokens
		own(who, grant(core, list{"serviceaccounts/token"}, list{"create"}))
	default:
		bind("ClusterRole", c.pick("view", "edit"), who)
	}
}
