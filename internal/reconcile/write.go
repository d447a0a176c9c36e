package reconcile

import (
	"context"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/coaming/coaming/internal/drift"
)

// Write makes an object be as it is wanted, whoever else wrote to it, and gives it as it is stored. It is applied server-side; where
// that leaves what others added (asked for strictly: a selector in a webhook exempts as well as its removal), or makes of both what the
// API server takes as neither (a url beside a service), the object is replaced. Others' labels and annotations stay.
func Write(ctx context.Context, client dynamic.ResourceInterface, want *unstructured.Unstructured, manager string, strict bool) (*unstructured.Unstructured, error) {
	stored, err := client.Apply(ctx, want.GetName(), want, metav1.ApplyOptions{FieldManager: manager, Force: true})
	if err == nil && (!strict || drift.First(want, stored) == "") {
		return stored, nil
	}
	if err != nil && !apierrors.IsInvalid(err) {
		return nil, fmt.Errorf("apply: %w", err)
	}
	replaced, fault := replace(ctx, client, want, manager)
	switch {
	case fault != nil && err != nil:
		return nil, fmt.Errorf("apply: %w", err) // it is invalid by itself
	case fault != nil:
		return nil, fmt.Errorf("replace: %w", fault)
	}
	return replaced, nil
}

// replace writes an object over what is there, whoever wrote that.
func replace(ctx context.Context, client dynamic.ResourceInterface, want *unstructured.Unstructured, manager string) (stored *unstructured.Unstructured, err error) {
	for range 3 { // another may write at the same time
		if stored, err = client.Get(ctx, want.GetName(), metav1.GetOptions{}); err != nil {
			return nil, err
		}
		whole := want.DeepCopy()
		whole.SetResourceVersion(stored.GetResourceVersion())
		whole.SetLabels(over(stored.GetLabels(), want.GetLabels()))
		whole.SetAnnotations(over(stored.GetAnnotations(), want.GetAnnotations()))
		if stored, err = client.Update(ctx, whole, metav1.UpdateOptions{FieldManager: manager}); !apierrors.IsConflict(err) {
			return stored, err
		}
	}
	return nil, err
}

// over lays a set over another.
func over(under, set map[string]string) map[string]string {
	whole := maps.Clone(under)
	if whole == nil {
		return set
	}
	maps.Copy(whole, set)
	return whole
}
