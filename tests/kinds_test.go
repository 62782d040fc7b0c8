package tests

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// kinds are values of a gadget's fields, each with what is answered: the value or, with a space in it, the fault.
var kinds = []struct{ field, value, want string }{
	{"serial", "5.0", "5"},
	{"serial", "1e3", "1000"},
	{"serial", "12.5e1", "125"},
	{"serial", "5.5", "int_from_float Input should be a valid integer, got a number with a fractional part"},
	{"serial", "9007199254740993", "9007199254740993"},
	{"serial", "-9007199254740993", "-9007199254740993"},
	{"serial", "9223372036854775807", "9223372036854775807"},
	{"serial", "9223372036854775807.0", "9223372036854775807"},
	{"serial", "92233720368547758070e-1", "9223372036854775807"},
	{"serial", "9223372036854775806.5", "int_from_float Input should be a valid integer, got a number with a fractional part"},
	{"serial", "9223372036854775808", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "9223372036854775808.0", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "-9223372036854775808", "-9223372036854775808"},
	{"serial", "-9223372036854775809", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "1e19", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "1e400", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "1e999999999", "int_parsing_size Unable to parse input string as an integer, exceeded maximum size"},
	{"serial", "1e-400", "int_from_float Input should be a valid integer, got a number with a fractional part"},
	{"serial", "1e-999999999", "int_from_float Input should be a valid integer, got a number with a fractional part"},
	{"serial", "0e400", "0"},
	{"serial", "-0", "0"},
	{"serial", "-0.0", "0"},
	{"serial", `"5"`, "int_type Input should be a valid integer"},
	{"serial", "true", "int_type Input should be a valid integer"},
	{"stars", "0", "0"},
	{"stars", "-1", "greater_than_equal Input should be greater than or equal to 0"},
	{"stars", "6", "less_than_equal Input should be less than or equal to 5"},
	{"stars", "null", "int_type Input should be a valid integer"},
	{"level", "2.0", "2"},
	{"level", "0", "literal_error Input should be 1, 2 or 3"},
	{"level", `"1"`, "literal_error Input should be 1, 2 or 3"},

	{"energy", "1e308", "1e+308"},
	{"energy", "-1.7976931348623157e308", "-1.7976931348623157e+308"},
	{"energy", "5e-324", "5e-324"},
	{"energy", "0.1", "0.1"},
	{"energy", "9007199254740993", "9007199254740992"},
	{"energy", "1e400", "float_type Input should be a valid number"},
	{"energy", "-1e400", "float_type Input should be a valid number"},
	{"energy", "1e-400", "0"},
	{"energy", "-0.0", "0"},
	{"energy", "-0", "0"},
	{"energy", `"1"`, "float_type Input should be a valid number"},
	{"energy", "true", "float_type Input should be a valid number"},
	{"weight", "0", "0"},
	{"weight", "-1000.0", "-1000"},
	{"weight", "1000.0000000000001", "less_than_equal Input should be less than or equal to 1000"},
	{"ratio", "0", "greater_than Input should be greater than 0"},
	{"ratio", "1", "less_than Input should be less than 1"},
	{"ratio", "5e-324", "5e-324"},

	{"active", "false", "false"},
	{"active", "1", "bool_type Input should be a valid boolean"},
	{"active", "0", "bool_type Input should be a valid boolean"},
	{"active", `"true"`, "bool_type Input should be a valid boolean"},
	{"active", "null", "bool_type Input should be a valid boolean"},

	{"due", `"2026-01-08T10:30:00Z"`, `"2026-01-08T10:30:00.000000Z"`},
	{"due", `"2026-01-08t10:30:00z"`, `"2026-01-08T10:30:00.000000Z"`},
	{"due", `"2026-01-08T10:30:00+05:30"`, `"2026-01-08T05:00:00.000000Z"`},
	{"due", `"2026-01-08T10:30:00-23:59"`, `"2026-01-09T10:29:00.000000Z"`},
	{"due", `"2026-01-08T10:30:00-00:00"`, `"2026-01-08T10:30:00.000000Z"`},
	{"due", `"2026-01-08T10:30:00.123456789Z"`, `"2026-01-08T10:30:00.123456Z"`},
	{"due", `"2026-01-08T10:30:00.999999999Z"`, `"2026-01-08T10:30:00.999999Z"`},
	{"due", `"1969-12-31T23:59:59.999999999Z"`, `"1969-12-31T23:59:59.999999Z"`},
	{"due", `"2026-01-08T10:30:00.5Z"`, `"2026-01-08T10:30:00.500000Z"`},
	{"due", `"2024-02-29T00:00:00Z"`, `"2024-02-29T00:00:00.000000Z"`},
	{"due", `"0000-12-31T23:30:00-01:00"`, `"0001-01-01T00:30:00.000000Z"`},
	{"due", `"1582-10-10T00:00:00Z"`, `"1582-10-10T00:00:00.000000Z"`},
	{"due", `"9999-12-31T23:59:59.999999999Z"`, `"9999-12-31T23:59:59.999999Z"`},
	{"due", `"0001-01-01T00:00:00+00:01"`, notRFC3339},
	{"due", `"0000-01-01T00:00:00Z"`, notRFC3339},
	{"due", `"9999-12-31T23:59:59-00:01"`, notRFC3339},
	{"due", `"10000-01-01T00:00:00Z"`, notRFC3339},
	{"due", `"-001-01-01T00:00:00Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00"`, notRFC3339},
	{"due", `"2026-01-08"`, notRFC3339},
	{"due", `"2026-02-30T10:30:00Z"`, notRFC3339},
	{"due", `"2025-02-29T10:30:00Z"`, notRFC3339},
	{"due", `"2026-01-08T24:00:00Z"`, notRFC3339},
	{"due", `"2026-01-08T1:30:00Z"`, notRFC3339},
	{"due", `"2016-12-31T23:59:60Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00,5Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00.Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00+24:00"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00+0100"`, notRFC3339},
	{"due", `" 2026-01-08T10:30:00Z"`, notRFC3339},
	{"due", `"2026-01-08T10:30:00Z\u0000"`, notRFC3339},
	{"due", "1767868200", "datetime_type Input should be a valid datetime"},
	{"made", "null", "datetime_type Input should be a valid datetime"},

	{"colour", `"Green"`, "literal_error Input should be 'yellow', 'green' or 'blue'"},
	{"colour", `""`, "literal_error Input should be 'yellow', 'green' or 'blue'"},
	{"colour", "null", "literal_error Input should be 'yellow', 'green' or 'blue'"},
	{"size", `""`, "literal_error Input should be 'small' or 'large'"},
	{"size", "null", "null"},
	{"name", `"` + strings.Repeat("𝄞", 20) + `"`, `"` + strings.Repeat("𝄞", 20) + `"`},
	{"name", `"` + strings.Repeat("e\u0301", 10) + `"`, `"` + strings.Repeat("e\u0301", 10) + `"`},
	{"name", `"` + strings.Repeat(`\ud834\udd1e`, 20) + `"`, `"` + strings.Repeat("𝄞", 20) + `"`},
	{"name", `"` + strings.Repeat("𝄞", 21) + `"`, "string_too_long String should have at most 20 characters"},
	{"name", `"\u3000\u00a0"`, "value_error Value error, must not be blank"},
	{"note", `""`, `""`},
	{"note", `"\u0000"`, "value_error Value error, must not contain the NUL character"},
}

const notRFC3339 = "datetime_parsing Input should be a valid datetime, as RFC 3339 with an offset"

func TestEachKindOfValueIsReadStrictlyAndComesBackAsTheContractSays(t *testing.T) {
	eachEngineWithGadgets(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		for _, row := range kinds {
			t.Run(fmt.Sprintf("%s %.50s", row.field, row.value), func(t *testing.T) {
				members := map[string]string{"name": `"x"`, "made": `"2026-01-08T10:30:00Z"`}
				kept := toMembers(t, ann.call(t, 201, "POST", "/api/gadgets", toBody(members)).body)
				path := "/api/gadgets/" + string(kept["id"])
				members[row.field] = row.value
				kind, msg, refused := strings.Cut(row.want, " ")
				status := map[bool]int{true: 422, false: 200}[refused]
				patch := ann.call(t, status, "PATCH", path, toBody(map[string]string{row.field: row.value}))
				put := ann.call(t, status, "PUT", path, toBody(members))
				post := ann.call(t, max(status, 201), "POST", "/api/gadgets", toBody(members))
				for _, got := range []answer{patch, put, post} {
					if !refused {
						require.Equal(t, row.want, string(toMembers(t, got.body)[row.field]))
						continue
					}
					faults := decode[validationError](t, got).Detail
					require.Len(t, faults, 1)
					require.Equal(t, []string{kind, msg}, []string{faults[0].Type, faults[0].Msg})
				}
				if !refused {
					require.Equal(t, string(put.body), string(ann.call(t, 200, "GET", path).body))
					require.Equal(t, string(post.body), string(ann.call(t, 200, "GET", post.Header.Get("Location")).body))
				}
			})
		}
	})
}
