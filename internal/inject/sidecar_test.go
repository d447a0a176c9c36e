package inject_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

func pod(meta, spec string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop%s}, spec: {%s}}", meta, spec)
}

func TestConflictsAreToldAndNothingIsInjected(t *testing.T) {
	in := injector(t, "{sidecars: ["+forwarder+"]}")
	for name, test := range map[string]struct{ spec, meta, server, want string }{
		"a container":        {spec: "containers: [{name: audit-forwarder, image: a}]", want: "the pod has a container audit-forwarder of its own"},
		"an init container":  {spec: "initContainers: [{name: audit-forwarder, image: a}], containers: [{name: a, image: a}]", want: "a container audit-forwarder of its own"},
		"a volume":           {spec: "volumes: [{name: audit-forwarder-state, emptyDir: {}}], containers: [{name: a, image: a}]", want: "a volume audit-forwarder-state of its own"},
		"a mount":            {spec: "containers: [{name: a, image: a, volumeMounts: [{name: x, mountPath: /var/log/audit/}]}]", want: "container a mounts another volume at /var/log/audit"},
		"a port":             {spec: "containers: [{name: a, image: a, ports: [{containerPort: 2020}]}]", want: "port 2020/TCP is container a's"},
		"the node's network": {spec: "hostNetwork: true, containers: [{name: a, image: a}]", want: "the pod is on its node's network"},
		"an annotation":      {meta: ", annotations: {coaming.dev/audit-forwarder: mine}", spec: "containers: [{name: a, image: a}]", want: "an annotation coaming.dev/audit-forwarder of its own"},
		"Windows":            {spec: "os: {name: windows}, containers: [{name: a, image: a}]", want: "runs on Windows"},
		"an end, of old":     {spec: "restartPolicy: Never, containers: [{name: a, image: a}]", server: "1.28", want: "native sidecars are there from Kubernetes 1.29 on"},
		"too old a server":   {spec: "containers: [{name: a, image: a}]", server: "1.24", want: "for servers from 1.25 on, and this is 1.24"},
		"an unknown server":  {spec: "containers: [{name: a, image: a}]", server: "new", want: "the server's version is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.server == "" {
				test.server = "1.36"
			}
			operations, err := in.Patch(t.Context(), object(t, pod(test.meta, test.spec)), shop, test.server)
			if len(operations) > 0 || err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%d operations, %v", len(operations), err)
			}
		})
	}
}

func TestMutationsAreSwitchedOff(t *testing.T) {
	in := injector(t, "{sidecars: ["+forwarder+", "+agent+"], defaults: [{rules: [seccomp-missing]}], resources: [{limits: {memory: 1Gi}}]}")
	for annotation, want := range map[string]string{
		"":                                   "sidecars audit-forwarder falco-agent, seccomp, resources",
		"off":                                "",
		"sidecars":                           "seccomp, resources",
		"falco-agent, resources":             "sidecars audit-forwarder, seccomp",
		"defaults":                           "sidecars audit-forwarder falco-agent, resources",
		"seccomp-missing,sidecars,resources": "",
	} {
		o := change(t, in, object(t, pod(`, annotations: {coaming.dev/mutate: "`+annotation+`"}`, "containers: [{name: web, image: a}]")), "1.36")
		var got []string
		if names := containerNames(o, "initContainers"); names != "" {
			got = append(got, "sidecars "+names)
		}
		c := o.Root.At("spec", "containers").Index(0)
		if c.At("securityContext", "seccompProfile").Exists() {
			got = append(got, "seccomp")
		}
		if c.Get("resources").Exists() {
			got = append(got, "resources")
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %s, want %s", annotation, strings.Join(got, ", "), want)
		}
	}
}

func TestPodsKeepUpWithTheTemplate(t *testing.T) {
	old := change(t, injector(t, "{sidecars: ["+forwarder+"]}"), object(t, webPod), "1.36")
	text, _ := inject.ShippedText("audit-forwarder")
	newer, err := inject.ReadTemplate("t.yaml", strings.NewReplacer("version: 1.0.0", "version: 1.1.0", "cpu: 200m", "cpu: 300m").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	in := injector(t, "{sidecars: [{template: audit-forwarder, values: {image: other, path: /logs}}]}", func(o *inject.Options) { o.Templates = []*inject.Template{newer} })
	drifts, err := in.Drifts(old, shop, "1.36")
	if err != nil || len(drifts) != 1 || drifts[0].Message != "it is version 1.0.0, and the template is version 1.1.0" {
		t.Errorf("drifts %v, %v", drifts, err)
	}
	after := change(t, in, old, "1.36")
	c := after.Root.At("spec", "initContainers").Index(0)
	if containerNames(after, "initContainers") != "audit-forwarder prepare" || c.Get("image").Str() != "other" || c.At("resources", "limits", "cpu").Str() != "300m" {
		t.Errorf("%s", after.Root.AppendJSON(nil))
	}
	if m := after.Root.At("spec", "containers").Index(0).Get("volumeMounts"); m.Len() != 1 || m.Index(0).Get("mountPath").Str() != "/logs" {
		t.Errorf("mounts %s", m.AppendJSON(nil))
	}
	if got := after.Root.At("metadata", "annotations").Get(inject.InjectedKey).Str(); got != "audit-forwarder@1.1.0" {
		t.Errorf("injected %q", got)
	}
	if drifts, err := in.Drifts(after, shop, "1.36"); err != nil || len(drifts) > 0 {
		t.Errorf("drifts after %v, %v", drifts, err)
	}
	none := injector(t, "{}")
	if drifts, _ := none.Drifts(after, shop, "1.36"); len(drifts) != 1 || drifts[0].Message != "nothing asks for it here" {
		t.Errorf("drifts of what nobody asks for %v", drifts)
	}
	if drifts, _ := in.Drifts(object(t, webPod), shop, "1.36"); len(drifts) != 1 || drifts[0].Message != "it is not there" {
		t.Errorf("drifts of what is not there %v", drifts)
	}
}

func TestWhoseTemplateIsChanged(t *testing.T) {
	const spec = "containers: [{name: web, image: a}]"
	in := injector(t, "{sidecars: ["+forwarder+"], defaults: [{rules: [seccomp-missing]}]}")
	for name, test := range map[string]struct {
		text string
		want string // the first path that is changed
	}{
		"a deployment":             {"{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {template: {spec: {" + spec + "}}}}", "/spec/template/spec/containers/0/securityContext"},
		"a cron job":               {"{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: {" + spec + "}}}}}}", "/spec/jobTemplate/spec/template/spec/containers/0/securityContext"},
		"a pod template":           {"{apiVersion: v1, kind: PodTemplate, metadata: {name: a}, template: {spec: {" + spec + "}}}", "/template/spec/containers/0/securityContext"},
		"a controller's":           {"{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: a, ownerReferences: [{controller: true, kind: Deployment, name: a}]}, spec: {template: {spec: {" + spec + "}}}}", ""},
		"a pod that runs":          {pod(", resourceVersion: \"7\"", spec), ""},
		"a pod of a controller":    {pod(", ownerReferences: [{controller: true, kind: ReplicaSet, name: a}]", spec), "/spec/containers/0/securityContext"},
		"a node's own pod":         {pod(", annotations: {kubernetes.io/config.mirror: x}", spec), ""},
		"what carries no pods":     {"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", ""},
		"what the API would break": {"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: x}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			operations, _ := in.Patch(t.Context(), object(t, test.text), shop, "1.36")
			if got := append(operations, inject.Operation{})[0].Path; got != test.want {
				t.Errorf("first %q, want %q: %v", got, test.want, operations)
			}
			if strings.HasPrefix(test.want, "/spec/template") && strings.Contains(fmt.Sprint(operations), "audit-forwarder") {
				t.Error("a template gained a sidecar on its way into a cluster")
			}
		})
	}
}

func TestTokenIsTakenWhereNothingNeedsIt(t *testing.T) {
	accounts := []*fact.Object{object(t, "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: shop}}")}
	bound := append(accounts[:1:1], object(t, "{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a, namespace: shop}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}, subjects: [{kind: ServiceAccount, name: default, namespace: shop}]}"))
	for name, test := range map[string]struct {
		around func(string) *judge.Among
		want   bool
	}{
		"nothing is known": {nil, false},
		"no binding":       {func(string) *judge.Among { return judge.NewAmong(accounts, nil) }, true},
		"a binding":        {func(string) *judge.Among { return judge.NewAmong(bound, nil) }, false},
		"bindings were not seen": {func(string) *judge.Among {
			return judge.NewAmong(accounts, []verdict.Gap{{Code: verdict.GapForbidden, Kinds: []string{"RoleBinding.rbac.authorization.k8s.io"}}})
		}, false},
	} {
		in := injector(t, "{defaults: [{rules: [service-account-token-unused]}]}", func(o *inject.Options) { o.Around = test.around })
		o := change(t, in, object(t, webPod), "1.36")
		if got := o.Root.At("spec", "automountServiceAccountToken").Exists(); got != test.want {
			t.Errorf("%s: %v: %s", name, got, o.Root.AppendJSON(nil))
		}
	}
}

func TestResourcesOfThePlan(t *testing.T) {
	in := injector(t, "{resources: [{requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}, {namespaces: [shop], limits: {memory: 128Mi}}]}")
	for have, want := range map[string]string{
		"":                              `{"limits":{"memory":"128Mi"},"requests":{"cpu":"50m","memory":"64Mi"}}`,
		"requests: {memory: 1Gi}":       `{"requests":{"cpu":"50m","memory":"1Gi"}}`,
		"limits: {memory: 32Mi}":        `{"limits":{"memory":"32Mi"},"requests":{"cpu":"50m"}}`,
		"limits: {memory: 1Gi, cpu: 1}": `{"limits":{"cpu":1,"memory":"1Gi"},"requests":{"cpu":"50m","memory":"64Mi"}}`,
	} {
		o := change(t, in, object(t, pod("", "containers: [{name: a, image: a, resources: {"+have+"}}]")), "1.36")
		if got := string(o.Root.At("spec", "containers").Index(0).Get("resources").AppendSorted(nil)); got != want {
			t.Errorf("of %q came %s, want %s", have, got, want)
		}
	}
}

func TestUnknownNamespaceIsTold(t *testing.T) {
	in := injector(t, "{sidecars: [{template: falco-agent, values: {image: a}, namespaceSelector: {matchLabels: {a: b}}}]}")
	operations, err := in.Patch(t.Context(), object(t, webPod), enforcement.Place{Namespace: "shop"}, "1.36")
	if len(operations) > 0 || err == nil || !strings.Contains(err.Error(), "whose labels are not known: sidecar falco-agent") {
		t.Errorf("%v %v", operations, err)
	}
}

func TestWrongPlansAreToldAtOnce(t *testing.T) {
	_, err := inject.New(inject.Options{Plan: plan(t, "{sidecars: [{template: audit-forwardr}, {template: falco-agent}], defaults: [{rules: [no-such-rule]}]}"), Rules: compiled(t), Now: now})
	for _, want := range []string{`there is no template "audit-forwardr"; did you mean audit-forwarder?`, "sidecar falco-agent needs the value image", `no rule on pods with a fix is called "no-such-rule"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in %v", want, err)
		}
	}
}

// TestShippedSidecarsBringNoFindings judges a pod with both by every rule: what they bring is held to the same rules as all.
func TestShippedSidecarsBringNoFindings(t *testing.T) {
	in := injector(t, "{sidecars: ["+strings.ReplaceAll(forwarder, ":4", ":4@sha256:"+strings.Repeat("0", 64))+", "+strings.ReplaceAll(agent, ":1", ":1@sha256:"+strings.Repeat("0", 64))+"]}")
	before := object(t, webPod)
	after := change(t, in, before, "1.36")
	told := func(o *fact.Object) map[string]bool {
		res := judge.Judge(judge.Input{Inventory: fact.NewInventory([]*fact.Object{o}, "1.36", true), Rules: compiled(t), Now: now()})
		list := map[string]bool{}
		for i := range res.Findings {
			if f := &res.Findings[i]; f.Verdict == verdict.Fail {
				list[f.Rule+" "+f.Subject.Container] = true
			}
		}
		return list
	}
	had := told(before)
	for finding := range told(after) {
		if !had[finding] {
			t.Errorf("the sidecars bring %s", finding)
		}
	}
}

// FuzzPatch changes whatever reads as an object: the patch is one that the API server's own library takes, gives what is meant,
// and leaves nothing for a second one.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		webPod, pod("", "volumes: null, initContainers: null, containers: [{name: a, image: a, volumeMounts: null, env: []}]"),
		pod(", annotations: {\"a/b~c\": d, coaming.dev/injected: \"audit-forwarder@0\"}", "containers: [{name: a, image: a, resources: {limits: {memory: 1}}}, {name: audit-forwarder}]"),
		"{apiVersion: batch/v1, kind: CronJob, metadata: null, spec: {jobTemplate: {spec: {template: {metadata: null, spec: {containers: [{name: x}]}}}}}}",
		"{apiVersion: v1, kind: Pod, metadata: {annotations: 1}, spec: {initContainers: {a: b}, volumes: 3, containers: [1, null, [], {volumeMounts: {}}]}}",
		"{apiVersion: v1, kind: Pod, spec: 1}",
	} {
		f.Add(seed)
	}
	in := injector(f, "{sidecars: ["+forwarder+", "+agent+"], defaults: [{rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped]}], resources: [{requests: {cpu: 1m}, limits: {memory: 1Gi}}]}", func(o *inject.Options) { o.IntoTemplates = true })
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := readable(text)
		if !ok {
			return
		}
		c, err := in.Change(t.Context(), o, shop, "1.36")
		if c == nil {
			return
		}
		after := applied(t, o, c.Operations)
		if !reflect.DeepEqual(tree(t, after.Root), tree(t, c.After)) {
			t.Fatalf("the patch gives\n%s\nand is meant to give\n%s", after.Root.AppendJSON(nil), c.After.AppendJSON(nil))
		}
		again, _ := in.Patch(t.Context(), after, shop, "1.36")
		if len(again) > 0 {
			text, _ := json.Marshal(again)
			t.Fatalf("a second patch: %s\nof %s (%v)", text, after.Root.AppendJSON(nil), err)
		}
	})
}
