package fact

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/document"
)

// specKinds and containerKinds are what stands in the security-relevant fields of a pod spec and of
// a container (k8s.io/api core/v1). An expression may take a field of another kind for one that is
// not there, so that of such a workload nothing is known to be well.
var (
	specKinds = newFields(kindsOf{
		document.Bool: {
			"hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace", "automountServiceAccountToken", "enableServiceLinks",
			"securityContext.runAsNonRoot", "securityContext.windowsOptions.hostProcess",
		},
		document.Int: {"securityContext.runAsUser", "securityContext.runAsGroup", "securityContext.fsGroup", "terminationGracePeriodSeconds"},
		document.String: {
			"serviceAccountName", "serviceAccount", "nodeName", "runtimeClassName", "priorityClassName", "restartPolicy", "dnsPolicy",
			"os.name", "securityContext.seccompProfile.type", "securityContext.appArmorProfile.type",
			"securityContext.seccompProfile.localhostProfile", "securityContext.appArmorProfile.localhostProfile",
			"securityContext.supplementalGroupsPolicy", "securityContext.windowsOptions.runAsUserName",
		},
		document.Map: {
			"securityContext", "securityContext.seccompProfile", "securityContext.appArmorProfile", "securityContext.seLinuxOptions",
			"securityContext.windowsOptions", "nodeSelector", "affinity", "os", "resources",
		},
		document.List: {"volumes", "tolerations", "imagePullSecrets", "hostAliases", "topologySpreadConstraints", "securityContext.sysctls", "securityContext.supplementalGroups"},
	})
	containerKinds = newFields(kindsOf{
		document.Bool: {
			"securityContext.privileged", "securityContext.allowPrivilegeEscalation", "securityContext.runAsNonRoot",
			"securityContext.readOnlyRootFilesystem", "securityContext.windowsOptions.hostProcess", "stdin", "tty",
		},
		document.Int: {"securityContext.runAsUser", "securityContext.runAsGroup"},
		document.String: {
			"name", "image", "imagePullPolicy", "restartPolicy", "workingDir", "securityContext.procMount",
			"securityContext.seccompProfile.type", "securityContext.appArmorProfile.type",
			"securityContext.seccompProfile.localhostProfile", "securityContext.appArmorProfile.localhostProfile",
			"securityContext.windowsOptions.runAsUserName",
		},
		document.Map: {
			"securityContext", "securityContext.capabilities", "securityContext.seccompProfile", "securityContext.appArmorProfile",
			"securityContext.seLinuxOptions", "securityContext.windowsOptions", "resources", "resources.limits", "resources.requests",
			"lifecycle", "livenessProbe", "readinessProbe", "startupProbe",
		},
		document.List: {"command", "args", "env", "envFrom", "ports", "volumeMounts", "volumeDevices", "securityContext.capabilities.add", "securityContext.capabilities.drop"},
	})
	// itemsOf are the lists whose items are maps.
	itemsOf = map[string]bool{
		"env": true, "envFrom": true, "ports": true, "volumeMounts": true, "volumes": true, "securityContext.sysctls": true,
		"hostAliases": true, "tolerations": true, "volumeDevices": true,
	}
)

// kindsOf lists fields by the kind of their values.
type kindsOf map[document.Kind][]string

// fields are the same, and as a tree: most values have few of them, and all of the right kind.
type fields struct {
	kindsOf
	tree *field
}

// field is one with what stands below it; Missing is any kind.
type field struct {
	want  document.Kind
	items bool // are maps
	below map[string]*field
}

func newFields(kinds kindsOf) fields {
	f := fields{kinds, &field{}}
	for want, paths := range kinds {
		for _, path := range paths {
			at := f.tree
			for key := range strings.SplitSeq(path, ".") {
				if at.below == nil {
					at.below = map[string]*field{}
				}
				if at.below[key] == nil {
					at.below[key] = &field{}
				}
				at = at.below[key]
			}
			at.want, at.items = want, itemsOf[path]
		}
	}
	return f
}

// right says whether everything below is of the kind that it must be.
func (f *field) right(v document.Value) bool {
	for key, inner := range v.Fields() {
		known := f.below[key]
		if known == nil {
			continue
		}
		k := inner.Kind()
		if k > document.Null && known.want != document.Missing && k != known.want {
			return false
		}
		if known.items {
			for _, item := range inner.Items() {
				if k := item.Kind(); k > document.Null && k != document.Map {
					return false
				}
			}
		}
		if known.below != nil && !known.right(inner) {
			return false
		}
	}
	return true
}

// doubt tells the first field of a wrong kind, "" where there is none.
func (kinds fields) doubt(v document.Value, at string) string {
	switch {
	case v.Kind() <= document.Null:
		return ""
	case v.Kind() != document.Map:
		return refused(at, v, document.Map)
	case kinds.tree.right(v):
		return ""
	}
	return kinds.kindsOf.doubt(v, at)
}

// doubt is the same of a map, looking for each of the fields.
func (kinds kindsOf) doubt(v document.Value, at string) string {
	for want := document.Bool; want <= document.List; want++ {
		for _, field := range kinds[want] {
			inner := v
			for key := range strings.SplitSeq(field, ".") {
				inner = inner.Get(key)
			}
			if k := inner.Kind(); k > document.Null && k != want {
				return refused(at+"."+field, inner, want)
			}
			if !itemsOf[field] {
				continue
			}
			for i, item := range inner.Items() {
				if k := item.Kind(); k > document.Null && k != document.Map {
					return refused(at+"."+field+"["+strconv.Itoa(i)+"]", item, document.Map)
				}
			}
		}
	}
	return ""
}

func refused(at string, v document.Value, want document.Kind) string {
	return at + " is a " + v.Kind().String() + ", not a " + want.String() + ", which the API server refuses"
}

// refuses says whether the field at a path, or one around it, is of a wrong kind.
func (kinds kindsOf) refuses(v document.Value, at []document.Step) bool {
	field := ""
	for _, s := range at {
		field = strings.TrimPrefix(field+"."+s.Key, ".")
		v = v.Get(s.Key)
		for want, fields := range kinds {
			if k := v.Kind(); slices.Contains(fields, field) && k > document.Null && k != want {
				return true
			}
		}
	}
	return false
}

// Refuses says whether the API server refuses the workload for the field at a path, which begins at the object's
// root with the template where Path has it: what is set right there takes a doubt away.
func (w *Workload) Refuses(at []document.Step) bool {
	n := len(w.Path)
	if w.doubt != "" || len(at) <= n || !begins(at, w.Path) {
		return false
	}
	at = at[n:]
	if len(at) > 2 && slices.Contains(ContainerFields, at[0].Key) {
		return containerKinds.refuses(w.Spec.Get(at[0].Key).Index(at[1].Index), at[2:])
	}
	return specKinds.refuses(w.Spec, at)
}

// Settled says why the workload cannot be told whatever its fields are set to; "" for nearly all.
func (w *Workload) Settled() string { return w.doubt }

// Doubt says why the workload as written cannot run as it is: a field of a kind that the API server
// refuses; "" for nearly all. What does not fail on such a workload is unknown.
func (w *Workload) Doubt() string {
	if w.doubt != "" {
		return w.doubt
	}
	if text := specKinds.doubt(w.Spec, "the pod's spec"); text != "" {
		return text
	}
	for _, field := range ContainerFields {
		list := w.Spec.Get(field)
		if k := list.Kind(); k > document.Null && k != document.List {
			return refused(field, list, document.List)
		}
		for i, c := range list.Items() {
			if c.Kind() == document.Null {
				return refused(field+"["+strconv.Itoa(i)+"]", c, document.Map)
			}
			if text := containerKinds.doubt(c, field+"["+strconv.Itoa(i)+"]"); text != "" {
				return text
			}
		}
	}
	return ""
}
