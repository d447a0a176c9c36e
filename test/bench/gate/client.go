package main

import (
	"bytes"
	"context"
	"crypto/tls"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

//go:embed testdata/deployment.json
var deploymentText string

//go:embed testdata/pod.json
var podText string

// places are the namespaces of the reviews, by turns: in each all rules hold, audited, warned of and enforced.
var places = []string{"quayside-shop", "quayside-web", "quayside-bank"}

const benchPlan = `apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: audit
  rules:
  - {namespaces: [quayside-web], mode: warn}
  - {namespaces: [quayside-bank], mode: enforce}
  mutations:
    defaults:
    - {rules: [seccomp-missing, privilege-escalation, capabilities-not-dropped, service-account-token-unused]}
    sidecars:
    - {template: audit-forwarder, values: {image: "registry.example.com/fluent-bit@sha256:4d8a4b1f0c8e6a1f6a7a1f0f4f0e1c2d3b4a59687766554433221100ffeeddcc", path: /var/log/shop}}
`

// traffic is reviews of one kind, and what must stand in the answers in each of the places: nobody measures a gate that lets through what it
// is to refuse, or changes nothing.
type traffic struct {
	name, path string
	bodies     [][]byte
	answers    []string
}

// client asks as an API server does: over one connection of HTTP/2.
type client struct {
	url     string
	http    *http.Client
	traffic []traffic
}

// variants is how many different objects of a kind are sent by turns.
const variants = 501

func newClient(s *server) (*client, error) {
	c := &client{url: "https://" + s.Address, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.pool(), MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}}
	decided := []string{`"allowed":true`, `"warnings":[`, `"allowed":false`}
	for _, of := range []struct{ kind, group, resource, text string }{
		{"Deployment", "apps", "deployments", deploymentText}, {"Pod", "", "pods", podText},
	} {
		bare, err := bareOf(of.text)
		if err != nil {
			return nil, err
		}
		made := traffic{of.kind, "/validate", nil, decided}
		changed := traffic{of.kind + " changed", "/validate", nil, []string{`"uid":`, `"uid":`, `"uid":`}}
		mutated := traffic{of.kind + " mutated", "/mutate", nil, []string{`"patch":`, `"patch":`, `"patch":`}}
		for n := range variants {
			review := review{n, of.group, of.kind, of.resource}
			made.bodies = append(made.bodies, review.of(review.object(of.text), ""))
			old := review.object(of.text)
			changed.bodies = append(changed.bodies, review.of(strings.ReplaceAll(old, fmt.Sprintf("6.1.%d@", n), fmt.Sprintf("6.2.%d@", n)), old))
			mutated.bodies = append(mutated.bodies, review.of(review.object(bare), ""))
		}
		c.traffic = append(c.traffic, made, changed, mutated)
	}
	return c, nil
}

// bareOf is an object before anybody made it, without what a plan is to give it.
func bareOf(text string) (string, error) {
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return "", fmt.Errorf("read an object of the bench: %w", err)
	}
	metadata, _ := o["metadata"].(map[string]any)
	for _, key := range []string{"resourceVersion", "uid", "managedFields", "creationTimestamp"} {
		delete(metadata, key)
	}
	delete(o, "status")
	spec, _ := o["spec"].(map[string]any)
	if template, ok := spec["template"].(map[string]any); ok {
		spec, _ = template["spec"].(map[string]any)
	}
	delete(spec, "securityContext")
	containers, _ := spec["containers"].([]any)
	for _, c := range containers {
		if c, ok := c.(map[string]any); ok {
			delete(c, "securityContext")
		}
	}
	bare, err := json.Marshal(o)
	return string(bare), err
}

// review is the n-th one of a kind.
type review struct {
	n                     int
	group, kind, resource string
}

func (r review) place() string { return places[r.n%len(places)] }

// object is an object with a name and an image of its own.
func (r review) object(text string) string {
	return strings.NewReplacer("quayside-shop", r.place(), "checkout", fmt.Sprintf("checkout-%d", r.n), "6.1.3@", fmt.Sprintf("6.1.%d@", r.n)).Replace(text)
}

// of is the review of an object that is made, or with an old one changed.
func (r review) of(object, old string) []byte {
	operation, options := "UPDATE", "Update"
	if old == "" {
		operation, options, old = "CREATE", "Create", "null"
	}
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"%08d-0000-4000-8000-000000000000",`+
		`"kind":{"group":%q,"version":"v1","kind":%q},"resource":{"group":%[2]q,"version":"v1","resource":%[4]q},"name":"checkout-%[1]d","namespace":%[5]q,`+
		`"operation":%[6]q,"userInfo":{"username":"admin","groups":["system:masters","system:authenticated"]},"object":%[7]s,"oldObject":%[8]s,"dryRun":false,`+
		`"options":{"kind":"%[9]sOptions","apiVersion":"meta.k8s.io/v1"}}}`, r.n, r.group, r.kind, r.resource, r.place(), operation, object, old, options)
}

// ask sends one review.
func (c *client) ask(ctx context.Context, of *traffic, n int) error {
	n %= variants
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+of.path+"?timeout=2s", bytes.NewReader(of.bodies[n]))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	err = errors.Join(err, response.Body.Close())
	if err == nil && (response.StatusCode != http.StatusOK || !strings.Contains(string(text), of.answers[n%len(places)])) {
		err = fmt.Errorf("%s: %s: %s", of.name, response.Status, text)
	}
	return err
}

// steady asks at a rate, whether or not the answers come: a trip begins when it is due, not when there is room for it.
func (c *client) steady(ctx context.Context, of *traffic, rate int, over time.Duration) (trips []time.Duration, failed int) {
	count := int(over.Seconds()) * rate
	trips = make([]time.Duration, count)
	var unanswered atomic.Int64
	var group sync.WaitGroup
	begun := time.Now()
	for i := range count {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due)) //nolint:forbidigo // the rate itself
		group.Go(func() {
			if c.ask(ctx, of, i) != nil {
				unanswered.Add(1)
			}
			trips[i] = time.Since(due)
		})
	}
	group.Wait()
	return trips, int(unanswered.Load())
}

// many asks as fast as answers come, by turns about what it is given.
func (c *client) many(ctx context.Context, count, width int, of ...int) error {
	var group errgroup.Group
	group.SetLimit(width)
	for i := range count {
		group.Go(func() error { return c.ask(ctx, &c.traffic[of[i%len(of)]], i/len(of)) })
	}
	return group.Wait()
}

func quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
