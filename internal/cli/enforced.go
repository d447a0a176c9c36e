package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/reconcile"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
)

// enforced is what an installation's values say of enforcing: what the gate reads from its ConfigMaps.
type enforced struct {
	rules      []*rule.Compiled
	plan       *enforcement.Plan
	exceptions []verdict.Exception
	settings   rule.Settings
	templates  []*inject.Template
	now        time.Time
}

// readEnforced reads the texts of values as the gate reads them, and tells all that is wrong with them at once.
func readEnforced(values map[string]any, now time.Time) (*enforced, error) {
	e := &enforced{now: now}
	text, err := yaml.Marshal(values["plan"])
	if err != nil {
		return nil, fmt.Errorf("write the plan: %w", err)
	}
	errs := []error{e.readRules(values)}
	if errs[0] == nil {
		e.plan, err = enforcement.ReadFor("plan.yaml", string(text), plain(e.rules))
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
	for name, text := range texts(values["templates"]) {
		t, err := inject.ReadTemplate("templates."+name, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		e.templates = append(e.templates, t)
	}
	return e, errors.Join(errs...)
}

// texts are the texts of a map of values, in the order of their names.
func texts(value any) iter.Seq2[string, string] {
	set, _ := value.(map[string]any)
	return func(yield func(string, string) bool) {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			if text, _ := set[name].(string); !yield(name, text) {
				return
			}
		}
	}
}

// readRules are the built-in rules and those of the values, each ready to judge.
func (e *enforced) readRules(values map[string]any) error {
	builtIn, err := catalog.Brief()
	if err != nil {
		return err
	}
	if e.rules, err = catalog.Compile(builtIn); err != nil {
		return err
	}
	var files []rule.File
	for name, text := range texts(values["rules"]) {
		files = append(files, rule.File{Name: "rules." + name, Text: text, Origin: "rules." + name})
	}
	own, err := workbench.Read(files, idsOf(builtIn))
	e.rules = append(e.rules, own...)
	return err
}

// mutations are the plan's mutations as mutating policies, for a server of that version; left is whether any, or the pinning of
// images, is the webhook's. Without an API version that the server offers all are.
func (e *enforced) mutations(version, offered string) (list []*install.Object, left bool, err error) {
	left = slices.ContainsFunc(e.plan.Images, func(i enforcement.ImageEntry) bool { return i.Pin != nil && *i.Pin })
	if len(e.plan.Defaults)+len(e.plan.Resources)+len(e.plan.Sidecars) == 0 {
		return nil, left, nil
	}
	in, err := inject.New(inject.Options{
		Plan: e.plan, Templates: e.templates, Rules: e.rules, Settings: e.settings, Exceptions: e.exceptions, Now: func() time.Time { return e.now },
	})
	if err != nil {
		return nil, false, &verdict.RemedyError{Err: fmt.Errorf("the plan: %w", err), Remedy: "See 'coaming inject --list' for the templates and their values."}
	}
	if offered == "" {
		return nil, true, nil
	}
	policies, err := in.Policies(version)
	if err != nil {
		return nil, false, err
	}
	list, err = objectsOf(policies.Manifests)
	for _, o := range list {
		o.SetAPIVersion(mutatingGroup + "/" + offered)
	}
	return list, left || len(policies.Left) > 0, err
}

const mutatingGroup = "admissionregistration.k8s.io"

// anywhere excuses one object of each rule.
func (e *enforced) anywhere() (list []verdict.Exception) {
	for _, r := range e.rules {
		list = append(list, verdict.Exception{
			Rules: []string{r.ID}, Selector: verdict.Selector{Kind: "Pod", Name: "any"}, Namespace: "any", Owner: "any", Reason: "any",
			Expires: e.now.Add(judge.DefaultLifetime / 2), Grant: verdict.GrantFile,
		})
	}
	return list
}

// objectsOf are manifests as objects.
func objectsOf(list []policy.Manifest) ([]*install.Object, error) {
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
		objects = append(objects, o)
	}
	return objects, nil
}

// later is what the gate is to make by itself: what enforces the plan once exceptions that are objects come (any rule may then be excused, and has a
// policy of its own) and all have ended, and quotas of namespaces that are still to come, which have one name everywhere.
func (e *enforced) later(version string, places []enforcement.Place, objects bool) (list []*install.Object, err error) {
	var sets [][]verdict.Exception
	if objects {
		sets = append(sets, e.anywhere())
	}
	if objects || len(e.exceptions) > 0 {
		sets = append(sets, nil)
	}
	for _, exceptions := range sets {
		other := *e
		other.exceptions = exceptions
		more, err := other.native(version, places)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	for i := range e.plan.Quotas {
		alone := &enforcement.Plan{Quotas: []enforcement.QuotaEntry{e.plan.Quotas[i]}}
		alone.Quotas[0].Where = enforcement.Selection{}
		quotas, _ := policy.Quotas(alone, enforcement.Place{Namespace: "any", LabelsKnown: true})
		objects, err := objectsOf(quotas)
		if err != nil {
			return nil, err
		}
		list = append(list, objects...)
	}
	return list, nil
}

// native is what enforces the plan without the gate, for a server of that version with these namespaces: policies and their
// bindings, quotas and limit ranges, labels of namespaces. A rule that cannot be a policy is the gate's to judge.
func (e *enforced) native(version string, places []enforcement.Place) ([]*install.Object, error) {
	options := policy.Options{Version: version, Settings: e.settings, Exempted: policy.Exempt(e.exceptions, e.now, judge.DefaultLifetime)}
	var list []policy.Manifest
	planned, _ := policy.Planned(plain(e.rules), e.plan, options) // what is refused, the gate judges
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
	objects, err := objectsOf(list)
	for _, o := range objects {
		if o.GetKind() != "Namespace" { // which is others'; the gate keeps the rest
			labels := o.GetLabels()
			labels[reconcile.KeptBy] = reconcile.Keeper
			o.SetLabels(labels)
		}
	}
	return objects, err
}
