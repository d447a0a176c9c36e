package judge

import (
	"maps"
	"slices"
	"strconv"

	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

func sortedKeys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }

// gaps answers whether objects of a kind may have been missed.
type gaps struct {
	any    []verdict.Gap // may have held anything
	byKind map[string][]verdict.Gap
}

func indexGaps(list []verdict.Gap) gaps {
	g := gaps{byKind: map[string][]verdict.Gap{}}
	for _, gap := range list {
		if gap.Code == verdict.GapDuplicate || gap.Code == verdict.GapWrongType {
			continue // the object is there; what is doubtful about it is the object's own matter
		}
		if len(gap.Kinds) == 0 {
			g.any = append(g.any, gap)
		}
		for _, kind := range gap.Kinds {
			g.byKind[kind] = append(g.byKind[kind], gap)
		}
	}
	return g
}

// missed is a NotSeen when an object of that kind and namespace may have been missed. A gap may
// know the kind's name and not its group.
func (g *gaps) missed(kind, namespace string) error {
	for _, list := range [][]verdict.Gap{g.byKind[kind], g.byKind[kindName(kind)], g.any} {
		for i := range list {
			if gap := &list[i]; gap.Namespace == "" || namespace == "" || gap.Namespace == namespace {
				return &rule.NotSeen{Reason: "it needs to know every " + kindName(kind) + ", and one may stand in what was not looked at: " + place(gap)}
			}
		}
	}
	return nil
}

func kindName(kind string) string {
	for i := range kind {
		if kind[i] == '.' {
			return kind[:i]
		}
	}
	return kind
}

func place(g *verdict.Gap) string {
	text := g.Location.File
	if text == "" {
		text = g.Location.Source
	}
	if g.Location.Line > 0 {
		text += ":" + strconv.Itoa(g.Location.Line)
	}
	return text + " (" + string(g.Code) + ")"
}
