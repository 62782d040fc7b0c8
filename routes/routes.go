// Package routes makes the Fiber app: the table of its routes, their handlers, and the error handler.
package routes

import (
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/config"
	"taskapi/middleware"
	"taskapi/middleware/token"
	"taskapi/routes/server"
)

// route is a line of the route table.
type route struct {
	method, path string
	handler      fiber.Handler
}

// maxInFlight is the limit of requests on tasks in flight. It is far more than the database serves at a time; each request
// that waits holds about 100 kB at most.
const maxInFlight = 1024

// Deps are the dependencies of an app. The caller opens and closes them.
type Deps struct {
	Config *config.Config
	DB     *gorm.DB
	Log    *slog.Logger
	Drain  *middleware.Drain
	// Keys and Metrics may be nil: then no issuer is trusted and nothing is measured.
	Keys    *token.KeySet
	Metrics *middleware.Metrics
}

// New makes the app.
func New(d Deps) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "taskapi",
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          answerError(d.Log, d.Metrics),
		JSONEncoder:           encodeJSON,
		ReadBufferSize:        16 << 10,               // allows long tokens
		BodyLimit:             2 * middleware.MaxBody, // larger, so that LimitBody answers with CORS headers
		ReadTimeout:           10 * time.Second,
		WriteTimeout:          10 * time.Second,
		IdleTimeout:           time.Minute,
		// Handlers refuse forms with 415. Parsed before that, a malformed form would close the connection.
		DisablePreParseMultipartForm: true,
	})
	app.Server().CloseOnShutdown = true // answers say Connection: close during the shutdown
	server.AcceptAnyMethod(app)
	server.CheckFraming(app)

	app.Use(
		middleware.Recover(),
		middleware.AssignRequestID(),
		d.Metrics.Observe(),
		middleware.LogAccess(d.Log),
		middleware.SecureHeaders(),
		middleware.CORS(d.Config.CORSOrigins),
		server.RefuseMalformed,
	)
	add(app, healthRoutes(d.DB, d.Drain))
	add(app, documentationRoutes())

	rate := middleware.NewRateLimit(d.Config.RateLimit)
	add(app, taskRoutes(d.DB),
		d.Drain.Handler(),
		middleware.LimitTime(d.Config.RequestTimeout),
		rate.PerAddress(),
		middleware.Authenticate(token.NewVerifier(d.Config.Secrets(), d.Keys)),
		rate.PerUser(),
		middleware.LimitInFlight(maxInFlight),
		middleware.LimitBody(),
	)
	return app
}

// add registers the routes of a group. The handlers in before run only for these routes, so that an unknown path is 404 and a
// wrong method 405 with or without a token.
func add(app *fiber.App, routes []route, before ...fiber.Handler) {
	for _, r := range routes {
		handlers := append(before[:len(before):len(before)], r.handler)
		if r.method == fiber.MethodGet {
			app.Get(r.path, handlers...) // and HEAD
		} else {
			app.Add(r.method, r.path, handlers...)
		}
	}
}
