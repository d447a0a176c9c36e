package fact_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/test/specimen"
)

// TestReferences demands the images of containers of every kind and of volumes, wherever a pod spec stands, each at its own place, and none
// of what names no image or is of another form than the API's.
func TestReferences(t *testing.T) {
	const spec = `{
		initContainers: [{name: init, image: "a:1"}], containers: [{name: app, image: "b:1"}, {name: none}, {name: wrong, image: [b]}], ephemeralContainers: [{name: debug, image: "c:1"}],
		volumes: [{name: scratch, emptyDir: {}}, {name: model, image: {reference: "d:1"}}, {name: null, image: null}, {name: text, image: "e:1"}, {name: list, image: {reference: ["f:1"]}}, {name: left, image: {}}, g]}`
	for object, prefix := range map[string]string{
		`{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: ` + spec + `}`:                                                                                   "spec.",
		`{apiVersion: batch/v1, kind: CronJob, metadata: {name: a}, spec: {jobTemplate: {spec: {template: {spec: ` + spec + `}}}}}`:                              "spec.jobTemplate.spec.template.spec.",
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, spec: {podSpec: ` + spec + `}}`:                                                         "spec.podSpec.",
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: a}, spec: {inner: {template: {metadata: {labels: {a: b}}, spec: ` + spec + `}}}}`:           "spec.inner.template.spec.",
		`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: a}, spec: {template: {spec: ` + strings.ReplaceAll(spec, "g]}", "g], x: y}") + `}}}`: "spec.template.spec.",
	} {
		o := fact.NewObject(specimen.Value(t, object), &fact.Origin{})
		var got []string
		for _, w := range fact.NewInventory([]*fact.Object{o}, "", true).Workloads {
			for r := range w.References() {
				if at := o.Root.Follow(w.Place(r.Path)); at.Str() != r.Image {
					t.Errorf("%s: %s stands at %v", object, r.Image, w.Place(r.Path))
				}
				if (r.Container == nil) != (r.Name == "model") {
					t.Errorf("%s: %s is named by %+v", object, r.Image, r.Container)
				}
				got = append(got, r.Name+"="+r.Image+"@"+text(w.Place(r.Path)))
			}
		}
		want := []string{
			"init=a:1@" + prefix + "initContainers.0.image", "app=b:1@" + prefix + "containers.0.image",
			"debug=c:1@" + prefix + "ephemeralContainers.0.image", "model=d:1@" + prefix + "volumes.1.image.reference",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s\nnames %v,\nwant  %v", object, got, want)
		}
	}
}

// text is a path with dots.
func text(steps []document.Step) string {
	var parts []string
	for _, s := range steps {
		if s.Key == "" {
			parts = append(parts, string(rune('0'+s.Index)))
			continue
		}
		parts = append(parts, s.Key)
	}
	return strings.Join(parts, ".")
}
