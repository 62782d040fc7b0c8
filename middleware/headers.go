package middleware

import (
	"log/slog"

	"github.com/gofiber/fiber/v2"
)

// strictPolicy is the Content-Security-Policy of answers that are not pages: a browser that is led to render one runs
// and loads nothing.
const strictPolicy = "default-src 'none'; frame-ancestors 'none'"

// SecureHeaders sets the headers that keep browsers and caches from doing more with an answer than was meant.
func SecureHeaders() fiber.Handler {
	return func(c *fiber.Ctx) error {
		setSecureHeaders(c)
		return c.Next()
	}
}

func setSecureHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentSecurityPolicy, strictPolicy)
}

// PrepareRefusal gives the answer to a request that was refused before it reached any middleware the headers of the
// others, and logs it. It leaves all other requests alone.
func PrepareRefusal(c *fiber.Ctx, log *slog.Logger, status int) {
	if RequestID(c) != "" {
		return
	}
	nameRequest(c)
	setSecureHeaders(c)
	log.Info("refused", "status", status, "request_id", RequestID(c))
}
