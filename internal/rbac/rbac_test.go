package rbac_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/specimen"
)

// inventory reads manifests; lines that begin with "- " are objects of RBAC in short, as short says.
func inventory(t testing.TB, text string, live bool) *fact.Inventory {
	t.Helper()
	return fact.NewInventory(specimen.Objects(t, specimen.File("a.yaml"), text), "1.36", live)
}

func model(t testing.TB, text string, live bool, gaps ...verdict.Gap) *rbac.Model {
	t.Helper()
	return rbac.New(rbac.Input{Inventory: inventory(t, text, live), Gaps: gaps, Shipped: catalog.Shipped()})
}

func object(kind, namespace, name, rest string) string {
	if namespace != "" {
		namespace = ", namespace: " + namespace
	}
	return fmt.Sprintf("---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: %s, metadata: {name: %q%s}%s}\n", kind, name, namespace, rest)
}

func bind(kind, namespace, name, role, subject string) string {
	roleKind, roleName, _ := strings.Cut(role, " ")
	return object(kind, namespace, name, fmt.Sprintf(", roleRef: {apiGroup: rbac.authorization.k8s.io, kind: %s, name: %q}, subjects: [%s]", roleKind, roleName, subject))
}

const (
	ann    = "{kind: User, name: ann}"
	robot  = "{kind: ServiceAccount, name: robot, namespace: shop}"
	reader = ", rules: [{verbs: [get], apiGroups: [''], resources: [pods]}]"
)

// TestUnknown holds that what was not seen makes an answer unknown where it could change it, and only there.
func TestUnknown(t *testing.T) {
	gap := func(namespace string, kinds ...string) verdict.Gap {
		return verdict.Gap{Code: verdict.GapForbidden, Kinds: kinds, Namespace: namespace, Location: verdict.Location{File: "lost.yaml"}}
	}
	granted := object("Role", "shop", "r", reader) + bind("RoleBinding", "shop", "b", "Role r", ann)
	for name, test := range map[string]struct {
		text   string
		live   bool
		gaps   []verdict.Gap
		want   rbac.Verdict
		reason string
	}{
		"nothing":                          {"", false, nil, rbac.Denied, ""},
		"granted":                          {granted, false, nil, rbac.Allowed, ""},
		"granted, and all else unseen":     {granted, false, []verdict.Gap{{Code: verdict.GapSyntax}}, rbac.Allowed, ""},
		"a text of any kind":               {"", false, []verdict.Gap{{Code: verdict.GapSyntax, Location: verdict.Location{File: "x.yaml", Line: 3}}}, rbac.Unknown, "x.yaml:3 (syntax)"},
		"bindings of the namespace":        {"", true, []verdict.Gap{gap("shop", rbac.RoleBindingKind)}, rbac.Unknown, "every RoleBinding"},
		"bindings of another namespace":    {"", true, []verdict.Gap{gap("park", rbac.RoleBindingKind)}, rbac.Denied, ""},
		"cluster role bindings":            {"", true, []verdict.Gap{gap("", rbac.ClusterRoleBindingKind)}, rbac.Unknown, "every ClusterRoleBinding"},
		"roles that nobody is given":       {"", true, []verdict.Gap{gap("", rbac.RoleKind, rbac.ClusterRoleKind)}, rbac.Denied, ""},
		"a key given twice":                {"", false, []verdict.Gap{{Code: verdict.GapDuplicate}}, rbac.Denied, ""},
		"a role that files lack":           {bind("RoleBinding", "shop", "b", "Role r", ann), false, nil, rbac.Unknown, "Role r, which is not in what was read"},
		"a role that the cluster lacks":    {bind("RoleBinding", "shop", "b", "Role r", ann), true, nil, rbac.Denied, ""},
		"a role that was not listed":       {bind("RoleBinding", "shop", "b", "Role r", ann), true, []verdict.Gap{gap("shop", rbac.RoleKind)}, rbac.Unknown, "which was not read"},
		"roles of another namespace":       {bind("RoleBinding", "shop", "b", "Role r", ann), true, []verdict.Gap{gap("park", rbac.RoleKind)}, rbac.Denied, ""},
		"a role of another namespace":      {object("Role", "park", "r", reader) + bind("RoleBinding", "shop", "b", "Role r", ann), true, nil, rbac.Denied, ""},
		"aggregated, and roles unseen":     {object("ClusterRole", "", "r", ", aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}") + bind("RoleBinding", "shop", "b", "ClusterRole r", ann), false, []verdict.Gap{gap("", rbac.ClusterRoleKind)}, rbac.Unknown, "aggregates cluster roles"},
		"a selector that is refused":       {object("ClusterRole", "", "r", ", aggregationRule: {clusterRoleSelectors: 7}") + bind("RoleBinding", "shop", "b", "ClusterRole r", ann), false, nil, rbac.Unknown, "the API server refuses"},
		"a rule that is refused":           {object("Role", "shop", "r", ", rules: [{verbs: get, apiGroups: [''], resources: [pods]}]") + bind("RoleBinding", "shop", "b", "Role r", ann), false, nil, rbac.Unknown, "verbs of a rule is a string"},
		"rules that are refused":           {object("Role", "shop", "r", ", rules: get") + bind("RoleBinding", "shop", "b", "Role r", ann), false, nil, rbac.Unknown, "its rules are a string"},
		"subjects that are refused":        {object("Role", "shop", "r", reader) + bind("RoleBinding", "shop", "b", "Role r", ann+", {kind: ServiceAccount}"), false, nil, rbac.Unknown, "has no name"},
		"two roles of one name":            {object("Role", "shop", "r", reader) + object("Role", "shop", "r", ", rules: []") + bind("RoleBinding", "shop", "b", "Role r", ann), false, nil, rbac.Unknown, "2 different Role shop/r"},
		"a cluster role as a role":         {bind("ClusterRoleBinding", "", "b", "Role r", ann), false, nil, rbac.Unknown, "only a RoleBinding can"},
		"a refused binding gives no other": {object("Role", "shop", "r", ", rules: [{verbs: [get], apiGroups: [''], resources: [secrets]}]") + bind("RoleBinding", "shop", "b", "Role r", ann+", {kind: Robot, name: x}"), false, nil, rbac.Denied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := model(t, test.text, test.live, test.gaps...)
			id := rbac.User("ann")
			q := rbac.Query{Verb: "get", Resource: "pods", Namespace: "shop"}
			a := m.Can(&id, &q)
			if a.Verdict != test.want || !strings.Contains(strings.Join(a.Reasons, "; "), test.reason) || (test.want == rbac.Unknown) != (len(a.Reasons) > 0) {
				t.Errorf("%s for %q, want %s for %q", a.Verdict, a.Reasons, test.want, test.reason)
			}
			if fast := m.Decide(&id, &q); fast != a.Verdict {
				t.Errorf("decided %s, answered %s", fast, a.Verdict)
			}
			who := m.WhoCan(&q)
			held := slices.ContainsFunc(who.Holders, func(h rbac.Holder) bool { return h.Subject.Name == "ann" })
			doubted := len(who.Reasons) > 0 || slices.ContainsFunc(who.Perhaps, func(h rbac.Holder) bool { return h.Subject.Name == "ann" })
			if held != (test.want == rbac.Allowed) || test.want == rbac.Unknown && !doubted || test.want == rbac.Denied && doubted {
				t.Errorf("who can: among the holders %t, in doubt %t", held, doubted)
			}
		})
	}
}

// TestNodes holds that what RBAC does not give a node is not known: another authorizer may.
func TestNodes(t *testing.T) {
	m := model(t, "", true)
	node := rbac.User("system:node:n1")
	if got := m.Decide(&node, &rbac.Query{Verb: "get", Resource: "secrets", Namespace: "shop", Name: "x"}); got != rbac.Unknown {
		t.Errorf("a node: %s", got)
	}
	namesake := rbac.Identity{User: "system:node:n1", Groups: []string{"system:authenticated"}}
	if got := m.Decide(&namesake, &rbac.Query{Verb: "get", Resource: "secrets", Namespace: "shop"}); got != rbac.Denied {
		t.Errorf("a user of a node's name in no group of nodes: %s", got)
	}
}

// TestAggregation holds what the controller makes of cluster roles (k8s.io/kubernetes pkg/controller/clusterroleaggregation).
func TestAggregation(t *testing.T) {
	role := func(name, label, verb, rest string) string {
		text := object("ClusterRole", "", name, fmt.Sprintf(", rules: [{verbs: [%s], apiGroups: [''], resources: [pods]}]%s", verb, rest))
		return strings.Replace(text, "metadata: {", "metadata: {labels: {"+label+"}, ", 1)
	}
	from := func(selectors string) string { return ", aggregationRule: {clusterRoleSelectors: [" + selectors + "]}" }
	for name, test := range map[string]struct {
		text   string
		live   bool
		want   string
		doubts int
	}{
		"its own are overwritten":   {role("r", "", "own", from("{matchLabels: {a: b}}")) + role("s", "a: b", "one", ""), false, "one", 0},
		"stored in a cluster":       {role("r", "", "own", from("{matchLabels: {a: b}}")) + role("s", "a: b", "one", ""), true, "own", 0},
		"in turn":                   {role("r", "", "own", from("{matchLabels: {a: b}}")) + role("s", "a: b", "lost", from("{matchLabels: {c: d}}")) + role("t", "c: d", "two", ""), false, "two", 0},
		"by name, and each once":    {role("r", "", "own", from("{matchLabels: {a: b}}, {matchLabels: {c: d}}")) + role("z", "a: b", "one", "") + role("c", "'a': b, c: d", "one", "") + role("b", "a: b", "two", "") + role("a", "c: d", "three", ""), false, "two,one,three", 0},
		"itself never":              {role("r", "a: b", "own", from("{matchLabels: {a: b}}")), false, "", 0},
		"nothing by an unmet label": {role("r", "", "own", from("{matchLabels: {a: x}}")) + role("s", "a: b", "one", ""), false, "", 0},
		"in a circle":               {role("r", "a: b", "one", from("{matchLabels: {c: d}}")) + role("s", "c: d", "two", from("{matchLabels: {a: b}}")), false, "one,two", 2},
		"from a circle":             {role("r", "", "own", from("{matchLabels: {c: d}}")) + role("s", "c: d, a: b", "two", from("{matchLabels: {a: b}}")) + role("t", "a: b, c: d", "three", from("{matchLabels: {c: d}}")), false, "two,three", 2},
		"selectors that are none":   {role("r", "", "own", from("7")) + role("s", "a: b", "one", ""), false, "own", 1},
		"no selector":               {role("r", "", "own", from("")), false, "own", 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := rbac.New(rbac.Input{Inventory: inventory(t, test.text, test.live)})
			rules, doubts := m.RulesOf(m.ClusterRole("r"))
			var verbs []string
			for _, r := range rules {
				verbs = append(verbs, r.Texts("verbs")...)
			}
			if got := strings.Join(verbs, ","); got != test.want || len(doubts) != test.doubts {
				t.Errorf("rules %s, doubts %q; want %s and %d", got, doubts, test.want, test.doubts)
			}
		})
	}
}

// TestShippedAggregation asks for what admin, edit and view have in every cluster, and what is added to them.
func TestShippedAggregation(t *testing.T) {
	extra := strings.Replace(object("ClusterRole", "", "extra", ", rules: [{verbs: [get], apiGroups: [example.com], resources: [widgets]}]"),
		"metadata: {", "metadata: {labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}, ", 1)
	m := model(t, extra+bind("RoleBinding", "shop", "v", "ClusterRole view", ann)+bind("RoleBinding", "shop", "a", "ClusterRole admin", robot), false)
	user, account := rbac.User("ann"), rbac.Account("shop", "robot")
	for _, test := range []struct {
		id   *rbac.Identity
		q    rbac.Query
		want rbac.Verdict
	}{
		{&user, rbac.Query{Verb: "list", Resource: "pods"}, rbac.Allowed},
		{&user, rbac.Query{Verb: "get", Group: "example.com", Resource: "widgets"}, rbac.Allowed},
		{&user, rbac.Query{Verb: "get", Resource: "secrets"}, rbac.Denied},
		{&account, rbac.Query{Verb: "get", Group: "example.com", Resource: "widgets"}, rbac.Allowed}, // by way of edit
		{&account, rbac.Query{Verb: "create", Resource: "secrets"}, rbac.Allowed},
		{&account, rbac.Query{Verb: "create", Resource: "resourcequotas"}, rbac.Denied},
	} {
		test.q.Namespace = "shop"
		if got := m.Decide(test.id, &test.q); got != test.want {
			t.Errorf("%s %+v: %s, want %s", test.id, test.q, got, test.want)
		}
	}
}

// TestDangers holds which rights are marked, where they are given.
func TestDangers(t *testing.T) {
	for name, test := range map[string]struct{ rule, namespace, want string }{
		"everything":                   {"verbs: ['*'], apiGroups: ['*'], resources: ['*']", "", "everything"},
		"secrets":                      {"verbs: [watch], apiGroups: [''], resources: [secrets]", "shop", "read-secrets"},
		"one secret":                   {"verbs: [get], apiGroups: [''], resources: [secrets], resourceNames: [a]", "shop", "read-secrets"},
		"secrets of another group":     {"verbs: [get], apiGroups: [apps], resources: [secrets]", "shop", ""},
		"tokens":                       {"verbs: [create], apiGroups: [''], resources: [serviceaccounts/token]", "shop", "token-request"},
		"one account's tokens":         {"verbs: [create], apiGroups: [''], resources: ['*/token'], resourceNames: [a]", "shop", "token-request"},
		"pods of a name":               {"verbs: [create], apiGroups: [''], resources: [pods], resourceNames: [a]", "shop", ""},
		"exec":                         {"verbs: [get], apiGroups: [''], resources: [pods/exec]", "shop", "exec"},
		"deployments":                  {"verbs: [patch], apiGroups: [apps], resources: [deployments]", "shop", "run-pods"},
		"escalate":                     {"verbs: [escalate], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]", "", "escalate"},
		"escalate within a namespace":  {"verbs: [escalate], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]", "shop", ""},
		"bind within a namespace":      {"verbs: [bind], apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles]", "shop", "bind"},
		"impersonate":                  {"verbs: [impersonate], apiGroups: [''], resources: [groups]", "", "impersonate"},
		"impersonate in a namespace":   {"verbs: [impersonate], apiGroups: [''], resources: [groups]", "shop", ""},
		"accounts in a namespace":      {"verbs: [impersonate], apiGroups: [''], resources: [serviceaccounts]", "shop", "impersonate"},
		"nodes/proxy":                  {"verbs: [get], apiGroups: [''], resources: [nodes/proxy]", "", "kubelet"},
		"all subresources proxy":       {"verbs: [get], apiGroups: [''], resources: ['*/proxy']", "", "kubelet,proxy"},
		"pods/proxy":                   {"verbs: [get], apiGroups: [''], resources: [pods/proxy]", "shop", "proxy"},
		"sign":                         {"verbs: [sign], apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client]", "", "sign-certificates"},
		"aws-auth":                     {"verbs: [patch], apiGroups: [''], resources: [configmaps], resourceNames: [aws-auth]", "kube-system", "cloud-users"},
		"another map of kube-system":   {"verbs: [patch], apiGroups: [''], resources: [configmaps], resourceNames: [dns]", "kube-system", ""},
		"config maps of a namespace":   {"verbs: [patch], apiGroups: [''], resources: [configmaps]", "shop", ""},
		"harmless":                     {"verbs: [get, list], apiGroups: [''], resources: [pods, services]", "", ""},
		"a rule that gives nothing":    {"verbs: [], apiGroups: ['*'], resources: ['*']", "", ""},
		"webhooks":                     {"verbs: [update], apiGroups: [admissionregistration.k8s.io], resources: ['*']", "", "admission"},
		"ephemeral containers":         {"verbs: [patch], apiGroups: [''], resources: [pods/ephemeralcontainers]", "shop", "debug"},
		"impersonation of some people": {"verbs: ['impersonate:user-info'], apiGroups: [authentication.k8s.io], resources: [users]", "", "impersonate-some"},
	} {
		t.Run(name, func(t *testing.T) {
			docs, errs := document.Read(document.NewText("{"+test.rule+"}"), 1)
			if len(errs) > 0 {
				t.Fatal(errs[0])
			}
			var ids []string
			for _, d := range rbac.DangersOf(rbac.Rule{Value: docs[0].Root()}, test.namespace) {
				ids = append(ids, d.ID)
			}
			if diff := cmp.Diff(test.want, strings.Join(ids, ",")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// BenchmarkDecide asks about one identity among 100,000 bindings, and about everybody.
func BenchmarkDecide(b *testing.B) {
	m, id := large(b, 100_000)
	q := rbac.Query{Verb: "get", Resource: "secrets", Namespace: "n17"}
	b.Run("can", func(b *testing.B) {
		for b.Loop() {
			m.Decide(&id, &q)
		}
	})
	b.Run("may not", func(b *testing.B) {
		not := rbac.Query{Verb: "delete", Resource: "nodes"}
		for b.Loop() {
			m.Decide(&id, &not)
		}
	})
	b.Run("who can", func(b *testing.B) {
		for b.Loop() {
			m.WhoCan(&q)
		}
	})
}

// large is a model with many bindings in a hundredth as many namespaces, of 500 roles.
func large(t testing.TB, n int) (*rbac.Model, rbac.Identity) {
	t.Helper()
	var text strings.Builder
	for i := range 500 {
		text.WriteString(object("ClusterRole", "", fmt.Sprintf("c%d", i), fmt.Sprintf(", rules: [{verbs: [get, list], apiGroups: [''], resources: [pods, r%d]}, {verbs: [get], apiGroups: [''], resources: [%s]}]", i, []string{"secrets", "services"}[min(i%50, 1)])))
	}
	for i := range n {
		text.WriteString(bind("RoleBinding", fmt.Sprintf("n%d", i%(n/100)), fmt.Sprintf("b%d", i), fmt.Sprintf("ClusterRole c%d", i%500), fmt.Sprintf("{kind: ServiceAccount, name: s%d}, {kind: Group, name: g%d}", i%7, i%1000)))
	}
	m := rbac.New(rbac.Input{Inventory: inventory(t, text.String(), true)})
	id := rbac.Account("n17", "s3")
	m.Decide(&id, &rbac.Query{Verb: "get", Resource: "pods"}) // makes the indexes
	m.WhoCan(&rbac.Query{Verb: "get", Resource: "pods", Namespace: "n17"})
	return m, id
}

// TestStock takes for Kubernetes' own only what gives no more than Kubernetes' own does.
func TestStock(t *testing.T) {
	for name, test := range map[string]struct {
		subjects, role, rules string
		want                  bool
	}{
		"as it ships":         {"[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}]", "system:basic-user", "[{apiGroups: [authorization.k8s.io], resources: [selfsubjectaccessreviews, selfsubjectrulesreviews], verbs: [create]}]", true},
		"one subject more":    {"[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}, {apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:unauthenticated'}]", "system:basic-user", "[]", false},
		"one rule more":       {"[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}]", "system:basic-user", "[{apiGroups: [''], resources: [secrets], verbs: [list]}]", false},
		"another role":        {"[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}]", "view", "[]", false},
		"a role of one's own": {"[{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'}]", "mine", "[]", false},
	} {
		t.Run(name, func(t *testing.T) {
			text := object("ClusterRoleBinding", "", "system:basic-user", ", roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: '"+test.role+"'}, subjects: "+test.subjects) +
				object("ClusterRole", "", test.role, ", rules: "+test.rules)
			for _, live := range []bool{false, true} {
				for _, b := range model(t, text, live).Bindings() {
					if b.Object.Name == "system:basic-user" && b.Stock != test.want {
						t.Errorf("live %v: stock %v, want %v", live, b.Stock, test.want)
					}
				}
			}
		})
	}
}
