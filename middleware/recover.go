// Package middleware holds the middleware of the app, one concern per file.
package middleware

import (
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// Recover logs a panic with its stack, and turns it into an error. It does not wrap the panic's value: a panic must never be taken
// for an error that clients may see.
func Recover(log *slog.Logger) fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		defer func() {
			if value := recover(); value != nil {
				err = fmt.Errorf("panic: %v", value)
				log.Error("panic", "request_id", RequestID(c), "cause", fmt.Sprint(value), "stack", string(debug.Stack()))
			}
		}()
		return c.Next()
	}
}
