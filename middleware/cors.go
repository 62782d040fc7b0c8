package middleware

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
)

// CORS allows browser clients of the given origins to send any header and to read the headers of the API. Credentials are
// allowed, except for "*", because some clients always send them; the server ignores them.
func CORS(origins []string) fiber.Handler {
	if len(origins) == 0 {
		return func(c *fiber.Ctx) error { return c.Next() }
	}
	return cors.New(cors.Config{
		AllowOrigins:     strings.Join(origins, ","),
		AllowMethods:     "GET,HEAD,POST,PUT,PATCH,DELETE",
		AllowCredentials: origins[0] != "*",
		ExposeHeaders:    fiber.HeaderXRequestID + "," + fiber.HeaderRetryAfter + ",RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset",
		MaxAge:           7200,
	})
}
