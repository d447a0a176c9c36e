package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/verdict"
)

// madePlan enforces a rule that native policies and the webhook judge, and one that the webhook alone can judge.
const madePlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules: [{rules: [host-pid, memory-limit-missing], namespaces: [shop], mode: enforce}]
`

// made are workloads with both faults, whose pods Kubernetes' controllers make.
var made = map[string]string{
	"Deployment":  `{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s, namespace: shop}, spec: {replicas: 2, selector: {matchLabels: {a: %[1]s}}, template: {metadata: {labels: {a: %[1]s}}, spec: %[2]s}}}`,
	"StatefulSet": `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: %s, namespace: shop}, spec: {serviceName: a, podManagementPolicy: Parallel, replicas: 2, selector: {matchLabels: {a: %[1]s}}, template: {metadata: {labels: {a: %[1]s}}, spec: %[2]s}}}`,
	"Job":         `{apiVersion: batch/v1, kind: Job, metadata: {name: %s, namespace: shop}, spec: {parallelism: 2, completions: 2, template: {metadata: {labels: {a: %[1]s}}, spec: %[3]s}}}`,
	"CronJob":     `{apiVersion: batch/v1, kind: CronJob, metadata: {name: %s, namespace: shop}, spec: {schedule: "* * * * *", jobTemplate: {spec: {parallelism: 2, completions: 2, template: {metadata: {labels: {a: %[1]s}}, spec: %[3]s}}}}}`,
}

const (
	sharing = `{hostPID: true, containers: [{name: app, image: "a:1"}]}`
	once    = `{hostPID: true, restartPolicy: Never, containers: [{name: app, image: "a:1"}]}`
)

// TestWhatControllersMakeOfTheExcused excuses workloads of both faults, by their names, and one of them by the fingerprints that a scan tells:
// their pods come, through the policies and the webhook. Nobody else's do, whatever owners they name.
func TestWhatControllersMakeOfTheExcused(t *testing.T) {
	s := startSandbox(t)
	s.kubectl(t, "create", "namespace", "coaming-system")
	s.kubectl(t, "create", "namespace", "shop")
	s.serviceAccount(t, "shop")
	var exceptions strings.Builder
	exceptions.WriteString("exceptions:\n")
	for kind := range made {
		fmt.Fprintf(&exceptions, "- {rules: [host-pid, memory-limit-missing], selector: {kind: %s, name: %s}, namespace: shop, owner: ann, reason: it watches processes, expires: 2027-06-01}\n", kind, strings.ToLower(kind))
	}
	byPrint := strings.ReplaceAll(fmt.Sprintf(made["Deployment"], "printed", sharing, once), "hostPID: true, ", "")
	out := coaming(t, "scan", "--rule", "memory-limit-missing", "--format", "json", writeFile(t, "printed.yaml", byPrint))
	wantCode(t, out, verdict.ExitFindings)
	var res verdict.Result
	if err := json.Unmarshal([]byte(out.stdout), &res); err != nil || len(res.Findings) != 1 {
		t.Fatalf("%v: %s", err, out.stdout)
	}
	fmt.Fprintf(&exceptions, "- {rules: [memory-limit-missing], fingerprints: [%q], owner: ann, reason: it is small, expires: 2027-06-01}\n", res.Findings[0].Fingerprint)

	g := startGate(t, s, madePlan, "--keep", "--exceptions", writeFile(t, "exceptions.yaml", exceptions.String()))
	g.register(t, s, "Fail")
	refused := func(object string) string {
		_, err := s.dry(t, object)
		return fmt.Sprint(err)
	}
	eventually(t, "policy and webhook refuse", func() bool {
		return strings.Contains(refused(deployment("shop", "other", sharing)), "ValidatingAdmissionPolicy") && strings.Contains(refused(deployment("shop", "other", plainPod)), "memory-limit-missing")
	})
	for kind, text := range made {
		s.apply(t, fmt.Sprintf(text, strings.ToLower(kind), sharing, once))
	}
	s.apply(t, byPrint)
	for kind := range made {
		if kind == "CronJob" {
			continue // its job comes with the next minute: see below
		}
		eventually(t, "the pods of the "+kind, func() bool {
			return strings.Count(s.kubectl(t, "-n", "shop", "get", "pods", "-l", "a="+strings.ToLower(kind), "-o", "name"), "pod/") == 2
		})
	}
	eventually(t, "the pods of what its fingerprint excuses", func() bool {
		return strings.Count(s.kubectl(t, "-n", "shop", "get", "pods", "-l", "a=printed", "-o", "name"), "pod/") == 2
	})

	// Whoever says that a controller made it, and is none, is refused, by the policy and by the webhook.
	replicaSet := strings.Fields(s.kubectl(t, "-n", "shop", "get", "replicasets", "-l", "a=deployment", "-o", "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid}"))
	forged := func(spec string) string {
		return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: forged, namespace: shop, labels: {a: deployment}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %s, uid: %s, controller: true}]}, spec: %s}`, replicaSet[0], replicaSet[1], spec)
	}
	if told := refused(forged(sharing)); !strings.Contains(told, "host-pid") {
		t.Errorf("a forged pod: %s", told)
	}
	if told := refused(forged(plainPod)); !strings.Contains(told, "memory-limit-missing") {
		t.Errorf("a forged pod at the webhook: %s", told)
	}
	within(t, 2*patience, "the pods of the CronJob", func() bool {
		return strings.Count(s.kubectl(t, "-n", "shop", "get", "pods", "-l", "a=cronjob", "-o", "name"), "pod/") >= 2
	})
}
