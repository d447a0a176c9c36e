package clearance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/image"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/verdict"
)

// work looks into one image after the other.
func (c *Clearance) work(ctx context.Context) error {
	for {
		j := c.queue.next(ctx)
		if j == nil {
			return ctx.Err()
		}
		c.lookInto(ctx, j)
	}
}

// lookInto looks into one image, whatever it does: an image that was made to break the reader costs itself alone.
func (c *Clearance) lookInto(ctx context.Context, j *job) {
	defer c.queue.finish(j)
	defer func() {
		if broken := recover(); broken != nil {
			c.fail(j, fmt.Errorf("reading it broke off: %v", broken))
		}
	}()
	inner, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	err := c.visit(inner, &j.reference)
	switch {
	case err == nil:
		c.forgive(j.key)
	case ctx.Err() != nil: // the gate ends
	case inner.Err() != nil:
		c.fail(j, fmt.Errorf("it took over %s: %w", c.Timeout, err))
	default:
		c.fail(j, err)
	}
}

// visit is one image that a worker looks into.
type visit struct {
	*Clearance
	*reference

	client *registry.Client
	digest string // of the manifest, or of the index of the platforms' manifests
}

// visit finds out what a reference names, and looks into it where that is not known.
func (c *Clearance) visit(ctx context.Context, r *reference) error {
	if err := c.allowed(r); err != nil {
		return err
	}
	client, err := c.connection.client()
	if err != nil {
		return err
	}
	v := &visit{Clearance: c, reference: r, client: client, digest: r.digest}
	if v.digest == "" {
		if v.digest, err = v.resolve(ctx); err != nil {
			return err
		}
		// Only then: until the image is known, the one that the tag named before still is. Where it does not come to be known, that is known.
		defer c.keepTag(r, v.digest)
	}
	k := c.knownAs(ctx, r, v.digest)
	switch {
	case k == nil:
		return v.read(ctx)
	case !k.until.IsZero() && c.Now().After(k.until):
		return v.askAgain(ctx)
	}
	return nil
}

// resolve asks what the tag names.
func (v *visit) resolve(ctx context.Context) (string, error) {
	repository, err := v.client.Repository(v.repository)
	if err != nil {
		return "", err
	}
	top, err := repository.Manifest(ctx, v.tag)
	if err != nil {
		return "", err
	}
	v.counts.resolved.Add(1)
	return top.Digest, nil
}

// read reads the image on all platforms, asks who vouches for it, judges it and keeps what it holds.
func (v *visit) read(ctx context.Context) error {
	records, err := v.readPlatforms(ctx)
	if err != nil {
		return err
	}
	return v.settle(ctx, records, v.Now())
}

// settle asks who vouches for an image that was read, judges it and keeps what it holds.
func (v *visit) settle(ctx context.Context, records []*hold.Record, read time.Time) error {
	on := &kept{Read: read}
	for _, record := range records {
		vouching, until, err := v.vouch(ctx, &record.Image)
		if err != nil {
			return err
		}
		if !until.IsZero() && (on.Until.IsZero() || until.Before(on.Until)) {
			on.Until = until
		}
		if record.Image.Contents != nil {
			record.Image.Contents.Trust = nil
			v.Store.KeepImage(record)
			record.Image.Contents.Trust = vouching
		}
		on.Platforms = append(on.Platforms, keptPlatform{Key: hold.ImageKey(record.Name, &record.Image), Vouching: vouching})
	}
	v.judges <- struct{}{}
	k, err := v.judgeAll(records, v.digest)
	<-v.judges
	if err != nil {
		return err
	}
	k.read, k.until = on.Read, on.Until
	key := v.at(v.digest)
	v.keep(key, on)
	v.memory.put(key, k)
	return nil
}

// askAgain asks who vouches for an image that is kept.
func (v *visit) askAgain(ctx context.Context) error {
	on := v.kept(v.at(v.digest))
	if on == nil {
		return v.read(ctx)
	}
	var records []*hold.Record
	for i := range on.Platforms {
		record := v.Store.Image(on.Platforms[i].Key)
		if record == nil || record.Image.Contents == nil {
			return v.read(ctx)
		}
		records = append(records, record)
	}
	return v.settle(ctx, records, on.Read)
}

// readPlatforms reads the images of a digest: what an index has for none of the platforms cannot run, and is not judged.
func (v *visit) readPlatforms(ctx context.Context) ([]*hold.Record, error) {
	platforms := v.Platforms
	if len(platforms) == 0 {
		platforms = []string{""}
	}
	var records []*hold.Record
	var elsewhere error
	for _, platform := range platforms {
		record, err := v.readImage(ctx, platform)
		switch {
		case errors.Is(err, image.ErrOtherPlatform):
			elsewhere = err
		case err != nil:
			return nil, err
		case len(records) > 0 && records[0].Image.Digest == record.Image.Digest:
		default:
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil, elsewhere
	}
	return records, nil
}

func (v *visit) readImage(ctx context.Context, platform string) (*hold.Record, error) {
	o := image.Options{Platform: platform, Registry: v.client, Stored: v.Stored}
	if k := v.Store.Keeper(v.Program); k != nil {
		o.Keeper = k
	}
	begun := v.Now()
	img, coverage, err := image.ReadReference(ctx, v.repository.Digest(v.digest), o)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	v.counts.read(v.Now().Sub(begun))
	for n := range coverage.Gaps {
		coverage.Gaps[n].Kinds = []string{fact.ImageKind}
	}
	return &hold.Record{Image: *img, Name: v.repository.Name(), Coverage: verdict.Coverage{Gaps: coverage.Gaps}, Catalogued: v.Now().UTC(), By: v.Version}, nil
}
