package middleware

import "github.com/gofiber/fiber/v2"

// strictPolicy is the Content-Security-Policy of answers that are not pages: a browser that is led to render one runs
// and loads nothing.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'"

// SecureHeaders sets the headers that keep browsers and caches from doing more with an answer than was meant.
func SecureHeaders() fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Set(fiber.HeaderContentSecurityPolicy, strictPolicy)
		return c.Next()
	}
}
