package install

import (
	"context"

	"github.com/coaming/coaming/internal/enforcement"
)

// Places are the namespaces of the cluster with their labels, for which a plan says what holds. Offline there are none.
func (c *Cluster) Places(ctx context.Context) ([]enforcement.Place, error) {
	if c.dynamic == nil {
		return nil, nil
	}
	all, err := c.list(ctx, c.kindNamed("Namespace"), "", "")
	if err != nil {
		return nil, err
	}
	var places []enforcement.Place
	for _, o := range all {
		if o.GetDeletionTimestamp() == nil {
			places = append(places, enforcement.Place{Namespace: o.GetName(), Labels: o.GetLabels(), LabelsKnown: true})
		}
	}
	return places, nil
}
