package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/internal/rule"
	"github.com/coaming/coaming/test/loopback"
)

var now = time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)

var compiled = sync.OnceValue(func() []*rule.Compiled {
	rules, err := catalog.Brief()
	if err != nil {
		panic(err)
	}
	list, err := catalog.Compile(rules)
	if err != nil {
		panic(err)
	}
	return list
})

func newCertificate(t testing.TB) *loopback.Certificate {
	t.Helper()
	c, err := loopback.New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ruling(t testing.TB, spec string, around admission.Surroundings, change ...func(*admission.Options)) *Ruling {
	t.Helper()
	plan, err := enforcement.Read("plan.yaml", "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec:\n"+spec)
	if err != nil {
		t.Fatal(err)
	}
	o := admission.Options{Plan: plan, Rules: compiled(), Version: catalog.Newest, Now: func() time.Time { return now }, Width: 1, Surroundings: around}
	for _, c := range change {
		c(&o)
	}
	return &Ruling{Timeout: plan.Default.Timeout, Desk: admission.New(o)}
}

const enforcing = "  mode: off\n  rules: [{rules: [privileged-container], mode: enforce}]\n"

// served is a gate that runs until the test ends.
type served struct {
	*Gate
	url, metrics string
	client       *http.Client
	stop         func() error
}

func serve(t *testing.T, change func(*Options)) *served {
	t.Helper()
	listen := func() net.Listener {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	own := newCertificate(t)
	o := Options{
		Listener: listen(), Metrics: listen(), Certificates: own,
		Load: func(context.Context) (*Ruling, error) { return ruling(t, enforcing, nil), nil },
	}
	if change != nil {
		change(&o)
	}
	s := &served{Gate: New(o), url: "https://" + o.Listener.Addr().String(), metrics: "http://" + o.Metrics.Addr().String() + "/metrics"}
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own.Pool(), MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	s.eventually(t, "the gate is ready", func() bool {
		code, _ := s.get(t, s.url+"/readyz")
		return code == http.StatusOK
	})
	return s
}

func (s *served) eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // a server of its own is polled
	}
	t.Fatalf("never: %s", what)
}

func (s *served) get(t *testing.T, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.do(request)
}

func (s *served) do(request *http.Request) (int, string) {
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(text)
}

func (s *served) post(t *testing.T, path string, body io.Reader) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return s.do(request)
}

func reviewOf(spec string) string {
	return `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"shop",` +
		`"kind":{"group":"","version":"v1","kind":"Pod"},"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":` + spec + `}}}`
}

const (
	privileged = `{"containers":[{"name":"a","image":"a","securityContext":{"privileged":true}}]}`
	plain      = `{"containers":[{"name":"a","image":"a"}]}`
)

func TestServes(t *testing.T) {
	s := serve(t, nil)
	for name, c := range map[string]struct {
		path, body string
		code       int
		says       string
	}{
		"refused":       {"/validate", reviewOf(privileged), 200, `"allowed":false`},
		"let in":        {"/validate", reviewOf(plain), 200, `"allowed":true`},
		"its class":     {"/validate/ignore", reviewOf(privileged), 200, `"allowed":false`},
		"another class": {"/validate/fail", reviewOf(privileged), 200, `"allowed":true`},
		"mutate":        {"/mutate?timeout=1s", reviewOf(privileged), 200, `"allowed":true`},
		"no review":     {"/validate", "{}", 400, "want AdmissionReview of admission.k8s.io/v1"},
		"nothing":       {"/validate", "", 400, "no body"},
		"too deep":      {"/validate", strings.Repeat("[", 100_000), 400, "no JSON that can be read"},
		"oversized":     {"/validate", reviewOf(`{"x":"` + strings.Repeat("x", 3<<20) + `"}`), 413, "over 3145728 bytes"},
		"elsewhere":     {"/other", "{}", 404, ""},
	} {
		if code, text := s.post(t, c.path, strings.NewReader(c.body)); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %.300s", name, code, text)
		}
	}
	if code, text := s.post(t, "/validate", io.MultiReader(strings.NewReader(reviewOf(`{"x":"`+strings.Repeat("x", 4<<20)+`"}`)))); code != 413 {
		t.Errorf("oversized, without its length: %d %.300s", code, text)
	}
	if code, _ := s.get(t, s.url+"/validate"); code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", code)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/validate", strings.NewReader(reviewOf(plain)))
	request.Header.Set("Content-Type", "text/plain")
	if code, _ := s.do(request); code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: %d", code)
	}
	_, figures := s.get(t, s.metrics)
	for _, want := range []string{
		`coaming_gate_reviews_total{allowed="false",webhook="validate"} 2`, `coaming_gate_refusals_total{code="413",webhook="validate"} 2`,
		`coaming_gate_findings_total{became="enforce"} 2`, "coaming_gate_plan_broken 0", "coaming_gate_ready 1", "coaming_gate_review_seconds_bucket", "go_goroutines",
	} {
		if !strings.Contains(figures, want) {
			t.Errorf("no figure says %s", want)
		}
	}
}

func TestClientCertificates(t *testing.T) {
	authority, stranger := newCertificate(t), newCertificate(t)
	s := serve(t, func(o *Options) { o.ClientCAs = authority.Pool() })
	if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(plain))); code != http.StatusUnauthorized || !strings.Contains(text, "client certificate") {
		t.Errorf("without one: %d %s", code, text)
	}
	with := func(c *loopback.Certificate) (int, string) {
		own := s.client.Transport.(*http.Transport).Clone()
		own.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c.Certificate, nil }
		before := s.client
		defer func() { s.client = before }()
		s.client = &http.Client{Transport: own}
		return s.post(t, "/validate", strings.NewReader(reviewOf(plain)))
	}
	if code, text := with(authority); code != 200 {
		t.Errorf("with the right one: %d %s", code, text)
	}
	if code, text := with(stranger); code != 0 {
		t.Errorf("with a stranger's: %d %s", code, text)
	}
	old := s.client.Transport.(*http.Transport).Clone()
	old.TLSClientConfig.MinVersion, old.TLSClientConfig.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	s.client = &http.Client{Transport: old}
	if code, text := s.get(t, s.url+"/healthz"); code != 0 {
		t.Errorf("by TLS 1.1: %d %s", code, text)
	}
}

// TestDripping demands that who sends a byte now and then neither holds the gate up nor stays.
func TestDripping(t *testing.T) {
	s := serve(t, func(o *Options) { o.Limits.Read = 300 * time.Millisecond })
	reader, writer := io.Pipe()
	go func() {
		for {
			if _, err := writer.Write([]byte("{")); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the drip itself
		}
	}()
	begun := time.Now()
	code, text := s.post(t, "/validate", reader)
	if took := time.Since(begun); took > 10*time.Second || code == 200 {
		t.Errorf("a body that drips is taken for %v: %d %s", took, code, text)
	}
	_ = reader.Close()
	raw, err := (&tls.Dialer{Config: s.client.Transport.(*http.Transport).TLSClientConfig.Clone()}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_, _ = io.WriteString(raw, "POST /validate HTTP/1.1\r\nHost: ")
	_ = raw.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadAll(raw); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("headers that do not come are waited for")
	}
}

// slow is a rule's surroundings that take their time, or worse.
type slow struct{ wait func() }

func (s *slow) Among(string) *judge.Among { return judge.NewAmong(nil, nil) }

func (s *slow) Labels(string) (map[string]string, bool) {
	s.wait()
	return nil, true
}

func TestFullAndEnding(t *testing.T) {
	release := make(chan struct{})
	var inside atomic.Int64
	s := serve(t, func(o *Options) {
		o.Limits.Requests = 4
		o.Load = func(context.Context) (*Ruling, error) {
			return ruling(t, enforcing, &slow{func() { inside.Add(1); <-release }}), nil
		}
	})
	codes := make(chan int, 4)
	for range 4 {
		go func() {
			code, _ := s.post(t, "/validate", strings.NewReader(reviewOf(privileged)))
			codes <- code
		}()
	}
	s.eventually(t, "four requests are inside", func() bool { return inside.Load() == 4 })
	begun := time.Now()
	if code, _ := s.post(t, "/validate", strings.NewReader(reviewOf(plain))); code != http.StatusTooManyRequests || time.Since(begun) > 5*time.Second {
		t.Errorf("a full gate answers %d after %v", code, time.Since(begun))
	}
	if code, _ := s.get(t, s.url+"/healthz"); code != 200 {
		t.Error("a full gate does not say that it lives")
	}
	ended := make(chan error, 1)
	go func() { ended <- s.stop() }()
	s.eventually(t, "the gate is ending", func() bool { return s.ready() != nil })
	close(release)
	for range 4 {
		if code := <-codes; code != 200 {
			t.Errorf("a request that ran when the gate was told to end has code %d", code)
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestPanicIsOneRequests(t *testing.T) {
	var first atomic.Bool
	s := serve(t, func(o *Options) {
		o.Load = func(context.Context) (*Ruling, error) {
			return ruling(t, enforcing, &slow{func() {
				if first.CompareAndSwap(false, true) {
					panic("for a test")
				}
			}}), nil
		}
	})
	if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged))); code != 500 || strings.Contains(text, "for a test") {
		t.Errorf("%d %s", code, text)
	}
	if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged))); code != 200 || !strings.Contains(text, `"allowed":false`) {
		t.Errorf("after a panic: %d %s", code, text)
	}
	if _, figures := s.get(t, s.metrics); !strings.Contains(figures, "coaming_gate_panics_total 1") {
		t.Error("no figure tells of the panic")
	}
}

func TestReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan")
	write := func(text string) {
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil { // as a mounted ConfigMap changes
			t.Fatal(err)
		}
	}
	write(enforcing)
	files := &Files{Paths: []string{path}}
	files.Changed()
	s := serve(t, func(o *Options) {
		o.Every, o.Changed = 10*time.Millisecond, files.Changed
		o.Load = func(context.Context) (*Ruling, error) {
			text, err := os.ReadFile(path)
			if err != nil || strings.HasPrefix(string(text), "broken") {
				return nil, errors.New("broken")
			}
			return ruling(t, string(text), nil), nil
		}
	})
	allowed := func() bool {
		_, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged)))
		return strings.Contains(text, `"allowed":true`)
	}
	write("broken")
	s.eventually(t, "the broken plan is told", func() bool {
		_, figures := s.get(t, s.metrics)
		return strings.Contains(figures, "coaming_gate_plan_broken 1")
	})
	if allowed() {
		t.Error("a broken plan takes the place of one that holds")
	}
	if code, _ := s.get(t, s.url+"/readyz"); code != 200 {
		t.Error("a broken plan makes a gate that holds another not ready")
	}
	write("  mode: off\n")
	s.eventually(t, "the new plan holds", allowed)
	if err := New(Options{
		Listener: httptest.NewUnstartedServer(nil).Listener, Certificates: newCertificate(t),
		Load: func(context.Context) (*Ruling, error) { return nil, errors.New("broken") },
	}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("a gate without a plan runs: %v", err)
	}
}

// TestFlood sends many large bodies at once, and demands that those which find no room are told so and the others answered.
func TestFlood(t *testing.T) {
	s := serve(t, func(o *Options) {
		o.Limits.Bodies, o.Limits.Read = 8<<20, time.Minute
		o.Load = func(context.Context) (*Ruling, error) {
			r := ruling(t, enforcing, nil)
			r.Timeout = time.Minute // the bounds are asked about, not the machine
			return r, nil
		}
	})
	body := []byte(reviewOf(`{"x":"` + strings.Repeat("x", 2<<20) + `","containers":[{"name":"a","image":"a","securityContext":{"privileged":true}}]}`))
	var group sync.WaitGroup
	var answered, turned atomic.Int64
	for range 40 {
		group.Go(func() {
			switch code, text := s.post(t, "/validate", bytes.NewReader(body)); {
			case code == 200 && strings.Contains(text, `"allowed":false`):
				answered.Add(1)
			case code == http.StatusTooManyRequests || code == 408 || code == 0:
				turned.Add(1)
			default:
				t.Errorf("%d %.200s", code, text)
			}
		})
	}
	group.Wait()
	if answered.Load() == 0 {
		t.Error("nobody is answered")
	}
	t.Logf("%d answered, %d turned away", answered.Load(), turned.Load())
}

// patient is a double of what knows images: it knows none, and waits for each request as the real one does.
type patient struct {
	inside, turned atomic.Int64
	release        chan struct{}
}

func (p *patient) Clear(ctx context.Context, images []string, _ enforcement.Place) []admission.Cleared {
	list := make([]admission.Cleared, len(images))
	for i := range list {
		list[i].State = admission.Queued
	}
	again, may := admission.Rest(ctx)
	if !may {
		p.turned.Add(1)
		return list
	}
	defer again()
	p.inside.Add(1)
	select {
	case <-p.release:
	case <-ctx.Done():
	}
	return list
}

// TestWaitingForImages lets more requests wait for images than are judged at a time, and demands that all others are answered, and that
// no more wait than there is room for.
func TestWaitingForImages(t *testing.T) {
	const requests, waiting, asked = 64, 32, 48
	images := &patient{release: make(chan struct{})}
	s := serve(t, func(o *Options) {
		o.Limits.Requests = requests
		o.Load = func(context.Context) (*Ruling, error) {
			r := ruling(t, enforcing+"  images: [{namespaces: [waiting], mode: enforce, unseen: wait, failOn: critical}]\n", nil, func(o *admission.Options) { o.Clearance = images })
			r.Timeout = time.Minute
			return r, nil
		}
	})
	answers := make(chan string, asked)
	for range asked {
		go func() {
			_, text := s.post(t, "/validate", strings.NewReader(strings.Replace(reviewOf(plain), `"namespace":"shop"`, `"namespace":"waiting"`, 1)))
			answers <- text
		}()
	}
	s.eventually(t, "as many wait as may", func() bool { return images.inside.Load()+images.turned.Load() == asked })
	if n := images.inside.Load(); n != waiting {
		t.Errorf("%d requests wait for images, want %d", n, waiting)
	}
	for range 20 {
		begun := time.Now()
		if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged))); code != 200 || !strings.Contains(text, "runs privileged") || time.Since(begun) > 5*time.Second {
			t.Errorf("who waits for no image is answered %d after %v: %s", code, time.Since(begun), text)
		}
	}
	close(images.release)
	for range asked {
		if text := <-answers; !strings.Contains(text, "was not looked at") {
			t.Errorf("of an image that nobody knows: %s", text)
		}
	}
	if !s.bounds.turns.TryAcquire(s.bounds.shares) || !s.bounds.resting.TryAcquire(s.Limits.Bodies/restingBodies) {
		t.Error("not all that was taken was given back")
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	f := &Files{Paths: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}
	steps := []struct {
		do      func() error
		changed bool
	}{
		{func() error { return nil }, false},
		{func() error { return os.WriteFile(f.Paths[0], []byte("1"), 0o600) }, true},
		{func() error { return nil }, false},
		{func() error { return os.WriteFile(f.Paths[0], []byte("2"), 0o600) }, true},
		{func() error { return os.Rename(f.Paths[0], f.Paths[1]) }, true},
		{func() error { return os.Remove(f.Paths[1]) }, true},
	}
	for i, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		if got := f.Changed(); got != s.changed {
			t.Errorf("step %d: changed %v", i, got)
		}
	}
}
