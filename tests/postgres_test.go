package tests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// postgresURL leads to the server that the tests make their databases on; empty where there is none.
var postgresURL string

const noPostgres = "PostgreSQL is left out: no server binaries are installed and TEST_DATABASE_URL is not set"

var errNoPostgres = errors.New(noPostgres)

// poolerURL leads to a PgBouncer in front of that server, in transaction mode; empty unless TEST_PGBOUNCER is set. Then all
// programs under test go through it.
var poolerURL string

// startPostgres takes the server of TEST_DATABASE_URL, or starts one on a free port from the newest binaries installed.
// The server ends when stop is called or this process dies, however it does.
func startPostgres() (serverURL string, stop func(), err error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		return given, func() {}, nil
	}
	bin, err := postgresBinaries()
	if err != nil {
		return "", nil, err
	}
	dir, err := newDaemonDir()
	if err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	if out, err := daemonCommand(dir, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	stop, err = startDaemon(dir, filepath.Join(bin, "postgres"), "-D", data, "-p", fmt.Sprint(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "timezone=Asia/Kathmandu")
	if err != nil {
		return "", nil, err
	}
	serverURL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return serverURL, stop, awaitPostgres(serverURL, stop)
}

// startPooler starts a PgBouncer in front of postgresURL's server.
func startPooler() (stop func(), err error) {
	server, err := url.Parse(postgresURL)
	if err != nil {
		return nil, err
	}
	dir, err := newDaemonDir()
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pgbouncer.ini")
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%s connect_query='SET statement_timeout = 20000'\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\nauth_type = any\n"+
		"pool_mode = transaction\ndefault_pool_size = 20\nmax_client_conn = 5000\nserver_idle_timeout = 5\nserver_login_retry = 1\n", server.Hostname(), server.Port(), port)
	settings = strings.Replace(settings, " port=", " user="+server.User.Username()+" port=", 1)
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
		return nil, err
	}
	if stop, err = startDaemon(dir, "pgbouncer", "-q", file); err != nil {
		return nil, err
	}
	server.Host = fmt.Sprintf("127.0.0.1:%d", port)
	poolerURL = server.String()
	return stop, awaitPostgres(poolerURL+"&default_query_exec_mode=exec", stop)
}

// newDaemonDir makes a directory for a server that refuses to run as root.
func newDaemonDir() (string, error) {
	dir, err := os.MkdirTemp("", "taskapi-postgres-")
	if err != nil || os.Getuid() != 0 {
		return dir, err
	}
	if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("chown: %w: %s", err, out)
	}
	return dir, nil
}

func daemonCommand(dir string, args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	return cmd
}

// startDaemon runs a server until stop is called or this process dies, however it does.
func startDaemon(dir string, args ...string) (stop func(), err error) {
	// The shell ends the server once the pipe from this process is closed.
	server := daemonCommand(dir, append([]string{"sh", "-c", `"$@" 3<&- & p=$!; read _; kill -INT $p; wait $p`, "sh"}, args...)...)
	pipe, err := server.StdinPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(os.TempDir(), filepath.Base(dir)+".log"))
	if err != nil {
		return nil, err
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = pipe.Close()
		_ = server.Wait()
		_ = log.Close()
		_ = os.Remove(log.Name())
		_ = os.RemoveAll(dir)
	}, nil
}

// awaitPostgres waits until a server answers, or stops it if it never does.
func awaitPostgres(serverURL string, stop func()) (err error) {
	for range 300 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), serverURL); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return fmt.Errorf("PostgreSQL does not answer: %w", err)
}

// postgresBinaries finds the directory of initdb and postgres.
func postgresBinaries() (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(dirs) // the newest first
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, string(out[:len(out)-1]))
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errNoPostgres
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

var databases atomic.Int64

// newPostgres makes an empty database that lives as long as the test, and returns its URL.
func newPostgres(t testing.TB) string {
	t.Helper()
	if postgresURL == "" {
		t.Skip(noPostgres)
	}
	name := fmt.Sprintf("taskapi_test_%d_%d", os.Getpid(), databases.Add(1))
	administer(t, "CREATE DATABASE "+name)
	t.Cleanup(func() { administer(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(cmp.Or(poolerURL, postgresURL))
	require.NoError(t, err)
	u.Path = "/" + name
	if poolerURL != "" {
		u.RawQuery += "&pgbouncer=true"
	}
	return u.String()
}

// past leads to the same database without the pooler, for what a test does there by itself.
func past(t testing.TB, databaseURL string) string {
	t.Helper()
	server, err := url.Parse(postgresURL)
	require.NoError(t, err)
	database, err := url.Parse(databaseURL)
	require.NoError(t, err)
	server.Path = database.Path
	return server.String()
}

// administer runs a statement on the server's own database.
func administer(t testing.TB, statement string) {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), postgresURL)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), statement)
	require.NoError(t, err)
}
