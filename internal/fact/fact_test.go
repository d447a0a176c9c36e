package fact_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/test/specimen"
)

// objects reads every document of the text.
func objects(t testing.TB, text string) []*fact.Object {
	t.Helper()
	return specimen.Objects(t, specimen.File("a.yaml"), text)
}

// judged is the workloads of the text as "Kind/name", with how many others each stands for.
func judged(t testing.TB, text string) []string {
	t.Helper()
	list := []string{}
	for _, w := range fact.NewInventory(objects(t, text), "1.36", true).Workloads {
		name := w.Object.Kind + "/" + w.Object.Name
		if w.Pods > 0 {
			name += fmt.Sprintf(" +%d", w.Pods)
		}
		list = append(list, name)
	}
	return list
}

const aSpec = `{containers: [{name: app, image: app:1}]}`

// TestTemplates finds the pod template of every kind that has one, where it stands, and no other.
func TestTemplates(t *testing.T) {
	tests := map[string]struct {
		object string
		want   []string // the paths of pod specs
	}{
		"Pod":                    {`{apiVersion: v1, kind: Pod, spec: SPEC}`, []string{"spec"}},
		"PodTemplate":            {`{apiVersion: v1, kind: PodTemplate, template: {spec: SPEC}}`, []string{"template.spec"}},
		"ReplicationController":  {`{apiVersion: v1, kind: ReplicationController, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"Deployment":             {`{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"old Deployment":         {`{apiVersion: extensions/v1beta1, kind: Deployment, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"ReplicaSet":             {`{apiVersion: apps/v1, kind: ReplicaSet, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"StatefulSet":            {`{apiVersion: apps/v1, kind: StatefulSet, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"DaemonSet":              {`{apiVersion: apps/v1, kind: DaemonSet, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"Job":                    {`{apiVersion: batch/v1, kind: Job, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"CronJob":                {`{apiVersion: batch/v1, kind: CronJob, spec: {jobTemplate: {spec: {template: {spec: SPEC}}}}}`, []string{"spec.jobTemplate.spec.template.spec"}},
		"Rollout":                {`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"Rollout by reference":   {`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, spec: {workloadRef: {kind: Deployment, name: a}}}`, nil},
		"DeploymentConfig":       {`{apiVersion: apps.openshift.io/v1, kind: DeploymentConfig, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"Knative Service":        {`{apiVersion: serving.knative.dev/v1, kind: Service, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"Knative Revision":       {`{apiVersion: serving.knative.dev/v1, kind: Revision, spec: SPEC}`, []string{"spec"}},
		"ScaledJob":              {`{apiVersion: keda.sh/v1alpha1, kind: ScaledJob, spec: {jobTargetRef: {template: {spec: SPEC}}}}`, []string{"spec.jobTargetRef.template.spec"}},
		"unknown kind":           {`{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, spec: {template: {spec: SPEC}}}`, []string{"spec.template.spec"}},
		"several templates":      {`{apiVersion: kubeflow.org/v1, kind: MPIJob, spec: {mpiReplicaSpecs: {Launcher: {template: {spec: SPEC}}, Worker: {template: {spec: SPEC}}}}}`, []string{"spec.mpiReplicaSpecs.Launcher.template.spec", "spec.mpiReplicaSpecs.Worker.template.spec"}},
		"template in a list":     {`{apiVersion: jobset.x-k8s.io/v1, kind: JobSet, spec: {replicatedJobs: [{name: a, template: {spec: {template: {spec: SPEC}}}}]}}`, []string{"spec.replicatedJobs.0.template.spec.template.spec"}},
		"overrides of a CR":      {`{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, spec: SPEC}`, nil},
		"no containers in it":    {`{apiVersion: example.com/v1, kind: Ship, spec: {hold: {spec: {containers: [{length: 40}]}}}}`, nil},
		"containers are numbers": {`{apiVersion: example.com/v1, kind: Ship, spec: {hold: {spec: {containers: [1, 2]}}}}`, nil},
		"empty containers":       {`{apiVersion: example.com/v1, kind: Ship, spec: {hold: {spec: {containers: []}}}}`, nil},
		"Kyverno pattern":        {`{apiVersion: kyverno.io/v1, kind: ClusterPolicy, spec: {rules: [{validate: {pattern: {spec: {containers: [{name: "*", image: "*:*"}]}}}}]}}`, nil},
		"Gatekeeper pattern":     {`{apiVersion: mutations.gatekeeper.sh/v1, kind: Assign, spec: {parameters: {assign: {value: {spec: SPEC}}}}}`, nil},
		"CRD":                    {`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, spec: {versions: [{schema: {openAPIV3Schema: {properties: {spec: SPEC}}}}]}}`, nil},
		"ConfigMap":              {`{apiVersion: v1, kind: ConfigMap, data: {a: {spec: {template: {spec: SPEC}}}}}`, nil},
		"ControllerRevision":     {`{apiVersion: apps/v1, kind: ControllerRevision, data: {spec: {template: {spec: SPEC}}}}`, nil},
		"kind in a wrong group":  {`{apiVersion: v1, kind: Deployment, spec: {template: {spec: SPEC}}}`, nil},
		"no spec":                {`{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}`, nil},
		"null template":          {`{apiVersion: apps/v1, kind: Deployment, spec: {template: null}}`, nil},
		"spec of a wrong type":   {`{apiVersion: v1, kind: Pod, spec: []}`, []string{"spec"}},
		"template of wrong type": {`{apiVersion: apps/v1, kind: Deployment, spec: {template: "x"}}`, []string{"spec.template"}},
		"spec is a list":         {`{apiVersion: batch/v1, kind: CronJob, spec: []}`, []string{"spec"}},
		"pod spec is a number":   {`{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: 3}}}`, []string{"spec.template.spec"}},
		"generated name, no app": {`{apiVersion: v1, kind: Pod, metadata: {generateName: a-}, spec: {}}`, []string{"spec"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := objects(t, strings.ReplaceAll(test.object, "SPEC", aSpec))
			var got []string
			for _, w := range fact.NewInventory(o, "1.36", false).Workloads {
				var path []string
				for _, s := range w.Path {
					if s.Key == "" {
						s.Key = strconv.Itoa(s.Index)
					}
					path = append(path, s.Key)
				}
				got = append(got, strings.Join(path, "."))
				if o[0].Root.Follow(w.Path) != w.Spec {
					t.Errorf("the path %v does not lead to the spec", path)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("pod specs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPodKinds demands that a live cluster is asked for every kind with a template.
func TestPodKinds(t *testing.T) {
	for _, kind := range []string{"Pod", "Deployment.apps", "StatefulSet.apps", "DaemonSet.apps", "ReplicaSet.apps", "Job.batch", "CronJob.batch", "ReplicationController"} {
		found := false
		for _, k := range fact.PodKinds() {
			found = found || k == kind
		}
		if !found {
			t.Errorf("%s is missing", kind)
		}
	}
}

// TestContainers tells containers apart by role.
func TestContainers(t *testing.T) {
	o := objects(t, `{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {
  initContainers: [{name: i}, {name: s, restartPolicy: Always}],
  containers: [{name: a}, {image: nameless}, 3, null],
  ephemeralContainers: [{name: e}],
  os: {name: windows}, serviceAccount: old}}`)
	w := fact.NewInventory(o, "1.36", false).Workloads[0]
	var got []string
	for _, c := range w.Containers {
		got = append(got, fmt.Sprintf("%s %s[%d] %q", c.Role, c.Field, c.Index, c.Name))
	}
	want := []string{
		`init initContainers[0] "i"`, `sidecar initContainers[1] "s"`,
		`app containers[0] "a"`, `app containers[1] ""`, `app containers[2] ""`, `app containers[3] ""`,
		`ephemeral ephemeralContainers[0] "e"`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers (-want +got):\n%s", diff)
	}
	if w.OS() != "windows" || w.ServiceAccount() != "old" {
		t.Errorf("os %q, service account %q", w.OS(), w.ServiceAccount())
	}
}

// owned writes an object: kind, name and uid, its controller "Kind/uid" ("" for none), and what is
// in its pod spec.
func owned(kind, name, owner, spec string) string {
	version := map[string]string{"Pod": "v1", "Node": "v1", "Job": "batch/v1", "CronJob": "batch/v1", "Prometheus": "monitoring.coreos.com/v1"}[kind]
	if version == "" {
		version = "apps/v1"
	}
	ref := ""
	if k, uid, found := strings.Cut(owner, "/"); found {
		ref = fmt.Sprintf(", ownerReferences: [{kind: ReplicaSet, uid: %s}, {kind: %s, uid: %s, controller: true}]", "other", k, uid)
	}
	body := "{template: {metadata: {labels: {app: a}}, spec: " + spec + "}}"
	labels := ""
	switch kind {
	case "Pod":
		body, labels = spec, ", labels: {app: a, pod-template-hash: x}"
	case "CronJob":
		body = "{jobTemplate: {spec: " + body + "}}"
	case "ReplicaSet":
		if strings.HasPrefix(name, "idle") {
			body = "{replicas: 0, " + body[1:]
		}
	case "Node", "Prometheus":
		body = "{}"
	}
	return fmt.Sprintf("---\n{apiVersion: %s, kind: %s, metadata: {name: %s, namespace: shop, uid: %s%s%s}, spec: %s}\n", version, kind, name, name, ref, labels, body)
}

// TestFolding demands that what runs is judged, and judged once.
func TestFolding(t *testing.T) {
	const (
		one     = `{containers: [{name: app, image: app:1}]}`
		two     = `{containers: [{name: app, image: app:2}]}`
		sidecar = `{containers: [{name: app, image: app:1}, {name: proxy, image: proxy:1, securityContext: {privileged: true}}]}`
		placed  = `{nodeName: n1, tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists}], volumes: [{name: kube-api-access-1, projected: {}}], containers: [{name: app, image: app:1, resources: {limits: {cpu: 1}}, volumeMounts: [{name: kube-api-access-1, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]}]}`
		debug   = `{ephemeralContainers: [{name: debugger, image: sh, securityContext: {privileged: true}}], containers: [{name: app, image: app:1}]}`
		host    = `{hostNetwork: true, containers: [{name: app, image: app:1}]}`
		disk    = `{volumes: [{name: a, hostPath: {path: /}}], containers: [{name: app, image: app:1}]}`
		account = `{serviceAccountName: admin, containers: [{name: app, image: app:1}]}`
		port    = `{containers: [{name: app, image: app:1, ports: [{containerPort: 1, hostPort: 1}]}]}`
		hook    = `{containers: [{name: app, image: app:1, lifecycle: {postStart: {exec: {command: [evil]}}}}]}`
	)
	tests := map[string]struct {
		objects []string
		want    []string
	}{
		"a Deployment, its ReplicaSet and pods": {
			[]string{owned("Deployment", "d", "", one), owned("ReplicaSet", "rs", "Deployment/d", one), owned("Pod", "p1", "ReplicaSet/rs", placed), owned("Pod", "p2", "ReplicaSet/rs", placed)},
			[]string{"Deployment/d +3"},
		},
		"pods before their owners": {
			[]string{owned("Pod", "p1", "ReplicaSet/rs", placed), owned("ReplicaSet", "rs", "Deployment/d", one), owned("Deployment", "d", "", one)},
			[]string{"Deployment/d +2"},
		},
		"a CronJob, its Jobs and pods": {
			[]string{owned("CronJob", "c", "", one), owned("Job", "j", "CronJob/c", one), owned("Pod", "p", "Job/j", placed)},
			[]string{"CronJob/c +2"},
		},
		"an old revision that runs nothing": {
			[]string{owned("Deployment", "d", "", two), owned("ReplicaSet", "idle1", "Deployment/d", one)},
			[]string{"Deployment/d"},
		},
		"a lone ReplicaSet scaled to nothing": {
			[]string{owned("ReplicaSet", "idle1", "", one), owned("Pod", "p", "ReplicaSet/idle1", placed)},
			[]string{"ReplicaSet/idle1 +1"},
		},
		"an old revision that still runs": {
			[]string{owned("Deployment", "d", "", two), owned("ReplicaSet", "old", "Deployment/d", one), owned("ReplicaSet", "new", "Deployment/d", two), owned("Pod", "p1", "ReplicaSet/old", placed), owned("Pod", "p2", "ReplicaSet/new", two)},
			[]string{"Deployment/d +2", "ReplicaSet/old +1"},
		},
		"a pod left of an old revision": {
			[]string{owned("Deployment", "d", "", two), owned("ReplicaSet", "idle1", "Deployment/d", one), owned("Pod", "p1", "ReplicaSet/idle1", placed), owned("Pod", "p2", "ReplicaSet/idle1", placed)},
			[]string{"Deployment/d", "Pod/p1 +1"},
		},
		"a Job that its CronJob would not make": {
			[]string{owned("CronJob", "c", "", one), owned("Job", "j", "CronJob/c", sidecar)},
			[]string{"CronJob/c", "Job/j"},
		},
		"an injected sidecar": {
			[]string{owned("Deployment", "d", "", one), owned("ReplicaSet", "rs", "Deployment/d", one), owned("Pod", "p1", "ReplicaSet/rs", sidecar), owned("Pod", "p2", "ReplicaSet/rs", sidecar)},
			[]string{"Deployment/d +1", "Pod/p1 +1"},
		},
		"a debugger": {
			[]string{owned("Deployment", "d", "", one), owned("ReplicaSet", "rs", "Deployment/d", one), owned("Pod", "p1", "ReplicaSet/rs", debug)},
			[]string{"Deployment/d +1", "Pod/p1"},
		},
		"forged references": {
			[]string{owned("Deployment", "d", "", one), owned("Pod", "p1", "Deployment/d", host), owned("Pod", "p2", "Deployment/d", disk), owned("Pod", "p3", "Deployment/d", account), owned("Pod", "p4", "Deployment/d", port), owned("Pod", "p5", "Deployment/d", hook), owned("ReplicaSet", "rs", "Deployment/d", sidecar)},
			[]string{"Deployment/d", "Pod/p1", "Pod/p2", "Pod/p3", "Pod/p4", "Pod/p5", "ReplicaSet/rs"},
		},
		"a reference to another kind of that uid": {
			[]string{owned("StatefulSet", "d", "", one), owned("ReplicaSet", "rs", "Deployment/d", one)},
			[]string{"StatefulSet/d", "ReplicaSet/rs"},
		},
		"a pod without its owner's labels": {
			[]string{owned("Deployment", "d", "", one), strings.Replace(owned("Pod", "p", "Deployment/d", one), "app: a, ", "", 1)},
			[]string{"Deployment/d", "Pod/p"},
		},
		"static pods": {
			[]string{owned("Node", "n1", "", ""), owned("Pod", "p1", "Node/n1", one), owned("Pod", "p2", "Node/n1", one)},
			[]string{"Pod/p1", "Pod/p2"},
		},
		"pods of an operator": {
			[]string{owned("Prometheus", "m", "", ""), owned("Pod", "p1", "Prometheus/m", one), owned("Pod", "p2", "Prometheus/m", one), owned("Pod", "p3", "Prometheus/m", two)},
			[]string{"Pod/p1 +1", "Pod/p3"},
		},
		"pods whose owner was not read": {
			[]string{owned("Pod", "p1", "ReplicaSet/gone", one), owned("Pod", "p2", "ReplicaSet/gone", one), owned("Pod", "p3", "ReplicaSet/other", one)},
			[]string{"Pod/p1 +1", "Pod/p3"},
		},
		"an operator's StatefulSet": {
			[]string{owned("Prometheus", "m", "", ""), owned("StatefulSet", "s", "Prometheus/m", one), owned("Pod", "p1", "StatefulSet/s", placed)},
			[]string{"StatefulSet/s +1"},
		},
		"owner of itself": {
			[]string{owned("ReplicaSet", "a", "ReplicaSet/a", one)},
			[]string{"ReplicaSet/a"},
		},
		"owners in a circle": {
			[]string{owned("ReplicaSet", "a", "ReplicaSet/b", one), owned("ReplicaSet", "b", "ReplicaSet/a", one), owned("Pod", "p", "ReplicaSet/a", one)},
			[]string{"ReplicaSet/a", "ReplicaSet/b", "Pod/p"},
		},
		"idle owners in a circle": {
			[]string{owned("ReplicaSet", "idle1", "ReplicaSet/idle2", one), owned("ReplicaSet", "idle2", "ReplicaSet/idle1", two)},
			[]string{"ReplicaSet/idle1", "ReplicaSet/idle2"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, judged(t, strings.Join(test.objects, ""))); diff != "" {
				t.Errorf("workloads (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongChains demands of owners above owners, in a line or a circle of any length, that the one
// equal template among them is judged, and in reasonable time.
func TestLongChains(t *testing.T) {
	for _, n := range []int{1, 2, 7, 8, 9, 10, 17, 2000} {
		for _, circle := range []bool{false, true} {
			var text strings.Builder
			for i := range n {
				owner := fmt.Sprintf("ReplicaSet/r%d", i+1)
				if i == n-1 {
					owner = map[bool]string{true: "ReplicaSet/r0"}[circle]
				}
				text.WriteString(owned("ReplicaSet", fmt.Sprintf("r%d", i), owner, aSpec))
			}
			if got := judged(t, text.String()); len(got) == 0 {
				t.Errorf("%d owners, in a circle %v: nothing is judged", n, circle)
			}
		}
	}
}

// TestTwins demands that equal objects are one, and that variants stay apart.
func TestTwins(t *testing.T) {
	pod := func(namespace, name, image string) string {
		return fmt.Sprintf("---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: %s}, spec: {containers: [{image: %s}]}}\n", name, namespace, image)
	}
	list := objects(t, pod("shop", "a", "x")+pod("shop", "a", "z")+pod("shop", "a", "x")+pod("m", "a", "x")+pod("shop", "b", "x")+pod("shop", "a", "z")+
		"---\n{kind: Pod, metadata: {namespace: shop, name: a}, apiVersion: v1, spec: {containers: [{image: x}]}}\n"+
		"---\n{apiVersion: v1, kind: Pod, spec: {}}\n---\n{apiVersion: v1, kind: Pod, spec: {}}\n")
	doubtful := objects(t, pod("shop", "a", "x"))[0]
	doubtful.Doubt = "a key stands twice"
	inv := fact.NewInventory(append(list, doubtful), "1.36", false)
	var got []string
	for _, o := range inv.Objects {
		got = append(got, fmt.Sprintf("%s/%s %s +%d%s", o.Namespace, o.Name, o.Root.At("spec", "containers").Index(0).Get("image").Str(), len(o.Twins), o.Doubt))
	}
	want := []string{"shop/a x +2", "shop/a z +1", "m/a x +0", "shop/b x +0", "/  +0", "/  +0", "shop/a x +0a key stands twice"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if inv.Find("Pod", "shop", "a") != list[0] || inv.Find("Pod", "shop", "c") != nil {
		t.Error("an object is not found by its name")
	}
	if inv.WorkloadsIn("shop") != 4 || len(inv.In("Pod", "shop")) != 4 {
		t.Errorf("namespace shop has %d workloads in %d pods", inv.WorkloadsIn("shop"), len(inv.In("Pod", "shop")))
	}
}

// TestVariants demands time in proportion to the input of objects with one name and many contents.
func TestVariants(t *testing.T) {
	var text strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&text, "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {n: \"%d\"}}\n", i)
	}
	if got := len(fact.NewInventory(objects(t, text.String()), "1.36", false).Objects); got != 5000 {
		t.Errorf("%d objects", got)
	}
}
