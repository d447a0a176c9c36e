package judge

import (
	"slices"
	"sync"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
)

// Among is objects of a living cluster, and what of it is not known, among which others are judged one after the other: what
// is known of them is worked out once. Safe for concurrent use.
type Among struct {
	// Objects and Gaps are not to be changed.
	Objects []*fact.Object
	Gaps    []verdict.Gap

	inventory func() *fact.Inventory
	missed    func() *verdict.GapIndex
	access    func() *rbac.Model
	selecting func() map[kindIn]*selecting
	scalers   func() map[scaled][]*fact.Object
}

// NewAmong takes the objects; none of them carries pods, where it is to be judged among them.
func NewAmong(objects []*fact.Object, gaps []verdict.Gap) *Among {
	a := &Among{Objects: objects, Gaps: gaps}
	a.inventory = sync.OnceValue(func() *fact.Inventory { return fact.NewInventory(a.Objects, "", true) })
	a.missed = sync.OnceValue(func() *verdict.GapIndex { return verdict.IndexGaps(a.Gaps) })
	a.selecting = sync.OnceValue(func() map[kindIn]*selecting { return indexSelecting(a.inventory()) })
	a.scalers = sync.OnceValue(func() map[scaled][]*fact.Object { return indexScalers(a.inventory()) })
	a.access = sync.OnceValue(func() *rbac.Model { return accessOf(a.inventory(), a.Gaps) })
	return a
}

// Input is the judgement of one object among the others, in the place of what it was before.
func (a *Among) Input(o *fact.Object, version string) Input {
	in := Input{
		Coverage: verdict.Coverage{Gaps: a.Gaps},
		About:    func(other *fact.Object) bool { return other == o },
		missed:   a.missed,
	}
	kind := o.GroupKind()
	if len(a.inventory().OfKind(kind)) == 0 && !slices.Contains(rbac.Kinds, kind) && !slices.Contains(rbac.LinkKinds, kind) {
		in.Inventory, in.access = a.inventory().With(o, version), a.access
		if podSelectors[kind] == nil && kind != autoscaler { // which would be one more
			in.selecting, in.scalers = a.selecting, a.scalers
		}
		return in
	}
	objects := slices.DeleteFunc(slices.Clone(a.Objects), func(other *fact.Object) bool {
		return other.Name == o.Name && other.Namespace == o.Namespace && other.GroupKind() == kind
	})
	in.Inventory = fact.NewInventory(append(objects, o), version, true)
	return in
}

func accessOf(inv *fact.Inventory, gaps []verdict.Gap) *rbac.Model {
	return rbac.New(rbac.Input{Inventory: inv, Gaps: gaps, Shipped: catalog.Shipped()})
}
