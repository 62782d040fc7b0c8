package routes

import (
	"bytes"
	"errors"
	"mime"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"
	"github.com/go-playground/validator/v10/non-standard/validators"
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

// maxInput is how many characters of a faulty value the answer repeats.
const maxInput = 100

func newFault(kind, msg string, input jsontext.Value, loc ...any) fault {
	return fault{Type: kind, Loc: loc, Msg: msg, Input: truncate(input)}
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
	end := 0
	for range maxInput {
		_, size := utf8.DecodeRuneInString(text[end:])
		end += size
	}
	value, _ := jsontext.AppendQuote(nil, strings.ToValidUTF8(text[:end], "\uFFFD"))
	return value
}

// pathID parses the id in the path. For an integer beyond 64 bits it returns 0, the id of no row.
func pathID(c *fiber.Ctx) (int64, error) {
	text, err := url.PathUnescape(c.Params("id"))
	if err != nil {
		text = c.Params("id")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, nil
	case err != nil:
		msg := "Input should be a valid integer, unable to parse string as an integer"
		return 0, invalid(newFault("int_parsing", msg, quote(text), "path", "id"))
	}
	return id, nil
}

// body decodes the request's JSON object into an input struct and validates it by the struct's tags. Names match exactly,
// the last of a repeated name counts, and unknown names are ignored.
func body[T any](c *fiber.Ctx) (in T, err error) {
	if given := c.Get(fiber.HeaderContentType); given != "" {
		if kind, _, _ := mime.ParseMediaType(given); kind != fiber.MIMEApplicationJSON {
			return in, fiber.ErrUnsupportedMediaType
		}
	}
	var (
		text   = c.Request().Body()
		whole  jsontext.Value
		syntax *jsontext.SyntacticError
		object map[string]jsontext.Value
	)
	err = json.Unmarshal(text, &whole, jsontext.AllowDuplicateNames(true)) // also checks the syntax of nested values
	switch {
	case len(bytes.TrimSpace(text)) == 0, err == nil && whole.Kind() == 'n':
		return in, invalid(newFault("missing", "Field required", jsontext.Value("null"), "body"))
	case errors.As(err, &syntax):
		return in, invalid(newFault("json_invalid", "JSON decode error", quote(string(text)), "body", syntax.ByteOffset))
	case err == nil && whole.Kind() != '{':
		return in, invalid(newFault("value_error", "Value error, must be a JSON object", whole, "body"))
	case err == nil:
		err = json.Unmarshal(whole, &object, jsontext.AllowDuplicateNames(true))
	}
	if err != nil {
		return in, err
	}
	if found := setFields(&in, object, whole); found != nil {
		return in, invalid(found...)
	}
	return in, nil
}

// setFields sets the fields of the struct at in from the object, whose JSON text is whole, and returns their faults. The
// fields must be strings or pointers to strings, and their json tags without options.
func setFields(in any, object map[string]jsontext.Value, whole jsontext.Value) (found []fault) {
	target, mistyped := reflect.ValueOf(in).Elem(), map[string]bool{}
	for i := range target.NumField() {
		name, field := target.Type().Field(i).Tag.Get("json"), target.Field(i)
		value, present := object[name]
		if !present {
			continue
		}
		null := value.Kind() == 'n' && field.Kind() != reflect.Pointer
		if null || json.Unmarshal(value, field.Addr().Interface()) != nil {
			mistyped[name] = true
			found = append(found, newFault("string_type", "Input should be a valid string", value, "body", name))
		}
	}
	var broken validator.ValidationErrors
	errors.As(validate.Struct(in), &broken)
	for _, rule := range broken {
		name := rule.Field()
		if value, present := object[name]; !present {
			found = append(found, newFault("missing", "Field required", whole, "body", name))
		} else if !mistyped[name] {
			kind, msg := describeRule(rule)
			found = append(found, newFault(kind, msg, value, "body", name))
		}
	}
	return found
}

// describeRule returns pydantic's type and msg for a broken rule.
func describeRule(rule validator.FieldError) (kind, msg string) {
	switch rule.Tag() {
	case "required":
		return "string_too_short", "String should have at least 1 character"
	case "max":
		return "string_too_long", "String should have at most " + rule.Param() + " characters"
	case "notblank":
		return "value_error", "Value error, must not be blank"
	case "excludesrune":
		return "value_error", "Value error, must not contain the NUL character"
	}
	return "value_error", "Value error, must satisfy " + rule.Tag()
}

var validate = newValidator()

func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(field reflect.StructField) string { return field.Tag.Get("json") })
	if err := v.RegisterValidation("notblank", validators.NotBlank); err != nil {
		panic(err)
	}
	return v
}
