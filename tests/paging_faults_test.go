package tests

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// queryFaults maps a query of a list to its faults, each by its parameter, type, msg and input.
var queryFaults = map[string][][4]string{
	"limit=0":                            {{"limit", "greater_than_equal", tooLow, "0"}},
	"limit=-1":                           {{"limit", "greater_than_equal", tooLow, "-1"}},
	"limit=501":                          {{"limit", "less_than_equal", tooHigh, "501"}},
	"limit=99999999999999999999":         {{"limit", "less_than_equal", tooHigh, "99999999999999999999"}},
	"limit=-9999999999999999999":         {{"limit", "greater_than_equal", tooLow, "-9999999999999999999"}},
	"limit=x":                            {{"limit", "int_parsing", notAnInteger, "x"}},
	"limit=":                             {{"limit", "int_parsing", notAnInteger, ""}},
	"limit":                              {{"limit", "int_parsing", notAnInteger, ""}},
	"limit=1.5":                          {{"limit", "int_parsing", notAnInteger, "1.5"}},
	"limit=+1":                           {{"limit", "int_parsing", notAnInteger, " 1"}},
	"limit=%D9%A1":                       {{"limit", "int_parsing", notAnInteger, "١"}},
	"limit=1%00":                         {{"limit", "int_parsing", notAnInteger, "1\x00"}},
	"limit=1&limit=0":                    {{"limit", "greater_than_equal", tooLow, "0"}},
	"count=":                             {{"count", "bool_parsing", notABoolean, ""}},
	"count=TRUE":                         {{"count", "bool_parsing", notABoolean, "TRUE"}},
	"count=1":                            {{"count", "bool_parsing", notABoolean, "1"}},
	"sort=":                              {{"sort", "literal_error", notAnOrder, ""}},
	"sort=x":                             {{"sort", "literal_error", notAnOrder, "x"}},
	"sort=description":                   {{"sort", "literal_error", notAnOrder, "description"}},
	"sort=completed":                     {{"sort", "literal_error", notAnOrder, "completed"}},
	"sort=--title":                       {{"sort", "literal_error", notAnOrder, "--title"}},
	"sort=%2Btitle":                      {{"sort", "literal_error", notAnOrder, "+title"}},
	"sort=TITLE":                         {{"sort", "literal_error", notAnOrder, "TITLE"}},
	"sort=title,id":                      {{"sort", "literal_error", notAnOrder, "title,id"}},
	"sort=%FF":                           {{"sort", "literal_error", notAnOrder, "\uFFFD"}},
	"sort=" + strings.Repeat("x", 200):   {{"sort", "literal_error", notAnOrder, strings.Repeat("x", 100)}},
	"q=" + strings.Repeat("%C3%A9", 201): {{"q", "string_too_long", "String should have at most 200 characters", strings.Repeat("é", 100)}},
	"q=" + strings.Repeat("+", 201):      {{"q", "string_too_long", "String should have at most 200 characters", strings.Repeat(" ", 100)}},
	"q=a%00b":                            {{"q", "value_error", "Value error, must not contain the NUL character", "a\x00b"}},
	"q=%00":                              {{"q", "value_error", "Value error, must not contain the NUL character", "\x00"}},
	"q=%FF":                              {{"q", "value_error", "Value error, must be UTF-8", "\uFFFD"}},
	"q=%ED%A0%80":                        {{"q", "value_error", "Value error, must be UTF-8", "\uFFFD"}},
	"limit=0&count=x&sort=y&q=%00": {
		{"limit", "greater_than_equal", tooLow, "0"}, {"sort", "literal_error", notAnOrder, "y"},
		{"q", "value_error", "Value error, must not contain the NUL character", "\x00"}, {"count", "bool_parsing", notABoolean, "x"},
	},
}

const (
	tooLow       = "Input should be greater than or equal to 1"
	tooHigh      = "Input should be less than or equal to 500"
	notAnInteger = "Input should be a valid integer, unable to parse string as an integer"
	notABoolean  = "Input should be a valid boolean, unable to interpret input"
	notAnOrder   = "Input should be '-created_at', 'created_at', '-updated_at', 'updated_at', '-title' or 'title'"
)

func TestABadParameterOfAListIsExplained(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for query, faults := range queryFaults {
			t.Run(fmt.Sprintf("%.40s", query), func(t *testing.T) {
				var want []map[string]any
				for _, f := range faults {
					want = append(want, map[string]any{"type": f[1], "loc": []string{"query", f[0]}, "msg": f[2], "input": f[3]})
				}
				expected, err := json.Marshal(map[string]any{"detail": want})
				require.NoError(t, err)
				got := s.as("ann").ask(t, 422, "/api/tasks", "?"+query)
				require.JSONEq(t, string(expected), string(got.body))
				for _, before := range []string{"&status=x", "&cursor=x"} {
					s.as("ann").ask(t, 400, "/api/tasks", "?"+query+before)
					s.as("").ask(t, 401, "/api/tasks", "?"+query+before)
				}
			})
		}
	})
}

// badCursors are texts that are no cursor of the default order of tasks. Those that begin with a bracket are encoded first.
var badCursors = []string{
	"", "x", "%00", "%FF", "====", "WyItY3JlYXRlZF9hdCJd=", "bm90IEpTT04", strings.Repeat("A", 3000), "W10+", "W10/", "\u00e9",
	`[]`, `["-created_at"]`, `["-created_at","2026-01-08T10:30:00Z"]`, `["-created_at","2026-01-08T10:30:00Z",1,1]`, `["-created_at",null,1]`,
	`["-created_at","2026-01-08T10:30:00Z",null]`, `["-created_at","2026-01-08T10:30:00Z","1"]`, `["-created_at","2026-01-08T10:30:00Z",1.5]`,
	`["-created_at","2026-01-08T10:30:00Z",9223372036854775808]`, `["-created_at","2026-01-08T10:30:00Z",1e400]`,
	`["created_at","2026-01-08T10:30:00Z",1]`, `["title","x",1]`, `[null,"2026-01-08T10:30:00Z",1]`, `[7,"2026-01-08T10:30:00Z",1]`,
	`["-created_at",{"a":1},1]`, `["-created_at",[],1]`, `["-created_at",true,1]`, `["-created_at",1767868200,1]`,
	`["-created_at","2026-01-08T10:30:00Z\u0000",1]`, `["-created_at","\ud800",1]`, "[\"-created_at\",\"\xff\",1]",
	`["-created_at","2026-01-08T10:30:00Z",1] ` + "x", `[["-created_at","2026-01-08T10:30:00Z",1]]`, `{"a":1}`,
}

func encodeCursor(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

func TestABadCursorIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", numbered(3)...)
		for _, cursor := range badCursors {
			if strings.HasPrefix(cursor, "[") || strings.HasPrefix(cursor, "{") {
				cursor = encodeCursor(cursor)
			}
			for _, query := range []string{"?cursor=", "?limit=2&cursor="} {
				got := s.as("ann").ask(t, 400, "/api/tasks", query+cursor)
				require.Equal(t, `{"detail":"Invalid cursor"}`, string(got.body), cursor)
			}
			s.as("").ask(t, 401, "/api/tasks", "?cursor="+cursor)
		}
		for order, key := range map[string]string{
			"title": "7", "-title": `"a\u0000"`, "updated_at": "false", "-updated_at": `"now"`, "created_at": `"' OR 1=1 --"`, "-created_at": `""`,
		} {
			s.as("ann").ask(t, 400, "/api/tasks", "?sort="+order+"&cursor="+encodeCursor(fmt.Sprintf("[%q,%s,1]", order, key)))
		}
		for _, order := range s.as("ann").orders(t, "/api/tasks") {
			cursor := cursorOf(t, s.as("ann"), "?limit=1&sort="+order)
			for _, other := range s.as("ann").orders(t, "/api/tasks") {
				s.as("ann").ask(t, map[bool]int{true: 200, false: 400}[other == order], "/api/tasks", "?sort="+other+"&cursor="+cursor)
			}
		}
	})
}

// oddCursors are made up: cursors of the default order that no page led to, which show a part of the list, or nothing.
var oddCursors = []string{
	`["-created_at","0001-01-01T00:00:00Z",1]`, `["-created_at","9999-12-31T23:59:59.999999Z",9223372036854775807]`,
	`["-created_at","2026-01-08T10:30:00+23:59",-9223372036854775808]`, `["-created_at","9999-12-31T23:59:59-23:59",1]`,
	`["-created_at","0001-01-01T00:00:00+23:59",1]`, `["-created_at","10000-01-01T00:00:00Z",1]`, `["-created_at","2026-13-45 99:99:99",5.0]`,
}

func TestACursorThatWasMadeUpShowsOnlyRowsOfTheCaller(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		createTasks(t, s, "ann", numbered(3)...)
		createTasks(t, s, "bob", numbered(3)...)
		for _, cursor := range oddCursors {
			got := s.sendUnchecked(t, request{method: "GET", path: "/api/tasks?cursor=" + encodeCursor(cursor), user: "ann"})
			if got.StatusCode == 400 {
				require.Equal(t, `{"detail":"Invalid cursor"}`, string(got.body), cursor)
				continue
			}
			require.Equal(t, 200, got.StatusCode, "%s: %s", cursor, got.body)
			require.Contains(t, []int{0, 3}, len(rowsOf(t, got)), cursor)
			require.NotContains(t, string(got.body), "bob")
		}
	})
}

func TestAnotherUsersCursorIsAPlaceAndShowsNothingOfTheirs(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		for _, user := range []string{"ann", "bob", "ann", "bob", "ann"} {
			createTasks(t, s, user, user)
		}
		for _, order := range s.as("ann").orders(t, "/api/tasks") {
			query := "?limit=1&sort=" + order
			cursor := cursorOf(t, s.as("ann"), query)
			var all []string
			for _, page := range s.as("bob").walk(t, "/api/tasks", query+"&q=&cursor="+url.QueryEscape(cursor)) {
				all = append(all, page...)
			}
			require.LessOrEqual(t, len(all), 2)
			require.NotContains(t, strings.Join(all, ""), "ann")
		}
	})
}
