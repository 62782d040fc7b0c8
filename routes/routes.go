// Package routes makes the Fiber app: the table of its routes, their handlers, and the error handler.
package routes

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"gorm.io/gorm"

	"taskapi/config"
	"taskapi/middleware"
	"taskapi/middleware/token"
	"taskapi/models"
	"taskapi/models/database"
	"taskapi/routes/server"
)

// Route is a line of the route table.
type Route struct {
	Method, Path string
	Handler      fiber.Handler
	// Document is what the OpenAPI document says of the route: a part of it, in YAML, or "".
	Document string
}

// maxInFlight is the limit of requests on users' rows in flight. It is far more than the database serves at a time; each request
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
	// Extra are routes of further resources. They get the same middleware and limits as those of the tasks.
	Extra []Route
}

// New returns the app with all its routes. It panics if the declaration of a resource is not sound.
func New(d Deps) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName:               "taskapi",
		DisableStartupMessage: true,
		CaseSensitive:         true,
		ErrorHandler:          answerError(d.Metrics),
		JSONEncoder:           encodeJSON,
		ReadBufferSize:        16 << 10,               // allows long tokens
		WriteBufferSize:       16 << 10,               // of each connection: one write for a short list, instead of two
		BodyLimit:             2 * middleware.MaxBody, // larger, so that LimitBody answers with CORS headers
		ReadTimeout:           server.ReadTimeout,
		WriteTimeout:          10 * time.Second,
		IdleTimeout:           d.Config.IdleTimeout,
		// Handlers refuse forms with 415. Parsed before that, a malformed form would close the connection.
		DisablePreParseMultipartForm: true,
	})
	app.Server().CloseOnShutdown = true // answers say Connection: close during the shutdown
	server.AcceptAnyMethod(app)
	server.CheckFraming(app)
	server.ReleaseBodies(app)

	app.Use(
		middleware.Recover(d.Log),
		middleware.AssignRequestID(),
		d.Metrics.Observe(),
		middleware.LogAccess(d.Log),
		middleware.SecureHeaders(),
		middleware.CORS(d.Config.CORSOrigins, d.Log),
		server.RefuseMalformed,
	)
	health := healthRoutes(d.DB, d.Drain)
	rows := append(resources(d.DB), d.Extra...)
	add(app, health)
	add(app, documentationRoutes(slices.Concat(rows, health), d.Config))

	rate, lists := middleware.NewRateLimit(d.Config.RateLimit), middleware.LimitLists(database.MaxConns(d.DB)/4+1)
	chain := []fiber.Handler{
		d.Drain.Handler(),
		middleware.LimitTime(d.Config.RequestTimeout),
		rate.PerAddress(),
		middleware.Authenticate(token.NewVerifier(d.Config.Secrets(), d.Keys)),
		rate.PerUser(),
		middleware.LimitInFlight(maxInFlight),
		middleware.LimitBody(),
	}
	for _, r := range rows {
		if r.list() {
			add(app, []Route{r}, append(chain, lists)...)
		} else {
			add(app, []Route{r}, chain...)
		}
	}
	return app
}

// resources are the routes of the owned models. A further resource is one more line: see docs/adding-a-resource.md.
func resources(db *gorm.DB) []Route {
	return slices.Concat(
		resource(db, "/api/tasks", models.NewTask, statusFilter),
		[]Route{toggleRoute(db)},
	)
}

// list reports whether a route answers with a list: it reads, and names no row.
func (r Route) list() bool { return r.Method == fiber.MethodGet && !strings.Contains(r.Path, ":") }

// add registers the routes of a group. The handlers in before run only for these routes, so that an unknown path is 404 and a
// wrong method 405 with or without a token.
func add(app *fiber.App, routes []Route, before ...fiber.Handler) {
	for _, r := range routes {
		handlers := append(before[:len(before):len(before)], r.Handler)
		if r.Method == fiber.MethodGet {
			app.Get(r.Path, handlers...) // and HEAD
		} else {
			app.Add(r.Method, r.Path, handlers...)
		}
	}
}
