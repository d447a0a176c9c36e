package gate

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coaming/coaming/internal/admission"
)

// reviewWith is the review of a pod with something in its metadata.
func reviewWith(metadata, spec string) string {
	return strings.Replace(reviewOf(spec), `"metadata":{"name":"a"`, `"metadata":{"name":"a"`+metadata, 1)
}

// TestOwnDoing sends what its writer made hard to read or to judge: nothing is let in that an enforced rule refuses, though errors are
// ignored.
func TestOwnDoing(t *testing.T) {
	const audited = "  mode: audit\n  rules: [{rules: [privileged-container], mode: enforce}]\n"
	s := serve(t, func(o *Options) {
		o.Load = func(context.Context) (*Ruling, error) {
			r := ruling(t, audited, nil)
			r.Timeout = time.Minute // what is decided is asked about, not the machine
			return r, nil
		}
	})
	deep := strings.Repeat(`{"f:x":`, 900) + "{}" + strings.Repeat("}", 900)
	managed := `,"managedFields":[{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":` + deep + `}]`
	letters := `,"annotations":{"a":"` + strings.Repeat(`\u003c`, 600_000) + `"}`
	var many strings.Builder
	for i := range 400 {
		fmt.Fprintf(&many, `{"name":"c%d","image":"a:latest"},`, i)
	}
	few := `{"containers":[` + many.String()
	for name, c := range map[string]struct{ body, says string }{
		"deep managedFields":               {reviewWith(managed, privileged), "runs privileged"},
		"deep managedFields, well":         {reviewWith(managed, plain), ""},
		"600 KB of letters that count six": {reviewWith(letters, privileged), "runs privileged"},
		"the same, well":                   {reviewWith(letters, plain), ""},
		"400 containers":                   {reviewOf(few + privileged[len(`{"containers":[`):]), "runs privileged"},
		"400 containers, well":             {reviewOf(few + plain[len(`{"containers":[`):]), ""},
		"80,000 words":                     {reviewOf(`{"containers":[{"name":"a","image":"a","securityContext":{"privileged":true},"args":["a"` + strings.Repeat(`,"a"`, 80_000) + `]}]}`), `"allowed":false`},
		"larger than anything":             {reviewWith(`,"x":"`+strings.Repeat("x", 20<<20)+`"`, plain), "over 20 MiB"},
		"a depth of its own":               {reviewOf(`{"x":` + deep + privileged[1:]), "cannot be read"},
	} {
		path := "/validate/ignore"
		if name == "80,000 words" {
			path += "?timeout=3s" // in time
		}
		code, text := s.post(t, path, strings.NewReader(c.body))
		if code != http.StatusOK || strings.Contains(text, `"allowed":true`) != (c.says == "") || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d %.300s", name, code, text)
		}
	}
}

// TestLargeFlood sends many large reviews at once, and demands that each is judged or refused, that small ones are answered meanwhile, and
// that all that was taken is given back.
func TestLargeFlood(t *testing.T) {
	s := serve(t, func(o *Options) {
		o.Limits.Read = time.Minute
		o.Load = func(context.Context) (*Ruling, error) {
			r := ruling(t, enforcing, nil)
			r.Timeout = 20 * time.Second // the bounds are asked about, not the machine
			return r, nil
		}
	})
	body := []byte(reviewWith(`,"annotations":{"a":"`+strings.Repeat(`\u003c`, 2<<20)+`"}`, privileged))
	small := s.client
	var group sync.WaitGroup
	var judged, crowded, flooding atomic.Int64
	flooding.Store(1)
	for range 24 {
		own := &http.Client{Transport: small.Transport.(*http.Transport).Clone()}
		group.Go(func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/validate/ignore", bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Content-Type", "application/json")
			switch code, text := (&served{client: own}).do(request); {
			case code == 200 && strings.Contains(text, "runs privileged"):
				judged.Add(1)
			case code == 200 && strings.Contains(text, `"allowed":false`):
				crowded.Add(1)
			case code == http.StatusRequestTimeout || code == 0: // the machine did not carry it in time
			default:
				t.Errorf("%d %.200s", code, text)
			}
		})
	}
	go func() { group.Wait(); flooding.Store(0) }()
	answered := 0
	for flooding.Load() == 1 {
		if code, text := s.post(t, "/validate", strings.NewReader(reviewOf(privileged))); code != 200 || !strings.Contains(text, "runs privileged") {
			t.Errorf("a small review is answered %d %.200s", code, text)
		}
		answered++
	}
	t.Logf("%d judged, %d refused for others, %d small ones answered", judged.Load(), crowded.Load(), answered)
	if judged.Load() == 0 || answered == 0 {
		t.Error("nobody is judged")
	}
	s.eventually(t, "all is given back", func() bool {
		if !s.bounds.large.TryAcquire(s.Limits.Large) {
			return false
		}
		s.bounds.large.Release(s.Limits.Large)
		return s.bounds.requests.Load() == 0
	})
}

// TestLargeAndSlow demands that a large review whose judge does not hear that its time is over is refused in time, and takes no turn from
// others meanwhile.
func TestLargeAndSlow(t *testing.T) {
	release := make(chan struct{})
	var inside atomic.Int64
	s := serve(t, func(o *Options) {
		o.Load = func(context.Context) (*Ruling, error) {
			return ruling(t, enforcing, &slow{func() {
				if n := inside.Add(1); n <= 6 && n%2 == 1 { // each is asked for once more to refuse it
					<-release
				}
			}}), nil
		}
	})
	large := reviewWith(`,"annotations":{"a":"`+strings.Repeat("a", admission.Large)+`"}`, plain)
	for range 3 {
		begun := time.Now()
		code, text := s.post(t, "/validate?timeout=1s", strings.NewReader(large))
		if took := time.Since(begun); code != 200 || !strings.Contains(text, "takes too long") || took > 5*time.Second {
			t.Errorf("after %v: %d %.300s", took, code, text)
		}
	}
	if code, text := s.post(t, "/validate", strings.NewReader(large)); code != 200 || !strings.Contains(text, `"allowed":true`) {
		t.Errorf("while others are slow: %d %.300s", code, text)
	}
	close(release)
	s.eventually(t, "all is given back", func() bool { return s.bounds.requests.Load() == 0 })
}
