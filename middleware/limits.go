package middleware

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// MaxBody is the limit of a request's body, in bytes.
const MaxBody = 64 << 10

// LimitBody refuses bodies over [MaxBody] with 413, and compressed ones, whose real size is unknown, with 415.
func LimitBody() fiber.Handler {
	return func(c *fiber.Ctx) error {
		if len(c.Request().Body()) > MaxBody {
			return fiber.ErrRequestEntityTooLarge
		}
		if encoding := c.Request().Header.ContentEncoding(); len(encoding) > 0 && string(encoding) != "identity" {
			return fiber.ErrUnsupportedMediaType
		}
		return c.Next()
	}
}

// ErrBusy refuses a request because too many others are in flight.
var ErrBusy = models.Unavailable(errors.New("too many requests are in flight"))

// LimitInFlight refuses requests with [ErrBusy] while limit others are in flight. When the database is slow, they would
// only wait for it until their deadline.
func LimitInFlight(limit int64) fiber.Handler {
	var inFlight atomic.Int64
	return func(c *fiber.Ctx) error {
		defer inFlight.Add(-1)
		if inFlight.Add(1) > limit {
			return ErrBusy
		}
		return c.Next()
	}
}

// LimitTime gives the request's user context a deadline, at most 1 % before the timeout is over. It ends every statement to the
// database. Requests that come within that hundredth share a context, because a timer for each takes 2 % of the CPU time of a get.
func LimitTime(timeout time.Duration) fiber.Handler {
	var current atomic.Pointer[deadline]
	return func(c *fiber.Ctx) error {
		now := time.Now()
		d := current.Load()
		if d == nil || now.After(d.shared) {
			d = &deadline{shared: now.Add(timeout / 100)}
			var end context.CancelFunc
			d.Context, end = context.WithDeadline(context.Background(), now.Add(timeout))
			context.AfterFunc(d, end)
			current.Store(d)
		}
		c.SetUserContext(d)
		return c.Next()
	}
}

// deadline is a context for the requests that come until the time shared.
type deadline struct {
	context.Context
	shared time.Time
}
