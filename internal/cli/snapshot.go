package cli

import (
	"context"
	"errors"
	"fmt"
	"github.com/spf13/cobra"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/coaming/coaming/internal/attack"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/reach"
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
	purposes   []string
}

// purposes are the commands that a snapshot can be taken for, and the kinds that each reads beside those of a scan.
var purposes = []struct {
	name  string
	kinds func() []string
}{
	{"scan", func() []string { return nil }},
	{"reach", func() []string { return append(reach.Kinds(), fact.PodKinds()...) }},
	{"paths", attack.Kinds},
}

func purposeNames() []string {
	var names []string
	for _, p := range purposes {
		names = append(names, p.name)
	}
	return names
}
func snapshotCommand(env *Env) *cobra.Command {
	o := &snapshotOptions{}
	cmd := &cobra.Command{
		Use:   "snapshot -o FILE",
		Short: "Save what a scan of the cluster reads, for scanning elsewhere",
		Long: `Save what a scan of the cluster reads, for scanning elsewhere; with --for, what other commands read as well. Secrets are
not asked for, and no value of one is ever written. What the credentials may not list is told in the snapshot's coverage.`,
		Example: `  coaming snapshot -o cluster.coaming --context prod
  coaming scan cluster.coaming
  coaming snapshot --for reach,paths -o cluster.coaming
  coaming snapshot --print-role | kubectl apply -f -     # the least rights that a scan needs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSnapshot(cmd.Context(), env, o) },
	}
	flags := cmd.Flags()
	o.clusterFlags.register(flags)
	o.customFlags.register(flags)
	flags.StringVarP(&o.output, "output", "o", "", "write the snapshot to this `FILE` (- for standard output)")
	flags.StringSliceVarP(&o.namespaces, "namespace", "n", nil, "read only these `NAMESPACES`")
	flags.StringSliceVar(&o.purposes, "for", []string{"scan"}, "the `COMMANDS` that are to read it: "+strings.Join(purposeNames(), ", ")+"; a scan always can")
	completeFlag(cmd, "for", purposeNames()...)
	flags.BoolVar(&o.printRole, "print-role", false, "print the ClusterRole with the least rights that a scan needs, and end")
	return cmd
}

func runSnapshot(ctx context.Context, env *Env, o *snapshotOptions) error {
	rules, err := o.all(ctx, env, nil, catalog.Brief)
	more, unknown := o.wanted()
	if err := errors.Join(err, unknown); err != nil {
		return err
	}
	kinds := append(judge.Needs(rules), more...)
	slices.Sort(kinds)
	kinds = slices.Compact(kinds)
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

// wanted are the kinds that the commands read beside a scan's.
func (o *snapshotOptions) wanted() ([]string, error) {
	var kinds []string
	var errs []error
	for _, name := range o.purposes {
		at := slices.Index(purposeNames(), name)
		if at < 0 {
			errs = append(errs, fmt.Errorf("--for: %q is none of %s", name, strings.Join(purposeNames(), ", ")))
			continue
		}
		kinds = append(kinds, purposes[at].kinds()...)
	}
	return kinds, errors.Join(errs...)
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
