package middleware

import (
	"log/slog"
	"regexp"
	"time"

	"github.com/gofiber/fiber/v2"
)

// LogAccess logs a line for each request once it is answered, by the route's pattern and never by what the client sent:
// no token, body, query or path is in it.
func LogAccess(log *slog.Logger) fiber.Handler {
	return func(c *fiber.Ctx) error {
		start := time.Now()
		status := fiber.StatusInternalServerError // what a panic on its way up will be answered with
		defer func() {
			log.LogAttrs(c.Context(), slog.LevelInfo, "request",
				slog.String("method", c.Method()),
				slog.String("route", Route(c, status)),
				slog.Int("status", status),
				slog.Duration("duration", time.Since(start)),
				slog.Int("bytes", size(c)),
				slog.String("request_id", RequestID(c)),
				slog.String("user_id", UserID(c)),
				slog.String("trace_id", traceID(c)))
		}()
		err := c.Next()
		if err != nil {
			// The answer is written here, inside, so that the line holds its status.
			err = c.App().ErrorHandler(c, err)
		}
		status = c.Response().StatusCode()
		return err
	}
}

var traceParent = regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceID is that of the trace which a client says that its request belongs to (W3C Trace Context), if it says so.
func traceID(c *fiber.Ctx) string {
	if found := traceParent.FindStringSubmatch(c.Get("traceparent")); found != nil {
		return found[1]
	}
	return ""
}

// size is the length of an answer's body. A stream is not read for it: Body would hold all of it in memory.
func size(c *fiber.Ctx) int {
	if c.Response().IsBodyStream() {
		return c.Response().Header.ContentLength()
	}
	return len(c.Response().Body())
}
