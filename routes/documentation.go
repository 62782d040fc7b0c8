package routes

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"
	"sigs.k8s.io/yaml"
)

//go:embed openapi.yaml
var openAPI []byte

// swaggerUI shows the document, found beside the page wherever a proxy mounts the two, in the form that keeps its order.
var swaggerUI = swagger.Config{
	Title:                  "Tasks API",
	URL:                    "../openapi.yaml",
	DeepLinking:            true,
	DisplayRequestDuration: true,
	PersistAuthorization:   true,
	TryItOutEnabled:        true,
	ShowMutatedRequest:     true,
}

func documentationRoutes() []Route {
	json, err := yaml.YAMLToJSON(openAPI)
	if err != nil {
		panic(fmt.Errorf("the embedded OpenAPI document: %w", err))
	}
	page, policy := renderPage()
	showPage := func(c *fiber.Ctx) error {
		if strings.HasSuffix(c.Path(), "/docs") { // its links are relative to /docs/
			return c.Redirect("/docs/")
		}
		c.Set(fiber.HeaderContentSecurityPolicy, policy)
		return c.Type("html", "utf-8").Send(page)
	}
	showJSON := func(c *fiber.Ctx) error { return c.Type("json").Send(json) }
	toPage := func(c *fiber.Ctx) error { return c.Redirect("/docs/") }
	return []Route{
		{fiber.MethodGet, "/openapi.json", showJSON},
		{fiber.MethodGet, "/openapi.yaml", func(c *fiber.Ctx) error { return c.Type("yaml", "utf-8").Send(openAPI) }},
		{fiber.MethodGet, "/docs/", showPage},
		{fiber.MethodGet, "/docs/index.html", showPage},
		{fiber.MethodGet, "/docs/doc.json", showJSON},
		{fiber.MethodGet, "/docs/*", showAssets()},
		{fiber.MethodGet, "/swagger/*", toPage},
		{fiber.MethodGet, "/", toPage},
	}
}

// showAssets serves the scripts and styles of Swagger's page.
func showAssets() fiber.Handler {
	show := swagger.New(swaggerUI)
	return func(c *fiber.Ctx) error {
		// It believes the first request's prefix for good, and sends later ones there.
		c.Request().Header.Del("X-Forwarded-Prefix")
		// It puts what follows /docs/ in the place of the path and goes on to the next routes with it: they must not match.
		if strings.HasPrefix(c.Params("*"), "/") {
			return fiber.ErrNotFound
		}
		err := show(c)
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

// renderPage makes Swagger's page, which never changes, once: without the fonts that it loads from elsewhere, and with a
// Content-Security-Policy that lets its own inline script run and no other.
func renderPage() (page []byte, policy string) {
	app := fiber.New()
	app.Get("/docs/*", swagger.New(swaggerUI))
	request, err := http.NewRequest(fiber.MethodGet, "http://localhost/docs/index.html", http.NoBody)
	if err == nil {
		var response *http.Response
		if response, err = app.Test(request, -1); err == nil {
			page, err = io.ReadAll(response.Body)
		}
	}
	if err != nil {
		panic(fmt.Errorf("the documentation page: %w", err))
	}
	page = bytes.TrimSpace(remoteFonts.ReplaceAll(page, nil))
	policy = "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		policy += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return page, policy
}
