package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

const importedPolicies = "../../internal/policy/testdata/import"

// TestPolicyImport installs existing policies, and asks the API server and the rules that are made
// of them about the same objects: those of all examples, and of the fixtures.
func TestPolicyImport(t *testing.T) {
	s := startSandbox(t)
	own := newPolicyJudges(t, s)
	s.apply(t, strings.Join(own.definitions(), "---\n"))
	imported := &policyJudges{applier: own.applier, counts: map[string]int{}, home: "default"}
	dir := t.TempDir()
	files, err := filepath.Glob(importedPolicies + "/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) == "refused.yaml" })
	wantCode(t, coaming(t, append([]string{"policy", "import", "-o", dir}, files...)...), verdict.ExitUnknown)
	imported.rules = rulesIn(t, dir)
	policies := imported.installThese(t, s, files)
	objects := append(own.examples(t), securityFixtures(t)...)
	objects = append(objects, parcels(t)...)
	answers := imported.answers(t, objects)
	for i, o := range objects {
		imported.comparePolicies(t, policies, o, answers[i])
	}
	imported.tell(t)
	for _, p := range policies {
		if imported.counts["violations of "+p] == 0 {
			t.Errorf("no object violates %s, so that little was compared", p)
		}
	}
}

// rulesIn compiles the rule files of a folder.
func rulesIn(t *testing.T, dir string) []*rule.Compiled {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var list []*rule.Compiled
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := rule.Parse(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := rule.Compile(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	return list
}

// installThese applies policies from files, bound to warn, and returns their names.
func (j *policyJudges) installThese(t *testing.T, s *sandbox, files []string) []string {
	t.Helper()
	var policies []string
	name := regexp.MustCompile(`(?s)kind: ValidatingAdmissionPolicy\nmetadata:\s*\{?\s*name: ([a-z0-9.-]+)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parts := string(text)
		for _, match := range name.FindAllStringSubmatch(parts, -1) {
			policies = append(policies, match[1])
			if !strings.Contains(parts, "kind: ValidatingAdmissionPolicyBinding") {
				parts += "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: " + match[1] +
					"}\nspec: {policyName: " + match[1] + ", validationActions: [Warn]}\n"
			}
		}
		s.apply(t, parts)
	}
	eventually(t, "the kinds are served", func() bool {
		j.discover(t)
		return j.served["example.com/v1 Widget"].plural != "" && j.served["gateway.networking.k8s.io/v1 Gateway"].plural != ""
	})
	canary := parseObject(t, `{apiVersion: v1, kind: Pod, metadata: {name: canary, namespace: default}, spec: {hostNetwork: true, containers: [{name: a, image: a}]}}`)
	eventually(t, "the policies hold", func() bool {
		violated := j.dryRun(t, canary).violated
		return violated["registry-allowlist"] != "" && violated["baseline-pods"] != "" && violated["not-in-default"] != ""
	})
	time.Sleep(2 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
	return policies
}

// parcels are objects that violate, or nearly, what no example does.
func parcels(t *testing.T) []sent {
	t.Helper()
	var list []sent
	for _, text := range []string{
		`{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {replicas: 9, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "a:latest"}]}}}}`,
		`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: a, labels: {owner: me}}, spec: {replicas: 5, serviceName: a, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: "a@sha256:` + strings.Repeat("a", 64) + `"}]}}}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, spec: {size: small, weights: {a: 1}}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: b}, spec: {size: large, weights: null}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: c}, spec: {size: middling}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: d}, spec: {size: small, weights: {a: 1, b: -1}}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: a-name-that-is-longer-than-thirty-characters}, data: {a: b}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: tmp-a}, data: {a: b}}`,
		`{apiVersion: v1, kind: ConfigMap, metadata: {name: empty}}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: app}, rules: null}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: "1"}, rules: [{apiGroups: [""], resources: ["*"], verbs: [get]}]}`,
		`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: a}, spec: {maxReplicas: 50, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}`,
		`{apiVersion: autoscaling/v1, kind: HorizontalPodAutoscaler, metadata: {name: b}, spec: {maxReplicas: 50, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: a}}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {type: NodePort, ports: [{port: 80}]}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: b, labels: {tier: edge}}, spec: {type: NodePort, ports: [{port: 80}]}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: c, labels: {app.kubernetes.io/part-of: shop}}, spec: {type: NodePort, ports: [{port: 80}]}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: d, namespace: ingress}, spec: {type: NodePort, ports: [{port: 80}]}}`,
		`{apiVersion: v1, kind: Namespace, metadata: {name: teamless}}`,
		`{apiVersion: v1, kind: Namespace, metadata: {name: exempted, labels: {exempt: ""}}}`,
		`{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {exempt: "yes"}}, spec: {hostNetwork: true, containers: [{name: a, image: registry.k8s.io/pause}]}}`,
		`{apiVersion: v1, kind: Pod, metadata: {name: b, annotations: {forbidden: ""}}, spec: {containers: [{name: a, image: ghcr.io/example/a, resources: {limits: {memory: 16Gi}}}], volumes: [{name: v, configMap: {name: other}}]}}`,
		`{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: a}, spec: {rules: [{host: "a.example.com", http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}]}}]}}`,
	} {
		list = append(list, sent{name: text, object: parseObject(t, text)})
	}
	return list
}

// otherwise is where the two read the same object otherwise, by a part of it, with the reason.
var otherwise = map[string]string{
	`"host":""`:      "the server drops an empty host, and the policy reads one that is not there",
	`"weights":null`: "a rule reads a null as if it were not there, the server's policy trips over that of a custom resource",
}

// comparePolicies demands that a policy is violated just where a rule that was made of it fails, or
// cannot decide. Where a rule alone cannot decide, the server has filled in what it reads.
func (j *policyJudges) comparePolicies(t *testing.T, policies []string, o sent, got answer) {
	t.Helper()
	if got.refused != "" {
		j.counts["objects that the server itself refuses"]++
		return
	}
	j.counts["objects compared"]++
	ours, text := j.ours(o.object), string(o.object.Root.AppendJSON(nil))
	for _, p := range policies {
		id, found := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(p, "-"), ""
		for rule, says := range ours {
			if rest := strings.TrimPrefix(rule, id); rest != rule && strings.Trim(rest, "-0123456789") == "" && (found == "" || strings.HasPrefix(says, "fail")) {
				found = says
			}
		}
		switch theirs := got.violated[p]; {
		case (found == "") == (theirs == ""):
			j.counts["verdicts agreed"]++
			if theirs != "" {
				j.counts["violations of "+p]++
			}
		case theirs == "" && strings.HasPrefix(found, "unknown"):
			j.counts["unknown to a scan, as the server fills in what is read"]++
		case slices.ContainsFunc(slices.Collect(maps.Keys(otherwise)), func(part string) bool { return strings.Contains(text, part) }):
			j.counts["read otherwise by the server, for a known reason"]++
		default:
			t.Errorf("%s: %s: a scan says %q, the API server %q\n%s", o.name, p, found, theirs, text)
		}
	}
}
