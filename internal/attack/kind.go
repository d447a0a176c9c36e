package attack

import (
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
)

// Kinds are the object kinds that a world is made of, each "Kind" or "Kind.group", sorted: what a
// live cluster must be asked for.
func Kinds() []string {
	kinds := slices.Concat(rbac.Kinds, rbac.LinkKinds, reach.Kinds(), fact.PodKinds(), []string{"ServiceAccount", "PersistentVolume", "PersistentVolumeClaim"})
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
