package inject

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// templatesAt is where the kinds of Kubernetes' own hold a pod template.
var templatesAt = map[string][]string{
	"Pod":                   {},
	"PodTemplate":           {"template"},
	"ReplicationController": {"spec", "template"},
	"Deployment.apps":       {"spec", "template"},
	"ReplicaSet.apps":       {"spec", "template"},
	"StatefulSet.apps":      {"spec", "template"},
	"DaemonSet.apps":        {"spec", "template"},
	"Job.batch":             {"spec", "template"},
	"CronJob.batch":         {"spec", "jobTemplate", "spec", "template"},
}

// pod is a pod template, or a pod, on its way to another one.
type pod struct {
	*sheet
	base []string
}

// newPod begins with an object as it is; the error is why nothing can be done about it.
func newPod(root document.Value, base []string) (*pod, error) {
	p := &pod{newSheet(root), base}
	return p, p.shape()
}

// path is a path below the template as one below the object.
func (p *pod) path(keys ...string) []string { return slices.Concat(p.base, keys) }

// item is the path of an item of a list of the pod spec.
func (p *pod) item(field string, i int, keys ...string) []string {
	return append(p.path("spec", field, strconv.Itoa(i)), keys...)
}

// annotated is the annotation that tells what was injected.
func (p *pod) annotated() string {
	return p.text(p.path("metadata", "annotations", InjectedKey)...)
}

// indexOf is the place of a name in a list of the pod spec; -1 for none.
func (p *pod) indexOf(field, name string) int {
	return slices.IndexFunc(p.list(p.path("spec", field)...), func(item any) bool { return nameOf(item) == name })
}

// shape is an error for a pod that the API server would not read: what to do with it nobody can say.
func (p *pod) shape() error {
	isMap := func(v any) bool { _, ok := v.(map[string]any); return v == nil || ok }
	isList := func(v any) bool {
		l, ok := v.([]any)
		return v == nil || ok && !slices.ContainsFunc(l, func(item any) bool { return item == nil || !isMap(item) })
	}
	wrong := func(path []string) error {
		return fmt.Errorf("nothing is changed: %s is not of the type that the API has there", pointer(path))
	}
	for _, path := range [][]string{{"metadata"}, {"metadata", "annotations"}, p.path("metadata"), p.path("metadata", "annotations"), p.path("spec")} {
		if !isMap(p.at(path...)) {
			return wrong(path)
		}
	}
	for _, field := range append([]string{"volumes"}, fields...) {
		if !isList(p.at(p.path("spec", field)...)) {
			return wrong(p.path("spec", field))
		}
		for i := range p.list(p.path("spec", field)...) {
			for _, key := range []string{"env", "volumeMounts", "ports"} {
				if !isList(p.at(p.item(field, i, key)...)) {
					return wrong(p.item(field, i, key))
				}
			}
			for _, path := range [][]string{p.item(field, i, "resources"), p.item(field, i, "resources", "limits"), p.item(field, i, "resources", "requests")} {
				if !isMap(p.at(path...)) {
					return wrong(path)
				}
			}
		}
	}
	if len(p.list(p.path("spec", "containers")...)) == 0 {
		return wrong(p.path("spec", "containers"))
	}
	return nil
}

// isWindows says whether the pod runs on Windows, for which no template is.
func (p *pod) isWindows() bool { return p.text(p.path("spec", "os", "name")...) == "windows" }

// onNodeNetwork says whether its ports are the node's.
func (p *pod) onNodeNetwork() bool { return p.at(p.path("spec", "hostNetwork")...) == true }

// ends says whether the pod is done when its programs are.
func (p *pod) ends() bool {
	policy := p.text(p.path("spec", "restartPolicy")...)
	return policy == "Never" || policy == "OnFailure"
}

// standing says whether the object was there before: the API server lets nobody change a pod's or a job's template, and
// what a controller made is compared with what it was made of, so that a changed copy would be made anew for ever
// (k8s.io/kubernetes pkg/controller/deployment, FindNewReplicaSet). Pods alone may differ from their template.
func standing(o *fact.Object) bool {
	kind := o.GroupKind()
	if kind == "Pod" || kind == "Job.batch" {
		if o.Root.At("metadata", "resourceVersion").Str() != "" {
			return true
		}
	}
	if kind == "Pod" {
		return o.Root.At("metadata", "annotations").Get("kubernetes.io/config.mirror").Exists()
	}
	for _, owner := range o.Root.At("metadata", "ownerReferences").Items() {
		if owner.Get("controller").Bool() {
			return true
		}
	}
	return false
}
