package admission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Trouble is why an object was not judged, or not to its end, where that is the object's own doing: who writes an object must not come
// past what is enforced by what nobody can read or has time for.
type Trouble struct {
	What, Remedy string
	// Passing says that the same object may be judged at another time.
	Passing bool
}

const remedySmaller = "Make the object smaller: move long texts and lists to objects of their own."

// TooLarge is the trouble of a review over a number of bytes.
func TooLarge(limit int64) Trouble {
	return Trouble{What: fmt.Sprintf("what is asked about it is over %d MiB (letters such as < and > count six times, and an update counts twice)", limit>>20), Remedy: remedySmaller}
}

// The troubles of large objects with others, and with themselves.
var (
	Crowded = Trouble{What: "it is large, and too many large objects are judged at the moment", Remedy: "Try again in a moment, or make the object smaller.", Passing: true}
	TooSlow = Trouble{What: "it is so large that judging it takes too long", Remedy: remedySmaller}
)

var tooMany = Trouble{
	What: fmt.Sprintf("more than %d findings are about what is enforced, and the rest was not judged", mostFindings), Remedy: "Mend what is told, or write several objects.",
}

// unreadable is the trouble of an object that JSON's reader refuses.
func unreadable(bad *document.Error) Trouble {
	t := Trouble{What: "it cannot be read: " + bad.Message, Remedy: "Mend the object at this place."}
	switch bad.Code { //nolint:exhaustive // the others need no remedy of their own
	case document.CodeTooLarge:
		t.Remedy = "Make the object smaller and less nested."
	case document.CodeDuplicate:
		t.Remedy = "Write each key once."
	}
	return t
}

// Unread decides a review whose object nobody read, by what names the request: the beginning of a body of which no more was
// kept. What may be enforced on such an object refuses it. An error is Refused, and there is no answer.
func (d *Desk) Unread(class Class, beginning string, t Trouble) ([]byte, *Outcome, error) {
	g := glanceAt(beginning)
	if !g.tellsRequest() {
		return nil, nil, refused("the review does not name its request before the object, and was not read further: %s", t.What)
	}
	answer, out := d.unread(class, g, t)
	return answer, out, nil
}

func (d *Desk) unread(class Class, g *glance, t Trouble) ([]byte, *Outcome) {
	q := &g.q
	q.unread = true
	out := &Outcome{Allowed: true}
	if g.changes() {
		if at := d.place(q); !d.Plan.Excludes(at.Namespace) {
			d.undecided(q.kind, d.settingsOf(q.kind, at, class), t, out)
		}
	}
	return out.answer(q), out
}

// undecided tells that rules did not judge an object of a kind to its end, and refuses it where one of them is enforced that may have
// something to say of it.
func (d *Desk) undecided(kind string, settings map[string]enforcement.Setting, t Trouble, out *Outcome) {
	var enforced []string
	strictest := enforcement.Setting{}
	for id, s := range settings {
		if r := d.byID[id]; r != nil && !mayJudge(r, kind) {
			continue
		}
		strictest = stricter(strictest, s)
		if s.Mode == enforcement.Enforce {
			enforced = append(enforced, id)
		}
	}
	slices.Sort(enforced)
	out.undecided(kind, strictest, enforced, t)
}

// settingsOf is how all hold that may have something to say of an object of a kind at a place, what its images must be included.
func (d *Desk) settingsOf(kind string, at enforcement.Place, class Class) map[string]enforcement.Setting {
	c := d.courtAt(at, class)
	settings := maps.Clone(c.settings)
	if !fact.MayCarryPods(kind) {
		return settings
	}
	maps.Copy(settings, c.images)
	if images := d.Plan.ImagesAt(at); class.takes(images.Setting) {
		settings["images"] = images.Setting
	}
	return settings
}

// mayJudge says whether a rule may have something to say of an object of a kind.
func mayJudge(r *rule.Compiled, kind string) bool {
	switch r.Match.Fact {
	case "container", "workload":
		return fact.MayCarryPods(kind)
	case "image":
		return true
	case "namespace":
		return kind == "Namespace"
	case "object":
		return true
	}
	return slices.Contains(r.Match.Kinds, kind)
}

// stricter is the stricter of two settings.
func stricter(a, b enforcement.Setting) enforcement.Setting {
	if b.Mode > a.Mode || b.Mode == a.Mode && b.Fail {
		return b
	}
	return a
}

// undecided enters that nobody knows what some rules would have said.
func (out *Outcome) undecided(kind string, strictest enforcement.Setting, enforced []string, t Trouble) {
	if strictest.Mode == enforcement.Off {
		return
	}
	name, _ := fact.SplitKind(kind)
	f := &verdict.Finding{Verdict: verdict.Unknown, Rule: "undecided", Message: name + " was not judged", Reason: t.What}
	if len(enforced) == 0 {
		strictest.Fail = false
		out.add(strictest, f, nil)
		return
	}
	what := enforced[0] + " is enforced"
	if more := len(enforced) - 1; more > 0 {
		what = fmt.Sprintf("%s and %d more are enforced", enforced[0], more)
	}
	out.Unknown++
	out.note(f.Rule, strictest.Mode.String()+": "+f.Verdict.String()+": "+sentence(f))
	out.deny(sentence(f)+" Here "+what+".", t.Remedy)
	out.passing = out.passing || t.Passing
}
