package routes

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/config"
	"taskapi/middleware"
)

// drainTimeout bounds the end of a server: the requests under way have their own deadlines, which are shorter.
const drainTimeout = config.MaxRequestTimeout + time.Second

var errCutOff = errors.New("requests were still under way at the end")

// Serve answers requests on a listener until ctx ends. Then it refuses new requests, sees those under way answered, and
// returns, within ten seconds.
func Serve(ctx context.Context, app *fiber.App, listener net.Listener, drain *middleware.Drain) error {
	failed := make(chan error, 1)
	go func() { failed <- app.Listener(listener) }()
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
