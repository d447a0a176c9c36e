package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
)

// rights makes roles, bindings and questions about them. The pools are small, so that they meet.
type rights struct {
	random *rand.Rand
	text   strings.Builder
}

var (
	poolNamespaces = []string{"red", "green", "blue", "red-2", "kube-system"}
	poolUsers      = []string{"ann", "bob", "oidc:carol", "https://issuer.example#dan", "system:serviceaccount:red:robot", "system:kube-scheduler", "eve@example.com", "system:anonymous", "zed", "arn:aws:iam::111122223333:role/dev"}
	poolGroups     = []string{"dev", "ops", "system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:serviceaccounts:red", "system:serviceaccounts:red-2", "system:masters", "6e1f5f9c-7b1e-4d3b-9c3c-0f8f5d2c7a11", "*"}
	poolAccounts   = []string{"robot", "default", "builder"}
	poolVerbs      = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind", "escalate", "*", "use", "Get"}
	poolAPIGroups  = []string{"", "apps", "batch", "rbac.authorization.k8s.io", "example.com", "*"}
	poolResources  = []string{"pods", "secrets", "deployments", "jobs", "nodes", "roles", "clusterroles", "widgets", "*", "serviceaccounts"}
	poolSubs       = []string{"", "", "", "exec", "log", "status", "scale", "token", "proxy", "*"}
	poolNames      = []string{"", "", "a", "b", "web", "*", "A"}
	poolURLs       = []string{"/", "/metrics", "/healthz", "/healthz/etcd", "/api", "/apis/apps", "/version", "/logs/a/b", "/metrics/", "/*", "*"}
	poolRuleURLs   = []string{"/metrics", "/healthz*", "/healthz/*", "/logs/*", "*", "/api*", "/me*", "/**"}
)

func (g *rights) one(pool []string) string { return pool[g.random.IntN(len(pool))] }

func (g *rights) some(pool []string, most int) string {
	list := make([]string, 0, most)
	for range 1 + g.random.IntN(most) {
		if s := g.one(pool); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return flow(list)
}

func flow(list []string) string {
	quoted := make([]string, 0, len(list))
	for _, s := range list {
		quoted = append(quoted, fmt.Sprintf("%q", s))
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (g *rights) chance(percent int) bool { return g.random.IntN(100) < percent }

func (g *rights) rule(wide bool) string {
	if wide && g.chance(20) {
		return fmt.Sprintf("{verbs: %s, nonResourceURLs: %s}", g.some(poolVerbs, 3), g.some(poolRuleURLs, 2))
	}
	resources := make([]string, 0, 3)
	for range 1 + g.random.IntN(3) {
		resource, sub := g.one(poolResources), g.one(poolSubs)
		if sub != "" {
			resource += "/" + sub
		}
		resources = append(resources, resource)
	}
	names := ""
	if g.chance(30) {
		names = ", resourceNames: " + g.some(poolNames[2:], 2)
	}
	return fmt.Sprintf("{verbs: %s, apiGroups: %s, resources: %s%s}", g.some(poolVerbs[:12], 3), g.some(poolAPIGroups, 2), flow(resources), names)
}

func (g *rights) rules(wide bool) string {
	list := make([]string, 0, 4)
	for range 1 + g.random.IntN(3) {
		list = append(list, g.rule(wide))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

func (g *rights) object(kind, namespace, name, rest string) {
	place := ""
	if namespace != "" {
		place = ", namespace: " + namespace
	}
	fmt.Fprintf(&g.text, "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: %s, metadata: {name: %q%s%s\n", kind, name, place, rest)
}

func (g *rights) subjects(namespace string) string {
	list := make([]string, 0, 3)
	for range 1 + g.random.IntN(3) {
		switch g.random.IntN(3) {
		case 0:
			list = append(list, fmt.Sprintf("{apiGroup: rbac.authorization.k8s.io, kind: User, name: %q}", g.one(poolUsers)))
		case 1:
			list = append(list, fmt.Sprintf("{apiGroup: rbac.authorization.k8s.io, kind: Group, name: %q}", g.one(poolGroups)))
		case 2:
			// In a RoleBinding the namespace may be left open.
			in := ", namespace: " + g.one(poolNamespaces)
			if namespace != "" && g.chance(40) {
				in = ""
			}
			list = append(list, fmt.Sprintf("{kind: ServiceAccount, name: %q%s}", g.one(poolAccounts), in))
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// generate makes 60 roles, 90 cluster roles of which 30 aggregate, and 240 bindings, some to roles that are not there.
func (g *rights) generate() []*fact.Object {
	labels := []string{"team: a", "team: b", "tier: x", "rbac.authorization.k8s.io/aggregate-to-view: 'true'", "rbac.authorization.k8s.io/aggregate-to-edit: 'true'", "other: c"}
	for i := range 60 {
		g.object("Role", poolNamespaces[i/12], fmt.Sprintf("r%d", i%12), "}, rules: "+g.rules(false)+"}")
		g.object("ClusterRole", "", fmt.Sprintf("c%d", i), fmt.Sprintf(", labels: {%s}}, rules: %s}", g.one(labels), g.rules(true)))
	}
	selectors := []string{
		"{matchLabels: {team: a}}", "{matchLabels: {team: b}}", "{matchExpressions: [{key: tier, operator: Exists}]}", "{matchLabels: {level: '1'}}",
		"{matchExpressions: [{key: team, operator: In, values: [a, b]}, {key: tier, operator: DoesNotExist}]}", "{matchLabels: {none: such}}", "{matchLabels: {level: '2'}}",
	}
	for i := range 30 {
		// Some aggregate others that aggregate, in circles too, and some hold rules that the controller takes away.
		own := ""
		label := fmt.Sprintf("level: '%d'", i%3)
		if i%4 == 0 && i%3 == 0 {
			own = ", rules: " + g.rules(true) // nothing selects level 0
		}
		selected := []string{g.one(selectors)}
		if g.chance(50) {
			selected = append(selected, g.one(selectors))
		}
		g.object("ClusterRole", "", fmt.Sprintf("g%d", i), fmt.Sprintf(", labels: {%s}}, aggregationRule: {clusterRoleSelectors: [%s]}%s}", label, strings.Join(selected, ", "), own))
	}
	shipped := []string{"admin", "edit", "view", "cluster-admin", "system:node", "system:basic-user", "system:discovery"}
	for i := range 240 {
		kind, namespace := "RoleBinding", g.one(poolNamespaces)
		ref := fmt.Sprintf("{apiGroup: rbac.authorization.k8s.io, kind: Role, name: r%d}", g.random.IntN(12))
		if i%3 == 0 {
			kind, namespace = "ClusterRoleBinding", ""
		}
		if namespace == "" || g.chance(50) {
			name := fmt.Sprintf("%s%d", g.one([]string{"c", "g", "g"}), g.random.IntN(30))
			if g.chance(15) {
				name = g.one(shipped)
				if namespace == "" && name == "cluster-admin" {
					name = "view" // else everybody is one
				}
			}
			ref = fmt.Sprintf("{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %q}", name)
		}
		g.object(kind, namespace, fmt.Sprintf("b%d", i), fmt.Sprintf("}, roleRef: %s, subjects: %s}", ref, g.subjects(namespace)))
	}
	for i, kind := range []string{"Role", "ClusterRole"} { // roles that are not there: in files, they may be elsewhere
		g.object("RoleBinding", poolNamespaces[i], "gone-"+strings.ToLower(kind), fmt.Sprintf("}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: gone}, "+
			"subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: zed}]}", kind))
	}
	docs, errs := document.Read(document.NewText(g.text.String()), 1)
	if len(errs) > 0 {
		panic(errs[0])
	}
	var list []*fact.Object
	seen := map[string]bool{}
	for _, doc := range docs {
		o := fact.NewObject(doc.Root(), &fact.Origin{Source: "files", File: "generated.yaml"})
		if key := o.Kind + "/" + o.Namespace + "/" + o.Name; !seen[key] {
			seen[key] = true
			list = append(list, o)
		}
	}
	return list
}

// questions are half made of the pools, and half of a rule that is given to somebody, changed a little or not at all.
func (g *rights) questions(files *rbac.Model, objects []*fact.Object) []question {
	var bindings []*rbac.Binding
	for _, o := range objects {
		if b := files.BindingOf(o); b != nil && b.Role != nil && len(b.Subjects) > 0 {
			bindings = append(bindings, b)
		}
	}
	list := make([]question, 0, accessQueries)
	for len(list) < accessQueries {
		q := question{id: g.identity(), query: g.query()}
		if g.chance(60) {
			b := bindings[g.random.IntN(len(bindings))]
			q.id = b.Subjects[g.random.IntN(len(b.Subjects))].Identity()
			if rules, _ := files.RulesOf(b.Role); len(rules) > 0 {
				g.follow(&q.query, rules[g.random.IntN(len(rules))], b.Namespace)
			}
		}
		if q.id.IsNode() || q.id.User == "" && len(q.id.Groups) == 0 {
			continue // what the Node authorizer says is not known, and told so
		}
		list = append(list, q)
	}
	return list
}

func (g *rights) identity() rbac.Identity {
	switch g.random.IntN(4) {
	case 0:
		return rbac.Account(g.one(poolNamespaces), g.one(poolAccounts))
	case 1:
		return rbac.Group(g.one(poolGroups))
	case 2:
		return rbac.User(g.one(poolUsers), g.one(poolGroups[:2]))
	}
	return rbac.User(g.one(poolUsers))
}

func (g *rights) query() rbac.Query {
	if g.chance(20) {
		return rbac.Query{Verb: g.one(poolVerbs), URL: g.one(poolURLs)}
	}
	return rbac.Query{
		Verb: g.one(poolVerbs), Group: g.one(poolAPIGroups), Resource: g.one(poolResources), Subresource: g.one(poolSubs), Name: g.one(poolNames),
		Namespace: g.one(append([]string{""}, poolNamespaces...)),
	}
}

// follow makes the query one that the rule may allow.
func (g *rights) follow(q *rbac.Query, r rbac.Rule, namespace string) {
	keep := func(field string, set func(string)) {
		if texts := r.Texts(field); len(texts) > 0 && g.chance(90) {
			set(texts[g.random.IntN(len(texts))])
		}
	}
	if urls := r.Texts("nonResourceURLs"); len(urls) > 0 {
		*q = rbac.Query{URL: strings.TrimRight(g.one(urls), "*") + g.one([]string{"", "", "x", "/x"}), Verb: "get"}
		if q.URL == "" {
			q.URL = "/"
		}
		keep("verbs", func(s string) { q.Verb = s })
		return
	}
	*q = rbac.Query{Verb: g.one(poolVerbs), Group: g.one(poolAPIGroups), Resource: g.one(poolResources), Namespace: q.Namespace}
	if g.chance(85) {
		q.Namespace = namespace
	}
	keep("verbs", func(s string) { q.Verb = s })
	keep("apiGroups", func(s string) { q.Group = s })
	keep("resources", func(s string) { q.Resource, q.Subresource, _ = strings.Cut(s, "/") })
	keep("resourceNames", func(s string) { q.Name = s })
	if q.Resource == "*" && g.chance(50) {
		q.Resource = g.one(poolResources)
	}
}
