package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/inject"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// injectOptions is the configuration of one run of inject.
type injectOptions struct {
	sourceFlags
	customFlags
	settingFlags
	exceptionFlags
	plan         string
	templates    []string
	sidecars     []string
	fill         []string
	format       string
	check        bool
	policies     bool
	list         bool
	show         string
	allowUnknown bool
}

func injectCommand(env *Env) *cobra.Command {
	o := &injectOptions{}
	cmd := &cobra.Command{
		Use:   "inject [PATH...|-]",
		Short: "Show what a plan's mutations make of objects; tell where injected sidecars have drifted",
		Long: `Show the patch by which each object gains what a plan asks for: sidecars of templates, proved fixes of rules, requests and
limits. Nothing is written and nothing is sent. In files pod templates gain sidecars too; on the way into a cluster pods
alone do. With --check it tells instead which objects have sidecars of another version, or with other content, than the plan
and its templates say now, which lack them, and which have some that nothing asks for.

Exit codes: 0 done, with --check nothing has drifted; 1 something was not injected, or has drifted; 2 wrong usage or an
internal error; 3 something could not be read or decided (0 with --allow-unknown).`,
		Example: `  coaming inject --plan plan.yaml deploy/
  coaming inject --plan plan.yaml --format yaml deploy/ | kubectl apply -f -
  coaming inject --sidecar audit-forwarder --fill image=registry.example.com/fluent-bit:4 deploy/
  coaming inject --plan plan.yaml --check --cluster
  coaming inject --plan plan.yaml --policies | kubectl apply -f -
  coaming inject --list`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	flags := cmd.Flags()
	o.sourceFlags.register(flags)
	o.customFlags.register(flags)
	o.settingFlags.register(flags)
	flags.StringArrayVar(&o.exceptionFlags.files, "exceptions", nil, "a `FILE` of exceptions, whose findings no fix is made for; may be given several times ("+defaultExceptions+" otherwise, where there is one)")
	flags.StringVar(&o.plan, "plan", "", "the `FILE` of the plan")
	flags.StringArrayVar(&o.templates, "template", nil, "a `FILE` with a sidecar's template of your own; may be given several times")
	flags.StringSliceVar(&o.sidecars, "sidecar", nil, "in place of a plan: put the sidecars of these templates everywhere, by `NAME`")
	flags.StringArrayVar(&o.fill, "fill", nil, "with --sidecar: a value of its template, `KEY=VALUE`, of one alone NAME.KEY=VALUE; may be given several times")
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of what is shown: "+strings.Join(injectFormats, ", "))
	flags.BoolVar(&o.check, "check", false, "tell where sidecars have drifted, and show no patches")
	flags.BoolVar(&o.policies, "policies", false, "write the plan's mutations as MutatingAdmissionPolicies, and read nothing else")
	flags.BoolVar(&o.list, "list", false, "list the templates with their values")
	flags.StringVar(&o.show, "show", "", "write the shipped template of that `NAME`, to begin one's own with")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be read")
	completeFlag(cmd, "format", injectFormats...)
	if shipped, err := inject.Shipped(); err == nil {
		names := slices.Sorted(maps.Keys(shipped))
		completeFlag(cmd, "sidecar", names...)
		completeFlag(cmd, "show", names...)
	}
	o.settingFlags.complete(cmd)
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml", "json")
	_ = cmd.MarkFlagFilename("template", "yaml", "yml", "json")
	return cmd
}

func (o *injectOptions) run(ctx context.Context, env *Env, args []string) error {
	if o.show != "" {
		return o.showTemplate(env)
	}
	injector, err := o.injector(ctx, env, args)
	switch {
	case err != nil:
		return err
	case o.list:
		return o.listTemplates(env, injector)
	case o.policies:
		return o.writePolicies(env, injector)
	}
	o.also = []string{"Namespace"}
	reading, err := o.read(ctx, env, args, nil, nil, nil)
	if err != nil {
		return err
	}
	l := looking{injector: injector, version: o.kubeVersion, namespaces: namespacesOf(reading)}
	if reading.Live {
		around := judge.NewAmong(reading.Objects, reading.Coverage.Gaps)
		injector.Around = func(string) *judge.Among { return around }
	}
	for _, known := range []string{reading.Version, catalog.Newest} {
		if l.version == "" {
			l.version = known
		}
	}
	return o.look(ctx, env, l, reading)
}

// injector is made of everything that the flags name; every problem is told at once.
func (o *injectOptions) injector(ctx context.Context, env *Env, args []string) (*inject.Injector, error) {
	errs := o.problems(env, args)
	plan, err := o.readPlan()
	errs = append(errs, err)
	templates, err := readTemplates(o.templates)
	errs = append(errs, err)
	settings, err := o.settingFlags.load()
	errs = append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	rules, err := o.all(ctx, env, nil, catalog.Brief)
	if err != nil {
		return nil, err
	}
	o.exceptionFlags.from, o.maxDays = []string{"files"}, int(judge.DefaultLifetime/(24*time.Hour))
	excuses, err := o.exceptionFlags.load()
	if err != nil {
		return nil, err
	}
	o.find(&excuses, nil, o.ids)
	injector, err := inject.New(inject.Options{
		Plan: plan, Templates: templates, Rules: rules, Settings: settings, Exceptions: excuses.exceptions, Now: env.Now, IntoTemplates: true,
	})
	if err != nil && !o.list {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("plan %s: %w", o.plan, err), Remedy: "See 'coaming inject --list' for the templates and their values."}
	}
	return injector, nil
}

// problems are those of the flags.
func (o *injectOptions) problems(env *Env, args []string) []error {
	var errs []error
	if !slices.Contains(injectFormats, o.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(injectFormats, ", ")))
	}
	if o.plan == "" == (len(o.sidecars) == 0) && !o.list {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("want either --plan or --sidecar"), Remedy: "Name a plan's file, or templates as 'coaming inject --list' lists them."})
	}
	if len(o.fill) > 0 && len(o.sidecars) == 0 {
		errs = append(errs, errors.New("--fill is for --sidecar: a plan gives values itself"))
	}
	if o.kubeVersion != "" && !catalog.Reached(o.kubeVersion, "1.0") {
		errs = append(errs, fmt.Errorf("--kubernetes-version: %q is no version like 1.36", o.kubeVersion))
	}
	if len(args) == 0 && len(o.releases) == 0 && !o.cluster && !o.list && !o.policies {
		if !env.isPluginCommand() {
			errs = append(errs, errNothing)
		}
		o.cluster = true
	}
	return errs
}

// noPlan is the plan of those who name sidecars by flags.
const noPlan = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: flags}\nspec: {mode: \"off\"}\n"

func (o *injectOptions) readPlan() (*enforcement.Plan, error) {
	name, text := "", noPlan
	if o.plan != "" {
		raw, err := readBounded(o.plan)
		if err != nil {
			return nil, fmt.Errorf("--plan: %w", err)
		}
		name, text = o.plan, raw
	}
	plan, err := enforcement.Read(name, text)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, sidecar := range o.sidecars {
		values := map[string]string{}
		for _, fill := range o.fill {
			key, value, found := strings.Cut(fill, "=")
			if !found || key == "" {
				errs = append(errs, fmt.Errorf("--fill %q: want KEY=VALUE", fill))
				continue
			}
			if of, rest, dotted := strings.Cut(key, "."); dotted {
				if of != sidecar {
					continue
				}
				key = rest
			}
			values[key] = value
		}
		plan.Sidecars = append(plan.Sidecars, enforcement.SidecarEntry{Template: sidecar, Values: values, At: enforcement.Spot{Line: 1, Column: 1}})
	}
	return plan, errors.Join(errs...)
}

func readTemplates(files []string) ([]*inject.Template, error) {
	var list []*inject.Template
	var errs []error
	for _, file := range files {
		text, err := readBounded(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("--template: %w", err))
			continue
		}
		t, err := inject.ReadTemplate(file, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, t)
	}
	return list, errors.Join(errs...)
}

// namespacesOf are the labels of the namespaces that were read.
func namespacesOf(reading *source.Reading) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, obj := range reading.Objects {
		if obj.GroupKind() != "Namespace" {
			continue
		}
		set := map[string]string{}
		for key, v := range obj.Labels().Fields() {
			set[key] = v.Text()
		}
		all[obj.Name] = set
	}
	return all
}

// looking is what objects are looked at with.
type looking struct {
	injector   *inject.Injector
	version    string
	namespaces map[string]map[string]string
}

// place is where an object is, as far as what was read tells.
func (l *looking) place(o *fact.Object) enforcement.Place {
	name := fact.Place(o.Namespace)
	set, known := l.namespaces[name]
	return enforcement.Place{Namespace: name, Labels: set, LabelsKnown: known}
}
