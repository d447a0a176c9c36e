package reconcile

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"

	"github.com/coaming/coaming/internal/policy"
)

// The resources that are kept, in the order in which they are written: no binding before its policy.
var (
	policies    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}
	bindings    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"}
	quotas      = schema.GroupVersionResource{Version: "v1", Resource: "resourcequotas"}
	limitRanges = schema.GroupVersionResource{Version: "v1", Resource: "limitranges"}
	namespaces  = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	leases      = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

	kept = []schema.GroupVersionResource{policies, quotas, limitRanges, bindings}

	resourceOf = map[string]schema.GroupVersionResource{
		"ValidatingAdmissionPolicy": policies, "ValidatingAdmissionPolicyBinding": bindings, "ResourceQuota": quotas, "LimitRange": limitRanges,
	}
)

const (
	// calm is how long changes are gathered before a pass.
	calm = 200 * time.Millisecond
	// sooner and later bound how long a failed pass waits for the next.
	sooner, later = 500 * time.Millisecond, 15 * time.Second
	// round is how often everything is looked at though nothing has told of a change.
	round = 5 * time.Minute
	// retry is how soon files that lag behind are looked at again.
	retry = 2 * time.Second
)

// the one item of the queue: a pass looks at everything.
const everything = "everything"

// term is one time of leading.
type term struct {
	*Reconciler
	queue   workqueue.TypedRateLimitingInterface[string]
	stores  map[schema.GroupVersionResource]cache.SharedIndexInformer
	guarded map[string]cache.SharedIndexInformer
	watches sync.WaitGroup
	ctx     context.Context //nolint:containedctx // a term is its context: watches are begun when an object becomes guarded

	done    map[id]applied // what was written, as the API server stores it
	made    compiledPolicies
	restore map[id][]time.Time // when each was restored of late
	begun   time.Time
	seen    map[id]bool   // guarded objects that were there once
	told    map[id]string // how guarded objects differ, as it was told
	undone  string        // what is left to who installs, as it was told
	behind  string        // which file lags behind, as it was told
	// unlabelled are the namespaces that lack labels of the plan, by the last look.
	unlabelled []string
}

// lead keeps the cluster until the term ends.
func (r *Reconciler) lead(ctx context.Context) {
	r.state.lead()
	r.Log.Info("leading", "identity", r.Identity)
	t := &term{
		Reconciler: r, ctx: ctx, stores: map[schema.GroupVersionResource]cache.SharedIndexInformer{}, guarded: map[string]cache.SharedIndexInformer{},
		queue: workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](sooner, later)),
		done:  map[id]applied{}, restore: map[id][]time.Time{}, told: map[id]string{}, begun: r.Now(), seen: map[id]bool{},
	}
	stop := r.recordEvents()
	defer stop()
	defer t.watches.Wait()
	defer t.queue.ShutDown()
	for _, resource := range kept {
		t.stores[resource] = t.watch(resource, metav1.ListOptions{LabelSelector: policy.ManagedBy + "=coaming"})
	}
	t.stores[namespaces] = t.watch(namespaces, metav1.ListOptions{})
	go func() {
		<-ctx.Done()
		t.queue.ShutDown()
	}()
	go t.listen(ctx)
	t.queue.Add(everything)
	for {
		item, down := t.queue.Get()
		if down {
			return
		}
		t.turn(ctx, item)
		t.queue.Done(item)
	}
}

// listen asks for a pass when what is wanted may have changed.
func (t *term) listen(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-t.Changed:
			if !open {
				return
			}
			t.queue.AddAfter(everything, calm)
		}
	}
}

// turn is one pass and when the next is due.
func (t *term) turn(ctx context.Context, item string) {
	next, err := t.pass(ctx)
	if ctx.Err() != nil {
		return
	}
	t.state.passed(t.Now(), err)
	if err != nil {
		t.Log.Warn("not everything could be kept", "error", err)
		t.queue.AddRateLimited(item)
		return
	}
	t.queue.Forget(item)
	t.queue.AddAfter(item, min(round, max(next, calm)))
}

// watch is a store of a resource's objects that a change of any asks for a pass.
func (t *term) watch(resource schema.GroupVersionResource, which metav1.ListOptions) cache.SharedIndexInformer {
	client := t.dynamic.Resource(resource)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector, o.FieldSelector = which.LabelSelector, which.FieldSelector
			return client.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector, o.FieldSelector = which.LabelSelector, which.FieldSelector
			return client.Watch(ctx, o)
		},
	}
	informer := cache.NewSharedIndexInformer(lw, &unstructured.Unstructured{}, 0, nil)
	soon := func() { t.queue.AddAfter(everything, calm) }
	// Neither fails before the store runs.
	_ = informer.SetTransform(func(o any) (any, error) {
		if object, err := meta.Accessor(o); err == nil {
			object.SetManagedFields(nil) // most of what a policy's object weighs
		}
		return o, nil
	})
	_ = informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		t.state.failed(resource.Resource, err)
	})
	_, _ = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { soon() }, UpdateFunc: func(any, any) { soon() }, DeleteFunc: func(any) { soon() },
	})
	t.watches.Go(func() { informer.RunWithContext(t.ctx) })
	t.watches.Go(func() {
		if cache.WaitForCacheSync(t.ctx.Done(), informer.HasSynced) {
			t.state.failed(resource.Resource, nil)
			soon()
		}
	})
	return informer
}
