package bind

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"

	"taskapi/models"
)

// Fault is a fault of a request, in the form of FastAPI and the words of pydantic.
type Fault struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input jsontext.Value `json:"input"`
}

// maxInput is how many characters of a faulty value the answer repeats.
const maxInput = 100

// Mismatch is why a value cannot be what it is given for, in pydantic's type and msg.
type Mismatch struct{ kind, msg string }

// Fault returns the fault of a request that has the value input at the place loc.
func (m *Mismatch) Fault(input jsontext.Value, loc ...any) Fault {
	return Fault{Type: m.kind, Loc: loc, Msg: m.msg, Input: truncate(input)}
}

// ValueError returns the mismatch of a fault that pydantic has no type for.
func ValueError(msg string) *Mismatch { return &Mismatch{"value_error", "Value error, " + msg} }

// Invalid returns the 422 of a request with these faults.
func Invalid(faults ...Fault) *models.Error {
	return &models.Error{Status: fiber.StatusUnprocessableEntity, Detail: faults}
}

// Join returns the error of a request whose parts were checked one by one: the first error that is not a 422, or one
// 422 with all faults. It returns nil if all parts are valid.
func Join(parts ...error) error {
	var all []Fault
	for _, err := range parts {
		if refused, ok := errors.AsType[*models.Error](err); ok && refused.Status == fiber.StatusUnprocessableEntity {
			all = append(all, refused.Detail.([]Fault)...)
		} else if err != nil {
			return err
		}
	}
	if all == nil {
		return nil
	}
	return Invalid(all...)
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
	return Quote(text)
}

// Quote returns a text's first [maxInput] characters as a JSON string.
func Quote(text string) jsontext.Value {
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
