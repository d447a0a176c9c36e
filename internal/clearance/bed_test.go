package clearance

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/advisory"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/hold"
	"github.com/coaming/coaming/internal/registry"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/internal/verdict"
	"github.com/coaming/coaming/internal/vulndb"
)

// bed is a registry on this machine, an index of advisories in a file, and a clock.
type bed struct {
	t    testing.TB
	host string
	dir  string

	mu    sync.Mutex
	clock time.Time
	asked []string // methods and paths of requests, since the last look
	// before may answer in the place of the registry: then it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t, dir: t.TempDir(), clock: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	handler := server.New(server.Logger(slog.NewLogLogger(slog.DiscardHandler, 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asked = append(b.asked, r.Method+" "+r.URL.Path)
		before := b.before
		b.mu.Unlock()
		if before == nil || !before(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	b.host = strings.TrimPrefix(s.URL, "http://")
	b.advisories(leftIsFlawed)
	return b
}

func (b *bed) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.clock
}

func (b *bed) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock = b.clock.Add(d)
}

// answering sets what answers in the place of the registry.
func (b *bed) answering(before func(w http.ResponseWriter, r *http.Request) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = before
}

// requests are those to the registry since the last look.
func (b *bed) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.asked
	b.asked = nil
	return list
}

const (
	leftIsFlawed = `{"id": "GHSA-aaaa", "aliases": ["CVE-2026-1"], "modified": "2026-01-01T00:00:00Z", "summary": "A flaw in left",
 "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [{"package": {"ecosystem": "npm", "name": "left"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]}`
	rightIsFlawed = `{"id": "GHSA-bbbb", "aliases": ["CVE-2026-2"], "modified": "2026-01-01T00:00:00Z",
 "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected": [{"package": {"ecosystem": "npm", "name": "right"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}`
)

// index is where the index of advisories stands.
func (b *bed) index() string { return filepath.Join(b.dir, "advisories.db") }

// advisories makes the index anew, of OSV records.
func (b *bed) advisories(records ...string) {
	b.t.Helper()
	builder := advisory.NewBuilder()
	dir := b.t.TempDir()
	for i, text := range records {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	if unread, err := vulndb.Read(b.t.Context(), builder, dir); err != nil || len(unread) > 0 {
		b.t.Fatal(err, unread)
	}
	err := vulndb.Write(b.index(), func(w io.Writer) error {
		_, err := builder.Write(w, b.now(), b.now().Unix())
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// layerOf packs files.
func layerOf(t testing.TB, files map[string]string) v1.Layer {
	t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(files[path]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[path])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(layer.Bytes(), types.OCIUncompressedLayer)
}

// imageOf is an image for a platform in which npm has installed the packages, "left@1.0.0".
func imageOf(t testing.TB, architecture string, packages ...string) v1.Image {
	t.Helper()
	files := map[string]string{}
	for _, p := range packages {
		module, version, _ := strings.Cut(p, "@")
		files["app/node_modules/"+module+"/package.json"] = fmt.Sprintf(`{"name":%q,"version":%q}`, module, cmp.Or(version, "1.0.0"))
	}
	image, err := mutate.AppendLayers(empty.Image, layerOf(t, files))
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// push gives an image a name in the registry, "team/shop:1", and returns its whole name and its digest.
func (b *bed) push(at string, packages ...string) (reference, digest string) {
	b.t.Helper()
	return b.pushImage(at, imageOf(b.t, runtime.GOARCH, packages...))
}

func (b *bed) pushImage(at string, image remote.Taggable) (reference, digest string) {
	b.t.Helper()
	reference = b.host + "/" + at
	ref, err := name.ParseReference(reference)
	if err == nil {
		switch image := image.(type) {
		case v1.ImageIndex:
			err = remote.WriteIndex(ref, image)
		case v1.Image:
			err = remote.Write(ref, image)
		}
	}
	if err != nil {
		b.t.Fatal(err)
	}
	hash, err := image.(interface{ Digest() (v1.Hash, error) }).Digest()
	if err != nil {
		b.t.Fatal(err)
	}
	b.requests()
	return reference, hash.String()
}

// plan is a plan that says of images what it is given.
func (b *bed) plan(images string) func() *enforcement.Plan {
	b.t.Helper()
	p, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec:\n  mode: enforce\n  images:\n  - {"+images+"}\n")
	if err != nil {
		b.t.Fatal(err)
	}
	return func() *enforcement.Plan { return p }
}

// rules are those of the catalogue.
func rules(t testing.TB, ids ...string) []*rule.Compiled {
	t.Helper()
	all, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := catalog.Compile(slices.DeleteFunc(slices.Clone(all), func(r *rule.Rule) bool { return len(ids) > 0 && !slices.Contains(ids, r.ID) }))
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// connect asks the registry, with what else is set.
func (b *bed) connect(set func(*registry.Client)) func() (*registry.Client, error) {
	return func() (*registry.Client, error) {
		c := &registry.Client{Timeout: 2 * time.Second, Backoff: time.Millisecond}
		if set != nil {
			set(c)
		}
		return c, nil
	}
}

// settings are those of a clearance on this bed.
func (b *bed) settings() Settings {
	return Settings{
		Connect: b.connect(nil), Store: &hold.Store{Dir: filepath.Join(b.dir, "store")},
		Program: "test", Version: "test", Index: b.index(), Rules: rules(b.t, "image-root-user"), Plan: b.plan("unseen: deny"), Now: b.now,
	}
}

func (b *bed) clearance(change ...func(*Settings)) *Clearance {
	b.t.Helper()
	s := b.settings()
	for _, f := range change {
		f(&s)
	}
	c, err := New(s)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := c.bench.close(); err != nil {
			b.t.Error(err)
		}
	})
	return c
}

// drain looks into all that waits.
func (c *Clearance) drain(ctx context.Context) {
	for j := c.queue.take(); j != nil; j = c.queue.take() {
		c.lookInto(ctx, j)
	}
}

var shop = enforcement.Place{Namespace: "shop", LabelsKnown: true}

// ask is the answer about one image.
func (c *Clearance) ask(image string) admission.Cleared {
	return c.Clear(context.Background(), []string{image}, shop)[0] //nolint:forbidigo // nothing here ends
}

// told are findings as words: what is wrong, and of which verdict.
func told(findings []verdict.Finding) string {
	var words []string
	for i := range findings {
		f := &findings[i]
		word := f.Rule
		if v := f.Vulnerability; v != nil {
			word = v.ID
		}
		if f.Verdict != verdict.Fail {
			word += " " + f.Verdict.String()
		}
		words = append(words, word)
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
