package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/vulndb"
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

// standing is what reports tell of an index that is asked now.
func (f *askFlags) standing(env *Env, db *vulndb.DB) *verdict.Advisories {
	return db.About.Standing(env.Now(), f.maxAge)
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

	about *verdict.Advisories // nil where no index is there
	gaps  []verdict.Gap       // that the index leaves by its age
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
	today := env.Now().UTC().Format(time.DateOnly)
	db, err := f.installed(env)
	if err != nil {
		return nil, err
	}
	if db == nil {
		return &bench{Bench: assay.NewBench(nil, today, vex), close: func() error { return nil }}, nil
	}
	b := &bench{Bench: assay.NewBench(db.Index, today, vex), about: f.standing(env, db), close: db.Close}
	b.NoKEV = db.About.Exploited == 0
	if b.Stale = b.about.Stale; b.Stale != "" {
		b.gaps = []verdict.Gap{staleGap(db.Path, b.Stale)}
	}
	return b, nil
}

// installed is the index that was named, or the one that is there; nil when none is.
func (f *advisoryFlags) installed(env *Env) (*vulndb.DB, error) {
	if f.path == "" {
		path, err := f.file(env)
		if err != nil || !exists(path) {
			return nil, nil //nolint:nilerr,nilnil // no index is no error: what it would answer is unknown
		}
	}
	return f.open(env)
}
