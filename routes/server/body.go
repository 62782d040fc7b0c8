package server

import (
	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// keptBody is the size, in bytes, up to which a connection keeps the memory of a request's body for its next request.
const keptBody = 4 << 10

// ReleaseBodies gives back the memory of larger bodies after each request. An idle connection would keep it.
func ReleaseBodies(app *fiber.App) {
	server := app.Server()
	next := server.Handler
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		next(ctx)
		ctx.Request.ReleaseBody(keptBody)
	}
}
