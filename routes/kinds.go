package routes

import (
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// mismatch is why a value cannot be a field's, in pydantic's type and msg.
type mismatch struct{ kind, msg string }

// kind is what the fields of one Go type have in common.
type kind struct {
	// decode reads a JSON value that is not null.
	decode func(jsontext.Value) (any, *mismatch)
	// Type and Format are those of the document's schemas.
	Type, Format string
}

// kinds are the types that a field may have, or point to.
var kinds = map[reflect.Type]kind{
	reflect.TypeFor[string]():    {decodeString, "string", ""},
	reflect.TypeFor[bool]():      {decodeBool, "boolean", ""},
	reflect.TypeFor[int64]():     {decodeInteger, "integer", "int64"},
	reflect.TypeFor[float64]():   {decodeFloat, "number", "double"},
	reflect.TypeFor[time.Time](): {decodeTime, "string", "date-time"},
}

var (
	notString  = &mismatch{"string_type", "Input should be a valid string"}
	notBool    = &mismatch{"bool_type", "Input should be a valid boolean"}
	notInteger = &mismatch{"int_type", "Input should be a valid integer"}
	fractional = &mismatch{"int_from_float", "Input should be a valid integer, got a number with a fractional part"}
	notParsed  = &mismatch{"int_parsing", notInteger.msg + ", unable to parse string as an integer"}
	outOfRange = &mismatch{"int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"}
	notFloat   = &mismatch{"float_type", "Input should be a valid number"}
	notTime    = &mismatch{"datetime_type", "Input should be a valid datetime"}
	notRFC3339 = &mismatch{"datetime_parsing", "Input should be a valid datetime, as RFC 3339 with an offset"}
)

func decodeString(value jsontext.Value) (any, *mismatch) {
	if value.Kind() != '"' {
		return nil, notString
	}
	var text string
	_ = json.Unmarshal(value, &text) // of valid JSON
	return text, nil
}

func decodeBool(value jsontext.Value) (any, *mismatch) {
	if kind := value.Kind(); kind != 't' && kind != 'f' {
		return nil, notBool
	}
	return value.Kind() == 't', nil
}

// decodeInteger takes any number of integral value, such as 5.0.
func decodeInteger(value jsontext.Value) (any, *mismatch) {
	if value.Kind() != '0' {
		return nil, notInteger
	}
	text := string(value)
	if integer, err := strconv.ParseInt(text, 10, 64); err == nil {
		return integer, nil
	}
	about, err := strconv.ParseFloat(text, 64)
	if err != nil || math.Abs(about) > 1<<63 {
		return nil, outOfRange
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	if about == 0 { // or so small that the exact value would be long
		if strings.Trim(mantissa, "-0.") == "" {
			return int64(0), nil
		}
		return nil, fractional
	}
	exact, _ := new(big.Rat).SetString(text)
	switch {
	case !exact.IsInt():
		return nil, fractional
	case !exact.Num().IsInt64():
		return nil, outOfRange
	}
	return exact.Num().Int64(), nil
}

func decodeFloat(value jsontext.Value) (any, *mismatch) {
	if value.Kind() == '0' {
		if number, err := strconv.ParseFloat(string(value), 64); err == nil {
			return max(number, 0) + min(number, 0), nil // not -0, which SQLite does not keep
		}
	}
	return nil, notFloat
}

// timeForm is that of RFC 3339. Go takes other forms as well: an hour of one digit, a comma, an offset of a day.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// decodeTime takes a time of RFC 3339 in the years 1 to 9999 of UTC, and cuts it to microseconds.
func decodeTime(value jsontext.Value) (any, *mismatch) {
	text, wrong := decodeString(value)
	if wrong != nil {
		return nil, notTime
	}
	var at time.Time
	if err := at.UnmarshalText([]byte(strings.ToUpper(text.(string)))); err != nil || !timeForm.MatchString(text.(string)) {
		return nil, notRFC3339
	}
	at = at.UTC().Truncate(time.Microsecond)
	if at.Year() < 1 || at.Year() > 9999 {
		return nil, notRFC3339
	}
	return at, nil
}
