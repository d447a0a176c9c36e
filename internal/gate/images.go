package gate

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/fact"
)

// podPage is how many pods are held in memory at a time: of pods nothing but their images is wanted.
const podPage = 200

// Images tells which images pods run, at once and again after each while, until the context ends. Pods that could not be listed
// are listed the next time: their images are looked into when they are named.
func (w *Watch) Images(ctx context.Context, every time.Duration, tell func(namespace string, images []string)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := w.listImages(ctx, tell); err != nil && ctx.Err() == nil {
			w.log.Warn("list the images that pods run", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (w *Watch) listImages(ctx context.Context, tell func(namespace string, images []string)) error {
	pods := w.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "pods"})
	for next := ""; ; {
		page, err := pods.List(ctx, metav1.ListOptions{Limit: podPage, Continue: next})
		if err != nil {
			return fmt.Errorf("list pods: %w", err)
		}
		for i := range page.Items {
			tell(page.Items[i].GetNamespace(), imagesOf(&page.Items[i]))
		}
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
}

// imagesOf are the images that a pod's containers run and its volumes hold, as fact.Workload.References has them.
func imagesOf(pod *unstructured.Unstructured) []string {
	var images []string
	add := func(of map[string]any, path ...string) {
		if image, _, _ := unstructured.NestedString(of, path...); image != "" && !slices.Contains(images, image) { // what has no form is none
			images = append(images, image)
		}
	}
	for _, field := range append(slices.Clone(fact.ContainerFields), "volumes") {
		list, _, _ := unstructured.NestedSlice(pod.Object, "spec", field) // what has no form runs no image
		for _, one := range list {
			switch of, ok := one.(map[string]any); {
			case !ok:
			case field == "volumes":
				add(of, "image", "reference")
			default:
				add(of, "image")
			}
		}
	}
	return images
}
