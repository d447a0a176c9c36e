package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/verdict"
)

// uninstallOptions is the configuration of one removal.
type uninstallOptions struct {
	clusterFlags
	keepPolicies bool
	timeout      time.Duration
}

func uninstallCommand(env *Env) *cobra.Command {
	o := &uninstallOptions{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take the gate out of a cluster",
		Long: `Take the gate out of a cluster: all that carries the label app.kubernetes.io/managed-by=coaming, and nothing else. The webhooks go
first, so that no request waits for a gate that is gone; it makes no difference whether the gate's pods still run. With
--keep-policies what the API server enforces by itself stays in force: policies, quotas, and labels of namespaces.

The exit code is 3 where something of ours is left; it is told what, and why.`,
		Example: `  coaming uninstall
  coaming uninstall --keep-policies`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	o.register(flags)
	flags.BoolVar(&o.keepPolicies, "keep-policies", false, "leave in force what the API server enforces by itself")
	flags.DurationVar(&o.timeout, "timeout", time.Minute, "how long the namespace may take to go")
	return cmd
}

func (o *uninstallOptions) run(ctx context.Context, env *Env) error {
	cluster, err := o.connect(ctx, env)
	if err != nil {
		return err
	}
	removal, err := cluster.Uninstall(ctx, o.keepPolicies, o.timeout)
	_, _ = fmt.Fprintf(env.Stdout, "%d objects removed\n", removal.Removed)
	for _, left := range removal.Left {
		_, _ = fmt.Fprintf(env.Stdout, "left: %s\n", left)
	}
	if err != nil {
		return &verdict.RemedyError{Err: err, Remedy: remedyOf(removal)}
	}
	if removal.Unfinished {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// remedyOf is what to do about a removal that could not remove everything.
func remedyOf(removal *install.Removal) string {
	if removal.Removed == 0 {
		return "Nothing was removed, and everything holds as before. Run it as an administrator (cluster-admin), or mend what is named."
	}
	return "Run 'coaming uninstall' again when that is mended: what is gone does no harm."
}
