package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// imageScanOptions is the configuration of one scan of images.
type imageScanOptions struct {
	imageFlags
	vouchFlags
	advisoryFlags
	ruleFlags
	exceptionFlags
	reportFlags
	holdFlags
	name          string
	base          string
	workloads     []string
	stored        bool
	knownBad      string
	writeBaseline string
	bar           *progress
}

func imageScanCommand(env *Env) *cobra.Command {
	o := &imageScanOptions{}
	cmd := &cobra.Command{
		Use:   "scan DIR|ARCHIVE|REFERENCE…",
		Short: "Judge what is inside images: published vulnerabilities, and what would clear them",
		Long: `Judge what is inside images (OCI layouts, archives of docker save, images in registries) and root directories by the installed
index of advisories ('coaming db'). Nothing is unpacked to disk, and only the registries of the images that are named are asked.

What a layer holds is kept by its digest, so that an image with the same layers costs next to nothing, and what an image holds
is kept by its own: 'image rejudge' and --stored put new advisories to it.

Where a policy of trust (--policy, ` + trustFile + `) or flags name signers, what 'image verify' would say of the image is judged, too.

Exit codes: 0 clean; 1 findings that --fail-on means; 2 wrong usage or an internal error; 3 no such finding, but something could not be
judged (0 with --allow-unknown): what was not read, what the index does not cover, a distribution whose support has ended.`,
		Example: `  docker save -o shop.tar shop:1.4 && coaming image scan shop.tar
  coaming image scan layout/ --fail-on high --vex shop.vex.json
  coaming image scan registry.example.com/shop/web:1.4 --key cosign.pub --attestation provenance
  coaming image scan /mnt/root --name shop --format sarif -o coaming.sarif`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runImageScan(cmd.Context(), env, o, args) },
	}
	flags := cmd.Flags()
	o.imageFlags.register(cmd)
	o.vouchFlags.register(flags)
	o.advisoryFlags.register(flags)
	o.ruleFlags.register(flags)
	o.exceptionFlags.register(flags)
	flags.StringVar(&o.name, "name", "", "what the image is called in findings, without a tag: the repository's `NAME` (otherwise its reference's, or the path)")
	flags.StringVar(&o.writeBaseline, "write-baseline", "", "write what fails to this `FILE`, as a baseline for later scans, and let it pass now")
	flags.StringVar(&o.base, "base", "", "the image is built on this one, DIR, ARCHIVE or REFERENCE, whose layers must be its lowest: `IMAGE`")
	flags.StringArrayVar(&o.workloads, "workloads", nil, "learn from these manifests, charts or overlays who runs the image and whether the internet leads there: `PATH`; may be given several times")
	flags.BoolVar(&o.stored, "stored", false, "judge what is stored of the images that are named, by name or digest; none is touched")
	flags.StringVar(&o.knownBad, "known-bad", "", "find the files of this list, a `FILE` with SHA256 [size=BYTES] NAME a line; with sizes only files of such a size are hashed")
	o.holdFlags.register(flags)
	o.registerOff(flags)
	o.reportFlags.register(cmd)
	o.exceptionFlags.complete(cmd)
	o.ruleFlags.complete(cmd)
	return cmd
}

// advisoryFlags say which advisories are asked, and which statements suppress.
type advisoryFlags struct {
	dbFlags
	vex      []string
	products []string
}

func (f *advisoryFlags) register(flags *pflag.FlagSet) {
	f.dbFlags.register(flags)
	flags.StringArrayVar(&f.vex, "vex", nil, "excuse what this `FILE` of OpenVEX, CSAF or CycloneDX says does not apply; may be given several times")
	flags.StringArrayVar(&f.products, "product", nil, "the image is this `PRODUCT` of --vex, too: a package URL; may be given several times")
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// check reports every problem of the options at once.
func (o *imageScanOptions) check(args []string) error {
	errs := append(o.imageFlags.check(args...), o.reportFlags.check())
	errs = append(errs, o.exceptionFlags.check()...)
	errs = append(errs, o.holdFlags.check()...)
	switch {
	case !o.stored:
		errs = append(errs, o.openTrust(&o.imageFlags))
	case o.attested || o.byFlags():
		errs = append(errs, errors.New("--stored: who vouches for an image is not stored; leave out the flags that name signers, or --stored"))
	}
	if o.stored && o.off {
		errs = append(errs, errors.New("--stored: it does not go with --no-store"))
	}
	if o.stored && o.knownBad != "" {
		errs = append(errs, errors.New("--known-bad: it does not go with --stored, which reads no file"))
	}
	if o.knownBad != "" {
		errs = append(errs, o.readKnownBad())
	}
	if o.name != "" && len(args) > 1 {
		errs = append(errs, errors.New("--name: it goes with one image alone"))
	}
	return errors.Join(errs...)
}

// readKnownBad reads the operator's list.
func (o *imageScanOptions) readKnownBad() error {
	file, err := os.Open(o.knownBad)
	if err != nil {
		return fmt.Errorf("--known-bad: %w", err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	if o.Known, err = image.ReadKnownBad(o.knownBad, file); err != nil {
		return fmt.Errorf("--known-bad: %w", err)
	}
	return nil
}

func runImageScan(ctx context.Context, env *Env, o *imageScanOptions, args []string) (err error) {
	if err := o.check(args); err != nil {
		return err
	}
	o.bar = newProgress(env)
	bench, done, err := o.bench(env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	excuses, err := o.exceptionFlags.load()
	if err != nil {
		return err
	}
	rules, excluded, err := o.imageRules(ctx, env)
	if err != nil {
		return err
	}
	o.find(&excuses, nil, append(slices.Clone(o.ids), assay.RuleID))
	batch, err := o.begin(ctx, env)
	if err != nil {
		return err
	}
	if o.stored {
		err = o.tryStored(env, batch, bench, args)
	} else {
		err = o.try(ctx, env, batch, bench, args)
	}
	if err != nil {
		return err
	}
	inventory, err := o.runners(ctx, env, batch)
	if err != nil {
		return err
	}
	batch.describe(inventory)
	batch.coverage.Exclusions = append(batch.coverage.Exclusions, excluded...)
	res := judge.Judge(judge.Input{
		Inventory: inventory, Rules: rules, Rate: len(o.workloads) > 0, Coverage: batch.coverage, Found: batch.found, Exceptions: excuses.exceptions, Now: env.Now(),
		Lifetime: o.lifetime(), Baseline: excuses.baseline, Width: runtime.GOMAXPROCS(0),
	})
	res.Advice = batch.advice
	o.bar.clear()
	return o.conclude(env, res)
}

// describe puts the images before the rules. Of what nothing tells that rules could read it is said that they were not asked.
func (b *assayed) describe(inventory *fact.Inventory) {
	for _, s := range b.images {
		if s.Image.Contents == nil {
			b.coverage.Exclusions = append(b.coverage.Exclusions, verdict.Exclusion{
				What: "rules on what " + s.Name + " holds", Reason: "a bill of materials, or what is stored of the image, says nothing of its files",
			})
			continue
		}
		inventory.Images = append(inventory.Images, s.Image)
	}
}

// imageRules are the rules on images that were chosen; the vulnerabilities are found unless --skip leaves them out.
func (o *imageScanOptions) imageRules(ctx context.Context, env *Env) ([]*rule.Compiled, []verdict.Exclusion, error) {
	rules, excluded, err := o.ruleFlags.load(ctx, env, nil)
	return slices.DeleteFunc(rules, func(r *rule.Compiled) bool { return r.Match.Fact != "image" }), excluded, err
}

// conclude writes the baseline and the reports, and gives the exit code.
func (o *imageScanOptions) conclude(env *Env, res *verdict.Result) error {
	if o.writeBaseline != "" {
		if err := saveBaseline(o.writeBaseline, res); err != nil {
			return err
		}
	}
	if err := o.finish(res, o.frameworks); err != nil {
		return err
	}
	if err := o.report(env, res); err != nil {
		return err
	}
	remember(env, res, &o.reportFlags, io.Discard)
	return exitWith(res.Exit(o.gate, o.allowUnknown), nil)
}

// bench opens the index of advisories and the statements. The default index need not be there: without one everything is unknown.
func (f *advisoryFlags) bench(env *Env) (*assay.Bench, func() error, error) {
	var vex []advisory.Statement
	var errs []error
	for _, file := range f.vex {
		statements, err := readVEX(file)
		vex, errs = append(vex, statements...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	path, err := f.installed(env)
	if err != nil {
		return nil, nil, err
	}
	return clearance.OpenBench(path, env.Now().UTC().Format(time.DateOnly), vex)
}

// installed is where the index stands that was named, or the one that is there; "" when none is.
func (f *advisoryFlags) installed(env *Env) (string, error) {
	path, err := f.file(env)
	if f.path == "" && (err != nil || !exists(path)) {
		return "", nil // no index is no error: what it would answer is unknown
	}
	return path, err
}

// assayed is what came of several images.
type assayed struct {
	coverage verdict.Coverage
	found    judge.Found
	advice   []verdict.Advice
	images   []*assay.Subject
	given    *fact.Image   // what --base names
	known    []*fact.Image // bases that were stored
	mute     bool          // the advisories are not asked
}

// begin reads what is known of bases.
func (o *imageScanOptions) begin(ctx context.Context, env *Env) (*assayed, error) {
	b := newAssayed(o.asksPublished())
	var err error
	if b.known, err = o.bases(env); err != nil || o.base == "" {
		return b, err
	}
	client, err := o.client(env, []string{o.base})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	options := image.Options{Platform: o.Platform, Registry: client, Documents: true}
	if b.given, _, err = image.Read(ctx, o.base, options); err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	return b, nil
}

// try reads the images one after the other and puts each to the advisories.
func (o *imageScanOptions) try(ctx context.Context, env *Env, b *assayed, bench *assay.Bench, args []string) error {
	done, err := o.open(env, args...)
	if err != nil {
		return err
	}
	defer done()
	heap.Early()
	store := o.store(env)
	if k := keeper(store); k != nil {
		o.Keeper = k
	}
	for _, arg := range args {
		img, coverage, err := o.readOne(ctx, env, arg)
		if err != nil {
			return err
		}
		s := &assay.Subject{
			Image: img, Name: cmp.Or(o.name, imageName(img, arg)), Products: o.products,
			Location: verdict.Location{Source: "image:" + img.Name, File: filepath.ToSlash(arg)},
		}
		if err := b.add(bench, s, coverage); err != nil {
			return err
		}
		if !o.attested {
			store.KeepImage(recordOf(env, s.Name, img, coverage))
		}
	}
	return nil
}

// readOne reads an image and asks who vouches for it; with --attested it reads what is attested in its place.
func (o *imageScanOptions) readOne(ctx context.Context, env *Env, arg string) (*fact.Image, *verdict.Coverage, error) {
	if o.verifier != nil {
		o.verifier.opened = o.Registry
	}
	if o.attested {
		return o.readAttested(ctx, env, arg)
	}
	img, coverage, err := image.Read(ctx, arg, o.Options)
	if err != nil {
		return nil, nil, err
	}
	return img, coverage, o.attach(ctx, env, img, arg)
}

// runners reads the workloads that were given and notes which of them run the images.
func (o *imageScanOptions) runners(ctx context.Context, env *Env, b *assayed) (*fact.Inventory, error) {
	if len(o.workloads) == 0 {
		return fact.NewInventory(nil, "", false), nil
	}
	files := sourceFlags{maxFile: 512, maxTotal: 1024}
	reading, err := files.read(ctx, env, o.workloads, nil, nil, o.bar.stage("reading"))
	if err != nil {
		return nil, err
	}
	inventory := fact.NewInventory(reading.Objects, catalog.Newest, reading.Live)
	b.found.Images = map[string]string{}
	for _, of := range namedImages(inventory) {
		for _, img := range b.images {
			if runs(of.reference, img) {
				b.found.Images[of.reference] = img.Image.Name
			}
		}
	}
	b.coverage.Gaps = append(b.coverage.Gaps, reading.Coverage.Gaps...)
	b.coverage.Files += reading.Coverage.Files
	b.coverage.Documents += reading.Coverage.Documents
	return inventory, nil
}

// runs says whether a container that names an image by a reference runs that image: by its digest, by the name and tag that it has, or,
// of one that has no tag, by its name.
func runs(reference string, s *assay.Subject) bool {
	if _, digest, found := strings.Cut(reference, "@"); found && s.Image.Digest != "" {
		return digest == s.Image.Digest
	}
	theirs, err := registry.ParseImage(reference)
	if err != nil {
		return false
	}
	if own, err := registry.ParseImage(s.Image.Reference); err == nil && s.Image.Reference != "" {
		return own.Name() == theirs.Name()
	}
	own, err := registry.ParseImage(s.Name)
	return err == nil && own.Context().Name() == theirs.Context().Name()
}

// tryStored puts the stored images of those names to the advisories.
func (o *imageScanOptions) tryStored(env *Env, b *assayed, bench *assay.Bench, names []string) error {
	store := o.store(env)
	if store == nil {
		return errNoStore
	}
	found := map[string]bool{}
	err := store.Records(hold.Image, func(entry string, r *hold.Record) error {
		for _, name := range names {
			if meant(r, []string{name}) {
				found[name] = true
				if !found[entry] {
					found[entry] = true
					r.Image.Contents = store.GetContents(hold.ImageKey(r.Name, &r.Image), r.Image.Packages)
					return b.add(bench, clearance.SubjectOf(r, o.products), &r.Coverage)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		if !found[name] {
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("there is no stored image %q", name), Remedy: "'coaming image rejudge' lists what is stored."})
		}
	}
	return errors.Join(errs...)
}

func (b *assayed) add(bench *assay.Bench, s *assay.Subject, coverage *verdict.Coverage) error {
	if err := assay.SettleBase(s.Image, b.given, b.known); err != nil {
		return err
	}
	b.images = append(b.images, s)
	b.coverage.Sources = append(b.coverage.Sources, coverage.Sources...)
	b.coverage.Gaps = append(b.coverage.Gaps, coverage.Gaps...)
	b.coverage.Files += coverage.Files
	b.coverage.Images++
	b.coverage.Packages += len(s.Image.Packages)
	if b.mute {
		return nil
	}
	tried, err := bench.Try(s)
	if err != nil {
		return err
	}
	b.found.Findings = append(b.found.Findings, tried.Findings...)
	b.found.Passed[assay.RuleID] += tried.Passed
	if tried.Left > 0 {
		b.coverage.Exclusions = append(b.coverage.Exclusions, verdict.Exclusion{
			What: "packages of languages in " + s.Name, Reason: "the distribution's packages that brought them along answer for them", Count: tried.Left,
		})
	}
	advice, err := bench.Advise(s, tried)
	if err != nil {
		return err
	}
	rebase, err := bench.Rebase(s, tried, b.known)
	b.advice = append(append(b.advice, rebase...), advice...)
	slices.SortStableFunc(b.advice, assay.ByGain)
	return err
}

// imageName is what an image is called whatever its build: the repository where a reference is known, the path otherwise.
func imageName(img *fact.Image, arg string) string {
	reference := img.Reference
	if reference == "" {
		return path.Clean(filepath.ToSlash(arg))
	}
	name, _, _ := strings.Cut(reference, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}
