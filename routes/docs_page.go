package routes

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/swagger"
	"github.com/valyala/fasthttp"

	"taskapi/config"
	"taskapi/middleware/token"
)

// demoUser is the user whose token the docs page has for somebody who tries the server out.
const demoUser = "demo"

// tryOut authorizes the docs page with the token that takes the place of tokenMark.
//
//go:embed docs.js
var tryOut string

const tokenMark = "TOKEN"

// servePage serves Swagger's page. For somebody who tries the server out on this machine, the page has a token for the user
// demo, valid for an hour.
func servePage(cfg *config.Config) fiber.Handler {
	authorizing := swaggerUI
	authorizing.CustomScript, authorizing.OnComplete, authorizing.ResponseInterceptor = template.JS(tryOut), "ready", "received"
	authorizing.CustomStyle = "#authorized { margin: 0; padding: 1em; background: #e8f6f0; font: 16px sans-serif; text-align: center }"
	plain, ready := renderPage(swaggerUI), renderPage(authorizing)
	return func(c *fiber.Ctx) error {
		if strings.HasSuffix(c.Path(), "/docs") { // relative links need the slash
			return redirect(c)
		}
		page := plain
		if cfg.TriedOut() && fromThisMachine(c) {
			minted, err := token.Sign(cfg.Secrets()[0], demoUser, time.Hour)
			if err != nil {
				return err
			}
			page = bytes.Replace(ready, []byte(tokenMark), []byte(minted), 1)
		}
		for _, name := range []string{
			fiber.HeaderAccessControlAllowOrigin, fiber.HeaderAccessControlAllowCredentials, fiber.HeaderAccessControlExposeHeaders,
			fiber.HeaderAccessControlMaxAge,
		} {
			c.Response().Header.Del(name) // pages of no other origin may read the token
		}
		c.Set(fiber.HeaderContentSecurityPolicy, pagePolicy(page))
		return c.Type("html", "utf-8").Send(page)
	}
}

// fromThisMachine reports whether a request comes as a browser on this machine sends it: to a host that is this machine by
// definition, which the name in a DNS rebinding is not, and with no sign of a proxy. Nginx sends HTTP/1.0 if not told otherwise.
func fromThisMachine(c *fiber.Ctx) bool {
	host, err := url.Parse("//" + string(c.Request().Header.Host())) // not the host of an absolute target
	for name := range c.Request().Header.All() {
		if proxyHeader.Match(name) {
			return false
		}
	}
	return err == nil && c.Request().Header.IsHTTP11() && config.Loopback(strings.ToLower(host.Hostname()))
}

var (
	proxyHeader  = regexp.MustCompile(`(?i)^(forwarded|x-forwarded-.*|x-real-ip|via)$`)
	remoteFonts  = regexp.MustCompile(`<link href="https://fonts[^>]*>`)
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// renderPage returns Swagger's page without its remote fonts.
func renderPage(ui swagger.Config) []byte {
	app := fiber.New()
	app.Get("/docs/*", swagger.New(ui))
	var c fasthttp.RequestCtx
	c.Request.SetRequestURI("/docs/index.html")
	app.Handler()(&c)
	return bytes.TrimSpace(remoteFonts.ReplaceAll(c.Response.Body(), nil))
}

// pagePolicy returns a Content-Security-Policy that allows only the page's own inline scripts.
func pagePolicy(page []byte) string {
	policy := "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src 'self'"
	for _, script := range inlineScript.FindAllSubmatch(page, -1) {
		sum := sha256.Sum256(script[1])
		policy += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return policy
}
