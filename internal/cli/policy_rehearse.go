package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/policy"
	"github.com/coaming/coaming/internal/rehearsal"
	"github.com/coaming/coaming/internal/verdict"
)

// policyTestOptions is the configuration of one rehearsal.
type policyTestOptions struct {
	sourceFlags
	ruleFlags
	settingFlags
	exceptionFlags
	against      []string
	planFile     string
	mode         string
	format       string
	allowUnknown bool

	assumed *enforcement.Mode
}

func policyTestCommand(env *Env) *cobra.Command {
	o := &policyTestOptions{}
	cmd := &cobra.Command{
		Use:   "test --against cluster|PATH...",
		Short: "List which objects that are there enforcement would refuse, before it is enforced",
		Long: `List each object that would be refused, warned of, or noted in the audit log, were it made anew as it stands while the plan
holds: by the API server's own policies, or by the webhook. Without --plan every rule is enforced everywhere but in the
system's namespaces. --mode takes all that is not off to be of one mode, as in: what if all of this were enforced?

Only what policies and the webhook are shown counts: no excluded namespaces, and exceptions of files as they hold there.
What images hold is asked by 'coaming scan --images'.

Exit codes: 0 nothing would be refused; 1 something would be; 2 wrong usage or an internal error; 3 nothing, but something
could not be looked at (0 with --allow-unknown).`,
		Example: `  coaming policy test --against cluster --plan plan.yaml
  coaming policy test --against cluster --plan plan.yaml --mode enforce
  coaming policy test --against deploy/ --practice pod --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.against, "against", nil, "what is there: `cluster`, a snapshot (*.coaming), or a PATH of manifests; may be given several times")
	flags.StringVar(&o.planFile, "plan", "", "a plan's `FILE`: which rule holds how in which namespace")
	flags.StringVar(&o.mode, "mode", "", "take all that the plan does not have off to be of this `MODE`: audit, warn or enforce")
	flags.StringVarP(&o.format, "format", "f", "text", "`FORMAT` text or json")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "exit with 0 though something could not be looked at")
	o.clusterFlags.register(flags)
	flags.Var((*versionFlag)(&o.kubeVersion), "kubernetes-version", "the Kubernetes `VERSION` to judge for (a live cluster's own when it is asked)")
	flags.Int64Var(&o.maxFile, "max-file-mib", 512, "largest file that is read, in MiB")
	flags.Int64Var(&o.maxTotal, "max-total-mib", 1024, "most that is read in all, in MiB")
	o.ruleFlags.register(flags)
	o.settingFlags.register(flags)
	flags.StringArrayVar(&o.files, "exceptions", nil, "a `FILE` of exceptions; may be given several times ("+defaultExceptions+" otherwise, where there is one)")
	flags.StringSliceVar(&o.from, "exceptions-from", []string{"files"}, "who may grant exceptions: `SOURCES` files, or none")
	flags.IntVar(&o.maxDays, "exception-max-days", int(judge.DefaultLifetime.Hours()/24), "refuse exceptions that expire more than `DAYS` ahead")
	completeFlag(cmd, "exceptions-from", "files", "none")
	completeFlag(cmd, "mode", "audit", "warn", "enforce")
	completeFlag(cmd, "format", "text", "json")
	// The only error is a flag that does not exist.
	_ = cmd.MarkFlagFilename("plan", "yaml", "yml", "json")
	o.ruleFlags.complete(cmd)
	o.settingFlags.complete(cmd)
	return cmd
}

// check reports every problem of the options at once.
func (o *policyTestOptions) check() error {
	errs := o.exceptionFlags.check()
	if len(o.against) == 0 {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("--against is missing"), Remedy: "Name cluster, a snapshot or a folder of manifests."})
	}
	if o.takes("inline") || o.takes("cluster") {
		errs = append(errs, errors.New("--exceptions-from: policies know those of files alone: files, or none"))
	}
	if o.format != "text" && o.format != "json" {
		errs = append(errs, fmt.Errorf("--format: %q is none of text, json", o.format))
	}
	if o.kubeVersion != "" && !catalog.Reached(o.kubeVersion, policy.Oldest) {
		errs = append(errs, &verdict.RemedyError{
			Err:    fmt.Errorf("--kubernetes-version: %q has no ValidatingAdmissionPolicy v1", o.kubeVersion),
			Remedy: "Name a version from " + policy.Oldest + " on, as in 1.36.",
		})
	}
	if o.mode != "" {
		mode := new(enforcement.Mode)
		if err := mode.UnmarshalText([]byte(o.mode)); err != nil || *mode == enforcement.Off {
			errs = append(errs, fmt.Errorf("--mode: %q is none of audit, warn, enforce", o.mode))
		}
		o.assumed = mode
	}
	return errors.Join(errs...)
}

// everythingEnforced is the plan that holds where none is named: what 'policy export' writes without one.
const everythingEnforced = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nmetadata: {name: default}\nspec: {mode: enforce, onError: fail}\n"

func (o *policyTestOptions) run(ctx context.Context, env *Env) error {
	if err := o.check(); err != nil {
		return err
	}
	in, err := o.input(ctx, env)
	if err != nil {
		return err
	}
	res := rehearsal.Rehearse(*in)
	if o.format == "json" {
		err = writeJSON(env.Stdout, res)
	} else {
		err = showRehearsal(env.Stdout, res)
	}
	if err != nil {
		return err
	}
	switch {
	case res.Refused > 0:
		return exitError(verdict.ExitFindings)
	case !o.allowUnknown && (len(res.Gaps) > 0 || len(res.Uncertain) > 0 || res.Objects+res.Excluded == 0):
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// input reads what is there, and what would hold.
func (o *policyTestOptions) input(ctx context.Context, env *Env) (*rehearsal.Input, error) {
	settings, err := o.settingFlags.load()
	if err != nil {
		return nil, err
	}
	rules, _, err := o.ruleFlags.load(ctx, env, nil)
	if err != nil {
		return nil, err
	}
	plan, err := o.plannedBy(ctx, env)
	if err != nil {
		return nil, err
	}
	excuses, err := o.exceptionFlags.load()
	if err != nil {
		return nil, err
	}
	o.find(&excuses, nil, o.ids)
	var paths []string
	for _, a := range o.against {
		if o.cluster = o.cluster || a == "cluster"; a != "cluster" {
			paths = append(paths, a)
		}
	}
	bar := newProgress(env)
	reading, err := o.read(ctx, env, paths, append(judge.Needs(rules), "Namespace"), nil, bar.stage("reading"))
	bar.clear()
	if err != nil {
		return nil, err
	}
	version := cmp.Or(o.kubeVersion, reading.Version, catalog.Newest)
	return &rehearsal.Input{
		Objects: reading.Objects, Live: reading.Live, Coverage: reading.Coverage, Version: version, Rules: rules, Plan: plan, Mode: o.assumed,
		Settings: settings, Exceptions: excuses.exceptions, Lifetime: o.lifetime(), Now: env.Now(), Width: runtime.GOMAXPROCS(0),
	}, nil
}

// plannedBy is the plan that is named, or that of everything.
func (o *policyTestOptions) plannedBy(ctx context.Context, env *Env) (*enforcement.Plan, error) {
	if o.planFile == "" {
		return enforcement.Read("", everythingEnforced)
	}
	known, err := o.all(ctx, env, nil, catalog.Brief)
	if err != nil {
		return nil, err
	}
	return readPlan(o.planFile, known)
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// wouldBe are the words for what would become of an object.
var wouldBe = map[enforcement.Mode]string{enforcement.Enforce: "refused", enforcement.Warn: "warned of", enforcement.Audit: "noted", enforcement.Off: "let in"}

// showRehearsal writes the result for people: a line for each rule's word on each object.
func showRehearsal(w io.Writer, res *rehearsal.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := range res.Entries {
		e := &res.Entries[i]
		word := wouldBe[e.Mode]
		if e.Verdict == verdict.Unknown {
			word += ", unknown"
		}
		what := e.Message
		if e.Reason != "" {
			what += ", for " + e.Reason
		}
		if e.MadeBy != "" {
			what += " (made by " + e.MadeBy + ")"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", word, e.Severity, e.Rule, e.Subject, standsAt(e.Location), what)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n%d rules would be judged by the API server's own policies, %d by the webhook\n", res.Summary(), res.Policies, res.Webhooks)
	for _, why := range slices.Sorted(maps.Keys(res.NotAsked)) {
		fmt.Fprintf(&out, "%d rules are not enforced: %s\n", res.NotAsked[why], why)
	}
	if len(res.Uncertain) > 0 {
		fmt.Fprintf(&out, "the plan goes by labels of namespaces that nobody told, and the stricter was taken: %s\n", strings.Join(res.Uncertain, ", "))
	}
	for _, g := range res.Gaps {
		fmt.Fprintf(&out, "not looked at: %s: %s\n", g.Location.File, g.Message)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// standsAt is file:line of what was read from a file, the path of what a server sent.
func standsAt(l verdict.Location) string {
	if l.Line == 0 {
		return l.File
	}
	return fmt.Sprintf("%s:%d", l.File, l.Line)
}
