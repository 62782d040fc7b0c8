package routes

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// fault is a fault of a request, in the form of FastAPI and the words of pydantic.
type fault struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input jsontext.Value `json:"input"`
}

// maxInput is how many characters of a faulty value the answer repeats.
const maxInput = 100

func newFault(kind, msg string, input jsontext.Value, loc ...any) fault {
	return fault{Type: kind, Loc: loc, Msg: msg, Input: truncate(input)}
}

// invalid returns the 422 of a request with these faults.
func invalid(faults ...fault) *models.Error {
	return &models.Error{Status: fiber.StatusUnprocessableEntity, Detail: faults}
}

// joinFaults returns the error of a request whose parts were checked one by one: the first error that is not a 422, or one
// 422 with all faults. It returns nil if all parts are valid.
func joinFaults(parts ...error) error {
	var all []fault
	for _, err := range parts {
		var refused *models.Error
		if errors.As(err, &refused) && refused.Status == fiber.StatusUnprocessableEntity {
			all = append(all, refused.Detail.([]fault)...)
		} else if err != nil {
			return err
		}
	}
	if all == nil {
		return nil
	}
	return invalid(all...)
}

// truncate shortens a string to its first [maxInput] characters, and any other value to the first of its JSON text.
func truncate(value jsontext.Value) jsontext.Value {
	if len(value) <= maxInput {
		return value
	}
	text := string(value)
	if value.Kind() == '"' {
		_ = json.Unmarshal(value, &text)
	}
	return quote(text)
}

// quote returns a text's first [maxInput] characters as a JSON string.
func quote(text string) jsontext.Value {
	value, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(prefix(text, maxInput), "\uFFFD"))
	return value
}

// prefix returns the first characters of a text.
func prefix(text string, characters int) string {
	end := 0
	for ; characters > 0; characters-- {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	return text[:end]
}
