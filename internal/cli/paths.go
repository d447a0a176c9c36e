package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// attackOptions is the configuration of a look at attackers' paths.
type attackOptions struct {
	sourceFlags
	exports      []string
	from, to     []string
	allowUnknown bool
}

// pathsOptions is the configuration of the command paths.
type pathsOptions struct {
	attackOptions
	format string
}

func pathsCommand(env *Env) *cobra.Command {
	o := &pathsOptions{}
	cmd := &cobra.Command{
		Use:   "paths [PATH...|-]",
		Short: "Tell the paths by which an attacker comes from the internet to cluster-admin",
		Long: `Tell the shortest and the easiest paths of an attacker, step by step, with the line of the manifest that makes each step
possible and what would stop it.

Exit codes: 0 there is no path; 1 there is one; 2 wrong usage or an internal error; 3 there is none that is certain, but
something was not looked at (0 with --allow-unknown).`,
		Example: `  coaming paths deploy/
  coaming paths --from sa:shop/web --to secret deploy/
  coaming paths --cluster --format mermaid`,
		RunE: func(cmd *cobra.Command, args []string) error { return runPaths(cmd.Context(), env, o, args) },
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.format, "format", "text", "`FORMAT` of the answer: "+strings.Join(attack.FormatNames(), ", "))
	completeFlag(cmd, "format", attack.FormatNames()...)
	return cmd
}

func (o *attackOptions) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.thrift = true
	o.sourceFlags.register(flags)
	flags.StringArrayVar(&o.exports, "cloud-export", nil, "JSON `FILE` that the AWS command line printed of access entries or pod identity associations; may be given several times")
	flags.StringArrayVar(&o.from, "from", []string{"internet"}, "where attackers begin, `NODE`; may be given several times")
	flags.StringArrayVar(&o.to, "to", []string{"cluster-admin"}, "what they want, `NODE`; may be given several times")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what was not looked at")
	completeEnds(cmd, "from")
	completeEnds(cmd, "to")
}

func (o *attackOptions) check(env *Env, args []string) error {
	if len(args) == 0 && len(o.releases) == 0 && !o.cluster {
		if !env.isPluginCommand() {
			return errNothing
		}
		o.cluster = true
	}
	return nil
}

func runPaths(ctx context.Context, env *Env, o *pathsOptions, args []string) error {
	write := attack.Writer(o.format)
	errs := []error{o.check(env, args)}
	if write == nil {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", o.format, strings.Join(attack.FormatNames(), ", ")))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	reading, err := o.reading(ctx, env, args)
	if err != nil {
		return err
	}
	questions, err := o.questions(reading)
	if err != nil {
		return err
	}
	answers := make([]*attack.Answer, 0, len(questions))
	code := verdict.ExitClean
	for i := range questions {
		a := questions[i].ask()
		answers = append(answers, a)
		switch {
		case a.Paths > 0:
			code = verdict.ExitFindings
		case (a.Doubtful > 0 || len(a.Notes) > 0) && code == verdict.ExitClean && !o.allowUnknown:
			code = verdict.ExitUnknown
		}
	}
	if err := write(env.Stdout, answers); err != nil {
		return err
	}
	return exitWith(code, nil)
}

// reading reads all that a graph is made of.
func (o *attackOptions) reading(ctx context.Context, env *Env, paths []string) (*source.Reading, error) {
	bar := newProgress(env)
	defer bar.clear()
	return o.read(ctx, env, paths, attack.Kinds(), nil, bar.stage("reading"))
}

// question is the graph of one environment and the ends that are asked about.
type question struct {
	graph          *attack.Graph
	name           string // of the environment, where there are several
	entries, sinks []int32
	from, to       string
}

func (q *question) ask() *attack.Answer {
	a := q.graph.Ask(q.entries, q.sinks, q.from, q.to)
	a.World, a.Notes = q.name, q.graph.Notes(q.entries, q.sinks)
	return a
}

// questions makes a graph of each environment that was read. What the flags name must be in one of them.
func (o *attackOptions) questions(reading *source.Reading) ([]question, error) {
	access := accessOptions{sourceFlags: o.sourceFlags, exports: o.exports}
	cloud, err := access.readExports()
	if err != nil {
		return nil, err
	}
	version := cmp.Or(o.kubeVersion, reading.Version, catalog.Newest)
	inventory := fact.NewInventory(reading.Objects, version, reading.Live)
	worlds := inventory.Worlds
	if len(worlds) == 0 {
		worlds = []*fact.Inventory{inventory}
	}
	var list []question
	var errs []error
	for _, inventory := range worlds {
		world := attack.NewWorld(attack.Input{Inventory: inventory, Gaps: reading.Coverage.Gaps, Shipped: catalog.Shipped(), Cloud: cloud})
		q, err := o.question(world)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if len(worlds) > 1 {
			q.name = inventory.Name()
		}
		list = append(list, *q)
	}
	if len(list) == 0 {
		return nil, &verdict.RemedyError{Err: errs[0], Remedy: attack.HowToName}
	}
	return list, nil
}

func (o *attackOptions) question(world *attack.World) (*question, error) {
	from, problems := world.Named(o.from)
	to, more := world.Named(o.to)
	for i, err := range problems {
		problems[i] = fmt.Errorf("--from: %w", err)
	}
	for _, err := range more {
		problems = append(problems, fmt.Errorf("--to: %w", err))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	to = world.Within(to)
	q := &question{graph: attack.New(world, attack.Steps(), from, to), from: strings.Join(o.from, ", "), to: strings.Join(o.to, ", ")}
	for _, n := range append(q.graph.Nowhere(from), q.graph.Nowhere(to)...) {
		problems = append(problems, fmt.Errorf("nothing that was read is %s", n))
	}
	q.entries, q.sinks = q.graph.Resolve(from), q.graph.Resolve(to)
	return q, errors.Join(problems...)
}

// completeEnds completes what --from and --to take.
func completeEnds(cmd *cobra.Command, flag string) {
	// The only error is a flag that does not exist or is completed twice, which TestCompletion sees.
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return attack.Words(), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	})
}
