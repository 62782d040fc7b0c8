// Package server is the part of the HTTP server below Fiber: the listener, the framing of requests, and the shutdown.
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

// sendBuffer is about how many bytes of an answer the system buffers for a client that does not read. The default grows to
// megabytes, and many such clients would use up the memory for TCP.
const sendBuffer = 128 << 10

// Serve answers requests until ctx ends. Then it refuses new requests, waits for those in flight, and returns within ten
// seconds.
func Serve(ctx context.Context, app *fiber.App, inner net.Listener, drain *middleware.Drain) error {
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(listener{inner}) }()
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
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	return nil
}

// listener waits while the system has no file descriptors, an error at which fasthttp would stop, and sets [sendBuffer].
type listener struct{ net.Listener }

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		conn, err := l.Listener.Accept()
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(sendBuffer)
		}
		var shortage interface{ Temporary() bool }
		if err == nil || !errors.As(err, &shortage) || !shortage.Temporary() {
			return conn, err
		}
		time.Sleep(wait)
	}
}
