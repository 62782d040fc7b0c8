package middleware

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// MaxBody is the largest body, in bytes, that a request may have.
const MaxBody = 64 << 10

// LimitBody refuses bodies over [MaxBody] with 413 and compressed ones, whose true size nobody knows, with 415.
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

// ErrBusy refuses a request because too many others are waiting already.
var ErrBusy = models.Unavailable(errors.New("too many requests are under way"))

// LimitUnderWay refuses requests at once, with [ErrBusy], while so many others are being answered: when the database is
// slow, they would only wait in line for it until their time is up.
func LimitUnderWay(most int64) fiber.Handler {
	var underWay atomic.Int64
	return func(c *fiber.Ctx) error {
		defer underWay.Add(-1)
		if underWay.Add(1) > most {
			return ErrBusy
		}
		return c.Next()
	}
}

// LimitTime gives the request's user context a deadline, which every statement to the database obeys.
func LimitTime(timeout time.Duration) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), timeout)
		defer cancel()
		c.SetUserContext(ctx)
		return c.Next()
	}
}
