package source

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// servedReading makes a reading of JSON objects, as a cluster has them.
func servedReading(t *testing.T, texts ...string) *Reading {
	t.Helper()
	r := &Reading{Live: true, Version: "1.36"}
	for i, text := range texts {
		doc, fault := document.ParseJSON(text)
		if fault != nil {
			t.Fatalf("object %d: %v", i, fault)
		}
		r.Objects = append(r.Objects, fact.NewObject(doc.Root(), &fact.Origin{Source: "cluster:x", File: fmt.Sprintf("/%d", i), Served: true}))
	}
	return r
}

const (
	replicaSet = `{"apiVersion":"apps/v1","kind":"ReplicaSet","metadata":{"name":"%[1]s","namespace":"shop","uid":"%[1]s","ownerReferences":[{"kind":"Deployment","name":"d","uid":"d","controller":true}]},
		"spec":{"replicas":%[2]d,"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"a","image":"a:1"}]}}}}`
	deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d","namespace":"shop","uid":"d"},
		"spec":{"template":{"metadata":{"labels":{"app":"d"}},"spec":{"containers":[{"name":"a","image":"a:1"}]}}}}`
	replicaPod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"%[1]s","namespace":"shop","uid":"%[1]s","labels":{"app":"d"%[3]s},"annotations":{"cni.projectcalico.org/podIP":"10.0.0.%[4]d"},
		"ownerReferences":[{"kind":"%[5]s","name":"o","uid":"%[2]s","controller":true}]},
		"spec":{"nodeName":"node-%[1]s","volumes":[{"name":"kube-api-access-%[4]d","projected":{}}],
		"containers":[{"name":"a","image":"%[6]s","volumeMounts":[{"name":"kube-api-access-%[4]d","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}]}]}}`
)

func podOf(name, owner, kind, labels, image string, n int) string {
	return fmt.Sprintf(replicaPod, name, owner, labels, n, kind, image)
}

// Equal pods of one controller are one, and what an inventory makes of the rest is the same.
func TestReplicas(t *testing.T) {
	tests := map[string]struct {
		objects []string
		kept    []string
	}{
		"of a ReplicaSet": {
			[]string{
				deployment, podOf("p1", "rs", "ReplicaSet", "", "a:1", 1), podOf("p2", "rs", "ReplicaSet", "", "a:1", 2), podOf("p3", "rs", "ReplicaSet", "", "a:1", 3),
				fmt.Sprintf(replicaSet, "rs", 3),
			},
			[]string{"d+4"},
		},
		"one was changed on the way in": {
			[]string{deployment, podOf("p1", "rs", "ReplicaSet", "", "a:1", 1), podOf("p2", "rs", "ReplicaSet", "", "evil:1", 2), fmt.Sprintf(replicaSet, "rs", 3)},
			[]string{"d+2", "p2"},
		},
		"one has another label, which an inventory does not look at without the controller": {
			[]string{podOf("p1", "rs", "ReplicaSet", "", "a:1", 1), podOf("p2", "rs", "ReplicaSet", `,"x":"y"`, "a:1", 2)},
			[]string{"p1+1"},
		},
		"of two controllers": {
			[]string{podOf("p1", "rs", "ReplicaSet", "", "a:1", 1), podOf("p2", "other", "ReplicaSet", "", "a:1", 2)},
			[]string{"p1", "p2"},
		},
		"of a StatefulSet": {
			[]string{
				podOf("s-0", "s", "StatefulSet", `,"statefulset.kubernetes.io/pod-name":"s-0"`, "a:1", 1),
				podOf("s-1", "s", "StatefulSet", `,"statefulset.kubernetes.io/pod-name":"s-1"`, "a:1", 2),
			},
			[]string{"s-0+1"},
		},
		"mirrored by the kubelet": {
			[]string{podOf("p1", "n", "Node", "", "a:1", 1), podOf("p2", "n", "Node", "", "a:1", 2)},
			[]string{"p1", "p2"},
		},
		"old revisions": {
			[]string{deployment, fmt.Sprintf(replicaSet, "old", 0), fmt.Sprintf(replicaSet, "now", 2)},
			[]string{"d+1"},
		},
		"an old revision of a Deployment that is not there": {
			[]string{fmt.Sprintf(replicaSet, "old", 0)},
			[]string{"old"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var file bytes.Buffer
			if err := WriteArchive(&file, servedReading(t, test.objects...), ArchiveMeta{}); err != nil {
				t.Fatal(err)
			}
			read := func(thrift Thrift) *Reading {
				r, err := ReadArchive(bytes.NewReader(file.Bytes()), "x", ArchiveLimits{Thrift: thrift})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Coverage.Gaps) > 0 || r.Coverage.Documents != len(test.objects) {
					t.Errorf("%d documents, gaps %v", r.Coverage.Documents, r.Coverage.Gaps)
				}
				return r
			}
			all, few := read(Thrift{}), read(Thrift{Replicas: true})
			var kept []string
			for _, o := range few.Objects {
				word := o.Name
				if o.Replicas > 0 {
					word += fmt.Sprintf("+%d", o.Replicas)
				}
				kept = append(kept, word)
			}
			if diff := cmp.Diff(test.kept, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(workloadsOf(all), workloadsOf(few)); diff != "" {
				t.Errorf("workloads (-all +thrifty):\n%s", diff)
			}
		})
	}
}

func workloadsOf(r *Reading) []string {
	var list []string
	for _, w := range fact.NewInventory(r.Objects, r.Version, r.Live).Workloads {
		list = append(list, fmt.Sprintf("%s %s/%s with %d pods", w.Object.Kind, w.Object.Namespace, w.Object.Name, w.Pods))
	}
	return list
}

// A question that is not about what runs leaves it out, and tells so.
func TestUnasked(t *testing.T) {
	var file bytes.Buffer
	role := `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"r","namespace":"shop"},"rules":[]}`
	if err := WriteArchive(&file, servedReading(t, deployment, role, podOf("p1", "rs", "ReplicaSet", "", "a:1", 1)), ArchiveMeta{}); err != nil {
		t.Fatal(err)
	}
	r, err := ReadArchive(&file, "x", ArchiveLimits{Thrift: Thrift{Replicas: true, Kinds: []string{"Role.rbac.authorization.k8s.io"}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Objects) != 1 || r.Objects[0].Name != "r" {
		t.Errorf("kept %v", r.Objects)
	}
	if len(r.Coverage.Exclusions) != 1 || r.Coverage.Exclusions[0].Count != 2 {
		t.Errorf("exclusions %v", r.Coverage.Exclusions)
	}
}

// A line is taken apart as plain only where reading it whole gives the same.
func FuzzPlainLine(f *testing.F) {
	for _, line := range []string{
		`{"path":"/api/v1/pods/a","object":{"kind":"Pod"}}`, `{"path":"a","object":{"a":1},"doubt":"b"}`, `{"path":"a","object":{"x":"\"}"}}`,
		`{"path":"a","object":{}}}`, `{"path":"a\",\"object\":{","object":{"a":[1,{}]}}`, `{"path":"a","object":{"a":1}`, `{"path":"a","object":{"a":1},"object":{"b":2}}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		path, text, found := plainLine([]byte(line))
		if !found {
			return
		}
		object, fault := document.ParseJSON(string(text))
		if fault != nil {
			return
		}
		whole, fault := document.ParseJSON(line)
		if fault != nil {
			t.Fatalf("taken as plain, and is no JSON: %v", fault)
		}
		entry := whole.Root()
		if entry.Len() != 2 || entry.Get("path").Str() != path || !bytes.Equal(entry.Get("object").AppendSorted(nil), object.Root().AppendSorted(nil)) {
			t.Errorf("read as path %q and %s", path, text)
		}
	})
}

// Whatever differs between two pods and is not listed as noise keeps them apart.
func TestNoise(t *testing.T) {
	first := podOf("p1", "rs", "ReplicaSet", "", "a:1", 1)
	for _, change := range []string{
		`"spec":{"hostNetwork":true,`, `"spec":{"serviceAccountName":"other",`, `"spec":{"automountServiceAccountToken":false,`,
		`"spec":{"nodeSelector":{"a":"b"},`, `"spec":{"securityContext":{"runAsUser":0},`, `"spec":{"hostAliases":[{"ip":"1.1.1.1"}],`,
	} {
		second := strings.Replace(podOf("p2", "rs", "ReplicaSet", "", "a:1", 2), `"spec":{`, change, 1)
		s := Thrift{Replicas: true}.start()
		left := 0
		for _, o := range servedReading(t, first, second).Objects {
			if s.leaves(o) != nil {
				left++
			}
		}
		if left > 0 {
			t.Errorf("%s: the second was left out", change)
		}
	}
}
