package middleware

import "github.com/gofiber/fiber/v2"

// strictPolicy is the Content-Security-Policy of answers that are not pages. A browser that renders one as a page runs and
// loads nothing.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'"

// SecureHeaders sets headers that stop browsers from sniffing, framing and running answers, and caches from storing them.
func SecureHeaders() fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set(fiber.HeaderCacheControl, "no-store")
		c.Set(fiber.HeaderContentSecurityPolicy, strictPolicy)
		return c.Next()
	}
}
