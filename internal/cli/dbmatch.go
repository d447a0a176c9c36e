package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/purl"
	"github.com/coaming/coaming/internal/verdict"
)

// dbMatchOptions is the configuration of one question about packages.
type dbMatchOptions struct {
	askFlags
	lists        []string
	boms         []string
	vex          []string
	products     []string
	format       string
	allowUnknown bool
}

func dbMatchCommand(env *Env) *cobra.Command {
	o := &dbMatchOptions{}
	cmd := &cobra.Command{
		Use:   "match [PURL…] [-f LIST] [--sbom FILE]",
		Short: "Say what is published about packages",
		Long: `Say what is published about packages, named by package URLs: as arguments, or one on a line of a file. Packages of distributions
need their release: pkg:deb/debian/openssl@3.0.11-1?distro=debian-12 names the source package, for apk the origin, for rpm the binary package.
Or they are those of a bill of materials (SPDX, CycloneDX, syft's JSON). What the advisories do not cover is unknown, never clean, and so is a package
without a version, what a record names without versions that can be compared, and what a bill of materials leaves open.

Exit codes: 0 nothing published; 1 something is; 2 wrong usage or an internal error; 3 nothing published, and something
unknown (0 with --allow-unknown).`,
		Example: `  coaming db match pkg:npm/lodash@4.17.4
  dpkg-query -W -f 'pkg:deb/debian/${source:Package}@${source:Version}?distro=debian-12\n' | coaming db match -f -
  coaming db match --sbom shop.spdx.json
  coaming db match -f packages.txt --vex statements.json --format json`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args) },
	}
	flags := cmd.Flags()
	o.register(flags)
	flags.StringArrayVarP(&o.lists, "file", "f", nil, "read package URLs from this `FILE`, one a line, or - for standard input; may be given several times")
	flags.StringArrayVar(&o.boms, "sbom", nil, "ask about the packages in this bill of materials: `FILE`; may be given several times")
	flags.StringArrayVar(&o.vex, "vex", nil, "leave out what this `FILE` of OpenVEX, CSAF or CycloneDX says does not apply; may be given several times")
	flags.StringArrayVar(&o.products, "product", nil, "the packages are in this `PRODUCT` of --vex: an image's package URL or digest; may be given several times")
	flags.StringVar(&o.format, "format", "text", "`FORMAT` of the answer: text, json")
	flags.BoolVar(&o.allowUnknown, "allow-unknown", false, "do not exit with 3 for what is unknown")
	completeFlag(cmd, "format", "text", "json")
	return cmd
}

// maxPackages is how many packages are asked about at once.
const maxPackages = 1_000_000

func (o *dbMatchOptions) run(ctx context.Context, env *Env, args []string) (err error) {
	q := &advisory.Question{Today: env.Now().UTC().Format(time.DateOnly), Products: o.products}
	names, errs := args, []error{}
	if o.format != "text" && o.format != "json" {
		errs = append(errs, fmt.Errorf("--format: %q is none of text, json", o.format))
	}
	errs = append(errs, o.check())
	for _, list := range o.lists {
		some, err := readLines(env, list)
		names, errs = append(names, some...), append(errs, err)
	}
	if len(names) == 0 && len(o.lists) == 0 && len(o.boms) == 0 {
		errs = append(errs, &verdict.RemedyError{Err: errors.New("no packages to ask about"), Remedy: "Name package URLs, pkg:npm/lodash@4.17.4, a file of them with -f, or a bill of materials with --sbom."})
	}
	for _, name := range names {
		p, err := purl.Parse(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		q.Packages = append(q.Packages, advisory.Named(p))
	}
	var gaps []verdict.Gap
	for _, file := range o.boms {
		img, coverage, err := image.Read(ctx, file, image.Options{})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gaps = append(gaps, coverage.Gaps...)
		names = append(names, askOf(q, img)...)
	}
	for _, file := range o.vex {
		statements, err := readVEX(file)
		q.VEX, errs = append(q.VEX, statements...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	db, err := o.open(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	answer, err := db.Match(q)
	if err != nil {
		return fmt.Errorf("ask %s: %w", db.Path, err)
	}
	about := db.About.Standing(env.Now(), o.maxAge)
	doubtVersions(answer, q.Packages, names)
	if about.Stale != "" {
		answer.Doubt(q.Packages, about.Stale)
		gaps = append(gaps, staleGap(db.Path, about.Stale))
	}
	if o.format == "json" {
		err = writeAnswerJSON(env.Stdout, names, answer, gaps, about)
	} else {
		err = writeAnswer(env, names, answer, gaps, about)
	}
	if err != nil {
		return err
	}
	for _, f := range answer.Findings {
		if f.Suppressed == nil {
			return exitError(verdict.ExitFindings)
		}
	}
	if len(answer.Unknown)+len(gaps) > 0 && !o.allowUnknown {
		return exitError(verdict.ExitUnknown)
	}
	return nil
}

// doubtVersions makes unknown the packages without a version, or with one that is none, of which nothing was published: which version is
// there, nobody said.
func doubtVersions(a *advisory.Answer, packages []advisory.Package, names []string) {
	told := map[int]bool{}
	for _, u := range a.Unknown {
		for _, i := range u.Packages {
			told[i] = true
		}
	}
	for i := range packages {
		p := &packages[i]
		if p.Owner == "" && !told[i] && !advisory.IsVersion(p.Ecosystem, p.Version) {
			a.Unknown = append(a.Unknown, advisory.Unknown{
				Ecosystem: p.Ecosystem, Packages: []int{i}, Reason: fmt.Sprintf("%.100q of %.100s is no version", p.Version, names[i]),
			})
		}
	}
}

// askOf adds the packages of an image to the question, and the image to what they are in. The result are their names.
func askOf(q *advisory.Question, img *fact.Image) []string {
	var names []string
	for i := range img.Packages {
		p := &img.Packages[i]
		u, _ := purl.Of(p, img.System)
		names = append(names, u.String())
		q.Packages = append(q.Packages, advisory.Installed(p))
	}
	if img.Digest != "" {
		q.Products = append(q.Products, img.Digest)
	}
	return names
}

func readLines(env *Env, path string) ([]string, error) {
	in := env.Stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read packages: %w", err)
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	var list []string
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if len(list) == maxPackages {
			return nil, fmt.Errorf("read packages: %s names over %d", path, maxPackages)
		}
		list = append(list, line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read packages from %s: %w", path, err)
	}
	return list, nil
}

func readVEX(path string) ([]advisory.Statement, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read VEX: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(file, advisory.MaxVEX+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read VEX %s: %w", path, err)
	}
	return advisory.ParseVEX(path, raw)
}
