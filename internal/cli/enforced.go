package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/reconcile"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// enforced is what an installation's values say of enforcing: what the gate reads from its ConfigMap.
type enforced struct {
	rules      []*rule.Rule
	plan       *enforcement.Plan
	exceptions []verdict.Exception
	settings   rule.Settings
	now        time.Time
}

// readEnforced reads the texts of values as the gate reads them, and tells all that is wrong with them at once.
func readEnforced(values map[string]any, rules []*rule.Rule, now time.Time) (*enforced, error) {
	e := &enforced{rules: rules, now: now}
	text, err := yaml.Marshal(values["plan"])
	if err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	var errs []error
	if e.plan, err = enforcement.Read("plan.yaml", string(text)); err == nil {
		err = e.plan.Check(rules)
	}
	errs = append(errs, err)
	if text, ok := values["exceptions"].(string); ok && text != "" {
		e.exceptions, err = exception.File("exceptions.yaml", text)
		errs = append(errs, err)
	}
	if text, ok := values["settings"].(string); ok && text != "" {
		e.settings, err = rule.ParseSettings("settings.yaml", text)
		errs = append(errs, err)
	}
	return e, errors.Join(errs...)
}

// native is what enforces the plan without the gate, for a server of that version with these namespaces: policies and their
// bindings, quotas and limit ranges, labels of namespaces. A rule that cannot be a policy is the gate's to judge.
func (e *enforced) native(version string, places []enforcement.Place) ([]*install.Object, error) {
	options := policy.Options{Version: version, Settings: e.settings, Exempted: policy.Exempt(e.exceptions, e.now, judge.DefaultLifetime)}
	var list []policy.Manifest
	planned, _ := policy.Planned(e.rules, e.plan, options) // what is refused, the gate judges
	for _, held := range planned {
		list = append(list, held.Manifests...)
	}
	for _, at := range places {
		quotas, _ := policy.Quotas(e.plan, at) // labels are known of namespaces that were listed
		list = append(list, quotas...)
		if m, ok, _ := policy.PodSecurity(e.plan, at); ok {
			list = append(list, m)
		}
	}
	objects := make([]*install.Object, 0, len(list))
	for _, m := range list {
		text, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.Metadata.Name, err)
		}
		o := &install.Object{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, fmt.Errorf("write %s %s: %w", m.Kind, m.Metadata.Name, err)
		}
		if m.Kind != "Namespace" { // which is others'; the gate keeps the rest
			labels := o.GetLabels()
			labels[reconcile.KeptBy] = reconcile.Keeper
			o.SetLabels(labels)
		}
		objects = append(objects, o)
	}
	return objects, nil
}
