package fact

import (
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// assemblers make the workloads of the kinds that hold containers outside a pod spec.
var assemblers = map[string]func(*Object, *int) []*Workload{
	"Workflow.argoproj.io":                workflows("spec"),
	"WorkflowTemplate.argoproj.io":        workflows("spec"),
	"ClusterWorkflowTemplate.argoproj.io": workflows("spec"),
	"CronWorkflow.argoproj.io":            workflows("spec", "workflowSpec"),
	"Task.tekton.dev":                     tasks,
	"ClusterTask.tekton.dev":              tasks,
	"TaskRun.tekton.dev":                  tasks,
	"Pipeline.tekton.dev":                 tasks,
	"PipelineRun.tekton.dev":              tasks,
	"StepAction.tekton.dev":               stepAction,
	"SidecarSet.apps.kruise.io":           sidecarSet,
	"InferenceService.serving.kserve.io":  inference,
}

// assemble is an object's assembled workloads.
func assemble(o *Object, of func(*Object, *int) []*Workload) []*Workload {
	budget := assembledNodes
	return of(o, &budget)
}

// wrongKind is the workload of an object that has something else where its templates should be. Its
// pod spec is a list, of which no field can be read, so that nothing is known of it.
func wrongKind(o *Object, v document.Value, want document.Kind) []*Workload {
	if k := v.Kind(); k <= document.Null || k == want {
		return nil
	}
	steps := v.Steps()
	key := steps[len(steps)-1].Key
	docs, _ := document.Read(document.NewText("[]"), 1)
	w := &Workload{Object: o, Template: o.Root, Path: []document.Step{{Key: "spec"}}, doubt: refused(key, v, want)}
	if len(docs) == 1 {
		w.Spec = docs[0].Root()
	}
	w.grafts = []graft{{w.Path, steps}}
	return []*Workload{w}
}

// workflows makes the workloads of an Argo workflow: one for each template that runs containers
// (argoproj.github.io/argo-workflows/fields).
func workflows(path ...string) func(*Object, *int) []*Workload {
	return func(o *Object, budget *int) []*Workload {
		spec := o.Root.At(path...)
		list := spec.Get("templates")
		if found := wrongKind(o, list, document.List); found != nil {
			return found
		}
		templates := []document.Value{}
		for _, t := range list.Items() {
			templates = append(templates, t)
		}
		templates = append(templates, spec.Find("inline", document.Map)...)
		defaults := spec.Get("templateDefaults")
		var found []*Workload
		for _, t := range templates {
			a := newAssembly(o, t, budget)
			a.labels = t.Get("metadata")
			a.pod(t, defaults, spec)
			a.containers("initContainers", t.Get("initContainers"), document.Value{})
			a.container("containers", t.Get("container"), defaults.Get("container"), "main")
			a.container("containers", t.Get("script"), defaults.Get("script"), "main")
			a.containers("initContainers", t.At("containerSet", "initContainers"), document.Value{})
			a.containers("containers", t.At("containerSet", "containers"), document.Value{})
			if a.counts["containers"] == 0 && a.parts["containers"] == nil {
				continue // a DAG, steps, a resource: its sidecars run nothing
			}
			a.containers("containers", t.Get("sidecars"), document.Value{})
			if w := a.workload(Nothing); w != nil {
				own := t.Get("podSpecPatch")
				if own.Kind() <= document.Null {
					own = defaults.Get("podSpecPatch")
				}
				found = append(found, w.patched([]document.Value{spec.Get("podSpecPatch"), own}, budget))
			}
		}
		return found
	}
}

// tasks makes the workloads of a Tekton object: one for each task that it describes itself
// (tekton.dev/docs/pipelines). What a Task leaves open, the run that uses it says.
func tasks(o *Object, budget *int) []*Workload {
	spec := o.Root.Get("spec")
	if strings.HasSuffix(o.Kind, "Task") {
		return task(o, spec, nil, PodFields, budget)
	}
	run := []document.Value{spec.Get("podTemplate"), spec.At("taskRunTemplate", "podTemplate"), spec, spec.Get("taskRunTemplate")}
	leaves := Nothing
	if o.Kind == "Pipeline" {
		run, leaves = nil, PodFields
	}
	var found []*Workload
	for _, described := range spec.Find("taskSpec", document.Map) {
		found = append(found, task(o, described, run, leaves, budget)...)
	}
	if len(found) == 0 && (run != nil && (run[0].Len() > 0 || run[1].Len() > 0)) {
		a := newAssembly(o, spec, budget)
		a.pod(run...)
		if w := a.workload(Anything); w != nil {
			found = append(found, w)
		}
	}
	return found
}

func task(o *Object, spec document.Value, run []document.Value, leaves Leaves, budget *int) []*Workload {
	a := newAssembly(o, spec, budget)
	a.labels = spec.Get("metadata")
	a.pod(append(slices.Clip(run), spec)...)
	a.containers("containers", spec.Get("steps"), spec.Get("stepTemplate"))
	a.containers("containers", spec.Get("sidecars"), document.Value{})
	if w := a.workload(leaves); w != nil {
		return []*Workload{w}
	}
	return nil
}

// stepAction makes the workload of a Tekton StepAction, whose spec is a step.
func stepAction(o *Object, budget *int) []*Workload {
	spec := o.Root.Get("spec")
	a := newAssembly(o, spec, budget)
	a.container("containers", spec, document.Value{}, "step")
	if w := a.workload(PodFields); w != nil {
		return []*Workload{w}
	}
	return nil
}

// sidecarSet makes the workload of an OpenKruise SidecarSet: containers that are added to other pods.
func sidecarSet(o *Object, budget *int) []*Workload {
	spec := o.Root.Get("spec")
	a := newAssembly(o, spec, budget)
	a.pod(spec)
	a.containers("initContainers", spec.Get("initContainers"), document.Value{})
	a.containers("containers", spec.Get("containers"), document.Value{})
	if w := a.workload(PodFields); w != nil {
		return []*Workload{w}
	}
	return nil
}

// inference makes the workloads of a KServe InferenceService, whose components are pod specs
// (kserve.github.io, API reference). A model's container is the runtime's, changed by what stands here.
func inference(o *Object, budget *int) []*Workload {
	var found []*Workload
	for _, component := range []string{"predictor", "transformer", "explainer"} {
		spec := o.Root.At("spec", component)
		if spec.Kind() != document.Map {
			continue
		}
		leaves := Nothing
		a := newAssembly(o, spec, budget)
		a.pod(spec)
		a.containers("initContainers", spec.Get("initContainers"), document.Value{})
		a.containers("containers", spec.Get("containers"), document.Value{})
		if model := spec.Get("model"); model.Kind() == document.Map {
			a.container("containers", model, document.Value{}, "kserve-container")
			leaves = Anything
		}
		if w := a.workload(leaves); w != nil {
			found = append(found, w)
		}
	}
	return found
}
