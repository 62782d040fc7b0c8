package tests

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// BenchmarkLists measures pages of 50 beside the number of tasks that their user has, and searches through 10,000 tasks.
func BenchmarkLists(b *testing.B) {
	for engine, newURL := range map[string]func(testing.TB) string{"SQLite": newSQLite, "PostgreSQL": newPostgres} {
		b.Run(engine, func(b *testing.B) {
			s := newServer(b, newURL(b))
			for name, rows := range map[string]int{"of 100": 100, "of 100,000": 100_000} {
				createMany(b, s, rows, name)
				require.NoError(b, models.AcrossOwners(s.db).Exec("DELETE FROM tasks WHERE title = 'first'").Error)
				for order, query := range map[string]string{
					"": "?limit=50", ", counted": "?limit=50&count=true", ", by title": "?limit=50&sort=title",
				} {
					deep := nextQuery(b, s.as(name).ask(b, 200, "/api/tasks", query))
					benchList(b, s, "page "+name+order, name, deep)
				}
			}
			hundred := make([]string, 100) // words of one letter, which are in every title
			for i := range hundred {
				hundred[i] = string(rune('а' + i)) // Cyrillic
			}
			createMany(b, s, 10_000, "searched")
			require.NoError(b, models.AcrossOwners(s.db).Exec(
				"UPDATE tasks SET title = ? || id WHERE user_id = 'searched'", strings.Join(hundred, "")).Error)
			for name, q := range map[string]string{"1 word": hundred[7], "100 words": strings.Join(hundred, " "), "1 word in none": "x"} {
				benchList(b, s, "search for "+name, "searched", "?limit=1&count=true&q="+url.QueryEscape(q))
			}
		})
	}
}

func benchList(b *testing.B, s *server, name, user, query string) {
	b.Run(name, func(b *testing.B) {
		app := newCaller(s)
		app.prepare("GET", "/api/tasks"+query, tokenOf(b, user), "")
		b.ReportAllocs()
		for b.Loop() {
			app.call(b, 200)
		}
	})
}
