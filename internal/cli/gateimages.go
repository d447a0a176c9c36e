package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/clearance"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/trust"
)

// gateImageFlags say whether the gate looks into the images that pods name, and what that may cost.
type gateImageFlags struct {
	registryFlags
	advisoryFlags
	holdFlags
	images     bool
	registries []string
	platforms  []string
	trust      string
	bundles    []string
	workers    int
	queue      int
	memoryMiB  int64
	largestGiB int64
	timeout    time.Duration
	tagAge     time.Duration
}

func (f *gateImageFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.images, "images", false, "look into the images that pods name, before they are needed where that can be: their registries are asked")
	flags.StringSliceVar(&f.registries, "images-from-registry", nil, "with --images: ask these registries alone, `GLOBS` over REGISTRY/NAME (registry.example.com/*)")
	flags.StringSliceVar(&f.platforms, "platform", nil, "the platforms of the cluster's nodes: `OS/ARCH[/VARIANT]` (default linux on this machine's architecture)")
	flags.StringVar(&f.trust, "trust", "", "who must vouch for which images: a policy of trust, `FILE` (docs/trust.md)")
	flags.StringArrayVar(&f.bundles, "bundle", nil, "with --trust: read bundles of sigstore from this `FILE`, too; may be given several times")
	flags.IntVar(&f.workers, "image-workers", 1, "look into so many images at a time, each of which takes memory")
	flags.IntVar(&f.queue, "image-queue", 1000, "let so many images wait to be looked into")
	flags.Int64Var(&f.memoryMiB, "image-memory-mib", 32, "keep so many MiB of verdicts about images in memory; what there is more is judged again from --store")
	flags.Int64Var(&f.largestGiB, "image-largest-gib", 8, "read no image whose layers have more GiB, as they are stored")
	flags.DurationVar(&f.timeout, "image-timeout", 5*time.Minute, "read no longer than this of one image")
	flags.DurationVar(&f.tagAge, "tag-age", 5*time.Minute, "ask again what a tag names when the answer is this old; in the hour after it is believed no more if nobody could ask")
	f.addFiles(flags)
	f.askFlags.register(flags)
	flags.StringArrayVar(&f.vex, "vex", nil, "excuse what this `FILE` of OpenVEX, CSAF or CycloneDX says does not apply; may be given several times")
	f.holdFlags.register(flags)
	f.mostMiB = gateStoreMiB
	flags.Lookup("store-mib").DefValue = strconv.Itoa(gateStoreMiB)
}

// gateStoreMiB is how much the gate keeps of each kind when nobody says otherwise: all of them fit into half a GiB.
const gateStoreMiB = 96

// check lists every problem of the flags by themselves.
func (f *gateImageFlags) check() []error {
	errs := append(f.holdFlags.check(), f.registryFlags.check(nil)...)
	errs = append(errs, f.askFlags.check())
	for _, p := range f.platforms {
		if n := strings.Count(p, "/"); n != 1 && n != 2 {
			errs = append(errs, fmt.Errorf("--platform: %q is no platform like linux/arm64", p))
		}
	}
	for _, bound := range []struct {
		flag              string
		value, least, top int64
	}{
		{"image-workers", int64(f.workers), 1, 64}, {"image-queue", int64(f.queue), 1, 100_000}, {"image-memory-mib", f.memoryMiB, 1, 64 << 10}, {"image-largest-gib", f.largestGiB, 1, 1 << 10},
	} {
		if bound.value < bound.least || bound.value > bound.top {
			errs = append(errs, fmt.Errorf("--%s: want from %d to %d", bound.flag, bound.least, bound.top))
		}
	}
	if f.timeout < time.Second || f.timeout > time.Hour {
		errs = append(errs, errors.New("--image-timeout: want from 1s to 1h"))
	}
	if f.tagAge < time.Second || f.tagAge > time.Hour {
		errs = append(errs, errors.New("--tag-age: want from 1s to 1h"))
	}
	if !f.images && (f.trust != "" || len(f.registries)+len(f.platforms)+len(f.bundles) > 0) {
		errs = append(errs, errors.New("--trust, --bundle, --platform and --images-from-registry: they go with --images"))
	}
	if len(f.bundles) > 0 && f.trust == "" {
		errs = append(errs, errors.New("--bundle: it goes with --trust"))
	}
	return errs
}

// clearance is what looks into images; nil where nobody asked for it. Rules are given to it with its SetRules.
func (f *gateImageFlags) clearance(env *Env, plan func() *enforcement.Plan, log *slog.Logger) (*clearance.Clearance, error) {
	if !f.images {
		return nil, nil //nolint:nilnil // that images are not looked into is an answer
	}
	self, err := program()
	errs := []error{err}
	s := clearance.Settings{
		Connect: func() (*registry.Client, error) { return f.client(env, nil) }, Watched: f.watched(env),
		Registries: f.registries, Platforms: f.platforms, Store: f.gateStore(env), Program: self, Version: env.Version, Plan: plan, Log: log, Now: env.Now,
		Limits: clearance.Limits{
			Workers: f.workers, Queue: f.queue, Memory: f.memoryMiB << 20, Stored: f.largestGiB << 30, Timeout: f.timeout, TagAge: f.tagAge, TagLimit: f.tagAge + time.Hour,
		},
	}
	if s.IndexAge = f.maxAge; f.maxAge == 0 {
		s.IndexAge = -1 // of any age
	}
	if path, err := f.file(env); err == nil {
		s.Index = path // one that is not there yet may come
	}
	for _, file := range f.vex {
		var statements []advisory.Statement
		statements, err = readVEX(file)
		s.VEX, errs = append(s.VEX, statements...), append(errs, err)
	}
	if f.trust != "" {
		s.Policy, err = trust.LoadPolicy(f.trust, trust.Options{})
		errs = append(errs, err)
		s.Files, err = trust.OpenFiles(f.bundles)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return clearance.New(s)
}

// gateStore is where what images hold is kept; a gate has it for itself.
func (f *gateImageFlags) gateStore(env *Env) *hold.Store {
	dir := f.dir
	if dir == "" && env.CacheDir != "" {
		dir = filepath.Join(env.CacheDir, "gate")
	}
	if dir == "" {
		return nil
	}
	return &hold.Store{Dir: dir, Most: f.mostMiB << 20}
}

// watched are the files by which registries are asked: mounted Secrets and ConfigMaps change while the gate runs.
func (f *gateImageFlags) watched(env *Env) []string {
	list := []string{f.config, f.hosts, f.authFile}
	if f.authFile == "" {
		list = append(list, filepath.Join(cmp.Or(env.Getenv("DOCKER_CONFIG"), filepath.Join(env.Getenv("HOME"), ".docker")), "config.json"))
	}
	return list
}

// running is how often is looked which images pods run.
const running = 10 * time.Minute

// lookIntoImages lets the gate look into images beside its server: first those that pods run.
func (l *gateLoader) lookIntoImages(options *gate.Options) {
	if l.clearance == nil {
		return
	}
	options.Parts = append(options.Parts, l.clearance.Run)
	options.Figures = append(options.Figures, l.clearance.WriteMetrics)
	if l.watch != nil {
		options.Parts = append(options.Parts, func(ctx context.Context) error {
			return l.watch.Images(ctx, running, func(namespace string, images []string) {
				if plan := l.plans.Load(); !plan.Excludes(namespace) {
					l.clearance.Want(ctx, images, namespace)
				}
			})
		})
	}
}
