package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/verdict"
)

func pruneCommand(env *Env) *cobra.Command {
	o := quietScan()
	dry := false
	cmd := &cobra.Command{
		Use:   "prune [PATH...|-]",
		Short: "Remove expired and unused exceptions, and what is mended from a baseline",
		Long: `Remove expired exceptions from the files of exceptions. Where sources are named, or --cluster, those that excuse nothing
there go too, and of a baseline (--baseline) the findings that are mended: name all that the files are for. What was not
looked at may still need them, so nothing goes as unused or mended when the coverage is not complete.`,
		Example: `  coaming exception prune --dry-run
  coaming exception prune deploy/
  coaming exception prune --baseline baseline.txt deploy/`,
		RunE: func(cmd *cobra.Command, args []string) error { return runPrune(cmd.Context(), env, o, args, dry) },
	}
	o.registerStanding(cmd)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "tell what would go, and change nothing")
	return cmd
}

// pruning is one run of 'coaming exception prune'.
type pruning struct {
	env  *Env
	dry  bool
	held int // entries that may be needed by what was not looked at
}

func runPrune(ctx context.Context, env *Env, o *scanOptions, args []string, dry bool) error {
	if o.baseline != "" && !o.named(args) {
		return &verdict.RemedyError{Err: errors.New("--baseline: nothing to compare it with"), Remedy: "Name all the files, folders or charts that it is for, or --cluster."}
	}
	res, err := o.standings(ctx, env, args)
	if err != nil {
		return err
	}
	p := &pruning{env: env, dry: dry}
	complete := res.Coverage.Complete()
	gone := map[verdict.Location]string{}
	if res.Ledger != nil {
		for i := range res.Ledger.Exceptions {
			switch e := &res.Ledger.Exceptions[i]; {
			case e.Grant != verdict.GrantFile:
			case e.Standing == verdict.Expired, e.Standing == verdict.Unused && complete:
				gone[e.Location] = string(e.Standing)
			case e.Standing == verdict.Unused:
				p.held++
			}
		}
	}
	for _, name := range o.paths() {
		if err := p.file(name, gone); err != nil {
			return err
		}
	}
	if o.baseline != "" {
		if err := p.baseline(o.baseline, res); err != nil {
			return err
		}
	}
	if p.held > 0 {
		_, _ = fmt.Fprintf(env.Stdout, "kept: %d that nothing matched; not everything was looked at (%d gaps: see 'coaming scan'), and what was not may need them\n", p.held, len(res.Coverage.Gaps))
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func (p *pruning) file(name string, why map[verdict.Location]string) error {
	text, err := readBounded(name)
	if err != nil {
		return fmt.Errorf("read exceptions: %w", err)
	}
	edited, removed, kept, err := exception.Remove(filepath.ToSlash(name), text, func(_ int, e *verdict.Exception) bool { return why[e.Location] != "" })
	if err != nil {
		return err
	}
	for i := range removed {
		p.tell(&removed[i], why[removed[i].Location], "")
	}
	for i := range kept {
		p.tell(&kept[i], why[kept[i].Location], "; it is an object of its own: remove its document by hand")
	}
	if len(removed) == 0 || p.dry {
		return nil
	}
	if err := replaceFile(name, edited); err != nil {
		return fmt.Errorf("write exceptions: %w", err)
	}
	return nil
}

func (p *pruning) tell(e *verdict.Exception, why, but string) {
	word := "removed"
	if p.dry {
		word = "would remove"
	}
	if but != "" {
		word = "kept"
	}
	_, _ = fmt.Fprintf(p.env.Stdout, "%s: %s (%s): %s, by %s: %s%s\n", word, placeText(&e.Location), why, plainWords(strings.Join(e.Rules, ",")), plainWords(e.Owner), plainWords(e.Reason), but)
}

func (p *pruning) baseline(name string, res *verdict.Result) error {
	fixed := res.Ledger.Baseline.Fixed
	if !res.Coverage.Complete() {
		p.held += len(fixed)
		return nil
	}
	word := "removed"
	if p.dry {
		word = "would remove"
	}
	for i := range fixed {
		e := &fixed[i]
		_, _ = fmt.Fprintf(p.env.Stdout, "%s: %s:%d (mended): %s %s %s\n", word, name, e.Line, e.Fingerprint, e.Rule, plainWords(e.Subject))
	}
	if len(fixed) == 0 || p.dry {
		return nil
	}
	text, err := readBounded(name)
	if err != nil {
		return fmt.Errorf("read baseline: %w", err)
	}
	if err := replaceFile(name, exception.PruneBaseline(text, fixed)); err != nil {
		return fmt.Errorf("write baseline: %w", err)
	}
	return nil
}
