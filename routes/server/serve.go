// Package server is what is below Fiber: the listener, the framing of requests, and the end.
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

// drainTimeout bounds the end of a server: the requests under way have their own deadlines, which are shorter.
const drainTimeout = config.MaxRequestTimeout + time.Second

// sendBuffer is how much of an answer the system may hold for a client that does not read it, about. Left to itself it goes
// up to megabytes, until there is no memory for anyone's packets.
const sendBuffer = 128 << 10

var errCutOff = errors.New("requests were still under way at the end")

// Serve answers requests on a listener until ctx ends. Then it refuses new requests, sees those under way answered, and
// returns, within ten seconds.
func Serve(ctx context.Context, app *fiber.App, listener net.Listener, drain *middleware.Drain) error {
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(patient{listener}) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	waited := drain.Wait(bounded)
	err := app.ShutdownWithTimeout(time.Second)
	switch {
	case waited != nil:
		return errCutOff
	case errors.Is(err, context.DeadlineExceeded):
		return nil // what is still open are connections on which no whole request has come: their clients lose nothing
	}
	return err
}

// ServeMetrics answers on an address of its own, for as long as the process lives, and returns once it listens.
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

// patient waits when the system is short of file descriptors, which Fiber's server would take for the end, and bounds what
// the system holds for a connection.
type patient struct{ net.Listener }

// Accept implements [net.Listener].
func (l patient) Accept() (net.Conn, error) {
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
