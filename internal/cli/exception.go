package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/exception"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/verdict"
)

func exceptionCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exception",
		Short: "Add, list and remove exceptions: findings that may stay for a while",
		Long: `Add, list and remove exceptions: owned records that turn named fails into exempt ones until a day. They change
nothing once they have expired, and never what is unknown.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(addCommand(env), listCommand(env), pruneCommand(env))
	return cmd
}

// addOptions is the configuration of one addition.
type addOptions struct {
	record  verdict.Exception
	expires string
	file    string
	from    string
	maxDays int
}

func addCommand(env *Env) *cobra.Command {
	o := &addOptions{}
	cmd := &cobra.Command{
		Use:   "add FINGERPRINT...",
		Short: "Write an exception for findings of the last scan into a file",
		Long: `Write an exception for findings of the last scan, or of a JSON report (--from), at the end of a file of exceptions.
What stands in the file stays as it is. The first digits of a fingerprint do when no other finding begins with them.`,
		Example: `  coaming exception add 3f2a9c0d11e84b02 --owner storage-team --reason "the driver mounts disks" --expires 2027-03-31
  coaming exception add 3f2a 77b1 --owner ann --reason "migration" --expires 90d --ticket SEC-12 --from report.json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runAdd(env, o, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.record.Owner, "owner", "", "`WHO` answers for it: a person or a team")
	flags.StringVar(&o.record.Reason, "reason", "", "`WHY` it may stay, in a sentence")
	flags.StringVar(&o.expires, "expires", "", "the `DAY` on which it ends: 2027-01-31, or a number of days: 90d")
	flags.StringVar(&o.record.Ticket, "ticket", "", "`WHERE` it is followed up")
	flags.StringVar(&o.file, "file", defaultExceptions, "the `FILE` to write to; made when it is not there")
	flags.StringVar(&o.from, "from", "", "a JSON report `FILE` to look in")
	flags.IntVar(&o.maxDays, "exception-max-days", int(judge.DefaultLifetime/(24*time.Hour)), "refuse a day more than `DAYS` ahead")
	return cmd
}

func runAdd(env *Env, o *addOptions, prefixes []string) error {
	res, err := recorded(env, o.from)
	if err != nil {
		return err
	}
	e, notes, err := o.complete(env, res, prefixes)
	if err != nil {
		return err
	}
	text, err := readBounded(o.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read exceptions: %w", err)
	}
	edited, err := exception.Append(filepath.ToSlash(o.file), text, e, notes)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.file), 0o755); err != nil {
		return fmt.Errorf("write exceptions: %w", err)
	}
	if err := replaceFile(o.file, edited); err != nil {
		return fmt.Errorf("write exceptions: %w", err)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: %s may stay until %s\n", o.file, findings(len(e.Fingerprints)), e.Expires.Format(time.DateOnly))
	return err
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return strconv.Itoa(n) + " findings"
}

// complete makes the record, and reports everything that is wrong with it at once.
func (o *addOptions) complete(env *Env, res *verdict.Result, prefixes []string) (*verdict.Exception, map[string]string, error) {
	e, notes := o.record, map[string]string{}
	places := 0
	var errs []error
	for _, prefix := range prefixes {
		f, err := findOne(res, prefix)
		if err == nil {
			err = excusable(f)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if !slices.Contains(e.Fingerprints, f.Fingerprint) {
			e.Fingerprints = append(e.Fingerprints, f.Fingerprint)
			places += f.Places()
			notes[f.Fingerprint] = f.Subject.String() + " " + f.Path
		}
		if !e.Names(f.Rule) {
			e.Rules = append(e.Rules, f.Rule)
		}
	}
	slices.Sort(e.Rules)
	if places > len(e.Fingerprints) {
		e.AtMost = places
	}
	var err error
	if e.Expires, err = o.day(env.Now()); err != nil {
		errs = append(errs, err)
	}
	for _, p := range e.Problems() {
		if p.Field == "owner" || p.Field == "reason" || p.Field == "expires" && err == nil {
			errs = append(errs, fmt.Errorf("--%s: %s. %s", p.Field, p.Text, p.Remedy))
		}
	}
	return &e, notes, errors.Join(errs...)
}

// day is when the exception ends.
func (o *addOptions) day(now time.Time) (time.Time, error) {
	if o.expires == "" {
		return time.Time{}, nil // told as missing
	}
	day, err := exception.Day(o.expires)
	if count, found := strings.CutSuffix(o.expires, "d"); found {
		n, bad := strconv.Atoi(count)
		if bad == nil && n > 0 && n < 1e5 {
			day, err = now.UTC().Truncate(24*time.Hour).AddDate(0, 0, n), nil
		}
	}
	day = day.Truncate(24 * time.Hour)
	switch {
	case err != nil:
		return day, &verdict.RemedyError{Err: fmt.Errorf("--expires: %w", err), Remedy: "Give a day, 2027-01-31, or a number of days, 90d."}
	case !now.Before(day):
		return day, &verdict.RemedyError{Err: fmt.Errorf("--expires: %s is not ahead", o.expires), Remedy: "Give a day to come."}
	case day.Sub(now) > time.Duration(o.maxDays)*24*time.Hour:
		return day, &verdict.RemedyError{
			Err:    fmt.Errorf("--expires: %s is more than %d days ahead", o.expires, o.maxDays),
			Remedy: "Give a nearer day, or raise --exception-max-days here and where you scan.",
		}
	}
	return day, nil
}

// excusable says why a finding cannot be excused; nil when it can.
func excusable(f *verdict.Finding) error {
	switch {
	case f.Verdict == verdict.Unknown:
		return &verdict.RemedyError{
			Err:    fmt.Errorf("%s is unknown, which no exception changes: %s", f.Fingerprint, f.Reason),
			Remedy: "Let it be judged: 'coaming explain " + f.Fingerprint + "' says what is missing.",
		}
	case f.Verdict == verdict.Exempt && (f.Exemption == nil || f.Exemption.Grant != verdict.GrantBaseline):
		return fmt.Errorf("%s is excused already: %s", f.Fingerprint, f.Reason)
	}
	return nil
}

func listCommand(env *Env) *cobra.Command {
	o := quietScan()
	cmd := &cobra.Command{
		Use:   "list [PATH...|-]",
		Short: "List exceptions with their state: what is active, until when, what expired",
		Long: `List exceptions with their state. Where sources are named, or --cluster, they are judged, and the list tells what each
exception excuses and which excuse nothing, those in the sources included.`,
		Example: `  coaming exception list
  coaming exception list deploy/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := o.standings(cmd.Context(), env, args)
			if err != nil {
				return err
			}
			return listExceptions(env.Stdout, res, env.Now())
		},
	}
	o.registerStanding(cmd)
	return cmd
}

// quietScan is a scan whose report nobody sees.
func quietScan() *scanOptions {
	return &scanOptions{judgeFlags: judgeFlags{reportFlags: reportFlags{failOn: "low", format: terminal, color: "never"}}}
}

// registerStanding adds the flags that say which exceptions there are, and what they are for.
func (o *scanOptions) registerStanding(cmd *cobra.Command) {
	o.sourceFlags.register(cmd.Flags())
	o.customFlags.register(cmd.Flags())
	o.exceptionFlags.register(cmd.Flags())
	o.settingFlags.register(cmd.Flags())
	o.exceptionFlags.complete(cmd)
	o.complete(cmd)
}

func (o *scanOptions) named(args []string) bool {
	return len(args) > 0 || o.cluster || len(o.releases) > 0
}

// standings judges the sources that are named; where none is, it judges nothing, which tells what has expired.
func (o *scanOptions) standings(ctx context.Context, env *Env, args []string) (*verdict.Result, error) {
	if err := errors.Join(o.exceptionFlags.check()...); err != nil {
		return nil, err
	}
	if o.named(args) {
		return o.judge(ctx, env, args)
	}
	x, err := o.exceptionFlags.load()
	if err != nil {
		return nil, err
	}
	if _, err := o.all(ctx, env, nil, catalog.Brief); err != nil {
		return nil, err
	}
	o.find(&x, nil, o.ids)
	return judge.Judge(judge.Input{
		Inventory: fact.NewInventory(nil, "", false), Exceptions: x.exceptions, Baseline: x.baseline, Now: env.Now(), Lifetime: o.lifetime(),
	}), nil
}

func listExceptions(w io.Writer, res *verdict.Result, now time.Time) error {
	if res.Ledger == nil || len(res.Ledger.Exceptions) == 0 {
		_, err := io.WriteString(w, "no exceptions\n")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "STATE\tEXPIRES\tEXCUSES\tRULES\tOWNER\tWHERE\n")
	for i := range res.Ledger.Exceptions {
		e := &res.Ledger.Exceptions[i]
		excuses := "-"
		if e.Findings > 0 {
			excuses = strconv.Itoa(e.Findings)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", state(e), ends(e, now), excuses, plainWords(strings.Join(e.Rules, ",")), plainWords(e.Owner), plainWords(placeText(&e.Location)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for i := range res.Ledger.Exceptions {
		if e := &res.Ledger.Exceptions[i]; e.Standing == verdict.Refused {
			_, _ = fmt.Fprintf(w, "%s: %s. %s\n", plainWords(placeText(&e.Location)), plainWords(e.Problem), e.Advice)
		}
	}
	return nil
}

// state is the standing as the list says it: what was not put to anything is active.
func state(e *verdict.LedgerEntry) string {
	if e.Standing == verdict.Unasked {
		return "active"
	}
	return string(e.Standing)
}

func ends(e *verdict.LedgerEntry, now time.Time) string {
	if e.Expires.IsZero() {
		return "-"
	}
	text := e.Expires.UTC().Format(time.DateOnly)
	if days := int(e.Expires.Sub(now).Hours() / 24); now.Before(e.Expires) {
		text += fmt.Sprintf(" (%d days)", days)
	}
	return text
}

func placeText(l *verdict.Location) string {
	if l.Line == 0 {
		return l.File
	}
	return l.File + ":" + strconv.Itoa(l.Line)
}

// plainWords is text from the input as it may stand in a table on a screen.
func plainWords(s string) string {
	if quoted := strconv.QuoteToGraphic(s); quoted != `"`+s+`"` {
		return quoted[1 : len(quoted)-1]
	}
	return s
}
