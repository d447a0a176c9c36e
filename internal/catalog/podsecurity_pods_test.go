package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podMaker makes up pods as YAML text, so that a field can be left out, null, or empty, which a
// struct cannot tell apart. It walks the types of the API, so that it knows every field there is;
// those that Pod Security looks at, and what they may hold, are in likely. Harmless values are
// frequent: a pod with five faults is denied whatever a rule says of the sixth.
type podMaker struct{ *rand.Rand }

// likely is what a field holds, by its name with that of what holds it, or by its name alone: one of the
// values, "" for none. The first is taken most of the time (see mostly).
var likely = map[string][]string{
	"spec.hostPID": {"", "", "true", "false", "null"}, "spec.hostIPC": {"", "", "true", "false"}, "spec.hostNetwork": {"", "", "true", "false"},
	"spec.hostUsers": {"", "", "false", "false", "false", "true", "null"}, "spec.os": {"", "{name: windows}", "{name: linux}", "null"},
	"containers.name": {"a"}, "containers.image": {"a"}, "volumeMounts.name": {"v", "w"}, "volumeMounts.mountPath": {"/v"},
	"spec.securityContext/seccompProfile": {"{type: RuntimeDefault}", "", "null", "{type: Localhost}", "{type: Unconfined}", "{}", "{type: null}"},
	"spec.securityContext/runAsNonRoot":   {"true", "", "false", "null"},
	"spec.securityContext/runAsUser":      {"", "0", "1000", "null"},
	"spec.securityContext/sysctls": {
		"", "", "[]", "null", "[{name: kernel.msgmax, value: a}]", "[{name: net.ipv4.tcp_rmem, value: a}]",
		"[{name: net.ipv4.tcp_notsent_lowat, value: a}]", "[{name: net.ipv4.tcp_keepalive_time, value: a}]",
		"[{name: net.ipv4.ip_local_reserved_ports, value: a}]", "[{name: net.ipv4.tcp_slow_start_after_idle, value: a}]",
		"[{name: net.ipv4.tcp_syncookies, value: a}, {name: net.core.somaxconn, value: a}]", "[{name: kernel.shm_rmid_forced, value: a}]",
	},
	"securityContext.seccompProfile":           {"", "null", "{type: RuntimeDefault}", "{type: RuntimeDefault}", "{type: Localhost}", "{type: Unconfined}", "{}", "{type: null}"},
	"securityContext.runAsNonRoot":             {"", "true", "true", "false", "null"},
	"securityContext.runAsUser":                {"", "", "1000", "0", "null"},
	"securityContext.allowPrivilegeEscalation": {"false", "false", "", "true", "null"},
	"securityContext.privileged":               {"", "", "", "true", "false", "null"},
	"securityContext.procMount":                {"", "", "Unmasked", "Default", "null"},
	"securityContext.seLinuxOptions": {
		"", "", "{type: spc_t}", "{type: container_t}", "{type: container_engine_t, level: s0}", "{type: container_engine_t}", "{user: u}", "{role: r}",
		"{role: '', user: null}", "{}", "null",
	},
	"securityContext.appArmorProfile": {"", "", "{type: Unconfined}", "{type: RuntimeDefault}", "{type: Localhost}", "{}", "null"},
	"securityContext.windowsOptions":  {"", "", "{hostProcess: true}", "{hostProcess: false}", "{}", "null", "{runAsUserName: a}"},
	"capabilities.add": {
		"", "", "[]", "null", "[NET_BIND_SERVICE]", "[CHOWN]", "[NET_RAW]", "[SYS_ADMIN]", "[CAP_SYS_ADMIN]", "[sys_admin]", "[ALL]",
		"[SYS_PTRACE, BPF]", "[cap_sys_ptrace]", "[CAP_CHOWN]", "[all]", "[SETUID, SETGID]", "[MKNOD, SYS_TIME]", "[KILL]", "[kill]", "[XYZ]", "[net_bind_service]",
	},
	"capabilities.drop": {"[ALL]", "[ALL, CHOWN]", "[CHOWN, ALL]", "[all]", "[CHOWN]", "", "[]", "null"},
	"containers.ports": {
		"", "", "[{containerPort: 1, hostPort: 1}]", "[{containerPort: 1, hostPort: 0}]", "[]", "null", "[{containerPort: 1}]",
		"[{containerPort: 1, hostPort: null}, {containerPort: 2, hostPort: 2}]",
	},
	"hostPath.path": {
		"/", "/etc", "/run", "//var/./run/docker.sock", "/opt/data", "/proc", "/sys", "/var/log", "/dev/sda", "/usr/bin", "/var/lib/kubelet/pods/x",
		"/var/lib/kubelet/plugins", "/etc/cron.d", "/etc/localtime", "/home", "''",
	},
}

// often says how many times more often than others a field is there, of those that likely does not
// name: what leads to the fields that Pod Security looks at.
var often = map[string]int{
	"spec.securityContext": 39, "containers.securityContext": 39, "securityContext.capabilities": 39,
	"containers.livenessProbe": 3, "containers.readinessProbe": 3, "containers.startupProbe": 3, "containers.lifecycle": 3,
	"probe.httpGet": 20, "probe.tcpSocket": 20, "lifecycle.postStart": 20, "lifecycle.preStop": 20, "httpGet.host": 20, "tcpSocket.host": 20,
	"containers.volumeMounts": 3,
}

// seldom is one in how many times a field is there that nothing says more of.
const seldom = 40

// mostly is the first choice, one time in eight any of them.
func (m podMaker) mostly(choices ...string) string {
	if m.IntN(8) != 0 {
		return choices[0]
	}
	return m.any(choices...)
}

func (m podMaker) any(choices ...string) string { return choices[m.IntN(len(choices))] }

// fields joins those fields that are there into a map. Each has a line of its own, as evidence is
// whole lines, and what credentials they hold is looked for.
func fields(list ...string) string {
	var there []string
	for _, field := range list {
		if field != "" {
			there = append(there, field)
		}
	}
	return "{" + strings.Join(there, ",\n") + "}"
}

func (m podMaker) pod() string {
	return fields("apiVersion: v1", "kind: Pod", "metadata: "+fields("name: a", m.annotations()),
		"spec: "+m.object(reflect.TypeFor[corev1.PodSpec](), "spec"))
}

// annotations are those that some version of Pod Security reads.
func (m podMaker) annotations() string {
	if m.IntN(40) == 0 {
		return m.any("annotations: null", "annotations: {}", "annotations: {a: null}")
	}
	var list []string
	for _, key := range []string{
		"container.apparmor.security.beta.kubernetes.io/containers0", "seccomp.security.alpha.kubernetes.io/pod",
		"container.seccomp.security.alpha.kubernetes.io/containers0", "container.seccomp.security.alpha.kubernetes.io/initContainers0",
		"container.seccomp.security.alpha.kubernetes.io/ephemeralContainers0", "container.seccomp.security.alpha.kubernetes.io/nobody",
	} {
		if m.IntN(24) == 0 {
			// No null: the clients of the versions that read these refuse it.
			list = append(list, key+": "+m.any("unconfined", "runtime/default", "localhost/x", "''", "docker/default"))
		}
	}
	if list == nil {
		return ""
	}
	return "annotations: " + fields(list...)
}

// object is a value of a struct's type; at is the name of what holds it.
func (m podMaker) object(t reflect.Type, at string) string {
	if t == reflect.TypeFor[corev1.Volume]() {
		return m.volume(at)
	}
	return fields(m.members(t, at)...)
}

func (m podMaker) members(t reflect.Type, at string) []string {
	var list []string
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
		case "":
			list = append(list, m.members(f.Type, at)...)
		default:
			list = append(list, m.field(f.Type, at, name, strings.Contains(options, "omitempty")))
		}
	}
	return list
}

// kin is the name by which likely and often know what holds a field.
func kin(at string) string {
	switch at {
	case "initContainers", "ephemeralContainers":
		return "containers"
	case "livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop":
		return "probe"
	}
	return at
}

// field is a field with its value, "" where it is left out.
func (m podMaker) field(t reflect.Type, at, name string, optional bool) string {
	key := kin(at) + "." + name
	if t.Kind() == reflect.Slice && strings.HasSuffix(strings.ToLower(name), "containers") && at == "spec" {
		return m.containers(t.Elem(), name)
	}
	if choices := likely[key]; choices != nil {
		if value := m.mostly(choices...); value != "" {
			return name + ": " + value
		}
		return ""
	}
	if name == "volumes" && at == "spec" {
		if m.IntN(3) != 0 {
			return m.any("", "", "", "", "volumes: []", "volumes: null")
		}
		return "volumes: [" + m.object(t.Elem(), "v") + ", " + m.object(t.Elem(), "w") + "]"
	}
	switch {
	case !optional:
	case m.IntN(seldom) >= max(often[key], 1):
		return ""
	case m.IntN(8) == 0:
		return name + ": null"
	}
	if kin(at) == "spec" && name == "securityContext" {
		return name + ": " + m.podSecurityContext(t.Elem())
	}
	return name + ": " + m.value(t, name)
}

// podSecurityContext is the pod's: some of its fields are also a container's, and likelier to be there.
func (m podMaker) podSecurityContext(t reflect.Type) string {
	var list []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		choices := likely["spec.securityContext/"+name]
		if choices == nil {
			list = append(list, m.field(f.Type, "securityContext", name, true))
		} else if value := m.mostly(choices...); value != "" {
			list = append(list, name+": "+value)
		}
	}
	return fields(list...)
}

func (m podMaker) containers(t reflect.Type, list string) string {
	count := map[string]int{"containers": 1 + m.IntN(2), "initContainers": m.IntN(2), "ephemeralContainers": m.IntN(8) / 7}[list]
	if count == 0 {
		return m.mostly("", list+": []", list+": null")
	}
	var items []string
	for i := range count {
		text := m.object(t, list)
		items = append(items, strings.Replace(text, "name: a", fmt.Sprintf("name: %s%d", list, i), 1))
	}
	return list + ": [" + strings.Join(items, ", ") + "]"
}

// volume has one source, or none: that is an emptyDir.
func (m podMaker) volume(called string) string {
	called = "name: " + called
	source := reflect.TypeFor[corev1.VolumeSource]()
	harmless := []string{"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"}
	name := m.any(harmless...)
	switch m.IntN(6) {
	case 0:
		return fields(called, m.any("", "hostPath: null", "nfs: null"))
	case 1:
		f := source.Field(m.IntN(source.NumField()))
		name, _, _ = strings.Cut(f.Tag.Get("json"), ",")
	case 2:
		name = m.any("hostPath", "hostPath", "nfs", "gitRepo")
	}
	for f := range source.Fields() {
		if json, _, _ := strings.Cut(f.Tag.Get("json"), ","); json == name {
			return fields(called, name+": "+m.object(f.Type.Elem(), name))
		}
	}
	panic("a volume has no source " + name)
}

// value is a value of a type that nothing more is known of; name is the field's.
func (m podMaker) value(t reflect.Type, name string) string {
	switch t {
	case reflect.TypeFor[resource.Quantity]():
		return m.any("1", "100Mi", "'0'")
	case reflect.TypeFor[intstr.IntOrString]():
		return m.any("1", "http", "50%")
	case reflect.TypeFor[metav1.Time]():
		return m.any("'2026-01-01T00:00:00Z'", "null")
	case reflect.TypeFor[metav1.FieldsV1]():
		return "{}"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return m.value(t.Elem(), name)
	case reflect.Bool:
		return m.any("true", "false")
	case reflect.String:
		return m.any("a", "b", "''")
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 || m.IntN(4) == 0 {
			return m.any("[]", "null")
		}
		return "[" + m.value(t.Elem(), name) + "]"
	case reflect.Map:
		return m.any("{}", "{a: "+m.value(t.Elem(), name)+"}")
	case reflect.Struct:
		return m.object(t, name)
	default:
		return strconv.Itoa(m.IntN(3) * 500)
	}
}
