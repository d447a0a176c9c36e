package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

func (f *ruleFlags) register(flags *pflag.FlagSet) {
	flags.StringSliceVar(&f.rules, "rule", nil, "ask only these rules, by `ID`")
	flags.StringSliceVar(&f.practices, "practice", nil, "ask only the rules of these practices: `PRACTICE` pod, image, rbac, secret, net, quota or version")
	flags.StringSliceVar(&f.skip, "skip", nil, "leave out these rules or practices; the report tells what was left out: `ID`")
	flags.StringSliceVar(&f.frameworks, "framework", nil, "ask the rules of these frameworks and report each control: `ID` as 'coaming frameworks' lists them")
}

func (f *ruleFlags) complete(cmd *cobra.Command) {
	ids := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		rules, err := catalog.Rules()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var words []string
		for _, r := range rules {
			words = append(words, r.ID+"\t"+r.Title)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}
	// The only error is a flag that does not exist or is completed twice, which TestCompletion sees.
	_ = cmd.RegisterFlagCompletionFunc("rule", ids)
	_ = cmd.RegisterFlagCompletionFunc("skip", ids)
	completeFlag(cmd, "practice", rule.Practices...)
	_ = cmd.RegisterFlagCompletionFunc("framework", frameworkIDs)
}

// load reads and compiles the chosen rules and tells which were left out.
func (f *ruleFlags) load() ([]*rule.Compiled, []verdict.Exclusion, error) {
	rules, err := catalog.Rules()
	if err != nil {
		return nil, nil, err
	}
	if err := f.check(rules); err != nil {
		return nil, nil, err
	}
	if err := f.serve(rules); err != nil {
		return nil, nil, err
	}
	chosen := slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return !f.wants(r) })
	if len(chosen) == 0 {
		return nil, nil, &verdict.RemedyError{Err: errors.New("no rule is left to ask"), Remedy: "See 'coaming rules' for what there is."}
	}
	compiled := make([]*rule.Compiled, 0, len(chosen))
	for _, r := range chosen {
		c, err := rule.Compile(r, catalog.Checked)
		if err != nil {
			return nil, nil, err
		}
		compiled = append(compiled, c)
	}
	var excluded []verdict.Exclusion
	if n := len(rules) - len(chosen); n > 0 {
		excluded = []verdict.Exclusion{{What: "rules that were not asked", Reason: "--rule, --practice, --framework or --skip", Count: n}}
	}
	return compiled, excluded, nil
}

// check refuses names that no rule and no practice has.
func (f *ruleFlags) check(rules []*rule.Rule) error {
	var ids, practices []string
	for _, r := range rules {
		ids, practices = append(ids, r.ID), append(practices, r.Practice)
	}
	var errs []error
	unknown := func(flag, name string, known []string) {
		if !slices.Contains(known, name) {
			errs = append(errs, &verdict.RemedyError{
				Err:    fmt.Errorf("--%s: there is no %q%s", flag, name, nearest(name, known)),
				Remedy: "See 'coaming rules' for what there is.",
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

// nearest suggests the known name that shares most with a mistaken one.
func nearest(name string, known []string) string {
	best, most := "", 0
	for _, k := range known {
		shared := 0
		for word := range strings.SplitSeq(name, "-") {
			if word != "" && strings.Contains(k, word) {
				shared += len(word)
			}
		}
		if shared > most {
			best, most = k, shared
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

func (f *ruleFlags) wants(r *rule.Rule) bool {
	if slices.Contains(f.skip, r.ID) || slices.Contains(f.skip, r.Practice) {
		return false
	}
	if len(f.rules) == 0 && len(f.practices) == 0 && len(f.frameworks) == 0 {
		return true
	}
	return f.serving[r.ID] || slices.Contains(f.rules, r.ID) || slices.Contains(f.practices, r.Practice)
}

func rulesCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "rules [ID]",
		Short: "List the rules, or show one with its reason, remedy and examples",
		Args:  cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			rules, err := catalog.Rules()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			var words []string
			for _, r := range rules {
				words = append(words, r.ID)
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			rules, err := catalog.Rules()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listRules(env.Stdout, rules)
			}
			f := ruleFlags{rules: args}
			if err := f.check(rules); err != nil {
				return err
			}
			return showRule(env.Stdout, rules[slices.IndexFunc(rules, f.wants)])
		},
	}
}

func listRules(w io.Writer, rules []*rule.Rule) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Practice, r.Severity, r.ID, r.Title)
	}
	return table.Flush()
}

func showRule(w io.Writer, r *rule.Rule) error {
	c, err := rule.Compile(r, catalog.Checked)
	if err != nil {
		return err
	}
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s\n%s\n\n", r.ID, r.Title)
	fmt.Fprintf(text, "practice  %s\nseverity  %s\nwhy       %s\nremedy    %s\n", r.Practice, r.Severity, r.Why, r.Remedy)
	fmt.Fprintf(text, "judges    %s\nreads     %s\n", matchText(r), strings.Join(c.Reads(), ", "))
	if r.When != "" {
		fmt.Fprintf(text, "when      %s\n", r.When)
	}
	fmt.Fprintf(text, "assert    %s\n", r.Assert)
	for _, framework := range sortedFrameworks(r) {
		fmt.Fprintf(text, "maps      %s: %s\n", framework, strings.Join(r.Maps[framework], ", "))
	}
	if r.ExampleVersion != "" {
		fmt.Fprintf(text, "examples  judged for Kubernetes %s\n", r.ExampleVersion)
	}
	for _, list := range []struct {
		title    string
		examples []rule.Example
	}{{"bad", r.Bad}, {"good", r.Good}} {
		for _, e := range list.examples {
			fmt.Fprintf(text, "\n# %s\n%s", list.title, exampleText(e))
		}
	}
	_, err = io.WriteString(w, text.String())
	return err
}

func matchText(r *rule.Rule) string {
	text := r.Match.Fact
	if text == "kinds" {
		text = strings.Join(r.Match.Kinds, ", ")
	}
	if r.EachName != "" {
		text += ", each of " + strings.Join(r.EachPath, ".")
	}
	return text
}

func sortedFrameworks(r *rule.Rule) []string {
	var names []string
	for name := range r.Maps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// exampleText is an example's objects as the YAML that stands in the rule's file.
func exampleText(e rule.Example) string {
	var text strings.Builder
	for i, v := range e {
		if i > 0 {
			text.WriteString("---\n")
		}
		text.WriteString(document.YAML(v))
	}
	return text.String()
}
