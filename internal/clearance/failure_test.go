package clearance

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/registry"
)

// TestRegistryDown asks a registry that is down: the reason is told, it is not asked again before its time, and the image is known
// once it is back.
func TestRegistryDown(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	b.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "down for repairs", http.StatusServiceUnavailable)
		return true
	})
	c := b.clearance(func(s *Settings) { s.Registries = []string{b.host + "/*"} })
	c.ask(image)
	c.drain(t.Context())
	if got := c.ask(image); got.State != admission.Failed || !strings.Contains(got.Why, "503") {
		t.Fatalf("of a registry that is down: %+v", got)
	}
	b.requests()
	for range 10 {
		c.ask(image)
		c.tend(t.Context())
		c.drain(t.Context())
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("it was asked again at once: %q", asked)
	}
	waits := []time.Duration{}
	last := b.now()
	for range 4 {
		for len(b.requests()) == 0 {
			b.pass(time.Second)
			c.tend(t.Context())
			c.drain(t.Context())
		}
		waits, last = append(waits, b.now().Sub(last)), b.now()
	}
	for i, wait := range waits {
		if want := 10 * time.Second << i; wait < want || wait > want+2*time.Second {
			t.Errorf("waits are %v", waits)
		}
	}
	b.answering(nil)
	b.pass(11 * time.Minute)
	c.tend(t.Context())
	c.drain(t.Context())
	if got := c.ask(image); got.State != admission.Known || told(got.Findings) != "CVE-2026-1, image-root-user" {
		t.Errorf("once the registry is back: %+v", got)
	}
	if s := c.Stats(); s.Failures != 0 || s.Failed != 5 {
		t.Errorf("%+v", s)
	}
}

// TestTamperedImage serves a layer, and a manifest, that are not what their digests say: nothing is known of the image, never that
// it is clean.
func TestTamperedImage(t *testing.T) {
	for what, part := range map[string]string{"a manifest": "/manifests/sha256:", "a blob": "/blobs/sha256:"} {
		b := newBed(t)
		image, digest := b.push("team/shop:1", "left@1.0.0")
		good := imageOf(t, runtime.GOARCH, "harmless@1.0.0")
		layers, err := good.Layers()
		if err != nil {
			t.Fatal(err)
		}
		text, _ := good.RawManifest()
		if part == "/blobs/sha256:" {
			body, err := layers[0].Compressed()
			if err != nil {
				t.Fatal(err)
			}
			var clean bytes.Buffer
			if _, err := clean.ReadFrom(body); err != nil {
				t.Fatal(err)
			}
			text = clean.Bytes()
		}
		b.answering(func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, part) {
				return false
			}
			w.Header().Set("Content-Type", string(types.OCIManifestSchema1))
			_, _ = w.Write(text)
			return true
		})
		c := b.clearance()
		named := strings.Replace(image, ":1", "@"+digest, 1)
		c.ask(named)
		c.drain(t.Context())
		if got := c.ask(named); got.State == admission.Known && !strings.Contains(told(got.Findings), "vulnerable-package unknown") || got.State == admission.Queued {
			t.Errorf("of %s that is not what its digest says: %+v, %s", what, got, told(got.Findings))
		}
	}
}

// TestUnreadLayer reads an image of which a layer is no archive: that is unknown, beside what was found.
func TestUnreadLayer(t *testing.T) {
	b := newBed(t)
	image, err := mutate.AppendLayers(imageOf(t, runtime.GOARCH, "left@1.0.0"), static.NewLayer(bytes.Repeat([]byte("x"), 4096), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	reference, _ := b.pushImage("team/shop:1", image)
	c := b.clearance()
	c.ask(reference)
	c.drain(t.Context())
	if got := told(c.ask(reference).Findings); got != "CVE-2026-1, image-root-user, vulnerable-package unknown" {
		t.Errorf("of an image with a broken layer: %q", got)
	}
}

// TestBounds refuses what costs too much: an image that is too large or takes too long, a registry that nobody named.
func TestBounds(t *testing.T) {
	b := newBed(t)
	large, err := random.Image(1<<20, 3)
	if err != nil {
		t.Fatal(err)
	}
	big, _ := b.pushImage("team/big:1", large)
	slow, _ := b.push("team/slow:1", "left@1.0.0")
	c := b.clearance(func(s *Settings) {
		s.Stored, s.Timeout, s.Registries = 2<<20, 300*time.Millisecond, []string{b.host + "/team/*", "docker.io/library/*"}
	})
	b.answering(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "team/slow/blobs") {
			<-r.Context().Done()
			return true
		}
		return false
	})
	for image, why := range map[string]string{
		big: "at most 2097152 are read", slow: "it took over 300ms", "registry.invalid/a:1": "none of the registries that are asked", b.host + "/other/a:1": "none of the registries",
		"NO:REFERENCE@": "no reference", "": "no reference",
	} {
		c.ask(image)
		c.drain(t.Context())
		if got := c.ask(image); got.State != admission.Failed || !strings.Contains(got.Why, why) {
			t.Errorf("%s: %+v", image, got)
		}
	}
	if got := c.ask("nginx"); got.State != admission.Queued {
		t.Errorf("of a registry that is named: %+v", got)
	}
}

// TestCredentials logs in with the gate's own credentials, and tells none of them.
func TestCredentials(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	b.answering(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "anna" && password == "hunter22" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return true
	})
	for password, want := range map[string]admission.State{"hunter22": admission.Known, "hunter23": admission.Failed} {
		c := b.clearance(func(s *Settings) {
			s.Store = nil
			s.Connect = b.connect(func(c *registry.Client) {
				c.Credentials = registry.For{Registry: b.host, Credential: registry.Password("anna", password)}
			})
		})
		c.ask(image)
		c.drain(t.Context())
		if got := c.ask(image); got.State != want || strings.Contains(got.Why, password) {
			t.Errorf("with %s: %+v", password, got)
		}
	}
}

// TestFloodIsBounded asks for 10,000 images that nobody knows, from one namespace, while another wants one of its own: the queue
// stays within its bound, what found no room is counted, the other's image is among the first, and memory stays where it was.
func TestFloodIsBounded(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	c := b.clearance(func(s *Settings) { s.Queue = 500 })
	before := heapOf()
	for i := range 10_000 {
		for range 1 + i%2 {
			flood := enforcement.Place{Namespace: "flood", LabelsKnown: true}
			if got := c.Clear(t.Context(), []string{fmt.Sprintf("%s/flood/a%d:1", b.host, i)}, flood)[0]; got.State != admission.Queued || got.Why == "" {
				t.Fatalf("%d: %+v", i, got)
			}
		}
	}
	s := c.Stats()
	if s.Pending != 500 || s.Refused < 9_500 {
		t.Errorf("%d wait and %d found no room", s.Pending, s.Refused)
	}
	c.ask(image)
	if s := c.Stats(); s.Pending != 500 {
		t.Errorf("%d wait after one more", s.Pending)
	}
	for range 2 {
		c.lookInto(t.Context(), c.queue.take())
	}
	if got := c.ask(image); got.State != admission.Known {
		t.Errorf("who asks for one image waits for the flood: %+v", got)
	}
	c.drain(t.Context())
	if after := heapOf(); after > before+8<<20 {
		t.Errorf("memory grew from %d to %d bytes", before, after)
	}
	if s := c.Stats(); s.Failures > mostFailures || s.Failures < 400 || s.Pending != 0 {
		t.Errorf("%+v", s)
	}
}

// TestFailuresAreBounded forgets what nobody asked for the longest.
func TestFailuresAreBounded(t *testing.T) {
	b := newBed(t)
	b.answering(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no", http.StatusNotFound)
		return true
	})
	c := b.clearance(func(s *Settings) { s.Store, s.Registries = nil, []string{"nobody"} }) // without a request for each
	for i := range mostFailures + 100 {
		b.pass(time.Millisecond)
		r, err := parse(fmt.Sprintf("%s/flood/a%d:1", b.host, i))
		if err != nil {
			t.Fatal(err)
		}
		c.fail(&job{reference: r, key: r.key()}, http.ErrAbortHandler)
	}
	if s := c.Stats(); s.Failures != mostFailures {
		t.Errorf("%d failures are remembered", s.Failures)
	}
	if _, _, failed := c.failed(b.host + "/flood/a0:1"); failed {
		t.Error("the oldest is remembered")
	}
}

// TestMemoryIsBounded knows more images than memory has room for: what left it is judged again from disk, without a request.
func TestMemoryIsBounded(t *testing.T) {
	b := newBed(t)
	c := b.clearance(func(s *Settings) { s.Memory = 10 << 10 })
	var images []string
	for i := range 20 {
		image, _ := b.push(fmt.Sprintf("team/shop%d:1", i), "left@1.0.0", fmt.Sprintf("own%d@1.0.0", i))
		images = append(images, image)
		c.ask(image)
		c.drain(t.Context())
	}
	b.requests()
	for _, image := range images {
		if got := c.ask(image); got.State != admission.Known || told(got.Findings) != "CVE-2026-1, image-root-user" {
			t.Errorf("%s: %+v", image, got)
		}
	}
	if s := c.Stats(); s.Bytes > 10<<10 || s.Images == 0 || s.Images == 20 || s.Rejudged == 0 {
		t.Errorf("%+v", s)
	}
	if asked := b.requests(); len(asked) > 0 {
		t.Errorf("an image was touched: %q", asked)
	}
}

// TestBreakingImage has a registry that breaks the reader: the worker lives on.
func TestBreakingImage(t *testing.T) {
	b := newBed(t)
	image, _ := b.push("team/shop:1", "left@1.0.0")
	c := b.clearance(func(s *Settings) {
		s.Registries = []string{b.host + "/*"}
		s.Connect = b.connect(func(c *registry.Client) { c.Credentials = breaking{} })
	})
	c.ask(image)
	c.drain(t.Context())
	if got := c.ask(image); got.State != admission.Failed || !strings.Contains(got.Why, "broke off") {
		t.Errorf("%+v", got)
	}
}

// TestWhatAnswersIsNotTold: where any registry may be named, those who name one are told the same of a port that is closed, of one
// where something else answers, and of a registry that lacks the image.
func TestWhatAnswersIsNotTold(t *testing.T) {
	b := newBed(t)
	b.answering(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/other/") {
			http.Error(w, "no registry", http.StatusTeapot)
			return true
		}
		return false
	})
	c := b.clearance()
	told := map[string]bool{}
	for _, image := range []string{"127.0.0.1:1/x:1", b.host + "/other/x:1", b.host + "/team/lacks:1"} {
		c.ask(image)
		c.drain(t.Context())
		got := c.ask(image)
		if got.State != admission.Failed {
			t.Errorf("%s: %+v", image, got)
		}
		told[got.Why] = true
	}
	if len(told) != 1 {
		t.Errorf("what answered can be told apart: %q", slices.Sorted(maps.Keys(told)))
	}
}

type breaking struct{}

func (breaking) Find(string) ([]registry.Credential, error) { panic("made to break") }

// TestMirror asks a mirror in the registry's place, as the settings of registries say.
func TestMirror(t *testing.T) {
	b := newBed(t)
	_, digest := b.push("mirror/team/shop:1", "left@1.0.0")
	hosts := registry.Hosts{"registry.example.com": {Mirrors: []string{b.host + "/mirror"}}}
	c := b.clearance(func(s *Settings) { s.Connect = b.connect(func(c *registry.Client) { c.Hosts = hosts }) })
	c.ask("registry.example.com/team/shop:1")
	c.drain(t.Context())
	if got := c.ask("registry.example.com/team/shop:1"); got.State != admission.Known || got.Digest != digest {
		t.Errorf("through a mirror: %+v", got)
	}
}

func heapOf() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
