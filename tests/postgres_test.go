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
	"slices"
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
	dir, err := os.MkdirTemp("", "taskapi-postgres-")
	if err != nil {
		return "", nil, err
	}
	asOther := []string{}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		asOther = []string{"runuser", "-u", "postgres", "--"}
		if out, err := exec.Command("chown", "postgres", dir).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	command := func(args ...string) *exec.Cmd {
		args = append(slices.Clone(asOther), args...)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	// The shell ends the server once the pipe from this process is closed.
	server := command("sh", "-c", `"$@" 3<&- & p=$!; read _; kill -INT $p; wait $p`, "sh",
		filepath.Join(bin, "postgres"), "-D", data, "-p", fmt.Sprint(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "timezone=Asia/Kathmandu")
	pipe, err := server.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(filepath.Join(os.TempDir(), filepath.Base(dir)+".log"))
	if err != nil {
		return "", nil, err
	}
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = pipe.Close()
		_ = server.Wait()
		_ = log.Close()
		_ = os.Remove(log.Name())
		_ = os.RemoveAll(dir)
	}
	serverURL = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	for range 300 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), serverURL); err == nil {
			return serverURL, stop, conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	stop()
	return "", nil, fmt.Errorf("PostgreSQL does not answer: %w", err)
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
	u, err := url.Parse(postgresURL)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
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
