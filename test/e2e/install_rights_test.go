package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	rightsPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: rights}
spec:
  mode: off
  rules:
  - {rules: [privileged-container, host-pid], namespaces: [shop], mode: enforce}
  - {rules: [host-network], namespaces: [shop], mode: warn}
  mutations:
    sidecars: [{template: audit-forwarder, namespaces: [shop], workloadSelector: {matchLabels: {audit: "on"}}, values: {image: "example.test/fluent-bit:3"}}]
  quotas: [{namespaces: [shop], hard: {pods: 20}, limitRange: {default: {cpu: 500m}}}]
`
	rightsImages     = "  images: [{namespaces: [shop], mode: enforce, failOn: critical, unseen: deny, pin: true}]\n"
	rightsExceptions = `exceptions:
- {rules: [host-pid], selector: {kind: Pod, name: agent}, namespace: shop, owner: ann, reason: it looks at processes, expires: %s}
`
)

// TestRightsInTheCluster installs the gate in every way that changes its rights, and asks the real API server for all that each of our
// service accounts may do: exactly what docs/install.md lists, and what everybody may.
func TestRightsInTheCluster(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "shop")
	plan, pinning := writeFile(t, "plan.yaml", rightsPlan), writeFile(t, "plan.yaml", rightsPlan+rightsImages)
	exceptions := writeFile(t, "exceptions.yaml", fmt.Sprintf(rightsExceptions, soon()))
	listed := listedRights(t)
	for _, c := range []struct {
		name string
		only []string // the marks of the list's last column that hold
		args []string
	}{
		{"plain", nil, []string{"--plan", plan}},
		{"with exceptions", []string{"with exceptions"}, []string{"--plan", plan, "--exceptions", exceptions}},
		{"with repair", []string{"with --repair"}, []string{"--plan", plan, "--repair"}},
		{"with all", []string{"with exceptions", "with images", "with --repair", "with --repair and pinned images"}, []string{"--plan", pinning, "--exceptions", exceptions, "--repair"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantCode(t, coaming(t, append([]string{
				"install", "--kubeconfig", s.Kubeconfig, "--reset-values", "--wait=false", "--image", "example.test/coaming@sha256:" + strings.Repeat("a", 64),
			}, c.args...)...), 0)
			if accounts := s.kubectl(t, "get", "serviceaccounts", "-A", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "jsonpath={.items[*].metadata.name}"); accounts != "coaming-gate" {
				t.Errorf("our accounts are %s", accounts)
			}
			wanted := s.namedRights(t, listed, c.only)
			counts := 0
			for _, namespace := range []string{"coaming-system", "kube-system", "shop", "default"} {
				everybody := s.mayDo(t, "system:serviceaccount:default:nobody", namespace)
				if stray := less(s.mayDo(t, "system:serviceaccount:coaming-system:default", namespace), everybody); len(stray) > 0 {
					t.Errorf("in %s our namespace's default account may: %q", namespace, stray)
				}
				has, want := s.mayDo(t, gateUser, namespace), wanted("everywhere", namespace)
				if more := slices.DeleteFunc(less(has, want), func(one string) bool { return everybody[one] }); len(more) > 0 {
					t.Errorf("in %s the gate may what is not listed: %q", namespace, more)
				}
				if missing := less(want, has); len(missing) > 0 {
					t.Errorf("in %s the gate may not what is listed: %q", namespace, missing)
				}
				counts += len(want)
			}
			t.Logf("%d rights are as listed", counts)
			if counts < 200 {
				t.Error("that is too little to prove anything")
			}
		})
	}
	wantCode(t, coaming(t, "uninstall", "--kubeconfig", s.Kubeconfig), 0)
	if roles := s.kubectl(t, "get", "roles,rolebindings,clusterroles,clusterrolebindings", "-A", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "name"); roles != "" {
		t.Errorf("uninstall left %s", roles)
	}
	if left := less(s.mayDo(t, gateUser, "default"), s.mayDo(t, "system:serviceaccount:default:nobody", "default")); len(left) > 0 {
		t.Errorf("after uninstall the account may: %q", left)
	}
}

// listedRight is a line of the list in docs/install.md.
type listedRight struct {
	where, names, only       string
	groups, resources, verbs []string
}

func listedRights(t *testing.T) (list []listedRight) {
	t.Helper()
	text, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- rights -->\n")
	body, _, found := strings.Cut(rest, "<!-- /rights -->")
	lines := strings.Split(strings.TrimSpace(body), "\n")
	if !found || len(lines) < 10 {
		t.Fatal("docs/install.md has no list of rights")
	}
	for _, line := range lines[2:] {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 6 {
			t.Fatalf("a line of the list is %q", line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		words := func(cell string) []string { return strings.Split(cell, ", ") }
		cells[1] = strings.Replace(cells[1], "core", "", 1) // the API's own name of the group
		list = append(list, listedRight{cells[0], cells[3], cells[5], words(cells[1]), words(cells[2]), words(cells[4])})
	}
	return list
}

// namedRights are the rights that the list comes to in this cluster: "by name" are the names that our objects have there.
func (s *sandbox) namedRights(t *testing.T, list []listedRight, only []string) func(where ...string) map[string]bool {
	t.Helper()
	kept := map[string][]string{}
	for _, resource := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings"} {
		kept[resource] = strings.Fields(s.kubectl(t, "get", resource, "-l", "app.kubernetes.io/managed-by=coaming", "-o", "jsonpath={.items[*].metadata.name}"))
		t.Logf("%d %s are ours", len(kept[resource]), resource)
	}
	for resource, names := range kept {
		if len(names) == 0 {
			t.Errorf("no %s are ours: nothing is by name", resource)
		}
	}
	for _, resource := range []string{"resourcequotas", "limitranges"} {
		kept[resource] = strings.Fields(s.kubectl(t, "get", resource, "-n", "shop", "-l", "app.kubernetes.io/managed-by=coaming", "-o", "jsonpath={.items[*].metadata.name}"))
	}
	return func(where ...string) map[string]bool {
		rights := map[string]bool{}
		for _, r := range list {
			if !slices.Contains(where, r.where) || r.only != "" && !slices.Contains(only, r.only) {
				continue
			}
			for _, resource := range r.resources {
				names := []string{r.names}
				if r.names == "by name" {
					names = kept[resource]
				}
				for _, group := range r.groups {
					for _, verb := range r.verbs {
						for _, name := range names {
							rights[right(group, resource, name, verb)] = true
						}
					}
				}
			}
		}
		return rights
	}
}

func right(group, resource, name, verb string) string {
	if name != "" {
		resource += "/" + name
	}
	return strings.TrimSpace(verb + " " + resource + " " + group)
}

// mayDo is all that the API server says a user may do in a namespace, and everywhere.
func (s *sandbox) mayDo(t *testing.T, user, namespace string) map[string]bool {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: user}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	review, err := client.AuthorizationV1().SelfSubjectRulesReviews().Create(t.Context(),
		&authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e := review.Status.EvaluationError; e != "" && !strings.Contains(e, "does not support user rule resolution") { // of nodes, which these are none of
		t.Errorf("what %s may do is not known: %s", user, e)
	}
	rights := map[string]bool{}
	for _, r := range review.Status.ResourceRules {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, verb := range r.Verbs {
					for _, name := range append(slices.Clone(r.ResourceNames), make([]string, max(0, 1-len(r.ResourceNames)))...) {
						rights[right(group, resource, name, verb)] = true
					}
				}
			}
		}
	}
	for _, r := range review.Status.NonResourceRules {
		for _, url := range r.NonResourceURLs {
			for _, verb := range r.Verbs {
				rights[verb+" "+url] = true
			}
		}
	}
	return rights
}

// less is what of a set is not in another, sorted.
func less(set, other map[string]bool) (list []string) {
	for key := range set {
		if !other[key] {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// soon is a day that exceptions may end on.
func soon() string { return time.Now().AddDate(0, 0, 30).Format(time.DateOnly) }
