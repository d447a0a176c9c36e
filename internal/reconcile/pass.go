package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/coaming/coaming/internal/drift"
	"github.com/coaming/coaming/internal/policy"
)

// applied is what was made of an object that is kept.
type applied struct {
	want    *unstructured.Unstructured
	version string // the resource version that it had then
}

const (
	// Of one object that somebody keeps changing, so many restorations in so long are made at once; then one a pause.
	mostRestored, ofLate, pause = 5, time.Minute, 10 * time.Second
)

// pass looks at everything once, and says when the next look is due.
func (t *term) pass(ctx context.Context) (next time.Duration, err error) {
	// Before the files are read: those that are read afterwards are these, or newer.
	if late, err := t.Reconciler.behind(ctx); err != nil || late != "" {
		if late != "" && late != t.behind {
			t.Log.Info("nothing is kept until the newest files are mounted", "file", late)
		}
		t.behind = late
		return retry, err
	}
	t.behind = ""
	w, list, whole, err := t.wanted(ctx)
	errs := []error{err}
	if w == nil {
		return 0, err
	}
	next = round
	if until := t.made.until; !until.IsZero() {
		next = min(next, until.Sub(t.Now()))
	}
	want := make(map[id]bool, len(list))
	for _, o := range list {
		want[idOf(o)] = true
	}
	byResource := map[schema.GroupVersionResource][]*unstructured.Unstructured{}
	writable := t.allowed(w, list)
	// What may not be written may be to take over rules of what there is: that one stays, with what it enforced.
	unable := len(writable) < len(list)
	for _, o := range writable {
		resource := resourceOf[o.GetKind()]
		byResource[resource] = append(byResource[resource], o)
	}
	t.state.wants(len(list))
	keep := func(o *unstructured.Unstructured) {
		wait, err := t.keep(ctx, resourceOf[o.GetKind()], o)
		errs = append(errs, err)
		if wait > 0 {
			next = min(next, wait)
		}
	}
	// A rule that moves from one policy to another is to be in both for a moment rather than in none.
	var late []*unstructured.Unstructured
	for _, resource := range kept {
		if !t.stores[resource].HasSynced() {
			errs = append(errs, fmt.Errorf("%s have not been listed", resource.Resource))
			whole = false
			continue
		}
		for _, o := range byResource[resource] {
			if t.loses(resource, o) {
				if !unable {
					late = append(late, o)
				}
				continue
			}
			keep(o)
		}
	}
	for _, o := range late {
		keep(o)
	}
	if err := errors.Join(errs...); whole && !unable && err == nil {
		errs = append(errs, t.prune(ctx, want))
	}
	errs = append(errs, t.guard(ctx, w))
	return next, errors.Join(errs...)
}

// loses says whether a policy is to hold fewer rules than it does.
func (t *term) loses(resource schema.GroupVersionResource, want *unstructured.Unstructured) bool {
	live := t.live(resource, want)
	if resource != policies || live == nil {
		return false
	}
	has := strings.Split(want.GetAnnotations()[policy.RulesOf], ",")
	return slices.ContainsFunc(strings.Split(live.GetAnnotations()[policy.RulesOf], ","), func(id string) bool { return id != "" && !slices.Contains(has, id) })
}

// allowed are the objects that may be written. The others, and what else only who installs can do, are told once for each change of what they are.
func (t *term) allowed(w *Wanted, list []*unstructured.Unstructured) []*unstructured.Unstructured {
	undone := slices.Concat(w.Undone, t.unlabelled)
	if w.Writable != nil {
		list = slices.DeleteFunc(slices.Clone(list), func(o *unstructured.Unstructured) bool {
			if slices.Contains(w.Writable[resourceOf[o.GetKind()].Resource], o.GetName()) {
				return false
			}
			undone = append(undone, idOf(o).String()+" is wanted, and its name is not among those that may be written")
			return true
		})
	}
	t.state.undone(undone)
	if text := summary(undone); text != t.undone {
		t.undone = text
		if text == "" {
			t.tell(normal, "Installed", "nothing is left to who installs")
		} else {
			t.tell(warning, "InstallAgain", "%s; run 'coaming install --plan FILE' with the plan as it is now", text)
		}
	}
	return list
}

// summary is the first few of a list as one sentence: an Event holds a kilobyte.
func summary(list []string) string {
	const most = 3
	if more := len(list) - most; more > 0 {
		return strings.Join(list[:most], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(list, "; ")
}

// live is an object as the store has it; nil where it has none.
func (t *term) live(resource schema.GroupVersionResource, o *unstructured.Unstructured) *unstructured.Unstructured {
	key := o.GetName()
	if o.GetNamespace() != "" {
		key = o.GetNamespace() + "/" + key
	}
	item, found, err := t.stores[resource].GetStore().GetByKey(key)
	if !found || err != nil {
		return nil
	}
	live, _ := item.(*unstructured.Unstructured)
	return live
}

// keep restores an object where it is not as it should be. wait is how long it is left as it is, since somebody keeps changing it.
func (t *term) keep(ctx context.Context, resource schema.GroupVersionResource, want *unstructured.Unstructured) (wait time.Duration, err error) {
	key, live := idOf(want), t.live(resource, want)
	before, known := t.done[key]
	same := known && before.want == want
	if same && (live == nil || live.GetResourceVersion() != before.version) {
		// The store may lag behind what was just written: only the API server knows.
		live, err = t.clientOf(resource, want.GetNamespace()).Get(ctx, want.GetName(), metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return 0, fmt.Errorf("look at %s: %w", key, err)
		} else if err != nil {
			live = nil
		}
	}
	how := "made"
	switch {
	case live != nil && same && live.GetResourceVersion() == before.version:
		return 0, nil
	case live != nil:
		path := drift.First(want, live)
		if path == "" {
			t.done[key] = applied{want, live.GetResourceVersion()}
			return 0, nil
		}
		how = "changed"
		if same {
			how = "edited at " + path
		}
	case same:
		how = "deleted"
	}
	if same { // somebody else's doing, not a change of what is wanted
		if wait := t.tooOften(key); wait > 0 {
			return wait, nil
		}
	}
	stored, err := t.write(ctx, resource, want)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	t.done[key] = applied{want, stored.GetResourceVersion()}
	if same {
		t.state.restored(key.kind)
		t.tell(warning, "Restored", "%s was %s, and is as it should be again", key, how)
		return 0, nil
	}
	t.state.wrote(key.kind)
	t.Log.Info("wrote", "object", key.String(), "how", how)
	return 0, nil
}

// tooOften is how long to wait before an object is restored once more.
func (t *term) tooOften(key id) time.Duration {
	now := t.Now()
	recent := t.restore[key][:0:0]
	for _, at := range t.restore[key] {
		if now.Sub(at) < ofLate {
			recent = append(recent, at)
		}
	}
	if len(recent) >= mostRestored {
		if left := pause - now.Sub(recent[len(recent)-1]); left > 0 {
			t.restore[key] = recent
			t.state.fought(key.kind)
			return left
		}
	}
	t.restore[key] = append(recent, now)
	return 0
}

// write applies an object, and tells where the API server stores it otherwise than it is wanted.
func (t *term) write(ctx context.Context, resource schema.GroupVersionResource, want *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	stored, err := Write(ctx, t.clientOf(resource, want.GetNamespace()), want, FieldManager, true)
	if err != nil {
		return nil, err
	}
	if path := drift.First(want, stored); path != "" {
		t.Log.Warn("the API server stores an object otherwise than it was written", "object", idOf(want).String(), "field", path)
	}
	return stored, nil
}

func (t *term) clientOf(resource schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return t.dynamic.Resource(resource)
	}
	return t.dynamic.Resource(resource).Namespace(namespace)
}

// prune removes what is kept and no longer wanted, bindings before their policies.
func (t *term) prune(ctx context.Context, want map[id]bool) error {
	var errs []error
	for _, resource := range slices.Backward(kept) {
		for _, item := range t.stores[resource].GetStore().List() {
			o, ok := item.(*unstructured.Unstructured)
			if !ok || o.GetLabels()[KeptBy] != Keeper || want[idOf(o)] || o.GetDeletionTimestamp() != nil {
				continue
			}
			uid := o.GetUID()
			err := t.clientOf(resource, o.GetNamespace()).Delete(ctx, o.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				errs = append(errs, fmt.Errorf("remove %s: %w", idOf(o), err))
				continue
			}
			delete(t.done, idOf(o))
			t.state.pruned(o.GetKind())
			t.Log.Info("removed what is no longer wanted", "object", idOf(o).String())
		}
	}
	return errors.Join(errs...)
}
