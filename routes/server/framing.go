package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// lingerTime is how long a client that is refused may go on sending before its connection is closed.
const lingerTime = time.Second

// refusedKey is the local under which a request carries the [refusal] that [RefuseMalformed] gave it.
type refusedKey struct{}

// refusal is an error that ends a connection.
type refusal struct {
	error
	conn net.Conn
}

// Close implements [io.Closer], for fasthttp, which calls it when the answer was written. What a client still sends is read
// and dropped for a while: closed at once, the connection would be reset, and the answer lost (RFC 9112 section 9.6).
func (r refusal) Close() error {
	if conn, ok := r.conn.(*net.TCPConn); ok {
		_ = conn.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
		_, _ = io.Copy(io.Discard, conn)
	}
	return nil
}

// RefuseMalformed refuses requests that cannot be read, or that another server might read differently, and closes their
// connection: nothing behind them is taken for a request. They run through the middleware like all others, for its log
// and headers, as far as [StopRefused].
func RefuseMalformed(app *fiber.App) {
	server := app.Server()
	next := server.Handler
	refuse := func(ctx *fasthttp.RequestCtx, err error) {
		ctx.SetUserValue(refusedKey{}, refusal{err, ctx.Conn()})
		ctx.SetConnectionClose()
		next(ctx)
	}
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) { refuse(ctx, judgeUnread(err)) }
	server.Handler = func(ctx *fasthttp.RequestCtx) {
		chunked, certain := framing(&ctx.Request.Header)
		if !certain {
			refuse(ctx, fiber.ErrBadRequest)
			return
		}
		if chunked {
			ctx.SetConnectionClose() // fasthttp forgives faults in the chunks' lines, so that their end may be in doubt
		}
		next(ctx)
	}
}

// StopRefused ends the way of the requests that [RefuseMalformed] refused.
func StopRefused(c *fiber.Ctx) error {
	if r, refused := c.Locals(refusedKey{}).(refusal); refused {
		return r.error
	}
	return c.Next()
}

// judgeUnread turns an error that fasthttp met while it read a request into the one that clients are told.
func judgeUnread(err error) error {
	var (
		header *fasthttp.ErrSmallBuffer
		fault  net.Error
	)
	switch {
	case errors.As(err, &header):
		return fiber.ErrRequestHeaderFieldsTooLarge
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		return fiber.ErrRequestEntityTooLarge
	case errors.As(err, &fault) && fault.Timeout():
		return fiber.ErrRequestTimeout
	}
	return fiber.ErrBadRequest
}

// framing tells whether a request's body is chunked, and whether its head is certain: not one of those that fasthttp lets
// pass but RFC 9112 has refused (sections 2.3, 5.1, 5.2, 6.1) because proxies disagree on where such a request ends.
func framing(head *fasthttp.RequestHeader) (chunked, certain bool) {
	if version := string(head.Protocol()); version != "HTTP/1.1" && version != "HTTP/1.0" {
		return false, false
	}
	var length, coding bool
	for line := range bytes.Lines(head.RawHeaders()) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.ContainsAny(name, " \t") || !bytes.HasSuffix(line, []byte("\r\n")) {
			return false, false // a space in a name, a folded line, or a bare LF
		}
		switch {
		case bytes.EqualFold(name, []byte(fiber.HeaderContentLength)):
			length = true
		case bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)):
			coding, chunked = true, bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked"))
		}
	}
	return chunked, !coding || chunked && !length
}
