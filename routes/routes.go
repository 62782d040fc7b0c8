// Package routes is the HTTP side of the server: the table of its routes, their handlers, and the one place where an
// error becomes an answer.
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

// maxUnderWay is how many requests on tasks are answered at a time. It is far more than the database takes at once, and
// those that wait for it hold some 100 kB each at most.
const maxUnderWay = 1024

// Parts are what an app is made of. It neither opens nor ends any of them.
type Parts struct {
	Config *config.Config
	DB     *gorm.DB
	Log    *slog.Logger
	Drain  *middleware.Drain
	// Keys and Metrics may be nil: then no issuer is trusted, and nothing is measured.
	Keys    *token.KeySet
	Metrics *middleware.Metrics
}

// New makes the app that main serves and every test drives.
func New(p Parts) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "taskapi",
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          answerError(p.Log, p.Metrics),
		JSONEncoder:           encodeJSON,
		ReadBufferSize:        16 << 10,               // room for long tokens in the header
		BodyLimit:             2 * middleware.MaxBody, // above the limit that is answered with CORS headers
		ReadTimeout:           10 * time.Second,
		WriteTimeout:          10 * time.Second,
		IdleTimeout:           time.Minute,
		// Forms are refused by the handlers; parsed ahead of them, a broken one would end the connection.
		DisablePreParseMultipartForm: true,
	})
	app.Server().CloseOnShutdown = true // says so in the answers, too
	server.AcceptAnyMethod(app)
	server.RefuseMalformed(app)

	app.Use(
		middleware.Recover(),
		middleware.NameRequest(),
		p.Metrics.Observe(),
		middleware.LogAccess(p.Log),
		middleware.SecureHeaders(),
		middleware.CORS(p.Config.CORSOrigins),
		server.StopRefused,
	)
	add(app, operationRoutes(p.DB, p.Drain))
	add(app, documentationRoutes())

	rate := middleware.NewRateLimit(p.Config.RateLimit)
	add(app, taskRoutes(p.DB),
		p.Drain.Handler(),
		middleware.LimitTime(p.Config.RequestTimeout),
		rate.Strangers(),
		middleware.Authenticate(token.NewVerifier(p.Config.Secrets(), p.Keys)),
		rate.Users(),
		middleware.LimitUnderWay(maxUnderWay),
		middleware.LimitBody(),
	)
	return app
}

// add registers the routes of a group. What stands before their handlers runs for their own methods and paths alone, so
// that an unknown path is 404 and a wrong method 405 with or without a token.
func add(app *fiber.App, routes []route, before ...fiber.Handler) {
	for _, r := range routes {
		handlers := append(before[:len(before):len(before)], r.handler)
		if r.method == fiber.MethodGet {
			app.Get(r.path, handlers...) // HEAD, too
		} else {
			app.Add(r.method, r.path, handlers...)
		}
	}
}
