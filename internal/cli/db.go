package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
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
