package cli

import (
	"context"
	"strings"

	"github.com/coaming/coaming/internal/assay"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/registry"
)

// runners reads the workloads that were given and notes which of them run the images.
func (o *imageScanOptions) runners(ctx context.Context, env *Env, b *assayed) (*fact.Inventory, error) {
	if len(o.workloads) == 0 {
		return fact.NewInventory(nil, "", false), nil
	}
	files := sourceFlags{maxFile: 512, maxTotal: 1024}
	reading, err := files.read(ctx, env, o.workloads, nil, nil, o.progressBar(env).stage("reading"))
	if err != nil {
		return nil, err
	}
	inventory := fact.NewInventory(reading.Objects, catalog.Newest, reading.Live)
	b.found.Images = map[string]string{}
	for _, of := range namedImages(inventory) {
		for _, img := range b.images {
			if runs(of.reference, img) {
				b.found.Images[of.reference] = img.Image.Name
			}
		}
	}
	b.coverage.Gaps = append(b.coverage.Gaps, reading.Coverage.Gaps...)
	b.coverage.Files += reading.Coverage.Files
	b.coverage.Documents += reading.Coverage.Documents
	return inventory, nil
}

// runs says whether a container that names an image by a reference runs that image: by its digest, by the name and tag that it has, or,
// of one that has no tag, by its name.
func runs(reference string, s *assay.Subject) bool {
	if _, digest, found := strings.Cut(reference, "@"); found && s.Image.Digest != "" {
		return digest == s.Image.Digest
	}
	theirs, err := registry.ParseImage(reference)
	if err != nil {
		return false
	}
	if own, err := registry.ParseImage(s.Image.Reference); err == nil && s.Image.Reference != "" {
		return own.Name() == theirs.Name()
	}
	own, err := registry.ParseImage(s.Name)
	return err == nil && own.Context().Name() == theirs.Context().Name()
}
