package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/vulndb"
)

func dbCommand(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "Advisories about packages: build, fetch and ask their index",
		Long: `Advisories about packages: one file that is made from OSV records, on this machine or by somebody whose key is trusted.
Nothing is fetched unless 'db update --from' names where from.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(dbBuildCommand(env), dbUpdateCommand(env), dbStatusCommand(env), dbMatchCommand(env), dbPushCommand(env),
		dbDeltaCommand(env), dbMirrorCommand(env))
	return cmd
}

// dbFlags say which index is meant.
type dbFlags struct{ path string }

func (f *dbFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.path, "db", "", "the index's `FILE`; otherwise "+vulndb.FileName+" in the user's cache folder")
}

func (f *dbFlags) file(env *Env) (string, error) {
	if f.path == "" && env.CacheDir == "" {
		return "", &verdict.RemedyError{Err: errors.New("there is no cache folder to keep advisories in"), Remedy: "Say where with --db FILE."}
	}
	return cmp.Or(f.path, filepath.Join(env.CacheDir, vulndb.FileName)), nil
}

func (f *dbFlags) open(env *Env) (*vulndb.DB, error) {
	path, err := f.file(env)
	if err != nil {
		return nil, err
	}
	return vulndb.Open(path)
}

// dbBuildOptions is the configuration of one index that is made.
type dbBuildOptions struct {
	output          string
	kev, epss, cvss []string
	sequence        int64
	created         string
	key             string
	allowUnread     bool
}

func dbBuildCommand(env *Env) *cobra.Command {
	o := &dbBuildOptions{}
	cmd := &cobra.Command{
		Use:   "build DIR|ZIP… -o FILE",
		Short: "Make an index of OSV records; the same records give the same bytes",
		Long: `Make an index of OSV records: folders with .json files and zips in them, or zips as OSV publishes them (npm/all.zip).
Nothing is fetched. With --key the index is signed beside it, in FILE.sig.

A record that names a package and leaves open which of its versions are affected (ranges of commits alone, or of what is no version) is told, and
is in the index: packages that it names are unknown, unless another record closes it.

Exit codes: 0 made; 2 wrong usage or an internal error, no index; 3 made without records that could not be read (0 with --allow-unread).`,
		Example: `  coaming db build osv/npm/all.zip osv/Debian -o coaming-advisories.db --kev known_exploited_vulnerabilities.json --epss epss_scores.csv.gz
  coaming db build osv/ -o coaming-advisories.db --key advisories.key`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.output, "output", "o", "", "write the index to this `FILE`")
	flags.StringArrayVar(&o.kev, "kev", nil, "mark what stands in this catalogue of exploited vulnerabilities of CISA, .json or .json.gz: `FILE`")
	flags.StringArrayVar(&o.epss, "epss", nil, "join these EPSS scores of FIRST, .csv or .csv.gz: `FILE`")
	flags.StringArrayVar(&o.cvss, "cvss", nil, "join CVSS scores for CVEs whose records have none, .tsv or .tsv.gz with CVE, score and vector: `FILE`")
	flags.Int64Var(&o.sequence, "sequence", 0, "the `NUMBER` of the index, greater than that of the one before; otherwise the time in seconds")
	flags.StringVar(&o.created, "created", "", "the `TIME` that the index says it was made at, 2026-11-22T06:00:00Z; otherwise now")
	flags.StringVar(&o.key, "key", "", "sign with this private key, in PEM without a passphrase: `FILE`")
	flags.BoolVar(&o.allowUnread, "allow-unread", false, "do not exit with 3 for records that could not be read")
	return cmd
}

func (o *dbBuildOptions) check(env *Env) (created time.Time, err error) {
	var errs []error
	if o.output == "" {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("no file to write to"), Remedy: "Name one with -o " + vulndb.FileName + "."})
	}
	created = env.Now()
	if o.created != "" {
		if created, err = time.Parse(time.RFC3339, o.created); err != nil {
			errs = append(errs, fmt.Errorf("--created: %q is no time like 2026-11-22T06:00:00Z", o.created))
		}
	}
	if o.sequence == 0 {
		o.sequence = created.Unix()
	}
	if o.sequence < 0 {
		errs = append(errs, fmt.Errorf("--sequence: %d is below 0", o.sequence))
	}
	return created, errors.Join(errs...)
}

func (o *dbBuildOptions) run(ctx context.Context, env *Env, paths []string) error {
	created, err := o.check(env)
	if err != nil {
		return err
	}
	b := advisory.NewBuilder()
	var unread, errs []error
	for _, path := range paths {
		some, err := vulndb.Read(ctx, b, path)
		unread, errs = append(unread, some...), append(errs, err)
	}
	for _, join := range []struct {
		files []string
		read  func(io.Reader) error
	}{{o.kev, b.JoinKEV}, {o.epss, b.JoinEPSS}, {o.cvss, b.JoinCVSS}} {
		for _, file := range join.files {
			errs = append(errs, vulndb.Join(file, join.read))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	var about *advisory.About
	if err := vulndb.Write(o.output, func(w io.Writer) (err error) {
		about, err = b.Write(w, created, o.sequence)
		return err
	}); err != nil {
		return err
	}
	if err := o.sign(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(env.Stderr, "%s: %s about %s in %s\n", o.output, counted(about.Records, "record"),
		pluralized(about.Vulnerabilities, "vulnerability", "vulnerabilities"), counted(len(about.Ecosystems), "ecosystem"))
	tellDoubts(env, about)
	return o.tellUnread(env, unread)
}

// tellDoubts names the records that leave open which versions have what they are about.
func tellDoubts(env *Env, about *advisory.About) {
	for _, d := range about.Doubts {
		_, _ = fmt.Fprintf(env.Stderr, "left open: %s\n", doubtText(&d))
	}
}

// doubtText is one kind of such records, with the first of them.
func doubtText(d *advisory.Doubt) string {
	text := fmt.Sprintf("%s %s: %s", counted(d.Records, "record"), d.Why, printed(strings.Join(d.First, ", ")))
	if more := d.Records - len(d.First); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// mostUnread is how many records that could not be read are named.
const mostUnread = 20

func (o *dbBuildOptions) tellUnread(env *Env, unread []error) error {
	for i, err := range unread {
		if i == mostUnread {
			_, _ = fmt.Fprintf(env.Stderr, "and %d more\n", len(unread)-i)
			break
		}
		_, _ = fmt.Fprintf(env.Stderr, "not in the index: %v\n", err)
	}
	if len(unread) > 0 && !o.allowUnread {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

func (o *dbBuildOptions) sign() (err error) {
	if o.key == "" {
		return nil
	}
	db, err := vulndb.Open(o.output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	signature, err := signBlob(o.key, db.Bytes)
	if err != nil {
		return err
	}
	return vulndb.Write(o.output+".sig", func(w io.Writer) error {
		_, err := io.WriteString(w, signature+"\n")
		return err
	})
}

func pluralized(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

func dbStatusCommand(env *Env) *cobra.Command {
	f := &dbFlags{}
	verify := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how old the advisories are, and what they cover",
		Long: `Say how old the advisories are, and which ecosystems and releases of distributions they cover. A release whose support has ended
gets no advisories any more: packages of it are unknown.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) (err error) {
			db, err := f.open(env)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			if verify {
				if err := db.CheckSeal(); err != nil {
					return err
				}
			}
			return writeStatus(env, db)
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().BoolVar(&verify, "verify", false, "read the whole file and hold it to its checksum")
	return cmd
}

func writeStatus(env *Env, db *vulndb.DB) error {
	a, today := &db.About, env.Now().UTC().Format(time.DateOnly)
	days := int(env.Now().Sub(db.Created()).Hours() / 24)
	w := tabwriter.NewWriter(env.Stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "file\t%s, %d bytes\nmade\t%s, %s ago; sequence %d\n", db.Path, len(db.Bytes), db.Created().Format(time.RFC3339), counted(max(days, 0), "day"), a.Sequence)
	_, _ = fmt.Fprintf(w, "holds\t%s about %s; %d with a CVSS score from elsewhere, %d exploited (KEV), %d with a likelihood (EPSS)\n",
		counted(a.Records, "record"), pluralized(a.Vulnerabilities, "vulnerability", "vulnerabilities"), a.Scores, a.Exploited, a.Likelihoods)
	for _, s := range a.Sources {
		line := counted(s.Records, "record")
		if s.Skipped > 0 {
			line += fmt.Sprintf(", %d withdrawn or there already", s.Skipped)
		}
		if s.Unread > 0 {
			line += fmt.Sprintf(", %d could not be read", s.Unread)
		}
		_, _ = fmt.Fprintf(w, "source\t%s: %s\n", s.Name, line)
	}
	for i := range a.Doubts {
		_, _ = fmt.Fprintf(w, "left open\t%s\n", doubtText(&a.Doubts[i]))
	}
	_, _ = fmt.Fprintln(w, "\nCOVERS\tPACKAGES\tNEWEST\tSUPPORT")
	for _, e := range a.Ecosystems {
		support := ""
		if end, ok := advisory.EndOfLife(e.Name); ok {
			support = "until " + end
			if end < today {
				support = "ended " + end + ": unknown"
			}
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", e.Name, e.Packages, newestText(&e), support)
	}
	return w.Flush()
}

// newestText is when the newest record of an ecosystem was last changed, as far as its records say.
func newestText(e *advisory.Ecosystem) string {
	switch {
	case e.Newest == "":
		return "no record says"
	case e.Undated > 0:
		return fmt.Sprintf("%s (%d of %d do not say)", e.Newest, e.Undated, e.Records)
	}
	return e.Newest
}
