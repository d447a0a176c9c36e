package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/rbac"
	"github.com/coaming/coaming/internal/reach"
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
	o.sourceFlags.register(flags)
	flags.StringArrayVar(&o.exports, "cloud-export", nil, "JSON `FILE` that the AWS command line printed of access entries or pod identity associations; may be given several times")
	flags.StringArrayVar(&o.from, "from", []string{"internet"}, "where attackers begin, `NODE`; may be given several times")
	flags.StringArrayVar(&o.to, "to", []string{"cluster-admin"}, "what they want, `NODE`; may be given several times")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what was not looked at")
	completeFlag(cmd, "from", "internet")
	completeFlag(cmd, "to", "cluster-admin")
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
	graphs, err := o.graphs(ctx, env, args)
	if err != nil {
		return err
	}
	var answers []*attack.Answer
	code := verdict.ExitClean
	for _, g := range graphs {
		entries, sinks, err := g.ends(o.from, o.to)
		if err != nil {
			return err
		}
		a := g.Ask(entries, sinks, strings.Join(o.from, ", "), strings.Join(o.to, ", "))
		a.World = g.name
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

// attackGraph is the graph of one environment.
type attackGraph struct {
	*attack.Graph
	name string
}

// ends are the nodes that the flags name.
func (g *attackGraph) ends(from, to []string) (entries, sinks []int32, err error) {
	return g.OfKind(attack.Internet), g.OfKind(attack.ClusterAdmin), nil
}

// graphs reads the sources, and makes a graph of each environment in them.
func (o *attackOptions) graphs(ctx context.Context, env *Env, paths []string) ([]*attackGraph, error) {
	access := accessOptions{sourceFlags: o.sourceFlags, exports: o.exports}
	cloud, err := access.readExports()
	if err != nil {
		return nil, err
	}
	bar := newProgress(env)
	defer bar.clear()
	kinds := slices.Concat(attack.Kinds(), rbac.Kinds, reach.Kinds(), fact.PodKinds())
	slices.Sort(kinds)
	reading, err := o.read(ctx, env, paths, slices.Compact(kinds), nil, bar.stage("reading"))
	if err != nil {
		return nil, err
	}
	version := o.kubeVersion
	for _, known := range []string{reading.Version, catalog.Newest} {
		if version == "" {
			version = known
		}
	}
	inventory := fact.NewInventory(reading.Objects, version, reading.Live)
	worlds := inventory.Worlds
	if len(worlds) == 0 {
		worlds = []*fact.Inventory{inventory}
	}
	var list []*attackGraph
	for _, world := range worlds {
		w := attack.NewWorld(attack.Input{Inventory: world, Gaps: reading.Coverage.Gaps, Shipped: catalog.Shipped(), Cloud: cloud})
		g := &attackGraph{Graph: attack.New(w, attack.Steps())}
		if len(worlds) > 1 {
			g.name = world.Name()
		}
		list = append(list, g)
	}
	return list, nil
}
