// Package routes is the HTTP side of the server: the table of its routes, their handlers, and the one place where an
// error becomes an answer.
package routes

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"gorm.io/gorm"

	"taskapi/config"
	"taskapi/middleware"
)

// Route is a line of the route table.
type Route struct {
	Method, Path string
	Handler      fiber.Handler
}

// maxUnderWay is how many requests on users' rows are answered at a time. It is far more than the database takes at once, and
// those that wait for it hold some 100 kB each at most.
const maxUnderWay = 1024

// Parts are what an app is made of. It neither opens nor ends any of them.
type Parts struct {
	Config *config.Config
	DB     *gorm.DB
	Log    *slog.Logger
	Drain  *middleware.Drain
	// Keys and Metrics may be nil: then no issuer is trusted, and nothing is measured.
	Keys    *middleware.KeySet
	Metrics *middleware.Metrics
	// Extra returns the routes of further resources, which get the same middleware and limits as those of tasks; it may be nil.
	Extra func(db *gorm.DB) []Route
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
	acceptAnyMethod(app)
	refuseEarly(app)

	app.Use(
		middleware.Recover(),
		middleware.NameRequest(),
		p.Metrics.Observe(),
		middleware.LogAccess(p.Log),
		middleware.SecureHeaders(),
		middleware.CORS(p.Config.CORSOrigins),
		stopRefused,
	)
	add(app, operationRoutes(p.DB, p.Drain))
	add(app, documentationRoutes())

	rate := middleware.NewRateLimit(p.Config.RateLimit)
	owned := taskRoutes(p.DB)
	if p.Extra != nil {
		owned = append(owned, p.Extra(p.DB)...)
	}
	add(app, limitLists(owned),
		p.Drain.Handler(),
		middleware.LimitTime(p.Config.RequestTimeout),
		rate.Strangers(),
		middleware.Authenticate(middleware.NewVerifier(p.Config.Secrets(), p.Keys)),
		rate.Users(),
		middleware.LimitUnderWay(maxUnderWay),
		middleware.LimitBody(),
	)
	return app
}

// limitLists puts all routes that answer with a list, those that read and name no row, behind one [middleware.LimitUnread].
func limitLists(routes []Route) []Route {
	limit := middleware.LimitUnread()
	for i, r := range routes {
		if r.Method == fiber.MethodGet && !strings.Contains(r.Path, ":") {
			routes[i].Handler = limit(r.Handler)
		}
	}
	return routes
}

// add registers the routes of a group. What stands before their handlers runs for their own methods and paths alone, so
// that an unknown path is 404 and a wrong method 405 with or without a token.
func add(app *fiber.App, routes []Route, before ...fiber.Handler) {
	for _, r := range routes {
		handlers := append(before[:len(before):len(before)], r.Handler)
		if r.Method == fiber.MethodGet {
			app.Get(r.Path, handlers...) // HEAD, too
		} else {
			app.Add(r.Method, r.Path, handlers...)
		}
	}
}

// acceptAnyMethod lets the router refuse methods that Fiber does not know (PROPFIND, say) as it refuses those that a
// path does not have; by itself Fiber answers them before any middleware, with a text of its own.
func acceptAnyMethod(app *fiber.App) {
	server, known := app.Server(), app.Config().RequestMethods
	next := server.Handler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if !slices.Contains(known, string(ctx.Method())) {
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
		}
		next(ctx)
	}
}
