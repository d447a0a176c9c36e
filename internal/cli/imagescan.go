package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/heap"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
)

// imageScanOptions is the configuration of one scan of images.
type imageScanOptions struct {
	imageFlags
	vouchFlags
	advisoryFlags
	judgeFlags
	holdFlags
	name      string
	base      string
	workloads []string
	stored    bool
	knownBad  string
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
	o.judgeFlags.register(cmd)
	flags.StringVar(&o.name, "name", "", "what the image is called in findings, without a tag: the repository's `NAME` (otherwise its reference's, or the path)")
	flags.StringVar(&o.base, "base", "", "the image is built on this one, DIR, ARCHIVE or REFERENCE, whose layers must be its lowest: `IMAGE`")
	flags.StringArrayVar(&o.workloads, "workloads", nil, "learn from these manifests, charts or overlays who runs the image and whether the internet leads there: `PATH`; may be given several times")
	flags.BoolVar(&o.stored, "stored", false, "judge what is stored of the images that are named, by name or digest; none is touched")
	flags.StringVar(&o.knownBad, "known-bad", "", "find the files of this list, a `FILE` with SHA256 [size=BYTES] NAME a line; with sizes only files of such a size are hashed")
	o.holdFlags.register(flags)
	o.registerOff(flags)
	return cmd
}

// check reports every problem of the options at once.
func (o *imageScanOptions) check(args []string) error {
	errs := append(o.imageFlags.check(args...), o.judgeFlags.check()...)
	errs = append(errs, o.holdFlags.check()...)
	errs = append(errs, o.askFlags.check())
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
	heap.Early() // before the rules and the index of advisories come on top of what the program's start touched
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
	defer func() { err = errors.Join(err, batch.close()) }()
	if o.stored {
		err = o.tryStored(env, batch, args)
	} else {
		err = o.try(ctx, env, batch, args)
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
	o.progressBar(env).clear()
	return exitWith(o.conclude(env, res, io.Discard))
}

// imageRules are the rules on images that were chosen.
func (o *imageScanOptions) imageRules(ctx context.Context, env *Env) ([]*rule.Compiled, []verdict.Exclusion, error) {
	rules, excluded, err := o.ruleFlags.load(ctx, env, nil)
	return slices.DeleteFunc(rules, func(r *rule.Compiled) bool { return r.Match.Fact != "image" }), excluded, err
}

// begin reads what is known of bases, and opens the advisories where they are asked.
func (o *imageScanOptions) begin(ctx context.Context, env *Env) (*assayed, error) {
	known, err := o.bases(env)
	if err != nil {
		return nil, err
	}
	given, err := o.givenBase(ctx, env)
	if err != nil {
		return nil, err
	}
	b, err := o.newAssayed(env, o.asksPublished())
	if err != nil {
		return nil, err
	}
	b.known, b.given = known, given
	return b, nil
}

// givenBase reads what --base names; nil where it names nothing.
func (o *imageScanOptions) givenBase(ctx context.Context, env *Env) (*fact.Image, error) {
	if o.base == "" {
		return nil, nil //nolint:nilnil // that none is named is no error
	}
	client, err := o.client(env, []string{o.base})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	img, _, err := image.Read(ctx, o.base, image.Options{Platform: o.Platform, Registry: client, Documents: true})
	if err != nil {
		return nil, fmt.Errorf("--base: %w", err)
	}
	return img, nil
}

// try reads the images one after the other and puts each to the advisories.
func (o *imageScanOptions) try(ctx context.Context, env *Env, b *assayed, args []string) error {
	done, err := o.open(env, args...)
	if err != nil {
		return err
	}
	defer done()
	o.watch(o.progressBar(env))
	heap.Shed()
	store := o.store(env)
	if k := keeper(store); k != nil {
		o.Keeper = k
	}
	for _, arg := range args {
		img, coverage, err := o.readOne(ctx, env, arg)
		if err != nil {
			return err
		}
		heap.Shed() // what reading wanted of the program, matching does not
		s := &assay.Subject{
			Image: img, Name: cmp.Or(o.name, imageName(img, arg)), Products: o.products,
			Location: verdict.Location{Source: "image:" + img.Name, File: filepath.ToSlash(arg)},
		}
		if err := b.add(s, coverage); err != nil {
			return err
		}
		if !o.attested && ctx.Err() == nil {
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
