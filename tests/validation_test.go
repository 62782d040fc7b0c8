package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// The beginnings of faults, up to what was sent.
const (
	titleMissing  = `{"type":"missing","loc":["body","title"],"msg":"Field required","input":`
	titleNoString = `{"type":"string_type","loc":["body","title"],"msg":"Input should be a valid string","input":`
	titleTooShort = `{"type":"string_too_short","loc":["body","title"],"msg":"String should have at least 1 character","input":`
	titleBlank    = `{"type":"value_error","loc":["body","title"],"msg":"Value error, must not be blank","input":`
)

// bodies maps a faulty body to the faults in its answer.
var bodies = map[string]string{
	`{}`:                       `[` + titleMissing + `{}}]`,
	`{"description":"d"}`:      `[` + titleMissing + `{"description":"d"}}]`,
	`{"Title":"x"}`:            `[` + titleMissing + `{"Title":"x"}}]`,
	`{"title":null}`:           `[` + titleNoString + `null}]`,
	`{"title":5}`:              `[` + titleNoString + `5}]`,
	`{"title":["x"]}`:          `[` + titleNoString + `["x"]}]`,
	`{"title":""}`:             `[` + titleTooShort + `""}]`,
	`{"title":"x","title":""}`: `[` + titleTooShort + `""}]`,
	`{"title":" \t\n "}`:       `[` + titleBlank + `" \t\n "}]`,
	`{"title":"\u00a0\u3000"}`: `[` + titleBlank + `"\u00a0\u3000"}]`,
	`{"title":"a\u0000b"}`: `[{"type":"value_error","loc":["body","title"],` +
		`"msg":"Value error, must not contain the NUL character","input":"a\u0000b"}]`,
	`{"title":"x","description":"\u0000"}`: `[{"type":"value_error","loc":["body","description"],` +
		`"msg":"Value error, must not contain the NUL character","input":"\u0000"}]`,
	`{"title":"x","description":true}`: `[{"type":"string_type","loc":["body","description"],` +
		`"msg":"Input should be a valid string","input":true}]`,
	`{"title":` + quoted(strings.Repeat("é", 201)) + `}`: `[{"type":"string_too_long","loc":["body","title"],` +
		`"msg":"String should have at most 200 characters","input":` + quoted(strings.Repeat("é", 100)) + `}]`,
	`{"title":"x","description":` + quoted(strings.Repeat("d", 1001)) + `}`: `[{"type":"string_too_long","loc":["body","description"],` +
		`"msg":"String should have at most 1000 characters","input":` + quoted(strings.Repeat("d", 100)) + `}]`,
	`{"title":1,"description":2}`: `[{"type":"string_type","loc":["body","title"],"msg":"Input should be a valid string","input":1},
		{"type":"string_type","loc":["body","description"],"msg":"Input should be a valid string","input":2}]`,
	`{"title":" ","description":3}`: `[{"type":"value_error","loc":["body","title"],"msg":"Value error, must not be blank","input":" "},
		{"type":"string_type","loc":["body","description"],"msg":"Input should be a valid string","input":3}]`,
	`{"a":1,"a":2}`:           `[` + titleMissing + `{"a":1,"a":2}}]`,
	`{"title":{"a":1,"a":2}}`: `[` + titleNoString + `{"a":1,"a":2}}]`,
	`{"description":4}`: `[{"type":"missing","loc":["body","title"],"msg":"Field required","input":{"description":4}},
		{"type":"string_type","loc":["body","description"],"msg":"Input should be a valid string","input":4}]`,
	`[]`:     `[{"type":"value_error","loc":["body"],"msg":"Value error, must be a JSON object","input":[]}]`,
	`"text"`: `[{"type":"value_error","loc":["body"],"msg":"Value error, must be a JSON object","input":"text"}]`,
	`7`:      `[{"type":"value_error","loc":["body"],"msg":"Value error, must be a JSON object","input":7}]`,
	`null`:   `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`,
	``:       `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`,
	"  \n":   `[{"type":"missing","loc":["body"],"msg":"Field required","input":null}]`,
	`{"title":{"a":[` + strings.Repeat("1,", 100) + `1]}}`: `[` + titleNoString + quoted((`{"a":[` + strings.Repeat("1,", 100))[:100]) + `}]`,
}

func TestAFaultyBodyIsExplainedAndChangesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		kept := ann.create(t, "kept")
		for body, faults := range bodies {
			t.Run(fmt.Sprintf("%.60s", body), func(t *testing.T) {
				for _, call := range [][2]string{{"POST", "/api/tasks"}, {"PUT", path(kept.ID)}} {
					got := ann.call(t, 422, call[0], call[1], body)
					require.JSONEq(t, `{"detail":`+faults+`}`, string(got.body))
					require.Equal(t, "application/json", got.Header.Get("Content-Type"))
				}
			})
		}
		require.Equal(t, []task{kept}, ann.list(t))
	})
}

func TestABodyThatIsNotJSONIsExplainedAndChangesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		for _, body := range []string{
			`{`, `[1,`, `[1,2,3`, `"x"{`, `1 2`, `{"title":"x"`, `{"title":"x"} {}`, `{"title":"x"}]`,
			`{title:"x"}`, `{'title':'x'}`, `{"title":"x",}`, `{"title":"x" /* c */}`,
			`{"title":NaN}`, "{\"title\":\"\xff\"}", "{\"title\":\"\xed\xa0\x80\"}",
			`{"title":"\ud800"}`, `{"title":"\ud800\u0041"}`, "{\"title\":\"a\nb\"}",
			"\ufeff{\"title\":\"x\"}", "{\x00\"title\":\"x\"}",
			`{"title":"x","deep":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) + `}`,
			strings.Repeat(`{"title":`, 6000), "000", "0 0", "[] []", "null null", "nullx", `"x" y`, "title=x", "<title>x</title>", "\x1f\x8b\x08",
		} {
			t.Run(fmt.Sprintf("%.60q", body), func(t *testing.T) {
				got := decode[struct {
					Detail []struct {
						Type, Msg string
						Loc       []any
						Input     string
					}
				}](t, ann.call(t, 422, "POST", "/api/tasks", body))
				require.Len(t, got.Detail, 1)
				require.Equal(t, "json_invalid", got.Detail[0].Type)
				require.Equal(t, "JSON decode error", got.Detail[0].Msg)
				require.Equal(t, "body", got.Detail[0].Loc[0])
				require.LessOrEqual(t, len([]rune(got.Detail[0].Input)), 100)
			})
		}
		require.Empty(t, ann.list(t))
	})
}

func TestAnIDThatIsNotAnIntegerIsExplained(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		for id, input := range map[string]string{
			"abc": "abc", "1.5": "1.5", "1e3": "1e3", "0x1": "0x1", "1_000": "1_000", "%20": " ", "1%20OR%201=1": "1 OR 1=1", "%00": "\x00",
			"%D9%A1": "١", "%ff": "\ufffd", "--1": "--1", strings.Repeat("x", 101): strings.Repeat("x", 100),
		} {
			want := `{"type":"int_parsing","loc":["path","id"],` +
				`"msg":"Input should be a valid integer, unable to parse string as an integer","input":` + quoted(input) + `}`
			t.Run(fmt.Sprintf("%.60s", id), func(t *testing.T) {
				for method, suffix := range map[string]string{"GET": "", "DELETE": "", "PATCH": "/complete"} {
					got := ann.call(t, 422, method, "/api/tasks/"+id+suffix)
					require.JSONEq(t, `{"detail":[`+want+`]}`, string(got.body))
				}
				got := ann.call(t, 422, "PUT", "/api/tasks/"+id, `{"title":"x"}`)
				require.JSONEq(t, `{"detail":[`+want+`]}`, string(got.body))
				got = ann.call(t, 422, "PUT", "/api/tasks/"+id, `{}`)
				require.JSONEq(t, `{"detail":[`+want+`,{"type":"missing","loc":["body","title"],"msg":"Field required","input":{}}]}`, string(got.body))
			})
		}
	})
}

func TestABodyOfAnotherMediaTypeIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		ann := s.as("ann")
		kept := ann.create(t, "kept")
		for _, call := range [][2]string{{"POST", "/api/tasks"}, {"PUT", path(kept.ID)}} {
			for _, kind := range []string{
				"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
				"application/jsonp", "application/json, text/plain", "/json", "text/plain; a=1; a=2", "x",
			} {
				got := s.send(t, request{call[0], call[1], "ann", `{"title":"x"}`, map[string]string{"Content-Type": kind}})
				require.Equal(t, 415, got.StatusCode, kind)
				require.JSONEq(t, `{"detail":"Unsupported Media Type"}`, string(got.body))
			}
			got := s.send(t, request{call[0], call[1], "ann", `{"title":"x"}`, map[string]string{"Content-Encoding": "gzip"}})
			require.Equal(t, 415, got.StatusCode)
			for _, faulty := range []map[string]string{{"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}} {
				require.Equal(t, 401, s.send(t, request{call[0], call[1], "", `{"title":"x"}`, faulty}).StatusCode, "the token comes first")
			}
		}
		require.Equal(t, []task{kept}, ann.list(t))
		for _, kind := range []string{"application/json; charset=utf-8", "APPLICATION/JSON", "application/json;", ""} {
			got := s.send(t, request{"POST", "/api/tasks", "ann", `{"title":"x"}`, map[string]string{"Content-Type": kind}})
			require.Equal(t, 201, got.StatusCode, kind)
		}
		require.Len(t, ann.list(t), 5)
	})
}
