package middleware

import (
	"regexp"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/utils"
)

// key is the type of the keys under which this package keeps what it knows of a request, out of others' reach.
type key int

const (
	requestIDKey key = iota
	userIDKey
	unreadKey
)

var clientRequestID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NameRequest gives each request an id, which the answer repeats in X-Request-ID: the client's own if it is 1 to 64
// letters, digits, '-' and '_', and a random UUID otherwise.
func NameRequest() fiber.Handler {
	return func(c *fiber.Ctx) error {
		id := c.Get(fiber.HeaderXRequestID)
		if clientRequestID.MatchString(id) {
			id = utils.CopyString(id)
		} else {
			id = utils.UUIDv4()
		}
		c.Locals(requestIDKey, id)
		c.Set(fiber.HeaderXRequestID, id)
		return c.Next()
	}
}

// RequestID returns the id that [NameRequest] gave, or "" before it has run.
func RequestID(c *fiber.Ctx) string {
	id, _ := c.Locals(requestIDKey).(string)
	return id
}
