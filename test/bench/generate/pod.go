package generate

import (
	"fmt"
	"strconv"
	"strings"
)

// pod is what pods are made of.
type pod struct {
	image       string
	containers  int // 0 is one
	port        int // 0 is none
	settings    int
	hardened    bool
	token       bool // the account's token is mounted
	secret      bool // it reads one
	privileged  bool
	hostNetwork bool
	hostPID     bool
	hostPaths   []string // ":ro" behind those that are only read
	capability  string
}

// template is the owner's pod template; served as the API server shows it, with its defaults.
func (o *owner) template(served bool) thing {
	labels := thing{"app.kubernetes.io/name": o.app, "app.kubernetes.io/instance": o.name, "tier": tier(o.app), "team": team(o.namespace.name)}
	meta := thing{"labels": labels}
	if o.pod.port != 0 {
		meta["annotations"] = thing{"prometheus.io/scrape": "true", "prometheus.io/port": strconv.Itoa(o.pod.port)}
	}
	return thing{"metadata": meta, "spec": o.spec(served)}
}

func team(namespace string) string { name, _, _ := strings.Cut(namespace, "-"); return name }

// tier is a label that many share.
func tier(app string) string {
	switch app {
	case "redis", "postgres", "cache":
		return "data"
	case "web", "frontend", "gateway":
		return "edge"
	}
	return "service"
}

func (o *owner) spec(served bool) thing {
	p := &o.pod
	spec := thing{"containers": o.containers(served)}
	if o.account != "default" || served {
		spec["serviceAccountName"] = o.account
	}
	if !p.token {
		spec["automountServiceAccountToken"] = false
	}
	if p.hardened {
		spec["securityContext"] = thing{"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": thing{"type": "RuntimeDefault"}}
	}
	if p.hostNetwork {
		spec["hostNetwork"] = true
	}
	if p.hostPID {
		spec["hostPID"] = true
	}
	volumes := list{thing{"name": "tmp", "emptyDir": thing{}}}
	for i, path := range p.hostPaths {
		path, _ = strings.CutSuffix(path, ":ro")
		v := thing{"path": path}
		if served {
			v["type"] = ""
		}
		volumes = append(volumes, thing{"name": fmt.Sprintf("host-%d", i), "hostPath": v})
	}
	if p.secret {
		v := thing{"secretName": o.name + "-tls"}
		if served {
			v["defaultMode"] = 420
		}
		volumes = append(volumes, thing{"name": "tls", "secret": v})
	}
	spec["volumes"] = volumes
	if o.kind == "DaemonSet" {
		spec["tolerations"] = list{thing{"operator": "Exists"}}
	}
	if served {
		spec["dnsPolicy"], spec["restartPolicy"], spec["schedulerName"], spec["terminationGracePeriodSeconds"] = "ClusterFirst", "Always", "default-scheduler", 30
		spec["serviceAccount"] = o.account
		if spec["securityContext"] == nil {
			spec["securityContext"] = thing{}
		}
	}
	if o.kind == "CronJob" {
		spec["restartPolicy"] = "OnFailure"
	}
	return spec
}

func (o *owner) containers(served bool) list {
	p := &o.pod
	var containers list
	for i := range max(1, p.containers) {
		c := thing{"name": fmt.Sprintf("c%d", i), "image": p.image, "imagePullPolicy": "IfNotPresent", "args": list{"--log-level=info", "--config=/etc/app/config.yaml"}}
		if i > 0 {
			c["name"], c["image"] = fmt.Sprintf("sidecar-%d", i), "registry.example.com/platform/sidecar:3.0.0"
		}
		if p.port != 0 && i == 0 {
			port := thing{"name": "http", "containerPort": p.port, "protocol": "TCP"}
			if p.hostNetwork && served {
				port["hostPort"] = p.port
			}
			c["ports"] = list{port}
			probe := thing{"httpGet": thing{"path": "/healthz", "port": "http"}, "periodSeconds": 10}
			if served {
				probe["failureThreshold"], probe["successThreshold"], probe["timeoutSeconds"] = 3, 1, 1
				probe["httpGet"].(thing)["scheme"] = "HTTP"
			}
			c["readinessProbe"] = probe
		}
		c["env"] = o.environment(i)
		c["resources"] = thing{"requests": thing{"cpu": "100m", "memory": "128Mi"}, "limits": thing{"memory": "256Mi"}}
		c["volumeMounts"] = o.mounts(i)
		if security := p.security(i); len(security) > 0 {
			c["securityContext"] = security
		}
		if served {
			c["terminationMessagePath"], c["terminationMessagePolicy"] = "/dev/termination-log", "File"
		}
		containers = append(containers, c)
	}
	return containers
}

func (o *owner) environment(container int) list {
	env := list{thing{"name": "POD_NAME", "valueFrom": thing{"fieldRef": thing{"apiVersion": "v1", "fieldPath": "metadata.name"}}}}
	for i := range o.pod.settings {
		env = append(env, thing{"name": fmt.Sprintf("SETTING_%d", i), "value": fmt.Sprintf("value-%d-%d", container, i)})
	}
	if o.pod.secret && container == 0 {
		env = append(env, thing{"name": "API_KEY_FILE", "valueFrom": thing{"secretKeyRef": thing{"name": o.name + "-secrets", "key": "api-key"}}})
	}
	return env
}

func (o *owner) mounts(container int) list {
	mounts := list{thing{"name": "tmp", "mountPath": "/tmp"}}
	if container > 0 {
		return mounts
	}
	for i, path := range o.pod.hostPaths {
		path, readOnly := strings.CutSuffix(path, ":ro")
		m := thing{"name": fmt.Sprintf("host-%d", i), "mountPath": "/host" + strings.TrimSuffix(path, "/")}
		if readOnly {
			m["readOnly"] = true
		}
		mounts = append(mounts, m)
	}
	if o.pod.secret {
		mounts = append(mounts, thing{"name": "tls", "mountPath": "/etc/tls", "readOnly": true})
	}
	return mounts
}

// security is a container's security context.
func (p *pod) security(container int) thing {
	switch {
	case p.privileged && container == 0:
		return thing{"privileged": true}
	case p.capability != "" && container == 0:
		return thing{"capabilities": thing{"add": list{p.capability}}}
	case p.hardened:
		return thing{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": thing{"drop": list{"ALL"}}}
	}
	return nil
}
