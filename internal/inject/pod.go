package inject

import (
	"slices"
	"strconv"

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

// path is a path below the template as one below the object.
func (p *pod) path(keys ...string) []string { return slices.Concat(p.base, keys) }

// item is the path of an item of a list of the pod spec.
func (p *pod) item(field string, i int, keys ...string) []string {
	return append(p.path("spec", field, strconv.Itoa(i)), keys...)
}

// annotation is one of the pod's annotations.
func (p *pod) annotation(key string) string {
	return p.text(p.path("metadata", "annotations", key)...)
}

// indexOf is the place of a name in a list of the pod spec; -1 for none.
func (p *pod) indexOf(field, name string) int {
	return slices.IndexFunc(p.list(p.path("spec", field)...), func(item any) bool { return nameOf(item) == name })
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
