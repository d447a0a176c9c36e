package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/cache"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// seen is one object as the watch keeps it: a compact document in the place of a tree of maps.
type seen struct {
	metav1.ObjectMeta // what the informer's store asks for: name, namespace

	object *fact.Object
}

// origin is where watched objects come from.
var origin = &fact.Origin{Source: "cluster", File: "watch", Served: true}

// compact makes a kept object of a served one; idempotent, as informers ask. What nobody judges is left out.
func compact(v any) (any, error) {
	u, ok := v.(*unstructured.Unstructured)
	if !ok {
		return v, nil
	}
	unstructured.RemoveNestedField(u.Object, "metadata", "managedFields")
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	object, err := objectOf(u.Object)
	if err != nil { // one object that cannot be read must not end the watch of its kind
		object, err = objectOf(map[string]any{
			"apiVersion": u.GetAPIVersion(), "kind": u.GetKind(), "metadata": map[string]any{"name": u.GetName(), "namespace": u.GetNamespace()},
		})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", u.GetName(), err)
		}
		object.Doubt = "it could not be read whole"
	}
	s := &seen{object: object}
	s.Name, s.Namespace, s.ResourceVersion, s.UID = u.GetName(), u.GetNamespace(), u.GetResourceVersion(), u.GetUID()
	return s, nil
}

func objectOf(content map[string]any) (*fact.Object, error) {
	text, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	doc, bad := document.ParseJSON(string(text))
	if bad != nil {
		return nil, bad
	}
	return fact.NewObject(doc.Root(), origin), nil
}

// kindWatch watches the objects of one kind.
type kindWatch struct {
	kind    string
	view    *view
	changes atomic.Uint64 // of its objects

	mutex    sync.RWMutex
	informer cache.SharedIndexInformer // nil before it began
	synced   func() bool
	none     bool // nobody serves the kind
	gap      *verdict.Gap
}

// byNamespace is the index of that name.
const byNamespace = "namespace"

// run watches until the context ends.
func (k *kindWatch) run(ctx context.Context, of dynamic.ResourceInterface) error {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			list, err := of.List(ctx, o)
			k.answered(err)
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			w, err := of.Watch(ctx, o)
			if apierrors.IsForbidden(err) {
				k.answered(err)
			}
			return w, err
		},
	}
	informer := cache.NewSharedIndexInformerWithOptions(source, &unstructured.Unstructured{}, cache.SharedIndexInformerOptions{
		Indexers: cache.Indexers{byNamespace: cache.MetaNamespaceIndexFunc},
	})
	touch := func(any) {
		k.changes.Add(1)
		k.view.touch()
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: touch, DeleteFunc: touch, UpdateFunc: func(_, now any) { touch(now) },
	})
	if err := errors.Join(err, informer.SetTransform(compact), informer.SetWatchErrorHandlerWithContext(
		func(_ context.Context, _ *cache.Reflector, err error) { k.answered(err) },
	)); err != nil {
		return fmt.Errorf("watch %s: %w", k.kind, err)
	}
	k.mutex.Lock()
	k.informer, k.synced, k.none = informer, registration.HasSynced, false
	k.mutex.Unlock()
	informer.RunWithContext(ctx)
	return nil
}

// answered notes that the API server refuses the kind, or that it no longer does.
func (k *kindWatch) answered(err error) {
	if err == nil {
		k.mutex.Lock()
		k.gap = nil
		k.mutex.Unlock()
		k.view.touch()
		return
	}
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		k.fail(gapOf(err))
	}
}

// fail makes the kind unknown.
func (k *kindWatch) fail(code verdict.GapCode, why string) {
	k.mutex.Lock()
	k.gap = &verdict.Gap{
		Code: code, Location: verdict.Location{Source: "cluster"}, Kinds: []string{k.kind}, Message: why,
		Remedy: "Let the gate's service account list and watch it.",
	}
	k.mutex.Unlock()
	k.view.touch()
}

// absent notes that nobody serves the kind.
func (k *kindWatch) absent() {
	k.mutex.Lock()
	k.none = true
	k.mutex.Unlock()
	k.view.touch()
}

// began says whether the kind is watched, or never will be.
func (k *kindWatch) began() bool {
	k.mutex.RLock()
	defer k.mutex.RUnlock()
	return k.informer != nil || k.kind == "Secret" && k.gap != nil
}

// settled says whether it is known what there is of the kind, or that it will not be.
func (k *kindWatch) settled() bool {
	k.mutex.RLock()
	defer k.mutex.RUnlock()
	return k.gap != nil || k.none || k.synced != nil && k.synced()
}

// find is one object; nil where it is not known.
func (k *kindWatch) find(namespace, name string) *seen {
	k.mutex.RLock()
	informer := k.informer
	k.mutex.RUnlock()
	if informer == nil {
		return nil
	}
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	v, _, err := informer.GetStore().GetByKey(key)
	if err != nil {
		return nil
	}
	s, _ := v.(*seen)
	return s
}

// all stands for every namespace, and none.
const all = "*"

// in appends the objects of a namespace, or tells why they are not known. What was known once, is known while the
// API server does not answer.
func (k *kindWatch) in(namespace string, list []*fact.Object) ([]*fact.Object, *verdict.Gap) {
	k.mutex.RLock()
	informer, gap, none, synced := k.informer, k.gap, k.none, k.synced
	k.mutex.RUnlock()
	switch {
	case gap != nil:
		return list, gap
	case none:
		return list, nil
	case synced == nil || !synced():
		return list, &verdict.Gap{
			Code: verdict.GapUnreachable, Location: verdict.Location{Source: "cluster"}, Kinds: []string{k.kind},
			Message: "The gate has not read it yet.", Remedy: "Wait until the gate is ready.",
		}
	}
	var found []any
	if namespace == all {
		found = informer.GetStore().List()
	} else {
		found, _ = informer.GetIndexer().ByIndex(byNamespace, namespace) // the index is there
	}
	for _, v := range found {
		if s, ok := v.(*seen); ok {
			list = append(list, s.object)
		}
	}
	return list, nil
}
