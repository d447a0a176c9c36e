package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/report"
	"github.com/coaming/coaming/internal/source"
	"github.com/coaming/coaming/internal/verdict"
)

func explainCommand(env *Env) *cobra.Command {
	o := &scanOptions{judgeFlags: judgeFlags{reportFlags: reportFlags{failOn: "low", format: terminal, color: "auto"}}}
	from := ""
	cmd := &cobra.Command{
		Use:   "explain FINGERPRINT [PATH...|-]",
		Short: "Explain one finding: where it is, why it matters, what to change",
		Long: `Explain one finding of the last scan (its result is kept in the cache folder of the user), of a JSON report (--from), or of the sources that are named.
The first digits of the fingerprint do when no other finding begins with them.`,
		Example: `  coaming explain 3f2a9c0d11e84b02
  coaming explain 3f2a9c0d11e84b02 deploy/
  coaming explain 3f2a --from report.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := o.resultToExplain(cmd.Context(), env, args[1:], from)
			if err != nil {
				return err
			}
			return explain(env, o, res, args[0])
		},
	}
	flags := cmd.Flags()
	o.sourceFlags.register(flags)
	o.exceptionFlags.register(flags)
	o.settingFlags.register(flags)
	o.exceptionFlags.complete(cmd)
	o.complete(cmd)
	o.customFlags.register(flags)
	flags.StringVar(&from, "from", "", "a JSON report `FILE` to look in")
	flags.StringVar(&o.color, "color", "auto", "colours: auto, always or never")
	return cmd
}

// resultToExplain is the report that was named, a fresh judgement of the sources that were named, or the last scan's.
func (o *scanOptions) resultToExplain(ctx context.Context, env *Env, sources []string, from string) (*verdict.Result, error) {
	if err := errors.Join(o.exceptionFlags.check()...); err != nil {
		return nil, err
	}
	if from == "" && o.named(sources) {
		return o.judge(ctx, env, sources)
	}
	return recorded(env, from)
}

// recorded is the result in a report, or that of the last scan where none is named. What exceptions
// excused that have expired since is a fail again.
func recorded(env *Env, from string) (*verdict.Result, error) {
	path := from
	if path == "" {
		path = lastResult(env)
	}
	res, err := readResult(path)
	if err != nil && from != "" {
		return nil, err
	}
	if err != nil {
		return nil, &verdict.RemedyError{
			Err:    errors.New("no scan is remembered"),
			Remedy: "Name what was scanned: coaming explain FINGERPRINT PATH, or a JSON report with --from.",
		}
	}
	judge.Lapse(res, env.Now())
	return res, nil
}

func readResult(path string) (*verdict.Result, error) {
	file, err := source.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open report: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	res, err := report.ReadJSON(file)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return res, nil
}

// findOne is the finding whose fingerprint begins so.
func findOne(res *verdict.Result, prefix string) (*verdict.Finding, error) {
	var found []*verdict.Finding
	for i := range res.Findings {
		if strings.HasPrefix(res.Findings[i].Fingerprint, prefix) {
			found = append(found, &res.Findings[i])
		}
	}
	switch {
	case len(found) == 0:
		return nil, &verdict.RemedyError{
			Err:    fmt.Errorf("no finding has the fingerprint %q", prefix),
			Remedy: "It may be mended. Scan again to see what is left.",
		}
	case found[0].Fingerprint != found[len(found)-1].Fingerprint:
		return nil, &verdict.RemedyError{Err: fmt.Errorf("%d findings begin with %q", len(found), prefix), Remedy: "Give more digits."}
	}
	return found[0], nil
}

func explain(env *Env, o *scanOptions, res *verdict.Result, prefix string) error {
	f, err := findOne(res, prefix)
	if err != nil {
		return err
	}
	width := env.OutWidth
	color := o.color == "always" || o.color == "auto" && width > 0 && env.Getenv("NO_COLOR") == ""
	if width == 0 {
		width = 120
	}
	return report.Explain(env.Stdout, res, f, report.TerminalOptions{Color: color, Width: width, Verbose: true, Program: env.Name})
}

// remembered is how many findings are kept for 'coaming explain'.
const remembered = 20000

func lastResult(env *Env) string { return filepath.Join(env.CacheDir, "last.json") }

// remember keeps the result for 'coaming explain', as far as it can: a cache that cannot be
// written is no reason to fail. Findings hold no credential's value. What is kept is written to also, too.
func remember(env *Env, res *verdict.Result, o *reportFlags, also io.Writer) {
	if len(res.Findings) > remembered {
		return
	}
	keepResult(env, func(w io.Writer) error { return report.JSON(io.MultiWriter(w, also), res, o.meta(env)) })
}

// keepResult makes what is written the last scan's result.
func keepResult(env *Env, write func(w io.Writer) error) {
	if env.CacheDir == "" || os.MkdirAll(env.CacheDir, 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(env.CacheDir, "last-*")
	if err != nil {
		return
	}
	err = write(file)
	if errors.Join(err, file.Close()) != nil || os.Rename(file.Name(), lastResult(env)) != nil {
		_ = os.Remove(file.Name())
	}
}
