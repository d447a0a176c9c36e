package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// freeAddress is an address of this machine that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// registerAsInstalled has the API server ask as an installation does: a webhook for each onError, that which fails closed about some
// namespaces alone where the plan names them, and neither ever about those of the system.
func (g *runningGate) registerAsInstalled(t *testing.T, s *sandbox, closed ...string) {
	t.Helper()
	var hooks strings.Builder
	for _, class := range []string{"Ignore", "Fail"} {
		path, condition := strings.ToLower(class), ""
		if class == "Fail" && len(closed) > 0 {
			condition = fmt.Sprintf("\n  matchConditions: [{name: closed, expression: 'request.namespace in %s'}]", flow(closed))
		}
		fmt.Fprintf(&hooks, `
- name: %s.coaming.dev
  clientConfig: {url: "https://%s/validate/%[1]s", caBundle: %[3]s}
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: %[4]s
  timeoutSeconds: 3
  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system, kube-public, kube-node-lease, coaming-system]}]}
  rules:
  - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}%[5]s`, path, g.address, base64.StdEncoding.EncodeToString(g.bundle), class, condition)
	}
	s.apply(t, "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: coaming-gate}\nwebhooks:"+hooks.String())
}

// memory is what the gate's process held at most, in bytes.
func (g *runningGate) memory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.process.Process.Pid))
	if err != nil {
		t.Skip("what a process takes is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// figures is what the gate tells of itself, which must be as Prometheus reads it.
func (g *runningGate) figures(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.metrics+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := promlint.New(strings.NewReader(string(text))).Lint(); err != nil {
		t.Errorf("the figures cannot be read: %v", err)
	}
	return string(text)
}

// figure is one of the gate's figures.
func (g *runningGate) figure(t *testing.T, name string) float64 {
	t.Helper()
	text := g.figures(t)
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+" "); found {
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return number
		}
	}
	t.Fatalf("the gate tells no figure %s", name)
	return 0
}
