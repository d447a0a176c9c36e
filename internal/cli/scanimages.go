package cli

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// workloadImageFlags say whether a scan looks into the images that workloads run, and where it has them from.
type workloadImageFlags struct {
	registryFlags
	advisoryFlags
	holdFlags
	images      bool
	from        []string
	pullSecrets bool
}

func (f *workloadImageFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.images, "images", false, "look into the images that the workloads name, too: their registries are asked, each image once")
	flags.StringArrayVar(&f.from, "images-from", nil, "with --images: ask no registry, and take the images from this OCI layout, archive, or folder of such: `PATH`; may be given several times")
	flags.BoolVar(&f.pullSecrets, "image-pull-secrets", false, "with --images: log in to registries with the pull secrets that the manifests hold, each for the workloads that name it")
	f.add(flags)
	f.advisoryFlags.register(flags)
	f.holdFlags.register(flags)
	f.registerOff(flags)
}

func (f *workloadImageFlags) check() []error {
	errs := append(f.holdFlags.check(), f.askFlags.check())
	errs = append(errs, f.registryFlags.check(nil)...)
	if !f.images && (len(f.from) > 0 || f.pullSecrets) {
		errs = append(errs, errors.New("--images-from and --image-pull-secrets: they go with --images"))
	}
	if len(f.from) > 0 && f.pullSecrets {
		errs = append(errs, errors.New("--image-pull-secrets: with --images-from no registry is asked"))
	}
	return errs
}

// maxPulls is how many images are read at a time: each reads as many layers at once as there are cores.
const maxPulls = 2

// named is an image as workloads name it, with one place that does.
type named struct {
	reference string
	workload  *fact.Workload
	at        document.Value
}

// namedImages are the images that workloads name, each once by its reference, in order of their first place.
func namedImages(inventory *fact.Inventory) []named {
	var list []named
	seen := map[string]bool{}
	for _, part := range append([]*fact.Inventory{inventory}, inventory.Worlds...) {
		for _, w := range part.Workloads {
			for r := range w.References() {
				if !seen[r.Image] {
					seen[r.Image] = true
					list = append(list, named{r.Image, w, r.Value})
				}
			}
		}
	}
	return list
}

// look reads the images that the workloads of an inventory name and puts them to the advisories where these are asked. What cannot be read is a gap.
func (f *workloadImageFlags) look(ctx context.Context, env *Env, inventory *fact.Inventory, published bool, tell func(done, total int)) (*assayed, error) {
	r, err := f.puller(env, inventory)
	if err != nil {
		return nil, err
	}
	known, err := f.bases(env)
	if err != nil {
		return nil, err
	}
	b, err := f.newAssayed(env, published)
	if err != nil {
		return nil, err
	}
	b.known = known
	list := namedImages(inventory)
	pulled := make([]*pulledImage, len(list))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxPulls)
	finished := 0
	for i := range list {
		group.Go(func() error {
			pulled[i] = r.read(ctx, &list[i])
			r.mu.Lock()
			defer r.mu.Unlock()
			if finished++; tell != nil {
				tell(finished, len(list))
			}
			return ctx.Err()
		})
	}
	if err = group.Wait(); err == nil {
		err = b.addPulled(env, f.store(env), list, pulled)
	}
	return b, errors.Join(err, b.close())
}

// addPulled puts what was read to the advisories, each image once.
func (b *assayed) addPulled(env *Env, store *hold.Store, list []named, pulled []*pulledImage) error {
	judged := map[string]string{}
	b.found.Images, b.found.AtWorkloads = map[string]string{}, true
	for i, p := range pulled {
		if p.err != nil {
			b.coverage.Gaps = append(b.coverage.Gaps, imageGap(&list[i], p.err))
			continue
		}
		key := p.img.Digest + " " + p.img.ID
		if name, known := judged[key]; known && key != " " {
			b.found.Images[list[i].reference] = name
			continue
		}
		judged[key], b.found.Images[list[i].reference] = p.img.Name, p.img.Name
		s := &assay.Subject{Image: p.img, Name: p.name, Location: verdict.Location{Source: "image:" + p.img.Name, File: p.img.Name}}
		for n := range p.coverage.Gaps {
			p.coverage.Gaps[n].Kinds = []string{"Image"}
		}
		if err := b.add(s, p.coverage); err != nil {
			return err
		}
		store.KeepImage(recordOf(env, p.name, p.img, p.coverage))
	}
	b.coverage.Sources = nil // what was read is what names them
	return nil
}

// imageGap says that an image was not looked into.
func imageGap(of *named, err error) verdict.Gap {
	o := of.workload.Object
	l := verdict.Location{Source: o.Origin.Source, File: o.Origin.File, Rendered: o.Origin.Rendered}
	if !o.Origin.Served {
		l.Line, l.Column = of.at.Position()
	}
	return verdict.Gap{
		Code: verdict.GapUnreadable, Location: l, Message: fmt.Sprintf("the image %.200s was not read: %v", of.reference, err),
		Remedy: "Give its registry's settings and credentials (--registry-config, --auth-file), or save the image and name it with --images-from.", Kinds: []string{"Image"},
	}
}

// puller reads images that workloads name.
type puller struct {
	env     *Env
	flags   *workloadImageFlags
	options image.Options
	client  *registry.Client
	secrets map[string]*registry.Config // by namespace/name
	stores  []string                    // with --images-from

	mu       sync.Mutex
	byDigest map[string]*sync.Mutex
	whole    map[string]*pulledImage
}

type pulledImage struct {
	img      *fact.Image
	name     string
	coverage *verdict.Coverage
	err      error
}

func (f *workloadImageFlags) puller(env *Env, inventory *fact.Inventory) (*puller, error) {
	r := &puller{env: env, flags: f, byDigest: map[string]*sync.Mutex{}, whole: map[string]*pulledImage{}}
	if k := keeper(f.store(env)); k != nil {
		r.options.Keeper = k
	}
	for _, from := range f.from {
		stores, err := storesIn(from)
		if err != nil {
			return nil, err
		}
		r.stores = append(r.stores, stores...)
	}
	if len(f.from) > 0 {
		return r, nil
	}
	client, err := f.client(env, nil)
	if err != nil {
		return nil, err
	}
	r.client = client
	if f.pullSecrets {
		r.secrets, err = pullSecrets(inventory)
	}
	return r, err
}

// storesIn are the OCI layouts and archives at a path or in the folder that it is.
func storesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--images-from: %w", err)
	}
	if !info.IsDir() || exists(filepath.Join(path, "oci-layout")) {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("--images-from: %w", err)
	}
	var list []string
	for _, e := range entries {
		file := filepath.Join(path, e.Name())
		if e.Type().IsRegular() && filepath.Ext(file) == ".tar" || exists(filepath.Join(file, "oci-layout")) {
			list = append(list, file)
		}
	}
	if len(list) == 0 {
		return nil, &verdict.RemedyError{Err: fmt.Errorf("--images-from: %s holds no OCI layout and no .tar", path), Remedy: "Save images there with 'docker save -o NAME.tar REF'."}
	}
	return list, nil
}

// read reads one image.
func (r *puller) read(ctx context.Context, of *named) *pulledImage {
	ref, err := registry.ParseImage(of.reference)
	if err != nil {
		return &pulledImage{err: err}
	}
	name := ref.Context().Name()
	if r.client == nil {
		p := r.fromStores(ctx, of.reference, ref.Name())
		p.name = name
		return p
	}
	o := r.options
	o.Registry = r.client
	if own := r.secretsOf(of.workload); own != nil {
		// A client keeps what it was let in with: one workload's secrets must not open another's images.
		if r.client.Credentials != nil {
			own = append(own, r.client.Credentials)
		}
		o.Registry = &registry.Client{Credentials: own, Hosts: r.client.Hosts, UserAgent: r.client.UserAgent, Proxy: r.client.Proxy}
		defer o.Registry.Close()
	}
	head := o
	head.Documents = true
	about, _, err := image.ReadReference(ctx, ref, head)
	if err != nil {
		return &pulledImage{err: err}
	}
	// An image that two references name is read once; the second finds it.
	r.mu.Lock()
	lock := r.byDigest[about.Digest]
	if lock == nil {
		lock = &sync.Mutex{}
		r.byDigest[about.Digest] = lock
	}
	r.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	r.mu.Lock()
	done := r.whole[about.Digest]
	r.mu.Unlock()
	if done != nil {
		return done
	}
	p := &pulledImage{name: name}
	p.img, p.coverage, p.err = image.ReadReference(ctx, ref, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.whole[about.Digest] = p
	return p
}

// fromStores looks for an image by the names that archives may know it by.
func (r *puller) fromStores(ctx context.Context, names ...string) *pulledImage {
	for _, store := range r.stores {
		for _, name := range slices.Compact(slices.Clone(names)) {
			o := r.options
			o.Reference = name
			img, coverage, err := image.Read(ctx, store, o)
			switch {
			case err == nil:
				return &pulledImage{img: img, coverage: coverage}
			case !errors.Is(err, image.ErrNotInside):
				return &pulledImage{err: err}
			}
		}
	}
	return &pulledImage{err: errors.New("it is in none of --images-from")}
}

// pullSecrets are the credentials for registries among the objects that were read.
func pullSecrets(inventory *fact.Inventory) (map[string]*registry.Config, error) {
	list := map[string]*registry.Config{}
	var errs []error
	for _, o := range inventory.OfKind("Secret") {
		kind := o.Root.Get("type").Str()
		text := pullSecretText(o, kind)
		if text == nil {
			continue
		}
		config, err := registry.ParsePullSecret(kind, text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--image-pull-secrets: Secret %s/%s: %w", fact.Place(o.Namespace), o.Name, err))
			continue
		}
		list[fact.Place(o.Namespace)+"/"+o.Name] = config
	}
	return list, errors.Join(errs...)
}

// secretsOf are the credentials of a workload's pull secrets, in their order.
func (r *puller) secretsOf(w *fact.Workload) registry.Keychains {
	var list registry.Keychains
	for _, v := range w.Spec.Get("imagePullSecrets").Items() {
		if config := r.secrets[fact.Place(w.Object.Namespace)+"/"+v.Get("name").Str()]; config != nil {
			list = append(list, config)
		}
	}
	return list
}

// pullSecretText is what a secret holds for registries; nil when it is of another type or its values were not read.
func pullSecretText(o *fact.Object, kind string) []byte {
	key := map[string]string{registry.DockerConfigJSON: ".dockerconfigjson", registry.DockerConfig: ".dockercfg"}[kind]
	if key == "" {
		return nil
	}
	if plain := o.Root.At("stringData", key); plain.Exists() {
		return []byte(plain.Str())
	}
	text, err := base64.StdEncoding.DecodeString(o.Root.At("data", key).Str())
	if err != nil || len(text) == 0 {
		return nil
	}
	return text
}
