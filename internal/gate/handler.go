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
		of := func(r *Ruling) admission.Class {
			if r.Alone && class == admission.Ignoring {
				return admission.Everything
			}
			return class
		}
		return reviewer{
			decide: func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error) {
				return r.Desk.Validate(ctx, of(r), body)
			},
			unread: func(r *Ruling, b *body) ([]byte, *admission.Outcome, error) {
				return r.Desk.Unread(of(r), b.text, *b.trouble)
			},
		}
	}
	mux.Handle("POST /validate", g.review("validate", validate(admission.Everything)))
	mux.Handle("POST /validate/ignore", g.review("validate", validate(admission.Ignoring)))
	mux.Handle("POST /validate/fail", g.review("validate", validate(admission.Failing)))
	mux.Handle("POST /mutate", g.review("mutate", reviewer{
		decide: func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error) {
			return r.Desk.Patch(ctx, body)
		},
		unread: func(_ *Ruling, b *body) ([]byte, *admission.Outcome, error) { return nil, nil, b.refused() },
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

// reviewer decides one review, be it that nobody read it to its end.
type reviewer struct {
	decide func(ctx context.Context, r *Ruling, body string) ([]byte, *admission.Outcome, error)
	unread func(r *Ruling, b *body) ([]byte, *admission.Outcome, error)
}

// review takes a review in and its answer out.
func (g *Gate) review(kind string, by reviewer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		begun := time.Now()
		answer, out, err := g.answer(w, request, by)
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
		reviewed(request.Context())
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer) // whom nobody hears has gone
	})
}

// answer decides one review within the bounds.
func (g *Gate) answer(w http.ResponseWriter, request *http.Request, by reviewer) (answer []byte, out *admission.Outcome, err error) {
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
	ctx, cancel := context.WithTimeout(request.Context(), patience(request, ruling.Timeout))
	defer cancel()
	b, err := g.bounds.read(ctx, w, request)
	switch {
	case err != nil:
		b.release()
		return nil, nil, err
	case b.trouble != nil:
		defer b.release()
		return g.beginning(ruling, b, by)
	case !g.bounds.enter(): // a body that has not come takes no place
		b.release()
		return nil, nil, crowded("too many requests at a time")
	case len(b.text) >= admission.Large:
		return g.judgeLarge(ctx, ruling, b, by)
	}
	defer b.release()
	defer g.bounds.leave()
	return g.judge(ctx, ruling, b, by)
}

// beginning decides by the beginning of a body.
func (g *Gate) beginning(ruling *Ruling, b *body, by reviewer) ([]byte, *admission.Outcome, error) {
	answer, out, err := by.unread(ruling, b)
	if admission.IsRefused(err) {
		err = &refusal{b.code, err.Error()}
	}
	return answer, out, err
}

// judge decides a review that has come. A panic is an error of this request alone.
func (g *Gate) judge(ctx context.Context, ruling *Ruling, b *body, by reviewer) (answer []byte, out *admission.Outcome, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			g.metrics.panics.Inc()
			g.Log.Error("panic", "value", fmt.Sprint(caught), "stack", string(debug.Stack()))
			answer, out, err = nil, nil, errors.New("the gate could not decide; its log tells why")
		}
	}()
	turn, err := g.bounds.turn(ctx, len(b.text))
	if err != nil {
		return nil, nil, crowded("too many requests wait")
	}
	defer turn.end()
	stop := context.AfterFunc(ctx, turn.end) // when its time is over, others have theirs
	defer stop()
	inner := admission.WithRest(ctx, func() (func(), bool) { return turn.rest(ctx) })
	answer, out, err = by.decide(inner, ruling, b.text)
	if admission.IsRefused(err) {
		err = &refusal{http.StatusBadRequest, err.Error()}
	}
	return answer, out, err
}

// judgeLarge decides a large review. Whoever judges it may not hear in time that its time is over: it is then answered by what names it,
// and what it holds is given back once nobody needs it.
func (g *Gate) judgeLarge(ctx context.Context, ruling *Ruling, b *body, by reviewer) ([]byte, *admission.Outcome, error) {
	type judged struct {
		answer []byte
		out    *admission.Outcome
		err    error
	}
	done := make(chan judged, 1)
	told := body{text: b.text[:admission.Large], code: http.StatusTooManyRequests}
	go func() {
		defer g.bounds.leave()
		defer b.release()
		answer, out, err := g.judge(ctx, ruling, b, by)
		done <- judged{answer, out, err}
	}()
	var j judged
	select {
	case j = <-done:
	case <-ctx.Done():
		told.trouble = &admission.TooSlow
		grace := time.NewTimer(graceOfLarge)
		defer grace.Stop()
		select {
		case j = <-done:
		case <-grace.C:
			return g.beginning(ruling, &told, by)
		}
	}
	if r, ok := errors.AsType[*refusal](j.err); ok && r.code == http.StatusTooManyRequests {
		told.trouble = &admission.Crowded
		return g.beginning(ruling, &told, by)
	}
	return j.answer, j.out, j.err
}

// graceOfLarge is how long the answer about a large review is waited for when its time is over, as most then come in a moment.
const graceOfLarge = 20 * time.Millisecond

// patience is how long a decision may take: a little less than the API server waits, which tells in the query how long that is.
func patience(request *http.Request, planned time.Duration) time.Duration {
	if told, err := time.ParseDuration(request.URL.Query().Get("timeout")); err == nil && told > 0 && told < planned {
		planned = told
	}
	return planned - planned/10
}
