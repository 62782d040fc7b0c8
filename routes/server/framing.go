package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// lingerTime is how long a refused client may continue to send before its connection is closed.
const lingerTime = time.Second

// malformedKey is the key of a request's [malformed] in its locals.
type malformedKey struct{}

// malformed is the error of a request after which the connection is closed.
type malformed struct {
	error
	conn net.Conn
}

// Close implements [io.Closer]. Fasthttp calls it after it has written the answer. It reads and drops what the client still
// sends, because an immediate close would reset the connection and lose the answer (RFC 9112, section 9.6).
func (m malformed) Close() error {
	if conn, ok := m.conn.(*conn); ok {
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, conn)
	}
	return nil
}

// CheckFraming marks requests that cannot be read, or that a proxy might read differently, and closes their connections:
// nothing that follows is read as a request. They pass the middleware, for its log and headers, up to [RefuseMalformed].
func CheckFraming(app *fiber.App) {
	server := app.Server()
	next := server.Handler
	mark := func(ctx *fasthttp.RequestCtx, err error) {
		ctx.SetUserValue(malformedKey{}, malformed{err, ctx.Conn()})
		ctx.SetConnectionClose()
		next(ctx)
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) { mark(ctx, readError(err)) }
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		chunked, valid := parseFraming(&ctx.Request.Header)
		if !valid || sentBareLine(ctx, chunked) {
			mark(ctx, fiber.ErrBadRequest)
			return
		}
		if chunked {
			ctx.SetConnectionClose() // fasthttp accepts malformed chunks, so that the end of the body is uncertain
		}
		next(ctx)
	}
}

// RefuseMalformed is the middleware that refuses the requests marked by [CheckFraming].
func RefuseMalformed(c *fiber.Ctx) error {
	if m, marked := c.Locals(malformedKey{}).(malformed); marked {
		return m.error
	}
	return c.Next()
}

// readError turns fasthttp's error from reading a request into the error for the client.
func readError(err error) error {
	var fault net.Error
	switch {
	case errors.As(err, new(*fasthttp.ErrSmallBuffer)):
		return fiber.ErrRequestHeaderFieldsTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return fiber.ErrRequestEntityTooLarge
	case errors.As(err, &fault) && fault.Timeout():
		return fiber.ErrRequestTimeout
	}
	return fiber.ErrBadRequest
}

// sentBareLine reports whether the client ended a request line in a bare LF. Those that are in a body do not count.
func sentBareLine(ctx *fasthttp.RequestCtx, chunked bool) bool {
	conn, ok := ctx.Conn().(*conn)
	if ok && conn.bareLines > 0 && !chunked {
		conn.bareLines -= countBareLines(ctx.Request.Body())
	}
	return ok && conn.bareLines > 0
}

// authority is the grammar of a host with or without a port (RFC 3986, section 3.2), without user information.
var authority = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(:\d*)?$`)

// validTarget reports whether a request's target has no fragment, and no user information (RFC 9112, section 3.2; RFC 9110,
// section 4.2.4). A path that begins with two slashes is valid unless fasthttp would take what follows them for a host.
func validTarget(target []byte, hasHost bool) bool {
	_, rest, absolute := bytes.Cut(target, []byte("://"))
	if bytes.HasPrefix(target, []byte("//")) && (absolute || !hasHost) {
		return false
	}
	if absolute && target[0] != '/' {
		end := bytes.IndexAny(rest, "/?#")
		if end < 0 {
			end = len(rest)
		}
		if !authority.Match(rest[:end]) {
			return false
		}
	}
	return !bytes.Contains(target, []byte("#"))
}

// parseFraming reports whether a request's body is chunked, and whether its head is valid. Fasthttp accepts some heads that
// RFC 9112 forbids (sections 2.2, 2.3, 3.2, 5.1, 5.2, 6.1), because proxies disagree on where such a request ends or leads.
func parseFraming(head *fasthttp.RequestHeader) (chunked, valid bool) {
	if version := string(head.Protocol()); version != "HTTP/1.1" && version != "HTTP/1.0" {
		return false, false
	}
	if !validTarget(head.RequestURI(), len(head.Host()) > 0) {
		return false, false
	}
	var length, coding bool
	for line := range bytes.Lines(head.RawHeaders()) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.ContainsAny(name, " \t") || !bytes.HasSuffix(line, []byte("\r\n")) {
			return false, false // a space in a name, a folded line, or a bare LF
		}
		switch {
		case bytes.EqualFold(name, []byte(fiber.HeaderHost)):
			if !authority.Match(bytes.TrimSpace(value)) {
				return false, false
			}
		case bytes.EqualFold(name, []byte(fiber.HeaderContentLength)):
			length = true
		case bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)):
			coding, chunked = true, bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
		}
	}
	return chunked, !coding || chunked && !length
}

// AcceptAnyMethod makes the router answer methods that Fiber does not know, such as PROPFIND, like those that a path does not
// have. Fiber itself answers them as plain text and before any middleware.
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
