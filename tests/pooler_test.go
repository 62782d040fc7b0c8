package tests

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// poolerURL leads to a PgBouncer in front of the tests' PostgreSQL, in transaction mode; empty unless TEST_PGBOUNCER is
// set. Then all programs under test go through it.
var poolerURL string

// startPooler starts one, which ends with stop or when this process dies, however it does.
func startPooler() (stop func(), err error) {
	server, err := url.Parse(postgresURL)
	if err != nil {
		return nil, err
	}
	databases := fmt.Sprintf("* = host=%s port=%s user=%s connect_query='SET statement_timeout = 20000'",
		server.Hostname(), server.Port(), server.User.Username())
	address, stop, err := newPooler(databases, "auth_type = any", "")
	if err != nil {
		return nil, err
	}
	server.Host = address
	for range 100 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), server.String()+"&default_query_exec_mode=exec"); err == nil {
			poolerURL = server.String()
			return stop, conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return nil, fmt.Errorf("PgBouncer does not answer: %w", err)
}

// newPooler starts a PgBouncer with databases and settings as lines of its file, and with a file of users.
func newPooler(databases, settings, users string) (address string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "taskapi-pgbouncer-")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	settings = fmt.Sprintf(`[databases]
%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_file = %s/users
pool_mode = transaction
default_pool_size = 20
max_client_conn = 5000
server_idle_timeout = 5
server_login_retry = 1
%s
`, databases, port, dir, settings)
	if err := errors.Join(os.WriteFile(file, []byte(settings), 0o644), os.WriteFile(dir+"/users", []byte(users), 0o644)); err != nil {
		return "", nil, err
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", dir).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	// The shell ends it once the pipe from this process is closed.
	pooler := (&postgresServer{dir: dir}).command("sh", "-c", `"$@" 3<&- & p=$!; read _; kill -INT $p; wait $p`, "sh", "pgbouncer", "-q", file)
	pipe, err := pooler.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := pooler.Start(); err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("127.0.0.1:%d", port), func() {
		_ = pipe.Close()
		_ = pooler.Wait()
		_ = os.RemoveAll(dir)
	}, nil
}

// ownPooler is a PgBouncer that asks for passwords: for users, "user" "password" in lines.
func ownPooler(t *testing.T, databases, users string) (address string) {
	t.Helper()
	if _, err := exec.LookPath("pgbouncer"); err != nil && os.Getenv("CI") == "" {
		t.Skip("PgBouncer is not installed")
	}
	address, stop, err := newPooler(databases, "auth_type = scram-sha-256", users)
	require.NoError(t, err)
	t.Cleanup(stop)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		return err == nil && conn.Close() == nil
	}, waitLimit, 10*time.Millisecond)
	return address
}

// PgBouncer gives each fault of a connection the code 08P01, one that passes as well as one that does not.
func TestAPoolerThatRefusesTheProgramIsNotWaitedFor(t *testing.T) {
	buildProgram(t)
	t.Parallel()
	server, err := url.Parse(withoutPooler(t, newPostgres(t)))
	require.NoError(t, err)
	down, err := freePort()
	require.NoError(t, err)
	databases := fmt.Sprintf("tasks = host=127.0.0.1 port=%s dbname=%s\ngone = host=127.0.0.1 port=%[1]s dbname=gone\n"+
		"down = host=127.0.0.1 port=%[3]d", server.Port(), server.Path[1:], down)
	address := ownPooler(t, databases, `"postgres" "right"`+"\n"+`"norole" "right"`)
	for symptom, c := range map[string]struct{ url, want string }{
		"a wrong password":                     {"postgres:hunter2@" + address + "/tasks", "authentication failed"},
		"an unknown user":                      {"nobody:hunter2@" + address + "/tasks", "authentication failed"},
		"a user whom only the pooler knows":    {"norole:right@" + address + "/tasks", "does not exist"},
		"an unknown database":                  {"postgres:right@" + address + "/missing", "no such database"},
		"a database that only the pooler has":  {"postgres:right@" + address + "/gone", "does not exist"},
		"a parameter that the pooler does not": {"postgres:right@" + address + "/tasks?work_mem=8MB", "unsupported startup parameter"},
	} {
		t.Run(symptom, func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{nil, {"migrate"}} {
				got := newHome(t).run(t, inProduction("PORT=0", "DATABASE_URL=postgres://"+c.url), args...)
				refused(t, got, 1) // no line says that it waits
				require.Contains(t, got.stderr, c.want)
			}
		})
	}
	t.Run("a server that is not up yet is waited for", func(t *testing.T) {
		t.Parallel()
		p := newHome(t).begin(t, inProduction("PORT=0", "DATABASE_URL=postgres://postgres:right@"+address+"/down?pgbouncer=true"))
		require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), "waiting for the database") },
			waitLimit, 10*time.Millisecond)
		require.False(t, p.hasEnded())
	})
}
