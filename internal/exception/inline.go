package exception

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// The words of what stands in an object.
const (
	marker           = "coaming:ignore"         // # coaming:ignore RULE owner=… reason="…" expires=…
	ignoreAnnotation = "coaming.dev/ignore"     // the same, one on each line
	ruleAnnotation   = "coaming.dev/exception." // and the rule; the rest is the value
)

// maxAnnotated bounds the exceptions that one object's annotations hold.
const maxAnnotated = 256

// annotations are the exceptions in an object's annotations: for that object.
func annotations(o *fact.Object) []verdict.Exception {
	var list []verdict.Exception
	add := func(at document.Value, rule, text string) {
		e, faults := parse(text, rule, withinObject(o))
		e.Grant, e.Location = verdict.GrantAnnotation, placeOf(o, at)
		list = append(list, refused(e, faults))
	}
	for key, at := range o.Root.At("metadata", "annotations").Fields() {
		rule, one := strings.CutPrefix(key, ruleAnnotation)
		if !one && key != ignoreAnnotation {
			continue
		}
		if len(list) >= maxAnnotated {
			e := verdict.Exception{Grant: verdict.GrantAnnotation, Location: placeOf(o, at)}
			e.Fault = fmt.Sprintf("more than %d exceptions in the annotations of one object", maxAnnotated)
			e.Remedy = "Write them into a file."
			return append(list, e)
		}
		switch {
		case one:
			add(at, rule, at.Str())
		case strings.TrimSpace(at.Str()) == "":
			add(at, "", "")
		default:
			for line := range strings.Lines(at.Str()) {
				if strings.TrimSpace(line) != "" && len(list) <= maxAnnotated {
					add(at, "", line)
				}
			}
		}
	}
	return list
}

func subjectOf(o *fact.Object) verdict.Subject {
	return verdict.Subject{APIVersion: o.APIVersion, Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
}

func withinObject(o *fact.Object) *verdict.Within {
	w := &verdict.Within{Object: subjectOf(o), From: placeOf(o, o.Root), Made: made(o)}
	if o.Origin != nil && !o.Origin.Served {
		_, _, w.ToLine, w.ToColumn = o.Root.Bounds()
	}
	return w
}

// made says whether a controller made the object: its annotations are copies.
func made(o *fact.Object) bool {
	for _, ref := range o.Root.At("metadata", "ownerReferences").Items() {
		if ref.Get("controller").Bool() {
			return true
		}
	}
	return false
}

// comments are the exceptions in the comments of a document; objects are those it holds, in order.
func comments(d *document.Doc, objects []*fact.Object) []verdict.Exception {
	found, more := d.Comments(marker)
	list := make([]verdict.Exception, 0, len(found))
	for i := range found {
		list = append(list, fromComment(&found[i], objects))
	}
	if more {
		list = append(list, verdict.Exception{
			Grant: verdict.GrantComment, Location: placeOf(objects[0], objects[0].Root),
			Fault: "too many comments that are exceptions in one document; the rest is not read", Remedy: "Write them into a file.",
		})
	}
	return list
}

func fromComment(c *document.Comment, objects []*fact.Object) verdict.Exception {
	// The last object that begins before the value, or with it, is the one that holds it.
	n, _ := slices.BinarySearchFunc(objects, c.On.Order()+1, func(o *fact.Object, order int) int { return o.Root.Order() - order })
	within := &verdict.Within{}
	var faults []fault
	owner := objects[max(n-1, 0)]
	switch {
	case !c.On.Exists():
		faults = []fault{{text: "the comment stands at nothing", remedy: "Put it on the line of the field, container or object, or on the line above, behind any ---."}}
	case !owner.Root.Holds(c.On):
		faults = []fault{{text: "the comment stands at more than one object", remedy: "Put it at the object, or in it."}}
	default:
		within = &verdict.Within{Object: subjectOf(owner), From: placeOf(owner, c.On), ToLine: c.ToLine, ToColumn: c.ToColumn}
		within.From.Line, within.From.Column = c.FromLine, c.FromColumn
	}
	e, wrong := parse(c.Text, "", within)
	e.Grant, e.Location = verdict.GrantComment, placeOf(owner, owner.Root)
	e.Location.Line, e.Location.Column = c.Line, c.Column
	return refused(e, append(faults, wrong...))
}
