package middleware

import (
	"log/slog"
	"regexp"
	"time"

	"github.com/gofiber/fiber/v2"
)

// LogAccess logs a line for each answered request. The line has the route's pattern; of what the client sent it has no
// path, query, body or token. That of a 401, 500 or 503 has the cause, and is a warning or an error.
func LogAccess(log *slog.Logger) fiber.Handler {
	return func(c *fiber.Ctx) error {
		start := time.Now()
		status := fiber.StatusInternalServerError // if the handler panics
		var cause error
		defer func() {
			now, level := time.Now(), levelOf(status)
			if !log.Enabled(c.Context(), level) {
				return
			}
			line := slog.NewRecord(now, level, "request", 0) // without the place in the code, whose search takes time
			line.AddAttrs(
				slog.String("method", c.Method()),
				slog.String("route", Route(c, status)),
				slog.Int("status", status),
				slog.Duration("duration", now.Sub(start)),
				slog.Int("bytes", bodySize(c)),
				slog.String("request_id", RequestID(c)),
				slog.String("user_id", UserID(c)),
				slog.String("trace_id", traceID(c)))
			if level > slog.LevelInfo && cause != nil {
				line.AddAttrs(slog.String("cause", cause.Error()))
			}
			_ = log.Handler().Handle(c.Context(), line)
		}()
		err := c.Next()
		if err != nil {
			cause = err
			err = c.App().ErrorHandler(c, err) // writes the answer now, because the line needs its status
		}
		status = c.Response().StatusCode()
		return err
	}
}

// levelOf returns the level of an answer's line.
func levelOf(status int) slog.Level {
	switch status {
	case fiber.StatusUnauthorized, fiber.StatusServiceUnavailable:
		return slog.LevelWarn
	case fiber.StatusInternalServerError:
		return slog.LevelError
	}
	return slog.LevelInfo
}

var traceParent = regexp.MustCompile(`^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$`)

// traceID returns the trace id of the client's traceparent header (W3C Trace Context), or "".
func traceID(c *fiber.Ctx) string {
	header := c.Get("traceparent")
	if header == "" {
		return "" // as most often: the expression takes a microsecond to find that out
	}
	if found := traceParent.FindStringSubmatch(header); found != nil {
		return found[1]
	}
	return ""
}

// bodySize returns the length of an answer's body. It does not read a stream, because Body would load all of it into memory.
func bodySize(c *fiber.Ctx) int {
	if c.Response().IsBodyStream() {
		return c.Response().Header.ContentLength()
	}
	return len(c.Response().Body())
}
