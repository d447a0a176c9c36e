package reconcile

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/drift"
)

// arriving is how long after its beginning a term says nothing of a guarded object that it never saw: who installs starts the
// gate first, and writes what asks it once it answers.
const arriving = 15 * time.Second

// guard looks at the objects that who installs keeps: it is told when one is missing or edited, and with Repair it is restored.
func (t *term) guard(ctx context.Context, w *Wanted) error {
	var errs []error
	known := map[id]bool{}
	for _, want := range w.Guarded {
		key := idOf(want)
		known[key] = true
		resource := guardedResource(want)
		store := t.guarded[key.String()]
		if store == nil {
			// Rights on one object by its name are enough to watch it.
			store = t.watch(resource, metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", want.GetName()).String()})
			t.guarded[key.String()] = store
		}
		if !store.HasSynced() {
			continue // a pass follows once it has
		}
		how := "missing"
		item, found, _ := store.GetStore().GetByKey(want.GetName())
		if wait := t.begun.Add(arriving).Sub(t.Now()); !found && !t.seen[key] && wait > 0 {
			t.queue.AddAfter(everything, wait)
			continue
		}
		if found {
			t.seen[key] = true
			live, _ := item.(*unstructured.Unstructured)
			how = drift.First(want, live)
			if how != "" {
				how = "edited at " + how
			}
		}
		errs = append(errs, t.guarding(ctx, resource, want, how))
	}
	for key := range t.told {
		if !known[key] {
			delete(t.told, key)
		}
	}
	t.state.drifting(t.told)
	return errors.Join(errs...)
}

// guarding tells of one guarded object, once for each change of how it is, and restores it where that is asked for.
func (t *term) guarding(ctx context.Context, resource schema.GroupVersionResource, want *unstructured.Unstructured, how string) error {
	key := idOf(want)
	if how == "" {
		if t.told[key] != "" {
			t.tell(normal, "AsItShould", "%s is as it should be again", key)
		}
		delete(t.told, key)
		return nil
	}
	if t.Repair {
		if wait := t.tooOften(key); wait > 0 {
			t.queue.AddAfter(everything, wait)
			return nil
		}
		if _, err := t.write(ctx, resource, want); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		t.state.restored(key.kind)
		t.tell(warning, "Restored", "%s was %s, and is as it should be again", key, how)
		delete(t.told, key)
		return nil
	}
	if t.told[key] != how {
		t.told[key] = how
		t.tell(warning, "Drift", "%s is %s; run 'coaming install' to restore it", key, how)
	}
	return nil
}

// guardedResource is where an object of such a kind stands: all are Kubernetes' own and have regular names.
func guardedResource(o *unstructured.Unstructured) schema.GroupVersionResource {
	gvk := o.GroupVersionKind()
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	plural.Resource = strings.ToLower(plural.Resource)
	return plural
}
