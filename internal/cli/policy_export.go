package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/coaming/coaming/internal/catalog"
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
	modes       []string
	selector    string
	kubeVersion string
	output      string
	mutate      bool
	agreed      bool
	list        bool

	options policy.Options
}

func policyExportCommand(env *Env) *cobra.Command {
	o := &policyExportOptions{}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write rules as ValidatingAdmissionPolicies, or their fixes as MutatingAdmissionPolicies",
		Long: `Write each rule as a ValidatingAdmissionPolicy with its binding; with --mutate each mechanical fix as a
MutatingAdmissionPolicy. A rule that the API server cannot judge by itself is not written, and standard error tells the
reason; --list shows what becomes of every rule.

What a rule cannot decide about an object is refused like a violation. The policies judge what is created and what is
changed: objects that were there before can still be labelled and deleted.`,
		Example: `  coaming policy export | kubectl apply -f -
  coaming policy export --practice pod --mode warn,audit -o policies/
  coaming policy export --mutate --kubernetes-version 1.34
  coaming policy export --list`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
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
	flags.StringVar(&o.kubeVersion, "kubernetes-version", catalog.Newest, "the Kubernetes `VERSION` of the API server")
	flags.StringVarP(&o.output, "output", "o", "-", "write a file for each rule into this `FOLDER` (- for all to standard output)")
	flags.BoolVar(&o.mutate, "mutate", false, "write the fixes, as policies that change objects, in place of the rules")
	flags.BoolVar(&o.agreed, "agree", false, "with --mutate: write also the fixes that ask a person first, and agree to what they ask (annotation coaming.dev/ask)")
	flags.BoolVar(&o.list, "list", false, "list what becomes of each rule, and why, and write nothing")
	completeFlag(cmd, "mode", "deny", "warn", "audit")
	o.ruleFlags.complete(cmd)
	o.settingFlags.complete(cmd)
	return cmd
}

// check reports every problem of the options at once.
func (o *policyExportOptions) check() error {
	errs := o.exceptionFlags.check()
	if o.takes("inline") || o.takes("cluster") {
		errs = append(errs, errors.New("--exceptions-from: a policy is made of files alone: files, or none"))
	}
	actions, err := policy.Actions(o.modes)
	if err != nil {
		errs = append(errs, fmt.Errorf("--mode: %w", err))
	}
	if !catalog.Reached(o.kubeVersion, policy.Oldest) {
		errs = append(errs, &verdict.RemedyError{
			Err:    fmt.Errorf("--kubernetes-version: %q has no ValidatingAdmissionPolicy v1", o.kubeVersion),
			Remedy: "Name a version from " + policy.Oldest + " on, as in 1.36.",
		})
	}
	settings, err := o.settingFlags.load()
	errs = append(errs, err)
	o.options = policy.Options{Version: o.kubeVersion, Actions: actions, Settings: settings, Agreed: o.agreed}
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

// exported is what became of one rule.
type exported struct {
	rule                *rule.Rule
	validating, mutated string
	why, whyNoMutation  error
}

func (o *policyExportOptions) run(ctx context.Context, env *Env) error {
	if err := o.check(); err != nil {
		return err
	}
	rules, _, err := o.ruleFlags.load(ctx, env, nil)
	if err != nil {
		return err
	}
	if err := o.exempt(env); err != nil {
		return err
	}
	var all []exported
	for _, r := range rules {
		e := exported{rule: r.Rule}
		e.validating, e.why = policy.Validating(r.Rule, o.options)
		e.mutated, e.whyNoMutation = policy.Mutating(r.Rule, o.options)
		all = append(all, e)
	}
	if o.list {
		return listExports(env.Stdout, all)
	}
	return o.write(env, all)
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
	_, _ = fmt.Fprintf(env.Stderr, "%d of %d rules exported for Kubernetes %s\n", len(files), len(all), o.kubeVersion)
	if len(files) == 0 {
		return &verdict.RemedyError{Err: errors.New("none of the rules can be exported"), Remedy: "See 'coaming policy export --list' for those that can."}
	}
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
