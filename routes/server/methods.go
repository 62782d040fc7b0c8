package server

import (
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// AcceptAnyMethod lets the router refuse methods that Fiber does not know (PROPFIND, say) as it refuses those that a
// path does not have; by itself Fiber answers them before any middleware, with a text of its own.
func AcceptAnyMethod(app *fiber.App) {
	server, known := app.Server(), app.Config().RequestMethods
	next := server.Handler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		if !slices.Contains(known, string(ctx.Method())) {
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
		}
		next(ctx)
	}
}
