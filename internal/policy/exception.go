package policy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// Exempted are exceptions as match conditions, by the id of their rules. The zero value, and nil, hold none.
type Exempted struct {
	byRule map[string][]exemption
	// Notes tell, for each exception that no policy can hold or hold exactly, why.
	Notes []string
}

// exemption is one exception of a rule's policy.
type exemption struct {
	name  string
	scope string // the expression that holds for what it is for
	until time.Time
	of    *verdict.Exception
}

// mostExempted bounds the match conditions that exceptions take of a policy: the API server takes 64 of all kinds.
const mostExempted = 56

// Exempt makes match conditions of the exceptions that stand at a moment. A policy judges one whole object: an exception
// for single findings, containers or images is not one for an object.
func Exempt(list []verdict.Exception, now time.Time, lifetime time.Duration) *Exempted {
	x := &Exempted{byRule: map[string][]exemption{}}
	for i := range list {
		e := &list[i]
		if why := unfit(e, now, lifetime); why != "" {
			x.note(e, "not in the policies: "+why)
			continue
		}
		one := exemption{fmt.Sprintf("exception-%d-until-%s", i+1, e.Expires.UTC().Format(time.DateOnly)), scopeOf(e), e.Expires, e}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(e.Rules))) {
			if len(x.byRule[id]) == mostExempted {
				x.note(e, "not in the policy of "+id+", which has no room for more")
				continue
			}
			x.byRule[id] = append(x.byRule[id], one)
		}
		x.note(e, "in the policies; it ends by itself at "+e.Expires.UTC().Format(time.RFC3339))
		if why := exception.Narrowed(e); why != "" {
			x.note(e, why)
		}
	}
	return x
}

func (x *Exempted) note(e *verdict.Exception, text string) {
	x.Notes = append(x.Notes, exception.Note(e, text))
}

// Conditions are those of the rule's policy that changes objects before they are made: it leaves all that is excused to a second one.
func (x *Exempted) Conditions(rule string) []Condition {
	var list []Condition
	for _, e := range x.of(rule) {
		list = append(list, Condition{e.name, "!(" + e.scope + ")"})
	}
	return list
}

// Rules are the ids of the rules that are excused of something.
func (x *Exempted) Rules() []string { return slices.Sorted(maps.Keys(x.byRule)) }

func (x *Exempted) of(rule string) []exemption {
	if x == nil {
		return nil
	}
	return x.byRule[rule]
}

// Excuses says whether an object is excused of a rule at a moment: what the conditions of the rule's policy come to.
func (x *Exempted) Excuses(rule string, o *fact.Object, at time.Time) bool {
	return slices.ContainsFunc(x.of(rule), func(e exemption) bool { return at.Before(e.until) && exception.Covers(e.of, o) })
}

// unfit is why an exception cannot be a match condition; "" where it can.
func unfit(e *verdict.Exception, now time.Time, lifetime time.Duration) string {
	problems := e.Problems()
	switch {
	case e.Fault != "":
		return e.Fault
	case len(problems) > 0:
		return problems[0].Text
	case !now.Before(e.Expires):
		return "it has expired"
	case e.Expires.Sub(now) > lifetime:
		return fmt.Sprintf("it expires more than %d days ahead", int(lifetime.Hours()/24))
	case len(e.Fingerprints) > 0:
		return "it is for single findings, and a policy judges objects: name the object by kind and name"
	case e.Container != "":
		return "it is for one container, and a policy judges all of an object"
	case e.Image != "":
		return "it is for an image, and a policy judges all containers of an object"
	case exception.Unheld(e) != "":
		return exception.Unheld(e)
	case e.AtMost > 0:
		return "a policy does not count findings: leave out atMost"
	case e.Selector.Name == "":
		return "it stands in the object that it is for"
	}
	return ""
}

// scopeOf is exception.Covers as an expression: it holds for the object that the exception names, and what Kubernetes' controllers
// make of it.
func scopeOf(e *verdict.Exception) string {
	s := &e.Selector
	parts := []string{placeText + ` == ` + quotedText(e.Namespace)}
	if e.Namespace == "" { // see exception.Reaches
		parts[0] = `object.metadata.?namespace.orValue("") == ""`
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		parts = append(parts, `object.metadata.?labels[?`+quotedText(key)+`].orValue("") == `+quotedText(s.Labels[key]))
	}
	own := kindIs("object", s.Kind) + ` && object.metadata.?name.orValue("") == ` + quotedText(s.Name)
	return strings.Join(append(parts, "("+own+" || "+madeOf(s)+")"), " && ")
}

// madeOf holds for what controllers make of an object that is named: its own pods, replica sets and jobs, and the
// pods of these, whose owner's name is the object's and a part that the controller adds.
func madeOf(s *verdict.Selector) string {
	owner := `o.?controller.orValue(false) && (` + kindIs("o", s.Kind) + ` && o.name == ` + quotedText(s.Name)
	kind, _, _ := strings.Cut(s.Kind, ".")
	if made := exception.Between[kind]; made != "" {
		owner += ` || o.kind == ` + quotedText(made) + ` && o.name.startsWith(` + quotedText(s.Name+"-") + `) && !o.name.substring(` + strconv.Itoa(len([]rune(s.Name))+1) + `).contains("-")`
	}
	return `request.userInfo.username in ` + listText(exception.Controllers) + ` && object.metadata.?ownerReferences.orValue([]).exists(o, ` + owner + `))`
}

// kindIs says whether an object, or a reference to one, is of a kind, "Kind" or "Kind.group".
func kindIs(what, kind string) string {
	name, group, grouped := strings.Cut(kind, ".")
	text := what + `.kind == ` + quotedText(name)
	if grouped {
		text += ` && ` + what + `.apiVersion.startsWith(` + quotedText(group+"/") + `)`
	}
	return text
}

// quotedText is a text as an expression writes it.
func quotedText(s string) string {
	written, _ := printed(text(s)) // of a literal there is no error
	return written
}
