package middleware

import (
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/cors"
)

// exposedHeaders are those that pages of other origins may read.
const exposedHeaders = "ETag,Link,Location,X-Total-Count,Idempotency-Replayed,RateLimit,RateLimit-Policy,Retry-After,X-Request-ID"

// CORS allows browser clients of the given origins to send any header and to read the headers of the API. In the patterns, a *
// stands for a port, for labels of the host's name, or for a part of one label. Credentials are allowed, except for "*",
// because some clients always send them; the server ignores them. The log names the origins that are refused.
func CORS(origins []string, log *slog.Logger) fiber.Handler {
	handle := func(c *fiber.Ctx) error { return c.Next() }
	if len(origins) > 0 {
		options := cors.Config{
			AllowMethods:     "GET,HEAD,POST,PUT,PATCH,DELETE",
			AllowCredentials: origins[0] != "*",
			ExposeHeaders:    exposedHeaders,
			MaxAge:           7200,
		}
		if origins[0] != "*" {
			options.AllowOriginsFunc = originPattern(origins).MatchString
		}
		handle = cors.New(options)
	}
	refused := refusals{log: log}
	return func(c *fiber.Ctx) error {
		err := handle(c)
		origin := c.Get(fiber.HeaderOrigin)
		switch allowed := c.GetRespHeader(fiber.HeaderAccessControlAllowOrigin); {
		case allowed != "" && allowed != "*":
			c.Set(fiber.HeaderAccessControlAllowOrigin, origin) // Fiber answers it in lower case, which browsers do not match
		case allowed == "" && c.Method() == fiber.MethodOptions && origin != "" && c.Get(fiber.HeaderAccessControlRequestMethod) != "":
			refused.report(strings.Clone(origin))
		}
		return err
	}
}

// originPattern matches the origins, in lower case.
func originPattern(origins []string) *regexp.Regexp {
	pattern := strings.ToLower(regexp.QuoteMeta(strings.Join(origins, "\n")))
	pattern = strings.NewReplacer("\n", "|", `:\*`, `(:\d+)?`, `//\*\.`, `//[\w.-]+\.`, `\*`, `[\w-]*`).Replace(pattern)
	return regexp.MustCompile("^(?:" + pattern + ")$")
}

// maxRefusals is how many origins the log names in a minute.
const maxRefusals = 100

// refusals logs the origins whose preflights are refused, each once a minute.
type refusals struct {
	log   *slog.Logger
	mu    sync.Mutex
	begun time.Time
	named map[string]bool
}

func (r *refusals) report(origin string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.begun) >= time.Minute {
		r.begun, r.named = time.Now(), map[string]bool{}
	}
	if origin = origin[:min(len(origin), 200)]; !r.named[origin] && len(r.named) < maxRefusals {
		r.named[origin] = true
		r.log.Warn("an origin is refused that CORS_ORIGINS does not list", "origin", origin)
	}
}
