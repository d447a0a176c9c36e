package fact

import (
	"github.com/coaming/coaming/internal/document"
)

// Some kinds hold containers without a pod spec around them: the steps of a Tekton Task, the
// templates of an Argo Workflow. Of each the pod template that its controller would make is
// assembled, as a document of its own, with a note of where in the object every part was taken from.

// assembly makes one pod template out of parts of an object.
type assembly struct {
	object *Object
	// home is where fields of the pod that nothing gives would stand in the object.
	home   document.Value
	fields []string // of the pod spec, in order
	parts  map[string][]byte
	counts map[string]int // containers by field
	grafts []graft
	labels document.Value
	budget *int
}

// graft says that what stands at a path of the assembled template stands elsewhere in the object.
type graft struct{ at, from []document.Step }

// assembledNodes bounds how many values the templates assembled of one object may hold together:
// what its templates share is repeated in each.
const assembledNodes = 400_000

func newAssembly(o *Object, home document.Value, budget *int) *assembly {
	a := &assembly{object: o, home: home, parts: map[string][]byte{}, counts: map[string]int{}, budget: budget}
	a.graft(home, "spec")
	return a
}

// graft notes where the value at keys of the template stands; a number among them is an index.
func (a *assembly) graft(from document.Value, at ...any) {
	var steps []document.Step
	for _, key := range at {
		switch key := key.(type) {
		case string:
			steps = append(steps, document.Step{Key: key})
		case int:
			steps = append(steps, document.Step{Index: key})
		}
	}
	a.grafts = append(a.grafts, graft{steps, from.Steps()})
}

// spend counts values that are about to be copied, and says whether they still fit.
func (a *assembly) spend(v document.Value) bool {
	*a.budget -= v.Nodes()
	return *a.budget >= 0
}

func (a *assembly) set(field string, raw []byte) {
	if a.parts[field] == nil {
		a.fields = append(a.fields, field)
	}
	a.parts[field] = raw
}

// podFields are the fields of a pod spec that the kinds here name as a pod spec does.
var podFields = []string{
	"activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostIPC",
	"hostNetwork", "hostPID", "hostUsers", "imagePullSecrets", "nodeName", "nodeSelector", "priorityClassName", "runtimeClassName",
	"schedulerName", "securityContext", "serviceAccountName", "shareProcessNamespace", "tolerations", "topologySpreadConstraints",
}

// pod takes the fields of the pod spec, each from the first of the layers that has it, and the
// volumes of all.
func (a *assembly) pod(layers ...document.Value) {
	for _, field := range podFields {
		for _, layer := range layers {
			if v := layer.Get(field); v.Kind() > document.Null && a.spend(v) {
				a.set(field, v.AppendJSON(nil))
				a.graft(v, "spec", field)
				break
			}
		}
	}
	raw := []byte{'['}
	n := 0
	for _, layer := range layers {
		list := layer.Get("volumes")
		if k := list.Kind(); k > document.Null && k != document.List {
			a.set("volumes", list.AppendJSON(nil)) // what the API refuses, Doubt tells
			a.graft(list, "spec", "volumes")
			return
		}
		for _, volume := range list.Items() {
			if !a.spend(volume) {
				return
			}
			if n > 0 {
				raw = append(raw, ',')
			}
			raw = volume.AppendJSON(raw)
			a.graft(volume, "spec", "volumes", n)
			n++
		}
	}
	if n > 0 {
		a.set("volumes", append(raw, ']'))
	}
}

// containers takes a list of containers, each on top of the defaults.
func (a *assembly) containers(field string, list, defaults document.Value) {
	if k := list.Kind(); k > document.Null && k != document.List {
		a.set(field, list.AppendJSON(nil))
		a.graft(list, "spec", field)
		return
	}
	for _, c := range list.Items() {
		a.container(field, c, defaults, "")
	}
}

// container takes one container on top of the defaults; name is for one that has none.
func (a *assembly) container(field string, c, defaults document.Value, name string) {
	if c.Kind() <= document.Null {
		return
	}
	if !a.spend(defaults) {
		defaults = document.Value{}
	}
	n := a.counts[field]
	a.counts[field]++
	a.graft(c, "spec", field, n)
	if a.object.APIVersion == "tekton.dev/v1" && c.Get("image").Exists() {
		own := []document.Step{{Key: "spec"}, {Key: field}, {Index: n}, {Key: "resources"}}
		a.grafts = append(a.grafts, graft{own, append(c.Steps(), document.Step{Key: "computeResources"})})
	}
	raw := a.parts[field]
	if n == 0 {
		raw = []byte{'['}
	} else {
		raw[len(raw)-1] = ','
	}
	a.set(field, append(a.containerJSON(raw, c, defaults, name, field, n), ']'))
}

// renamed are the fields of a step that a container has under another name.
var renamed = map[string]string{"computeResources": "resources"}

func (a *assembly) containerJSON(raw []byte, c, defaults document.Value, name, field string, n int) []byte {
	if c.Kind() != document.Map {
		return c.AppendJSON(raw)
	}
	raw = append(raw, '{')
	key := func(name string) { raw = appendKey(raw, name) }
	if name != "" && !c.Get("name").Exists() {
		key("name")
		raw = append(append(append(raw, '"'), name...), '"')
	}
	for _, own := range containerFields {
		v, under := either(c, own), either(defaults, own)
		switch {
		case own == "args":
			if merged := a.arguments(c, v, field, n); merged != nil {
				key(own)
				raw = append(raw, merged...)
			}
		case v.Kind() <= document.Null && under.Kind() > document.Null:
			key(own)
			raw = under.AppendJSON(raw)
			a.graft(under, "spec", field, n, own)
		case v.Kind() == document.Map && under.Kind() == document.Map:
			key(own)
			raw = a.mergeMaps(raw, v, under, field, n, own)
		case v.Kind() == document.List && under.Kind() == document.List:
			key(own)
			raw = a.mergeLists(raw, v, under, field, n, own)
		case v.Exists():
			key(own)
			raw = v.AppendJSON(raw)
			a.graft(v, "spec", field, n, own)
		}
	}
	return append(raw, '}')
}

// containerFields are the fields of a container that a rule may read (k8s.io/api core/v1).
var containerFields = []string{
	"name", "image", "imagePullPolicy", "command", "args", "workingDir", "env", "envFrom", "ports", "resources", "securityContext", "volumeMounts",
	"volumeDevices", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe", "restartPolicy", "stdin", "tty", "terminationMessagePath",
}

// either is the field under its own name, or under the one that a step gives it.
func either(c document.Value, field string) document.Value {
	if v := c.Get(field); v.Exists() {
		return v
	}
	for other, own := range renamed {
		if own == field {
			return c.Get(other)
		}
	}
	return document.Value{}
}

// arguments are a container's own, and the script that it is given as text: its command runs that.
func (a *assembly) arguments(c, args document.Value, field string, n int) []byte {
	script := c.Get("script")
	if script.Kind() != document.String {
		script = c.Get("source")
	}
	if k := args.Kind(); k > document.Null && k != document.List || script.Kind() != document.String {
		if k <= document.Null {
			return nil
		}
		a.graft(args, "spec", field, n, "args")
		return args.AppendJSON(nil)
	}
	raw := []byte{'['}
	count := 0
	for _, arg := range args.Items() {
		a.graft(arg, "spec", field, n, "args", count)
		raw = append(arg.AppendJSON(raw), ',')
		count++
	}
	a.graft(script, "spec", field, n, "args", count)
	return append(script.AppendJSON(raw), ']')
}

// appendKey writes a key of the JSON map that was begun.
func appendKey(raw []byte, name string) []byte {
	if raw[len(raw)-1] != '{' {
		raw = append(raw, ',')
	}
	return append(document.AppendString(raw, name), ':')
}

func (a *assembly) mergeMaps(raw []byte, over, under document.Value, field string, n int, own string) []byte {
	raw = append(raw, '{')
	for _, layer := range []document.Value{over, under} {
		for key, v := range layer.Fields() {
			if layer != over && over.Get(key).Kind() > document.Null || layer == over && v.Kind() <= document.Null {
				continue
			}
			a.graft(v, "spec", field, n, own, key)
			raw = v.AppendJSON(appendKey(raw, key))
		}
	}
	return append(raw, '}')
}

// mergeLists puts the defaults that the list does not name itself behind it.
func (a *assembly) mergeLists(raw []byte, over, under document.Value, field string, n int, own string) []byte {
	raw = append(raw, '[')
	count := 0
	named := map[string]bool{}
	add := func(v document.Value) {
		if count > 0 {
			raw = append(raw, ',')
		}
		raw = v.AppendJSON(raw)
		a.graft(v, "spec", field, n, own, count)
		count++
	}
	for _, v := range over.Items() {
		named[v.Get("name").Str()] = true
		add(v)
	}
	for _, v := range under.Items() {
		if !named[v.Get("name").Str()] {
			add(v)
		}
	}
	return append(raw, ']')
}

// workload is the assembled template; nil when it holds no container and leaves is Nothing.
func (a *assembly) workload(leaves Leaves) *Workload {
	if a.counts["containers"]+a.counts["initContainers"] == 0 && a.parts["containers"] == nil && (leaves == Nothing || len(a.fields) == 0) {
		return nil
	}
	raw := []byte(`{`)
	if a.labels.Kind() == document.Map && a.spend(a.labels) {
		raw = append(a.labels.AppendJSON(append(raw, `"metadata":`...)), ',')
		a.graft(a.labels, "metadata")
	}
	raw = append(raw, `"spec":{`...)
	for i, field := range a.fields {
		if i > 0 {
			raw = append(raw, ',')
		}
		raw = append(append(document.AppendString(raw, field), ':'), a.parts[field]...)
	}
	docs, _ := document.Read(document.NewText(string(append(raw, "}}"...))), 1)
	w := &Workload{Object: a.object, Path: []document.Step{{Key: "spec"}}, grafts: a.grafts, Leaves: leaves}
	if len(docs) == 1 {
		template := docs[0].Root()
		w = newWorkload(a.object, template, nil)
		w.grafts, w.Leaves = a.grafts, leaves
	} else {
		w.doubt = "the pod that its controller makes of it cannot be told"
	}
	if *a.budget < 0 {
		w.doubt = "the object holds more templates than are judged together"
	}
	return w
}

// Place is where something of the workload stands in its object: path begins at the object's root,
// with the template where Path has it.
func (w *Workload) Place(path []document.Step) []document.Step {
	best := -1
	for i := range w.grafts {
		g := &w.grafts[i]
		if len(g.at) <= len(path) && (best < 0 || len(g.at) >= len(w.grafts[best].at)) && begins(path, g.at) {
			best = i
		}
	}
	if best < 0 {
		return path
	}
	g := &w.grafts[best]
	return append(append([]document.Step{}, g.from...), path[len(g.at):]...)
}

func begins(path, prefix []document.Step) bool {
	for i := range prefix {
		if path[i] != prefix[i] {
			return false
		}
	}
	return true
}
