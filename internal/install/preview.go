package install

import (
	"context"
	"fmt"
	"slices"

	"github.com/coaming/coaming/internal/drift"
)

// Preview says what Apply would change, and changes nothing: a line for each object that would be made, changed or removed.
func (c *Cluster) Preview(ctx context.Context, p *Plan) ([]string, error) {
	var lines []string
	if p.secret != nil {
		lines = append(lines, "make "+named(p.secret)+": a new authority")
	}
	same := 0
	for _, want := range p.Objects {
		k, err := kindOf(want)
		if err != nil {
			return nil, err
		}
		found, err := c.get(ctx, k, want.GetNamespace(), want.GetName())
		if err != nil {
			return nil, err
		}
		if found == nil {
			lines = append(lines, "make "+named(want))
			continue
		}
		list := drift.Of(want, found, k.strict)
		if len(list) == 0 {
			same++
			continue
		}
		text := fmt.Sprintf("change %s: %s from %s to %s", named(want), list[0].Path, orNothing(list[0].Found), orNothing(list[0].Want))
		if len(list) > 1 {
			text += fmt.Sprintf(", and %d more", len(list)-1)
		}
		lines = append(lines, text)
	}
	for i := range slices.Backward(c.kinds) {
		there, err := c.own(ctx, &c.kinds[i])
		if err != nil {
			return nil, err
		}
		for _, o := range there {
			if !p.keeps[keyOf(o)] {
				lines = append(lines, "remove "+named(o))
			}
		}
	}
	return append(lines, fmt.Sprintf("%d objects stay as they are", same)), nil
}
