package inject

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
)

// NativeSince is the first Kubernetes version whose servers and nodes run native sidecars, init containers with
// restartPolicy Always, unless told otherwise: the feature gate SidecarContainers is beta, and on, since 1.29
// (KEP-753, https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/).
const NativeSince = "1.29"

// weaving puts sidecars into one pod.
type weaving struct {
	*pod
	native   bool
	injected map[string]string   // by the pod's annotation: template -> version
	all      []*Sidecar          // of the pod, sorted by name
	why      map[string]string   // by topic
	notes    map[string][]string // by template: what differed of one that was there
}

// weave puts sidecars into a pod, each whole or not at all; the error tells of those that are not in it.
func weave(p *pod, all []*Sidecar, server string) (*weaving, error) {
	w := &weaving{
		pod: p, native: catalog.Reached(server, NativeSince), injected: versions(p.annotated()),
		all: slices.Clone(all), why: map[string]string{}, notes: map[string][]string{},
	}
	slices.SortFunc(w.all, func(a, b *Sidecar) int { return strings.Compare(a.Name, b.Name) })
	var errs []error
	for _, s := range w.all {
		if err := errors.Join(s.Serves(server), w.suits(s)); err != nil {
			errs = append(errs, err)
			continue
		}
		if conflicts := w.conflicts(s); len(conflicts) > 0 {
			errs = append(errs, fmt.Errorf("sidecar %s is not injected: %w", s.Name, errors.Join(conflicts...)))
			continue
		}
		if err := w.add(s); err != nil {
			return w, fmt.Errorf("sidecar %s: %w", s.Name, err)
		}
	}
	return w, errors.Join(errs...)
}

// suits is an error for a pod that no sidecar suits.
func (w *weaving) suits(s *Sidecar) error {
	switch {
	case w.isWindows():
		return fmt.Errorf("sidecar %s is not injected: the pod runs on Windows", s.Name)
	case w.ends() && (len(s.containers) > 0 || !w.native):
		return fmt.Errorf("sidecar %s is not injected: the pod ends with its programs, which a container beside them would keep it from; native sidecars are there from Kubernetes %s on", s.Name, NativeSince)
	}
	return nil
}

// ours says whether the pod was injected with the template before.
func (w *weaving) ours(s *Sidecar) bool { _, there := w.injected[s.Name]; return there }

// wanted are the sidecar's containers by the list that they belong into.
func (w *weaving) wanted(s *Sidecar) map[string][]any {
	if !w.native {
		return map[string][]any{"containers": slices.Concat(s.sidecars, s.containers)}
	}
	var native []any
	for _, c := range s.sidecars {
		m := maps.Clone(c.(map[string]any))
		m["restartPolicy"] = "Always"
		native = append(native, m)
	}
	return map[string][]any{"initContainers": native, "containers": s.containers}
}

// fields are the lists of containers, in a fixed order.
var fields = []string{"initContainers", "containers", "ephemeralContainers"}

// isOwn says whether a container is the pod's own, of none of the templates.
func (w *weaving) isOwn(name string) bool {
	return !slices.ContainsFunc(w.all, func(s *Sidecar) bool { return w.ours(s) && s.holds(name) })
}

// conflicts is everything in the pod that stands where the sidecar's parts must.
func (w *weaving) conflicts(s *Sidecar) []error {
	var errs []error
	for _, field := range fields {
		for _, item := range w.list(w.path("spec", field)...) {
			if name := nameOf(item); s.holds(name) && (!w.ours(s) || field == "ephemeralContainers") {
				errs = append(errs, fmt.Errorf("the pod has a container %s of its own", name))
			}
		}
	}
	for _, name := range names(s.volumes) {
		if w.indexOf("volumes", name) >= 0 && !w.ours(s) {
			errs = append(errs, fmt.Errorf("the pod has a volume %s of its own", name))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.annotations)) {
		if v := w.at(w.path("metadata", "annotations", key)...); v != nil && v != s.annotations[key] && !w.ours(s) {
			errs = append(errs, fmt.Errorf("the pod has an annotation %s of its own", key))
		}
	}
	errs = append(errs, w.portConflicts(s)...)
	w.programs(func(field string, i int, c map[string]any) {
		errs = append(errs, w.programConflicts(s, c)...)
	})
	return errs
}

// portConflicts are ports that the sidecar and another container both listen on: a pod has one network.
func (w *weaving) portConflicts(s *Sidecar) []error {
	taken := map[string]string{}
	for _, field := range fields {
		for _, item := range w.list(w.path("spec", field)...) {
			if !s.holds(nameOf(item)) {
				for _, port := range ports(item) {
					taken[port] = nameOf(item)
				}
			}
		}
	}
	var errs []error
	for _, c := range slices.Concat(s.sidecars, s.containers) {
		for _, port := range ports(c) {
			if by := taken[port]; by != "" {
				errs = append(errs, fmt.Errorf("port %s is container %s's", port, by))
			} else if w.onNodeNetwork() {
				errs = append(errs, fmt.Errorf("the pod is on its node's network, where port %s may be another's", port))
			}
		}
	}
	return errs
}

// ports are the ports of a container, "8080/TCP".
func ports(container any) []string {
	c, _ := container.(map[string]any)
	var out []string
	for _, item := range list(c["ports"]) {
		p, _ := item.(map[string]any)
		protocol := text(p["protocol"])
		if protocol == "" {
			protocol = "TCP"
		}
		out = append(out, text(p["containerPort"])+"/"+protocol)
	}
	return out
}

// programs walks the pod's own containers, init containers too.
func (w *weaving) programs(visit func(field string, i int, c map[string]any)) {
	for _, field := range fields[:2] {
		for i, item := range w.list(w.path("spec", field)...) {
			if c, ok := item.(map[string]any); ok && w.isOwn(nameOf(c)) {
				visit(field, i, c)
			}
		}
	}
}

func (w *weaving) programConflicts(s *Sidecar, c map[string]any) []error {
	var errs []error
	for _, e := range s.env {
		if i := indexOf(list(c["env"]), nameOf(e)); i >= 0 && !w.ours(s) && differs(e, list(c["env"])[i], "env") != "" {
			errs = append(errs, fmt.Errorf("container %s has a variable %s of its own", nameOf(c), nameOf(e)))
		}
	}
	for _, m := range s.mounts {
		for _, item := range list(c["volumeMounts"]) {
			if mountPath(item) == mountPath(m) && nameOf(item) != nameOf(m) {
				errs = append(errs, fmt.Errorf("container %s mounts another volume at %s", nameOf(c), mountPath(m)))
			}
		}
	}
	return errs
}

func indexOf(list []any, name string) int {
	return slices.IndexFunc(list, func(item any) bool { return nameOf(item) == name })
}

func mountPath(item any) string {
	m, _ := item.(map[string]any)
	return path.Clean(text(m["mountPath"]))
}

// add puts a sidecar in, or what differs of it.
func (w *weaving) add(s *Sidecar) error {
	before, had := len(w.ops), w.injected[s.Name]
	w.injected[s.Name] = s.Version
	errs := []error{w.addContainers(s), w.addVolumes(s), w.addToPrograms(s)}
	for _, key := range slices.Sorted(maps.Keys(s.annotations)) {
		if w.at(w.path("metadata", "annotations", key)...) != s.annotations[key] {
			w.note(s, "annotation "+key)
			errs = append(errs, w.put(s.annotations[key], w.path("metadata", "annotations", key)...))
		}
	}
	if len(w.ops) > before || had != s.Version {
		if text := injectedText(w.injected); text != w.annotated() {
			errs = append(errs, w.put(text, w.path("metadata", "annotations", InjectedKey)...))
		}
		w.why["sidecar "+s.Name] = s.reason()
	}
	return errors.Join(errs...)
}

// note keeps what differed of a sidecar: the part and the field.
func (w *weaving) note(s *Sidecar, what string) {
	if !strings.HasSuffix(what, "missing") {
		what += " is not what the template says"
	}
	w.notes[s.Name] = append(w.notes[s.Name], what)
}

// reason is the line that tells why a pod has the sidecar.
func (s *Sidecar) reason() string {
	line := "sidecar " + s.Name + "@" + s.Version
	if s.About != "" {
		line += ": " + oneLine(s.About)
	}
	return line
}

func (w *weaving) addContainers(s *Sidecar) error {
	wanted := w.wanted(s)
	w.takeOut(s, wanted)
	var errs []error
	for _, field := range fields[:2] {
		for _, c := range wanted[field] {
			at := w.indexOf(field, nameOf(c))
			switch {
			case at < 0:
				w.note(s, "container "+nameOf(c)+" is missing")
				errs = append(errs, w.insert(c, w.place(s, field, nameOf(c)), w.path("spec", field)...))
			case differs(c, w.at(w.item(field, at)...), "") != "":
				w.note(s, "container "+nameOf(c)+differs(c, w.at(w.item(field, at)...), ""))
				errs = append(errs, w.put(c, w.item(field, at)...))
			}
		}
	}
	return errors.Join(errs...)
}

// takeOut takes out containers of the sidecar that stand in the wrong list, as when a server has learnt of native ones.
func (w *weaving) takeOut(s *Sidecar, wanted map[string][]any) {
	for _, field := range fields[:2] {
		for i, item := range slices.Backward(w.list(w.path("spec", field)...)) {
			if name := nameOf(item); s.holds(name) && indexOf(wanted[field], name) < 0 {
				w.remove(i, w.path("spec", field)...)
			}
		}
	}
}

// place is where a container goes. Native sidecars stand before the pod's own init containers, so that they run while
// those do, in the order of their templates; ordinary ones behind the pod's own.
func (w *weaving) place(s *Sidecar, field, name string) int {
	list := w.list(w.path("spec", field)...)
	if field != "initContainers" {
		return len(list)
	}
	earlier := w.earlier(s, name)
	for i, item := range slices.Backward(list) {
		if slices.Contains(earlier, nameOf(item)) {
			return i + 1
		}
	}
	return 0
}

// earlier are the containers that stand before one of a sidecar.
func (w *weaving) earlier(s *Sidecar, name string) []string {
	var list []string
	for _, other := range w.all {
		if other == s {
			break
		}
		list = append(list, names(other.sidecars)...)
	}
	own := names(s.sidecars)
	return append(list, own[:max(slices.Index(own, name), 0)]...)
}

func (w *weaving) addVolumes(s *Sidecar) error {
	var errs []error
	for _, v := range s.volumes {
		at := w.indexOf("volumes", nameOf(v))
		switch {
		case at < 0:
			w.note(s, "volume "+nameOf(v)+" is missing")
			errs = append(errs, w.insert(v, len(w.list(w.path("spec", "volumes")...)), w.path("spec", "volumes")...))
		case differs(v, w.at(w.item("volumes", at)...), "") != "":
			w.note(s, "volume "+nameOf(v)+differs(v, w.at(w.item("volumes", at)...), ""))
			errs = append(errs, w.put(v, w.item("volumes", at)...))
		}
	}
	return errors.Join(errs...)
}

// addToPrograms gives the pod's own containers variables and mounts.
func (w *weaving) addToPrograms(s *Sidecar) error {
	var errs []error
	w.programs(func(field string, i int, c map[string]any) {
		for _, e := range s.env {
			at := indexOf(list(c["env"]), nameOf(e))
			switch {
			case at < 0:
				w.note(s, "variable "+nameOf(e)+" of container "+nameOf(c)+" is missing")
				errs = append(errs, w.insert(e, len(list(c["env"])), w.item(field, i, "env")...))
			case differs(e, list(c["env"])[at], "") != "":
				w.note(s, "variable "+nameOf(e)+" of container "+nameOf(c))
				errs = append(errs, w.put(e, w.item(field, i, "env", strconv.Itoa(at))...))
			}
		}
		for _, m := range s.mounts {
			at := w.mounted(s, c, m)
			switch {
			case at < 0:
				w.note(s, "mount "+mountPath(m)+" of container "+nameOf(c)+" is missing")
				errs = append(errs, w.insert(m, len(list(c["volumeMounts"])), w.item(field, i, "volumeMounts")...))
			case differs(m, list(c["volumeMounts"])[at], "") != "":
				w.note(s, "mount "+mountPath(m)+" of container "+nameOf(c))
				errs = append(errs, w.put(m, w.item(field, i, "volumeMounts", strconv.Itoa(at))...))
			}
		}
	})
	return errors.Join(errs...)
}

// mounted is the place of a mount in a container: the same one, or one of the same volume at a path that the template no
// longer says; -1 for none.
func (w *weaving) mounted(s *Sidecar, c map[string]any, m any) int {
	mounts := list(c["volumeMounts"])
	if i := slices.IndexFunc(mounts, func(item any) bool { return nameOf(item) == nameOf(m) && mountPath(item) == mountPath(m) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(mounts, func(item any) bool {
		return nameOf(item) == nameOf(m) && !slices.ContainsFunc(s.mounts, func(other any) bool { return mountPath(other) == mountPath(item) })
	})
}
