package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/catalog"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/test/webhook"
)

const (
	hostilePlan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules: [{rules: [privileged-container], mode: enforce, onError: fail}]
`
	// What strangers may add to the memory of a gate: 32 MiB of bodies, and what is read of those that are judged at a time; and what docs/gate.md
	// says that it then holds at most.
	hostileGrowth = 112 << 20
	hostileMemory = 192 << 20
)

// hostile is a gate to which all but the API server speaks.
type hostile struct {
	*runningGate
	client *http.Client
	config *tls.Config
}

// TestGateHostileInput sends to a running gate, over TLS, what no API server sends: it answers clearly and in time, lets nothing in that
// the plan refuses, stays within bounds, and goes on answering everybody else.
func TestGateHostileInput(t *testing.T) {
	h := &hostile{runningGate: runGate(t, hostilePlan, "--offline")}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(h.bundle)
	h.config = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	h.client = &http.Client{Transport: &http.Transport{TLSClientConfig: h.config, ForceAttemptHTTP2: true}}
	h.well(t)
	before := h.memory(t)
	for _, c := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"malformed", h.malformed},
		{"oversized", h.oversized},
		{"nested and wide", h.nested},
		{"many at a time", h.crowd},
		{"slow drip", h.drip},
		{"silence", h.silence},
	} {
		begun := time.Now()
		t.Run(c.name, c.run)
		h.well(t)
		t.Logf("%s: %s, at most %d MiB", c.name, time.Since(begun).Round(10*time.Millisecond), h.memory(t)>>20)
	}
	if peak := h.memory(t); peak-before > hostileGrowth || peak > hostileMemory {
		t.Errorf("the gate's memory grew from %d to %d MiB", before>>20, peak>>20)
	}
	if n := h.figure(t, "coaming_gate_panics_total"); n != 0 {
		t.Errorf("%v requests ended in a panic", n)
	}
}

func hostileReview(version, spec string) string {
	return `{"apiVersion":"` + version + `","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"shop",` +
		`"kind":{"group":"","version":"v1","kind":"Pod"},"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":` + spec + `}}}`
}

const (
	reviewV1       = "admission.k8s.io/v1"
	privilegedSpec = `{"containers":[{"name":"a","image":"a","securityContext":{"privileged":true}}]}`
	plainSpec      = `{"containers":[{"name":"a","image":"a"}]}`
)

// send posts a body and returns what becomes of it; a code of 0 is a connection that broke off.
func (h *hostile) send(t *testing.T, body io.Reader) (code int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+h.address+"/validate", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(raw)
}

// well demands that the gate judges as always, and soon.
func (h *hostile) well(t *testing.T) {
	t.Helper()
	begun := time.Now()
	if code, text := h.send(t, strings.NewReader(hostileReview(reviewV1, privilegedSpec))); code != 200 || !strings.Contains(text, "runs privileged") {
		t.Errorf("what is refused: %d %.300s", code, text)
	}
	if code, text := h.send(t, strings.NewReader(hostileReview(reviewV1, plainSpec))); code != 200 || !strings.Contains(text, `"allowed":true`) {
		t.Errorf("what is let in: %d %.300s", code, text)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("two reviews took %s", took)
	}
}

// refuses demands an answer that lets nothing in: a 4xx with one of these codes, or a refusal.
func (h *hostile) refuses(t *testing.T, name string, body io.Reader, codes ...int) {
	t.Helper()
	begun := time.Now()
	code, text := h.send(t, body)
	fits := len(codes) == 0 && code == http.StatusOK && strings.Contains(text, `"allowed":false`)
	for _, c := range codes {
		fits = fits || c == code
	}
	if !fits || strings.Contains(text, `"allowed":true`) || len(text) > 64<<10 {
		t.Errorf("%s: %d %.300s", name, code, text)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("%s: the answer took %s", name, took)
	}
}

func (h *hostile) malformed(t *testing.T) {
	whole := hostileReview(reviewV1, privilegedSpec)
	for name, body := range map[string]string{
		"nothing": "", "a list": "[]", "a word": "true",
		"YAML": "apiVersion: admission.k8s.io/v1", "two reviews": whole + whole, "an earlier version": hostileReview("admission.k8s.io/v1beta1", privilegedSpec),
		"a version to come": hostileReview("admission.k8s.io/v2", privilegedSpec), "another kind": strings.Replace(whole, "AdmissionReview", "TokenReview", 1),
		"no uid": strings.Replace(whole, `"uid":"u",`, "", 1), "a long uid": strings.Replace(whole, `"uid":"u"`, `"uid":"`+strings.Repeat("u", 100_000)+`"`, 1),
		"a key twice": strings.Replace(whole, `"uid":"u"`, `"uid":"u","uid":"v"`, 1),
	} {
		h.refuses(t, name, strings.NewReader(body), http.StatusBadRequest)
	}
	// What names its request is decided, whatever else cannot be read.
	h.refuses(t, "a NUL", strings.NewReader(strings.Replace(whole, `"a"`, "\"\x00\"", 1)))
	h.refuses(t, "an endless number", strings.NewReader(strings.Replace(whole, `"uid":"u"`, `"uid":"u","x":`+strings.Repeat("9", 1<<20)+"e", 1)))
	h.refuses(t, "not UTF-8", strings.NewReader(strings.Replace(whole, `"a"`, "\"\xff\xfe\"", 1)))
	// Cut anywhere, and with any byte changed, a review is refused or is none; only what no longer says privileged may be let in.
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		body := []byte(whole)
		if random.IntN(2) == 0 {
			body = body[:random.IntN(len(body))]
		} else {
			body[random.IntN(len(body))] = byte(random.IntN(256))
		}
		code, text := h.send(t, bytes.NewReader(body))
		var sent struct {
			Request struct {
				Namespace string
				Kind      struct{ Kind string }
				Object    struct {
					Spec struct {
						Containers []struct{ SecurityContext struct{ Privileged bool } }
					}
				}
			}
		}
		still := json.Unmarshal(body, &sent) == nil && len(sent.Request.Object.Spec.Containers) == 1 && sent.Request.Object.Spec.Containers[0].SecurityContext.Privileged
		if code != 200 && code != 400 || still && strings.Contains(text, `"allowed":true`) && bytes.Contains(body, []byte(`"securityContext":{"privileged":true}`)) && bytes.Contains(body, []byte(`"CREATE"`)) {
			t.Errorf("%d %.200s of %s", code, text, body)
		}
	}
}

func (h *hostile) oversized(t *testing.T) {
	of := func(size int) string {
		return hostileReview(reviewV1, `{"x":"`+strings.Repeat("x", size)+`","containers":[{"name":"a","image":"a","securityContext":{"privileged":true}}]}`)
	}
	// What is larger than is read is refused by what names it.
	h.refuses(t, "21 MiB", strings.NewReader(of(21<<20)))
	h.refuses(t, "21 MiB of which nobody told the length", io.MultiReader(strings.NewReader(of(21<<20))))
	h.refuses(t, "without an end", endless{}, http.StatusRequestEntityTooLarge, 0)
	// Just within the bound it is judged.
	h.refuses(t, "almost 20 MiB", strings.NewReader(of(20<<20-1000)))
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func (h *hostile) nested(t *testing.T) {
	const size = 3<<20 - 4096
	h.refuses(t, "lists", strings.NewReader(strings.Repeat("[", size)), http.StatusBadRequest)
	h.refuses(t, "maps", strings.NewReader(strings.Repeat(`{"a":`, size/5)), http.StatusBadRequest)
	h.refuses(t, "in a review", strings.NewReader(hostileReview(reviewV1, `{"x":`+strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)+`,"containers":[]}`)))
	// What is wide is judged, or told to be too much: the last container is privileged.
	const container = `{"name":"a","image":"a"},`
	h.refuses(t, "a hundred thousand containers", strings.NewReader(hostileReview(reviewV1, `{"containers":[`+strings.Repeat(container, size/len(container)-20)+privilegedSpec[len(`{"containers":[`):])))
	const field = `"k%07d":1,`
	var wide strings.Builder
	for i := range size / 14 {
		fmt.Fprintf(&wide, field, i)
	}
	h.refuses(t, "a hundred thousand fields", strings.NewReader(hostileReview(reviewV1, `{`+wide.String()+privilegedSpec[1:])))
}

// crowd sends many large reviews at a time: each is refused, or told that there is no room.
func (h *hostile) crowd(t *testing.T) {
	const container = `{"name":"a","image":"a","securityContext":{"privileged":true}},`
	body := hostileReview(reviewV1, `{"containers":[`+strings.Repeat(container, (3<<20-4096)/len(container))+`{"name":"a","image":"a"}]}`)
	var refused, turned atomic.Int64
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			switch code, text := h.send(t, strings.NewReader(body)); {
			case code == http.StatusOK && strings.Contains(text, `"allowed":false`):
				refused.Add(1)
			case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == 0:
				turned.Add(1)
			default:
				t.Errorf("%d %.200s", code, text)
			}
		})
	}
	group.Wait()
	t.Logf("%d refused, %d turned away", refused.Load(), turned.Load())
	if refused.Load() == 0 {
		t.Error("nobody was answered")
	}
}

// dial opens a connection by TLS, over which HTTP/1.1 is spoken.
func (h *hostile) dial(t *testing.T) net.Conn {
	t.Helper()
	config := h.config.Clone()
	config.NextProtos = []string{"http/1.1"}
	c, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", h.address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// drip has 200 clients send a byte now and then, of headers and of bodies: they are cut off, and meanwhile others are answered.
func (h *hostile) drip(t *testing.T) {
	const clients, patience = 200, 20 * time.Second
	ctx, end := context.WithTimeout(t.Context(), patience)
	defer end()
	var cut atomic.Int64
	var group sync.WaitGroup
	for i := range clients {
		c := h.dial(t)
		text := "POST /validate HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nX-Slow: "
		if i%2 == 0 {
			text = strings.TrimSuffix(text, "X-Slow: ") + "\r\n{"
		}
		group.Go(func() {
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, text)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_, _ = io.Copy(io.Discard, c)
			}()
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-closed:
					cut.Add(1)
					return
				case <-ctx.Done():
					return
				case <-tick.C:
					_, _ = io.WriteString(c, " ")
				}
			}
		})
	}
	h.well(t)
	group.Wait()
	if cut.Load() != clients {
		t.Errorf("of %d clients that drip, %d were cut off within %s", clients, cut.Load(), patience)
	}
}

// silence opens more connections than there may be and says nothing: they are closed, and the gate is there again.
func (h *hostile) silence(t *testing.T) {
	var list []net.Conn
	defer func() {
		for _, c := range list {
			_ = c.Close()
		}
	}()
	for range 1200 {
		c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", h.address)
		if err != nil {
			break
		}
		list = append(list, c)
	}
	h.well(t) // the API server's connection is there already
	h.client.CloseIdleConnections()
	within(t, 30*time.Second, "who comes anew is answered", func() bool {
		code, _ := h.send(t, strings.NewReader(hostileReview(reviewV1, plainSpec)))
		return code == 200
	})
}

// TestGateDemandsClientCertificate asks a gate that demands one without it, and with a stranger's: nothing is judged, and probes pass.
func TestGateDemandsClientCertificate(t *testing.T) {
	authority, key := selfSigned(t)
	g := runGate(t, hostilePlan, "--offline", "--client-ca", writeFile(t, "ca.crt", string(authority)))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(g.bundle)
	own, err := tls.X509KeyPair(authority, key)
	if err != nil {
		t.Fatal(err)
	}
	strange, strangeKey := selfSigned(t)
	stranger, err := tls.X509KeyPair(strange, strangeKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		with *tls.Certificate
		code int
		says string
	}{{"none", nil, http.StatusUnauthorized, "a client certificate is demanded"}, {"a stranger's", &stranger, 0, ""}, {"its own", &own, http.StatusOK, "runs privileged"}} {
		config := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		if c.with != nil {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.with, nil }
		}
		h := &hostile{runningGate: g, client: &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}}
		if code, text := h.send(t, strings.NewReader(hostileReview(reviewV1, privilegedSpec))); code != c.code || !strings.Contains(text, c.says) {
			t.Errorf("with %s: %d %s", c.name, code, text)
		}
	}
}

// busy is a cluster that takes its time to tell the labels of one namespace.
type busy struct {
	inside  chan struct{}
	release chan struct{}
}

// Among is nothing.
func (b *busy) Among(string) *judge.Among { return judge.NewAmong(nil, nil) }

// Labels are none.
func (b *busy) Labels(namespace string) (map[string]string, bool) {
	if namespace == "busy" {
		b.inside <- struct{}{}
		<-b.release
	}
	return map[string]string{}, true
}

// TestFullGateIsAFailedCall fills a gate and asks it through the real API server. Its answer is no review, so the API server does what it does
// when nobody answers: what a rule with onError fail is about is refused, and all else goes on.
func TestFullGateIsAFailedCall(t *testing.T) {
	s := startSandbox(t)
	for _, name := range []string{"open", "shut"} {
		s.kubectl(t, "create", "namespace", name)
		s.serviceAccount(t, name)
	}
	const places = 4
	const plan = `
apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: off
  rules:
  - {rules: [privileged-container], namespaces: [open, busy], mode: enforce}
  - {rules: [privileged-container], namespaces: [shut], mode: enforce, onError: fail}
`
	rules, err := catalog.Rules()
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := catalog.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	cluster := &busy{inside: make(chan struct{}, places), release: make(chan struct{})}
	server := webhook.Serve(t, plan, admission.Options{Rules: compiled, Version: catalog.Newest, Surroundings: cluster}, gate.Limits{Requests: places})
	g := &runningGate{address: server.Address}
	if g.bundle, _, err = server.Certificate.PEM(); err != nil {
		t.Fatal(err)
	}
	g.registerAsInstalled(t, s, "shut")
	tried := func(namespace, pod string) string {
		message, err := s.try(t, "{apiVersion: v1, kind: Pod, metadata: {generateName: p-, namespace: "+namespace+"}, spec: "+pod+"}", "create", "--dry-run=server", "-f", "-")
		switch {
		case err == nil:
			return ""
		case strings.Contains(message, "failed calling webhook"):
			return "no answer"
		case strings.Contains(message, "runs privileged"):
			return "refused"
		}
		return message
	}
	holds := func(want map[string]string) {
		t.Helper()
		for place, answer := range want {
			namespace, pod := strings.TrimSuffix(place, " privileged"), plainPod
			if namespace != place {
				pod = privilegedPod
			}
			if got := tried(namespace, pod); got != answer {
				t.Errorf("a pod in %s: %q, want %q", place, got, answer)
			}
		}
	}
	eventually(t, "the API server asks the gate", func() bool {
		return tried("shut", privilegedPod) == "refused" && tried("open", privilegedPod) == "refused"
	})
	calm := map[string]string{"open": "", "open privileged": "refused", "shut": "", "shut privileged": "refused", "kube-system privileged": ""}
	holds(calm)

	h := &hostile{runningGate: g, client: server.Client}
	answered := make(chan error, places)
	for range places {
		go func() {
			code, text := h.send(t, strings.NewReader(strings.Replace(hostileReview(reviewV1, plainSpec), `"shop"`, `"busy"`, 1)))
			if code != http.StatusOK {
				answered <- errors.New(text)
			}
			answered <- nil
		}()
	}
	for range places {
		<-cluster.inside
	}
	if code, text := h.send(t, strings.NewReader(hostileReview(reviewV1, plainSpec))); code != http.StatusTooManyRequests {
		t.Errorf("a full gate answers %d %s", code, text)
	}
	holds(map[string]string{"open": "", "open privileged": "", "shut": "no answer", "shut privileged": "no answer", "kube-system privileged": ""})
	close(cluster.release)
	for range places {
		if err := <-answered; err != nil {
			t.Errorf("who held a place: %v", err)
		}
	}
	holds(calm)
}
