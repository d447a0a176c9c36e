package inject

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
)

// Drift is one way in which an object's sidecar is not what the plan and its template say now.
type Drift struct {
	Object   *fact.Object
	Template string
	// Have is the version that the object says it has, Want the template's; "" for none.
	Have, Want string
	// Message says what differs, in one sentence without a full stop.
	Message string
}

// Drifts tells of an object what of its sidecars is not what the plan would give it now: another version, other content,
// a sidecar that is missing or that nobody asks for any more. Of pods that have ended, and of those that refuse, it tells nothing.
// The error tells what could not be compared.
func (in *Injector) Drifts(o *fact.Object, at enforcement.Place, server string) ([]Drift, error) {
	base, carries := templatesAt[o.GroupKind()]
	phase := o.Root.At("status", "phase").Str()
	if !carries || in.Plan.Excludes(at.Namespace) || phase == "Succeeded" || phase == "Failed" {
		return nil, nil
	}
	p, err := newPod(o.Root, base)
	if err != nil {
		return nil, err
	}
	had := versions(p.annotated())
	if len(had) == 0 && !in.into(o) || o.Root.At("metadata", "annotations").Get("kubernetes.io/config.mirror").Exists() {
		return nil, nil // on the way into a cluster pods alone get sidecars
	}
	wanted := in.sidecarsOf(p, at, refusal(o, base))
	w, err := weave(p, wanted, server)
	drifts := []Drift{}
	for _, s := range wanted {
		have, there := had[s.Name]
		notes := w.notes[s.Name]
		switch {
		case !there && w.why["sidecar "+s.Name] == "":
			continue // the error tells why it cannot be there
		case !there:
			notes = []string{"it is not there"}
		case have != s.Version:
			notes = []string{fmt.Sprintf("it is version %s, and the template is version %s", have, s.Version)}
		}
		if len(notes) > 0 {
			drifts = append(drifts, Drift{o, s.Name, have, s.Version, strings.Join(notes, "; ")})
		}
	}
	for name, have := range had {
		if !slices.ContainsFunc(wanted, func(s *Sidecar) bool { return s.Name == name }) {
			drifts = append(drifts, Drift{o, name, have, "", "nothing asks for it here"})
		}
	}
	slices.SortFunc(drifts, func(a, b Drift) int { return cmp.Compare(a.Template, b.Template) })
	return drifts, err
}

// unsure is an error where it is not known whether what the plan says is for a place.
func (in *Injector) unsure(at enforcement.Place) error {
	if at.LabelsKnown {
		return nil
	}
	var what []string
	for i := range in.sidecars {
		if _, known := in.sidecars[i].where.Holds(at); !known {
			what = append(what, "sidecar "+in.sidecars[i].Name)
		}
	}
	for i := range in.Plan.Defaults {
		if _, known := in.Plan.Defaults[i].Where.Holds(at); !known {
			what = append(what, strings.Join(in.Plan.Defaults[i].Rules, ", "))
		}
	}
	for i := range in.Plan.Resources {
		if _, known := in.Plan.Resources[i].Where.Holds(at); !known {
			what = append(what, "resources")
		}
	}
	if len(what) == 0 {
		return nil
	}
	return fmt.Errorf("not done in namespace %s, whose labels are not known: %s", at.Namespace, strings.Join(what, "; "))
}
