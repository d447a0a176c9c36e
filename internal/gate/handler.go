package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/coaming/coaming/internal/admission"
)

var (
	errEnding = errors.New("ending")
	errNoPlan = errors.New("no plan has been loaded")
)

// refusal is an answer that is no review: the API server then does what failurePolicy says.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return r.text }

func (g *Gate) handler() http.Handler {
	mux := http.NewServeMux()
	validate := func(class admission.Class) reviewer {
		return func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error) {
			return r.Desk.Validate(ctx, class, body)
		}
	}
	mux.Handle("POST /validate", g.review("validate", validate(admission.Everything)))
	mux.Handle("POST /validate/ignore", g.review("validate", validate(admission.Ignoring)))
	mux.Handle("POST /validate/fail", g.review("validate", validate(admission.Failing)))
	mux.Handle("POST /mutate", g.review("mutate", func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error) {
		return r.Desk.Patch(ctx, body)
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := g.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux
}

// reviewer decides one review.
type reviewer func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error)

// review takes a review in and its answer out.
func (g *Gate) review(kind string, decide reviewer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		begun := time.Now()
		answer, out, err := g.answer(w, request, decide)
		took := time.Since(begun)
		g.metrics.observe(kind, out, err, took)
		if g.Took != nil {
			g.Took(took)
		}
		if err != nil {
			code := http.StatusInternalServerError
			if r, ok := errors.AsType[*refusal](err); ok {
				code = r.code
			}
			if code == http.StatusRequestEntityTooLarge || code == http.StatusRequestTimeout {
				w.Header().Set("Connection", "close") // the rest of the body is not waited for
			}
			http.Error(w, err.Error(), code)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer) // whom nobody hears has gone
	})
}

// answer decides one review within the bounds. A panic is an error of this request alone.
func (g *Gate) answer(w http.ResponseWriter, request *http.Request, decide reviewer) (answer []byte, out *admission.Outcome, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			g.metrics.panics.Inc()
			g.Log.Error("panic", "value", fmt.Sprint(caught), "stack", string(debug.Stack()))
			answer, out, err = nil, nil, errors.New("the gate could not decide; its log tells why")
		}
	}()
	if g.ClientCAs != nil && (request.TLS == nil || len(request.TLS.VerifiedChains) == 0) {
		return nil, nil, &refusal{http.StatusUnauthorized, "a client certificate is demanded here (--client-ca); give the API server one in its AdmissionConfiguration"}
	}
	if kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, nil, &refusal{http.StatusUnsupportedMediaType, "the content type is not application/json"}
	}
	ruling := g.current.Load()
	if ruling == nil {
		return nil, nil, &refusal{http.StatusServiceUnavailable, errNoPlan.Error()}
	}
	if !g.bounds.enter() {
		return nil, nil, &refusal{http.StatusTooManyRequests, "too many requests at a time"}
	}
	defer g.bounds.leave()
	ctx, cancel := context.WithTimeout(request.Context(), patience(request, ruling.Timeout))
	defer cancel()
	body, release, err := g.bounds.read(w, request)
	defer release()
	if err != nil {
		return nil, nil, err
	}
	turn, err := g.bounds.turn(ctx, len(body))
	if err != nil {
		return nil, nil, &refusal{http.StatusTooManyRequests, "too many requests wait"}
	}
	defer turn.end()
	inner := admission.WithRest(ctx, func() (func(), bool) { return turn.rest(ctx) })
	answer, out, err = decide(inner, ruling, body)
	if admission.IsRefused(err) {
		err = &refusal{http.StatusBadRequest, err.Error()}
	}
	return answer, out, err
}

// patience is how long a decision may take: a little less than the API server waits, which tells in the query how long that is.
func patience(request *http.Request, planned time.Duration) time.Duration {
	if told, err := time.ParseDuration(request.URL.Query().Get("timeout")); err == nil && told > 0 && told < planned {
		planned = told
	}
	return planned - planned/10
}
