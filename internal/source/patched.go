package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/coaming/coaming/internal/document"
	"github.com/coaming/coaming/internal/fact"
)

// ReadObjects reads the objects of one file, as they are written there.
func ReadObjects(path string) ([]*fact.Object, error) {
	content, err := readRegular(path, maxResource)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	text, failed := document.Decode(content)
	if failed != nil {
		return nil, failed
	}
	docs, _ := document.Read(text, 1)
	var r Reading
	r.take(docs, nil, &fact.Origin{Source: "files", File: path})
	return r.Objects, nil
}

// ReadValues reads a file of one YAML document that is no object: a chart's values, a kustomization.
func ReadValues(path string) (*document.Doc, error) {
	content, err := readRegular(path, maxValues)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	text, failed := document.Decode(content)
	if failed != nil {
		return nil, failed
	}
	docs, errs := document.Read(text, 1)
	if len(errs) > 0 {
		return nil, errs[0]
	}
	if len(docs) != 1 {
		return nil, fmt.Errorf("read %s: it is not one document", path)
	}
	return docs[0], nil
}

// KustomizationFile is the kustomization of a directory; "" for none.
func KustomizationFile(dir string) string {
	for _, name := range kustomizationNames {
		path := join(dir, name)
		if _, err := readRegular(path, maxKustomization); err == nil {
			return path
		}
	}
	return ""
}

// Overlay is the kustomization that puts patches over files of objects.
func Overlay(patches []string, files ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- %s\n", strings.Join(files, "\n- "))
	if len(patches) > 0 {
		b.WriteString("patches:\n")
	}
	for _, p := range patches {
		b.WriteString("- patch: |-\n")
		for line := range strings.Lines(p) {
			b.WriteString("    " + line)
		}
		if !strings.HasSuffix(p, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// Patched are rendered objects with strategic merge patches over them, as kustomize builds them in memory.
func Patched(ctx context.Context, objects []*fact.Object, patches []string) ([]*fact.Object, error) {
	fs := filesys.MakeFsInMemory()
	var all strings.Builder
	origins := map[string]*fact.Origin{}
	for _, o := range objects {
		all.WriteString("---\n" + document.YAML(o.Root))
		origins[o.GroupKind()+" "+o.Namespace+" "+o.Name] = o.Origin
	}
	err := errors.Join(fs.WriteFile("rendered.yaml", []byte(all.String())), fs.WriteFile("kustomization.yaml", []byte(Overlay(patches, "rendered.yaml"))))
	if err != nil {
		return nil, fmt.Errorf("write overlay: %w", err)
	}
	building.Lock()
	defer building.Unlock()
	if building.abandoned {
		return nil, errors.New("an overlay before it did not come to an end")
	}
	made, err := attempt(ctx, func() (resmap.ResMap, error) {
		return krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, ".")
	})
	if err != nil {
		return nil, fmt.Errorf("build overlay: %w", err)
	}
	r := &Reading{}
	for _, res := range made.Resources() {
		content, err := builtText(res)
		if err != nil {
			return nil, err
		}
		docs, errs := document.Read(document.NewText(own(content)), 1)
		if len(errs) > 0 || len(docs) != 1 {
			return nil, fmt.Errorf("read what was built of %s", res.GetName())
		}
		o := fact.NewObject(docs[0].Root(), nil)
		o.Origin = cmp.Or(origins[o.GroupKind()+" "+o.Namespace+" "+o.Name], objects[0].Origin)
		r.Objects = append(r.Objects, o)
	}
	return r.Objects, nil
}
