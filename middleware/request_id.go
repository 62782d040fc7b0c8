package middleware

import (
	"regexp"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// key is the type of this package's keys in [fiber.Ctx.Locals].
type key int

const (
	requestIDKey key = iota
	userIDKey
	listKey
)

var clientRequestID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// AssignRequestID gives each request an id and returns it in X-Request-ID: the client's X-Request-ID if it is 1 to 64
// letters, digits, '-' and '_', else a random UUID.
func AssignRequestID() fiber.Handler {
	return func(c *fiber.Ctx) error {
		id := utils.CopyString(c.Get(fiber.HeaderXRequestID))
		if id == "" || !clientRequestID.MatchString(id) { // the expression takes a microsecond to refuse ""
			id = utils.UUIDv4()
		}
		c.Locals(requestIDKey, id)
		c.Set(fiber.HeaderXRequestID, id)
		return c.Next()
	}
}

// RequestID returns the id that [AssignRequestID] gave, or "".
func RequestID(c *fiber.Ctx) string {
	id, _ := c.Locals(requestIDKey).(string)
	return id
}
