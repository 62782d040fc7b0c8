package routes

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"

	"taskapi/config"
)

// swaggerUI shows the YAML document, which keeps its order. The URL is relative, so that it works behind any path prefix.
var swaggerUI = swagger.Config{
	Title:                  "Tasks API",
	Layout:                 "BaseLayout", // without a bar to load other documents
	URL:                    "../openapi.yaml",
	DeepLinking:            true,
	DisplayRequestDuration: true,
	PersistAuthorization:   true,
	TryItOutEnabled:        true,
	ShowMutatedRequest:     true,
}

func documentationRoutes(documented []Route, cfg *config.Config) []Route {
	inYAML, inJSON := document(documented)
	servePage := servePage(cfg)
	return []Route{
		{fiber.MethodGet, "/openapi.json", func(c *fiber.Ctx) error { return c.Type("json").Send(inJSON) }, ""},
		{fiber.MethodGet, "/openapi.yaml", func(c *fiber.Ctx) error { return c.Type("yaml", "utf-8").Send(inYAML) }, ""},
		{fiber.MethodGet, "/docs/", servePage, ""},
		{fiber.MethodGet, "/docs/index.html", servePage, ""},
		{fiber.MethodGet, "/docs/doc.json", func(c *fiber.Ctx) error { return c.Redirect("../openapi.json") }, ""},
		{fiber.MethodGet, "/docs/*", serveAssets(), ""},
		{fiber.MethodGet, "/swagger/*", redirect, ""},
		{fiber.MethodGet, "/", redirect, ""},
	}
}

// redirect leads to the page, relative to the request's path, so that it works behind any path prefix.
func redirect(c *fiber.Ctx) error {
	return c.Redirect(strings.Repeat("../", strings.Count(c.Path(), "/")-1) + "docs/")
}

// serveAssets serves the scripts and styles of Swagger's page.
func serveAssets() fiber.Handler {
	serve := swagger.New(swaggerUI)
	return func(c *fiber.Ctx) error {
		// The middleware would use the prefix of the first request for all later ones.
		c.Request().Header.Del("X-Forwarded-Prefix")
		// The middleware sets the path to what follows /docs/ and tries the next routes, which must not match.
		if strings.HasPrefix(c.Params("*"), "/") {
			return fiber.ErrNotFound
		}
		err := serve(c)
		if err == nil && c.Response().StatusCode() == fiber.StatusOK {
			c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
		}
		return err
	}
}
