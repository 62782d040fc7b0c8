package tests

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"taskapi/models"
)

// taskCalls creates a task of ann's and returns a valid request for each operation on tasks.
func taskCalls(t testing.TB, s *server) []request {
	t.Helper()
	id := s.as("ann").create(t, "x").ID
	return []request{
		{method: "GET", path: "/api/tasks", user: "ann"},
		{method: "POST", path: "/api/tasks", user: "ann", body: `{"title":"x"}`},
		{method: "GET", path: path(id), user: "ann"},
		{method: "PUT", path: path(id), user: "ann", body: `{"title":"x"}`},
		{method: "PATCH", path: path(id) + "/complete", user: "ann"},
		{method: "PATCH", path: path(id), user: "ann", body: `{"completed":true}`},
		{method: "DELETE", path: path(id), user: "ann"},
	}
}

func TestAFaultOfOursIs500AndItsCauseIsInTheLogAlone(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		calls := taskCalls(t, s)
		require.NoError(t, models.AcrossOwners(s.db).Exec("DROP TABLE tasks").Error)
		for _, r := range calls {
			r.header = map[string]string{"X-Request-ID": "id-" + r.method}
			got := s.send(t, r)
			require.Equal(t, 500, got.StatusCode)
			require.Equal(t, `{"detail":"Internal Server Error"}`, string(got.body))
			require.Equal(t, "application/json", got.Header.Get("Content-Type"))
		}
		logged := s.logs.answered(t, 500)
		require.Len(t, logged, len(calls))
		for i, line := range logged {
			require.Equal(t, "ERROR", line["level"])
			require.Equal(t, "id-"+calls[i].method, line["request_id"])
			require.Contains(t, line["cause"], "tasks")
		}
	})
}

func TestAPanicIs500AndTheServerGoesOn(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		calls := taskCalls(t, s)
		require.NoError(t, s.db.Callback().Query().Before("*").Register("test:panic", func(*gorm.DB) { panic("a bug") }))
		got := s.send(t, request{method: "GET", path: "/api/tasks", user: "ann", header: map[string]string{"Origin": "https://app.example.com"}})
		require.Equal(t, 500, got.StatusCode)
		require.Equal(t, `{"detail":"Internal Server Error"}`, string(got.body))
		require.Equal(t, "https://app.example.com", got.Header.Get("Access-Control-Allow-Origin"))
		panics := s.logs.lines(t, "panic")
		require.Len(t, panics, 1)
		require.Equal(t, "a bug", panics[0]["cause"])
		require.Contains(t, panics[0]["stack"], "faults_test.go")
		require.Equal(t, s.logs.answered(t, 500)[0]["request_id"], panics[0]["request_id"])
		require.Equal(t, 201, s.send(t, calls[1]).StatusCode)
	})
}

// lockTasks blocks writes to the table until unlock is called, and on PostgreSQL reads as well.
func lockTasks(t *testing.T, s *server) (unlock func()) {
	t.Helper()
	pool, err := s.db.DB()
	require.NoError(t, err)
	tx, err := pool.BeginTx(context.Background(), &sql.TxOptions{}) // on SQLite it takes the write lock
	require.NoError(t, err)
	if s.db.Name() == "postgres" {
		_, err = tx.Exec("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
		require.NoError(t, err)
	}
	unlock = func() { _ = tx.Rollback() }
	t.Cleanup(unlock)
	return unlock
}

func TestARequestThatTheDatabaseKeepsWaitingIs503ByItsDeadline(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL, "REQUEST_TIMEOUT", "2s")
		calls := taskCalls(t, s)
		unlock := lockTasks(t, s)
		for _, r := range calls {
			if r.method == "GET" && s.db.Name() == "sqlite" {
				require.Equal(t, 200, s.send(t, r).StatusCode, "SQLite's readers never wait")
				continue
			}
			start := time.Now()
			got := s.send(t, r)
			unavailable(t, got)
			require.Less(t, time.Since(start), 6*time.Second)
		}
		for _, line := range s.logs.answered(t, 503) {
			require.NotEmpty(t, line["request_id"])
			require.NotEmpty(t, line["cause"])
		}
		unlock()
		if s.cfg.Database.Pooled {
			return // nothing is cancelled through a pooler
		}
		require.Equal(t, 200, s.send(t, calls[4]).StatusCode)
		require.Len(t, s.as("ann").list(t), 1, "what was answered 503 is done all the same")
	})
}

// unavailable requires the 503 of the contract.
func unavailable(t testing.TB, got answer) {
	t.Helper()
	require.Equal(t, 503, got.StatusCode, "%s", got.body)
	require.Equal(t, `{"detail":"Service Unavailable"}`, string(got.body))
	require.Regexp(t, `^[1-9]\d*$`, got.Header.Get("Retry-After"))
}

func TestWithNoConnectionToSpareEveryRequestIs503ByItsDeadline(t *testing.T) {
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		s := newServer(t, databaseURL, "REQUEST_TIMEOUT", "2s")
		calls := taskCalls(t, s)
		pool, err := s.db.DB()
		require.NoError(t, err)
		pool.SetMaxOpenConns(1)
		held, err := pool.Conn(context.Background())
		require.NoError(t, err)
		for _, r := range calls {
			unavailable(t, s.send(t, r))
		}
		require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
		require.NoError(t, held.Close())
		require.Equal(t, 200, s.send(t, calls[2]).StatusCode)
	})
}

func TestADatabaseThatRefusesConnectionsIs503(t *testing.T) {
	t.Parallel()
	databaseURL := newPostgres(t)
	s := newServer(t, databaseURL)
	calls := append(taskCalls(t, s), request{method: "GET", path: "/ready"})
	name := databaseURL[strings.LastIndex(databaseURL, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	administer(t, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false")
	administer(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	for _, r := range calls {
		unavailable(t, s.send(t, r))
	}
	require.Equal(t, 200, s.send(t, request{method: "GET", path: "/health"}).StatusCode)
	administer(t, "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
	require.Eventually(t, func() bool { // a pooler notices it later
		return s.send(t, request{method: "GET", path: "/ready"}).StatusCode == 200
	}, waitLimit, 50*time.Millisecond)
	require.Equal(t, 201, s.send(t, calls[1]).StatusCode)
}

func TestLimitsOfBodyAndHeaderHoldOnEveryRoute(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		calls := taskCalls(t, s)
		for _, r := range calls {
			r.body = strings.Repeat(" ", 64<<10+1)
			got := s.send(t, r)
			require.Equal(t, 413, got.StatusCode)
			require.Equal(t, `{"detail":"Request Entity Too Large"}`, string(got.body))
			r.user = ""
			require.Equal(t, 401, s.send(t, r).StatusCode, "the token comes first")
		}
		whole := `{"title":"x","rest":"` + strings.Repeat("x", 64<<10-len(`{"title":"x","rest":""}`)) + `"}`
		require.Len(t, whole, 64<<10)
		s.as("ann").call(t, 201, "POST", "/api/tasks", whole)

		s.listen(t) // app.Test gets no answer if the connection is closed
		for _, r := range append(calls, request{method: "GET", path: "/health"}, request{method: "GET", path: "/ready"}) {
			r.body, r.header = nil, map[string]string{"X-Large": strings.Repeat("x", 20<<10)}
			got := s.send(t, r)
			require.Equal(t, 431, got.StatusCode)
			require.Equal(t, `{"detail":"Request Header Fields Too Large"}`, string(got.body))
		}
		got := s.sendRaw(t, "POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
		require.Contains(t, got, "413")
		require.Contains(t, got, `{"detail":"Request Entity Too Large"}`)
	})
}

func TestAClientThatIsRefusedWhileItSendsIsToldWhy(t *testing.T) {
	t.Parallel()
	s := newServer(t, newSQLite(t))
	s.listen(t)
	for head, status := range map[string]string{
		"POST /api/tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n":        " 413 ",
		"POST /api/tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n":    " 400 ",
		"GET /api/tasks HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 16<<10): " 431 ",
	} {
		t.Run(strings.TrimSpace(status), func(t *testing.T) {
			for range 10 {
				require.Contains(t, s.sendRaw(t, head+strings.Repeat("x", 4<<20)), status)
			}
		})
	}
}

func TestTheDatabaseItselfHoldsTheRules(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		s.as("ann").create(t, "x")
		db := models.AcrossOwners(s.db)
		insert := "INSERT INTO tasks (user_id, title, description, created_at, updated_at) VALUES (?, ?, ?, '2026-01-01', '2026-01-01')"
		for name, row := range map[string][]any{
			"no title":                         {"ann", nil, nil},
			"an empty title":                   {"ann", "", nil},
			"a title of 201 characters":        {"ann", strings.Repeat("é", 201), nil},
			"a description of 1001 characters": {"ann", "x", strings.Repeat("é", 1001)},
			"an unknown user":                  {"nobody", "x", nil},
			"no user":                          {nil, "x", nil},
		} {
			t.Run(name, func(t *testing.T) { require.Error(t, db.Exec(insert, row...).Error) })
		}
		require.Error(t, db.Exec("INSERT INTO users (id, created_at) VALUES ('', '2026-01-01')").Error)
		require.NoError(t, db.Exec(insert, "ann", strings.Repeat("é", 200), strings.Repeat("é", 1000)).Error)
		require.Len(t, s.as("ann").list(t), 2)
		require.False(t, s.as("ann").list(t)[0].Completed)

		s.as("bob").create(t, "bob's")
		require.NoError(t, db.Exec("DELETE FROM users WHERE id = 'ann'").Error)
		require.Empty(t, s.as("ann").list(t), "a user's tasks stay when the user goes")
		require.Len(t, s.as("bob").list(t), 1)
	})
}
