package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

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
