package middleware

import "github.com/gofiber/fiber/v2"

// strictPolicy is the Content-Security-Policy of answers that are not pages. A browser that renders one as a page runs and
// loads nothing.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'"

// secureHeaders are the headers of [SecureHeaders], in their canonical form.
var secureHeaders = [...]struct{ name, value []byte }{
	{[]byte(fiber.HeaderXContentTypeOptions), []byte("nosniff")},
	{[]byte(fiber.HeaderReferrerPolicy), []byte("no-referrer")},
	{[]byte(fiber.HeaderCacheControl), []byte("no-store")},
	{[]byte(fiber.HeaderContentSecurityPolicy), []byte(strictPolicy)},
}

// SecureHeaders sets headers that stop browsers from sniffing, framing and running answers, and caches from storing them.
func SecureHeaders() fiber.Handler {
	return func(c *fiber.Ctx) error {
		for _, header := range secureHeaders {
			c.Response().Header.SetCanonical(header.name, header.value)
		}
		return c.Next()
	}
}
