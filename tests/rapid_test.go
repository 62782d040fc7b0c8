package tests

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// gadgetValues are the fields of a gadget as clients see them.
type gadgetValues struct {
	Name    string   `json:"name"`
	Note    *string  `json:"note"`
	Colour  string   `json:"colour"`
	Size    *string  `json:"size"`
	Level   int64    `json:"level"`
	Active  bool     `json:"active"`
	Stars   int64    `json:"stars"`
	Serial  *int64   `json:"serial"`
	Weight  float64  `json:"weight"`
	Ratio   *float64 `json:"ratio"`
	Energy  *float64 `json:"energy"`
	Made    string   `json:"made"`
	Due     *string  `json:"due"`
	Retired bool     `json:"retired"`
}

// text generates strings of at most so many characters, none of them NUL.
func text(most int) *rapid.Generator[any] {
	return rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r != 0 }), 0, most, -1).AsAny()
}

// instant generates times of RFC 3339 in any offset, with any number of digits.
var instant = rapid.Custom(func(t *rapid.T) any {
	first, last := time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC)
	at := time.Unix(rapid.Int64Range(first.Unix(), last.Unix()).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
	return at.In(time.FixedZone("", 60*rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "offset"))).Format(time.RFC3339Nano)
})

func orNull(values *rapid.Generator[any]) *rapid.Generator[any] {
	return rapid.OneOf(values, rapid.Just[any](nil))
}

// gadgetMembers generates values of each field.
var gadgetMembers = map[string]*rapid.Generator[any]{
	// For notblank, the ASCII separators are blank too.
	"name":    text(20).Filter(func(v any) bool { return strings.Trim(strings.TrimSpace(v.(string)), "\x1c\x1d\x1e\x1f") != "" }),
	"note":    orNull(text(30)),
	"colour":  rapid.SampledFrom([]any{"yellow", "green", "blue"}),
	"size":    rapid.SampledFrom([]any{"small", "large", nil}),
	"level":   rapid.Int64Range(1, 3).AsAny(),
	"active":  rapid.Bool().AsAny(),
	"stars":   rapid.Int64Range(0, 5).AsAny(),
	"serial":  orNull(rapid.Int64().AsAny()),
	"weight":  rapid.Float64Range(-1000, 1000).AsAny(),
	"ratio":   orNull(rapid.Float64Range(math.SmallestNonzeroFloat64, math.Nextafter(1, 0)).AsAny()),
	"energy":  orNull(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).AsAny()),
	"made":    instant,
	"due":     orNull(instant),
	"retired": rapid.Bool().AsAny(),
}

// drawMembers draws values of the required fields and of some others.
func drawMembers(t *rapid.T, required ...string) map[string]any {
	members := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(gadgetMembers)) {
		if slices.Contains(required, name) || rapid.Bool().Draw(t, "with "+name) {
			members[name] = gadgetMembers[name].Draw(t, name)
		}
	}
	return members
}

// apply sets the members of a body, as RFC 7396 says.
func (g *gadgetValues) apply(t require.TestingT, body []byte) {
	require.NoError(t, json.Unmarshal(body, g))
	for _, at := range []*string{&g.Made, g.Due} {
		if at != nil {
			parsed, err := time.Parse(time.RFC3339Nano, *at)
			require.NoError(t, err)
			*at = parsed.UTC().Format("2006-01-02T15:04:05.000000Z")
		}
	}
}

func newGadgetValues(t require.TestingT, body []byte) *gadgetValues {
	g := &gadgetValues{Colour: "yellow", Level: 1, Active: true, Stars: 3}
	g.apply(t, body)
	return g
}

// TestWhateverGoesInComesOutOnBothEngines compares both engines with a model in memory, over any sequence of requests.
func TestWhateverGoesInComesOutOnBothEngines(t *testing.T) {
	t.Parallel()
	engines := []*server{newServerWith(t, newSQLite(t), gadgets), newServerWith(t, newPostgres(t), gadgets)}
	users := 0
	rapid.Check(t, func(rt *rapid.T) {
		users++
		user := fmt.Sprintf("user-%d", users)
		var rows []*gadgetValues // nil is deleted
		var paths [][2]string    // of each row on each engine
		send := func(engine, status int, method, path string, body []byte) answer {
			r := request{method: method, path: path, user: user}
			if body != nil {
				r.body = body
			}
			got := engines[engine].send(t, r)
			require.Equal(rt, status, got.StatusCode, "%s %s %s: %s", method, path, body, got.body)
			return got
		}
		requireRow := func(want *gadgetValues, got answer) {
			var is gadgetValues
			require.NoError(rt, json.Unmarshal(got.body, &is))
			require.Equal(rt, *want, is)
		}
		change := func(rt *rapid.T, method string, body []byte, changed func(*gadgetValues) *gadgetValues) {
			if len(rows) == 0 {
				rt.Skip("no rows")
			}
			i := rapid.IntRange(0, len(rows)-1).Draw(rt, "row")
			for engine := range engines {
				if rows[i] == nil {
					send(engine, 404, method, paths[i][engine], body)
				}
			}
			if rows[i] == nil {
				return
			}
			rows[i] = changed(rows[i])
			for engine := range engines {
				status := map[bool]int{true: 204, false: 200}[rows[i] == nil]
				if got := send(engine, status, method, paths[i][engine], body); status == 200 {
					requireRow(rows[i], got)
					require.Equal(rt, string(got.body), string(send(engine, 200, "GET", paths[i][engine], nil).body))
				}
			}
		}
		drawBody := func(rt *rapid.T, required ...string) []byte {
			body, err := json.Marshal(drawMembers(rt, required...))
			require.NoError(rt, err)
			return body
		}
		rt.Repeat(map[string]func(*rapid.T){
			"POST": func(rt *rapid.T) {
				body := drawBody(rt, "name", "made")
				row, at := newGadgetValues(rt, body), [2]string{}
				row.Retired = false
				for engine := range engines {
					got := send(engine, 201, "POST", "/api/gadgets", body)
					requireRow(row, got)
					at[engine] = got.Header.Get("Location")
				}
				rows, paths = append(rows, row), append(paths, at)
			},
			"PUT": func(rt *rapid.T) {
				body := drawBody(rt, "name", "made")
				change(rt, "PUT", body, func(was *gadgetValues) *gadgetValues {
					row := newGadgetValues(rt, body)
					row.Retired = was.Retired
					return row
				})
			},
			"PATCH": func(rt *rapid.T) {
				body := drawBody(rt)
				change(rt, "PATCH", body, func(row *gadgetValues) *gadgetValues {
					row.apply(rt, body)
					return row
				})
			},
			"DELETE": func(rt *rapid.T) {
				change(rt, "DELETE", nil, func(*gadgetValues) *gadgetValues { return nil })
			},
			"": func(rt *rapid.T) { // after each
				want := []gadgetValues{}
				for _, row := range slices.Backward(rows) {
					if row != nil {
						want = append(want, *row)
					}
				}
				for engine := range engines {
					is := []gadgetValues{}
					require.NoError(rt, json.Unmarshal(send(engine, 200, "GET", "/api/gadgets", nil).body, &is))
					require.Equal(rt, want, is)
				}
			},
		})
	})
}
