package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fix"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// fixOptions is the configuration of one run of fix.
type fixOptions struct {
	sourceFlags
	ruleFlags
	exceptionFlags
	settingFlags
	severity     string
	findings     []string
	choose       []string
	accept       bool
	apply        bool
	patch        bool
	comment      bool
	output       string
	beside       string
	allowUnknown bool

	least   verdict.Severity
	choices map[string]string // rule -> value
}

func fixCommand(env *Env) *cobra.Command {
	o := &fixOptions{}
	cmd := &cobra.Command{
		Use:   "fix [PATH...|-]",
		Short: "Fix what can be proved: in manifests, charts' values and overlays",
		Long: `Fix findings where the text stands: comments, order, quotes and indentation of everything else stay. Every fix is made on
a copy first, and the copy is judged again by every rule: what does not clear its finding, or brings anything new, is
not offered. Without --apply nothing is changed: the difference is shown. What a server sent is never changed; --beside
writes patches for it.

Exit codes: 0 every finding that was asked for has a proved fix, shown or made; 1 some have none, or wait for a choice;
2 wrong usage or an internal error; 3 no such finding, but something could not be judged (0 with --allow-unknown).`,
		Example: `  coaming fix deploy/                                      # show what would change
  coaming fix --apply --rule privilege-escalation deploy/
  coaming fix --apply --choose memory-limit-missing=256Mi deploy/
  coaming fix --patch deploy/ | git apply
  coaming fix --pr-comment -o comment.md deploy/`,
		RunE: func(cmd *cobra.Command, args []string) error { return runFix(cmd.Context(), env, o, args) },
	}
	flags := cmd.Flags()
	o.sourceFlags.register(flags)
	o.ruleFlags.register(flags)
	o.exceptionFlags.register(flags)
	o.settingFlags.register(flags)
	flags.StringVar(&o.severity, "severity", "low", "fix only findings that are at least this grave: `SEVERITY` low, medium, high or critical")
	flags.StringSliceVar(&o.findings, "finding", nil, "fix only the findings whose `FINGERPRINT` begins so")
	flags.StringArrayVar(&o.choose, "choose", nil, "where a person must choose, take this of the candidates: `RULE=VALUE`; may be given several times")
	flags.BoolVar(&o.accept, "accept-proposed", false, "where a person must choose and --choose does not, take the first proved candidate")
	flags.BoolVar(&o.apply, "apply", false, "write the changes to the files")
	flags.BoolVar(&o.patch, "patch", false, "write one unified diff, for git apply or patch -p1")
	flags.BoolVar(&o.comment, "pr-comment", false, "write Markdown with suggestion blocks, for a pull request")
	flags.StringVarP(&o.output, "output", "o", "", "write the diff or the Markdown to this `FILE`")
	flags.StringVar(&o.beside, "beside", "", "write what cannot be changed in place into this `FOLDER`: JSON patches of a cluster's objects, overlays for charts")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be judged")
	completeFlag(cmd, "severity", "low", "medium", "high", "critical")
	o.ruleFlags.complete(cmd)
	o.exceptionFlags.complete(cmd)
	o.settingFlags.complete(cmd)
	return cmd
}

// check reports every problem of the options at once.
func (o *fixOptions) check(env *Env, args []string) error {
	errs := o.exceptionFlags.check()
	if err := o.least.UnmarshalText([]byte(o.severity)); err != nil {
		errs = append(errs, fmt.Errorf("--severity: %w", err))
	}
	modes := 0
	for _, on := range []bool{o.apply, o.patch, o.comment} {
		if on {
			modes++
		}
	}
	if modes > 1 {
		errs = append(errs, errors.New("--apply, --patch and --pr-comment exclude each other"))
	}
	if o.output != "" && !o.patch && !o.comment {
		errs = append(errs, errors.New("--output is for --patch and --pr-comment"))
	}
	if o.kubeVersion != "" && !catalog.Reached(o.kubeVersion, "1.0") {
		errs = append(errs, fmt.Errorf("--kubernetes-version: %q is no version like 1.36", o.kubeVersion))
	}
	for _, prefix := range o.findings {
		if prefix == "" || strings.Trim(prefix, "0123456789abcdef") != "" {
			errs = append(errs, fmt.Errorf("--finding: %q is no fingerprint: want hex digits", prefix))
		}
	}
	o.choices = map[string]string{}
	for _, text := range o.choose {
		id, value, found := strings.Cut(text, "=")
		if !found || id == "" {
			errs = append(errs, fmt.Errorf("--choose %q: want RULE=VALUE", text))
			continue
		}
		o.choices[id] = value
	}
	if len(args) == 0 && len(o.releases) == 0 && !o.cluster {
		if !env.isPluginCommand() {
			errs = append(errs, errNothing)
		}
		o.cluster = true
	}
	return errors.Join(errs...)
}

func runFix(ctx context.Context, env *Env, o *fixOptions, args []string) error {
	if err := o.check(env, args); err != nil {
		return err
	}
	rules, err := o.all(ctx, env, args, catalog.Brief)
	if err != nil {
		return err
	}
	wanted, err := o.wanted(rules)
	if err != nil {
		return err
	}
	c := &court{fixOptions: o, env: env, args: args, rules: rules}
	before, proposals, err := c.first(ctx)
	if err != nil {
		return err
	}
	var chosen []fix.Proposal
	fixable := map[string]bool{}
	for _, p := range proposals {
		fixable[p.Finding.Fingerprint] = true
		if o.takes(&p.Finding, wanted) {
			chosen = append(chosen, p)
		}
	}
	cases := fix.Collect(chosen, c.trace)
	if err := o.checkFound(before); err != nil {
		return err
	}
	res, err := fix.Prove(ctx, cases, before, c, fix.Options{Choose: o.choice, Trace: c.trace, Hides: judge.Hides, Private: o.patch || o.comment})
	if err != nil {
		return err
	}
	l := leftover{without: map[string]int{}}
	for i := range before.Findings {
		f := &before.Findings[i]
		switch {
		case f.Verdict != verdict.Fail || fixable[f.Fingerprint] || !o.takes(f, wanted):
		case res.Clears(f.Fingerprint):
			l.cleared++
		default:
			l.without[f.Rule]++
		}
	}
	if err := o.write(env, c, res, l); err != nil {
		return err
	}
	return o.exit(before, res, l.without)
}

// leftover is what became of the findings whose rules have no fix: cleared by the fixes of others, or
// still there, by rule.
type leftover struct {
	cleared int
	without map[string]int
}

// wanted are the rules whose findings are fixed; every rule judges.
func (o *fixOptions) wanted(rules []*rule.Compiled) (map[string]bool, error) {
	if err := o.ruleFlags.check(rules); err != nil {
		return nil, err
	}
	errs := []error{o.serve(rules)}
	wanted, known := map[string]bool{}, map[string]*rule.Compiled{}
	var ids []string
	for _, r := range rules {
		wanted[r.ID] = o.wants(r.Rule)
		known[r.ID] = r
		ids = append(ids, r.ID)
	}
	for id := range o.choices {
		if known[id] == nil {
			errs = append(errs, fmt.Errorf("--choose: there is no rule %q%s", id, nearest(id, ids)))
		}
	}
	return wanted, errors.Join(errs...)
}

// takes says whether the finding is one of those to fix.
func (o *fixOptions) takes(f *verdict.Finding, wanted map[string]bool) bool {
	if !wanted[f.Rule] || f.Severity < o.least {
		return false
	}
	return len(o.findings) == 0 || slices.ContainsFunc(o.findings, func(prefix string) bool { return strings.HasPrefix(f.Fingerprint, prefix) })
}

// checkFound refuses fingerprints that nothing found has: a slip of the pen must not look like success.
func (o *fixOptions) checkFound(before *verdict.Result) error {
	var errs []error
	for _, prefix := range o.findings {
		if !slices.ContainsFunc(before.Findings, func(f verdict.Finding) bool {
			return f.Verdict == verdict.Fail && strings.HasPrefix(f.Fingerprint, prefix)
		}) {
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("--finding: no finding has the fingerprint %q", prefix), Remedy: "See 'coaming scan' on the same input."})
		}
	}
	return errors.Join(errs...)
}

// choice is the candidate that a person chose for a case, -1 for none.
func (o *fixOptions) choice(c *fix.Case, candidates []fix.Candidate) int {
	value, chosen := o.choices[c.Finding.Rule]
	for i := range candidates {
		if candidates[i].Proved && (chosen && candidates[i].Value == value || !chosen && o.accept) {
			return i
		}
	}
	return -1
}

// write writes the changes in the form that was asked for, and what became of the findings.
func (o *fixOptions) write(env *Env, c *court, res *fix.Result, l leftover) error {
	var err error
	switch {
	case o.patch:
		err = o.to(env, func(w io.Writer) error {
			for i := range res.Files {
				if err := res.Files[i].Diff(w, judge.Hides, false); err != nil {
					return err
				}
			}
			return nil
		})
	case o.comment:
		err = o.to(env, func(w io.Writer) error { return res.Comment(w, judge.Hides) })
	case o.apply:
		err = c.apply(res.Files)
	default:
		for i := range res.Files {
			if err := res.Files[i].Diff(env.Stdout, judge.Hides, true); err != nil {
				return err
			}
		}
	}
	if err == nil {
		err = o.writeBeside(env, res)
	}
	if err != nil {
		return err
	}
	if o.patch || o.comment {
		return res.Summary(env.Stderr, l.without, l.cleared)
	}
	if len(res.Files) > 0 && !o.apply {
		_, _ = io.WriteString(env.Stdout, "\n")
	}
	if err := res.Summary(env.Stdout, l.without, l.cleared); err != nil {
		return err
	}
	if o.apply {
		_, err = fmt.Fprintf(env.Stdout, "\n%d files written\n", len(res.Files))
	}
	return err
}

// exit is the exit code: what is left of the findings that were asked for outranks what is unknown.
func (o *fixOptions) exit(before *verdict.Result, res *fix.Result, without map[string]int) error {
	if len(without) > 0 || res.Count(fix.Proved) < len(res.Outcomes) {
		return exitError(verdict.ExitFindings)
	}
	rest := *before
	rest.Findings = slices.DeleteFunc(slices.Clone(before.Findings), func(f verdict.Finding) bool { return f.Verdict != verdict.Unknown })
	if code := rest.Exit(verdict.Low, o.allowUnknown); code != verdict.ExitClean {
		return exitError(code)
	}
	return nil
}
