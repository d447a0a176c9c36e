package catalog_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// podMaker makes up pods as YAML text, so that a field can be left out, null, or empty, which a
// struct cannot tell apart. Harmless values are frequent: a pod with five faults is denied whatever
// a rule says of the sixth.
type podMaker struct{ *rand.Rand }

// mostly is the first choice, one time in eight any of them.
func (m podMaker) mostly(choices ...string) string {
	if m.IntN(8) != 0 {
		return choices[0]
	}
	return m.any(choices...)
}

func (m podMaker) any(choices ...string) string { return choices[m.IntN(len(choices))] }

// rarely is any of the choices, one time in so many; else nothing.
func (m podMaker) rarely(oneIn int, choices ...string) string {
	if m.IntN(oneIn) != 0 {
		return ""
	}
	return m.any(choices...)
}

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
	annotation := m.rarely(24, "unconfined", "runtime/default", "localhost/x", "''")
	if annotation != "" {
		annotation = "annotations: {container.apparmor.security.beta.kubernetes.io/c0: " + annotation + "}"
	} else {
		annotation = m.rarely(50, "annotations: null", "annotations: {}")
	}
	return fields("apiVersion: v1", "kind: Pod", "metadata: "+fields("name: a", annotation), "spec: "+m.spec())
}

func (m podMaker) spec() string {
	return fields(
		m.containers("containers", "c", 1+m.IntN(2)),
		m.containers("initContainers", "i", m.IntN(2)),
		m.containers("ephemeralContainers", "e", m.IntN(8)/7),
		"securityContext: "+m.podSecurityContext(),
		m.rarely(12, "hostUsers: false", "hostUsers: true", "hostUsers: null", "hostUsers: false"),
		m.rarely(40, "hostPID: true", "hostPID: false"),
		m.rarely(40, "hostIPC: true", "hostIPC: false"),
		m.rarely(40, "hostNetwork: true", "hostNetwork: false"),
		m.rarely(20, "os: {name: windows}", "os: {name: linux}", "os: null"),
		m.volumes(),
	)
}

func (m podMaker) podSecurityContext() string {
	return fields(
		m.mostly("seccompProfile: {type: RuntimeDefault}", m.seccomp(), m.seccomp(), m.seccomp()),
		m.mostly("runAsNonRoot: true", "", "runAsNonRoot: false", "runAsNonRoot: null"),
		m.mostly("", "runAsUser: 0", "runAsUser: 1000", "runAsUser: null"),
		m.rarely(32, "seLinuxOptions: {type: spc_t}", "seLinuxOptions: {type: container_t}", "seLinuxOptions: {user: u}", "seLinuxOptions: {role: r}"),
		m.rarely(32, "appArmorProfile: {type: Unconfined}", "appArmorProfile: {type: RuntimeDefault}", "appArmorProfile: {}"),
		m.rarely(32, "windowsOptions: {hostProcess: true}", "windowsOptions: {hostProcess: false}"),
		m.rarely(20, "sysctls: [{name: net.ipv4.tcp_rmem, value: a}]", "sysctls: [{name: kernel.msgmax, value: a}]", "sysctls: []",
			"sysctls: null", "sysctls: [{name: net.ipv4.tcp_notsent_lowat, value: a}]",
			"sysctls: [{name: net.ipv4.tcp_syncookies, value: a}, {name: net.core.somaxconn, value: a}]"),
	)
}

func (m podMaker) containers(list, name string, count int) string {
	if count == 0 {
		return m.rarely(20, list+": []", list+": null")
	}
	var items []string
	for i := range count {
		items = append(items, m.container(fmt.Sprintf("%s%d", name, i)))
	}
	return list + ": [" + strings.Join(items, ", ") + "]"
}

func (m podMaker) container(name string) string {
	context := "securityContext: " + m.securityContext()
	if m.IntN(80) == 0 {
		context = m.any("", "securityContext: null", "securityContext: {}")
	}
	return fields("name: "+name, "image: a", context,
		m.rarely(24, "ports: [{containerPort: 1, hostPort: 1}]", "ports: [{containerPort: 1, hostPort: 0}]", "ports: []", "ports: null",
			"ports: [{containerPort: 1}]", "ports: [{containerPort: 1}, {containerPort: 2, hostPort: 2}]"),
		m.rarely(32, "livenessProbe: {httpGet: {host: a, port: 1}}", "livenessProbe: {tcpSocket: {host: a, port: 1}}",
			"livenessProbe: {tcpSocket: {port: 1}}", "readinessProbe: {httpGet: {host: '', port: 1}}",
			"readinessProbe: {httpGet: {host: b, port: 1}}", "readinessProbe: {tcpSocket: {host: b, port: 1}}",
			"startupProbe: {httpGet: {host: b, port: 1}}", "startupProbe: {tcpSocket: {host: b, port: 1}}",
			"lifecycle: {preStop: {httpGet: {host: b, port: 1}}}", "lifecycle: {postStart: {httpGet: {host: b, port: 1}}}",
			"lifecycle: {preStop: {tcpSocket: {host: b, port: 1}}}", "lifecycle: {postStart: {tcpSocket: {host: b, port: 1}}, preStop: null}"),
		m.rarely(12, "volumeMounts: [{name: v, mountPath: /v}]", "volumeMounts: [{name: v, mountPath: /v, readOnly: true}]", "volumeMounts: []"),
	)
}

func (m podMaker) securityContext() string {
	return fields(
		m.capabilities(),
		m.mostly("", m.seccomp()),
		m.mostly("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: false", "", "allowPrivilegeEscalation: true", "allowPrivilegeEscalation: null"),
		m.mostly("", "runAsNonRoot: true", "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot: null"),
		m.mostly("", "", "runAsUser: 1000", "runAsUser: 0", "runAsUser: null"),
		m.rarely(24, "seLinuxOptions: {type: spc_t}", "seLinuxOptions: {type: container_t}", "seLinuxOptions: {type: container_engine_t, level: s0}",
			"seLinuxOptions: {user: u}", "seLinuxOptions: {role: r}", "seLinuxOptions: {role: '', user: null}", "seLinuxOptions: null"),
		m.rarely(32, "privileged: true", "privileged: false", "privileged: null"),
		m.rarely(24, "procMount: Unmasked", "procMount: Default", "procMount: null"),
		m.rarely(24, "appArmorProfile: {type: Unconfined}", "appArmorProfile: {type: RuntimeDefault}", "appArmorProfile: {type: Localhost}",
			"appArmorProfile: {}", "appArmorProfile: null"),
		m.rarely(32, "windowsOptions: {hostProcess: true}", "windowsOptions: {hostProcess: false}", "windowsOptions: {}", "windowsOptions: null"),
	)
}

func (m podMaker) capabilities() string {
	if m.IntN(64) == 0 {
		return m.any("", "capabilities: null", "capabilities: {}")
	}
	add := m.mostly("", "add: []", "add: null", "add: [NET_BIND_SERVICE]", "add: [CHOWN]", "add: [NET_RAW]", "add: [SYS_ADMIN]",
		"add: [CAP_SYS_ADMIN]", "add: [sys_admin]", "add: [ALL]", "add: [SYS_PTRACE, BPF]", "add: [cap_sys_ptrace]", "add: [CAP_CHOWN]", "add: [all]")
	drop := m.mostly("drop: [ALL]", "drop: [ALL, CHOWN]", "drop: [CHOWN, ALL]", "drop: [all]", "drop: [CHOWN]", "", "drop: []", "drop: null")
	return "capabilities: " + fields(add, drop)
}

func (m podMaker) seccomp() string {
	return m.any("", "", "seccompProfile: null", "seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: RuntimeDefault}",
		"seccompProfile: {type: RuntimeDefault}", "seccompProfile: {type: Localhost}", "seccompProfile: {type: Unconfined}",
		"seccompProfile: {}", "seccompProfile: {type: null}")
}

func (m podMaker) volumes() string {
	if m.IntN(3) != 0 {
		return ""
	}
	return "volumes: [" + fields("name: v", m.volume()) + ", " + fields("name: w", m.volume()) + "]"
}

func (m podMaker) volume() string {
	if m.IntN(2) == 0 { // those that restricted allows; none is an emptyDir
		return m.any("", "hostPath: null", "emptyDir: {}", "configMap: {name: a}", "secret: {}", "projected: {}", "downwardAPI: {}",
			"csi: {driver: a}", "ephemeral: {}", "persistentVolumeClaim: {claimName: a}", "image: {reference: a}")
	}
	if m.IntN(4) == 0 {
		return "hostPath: {path: " + m.any("/", "/etc", "/run", "//var/./run/docker.sock", "/opt/data", "/proc", "/sys", "/var/log", "/dev/sda",
			"/usr/bin", "/var/lib/kubelet/pods/x", "/var/lib/kubelet/plugins", "/etc/cron.d", "/etc/localtime", "/home") + "}"
	}
	return m.any("nfs: {server: a, path: a}", "gitRepo: {repository: a}", "iscsi: {}", "azureDisk: {}", "portworxVolume: {}", "glusterfs: {}",
		"rbd: {}", "flexVolume: {}", "cinder: {}", "cephfs: {}", "flocker: {}", "fc: {}", "azureFile: {}", "vsphereVolume: {}", "quobyte: {}",
		"photonPersistentDisk: {}", "scaleIO: {}", "storageos: {}", "gcePersistentDisk: {}", "awsElasticBlockStore: {}")
}
