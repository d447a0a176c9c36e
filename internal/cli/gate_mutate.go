package cli

import (
	"context"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
)

// mutating has the desk change objects as the plan asks; one that asks for nothing is left without.
func (l *gateLoader) mutating(r *ruled) error {
	if len(r.plan.Defaults) == 0 && len(r.plan.Resources) == 0 && len(r.plan.Sidecars) == 0 {
		return nil
	}
	templates, err := readTemplates(l.templates)
	if err != nil {
		return err
	}
	options := inject.Options{
		Plan: r.plan, Templates: templates, Rules: r.rules, Settings: r.Settings, Exceptions: r.Exceptions, Now: r.Now,
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
