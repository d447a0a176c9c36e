package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/verdict"
)

// askFlags say which index of advisories is asked, and how old it may be.
type askFlags struct {
	dbFlags
	maxAge int // days; 0 is any
}

func (f *askFlags) register(flags *pflag.FlagSet) {
	f.dbFlags.register(flags)
	flags.IntVar(&f.maxAge, "db-max-age", advisory.MostDays, "by an index that is older than so many `DAYS` what passes is unknown; 0 takes any age")
}

func (f *askFlags) check() error {
	if f.maxAge < 0 {
		return fmt.Errorf("--db-max-age: %d is below 0", f.maxAge)
	}
	return nil
}

// staleGap is the gap that an index leaves which is too old. It hides packages, and nothing else that rules are about.
func staleGap(path, why string) verdict.Gap {
	return verdict.Gap{
		Code: verdict.GapStale, Location: verdict.Location{Source: "advisories", File: path}, Message: why,
		Remedy: "Fetch a newer index with 'coaming db update', or say with --db-max-age how many days old it may be.", Kinds: []string{"Package"},
	}
}

// advisoryFlags say which advisories are asked, and which statements suppress.
type advisoryFlags struct {
	askFlags
	vex      []string
	products []string
}

func (f *advisoryFlags) register(flags *pflag.FlagSet) {
	f.askFlags.register(flags)
	flags.StringArrayVar(&f.vex, "vex", nil, "excuse what this `FILE` of OpenVEX, CSAF or CycloneDX says does not apply; may be given several times")
	flags.StringArrayVar(&f.products, "product", nil, "the image is this `PRODUCT` of --vex, too: a package URL; may be given several times")
}

// bench is the advisories, laid open for packages to be put to them.
type bench struct {
	*assay.Bench

	gaps  []verdict.Gap // that the index leaves by its age
	close func() error
}

// openBench opens the index of advisories and the statements. The default index need not be there: without one everything is unknown.
func (f *advisoryFlags) openBench(env *Env) (*bench, error) {
	var vex []advisory.Statement
	var errs []error
	for _, file := range f.vex {
		statements, err := readVEX(file)
		vex, errs = append(vex, statements...), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	path, err := f.installed(env)
	if err != nil {
		return nil, err
	}
	opened, end, err := clearance.OpenBench(path, env.Now(), f.maxAge, vex)
	if err != nil {
		return nil, err
	}
	b := &bench{Bench: opened, close: end}
	if why := opened.Stale(); why != "" {
		b.gaps = []verdict.Gap{staleGap(path, why)}
	}
	return b, nil
}

// installed is where the index stands that was named, or the one that is there; "" when none is.
func (f *advisoryFlags) installed(env *Env) (string, error) {
	path, err := f.file(env)
	if f.path == "" && (err != nil || !exists(path)) {
		return "", nil //nolint:nilerr // no index is no error: what it would answer is unknown
	}
	return path, err
}
