package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

// snapshotOptions is the configuration of one snapshot.
type snapshotOptions struct {
	clusterFlags
	customFlags
	output     string
	namespaces []string
	printRole  bool
}

func snapshotCommand(env *Env) *cobra.Command {
	o := &snapshotOptions{}
	cmd := &cobra.Command{
		Use:   "snapshot -o FILE",
		Short: "Save what a scan of the cluster reads, for scanning elsewhere",
		Long: `Save what a scan of the cluster reads, for scanning elsewhere. Secrets are not asked for, and no value of one is ever
written. What the credentials may not list is told in the snapshot's coverage.`,
		Example: `  coaming snapshot -o cluster.coaming --context prod
  coaming scan cluster.coaming
  coaming snapshot --print-role | kubectl apply -f -     # the least rights that a scan needs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSnapshot(cmd.Context(), env, o) },
	}
	flags := cmd.Flags()
	o.clusterFlags.register(flags)
	o.customFlags.register(flags)
	flags.StringVarP(&o.output, "output", "o", "", "write the snapshot to this `FILE` (- for standard output)")
	flags.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "read only these `NAMESPACES`")
	flags.BoolVar(&o.printRole, "print-role", false, "print the ClusterRole with the least rights that a scan needs, and end")
	return cmd
}

func runSnapshot(ctx context.Context, env *Env, o *snapshotOptions) error {
	rules, err := o.all(ctx, env, nil, catalog.Brief)
	if err != nil {
		return err
	}
	kinds := judge.Needs(rules)
	if o.printRole {
		_, err := io.WriteString(env.Stdout, source.ClusterRole(append(kinds, exception.Kind)))
		return err
	}
	if o.output == "" {
		return &verdict.RemedyError{Err: errors.New("no file to write to"), Remedy: "Name one: -o cluster.coaming."}
	}
	options, err := o.options(env)
	if err != nil {
		return err
	}
	bar := newProgress(env)
	options.Also, options.AlsoIn = []string{exception.Kind}, exception.SystemNamespace
	options.Kinds, options.Namespaces, options.Progress = kinds, o.namespaces, bar.stage("reading")
	reading, err := source.Cluster(ctx, options)
	bar.clear()
	if err != nil {
		return err
	}
	if err := o.write(env, reading, options.Context); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(env.Stderr, "%d objects, %d things not looked at\n", len(reading.Objects), len(reading.Coverage.Gaps))
	for _, g := range reading.Coverage.Gaps {
		_, _ = fmt.Fprintf(env.Stderr, "not looked at: %s: %s\n", g.Code, g.Message)
	}
	if !reading.Coverage.Complete() {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// write writes the snapshot for its owner alone: a cluster's shape is nobody else's business.
func (o *snapshotOptions) write(env *Env, r *source.Reading, name string) error {
	meta := source.ArchiveMeta{Context: name, Taken: env.Now(), Tool: "coaming/" + env.Version}
	if o.output == "-" {
		return source.WriteArchive(env.Stdout, r, meta)
	}
	file, err := os.OpenFile(o.output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("create snapshot: %w", err)
	}
	err = source.WriteArchive(file, r, meta)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", o.output, err)
	}
	return nil
}
