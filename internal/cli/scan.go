package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// scanOptions is the configuration of one scan.
type scanOptions struct {
	sourceFlags
	judgeFlags
	settingFlags
	workloadImageFlags
	namespaces []string
	noCache    bool
}

func scanCommand(env *Env) *cobra.Command {
	o := &scanOptions{}
	cmd := &cobra.Command{
		Use:   "scan [PATH...|-]",
		Short: "Judge manifests, charts, overlays, a snapshot or a live cluster",
		Long: `Judge files, folders, Helm charts, Kustomize overlays, snapshots (*.coaming), standard input (-) or a live cluster.

Exit codes: 0 clean; 1 findings at or over --fail-on; 2 wrong usage or an internal error; 3 no such finding, but
something could not be judged (0 with --allow-unknown). With --diff only what is new or worse counts.`,
		Example: `  coaming scan deploy/
  helm template my-chart | coaming scan -
  coaming scan --release shop@prod=./chart --values prod.yaml
  coaming scan --cluster --context prod --format sarif -o coaming.sarif
  coaming scan deploy/ --report html=report.html --report sarif=coaming.sarif
  coaming scan deploy/ --diff main.json      # what is new, what is fixed
  coaming scan deploy/ --framework cis       # a verdict for each control

  coaming scan --rules our-rules/ deploy/`,
		RunE: func(cmd *cobra.Command, args []string) error { return runScan(cmd.Context(), env, o, args) },
	}
	flags := cmd.Flags()
	o.sourceFlags.register(flags)
	o.judgeFlags.register(cmd)
	o.settingFlags.register(flags)
	o.workloadImageFlags.register(flags)
	flags.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "judge only these `NAMESPACES`")
	flags.BoolVar(&o.noCache, "no-cache", false, "judge anew even where the same scan of the same files was made before")
	o.complete(cmd)
	return cmd
}

func completeFlag(cmd *cobra.Command, flag string, words ...string) {
	// The only error is a flag that does not exist or is completed twice, which TestCompletion sees.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// check reports every problem of the options at once.
func (o *scanOptions) check(env *Env, args []string) error {
	errs := append(o.judgeFlags.check(), checkFrameworks(o.frameworks))
	errs = append(errs, o.workloadImageFlags.check()...)
	if o.kubeVersion != "" && !catalog.Reached(o.kubeVersion, "1.0") {
		errs = append(errs, fmt.Errorf("--kubernetes-version: %q is no version like 1.36", o.kubeVersion))
	}
	if len(args) == 0 && len(o.releases) == 0 && !o.cluster {
		if !env.isPluginCommand() {
			errs = append(errs, errNothing)
		}
		o.cluster = true
	}
	return errors.Join(errs...)
}

// isPluginCommand says whether the root command was made for kubectl.
func (e *Env) isPluginCommand() bool { return strings.HasPrefix(e.Name, "kubectl ") }

func runScan(ctx context.Context, env *Env, o *scanOptions, args []string) error {
	if err := o.check(env, args); err != nil {
		return err
	}
	alsoResult := io.Discard
	kept, err := o.prepare(ctx, env, args)
	if err != nil {
		return err
	}
	if kept != nil {
		if code, shown, err := kept.show(o, env); err != nil || shown {
			return exitWith(code, err)
		}
		o.plan, o.copyTo = kept.plan, &kept.report
		alsoResult = &kept.result
	}
	res, err := o.judge(ctx, env, args)
	if err != nil {
		return err
	}
	code, err := o.conclude(env, res, alsoResult)
	if err != nil {
		return err
	}
	if kept != nil {
		kept.keep(ctx, o, env, args, res, code)
	}
	return exitWith(code, nil)
}

func exitWith(code int, err error) error {
	if err == nil && code != verdict.ExitClean {
		return exitError(code)
	}
	return err
}

// judge reads the sources and judges them.
func (o *scanOptions) judge(ctx context.Context, env *Env, args []string) (*verdict.Result, error) {
	settings, err := o.load()
	if err != nil {
		return nil, err
	}
	rules, excluded, err := o.ruleFlags.load(ctx, env, args)
	if err != nil {
		return nil, err
	}
	if err := checkBarred(settings, o.ids); err != nil {
		return nil, err
	}
	excuses, err := o.exceptionFlags.load()
	if err != nil {
		return nil, err
	}
	var kinds []string
	if o.cluster {
		kinds = judge.Needs(rules)
		if o.takes("cluster") {
			o.also = []string{exception.Kind}
		}
	}
	bar := o.progressBar(env)
	reading, err := o.read(ctx, env, args, kinds, o.namespaces, bar.stage("reading"))
	bar.clear()
	if err != nil {
		return nil, err
	}
	version := cmp.Or(o.kubeVersion, reading.Version, catalog.Newest)
	if err := o.checkNamespaces(reading); err != nil {
		return nil, err
	}
	o.find(&excuses, reading.Objects, append(slices.Clone(o.ids), assay.RuleID))
	inventory := fact.NewInventory(reading.Objects, version, reading.Live)
	looked, err := o.lookInto(ctx, env, inventory, reading)
	if err != nil {
		return nil, err
	}
	reading.Coverage.Exclusions = append(reading.Coverage.Exclusions, excluded...)
	res := judge.Judge(judge.Input{
		Inventory:  inventory,
		Rate:       seesPaths(kinds),
		Coverage:   reading.Coverage,
		Rules:      rules,
		Found:      looked.found,
		Exceptions: excuses.exceptions,
		Settings:   settings,
		Now:        env.Now(),
		Lifetime:   o.lifetime(),
		Baseline:   excuses.baseline,
		Namespaces: o.namespaces,
		Width:      runtime.GOMAXPROCS(0),
		Progress:   bar.stage("judging"),
	})
	bar.clear()
	res.Advice = looked.advice
	return res, nil
}

// lookInto looks into the images of the workloads where that was asked for.
func (o *scanOptions) lookInto(ctx context.Context, env *Env, inventory *fact.Inventory, reading *source.Reading) (*assayed, error) {
	if !o.images {
		return &assayed{}, nil
	}
	bar := o.progressBar(env)
	looked, err := o.look(ctx, env, inventory, o.asksPublished(), bar.stage("images"))
	bar.clear()
	if err != nil {
		return nil, err
	}
	looked.describe(inventory)
	c := &reading.Coverage
	c.Gaps = append(c.Gaps, looked.coverage.Gaps...)
	c.Exclusions = append(c.Exclusions, looked.coverage.Exclusions...)
	c.Images, c.Packages, c.Advisories = looked.coverage.Images, looked.coverage.Packages, looked.coverage.Advisories
	return looked, nil
}

// seesPaths says whether enough was read to say what findings matter to attackers: files are read whole, a
// cluster as far as the rules that were asked for want it.
func seesPaths(asked []string) bool {
	return asked == nil || !slices.ContainsFunc(append([]string{"Service"}, rbac.Kinds...), func(kind string) bool { return !slices.Contains(asked, kind) })
}

// checkNamespaces refuses a namespace that nothing that was read is of: a slip of the pen must not
// judge nothing. A cluster says itself which namespaces it has not.
func (o *scanOptions) checkNamespaces(r *source.Reading) error {
	if r.Live {
		return nil
	}
	for _, name := range o.namespaces {
		if !slices.ContainsFunc(r.Objects, func(obj *fact.Object) bool {
			return fact.Place(obj.Namespace) == name || obj.GroupKind() == "Namespace" && obj.Name == name
		}) {
			return &verdict.RemedyError{
				Err:    fmt.Errorf("--namespace: nothing that was read is of namespace %q", name),
				Remedy: "Name a namespace as the objects do; those that name none are of default.",
			}
		}
	}
	return nil
}

// ruleFlags choose rules.
type ruleFlags struct {
	customFlags
	rules     []string
	practices []string
	skip      []string
	// frameworks choose the rules that judge their controls.
	frameworks []string
	serving    map[string]bool // the ids of those
}
