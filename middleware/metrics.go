package middleware

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// HeaderReplayed marks an answer that is the one which the first request with the same Idempotency-Key got.
const HeaderReplayed = "Idempotency-Replayed"

// Metrics are a server's metrics for Prometheus. A nil *Metrics measures nothing.
type Metrics struct {
	registry  *prometheus.Registry
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	refusals  *prometheus.CounterVec
	// What clients save by headers of theirs, and what they would have overwritten.
	replays, unchanged, conflicts prometheus.Counter
}

// NewMetrics makes the metrics of the server, the Go runtime and the process, and adds those of other collectors.
func NewMetrics(others ...prometheus.Collector) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewBuildInfoCollector(), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(others...)
	create := promauto.With(registry)
	counter := func(name, help string) prometheus.Counter {
		return create.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Metrics{
		registry: registry,
		durations: create.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "taskapi_http_request_duration_seconds",
			Help:    "Time from the request's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		inFlight: create.NewGauge(prometheus.GaugeOpts{Name: "taskapi_http_requests_in_flight", Help: "Requests that are being answered."}),
		refusals: create.NewCounterVec(prometheus.CounterOpts{
			Name: "taskapi_auth_refusals_total",
			Help: "Requests that were answered 401, by the reason in the log.",
		}, []string{"reason"}),
		replays:   counter("taskapi_idempotency_replays_total", "Requests that were answered as the first one with their Idempotency-Key."),
		unchanged: counter("taskapi_not_modified_total", "Requests that were answered 304, because the client had the answer."),
		conflicts: counter("taskapi_precondition_failures_total", "Requests that were answered 412, because the row was changed."),
	}
}

// Handler serves the metrics in Prometheus's formats on GET /metrics, and nothing else.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	return mux
}

// Observe measures the duration of each request.
func (m *Metrics) Observe() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if m == nil {
			return c.Next()
		}
		start := time.Now()
		m.inFlight.Inc()
		status := fiber.StatusInternalServerError // if the handler panics
		defer func() {
			m.inFlight.Dec()
			m.countConditional(c, status)
			m.durations.WithLabelValues(utils.CopyString(c.Method()), Route(c, status), strconv.Itoa(status)).Observe(time.Since(start).Seconds())
		}()
		err := c.Next()
		status = c.Response().StatusCode()
		return err
	}
}

// countConditional counts an answer that depends on what the client said that it has or has sent.
func (m *Metrics) countConditional(c *fiber.Ctx, status int) {
	switch {
	case status == fiber.StatusNotModified:
		m.unchanged.Inc()
	case status == fiber.StatusPreconditionFailed:
		m.conflicts.Inc()
	case len(c.Response().Header.Peek(HeaderReplayed)) > 0:
		m.replays.Inc()
	}
}

// CountRefusal counts a request that is answered 401.
func (m *Metrics) CountRefusal(reason string) {
	if m != nil {
		m.refusals.WithLabelValues(reason).Inc()
	}
}

// Route returns the pattern of the request's route, or "none" if no route matched.
func Route(c *fiber.Ctx, status int) string {
	path := c.Route().Path
	if path == "/" && status >= fiber.StatusBadRequest {
		return "none" // the pattern is that of the middleware, which is mounted at the root
	}
	return path
}
