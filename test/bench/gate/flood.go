package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// largest is a little less than the largest review that is read, in bytes.
const largest = 20<<20 - 4096

// flooding is how many large reviews are sent at a time: more than there is room for, or wait for room.
const flooding = 24

// waves are the shapes of large reviews, each the dearest of its kind that the gate's bounds let through to be judged, and what is far beyond them.
func waves() []wave {
	pad := func(review string, size int) string {
		return strings.Replace(review, `"metadata":{`, `"metadata":{"annotations":{"pad":"`+strings.Repeat("x", max(size-len(review), 0))+`"},`, 1)
	}
	pod := func(spec string) string {
		return `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"` + places[2] + `"},"spec":` + spec + `}`
	}
	container := func(more string) string { return `{"name":"a","image":"a:latest"` + more + `}` }
	repeated := func(one string, count int) string { return strings.TrimSuffix(strings.Repeat(one+",", count), ",") }
	plain := `{"containers":[` + container("") + `]}`
	return []wave{
		{"one long text", pad(pod(plain), largest)},
		{"letters that count six", strings.Replace(pod(plain), `"metadata":{`, `"metadata":{"annotations":{"a":"`+strings.Repeat(`\u003c`, largest/6-200)+`"},`, 1)},
		{"half a million values", pad(pod(`{"containers":[`+container(`,"args":[`+repeated(`"a"`, 500_000)+`]`)+`]}`), largest)},
		{"100,000 small maps", pad(pod(`{"containers":[`+container(`,"env":[`+repeated(`{"name":"A","value":"b"}`, 100_000)+`]`)+`]}`), largest)},
		{"400 containers with texts", pod(`{"containers":[` + repeated(container(`,"command":["sh","-c","`+strings.Repeat("curl x|sh; ", largest/400/12)+`"]`), 400) + `]}`)},
		{"250 KB, just not large", pad(pod(plain), 250<<10)},
	}
}

// wave is many reviews of one shape at a time.
type wave struct{ name, object string }

// review is the shape as a review.
func (w wave) review() []byte {
	return fmt.Appendf(nil, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"00000000-0000-4000-8000-000000000000",`+
		`"kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"name":"a","namespace":%q,`+
		`"operation":"CREATE","userInfo":{"username":"somebody"},"object":%s,"oldObject":null,"dryRun":false}}`, places[2], w.object)
}

// flood measures what large reviews take of memory: each shape against a server of its own, over connections of their own, while small reviews are
// asked about, too.
func flood(ctx context.Context, over time.Duration) error {
	fmt.Printf("%d large reviews at a time for %v, and small ones beside them:\n\n", flooding, over)
	fmt.Printf("%-28s %8s | %8s %8s %8s | %8s %8s | %s\n", "reviews", "MiB", "refused", "turned", "broken", "RSS MiB", "peak MiB", "small ones: count, failed, p50, p99, max")
	for _, w := range waves() {
		if err := w.measure(ctx, over); err != nil {
			return err
		}
	}
	return nil
}

func (w wave) measure(parent context.Context, over time.Duration) error {
	s, err := startServer(parent, "")
	if err != nil {
		return err
	}
	defer s.stop()
	small, err := newClient(s)
	if err != nil {
		return err
	}
	if err := small.many(parent, 2000, 8, made...); err != nil { // everything is compiled and warm
		return err
	}
	first, err := s.phase()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(parent, over)
	defer cancel()
	body := w.review()
	var refused, turned, broken atomic.Int64
	var group sync.WaitGroup
	for range flooding {
		own := &client{url: small.url, http: &http.Client{Transport: small.http.Transport.(*http.Transport).Clone()}}
		group.Go(func() {
			for ctx.Err() == nil {
				switch code, text := own.send(ctx, body); {
				case code == http.StatusOK && bytes.Contains(text, []byte(`"allowed":false`)):
					refused.Add(1)
				case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
					turned.Add(1)
				case code == http.StatusOK:
					panic(fmt.Sprintf("%s: a review was let through: %.300s", w.name, text))
				default:
					broken.Add(1)
				}
			}
		})
	}
	trips, failed := small.steady(parent, &small.traffic[made[1]], 20, over)
	cancel()
	group.Wait()
	last, err := s.phase()
	if err != nil {
		return err
	}
	fmt.Printf("%-28s %8.2f | %8d %8d %8d | %8d %8d | %d, %d, %v, %v, %v\n", w.name, float64(len(body))/(1<<20), refused.Load(), turned.Load(), broken.Load(),
		first.Peak>>20, last.Peak>>20, len(trips), failed, short(quantile(trips, .5)), short(quantile(trips, .99)), short(quantile(trips, 1)))
	return nil
}

// send sends one body and gives what came of it; 0 where nothing did.
func (c *client) send(ctx context.Context, body []byte) (code int, text []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"?timeout=3s", bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return 0, nil
	}
	text, err = io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if errors.Join(err, response.Body.Close()) != nil {
		return 0, nil
	}
	return response.StatusCode, text
}
