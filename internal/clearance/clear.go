package clearance

import (
	"context"
	"fmt"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
)

// Clear says what is known of images at a place, one answer for each. It asks no registry. What is not known is queued, and
// waited for as long as the plan lets, never longer than the context. The findings are shared: nobody may change them.
func (c *Clearance) Clear(ctx context.Context, images []string, at enforcement.Place) []admission.Cleared {
	setting := c.Plan().ImagesAt(at)
	asks := requested
	if setting.Unseen == enforcement.UnseenWait && setting.Wait > 0 && !admission.IsDry(ctx) {
		asks = waited
	}
	list := make([]admission.Cleared, len(images))
	jobs := make([]*job, len(images))
	open := false
	room := true
	for i, image := range images {
		if !room || ctx.Err() != nil { // an object may name more images than anybody has time for
			list[i] = admission.Cleared{State: admission.Queued, Why: errFull.Error()}
			continue
		}
		list[i], jobs[i], room = c.answer(ctx, image, at.Namespace, asks)
		open = open || jobs[i] != nil && asks == waited
	}
	if open {
		c.wait(ctx, images, jobs, setting.Wait, list)
	}
	return list
}

// wait waits for images that others look into, and enters what is then known of them.
func (c *Clearance) wait(ctx context.Context, images []string, jobs []*job, patience time.Duration, list []admission.Cleared) {
	why := fmt.Sprintf("nobody has looked into it yet, though the request waited up to %s", patience)
	again, may := admission.Rest(ctx)
	if may {
		defer again()
	} else {
		patience, why = 0, "nobody has looked into it yet, and too many requests wait for images to wait for it"
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i, j := range jobs {
		if j == nil {
			continue
		}
		select {
		case <-j.done:
		case <-waiting.Done():
			c.counts.waitedInVain.Add(1)
		}
		c.queue.leave(j)
		if list[i] = c.recall(ctx, images[i]); list[i].State == admission.Queued {
			list[i].Why = why
		}
	}
}

// answer is what is known of one image; where nothing is, it is queued. Room is false where the queue takes no more.
func (c *Clearance) answer(ctx context.Context, image, namespace string, asks class) (known admission.Cleared, queued *job, room bool) {
	known = c.recall(ctx, image)
	c.counts.answers[known.State].Add(1)
	if known.State != admission.Queued {
		return known, nil, true
	}
	r, err := parse(image)
	if err != nil { // recall would have said so
		return admission.Cleared{State: admission.Failed, Why: err.Error()}, nil, true
	}
	if admission.IsDry(ctx) {
		known.Why = "nobody has looked into it yet, and a dry run has nobody do so"
		return known, nil, true
	}
	if queued, err = c.queue.add(r, namespace, asks); err != nil {
		known.Why = err.Error()
	}
	return known, queued, err == nil
}

// recall is what is known of one image, from memory or from the store.
func (c *Clearance) recall(ctx context.Context, image string) admission.Cleared {
	r, err := parse(image)
	if err == nil {
		err = c.allowed(&r)
	}
	if err != nil {
		return admission.Cleared{State: admission.Failed, Why: err.Error(), At: c.Now()}
	}
	queued := admission.Cleared{State: admission.Queued, Why: "nobody has looked into it yet"}
	digest := r.digest
	if digest == "" {
		t, found := c.tagOf(&r)
		if !found {
			return c.orFailure(&r, queued)
		}
		digest = t.Digest
		queued.Digest, queued.At = digest, t.At
		if age := c.Now().Sub(t.At); age > c.TagLimit {
			return c.orFailure(&r, admission.Cleared{State: admission.Queued, Why: fmt.Sprintf("what its tag names was asked for %s ago, too long to be believed", age.Round(time.Second))})
		}
	}
	k := c.knownAs(ctx, &r, digest)
	switch {
	case k == nil:
		return c.orFailure(&r, queued)
	case !k.until.IsZero() && c.Now().After(k.until.Add(grace)):
		queued.Why = "who vouches for it was asked too long ago"
		return c.orFailure(&r, queued)
	}
	return admission.Cleared{Digest: digest, Findings: k.findings, State: admission.Known, At: k.read}
}

// grace is how long what who vouches for an image said still counts while it is asked again.
const grace = 10 * time.Minute

// orFailure is an answer about an image of which nothing is known, unless it is known why.
func (c *Clearance) orFailure(r *reference, queued admission.Cleared) admission.Cleared {
	if why, at, failed := c.failed(r.key()); failed {
		queued.State, queued.Why, queued.At = admission.Failed, why, at
	}
	return queued
}

// Want queues images that somebody will ask for: those that pods in a namespace run. What is known already costs nothing.
func (c *Clearance) Want(ctx context.Context, images []string, namespace string) {
	for _, image := range images {
		_, _, _ = c.answer(ctx, image, namespace, running) // what finds no room is asked for when it is needed
	}
}
