package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// policyExportOptions is the configuration of one export.
type policyExportOptions struct {
	ruleFlags
	settingFlags
	exceptionFlags
	sourceFlags
	modes       []string
	selector    string
	planFile    string
	output      string
	mutate      bool
	agreed      bool
	list        bool
	podSecurity bool
	quotas      bool
	noLeases    bool

	options  policy.Options
	enforced *enforcement.Plan // what --plan names; nil where it names none
}

func policyExportCommand(env *Env) *cobra.Command {
	o := &policyExportOptions{}
	cmd := &cobra.Command{
		Use:   "export [PATH...|-]",
		Short: "Write rules as ValidatingAdmissionPolicies, their fixes as MutatingAdmissionPolicies, quotas, Pod Security labels",
		Long: `Write each rule as a ValidatingAdmissionPolicy with its binding; with --mutate each mechanical fix as a
MutatingAdmissionPolicy. A rule that the API server cannot judge by itself is not written, and standard error tells the
reason; --list shows what becomes of every rule.

With --plan the plan says which rule holds how in which namespace, and what becomes of errors; --quotas writes its ResourceQuotas
and LimitRanges, --pod-security its labels of namespaces, as manifests to be applied to them. Which namespaces there are --cluster, or
manifests and snapshots that are named, tell; without, those that the plan names exactly.

Without a plan, what a rule cannot decide about an object is refused like a violation. The policies judge what is created and what is
changed: objects that were there before can still be labelled and deleted.`,
		Example: `  coaming policy export | kubectl apply -f -
  coaming policy export --practice pod --mode warn,audit -o policies/
  coaming policy export --mutate --kubernetes-version 1.34
  coaming policy export --plan plan.yaml --cluster --quotas | kubectl apply --server-side -f -
  coaming policy export --list`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, cmd.Flags(), args) },
	}
	flags := cmd.Flags()
	o.ruleFlags.register(flags)
	o.settingFlags.register(flags)
	flags.StringArrayVar(&o.files, "exceptions", nil, "a `FILE` of exceptions; may be given several times ("+defaultExceptions+" otherwise, where there is one)")
	flags.StringSliceVar(&o.from, "exceptions-from", []string{"files"}, "who may grant exceptions: `SOURCES` files, or none")
	flags.IntVar(&o.maxDays, "exception-max-days", int(judge.DefaultLifetime/(24*time.Hour)), "leave out exceptions that expire more than `DAYS` ahead")
	completeFlag(cmd, "exceptions-from", "files", "none")
	flags.StringSliceVar(&o.modes, "mode", []string{"deny"}, "what becomes of a violation: `MODE` deny, or warn, audit")
	flags.StringVar(&o.selector, "namespace-selector", "kubernetes.io/metadata.name notin ("+strings.Join(policy.SystemNamespaces, ",")+")",
		"label `SELECTOR` of the namespaces that the policies hold in; \"\" for all")
	flags.StringVar(&o.planFile, "plan", "", "a plan's `FILE`: which rule holds how in which namespace")
	flags.BoolVar(&o.podSecurity, "pod-security", false, "with --plan: write the Pod Security labels of namespaces in place of the rules")
	flags.BoolVar(&o.quotas, "quotas", false, "with --plan: write ResourceQuotas and LimitRanges in place of the rules")
	flags.BoolVar(&o.noLeases, "no-leases", false, "where API servers keep no Leases of their own: let changes of what is excused through until the policies are written again")
	flags.BoolVar(&o.cluster, "cluster", false, "ask the cluster that the kubeconfig names for its version and namespaces")
	o.clusterFlags.register(flags)
	flags.Int64Var(&o.maxFile, "max-file-mib", 512, "largest file that is read, in MiB")
	flags.Int64Var(&o.maxTotal, "max-total-mib", 1024, "most that is read in all, in MiB")
	flags.Var((*versionFlag)(&o.kubeVersion), "kubernetes-version", "the Kubernetes `VERSION` of the API server ("+catalog.Newest+", or that of --cluster)")
	flags.StringVarP(&o.output, "output", "o", "-", "write a file for each rule into this `FOLDER` (- for all to standard output)")
	flags.BoolVar(&o.mutate, "mutate", false, "write the fixes, as policies that change objects, in place of the rules")
	flags.BoolVar(&o.agreed, "agree", false, "with --mutate: write also the fixes that ask a person first, and agree to what they ask (annotation coaming.dev/ask)")
	flags.BoolVar(&o.list, "list", false, "list what becomes of each rule, and why, and write nothing")
	completeFlag(cmd, "mode", "deny", "warn", "audit")
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml", "json")
	o.ruleFlags.complete(cmd)
	o.settingFlags.complete(cmd)
	return cmd
}

// check reports every problem of the options at once.
func (o *policyExportOptions) check(flags *pflag.FlagSet, args []string) error {
	errs := append(o.exceptionFlags.check(), o.checkPlan(flags, args)...)
	if o.takes("inline") || o.takes("cluster") {
		errs = append(errs, errors.New("--exceptions-from: a policy is made of files alone: files, or none"))
	}
	actions, err := policy.Actions(o.modes)
	if err != nil {
		errs = append(errs, fmt.Errorf("--mode: %w", err))
	}
	if o.kubeVersion != "" && !catalog.Reached(o.kubeVersion, policy.Oldest) {
		errs = append(errs, &verdict.RemedyError{
			Err:    fmt.Errorf("--kubernetes-version: %q has no ValidatingAdmissionPolicy v1", o.kubeVersion),
			Remedy: "Name a version from " + policy.Oldest + " on, as in 1.36.",
		})
	}
	settings, err := o.settingFlags.load()
	errs = append(errs, err)
	o.options = policy.Options{Actions: actions, Settings: settings, Agreed: o.agreed, NoLeases: o.noLeases}
	if o.selector != "" {
		selector, err := metav1.ParseToLabelSelector(o.selector)
		if err != nil {
			errs = append(errs, fmt.Errorf("--namespace-selector: %w", err))
		} else if o.options.NamespaceSelector, err = json.Marshal(selector); err != nil {
			errs = append(errs, fmt.Errorf("--namespace-selector: %w", err))
		}
	}
	return errors.Join(errs...)
}

// checkPlan refuses flags of which a plan says the same, and those that need one.
func (o *policyExportOptions) checkPlan(flags *pflag.FlagSet, args []string) []error {
	var errs []error
	if o.planFile == "" {
		for name, set := range map[string]bool{"--pod-security": o.podSecurity, "--quotas": o.quotas} {
			if set {
				errs = append(errs, &verdict.RemedyError{Err: errors.New(name + " needs --plan"), Remedy: "Name the plan's file, which says which and where."})
			}
		}
	} else {
		for _, name := range []string{"mode", "namespace-selector"} {
			if flags.Changed(name) {
				errs = append(errs, fmt.Errorf("--%s: the plan says it", name))
			}
		}
		if o.mutate {
			errs = append(errs, &verdict.RemedyError{Err: errors.New("--mutate: a plan's mutations are not written by this command"), Remedy: "Leave --plan out; 'coaming install' applies them."})
		}
	}
	if len(args) > 0 && !o.podSecurity && !o.quotas {
		errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("%s: rules need no manifests to be exported", args[0]), Remedy: "Manifests tell --quotas and --pod-security which namespaces there are."})
	}
	return errs
}

// exported is what became of one rule.
type exported struct {
	rule                *rule.Rule
	validating, mutated string
	why, whyNoMutation  error
}

func (o *policyExportOptions) run(ctx context.Context, env *Env, flags *pflag.FlagSet, args []string) error {
	if err := o.check(flags, args); err != nil {
		return err
	}
	rules, _, err := o.ruleFlags.load(ctx, env, nil)
	if err != nil {
		return err
	}
	if o.planFile != "" {
		known, err := o.all(ctx, env, nil, catalog.Brief) // of which fewer may be asked for
		if err != nil {
			return err
		}
		if o.enforced, err = readPlan(o.planFile, known); err != nil {
			return err
		}
	}
	reading, err := o.read(ctx, env, args, []string{"Namespace"}, nil, nil)
	if err != nil {
		return err
	}
	o.options.Version = cmp.Or(o.kubeVersion, reading.Version, catalog.Newest)
	if o.quotas || o.podSecurity {
		return o.writePlaces(env, reading)
	}
	if err := o.exempt(env); err != nil {
		return err
	}
	if o.enforced != nil {
		return o.writePlanned(env, rules)
	}
	var all []exported
	for _, r := range rules {
		all = append(all, o.export(r.Rule))
	}
	if o.list {
		return listExports(env.Stdout, all)
	}
	return o.write(env, all)
}

// export is what becomes of a rule.
func (o *policyExportOptions) export(r *rule.Rule) exported {
	e := exported{rule: r}
	e.validating, e.why = policy.Validating(r, o.options)
	e.mutated, e.whyNoMutation = policy.Mutating(r, o.options)
	return e
}

// exempt makes the exceptions a part of the policies, and tells what does not become one.
func (o *policyExportOptions) exempt(env *Env) error {
	x, err := o.exceptionFlags.load()
	if err != nil {
		return err
	}
	o.find(&x, nil, o.ids)
	exempted := policy.Exempt(x.exceptions, env.Now(), o.lifetime())
	for _, note := range exempted.Notes {
		_, _ = fmt.Fprintln(env.Stderr, note)
	}
	if o.noLeases {
		for _, id := range exempted.Rules() {
			_, _ = fmt.Fprintf(env.Stderr, "%s: changes of what is excused are let through until the policies are written again (--no-leases)\n", id)
		}
	}
	o.options.Exempted = exempted
	return nil
}

// write writes the policies, and tells on standard error what was not written.
func (o *policyExportOptions) write(env *Env, all []exported) error {
	var files []outFile
	for _, e := range all {
		text, why := e.validating, e.why
		if o.mutate {
			text, why = e.mutated, e.whyNoMutation
		}
		if why != nil {
			_, _ = fmt.Fprintf(env.Stderr, "not exported: %s: %v\n", e.rule.ID, why)
			continue
		}
		files = append(files, outFile{e.rule.ID + ".yaml", text})
	}
	_, _ = fmt.Fprintf(env.Stderr, "%d of %d rules exported for Kubernetes %s\n", len(files), len(all), o.options.Version)
	if len(files) == 0 {
		return &verdict.RemedyError{Err: errors.New("none of the rules can be exported"), Remedy: "See 'coaming policy export --list' for those that can."}
	}
	return o.writeFiles(env, files)
}

// writeFiles writes files into the folder that --output names, or one after the other to standard output.
func (o *policyExportOptions) writeFiles(env *Env, files []outFile) error {
	if o.output != "-" {
		return writeInto(o.output, files)
	}
	for i, f := range files {
		if i > 0 {
			f.text = "---\n" + f.text
		}
		if _, err := io.WriteString(env.Stdout, f.text); err != nil {
			return fmt.Errorf("write policies: %w", err)
		}
	}
	return nil
}

// listExports shows what becomes of each rule.
func listExports(w io.Writer, all []exported) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	written, mutated := 0, 0
	for _, e := range all {
		word, why := "exported", ""
		switch {
		case e.why != nil:
			word, why = "not exported", e.why.Error()
		case e.whyNoMutation == nil:
			word = "exported, mutated"
			mutated++
			written++
		default:
			written++
			why = "not mutated: " + e.whyNoMutation.Error()
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", e.rule.ID, word, why)
	}
	_, _ = fmt.Fprintf(table, "%d rules: %d exported, %d of them mutated, %d not exportable\n", len(all), written, mutated, len(all)-written)
	return table.Flush()
}
