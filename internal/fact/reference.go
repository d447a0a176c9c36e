package fact

import (
	"iter"
	"slices"

	"github.com/coaming/coaming/internal/document"
)

// Reference is a place where a workload names an image: a container that runs it, or a volume that is its files (KEP-4639), of which a
// container may run any. What is demanded of images is demanded of both.
type Reference struct {
	Image string
	// Value is the text, and Path where it stands, from the root on with the pod spec where Workload.Path has it; Workload.Place tells
	// where in the object that is.
	Value document.Value
	Path  []document.Step
	// Container names the image; nil where a volume does.
	Container *Container
	// Name is that of the container or the volume.
	Name string
}

// volumesField is the list of a pod spec that may name images beside ContainerFields.
const volumesField = "volumes"

// References are the places where the workload names images, those of its containers first. What names none is left out.
func (w *Workload) References() iter.Seq[Reference] {
	return func(yield func(Reference) bool) {
		for i := range w.Containers {
			c := &w.Containers[i]
			v := c.Value.Get("image")
			if v.Str() == "" {
				continue
			}
			path := append(slices.Clip(w.Path), document.Step{Key: c.Field}, document.Step{Index: c.Index}, document.Step{Key: "image"})
			if !yield(Reference{Image: v.Str(), Value: v, Path: path, Container: c, Name: c.Name}) {
				return
			}
		}
		for i, volume := range w.Spec.Get(volumesField).Items() {
			v := volume.At("image", "reference")
			if v.Str() == "" {
				continue
			}
			path := append(slices.Clip(w.Path), document.Step{Key: volumesField}, document.Step{Index: i}, document.Step{Key: "image"}, document.Step{Key: "reference"})
			if !yield(Reference{Image: v.Str(), Value: v, Path: path, Name: volume.Get("name").Str()}) {
				return
			}
		}
	}
}

// Mounts are the containers that mount each volume of the pod, by the volume's name.
func (w *Workload) Mounts() map[string][]*Container {
	mounts := map[string][]*Container{}
	for i := range w.Containers {
		c := &w.Containers[i]
		for _, m := range c.Value.Get("volumeMounts").Items() {
			name := m.Get("name").Str()
			if list := mounts[name]; len(list) == 0 || list[len(list)-1] != c {
				mounts[name] = append(list, c)
			}
		}
	}
	return mounts
}
