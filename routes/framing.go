package routes

import (
	"bytes"
	"errors"
	"io"
	"net"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"taskapi/middleware"
)

// refusedKey is the local under which a request carries the error that [refuseEarly] refused it with.
type refusedKey struct{}

// refuseEarly refuses requests that cannot be read, or that another server might read differently, and closes their
// connection: nothing behind them is taken for a request. They run through the middleware like all others, for its log
// and headers, as far as [stopRefused].
func refuseEarly(app *fiber.App) {
	server := app.Server()
	next := server.Handler
	refuse := func(ctx *fasthttp.RequestCtx, err error) {
		ctx.SetUserValue(refusedKey{}, err)
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
		if err := readBody(ctx); err != nil {
			refuse(ctx, judgeUnread(err))
			return
		}
		next(ctx)
	}
}

// readBody takes a body into memory as it arrives: fasthttp by itself would reserve all that is announced. Of one that is
// larger than [middleware.MaxBody] it takes no more than [middleware.LimitBody] needs to see that.
func readBody(ctx *fasthttp.RequestCtx) error {
	stream, length := ctx.RequestBodyStream(), ctx.Request.Header.ContentLength()
	if stream == nil {
		return nil
	}
	if length > middleware.MaxBody {
		ctx.Request.SetBodyRaw(nil)
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(stream, middleware.MaxBody+1))
	switch {
	case err != nil, len(body) > middleware.MaxBody:
	case len(body) < length, length < 0 && !ended(ctx, stream):
		err = io.ErrUnexpectedEOF // which fasthttp's stream takes for the end of the body
	}
	ctx.Request.SetBodyRaw(body)
	return err
}

// ended tells whether a chunked body's last chunk has come: only before that does the stream turn to the connection.
func ended(ctx *fasthttp.RequestCtx, stream io.Reader) bool {
	_ = ctx.Conn().SetReadDeadline(time.Unix(1, 0)) // nothing more is read from it
	_, err := stream.Read(make([]byte, 1))
	return err == io.EOF
}

// stopRefused ends the way of the requests that [refuseEarly] refused.
func stopRefused(c *fiber.Ctx) error {
	if err, refused := c.Locals(refusedKey{}).(error); refused {
		return err
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
