// Package webhook asks a gate over TLS as the API server does, and compares it with scans. Tests alone import it.
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
	"github.com/coaming/coaming/internal/fact"
	"github.com/coaming/coaming/internal/gate"
	"github.com/coaming/coaming/internal/judge"
	"github.com/coaming/coaming/test/loopback"
)

// everyRule enforces all rules wherever a plan can.
const everyRule = "apiVersion: coaming.dev/v1alpha1\nkind: Enforcement\nspec: {mode: enforce, onError: fail}\n"

// cluster is what stands around the object of an example: the other objects of it.
type cluster struct {
	objects []*fact.Object
	ranging map[string]bool // the kinds that rules ask for in all namespaces, which a gate's watch hands on whole
}

// Among is the objects of a namespace and those of none.
func (c *cluster) Among(namespace string) *judge.Among {
	var list []*fact.Object
	for _, o := range c.objects {
		if o.Namespace == "" || o.Namespace == namespace || c.ranging[o.GroupKind()] {
			list = append(list, o)
		}
	}
	return judge.NewAmong(list, nil)
}

// Labels are none.
func (c *cluster) Labels(string) (map[string]string, bool) { return map[string]string{}, true }

// Server is a running gate.
type Server struct {
	Address     string
	Certificate *loopback.Certificate
	Client      *http.Client
}

// Serve runs a gate over TLS with a plan until the test ends.
func Serve(t testing.TB, plan string, o admission.Options, limits gate.Limits) *Server {
	t.Helper()
	var err error
	if o.Plan, err = enforcement.Read("plan.yaml", plan); err != nil {
		t.Fatal(err)
	}
	o.Now, o.Width = time.Now, 1
	desk := admission.New(o)
	certificate, err := loopback.New()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	running := gate.New(gate.Options{
		Listener: listener, Certificates: certificate, Limits: limits,
		Load: func(context.Context) (*gate.Ruling, error) {
			return &gate.Ruling{Desk: desk, Timeout: 10 * time.Second}, nil
		},
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- running.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the gate ended: %v", err)
		}
	})
	return &Server{Address: listener.Addr().String(), Certificate: certificate, Client: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: certificate.Pool(), MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true,
	}}}
}

// send sends an object to be made, and reads what the answer notes of each rule: "fail" or "unknown".
func (s *Server) send(t testing.TB, o *fact.Object) map[string]string {
	t.Helper()
	gv, err := schema.ParseGroupVersion(o.APIVersion)
	if err != nil {
		t.Fatal(err)
	}
	gvk := gv.WithKind(o.Kind)
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	review, err := json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": map[string]any{
			"uid":       "7a1d9a4e-0000-4000-8000-000000000001",
			"kind":      map[string]string{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind},
			"resource":  map[string]string{"group": plural.Group, "version": plural.Version, "resource": plural.Resource},
			"name":      o.Name,
			"namespace": o.Namespace,
			"operation": "CREATE",
			"userInfo":  map[string]any{"username": "ann"},
			"object":    json.RawMessage(o.Root.AppendJSON(nil)),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+s.Address+"/validate", bytes.NewReader(review))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := s.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	var got struct {
		Response struct {
			Allowed          bool
			AuditAnnotations map[string]string
		}
	}
	if err != nil || answer.StatusCode != http.StatusOK || json.Unmarshal(text, &got) != nil {
		t.Fatalf("%s %s: %s: %s %v", o.Kind, o.Name, answer.Status, text, err)
	}
	said := map[string]string{}
	for key, note := range got.Response.AuditAnnotations {
		said[key] = "unknown"
		if strings.Contains(note, "enforce: fail: ") {
			said[key] = "fail"
		}
	}
	if got.Response.Allowed != (len(said) == 0) {
		t.Errorf("%s %s: allowed %t though it notes %v", o.Kind, o.Name, got.Response.Allowed, said)
	}
	return said
}
