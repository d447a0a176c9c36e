package install

import (
	"context"
	"fmt"

	"github.com/coaming/coaming/internal/drift"
)

// Preview says what Apply would change, and changes nothing: a line for each object that would be made, changed or removed; adopt as
// in Options.
func (c *Cluster) Preview(ctx context.Context, p *Plan, adopt bool) ([]string, error) {
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
		word := "change"
		if !adopt && isOthers(k, want, found) {
			word = "not change without --adopt, for no installation wrote it,"
		}
		text := fmt.Sprintf(word+" %s: %s from %s to %s", named(want), list[0].Path, orNothing(list[0].Found), orNothing(list[0].Want))
		if len(list) > 1 {
			text += fmt.Sprintf(", and %d more", len(list)-1)
		}
		lines = append(lines, text)
	}
	surplus, foreign, err := c.surplus(ctx, p, adopt)
	if err != nil {
		return nil, err
	}
	for _, o := range surplus {
		lines = append(lines, "remove "+named(o))
	}
	lines = append(lines, foreignLines(foreign)...)
	return append(lines, fmt.Sprintf("%d objects stay as they are", same)), nil
}
