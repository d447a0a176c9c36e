package e2e

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"k8s.io/client-go/rest"

	"github.com/coaming/coaming/internal/verdict"
)

const (
	floodPlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  timeoutSeconds: 3
  rules:
  - {rules: [privileged-container], mode: enforce, onError: fail}
  images:
  - {namespaces: [denying], mode: enforce, onError: fail, failOn: critical, unseen: deny}
  - {namespaces: [waiting], mode: enforce, onError: fail, failOn: critical, unseen: wait, waitSeconds: 2}
  - {namespaces: [auditing], mode: enforce, onError: fail, failOn: critical, unseen: audit}
`
	floodQueue   = 100  // images that the queue holds
	floodImages  = 1500 // images that the flood names in each namespace
	floodClients = 96   // that ask at a time, most of whom wait for an image

	// What a gate of the chart may take is 512 MiB; what a flood may add to it is what the queue, the bodies and the answers take.
	floodMemory = hostileMemory
	floodGrowth = 64 << 20
	// The API server waits 3 s. What is about no image of the flood may not come near that.
	floodPatience = 2 * time.Second
)

// TestGateFloodOfImages names far more images that nobody has looked into than the gate's queue holds, from a registry that takes its
// time, through the real API server, and meanwhile goes on with everything else: what is refused stays refused, who asks for
// something else is answered in time, the namespaces of the system do not notice, memory stays bounded, and afterwards the gate works on.
func TestGateFloodOfImages(t *testing.T) {
	s := startSandbox(t)
	f := newFlood(t, s)
	begun := time.Now()
	before := f.gate.memory(t)
	calm := f.probe(t, 20)
	t.Logf("before the flood: %s; the gate holds %d MiB", calm, before>>20)

	ctx, end := context.WithCancel(t.Context())
	defer end()
	var beside measured
	probing := make(chan struct{})
	go func() {
		defer close(probing)
		for ctx.Err() == nil {
			beside.join(f.probe(t, 1)) //nolint:contextcheck // a probe that was begun is not broken off
		}
	}()
	f.run(t)
	end()
	<-probing
	peak := f.gate.memory(t)
	t.Logf("in the flood: %s; the gate held at most %d MiB", &beside, peak>>20)
	t.Logf("of the flood: %s", &f.answers)
	if beside.count() < 20 {
		t.Errorf("beside the flood %d were asked: that proves nothing", beside.count())
	}
	if worst := beside.quantile(1); worst > floodPatience {
		t.Errorf("who asks for something else waits up to %s", worst)
	}
	if peak > floodMemory || peak-before > floodGrowth {
		t.Errorf("the gate's memory grew from %d to %d MiB", before>>20, peak>>20)
	}
	if n := f.gate.figure(t, "coaming_images_queue_refused_total"); n < floodImages {
		t.Errorf("%v images found no room in a queue of %d: it was not filled", n, floodQueue)
	}
	f.after(t)
	t.Logf("%s in all", time.Since(begun).Round(time.Second))
}

// flood is a gate with a registry that takes its time.
type flood struct {
	*sandbox
	gate    *runningGate
	client  rest.Interface
	host    string // of the registry
	hurried atomic.Bool
	answers reasons
}

func newFlood(t *testing.T, s *sandbox) *flood {
	t.Helper()
	f := &flood{sandbox: s, client: s.client(t).RESTClient()}
	images := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/flood/") && !f.hurried.Load() {
			select {
			case <-time.After(500 * time.Millisecond):
			case <-r.Context().Done():
			}
		}
		images.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	f.host = strings.TrimPrefix(server.URL, "http://")
	pushNode(t, f.host+"/shop/known:1", "2.0.0")
	pushNode(t, f.host+"/shop/bad:1", "1.0.0")
	pushNode(t, f.host+"/shop/later:1", "2.0.0")
	for _, namespace := range []string{"denying", "waiting", "auditing", "beside"} {
		s.apply(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+namespace+"}}")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.json"), []byte(flawOfLeft), 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "advisories.db")
	wantCode(t, coaming(t, "db", "build", dir, "-o", index), verdict.ExitClean)
	f.gate = startGate(t, s, floodPlan, "--images", "--db", index, "--store", filepath.Join(dir, "store"), "--image-queue", strconv.Itoa(floodQueue))
	f.gate.registerAsInstalled(t, s)
	eventually(t, "the API server asks the gate, and what it asks for is known", func() bool {
		return f.create(t, "beside", f.host+"/none:1", true) == "judged" && f.create(t, "denying", f.host+"/shop/known:1", false) == "" &&
			f.create(t, "denying", f.host+"/shop/bad:1", false) == "vulnerable" && f.create(t, "kube-system", f.host+"/none:1", false) == "" &&
			f.create(t, "waiting", f.host+"/shop/known:1", false) == "" && f.create(t, "auditing", f.host+"/shop/known:1", false) == ""
	})
	return f
}

// create tries to make a pod: "" where it is let in, else why not. A dry run has nobody look into an image.
func (f *flood) create(t *testing.T, namespace, image string, privileged bool) string {
	t.Helper()
	pod := fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"generateName":"p-"},"spec":{"containers":[{"name":"a","image":%q,"securityContext":{"privileged":%t}}]}}`, image, privileged)
	err := f.client.Post().AbsPath("/api/v1/namespaces/"+namespace+"/pods").SetHeader("Content-Type", "application/json").Body([]byte(pod)).Do(t.Context()).Error()
	switch {
	case err == nil:
		return ""
	case strings.Contains(err.Error(), "runs privileged"):
		return "judged"
	case strings.Contains(err.Error(), "CVE-2026-1"):
		return "vulnerable"
	case strings.Contains(err.Error(), "was not looked at"):
		return "unseen"
	case strings.Contains(err.Error(), "failed calling webhook"):
		return "no answer"
	}
	return err.Error()
}

// probe asks so often what has nothing to do with the flood, and demands the answer that there always is.
func (f *flood) probe(t *testing.T, times int) *measured {
	t.Helper()
	m := &measured{}
	for range times {
		for _, c := range []struct {
			namespace, image string
			privileged       bool
			want             string
		}{
			{"beside", "none:1", false, ""},
			{"beside", "none:1", true, "judged"},
			{"denying", "shop/known:1", false, ""},
			{"waiting", "shop/known:1", false, ""},
			{"waiting", "shop/bad:1", false, "vulnerable"},
			{"denying", "shop/known:1", true, "judged"},
			{"kube-system", "none:1", true, ""},
		} {
			begun := time.Now()
			got := f.create(t, c.namespace, f.host+"/"+c.image, c.privileged)
			m.add(time.Since(begun))
			if got != c.want {
				t.Errorf("a pod of %s in %s (privileged %t): %q, want %q", c.image, c.namespace, c.privileged, got, c.want)
			}
		}
		begun := time.Now()
		if err := f.client.Get().AbsPath("/readyz").Do(t.Context()).Error(); err != nil {
			t.Errorf("the API server is not ready: %v", err)
		}
		m.add(time.Since(begun))
	}
	return m
}

// run is the flood: images that nobody has looked into, each named once.
func (f *flood) run(t *testing.T) {
	t.Helper()
	var group sync.WaitGroup
	var next atomic.Int64
	for range floodClients {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < 3*floodImages; n = int(next.Add(1)) - 1 {
				namespace := []string{"denying", "waiting", "auditing"}[n%3]
				got := f.create(t, namespace, fmt.Sprintf("%s/flood/image-%d:1", f.host, n), n%30 < 3)
				f.answers.add(namespace + ": " + cmp.Or(got, "let in"))
				switch {
				case got == "" && (namespace != "auditing" || n%30 < 3):
					t.Errorf("image %d was let in where it is to be refused, in %s", n, namespace)
				case got == "no answer", got == "", got == "unseen", got == "judged":
				default:
					t.Errorf("image %d in %s: %s", n, namespace, got)
				}
			}
		})
	}
	group.Wait()
}

// after demands that the gate works on: what is asked for now is looked into, and the queue becomes empty.
func (f *flood) after(t *testing.T) {
	t.Helper()
	f.hurried.Store(true)
	begun := time.Now()
	within(t, 30*time.Second, "an image that is asked for after the flood is known", func() bool { return f.create(t, "waiting", f.host+"/shop/later:1", false) == "" })
	t.Logf("an image that is asked for after the flood is known within %s", time.Since(begun).Round(100*time.Millisecond))
	eventually(t, "the queue is empty", func() bool { return f.gate.figure(t, "coaming_images_queue_images") == 0 })
	if panics := f.gate.figure(t, "coaming_gate_panics_total"); panics != 0 {
		t.Errorf("%v requests ended in a panic", panics)
	}
}

// reasons counts answers of several at a time.
type reasons struct {
	mutex  sync.Mutex
	counts map[string]int
}

func (c *reasons) add(what string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what]++
}

func (c *reasons) String() string { return fmt.Sprint(c.counts) }

// measured are how long answers took. One goroutine adds to it.
type measured struct{ list []time.Duration }

func (m *measured) add(d time.Duration) { m.list = append(m.list, d) }

func (m *measured) join(other *measured) { m.list = append(m.list, other.list...) }

func (m *measured) count() int { return len(m.list) }

func (m *measured) quantile(q float64) time.Duration {
	if len(m.list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(m.list))
	return sorted[int(q*float64(len(sorted)-1))]
}

func (m *measured) String() string {
	return fmt.Sprintf("%d answers, half within %s, all but one in a hundred within %s, all within %s",
		m.count(), m.quantile(.5).Round(time.Millisecond), m.quantile(.99).Round(time.Millisecond), m.quantile(1).Round(time.Millisecond))
}
