package gate

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/test/specimen"
)

// TestImagesOfPods demands that the gate has those images looked into that pods run which it asks about when a pod is sent.
func TestImagesOfPods(t *testing.T) {
	for pod, want := range map[string][]string{
		`{initContainers: [{name: i, image: "a:1"}], containers: [{name: a, image: "b:1"}, {name: c, image: "b:1"}], ephemeralContainers: [{name: e, image: "c:1"}],
		volumes: [{name: n, emptyDir: {}}, {name: v, image: {reference: "d:1"}}, {name: w, image: {reference: "a:1"}}]}`: {"a:1", "b:1", "c:1", "d:1"},
		`{containers: [{name: a}], volumes: [{name: v, image: {}}, {name: w, image: x}, {name: y, image: {reference: 1}}, z]}`: nil,
		`{containers: {}, volumes: {}}`: nil,
	} {
		v := specimen.Value(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: "+pod+"}")
		var of unstructured.Unstructured
		if err := of.UnmarshalJSON(v.AppendJSON(nil)); err != nil {
			t.Fatal(err)
		}
		if got := imagesOf(&of); !slices.Equal(got, want) {
			t.Errorf("%s runs %q, want %q", pod, got, want)
		}
		var asked []string
		for _, w := range fact.NewInventory([]*fact.Object{fact.NewObject(v, &fact.Origin{})}, "", true).Workloads {
			for r := range w.References() {
				asked = append(asked, r.Image)
			}
		}
		if asked = slices.Compact(slices.Sorted(slices.Values(asked))); !slices.Equal(asked, want) {
			t.Errorf("%s is asked about %q, want %q", pod, asked, want)
		}
	}
}
