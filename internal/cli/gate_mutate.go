package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/drift"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/install"
)

const (
	mutatingPolicy    = "MutatingAdmissionPolicy"
	mutatingWebhook   = "MutatingWebhookConfiguration"
	validatingWebhook = "ValidatingWebhookConfiguration"
)

// mutating has the desk change objects as the plan asks, but for what mutating policies do that who installed keeps; a plan that
// asks for nothing is left without.
func (l *gateLoader) mutating(r *ruled) error {
	if len(r.plan.Defaults) == 0 && len(r.plan.Resources) == 0 && len(r.plan.Sidecars) == 0 {
		return nil
	}
	templates, err := readTemplates(l.templates)
	if err != nil {
		return err
	}
	options := inject.Options{
		Plan: r.plan, Templates: templates, Rules: r.rules, Settings: r.Settings, Exceptions: r.Exceptions, Lifetime: r.Lifetime, Now: r.Now,
	}
	for _, o := range r.guarded {
		if o.GetKind() == mutatingPolicy {
			options.Native = append(options.Native, o.GetName())
		}
	}
	if l.watch != nil {
		options.Around = l.watch.Among
	}
	in, err := inject.New(options)
	if err != nil {
		return err
	}
	r.Drift = func(o *fact.Object, at enforcement.Place) []string {
		drifts, err := in.Drifts(o, at, r.Version)
		var lines []string
		for i := range drifts {
			lines = append(lines, "sidecar "+drifts[i].Template+" has drifted: "+drifts[i].Message)
		}
		if err != nil {
			lines = append(lines, err.Error())
		}
		return lines
	}
	r.injector = in
	r.Mutate = func(ctx context.Context, o *fact.Object, at enforcement.Place) ([]admission.Operation, error) {
		patch, err := in.Patch(ctx, o, at, r.Version)
		operations := make([]admission.Operation, 0, len(patch))
		for _, op := range patch {
			operations = append(operations, admission.Operation{Op: op.Op, Path: op.Path, Value: op.Value})
		}
		return operations, err
	}
	return nil
}

// isAsked says whether an installed webhook sends requests to a path.
func (r *ruled) isAsked(kind, path string) bool {
	return slices.ContainsFunc(r.guarded, func(o *install.Object) bool { return o.GetKind() == kind && asks(o, path) })
}

// alone says that the plan has rules that fail closed, and no webhook that does was installed.
func (r *ruled) alone() bool {
	return len(r.guarded) > 0 && fails(r.plan) && !r.isAsked(validatingWebhook, "/validate/fail")
}

// undone is what the plan asks for that only who installs can do, and has not done: of webhooks and mutating policies the gate
// may write none. Where nothing is guarded nobody says what was installed, and nothing is told.
func (r *ruled) undone() ([]string, error) {
	if len(r.guarded) == 0 {
		return nil, nil
	}
	there := map[string]*install.Object{}
	for _, o := range r.guarded {
		there[o.GetKind()+" "+o.GetName()] = o
	}
	var list []string
	if r.alone() {
		list = append(list, "the plan fails closed (onError: fail), and no webhook that fails closed is set")
	}
	mutates := r.isAsked(mutatingWebhook, "/mutate")
	if !mutates && slices.ContainsFunc(r.plan.Images, func(e enforcement.ImageEntry) bool { return e.Pin != nil && *e.Pin }) {
		list = append(list, "the plan pins images, and no webhook that changes objects is set")
	}
	more, err := r.unmutated(there, mutates)
	return append(list, more...), err
}

// unmutated are the mutations that neither the webhook nor a policy makes, and the policies that are of another plan.
func (r *ruled) unmutated(there map[string]*install.Object, mutates bool) ([]string, error) {
	var list []string
	wanted := map[string]bool{}
	if r.injector != nil {
		policies, err := r.injector.Policies(r.Version)
		if err != nil {
			return nil, err
		}
		objects, err := objectsOf(policies.Manifests)
		if err != nil {
			return nil, err
		}
		for _, want := range objects {
			key := want.GetKind() + " " + want.GetName()
			wanted[key] = true
			switch found := there[key]; {
			case found != nil && drift.First(want, found) != "":
				list = append(list, key+" is of an earlier plan, at "+drift.First(want, found))
			case found == nil && !mutates && want.GetKind() == mutatingPolicy:
				list = append(list, key+" is not there, and no webhook that changes objects is set")
			}
		}
		for _, why := range policies.Left {
			if !mutates {
				list = append(list, fmt.Sprintf("no webhook that changes objects is set, and no policy can make %v", why))
			}
		}
	}
	for key := range there {
		if strings.HasPrefix(key, mutatingPolicy) && !wanted[key] {
			list = append(list, key+" is no longer asked for by the plan")
		}
	}
	slices.Sort(list)
	return list, nil
}

// asks says whether a configuration sends requests to a path of the gate's.
func asks(o *install.Object, path string) bool {
	webhooks, _ := o.Object["webhooks"].([]any)
	return slices.ContainsFunc(webhooks, func(item any) bool {
		w, _ := item.(map[string]any)
		client, _ := w["clientConfig"].(map[string]any)
		service, _ := client["service"].(map[string]any)
		return service["path"] == path
	})
}

// fails says whether anything of a plan fails closed.
func fails(p *enforcement.Plan) bool {
	return p.Default.Fail ||
		slices.ContainsFunc(p.Entries, func(e enforcement.Entry) bool { return e.Fail != nil && *e.Fail }) ||
		slices.ContainsFunc(p.Images, func(e enforcement.ImageEntry) bool { return e.Fail != nil && *e.Fail })
}
