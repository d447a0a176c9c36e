package install

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
)

// Removal is what an uninstallation did, and what it left.
type Removal struct {
	Removed int
	// Left are what stays, each with the reason; Unfinished says that some of it should not have.
	Left       []string
	Unfinished bool
}

// Uninstall removes what carries our label. What sends requests to the gate goes first, so that nothing waits for a gate that is
// gone; it asks nothing of the gate's pods, and one kind that cannot be removed keeps no other from it. With
// keepPolicies what refuses natively stays in force.
func (c *Cluster) Uninstall(ctx context.Context, keepPolicies bool, wait time.Duration) (*Removal, error) {
	r := &Removal{}
	var errs []error
	for i := len(c.kinds) - 1; i >= 0; i-- {
		k := &c.kinds[i]
		if k.name == "Namespace" {
			continue // the labels of others' are given back below, and ours is last
		}
		if err := c.uninstallKind(ctx, k, keepPolicies, r); err != nil {
			errs = append(errs, err)
		}
	}
	if !keepPolicies {
		if err := c.releaseNamespaces(ctx, nil); err != nil {
			errs = append(errs, err)
		}
	}
	if err := c.removeNamespace(ctx, wait, r); err != nil {
		errs = append(errs, err)
	}
	if err := c.removeRestored(ctx); err != nil {
		errs = append(errs, err)
	}
	return r, errors.Join(errs...)
}

// removeRestored removes what sends requests to the gate once more: a gate that repairs may have restored it before it and its rights were gone.
func (c *Cluster) removeRestored(ctx context.Context) error {
	var errs []error
	for i := range c.kinds {
		k := &c.kinds[i]
		if !k.webhook() {
			continue
		}
		objects, err := c.own(ctx, k)
		errs = append(errs, err)
		for _, o := range objects {
			errs = append(errs, c.remove(ctx, k, o))
		}
	}
	return firstOf(errs)
}

func (c *Cluster) uninstallKind(ctx context.Context, k *kind, keepPolicies bool, r *Removal) error {
	objects, err := c.own(ctx, k)
	if err != nil {
		return err
	}
	var errs []error
	kept := 0
	for _, o := range objects {
		if k.native && keepPolicies && o.GetNamespace() != Namespace {
			kept++
			continue
		}
		if err := c.remove(ctx, k, o); err != nil {
			errs = append(errs, err)
			continue
		}
		r.Removed++
	}
	if kept > 0 {
		r.Left = append(r.Left, fmt.Sprintf("%d of %s: they stay in force (--keep-policies)", kept, k.resource))
	}
	if k.webhook() || k.name == "Deployment" {
		helms, err := c.list(ctx, k, "", "app.kubernetes.io/part-of=coaming,"+managedBy+"=Helm")
		if err == nil && len(helms) > 0 {
			r.Left = append(r.Left, fmt.Sprintf("%s: helm installed it (helm uninstall --namespace %s removes it)", named(helms[0]), Namespace))
		}
	}
	return firstOf(errs)
}

// releaseNamespaces takes the labels back that were given to namespaces, but to those that keep them: fields that this
// manager alone applied go when it applies nothing (server-side apply).
func (c *Cluster) releaseNamespaces(ctx context.Context, keeps map[key]bool) error {
	k := c.kindNamed("Namespace")
	all, err := c.list(ctx, k, "", "")
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range all {
		if o.GetName() == Namespace || keeps[keyOf(o)] || !slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Manager == manager }) {
			continue
		}
		nothing := &Object{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": o.GetName()}}}
		errs = append(errs, c.apply(ctx, nothing))
	}
	return firstOf(errs)
}

// removeNamespace removes the gate's namespace, unless others' objects are in it, or it was there before.
func (c *Cluster) removeNamespace(ctx context.Context, wait time.Duration, r *Removal) error {
	k := c.kindNamed("Namespace")
	there, err := c.get(ctx, k, "", Namespace)
	if err != nil || there == nil {
		return err
	}
	if there.GetLabels()[managedBy] != "coaming" {
		r.Left = append(r.Left, "Namespace "+Namespace+": it was not installed by this command")
		return nil
	}
	foreign, err := c.foreign(ctx)
	if err != nil {
		r.Unfinished = true
		r.Left = append(r.Left, "Namespace "+Namespace+": whether it holds what is others' could not be told: "+err.Error())
		return nil //nolint:nilerr // it is told as left
	}
	if len(foreign) > 0 {
		r.Left = append(r.Left, "Namespace "+Namespace+": it holds what is not ours: "+firstFew(foreign))
		return nil
	}
	if err := c.remove(ctx, k, there); err != nil {
		return err
	}
	r.Removed++
	return c.awaitGone(ctx, k, wait, r)
}

// awaitGone waits until the namespace is gone, and tells what holds it up where it is not.
func (c *Cluster) awaitGone(ctx context.Context, k *kind, wait time.Duration, r *Removal) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	why := ""
	for {
		there, err := c.get(ctx, k, "", Namespace)
		if err == nil && there == nil {
			return nil
		}
		if err == nil {
			why = terminating(there)
		}
		select {
		case <-ctx.Done():
			r.Left, r.Unfinished = append(r.Left, "Namespace "+Namespace+": it is being deleted still"+why), true
			return nil
		case <-tick.C:
		}
	}
}

// terminating is what the namespace's own conditions say of why it is not gone.
func terminating(namespace *Object) string {
	var told []string
	conditions, _, _ := unstructured.NestedSlice(namespace.Object, "status", "conditions")
	for _, item := range conditions {
		if fields, ok := item.(map[string]any); ok && fields["status"] == "True" {
			told = append(told, fmt.Sprint(fields["message"]))
		}
	}
	if len(told) == 0 {
		return ""
	}
	return ": " + strings.Join(told, "; ")
}

// foreign are the objects in the gate's namespace that neither carry our label nor come and go with it by themselves. Their
// metadata alone is read.
func (c *Cluster) foreign(ctx context.Context) ([]string, error) {
	lists, err := c.discovery.ServerPreferredNamespacedResourcesWithContext(ctx)
	if err != nil && len(lists) == 0 {
		return nil, fmt.Errorf("ask the cluster for its kinds: %w", err)
	}
	var found []string
	var errs []error
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, resource := range list.APIResources {
			if strings.Contains(resource.Name, "/") || !slices.Contains(resource.Verbs, "list") || !slices.Contains(resource.Verbs, "delete") || resource.Kind == "Event" {
				continue
			}
			page, err := c.metadata.Resource(gv.WithResource(resource.Name)).Namespace(Namespace).List(ctx, metav1.ListOptions{Limit: 100})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("list %s: %w", resource.Name, err))
				continue
			}
			for i := range page.Items {
				if o := &page.Items[i]; !passing(resource.Kind, o) {
					found = append(found, resource.Kind+" "+o.Name)
				}
			}
		}
	}
	return found, errors.Join(errs...)
}

// passing says whether an object needs nobody's consent to go: ours, what its owner takes along, and what every namespace
// is given. Objects that are on their way out are gone for our purposes.
func passing(kind string, o *metav1.PartialObjectMetadata) bool {
	switch {
	case o.Labels[managedBy] == "coaming", len(o.OwnerReferences) > 0, o.DeletionTimestamp != nil:
		return true
	case o.Labels["app.kubernetes.io/name"] == gateName, o.Name == gateName: // its pods, its lease and its endpoints
		return true
	}
	return kind == "ConfigMap" && o.Name == "kube-root-ca.crt" || kind == "ServiceAccount" && o.Name == "default"
}
