package tests

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
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
	dir, err := os.MkdirTemp("", "taskapi-pgbouncer-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	settings := fmt.Sprintf(`[databases]
* = host=%s port=%s user=%s connect_query='SET statement_timeout = 20000'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 5000
server_idle_timeout = 5
server_login_retry = 1
`, server.Hostname(), server.Port(), server.User.Username(), port)
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "-R", "postgres", dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	// The shell ends it once the pipe from this process is closed.
	pooler := (&postgresServer{dir: dir}).command("sh", "-c", `"$@" 3<&- & p=$!; read _; kill -INT $p; wait $p`, "sh", "pgbouncer", "-q", file)
	pipe, err := pooler.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := pooler.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		_ = pipe.Close()
		_ = pooler.Wait()
		_ = os.RemoveAll(dir)
	}
	server.Host = fmt.Sprintf("127.0.0.1:%d", port)
	poolerURL = server.String()
	for range 100 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), poolerURL+"&default_query_exec_mode=exec"); err == nil {
			return stop, conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return nil, fmt.Errorf("PgBouncer does not answer: %w", err)
}
