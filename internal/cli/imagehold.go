package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/verdict"
)

// holdFlags say where what was catalogued is kept.
type holdFlags struct {
	dir     string
	off     bool
	mostMiB int64
}

func (f *holdFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.dir, "store", "", "keep what layers and images hold in this `DIR`; otherwise in the user's cache folder")
	flags.Int64Var(&f.mostMiB, "store-mib", hold.DefaultBytes>>20, "keep at most so many MiB of layers, and as many of images; what was not asked for longest goes first")
}

func (f *holdFlags) registerOff(flags *pflag.FlagSet) {
	flags.BoolVar(&f.off, "no-store", false, "keep nothing, and read every layer")
}

func (f *holdFlags) check() []error {
	var errs []error
	if f.mostMiB < 16 {
		errs = append(errs, fmt.Errorf("--store-mib: %d is less than 16", f.mostMiB))
	}
	if f.off && f.dir != "" {
		errs = append(errs, errors.New("--store: it does not go with --no-store"))
	}
	return errs
}

// store is the folder; nil when nothing is kept. Where continuous integration runs, what is in a cache that nobody named may be a
// stranger's.
func (f *holdFlags) store(env *Env) *hold.Store {
	if f.off || f.dir == "" && (env.CacheDir == "" || env.Getenv("CI") != "") {
		return nil
	}
	return &hold.Store{Dir: cmp.Or(f.dir, filepath.Join(env.CacheDir, "images")), Most: f.mostMiB << 20}
}

// bases are the images that are known as bases of others: --no-store keeps nothing, and is told what was kept on purpose.
func (f *holdFlags) bases(env *Env) (list []*fact.Image, err error) {
	known := *f
	known.off = false
	store := known.store(env)
	if store == nil {
		return nil, nil
	}
	err = store.Records(hold.Base, func(_ string, r *hold.Record) error {
		list = append(list, &r.Image)
		return nil
	})
	return list, err
}

// keeper is the one that images are read with; nil when nothing is kept, or the folder cannot be written.
func keeper(store *hold.Store) *hold.Keeper {
	self, err := program()
	if err != nil {
		return nil
	}
	return store.Keeper(self)
}

// recordOf is an image as it is kept.
func recordOf(env *Env, name string, img *fact.Image, coverage *verdict.Coverage) *hold.Record {
	return &hold.Record{Image: *img, Name: name, Coverage: *coverage, Catalogued: env.Now().UTC(), By: env.Version}
}

// tryStored puts the stored images of those names to the advisories.
func (o *imageScanOptions) tryStored(env *Env, b *assayed, names []string) error {
	store := o.store(env)
	if store == nil {
		return errNoStore
	}
	if exists(trustFile) {
		b.coverage.Exclusions = append(b.coverage.Exclusions, verdict.Exclusion{
			What: "who vouches for the images, which " + trustFile + " demands", Reason: "--stored: who vouches for an image is asked anew each time, and is not stored",
		})
	}
	found := map[string]bool{}
	err := store.Records(hold.Image, func(entry string, r *hold.Record) error {
		for _, name := range names {
			if meant(r, []string{name}) {
				found[name] = true
				if !found[entry] {
					found[entry] = true
					r.Image.Contents = store.GetContents(hold.ImageKey(r.Name, &r.Image), r.Image.Packages)
					return b.add(clearance.SubjectOf(r, o.products), &r.Coverage)
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
