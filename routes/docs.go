package routes

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"
	"github.com/valyala/fasthttp"
)

// swaggerUI shows the YAML document, which keeps its order. The URL is relative, so that it works behind any path prefix.
var swaggerUI = swagger.Config{
	Title:                  "Tasks API",
	URL:                    "../openapi.yaml",
	DeepLinking:            true,
	DisplayRequestDuration: true,
	PersistAuthorization:   true,
	TryItOutEnabled:        true,
	ShowMutatedRequest:     true,
}

func documentationRoutes(documented []Route) []Route {
	inYAML, inJSON := document(documented)
	page, policy := renderPage()
	servePage := func(c *fiber.Ctx) error {
		if strings.HasSuffix(c.Path(), "/docs") { // relative links need the slash
			return redirect(c)
		}
		c.Set(fiber.HeaderContentSecurityPolicy, policy)
		return c.Type("html", "utf-8").Send(page)
	}
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

var (
	remoteFonts  = regexp.MustCompile(`<link href="https://fonts[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// renderPage returns Swagger's page without its remote fonts, and a Content-Security-Policy that allows only the page's own
// inline script.
func renderPage() (page []byte, policy string) {
	app := fiber.New()
	app.Get("/docs/*", swagger.New(swaggerUI))
	var c fasthttp.RequestCtx
	c.Request.SetRequestURI("/docs/index.html")
	app.Handler()(&c)
	page = bytes.TrimSpace(remoteFonts.ReplaceAll(c.Response.Body(), nil))
	policy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		policy += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return page, policy
}
