package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/drift"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/reconcile"
	"github.com/coaming/coaming/internal/verdict"
)

// surplus is what carries our label and is not part of the plan, in the order of removing: what an earlier installation wrote, or the
// gate did. foreign is what neither wrote, policies that somebody exported and applied: it stays, unless it is adopted.
func (c *Cluster) surplus(ctx context.Context, p *Plan, adopt bool) (surplus, foreign []*Object, err error) {
	for i := range slices.Backward(c.kinds) {
		there, err := c.own(ctx, &c.kinds[i])
		if err != nil {
			return nil, nil, err
		}
		for _, o := range there {
			switch {
			case p.keeps[keyOf(o)]:
			case adopt || installed(o):
				surplus = append(surplus, o)
			default:
				foreign = append(foreign, o)
			}
		}
	}
	return surplus, foreign, nil
}

// installed says whether an installation or the gate ever wrote to an object: the API server notes who writes. The label alone
// says only that Coaming made it: 'coaming policy export' writes it, too.
func installed(o *Object) bool {
	return slices.ContainsFunc(o.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool {
		return f.Manager == manager || f.Manager == reconcile.FieldManager
	})
}

// unowned is an error for what has a name of ours, or our label, no installation wrote, and the plan would make something else of: what
// it refuses now might be let through. So is a namespace that somebody holds to a stricter Pod Security standard than the plan.
func (c *Cluster) unowned(ctx context.Context, p *Plan) error {
	wanted := map[key]*Object{}
	for _, o := range p.Objects {
		wanted[keyOf(o)] = o
	}
	var names []string
	for i := range c.kinds {
		k := &c.kinds[i]
		if !k.native && k.name != "Namespace" {
			continue
		}
		there, err := c.list(ctx, k, "", "")
		if err != nil {
			return err
		}
		for _, o := range there {
			if want := wanted[keyOf(o)]; want != nil && isOthers(k, want, o) && len(drift.Of(want, o, k.strict)) > 0 {
				names = append(names, named(o))
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &verdict.RemedyError{
		Err:    fmt.Errorf("%d objects were applied by hand, or by others, and the plan would make something else of them: %s", len(names), firstFew(names)),
		Remedy: "Have the plan say what they enforce, and give --adopt: the installation then keeps them as the plan says.",
	}
}

// isOthers says whether an object that stands where one is wanted is somebody else's to change.
func isOthers(k *kind, want, found *Object) bool {
	return !installed(found) && (k.native || k.name == "Namespace" && policy.Loosens(want.GetLabels(), found.GetLabels()))
}

// firstFew are the first names of a list, and how many more there are.
func firstFew(names []string) string {
	const shown = 5
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// removeAll removes objects, and says how many; one that cannot be removed keeps no other from it.
func (c *Cluster) removeAll(ctx context.Context, objects []*Object) (removed int, err error) {
	var errs []error
	for _, o := range objects {
		k, err := kindOf(o)
		if err == nil {
			err = c.remove(ctx, k, o)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	return removed, firstOf(errs)
}

// foreignLines tell of what stays though it carries our label: nothing that refuses goes without a word.
func foreignLines(foreign []*Object) []string {
	if len(foreign) == 0 {
		return nil
	}
	names := make([]string, 0, len(foreign))
	for _, o := range foreign {
		names = append(names, named(o))
	}
	return []string{fmt.Sprintf("left %d objects that carry our label and no installation wrote (--adopt removes them): %s", len(foreign), firstFew(names))}
}
