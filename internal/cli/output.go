package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/threshold"
	"github.com/coaming/coaming/internal/verdict"
)

// terminal is the one format that is not of the report's table: it needs to know who is looking.
const terminal = "terminal"

// reportFlags say what the exit code follows from, and where which reports are written.
type reportFlags struct {
	failOn       string
	allowUnknown bool
	format       string
	output       string
	reports      []string
	diff         string
	color        string
	verbose      bool
	showBaseline bool // list what is old, too

	gate    verdict.Gate // what --fail-on means
	copyTo  io.Writer    // gets what --format and --output write, too; may be nil
	targets []target
	earlier *verdict.Result
}

// target is a file and the format that it is written in.
type target struct{ format, file string }

func formatNames() []string {
	names := []string{terminal}
	for i := range report.Formats {
		names = append(names, report.Formats[i].Name)
	}
	return names
}

func (f *reportFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	registerGate(cmd, &f.failOn)
	flags.BoolVar(&f.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be judged")
	f.registerOutput(cmd)
	flags.StringVar(&f.diff, "diff", "", "compare with an earlier JSON report `FILE`: tell what is new, changed and fixed, and judge only what is new or worse")
	flags.BoolVar(&f.showBaseline, "show-baseline", false, "list the findings that the baseline excuses, too")
}

// registerGate registers what decides which findings count.
func registerGate(cmd *cobra.Command, failOn *string) {
	cmd.Flags().StringVar(failOn, "fail-on", "low", "exit with 1 for findings at least this grave, low, medium, high or critical, or of which this CEL expression holds: `SEVERITY`|EXPRESSION "+
		"(severity >= high && fixed && (exploited || likelihood > 0.1))")
	completeFlag(cmd, "fail-on", "low", "medium", "high", "critical")
}

// registerOutput registers what says where reports go.
func (f *reportFlags) registerOutput(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", terminal, "`FORMAT` of the report: "+strings.Join(formatNames(), ", "))
	flags.StringVarP(&f.output, "output", "o", "", "write the report to this `FILE`")
	flags.StringArrayVar(&f.reports, "report", nil, "write one more report: `FORMAT=FILE`; may be given several times")
	flags.StringVar(&f.color, "color", "auto", "colours: auto, always or never")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "repeat each rule's reason and remedy at every finding")
	completeFlag(cmd, "format", formatNames()...)
	completeFlag(cmd, "color", "auto", "always", "never")
	// The only error is a flag that does not exist or is completed twice, which TestCompletion sees.
	_ = cmd.RegisterFlagCompletionFunc("report", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var words []string
		for i := range report.Formats {
			words = append(words, report.Formats[i].Name+"=")
		}
		return words, cobra.ShellCompDirectiveNoSpace
	})
}

// check reports every problem of the flags at once, and reads the report to compare with.
func (f *reportFlags) check() error {
	var errs []error
	gate, err := threshold.Parse(f.failOn)
	if err != nil {
		errs = append(errs, fmt.Errorf("--fail-on: %w", err))
	}
	f.gate = gate
	if !slices.Contains(formatNames(), f.format) {
		errs = append(errs, fmt.Errorf("--format: %q is none of %s", f.format, strings.Join(formatNames(), ", ")))
	}
	if !slices.Contains([]string{"auto", "always", "never"}, f.color) {
		errs = append(errs, fmt.Errorf("--color: %q is none of auto, always, never", f.color))
	}
	errs = append(errs, f.parseReports())
	if f.diff != "" {
		earlier, err := readResult(f.diff)
		if err != nil {
			errs = append(errs, fmt.Errorf("--diff: %w", err))
		}
		f.earlier = earlier
	}
	return errors.Join(errs...)
}

// parseReports reads --report and refuses two reports in one file.
func (f *reportFlags) parseReports() error {
	var errs []error
	f.targets = nil
	files := map[string]bool{}
	if f.output != "" {
		files[filepath.Clean(f.output)] = true
	}
	for _, text := range f.reports {
		format, file, found := strings.Cut(text, "=")
		switch {
		case !found || file == "" || file == "-":
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("--report %q", text), Remedy: "Write FORMAT=FILE, as in --report html=report.html."})
		case !slices.Contains(formatNames(), format):
			errs = append(errs, fmt.Errorf("--report: %q is none of %s", format, strings.Join(formatNames(), ", ")))
		case files[filepath.Clean(file)]:
			errs = append(errs, fmt.Errorf("--report: two reports are to be written to %s", file))
		}
		files[filepath.Clean(file)] = true
		f.targets = append(f.targets, target{format, file})
	}
	return errors.Join(errs...)
}

// finish adds to a result what was asked for beside the findings: controls, and the comparison.
func (f *reportFlags) finish(res *verdict.Result, frameworks []string) error {
	if len(frameworks) > 0 {
		if err := addFrameworks(res, frameworks); err != nil {
			return err
		}
	}
	if f.earlier != nil {
		judge.Diff(f.earlier, res, filepath.ToSlash(f.diff))
	}
	return nil
}

// addFrameworks says how the controls of the frameworks fared.
func addFrameworks(res *verdict.Result, ids []string) error {
	all, err := catalog.Frameworks()
	if err != nil {
		return err
	}
	rules, err := catalog.Brief()
	if err != nil {
		return err
	}
	if res.Coverage.Images > 0 || res.Rule(assay.RuleID) != nil {
		own := *published.Rule
		own.Match = rule.Match{Fact: "image"}
		rules = append(slices.Clone(rules), &own)
	}
	res.Frameworks = nil
	for i, id := range ids {
		if f := catalog.FrameworkOf(all, id); f != nil && !slices.Contains(ids[:i], id) {
			res.Frameworks = append(res.Frameworks, judge.Controls(res, f, all, rules))
		}
	}
	return nil
}

func (f *reportFlags) meta(env *Env) report.Meta {
	return report.Meta{Version: env.Version, FailOn: f.gate, AllowUnknown: f.allowUnknown}
}

// report writes every report that is wanted. One that cannot be written does not keep the others from it.
func (f *reportFlags) report(env *Env, res *verdict.Result) error {
	targets := f.targets
	var errs []error
	if f.output == "" {
		errs = append(errs, f.write(env.Stdout, env, res, f.format, env.OutWidth))
	} else {
		targets = append([]target{{f.format, f.output}}, targets...)
	}
	for _, t := range targets {
		errs = append(errs, f.writeFile(env, res, t))
	}
	return errors.Join(errs...)
}

func (f *reportFlags) writeFile(env *Env, res *verdict.Result, t target) error {
	file, err := os.Create(t.file)
	if err != nil {
		return fmt.Errorf("create report: %w", err)
	}
	err = f.write(file, env, res, t.format, 0)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", t.file, err)
	}
	return nil
}

func (f *reportFlags) write(w io.Writer, env *Env, res *verdict.Result, format string, width int) error {
	if f.copyTo != nil {
		w = io.MultiWriter(w, f.copyTo)
	}
	if format := report.FormatOf(format); format != nil {
		return format.Write(w, res, f.meta(env))
	}
	color := f.color == "always" || f.color == "auto" && width > 0 && env.Getenv("NO_COLOR") == "" && env.Getenv("TERM") != "dumb"
	return report.Terminal(w, res, report.TerminalOptions{
		Color: color, Width: cmp.Or(width, 120), Verbose: f.verbose, Baseline: f.showBaseline, Program: env.Name, FailOn: f.gate, AllowUnknown: f.allowUnknown,
	})
}
