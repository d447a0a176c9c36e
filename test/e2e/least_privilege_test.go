package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/test/apiserver"
)

// TestLeastPrivilege scans with the ClusterRole that the product prints, and looks at what the API server saw of it.
func TestLeastPrivilege(t *testing.T) {
	s := startSandbox(t, "--audit")
	s.applyShop(t)
	s.apply(t, widgets)
	s.kubectl(t, "wait", "--for=condition=Established", "crd/widgets.example.com")
	s.apply(t, widget)

	role := coaming(t, "snapshot", "--print-role")
	wantCode(t, role, 0)
	s.apply(t, role.stdout)
	s.kubectl(t, "create", "clusterrolebinding", "coaming-scan", "--clusterrole=coaming-scan", "--user=scanner")
	scanner := s.User(t, "--user", "scanner")

	admin := scan(t, []int{1}, "--cluster", "--kubeconfig", s.Kubeconfig)
	least := scan(t, []int{1}, "--cluster", "--kubeconfig", scanner)
	wantCode(t, coaming(t, "snapshot", "-o", t.TempDir()+"/cluster.coaming", "--kubeconfig", scanner), 0)

	t.Run("nothing is lost", func(t *testing.T) {
		if len(least.Coverage.Gaps) > 0 {
			t.Errorf("gaps: %+v", least.Coverage.Gaps)
		}
		// No role can name a kind that somebody will define one day: that it was not read is told.
		mine := *admin
		mine.Findings = slices.DeleteFunc(slices.Clone(admin.Findings), func(f verdict.Finding) bool { return f.Subject.Kind == "Widget" })
		if len(mine.Findings) == len(admin.Findings) {
			t.Error("the administrator's scan does not judge the pod in the custom resource")
		}
		if !slices.ContainsFunc(least.Coverage.Exclusions, func(e verdict.Exclusion) bool { return e.What == "Widget.example.com" }) {
			t.Errorf("that Widgets were not read is not told: %+v", least.Coverage.Exclusions)
		}
		if diff := cmp.Diff(fingerprints(&mine), fingerprints(least)); diff != "" {
			t.Errorf("findings (-administrator +scanner):\n%s", diff)
		}
	})
	t.Run("asked alone", func(t *testing.T) { askedAlone(t, scanner, least) })
	t.Run("secrets stay shut", func(t *testing.T) {
		for _, args := range [][]string{
			{"get", "secrets", "-A"},
			{"get", "secret", "orders-db", "-n", "quayside-data"},
			{"get", "--raw", "/api/v1/secrets"},
			{"get", "--raw", "/api/v1/namespaces/quayside-data/secrets?watch=1"},
		} {
			_, message, err := s.Kubectl(t, "", append([]string{"--kubeconfig=" + scanner}, args...)...)
			if err == nil || !strings.Contains(message, "orbidden") {
				t.Errorf("kubectl %s: %v %s", strings.Join(args, " "), err, message)
			}
		}
	})
	t.Run("audit log", func(t *testing.T) {
		listed := onlyLists(t, s.Audited(t, "coaming/"))
		for _, g := range s.granted(t) {
			if !listed[join(g.Name, g.Group)] {
				t.Errorf("the role grants %s, which nobody listed", join(g.Name, g.Group))
			}
		}
	})
}

// granted is the resources that the printed role grants, of those that this server has.
func (s *sandbox) granted(t *testing.T) []metav1.APIResource {
	t.Helper()
	role := coaming(t, "snapshot", "--print-role").stdout
	_, lists, err := s.client(t).ServerGroupsAndResourcesWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var granted []metav1.APIResource
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		_, grant, _ := strings.Cut(role, fmt.Sprintf("apiGroups: [%q]\n    resources: [", gv.Group))
		grant, _, _ = strings.Cut(grant, "]")
		for _, r := range list.APIResources {
			if slices.Contains(strings.Split(grant, ", "), r.Name) {
				r.Group = gv.Group
				granted = append(granted, r)
			}
		}
	}
	return granted
}

// join is "deployments.apps" or "Deployment.apps", and "pods" of the core group.
func join(name, group string) string { return strings.TrimSuffix(name+"."+group, ".") }

// askedAlone asks each rule that found something for itself: it has then to read all that it needs to decide.
func askedAlone(t *testing.T, kubeconfig string, all *verdict.Result) {
	t.Helper()
	for _, rule := range all.Rules {
		among := *all
		among.Findings = slices.DeleteFunc(slices.Clone(all.Findings), func(f verdict.Finding) bool { return f.Rule != rule.ID })
		if len(among.Findings) == 0 {
			continue
		}
		alone := scan(t, []int{0, 1, 3}, "--cluster", "--kubeconfig", kubeconfig, "--rule", rule.ID)
		if diff := cmp.Diff(fingerprints(&among), fingerprints(alone)); diff != "" {
			t.Errorf("%s (-among others +alone):\n%s", rule.ID, diff)
		}
	}
}

// applyShop applies the shop's manifests as a person would.
func (s *sandbox) applyShop(t *testing.T) {
	t.Helper()
	s.kubectl(t, "apply", "-f", shop+"/base/namespaces.yaml")
	s.kubectl(t, "apply", "-k", shop+"/base")
}

// onlyLists holds all that the product asked for, as whomever, to listing and discovery, and returns what was listed.
func onlyLists(t *testing.T, events []apiserver.Event) map[string]bool {
	t.Helper()
	counts, listed := map[string]int{}, map[string]bool{}
	for _, e := range events {
		switch {
		case e.ObjectRef == nil && e.Verb == "get" && discovers(e.RequestURI):
			counts["discovery"]++
		case e.ObjectRef != nil && e.Verb == "list" && e.ObjectRef.Resource != "secrets" && e.ObjectRef.Subresource == "" && e.ObjectRef.Name == "":
			counts["lists"]++
			listed[join(e.ObjectRef.Resource, e.ObjectRef.APIGroup)] = true
		default:
			t.Errorf("neither a list nor discovery: %s", e.Line)
		}
		if e.ResponseStatus.Code == 403 {
			counts["refused"]++
			if !strings.Contains(e.RequestURI, "/widgets") {
				t.Errorf("asked for what the role does not grant: %s", e.Line)
			}
		}
		counts[e.User.Username]++
	}
	t.Logf("requests: %v", counts)
	if counts["lists"] < 60 || counts["discovery"] < 3 || counts["scanner"] < 40 {
		t.Errorf("the audit log has not seen two scans and a snapshot: %v", counts)
	}
	return listed
}

// discovers says whether a path tells what the API server serves, and its version: "/api", "/apis", "/apis/apps/v1".
func discovers(uri string) bool {
	path, _, _ := strings.Cut(uri, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch parts[0] {
	case "version":
		return len(parts) == 1
	case "api":
		return len(parts) <= 2
	case "apis":
		return len(parts) <= 3
	}
	return false
}

// widgets is a kind that nobody has heard of, with a pod in it.
const widgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties: {spec: {type: object, properties: {template: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
`

const widget = `
apiVersion: example.com/v1
kind: Widget
metadata: {name: saw, namespace: quayside-shop}
spec: {template: {spec: {containers: [{name: saw, image: "example.test/saw:1", securityContext: {privileged: true}}]}}}
`
