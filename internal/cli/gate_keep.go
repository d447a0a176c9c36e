package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/coaming/coaming/internal/certificate"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/install"
	"github.com/coaming/coaming/internal/reconcile"
	"github.com/coaming/coaming/internal/verdict"
)

// certificateFlags say where the gate's certificates come from in a cluster.
type certificateFlags struct {
	folder string
	names  []string
	life   time.Duration
}

func (f *certificateFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.folder, "certificates", "", "in place of --tls-cert and --tls-key, a `FOLDER` with tls.crt and tls.key: a certificate, or an authority that they are made of")
	flags.StringSliceVar(&f.names, "certificate-name", []string{"coaming-gate." + install.Namespace + ".svc"}, "the `NAMES` that certificates are made for, where the folder holds an authority")
	flags.DurationVar(&f.life, "certificate-life", certificate.LeafLife, "how long these hold; at two thirds of it the next is made")
}

func (f *certificateFlags) check(files bool) []error {
	var errs []error
	if f.folder != "" && files {
		errs = append(errs, errors.New("--certificates stands in place of --tls-cert and --tls-key"))
	}
	if f.life < 5*time.Second {
		errs = append(errs, errors.New("--certificate-life: less than 5s"))
	}
	if len(f.names) == 0 {
		errs = append(errs, errors.New("--certificate-name: no name"))
	}
	return errs
}

func (f *certificateFlags) keeper(env *Env, log *slog.Logger) *certificate.Keeper {
	o := certificate.Options{Names: f.names, Life: f.life, Now: env.Now, Log: log}
	o.Certificate, o.Key = certificate.In(f.folder)
	return certificate.NewKeeper(o)
}

// certificateEnd writes when the certificate that is served ends, as a figure.
func certificateEnd(k *certificate.Keeper) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "# TYPE coaming_gate_certificate_end_seconds gauge\ncoaming_gate_certificate_end_seconds %d\n", k.End().Unix())
		return err
	}
}

// keepFlags say what the gate keeps in the cluster.
type keepFlags struct {
	on, repair bool
	// guarded holds the objects that who installs keeps, rights the names that the gate may write, by resource.
	guarded, rights string
	mounts          []string
}

func (f *keepFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.on, "keep", false, "keep in the cluster what the plan has the API server enforce by itself; of several gates one does")
	flags.StringVar(&f.guarded, "guarded", "", "with --keep: a `FILE` of objects to tell of when somebody edits or deletes them")
	flags.StringVar(&f.rights, "rights", "", "with --keep: a `FILE` of the names that may be written, by resource; what others the plan needs is told (any may, without)")
	flags.StringArrayVar(&f.mounts, "mounted", nil, "with --keep: a `CONFIGMAP=FOLDER` that the files are mounted from; while they lag behind it, nothing is kept; may be given several times")
	flags.BoolVar(&f.repair, "repair", false, "with --guarded: restore them")
}

func (f *keepFlags) check(offline bool) []error {
	var errs []error
	if f.on && offline {
		errs = append(errs, errors.New("--keep: --offline asks no cluster"))
	}
	if !f.on && (f.guarded != "" || f.rights != "" || f.repair || len(f.mounts) > 0) {
		errs = append(errs, errors.New("--guarded, --rights, --mounted and --repair go with --keep"))
	}
	for _, text := range f.mounts {
		if name, folder, found := strings.Cut(text, "="); !found || name == "" || folder == "" {
			errs = append(errs, &verdict.RemedyError{Err: fmt.Errorf("--mounted %q", text), Remedy: "Write CONFIGMAP=FOLDER."})
		}
	}
	return errs
}

const remedyWritten = "Run 'coaming install' again: it writes the file."

// readGuarded are the objects of --guarded; none where it is not given.
func (f *keepFlags) readGuarded() ([]*install.Object, error) {
	if f.guarded == "" {
		return nil, nil
	}
	text, err := readBounded(f.guarded)
	if err != nil {
		return nil, fmt.Errorf("--guarded: %w", err)
	}
	list, err := install.Parse(text)
	if err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("--guarded %s: %w", f.guarded, err), Remedy: remedyWritten}
	}
	return list, nil
}

// readRights are the names of --rights by resource; nil where it is not given.
func (f *keepFlags) readRights() (map[string][]string, error) {
	if f.rights == "" {
		return nil, nil
	}
	text, err := readBounded(f.rights)
	if err != nil {
		return nil, fmt.Errorf("--rights: %w", err)
	}
	names := map[string][]string{}
	if err := yaml.UnmarshalStrict([]byte(text), &names); err != nil {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("--rights %s: %w", f.rights, err), Remedy: remedyWritten}
	}
	return names, nil
}

// mounted are the ConfigMaps of --mounted.
func (f *keepFlags) mounted() (list []reconcile.Mount) {
	for _, text := range f.mounts {
		name, folder, _ := strings.Cut(text, "=")
		list = append(list, reconcile.Mount{ConfigMap: name, Folder: folder})
	}
	return list
}

// keepNative adds the reconciler to the gate's parts, and its figures to the gate's.
func (l *gateLoader) keepNative(o *gate.Options, log *slog.Logger) error {
	cluster, err := l.options(l.env)
	if err != nil {
		return err
	}
	host, _ := os.Hostname() // a name of the pod's is better, and the cluster gives one
	w := &wanting{loader: l, changes: l.changes()}
	cluster.Config.Timeout = 0 // watches are long
	r, err := reconcile.New(reconcile.Options{
		Config: cluster.Config, Namespace: cmp.Or(l.env.Getenv("POD_NAMESPACE"), install.Namespace), Identity: cmp.Or(l.env.Getenv("POD_NAME"), host, "gate"),
		Wanted: w.wanted, Changed: loads(o), Repair: l.keep.repair, Mounts: l.keep.mounted(), Log: log, Now: l.env.Now,
	})
	if err != nil {
		return err
	}
	o.Parts = append(o.Parts, r.Run)
	o.Figures = append(o.Figures, func(w io.Writer) error { return kept(w, r.Counts()) })
	return nil
}

// loads tells each time that the gate has loaded what it decides by: what is kept may then be another, too.
func loads(o *gate.Options) <-chan struct{} {
	loaded, load := make(chan struct{}, 1), o.Load
	o.Load = func(ctx context.Context) (*gate.Ruling, error) {
		r, err := load(ctx)
		select {
		case loaded <- struct{}{}:
		default: // it has not been heard of the last one yet
		}
		return r, err
	}
	return loaded
}

// wanting reads what is to be kept, anew when its files have changed.
type wanting struct {
	loader  *gateLoader
	changes *changes
	mu      sync.Mutex
	last    *reconcile.Wanted
}

func (w *wanting) wanted(ctx context.Context) (*reconcile.Wanted, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if changed := w.changes.Changed(); w.last != nil && !changed {
		return w.last, nil
	}
	r, err := w.loader.read(ctx)
	if err != nil {
		return nil, err
	}
	next := &reconcile.Wanted{Plan: r.plan, Exceptions: r.Exceptions, Settings: r.Settings, Lifetime: r.Lifetime, Guarded: r.guarded}
	if next.Writable, err = w.loader.keep.readRights(); err != nil {
		return nil, err
	}
	if next.Undone, err = r.undone(); err != nil {
		return nil, err
	}
	for _, one := range r.rules {
		next.Rules = append(next.Rules, one.Rule)
	}
	w.last = next
	return next, nil
}

// kept writes what a reconciler has done as figures.
func kept(w io.Writer, c reconcile.Counts) error {
	var b bytes.Buffer
	leading := 0
	if c.Leading {
		leading = 1
	}
	fmt.Fprintf(&b, "# TYPE coaming_keeper_leading gauge\ncoaming_keeper_leading %d\n", leading)
	fmt.Fprintf(&b, "# TYPE coaming_keeper_wanted gauge\ncoaming_keeper_wanted %d\n", c.Wanted)
	fmt.Fprintf(&b, "# TYPE coaming_keeper_drifting gauge\ncoaming_keeper_drifting %d\n", len(c.Drift))
	fmt.Fprintf(&b, "# TYPE coaming_keeper_undone gauge\ncoaming_keeper_undone %d\n", len(c.Undone))
	fmt.Fprintf(&b, "# TYPE coaming_keeper_unlisted gauge\ncoaming_keeper_unlisted %d\n", len(c.Unlisted))
	fmt.Fprintf(&b, "# TYPE coaming_keeper_failed_total counter\ncoaming_keeper_failed_total %d\n", c.Failed)
	for _, list := range []struct {
		name   string
		counts map[string]uint64
	}{{"written", c.Written}, {"restored", c.Restored}, {"pruned", c.Pruned}, {"fought", c.Fought}} {
		fmt.Fprintf(&b, "# TYPE coaming_keeper_%s_total counter\n", list.name)
		for _, kind := range slices.Sorted(maps.Keys(list.counts)) {
			fmt.Fprintf(&b, "coaming_keeper_%s_total{kind=%q} %d\n", list.name, kind, list.counts[kind])
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}
