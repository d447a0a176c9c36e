package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/verdict"
)

// parityPlan puts sidecars into the pods of the namespace native; the third template is one of the test's own, with everything
// that a template may have.
const parityPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
metadata: {name: parity}
spec:
  onError: fail
  mutations:
    sidecars:
    - {template: audit-forwarder, namespaces: [nat*], workloadSelector: {matchExpressions: [{key: audit, operator: NotIn, values: ["off"]}]}, values: {image: "sandbox.test/forwarder:1", path: /var/log/shop}}
    - {template: falco-agent, namespaceSelector: {matchLabels: {watched: "yes"}}, workloadSelector: {matchLabels: {watch: "yes"}}, values: {image: "sandbox.test/falco:1"}}
    - {template: everything, namespaceSelector: {matchExpressions: [{key: watched, operator: Exists}]}, workloadSelector: {matchExpressions: [{key: all, operator: Exists}, {key: none, operator: DoesNotExist}, {key: all, operator: In, values: [a, b]}]}, values: {image: "sandbox.test/one:1", port: 7070}}
    - {template: everything, namespaces: [native], workloadSelector: {matchLabels: {all: b}}, values: {image: "sandbox.test/two:1", port: 7171}}
`

const everythingTemplate = `
apiVersion: coaming.dev/v1alpha1
kind: SidecarTemplate
metadata: {name: everything}
spec:
  version: 2.1.0-rc.1
  about: It has all that a template may have, "quotes" and ~slashes/ too.
  values:
    image: {about: an image, required: true}
    port: {about: a port, default: 7000}
    verbose: {about: a switch, default: "true"}
  sidecars:
  - {name: zeta, image: "$[image]", stdin: "$[verbose]", ports: [{containerPort: "$[port]", name: "p$[port]"}], env: [{name: A, value: "$[port]"}, {name: "B_$[port]", value: ""}]}
  - {name: alpha, image: "$[image]", lifecycle: {preStop: {exec: {command: [/bin/true]}}}, volumeMounts: [{name: everything-one, mountPath: /one, readOnly: true}]}
  containers:
  - {name: beside, image: "$[image]", livenessProbe: {tcpSocket: {port: "$[port]"}, periodSeconds: 7}, resources: {limits: {cpu: 1000m, memory: "67108864"}}}
  volumes:
  - {name: everything-one, emptyDir: {}}
  - {name: everything-two, projected: {sources: [{downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}]}}
  annotations: {"example.com/a_b": "x / y", "example.com/port": "$[port]"}
  programs:
    env: [{name: EVERYTHING, value: "$[port]"}, {name: EVERYTHING_NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
    volumeMounts: [{name: everything-one, mountPath: /everything/one}, {name: everything-one, mountPath: /everything/two, subPath: two}, {name: everything-two, mountPath: /everything/labels, readOnly: true}]
`

// TestInjectionParity holds what the API server's own policies make of pods to what the patches make of them.
func TestInjectionParity(t *testing.T) {
	s := startSandbox(t)
	j := &policyJudges{applier: newApplier(t, s), counts: map[string]int{}, home: "plain"}
	s.apply(t, `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Namespace, metadata: {name: native, labels: {watched: "yes"}}},
{apiVersion: v1, kind: Namespace, metadata: {name: plain, labels: {watched: "yes"}}}]}`)
	plan, template := writeFile(t, "plan.yaml", parityPlan), writeFile(t, "everything.yaml", everythingTemplate)
	out := coaming(t, "inject", "--plan", plan, "--template", template, "--policies", "--kubernetes-version", "1.36")
	wantCode(t, out, verdict.ExitClean)
	// What the patch made is sent to a namespace where no policy is in its way.
	s.apply(t, strings.ReplaceAll(out.stdout, "- coaming-system", "- coaming-system\n        - plain"))
	in := parityInjector(t)
	base := parityPod(t, "", "", `containers: [{name: web, image: a}]`)
	eventually(t, "the policies hold", func() bool {
		made := j.madeIn(t, "native", base)
		return made != "" && strings.Contains(made, "audit-forwarder@")
	})
	time.Sleep(2 * time.Second) //nolint:forbidigo // policies are taken up once a second, and nothing tells of the last
	counts := map[string]int{}
	for _, o := range parityPods(t) {
		j.hold(t, in, o, counts)
	}
	t.Logf("%v", counts)
	if counts["injected"] < 60 || counts["again"] < 60 || counts["refused"] < 10 {
		t.Errorf("too little was compared: %v", counts)
	}
}

func parityInjector(t *testing.T) *inject.Injector {
	t.Helper()
	plan, err := enforcement.Read("plan.yaml", parityPlan)
	if err != nil {
		t.Fatal(err)
	}
	template, err := inject.ReadTemplate("everything.yaml", everythingTemplate)
	if err != nil {
		t.Fatal(err)
	}
	in, err := inject.New(inject.Options{Plan: plan, Templates: []*inject.Template{template}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// hold compares both ways of one pod, and then of what came of it.
func (j *policyJudges) hold(t *testing.T, in *inject.Injector, o *fact.Object, counts map[string]int) {
	t.Helper()
	at := enforcement.Place{Namespace: "native", Labels: map[string]string{"watched": "yes"}, LabelsKnown: true}
	for _, step := range []string{"injected", "again"} {
		change, err := in.Change(t.Context(), o, at, "1.36")
		if err != nil {
			counts["refused"]++
		}
		patched := o
		if change != nil {
			patched = fact.NewObject(change.After, &fact.Origin{})
		}
		want, got := j.madeIn(t, "plain", patched), j.madeIn(t, "native", o)
		if want != got {
			t.Errorf("%s: the policies give (+) and the patch gives (-)\n%s\nof\n%s", step, cmp.Diff(unfolded(want), unfolded(got)), o.Root.AppendJSON(nil))
			return
		}
		if want == "" {
			counts["not valid"]++
			return
		}
		if step == "again" && change != nil {
			t.Errorf("%s: a second patch of what the server made of the first: %v", o.Name, change.Operations)
		}
		if change != nil || step == "again" && strings.Contains(want, inject.InjectedKey) {
			counts[step]++
		}
		o = parseObject(t, want)
	}
}

// madeIn is what the API server makes of a pod, or of what carries one, in a namespace, without what it makes anew for each; "" where it refuses.
func (j *policyJudges) madeIn(t *testing.T, namespace string, o *fact.Object) string {
	t.Helper()
	body := o.Root.AppendJSON(nil)
	at := map[string]string{"Pod": "/api/v1", "PodTemplate": "/api/v1", "Deployment": "/apis/apps/v1", "CronJob": "/apis/batch/v1"}[o.Kind]
	result := j.client.RESTClient().Post().AbsPath(at, "namespaces", namespace, strings.ToLower(o.Kind)+"s").Param("dryRun", "All").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).Do(t.Context())
	raw, err := result.Raw()
	if err != nil {
		t.Logf("%s %s in %s: %.400s", o.Kind, o.Name, namespace, result.Error())
		return ""
	}
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	metadata := object["metadata"].(map[string]any)
	for _, key := range []string{"uid", "creationTimestamp", "managedFields", "generation", "namespace"} {
		delete(metadata, key)
	}
	delete(object, "status")
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unfolded is JSON as what a difference can be told of.
func unfolded(text string) any {
	var v any
	_ = json.Unmarshal([]byte(text), &v) // of "" there is nothing
	return v
}

func parityPod(t *testing.T, labels, annotations, spec string) *fact.Object {
	t.Helper()
	return parseObject(t, fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: p, labels: {%s}, annotations: {%s}}, spec: {automountServiceAccountToken: false, %s}}", labels, annotations, spec))
}

// parityPods are pods with and without what stands in a sidecar's way, and pods made up of everything at random.
func parityPods(t *testing.T) []*fact.Object {
	t.Helper()
	const web, all = `containers: [{name: web, image: a}]`, `watch: "yes", all: a`
	list := []*fact.Object{
		parityPod(t, all, ``, web),
		parityPod(t, `all: b, watch: "no"`, ``, web),
		parityPod(t, `all: c`, ``, web),
		parityPod(t, `all: a, none: x`, ``, web),
		parityPod(t, `audit: "off"`, ``, web),
		parityPod(t, all, `coaming.dev/mutate: "off"`, web),
		parityPod(t, all, `coaming.dev/mutate: "falco-agent, everything"`, web),
		parityPod(t, all, `coaming.dev/mutate: "sidecars"`, web),
		parityPod(t, all, `coaming.dev/mutations: "rule x: y"`, web),
		parityPod(t, all, ``, `os: {name: windows}, `+web),
		parityPod(t, all, ``, `hostNetwork: true, `+web),
		parityPod(t, all, ``, `restartPolicy: Never, `+web),
		parityPod(t, ``, ``, `containers: [{name: audit-forwarder, image: a}]`),
		parityPod(t, ``, ``, `initContainers: [{name: audit-forwarder, image: a}], `+web),
		parityPod(t, ``, ``, `volumes: [{name: audit-forwarder-state, emptyDir: {}}], `+web),
		parityPod(t, ``, ``, `volumes: [{name: x, emptyDir: {}}], containers: [{name: web, image: a, volumeMounts: [{name: x, mountPath: /var/log/shop/}]}]`),
		parityPod(t, ``, `coaming.dev/audit-forwarder: mine`, web),
		parityPod(t, all, ``, `containers: [{name: web, image: a, ports: [{containerPort: 7070}]}]`),
		parityPod(t, all, ``, `containers: [{name: web, image: a, ports: [{containerPort: 7070, protocol: UDP}]}]`),
		parityPod(t, all, ``, `containers: [{name: web, image: a, env: [{name: EVERYTHING, value: "7070"}]}]`),
		parityPod(t, all, ``, `containers: [{name: web, image: a, env: [{name: EVERYTHING, value: other}]}]`),
		parityPod(t, ``, `coaming.dev/injected: audit-forwarder@0.9.0`, `initContainers: [{name: first, image: a}, {name: audit-forwarder, image: tampered, restartPolicy: Always}], volumes: [{name: audit-forwarder-logs, emptyDir: {}}], containers: [{name: web, image: a, volumeMounts: [{name: audit-forwarder-logs, mountPath: /old}]}]`),
		parityPod(t, all, `coaming.dev/injected: "other@1"`, web),
	}
	r := rand.New(rand.NewPCG(20261122, 6))
	for range 60 {
		list = append(list, randomPod(t, r))
	}
	return list
}

// randomPod has some of what may stand in a sidecar's way, and much that does not.
func randomPod(t *testing.T, r *rand.Rand) *fact.Object {
	t.Helper()
	some := func(among ...string) string {
		var taken []string
		for _, one := range among {
			if r.IntN(3) == 0 {
				taken = append(taken, one)
			}
		}
		r.Shuffle(len(taken), func(i, j int) { taken[i], taken[j] = taken[j], taken[i] })
		return strings.Join(taken, ", ")
	}
	container := func(name string) string {
		return fmt.Sprintf(`{name: %s, image: a, env: [%s], ports: [%s], volumeMounts: [%s]}`, name,
			some(`{name: A, value: b}`, `{name: EVERYTHING, value: "7070"}`, `{name: C, valueFrom: {fieldRef: {fieldPath: metadata.name}}}`),
			some(`{containerPort: 80}`, `{containerPort: 8080, name: http}`), some(`{name: v1, mountPath: /v1}`, `{name: v2, mountPath: /var/log, subPath: x}`))
	}
	containers := []string{container("web")}
	if r.IntN(2) == 0 {
		containers = append(containers, container("second"))
	}
	var inits []string
	for _, name := range []string{"one", "two"} {
		if r.IntN(2) == 0 {
			inits = append(inits, strings.TrimSuffix(container(name), "}")+some(", restartPolicy: Always")+"}")
		}
	}
	spec := fmt.Sprintf(`initContainers: [%s], containers: [%s], volumes: [%s]`, strings.Join(inits, ", "), strings.Join(containers, ", "),
		strings.Join([]string{`{name: v1, emptyDir: {}}`, `{name: v2, emptyDir: {medium: Memory}}`}, ", "))
	labels := some(`watch: "yes"`, `app: web`, `audit: "on"`)
	if all := []string{"", "all: a", "all: b"}[r.IntN(3)]; all != "" {
		labels = strings.Join(slices.DeleteFunc([]string{labels, all}, func(s string) bool { return s == "" }), ", ")
	}
	return parityPod(t, labels, some(`"example.com/x": "y"`, `coaming.dev/mutations: "rule z: z"`, `"example.com/a_b": "x / y"`), spec)
}
