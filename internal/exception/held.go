package exception

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// A scan sees all objects at once, and counts what an exception excuses. Where objects are admitted one after the other nobody can:
// two requests may come at the same moment, to two replicas of the gate, or to the API server's own policies, which see one object. So
// what counts there is what one object can decide, and whoever may write a label, or use a name in a namespace of their own, is not
// excused by it.

// Unheld is why an exception cannot be held where objects are admitted one after the other, with what to do; "" where it can. What is
// wrong with it anywhere (its Fault, its Problems, its end) is no matter of this.
func Unheld(e *verdict.Exception) string {
	distinct := func(list []string) int { return len(slices.Compact(slices.Sorted(slices.Values(list)))) }
	switch {
	case len(e.Fingerprints) > 0 && e.AtMost > 0 && e.AtMost < distinct(e.Fingerprints):
		return fmt.Sprintf("it names %d faults and may excuse %d of them, and where objects come one by one nobody counts: leave out atMost, or name so many", distinct(e.Fingerprints), e.AtMost)
	case len(e.Fingerprints) > 0:
		return ""
	case e.Within == nil && e.Selector.Name == "":
		return fmt.Sprintf("it may excuse %d findings of any object in its scope, and where objects come one by one nobody counts: "+
			"name each object by kind, name and namespace, or have the plan hold the rule otherwise there", e.AtMost)
	case e.AtMost > 0 && distinct(e.Rules) > 1:
		return fmt.Sprintf("its %d findings are counted over several rules, and not all of these need be judged by the same: leave out atMost, or write an exception for each rule", e.AtMost)
	}
	return ""
}

// Reaches says whether an exception that names one object can be for one in a namespace, "" for what belongs to none: where it names no
// namespace it is for what belongs to none, for of others there may be one of the name in each.
func Reaches(e *verdict.Exception, namespace string) bool {
	return e.Namespace != "" || e.Within != nil || len(e.Fingerprints) > 0 || namespace == ""
}

// Held are the exceptions of a list that can be held where objects are admitted one after the other; notes tell of each other one why
// not, and of what is held of one alone.
func Held(list []verdict.Exception) (held []verdict.Exception, notes []string) {
	for i := range list {
		e := &list[i]
		if e.Fault != "" || len(e.Problems()) > 0 { // which excuse nothing anywhere, as a scan tells
			continue
		}
		if why := Unheld(e); why != "" {
			but := ""
			if e.Image != "" {
				but = ", but for what is found in the image itself"
			}
			notes = append(notes, Note(e, "it does not count where objects are admitted"+but+": "+why))
			continue
		}
		if why := Narrowed(e); why != "" {
			notes = append(notes, Note(e, why))
		}
		held = append(held, *e)
	}
	return held, notes
}

// OfImages are the exceptions of a list that can be held for what an image holds and not for objects: its digest says what it holds,
// whoever runs it, and all of that is counted at once.
func OfImages(list []verdict.Exception) []verdict.Exception {
	var held []verdict.Exception
	for i := range list {
		if e := &list[i]; e.Image != "" && e.Fault == "" && len(e.Problems()) == 0 && Unheld(e) != "" {
			held = append(held, *e)
		}
	}
	return held
}

// Narrowed is what to tell of an exception of which Reaches leaves a part out; "" where it leaves out none that is known.
func Narrowed(e *verdict.Exception) string {
	if Reaches(e, "any") || fact.ClusterScoped(e.Selector.Kind) || e.Selector.Kind == "Namespace" {
		return ""
	}
	return "it names no namespace: where objects are admitted it is for what belongs to none, since there may be one of the name in each; add its namespace"
}

// Note is a sentence about an exception, with its place and what it is.
func Note(e *verdict.Exception, text string) string {
	return fmt.Sprintf("%s:%d: exception of %s for %s: %s", e.Location.File, e.Location.Line, e.Owner, strings.Join(e.Rules, ", "), text)
}
