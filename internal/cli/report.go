package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/verdict"
)

func reportCommand(env *Env) *cobra.Command {
	f := &reportFlags{}
	from := ""
	var frameworks []string
	cmd := &cobra.Command{
		Use:   "report [--from FILE]",
		Short: "Write a saved result in another format",
		Long: `Write the result of a JSON report, or of the last scan, in another format. Nothing is scanned.

The exit code is 0 when the report was written: the scan's own said what it came to.`,
		Example: `  coaming report --from result.json --format html -o report.html
  coaming report --from result.json --framework cis --framework pss
  coaming report --format markdown       # of the last scan`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := errors.Join(f.check(), checkFrameworks(frameworks)); err != nil {
				return err
			}
			res, err := savedResult(env, from)
			if err != nil {
				return err
			}
			if err := f.finish(res, frameworks); err != nil {
				return err
			}
			return f.report(env, res)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "the JSON report `FILE` to read (the last scan's otherwise)")
	flags.StringSliceVar(&frameworks, "framework", nil, "report each control of these frameworks: `ID` as 'coaming frameworks' lists them")
	f.register(cmd)
	_ = cmd.RegisterFlagCompletionFunc("framework", frameworkIDs)
	return cmd
}

// savedResult is a JSON report's result, or the last scan's.
func savedResult(env *Env, from string) (*verdict.Result, error) {
	if from != "" {
		return readResult(from)
	}
	res, err := readResult(lastResult(env))
	if err != nil {
		return nil, &verdict.RemedyError{Err: errors.New("no scan is remembered"), Remedy: "Name a JSON report with --from."}
	}
	return res, nil
}

func diffCommand(env *Env) *cobra.Command {
	f := &reportFlags{}
	cmd := &cobra.Command{
		Use:   "diff OLD.json NEW.json",
		Short: "Compare two results: what is new, changed and fixed",
		Long: `Compare two JSON reports by fingerprint: what is new, what changed its verdict or severity, what is fixed. Fixed is only
what was looked at again; the rest of what is gone is told as not looked at.

Exit codes are those of scan, and only what is new or worse counts.`,
		Example: `  coaming diff main.json branch.json
  coaming diff main.json branch.json --format markdown --fail-on high`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			f.diff = args[0]
			if err := f.check(); err != nil {
				return err
			}
			res, err := readResult(args[1])
			if err != nil {
				return err
			}
			if err := f.finish(res, nil); err != nil {
				return err
			}
			if err := f.report(env, res); err != nil {
				return err
			}
			if code := res.Exit(f.gate, f.allowUnknown); code != verdict.ExitClean {
				return exitError(code)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	registerGate(cmd, &f.failOn)
	flags.BoolVar(&f.allowUnknown, "allow-unknown", false, "do not exit with 3 for what is new and could not be judged")
	f.registerOutput(cmd)
	return cmd
}
