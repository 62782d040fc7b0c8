package tests

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// postgresURL leads to the server that the tests make their databases on; empty where there is none.
var postgresURL string

const noPostgres = "PostgreSQL is left out: no server binaries are installed and TEST_DATABASE_URL is not set"

var errNoPostgres = errors.New(noPostgres)

// startPostgres takes the server of TEST_DATABASE_URL, or starts one that stop ends.
func startPostgres() (serverURL string, stop func(), err error) {
	if given := os.Getenv("TEST_DATABASE_URL"); given != "" {
		return given, func() {}, nil
	}
	own, err := newPostgresServer()
	if err != nil {
		return "", nil, err
	}
	return own.url, own.remove, nil
}

// postgresServer is a server of the tests' own.
type postgresServer struct {
	url     string
	bin     string
	dir     string // holds all that it keeps
	port    int
	process *exec.Cmd // the shell that it runs under
	pipe    io.WriteCloser
}

// newPostgresServer starts a server on a free port from the newest binaries installed. It ends with remove or when this
// process dies, however it does.
func newPostgresServer() (_ *postgresServer, err error) {
	s := &postgresServer{}
	if s.bin, err = postgresBinaries(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "taskapi-postgres-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "postgres", s.dir).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("chown: %w: %s", err, out)
		}
	}
	initdb := s.command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust",
		"-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	if s.port, err = freePort(); err != nil {
		return nil, err
	}
	s.url = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	return s, s.start()
}

func (s *postgresServer) data() string { return filepath.Join(s.dir, "data") }

// command prepares a program to run in the server's directory, as another user than root, whom PostgreSQL refuses.
func (s *postgresServer) command(args ...string) *exec.Cmd {
	if os.Getuid() == 0 {
		args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = s.dir
	return cmd
}

// start returns when the server answers.
func (s *postgresServer) start() (err error) {
	// The shell ends the server by the signal that the pipe from this process names, at once if it is closed.
	s.process = s.command("sh", "-c", `"$@" 3<&- & p=$!; read signal; kill -${signal:-QUIT} $p; kill -CONT $p; wait $p`, "sh",
		filepath.Join(s.bin, "postgres"), "-D", s.data(), "-p", fmt.Sprint(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=400",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "timezone=Asia/Kathmandu")
	if s.pipe, err = s.process.StdinPipe(); err != nil {
		return err
	}
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return err
	}
	for range 300 {
		var conn *pgx.Conn
		if conn, err = pgx.Connect(context.Background(), s.url); err == nil {
			return conn.Close(context.Background())
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("PostgreSQL does not answer: %w", err)
}

func (s *postgresServer) log() string { return s.dir + ".log" }

// end ends the server as a signal makes it: INT rolls back what is under way and says so, QUIT drops everything at once.
func (s *postgresServer) end(signal string) {
	_, _ = fmt.Fprintln(s.pipe, signal)
	_ = s.process.Wait()
}

// signal sends one to every process of the server.
func (s *postgresServer) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, signal)) // first, so that it starts no more of them
	for range 2 {                                 // the first list may lack some, if another child ends meanwhile (proc(5))
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		require.NoError(t, err)
		for _, child := range strings.Fields(string(children)) {
			pid, err := strconv.Atoi(child)
			require.NoError(t, err)
			_ = syscall.Kill(pid, signal) // it may have ended
		}
	}
}

// remove ends the server and leaves nothing behind.
func (s *postgresServer) remove() {
	if s.process != nil {
		_ = s.pipe.Close()
		_ = s.process.Wait()
	}
	_ = os.Remove(s.log())
	_ = os.RemoveAll(s.dir)
}

// ownPostgres is a server for a test that stops it.
func ownPostgres(t *testing.T) *postgresServer {
	t.Helper()
	s, err := newPostgresServer()
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") == "" {
		t.Skip("no PostgreSQL that may be stopped: no server binaries are installed")
	}
	require.NoError(t, err)
	t.Cleanup(s.remove)
	return s
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
	return newPostgresWith(t, "")
}

// unlikeC are the options of a database whose collation orders and folds text unlike C, which is that of the others.
const unlikeC = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"

// newPostgresWith is newPostgres with options of CREATE DATABASE.
func newPostgresWith(t testing.TB, options string) string {
	t.Helper()
	if postgresURL == "" {
		t.Skip(noPostgres)
	}
	name := fmt.Sprintf("taskapi_test_%d_%d", os.Getpid(), databases.Add(1))
	administer(t, "CREATE DATABASE "+name+" "+fastest()+" "+options)
	t.Cleanup(func() { administer(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	u, err := url.Parse(cmp.Or(poolerURL, postgresURL))
	require.NoError(t, err)
	u.Path = "/" + name
	if poolerURL != "" {
		u.RawQuery += "&pgbouncer=true"
	}
	return u.String()
}

// past leads to the same database without a pooler in between, for what a test does there by itself.
func withoutPooler(t testing.TB, databaseURL string) string {
	t.Helper()
	server, err := url.Parse(postgresURL)
	require.NoError(t, err)
	database, err := url.Parse(databaseURL)
	require.NoError(t, err)
	if database.Scheme != "postgres" {
		return databaseURL
	}
	server.Path = database.Path
	return server.String()
}

// administrators are connections to the server's own database.
var administrators = sync.OnceValues(func() (*pgxpool.Pool, error) { return pgxpool.New(context.Background(), postgresURL) })

// administer runs a statement on the server's own database.
func administer(t testing.TB, statement string) {
	t.Helper()
	pool, err := administrators()
	require.NoError(t, err)
	_, err = pool.Exec(context.Background(), statement)
	require.NoError(t, err)
}

// fastest is the option of CREATE DATABASE by which a small database is made in half the time, where there is one.
var fastest = sync.OnceValue(func() string {
	pool, err := administrators()
	if err != nil {
		return ""
	}
	var version int
	err = pool.QueryRow(context.Background(), "SELECT current_setting('server_version_num')::int").Scan(&version)
	if err != nil || version < 15_00_00 {
		return ""
	}
	return "STRATEGY file_copy"
})
