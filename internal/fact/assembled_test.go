package fact_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// where is a path as text: "spec.templates.1.container".
func where(steps []document.Step) string {
	var keys []string
	for _, s := range steps {
		if s.Key == "" {
			s.Key = strconv.Itoa(s.Index)
		}
		keys = append(keys, s.Key)
	}
	return strings.Join(keys, ".")
}

// TestAssembled finds the containers of the kinds that hold them outside a pod spec, and where each stands.
func TestAssembled(t *testing.T) {
	tests := map[string]struct {
		object string
		want   []string
	}{
		"Workflow": {
			`{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {templates: [{name: a, steps: []}, {name: b, container: {image: b}, sidecars: [{name: s, image: s}], initContainers: [{name: i, image: i}]}, {name: c, script: {image: c, source: x}}]}}`,
			[]string{"init i at spec.templates.1.initContainers.0", "app main at spec.templates.1.container", "app s at spec.templates.1.sidecars.0", "app main at spec.templates.2.script"},
		},
		"container set":         {`{apiVersion: argoproj.io/v1alpha1, kind: WorkflowTemplate, spec: {templates: [{containerSet: {containers: [{name: a, image: a}, {name: b, image: b}]}}]}}`, []string{"app a at spec.templates.0.containerSet.containers.0", "app b at spec.templates.0.containerSet.containers.1"}},
		"CronWorkflow":          {`{apiVersion: argoproj.io/v1alpha1, kind: CronWorkflow, spec: {workflowSpec: {templates: [{container: {image: b}}]}}}`, []string{"app main at spec.workflowSpec.templates.0.container"}},
		"inline template":       {`{apiVersion: argoproj.io/v1alpha1, kind: ClusterWorkflowTemplate, spec: {templates: [{steps: [[{name: x, inline: {container: {image: b}}}]]}]}}`, []string{"app main at spec.templates.0.steps.0.0.inline.container"}},
		"workflow by reference": {`{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {workflowTemplateRef: {name: a}}}`, nil},
		"Task":                  {`{apiVersion: tekton.dev/v1, kind: Task, spec: {steps: [{name: a, image: a}, {ref: {name: x}}], sidecars: [{name: s, image: s}]}}`, []string{"app a at spec.steps.0", "app  at spec.steps.1", "app s at spec.sidecars.0"}},
		"TaskRun":               {`{apiVersion: tekton.dev/v1, kind: TaskRun, spec: {taskSpec: {steps: [{name: a, image: a}]}}}`, []string{"app a at spec.taskSpec.steps.0"}},
		"Pipeline":              {`{apiVersion: tekton.dev/v1, kind: Pipeline, spec: {tasks: [{taskSpec: {steps: [{name: a, image: a}]}}, {taskRef: {name: x}}], finally: [{taskSpec: {steps: [{name: b, image: b}]}}]}}`, []string{"app a at spec.tasks.0.taskSpec.steps.0", "app b at spec.finally.0.taskSpec.steps.0"}},
		"PipelineRun":           {`{apiVersion: tekton.dev/v1, kind: PipelineRun, spec: {pipelineSpec: {tasks: [{taskSpec: {steps: [{name: a, image: a}]}}]}}}`, []string{"app a at spec.pipelineSpec.tasks.0.taskSpec.steps.0"}},
		"StepAction":            {`{apiVersion: tekton.dev/v1beta1, kind: StepAction, spec: {image: a, script: x}}`, []string{"app step at spec"}},
		"SidecarSet":            {`{apiVersion: apps.kruise.io/v1alpha1, kind: SidecarSet, spec: {containers: [{name: a, image: a}]}}`, []string{"app a at spec.containers.0"}},
		"InferenceService":      {`{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, spec: {predictor: {model: {modelFormat: {name: x}}}, transformer: {containers: [{image: t}]}}}`, []string{"app kserve-container at spec.predictor.model", "app  at spec.transformer.containers.0"}},
		"pod spec by name":      {`{apiVersion: example.com/v1, kind: Ship, spec: {crew: {podSpec: {containers: [{name: a, image: a}]}}}}`, []string{"app a at spec.crew.podSpec.containers.0"}},
		"no containers":         {`{apiVersion: tekton.dev/v1, kind: Task, spec: {steps: []}}`, nil},
		"no spec":               {`{apiVersion: tekton.dev/v1, kind: PipelineRun, metadata: {name: a}}`, nil},
		"null steps":            {`{apiVersion: tekton.dev/v1, kind: Task, spec: {steps: null, volumes: [{name: a}]}}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := objects(t, test.object)
			var got []string
			for _, w := range fact.NewInventory(o, "1.36", true).Workloads {
				for _, c := range w.Containers {
					at := w.Place(append(append([]document.Step{}, w.Path...), document.Step{Key: c.Field}, document.Step{Index: c.Index}))
					got = append(got, fmt.Sprintf("%s %s at %s", c.Role, c.Name, where(at)))
				}
			}
			slices.Sort(got)
			slices.Sort(test.want)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("containers (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAssembledSpec holds which value wins where several parts of the object give one, and where it stands.
func TestAssembledSpec(t *testing.T) {
	tests := map[string]struct{ object, want string }{
		"the template before the workflow": {
			`{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {serviceAccountName: all, hostNetwork: true, volumes: [{name: shared}], templates: [{serviceAccountName: own, volumes: [{name: mine}], container: {name: c}}]}}`,
			`{"hostNetwork":true,"serviceAccountName":"own","volumes":[{"name":"mine"},{"name":"shared"}],"containers":[{"name":"c"}]}`,
		},
		"the step before the step template": {
			`{apiVersion: tekton.dev/v1, kind: Task, spec: {stepTemplate: {image: t, env: [{name: A, value: t}, {name: B, value: t}], securityContext: {runAsUser: 1, privileged: true}}, steps: [{name: a, env: [{name: A, value: a}], securityContext: {runAsUser: 2}, computeResources: {limits: {cpu: 1}}, script: run}]}}`,
			`{"containers":[{"name":"a","image":"t","args":["run"],"env":[{"name":"A","value":"a"},{"name":"B","value":"t"}],"resources":{"limits":{"cpu":1}},"securityContext":{"runAsUser":2,"privileged":true}}]}`,
		},
		"the run's pod template": {
			`{apiVersion: tekton.dev/v1, kind: TaskRun, spec: {serviceAccountName: r, podTemplate: {hostNetwork: true}, taskSpec: {volumes: [{name: v}], steps: [{name: a}]}}}`,
			`{"hostNetwork":true,"serviceAccountName":"r","volumes":[{"name":"v"}],"containers":[{"name":"a"}]}`,
		},
		"a run of a task that stands elsewhere": {
			`{apiVersion: tekton.dev/v1, kind: TaskRun, spec: {podTemplate: {hostNetwork: true}, taskRef: {name: a}}}`,
			`{"hostNetwork":true}`,
		},
		"what the API refuses stays as it is": {
			`{apiVersion: tekton.dev/v1, kind: Task, spec: {steps: {a: b}}}`,
			`{"containers":{"a":"b"}}`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			list := fact.NewInventory(objects(t, test.object), "1.36", true).Workloads
			if len(list) != 1 {
				t.Fatalf("%d workloads", len(list))
			}
			if got := string(list[0].Spec.AppendJSON(nil)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// TestLeaves tells whole templates from those that others complete.
func TestLeaves(t *testing.T) {
	tests := map[string]fact.Leaves{
		`{apiVersion: apps/v1, kind: Deployment, spec: {template: {spec: {containers: [{name: a}]}}}}`:                                                       fact.Nothing,
		`{apiVersion: argoproj.io/v1alpha1, kind: Workflow, spec: {templates: [{container: {image: a}}]}}`:                                                   fact.Nothing,
		`{apiVersion: tekton.dev/v1, kind: Task, spec: {steps: [{image: a}]}}`:                                                                               fact.PodFields,
		`{apiVersion: tekton.dev/v1, kind: TaskRun, spec: {taskSpec: {steps: [{image: a}]}}}`:                                                                fact.Nothing,
		`{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, spec: {template: {spec: {containers: [{name: a, image: a}]}}}}`:                               fact.Nothing,
		`{apiVersion: example.com/v1, kind: Ship, spec: {podTemplate: {spec: {containers: [{name: a}]}}}}`:                                                   fact.Anything,
		`{apiVersion: elasticsearch.k8s.elastic.co/v1, kind: Elasticsearch, spec: {nodeSets: [{podTemplate: {spec: {containers: [{name: a, image: a}]}}}]}}`: fact.Anything,
	}
	for object, want := range tests {
		list := fact.NewInventory(objects(t, object), "1.36", true).Workloads
		if len(list) != 1 || list[0].Leaves != want {
			t.Errorf("%s: %d workloads, leaves not %d", object, len(list), want)
		}
	}
}

// TestAssembledBound demands that what templates share is not repeated without end, and that what is
// left out is no pass.
func TestAssembledBound(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"name": "w"}, "spec": {"volumes": [`)
	for i := range 2000 {
		fmt.Fprintf(&text, `{"name": "v%d", "emptyDir": {}},`, i)
	}
	text.WriteString(`{"name": "z"}], "templates": [`)
	for i := range 2000 {
		fmt.Fprintf(&text, `{"name": "t%d", "container": {"image": "a"}},`, i)
	}
	text.WriteString(`{"container": {"image": "last"}}]}}`)
	list := fact.NewInventory(objects(t, text.String()), "1.36", true).Workloads
	nodes := 0
	for _, w := range list {
		nodes += w.Spec.Nodes()
	}
	if nodes > 500_000 {
		t.Errorf("the assembled templates hold %d values", nodes)
	}
	if last := list[len(list)-1]; last.Doubt() == "" {
		t.Error("what was left out of the last template raises no doubt")
	}
	if first := list[0]; first.Spec.Get("volumes").Len() != 2001 {
		t.Errorf("the first template is not whole: %d volumes", first.Spec.Get("volumes").Len())
	}
}
