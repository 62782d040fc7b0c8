package tests

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// backends are the sessions of a server in its database.
const backends = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

func TestAnInsertIsSentAgainOnlyIfItDidNotReachPostgreSQL(t *testing.T) {
	t.Parallel()
	w, databaseURL := newWire(t, withoutPooler(t, newPostgres(t)))
	s, admin := newServer(t, databaseURL), openDirectly(t, databaseURL)
	s.as("ann").create(t, "first")
	create := request{method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"second"}`}
	seconds := func() int { return count(t, admin, "SELECT count(*) FROM tasks WHERE title = 'second'") }
	pool, err := s.db.DB()
	require.NoError(t, err)

	t.Run("a session that was killed before is replaced", func(t *testing.T) {
		openAll(t, pool)
		_, err := admin.Exec("SELECT pg_terminate_backend(pid) " + backends + " AND state = 'idle'")
		require.NoError(t, err)
		time.Sleep(1100 * time.Millisecond) // one that was in use within the last second is taken to be alive
		require.Equal(t, 201, s.send(t, create).StatusCode)
		require.Equal(t, 1, seconds())
	})
	t.Run("a list is read in another session, too", func(t *testing.T) {
		openAll(t, pool)
		_, err := admin.Exec("SELECT pg_terminate_backend(pid) " + backends + " AND state = 'idle'")
		require.NoError(t, err)
		time.Sleep(1100 * time.Millisecond)
		require.Len(t, s.as("ann").list(t), 2)
	})
	t.Run("a session that is killed meanwhile has the insert undone", func(t *testing.T) {
		lock, err := admin.Begin()
		require.NoError(t, err)
		defer func() { _ = lock.Rollback() }()
		_, err = lock.Exec("LOCK TABLE tasks IN SHARE MODE")
		require.NoError(t, err)
		answers := make(chan answer)
		go func() { answers <- s.sendUnchecked(t, create) }()
		const waiting = backends + " AND wait_event_type = 'Lock'"
		require.Eventually(t, func() bool { return count(t, admin, "SELECT count(*) "+waiting) == 1 }, waitLimit, 10*time.Millisecond)
		require.Equal(t, 1, count(t, admin, "SELECT count(pg_terminate_backend(pid)) "+waiting))
		unavailable(t, <-answers)
		require.NoError(t, lock.Rollback())
		require.Equal(t, 1, seconds())
	})
	t.Run("an answer that is lost leaves the one row", func(t *testing.T) {
		pool.SetMaxOpenConns(1)
		s.as("ann").create(t, "first") // prepares the insert on the connection
		s.as("ann").create(t, "first") // pings the connection, which is new
		w.cut.Store(true)
		unavailable(t, s.send(t, create))
		w.cut.Store(false)
		require.Equal(t, 2, seconds())
		require.Equal(t, 201, s.send(t, create).StatusCode)
		require.Equal(t, 3, seconds())
	})
}
