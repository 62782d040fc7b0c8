// Package bind reads what requests give: the id in the path, bodies by the fields that a model declares, and query parameters. What
// is wrong with them is in the form of FastAPI and the words of pydantic.
package bind

import (
	"bytes"
	"errors"
	"mime"
	"net/url"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
)

// PathID parses the id in the path. For an integer beyond 64 bits it returns 0, the id of no row.
func PathID(c *fiber.Ctx) (int64, error) {
	text, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		text = c.Params("id")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, nil
	case err != nil:
		return 0, Invalid(notParsed.Fault(Quote(text), "path", "id"))
	}
	return id, nil
}

// missing is the mismatch of what has to be there.
var missing = &Mismatch{"missing", "Field required"}

// object is a JSON object: its text, and its members by their names, of which the last of a repeated name counts.
type object struct {
	text    jsontext.Value
	members map[string]jsontext.Value
}

// readBody reads the request's JSON object. The media type must be one of those given, JSON if the request names none.
func readBody(c *fiber.Ctx, mediaTypes ...string) (body object, err error) {
	if given := c.Get(fiber.HeaderContentType); given != "" && !slices.Contains(mediaTypes, given) {
		if kind, _, _ := mime.ParseMediaType(given); !slices.Contains(mediaTypes, kind) {
			return body, fiber.ErrUnsupportedMediaType
		}
	}
	text := c.Request().Body()
	if len(bytes.TrimSpace(text)) == 0 {
		return body, Invalid(missing.Fault(jsontext.Value("null"), "body"))
	}
	err = json.Unmarshal(text, &body.members, jsontext.AllowDuplicateNames(true)) // also checks the syntax of nested values
	if err == nil && body.members != nil {
		body.text = bytes.TrimSpace(text)
		return body, nil
	}
	var syntax *jsontext.SyntacticError
	otherwise := json.Unmarshal(text, &body.text, jsontext.AllowDuplicateNames(true))
	switch {
	case errors.As(otherwise, &syntax):
		return body, Invalid((&Mismatch{"json_invalid", "JSON decode error"}).Fault(Quote(string(text)), "body", syntax.ByteOffset))
	case otherwise == nil && body.text.Kind() == 'n':
		return body, Invalid(missing.Fault(body.text, "body"))
	case otherwise == nil && body.text.Kind() != '{':
		return body, Invalid(ValueError("must be a JSON object").Fault(body.text, "body"))
	}
	return body, err
}
