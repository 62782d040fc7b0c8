package tests

import (
	"database/sql"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTablesOfTheFirstReleaseGainTheVersionInPlace(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		engine, _, _ := strings.Cut(databaseURL, ":")
		schema, err := os.ReadFile("testdata/" + engine + "-0.1.0.sql") // as that release made it
		require.NoError(t, err)
		elsewhere := openDirectly(t, databaseURL, string(schema),
			`INSERT INTO users (id, created_at) VALUES ('ann', '2026-01-08 10:30:00+00:00')`,
			`INSERT INTO tasks (user_id, title, description, completed, created_at, updated_at) VALUES
				('ann', 'old', 'kept', true, '2026-01-08 10:30:00.123456+00:00', '2026-01-09 10:30:00+00:00'),
				('ann', 'gone', NULL, false, '2026-01-10 10:30:00+00:00', '2026-01-10 10:30:00+00:00')`,
			`DELETE FROM tasks WHERE title = 'gone'`)
		before := storage(t, databaseURL, elsewhere)
		for next := int64(3); next < 5; next++ { // starts
			ann := newServer(t, databaseURL).as("ann")
			require.Equal(t, before, storage(t, databaseURL, elsewhere))
			require.Equal(t, `[{"id":1,"user_id":"ann","title":"old","description":"kept","completed":true,`+
				`"created_at":"2026-01-08T10:30:00.123456Z","updated_at":"2026-01-09T10:30:00.000000Z"}]`,
				string(ann.call(t, 200, "GET", "/api/tasks").body))
			require.EqualValues(t, 1, versionOf(t, elsewhere, 1))
			require.Equal(t, next, ann.create(t, "new").ID, "the ids that were given out are forgotten")
			require.EqualValues(t, 1, versionOf(t, elsewhere, next))
			ann.call(t, 204, "DELETE", path(next))
		}
		newServer(t, databaseURL).as("ann").call(t, 200, "PATCH", path(1)+"/complete")
		require.EqualValues(t, 2, versionOf(t, elsewhere, 1))
	})
}

// storage names the place where the rows of the tasks are kept. It changes when the table is rewritten.
func storage(t testing.TB, databaseURL string, db *sql.DB) (place string) {
	t.Helper()
	query := "SELECT relfilenode::text FROM pg_class WHERE oid = 'tasks'::regclass"
	if strings.HasPrefix(databaseURL, "sqlite:") {
		query = "SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'"
	}
	require.NoError(t, db.QueryRow(query).Scan(&place))
	return place
}

func versionOf(t testing.TB, db *sql.DB, id int64) (version int64) {
	t.Helper()
	require.NoError(t, db.QueryRow("SELECT version FROM tasks WHERE id = $1", id).Scan(&version))
	return version
}
