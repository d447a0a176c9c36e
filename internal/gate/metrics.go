package gate

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/coaming/coaming/internal/admission"
	"github.com/coaming/coaming/internal/enforcement"
)

// metrics are the gate's figures.
type metrics struct {
	registry *prometheus.Registry
	reviews  *prometheus.CounterVec
	refusals *prometheus.CounterVec
	findings *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	loads    *prometheus.CounterVec
	panics   prometheus.Counter
}

func newMetrics(g *Gate) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "coaming", Subsystem: "gate", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		reviews:  counter("reviews_total", "Reviews that were decided.", "webhook", "allowed"),
		refusals: counter("refusals_total", "Requests that were no reviews, or found the gate full, by HTTP's code.", "webhook", "code"),
		findings: counter("findings_total", "What was found in reviews, by what became of it.", "became"),
		loads:    counter("loads_total", "How often what is decided by was loaded.", "result"),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "coaming", Subsystem: "gate", Name: "panics_total", Help: "Requests that ended in a panic.",
		}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "coaming", Subsystem: "gate", Name: "review_seconds", Help: "How long a review took, from its first byte to the answer.",
			Buckets: []float64{.0005, .001, .002, .004, .008, .016, .032, .064, .125, .25, .5, 1, 2, 3},
		}, []string{"webhook"}),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "coaming", Subsystem: "gate", Name: name, Help: help}, value)
	}
	m.registry.MustRegister(
		m.reviews, m.refusals, m.findings, m.loads, m.panics, m.seconds,
		gauge("plan_broken", "1 while the newest plan is broken and a former one is decided by.", func() float64 { return truth(g.trouble() != nil) }),
		gauge("ready", "1 while the gate is to be asked.", func() float64 { return truth(g.ready() == nil) }),
		gauge("requests", "Requests that are answered, or wait for it.", func() float64 { return float64(g.bounds.requests.Load()) }),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// observe counts a request.
func (m *metrics) observe(webhook string, out *admission.Outcome, err error, took time.Duration) {
	m.seconds.WithLabelValues(webhook).Observe(took.Seconds())
	if err != nil {
		code := http.StatusInternalServerError
		if r, ok := errors.AsType[*refusal](err); ok {
			code = r.code
		}
		m.refusals.WithLabelValues(webhook, strconv.Itoa(code)).Inc()
		return
	}
	m.reviews.WithLabelValues(webhook, strconv.FormatBool(out.Allowed)).Inc()
	for mode, n := range out.Found {
		if n > 0 {
			m.findings.WithLabelValues(enforcement.Mode(mode).String()).Add(float64(n))
		}
	}
	for became, n := range map[string]int{"unknown": out.Unknown, "exempt": out.Exempt, "drift": out.Drifted} {
		if n > 0 {
			m.findings.WithLabelValues(became).Add(float64(n))
		}
	}
}

// figures serves what the gate counts, and behind it what its parts do.
func (g *Gate) figures() http.Handler {
	own := promhttp.HandlerFor(g.metrics.registry, promhttp.HandlerOpts{DisableCompression: true})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept") // text: what parts write is text
		own.ServeHTTP(w, r)
		for _, write := range g.Figures {
			if err := write(w); err != nil {
				return // whom nobody hears has gone
			}
		}
	})
	return mux
}
