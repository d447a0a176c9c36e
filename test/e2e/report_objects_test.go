package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// resultSchema is what the published definitions of both API groups say of one result: the fields, which of
// them must be there, and their words.
const resultSchema = `{type: object, required: [policy], properties: {
  source: {type: string}, policy: {type: string}, rule: {type: string}, category: {type: string},
  severity: {type: string, enum: [critical, high, low, medium, info]},
  timestamp: {type: object, required: [nanos, seconds], properties: {nanos: {type: integer, format: int32}, seconds: {type: integer, format: int64}}},
  result: {type: string, enum: [pass, fail, warn, error, skip]}, scored: {type: boolean}, message: {type: string},
  properties: {type: object, additionalProperties: {type: string}},
  resources: {type: array, items: {type: object, x-kubernetes-map-type: atomic, properties: {
    apiVersion: {type: string}, fieldPath: {type: string}, kind: {type: string}, name: {type: string}, namespace: {type: string},
    resourceVersion: {type: string}, uid: {type: string}}}}}}`

// definition is a CRD of a report, with the fields that its group publishes and no others.
func definition(group, version, kind, scope, more string) string {
	plural := strings.ToLower(kind) + "s"
	return fmt.Sprintf(`---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[1]s, annotations: {api-approved.kubernetes.io: unapproved}}
spec:
  group: %[1]s
  scope: %[5]s
  names: {plural: %[2]s, singular: %[3]s, kind: %[4]s}
  versions:
  - name: %[6]s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {%[7]s
      apiVersion: {type: string}, kind: {type: string}, metadata: {type: object},
      summary: {type: object, properties: {pass: {type: integer}, fail: {type: integer}, warn: {type: integer}, error: {type: integer}, skip: {type: integer}}},
      results: {type: array, items: %[8]s}}}}
`, group, plural, strings.ToLower(kind), kind, scope, version, more, resultSchema)
}

// TestReportObjects hands the reports of both groups to a real API server that knows their definitions, strictly:
// a field that they do not have is refused. Every finding is read back.
func TestReportObjects(t *testing.T) {
	s := startSandbox(t)
	s.apply(t, definition("openreports.io", "v1alpha1", "Report", "Namespaced", "source: {type: string},")+
		definition("openreports.io", "v1alpha1", "ClusterReport", "Cluster", "source: {type: string},")+
		definition("wgpolicyk8s.io", "v1alpha2", "PolicyReport", "Namespaced", "")+
		definition("wgpolicyk8s.io", "v1alpha2", "ClusterPolicyReport", "Cluster", ""))
	s.kubectl(t, "wait", "--for=condition=Established", "--timeout=60s", "crd", "reports.openreports.io", "clusterreports.openreports.io",
		"policyreports.wgpolicyk8s.io", "clusterpolicyreports.wgpolicyk8s.io")
	dir := t.TempDir()
	res := scan(t, []int{1}, shop, "--report", "openreports="+filepath.Join(dir, "open.yaml"), "--report", "policyreport="+filepath.Join(dir, "policy.yaml"))
	namespaces := map[string]bool{}
	for _, f := range res.Findings {
		if ns := f.Subject.Namespace; ns != "" && ns != "default" && !namespaces[ns] {
			namespaces[ns] = true
			s.kubectl(t, "create", "namespace", ns)
		}
	}
	for file, resources := range map[string]string{
		"open.yaml": "reports.openreports.io,clusterreports.openreports.io", "policy.yaml": "policyreports.wgpolicyk8s.io,clusterpolicyreports.wgpolicyk8s.io",
	} {
		s.kubectl(t, "apply", "--server-side", "--validate=strict", "-f", filepath.Join(dir, file))
		out := s.kubectl(t, "get", resources, "--all-namespaces", "-o", "json")
		checkStored(t, file, out, res)
		s.kubectl(t, "apply", "--server-side", "--validate=strict", "-f", filepath.Join(dir, file)) // a second time
	}
}

func checkStored(t *testing.T, file, out string, res *verdict.Result) {
	t.Helper()
	var list struct {
		Items []struct {
			Results []struct {
				Result, Rule string
				Properties   map[string]string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatal(err)
	}
	stored := map[string]string{}
	for _, item := range list.Items {
		for _, r := range item.Results {
			stored[r.Properties["fingerprint"]] = r.Result
		}
	}
	for _, f := range res.Findings {
		want := map[verdict.Verdict]string{verdict.Fail: "fail", verdict.Unknown: "error", verdict.Exempt: "skip"}[f.Verdict]
		if stored[f.Fingerprint] != want {
			t.Errorf("%s: %s of %s is stored as %q, want %q", file, f.Rule, f.Subject, stored[f.Fingerprint], want)
		}
	}
}
