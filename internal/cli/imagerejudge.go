package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/threshold"
	"github.com/coaming/coaming/internal/verdict"
)

// rejudgeOptions is the configuration of judging anew what is stored.
type rejudgeOptions struct {
	advisoryFlags
	holdFlags
	failOn       string
	gate         verdict.Gate
	format       string
	allowUnknown bool
	hygiene      bool
	rules        []*rule.Compiled // on images, where they are asked
}

func imageRejudgeCommand(env *Env) *cobra.Command {
	o := &rejudgeOptions{}
	cmd := &cobra.Command{
		Use:   "rejudge [NAME|DIGEST…]",
		Short: "Judge the stored images anew, by today's advisories",
		Long: `Judge what 'image scan' has stored of images anew, by the index of advisories as it is now. No image is touched. Without a name all
images are judged; 'coaming image scan --stored NAME' tells everything about one.

Exit codes are those of 'image scan', of all the images together.`,
		Example: `  coaming db update --from https://mirror.example.com/coaming/ --key advisories.pub && coaming image rejudge --fail-on 'exploited'
  coaming image rejudge ghcr.io/shop/web --format json`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	flags := cmd.Flags()
	o.advisoryFlags.register(flags)
	o.holdFlags.register(flags)
	registerGate(cmd, &o.failOn)
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: text or json")
	flags.BoolVar(&o.hygiene, "hygiene", false, "ask the built-in rules on images, too: of what is stored of files and configuration; milliseconds an image")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what could not be judged")
	completeFlag(cmd, "format", "text", "json")
	return cmd
}

func (o *rejudgeOptions) run(ctx context.Context, env *Env, names []string) (err error) {
	errs := append(o.check(), o.askFlags.check())
	if o.format != "text" && o.format != "json" {
		errs = append(errs, fmt.Errorf("--format: %q is none of text, json", o.format))
	}
	gate, err := threshold.Parse(o.failOn)
	if err != nil {
		errs = append(errs, fmt.Errorf("--fail-on: %w", err))
	}
	o.gate = gate
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if o.hygiene {
		if o.rules, _, err = (&imageScanOptions{}).imageRules(ctx, env); err != nil {
			return err
		}
	}
	bench, err := o.openBench(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bench.close()) }()
	rows, err := o.judge(ctx, env, bench, names)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(env.Stdout)
	write := writeRejudged
	if o.format == "json" {
		write = writeRejudgedJSON
	}
	if err := errors.Join(write(w, &rejudgement{rows, bench.Standing, exists(trustFile)}), w.Flush()); err != nil {
		return err
	}
	code := verdict.ExitClean
	for i := range rows {
		switch rows[i].Exit {
		case verdict.ExitFindings:
			code = verdict.ExitFindings
		case verdict.ExitUnknown:
			if code == verdict.ExitClean {
				code = verdict.ExitUnknown
			}
		}
	}
	return exitWith(code, nil)
}

// judge puts every stored image that is meant to the advisories, on all cores.
func (o *rejudgeOptions) judge(ctx context.Context, env *Env, bench *bench, names []string) ([]rejudged, error) {
	store := o.store(env)
	if store == nil {
		return nil, errNoStore
	}
	entries, err := store.Names(hold.Image)
	if err != nil {
		return nil, err
	}
	bar := newProgress(env)
	tell := bar.stage("judging")
	defer bar.clear()
	rows := make([]*rejudged, len(entries))
	var next, done atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < len(entries); i = int(next.Add(1)) - 1 {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				r := store.ReadRecord(entries[i])
				if r == nil || !meant(r, names) {
					continue
				}
				row, err := o.row(env, bench, store, r)
				if err != nil {
					return err
				}
				rows[i] = row
				if tell != nil {
					tell(int(done.Add(1)), len(entries))
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var list []rejudged
	for _, row := range rows {
		if row != nil {
			list = append(list, *row)
		}
	}
	if len(list) == 0 {
		return nil, &verdict.RemedyError{Err: errors.New("there is no such stored image"), Remedy: "Scan it once with 'coaming image scan'; root directories are not stored."}
	}
	slices.SortFunc(list, func(a, b rejudged) int {
		return cmp.Or(b.Critical-a.Critical, b.High-a.High, b.Medium-a.Medium, b.Unknown-a.Unknown, cmp.Compare(a.Image, b.Image), cmp.Compare(a.Digest, b.Digest))
	})
	return list, nil
}

var errNoStore = &verdict.RemedyError{Err: errors.New("there is no folder in which images are stored"), Remedy: "Name one with --store."}

// meant says whether an image goes by one of the names: its own, with a tag or without, its digest or its id.
func meant(r *hold.Record, names []string) bool {
	if len(names) == 0 {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return name == r.Name || name == r.Image.Name || name == r.Image.Reference || name == r.Image.Digest || name == r.Image.ID ||
			len(name) >= 12 && strings.HasPrefix(strings.TrimPrefix(r.Image.Digest, "sha256:"), name)
	})
}

func (o *rejudgeOptions) row(env *Env, bench *bench, store *hold.Store, r *hold.Record) (*rejudged, error) {
	s := clearance.SubjectOf(r, o.products)
	count, findings, err := o.count(bench, s)
	if err != nil {
		return nil, err
	}
	row := &rejudged{Image: r.Image.Name, Digest: cmp.Or(r.Image.Digest, r.Image.ID), Catalogued: r.Catalogued.Format("2006-01-02"), Packages: len(r.Image.Packages)}
	row.add(count)
	passed := count.Passed
	if o.hygiene {
		r.Image.Contents = store.GetContents(hold.ImageKey(r.Name, &r.Image), r.Image.Packages)
		row.Undescribed = r.Image.Contents == nil
	}
	if r.Image.Contents != nil {
		res := clearance.JudgeRules(r, o.rules, rule.Settings{}, env.Now())
		row.add((&assay.Tried{Findings: res.Findings}).Count())
		findings, passed = append(findings, res.Findings...), passed+res.Coverage.Evaluations
	}
	row.Unknown += len(r.Coverage.Gaps)
	res := verdict.Result{Findings: findings, Coverage: r.Coverage}
	res.Coverage.Evaluations = len(findings) + passed
	res.Coverage.Gaps = slices.Concat(r.Coverage.Gaps, bench.gaps)
	row.Exit = res.Exit(o.gate, o.allowUnknown)
	return row, nil
}

// count is what advisories come to of an image, and the findings that the gate has to see: all of them where it is an expression.
func (o *rejudgeOptions) count(bench *bench, s *assay.Subject) (*assay.Count, []verdict.Finding, error) {
	if _, plain := o.gate.(verdict.Severity); plain {
		count, err := bench.Count(s)
		if err != nil {
			return nil, nil, err
		}
		return count, count.Outline(), nil
	}
	tried, err := bench.Try(s)
	if err != nil {
		return nil, nil, err
	}
	return tried.Count(), tried.Findings, nil
}
