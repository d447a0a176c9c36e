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
	// Leaves says what the template leaves to its controller, or to who uses it.
	Leaves Leaves
	// grafts say where the parts of an assembled template stand; nil for one that stands in the object.
	grafts []graft
	// doubt is why nothing of the template is known to be well; "" for nearly all.
	doubt string
	// Pods counts the pods and intermediate owners (ReplicaSets, Jobs; old revisions not) that were
	// read and are judged through this workload.
	Pods int
}

// Leaves is how much of the pod a template leaves to be filled in by others. What it leaves open is
// not told as missing; what stands in it is judged like any other.
type Leaves uint8

// Nothing is left open by the templates of Kubernetes' own kinds. PodFields are left open by a Tekton
// Task, which a run completes; Anything by the overrides that an operator lays over its own pods.
const (
	Nothing Leaves = iota
	PodFields
	Anything
)

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

// IsNamed says whether people mean the workload by a word: "name", "namespace/name", "namespace/*",
// "kind/name" or "namespace/kind/name".
func (w *Workload) IsNamed(word string) bool {
	parts := strings.Split(word, "/")
	namespace, name := Place(w.Object.Namespace), w.Object.Name
	isKind := func(kind string) bool { return strings.EqualFold(kind, w.Object.Kind) }
	switch len(parts) {
	case 1:
		return parts[0] == name
	case 2:
		return parts[0] == namespace && (parts[1] == name || parts[1] == "*") || isKind(parts[0]) && parts[1] == name
	case 3:
		return parts[0] == namespace && isKind(parts[1]) && parts[2] == name
	}
	return false
}

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

// PodKinds are the known kinds that carry pod templates or containers, "Kind" or "Kind.group", sorted.
func PodKinds() []string {
	kinds := slices.Collect(maps.Keys(templatePaths))
	return slices.Sorted(slices.Values(slices.AppendSeq(kinds, maps.Keys(assemblers))))
}

// MayCarryPods says whether an object of a kind, "Kind" or "Kind.group", may hold pod templates or containers: one of the known kinds, or
// a custom resource, of which nobody knows.
func MayCarryPods(kind string) bool {
	_, known := templatePaths[kind]
	_, group := SplitKind(kind)
	return known || assemblers[kind] != nil || mayEmbed(group)
}

// workloads are the pod templates of an object: one for the known kinds, and of any other kind as
// many as it embeds.
func workloads(o *Object) []*Workload {
	if path, known := templatePaths[o.GroupKind()]; known {
		if w := knownWorkload(o, path); w != nil {
			return []*Workload{w}
		}
		return nil
	}
	var found []*Workload
	if of := assemblers[o.GroupKind()]; of != nil {
		found = assemble(o, of)
	} else if mayEmbed(o.Group()) {
		found = embedded(o)
	}
	shareDoubt(found)
	return found
}

// shareDoubt makes the doubt of one template that of all of the object: the API server refuses it whole.
func shareDoubt(list []*Workload) {
	for _, w := range list {
		text := w.Doubt()
		if text == "" || len(list) == 1 {
			continue
		}
		for _, other := range list {
			if other.Doubt() == "" {
				other.doubt = text
			}
		}
		return
	}
}

// embedded is the pod templates that an object of a kind that is not known holds: lists of
// containers in something that is called a pod's spec.
func embedded(o *Object) []*Workload {
	var found []*Workload
	budget := assembledNodes
	for _, v := range o.Root.Find("containers", document.List) {
		steps := v.Steps()
		n := len(steps)
		if n < 3 || !looksLikeContainers(v) {
			continue
		}
		parent := o.Root.Follow(steps[:n-1])
		var w *Workload
		switch name := strings.ToLower(steps[n-2].Key); {
		case name == "spec":
			w = newWorkload(o, o.Root.Follow(steps[:n-2]), steps[:n-2])
		case strings.HasSuffix(name, "podspec") || strings.HasSuffix(name, "podtemplate") || strings.HasSuffix(name, "podtemplatespec"):
			a := newAssembly(o, parent, &budget)
			a.pod(parent)
			for _, field := range ContainerFields {
				a.containers(field, parent.Get(field), document.Value{})
			}
			w = a.workload(Nothing)
		}
		if w == nil {
			continue
		}
		if isOverride(o.Group()) || slices.ContainsFunc(w.Containers, func(c Container) bool { return !c.Value.Get("image").Exists() }) {
			w.Leaves = Anything
		}
		found = append(found, w)
	}
	return found
}

// overrides are the API groups, and the ends of some, whose operators lay the templates of their
// resources over pods of their own (the API reference of each).
var overrides = []string{
	"k8s.elastic.co", "flink.apache.org", "sparkoperator.k8s.io", "rabbitmq.com", "grafana.integreatly.org", "machinelearning.seldon.io",
	"postgresql.cnpg.io", "kafka.strimzi.io", "gateway.envoyproxy.io", "monitoring.coreos.com", "acme.cert-manager.io", "cert-manager.io",
}

func isOverride(group string) bool {
	return slices.ContainsFunc(overrides, func(end string) bool { return strings.HasSuffix(group, end) })
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
	for _, suffix := range []string{"kyverno.io", "gatekeeper.sh"} {
		if strings.HasSuffix(group, suffix) {
			return false
		}
	}
	return !ownGroups[strings.TrimSuffix(group, ".k8s.io")]
}

// ownGroups are the API groups of Kubernetes itself that end in .k8s.io, without that ending
// (k8s.io/api v0.37, apiextensions-apiserver, kube-aggregator).
var ownGroups = map[string]bool{
	"admission": true, "admissionregistration": true, "apiextensions": true, "apiregistration": true, "apidiscovery": true,
	"authentication": true, "rbac.authorization": true, "authorization": true, "certificates": true, "coordination": true,
	"discovery": true, "events": true, "flowcontrol.apiserver": true, "imagepolicy": true, "internal.apiserver": true, "networking": true,
	"node": true, "resource": true, "scheduling": true, "storage": true, "storagemigration": true, "metrics": true, "custom.metrics": true,
}

// looksLikeContainers says whether any item has what a container must have.
func looksLikeContainers(list document.Value) bool {
	for _, item := range list.Items() {
		if item.Get("image").Kind() == document.String || item.Get("name").Kind() == document.String {
			return true
		}
	}
	return false
}

func newWorkload(o *Object, template document.Value, path []document.Step) *Workload {
	spec := template.Get("spec")
	w := &Workload{Object: o, Template: template, Spec: spec, Path: append(slices.Clip(path), document.Step{Key: "spec"})}
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

// added are the fields of a pod spec that admission, controllers and the scheduler write into pods
// and that say nothing of what the pod may do; tolerations and volumes are looked at one by one.
var added = map[string]bool{
	"nodeName": true, "hostname": true, "subdomain": true, "affinity": true, "priority": true, "preemptionPolicy": true, "enableServiceLinks": true,
	"serviceAccount": true, "serviceAccountName": true, "imagePullSecrets": true, "schedulerName": true, "overhead": true, "tolerations": true, "volumes": true,
	"initContainers": true, "containers": true, "ephemeralContainers": true, "securityContext": true, "schedulingGates": true, "resources": true,
}

// shape is what a pod shares with the template it was made from, whatever admission and the
// scheduler added: all that its containers are, what it mounts and what it takes of the node.
func (w *Workload) shape() []byte {
	var b []byte
	for i := range w.Containers {
		c := &w.Containers[i]
		b = append(append(b, c.Field...), 0)
		b = appendFields(b, c.Value, func(key string, v document.Value) bool {
			return key == "resources" || key == "volumeMounts" || v.Kind() == document.Null
		})
		for _, m := range c.Value.Get("volumeMounts").Items() {
			if m.Get("mountPath").Str() != tokenPath {
				b = m.AppendSorted(b)
			}
		}
	}
	b = appendFields(b, w.Spec, func(key string, v document.Value) bool { return added[key] || v.Kind() == document.Null })
	if s := w.Spec.Get("securityContext"); s.Len() > 0 {
		b = s.AppendSorted(b)
	}
	b = append(append(b, w.ServiceAccount()...), 0)
	for _, t := range w.Spec.Get("tolerations").Items() {
		if !strings.HasPrefix(t.Get("key").Str(), "node.kubernetes.io/") {
			b = t.AppendSorted(b)
		}
	}
	for _, v := range w.Spec.Get("volumes").Items() {
		if !v.Get("persistentVolumeClaim").Exists() && !strings.HasPrefix(v.Get("name").Str(), "kube-api-access-") {
			b = v.AppendSorted(b)
		}
	}
	for key, v := range w.Annotations().Fields() {
		if strings.HasPrefix(key, "container.apparmor.security.beta.kubernetes.io/") {
			b = append(append(append(b, key...), 0), v.Text()...)
		}
	}
	return b
}

// tokenPath is where admission mounts a service account's token.
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// appendFields appends a map's entries in the order of their keys, but for those that skip names.
func appendFields(b []byte, v document.Value, skip func(string, document.Value) bool) []byte {
	var keys []string
	for key, entry := range v.Fields() {
		if !skip(key, entry) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		b = append(v.Get(key).AppendSorted(append(append(b, key...), 0)), 0)
	}
	return b
}
