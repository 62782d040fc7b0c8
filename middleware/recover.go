// Package middleware holds the middleware of the app, one concern per file.
package middleware

import (
	"fmt"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// Recover turns a panic into an error with the stack. It does not wrap the panic's value: a panic must never be taken for
// an error that clients may see.
func Recover() fiber.Handler {
	return func(c *fiber.Ctx) (err error) {
		defer func() {
			if value := recover(); value != nil {
				err = fmt.Errorf("panic: %v\n%s", value, debug.Stack())
			}
		}()
		return c.Next()
	}
}
