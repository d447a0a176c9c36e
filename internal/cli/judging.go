package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/verdict"
)

// judgeFlags are what every scan has, whatever it judges: which rules are asked, what excuses their findings, and what becomes of the result.
type judgeFlags struct {
	ruleFlags
	exceptionFlags
	reportFlags
	// writeBaseline is where what fails is written as old.
	writeBaseline string

	bar *progress
}

func (f *judgeFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.ruleFlags.register(flags)
	f.exceptionFlags.register(flags)
	flags.StringVar(&f.writeBaseline, "write-baseline", "", "write what fails to this `FILE`, as a baseline for later scans, and let it pass now")
	f.reportFlags.register(cmd)
	f.ruleFlags.complete(cmd)
	f.exceptionFlags.complete(cmd)
}

// check reports every problem of the flags at once.
func (f *judgeFlags) check() []error {
	return append(f.exceptionFlags.check(), f.reportFlags.check())
}

// progressBar is the one of this command.
func (f *judgeFlags) progressBar(env *Env) *progress {
	if f.bar == nil {
		f.bar = newProgress(env)
	}
	return f.bar
}

// conclude writes the baseline and the reports, remembers the result, also to a second writer, and gives the exit code.
func (f *judgeFlags) conclude(env *Env, res *verdict.Result, also io.Writer) (int, error) {
	if f.writeBaseline != "" {
		if err := saveBaseline(f.writeBaseline, res); err != nil {
			return 0, err
		}
	}
	if err := f.finish(res, f.frameworks); err != nil {
		return 0, err
	}
	if err := f.report(env, res); err != nil {
		return 0, err
	}
	remember(env, res, &f.reportFlags, also)
	return res.Exit(f.gate, f.allowUnknown), nil
}
