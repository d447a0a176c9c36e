package clearance

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/hold"
)

// TestUnknownThenKnown asks about an image before and after somebody looked into it: no request asks the registry, and what
// is known is what scans say of it.
func TestUnknownThenKnown(t *testing.T) {
	b := newBed(t)
	image, digest := b.push("team/shop:1", "left@1.0.0", "right@1.0.0")
	c := b.clearance()
	for range 3 {
		if got := c.ask(image); got.State != admission.Queued || got.Why == "" || len(got.Findings) > 0 {
			t.Fatalf("before anybody looked: %+v", got)
		}
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("the request asked the registry: %q", asked)
	}
	if s := c.Stats(); s.Pending != 1 {
		t.Errorf("%d images wait, asked for one three times", s.Pending)
	}
	c.drain(t.Context())
	b.requests()
	for _, word := range []string{image, b.host + "/team/shop@" + digest, image + "@" + digest} {
		got := c.ask(word)
		if got.State != admission.Known || got.Digest != digest || told(got.Findings) != "CVE-2026-1, image-root-user" {
			t.Errorf("%s: %v %s %q %s", word, got.State, got.Why, told(got.Findings), got.Digest)
		}
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("what is known was asked for: %q", asked)
	}
	other, _ := b.push("other/shop:1", "left@1.0.0", "right@1.0.0")
	if got := c.ask(strings.Replace(other, ":1", "@"+digest, 1)); got.State != admission.Queued {
		t.Errorf("the same digest in a repository that nobody asked: %+v", got)
	}
}

// TestStoreOutlivesTheProcess starts anew on the same folder: everything is known and nothing is asked.
func TestStoreOutlivesTheProcess(t *testing.T) {
	b := newBed(t)
	image, digest := b.push("team/shop:1", "left@1.0.0")
	first := b.clearance()
	first.ask(image)
	first.drain(t.Context())
	want := first.ask(image)
	b.requests()
	if got := b.clearance().ask(image); got.State != admission.Known || got.Digest != digest || told(got.Findings) != told(want.Findings) || told(got.Findings) == "" {
		t.Errorf("after a new start: %+v", got)
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("what is on disk was asked for: %q", asked)
	}
	if got := b.clearance(func(s *Settings) { s.Program = "another" }).ask(image); got.State != admission.Queued {
		t.Errorf("another build, which may see more, takes what this one saw: %+v", got)
	}
	// What is damaged is not there, and is read again.
	err := filepath.WalkDir(filepath.Join(b.dir, "store", string(hold.Image)), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.WriteFile(path, []byte("damaged"), 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	c := b.clearance()
	if got := c.ask(image); got.State != admission.Queued {
		t.Fatalf("of a damaged store: %+v", got)
	}
	c.drain(t.Context())
	if got := c.ask(image); told(got.Findings) != told(want.Findings) {
		t.Errorf("read again: %+v", got)
	}
}

// TestNewIndexJudgesAgain replaces the index: what is known is judged by the new one, and no image is touched. A broken one
// does not take the place of one that is whole.
func TestNewIndexJudgesAgain(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0", "right@1.0.0")
	c := b.clearance()
	c.ask(image)
	c.drain(t.Context())
	b.requests()
	b.advisories(leftIsFlawed, rightIsFlawed)
	c.tend(t.Context())
	if got := c.ask(image); told(got.Findings) != "CVE-2026-1, CVE-2026-2, image-root-user" {
		t.Errorf("by the new index: %q", told(got.Findings))
	}
	if err := os.WriteFile(b.index(), []byte("no index"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.tend(t.Context())
	if got := c.ask(image); told(got.Findings) != "CVE-2026-1, CVE-2026-2, image-root-user" || c.Stats().Unopened != 1 {
		t.Errorf("after a broken index: %q, %+v", told(got.Findings), c.Stats())
	}
	b.advisories(rightIsFlawed)
	c.tend(t.Context())
	if got := c.ask(image); told(got.Findings) != "CVE-2026-2, image-root-user" {
		t.Errorf("by the third index: %q", told(got.Findings))
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("an image was touched: %q", asked)
	}
}

// TestNoIndexIsUnknown has no index: what is read is unknown, never clean, until there is one.
func TestNoIndexIsUnknown(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	if err := os.Remove(b.index()); err != nil {
		t.Fatal(err)
	}
	c := b.clearance()
	c.ask(image)
	c.drain(t.Context())
	if got := c.ask(image); told(got.Findings) != "image-root-user, vulnerable-package unknown" {
		t.Errorf("without an index: %q", told(got.Findings))
	}
	b.advisories(leftIsFlawed)
	c.tend(t.Context())
	if got := c.ask(image); told(got.Findings) != "CVE-2026-1, image-root-user" {
		t.Errorf("once there is one: %q", told(got.Findings))
	}
}

// TestMovedTag gives a tag to another image: the answer is that of the first, with its age, until it is asked again; one that grew too
// old is believed no more.
func TestMovedTag(t *testing.T) {
	b := newBed(t)
	image, first := b.push("team/shop:1", "right@1.0.0")
	c := b.clearance()
	c.ask(image)
	c.drain(t.Context())
	_, second := b.push("team/shop:1", "left@1.0.0")
	if got := c.ask(image); got.Digest != first {
		t.Errorf("the registry was asked: %s", got.Digest)
	}
	b.pass(4 * time.Minute)
	c.tend(t.Context())
	if n := c.Stats().Pending; n != 0 {
		t.Errorf("%d images wait before the tag is old", n)
	}
	b.pass(2 * time.Minute)
	c.tend(t.Context())
	c.drain(t.Context())
	if got := c.ask(image); got.Digest != second || told(got.Findings) != "CVE-2026-1, image-root-user" {
		t.Errorf("after it was asked again: %s %q", got.Digest, told(got.Findings))
	}
	b.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "down", http.StatusInternalServerError)
		return true
	})
	for range 6 {
		b.pass(9 * time.Minute)
		c.tend(t.Context())
		c.drain(t.Context())
	}
	if got := c.ask(image); got.State != admission.Known || got.Digest != second {
		t.Errorf("while the registry is down, within the hour: %+v", got)
	}
	b.pass(10 * time.Minute)
	if got := c.ask(image); got.State == admission.Known {
		t.Errorf("a tag that nobody could ask for in over an hour is believed: %+v", got)
	}
}

// TestWait waits for an image as long as the plan lets, and no longer than the request.
func TestWait(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	c := b.clearance(func(s *Settings) { s.Plan = b.plan("unseen: wait, waitSeconds: 2") })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	if got := c.ask(image); got.State != admission.Known || told(got.Findings) != "CVE-2026-1, image-root-user" {
		t.Errorf("after waiting: %+v", got)
	}
	hold := make(chan struct{})
	b.answering(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		return true
	})
	short, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	begun := time.Now()
	if got := c.Clear(short, []string{b.host + "/team/slow:1", image}, shop); got[0].State != admission.Queued || got[1].State != admission.Known {
		t.Errorf("of a registry that does not answer: %+v", got)
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("the request waited %s, over its own end", took)
	}
	if s := c.Stats(); s.WaitedInVain != 1 {
		t.Errorf("%+v", s)
	}
	crowded := admission.WithRest(t.Context(), func() (func(), bool) { return nil, false })
	begun = time.Now()
	if got := c.Clear(crowded, []string{b.host + "/team/other:1"}, shop); got[0].State != admission.Queued || !strings.Contains(got[0].Why, "too many requests wait") || time.Since(begun) > time.Second {
		t.Errorf("where too many wait, after %s: %+v", time.Since(begun), got)
	}
	close(hold)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestManyImages answers at once about an object that names more images than the queue holds.
func TestManyImages(t *testing.T) {
	b := newBed(t)
	c := b.clearance()
	var images []string
	for i := range 20_000 {
		images = append(images, fmt.Sprintf("%s/team/many-%d:1", b.host, i))
	}
	begun := time.Now()
	for i, got := range c.Clear(t.Context(), images, shop) {
		if got.State != admission.Queued || i > 1000 && got.Why != errFull.Error() {
			t.Fatalf("image %d: %+v", i, got)
		}
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
	if s := c.Stats(); s.Pending != 1000 {
		t.Errorf("%d wait", s.Pending)
	}
}

// TestIndexOfPlatforms pins the index, whichever platform's image was read, and judges all platforms that nodes have.
func TestIndexOfPlatforms(t *testing.T) {
	b := newBed(t)
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	add := func(architecture string, packages ...string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: imageOf(t, architecture, packages...), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}}}
	}
	image, digest := b.pushImage("team/shop:1", mutate.AppendManifests(empty.Index, add(runtime.GOARCH, "left@1.0.0"), add(other, "right@1.0.0")))
	b.advisories(leftIsFlawed, rightIsFlawed)
	for want, platforms := range map[string][]string{
		"CVE-2026-1, image-root-user":             nil,
		"CVE-2026-2, image-root-user":             {"linux/" + other},
		"CVE-2026-1, CVE-2026-2, image-root-user": {"linux/amd64", "linux/arm64", "linux/s390x"},
	} {
		c := b.clearance(func(s *Settings) { s.Platforms, s.Store = platforms, nil })
		c.ask(image)
		c.drain(t.Context())
		if got := c.ask(image); got.State != admission.Known || got.Digest != digest || told(got.Findings) != want {
			t.Errorf("%q: %+v", platforms, got)
		}
	}
	c := b.clearance(func(s *Settings) { s.Platforms = []string{"linux/s390x"} })
	c.ask(image)
	c.drain(t.Context())
	if got := c.ask(image); got.State != admission.Failed || !strings.Contains(got.Why, "no image is for the platform") {
		t.Errorf("for a platform that it is not for: %+v", got)
	}
}
