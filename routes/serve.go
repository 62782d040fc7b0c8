package routes

import (
	"context"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/middleware"
)

// drainTimeout bounds the end of a server: the requests under way have their own deadlines, which are shorter.
const drainTimeout = 8 * time.Second

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
	_ = drain.Wait(bounded) // its only error says that the bound is over, and so does ShutdownWithTimeout's
	return app.ShutdownWithTimeout(time.Second)
}
