package tests

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filledTable makes a table of tasks as the FastAPI backend does, with tasks of the users u0 to u9.
func filledTable(t testing.TB, databaseURL string) *sql.DB {
	t.Helper()
	return openDirectly(t, databaseURL, `CREATE TABLE tasks (id SERIAL NOT NULL, user_id VARCHAR NOT NULL, title VARCHAR(200) NOT NULL,
		description VARCHAR, completed BOOLEAN NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL, PRIMARY KEY (id))`,
		`INSERT INTO tasks (user_id, title, completed, created_at, updated_at)
			SELECT 'u' || n % 10, 'x', false, '2026-01-08', '2026-01-08' FROM generate_series(1, 1000) AS n`)
}

// holdUpBuilds makes each CREATE INDEX CONCURRENTLY wait for the end of a transaction until release.
func holdUpBuilds(t testing.TB, db *sql.DB) (release func()) {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	_, err = tx.Exec("SELECT FROM pg_class") // its snapshot lasts as long as the transaction
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Commit()) }
}

// awaitCount waits until a query counts that many.
func awaitCount(t testing.TB, db *sql.DB, want int, query string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var found int
		require.NoError(c, db.QueryRow(query).Scan(&found))
		require.Equal(c, want, found)
	}, waitLimit, 20*time.Millisecond, query)
}

const (
	waitingBuilds = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
		AND query LIKE 'CREATE%INDEX CONCURRENTLY%'`
	waitingServers = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'commit'" // of a try
	indexes        = "SELECT count(*) FROM pg_index WHERE indrelid = 'tasks'::regclass AND indisvalid = "
	constraints    = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'tasks'::regclass AND contype IN ('c', 'f') AND convalidated = "
)

// requireAdopted requires that a table has all that a task needs, in force.
func requireAdopted(t testing.TB, db *sql.DB) {
	t.Helper()
	awaitCount(t, db, 3, indexes+"true") // with the primary key
	awaitCount(t, db, 0, indexes+"false")
	awaitCount(t, db, 4, constraints+"true")
	awaitCount(t, db, 0, constraints+"false")
}

func TestAFilledTableIsReadAndWrittenWhileThreeServersAdoptIt(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL := withoutPooler(t, newPostgres(t))
	db := filledTable(t, databaseURL)
	before := storage(t, databaseURL, db)
	release := holdUpBuilds(t, db)
	servers := make([]*process, 3)
	for i := range servers {
		servers[i] = newHome(t).begin(t, inProduction("PORT=0", "DB_MAX_CONNS=1", "DATABASE_URL="+databaseURL))
	}
	awaitCount(t, db, 1, waitingBuilds)
	awaitCount(t, db, 2, waitingServers)

	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	for _, statement := range []string{
		"INSERT INTO tasks (user_id, title, completed, created_at, updated_at) VALUES ('u1', 'new', false, '2026-01-09', '2026-01-09')",
		"UPDATE tasks SET title = 'changed' WHERE id = 1",
		"DELETE FROM tasks WHERE id = 2",
		"SELECT count(*) FROM tasks",
	} {
		_, err := db.ExecContext(ctx, statement)
		require.NoError(t, err, statement)
	}
	awaitCount(t, db, 1, waitingBuilds)

	release()
	for _, p := range servers {
		p.awaitStart(t)
		require.Len(t, p.tasks(t, "u1"), 101)
	}
	requireAdopted(t, db)
	require.Equal(t, before, storage(t, databaseURL, db), "the table was rewritten")
}

func TestAStartThatIsKilledDuringAnAdoptionIsContinuedByTheNext(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL := withoutPooler(t, newPostgres(t))
	db := filledTable(t, databaseURL)
	settings := inProduction("DATABASE_URL=" + databaseURL)
	kill := func() {
		p := newHome(t).begin(t, append(settings, "PORT=0"))
		awaitCount(t, db, 1, waitingBuilds)
		require.NoError(t, p.Process.Kill())
		p.awaitEnd(t)
	}
	release := holdUpBuilds(t, db)
	kill()
	awaitCount(t, db, 1, indexes+"false")
	awaitCount(t, db, 4, constraints+"false")
	_, err := db.Exec(strings.Replace(waitingBuilds, "count(*)", "pg_terminate_backend(pid)", 1))
	require.NoError(t, err)
	awaitCount(t, db, 0, waitingBuilds)
	kill() // the session goes on by itself
	release()
	require.Len(t, newHome(t).start(t, settings...).tasks(t, "u1"), 100)
	requireAdopted(t, db)
}

func TestARowThatIsAddedDuringAnAdoptionGetsItsUser(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL := newPostgres(t)
	db := filledTable(t, databaseURL)
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // ends the lock
	_, err = tx.Exec(`INSERT INTO tasks (user_id, title, completed, created_at, updated_at)
		VALUES ('late', 'x', false, '2026-01-09', '2026-01-09')`)
	require.NoError(t, err)
	p := newHome(t).begin(t, inProduction("PORT=0", "DATABASE_URL="+databaseURL))
	awaitCount(t, db, 1, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
		AND query LIKE 'ALTER TABLE%'`) // it has read the rows
	require.NoError(t, tx.Commit())
	p.awaitStart(t)
	require.Len(t, p.tasks(t, "late"), 1)
	requireAdopted(t, db)
}

func TestARowThatBreaksARuleStopsTheStartUntilItIsMended(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "user")
		id := map[bool]string{true: "SERIAL", false: "INTEGER"}[auth.postgres]
		auth.exec(t, "CREATE TABLE tasks (id "+id+" PRIMARY KEY, user_id TEXT NOT NULL, title TEXT NOT NULL, description TEXT, "+
			"completed BOOLEAN NOT NULL, created_at TIMESTAMP NOT NULL, updated_at TIMESTAMP NOT NULL)")
		auth.exec(t, "INSERT INTO tasks (user_id, title, completed, created_at, updated_at) VALUES ('ann', '"+strings.Repeat("x", 201)+
			"', false, '2026-01-08', '2026-01-08')")
		before := auth.state(t)
		refuseStart(t, databaseURL, "", "tasks has rows that break chk_tasks_title, length(title) BETWEEN 1 AND 200 (rows: 1)")
		require.Equal(t, before, auth.state(t))
		if auth.postgres { // the row came after the start had looked
			auth.exec(t, "ALTER TABLE tasks ADD CONSTRAINT chk_tasks_title CHECK (length(title) BETWEEN 1 AND 200) NOT VALID")
			for range 2 {
				refuseStart(t, databaseURL, "", "chk_tasks_title")
			}
		}
		auth.exec(t, "UPDATE tasks SET title = 'mended'")
		require.Equal(t, "mended", newServer(t, databaseURL).as("ann").list(t)[0].Title)
		if auth.postgres {
			requireAdopted(t, auth.db)
		}
	})
}
