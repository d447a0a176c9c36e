package verdict

import (
	"slices"
	"strconv"
	"strings"
)

// GapIndex answers whether objects of a kind may have been missed.
type GapIndex struct {
	all    []Gap
	any    []Gap // may have held anything
	byKind map[string][]Gap
}

// IndexGaps indexes gaps by the kinds that they may hold. Of a duplicate key or a wrong type the
// object is there: what is doubtful about it is the object's own matter.
func IndexGaps(list []Gap) *GapIndex {
	x := &GapIndex{byKind: map[string][]Gap{}}
	for i := range list {
		gap := &list[i]
		if gap.Code == GapDuplicate || gap.Code == GapWrongType {
			continue
		}
		x.all = append(x.all, *gap)
		if len(gap.Kinds) == 0 {
			x.any = append(x.any, *gap)
		}
		for _, kind := range gap.Kinds {
			x.byKind[kind] = append(x.byKind[kind], *gap)
		}
	}
	return x
}

// Missed says why an object of that kind, "Kind" or "Kind.group", may stand in what was not looked
// at; "" when none may. A namespace "" is all of them. A gap may know the kind's name and not its group.
func (x *GapIndex) Missed(kind, namespace string) (reason string) {
	name, _, _ := strings.Cut(kind, ".")
	for _, list := range [][]Gap{x.byKind[kind], x.byKind[name], x.any} {
		for i := range list {
			if gap := &list[i]; gap.Namespace == "" || namespace == "" || gap.Namespace == namespace {
				return "it needs to know every " + name + ", and one may stand in what was not looked at: " + gap.Place()
			}
		}
	}
	return ""
}

// Hiding are the gaps in which an object may stand of a kind, "Kind" or "Kind.group", of which the
// test holds, in their order.
func (x *GapIndex) Hiding(holds func(kind string) bool) []Gap {
	var list []Gap
	for i := range x.all {
		if gap := &x.all[i]; len(gap.Kinds) == 0 || slices.ContainsFunc(gap.Kinds, holds) {
			list = append(list, *gap)
		}
	}
	return list
}

// Place is where the gap is and why, for a sentence: "deploy/web.yaml:12 (syntax)".
func (g *Gap) Place() string {
	text := g.Location.File
	if text == "" {
		text = g.Location.Source
	}
	if g.Location.Line > 0 {
		text += ":" + strconv.Itoa(g.Location.Line)
	}
	return text + " (" + string(g.Code) + ")"
}
