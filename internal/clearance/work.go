package clearance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/image"
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
	err := c.find(inner, &j.reference)
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

// find finds out what a reference names, and looks into it where that is not known.
func (c *Clearance) find(ctx context.Context, r *reference) error {
	if err := c.allowed(r); err != nil {
		return err
	}
	digest := r.digest
	if digest == "" {
		repository, err := c.Client.Repository(r.repository)
		if err != nil {
			return err
		}
		top, err := repository.Manifest(ctx, r.identifier())
		if err != nil {
			return err
		}
		c.counts.resolved.Add(1)
		digest = top.Digest
		// Only then: until the image is known, the one that the tag named before still is. Where it does not come to be known, that is known.
		defer c.keepTag(r, digest)
	}
	k := c.knownAs(r, digest)
	switch {
	case k == nil:
		return c.read(ctx, r, digest)
	case !k.until.IsZero() && c.Now().After(k.until):
		return c.askAgain(ctx, r, digest)
	}
	return nil
}

// read reads the image of a digest on all platforms, asks who vouches for it, judges it and keeps what it holds.
func (c *Clearance) read(ctx context.Context, r *reference, digest string) error {
	records, err := c.readPlatforms(ctx, r, digest)
	if err != nil {
		return err
	}
	return c.settle(ctx, r, digest, records, c.Now())
}

// settle asks who vouches for an image that was read, judges it and keeps what it holds.
func (c *Clearance) settle(ctx context.Context, r *reference, digest string, records []*hold.Record, read time.Time) error {
	on := &kept{Read: read}
	for _, record := range records {
		vouching, until, err := c.vouch(ctx, r, digest, &record.Image)
		if err != nil {
			return err
		}
		if !until.IsZero() && (on.Until.IsZero() || until.Before(on.Until)) {
			on.Until = until
		}
		if record.Image.Contents != nil {
			record.Image.Contents.Trust = nil
			c.Store.KeepImage(record)
			record.Image.Contents.Trust = vouching
		}
		on.Platforms = append(on.Platforms, keptPlatform{Key: hold.ImageKey(record.Name, &record.Image), Vouching: vouching})
	}
	c.judges <- struct{}{}
	k, err := c.judgeAll(records, digest)
	<-c.judges
	if err != nil {
		return err
	}
	k.read, k.until = on.Read, on.Until
	key := r.at(digest)
	c.keep(key, on)
	c.memory.put(key, k)
	return nil
}

// askAgain asks who vouches for an image that is kept.
func (c *Clearance) askAgain(ctx context.Context, r *reference, digest string) error {
	on := c.kept(r.at(digest))
	if on == nil {
		return c.read(ctx, r, digest)
	}
	var records []*hold.Record
	for i := range on.Platforms {
		record := c.Store.Image(on.Platforms[i].Key)
		if record == nil || record.Image.Contents == nil {
			return c.read(ctx, r, digest)
		}
		records = append(records, record)
	}
	return c.settle(ctx, r, digest, records, on.Read)
}

// readPlatforms reads the images of a digest: what an index has for none of the platforms cannot run, and is not judged.
func (c *Clearance) readPlatforms(ctx context.Context, r *reference, digest string) ([]*hold.Record, error) {
	platforms := c.Platforms
	if len(platforms) == 0 {
		platforms = []string{""}
	}
	var records []*hold.Record
	var elsewhere error
	for _, platform := range platforms {
		record, err := c.readImage(ctx, r, digest, platform)
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

func (c *Clearance) readImage(ctx context.Context, r *reference, digest, platform string) (*hold.Record, error) {
	o := image.Options{Platform: platform, Registry: c.Client, Stored: c.Stored}
	if k := c.Store.Keeper(c.Program); k != nil {
		o.Keeper = k
	}
	begun := c.Now()
	img, coverage, err := image.ReadReference(ctx, r.repository.Digest(digest), o)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	c.counts.read(c.Now().Sub(begun))
	for n := range coverage.Gaps {
		coverage.Gaps[n].Kinds = []string{fact.ImageKind}
	}
	return &hold.Record{Image: *img, Name: r.repository.Name(), Coverage: verdict.Coverage{Gaps: coverage.Gaps}, Catalogued: c.Now().UTC(), By: c.Version}, nil
}
