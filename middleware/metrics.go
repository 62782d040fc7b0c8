package middleware

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are what Prometheus is told of a server. A nil *Metrics measures nothing.
type Metrics struct {
	registry  *prometheus.Registry
	durations *prometheus.HistogramVec
	inFlight  prometheus.Gauge
	refusals  *prometheus.CounterVec
}

// NewMetrics makes the metrics of a server, of the Go runtime and of the process, beside those that others collect.
func NewMetrics(others ...prometheus.Collector) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "taskapi_http_request_duration_seconds",
			Help:    "Time from the request's arrival to its answer.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "taskapi_http_requests_in_flight",
			Help: "Requests that are being answered.",
		}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "taskapi_auth_refusals_total",
			Help: "Requests that were answered 401, by the reason that the log has, too.",
		}, []string{"reason"}),
	}
	m.registry.MustRegister(m.durations, m.inFlight, m.refusals,
		collectors.NewBuildInfoCollector(),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.registry.MustRegister(others...)
	return m
}

// Handler answers GET /metrics in Prometheus's formats, and nothing else.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry}))
	return mux
}

// Observe measures each request.
func (m *Metrics) Observe() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if m == nil {
			return c.Next()
		}
		start := time.Now()
		m.inFlight.Inc()
		status := fiber.StatusInternalServerError // what a panic on its way up will be answered with
		defer func() {
			m.inFlight.Dec()
			m.durations.WithLabelValues(utils.CopyString(c.Method()), Route(c, status), strconv.Itoa(status)).Observe(time.Since(start).Seconds())
		}()
		err := c.Next()
		status = c.Response().StatusCode()
		return err
	}
}

// Refused counts a request that was answered 401.
func (m *Metrics) Refused(reason string) {
	if m != nil {
		m.refusals.WithLabelValues(reason).Inc()
	}
}

// Route is the pattern of the route that a request took, or "none" if it met no route.
func Route(c *fiber.Ctx, status int) string {
	path := c.Route().Path
	if path == "/" && status >= fiber.StatusBadRequest {
		return "none" // the last to have seen it is a middleware, which is mounted at the root
	}
	return path
}
