package middleware

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
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

// LimitTime gives the request's user context a deadline, which every statement to the database obeys.
func LimitTime(timeout time.Duration) fiber.Handler {
	return func(c *fiber.Ctx) error {
		ctx, cancel := context.WithTimeout(c.UserContext(), timeout)
		defer cancel()
		c.SetUserContext(ctx)
		return c.Next()
	}
}
