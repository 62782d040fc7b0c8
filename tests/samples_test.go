package tests

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sample is a value of a field, as JSON, and the type of the fault that it is refused with; "" if it is accepted.
type sample struct{ value, fault string }

// types are the JSON types that a property may have.
func (p property) types() (names []string) {
	switch t := p.Type.(type) {
	case string:
		return []string{t}
	case []any:
		for _, name := range t {
			names = append(names, name.(string))
		}
	}
	return names
}

// kind names the property's type, the format where it decides, and "enum" for an enumeration.
func (p property) kind() string {
	switch {
	case p.Enum != nil:
		return "enum"
	case p.Format == "date-time":
		return p.Format
	}
	return p.types()[0]
}

// wrongType is the type of the fault of a value that has another JSON type.
var wrongType = map[string]string{
	"string": "string_type", "boolean": "bool_type", "integer": "int_type",
	"number": "float_type", "date-time": "datetime_type", "enum": "literal_error",
}

// samples are the values that put each rule of a property to the test, at its bounds and beyond. They come from the schema.
func (p property) samples() (all []sample) {
	add := func(fault string, values ...string) {
		for _, value := range values {
			all = append(all, sample{value, fault})
		}
	}
	kind := p.kind()
	nullFault := wrongType[kind]
	if slices.Contains(p.types(), "null") {
		nullFault = ""
	}
	add(nullFault, "null")
	add("", string(p.Examples[0]))
	if p.Default != nil {
		add("", string(p.Default))
	}
	for _, value := range []string{`"text"`, `5`, `true`, `[]`, `{}`, `["x"]`, `{"a":{"b":null}}`} {
		natural := map[byte][]string{'"': {"string", "date-time", "enum"}, '5': {"integer", "number"}, 't': {"boolean"}}[value[0]]
		if !slices.Contains(natural, kind) {
			add(wrongType[kind], value)
		}
	}
	switch kind {
	case "string":
		add("", `"`+strings.Repeat("x", p.MaxLength)+`"`, `"`+strings.Repeat("😀", p.MaxLength)+`"`,
			`"`+strings.Repeat("x", max(p.MinLength, 1))+`"`, `" x "`)
		add("string_too_long", `"`+strings.Repeat("x", p.MaxLength+1)+`"`, `"`+strings.Repeat("😀", p.MaxLength+1)+`"`)
		add("value_error", `"\u0000"`, `"a\u0000b"`)
		if p.MinLength > 0 {
			add("string_too_short", `""`)
		} else {
			add("", `""`)
		}
		if strings.HasPrefix(p.Pattern, `^\s*[^\s`) {
			add("value_error", `" "`, `"\t\n"`)
		}
		add("json_invalid", "\"\xff\"", "\"a\xed\xa0\x80\"", `"\ud800"`)
	case "enum":
		for _, member := range p.Enum {
			if string(member) != "null" {
				add("", string(member))
			}
			if member[0] == '"' {
				add("literal_error", strings.ToUpper(string(member)), strings.TrimSuffix(string(member), `"`)+` "`)
			}
		}
		add("literal_error", `""`, `"other"`, `"a\u0000"`)
		add("json_invalid", "\"\xff\"")
	case "boolean":
		add("", "true", "false")
		add(wrongType[kind], "0", "1", `"true"`, `""`)
	case "integer":
		add("int_from_float", "5.5", "-0.1", "1e-400")
		add("int_type", `"5"`, `""`)
		add("int_parsing_size", "9223372036854775808", "-9223372036854775809", "1e400", "-1e400")
		all = append(all, p.bounds(big.NewRat(1, 1), "-9223372036854775808", "9223372036854775807")...)
	case "number":
		add("float_type", `"1"`, "1e400", "-1e400", `"NaN"`)
		all = append(all, p.bounds(big.NewRat(1, 1<<10), "-1e308", "1e308")...)
	case "date-time":
		add("", `"2026-01-08T10:30:00.123456Z"`, `"2026-01-08T10:30:00+02:00"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999Z"`)
		add("datetime_parsing", `""`, `"x"`, `"2026-01-08"`, `"2026-01-08T10:30:00"`,
			`"2026-13-08T10:30:00Z"`, `"2026-01-08 10:30:00Z"`, `"1767868200"`)
		add("json_invalid", "\"\xff\"")
	}
	return all
}

// bounds are values at and beyond the limits of a number, and the least and most that the type holds where there is none.
func (p property) bounds(step *big.Rat, least, most string) (all []sample) {
	number := func(text string) *big.Rat {
		value, _ := new(big.Rat).SetString(text)
		return value
	}
	add := func(fault string, value *big.Rat) {
		if !value.IsInt() || value.Cmp(big.NewRat(1<<62, 1)) < 0 && value.Cmp(big.NewRat(-1<<62, 1)) > 0 {
			text, _ := value.FloatPrec()
			all = append(all, sample{value.FloatString(text), fault})
			return
		}
		all = append(all, sample{value.RatString(), fault})
	}
	side := func(inclusive, exclusive *json.Number, outward int64, none, orEqual, strict string) {
		move := new(big.Rat).Mul(step, big.NewRat(outward, 1))
		switch {
		case inclusive != nil:
			at := number(inclusive.String())
			add("", at)
			add(orEqual, new(big.Rat).Add(at, move))
		case exclusive != nil:
			at := number(exclusive.String())
			add(strict, at)
			add("", new(big.Rat).Sub(at, move))
		default:
			all = append(all, sample{none, ""})
		}
	}
	side(p.Minimum, p.ExclusiveMinimum, -1, least, "greater_than_equal", "greater_than")
	side(p.Maximum, p.ExclusiveMaximum, 1, most, "less_than_equal", "less_than")
	return all
}

// requireSame demands that a value came back as it was sent: times in UTC with microseconds, all else as it is.
func requireSame(t testing.TB, p property, sent string, got json.RawMessage) {
	t.Helper()
	switch kind := p.kind(); {
	case sent == "null":
		require.Equal(t, "null", string(got))
	case kind == "date-time":
		var text string
		require.NoError(t, json.Unmarshal([]byte(sent), &text))
		at, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		require.Equal(t, at.UTC().Format(`"2006-01-02T15:04:05.000000Z"`), string(got))
	case kind == "number":
		want, err := strconv.ParseFloat(sent, 64)
		require.NoError(t, err)
		is, err := strconv.ParseFloat(string(got), 64)
		require.NoError(t, err)
		require.InDelta(t, want, is, 0)
	case kind == "integer" && !strings.ContainsAny(sent, ".eE"):
		require.Equal(t, sent, string(got))
	default:
		require.JSONEq(t, sent, string(got))
	}
}

// faultsIn lists the faults of a 422, each as its type and the last part of its place.
func faultsIn(t testing.TB, got answer) (names []string) {
	t.Helper()
	for _, f := range decode[validationError](t, got).Detail {
		require.NotEmpty(t, f.Msg)
		names = append(names, f.Type+" "+fmt.Sprint(f.Loc[len(f.Loc)-1]))
	}
	return names
}

// validationError is the body of a 422.
type validationError struct {
	Detail []struct {
		Type  string          `json:"type"`
		Loc   []any           `json:"loc"`
		Msg   string          `json:"msg"`
		Input json.RawMessage `json:"input"`
	} `json:"detail"`
}
