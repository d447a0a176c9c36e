package generate

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coaming/coaming/internal/catalog"
)

// oldRevisions is how many ReplicaSets without pods a Deployment keeps at most (the API's default is
// ten; the number here is drawn between none and this).
const oldRevisions = 4

// Snapshot writes the cluster as it lives: every pod with what admission and the scheduler wrote into
// it, ReplicaSets between Deployments and pods, nodes, the roles that every cluster has; in the format of source.WriteArchive, which a
// test reads back. What that leaves out (status, managed fields, Secrets) is not made up either.
func (c *Cluster) Snapshot(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return fmt.Errorf("make writer: %w", err)
	}
	s := &snapshot{w: bufio.NewWriterSize(zip, 1<<20), sum: sha256.New()}
	s.line(thing{"format": "coaming.dev/archive/v1", "version": "1.36", "context": "made-up", "tool": "bench"})
	c.serve(s)
	s.line(thing{"trailer": thing{"objects": s.objects, "sha256": hex.EncodeToString(s.sum.Sum(nil))}})
	if err := errors.Join(s.err, s.w.Flush(), zip.Close(), file.Close()); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

// serve writes all objects, kind by kind in the order of their names, as a snapshot has them.
func (c *Cluster) serve(s *snapshot) {
	owners := slices.Clone(c.owners)
	slices.SortFunc(owners, func(a, b *owner) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.namespace.name, b.namespace.name), cmp.Compare(a.name, b.name))
	})
	for _, o := range owners {
		if o.kind != "Pod" {
			s.object(plurals[o.kind], o.live())
		}
	}
	things := slices.Clone(c.things)
	slices.SortStableFunc(things, func(a, b thing) int { return cmp.Compare(a["kind"].(string), b["kind"].(string)) })
	for _, o := range things {
		s.object(plurals[o["kind"].(string)], withUID(o))
	}
	for _, o := range catalog.Shipped() {
		meta := thing{"namespace": o.Namespace, "name": o.Name}
		path := apiPath(plurals[o.Kind], thing{"apiVersion": o.APIVersion, "metadata": meta})
		s.raw([]byte(`{"path":"` + path + `","object":` + string(o.Root.AppendJSON(nil)) + "}\n"))
		s.objects++
	}
	for _, ns := range c.namespaces {
		s.object("namespaces", withUID(ns.object()))
	}
	for i := range c.nodes {
		s.object("nodes", withUID(thing{"apiVersion": "v1", "kind": "Node", "metadata": thing{"name": nodeName(i), "labels": thing{
			"kubernetes.io/hostname": nodeName(i), "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": fmt.Sprintf("eu-central-1%c", 'a'+i%3),
		}}, "spec": thing{"providerID": fmt.Sprintf("aws:///eu-central-1a/i-%017x", i), "podCIDR": fmt.Sprintf("10.%d.%d.0/24", 64+i/256, i%256)}}))
	}
	for _, o := range owners {
		c.servePods(s, o)
	}
	for _, o := range owners {
		if o.kind == "Deployment" {
			for revision := range 1 + c.r.IntN(oldRevisions) {
				s.object("replicasets", o.replicaSet(revision))
			}
		}
	}
}

var plurals = map[string]string{
	"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets", "CronJob": "cronjobs", "Service": "services",
	"Ingress": "ingresses", "IngressClass": "ingressclasses", "NetworkPolicy": "networkpolicies", "ServiceAccount": "serviceaccounts", "Role": "roles",
	"RoleBinding": "rolebindings", "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "ConfigMap": "configmaps",
}

func nodeName(i int) string {
	return fmt.Sprintf("ip-10-%d-%d-%d.eu-central-1.compute.internal", i/65536, i/256%256, i%256)
}

// uid is one that the name decides.
func uid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// withUID is the object as stored.
func withUID(o thing) thing {
	meta := o["metadata"].(thing)
	namespace, _ := meta["namespace"].(string)
	stored := thing{"uid": uid(o["kind"].(string), namespace, meta["name"].(string)), "creationTimestamp": "2026-08-14T09:12:51Z", "resourceVersion": "48151623"}
	maps.Copy(stored, meta)
	made := thing{"metadata": stored}
	for key, v := range o {
		if key != "metadata" {
			made[key] = v
		}
	}
	return made
}

// live is the owner as stored.
func (o *owner) live() thing {
	m := withUID(o.manifest(true))
	m["metadata"].(thing)["generation"] = 4
	if o.kind == "Deployment" {
		m["metadata"].(thing)["annotations"] = thing{"deployment.kubernetes.io/revision": "4"}
		spec := m["spec"].(thing)
		spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"] = 600, 10
		spec["strategy"] = thing{"type": "RollingUpdate", "rollingUpdate": thing{"maxSurge": "25%", "maxUnavailable": "25%"}}
	}
	return m
}

func (o *owner) uid() string { return uid(o.kind, o.namespace.name, o.name) }

// hash is that of a revision, 0 the one that runs.
func (o *owner) hash(revision int) string { return uid(o.name, strconv.Itoa(revision))[:8] }

func controller(kind, name, uid string) list {
	version := "apps/v1"
	return list{thing{"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true}}
}

func (o *owner) replicaSet(revision int) thing {
	hash := o.hash(revision)
	m := o.manifest(true)
	meta := thing{"name": o.name + "-" + hash, "namespace": o.namespace.name, "ownerReferences": controller(o.kind, o.name, o.uid())}
	spec := m["spec"].(thing)
	if revision > 0 {
		spec["replicas"] = 0
	}
	template := spec["template"].(thing)
	template["metadata"].(thing)["labels"] = withLabel(template, "pod-template-hash", hash)
	meta["labels"] = template["metadata"].(thing)["labels"]
	return withUID(thing{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec})
}

func withLabel(template thing, key, value string) thing {
	labels := thing{key: value}
	maps.Copy(labels, template["metadata"].(thing)["labels"].(thing))
	return labels
}

// snapshot writes the lines of an archive.
type snapshot struct {
	w       *bufio.Writer
	sum     hash.Hash
	objects int
	err     error
}

func (s *snapshot) line(v any) {
	text, err := json.Marshal(v)
	s.err = errors.Join(s.err, err)
	s.raw(append(text, '\n'))
}

func (s *snapshot) raw(line []byte) {
	s.sum.Write(line)
	_, _ = s.w.Write(line) // Flush tells the error
}

func (s *snapshot) object(plural string, o thing) {
	s.raw([]byte(s.entry(apiPath(plural, o), o)))
	s.objects++
}

// entry is the line of an object; its path comes first, as in WriteArchive's.
func (s *snapshot) entry(path string, o thing) string {
	text, err := json.Marshal(o)
	s.err = errors.Join(s.err, err)
	return `{"path":"` + path + `","object":` + string(text) + "}\n"
}

// apiPath is where the API server has an object.
func apiPath(plural string, o thing) string {
	path := "/apis/" + o["apiVersion"].(string)
	if !strings.Contains(path[len("/apis/"):], "/") {
		path = "/api/" + o["apiVersion"].(string)
	}
	meta := o["metadata"].(thing)
	if namespace, _ := meta["namespace"].(string); namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + plural + "/" + meta["name"].(string)
}
