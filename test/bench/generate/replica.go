package generate

import (
	"fmt"
	"strconv"
	"strings"
)

// What differs between the pods of an owner, in the text of the first.
const (
	atName  = "@name@"
	atUID   = "@uid@"
	atNode  = "@node@"
	atToken = "@token@"
	atIndex = "@index@"
)

// servePods writes the owner's pods.
func (c *Cluster) servePods(s *snapshot, o *owner) {
	if o.replicas == 0 {
		return
	}
	text := s.entry("/api/v1/namespaces/"+o.namespace.name+"/pods/"+atName, o.replica())
	for i := range o.replicas {
		node := c.r.IntN(c.nodes)
		if o.kind == "DaemonSet" {
			node = i
		}
		name := o.podName(i)
		id := uid("Pod", o.namespace.name, name)
		line := strings.NewReplacer(atName, name, atUID, id, atNode, nodeName(node), atToken, id[:5], atIndex, strconv.Itoa(i)).Replace(text)
		s.raw([]byte(line))
		s.objects++
	}
}

// podName is what the controllers call the owner's pods.
func (o *owner) podName(i int) string {
	suffix := uid(o.name, "pod", strconv.Itoa(i))[:5]
	switch o.kind {
	case "Pod":
		return o.name
	case "StatefulSet":
		return fmt.Sprintf("%s-%d", o.name, i)
	case "DaemonSet":
		return o.name + "-" + suffix
	default:
		return o.name + "-" + o.hash(0) + "-" + suffix
	}
}

// replica is a pod as stored: the template with what admission, the controller and the scheduler add.
func (o *owner) replica() thing {
	template := o.template(true)
	meta := template["metadata"].(thing)
	meta["name"], meta["namespace"], meta["uid"] = atName, o.namespace.name, atUID
	meta["creationTimestamp"], meta["resourceVersion"] = "2026-11-20T08:51:02Z", "48151623"
	spec := template["spec"].(thing)
	spec["nodeName"], spec["enableServiceLinks"], spec["preemptionPolicy"], spec["priority"] = atNode, true, "PreemptLowerPriority", 0
	tolerations, _ := spec["tolerations"].(list)
	for _, key := range []string{"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"} {
		tolerations = append(tolerations, thing{"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300})
	}
	spec["tolerations"] = tolerations
	if o.pod.token {
		mountToken(spec)
	}
	switch o.kind {
	case "Deployment":
		hash := o.hash(0)
		meta["labels"] = withLabel(template, "pod-template-hash", hash)
		meta["generateName"] = o.name + "-" + hash + "-"
		meta["ownerReferences"] = controller("ReplicaSet", o.name+"-"+hash, uid("ReplicaSet", o.namespace.name, o.name+"-"+hash))
	case "StatefulSet":
		meta["labels"] = withLabel(template, "controller-revision-hash", o.name+"-"+o.hash(0))
		meta["labels"] = withLabel(template, "statefulset.kubernetes.io/pod-name", atName)
		meta["labels"] = withLabel(template, "apps.kubernetes.io/pod-index", atIndex)
		meta["ownerReferences"] = controller(o.kind, o.name, o.uid())
		spec["hostname"], spec["subdomain"] = atName, o.name
	case "DaemonSet":
		meta["labels"] = withLabel(template, "controller-revision-hash", o.hash(0))
		meta["labels"] = withLabel(template, "pod-template-generation", "4")
		meta["ownerReferences"] = controller(o.kind, o.name, o.uid())
		spec["affinity"] = thing{"nodeAffinity": thing{"requiredDuringSchedulingIgnoredDuringExecution": thing{"nodeSelectorTerms": list{
			thing{"matchFields": list{thing{"key": "metadata.name", "operator": "In", "values": list{atNode}}}},
		}}}}
	}
	return thing{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
}

// mountToken does what the admission plugin ServiceAccount does.
func mountToken(spec thing) {
	name := "kube-api-access-" + atToken
	spec["volumes"] = append(spec["volumes"].(list), thing{"name": name, "projected": thing{"defaultMode": 420, "sources": list{
		thing{"serviceAccountToken": thing{"expirationSeconds": 3607, "path": "token"}},
		thing{"configMap": thing{"name": "kube-root-ca.crt", "items": list{thing{"key": "ca.crt", "path": "ca.crt"}}}},
		thing{"downwardAPI": thing{"items": list{thing{"path": "namespace", "fieldRef": thing{"apiVersion": "v1", "fieldPath": "metadata.namespace"}}}}},
	}}})
	for _, c := range spec["containers"].(list) {
		c := c.(thing)
		mount := thing{"name": name, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}
		c["volumeMounts"] = append(c["volumeMounts"].(list), mount)
	}
}
