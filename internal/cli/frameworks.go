package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

func frameworksCommand(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:               "frameworks [ID]",
		Short:             "List the frameworks, or show one with its controls and how each is judged",
		Example:           "  coaming frameworks\n  coaming frameworks cis\n  coaming scan deploy/ --framework cis",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: frameworkIDs,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkFrameworks(args); err != nil {
				return err
			}
			all, err := catalog.Frameworks()
			if err != nil {
				return err
			}
			infos, err := ruleInfos()
			if err != nil {
				return err
			}
			if len(args) == 0 {
				return listFrameworks(env.Stdout, all, infos)
			}
			return showFramework(env.Stdout, catalog.FrameworkOf(all, args[0]), all, infos)
		},
	}
}

func ruleInfos() ([]verdict.RuleInfo, error) {
	rules, err := catalog.Brief()
	if err != nil {
		return nil, err
	}
	infos := make([]verdict.RuleInfo, 0, len(rules)+1)
	for _, r := range rules {
		infos = append(infos, r.Info())
	}
	infos = append(infos, assay.Rule)
	return infos, nil
}

func frameworkIDs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, err := catalog.Frameworks()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var words []string
	for _, f := range all {
		words = append(words, f.ID+"\t"+f.Title+" "+f.Version)
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// checkFrameworks refuses ids that no framework has.
func checkFrameworks(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	all, err := catalog.Frameworks()
	if err != nil {
		return err
	}
	var known []string
	for _, f := range all {
		known = append(known, f.ID)
	}
	var errs []error
	for _, id := range ids {
		if !slices.Contains(known, id) {
			errs = append(errs, &verdict.RemedyError{
				Err: fmt.Errorf("there is no framework %q%s", id, nearest(id, known)), Remedy: "See 'coaming frameworks' for what there is.",
			})
		}
	}
	return errors.Join(errs...)
}

// serve finds the rules that judge the chosen frameworks' controls.
func (f *ruleFlags) serve(rules []*rule.Compiled) error {
	if len(f.frameworks) == 0 {
		return nil
	}
	all, err := catalog.Frameworks()
	if err != nil {
		return err
	}
	var infos []verdict.RuleInfo
	for _, r := range withPublished(rules) {
		infos = append(infos, r.Info())
	}
	f.serving = map[string]bool{}
	for _, id := range f.frameworks {
		for _, ids := range catalog.FrameworkOf(all, id).Judged(all, infos) {
			for _, id := range ids {
				f.serving[id] = true
			}
		}
	}
	return nil
}

func listFrameworks(w io.Writer, all []*catalog.Framework, rules []verdict.RuleInfo) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tCONTROLS\tBY RULES\tBY HAND\tNOT JUDGED\tTITLE")
	for _, f := range all {
		byRules, byHand, none := f.Count(f.Judged(all, rules))
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s %s\n", f.ID, len(f.Controls), byRules, byHand, none, f.Title, f.Version)
	}
	return table.Flush()
}

func showFramework(w io.Writer, f *catalog.Framework, all []*catalog.Framework, rules []verdict.RuleInfo) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s\n%s %s\nsource  %s\n", f.ID, f.Title, f.Version, f.Source)
	judged := f.Judged(all, rules)
	for i := range f.Controls {
		c := &f.Controls[i]
		fmt.Fprintf(text, "\n%s  %s\n", c.ID, c.Title)
		if ids := judged[c.ID]; len(ids) > 0 {
			fmt.Fprintf(text, "  rules       %s\n", strings.Join(ids, ", "))
		}
		if c.Manual != "" {
			fmt.Fprintf(text, "  by hand     %s\n", c.Manual)
		}
		if c.Unjudged != "" {
			fmt.Fprintf(text, "  not judged  %s\n", c.Unjudged)
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}
