// Package server is the part of the HTTP server below Fiber: the listener, the framing and the memory of requests, and the shutdown.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/config"
	"taskapi/middleware"
)

// drainTimeout limits the shutdown. Requests in flight have shorter deadlines.
const drainTimeout = config.MaxRequestTimeout + time.Second

// metricsIdleTimeout is longer than the usual intervals of Prometheus.
const metricsIdleTimeout = 75 * time.Second

// Serve answers requests until ctx ends. Then it refuses new requests, waits for those in flight, and returns within ten
// seconds.
func Serve(ctx context.Context, app *fiber.App, inner net.Listener, drain *middleware.Drain) error {
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(listener{inner, app.Config().IdleTimeout}) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	drained := drain.Shutdown(ctx)
	err := app.ShutdownWithTimeout(time.Second)
	switch {
	case drained != nil:
		return errors.New("requests were still in flight at the end of the shutdown")
	case errors.Is(err, context.DeadlineExceeded):
		return nil // the open connections have no complete request
	}
	return err
}

// ServeMetrics listens on address and answers in the background until the process ends.
func ServeMetrics(address string, handler http.Handler, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("METRICS_ADDR: %w", err)
	}
	log.Info("metrics", "address", listener.Addr().String())
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: metricsIdleTimeout}
	go func() { _ = server.Serve(listener) }()
	return nil
}
