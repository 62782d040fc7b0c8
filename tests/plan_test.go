package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"taskapi/models"
)

// createMany adds so many tasks of each user by one statement, in the order of their times.
func createMany(t testing.TB, s *server, count int, users ...string) {
	t.Helper()
	db, at := models.AcrossOwners(s.db), "strftime('%Y-%m-%d %H:%M:%S', 1767868200 + i, 'unixepoch') || '.5+00:00'"
	if db.Name() == "postgres" {
		at = "to_timestamp(1767868200.5 + i)"
	}
	for _, user := range users {
		createTasks(t, s, user, "first")
	}
	require.NoError(t, db.Exec(fmt.Sprintf(`INSERT INTO tasks (user_id, title, completed, created_at, updated_at)
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
		SELECT users.id, 'Task number ' || i, i %% 2 = 0, %s, %s FROM n CROSS JOIN users WHERE users.id IN ?`, count-1, at, at), users).Error)
	if db.Name() == "postgres" { // SQLite plans without statistics here, as it does in the program
		require.NoError(t, db.Exec("ANALYZE").Error)
	}
}

// issued returns the statement that the app issues for a list of ann's.
func (s *server) issued(t testing.TB, query string) (text string, args []any) {
	t.Helper()
	before := s.db.Logger
	s.onStatement(func(sql string, vars []any) { text, args = sql, slices.Clone(vars) })
	s.as("ann").ask(t, 200, "/api/tasks", query)
	s.db.Logger = before
	require.NotEmpty(t, text)
	return text, args
}

// planNode is a node of a plan of PostgreSQL.
type planNode struct {
	Kind    string     `json:"Node Type"`
	Index   string     `json:"Index Name"`
	Cond    string     `json:"Index Cond"`
	Rows    float64    `json:"Actual Rows"`
	Removed float64    `json:"Rows Removed by Filter"`
	Plans   []planNode `json:"Plans"`
}

// scans returns the nodes that read rows, and the kinds of all nodes.
func (n planNode) scans() (scans []planNode, kinds []string) {
	if len(n.Plans) == 0 {
		return []planNode{n}, []string{n.Kind}
	}
	kinds = []string{n.Kind}
	for _, child := range n.Plans {
		s, k := child.scans()
		scans, kinds = append(scans, s...), append(kinds, k...)
	}
	return scans, kinds
}

// plan executes a statement and returns its plan: that for its arguments, or one for any.
func plan(t testing.TB, databaseURL, text string, args []any, generic bool) planNode {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, withoutPooler(t, databaseURL))
	require.NoError(t, err)
	defer conn.Close(ctx)
	var found []byte
	if generic {
		_, err = conn.Exec(ctx, "SET plan_cache_mode = force_generic_plan")
		require.NoError(t, err)
		prepared, err := conn.Prepare(ctx, "issued", text)
		require.NoError(t, err)
		literals := make([]string, len(args))
		for i, arg := range args {
			value, err := conn.TypeMap().Encode(prepared.ParamOIDs[i], pgx.TextFormatCode, arg, nil)
			require.NoError(t, err)
			literals[i] = "'" + strings.ReplaceAll(string(value), "'", "''") + "'"
		}
		require.NoError(t, conn.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE issued("+strings.Join(literals, ", ")+")").Scan(&found))
	} else {
		require.NoError(t, conn.QueryRow(ctx, "EXPLAIN (ANALYZE, FORMAT JSON) "+text, args...).Scan(&found))
	}
	var plans []struct{ Plan planNode }
	require.NoError(t, json.Unmarshal(found, &plans), "%s", found)
	return plans[0].Plan
}

// deepQuery returns the query of a page in the middle of ann's many tasks.
func (s *server) deepQuery(t testing.TB, query string) string {
	t.Helper()
	next := nextQuery(t, s.as("ann").ask(t, 200, "/api/tasks", query+"&limit=500"))
	for range 99 {
		next = nextQuery(t, s.as("ann").ask(t, 200, "/api/tasks", next))
	}
	return strings.Replace(next, "limit=500", "limit=50", 1)
}

func TestAPageReadsNoMoreRowsThanItShowsHoweverManyThereAre(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		createMany(t, s, 100_000, "ann", "bob")
		for filter, index := range map[string]string{
			"": "idx_tasks_user_created", "&sort=created_at": "idx_tasks_user_created", "&status=pending": "idx_tasks_user_completed",
		} {
			first := "?limit=50" + filter
			queries := map[string]string{"first page": first}
			if filter == "&status=pending" {
				queries["deep page"] = nextQuery(t, s.as("ann").ask(t, 200, "/api/tasks", first))
			} else {
				queries["deep page"] = s.deepQuery(t, "?"+filter)
			}
			for name, query := range queries {
				text, args := s.issued(t, query)
				if s.db.Name() != "postgres" {
					details := sqlitePlan(t, databaseURL, text, args)
					require.Len(t, details, 1, "no sorting: %v", details)
					require.Contains(t, details[0], "SEARCH tasks USING INDEX "+index+" (user_id=?")
					if name == "deep page" {
						require.Regexp(t, `AND (created_at|\(created_at,id\))[<>]`, details[0])
					}
					continue
				}
				for _, generic := range []bool{false, true} {
					scans, kinds := plan(t, databaseURL, text, args, generic).scans()
					require.Equal(t, []string{"Limit", "Index Scan"}, kinds, "%s of %q", name, filter)
					require.Equal(t, index, scans[0].Index)
					require.LessOrEqual(t, scans[0].Rows+scans[0].Removed, 51.0, "%s of %q", name, filter)
				}
			}
		}
	})
}

func TestAPageInAnotherOrderReadsOnlyTheRowsOfItsUser(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL)
		createMany(t, s, 5000, "ann", "bob", "cid", "dee", "eve")
		for _, order := range []string{"title", "-title", "updated_at", "-updated_at"} {
			first := "?limit=50&sort=" + order
			for _, query := range []string{
				first, nextQuery(t, s.as("ann").ask(t, 200, "/api/tasks", first)), first + "&q=number+7", "?sort=" + order,
			} {
				text, args := s.issued(t, query)
				if s.db.Name() != "postgres" {
					require.Contains(t, sqlitePlan(t, databaseURL, text, args)[0], "(user_id=?")
					continue
				}
				scans, _ := plan(t, databaseURL, text, args, false).scans()
				require.Contains(t, scans[0].Cond, "(user_id)::text = ", "%s: %+v", query, scans)
				require.Less(t, scans[0].Rows+scans[0].Removed, 5100.0, "of 25,000; workers round")
			}
		}
	})
}

// sqlitePlan returns the lines of a statement's plan.
func sqlitePlan(t testing.TB, databaseURL, text string, args []any) (details []string) {
	t.Helper()
	rows, err := openDirectly(t, databaseURL).Query("EXPLAIN QUERY PLAN "+text, args...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		details = append(details, detail)
	}
	require.NoError(t, rows.Err())
	return details
}
