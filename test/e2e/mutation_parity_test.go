package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/verdict"
)

// changingPlan makes fixes of rules, some of which ask first, and gives resources, by names, globs and labels.
const changingPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: changing}
spec:
  onError: fail
  mutations:
    defaults:
    - {rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped], namespaces: ["nat*"]}
    - {rules: [seccomp-*], namespaceSelector: {matchLabels: {watched: "yes"}}}
    resources:
    - {requests: {cpu: 50m, memory: 64Mi, "example.test/a.b": "1"}, limits: {memory: 256Mi, "example.test/a.b": "1"}}
    - {namespaceSelector: {matchLabels: {watched: "yes"}}, requests: {cpu: 75m}}
    - {namespaces: [elsewhere], limits: {cpu: "1"}}
`

// TestMutationParity holds what the API server's own policies make of pods, and of what carries pod templates, to what the patches of
// the webhook make of them: fixes of rules, requests and limits.
func TestMutationParity(t *testing.T) {
	s := startSandbox(t)
	j := &policyJudges{applier: newApplier(t, s), counts: map[string]int{}, home: "plain"}
	s.apply(t, `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Namespace, metadata: {name: native, labels: {watched: "yes"}}},
{apiVersion: v1, kind: Namespace, metadata: {name: plain, labels: {watched: "yes"}}}]}`)
	out := coaming(t, "inject", "--plan", writeFile(t, "plan.yaml", changingPlan), "--policies", "--kubernetes-version", "1.36")
	wantCode(t, out, verdict.ExitClean)
	if strings.Contains(out.stderr, "not a policy") {
		t.Errorf("what no policy can make: %s", out.stderr)
	}
	s.apply(t, strings.ReplaceAll(out.stdout, "- coaming-system", "- coaming-system\n        - plain"))
	in := changingInjector(t)
	eventually(t, "the policies hold", func() bool {
		made := j.madeIn(t, "native", parityPod(t, "", "", `containers: [{name: web, image: a}]`))
		return strings.Contains(made, "75m") && strings.Contains(made, "RuntimeDefault") && strings.Contains(made, `"drop"`) && strings.Contains(made, `"allowPrivilegeEscalation":false`)
	})
	time.Sleep(2 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
	counts := map[string]int{}
	for _, o := range changingObjects(t) {
		j.holdChange(t, in, o, counts)
	}
	t.Logf("%v", counts)
	if counts["changed"] < 60 || counts["as they were"] < 5 {
		t.Errorf("too little was compared: %v", counts)
	}
}

func changingInjector(t *testing.T) *inject.Injector {
	t.Helper()
	plan, err := enforcement.Read("plan.yaml", changingPlan)
	if err != nil {
		t.Fatal(err)
	}
	brief, err := catalog.Brief()
	if err != nil {
		t.Fatal(err)
	}
	rules, err := catalog.Compile(brief)
	if err != nil {
		t.Fatal(err)
	}
	in, err := inject.New(inject.Options{Plan: plan, Rules: rules, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// holdChange compares both ways of one object, twice.
func (j *policyJudges) holdChange(t *testing.T, in *inject.Injector, o *fact.Object, counts map[string]int) {
	t.Helper()
	at := enforcement.Place{Namespace: "native", Labels: map[string]string{"watched": "yes"}, LabelsKnown: true}
	for range 2 {
		change, err := in.Change(t.Context(), o, at, "1.36")
		if err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
		patched := o
		if change != nil {
			patched = fact.NewObject(change.After, &fact.Origin{})
		}
		want, got := j.madeIn(t, "plain", patched), j.madeIn(t, "native", o)
		if want != got {
			t.Errorf("the policies give (+) and the patch gives (-)\n%s\nof\n%s", cmp.Diff(unfolded(want), unfolded(got)), o.Root.AppendJSON(nil))
			return
		}
		switch {
		case want == "":
			counts["not valid"]++
			return
		case change != nil:
			counts["changed"]++
		default:
			counts["as they were"]++
		}
		o = parseObject(t, want)
	}
}

// changingObjects are pods, deployments, cron jobs and pod templates with and without what the plan gives, made up at random.
func changingObjects(t *testing.T) []*fact.Object {
	t.Helper()
	const web = `containers: [{name: web, image: a}]`
	of := func(kind, annotations, template, spec string) string {
		pod := fmt.Sprintf(`metadata: {labels: {app: a}, annotations: {%s}}, spec: {automountServiceAccountToken: false, %s}`, template, spec)
		head := fmt.Sprintf(`kind: %s, metadata: {name: o, annotations: {%s}}`, kind, annotations)
		switch kind {
		case "Deployment":
			return fmt.Sprintf(`{apiVersion: apps/v1, %s, spec: {selector: {matchLabels: {app: a}}, template: {%s}}}`, head, pod)
		case "CronJob":
			return fmt.Sprintf(`{apiVersion: batch/v1, %s, spec: {schedule: "* * * * *", jobTemplate: {spec: {template: {%s}}}}}`, head, strings.Replace(pod, "spec: {", "spec: {restartPolicy: Never, ", 1))
		case "PodTemplate":
			return fmt.Sprintf(`{apiVersion: v1, %s, template: {%s}}`, head, pod)
		}
		return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: o, annotations: {%s}}, spec: {automountServiceAccountToken: false, %s}}`, annotations, spec)
	}
	var list []*fact.Object
	add := func(text string) { list = append(list, parseObject(t, text)) }
	for _, kind := range []string{"Pod", "Deployment", "CronJob", "PodTemplate"} {
		add(of(kind, ``, ``, web))
		add(of(kind, `coaming.dev/mutate: "off"`, ``, web))
		add(of(kind, `coaming.dev/mutate: "resources, seccomp-missing"`, ``, web))
		add(of(kind, ``, `coaming.dev/mutate: "resources"`, web))
		add(of(kind, `coaming.dev/mutations: "rule x: y"`, ``, web))
		add(of(kind, ``, ``, `resources: {limits: {memory: 1Gi}}, `+web))
	}
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same objects each time
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	container := func(name string) string {
		return fmt.Sprintf(`{name: %s, image: a%s%s}`, name,
			pick(``, `, resources: {}`, `, resources: {limits: {memory: 32Mi}}`, `, resources: {requests: {cpu: 20m}}`, `, resources: {requests: {memory: 1Gi}, limits: {memory: 2Gi}}`,
				`, resources: {requests: {memory: 1Gi}}`, `, resources: {limits: {cpu: 10m}}`, `, resources: {limits: {"example.test/a.b": 3}}`),
			pick(``, `, securityContext: {}`, `, securityContext: {privileged: true}`, `, securityContext: {allowPrivilegeEscalation: true, capabilities: {add: [NET_ADMIN]}}`,
				`, securityContext: {capabilities: {drop: [ALL]}}`, `, securityContext: {allowPrivilegeEscalation: false, seccompProfile: {type: RuntimeDefault}, capabilities: {drop: [NET_RAW]}}`))
	}
	for range 60 {
		spec := pick(``, `securityContext: {seccompProfile: {type: RuntimeDefault}}, `, `securityContext: {runAsUser: 5}, `) +
			pick(``, `initContainers: [`+container("init")+`], `) + `containers: [` + container("web") + pick(``, `, `+container("beside")) + `]`
		add(of(pick("Pod", "Deployment", "CronJob", "PodTemplate"), ``, ``, spec))
	}
	return list
}
