package cli

import (
	"slices"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/verdict"
)

// rate says of each finding what it matters to attackers. A cluster of which the rules that were asked for
// did not want rights and services was not read so far that anybody could say.
func rate(res *verdict.Result, inventory *fact.Inventory, asked []string) {
	if len(res.Findings) == 0 || asked != nil && slices.ContainsFunc(append([]string{"Service"}, rbac.Kinds...), func(kind string) bool { return !slices.Contains(asked, kind) }) {
		return
	}
	worlds := inventory.Worlds
	if len(worlds) == 0 {
		worlds = []*fact.Inventory{inventory}
	}
	for _, world := range worlds {
		w := attack.NewWorld(attack.Input{Inventory: world, Gaps: res.Coverage.Gaps, Shipped: catalog.Shipped()})
		attack.New(w, attack.Steps()).Rate(res.Findings)
	}
}
