// Package middleware holds what every request passes through, one concern a file.
package middleware

import (
	"fmt"
	"runtime/debug"

	"github.com/gofiber/fiber/v2"
)

// Recover turns a panic into an ordinary error that holds the stack. It never wraps the panic's value, so that no
// panic passes for an error that clients may see.
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
