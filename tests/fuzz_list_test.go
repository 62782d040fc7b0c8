package tests

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzListOnSQLite(f *testing.F) { fuzzList(f, newServer(f, newSQLite(f))) }

func FuzzListOnPostgreSQL(f *testing.F) { fuzzList(f, newServer(f, newPostgres(f))) }

// fuzzList sends any values of the parameters of a list; of cursors also any text that is encoded as one.
func fuzzList(f *testing.F, s *server) {
	for i, c := range searches {
		createTasks(f, s, "ann", c.title)
		f.Add("1", "-created_at", c.q, "true", oddCursors[i%len(oddCursors)], true)
	}
	for _, cursor := range badCursors {
		f.Add("2", "title", "a", "false", cursor, strings.HasPrefix(cursor, "["))
	}
	for _, order := range s.as("ann").orders(f, "/api/tasks") {
		f.Add("500", order, "x "+strings.Repeat("K ", 90), "true", cursorOf(f, s.as("ann"), "?limit=3&sort="+order), false)
		f.Add("0", order, "\xff", "", `["`+order+`","2026-01-08T10:30:00.123456Z",5]`, true)
	}
	createTasks(f, s, "bob", "not to be seen")
	f.Fuzz(func(t *testing.T, limit, sort, q, count, cursor string, encode bool) {
		if encode {
			cursor = encodeCursor(cursor)
		}
		parameters := url.Values{}
		for name, value := range map[string]string{"limit": limit, "sort": sort, "q": q, "count": count, "cursor": cursor} {
			if value != "absent" {
				parameters.Set(name, value)
			}
		}
		query := "?" + parameters.Encode()
		if len(query) > 8<<10 {
			t.Skip("too long for a request")
		}
		got := s.sendUnchecked(t, request{method: "GET", path: "/api/tasks" + query, user: "ann"})
		require.Contains(t, []int{200, 400, 422}, got.StatusCode, "%s: %s", query, got.body)
		require.NotContains(t, string(got.body), "bob")
		if next := nextQuery(t, got); next != "" {
			s.as("ann").ask(t, 200, "/api/tasks", next)
		}
	})
}
