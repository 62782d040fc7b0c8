package bind

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// kind is what the fields of one Go type have in common.
type kind struct {
	// Type and Format are those of the document's schemas.
	Type, Format string
	// tokens are the kinds of JSON values that read takes, and other the mismatch of all others.
	tokens string
	other  Mismatch
	read   func(jsontext.Value) (any, *Mismatch)
}

var stringType = reflect.TypeFor[string]()

// kinds are the types that a field may have, or point to.
var kinds = map[reflect.Type]kind{
	stringType:                   {"string", "", `"`, Mismatch{"string_type", "Input should be a valid string"}, readString},
	reflect.TypeFor[bool]():      {"boolean", "", "tf", Mismatch{"bool_type", "Input should be a valid boolean"}, readBool},
	reflect.TypeFor[int64]():     {"integer", "int64", "0", Mismatch{"int_type", "Input should be a valid integer"}, readInteger},
	reflect.TypeFor[float64]():   {"number", "double", "0", notFloat, readFloat},
	reflect.TypeFor[time.Time](): {"string", "date-time", `"`, Mismatch{"datetime_type", "Input should be a valid datetime"}, readTime},
}

var notFloat = Mismatch{"float_type", "Input should be a valid number"}

// Decode reads a JSON value as one of a Go type that a field may have.
func Decode(value jsontext.Value, as reflect.Type) (any, *Mismatch) { return kinds[as].decode(value) }

// isString reports whether the type is string.
func (k kind) isString() bool { return k.Type == "string" && k.Format == "" }

// decode reads a JSON value. Null is a mismatch.
func (k kind) decode(value jsontext.Value) (any, *Mismatch) {
	if !strings.ContainsRune(k.tokens, rune(value.Kind())) {
		return nil, &k.other
	}
	return k.read(value)
}

// Decode reads a member of a request's body. A nil value is null.
func (f *Field) Decode(value jsontext.Value) (any, *Mismatch) {
	if value.Kind() == 'n' && f.Nullable {
		return nil, nil
	}
	decoded, wrong := f.decode(value)
	if wrong != nil && f.Members != nil {
		return nil, f.notMember()
	} else if wrong != nil {
		return nil, wrong
	}
	return decoded, f.check(decoded)
}

func readString(value jsontext.Value) (any, *Mismatch) {
	text, _ := jsontext.AppendUnquote(make([]byte, 0, len(value)), value) // of valid JSON
	return string(text), nil
}

func readBool(value jsontext.Value) (any, *Mismatch) { return value.Kind() == 't', nil }

// readInteger takes any number of integral value, such as 5.0 and 5e2. It goes by the text: a float is not exact, and the
// digits of 1e999999999 would fill the memory.
func readInteger(value jsontext.Value) (any, *Mismatch) {
	mantissa, power, _ := strings.Cut(strings.ToLower(string(value)), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimRight(whole+fraction, "0")
	exponent, _ := strconv.ParseInt(power, 10, 32) // 0 if there is none, and the nearest of 32 bits beyond them
	zeros := int(exponent) + len(whole) - len(digits)
	if digits == "" || digits == "-" {
		return int64(0), nil
	} else if zeros < 0 {
		return nil, &Mismatch{"int_from_float", "Input should be a valid integer, got a number with a fractional part"}
	}
	integer, err := strconv.ParseInt(digits+strings.Repeat("0", min(zeros, 19)), 10, 64) // 19 zeros are beyond 64 bits
	if err != nil {
		return nil, &Mismatch{"int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"}
	}
	return integer, nil
}

func readFloat(value jsontext.Value) (any, *Mismatch) {
	number, err := strconv.ParseFloat(string(value), 64)
	if err != nil {
		return nil, &notFloat
	}
	return max(number, 0) + min(number, 0), nil // not -0, which SQLite does not keep
}

// timeForm is that of RFC 3339. Go takes other forms as well: an hour of one digit, a comma, an offset of a day.
var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// readTime takes a time of RFC 3339 in the years 1 to 9999 of UTC, and cuts it to microseconds.
func readTime(value jsontext.Value) (any, *Mismatch) {
	text, _ := jsontext.AppendUnquote(nil, value) // of valid JSON
	at, err := time.Parse(time.RFC3339, strings.ToUpper(string(text)))
	at = at.UTC().Truncate(time.Microsecond)
	if err != nil || !timeForm.Match(text) || at.Year() < 1 || at.Year() > 9999 {
		return nil, &Mismatch{"datetime_parsing", "Input should be a valid datetime, as RFC 3339 with an offset"}
	}
	return at, nil
}
