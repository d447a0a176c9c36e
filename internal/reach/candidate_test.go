package reach

import (
	"reflect"
	"testing"

	"github.com/coaming/coaming/internal/fact"
)

// everyPair is Flows with every source put to every target.
func (n *Network) everyPair() []Flow {
	sources, targets := n.halves(egress), n.halves(ingress, istio, linkerd)
	collect := &collector{index: map[string]int{}}
	for i := range sources {
		for j := range targets {
			collect.meet(n, &sources[i], &targets[j])
		}
	}
	return collect.merged()
}

// TestFlowsOfCandidates holds that no source that reaches a target is passed over.
func TestFlowsOfCandidates(t *testing.T) {
	for name, inventory := range map[string]*fact.Inventory{
		"mixed": cluster(t, 3_000, false), "mesh": cluster(t, 3_000, true), "hardened": hardened(t, 400),
	} {
		n := New(Input{Inventory: inventory})
		got, want := n.Flows(), n.everyPair()
		if len(want) < 20 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d flows, every pair gives %d", name, len(got), len(want))
		}
	}
}
