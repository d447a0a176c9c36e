package source

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/verdict"
)

// built is an overlay after its turn.
type built struct {
	k       *kustomization
	reading *Reading
	whole   bool // what could be built was
}

// buildAll builds the roots. Of those that do not build, the objects that no other overlay shows
// are judged as they stand.
func (p *plan) buildAll(ctx context.Context, roots []*kustomization) ([]*Reading, error) {
	var all []built
	shown := map[string]bool{}
	for _, k := range roots {
		b := built{k: k, reading: &Reading{}}
		b.reading.Coverage.Sources = []string{k.source()}
		var digest []byte
		if p.o.Memo != nil {
			digest = p.o.disk.digestOverlays(k)
		}
		if known := p.o.Memo.build(k.dir, digest); known != nil {
			b.reading, b.whole = known, true
		} else if err := p.build(ctx, &b); err != nil {
			return nil, err
		} else if b.whole {
			p.o.Memo.keepBuild(finished{k.dir, digest, b.reading})
		}
		if b.whole {
			k.resources(map[*kustomization]bool{}, func(_, path string) { shown[path] = true })
		}
		all = append(all, b)
	}
	for i := range p.files {
		if in := &p.files[i]; !in.dropped {
			shown[p.realOf(in.path)] = true
		}
	}
	readings := make([]*Reading, 0, len(all))
	for _, b := range all {
		if !b.whole {
			p.asTheyStand(ctx, &b, shown)
		}
		readings = append(readings, b.reading)
	}
	return readings, nil
}

// resources calls visit for every file of objects that the kustomization leads to.
func (k *kustomization) resources(seen map[*kustomization]bool, visit func(file, path string)) {
	if seen[k] {
		return
	}
	seen[k] = true
	for _, e := range k.entries {
		switch {
		case e.sub != nil && e.role != asPlugin:
			e.sub.resources(seen, visit)
		case e.role == asResource && e.path != "" && e.sub == nil:
			visit(k.shown(e), e.path)
		}
	}
}

// shown is an entry's path from where the user stands, however the kustomization walks there.
func (k *kustomization) shown(e entry) string {
	if filepath.IsAbs(e.text) {
		return e.path
	}
	return filepath.Join(k.dir, filepath.FromSlash(e.text))
}

// asTheyStand reads the resources of an overlay that does not build. Its gap says that what the
// overlay makes of them is not known.
func (p *plan) asTheyStand(ctx context.Context, b *built, shown map[string]bool) {
	b.k.resources(map[*kustomization]bool{}, func(file, path string) {
		if shown[path] {
			return
		}
		shown[path] = true
		info, err := os.Stat(path)
		if err != nil || info.IsDir() {
			return
		}
		r, err := p.o.read(ctx, &input{path: file, size: info.Size()})
		if err == nil {
			b.reading.Join(r)
		}
	})
}

// building is held while kustomize works; once a build was left to itself no other may begin, for
// the two would share kustomize's global variables.
var building struct {
	sync.Mutex
	abandoned bool
}

// build builds one root. What goes wrong is a gap; only an ended context is an error.
func (p *plan) build(ctx context.Context, b *built) error {
	k, r := b.k, b.reading
	fs := &checkedFS{FileSystem: filesys.MakeFsOnDisk(), files: map[string][]byte{}, disk: p.o.disk}
	if !p.check(k, r, fs) {
		return ctx.Err()
	}
	building.Lock()
	defer building.Unlock()
	if building.abandoned {
		r.gap(k.failure(errors.New("an overlay before it did not come to an end")))
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, p.o.BuildTime)
	defer cancel()
	made, err := attempt(limited, func() (resmap.ResMap, error) {
		return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, k.real)
	})
	if limited.Err() != nil && made == nil {
		building.abandoned = true
		if ctx.Err() != nil {
			return fmt.Errorf("build %s: %w", k.dir, ctx.Err())
		}
		err = limited.Err()
	}
	if err == nil {
		err = k.take(r, made)
	}
	if err != nil {
		r.Objects = nil
		r.gap(p.failed(k, err))
		return nil
	}
	b.whole = true
	r.Coverage.Files += len(fs.read)
	return nil
}

// check tells the gaps of the kustomization and of those it leads to, and gives kustomize its files.
// It says whether there is anything that can be built as it is meant.
func (p *plan) check(k *kustomization, r *Reading, fs *checkedFS) bool {
	buildable := true
	reached := map[*kustomization]bool{}
	k.reach(reached)
	for _, sub := range sorted(reached) {
		for _, g := range sub.gaps {
			g.Location.Source = k.source()
			r.gap(g)
		}
		if sub.broken {
			buildable = false
			continue
		}
		content, err := sub.content()
		if err != nil {
			r.gap(k.failure(err))
			buildable = false
			continue
		}
		fs.files[realPath(sub.file)] = content
	}
	return buildable
}

// content is the kustomization as kustomize gets it: without what is not there, and every path
// marked as one.
func (k *kustomization) content() ([]byte, error) {
	f := k.fields
	f.Resources = slices.DeleteFunc(slices.Clone(f.Resources), func(s string) bool { return s == "" })
	content, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("write kustomization: %w", err)
	}
	return content, nil
}

// take makes objects of what was built.
func (k *kustomization) take(r *Reading, made resmap.ResMap) error {
	came := provenanceOf(k)
	origins := map[string]*fact.Origin{}
	for _, res := range made.Resources() {
		content, err := builtText(res)
		if err != nil {
			return err
		}
		docs, errs := document.Read(document.NewText(own(content)), 1)
		file := ""
		if len(docs) == 1 {
			file = came.file(fact.NewObject(docs[0].Root(), nil))
		}
		file = filepath.ToSlash(cmp.Or(file, k.dir))
		origin := origins[file]
		if origin == nil {
			origin = &fact.Origin{Source: k.source(), File: file, Rendered: true}
			origins[file] = origin
		}
		r.takeAs(docs, errs, intake{origin: origin, rendered: true})
	}
	return nil
}

// failure is the gap of an overlay that does not build.
func (k *kustomization) failure(err error) verdict.Gap {
	g := verdict.Gap{
		Code:     verdict.GapRender,
		Location: place(k.origin(k.file)),
		Message:  "the overlay does not build: " + oneLine(err.Error(), k.real, k.dir),
		Remedy:   fmt.Sprintf("Mend it; 'kustomize build %s' fails the same way.", k.dir),
	}
	if strings.Contains(err.Error(), "security; file") {
		g.Remedy = "Move the file below the kustomization, or scan the output of 'kustomize build --load-restrictor LoadRestrictionsNone'."
	}
	return g
}

func (p *plan) failed(k *kustomization, err error) verdict.Gap {
	g := k.failure(err)
	if errors.Is(err, context.DeadlineExceeded) {
		g.Message = fmt.Sprintf("the overlay was not built in %s", p.o.BuildTime)
		g.Remedy = "Build it elsewhere and scan the output."
	}
	return g
}

// checkedFS is the disk for kustomize, read only, with the kustomizations as they were checked.
type checkedFS struct {
	filesys.FileSystem
	files map[string][]byte
	disk  disk
	read  []string
}

var errReadOnly = errors.New("nothing is written")

// ReadFile gives a file's content.
func (fs *checkedFS) ReadFile(path string) ([]byte, error) {
	if content, checked := fs.files[filepath.Clean(path)]; checked {
		fs.read = append(fs.read, path)
		return slices.Clone(content), nil
	}
	if isKustomization(filepath.Base(path)) {
		return nil, fmt.Errorf("read %s: %w", path, os.ErrNotExist) // one that was not checked is not there
	}
	content, err := fs.disk.read(path, maxResource)
	if err != nil {
		return nil, err
	}
	fs.read = append(fs.read, path)
	if strings.Contains(content, "&") && strings.Contains(content, "*") && isManifest(path) {
		// Anchors: our own reader knows when they expand beyond all bounds.
		if _, errs := document.Read(document.NewText(content), 1); len(errs) > 0 && errs[0].Code != document.CodeTemplate {
			return nil, fmt.Errorf("read %s: %w", path, errs[0])
		}
	}
	return []byte(content), nil
}

// Create, Mkdir, MkdirAll, RemoveAll and WriteFile refuse.
func (fs *checkedFS) Create(string) (filesys.File, error) { return nil, errReadOnly }
func (fs *checkedFS) Mkdir(string) error                  { return errReadOnly }
func (fs *checkedFS) MkdirAll(string) error               { return errReadOnly }
func (fs *checkedFS) RemoveAll(string) error              { return errReadOnly }
func (fs *checkedFS) WriteFile(string, []byte) error      { return errReadOnly }
