package main

import (
	"bytes"
	"context"
	"crypto/tls"
	_ "embed"
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

var kinds = []string{"Deployment", "Pod"}

// places are the namespaces of the reviews, by turns: in each all rules hold, audited, warned of and enforced.
var places = []string{"quayside-shop", "quayside-web", "quayside-bank"}

const benchPlan = `apiVersion: coaming.dev/v1alpha1
kind: Enforcement
spec:
  mode: audit
  rules:
  - {namespaces: [quayside-web], mode: warn}
  - {namespaces: [quayside-bank], mode: enforce}
`

// answers is what must stand in the answer to a review in each of them: nobody measures a gate that lets through what it is to refuse.
var answers = [][]byte{[]byte(`"allowed":true`), []byte(`"warnings":[`), []byte(`"allowed":false`)}

// client asks as an API server does: over one connection of HTTP/2.
type client struct {
	url    string
	http   *http.Client
	bodies [2][][]byte
}

// variants is how many different objects of a kind are sent by turns.
const variants = 501

func newClient(s *server) *client {
	pool := s.pool()
	c := &client{url: "https://" + s.Address + "/validate", http: &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}}}
	for n := range variants {
		c.bodies[0] = append(c.bodies[0], reviewOf(deploymentText, "apps", "Deployment", "deployments", n))
		c.bodies[1] = append(c.bodies[1], reviewOf(podText, "", "Pod", "pods", n))
	}
	return c
}

func (c *client) size(kind int) int { return len(c.bodies[kind][0]) }

// reviewOf is the review of an object with a name and an image of its own.
func reviewOf(object, group, kind, resource string, n int) []byte {
	place := places[n%len(places)]
	object = strings.NewReplacer("quayside-shop", place, "checkout", fmt.Sprintf("checkout-%d", n), "6.1.3@", fmt.Sprintf("6.1.%d@", n)).Replace(object)
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"%08d-0000-4000-8000-000000000000",`+
		`"kind":{"group":%q,"version":"v1","kind":%q},"resource":{"group":%[2]q,"version":"v1","resource":%[4]q},"name":"checkout-%[1]d","namespace":%[6]q,`+
		`"operation":"CREATE","userInfo":{"username":"admin","groups":["system:masters","system:authenticated"]},"object":%[5]s,"oldObject":null,"dryRun":false,`+
		`"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}`, n, group, kind, resource, object, place)
}

// ask sends one review.
func (c *client) ask(kind, n int) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.url+"?timeout=2s", bytes.NewReader(c.bodies[kind][n%variants]))
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
	if err == nil && (response.StatusCode != http.StatusOK || !bytes.Contains(text, answers[n%variants%len(places)])) {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return err
}

// steady asks at a rate, whether or not the answers come: a trip begins when it is due, not when there is room for it.
func (c *client) steady(kind, rate int, over time.Duration) (trips []time.Duration, failed int) {
	count := int(over.Seconds()) * rate
	trips = make([]time.Duration, count)
	var unanswered atomic.Int64
	var group sync.WaitGroup
	begun := time.Now()
	for i := range count {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due)) //nolint:forbidigo // the rate itself
		group.Go(func() {
			if c.ask(kind, i) != nil {
				unanswered.Add(1)
			}
			trips[i] = time.Since(due)
		})
	}
	group.Wait()
	return trips, int(unanswered.Load())
}

// many asks as fast as answers come.
func (c *client) many(count, width int) error {
	var group errgroup.Group
	group.SetLimit(width)
	for i := range count {
		group.Go(func() error { return c.ask(i%2, i/2) })
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
