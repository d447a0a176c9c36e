package judge

import (
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// gaps answers whether objects of a kind may have been missed.
type gaps struct{ *verdict.GapIndex }

// missed is a NotSeen when an object of that kind and namespace may have been missed.
func (g gaps) missed(kind, namespace string) error {
	if reason := g.Missed(kind, namespace); reason != "" {
		return &rule.NotSeen{Reason: reason}
	}
	return nil
}

func kindName(kind string) string {
	name, _ := fact.SplitKind(kind)
	return name
}
