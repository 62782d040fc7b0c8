package tests

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reroute replaces the address in the URL of a database.
func reroute(t testing.TB, databaseURL, address string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	require.NoError(t, err)
	u.Host = address
	return u.String()
}

// forward forwards the connections to an address until the test ends.
func forward(t testing.TB, address, databaseURL string) {
	t.Helper()
	database, err := url.Parse(databaseURL)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", database.Host)
			if err != nil {
				_ = from.Close()
				continue
			}
			go func() { _, _ = io.Copy(to, from); _ = to.Close() }()
			go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
		}
	}()
}

func TestAProgramThatStartsBeforeItsDatabaseWaitsForItAndSaysSo(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL := newPostgres(t)
	port, err := freePort()
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	time.AfterFunc(time.Second, func() { forward(t, address, databaseURL) })
	p := newHome(t).start(t, inProduction("DATABASE_URL="+reroute(t, databaseURL, address))...)
	p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
	waits := p.stderr.lines(t, "waiting for the database")
	require.NotEmpty(t, waits)
	require.Contains(t, waits[0]["cause"], address)
}

func TestAProgramWhoseDatabaseNeverComesEndsWithOneLine(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	port, err := freePort()
	require.NoError(t, err)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	for _, args := range [][]string{nil, {"migrate"}} {
		start := time.Now()
		got := newHome(t).run(t, inProduction("PORT=0", "STARTUP_WAIT=1s", "DATABASE_URL=postgres://u:hunter2@"+address+"/db"), args...)
		require.Equal(t, 1, got.code)
		require.Less(t, time.Since(start), 10*time.Second)
		lines := strings.Split(strings.TrimSpace(got.stderr), "\n")
		require.Contains(t, lines[0], "waiting for the database")
		require.Regexp(t, `^cannot open the database \(PostgreSQL, `+address+`/db\): .*connection refused`, lines[len(lines)-1])
		require.NotContains(t, got.stderr, "hunter2")
	}
}

func TestADatabaseThatRefusesTheProgramIsNotWaitedFor(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	missing, err := url.Parse(withoutPooler(t, newPostgres(t)))
	require.NoError(t, err)
	missing.Path += "_missing"
	got := newHome(t).run(t, inProduction("PORT=0", "DATABASE_URL="+missing.String()))
	refused(t, got, 1)
	require.Contains(t, got.stderr, "does not exist")
}

func TestMigrationsRunApartFromTheServer(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		apart := inProduction("DATABASE_URL="+databaseURL, "AUTO_MIGRATE=false")
		h := newHome(t)
		got := h.run(t, append(apart, "PORT=0"))
		refused(t, got, 1)
		require.Contains(t, got.stderr, "run the command migrate")

		for range 2 {
			got = h.run(t, apart, "migrate")
			require.Zero(t, got.code, got.stderr)
			require.Empty(t, got.stdout)
		}
		p := h.start(t, apart...)
		p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)

		column := "created_at"
		if !strings.HasPrefix(databaseURL, "sqlite:") {
			column = "created_at CASCADE"
		} else {
			openDirectly(t, databaseURL, "DROP INDEX idx_tasks_user_created", "DROP INDEX idx_tasks_user_completed")
		}
		openDirectly(t, databaseURL, "ALTER TABLE tasks DROP COLUMN "+column)
		got = h.run(t, append(apart, "PORT=0"))
		refused(t, got, 1)
		require.Contains(t, got.stderr, "run the command migrate", "a column is missing")
	})
}

// The role of the server may not change tables, as in a shared database.
func TestMigrationsUseTheirOwnConnection(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	databaseURL := newPostgres(t)
	role, limited := newRole(t, databaseURL)
	openDirectly(t, databaseURL, "ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "+role,
		"ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO "+role)
	got := newHome(t).run(t, inProduction("PORT=0", "DATABASE_URL="+limited))
	refused(t, got, 1)
	require.Contains(t, got.stderr, "permission denied")

	p := newHome(t).start(t, inProduction("DATABASE_URL="+limited, "MIGRATE_DATABASE_URL="+withoutPooler(t, databaseURL))...)
	p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
	_, _ = p.stop(t, syscall.SIGTERM)
}

func TestAServerThatDoesNotMigrateDemandsTheRightAccounts(t *testing.T) {
	buildProgram(t)
	eachDatabase(t, func(t *testing.T, databaseURL string) {
		auth := newAccounts(t, databaseURL, "user")
		auth.signUp(t, "ann")
		apart, external := inProduction("DATABASE_URL="+databaseURL, "AUTO_MIGRATE=false"), "AUTH_USERS_TABLE=user"
		require.Zero(t, newHome(t).run(t, apart, "migrate").code)
		got := newHome(t).run(t, append(apart, "PORT=0", external))
		refused(t, got, 1)
		require.Contains(t, got.stderr, "tasks does not reference user")
		require.Zero(t, newHome(t).run(t, append(apart, external), "migrate").code)
		p := newHome(t).start(t, append(apart, external)...)
		p.call(t, 201, "POST", "/api/tasks", tokenOf(t, "ann"), `{"title":"x"}`)
		p.call(t, 401, "POST", "/api/tasks", tokenOf(t, "bob"), `{"title":"x"}`)
	})
}

func TestAColumnThatALaterVersionAddsDisturbsNoRunningServer(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		calls := taskCalls(t, s)[:5]
		for _, r := range calls {
			require.Less(t, s.send(t, r).StatusCode, 300)
		}
		openDirectly(t, s.cfg.DatabaseURL, "ALTER TABLE tasks ADD COLUMN later TEXT")
		for range 3 {
			for _, r := range calls {
				got := s.send(t, r)
				if got.StatusCode == 503 {
					got = s.send(t, r) // what was prepared before is prepared anew
				}
				require.Less(t, got.StatusCode, 300, "%s %s", r.method, s.logs.String())
			}
		}
	})
}

func TestAPoolerIsKnownByItsURL(t *testing.T) {
	t.Parallel()
	for databaseURL, pooled := range map[string]bool{
		"postgres://u@db.example.com/d":                                                                              false,
		"postgres://u@db.example.com/d?pgbouncer=true":                                                               true,
		"postgres://u@db.example.com:6432/d":                                                                         true,
		"postgres://u@db.example.com:6543/d":                                                                         true,
		"postgres://u@db.example.com:6432/d?pgbouncer=false":                                                         false,
		"postgres://u@ep-cool-1.eu-central-1.aws.neon.tech/d?sslmode=require&channel_binding=require":                false,
		"postgres://u@ep-cool-1-pooler.eu-central-1.aws.neon.tech/d?sslmode=require&channel_binding=require":         true,
		"postgresql+asyncpg://u@ep-cool-1-pooler.eu-central-1.aws.neon.tech/d?ssl=require&statement_cache_size=1024": true,
	} {
		t.Run(databaseURL, func(t *testing.T) {
			cfg, err := parse("DATABASE_URL", databaseURL)
			require.NoError(t, err)
			require.Equal(t, pooled, cfg.Database.Pooled, databaseURL)
			require.NotContains(t, cfg.Database.Source, "pgbouncer")
		})
	}
	cfg, err := parse("DATABASE_URL", "postgres://u@h/d?pgbouncer=perhaps", "MIGRATE_DATABASE_URL", "sqlite://x.db", "DB_MAX_CONNS", "0",
		"STARTUP_WAIT", "-1s", "DB_CONN_IDLE_TIME", "-1s", "DB_CONN_LIFETIME", "soon")
	requireFaults(t, cfg, err, "DATABASE_URL", "MIGRATE_DATABASE_URL", "DB_MAX_CONNS", "STARTUP_WAIT", "DB_CONN_IDLE_TIME", "DB_CONN_LIFETIME")
	cfg, err = parse("DATABASE_URL", "postgres://u:a@b/hunter2@host/db")
	requireFaults(t, cfg, err, "DATABASE_URL")
	cfg, err = parse("BETTER_AUTH_URL", "https://app.example.com?key=hunter2", "DB_MAX_CONNS", "x")
	requireFaults(t, cfg, err, "BETTER_AUTH_URL", "DB_MAX_CONNS")
	cfg, err = parse("MIGRATE_DATABASE_URL", "postgres://u@h/d")
	requireFaults(t, cfg, err, "MIGRATE_DATABASE_URL")
}

func TestAPoolerWithoutAStatementTimeoutIsWarnedOf(t *testing.T) {
	t.Parallel()
	databaseURL := withoutPooler(t, newPostgres(t))
	const warning = "no statement_timeout"
	require.NotContains(t, newServer(t, databaseURL).logs.String(), warning, "there is no pooler")
	pooled := databaseURL + "&pgbouncer=true"
	require.Contains(t, newServer(t, pooled).logs.String(), warning)
	database, err := url.Parse(databaseURL)
	require.NoError(t, err)
	openDirectly(t, databaseURL, "ALTER DATABASE "+database.Path[1:]+" SET statement_timeout = '5s'")
	require.NotContains(t, newServer(t, pooled).logs.String(), warning)
}

func TestASlowStatementIsLoggedWithoutItsValues(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *server) {
		created := s.as("ann").create(t, "x")
		require.Empty(t, s.logs.lines(t, "slow statement"))
		unlock := lockTasks(t, s)
		time.AfterFunc(700*time.Millisecond, unlock)
		s.as("ann").call(t, 200, "PUT", path(created.ID), `{"title":"private"}`)
		lines := s.logs.lines(t, "slow statement")
		require.Len(t, lines, 1)
		require.Equal(t, "WARN", lines[0]["level"])
		require.Contains(t, lines[0]["sql"], "UPDATE")
		require.NotContains(t, s.logs.String(), "private")
		require.NotContains(t, lines[0]["sql"], "ann")
	})
}
