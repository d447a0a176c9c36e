package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/verdict"
)

// statusOptions is the configuration of one look at an installation.
type statusOptions struct {
	clusterFlags
	format string
}

func statusCommand(env *Env) *cobra.Command {
	o := &statusOptions{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the gate in a cluster stands",
		Long: `Say how the gate in a cluster stands: its replicas and certificates, whether webhooks, policies and rights are as they were installed,
which exceptions end, and how many images wait to be looked at. It reads only.

The exit code is 0 where all is as installed, 1 where something is not, 3 where something could not be told.`,
		Example: `  coaming status
  coaming status --format json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	flags := cmd.Flags()
	o.register(flags)
	flags.StringVar(&o.format, "format", "terminal", "`FORMAT` terminal or json")
	completeFlag(cmd, "format", "terminal", "json")
	return cmd
}

// statusReport is what --format json writes.
type statusReport struct {
	Version   string             `json:"version"`
	Installed string             `json:"installed"`
	Standings []install.Standing `json:"standings"`
}

func (o *statusOptions) run(ctx context.Context, env *Env) error {
	if o.format != "terminal" && o.format != "json" {
		return fmt.Errorf("--format: %q is none of terminal, json", o.format)
	}
	cluster, err := o.connect(ctx, env)
	if err != nil {
		return err
	}
	kept, err := cluster.Kept(ctx)
	if err != nil {
		return err
	}
	if kept == nil {
		return &verdict.RemedyError{
			Err:    errors.New("Coaming is not installed in this cluster by 'coaming install'"), //nolint:staticcheck // a name
			Remedy: "Install it with 'coaming install'; of an installation by helm 'helm status' tells.",
		}
	}
	options, err := installation(ctx, env, cluster, kept.Values)
	if err != nil {
		return err
	}
	options.Version, options.Look = kept.Version, true
	report := statusReport{Version: env.Version, Installed: kept.Version}
	if report.Standings, err = cluster.Status(ctx, options); err != nil {
		return err
	}
	report.Standings = append([]install.Standing{versions(env.Version, kept.Version)}, report.Standings...)
	report.Standings = append(report.Standings, exceptionsEnd(kept.Values, env.Now()))
	if err := o.write(env, report); err != nil {
		return err
	}
	return exitOf(report.Standings)
}

// versions compares the program that was installed with the one that asks: what another version installed is compared with
// what this one would.
func versions(mine, installed string) install.Standing {
	s := install.Standing{Subject: "version", State: install.OK, Text: installed}
	if mine != installed {
		s.Text += ", and this program is " + mine
		s.Remedy = "What follows is compared with what this program would install: 'coaming install' upgrades."
	}
	return s
}

// exceptionsEnd tells which exceptions end within two weeks: then what they excuse is refused again.
func exceptionsEnd(values map[string]any, now time.Time) install.Standing {
	const soon = 14 * 24 * time.Hour
	s := install.Standing{Subject: "exceptions", State: install.OK}
	text, _ := values["exceptions"].(string)
	list, err := exception.File("exceptions.yaml", text)
	if text != "" && err != nil {
		s.State, s.Text, s.Remedy = install.Wrong, err.Error(), "Mend the file, and run 'coaming install --exceptions FILE'."
		return s
	}
	ended, ending := 0, 0
	for i := range list {
		e := &list[i]
		about := fmt.Sprintf("%s of %s, %s: %s", strings.Join(e.Rules, ", "), e.Owner, e.Expires.UTC().Format(time.DateOnly), e.Reason)
		switch {
		case !now.Before(e.Expires):
			ended++
			s.Details = append(s.Details, "ended: "+about)
		case now.Add(soon).After(e.Expires):
			ending++
			s.Details = append(s.Details, "ends: "+about)
		}
	}
	s.Text = fmt.Sprintf("%d, of which %d end within 14 days and %d have ended", len(list), ending, ended)
	return s
}

func (o *statusOptions) write(env *Env, report statusReport) error {
	if o.format == "json" {
		encoder := json.NewEncoder(env.Stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	table := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	for _, s := range report.Standings {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", s.Subject, s.State, s.Text)
		for _, detail := range s.Details {
			_, _ = fmt.Fprintf(table, "\t\t  %s\n", detail)
		}
		if s.Remedy != "" {
			_, _ = fmt.Fprintf(table, "\t\t  %s\n", s.Remedy)
		}
	}
	return table.Flush()
}

// exitOf is the exit code that the worst of the standings asks for.
func exitOf(list []install.Standing) error {
	code := verdict.ExitClean
	for _, s := range list {
		switch {
		case s.State == install.Wrong:
			code = verdict.ExitFindings
		case s.State == install.Unknown && code == verdict.ExitClean:
			code = verdict.ExitUnknown
		}
	}
	if code == verdict.ExitClean {
		return nil
	}
	return exitError(code)
}
