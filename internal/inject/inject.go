// Package inject changes objects on their way into a cluster, only where a plan asks for it: it gives pods the sidecars of
// templates, makes the fixes of rules that need no person, and gives requests and limits. Every change is an RFC 6902
// patch with its reason in an annotation; the same stands as the API server's own MutatingAdmissionPolicies. It also
// tells where what was injected is no longer what its template says. It judges nothing itself (judge does), and
// knows neither requests nor files.
package inject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// Options are what mutations are made of.
type Options struct {
	Plan *enforcement.Plan
	// Templates are those beside the shipped ones; one of a shipped one's name takes its place.
	Templates []*Template
	// Rules judge what fixes make; those that the plan names are made.
	Rules      []*rule.Compiled
	Settings   rule.Settings
	Exceptions []verdict.Exception
	// Lifetime is the longest that an exception may have; 0 for judge's own.
	Lifetime time.Duration
	Now      func() time.Time
	// Native are the names of the mutating policies that the API server has: what they do is not done a second time.
	Native []string
	// Around tells of what stands in a namespace and of what is cluster-wide, and what of it was not looked at; nil where
	// nothing is known: a fix that needs to know is then not made. What is the same answer as before costs less.
	Around func(namespace string) *judge.Among
	// IntoTemplates puts sidecars into pod templates as well as into pods: for manifests, before they are applied. On the way
	// into a cluster pods alone get them, so that what people wrote stays what they wrote.
	IntoTemplates bool
}

// Injector makes mutations of a plan; safe for concurrent use.
type Injector struct {
	Options
	sidecars   []chosen
	fixable    []string // ids of rules
	defaulting []choice
	byID       map[string]*rule.Compiled
	courts     courts
}

// chosen is a sidecar of the plan and for whom it is.
type chosen struct {
	*Sidecar
	where    *enforcement.Selection
	workload labels.Selector // nil for all
	selector *metav1.LabelSelector
}

// New makes an injector. Everything that is wrong with the plan's sidecars and rules is told at once.
func New(o Options) (*Injector, error) {
	in := &Injector{Options: o, byID: map[string]*rule.Compiled{}}
	templates, err := Shipped()
	if err != nil {
		return nil, err
	}
	for _, t := range o.Templates {
		templates[t.Name] = t
	}
	var errs []error
	for i := range o.Plan.Sidecars {
		c, err := choose(&o.Plan.Sidecars[i], templates)
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", o.Plan.Sidecars[i].At.Line, err))
			continue
		}
		in.sidecars = append(in.sidecars, c)
	}
	for _, r := range o.Rules {
		in.byID[r.ID] = r
		if len(r.Fix) > 0 && (r.Match.Fact == "container" || r.Match.Fact == "workload") {
			in.fixable = append(in.fixable, r.ID)
		}
	}
	errs = append(errs, in.chooseDefaults())
	return in, errors.Join(errs...)
}

// choose fills the template that an entry names.
func choose(e *enforcement.SidecarEntry, templates map[string]*Template) (chosen, error) {
	t := templates[e.Template]
	if t == nil {
		known := slices.Sorted(maps.Keys(templates))
		hint := ""
		if near := rule.Nearest(e.Template, known); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return chosen{}, fmt.Errorf("there is no template %q%s", e.Template, hint)
	}
	s, err := t.Fill(e.Values)
	if err != nil {
		return chosen{}, err
	}
	c := chosen{Sidecar: s, where: &e.Where, selector: e.Workload}
	if e.Workload != nil {
		if c.workload, err = metav1.LabelSelectorAsSelector(e.Workload); err != nil {
			return chosen{}, fmt.Errorf("workloadSelector: %w", err)
		}
	}
	return c, nil
}

// Patch is what becomes of an object that is made or changed in a place, for a server of a Kubernetes version: none for
// what nothing is to be done about, for what a controller made of another object, and for pods and jobs that were there
// before. The operations are sound beside an error too, which tells of what was not done and why.
func (in *Injector) Patch(ctx context.Context, o *fact.Object, at enforcement.Place, server string) ([]Operation, error) {
	p, why, err := in.changed(ctx, o, at, server)
	if p == nil || len(p.ops) == 0 {
		return nil, err
	}
	return p.ops, errors.Join(err, p.explain(why))
}

// Change is what became of one object.
type Change struct {
	Operations []Operation
	// After is the object as it would be.
	After document.Value
	// Reasons are the lines of its annotation.
	Reasons []string
}

// Change is Patch with the object as it would be; nil where nothing is to be done.
func (in *Injector) Change(ctx context.Context, o *fact.Object, at enforcement.Place, server string) (*Change, error) {
	p, why, err := in.changed(ctx, o, at, server)
	if p == nil || len(p.ops) == 0 {
		return nil, err
	}
	if reasons := p.explain(why); reasons != nil {
		return nil, errors.Join(err, reasons)
	}
	after, bad := p.value()
	return &Change{Operations: p.ops, After: after, Reasons: slices.Sorted(maps.Values(why))}, errors.Join(err, bad)
}

// changed is the object with all that is to be done noted on it, and why; nil for what nothing is to be done about.
func (in *Injector) changed(ctx context.Context, o *fact.Object, at enforcement.Place, server string) (*pod, map[string]string, error) {
	base, carries := templatesAt[o.GroupKind()]
	if !carries || in.Plan.Excludes(at.Namespace) || standing(o) || o.Doubt != "" {
		return nil, nil, nil
	}
	p, err := newPod(o.Root, base)
	if err != nil {
		return nil, nil, err
	}
	refused := refusal(o, base)
	after, why, err := in.defaults(ctx, o, at, server, refused)
	errs := []error{err, in.unsure(at)}
	if why == nil {
		why = map[string]string{}
	}
	if len(why) > 0 {
		p.become(o.Root, after)
	}
	if !refused.has("resources") && !in.elsewhere(ResourcePolicyName) {
		line, err := in.giveResources(p, at)
		if errs = append(errs, err); line != "" {
			why["resources"] = line
		}
	}
	if in.into(o) && !in.elsewhere(PolicyName) {
		w, err := weave(p, in.sidecarsOf(p, at, refused), server)
		errs = append(errs, err)
		maps.Copy(why, w.why)
	}
	return p, why, errors.Join(errs...)
}

// elsewhere says whether the API server does what a policy of that name does.
func (in *Injector) elsewhere(name string) bool { return slices.Contains(in.Native, name) }

func (in *Injector) lifetime() time.Duration { return cmp.Or(in.Lifetime, judge.DefaultLifetime) }

// into says whether sidecars go into an object: into pods, and into the templates of manifests.
func (in *Injector) into(o *fact.Object) bool {
	return o.GroupKind() == "Pod" || in.IntoTemplates && (o.Origin == nil || !o.Origin.Served)
}

// explain writes why the object was changed on it.
func (p *pod) explain(why map[string]string) error {
	if text := reasons(p.text("metadata", "annotations", MutationsKey), why); text != p.text("metadata", "annotations", MutationsKey) {
		return p.put(text, "metadata", "annotations", MutationsKey)
	}
	return nil
}

// refusal is what was switched off for an object, on it or on its pods.
func refusal(o *fact.Object, base []string) Refused {
	template := o.Root.At(base...)
	return refusedBy(o.Root.At("metadata", "annotations").Get(MutateKey).Str(), template.At("metadata", "annotations").Get(MutateKey).Str())
}

// sidecarsOf are those that the plan gives a pod, one of each template: the last entry that fits decides.
func (in *Injector) sidecarsOf(p *pod, at enforcement.Place, refused Refused) []*Sidecar {
	byName := map[string]*Sidecar{}
	set := labels.Set{}
	if m, ok := p.at(p.path("metadata", "labels")...).(map[string]any); ok {
		for key, v := range m {
			set[key] = text(v)
		}
	}
	for i := range in.sidecars {
		c := &in.sidecars[i]
		holds, known := c.where.Holds(at)
		if holds && known && (c.workload == nil || c.workload.Matches(set)) && !refused.has("sidecars", c.Name) {
			byName[c.Name] = c.Sidecar
		}
	}
	return slices.Collect(maps.Values(byName))
}

// isInjected says whether a container of an object is one of a template.
func (in *Injector) isInjected(o *fact.Object, container string) bool {
	base := templatesAt[o.GroupKind()]
	return in.holdsAny(versions(o.Root.At(base...).At("metadata", "annotations").Get(InjectedKey).Str()), container)
}

// holdsAny says whether one of the injected templates has a container of that name.
func (in *Injector) holdsAny(injected map[string]string, container string) bool {
	return slices.ContainsFunc(in.sidecars, func(c chosen) bool {
		_, there := injected[c.Name]
		return there && c.holds(container)
	})
}
