package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/workbench"
)

func (f *ruleFlags) register(flags *pflag.FlagSet) {
	f.customFlags.register(flags)
	flags.StringSliceVar(&f.rules, "rule", nil, "ask only these rules, and those that go with them, by `ID`")
	flags.StringSliceVar(&f.practices, "practice", nil, "ask only the rules of these practices: `PRACTICE` pod, image, rbac, secret, net, quota or version")
	flags.StringSliceVar(&f.skip, "skip", nil, "leave out these rules or practices; the report tells what was left out: `ID`")
	flags.StringSliceVar(&f.frameworks, "framework", nil, "ask the rules of these frameworks and report each control: `ID` as 'coaming frameworks' lists them")
}

func (f *ruleFlags) complete(cmd *cobra.Command) {
	ids := func(cmd *cobra.Command, sources []string, _ string) ([]string, cobra.ShellCompDirective) {
		return f.words(cmd.Context(), sources)
	}
	// The only error is a flag that does not exist or is completed twice, which TestCompletion sees.
	_ = cmd.RegisterFlagCompletionFunc("rule", ids)
	_ = cmd.RegisterFlagCompletionFunc("skip", ids)
	completeFlag(cmd, "practice", rule.Practices...)
	_ = cmd.RegisterFlagCompletionFunc("framework", frameworkIDs)
}

// published is the rule that the index of advisories judges.
var published = workbench.Told(assay.Rule, assay.Judges)

// asksPublished says whether that rule is asked, as any other is; load must have been called.
func (f *ruleFlags) asksPublished() bool { return f.wants(published.Rule) }

// load reads and compiles the chosen rules, those from outside with the built-in ones, and tells
// which were left out.
func (f *ruleFlags) load(ctx context.Context, env *Env, sources []string) ([]*rule.Compiled, []verdict.Exclusion, error) {
	rules, err := f.all(ctx, env, sources, catalog.Brief)
	if err != nil {
		return nil, nil, err
	}
	if err := f.check(rules); err != nil {
		return nil, nil, err
	}
	if err := f.serve(rules); err != nil {
		return nil, nil, err
	}
	chosen := slices.DeleteFunc(slices.Clone(rules), func(r *rule.Compiled) bool { return !f.wants(r.Rule) })
	if len(chosen) == 0 && !f.asksPublished() {
		return nil, nil, &verdict.RemedyError{Err: errors.New("no rule is left to ask"), Remedy: "See 'coaming rules' for what there is."}
	}
	var excluded []verdict.Exclusion
	if n := len(rules) - len(chosen); n > 0 {
		excluded = []verdict.Exclusion{{What: "rules that were not asked", Reason: "--rule, --practice, --framework or --skip", Count: n}}
	}
	return chosen, excluded, nil
}

// check refuses names that no rule and no practice has.
func (f *ruleFlags) check(rules []*rule.Compiled) error {
	var ids, practices []string
	for _, r := range withPublished(rules) {
		ids, practices = append(ids, r.ID), append(practices, r.Practice)
	}
	var errs []error
	unknown := func(flag, name string, known []string) {
		if !slices.Contains(known, name) {
			errs = append(errs, &verdict.RemedyError{
				Err:    fmt.Errorf("--%s: there is no %q%s", flag, name, nearest(name, known)),
				Remedy: "See 'coaming rules' for what there is; rules of your own are read with --rules.",
			})
		}
	}
	for _, id := range f.rules {
		unknown("rule", id, ids)
	}
	for _, p := range f.practices {
		unknown("practice", p, practices)
	}
	for _, s := range f.skip {
		unknown("skip", s, append(ids, practices...))
	}
	return errors.Join(append(errs, checkFrameworks(f.frameworks))...)
}

// withPublished is the list with the rule that the index of advisories judges, in its place.
func withPublished(rules []*rule.Compiled) []*rule.Compiled {
	if slices.ContainsFunc(rules, func(r *rule.Compiled) bool { return r.ID == published.ID }) {
		return rules
	}
	at := slices.IndexFunc(rules, func(r *rule.Compiled) bool {
		return slices.Index(rule.Practices, r.Practice) > slices.Index(rule.Practices, published.Practice)
	})
	if at < 0 {
		at = len(rules)
	}
	return slices.Insert(slices.Clone(rules), at, published)
}

// nearest suggests the known name that a mistaken one probably means.
func nearest(name string, known []string) string {
	if near := rule.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}

func (f *ruleFlags) wants(r *rule.Rule) bool {
	if slices.ContainsFunc(f.skip, r.IsChosenBy) || slices.Contains(f.skip, r.Practice) {
		return false
	}
	if len(f.rules) == 0 && len(f.practices) == 0 && len(f.frameworks) == 0 {
		return true
	}
	return f.serving[r.ID] || slices.ContainsFunc(f.rules, r.IsChosenBy) || slices.Contains(f.practices, r.Practice)
}

func rulesCommand(env *Env) *cobra.Command {
	f := &ruleFlags{}
	cmd := &cobra.Command{
		Use:   "rules [ID]",
		Short: "List the rules, or show one with its reason, remedy and examples",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return f.words(cmd.Context(), nil)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			rules, err := f.all(cmd.Context(), env, nil, catalog.Rules)
			if err != nil {
				return err
			}
			rules = withPublished(rules)
			if len(args) == 0 {
				return listRules(env.Stdout, rules)
			}
			f.rules = args
			if err := f.check(rules); err != nil {
				return err
			}
			_, err = io.WriteString(env.Stdout, workbench.NewSheet(rules[slices.IndexFunc(rules, func(r *rule.Compiled) bool { return r.ID == args[0] })]).Text())
			return err
		},
	}
	f.customFlags.register(cmd.Flags())
	return cmd
}

func listRules(w io.Writer, rules []*rule.Compiled) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Practice, r.Severity, r.ID, r.Title)
	}
	return table.Flush()
}
