package fact

import (
	"maps"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// Workload is one pod template with its owner, whatever the kind.
type Workload struct {
	// Object carries the template: a Deployment, a CronJob, a lone Pod, a custom resource.
	Object *Object
	// Template is the map with the pod's metadata and spec; of a Pod it is the object itself.
	Template document.Value
	// Spec is the pod spec.
	Spec document.Value
	// Path is where Spec stands in the object: "spec.template.spec".
	Path       []document.Step
	Containers []Container
	// Pods counts the pods and intermediate owners (ReplicaSets, Jobs) that were read and are
	// judged through this workload.
	Pods int
}

// Role is what a container is for.
type Role uint8

// The roles. A Sidecar is an init container that keeps running (restartPolicy Always).
const (
	App Role = iota
	Init
	Sidecar
	Ephemeral
)

var roleNames = [...]string{"app", "init", "sidecar", "ephemeral"}

// String is the role's word.
func (r Role) String() string { return roleNames[r] }

// Container is one container of a workload.
type Container struct {
	Value document.Value
	Role  Role
	// Field is the pod spec's list it stands in, Index its place there.
	Field string
	Index int
	Name  string
}

// ContainerFields are the lists of containers of a pod spec.
var ContainerFields = []string{"initContainers", "containers", "ephemeralContainers"}

// Labels is the labels of the workload's pods.
func (w *Workload) Labels() document.Value { return w.Template.At("metadata", "labels") }

// Annotations is the annotations of the workload's pods.
func (w *Workload) Annotations() document.Value { return w.Template.At("metadata", "annotations") }

// ServiceAccount is the name of the account that the pods run as.
func (w *Workload) ServiceAccount() string {
	for _, field := range []string{"serviceAccountName", "serviceAccount"} {
		if name := w.Spec.Get(field).Str(); name != "" {
			return name
		}
	}
	return "default"
}

// OS is the operating system of the pods: "windows" where the pod spec says so, else "linux".
func (w *Workload) OS() string {
	if w.Spec.At("os", "name").Str() == "windows" {
		return "windows"
	}
	return "linux"
}

// templatePaths is where known kinds hold their pod template, by kind and group. An empty path is
// the object itself.
var templatePaths = map[string]string{
	"Pod":                                "",
	"ReplicationController":              "spec.template",
	"PodTemplate":                        "template",
	"Deployment.apps":                    "spec.template",
	"Deployment.extensions":              "spec.template",
	"ReplicaSet.apps":                    "spec.template",
	"ReplicaSet.extensions":              "spec.template",
	"StatefulSet.apps":                   "spec.template",
	"DaemonSet.apps":                     "spec.template",
	"DaemonSet.extensions":               "spec.template",
	"Job.batch":                          "spec.template",
	"CronJob.batch":                      "spec.jobTemplate.spec.template",
	"ScheduledJob.batch":                 "spec.jobTemplate.spec.template",
	"Rollout.argoproj.io":                "spec.template",
	"DeploymentConfig.apps.openshift.io": "spec.template",
	"DeploymentConfig":                   "spec.template",
	"Service.serving.knative.dev":        "spec.template",
	"Configuration.serving.knative.dev":  "spec.template",
	"Revision.serving.knative.dev":       "",
	"ScaledJob.keda.sh":                  "spec.jobTargetRef.template",
}

// PodKinds are the known kinds that carry a pod template, "Kind" or "Kind.group", sorted.
func PodKinds() []string { return slices.Sorted(maps.Keys(templatePaths)) }

// workloads are the pod templates of an object: one for the known kinds, and of any other kind as
// many as it embeds.
func workloads(o *Object) []*Workload {
	if path, known := templatePaths[o.GroupKind()]; known {
		if w := knownWorkload(o, path); w != nil {
			return []*Workload{w}
		}
		return nil
	}
	if !mayEmbed(o.Group()) {
		return nil
	}
	var found []*Workload
	for _, v := range o.Root.Find("containers", document.List) {
		steps := v.Steps()
		n := len(steps)
		if n < 4 || steps[n-2].Key != "spec" || !looksLikeContainers(v) {
			continue
		}
		template := o.Root.Follow(steps[:n-2])
		found = append(found, newWorkload(o, template, steps[:n-2]))
	}
	return found
}

// knownWorkload follows the path of a known kind. A value on it that should be a map and is none
// stands for the pod spec: what needs the spec is then not known. Without a spec there is no workload.
func knownWorkload(o *Object, path string) *Workload {
	template := o.Root
	var steps []document.Step
	for key := range strings.SplitSeq(path, ".") {
		if key == "" {
			continue
		}
		next := template.Get(key)
		if k := next.Kind(); k > document.Null && k != document.Map {
			return &Workload{Object: o, Template: template, Spec: next, Path: append(steps, document.Step{Key: key})}
		}
		template, steps = next, append(steps, document.Step{Key: key})
	}
	if template.Get("spec").Kind() <= document.Null {
		return nil
	}
	return newWorkload(o, template, steps)
}

// mayEmbed says whether custom resources of the group may hold pod templates. Kubernetes' own
// groups are known, and what stands in a policy is a pattern, not a template.
func mayEmbed(group string) bool {
	if !strings.Contains(group, ".") {
		return false
	}
	for _, suffix := range []string{".k8s.io", "kyverno.io", "gatekeeper.sh"} {
		if strings.HasSuffix(group, suffix) {
			return false
		}
	}
	return true
}

func looksLikeContainers(list document.Value) bool {
	for _, item := range list.Items() {
		if item.Get("image").Kind() != document.String && item.Get("name").Kind() != document.String {
			return false
		}
	}
	return list.Len() > 0
}

func newWorkload(o *Object, template document.Value, path []document.Step) *Workload {
	spec := template.Get("spec")
	w := &Workload{Object: o, Template: template, Spec: spec, Path: append(path[:len(path):len(path)], document.Step{Key: "spec"})}
	for _, field := range ContainerFields {
		for i, c := range spec.Get(field).Items() {
			role := App
			switch field {
			case "initContainers":
				role = Init
				if c.Get("restartPolicy").Str() == "Always" {
					role = Sidecar
				}
			case "ephemeralContainers":
				role = Ephemeral
			}
			w.Containers = append(w.Containers, Container{Value: c, Role: role, Field: field, Index: i, Name: c.Get("name").Str()})
		}
	}
	return w
}

// shape is what a pod shares with the template it was made from, whatever admission and the
// scheduler added: what its containers run and with which rights, and what it takes of the node.
func (w *Workload) shape() []byte {
	var b []byte
	field := func(v document.Value, keys ...string) {
		for _, key := range keys {
			b = append(v.Get(key).AppendSorted(b), 0)
		}
	}
	for i := range w.Containers {
		c := &w.Containers[i]
		b = append(append(b, c.Field...), 0)
		field(c.Value, "name", "image", "command", "args", "restartPolicy", "securityContext", "ports", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
	}
	field(w.Spec, "hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")
	if s := w.Spec.Get("securityContext"); s.Len() > 0 {
		b = s.AppendSorted(b)
	}
	b = append(append(b, w.ServiceAccount()...), 0)
	for _, v := range w.Spec.Get("volumes").Items() {
		if v.Get("hostPath").Exists() {
			b = v.AppendSorted(b)
		}
	}
	return b
}
