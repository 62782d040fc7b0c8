package middleware

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
)

// CORS lets browser clients of the given origins call the API with any header, and read the headers that explain an
// answer. Credentials are allowed, but to "*", for clients that send them with every request; nothing here reads them.
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
